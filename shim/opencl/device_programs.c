/* SPDX-License-Identifier: MIT */
#include "shim/opencl/device_programs.h"

#include <string.h>

bool device_has_sub_groups(const struct _cl_device_id *device)
{
	size_t bytes = 0;
	const void *value = device_info_find(device, CL_DEVICE_MAX_NUM_SUB_GROUPS, &bytes);
	cl_uint count = 0;

	if (value && bytes == sizeof(count))
		memcpy(&count, value, sizeof(count));
	return count && capset_has(device->capset, WIRE_CAPS_PROGRAMS);
}

bool device_programs_carry_info(const struct _cl_device_id *device, cl_device_info param)
{
	size_t bytes;

	if (!device_info_find(device, param, &bytes))
		return false;
	switch (param) {
	case CL_DEVICE_LINKER_AVAILABLE:
		return capset_has(device->capset, WIRE_CAPS_PROGRAMS);
	case CL_DEVICE_IL_VERSION:
	case CL_DEVICE_ILS_WITH_VERSION:
		return capset_has(device->capset, WIRE_CAPS_IL);
	case CL_DEVICE_MAX_NUM_SUB_GROUPS:
	case CL_DEVICE_SUB_GROUP_INDEPENDENT_FORWARD_PROGRESS:
		return device_has_sub_groups(device);
	default:
		return false;
	}
}

bool device_programs_carry_extension(const struct _cl_device_id *device, const char *name, size_t length)
{
	static const char il[] = "cl_khr_il_program", sub_groups[] = "cl_khr_subgroup";

	if (length == sizeof(il) - 1 && memcmp(name, il, length) == 0)
		return capset_has(device->capset, WIRE_CAPS_IL);
	/* cl_khr_subgroups, and those on top of it that add to the kernel language only. */
	if (length >= sizeof(sub_groups) - 1 && memcmp(name, sub_groups, sizeof(sub_groups) - 1) == 0)
		return device_has_sub_groups(device);
	return false;
}
