/* SPDX-License-Identifier: MIT */
/* OpenCL 3.0 §5.8: programs. */
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/conformance.h"

static const char *good = "kernel void f(global int *a) { a[0] = 1; }";

static cl_program fresh(const char *text)
{
	cl_program program = clCreateProgramWithSource(s.context, 1, &text, NULL, &err);

	need(err, "clCreateProgramWithSource");
	return program;
}

static cl_int build(const char *text, const char *options)
{
	cl_program program = fresh(text);
	cl_int answered = clBuildProgram(program, 1, &s.device, options, NULL, NULL);

	clReleaseProgram(program);
	return answered;
}

static void CL_CALLBACK notified(cl_program program, void *data)
{
	(void)program;
	(void)data;
}

static void sources_and_builds(void)
{
	const char *strings[2] = {good, NULL};
	const cl_device_id null = NULL, other = (cl_device_id)s.queue;

	CHECK_HANDLE(clCreateProgramWithSource, cl_context, CL_INVALID_CONTEXT, MADE(clCreateProgramWithSource(bad, 1, &good, NULL, &err)));
	CHECK_MADE(clCreateProgramWithSource, "no strings", clCreateProgramWithSource(s.context, 0, &good, NULL, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateProgramWithSource, "no list", clCreateProgramWithSource(s.context, 1, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateProgramWithSource, "NULL among the strings", clCreateProgramWithSource(s.context, 2, strings, NULL, &err), CL_INVALID_VALUE);
	CHECK_HANDLE(clRetainProgram, cl_program, CL_INVALID_PROGRAM, clRetainProgram(bad));
	CHECK_HANDLE(clReleaseProgram, cl_program, CL_INVALID_PROGRAM, clReleaseProgram(bad));
	CHECK_HANDLE(clBuildProgram, cl_program, CL_INVALID_PROGRAM, clBuildProgram(bad, 0, NULL, NULL, NULL, NULL));
	CHECK(clBuildProgram, "devices counted but no list", clBuildProgram(s.unbuilt, 1, NULL, NULL, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clBuildProgram, "a list but none counted", clBuildProgram(s.unbuilt, 0, &s.device, NULL, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clBuildProgram, "data without a callback", clBuildProgram(s.unbuilt, 0, NULL, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK(clBuildProgram, "a device NULL", clBuildProgram(s.unbuilt, 1, &null, NULL, NULL, NULL), CL_INVALID_DEVICE);
	if (wrong_kinds)
		CHECK(clBuildProgram, "a device that is another object", clBuildProgram(s.unbuilt, 1, &other, NULL, NULL, NULL), CL_INVALID_DEVICE);
	CHECK(clBuildProgram, "an unknown option", build(good, "-no-such-option"), CL_INVALID_BUILD_OPTIONS);
	CHECK(clBuildProgram, "no program", build("kernel void f(void) { this is no program }", NULL), CL_BUILD_PROGRAM_FAILURE);
	CHECK(clBuildProgram, "while it has kernels", clBuildProgram(s.program, 0, NULL, NULL, NULL, NULL), CL_INVALID_OPERATION);
	CHECK_HANDLE(clGetProgramInfo, cl_program, CL_INVALID_PROGRAM, clGetProgramInfo(bad, CL_PROGRAM_CONTEXT, 0, NULL, NULL));
	CHECK_QUERY(clGetProgramInfo, CL_PROGRAM_CONTEXT, clGetProgramInfo(s.program, param, size, value, NULL));
	CHECK(clGetProgramInfo, "the number of kernels, not built", clGetProgramInfo(s.unbuilt, CL_PROGRAM_NUM_KERNELS, 0, NULL, NULL),
	      CL_INVALID_PROGRAM_EXECUTABLE);
	CHECK(clGetProgramInfo, "the names of kernels, not built", clGetProgramInfo(s.unbuilt, CL_PROGRAM_KERNEL_NAMES, 0, NULL, NULL),
	      CL_INVALID_PROGRAM_EXECUTABLE);
	CHECK_HANDLE(clGetProgramBuildInfo, cl_program, CL_INVALID_PROGRAM, clGetProgramBuildInfo(bad, s.device, CL_PROGRAM_BUILD_STATUS, 0, NULL, NULL));
	CHECK_HANDLE(clGetProgramBuildInfo, cl_device_id, CL_INVALID_DEVICE, clGetProgramBuildInfo(s.program, bad, CL_PROGRAM_BUILD_STATUS, 0, NULL, NULL));
	CHECK_QUERY(clGetProgramBuildInfo, CL_PROGRAM_BUILD_STATUS, clGetProgramBuildInfo(s.program, s.device, param, size, value, NULL));
}

static void binaries(void)
{
	const unsigned char garbage[16] = "garbage", *binary = garbage, *none = NULL;
	const size_t bytes = sizeof(garbage), zero = 0;
	cl_int status;

	CHECK_HANDLE(clCreateProgramWithBinary, cl_context, CL_INVALID_CONTEXT,
		     MADE(clCreateProgramWithBinary(bad, 1, &s.device, &bytes, &binary, &status, &err)));
	CHECK_MADE(clCreateProgramWithBinary, "garbage", clCreateProgramWithBinary(s.context, 1, &s.device, &bytes, &binary, &status, &err),
		   CL_INVALID_BINARY);
	if (s.has_binaries) {
		CHECK_MADE(clCreateProgramWithBinary, "no devices", clCreateProgramWithBinary(s.context, 0, &s.device, &bytes, &binary, &status, &err),
			   CL_INVALID_VALUE);
		CHECK_MADE(clCreateProgramWithBinary, "no list of devices", clCreateProgramWithBinary(s.context, 1, NULL, &bytes, &binary, &status, &err),
			   CL_INVALID_VALUE);
		CHECK_MADE(clCreateProgramWithBinary, "no lengths", clCreateProgramWithBinary(s.context, 1, &s.device, NULL, &binary, &status, &err),
			   CL_INVALID_VALUE);
		CHECK_MADE(clCreateProgramWithBinary, "no binaries", clCreateProgramWithBinary(s.context, 1, &s.device, &bytes, NULL, &status, &err),
			   CL_INVALID_VALUE);
		CHECK_MADE(clCreateProgramWithBinary, "a length of 0", clCreateProgramWithBinary(s.context, 1, &s.device, &zero, &binary, &status, &err),
			   CL_INVALID_VALUE);
		CHECK_MADE(clCreateProgramWithBinary, "a binary NULL", clCreateProgramWithBinary(s.context, 1, &s.device, &bytes, &none, &status, &err),
			   CL_INVALID_VALUE);
	}
	CHECK_MADE(clCreateProgramWithBuiltInKernels, "a name of nothing",
		   clCreateProgramWithBuiltInKernels(s.context, 1, &s.device, "no_such_kernel", &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateProgramWithBuiltInKernels, "no names", clCreateProgramWithBuiltInKernels(s.context, 1, &s.device, NULL, &err),
		   CL_INVALID_VALUE);
	CHECK_MADE(clCreateProgramWithBuiltInKernels, "no devices", clCreateProgramWithBuiltInKernels(s.context, 0, &s.device, "a", &err),
		   CL_INVALID_VALUE);
}

static cl_int compile(cl_program program, cl_uint headers, const cl_program *list, const char **names)
{
	return clCompileProgram(program, 1, &s.device, NULL, headers, list, names, NULL, NULL);
}

static void compile_and_link(void)
{
	const char *name = "header.h", *broken = "kernel void f(void) { this is no program }";
	const cl_program null = NULL;

	CHECK_HANDLE(clCompileProgram, cl_program, CL_INVALID_PROGRAM, clCompileProgram(bad, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL));
	CHECK_HANDLE(clLinkProgram, cl_context, CL_INVALID_CONTEXT, MADE(clLinkProgram(bad, 0, NULL, NULL, 1, &s.program, NULL, NULL, &err)));
	if (!s.has_linker)
		return;
	CHECK(clCompileProgram, "devices counted but no list", clCompileProgram(s.unbuilt, 1, NULL, NULL, 0, NULL, NULL, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clCompileProgram, "headers counted but no list", compile(s.unbuilt, 1, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clCompileProgram, "a list but none counted", compile(s.unbuilt, 0, &s.unbuilt, &name), CL_INVALID_VALUE);
	CHECK(clCompileProgram, "headers without names", compile(s.unbuilt, 1, &s.unbuilt, NULL), CL_INVALID_VALUE);
	CHECK(clCompileProgram, "data without a callback", clCompileProgram(s.unbuilt, 0, NULL, NULL, 0, NULL, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK(clCompileProgram, "while it has kernels", compile(s.program, 0, NULL, NULL), CL_INVALID_OPERATION);
	if (ask("clCompileProgram", "no program")) {
		cl_program program = fresh(broken);
		answer(compile(program, 0, NULL, NULL), ALLOWED(CL_COMPILE_PROGRAM_FAILURE));
		clReleaseProgram(program);
	}
	if (ask("clCompileProgram", "an unknown option")) {
		cl_program program = fresh(good);
		answer(clCompileProgram(program, 1, &s.device, "-no-such-option", 0, NULL, NULL, NULL, NULL), ALLOWED(CL_INVALID_COMPILER_OPTIONS));
		clReleaseProgram(program);
	}
	CHECK_MADE(clLinkProgram, "no programs", clLinkProgram(s.context, 0, NULL, NULL, 0, &s.program, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK_MADE(clLinkProgram, "no list", clLinkProgram(s.context, 0, NULL, NULL, 1, NULL, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK_MADE(clLinkProgram, "NULL among them", clLinkProgram(s.context, 0, NULL, NULL, 1, &null, NULL, NULL, &err), CL_INVALID_PROGRAM);
	CHECK_MADE(clLinkProgram, "data without a callback", clLinkProgram(s.context, 0, NULL, NULL, 1, &s.program, NULL, &err, &err), CL_INVALID_VALUE);
	CHECK_MADE(clLinkProgram, "devices counted but no list", clLinkProgram(s.context, 1, NULL, NULL, 1, &s.program, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK_MADE(clLinkProgram, "what was not compiled", clLinkProgram(s.context, 0, NULL, NULL, 1, &s.unbuilt, NULL, NULL, &err), CL_INVALID_OPERATION);
}

void errors_program(void)
{
	const char il[] = "no intermediate language";
	const cl_uint value = 1;

	sources_and_builds();
	binaries();
	compile_and_link();
	CHECK_HANDLE(clCreateProgramWithIL, cl_context, CL_INVALID_CONTEXT, MADE(clCreateProgramWithIL(bad, il, sizeof(il), &err)));
	if (s.has_il) {
		CHECK_MADE(clCreateProgramWithIL, "no text", clCreateProgramWithIL(s.context, NULL, sizeof(il), &err), CL_INVALID_VALUE);
		CHECK_MADE(clCreateProgramWithIL, "no bytes", clCreateProgramWithIL(s.context, il, 0, &err), CL_INVALID_VALUE);
		CHECK_MADE(clCreateProgramWithIL, "garbage", clCreateProgramWithIL(s.context, il, sizeof(il), &err), CL_INVALID_VALUE);
	} else {
		CHECK_MADE(clCreateProgramWithIL, "where there is none", clCreateProgramWithIL(s.context, il, sizeof(il), &err), CL_INVALID_OPERATION);
	}
	CHECK_HANDLE(clSetProgramReleaseCallback, cl_program, CL_INVALID_PROGRAM, clSetProgramReleaseCallback(bad, notified, NULL));
	CHECK(clSetProgramReleaseCallback, "no callback", clSetProgramReleaseCallback(s.program, NULL, NULL), CL_INVALID_VALUE, CL_INVALID_OPERATION);
	CHECK_HANDLE(clSetProgramSpecializationConstant, cl_program, CL_INVALID_PROGRAM,
		     clSetProgramSpecializationConstant(bad, 0, sizeof(value), &value));
	CHECK(clSetProgramSpecializationConstant, "of a program from source", clSetProgramSpecializationConstant(s.unbuilt, 0, sizeof(value), &value),
	      CL_INVALID_PROGRAM, CL_INVALID_OPERATION);
}
