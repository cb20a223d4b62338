/* SPDX-License-Identifier: MIT */
/*
 * WIRE_PROGRAM_BUILD: compiling a guest's program and the reply that describes it.
 *
 * The compiler is vendor code fed by the guest; what it breaks is this engine. Needs no lease.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_BUILD_H
#define VGPU_MDEV_ENGINE_COMPUTE_BUILD_H

#include <stddef.h>

#include "mdev/engine/compute/device.h"
#include "mdev/engine/compute/objects.h"

/*
 * Creates and builds. A program whose build failed is a program too: its reply carries the log. Borrows
 * source and options (neither with NUL at the end); they may be the guest's memory, each byte is copied once.
 * 0, or an OpenCL error if there is no program.
 */
#define BUILD_ARG_INFO_OPTION " -cl-kernel-arg-info"	/* the shim tells arguments without asking again */
int build_program(const struct device *device, const void *source, size_t source_bytes, const void *options,
		  size_t options_bytes, struct output *output, struct program **ret_program);

/* Replaces the program's reply by what the driver says of it now; error is what building it returned, with_kernels: it is an
 * executable. 0 or CL_OUT_OF_HOST_MEMORY. */
int build_encode_reply(const struct device *device, struct program *program, cl_int error, bool with_kernels);
#endif
