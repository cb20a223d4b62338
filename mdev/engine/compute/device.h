/* SPDX-License-Identifier: MIT */
/*
 * The host's OpenCL device that one engine computes on: found, opened, its properties known.
 *
 * The ICD behind it is vendor code and runs inside the jail. One context over one device for the whole
 * life of the engine.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_DEVICE_H
#define VGPU_MDEV_ENGINE_COMPUTE_DEVICE_H

#include <CL/cl.h>
#include <stdbool.h>
#include <stdint.h>

struct device {
	cl_platform_id platform;
	cl_device_id id;
	cl_context context;
	char name[128];
	uint32_t mem_align_bytes;
	uint64_t max_alloc_bytes;
	bool on_cpu;			/* the device's threads and ours share the cores */
	bool native_kernels;
	bool takes_il;			/* clCreateProgramWithIL may be called */
	bool has_sub_groups;
	int64_t time_offset_ns;		/* device time base - CLOCK_MONOTONIC */
};

/* platform_name NULL: the first. 0, or -errno with a sentence in why. */
int device_open(const char *platform_name, uint32_t device_index, struct device *ret_device, char why[256]);
void device_close(struct device *device);

/* CLOCK_MONOTONIC. */
uint64_t clock_now_ns(void);

/* Now, in the device's time base. */
uint64_t device_now_ns(const struct device *device);
#endif
