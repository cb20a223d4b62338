/* SPDX-License-Identifier: MIT */
#include "tests/programs/verdicts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEFT_OUT_MAX 32u

static unsigned failed;
static const char *left_out[LEFT_OUT_MAX];
static unsigned left_out_count;

void leave_out(const char *what)
{
	if (left_out_count < LEFT_OUT_MAX)
		left_out[left_out_count++] = what;
}

bool may_ask(const char *what)
{
	for (unsigned i = 0; i < left_out_count; i++)
		if (!strcmp(left_out[i], what))
			return false;
	return true;
}

void verdict(const char *what, long got, long wanted)
{
	if (got == wanted) {
		printf("ok %s\n", what);
		return;
	}
	printf("not ok %s: %ld, not %ld\n", what, got, wanted);
	failed++;
}

void verdict_text(const char *what, const char *got, const char *wanted)
{
	if (!strcmp(got, wanted)) {
		printf("ok %s\n", what);
		return;
	}
	printf("not ok %s: '%s', not '%s'\n", what, got, wanted);
	failed++;
}

void verdict_true(const char *what, bool holds)
{
	verdict(what, holds, 1);
}

void passed_over(const char *what, const char *why)
{
	printf("passed over %s: %s\n", what, why);
}

unsigned verdicts_failed(void)
{
	return failed;
}

cl_program source_program(const struct subject *subject, const char *source)
{
	cl_int error;
	cl_program program = clCreateProgramWithSource(subject->context, 1, &source, NULL, &error);

	if (!program) {
		fprintf(stderr, "clCreateProgramWithSource failed with OpenCL error %d\n", error);
		exit(1);
	}
	return program;
}

cl_int compile(cl_program program, const char *options)
{
	return clCompileProgram(program, 0, NULL, options, 0, NULL, NULL, NULL, NULL);
}

cl_build_status status_of(const struct subject *subject, cl_program program)
{
	cl_build_status status = 77;

	clGetProgramBuildInfo(program, subject->device, CL_PROGRAM_BUILD_STATUS, sizeof(status), &status, NULL);
	return status;
}

cl_program_binary_type type_of(const struct subject *subject, cl_program program)
{
	cl_program_binary_type type = 77;

	clGetProgramBuildInfo(program, subject->device, CL_PROGRAM_BINARY_TYPE, sizeof(type), &type, NULL);
	return type;
}

long run_kernel(const struct subject *subject, cl_program program, const char *name)
{
	const size_t items = 16;
	int out[16] = { 0 };
	cl_int error;
	cl_kernel kernel = clCreateKernel(program, name, &error);

	if (!kernel)
		return error;
	cl_mem buffer = clCreateBuffer(subject->context, CL_MEM_COPY_HOST_PTR, sizeof(out), out, &error);
	if (!error)
		error = clSetKernelArg(kernel, 0, sizeof(buffer), &buffer);
	if (!error)
		error = clEnqueueNDRangeKernel(subject->queue, kernel, 1, NULL, &items, NULL, 0, NULL, NULL);
	if (!error)
		error = clEnqueueReadBuffer(subject->queue, buffer, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL);
	if (buffer)
		clReleaseMemObject(buffer);
	clReleaseKernel(kernel);
	return error ? error : out[3];
}

unsigned char *binary_of(cl_program program, size_t *ret_bytes)
{
	unsigned char *binary;

	*ret_bytes = 0;
	if (clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(*ret_bytes), ret_bytes, NULL) || !*ret_bytes)
		return NULL;
	binary = malloc(*ret_bytes);
	if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(binary), &binary, NULL)) {
		free(binary);
		return NULL;
	}
	return binary;
}
