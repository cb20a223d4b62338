/* SPDX-License-Identifier: MIT */
/* Binaries: taken from a program, given back, damaged (OpenCL 3.0 §5.8.1, 5.8.8). */
#include <stdlib.h>
#include <string.h>

#include "tests/programs/verdicts.h"

#define KERNEL "#ifndef FACTOR\n#define FACTOR 1\n#endif\n" \
	"kernel void seven(global int *out) { out[get_global_id(0)] = 7 * FACTOR; }"

static cl_program from_binary(const struct subject *s, const unsigned char *binary, size_t bytes, cl_int *ret_error)
{
	cl_int status;
	cl_program program = clCreateProgramWithBinary(s->context, 1, &s->device, &bytes, &binary, &status, ret_error);

	return program;
}

static void ask_executable(const struct subject *s)
{
	cl_program program = source_program(s, KERNEL), again;
	unsigned char *binary, *second, *nowhere = NULL;
	size_t bytes, second_bytes, room = 0;
	cl_int error;

	binary = binary_of(program, &bytes);
	verdict_true("binary: none before the build", !binary);
	clBuildProgram(program, 0, NULL, "-DFACTOR=6", NULL, NULL);
	binary = binary_of(program, &bytes);
	verdict_true("binary: one after the build", binary);
	verdict("binary: the array's size", clGetProgramInfo(program, CL_PROGRAM_BINARIES, 0, NULL, &room), CL_SUCCESS);
	verdict("binary: the array's size, in bytes", (long)room, sizeof(void *));
	verdict("binary: no room", clGetProgramInfo(program, CL_PROGRAM_BINARIES, 1, &nowhere, NULL), CL_INVALID_VALUE);
	verdict_if_asked("binary: not wanted of this device", clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(nowhere), &nowhere, NULL), CL_SUCCESS);
	clReleaseProgram(program);
	if (!binary)
		return;
	program = from_binary(s, binary, bytes, &error);
	verdict("binary: given back", error, CL_SUCCESS);
	verdict("binary: its type", type_of(s, program), CL_PROGRAM_BINARY_TYPE_EXECUTABLE);
	clCreateKernel(program, "seven", &error);
	verdict("binary: no kernels before the build", error, CL_INVALID_PROGRAM_EXECUTABLE);
	verdict("binary: cannot be compiled", compile(program, NULL), CL_INVALID_OPERATION);
	second = binary_of(program, &second_bytes);
	verdict_true("binary: it can be had again", second);
	verdict("binary: built", clBuildProgram(program, 0, NULL, NULL, NULL, NULL), CL_SUCCESS);
	verdict("binary: built, the status", status_of(s, program), CL_BUILD_SUCCESS);
	verdict("binary: what it computes", run_kernel(s, program, "seven"), 42);
	free(second);
	second = binary_of(program, &second_bytes);
	again = second ? from_binary(s, second, second_bytes, &error) : NULL;
	verdict_true("binary: a binary's binary", again && clBuildProgram(again, 0, NULL, "", NULL, NULL) == CL_SUCCESS);
	if (again) {
		verdict("binary: what that computes", run_kernel(s, again, "seven"), 42);
		clReleaseProgram(again);
	}
	clReleaseProgram(program);
	free(second);
	free(binary);
}

static void ask_parts(const struct subject *s)
{
	cl_program part = source_program(s, "int nine(void) { return 9; }"), linked, library, inputs[2];
	cl_program kernel = source_program(s, "int nine(void); kernel void call(global int *out) { out[get_global_id(0)] = nine(); }");
	unsigned char *object, *archive, *executable = NULL;
	size_t object_bytes, archive_bytes, executable_bytes;
	cl_int error;

	compile(part, NULL);
	compile(kernel, NULL);
	object = binary_of(kernel, &object_bytes);
	verdict_true("parts: the binary of an object", object);
	library = clLinkProgram(s->context, 0, NULL, "-create-library", 1, &part, NULL, NULL, &error);
	archive = binary_of(library, &archive_bytes);
	verdict_true("parts: the binary of a library", archive);
	clReleaseProgram(part);
	clReleaseProgram(kernel);
	clReleaseProgram(library);
	if (!object || !archive)
		return;
	inputs[0] = from_binary(s, object, object_bytes, &error);
	verdict("parts: the object given back", error, CL_SUCCESS);
	verdict("parts: the object's type", type_of(s, inputs[0]), CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT);
	inputs[1] = from_binary(s, archive, archive_bytes, &error);
	verdict("parts: the library given back", error, CL_SUCCESS);
	verdict("parts: the library's type", type_of(s, inputs[1]), CL_PROGRAM_BINARY_TYPE_LIBRARY);
	linked = clLinkProgram(s->context, 0, NULL, NULL, 2, inputs, NULL, NULL, &error);
	verdict("parts: linked from binaries", error, CL_SUCCESS);
	clReleaseProgram(inputs[0]);
	clReleaseProgram(inputs[1]);
	if (linked) {
		verdict("parts: what they compute", run_kernel(s, linked, "call"), 9);
		executable = binary_of(linked, &executable_bytes);
		clReleaseProgram(linked);
	}
	verdict_true("parts: the binary of the linked", executable);
	if (executable) {
		linked = from_binary(s, executable, executable_bytes, &error);
		verdict("parts: the linked given back", error, CL_SUCCESS);
		verdict("parts: the linked built", clBuildProgram(linked, 0, NULL, NULL, NULL, NULL), CL_SUCCESS);
		verdict("parts: what it computes", run_kernel(s, linked, "call"), 9);
		clReleaseProgram(linked);
	}
	free(object);
	free(archive);
	free(executable);
}

/* A driver may take what it cannot tell from its own; nothing may crash, and what it takes must build or fail. */
static void ask_damage(const struct subject *s)
{
	cl_program program = source_program(s, KERNEL);
	unsigned char *binary;
	size_t bytes;
	cl_int error;

	clBuildProgram(program, 0, NULL, NULL, NULL, NULL);
	binary = binary_of(program, &bytes);
	clReleaseProgram(program);
	if (!binary)
		return;
	binary[0] ^= 1;
	program = from_binary(s, binary, bytes, &error);
	verdict("damage: another first byte", error, CL_INVALID_BINARY);
	if (program)
		clReleaseProgram(program);
	free(binary);
}

void ask_binaries(const struct subject *subject)
{
	ask_executable(subject);
	ask_parts(subject);
	ask_damage(subject);
}
