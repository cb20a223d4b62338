/* SPDX-License-Identifier: MIT */
/* Intermediate language, where the device takes any (OpenCL 3.0 §5.8.2, 5.8.3). */
#include <stdint.h>
#include <string.h>

#include "tests/programs/verdicts.h"

/* SPIR-V 1.0, by hand: kernel put(global int *out) { out[get_global_id(0)] = CONSTANT; }, where CONSTANT is 11, or what
 * specialization constant 5 says. One word after the other; the word count stands above the opcode. */
#define OP(words, opcode) ((words) << 16 | (opcode))
enum { ID_VOID = 1, ID_INT, ID_LONG, ID_VEC3, ID_IN_VEC3, ID_OUT, ID_FUNCTION, ID_GID, ID_CONSTANT, ID_PUT, ID_ARG, ID_LABEL, ID_LOADED,
       ID_X, ID_AT, ID_BOUND };
static const uint32_t module[] = {
	0x07230203, 0x00010000, 0, ID_BOUND, 0,
	OP(2, 17), 4,			/* Capability Addresses */
	OP(2, 17), 5,			/* Linkage */
	OP(2, 17), 6,			/* Kernel */
	OP(2, 17), 11,			/* Int64 */
	OP(3, 14), 2, 2,		/* MemoryModel Physical64 OpenCL */
	OP(6, 15), 6, ID_PUT, 0x00747570, ID_GID, 0,	/* EntryPoint Kernel "put"; see module_words */
	OP(4, 71), ID_CONSTANT, 1, 5,	/* Decorate SpecId 5 */
	OP(4, 71), ID_GID, 11, 28,	/* BuiltIn GlobalInvocationId */
	OP(3, 71), ID_GID, 22,		/* Constant */
	OP(2, 19), ID_VOID,
	OP(4, 21), ID_INT, 32, 0,
	OP(4, 21), ID_LONG, 64, 0,
	OP(4, 23), ID_VEC3, ID_LONG, 3,
	OP(4, 32), ID_IN_VEC3, 1, ID_VEC3,	/* pointer Input */
	OP(4, 32), ID_OUT, 5, ID_INT,		/* pointer CrossWorkgroup */
	OP(4, 33), ID_FUNCTION, ID_VOID, ID_OUT,
	OP(4, 50), ID_INT, ID_CONSTANT, 11,	/* SpecConstant */
	OP(4, 59), ID_IN_VEC3, ID_GID, 1,	/* Variable Input */
	OP(5, 54), ID_VOID, ID_PUT, 0, ID_FUNCTION,
	OP(3, 55), ID_OUT, ID_ARG,
	OP(2, 248), ID_LABEL,
	OP(4, 61), ID_VEC3, ID_LOADED, ID_GID,
	OP(5, 81), ID_LONG, ID_X, ID_LOADED, 0,
	OP(5, 70), ID_OUT, ID_AT, ID_ARG, ID_X,	/* InBoundsPtrAccessChain */
	OP(5, 62), ID_AT, ID_CONSTANT, 2, 4,	/* Store Aligned 4 */
	OP(1, 253),
	OP(1, 56),
};

/* The entry point's interface is optional in 1.0: without it, and without the word that fills its place above. */
static size_t module_words(uint32_t *words)
{
	size_t count = 0;

	for (size_t i = 0; i < sizeof(module) / sizeof(module[0]); i++) {
		if (module[i] == OP(6, 15) && i > 5) {
			words[count++] = OP(5, 15);
			memcpy(words + count, module + i + 1, 4 * sizeof(uint32_t));
			count += 4;
			i += 5;
			continue;
		}
		words[count++] = module[i];
	}
	return count;
}

void ask_il(const struct subject *s)
{
	uint32_t words[sizeof(module) / sizeof(module[0])];
	size_t bytes = module_words(words) * sizeof(words[0]), told = 0;
	char version[256] = "", back[sizeof(module)];
	const int forty_four = 44;
	cl_program program, linked;
	cl_int error = 0;

	clGetDeviceInfo(s->device, CL_DEVICE_IL_VERSION, sizeof(version), version, NULL);
	if (!version[0]) {
		program = clCreateProgramWithIL(s->context, words, bytes, &error);
		verdict("IL: on a device without", error, CL_INVALID_OPERATION);
		if (program)
			clReleaseProgram(program);
		passed_over("IL", "the device reports no version");
		return;
	}
	clCreateProgramWithIL(s->context, NULL, bytes, &error);
	verdict("IL: nothing", error, CL_INVALID_VALUE);
	clCreateProgramWithIL(s->context, words, 0, &error);
	verdict("IL: of length 0", error, CL_INVALID_VALUE);
	clCreateProgramWithIL(s->context, "this is not any language", 24, &error);
	verdict("IL: not well-formed", error, CL_INVALID_VALUE);
	program = clCreateProgramWithIL(s->context, words, bytes, &error);
	verdict("IL: taken", error, CL_SUCCESS);
	if (!program)
		return;
	verdict("IL: it can be had again", clGetProgramInfo(program, CL_PROGRAM_IL, sizeof(back), back, &told), CL_SUCCESS);
	verdict_true("IL: the same", told == bytes && !memcmp(back, words, bytes));
	verdict("IL: built", clBuildProgram(program, 0, NULL, NULL, NULL, NULL), CL_SUCCESS);
	verdict("IL: what it computes", run_kernel(s, program, "put"), 11);
	verdict("constant: unknown", clSetProgramSpecializationConstant(program, 6, 4, &forty_four), CL_INVALID_SPEC_ID);
	verdict("constant: of another size", clSetProgramSpecializationConstant(program, 5, 8, &forty_four), CL_INVALID_VALUE);
	verdict("constant: no value", clSetProgramSpecializationConstant(program, 5, 4, NULL), CL_INVALID_VALUE);
	verdict("constant: set", clSetProgramSpecializationConstant(program, 5, 4, &forty_four), CL_SUCCESS);
	verdict("constant: built again", clBuildProgram(program, 0, NULL, NULL, NULL, NULL), CL_SUCCESS);
	verdict("constant: what it computes", run_kernel(s, program, "put"), 44);
	verdict("IL: compiled", compile(program, NULL), CL_SUCCESS);
	linked = clLinkProgram(s->context, 0, NULL, NULL, 1, &program, NULL, NULL, &error);
	verdict("IL: linked", error, CL_SUCCESS);
	clReleaseProgram(program);
	if (linked) {
		verdict("IL: what the linked computes", run_kernel(s, linked, "put"), 44);
		clReleaseProgram(linked);
	}
}
