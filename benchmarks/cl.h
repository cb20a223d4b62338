/* SPDX-License-Identifier: MIT */
/* Which OpenCL device is meant by what a user typed, and the names of OpenCL's errors. */
#ifndef BENCHMARKS_CL_H
#define BENCHMARKS_CL_H

#include <CL/cl.h>
#include <stddef.h>
#include <stdio.h>

/* A device and what it calls itself. Holds no reference; root devices need none. */
struct device_choice {
	cl_platform_id platform;
	cl_device_id device;
	char platform_name[128];
	char platform_version[128];
	char device_name[128];
	char device_version[128];
	char driver_version[128];
	cl_ulong memory_bytes;
	cl_ulong allocation_max_bytes;
	cl_uint compute_units;
};

/* "CL_INVALID_VALUE"; "unknown OpenCL error" for a code no specification lists. */
const char *cl_error_name(cl_int code);

/*
 * The first device whose platform and own name hold the given text (case does not matter); NULL
 * matches all. A `device` of digits alone is an index into the devices of the matching platforms.
 * -ENOENT: none matches, -EIO: an OpenCL call failed; `reason` then is one sentence for the user.
 */
int device_choose(const char *platform, const char *device, struct device_choice *ret_choice,
	char *reason, size_t reason_size);

/* One line per device. Errors as above. */
int device_list(FILE *out, char *reason, size_t reason_size);

#endif
