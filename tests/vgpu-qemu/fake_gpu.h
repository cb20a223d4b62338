/* SPDX-License-Identifier: MIT */
/* What the fake virtio-gpu understands on its control queue. */
#ifndef TESTS_VGPU_QEMU_FAKE_GPU_H
#define TESTS_VGPU_QEMU_FAKE_GPU_H

#include <stdint.h>

enum fake_gpu_request {
	FAKE_GPU_ECHO = 1,
	FAKE_GPU_DIE = 2,	/* kills the device process */
	FAKE_GPU_DEFER = 3,	/* answered by the next RELEASE */
	FAKE_GPU_RELEASE = 4,
};

struct fake_gpu_response {
	uint8_t echo[16];
	uint64_t handled;
	uint32_t last_attempt;
	uint32_t reserved;
};

#endif
