/* SPDX-License-Identifier: MIT */
/*
 * From what a guest wants built to a program: by the vGPU's compile helper where there is one, which may have the answer already, else here.
 *
 * With the helper's answer the guest is answered at once; the engine's own build goes on behind it (late_build.h), and whoever needs the
 * program itself waits for that by compile_ready. So a compiler that fails in a bad way does so in the helper, and costs a build.
 * Ring thread only.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_BUILD_CLIENT_H
#define VGPU_MDEV_ENGINE_COMPUTE_BUILD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "mdev/engine/compute/device.h"
#include "mdev/engine/compute/objects.h"

struct compiler;
struct output;

/* helper_fd: connected to the helper, or -1; taken. Borrows device. NULL: no memory. */
struct compiler *compiler_create(const struct device *device, int helper_fd);
/* False: a build runs that cannot be stopped; everything stays. */
bool compiler_destroy(struct compiler *compiler);

/* As build_program (build.h), which it stands for. */
int compile_program(struct compiler *compiler, const void *source, size_t source_bytes, const void *options, size_t options_bytes,
		    struct output *output, struct program **ret_program);

/* Waits until program->cl is there. 0, or the OpenCL error of whatever needs it: CL_INVALID_PROGRAM_EXECUTABLE. */
int compile_ready(struct program *program);
#endif
