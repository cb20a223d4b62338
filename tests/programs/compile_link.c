/* SPDX-License-Identifier: MIT */
/* Compiling with headers, libraries, links: what comes out, and what is told of it (OpenCL 3.0 §5.8.4 to 5.8.8). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/programs/verdicts.h"

#define TWICE "int twice(int x) { return 2 * x; }"
#define THRICE "int thrice(int x) { return 3 * x; }"
#define MAIN "int twice(int); int thrice(int);\n" \
	"kernel void both(global int *out) { int i = get_global_id(0); out[i] = twice(i) + 100 * thrice(i); }"

static void ask_headers(const struct subject *s)
{
	cl_program program = source_program(s, "#include \"values.h\"\n#include \"deep/more.h\"\n"
					       "kernel void sum(global int *out) { out[get_global_id(0)] = VALUE + MORE + GIVEN; }");
	cl_program headers[2] = { source_program(s, "#define VALUE 5\n"), source_program(s, "#define MORE 70\n") };
	const char *names[2] = { "values.h", "deep/more.h" };
	char text[256] = "";
	cl_program linked;
	cl_int error;

	verdict("headers: without them", compile(program, "-DGIVEN=0"), CL_COMPILE_PROGRAM_FAILURE);
	verdict("headers: without them, the status", status_of(s, program), CL_BUILD_ERROR);
	verdict("headers: with them", clCompileProgram(program, 0, NULL, "-DGIVEN=900", 2, headers, names, NULL, NULL), CL_SUCCESS);
	verdict("headers: the status", status_of(s, program), CL_BUILD_SUCCESS);
	verdict("headers: the type", type_of(s, program), CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT);
	clGetProgramBuildInfo(program, s->device, CL_PROGRAM_BUILD_OPTIONS, sizeof(text), text, NULL);
	verdict_text("headers: the options", text, "-DGIVEN=900");
	verdict("headers: an object has no kernels", clCreateKernelsInProgram(program, 0, NULL, &(cl_uint){ 0 }), CL_INVALID_PROGRAM_EXECUTABLE);
	clReleaseProgram(headers[0]);
	clReleaseProgram(headers[1]);
	linked = clLinkProgram(s->context, 1, &s->device, NULL, 1, &program, NULL, NULL, &error);
	verdict("headers: linked", error, CL_SUCCESS);
	clReleaseProgram(program);
	verdict("headers: what it computes", run_kernel(s, linked, "sum"), 975);
	clReleaseProgram(linked);
}

static void ask_libraries(const struct subject *s)
{
	cl_program parts[2] = { source_program(s, TWICE), source_program(s, THRICE) }, kernel = source_program(s, MAIN);
	cl_program inputs[2], library, linked, direct[3];
	cl_kernel kernels[2];
	cl_uint count = 0;
	char text[256] = "";
	cl_int error;

	compile(parts[0], NULL);
	compile(parts[1], NULL);
	verdict("library: the kernel compiles by declarations", compile(kernel, NULL), CL_SUCCESS);
	library = clLinkProgram(s->context, 0, NULL, "-create-library", 2, parts, NULL, NULL, &error);
	verdict("library: made", error, CL_SUCCESS);
	verdict("library: the type", type_of(s, library), CL_PROGRAM_BINARY_TYPE_LIBRARY);
	verdict("library: the status", status_of(s, library), CL_BUILD_SUCCESS);
	inputs[0] = kernel;
	inputs[1] = library;
	linked = clLinkProgram(s->context, 0, NULL, "", 2, inputs, NULL, NULL, &error);
	verdict("library: linked with", error, CL_SUCCESS);
	verdict("library: the executable's type", type_of(s, linked), CL_PROGRAM_BINARY_TYPE_EXECUTABLE);
	clReleaseProgram(library);
	direct[0] = kernel;
	direct[1] = parts[0];
	direct[2] = parts[1];
	verdict("library: what it computes", run_kernel(s, linked, "both"), 906);
	verdict("library: its kernels", clCreateKernelsInProgram(linked, 2, kernels, &count), CL_SUCCESS);
	verdict("library: how many", count, 1);
	if (count == 1) {
		clGetKernelInfo(kernels[0], CL_KERNEL_FUNCTION_NAME, sizeof(text), text, NULL);
		verdict_text("library: the kernel's name", text, "both");
		clReleaseKernel(kernels[0]);
	}
	clGetProgramInfo(linked, CL_PROGRAM_SOURCE, sizeof(text), text, NULL);
	verdict_text("library: a linked program has no source", text, "");
	clReleaseProgram(linked);
	linked = clLinkProgram(s->context, 0, NULL, NULL, 3, direct, NULL, NULL, &error);
	verdict("objects: three of them", error, CL_SUCCESS);
	clReleaseProgram(parts[0]);
	clReleaseProgram(parts[1]);
	clReleaseProgram(kernel);
	verdict("objects: what they compute", run_kernel(s, linked, "both"), 906);
	clReleaseProgram(linked);
}

static void ask_link_options(const struct subject *s)
{
	cl_program part = source_program(s, TWICE), linked;
	cl_int error;

	compile(part, NULL);
	linked = clLinkProgram(s->context, 0, NULL, "-create-library -enable-link-options", 1, &part, NULL, NULL, &error);
	verdict("options: -enable-link-options of a library", error, CL_SUCCESS);
	if (linked)
		clReleaseProgram(linked);
	linked = clLinkProgram(s->context, 0, NULL, "-cl-denorms-are-zero -cl-fast-relaxed-math", 1, &part, NULL, NULL, &error);
	verdict("options: of the mathematics", error, CL_SUCCESS);
	if (linked)
		clReleaseProgram(linked);
	clReleaseProgram(part);
}

static void ask_failures(const struct subject *s)
{
	cl_program broken = source_program(s, "kernel void broken(global int *out) { out[0] = no_such_name; }");
	cl_program whole = source_program(s, "kernel void whole(global int *out) { out[get_global_id(0)] = 8; }"), linked;
	size_t bytes = 0;
	cl_int error;

	verdict("failure: of a compilation", compile(broken, NULL), CL_COMPILE_PROGRAM_FAILURE);
	clGetProgramBuildInfo(broken, s->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes);
	verdict_true("failure: it has a log", bytes > 1);
	verdict("failure: it has no type", type_of(s, broken), CL_PROGRAM_BINARY_TYPE_NONE);
	if (may_ask("failure: it cannot be linked")) {
		linked = clLinkProgram(s->context, 0, NULL, NULL, 1, &broken, NULL, NULL, &error);
		verdict("failure: it cannot be linked", error, CL_INVALID_OPERATION);
		if (linked)
			clReleaseProgram(linked);
	}
	verdict("failure: of a build", clBuildProgram(broken, 0, NULL, NULL, NULL, NULL), CL_BUILD_PROGRAM_FAILURE);
	clReleaseProgram(broken);
	/* A program goes from one state to the next. */
	verdict("states: fresh", status_of(s, whole), CL_BUILD_NONE);
	verdict("states: fresh, the type", type_of(s, whole), CL_PROGRAM_BINARY_TYPE_NONE);
	verdict("states: compiled", compile(whole, NULL), CL_SUCCESS);
	verdict("states: compiled, the type", type_of(s, whole), CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT);
	verdict("states: built", clBuildProgram(whole, 0, NULL, NULL, NULL, NULL), CL_SUCCESS);
	verdict("states: built, the type", type_of(s, whole), CL_PROGRAM_BINARY_TYPE_EXECUTABLE);
	verdict("states: built, what it computes", run_kernel(s, whole, "whole"), 8);
	verdict("states: compiled again", compile(whole, NULL), CL_SUCCESS);
	verdict("states: compiled again, the type", type_of(s, whole), CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT);
	clReleaseProgram(whole);
}

void ask_compile_and_link(const struct subject *subject)
{
	cl_bool linker = CL_FALSE;

	clGetDeviceInfo(subject->device, CL_DEVICE_LINKER_AVAILABLE, sizeof(linker), &linker, NULL);
	if (!linker) {
		passed_over("compile and link", "the device has no linker");
		return;
	}
	ask_headers(subject);
	ask_libraries(subject);
	ask_link_options(subject);
	ask_failures(subject);
}
