/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/probe.h"

#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mdev/engine/compute/environment.h"
#include "mdev/engine/compute/jail.h"
#include "mdev/engine/compute/raw_pointers.h"
#include "mdev/log/log.h"
#include "shim/wire/wire.h"

#define PROBE_SCHEMA 1
#define PLATFORMS_MAX 16u
#define DEVICES_MAX 64u
#define VALUE_MAX_BYTES 8192u
#define INFO_MAX_BYTES (WIRE_CAPSET_MAX_BYTES - (uint32_t)sizeof(struct wire_capset))

/* What OpenCL 1.0 to 3.0 define (OpenCL 3.0, tables 4 and 5), but for handles (CL_DEVICE_PLATFORM, PARENT_DEVICE), which mean
 * nothing in a guest. The name is the guest's own, but is kept: the shim may show it. */
#define DEVICE_INFO_FIRST 0x1000u	/* CL_DEVICE_TYPE */
#define DEVICE_INFO_LAST 0x1072u	/* CL_DEVICE_LATEST_CONFORMANCE_VERSION_PASSED */
static const uint32_t left_out[] = {CL_DEVICE_PLATFORM, CL_DEVICE_PARENT_DEVICE, CL_DEVICE_REFERENCE_COUNT};
static const uint32_t platform_infos[] = {
	CL_PLATFORM_PROFILE,	CL_PLATFORM_VERSION,	    CL_PLATFORM_NAME,
	CL_PLATFORM_VENDOR,	CL_PLATFORM_EXTENSIONS,	    CL_PLATFORM_NUMERIC_VERSION,
	CL_PLATFORM_HOST_TIMER_RESOLUTION, CL_PLATFORM_EXTENSIONS_WITH_VERSION,
};

struct table {
	uint8_t bytes[INFO_MAX_BYTES];
	uint32_t used;
	uint32_t dropped;
};

static bool is_left_out(uint32_t param)
{
	for (unsigned i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (left_out[i] == param)
			return true;
	return false;
}

static void table_put(struct table *table, uint32_t param, const void *value, uint32_t bytes)
{
	const struct wire_info info = {.param = param, .bytes = bytes};
	uint32_t padded = (bytes + 7) & ~7u;

	if (padded + sizeof(info) > sizeof(table->bytes) - table->used) {
		table->dropped++;
		return;
	}
	memcpy(table->bytes + table->used, &info, sizeof(info));
	memset(table->bytes + table->used + sizeof(info), 0, padded);
	memcpy(table->bytes + table->used + sizeof(info), value, bytes);
	table->used += (uint32_t)sizeof(info) + padded;
}

/* A value of 8 bytes in the probe's process is 8 bytes in the table: this program is built for 64 bits only. */
_Static_assert(sizeof(size_t) == 8, "size_t values are 8 bytes in the capset");

static void put_device_info(struct table *table, cl_device_id device, uint32_t param)
{
	static uint8_t value[VALUE_MAX_BYTES];
	size_t bytes = 0;

	if (is_left_out(param) || clGetDeviceInfo(device, param, 0, NULL, &bytes) || bytes > sizeof(value))
		return;
	if (bytes && clGetDeviceInfo(device, param, bytes, value, NULL))
		return;
	table_put(table, param, value, (uint32_t)bytes);
}

static void put_platform_info(struct table *table, cl_platform_id platform, uint32_t param)
{
	static uint8_t value[VALUE_MAX_BYTES];
	size_t bytes = 0;

	if (clGetPlatformInfo(platform, param, 0, NULL, &bytes) || bytes > sizeof(value))
		return;
	if (bytes && clGetPlatformInfo(platform, param, bytes, value, NULL))
		return;
	table_put(table, WIRE_INFO_PLATFORM | param, value, (uint32_t)bytes);
}

static bool is_partition(uint32_t param)
{
	return param == CL_DEVICE_PARTITION_MAX_SUB_DEVICES || param == CL_DEVICE_PARTITION_PROPERTIES ||
	       param == CL_DEVICE_PARTITION_AFFINITY_DOMAIN || param == CL_DEVICE_PARTITION_TYPE;
}

/* An engine has one context, over the device itself; sub-devices are offered to guests where a queue on one can be had in
 * it, which the specification leaves open. */
static bool queue_on_sub_device(cl_device_id device)
{
	cl_device_partition_property equally[] = {CL_DEVICE_PARTITION_EQUALLY, 1, 0};
	cl_device_id parts[4];
	cl_command_queue queue = NULL;
	cl_uint count = 0, units = 0;
	cl_int error = 0;

	clGetDeviceInfo(device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(units), &units, NULL);
	equally[1] = units > 1 ? units / 2 : 1;
	if (clCreateSubDevices(device, equally, 0, NULL, &count) || !count || count > sizeof(parts) / sizeof(parts[0]) ||
	    clCreateSubDevices(device, equally, count, parts, NULL))
		return false;
	cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
	if (context)
		queue = clCreateCommandQueueWithProperties(context, parts[count - 1], NULL, &error);
	if (queue)
		clReleaseCommandQueue(queue);
	if (context)
		clReleaseContext(context);
	for (cl_uint i = 0; i < count; i++)
		clReleaseDevice(parts[i]);
	return queue;
}

static json_t *hex(const struct table *table)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * (size_t)table->used + 1);

	if (!text)
		return NULL;
	for (uint32_t i = 0; i < table->used; i++) {
		text[2 * i] = digits[table->bytes[i] >> 4];
		text[2 * i + 1] = digits[table->bytes[i] & 15];
	}
	text[2 * (size_t)table->used] = 0;
	json_t *string = json_string(text);
	free(text);
	return string;
}

/* Text of a driver as a JSON string: what is not UTF-8 is left out. */
static json_t *device_string(cl_device_id device, cl_device_info param)
{
	char text[512] = "";

	clGetDeviceInfo(device, param, sizeof(text) - 1, text, NULL);
	json_t *string = json_string(text);
	return string ? string : json_string("");
}

static json_t *platform_string(cl_platform_id platform, cl_platform_info param)
{
	char text[512] = "";

	clGetPlatformInfo(platform, param, sizeof(text) - 1, text, NULL);
	json_t *string = json_string(text);
	return string ? string : json_string("");
}

static json_int_t number(cl_device_id device, cl_device_info param)
{
	cl_ulong value = 0;	/* little-endian: a shorter answer is the same number */

	clGetDeviceInfo(device, param, sizeof(value), &value, NULL);
	return (json_int_t)value;
}

static const char *type_name(cl_device_type type)
{
	return type & CL_DEVICE_TYPE_GPU	 ? "gpu" :
	       type & CL_DEVICE_TYPE_CPU	 ? "cpu" :
	       type & CL_DEVICE_TYPE_ACCELERATOR ? "accelerator" :
						   "custom";
}

static json_t *describe(cl_platform_id platform, uint32_t platform_index, cl_device_id device, uint32_t index)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	for (unsigned i = 0; i < sizeof(platform_infos) / sizeof(platform_infos[0]); i++)
		put_platform_info(table, platform, platform_infos[i]);
	bool divides = queue_on_sub_device(device);
	for (uint32_t param = DEVICE_INFO_FIRST; param <= DEVICE_INFO_LAST; param++)
		if (divides || !is_partition(param))
			put_device_info(table, device, param);
	if (table->dropped)
		log_warning("%u values of the device do not fit into the capset's %u bytes; the guest will not see them",
			    table->dropped, WIRE_CAPSET_MAX_BYTES);
	json_t *described = json_pack(
		"{s:o, s:i, s:i, s:o, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:b, s:b, s:b, s:o}", "platform",
		platform_string(platform, CL_PLATFORM_NAME), "platform_index", (int)platform_index, "device_index", (int)index,
		"device", device_string(device, CL_DEVICE_NAME), "type", type_name((cl_device_type)number(device, CL_DEVICE_TYPE)),
		"vendor", device_string(device, CL_DEVICE_VENDOR), "version", device_string(device, CL_DEVICE_VERSION),
		"driver_version", device_string(device, CL_DRIVER_VERSION), "global_mem_bytes",
		number(device, CL_DEVICE_GLOBAL_MEM_SIZE), "max_alloc_bytes", number(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE),
		"compute_units", number(device, CL_DEVICE_MAX_COMPUTE_UNITS), "mem_align_bytes",
		number(device, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8, "unified",
		number(device, CL_DEVICE_HOST_UNIFIED_MEMORY) != 0, "native_kernel",
		(number(device, CL_DEVICE_EXECUTION_CAPABILITIES) & CL_EXEC_NATIVE_KERNEL) != 0, "svm",
		(int)raw_pointers_work(device), "info", hex(table));
	free(table);
	return described;
}

static json_t *describe_all(void)
{
	cl_platform_id platforms[PLATFORMS_MAX];
	cl_device_id devices[DEVICES_MAX];
	cl_uint platform_count = 0, device_count;
	json_t *list = json_array();

	cl_int error = clGetPlatformIDs(PLATFORMS_MAX, platforms, &platform_count);
	if (error)
		log_warning("the ICD offers no OpenCL platform (error %d)", error);
	for (cl_uint p = 0; list && p < platform_count && p < PLATFORMS_MAX; p++) {
		device_count = 0;
		if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, DEVICES_MAX, devices, &device_count))
			continue;
		for (cl_uint d = 0; d < device_count && d < DEVICES_MAX; d++)
			json_array_append_new(list, describe(platforms[p], p, devices[d], d));
	}
	return list;
}

int probe_run(const struct engine_config *config, char *const *argv)
{
	char scratch[64];

	int r = environment_establish(config, argv);
	snprintf(scratch, sizeof(scratch), "/tmp/vgpu-probe-%d", (int)getpid());
	const struct jail_settings jail = {.icd = config->icd, .scratch = scratch, .guarded_fd = -1};
	if (!r)
		r = jail_enter(&jail, NULL);
	if (!r)
		r = environment_set_scratch(scratch);
	if (r) {
		log_error("the probe cannot be jailed with scratch folder %s: %s", scratch, strerror(-r));
		return EXIT_FAILURE;
	}
	json_t *answer = json_pack("{s:i, s:s, s:o}", "schema", PROBE_SCHEMA, "icd", config->icd, "devices", describe_all());
	r = answer ? json_dumpf(answer, stdout, JSON_INDENT(1)) : -1;
	if (!r)
		r = fputc('\n', stdout) == EOF || fflush(stdout);
	json_decref(answer);
	jail_leave_nothing(scratch);
	if (r)
		log_error("the answer cannot be written");
	return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
