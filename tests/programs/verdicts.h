/* SPDX-License-Identifier: MIT */
/*
 * vgpu-programs-test: what the specification says of program objects, asked of whatever OpenCL device is there.
 *
 * It uses the public API only and knows nothing of vGPUs, so that the same program runs natively and on a vGPU: each question
 * prints one line, `ok WHAT` or `not ok WHAT: GOT, not WANTED`, the same words on both. tests/e2e/direct_programs.sh compares.
 */
#ifndef VGPU_TESTS_PROGRAMS_VERDICTS_H
#define VGPU_TESTS_PROGRAMS_VERDICTS_H

#define CL_USE_DEPRECATED_OPENCL_2_2_APIS
#include <CL/cl.h>
#include <stdbool.h>
#include <stddef.h>

/* The device under test, with a context and a queue on it. */
struct subject {
	cl_device_id device;
	cl_context context;
	cl_command_queue queue;
};

/* One verdict each. */
void verdict(const char *what, long got, long wanted);
/* The same, of a call that some driver does not survive. */
#define verdict_if_asked(what, call, wanted) do { \
		if (may_ask(what)) \
			verdict(what, call, wanted); \
	} while (0)
void verdict_text(const char *what, const char *got, const char *wanted);
void verdict_true(const char *what, bool holds);
/* False: the question is left out (main's --without), as one that the driver at hand does not survive. */
bool may_ask(const char *what);
void leave_out(const char *what);
/* What cannot be asked of this device. */
void passed_over(const char *what, const char *why);
unsigned verdicts_failed(void);

/* Fails the whole program if it cannot. */
cl_program source_program(const struct subject *subject, const char *source);
cl_int compile(cl_program program, const char *options);
/* The build information of the device: */
cl_build_status status_of(const struct subject *subject, cl_program program);
cl_program_binary_type type_of(const struct subject *subject, cl_program program);
/* Runs kernel `name`(global int *out) over 16 items on zeroed memory: out[3], or a negative error. */
long run_kernel(const struct subject *subject, cl_program program, const char *name);
/* The program's binary for the device, malloc'd; NULL: none. */
unsigned char *binary_of(cl_program program, size_t *ret_bytes);

/* The groups of questions. */
void ask_errors(const struct subject *subject);		/* errors.c */
void ask_compile_and_link(const struct subject *subject);	/* compile_link.c */
void ask_binaries(const struct subject *subject);	/* binaries.c */
void ask_callbacks(const struct subject *subject);	/* callbacks.c */
void ask_kernels(const struct subject *subject);	/* kernels.c */
void ask_il(const struct subject *subject);		/* il.c */
#endif
