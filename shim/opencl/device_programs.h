/* SPDX-License-Identifier: MIT */
/*
 * What a device says about compiling and linking, intermediate language and sub-groups: the host's answer where that is carried.
 */
#ifndef VGPU_SHIM_OPENCL_DEVICE_PROGRAMS_H
#define VGPU_SHIM_OPENCL_DEVICE_PROGRAMS_H

#include "shim/opencl/object.h"

/* Of a parameter that is answered with zero otherwise: the host's answer holds. */
bool device_programs_carry_info(const struct _cl_device_id *device, cl_device_info param);
/* Of an extension of the host's: it can be offered. name need not end in NUL. */
bool device_programs_carry_extension(const struct _cl_device_id *device, const char *name, size_t length);
bool device_has_sub_groups(const struct _cl_device_id *device);
#endif
