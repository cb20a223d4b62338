/* SPDX-License-Identifier: MIT */
#ifndef VGPU_SHIM_OPENCL_BUILD_REPLY_H
#define VGPU_SHIM_OPENCL_BUILD_REPLY_H

#include "shim/opencl/object.h"

/* Fills in log, kernels, status and error of a build that has none yet, from WIRE_PROGRAM_BUILD's reply. */
void build_reply_read(struct build *build, const void *bytes, size_t length);
/* Frees log and kernels. */
void build_reply_forget(struct build *build);

#endif
