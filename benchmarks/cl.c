// SPDX-License-Identifier: MIT
/* Walks the ICD loader's platforms; distrusts what they report (counts, missing strings). */
#include "benchmarks/cl.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES_MAX 64

/* cl_khr_icd: what a loader says when it has no platform. */
#define NO_PLATFORM (-1001)

struct error_name {
	cl_int code;
	const char *name;
};

#define E(name) { name, #name }
static const struct error_name error_names[] = {
	E(CL_SUCCESS), E(CL_DEVICE_NOT_FOUND), E(CL_DEVICE_NOT_AVAILABLE), E(CL_COMPILER_NOT_AVAILABLE),
	E(CL_MEM_OBJECT_ALLOCATION_FAILURE), E(CL_OUT_OF_RESOURCES), E(CL_OUT_OF_HOST_MEMORY),
	E(CL_PROFILING_INFO_NOT_AVAILABLE), E(CL_MEM_COPY_OVERLAP), E(CL_IMAGE_FORMAT_MISMATCH),
	E(CL_IMAGE_FORMAT_NOT_SUPPORTED), E(CL_BUILD_PROGRAM_FAILURE), E(CL_MAP_FAILURE),
	E(CL_MISALIGNED_SUB_BUFFER_OFFSET), E(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
	E(CL_COMPILE_PROGRAM_FAILURE), E(CL_LINKER_NOT_AVAILABLE), E(CL_LINK_PROGRAM_FAILURE),
	E(CL_DEVICE_PARTITION_FAILED), E(CL_KERNEL_ARG_INFO_NOT_AVAILABLE), E(CL_INVALID_VALUE),
	E(CL_INVALID_DEVICE_TYPE), E(CL_INVALID_PLATFORM), E(CL_INVALID_DEVICE), E(CL_INVALID_CONTEXT),
	E(CL_INVALID_QUEUE_PROPERTIES), E(CL_INVALID_COMMAND_QUEUE), E(CL_INVALID_HOST_PTR),
	E(CL_INVALID_MEM_OBJECT), E(CL_INVALID_IMAGE_FORMAT_DESCRIPTOR), E(CL_INVALID_IMAGE_SIZE),
	E(CL_INVALID_SAMPLER), E(CL_INVALID_BINARY), E(CL_INVALID_BUILD_OPTIONS), E(CL_INVALID_PROGRAM),
	E(CL_INVALID_PROGRAM_EXECUTABLE), E(CL_INVALID_KERNEL_NAME), E(CL_INVALID_KERNEL_DEFINITION),
	E(CL_INVALID_KERNEL), E(CL_INVALID_ARG_INDEX), E(CL_INVALID_ARG_VALUE), E(CL_INVALID_ARG_SIZE),
	E(CL_INVALID_KERNEL_ARGS), E(CL_INVALID_WORK_DIMENSION), E(CL_INVALID_WORK_GROUP_SIZE),
	E(CL_INVALID_WORK_ITEM_SIZE), E(CL_INVALID_GLOBAL_OFFSET), E(CL_INVALID_EVENT_WAIT_LIST),
	E(CL_INVALID_EVENT), E(CL_INVALID_OPERATION), E(CL_INVALID_GL_OBJECT), E(CL_INVALID_BUFFER_SIZE),
	E(CL_INVALID_MIP_LEVEL), E(CL_INVALID_GLOBAL_WORK_SIZE), E(CL_INVALID_PROPERTY),
	E(CL_INVALID_IMAGE_DESCRIPTOR), E(CL_INVALID_COMPILER_OPTIONS), E(CL_INVALID_LINKER_OPTIONS),
	E(CL_INVALID_DEVICE_PARTITION_COUNT), E(CL_INVALID_PIPE_SIZE), E(CL_INVALID_DEVICE_QUEUE),
	E(CL_INVALID_SPEC_ID), E(CL_MAX_SIZE_RESTRICTION_EXCEEDED),
	{ NO_PLATFORM, "CL_PLATFORM_NOT_FOUND_KHR" },
};
#undef E

const char *cl_error_name(cl_int code)
{
	for (size_t i = 0; i < sizeof(error_names) / sizeof(error_names[0]); i++)
		if (error_names[i].code == code)
			return error_names[i].name;
	return "unknown OpenCL error";
}

/* Text a platform or device does not tell is shown as "?". */
static void platform_text(cl_platform_id platform, cl_platform_info what, char *text, size_t size)
{
	if (clGetPlatformInfo(platform, what, size, text, NULL) != CL_SUCCESS)
		strcpy(text, "?");
	text[size - 1] = '\0';
}

static void device_text(cl_device_id device, cl_device_info what, char *text, size_t size)
{
	if (clGetDeviceInfo(device, what, size, text, NULL) != CL_SUCCESS)
		strcpy(text, "?");
	text[size - 1] = '\0';
}

static void describe(struct device_choice *choice)
{
	cl_device_id device = choice->device;

	platform_text(choice->platform, CL_PLATFORM_NAME, choice->platform_name,
		sizeof(choice->platform_name));
	platform_text(choice->platform, CL_PLATFORM_VERSION, choice->platform_version,
		sizeof(choice->platform_version));
	device_text(device, CL_DEVICE_NAME, choice->device_name, sizeof(choice->device_name));
	device_text(device, CL_DEVICE_VERSION, choice->device_version, sizeof(choice->device_version));
	device_text(device, CL_DRIVER_VERSION, choice->driver_version, sizeof(choice->driver_version));
	clGetDeviceInfo(device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(choice->memory_bytes),
		&choice->memory_bytes, NULL);
	clGetDeviceInfo(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(choice->allocation_max_bytes),
		&choice->allocation_max_bytes, NULL);
	clGetDeviceInfo(device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(choice->compute_units),
		&choice->compute_units, NULL);
}

/* Every device of every platform, in the loader's order, up to DEVICES_MAX. */
static int gather(struct device_choice *choices, size_t *ret_count, char *reason, size_t reason_size)
{
	cl_platform_id platforms[DEVICES_MAX];
	cl_device_id devices[DEVICES_MAX];
	cl_uint platform_count = 0, device_count;
	size_t count = 0;
	cl_int err = clGetPlatformIDs(DEVICES_MAX, platforms, &platform_count);

	if (err == NO_PLATFORM || (err == CL_SUCCESS && platform_count == 0)) {
		snprintf(reason, reason_size, "no OpenCL platform: install an OpenCL driver, or point "
			"OCL_ICD_VENDORS at the folder of its .icd file");
		return -ENOENT;
	}
	if (err != CL_SUCCESS) {
		snprintf(reason, reason_size, "clGetPlatformIDs failed: %s (%d)", cl_error_name(err), err);
		return -EIO;
	}
	for (cl_uint p = 0; p < platform_count && p < DEVICES_MAX; p++) {
		err = clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, DEVICES_MAX, devices, &device_count);
		if (err == CL_DEVICE_NOT_FOUND)
			continue;
		if (err != CL_SUCCESS) {
			char name[128];

			platform_text(platforms[p], CL_PLATFORM_NAME, name, sizeof(name));
			snprintf(reason, reason_size, "clGetDeviceIDs failed on platform '%s': %s (%d)", name,
				cl_error_name(err), err);
			return -EIO;
		}
		for (cl_uint d = 0; d < device_count && d < DEVICES_MAX && count < DEVICES_MAX; d++) {
			choices[count] = (struct device_choice){
				.platform = platforms[p],
				.device = devices[d],
			};
			describe(&choices[count++]);
		}
	}
	*ret_count = count;
	return 0;
}

static bool matches(const char *name, const char *wanted)
{
	return !wanted || strcasestr(name, wanted);
}

static bool all_digits(const char *text)
{
	return *text && text[strspn(text, "0123456789")] == '\0';
}

static void explain_no_match(const struct device_choice *choices, size_t count, const char *platform,
	const char *device, char *reason, size_t reason_size)
{
	size_t used = (size_t)snprintf(reason, reason_size, "no device matches platform '%s', device '%s'; "
		"there %s", platform ? platform : "any", device ? device : "any", count ? "are" : "is none");

	for (size_t i = 0; i < count && used < reason_size; i++)
		used += (size_t)snprintf(reason + used, reason_size - used, "%s '%s' of '%s'", i ? "," : "",
			choices[i].device_name, choices[i].platform_name);
}

int device_choose(const char *platform, const char *device, struct device_choice *ret_choice,
	char *reason, size_t reason_size)
{
	struct device_choice *choices = calloc(DEVICES_MAX, sizeof(*choices));
	bool by_index = device && all_digits(device);
	unsigned long index = by_index ? strtoul(device, NULL, 10) : 0, seen = 0;
	size_t count = 0;
	int err;

	if (!choices) {
		snprintf(reason, reason_size, "out of memory");
		return -ENOMEM;
	}
	err = gather(choices, &count, reason, reason_size);
	if (err)
		goto free_choices;
	err = -ENOENT;
	for (size_t i = 0; i < count && err; i++) {
		if (!matches(choices[i].platform_name, platform))
			continue;
		if (by_index ? seen++ == index : matches(choices[i].device_name, device)) {
			*ret_choice = choices[i];
			err = 0;
		}
	}
	if (err)
		explain_no_match(choices, count, platform, device, reason, reason_size);
free_choices:
	free(choices);
	return err;
}

int device_list(FILE *out, char *reason, size_t reason_size)
{
	struct device_choice *choices = calloc(DEVICES_MAX, sizeof(*choices));
	size_t count = 0;
	int err;

	if (!choices) {
		snprintf(reason, reason_size, "out of memory");
		return -ENOMEM;
	}
	err = gather(choices, &count, reason, reason_size);
	for (size_t i = 0; !err && i < count; i++)
		fprintf(out, "device %s | %s | %s | driver %s | %u compute units | %llu MiB\n",
			choices[i].platform_name, choices[i].device_name, choices[i].device_version,
			choices[i].driver_version, choices[i].compute_units,
			(unsigned long long)(choices[i].memory_bytes >> 20));
	free(choices);
	return err;
}
