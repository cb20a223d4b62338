/* SPDX-License-Identifier: MIT */
/*
 * Programs: how they are created (program.c), made executable (program_build.c), asked about (program_info.c).
 */
#ifndef VGPU_SHIM_OPENCL_PROGRAM_H
#define VGPU_SHIM_OPENCL_PROGRAM_H

#include "shim/opencl/build.h"

/* One without anything to make it from, one reference. NULL: no memory. */
struct _cl_program *program_new(struct _cl_context *context);
/* What its binary is now: held, or NULL. */
struct recipe *program_recipe_locked(struct _cl_program *program);
/* The list of a call about a program of this context: CL_SUCCESS, CL_INVALID_VALUE, CL_INVALID_DEVICE. */
cl_int device_list_check(const struct _cl_context *context, cl_uint count, const cl_device_id *list);
/* Binaries are good for devices that answer the same: the host's device, its driver, the vGPU's profile. */
uint64_t device_identity(const struct _cl_device_id *device);
#endif
