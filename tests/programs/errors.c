/* SPDX-License-Identifier: MIT */
/* Errors that OpenCL 3.0 §5.8 names for calls with wrong arguments, or at a wrong time. */
#include <stdlib.h>

#include "tests/programs/verdicts.h"

#define KERNEL "kernel void one(global int *out) { out[get_global_id(0)] = 1; }"

static void CL_CALLBACK ignore(cl_program program, void *data)
{
	(void)program;
	(void)data;
}

static void ask_creation(const struct subject *s)
{
	const unsigned char bytes[64] = "no binary of anybody's", *list = bytes, *none = NULL;
	const size_t length = sizeof(bytes), zero = 0;
	cl_int error = 0, status = 0;

#define REFUSED(what, call, wanted) do { \
		cl_program refused_; \
		if (!may_ask(what)) \
			break; \
		refused_ = call; \
		verdict(what, error, wanted); \
		if (refused_) \
			clReleaseProgram(refused_); \
	} while (0)
	REFUSED("source: no context", clCreateProgramWithSource(NULL, 1, &(const char *){ KERNEL }, NULL, &error), CL_INVALID_CONTEXT);
	REFUSED("source: no strings", clCreateProgramWithSource(s->context, 0, NULL, NULL, &error), CL_INVALID_VALUE);
	REFUSED("source: a string of NULL", clCreateProgramWithSource(s->context, 1, &(const char *){ NULL }, NULL, &error), CL_INVALID_VALUE);
	REFUSED("binary: no devices", clCreateProgramWithBinary(s->context, 0, NULL, &length, &list, &status, &error), CL_INVALID_VALUE);
	REFUSED("binary: no lengths", clCreateProgramWithBinary(s->context, 1, &s->device, NULL, &list, &status, &error), CL_INVALID_VALUE);
	REFUSED("binary: no binaries", clCreateProgramWithBinary(s->context, 1, &s->device, &length, NULL, &status, &error), CL_INVALID_VALUE);
	REFUSED("binary: of length 0", clCreateProgramWithBinary(s->context, 1, &s->device, &zero, &list, &status, &error), CL_INVALID_VALUE);
	verdict("binary: of length 0, its status", status, CL_INVALID_VALUE);
	REFUSED("binary: of NULL", clCreateProgramWithBinary(s->context, 1, &s->device, &length, &none, &status, &error), CL_INVALID_VALUE);
	REFUSED("binary: nobody's", clCreateProgramWithBinary(s->context, 1, &s->device, &length, &list, &status, &error), CL_INVALID_BINARY);
	verdict("binary: nobody's, its status", status, CL_INVALID_BINARY);
	REFUSED("built-in: no names", clCreateProgramWithBuiltInKernels(s->context, 1, &s->device, NULL, &error), CL_INVALID_VALUE);
	REFUSED("built-in: no devices", clCreateProgramWithBuiltInKernels(s->context, 0, NULL, "x", &error), CL_INVALID_VALUE);
	REFUSED("built-in: unknown", clCreateProgramWithBuiltInKernels(s->context, 1, &s->device, "no_such_kernel", &error), CL_INVALID_VALUE);
	REFUSED("IL: no context", clCreateProgramWithIL(NULL, bytes, sizeof(bytes), &error), CL_INVALID_CONTEXT);
}

static void ask_build(const struct subject *s)
{
	cl_program program = source_program(s, KERNEL);
	cl_device_id nobody = (cl_device_id)program;
	cl_kernel kernel;
	char il[256] = "";
	cl_int error;
	size_t count;
	int data = 0;

	verdict_if_asked("build: no program", clBuildProgram(NULL, 0, NULL, NULL, NULL, NULL), CL_INVALID_PROGRAM);
	verdict("build: devices without a count", clBuildProgram(program, 0, &s->device, NULL, NULL, NULL), CL_INVALID_VALUE);
	verdict("build: a count without devices", clBuildProgram(program, 1, NULL, NULL, NULL, NULL), CL_INVALID_VALUE);
	verdict("build: user data without a function", clBuildProgram(program, 0, NULL, NULL, NULL, &data), CL_INVALID_VALUE);
	verdict_if_asked("build: a device that is none", clBuildProgram(program, 1, &nobody, NULL, NULL, NULL), CL_INVALID_DEVICE);
	verdict("build: unknown options", clBuildProgram(program, 0, NULL, "-no-such-option", NULL, NULL), CL_INVALID_BUILD_OPTIONS);
	verdict("build: kernels of one not built", clGetProgramInfo(program, CL_PROGRAM_NUM_KERNELS, sizeof(count), &count, NULL),
		CL_INVALID_PROGRAM_EXECUTABLE);
	clCreateKernel(program, "one", &error);
	verdict("kernel: of one not built", error, CL_INVALID_PROGRAM_EXECUTABLE);
	verdict("kernels: of one not built", clCreateKernelsInProgram(program, 0, NULL, &(cl_uint){ 0 }), CL_INVALID_PROGRAM_EXECUTABLE);
	verdict("build: as it should be", clBuildProgram(program, 0, NULL, NULL, NULL, NULL), CL_SUCCESS);
	clCreateKernel(program, "two", &error);
	verdict("kernel: unknown", error, CL_INVALID_KERNEL_NAME);
	clCreateKernel(program, NULL, &error);
	verdict("kernel: of no name", error, CL_INVALID_VALUE);
	kernel = clCreateKernel(program, "one", &error);
	verdict("build: while a kernel is attached", clBuildProgram(program, 0, NULL, NULL, NULL, NULL), CL_INVALID_OPERATION);
	verdict("compile: while a kernel is attached", compile(program, NULL), CL_INVALID_OPERATION);
	clReleaseKernel(kernel);
	verdict("build: when it was released", clBuildProgram(program, 0, NULL, NULL, NULL, NULL), CL_SUCCESS);
	verdict("build information: of nothing", clGetProgramBuildInfo(program, s->device, 0x7777, sizeof(data), &data, NULL), CL_INVALID_VALUE);
	verdict("build information: no room", clGetProgramBuildInfo(program, s->device, CL_PROGRAM_BUILD_STATUS, 1, &data, NULL), CL_INVALID_VALUE);
	verdict_if_asked("build information: of another device",
		clGetProgramBuildInfo(program, nobody, CL_PROGRAM_BUILD_STATUS, sizeof(data), &data, NULL), CL_INVALID_DEVICE);
	verdict("information: of nothing", clGetProgramInfo(program, 0x7777, sizeof(data), &data, NULL), CL_INVALID_VALUE);
	verdict("release callback: no function", clSetProgramReleaseCallback(program, NULL, NULL), CL_INVALID_VALUE);
	verdict("release callback: as no device runs destructors", clSetProgramReleaseCallback(program, ignore, NULL), CL_INVALID_OPERATION);
	verdict("release callback: no program", clSetProgramReleaseCallback(NULL, ignore, NULL), CL_INVALID_PROGRAM);
	/* Where there is no IL at all: its appendix. */
	clGetDeviceInfo(s->device, CL_DEVICE_IL_VERSION, sizeof(il), il, NULL);
	verdict("constant: of a program that is no IL", clSetProgramSpecializationConstant(program, 0, 4, &data),
		il[0] ? CL_INVALID_PROGRAM : CL_INVALID_OPERATION);
	clReleaseProgram(program);
}

static void ask_compile(const struct subject *s)
{
	cl_program program = source_program(s, KERNEL), header = source_program(s, "#define X 1");
	const char *name = "x.h";
	cl_device_id nobody = (cl_device_id)program;
	int data;

	verdict_if_asked("compile: no program", compile(NULL, NULL), CL_INVALID_PROGRAM);
	verdict("compile: devices without a count", clCompileProgram(program, 0, &s->device, NULL, 0, NULL, NULL, NULL, NULL), CL_INVALID_VALUE);
	verdict_if_asked("compile: a device that is none", clCompileProgram(program, 1, &nobody, NULL, 0, NULL, NULL, NULL, NULL), CL_INVALID_DEVICE);
	verdict("compile: headers without a count", clCompileProgram(program, 0, NULL, NULL, 0, &header, NULL, NULL, NULL), CL_INVALID_VALUE);
	verdict("compile: header names without a count", clCompileProgram(program, 0, NULL, NULL, 0, NULL, &name, NULL, NULL), CL_INVALID_VALUE);
	verdict_if_asked("compile: a count without headers", clCompileProgram(program, 0, NULL, NULL, 1, NULL, &name, NULL, NULL), CL_INVALID_VALUE);
	verdict_if_asked("compile: a count without header names", clCompileProgram(program, 0, NULL, NULL, 1, &header, NULL, NULL, NULL), CL_INVALID_VALUE);
	verdict("compile: user data without a function", clCompileProgram(program, 0, NULL, NULL, 0, NULL, NULL, NULL, &data), CL_INVALID_VALUE);
	verdict("compile: unknown options", compile(program, "-no-such-option"), CL_INVALID_COMPILER_OPTIONS);
	clReleaseProgram(header);
	clReleaseProgram(program);
}

static void ask_link(const struct subject *s)
{
	cl_program compiled = source_program(s, KERNEL), fresh = source_program(s, KERNEL), built = source_program(s, KERNEL);
	cl_program nobody = (cl_program)s->queue;
	cl_int error = 0;
	int data;

	compile(compiled, NULL);
	clBuildProgram(built, 0, NULL, NULL, NULL, NULL);
#define LINK(context, devices, list, options, count, inputs, user) \
	clLinkProgram(context, devices, list, options, count, inputs, NULL, user, &error)
	REFUSED("link: no context", LINK(NULL, 0, NULL, NULL, 1, &compiled, NULL), CL_INVALID_CONTEXT);
	REFUSED("link: devices without a count", LINK(s->context, 0, &s->device, NULL, 1, &compiled, NULL), CL_INVALID_VALUE);
	REFUSED("link: a count without devices", LINK(s->context, 1, NULL, NULL, 1, &compiled, NULL), CL_INVALID_VALUE);
	REFUSED("link: a device that is none", LINK(s->context, 1, &(cl_device_id){ (cl_device_id)compiled }, NULL, 1, &compiled, NULL),
		CL_INVALID_DEVICE);
	REFUSED("link: no programs", LINK(s->context, 0, NULL, NULL, 0, NULL, NULL), CL_INVALID_VALUE);
	REFUSED("link: a count without programs", LINK(s->context, 0, NULL, NULL, 1, NULL, NULL), CL_INVALID_VALUE);
	REFUSED("link: user data without a function", LINK(s->context, 0, NULL, NULL, 1, &compiled, &data), CL_INVALID_VALUE);
	REFUSED("link: what is no program", LINK(s->context, 0, NULL, NULL, 1, &nobody, NULL), CL_INVALID_PROGRAM);
	REFUSED("link: a program that is not compiled", LINK(s->context, 0, NULL, NULL, 1, &fresh, NULL), CL_INVALID_OPERATION);
	REFUSED("link: an executable", LINK(s->context, 0, NULL, NULL, 1, &built, NULL), CL_INVALID_OPERATION);
	REFUSED("link: unknown options", LINK(s->context, 0, NULL, "-no-such-option", 1, &compiled, NULL), CL_INVALID_LINKER_OPTIONS);
	clReleaseProgram(compiled);
	clReleaseProgram(fresh);
	clReleaseProgram(built);
}

void ask_errors(const struct subject *subject)
{
	ask_creation(subject);
	ask_build(subject);
	ask_compile(subject);
	ask_link(subject);
}
