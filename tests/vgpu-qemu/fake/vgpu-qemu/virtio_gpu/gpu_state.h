/* SPDX-License-Identifier: MIT */
/* The fake virtio-gpu's state (tests/vgpu-qemu/fake_gpu.c). */
#ifndef TESTS_VGPU_QEMU_FAKE_GPU_STATE_H
#define TESTS_VGPU_QEMU_FAKE_GPU_STATE_H

#include <stdint.h>

struct gpu_state {
	uint64_t handled;	/* elements, each serial once */
	uint64_t last_serial;
	uint64_t resets;
	uint32_t deferred_head;	/* + 1; 0: none */
	uint32_t reserved;
};

#endif
