/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PLATFORMS_MAX 16
#define DEVICES_MAX 64

uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t device_now_ns(const struct device *device)
{
	return clock_now_ns() + (uint64_t)device->time_offset_ns;
}

static int find_platform(const char *name, cl_platform_id *ret_platform, char why[256])
{
	cl_platform_id platforms[PLATFORMS_MAX];
	cl_uint count = 0;
	char seen[128] = "";

	cl_int error = clGetPlatformIDs(PLATFORMS_MAX, platforms, &count);
	if (error || !count) {
		snprintf(why, 256, "the ICD offers no OpenCL platform (error %d); check that its library loads", error);
		return -ENODEV;
	}
	for (cl_uint i = 0; i < count && i < PLATFORMS_MAX; i++) {
		clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof(seen), seen, NULL);
		if (!name || !strcmp(name, seen)) {
			*ret_platform = platforms[i];
			return 0;
		}
	}
	snprintf(why, 256, "platform '%.80s' is not there; the ICD offers '%.80s'", name, seen);
	return -ENODEV;
}

/* PoCL and most drivers answer clGetDeviceAndHostTimer; one that does not is taken to use CLOCK_MONOTONIC. */
static int64_t time_offset_ns(cl_device_id id)
{
	cl_ulong device_ns = 0, host_ns = 0;
	uint64_t before_ns = clock_now_ns();

	if (clGetDeviceAndHostTimer(id, &device_ns, &host_ns) || !device_ns)
		return 0;
	return (int64_t)(device_ns - (before_ns + clock_now_ns()) / 2);
}

int device_open(const char *platform_name, uint32_t device_index, struct device *ret_device, char why[256])
{
	struct device device = {0};
	cl_device_id ids[DEVICES_MAX];
	cl_uint count = 0, align_bits = 0;
	cl_device_type type = 0;
	cl_device_exec_capabilities capabilities = 0;
	size_t il_bytes = 0;
	cl_uint sub_groups = 0;
	cl_ulong max_alloc = 0;
	cl_int error = 0;

	int r = find_platform(platform_name, &device.platform, why);
	if (r)
		return r;
	error = clGetDeviceIDs(device.platform, CL_DEVICE_TYPE_ALL, DEVICES_MAX, ids, &count);
	if (error || device_index >= count) {
		snprintf(why, 256, "device %u is not there: the platform has %u (error %d)", device_index, count, error);
		return -ENODEV;
	}
	device.id = ids[device_index];
	clGetDeviceInfo(device.id, CL_DEVICE_NAME, sizeof(device.name) - 1, device.name, NULL);
	clGetDeviceInfo(device.id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof(align_bits), &align_bits, NULL);
	clGetDeviceInfo(device.id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(max_alloc), &max_alloc, NULL);
	clGetDeviceInfo(device.id, CL_DEVICE_TYPE, sizeof(type), &type, NULL);
	clGetDeviceInfo(device.id, CL_DEVICE_EXECUTION_CAPABILITIES, sizeof(capabilities), &capabilities, NULL);
	device.mem_align_bytes = align_bits / 8 ? align_bits / 8 : 1;
	if (device.mem_align_bytes & (device.mem_align_bytes - 1))
		device.mem_align_bytes = 4096;
	device.max_alloc_bytes = max_alloc;
	device.on_cpu = type & CL_DEVICE_TYPE_CPU;
	device.native_kernels = capabilities & CL_EXEC_NATIVE_KERNEL;
	clGetDeviceInfo(device.id, CL_DEVICE_IL_VERSION, 0, NULL, &il_bytes);
	clGetDeviceInfo(device.id, CL_DEVICE_MAX_NUM_SUB_GROUPS, sizeof(sub_groups), &sub_groups, NULL);
	device.takes_il = il_bytes > 1;	/* more than a NUL */
	device.has_sub_groups = sub_groups;
	device.time_offset_ns = time_offset_ns(device.id);
	device.context = clCreateContext(NULL, 1, &device.id, NULL, NULL, &error);
	if (!device.context) {
		snprintf(why, 256, "a context on '%s' cannot be made (error %d)", device.name, error);
		return -EIO;
	}
	*ret_device = device;
	return 0;
}

void device_close(struct device *device)
{
	if (device->context)
		clReleaseContext(device->context);
	device->context = NULL;
}
