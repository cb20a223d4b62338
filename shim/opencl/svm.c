/* SPDX-License-Identifier: MIT */
/*
 * Shared virtual memory: getting it, giving it back, and telling kernels of it (OpenCL 3.0 §5.6, §5.9.2). Commands: svm_commands.c.
 */
#include "shim/opencl/svm.h"

#define ACCESS_FLAGS (CL_MEM_READ_WRITE | CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY)
#define ALIGNMENT_MAX 128u	/* the largest type of OpenCL C */

static bool flags_fit(cl_svm_mem_flags flags, cl_device_svm_capabilities capabilities)
{
	const cl_svm_mem_flags access = flags & ACCESS_FLAGS;
	const bool fine = flags & CL_MEM_SVM_FINE_GRAIN_BUFFER, atomics = flags & CL_MEM_SVM_ATOMICS;

	return !(flags & ~(cl_svm_mem_flags)(ACCESS_FLAGS | CL_MEM_SVM_FINE_GRAIN_BUFFER | CL_MEM_SVM_ATOMICS)) &&
	       !(access & (access - 1)) && (!fine || capabilities & CL_DEVICE_SVM_FINE_GRAIN_BUFFER) &&
	       (!atomics || (fine && capabilities & CL_DEVICE_SVM_ATOMICS));
}

void *vgpu_clSVMAlloc(cl_context context, cl_svm_mem_flags flags, size_t size, unsigned int alignment)
{
	if (!object_is(context, OBJECT_CONTEXT) || !context->device->svm || !flags_fit(flags, context->device->svm))
		return NULL;
	if (size == 0 || size > context->device->capset->max_alloc_bytes)
		return NULL;
	if (alignment > ALIGNMENT_MAX || (alignment & (alignment - 1)))
		return NULL;
	return svm_alloc(context, size, alignment);
}

void vgpu_clSVMFree(cl_context context, void *svm_pointer)
{
	if (object_is(context, OBJECT_CONTEXT))
		svm_free(context, svm_pointer);
}

cl_int vgpu_clSetKernelArgSVMPointer(cl_kernel kernel, cl_uint arg_index, const void *arg_value)
{
	const struct wire_arg arg = { .kind = WIRE_ARG_SVM, .object = (uint32_t)(uintptr_t)arg_value,
				      .high = (uint32_t)((uintptr_t)arg_value >> 32) };
	struct svm_place place;

	if (!object_is(kernel, OBJECT_KERNEL))
		return CL_INVALID_KERNEL;
	if (!kernel->program->context->device->svm)
		return CL_INVALID_OPERATION;
	if (arg_index >= kernel->info->wire.arg_count)
		return CL_INVALID_ARG_INDEX;
	if (kernel->info->arguments[arg_index].wire.kind != WIRE_ARG_BUFFER)
		return CL_INVALID_ARG_VALUE;
	if (arg_value && !svm_find(kernel->program->context, arg_value, &place))
		return CL_INVALID_ARG_VALUE;
	kernel_argument_set(kernel, arg_index, &arg, NULL);
	return CL_SUCCESS;
}

/* All of a context's memory is mapped in the engine all the time: what a kernel is told here it knows. */
cl_int vgpu_clSetKernelExecInfo(cl_kernel kernel, cl_kernel_exec_info param_name, size_t param_value_size,
				const void *param_value)
{
	void *const *pointers = param_value;
	struct svm_place place;

	if (!object_is(kernel, OBJECT_KERNEL))
		return CL_INVALID_KERNEL;
	if (!kernel->program->context->device->svm)
		return CL_INVALID_OPERATION;
	if (!param_value)
		return CL_INVALID_VALUE;
	switch (param_name) {
	case CL_KERNEL_EXEC_INFO_SVM_PTRS:
		if (param_value_size == 0 || param_value_size % sizeof(void *))
			return CL_INVALID_VALUE;
		for (size_t i = 0; i < param_value_size / sizeof(void *); i++)
			if (!svm_find(kernel->program->context, pointers[i], &place))
				return CL_INVALID_VALUE;
		return CL_SUCCESS;
	case CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM:
		if (param_value_size != sizeof(cl_bool))
			return CL_INVALID_VALUE;
		return *(const cl_bool *)param_value ? CL_INVALID_OPERATION : CL_SUCCESS;	/* not in the capabilities */
	default:
		return CL_INVALID_VALUE;
	}
}
