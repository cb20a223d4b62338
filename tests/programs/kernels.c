/* SPDX-License-Identifier: MIT */
/* What is told of kernels: arguments, work-groups, sub-groups (OpenCL 3.0 §5.9.3). */
#include <stdio.h>
#include <string.h>

#include "tests/programs/verdicts.h"

#define SOURCE \
	"typedef struct { int a; float b; } pair;\n" \
	"kernel __attribute__((reqd_work_group_size(4, 2, 1)))\n" \
	"void many(global const float4 *restrict in, constant int *table, local uchar *scratch, pair p, const double d,\n" \
	"          global volatile int *out) { out[0] = (int)in[0].x + table[0] + scratch[0] + p.a + (int)d; }\n" \
	"kernel void plain(global int *out) { out[get_global_id(0)] = 1; }\n"

static const struct {
	const char *name, *type;
	cl_kernel_arg_address_qualifier address;
	cl_kernel_arg_type_qualifier qualifier;
} arguments[] = {
	{ "in", "float4*", CL_KERNEL_ARG_ADDRESS_GLOBAL, CL_KERNEL_ARG_TYPE_CONST | CL_KERNEL_ARG_TYPE_RESTRICT },
	{ "table", "int*", CL_KERNEL_ARG_ADDRESS_CONSTANT, CL_KERNEL_ARG_TYPE_CONST },
	{ "scratch", "uchar*", CL_KERNEL_ARG_ADDRESS_LOCAL, 0 },
	{ "p", "pair", CL_KERNEL_ARG_ADDRESS_PRIVATE, 0 },
	{ "d", "double", CL_KERNEL_ARG_ADDRESS_PRIVATE, 0 },
	{ "out", "int*", CL_KERNEL_ARG_ADDRESS_GLOBAL, CL_KERNEL_ARG_TYPE_VOLATILE },
};

static void ask_arguments(cl_kernel kernel)
{
	char what[64], text[64];

	for (cl_uint i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++) {
		cl_kernel_arg_address_qualifier address = 0;
		cl_kernel_arg_access_qualifier access = 0;
		cl_kernel_arg_type_qualifier qualifier = 77;

		text[0] = 0;
		clGetKernelArgInfo(kernel, i, CL_KERNEL_ARG_NAME, sizeof(text), text, NULL);
		snprintf(what, sizeof(what), "argument %u: name", i);
		verdict_text(what, text, arguments[i].name);
		clGetKernelArgInfo(kernel, i, CL_KERNEL_ARG_TYPE_NAME, sizeof(text), text, NULL);
		snprintf(what, sizeof(what), "argument %u: type", i);
		verdict_text(what, text, arguments[i].type);
		clGetKernelArgInfo(kernel, i, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof(address), &address, NULL);
		snprintf(what, sizeof(what), "argument %u: address", i);
		verdict(what, address, arguments[i].address);
		clGetKernelArgInfo(kernel, i, CL_KERNEL_ARG_ACCESS_QUALIFIER, sizeof(access), &access, NULL);
		snprintf(what, sizeof(what), "argument %u: access", i);
		verdict(what, access, CL_KERNEL_ARG_ACCESS_NONE);
		clGetKernelArgInfo(kernel, i, CL_KERNEL_ARG_TYPE_QUALIFIER, sizeof(qualifier), &qualifier, NULL);
		snprintf(what, sizeof(what), "argument %u: qualifier", i);
		verdict(what, (long)qualifier, (long)arguments[i].qualifier);
	}
	verdict("argument: beyond the last", clGetKernelArgInfo(kernel, 6, CL_KERNEL_ARG_NAME, sizeof(text), text, NULL), CL_INVALID_ARG_INDEX);
	verdict("argument: of nothing", clGetKernelArgInfo(kernel, 0, 0x7777, sizeof(text), text, NULL), CL_INVALID_VALUE);
	verdict("argument: no room", clGetKernelArgInfo(kernel, 0, CL_KERNEL_ARG_NAME, 1, text, NULL), CL_INVALID_VALUE);
}

static void ask_work_groups(const struct subject *s, cl_kernel kernel)
{
	size_t size = 0, compiled[3] = { 0 }, multiple = 0, global[3];
	cl_ulong local = 77, private_bytes = 0;

	verdict("work-group: its size", clGetKernelWorkGroupInfo(kernel, s->device, CL_KERNEL_WORK_GROUP_SIZE, sizeof(size), &size, NULL), CL_SUCCESS);
	verdict_true("work-group: its size is one that runs", size >= 8);
	verdict("work-group: of the context's only device", clGetKernelWorkGroupInfo(kernel, NULL, CL_KERNEL_WORK_GROUP_SIZE, sizeof(size), &size, NULL),
		CL_SUCCESS);
	clGetKernelWorkGroupInfo(kernel, s->device, CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof(compiled), compiled, NULL);
	verdict("work-group: the required size", (long)(compiled[0] * 100 + compiled[1] * 10 + compiled[2]), 421);
	verdict("work-group: local memory", clGetKernelWorkGroupInfo(kernel, s->device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof(local), &local, NULL), CL_SUCCESS);
	clSetKernelArg(kernel, 2, 256, NULL);
	clGetKernelWorkGroupInfo(kernel, s->device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof(local), &local, NULL);
	verdict_true("work-group: local memory with the argument's", local >= 256);
	verdict("work-group: private memory",
		clGetKernelWorkGroupInfo(kernel, s->device, CL_KERNEL_PRIVATE_MEM_SIZE, sizeof(private_bytes), &private_bytes, NULL), CL_SUCCESS);
	verdict("work-group: the preferred multiple",
		clGetKernelWorkGroupInfo(kernel, s->device, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, sizeof(multiple), &multiple, NULL), CL_SUCCESS);
	verdict_true("work-group: the preferred multiple is one", multiple >= 1);
	verdict("work-group: a global size is not told of such a kernel",
		clGetKernelWorkGroupInfo(kernel, s->device, CL_KERNEL_GLOBAL_WORK_SIZE, sizeof(global), global, NULL), CL_INVALID_VALUE);
	verdict("work-group: of nothing", clGetKernelWorkGroupInfo(kernel, s->device, 0x7777, sizeof(size), &size, NULL), CL_INVALID_VALUE);
	verdict("work-group: no room", clGetKernelWorkGroupInfo(kernel, s->device, CL_KERNEL_WORK_GROUP_SIZE, 1, &size, NULL), CL_INVALID_VALUE);
}

static void ask_sub_groups(const struct subject *s, cl_kernel kernel)
{
	const size_t local[3] = { 8, 4, 1 }, one = 1;
	size_t size = 0, count = 0, most = 0, shape[3] = { 0 };
	cl_uint available = 0;

	clGetDeviceInfo(s->device, CL_DEVICE_MAX_NUM_SUB_GROUPS, sizeof(available), &available, NULL);
	if (!available) {
		verdict("sub-groups: on a device without",
			clGetKernelSubGroupInfo(kernel, s->device, CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE, sizeof(local), local, sizeof(count), &count, NULL),
			CL_INVALID_OPERATION);
		return;
	}
	verdict("sub-groups: the size for an NDRange", clGetKernelSubGroupInfo(kernel, s->device, CL_KERNEL_MAX_SUB_GROUP_SIZE_FOR_NDRANGE,
		sizeof(local), local, sizeof(size), &size, NULL), CL_SUCCESS);
	verdict("sub-groups: how many for an NDRange", clGetKernelSubGroupInfo(kernel, s->device, CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE,
		sizeof(local), local, sizeof(count), &count, NULL), CL_SUCCESS);
	verdict_true("sub-groups: together they hold the work-group", size * count >= 32);
	verdict("sub-groups: the shape for one", clGetKernelSubGroupInfo(kernel, s->device, CL_KERNEL_LOCAL_SIZE_FOR_SUB_GROUP_COUNT,
		sizeof(one), &one, sizeof(shape), shape, NULL), CL_SUCCESS);
	verdict_true("sub-groups: that shape", shape[0] >= 1);
	verdict("sub-groups: the most", clGetKernelSubGroupInfo(kernel, s->device, CL_KERNEL_MAX_NUM_SUB_GROUPS, 0, NULL, sizeof(most), &most, NULL),
		CL_SUCCESS);
	verdict_true("sub-groups: the most is one or more", most >= 1);
	verdict("sub-groups: no input", clGetKernelSubGroupInfo(kernel, s->device, CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE, 0, NULL, sizeof(count), &count,
		NULL), CL_INVALID_VALUE);
	verdict("sub-groups: no room", clGetKernelSubGroupInfo(kernel, s->device, CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE, sizeof(local), local, 1, &count,
		NULL), CL_INVALID_VALUE);
	verdict("sub-groups: of nothing", clGetKernelSubGroupInfo(kernel, s->device, 0x7777, sizeof(local), local, sizeof(count), &count, NULL),
		CL_INVALID_VALUE);
}

void ask_kernels(const struct subject *s)
{
	cl_program program = source_program(s, SOURCE);
	cl_kernel many, plain, kernels[2];
	cl_uint count = 0;
	cl_int error;

	verdict("kernels: built", clBuildProgram(program, 0, NULL, "-cl-kernel-arg-info", NULL, NULL), CL_SUCCESS);
	verdict("kernels: too little room", clCreateKernelsInProgram(program, 1, kernels, &count), CL_INVALID_VALUE);
	verdict("kernels: all of them", clCreateKernelsInProgram(program, 2, kernels, &count), CL_SUCCESS);
	verdict("kernels: how many", count, 2);
	clReleaseKernel(kernels[0]);
	clReleaseKernel(kernels[1]);
	many = clCreateKernel(program, "many", &error);
	verdict("kernels: one of many arguments", error, CL_SUCCESS);
	ask_arguments(many);
	ask_work_groups(s, many);
	clReleaseKernel(many);
	plain = clCreateKernel(program, "plain", &error);
	ask_sub_groups(s, plain);
	clReleaseKernel(plain);
	clReleaseProgram(program);
}
