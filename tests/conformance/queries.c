/* SPDX-License-Identifier: MIT */
/* What platform and device say of themselves agrees with itself, and with what the compiler and the entry points do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/conformance.h"

static void *device_answer(cl_device_info what, size_t *ret_bytes)
{
	void *value;

	*ret_bytes = 0;
	if (clGetDeviceInfo(s.device, what, 0, NULL, ret_bytes))
		return NULL;
	value = calloc(1, *ret_bytes + 1);
	if (value && *ret_bytes && clGetDeviceInfo(s.device, what, *ret_bytes, value, NULL)) {
		free(value);
		return NULL;
	}
	return value;
}

static bool builds(const char *text, const char *options, char *log, size_t room)
{
	cl_program program = clCreateProgramWithSource(s.context, 1, &text, NULL, &err);
	need(err, "clCreateProgramWithSource");
	cl_int built = clBuildProgram(program, 1, &s.device, options, NULL, NULL);

	log[0] = '\0';
	clGetProgramBuildInfo(program, s.device, CL_PROGRAM_BUILD_LOG, room, log, NULL);
	clReleaseProgram(program);
	return !built;
}

/* ---- versions ------------------------------------------------------------------------------------- */

static void version_matches(const char *text, cl_version version, const char *what)
{
	char expected[64];

	snprintf(expected, sizeof(expected), "%u.%u ", CL_VERSION_MAJOR(version), CL_VERSION_MINOR(version));
	if (!strstr(text, expected))
		wrong("%s is '%s', its numeric version %u.%u", what, text, CL_VERSION_MAJOR(version), CL_VERSION_MINOR(version));
}

static void versions(void)
{
	char text[256] = "";
	cl_version version = 0;
	cl_name_version *all;
	size_t bytes;
	bool has_1_2 = false;

	need(clGetPlatformInfo(s.platform, CL_PLATFORM_VERSION, sizeof(text), text, NULL), "clGetPlatformInfo");
	need(clGetPlatformInfo(s.platform, CL_PLATFORM_NUMERIC_VERSION, sizeof(version), &version, NULL), "clGetPlatformInfo");
	version_matches(text, version, "CL_PLATFORM_VERSION");
	need(clGetDeviceInfo(s.device, CL_DEVICE_VERSION, sizeof(text), text, NULL), "clGetDeviceInfo");
	need(clGetDeviceInfo(s.device, CL_DEVICE_NUMERIC_VERSION, sizeof(version), &version, NULL), "clGetDeviceInfo");
	version_matches(text, version, "CL_DEVICE_VERSION");
	need(clGetDeviceInfo(s.device, CL_DEVICE_OPENCL_C_VERSION, sizeof(text), text, NULL), "clGetDeviceInfo");
	if (strncmp(text, "OpenCL C ", 9))
		wrong("CL_DEVICE_OPENCL_C_VERSION is '%s'", text);
	all = device_answer(CL_DEVICE_OPENCL_C_ALL_VERSIONS, &bytes);
	for (size_t i = 0; all && i < bytes / sizeof(*all); i++) {
		char options[32], log[4096];

		if (strcmp(all[i].name, "OpenCL C"))
			wrong("CL_DEVICE_OPENCL_C_ALL_VERSIONS names '%s'", all[i].name);
		has_1_2 |= all[i].version == CL_MAKE_VERSION(1, 2, 0);
		snprintf(options, sizeof(options), "-cl-std=CL%u.%u", CL_VERSION_MAJOR(all[i].version), CL_VERSION_MINOR(all[i].version));
		/* There is no option for 1.0. */
		if (all[i].version > CL_MAKE_VERSION(1, 0, 0) && !builds("kernel void f(global int *a) { a[0] = 1; }", options, log, sizeof(log)))
			wrong("OpenCL C %s is listed and does not build: %s", options, log);
	}
	if (!has_1_2)
		wrong("CL_DEVICE_OPENCL_C_ALL_VERSIONS has no 1.2");
	free(all);
}

static void features(void)
{
	size_t bytes;
	cl_name_version *all = device_answer(CL_DEVICE_OPENCL_C_FEATURES, &bytes);

	for (size_t i = 0; all && i < bytes / sizeof(*all); i++) {
		char text[512], log[4096];

		snprintf(text, sizeof(text), "#ifndef %s\n#error not there\n#endif\nkernel void f(global int *a) { a[0] = 1; }", all[i].name);
		if (!builds(text, "-cl-std=CL3.0", log, sizeof(log)))
			wrong("feature %s is listed and not defined: %s", all[i].name, log);
	}
	if (!all)
		wrong("CL_DEVICE_OPENCL_C_FEATURES is not answered");
	free(all);
}

/* Listed once as words, once with versions: the same. */
static void names_match(const char *words, const cl_name_version *all, size_t count, const char *what)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(all[i].name);
		const char *at = words;

		while ((at = strstr(at, all[i].name)) && !((at == words || at[-1] == ' ') && (!at[length] || at[length] == ' ')))
			at += length;
		if (!at)
			wrong("%s: %s has a version and is not listed", what, all[i].name);
		if (!all[i].version)
			wrong("%s: %s has no version", what, all[i].name);
	}
	for (const char *at = words; *at; at += strspn(at, " ")) {
		found++;
		at += strcspn(at, " ");
	}
	if (found != count)
		wrong("%s: %zu are listed, %zu have a version", what, found, count);
}

static void extension_lists(void)
{
	size_t bytes;
	char *words = device_answer(CL_DEVICE_EXTENSIONS, &bytes), text[1024] = "";
	cl_name_version *all = device_answer(CL_DEVICE_EXTENSIONS_WITH_VERSION, &bytes), platform[64];

	if (words && all)
		names_match(words, all, bytes / sizeof(*all), "the device's extensions");
	else
		wrong("the device's extensions are not answered");
	free(words);
	free(all);
	need(clGetPlatformInfo(s.platform, CL_PLATFORM_EXTENSIONS, sizeof(text), text, NULL), "clGetPlatformInfo");
	need(clGetPlatformInfo(s.platform, CL_PLATFORM_EXTENSIONS_WITH_VERSION, sizeof(platform), platform, &bytes), "clGetPlatformInfo");
	names_match(text, platform, bytes / sizeof(*platform), "the platform's extensions");
}

/* ---- every parameter ------------------------------------------------------------------------------ */

#define MUST(param, size) {param, #param, size}
static const struct {
	cl_device_info param;
	const char *name;
	size_t bytes;		/* 0: a string or a list */
} answers[] = {
	MUST(CL_DEVICE_TYPE, 8), MUST(CL_DEVICE_VENDOR_ID, 4), MUST(CL_DEVICE_MAX_COMPUTE_UNITS, 4), MUST(CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS, 4),
	MUST(CL_DEVICE_MAX_WORK_ITEM_SIZES, 24), MUST(CL_DEVICE_MAX_WORK_GROUP_SIZE, 8), MUST(CL_DEVICE_PREFERRED_VECTOR_WIDTH_CHAR, 4),
	MUST(CL_DEVICE_PREFERRED_VECTOR_WIDTH_HALF, 4), MUST(CL_DEVICE_NATIVE_VECTOR_WIDTH_DOUBLE, 4), MUST(CL_DEVICE_MAX_CLOCK_FREQUENCY, 4),
	MUST(CL_DEVICE_ADDRESS_BITS, 4), MUST(CL_DEVICE_MAX_MEM_ALLOC_SIZE, 8), MUST(CL_DEVICE_IMAGE_SUPPORT, 4), MUST(CL_DEVICE_MAX_READ_IMAGE_ARGS, 4),
	MUST(CL_DEVICE_MAX_WRITE_IMAGE_ARGS, 4), MUST(CL_DEVICE_MAX_READ_WRITE_IMAGE_ARGS, 4), MUST(CL_DEVICE_IL_VERSION, 0),
	MUST(CL_DEVICE_ILS_WITH_VERSION, 0), MUST(CL_DEVICE_IMAGE2D_MAX_WIDTH, 8), MUST(CL_DEVICE_IMAGE3D_MAX_DEPTH, 8), MUST(CL_DEVICE_IMAGE_MAX_BUFFER_SIZE, 8),
	MUST(CL_DEVICE_IMAGE_MAX_ARRAY_SIZE, 8), MUST(CL_DEVICE_MAX_SAMPLERS, 4), MUST(CL_DEVICE_IMAGE_PITCH_ALIGNMENT, 4),
	MUST(CL_DEVICE_IMAGE_BASE_ADDRESS_ALIGNMENT, 4), MUST(CL_DEVICE_MAX_PIPE_ARGS, 4), MUST(CL_DEVICE_PIPE_MAX_ACTIVE_RESERVATIONS, 4),
	MUST(CL_DEVICE_PIPE_MAX_PACKET_SIZE, 4), MUST(CL_DEVICE_MAX_PARAMETER_SIZE, 8), MUST(CL_DEVICE_MEM_BASE_ADDR_ALIGN, 4),
	MUST(CL_DEVICE_SINGLE_FP_CONFIG, 8), MUST(CL_DEVICE_DOUBLE_FP_CONFIG, 8), MUST(CL_DEVICE_GLOBAL_MEM_CACHE_TYPE, 4), MUST(CL_DEVICE_GLOBAL_MEM_CACHELINE_SIZE, 4),
	MUST(CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, 8), MUST(CL_DEVICE_GLOBAL_MEM_SIZE, 8), MUST(CL_DEVICE_MAX_CONSTANT_BUFFER_SIZE, 8),
	MUST(CL_DEVICE_MAX_CONSTANT_ARGS, 4), MUST(CL_DEVICE_MAX_GLOBAL_VARIABLE_SIZE, 8), MUST(CL_DEVICE_GLOBAL_VARIABLE_PREFERRED_TOTAL_SIZE, 8),
	MUST(CL_DEVICE_LOCAL_MEM_TYPE, 4), MUST(CL_DEVICE_LOCAL_MEM_SIZE, 8), MUST(CL_DEVICE_ERROR_CORRECTION_SUPPORT, 4), MUST(CL_DEVICE_HOST_UNIFIED_MEMORY, 4),
	MUST(CL_DEVICE_PROFILING_TIMER_RESOLUTION, 8), MUST(CL_DEVICE_ENDIAN_LITTLE, 4), MUST(CL_DEVICE_AVAILABLE, 4), MUST(CL_DEVICE_COMPILER_AVAILABLE, 4),
	MUST(CL_DEVICE_LINKER_AVAILABLE, 4), MUST(CL_DEVICE_EXECUTION_CAPABILITIES, 8), MUST(CL_DEVICE_QUEUE_ON_HOST_PROPERTIES, 8),
	MUST(CL_DEVICE_QUEUE_ON_DEVICE_PROPERTIES, 8), MUST(CL_DEVICE_QUEUE_ON_DEVICE_PREFERRED_SIZE, 4), MUST(CL_DEVICE_QUEUE_ON_DEVICE_MAX_SIZE, 4),
	MUST(CL_DEVICE_MAX_ON_DEVICE_QUEUES, 4), MUST(CL_DEVICE_MAX_ON_DEVICE_EVENTS, 4), MUST(CL_DEVICE_BUILT_IN_KERNELS, 0), MUST(CL_DEVICE_PLATFORM, 8),
	MUST(CL_DEVICE_NAME, 0), MUST(CL_DEVICE_VENDOR, 0), MUST(CL_DRIVER_VERSION, 0), MUST(CL_DEVICE_PROFILE, 0), MUST(CL_DEVICE_VERSION, 0),
	MUST(CL_DEVICE_NUMERIC_VERSION, 4), MUST(CL_DEVICE_OPENCL_C_VERSION, 0), MUST(CL_DEVICE_OPENCL_C_ALL_VERSIONS, 0), MUST(CL_DEVICE_OPENCL_C_FEATURES, 0),
	MUST(CL_DEVICE_EXTENSIONS, 0), MUST(CL_DEVICE_EXTENSIONS_WITH_VERSION, 0), MUST(CL_DEVICE_PRINTF_BUFFER_SIZE, 8),
	MUST(CL_DEVICE_PREFERRED_INTEROP_USER_SYNC, 4), MUST(CL_DEVICE_PARENT_DEVICE, 8), MUST(CL_DEVICE_PARTITION_MAX_SUB_DEVICES, 4),
	MUST(CL_DEVICE_PARTITION_PROPERTIES, 0), MUST(CL_DEVICE_PARTITION_AFFINITY_DOMAIN, 8), MUST(CL_DEVICE_PARTITION_TYPE, 0),
	MUST(CL_DEVICE_REFERENCE_COUNT, 4), MUST(CL_DEVICE_SVM_CAPABILITIES, 8), MUST(CL_DEVICE_PREFERRED_PLATFORM_ATOMIC_ALIGNMENT, 4),
	MUST(CL_DEVICE_PREFERRED_GLOBAL_ATOMIC_ALIGNMENT, 4), MUST(CL_DEVICE_PREFERRED_LOCAL_ATOMIC_ALIGNMENT, 4), MUST(CL_DEVICE_MAX_NUM_SUB_GROUPS, 4),
	MUST(CL_DEVICE_SUB_GROUP_INDEPENDENT_FORWARD_PROGRESS, 4), MUST(CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES, 8), MUST(CL_DEVICE_ATOMIC_FENCE_CAPABILITIES, 8),
	MUST(CL_DEVICE_NON_UNIFORM_WORK_GROUP_SUPPORT, 4), MUST(CL_DEVICE_WORK_GROUP_COLLECTIVE_FUNCTIONS_SUPPORT, 4), MUST(CL_DEVICE_GENERIC_ADDRESS_SPACE_SUPPORT, 4),
	MUST(CL_DEVICE_DEVICE_ENQUEUE_CAPABILITIES, 8), MUST(CL_DEVICE_PIPE_SUPPORT, 4), MUST(CL_DEVICE_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, 8),
	MUST(CL_DEVICE_LATEST_CONFORMANCE_VERSION_PASSED, 0), MUST(CL_DEVICE_BUILT_IN_KERNELS_WITH_VERSION, 0),
};

static void every_parameter(void)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		size_t bytes = 0;
		cl_int answered = clGetDeviceInfo(s.device, answers[i].param, 0, NULL, &bytes);

		if (answered || (answers[i].bytes && bytes != answers[i].bytes))
			wrong("%s answers %d with %zu bytes", answers[i].name, answered, bytes);
	}
}

int run_queries(void)
{
	versions();
	features();
	extension_lists();
	every_parameter();
	printf("%zu parameters\n", sizeof(answers) / sizeof(*answers));
	return wrong_count != 0;
}

/* ---- each extension -------------------------------------------------------------------------------- */

/* A program that needs it, and the functions that come with it. An extension that is listed and not here is a failure. */
static const struct {
	const char *name, *text;
	const char *functions[4];
} extensions[] = {
	{"cl_khr_byte_addressable_store", "kernel void f(global uchar *a) { a[1] = 2; a[0] = a[1]; }", {0}},
	{"cl_khr_global_int32_base_atomics", "kernel void f(global int *a) { atom_add(a, 2); atom_xchg(a, atom_sub(a, 1)); }", {0}},
	{"cl_khr_global_int32_extended_atomics", "kernel void f(global int *a) { atom_min(a, 2); atom_or(a, 1); atom_xor(a, 3); }", {0}},
	{"cl_khr_local_int32_base_atomics", "kernel void f(global int *a) { local int b; b = 1; atom_add(&b, 2); a[0] = b; }", {0}},
	{"cl_khr_local_int32_extended_atomics", "kernel void f(global int *a) { local int b; b = 1; atom_max(&b, 2); a[0] = b; }", {0}},
	{"cl_khr_int64_base_atomics",
	 "#pragma OPENCL EXTENSION cl_khr_int64_base_atomics : enable\nkernel void f(global long *a) { atom_add(a, 2L); atom_inc(a); }", {0}},
	{"cl_khr_int64_extended_atomics",
	 "#pragma OPENCL EXTENSION cl_khr_int64_extended_atomics : enable\nkernel void f(global long *a) { atom_min(a, 2L); atom_and(a, 3L); }", {0}},
	{"cl_khr_fp64", "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\nkernel void f(global double *a) { a[0] = sqrt(a[0]) * 1.5; }", {0}},
	{"cl_khr_fp16", "#pragma OPENCL EXTENSION cl_khr_fp16 : enable\nkernel void f(global half *a) { a[0] = a[0] * (half)2; }", {0}},
	{"cles_khr_int64", "kernel void f(global long *a) { a[0] += 5; }", {0}},
	{"cl_khr_extended_bit_ops", "kernel void f(global uint *a) { a[0] = bit_reverse(a[0]); }", {0}},
	{"cl_khr_expect_assume", "kernel void f(global int *a) { if (__builtin_expect(a[0], 1)) a[0] = 2; }", {0}},
	{"cl_khr_select_fprounding_mode", "kernel void f(global float *a) { a[0] = 1.0f; }", {0}},
	{"cl_clang_storage_class_specifiers",
	 "#pragma OPENCL EXTENSION cl_clang_storage_class_specifiers : enable\nstatic int g(void) { return 1; }\nkernel void f(global int *a) { a[0] = g(); }", {0}},
	{"cl_khr_3d_image_writes",
	 "#pragma OPENCL EXTENSION cl_khr_3d_image_writes : enable\nkernel void f(write_only image3d_t i) { write_imagef(i, (int4)(0), (float4)(1)); }", {0}},
	{"cl_khr_image2d_from_buffer", "kernel void f(read_only image2d_t i, sampler_t m, global float4 *a) { a[0] = read_imagef(i, m, (int2)(0)); }", {0}},
	{"cl_khr_il_program", "kernel void f(global int *a) { a[0] = 1; }", {"clCreateProgramWithILKHR"}},
	{"cl_khr_subgroups",
	 "#pragma OPENCL EXTENSION cl_khr_subgroups : enable\nkernel void f(global uint *a) { a[0] = get_sub_group_size(); }", {"clGetKernelSubGroupInfoKHR"}},
};

static bool extension_known(const char *word, size_t length)
{
	for (size_t i = 0; i < sizeof(extensions) / sizeof(*extensions); i++) {
		char log[4096], pragma[256];

		if (strlen(extensions[i].name) != length || memcmp(extensions[i].name, word, length))
			continue;
		snprintf(pragma, sizeof(pragma), "-DTESTED=%s", extensions[i].name);
		if (!builds(extensions[i].text, pragma, log, sizeof(log)))
			wrong("%s: its program does not build: %s", extensions[i].name, log);
		for (int k = 0; k < 4 && extensions[i].functions[k]; k++)
			if (!clGetExtensionFunctionAddressForPlatform(s.platform, extensions[i].functions[k]))
				wrong("%s: %s is not there", extensions[i].name, extensions[i].functions[k]);
		return true;
	}
	return false;
}

int run_extensions(void)
{
	size_t bytes, count = 0;
	char *words = device_answer(CL_DEVICE_EXTENSIONS, &bytes), text[1024] = "";

	for (const char *at = words ? words : ""; *at; at += strspn(at, " ")) {
		size_t length = strcspn(at, " ");

		if (!extension_known(at, length))
			wrong("%.*s is listed, and no test knows it", (int)length, at);
		at += length;
		count++;
	}
	free(words);
	need(clGetPlatformInfo(s.platform, CL_PLATFORM_EXTENSIONS, sizeof(text), text, NULL), "clGetPlatformInfo");
	if (strcmp(text, "cl_khr_icd"))
		wrong("the platform's extensions are '%s'", text);
	if (!clGetExtensionFunctionAddressForPlatform(s.platform, "clIcdGetPlatformIDsKHR"))
		wrong("cl_khr_icd: clIcdGetPlatformIDsKHR is not there");
	printf("%zu extensions\n", count);
	return wrong_count || !count;
}
