/* SPDX-License-Identifier: MIT */
/* libFuzzer entry: the bytes are a guest, its engines and the host's mishaps (tests/vgpu-qemu/virtio_gpu/script.h). */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "tests/vgpu-qemu/virtio_gpu/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct rig rig;

	setenv("VGPU_LOG", "error", 1);
	rig_begin(&rig, NULL, 0, 24 << 20, 6);
	script_run(&rig, data, bytes);
	rig_end(&rig);
	return 0;
}
