/* SPDX-License-Identifier: MIT */
/* OpenCL 3.0 §5.6: shared virtual memory; where there is none, what is answered then. */
#include "tests/conformance/conformance.h"

static cl_int allocation(cl_context context, cl_svm_mem_flags flags, size_t bytes, cl_uint align)
{
	return clSVMAlloc(context, flags, bytes, align) ? 1 : 0;
}

static void with_svm(void)
{
	void *memory = clSVMAlloc(s.context, CL_MEM_READ_WRITE, 4096, 0);
	char data[64] = "";

	need(memory ? 0 : -1, "clSVMAlloc");
	CHECK(clSVMAlloc, "no bytes", allocation(s.context, 0, 0, 0), 0);
	CHECK(clSVMAlloc, "more than the device allocates", allocation(s.context, 0, s.max_alloc + 1, 0), 0);
	CHECK(clSVMAlloc, "an alignment of 3", allocation(s.context, 0, 64, 3), 0);
	CHECK(clSVMAlloc, "read-only and write-only", allocation(s.context, CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY, 64, 0), 0);
	CHECK(clSVMAlloc, "atomics without fine grain", allocation(s.context, CL_MEM_SVM_ATOMICS, 64, 0), 0);
	CHECK_HANDLE(clEnqueueSVMMemcpy, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clEnqueueSVMMemcpy(bad, CL_TRUE, memory, data, 64, 0, NULL, NULL));
	CHECK(clEnqueueSVMMemcpy, "no destination", clEnqueueSVMMemcpy(s.queue, CL_TRUE, NULL, data, 64, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueSVMMemcpy, "no source", clEnqueueSVMMemcpy(s.queue, CL_TRUE, memory, NULL, 64, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueSVMMemcpy, "onto itself", clEnqueueSVMMemcpy(s.queue, CL_TRUE, memory, (char *)memory + 8, 64, 0, NULL, NULL), CL_MEM_COPY_OVERLAP);
	CHECK_WAITS(clEnqueueSVMMemcpy, clEnqueueSVMMemcpy(s.queue, CL_TRUE, memory, data, 64, count, list, NULL));
	CHECK_HANDLE(clEnqueueSVMMemFill, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clEnqueueSVMMemFill(bad, memory, data, 4, 64, 0, NULL, NULL));
	CHECK(clEnqueueSVMMemFill, "no memory", clEnqueueSVMMemFill(s.queue, NULL, data, 4, 64, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueSVMMemFill, "no pattern", clEnqueueSVMMemFill(s.queue, memory, NULL, 4, 64, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueSVMMemFill, "a pattern of 3 bytes", clEnqueueSVMMemFill(s.queue, memory, data, 3, 63, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueSVMMemFill, "a size of no whole patterns", clEnqueueSVMMemFill(s.queue, memory, data, 4, 62, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueSVMMemFill, "misaligned to the pattern", clEnqueueSVMMemFill(s.queue, (char *)memory + 1, data, 4, 64, 0, NULL, NULL),
	      CL_INVALID_VALUE);
	CHECK_WAITS(clEnqueueSVMMemFill, clEnqueueSVMMemFill(s.queue, memory, data, 4, 64, count, list, NULL));
	CHECK_HANDLE(clEnqueueSVMMap, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clEnqueueSVMMap(bad, CL_TRUE, CL_MAP_READ, memory, 64, 0, NULL, NULL));
	CHECK(clEnqueueSVMMap, "no memory", clEnqueueSVMMap(s.queue, CL_TRUE, CL_MAP_READ, NULL, 64, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueSVMMap, "no bytes", clEnqueueSVMMap(s.queue, CL_TRUE, CL_MAP_READ, memory, 0, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueSVMMap, "an unknown flag", clEnqueueSVMMap(s.queue, CL_TRUE, 1 << 20, memory, 64, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_WAITS(clEnqueueSVMMap, clEnqueueSVMMap(s.queue, CL_TRUE, CL_MAP_READ, memory, 64, count, list, NULL));
	CHECK_HANDLE(clEnqueueSVMUnmap, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clEnqueueSVMUnmap(bad, memory, 0, NULL, NULL));
	CHECK(clEnqueueSVMUnmap, "no memory", clEnqueueSVMUnmap(s.queue, NULL, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_WAITS(clEnqueueSVMUnmap, clEnqueueSVMUnmap(s.queue, memory, count, list, NULL));
	CHECK(clEnqueueSVMFree, "counted but no list", clEnqueueSVMFree(s.queue, 1, NULL, NULL, NULL, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueSVMFree, "a list but none counted", clEnqueueSVMFree(s.queue, 0, &memory, NULL, NULL, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueSVMMigrateMem, "none", clEnqueueSVMMigrateMem(s.queue, 0, (const void **)&memory, NULL, 0, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueSVMMigrateMem, "no list", clEnqueueSVMMigrateMem(s.queue, 1, NULL, NULL, 0, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueSVMMigrateMem, "an unknown flag", clEnqueueSVMMigrateMem(s.queue, 1, (const void **)&memory, NULL, 1 << 20, 0, NULL, NULL),
	      CL_INVALID_VALUE);
	CHECK_HANDLE(clSetKernelArgSVMPointer, cl_kernel, CL_INVALID_KERNEL, clSetKernelArgSVMPointer(bad, 0, memory));
	CHECK(clSetKernelArgSVMPointer, "an argument that is not there", clSetKernelArgSVMPointer(s.unset, 2, memory), CL_INVALID_ARG_INDEX);
	CHECK_HANDLE(clSetKernelExecInfo, cl_kernel, CL_INVALID_KERNEL,
		     clSetKernelExecInfo(bad, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(memory), &memory));
	CHECK(clSetKernelExecInfo, "an unknown parameter", clSetKernelExecInfo(s.unset, 0x7777, sizeof(memory), &memory), CL_INVALID_VALUE);
	CHECK(clSetKernelExecInfo, "no value", clSetKernelExecInfo(s.unset, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(memory), NULL), CL_INVALID_VALUE);
	need(clFinish(s.queue), "clFinish");
	clSVMFree(s.context, memory);
}

static void without_svm(void)
{
	char data[64] = "", more[64];
	void *memory = data;

	CHECK(clSVMAlloc, "where there is none", allocation(s.context, 0, 64, 0), 0);
	CHECK(clEnqueueSVMMemcpy, "where there is none", clEnqueueSVMMemcpy(s.queue, CL_TRUE, more, data, 64, 0, NULL, NULL), CL_INVALID_OPERATION);
	CHECK(clEnqueueSVMMemFill, "where there is none", clEnqueueSVMMemFill(s.queue, more, data, 4, 64, 0, NULL, NULL), CL_INVALID_OPERATION);
	CHECK(clEnqueueSVMMap, "where there is none", clEnqueueSVMMap(s.queue, CL_TRUE, CL_MAP_READ, data, 64, 0, NULL, NULL), CL_INVALID_OPERATION);
	CHECK(clEnqueueSVMUnmap, "where there is none", clEnqueueSVMUnmap(s.queue, data, 0, NULL, NULL), CL_INVALID_OPERATION);
	CHECK(clEnqueueSVMFree, "where there is none", clEnqueueSVMFree(s.queue, 1, &memory, NULL, NULL, 0, NULL, NULL), CL_INVALID_OPERATION);
	CHECK(clEnqueueSVMMigrateMem, "where there is none",
	      clEnqueueSVMMigrateMem(s.queue, 1, (const void **)&memory, NULL, 0, 0, NULL, NULL), CL_INVALID_OPERATION);
	CHECK(clSetKernelArgSVMPointer, "where there is none", clSetKernelArgSVMPointer(s.unset, 0, data), CL_INVALID_OPERATION);
	CHECK(clSetKernelExecInfo, "where there is none", clSetKernelExecInfo(s.unset, CL_KERNEL_EXEC_INFO_SVM_PTRS, sizeof(memory), &memory),
	      CL_INVALID_OPERATION);
}

void errors_svm(void)
{
	if (s.has_svm)
		with_svm();
	else
		without_svm();
}
