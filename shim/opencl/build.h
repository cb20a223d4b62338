/* SPDX-License-Identifier: MIT */
/*
 * Builds, compilations and links on the host, each of one recipe.
 *
 * Theory of operation. build_begin writes everything that is to be done into the ring at once: what the recipe is made of and
 * the engine does not have any more (a program that came as a binary), then the recipe itself, whose record alone has a slot that
 * is looked at; the parts are destroyed again behind it. Then either the caller waits, or the library's thread does.
 */
#ifndef VGPU_SHIM_OPENCL_BUILD_H
#define VGPU_SHIM_OPENCL_BUILD_H

#include "shim/opencl/object.h"

/* Holds recipe. options: what the application gave, for clGetProgramBuildInfo. Has not begun. CL_SUCCESS or the API's error. */
cl_int build_create(struct session *session, struct recipe *recipe, const char *options, struct build **ret_build);
void build_release(struct build *build);	/* accepts NULL */

/* inputs: for each of a link's its build that the engine still has, borrowed, or NULL; NULL: it is no link. Once per build.
 * CL_SUCCESS, or the API's error: then it is over with that error. */
cl_int build_begin(struct build *build, struct build *const *inputs);
/* Exactly one of these follows. Blocks until it is over: build->error. */
cl_int build_wait(struct build *build);
/* Calls done once when it is over, on the library's thread; in this one if that cannot be had. Holds the build until then. */
void build_notify(struct build *build, void (*done)(struct build *build, void *data), void *data);

static inline bool build_is_over(const struct build *build)
{
	return __atomic_load_n(&build->over, __ATOMIC_ACQUIRE);
}
static inline bool build_succeeded(const struct build *build)
{
	return build && build_is_over(build) && build->status == CL_BUILD_SUCCESS;
}
static inline bool build_is_executable(const struct build *build)
{
	return build_succeeded(build) && build->recipe->makes == CL_PROGRAM_BINARY_TYPE_EXECUTABLE;
}
#endif
