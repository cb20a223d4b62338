/* SPDX-License-Identifier: MIT */
/*
 * What the library exports, and the dispatch table (cl_khr_icd).
 */
#include <string.h>

#include "shim/opencl/object.h"

#define SLOT(name) .name = vgpu_##name,
#define SLOT_WINDOWS(name) .name = (void *)unsupported_windows,
const cl_icd_dispatch icd_dispatch = {
	ENTRY_POINTS_IMPLEMENTED(SLOT)
	ENTRY_POINTS_UNSUPPORTED(SLOT)
	ENTRY_POINTS_WINDOWS(SLOT_WINDOWS)
};
#define COUNT(name) +1
/* Each name once and none left out: a header with more slots than these does not compile until they are listed. */
static_assert(sizeof(icd_dispatch) == (0 ENTRY_POINTS_IMPLEMENTED(COUNT) ENTRY_POINTS_UNSUPPORTED(COUNT)
	      ENTRY_POINTS_WINDOWS(COUNT)) * sizeof(void *), "every slot, once");

__attribute__((visibility("default"))) void *clGetExtensionFunctionAddress(const char *name);
__attribute__((visibility("default"))) cl_int clIcdGetPlatformIDsKHR(cl_uint num_entries, cl_platform_id *platforms,
								     cl_uint *num_platforms);
__attribute__((visibility("default"))) cl_int clGetPlatformInfo(cl_platform_id platform, cl_platform_info param_name,
								 size_t param_value_size, void *param_value,
								 size_t *param_value_size_ret);

/* The extensions' functions; those of the core are reached through the table only. */
static const struct {
	const char *name;
	void *function;
} extension_functions[] = {
	{ "clIcdGetPlatformIDsKHR", (void *)clIcdGetPlatformIDsKHR },
	{ "clCreateProgramWithILKHR", (void *)vgpu_clCreateProgramWithIL },	/* cl_khr_il_program: the same function */
	{ "clGetKernelSubGroupInfoKHR", (void *)vgpu_clGetKernelSubGroupInfoKHR },
	{ "clGetPlatformInfo", (void *)clGetPlatformInfo },	/* the Khronos loader looks it up (cl_khr_icd) */
};

void *vgpu_clGetExtensionFunctionAddress(const char *name)
{
	for (size_t i = 0; name && i < sizeof(extension_functions) / sizeof(*extension_functions); i++)
		if (strcmp(name, extension_functions[i].name) == 0)
			return extension_functions[i].function;
	return NULL;
}

void *vgpu_clGetExtensionFunctionAddressForPlatform(cl_platform_id platform, const char *name)
{
	return object_is(platform, OBJECT_PLATFORM) ? vgpu_clGetExtensionFunctionAddress(name) : NULL;
}

void *clGetExtensionFunctionAddress(const char *name)
{
	return vgpu_clGetExtensionFunctionAddress(name);
}

cl_int clGetPlatformInfo(cl_platform_id platform, cl_platform_info param_name, size_t param_value_size,
			 void *param_value, size_t *param_value_size_ret)
{
	return vgpu_clGetPlatformInfo(platform, param_name, param_value_size, param_value, param_value_size_ret);
}

cl_int clIcdGetPlatformIDsKHR(cl_uint num_entries, cl_platform_id *platforms, cl_uint *num_platforms)
{
	return vgpu_clIcdGetPlatformIDsKHR(num_entries, platforms, num_platforms);
}
