/* SPDX-License-Identifier: MIT */
/*
 * What the OpenCL tests share: the real ICD loader with our library on the fake engine, and a context to play with.
 *
 * The library under test is build/lib/libvgpu-opencl-fake.so: the shim's own objects, linked with the fake transport.
 */
#ifndef VGPU_TESTS_SHIM_OPENCL_FIXTURE_H
#define VGPU_TESTS_SHIM_OPENCL_FIXTURE_H

#define CL_USE_DEPRECATED_OPENCL_1_0_APIS
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#define CL_USE_DEPRECATED_OPENCL_2_0_APIS
#define CL_USE_DEPRECATED_OPENCL_2_1_APIS
#define CL_USE_DEPRECATED_OPENCL_2_2_APIS
#include <stdbool.h>
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/shim/fake_engine.h"

extern struct fake_engine_control *fake;
extern cl_platform_id platform;
extern cl_device_id device;

#define SET(knob, value) __atomic_store_n(&fake->knob, (value), __ATOMIC_SEQ_CST)
#define GET(count) __atomic_load_n(&fake->count, __ATOMIC_SEQ_CST)
#define assert_cl(call) assert_int_equal((call), CL_SUCCESS)

/* A context, an in-order queue with profiling, a program with every kernel that does not kill. */
struct world {
	cl_context context;
	cl_command_queue queue;
	cl_program program;
	cl_kernel scale, add;
};
void world_make(struct world *world);
void world_end(struct world *world);
cl_mem world_buffer(struct world *world, size_t bytes, const void *initial);
/* factor times each of `count` ints. */
cl_int world_scale(struct world *world, cl_mem mem, int factor, size_t count, cl_event *event);

/* Group setup: points the loader at our library; resets the knobs. Test teardown: no violation happened. */
int fixture_setup(void **state);
int fixture_check(void **state);
/* The run is through staging: no test may assume that buffers are the aperture. */
bool fixture_staged(void);
/* The host speaks version 1 of the protocol only. */
bool fixture_version_1(void);
#endif
