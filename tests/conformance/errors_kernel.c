/* SPDX-License-Identifier: MIT */
/* OpenCL 3.0 §5.9, §5.10: kernels, their arguments, and running them. */
#include "tests/conformance/conformance.h"

static void CL_CALLBACK native(void *args)
{
	(void)args;
}

static void creation(void)
{
	cl_kernel kernels[8];
	cl_uint count;

	CHECK_HANDLE(clCreateKernel, cl_program, CL_INVALID_PROGRAM, MADE(clCreateKernel(bad, "takes", &err)));
	CHECK_MADE(clCreateKernel, "not built", clCreateKernel(s.unbuilt, "takes", &err), CL_INVALID_PROGRAM_EXECUTABLE);
	CHECK_MADE(clCreateKernel, "a name of nothing", clCreateKernel(s.program, "nothing", &err), CL_INVALID_KERNEL_NAME);
	CHECK_MADE(clCreateKernel, "no name", clCreateKernel(s.program, NULL, &err), CL_INVALID_VALUE);
	CHECK_HANDLE(clCreateKernelsInProgram, cl_program, CL_INVALID_PROGRAM, clCreateKernelsInProgram(bad, 8, kernels, &count));
	CHECK(clCreateKernelsInProgram, "not built", clCreateKernelsInProgram(s.unbuilt, 8, kernels, &count), CL_INVALID_PROGRAM_EXECUTABLE);
	CHECK(clCreateKernelsInProgram, "too little room", clCreateKernelsInProgram(s.program, 1, kernels, &count), CL_INVALID_VALUE);
	CHECK_HANDLE(clCloneKernel, cl_kernel, CL_INVALID_KERNEL, MADE(clCloneKernel(bad, &err)));
	CHECK_HANDLE(clRetainKernel, cl_kernel, CL_INVALID_KERNEL, clRetainKernel(bad));
	CHECK_HANDLE(clReleaseKernel, cl_kernel, CL_INVALID_KERNEL, clReleaseKernel(bad));
}

static void arguments(void)
{
	const cl_mem not_mem = (cl_mem)s.queue;
	const int number = 1;

	CHECK_HANDLE(clSetKernelArg, cl_kernel, CL_INVALID_KERNEL, clSetKernelArg(bad, 0, sizeof(s.buffer), &s.buffer));
	CHECK(clSetKernelArg, "one that is not there", clSetKernelArg(s.unset, 2, sizeof(number), &number), CL_INVALID_ARG_INDEX);
	CHECK(clSetKernelArg, "a value without a pointer", clSetKernelArg(s.unset, 1, sizeof(number), NULL), CL_INVALID_ARG_VALUE);
	CHECK(clSetKernelArg, "local memory with a pointer", clSetKernelArg(s.local, 1, 64, &number), CL_INVALID_ARG_VALUE);
	CHECK(clSetKernelArg, "local memory of 0 bytes", clSetKernelArg(s.local, 1, 0, NULL), CL_INVALID_ARG_SIZE);
	if (wrong_kinds)
		CHECK(clSetKernelArg, "a buffer that is another object", clSetKernelArg(s.unset, 0, sizeof(not_mem), &not_mem), CL_INVALID_MEM_OBJECT);
	CHECK(clSetKernelArg, "a value too long", clSetKernelArg(s.unset, 1, sizeof(number) + 4, &s), CL_INVALID_ARG_SIZE);
	CHECK(clSetKernelArg, "a value too short", clSetKernelArg(s.unset, 1, 1, &number), CL_INVALID_ARG_SIZE);
	CHECK(clSetKernelArg, "a buffer of another size", clSetKernelArg(s.unset, 0, 4, &s.buffer), CL_INVALID_ARG_SIZE);
	CHECK_HANDLE(clGetKernelInfo, cl_kernel, CL_INVALID_KERNEL, clGetKernelInfo(bad, CL_KERNEL_CONTEXT, 0, NULL, NULL));
	CHECK_QUERY(clGetKernelInfo, CL_KERNEL_CONTEXT, clGetKernelInfo(s.kernel, param, size, value, NULL));
	CHECK_HANDLE(clGetKernelArgInfo, cl_kernel, CL_INVALID_KERNEL, clGetKernelArgInfo(bad, 0, CL_KERNEL_ARG_NAME, 0, NULL, NULL));
	CHECK(clGetKernelArgInfo, "one that is not there", clGetKernelArgInfo(s.kernel, 2, CL_KERNEL_ARG_NAME, 0, NULL, NULL), CL_INVALID_ARG_INDEX);
	CHECK_HANDLE(clGetKernelWorkGroupInfo, cl_kernel, CL_INVALID_KERNEL,
		     clGetKernelWorkGroupInfo(bad, s.device, CL_KERNEL_WORK_GROUP_SIZE, 0, NULL, NULL));
	CHECK_QUERY(clGetKernelWorkGroupInfo, CL_KERNEL_WORK_GROUP_SIZE, clGetKernelWorkGroupInfo(s.kernel, s.device, param, size, value, NULL));
	CHECK(clGetKernelWorkGroupInfo, "no device where there is one", clGetKernelWorkGroupInfo(s.kernel, NULL, CL_KERNEL_WORK_GROUP_SIZE, 0, NULL, NULL),
	      CL_SUCCESS);
	if (wrong_kinds)
		CHECK(clGetKernelWorkGroupInfo, "a device that is another object",
		      clGetKernelWorkGroupInfo(s.kernel, (cl_device_id)s.queue, CL_KERNEL_WORK_GROUP_SIZE, 0, NULL, NULL), CL_INVALID_DEVICE);
	CHECK(clGetKernelWorkGroupInfo, "the global size, of no built-in kernel",
	      clGetKernelWorkGroupInfo(s.kernel, s.device, CL_KERNEL_GLOBAL_WORK_SIZE, 0, NULL, NULL), CL_INVALID_VALUE);
	if (!s.has_sub_groups)
		CHECK(clGetKernelSubGroupInfo, "where there are none",
		      clGetKernelSubGroupInfo(s.kernel, s.device, CL_KERNEL_MAX_NUM_SUB_GROUPS, 0, NULL, 0, NULL, NULL), CL_INVALID_OPERATION);
}

void errors_kernel(void)
{
	const size_t none = 0, one = 1, three = 3, four = 4, eight = 8, last = SIZE_MAX, group = 2 * s.max_items, items[3] = {s.max_group, 2, 1};

	creation();
	arguments();
#define RUN(queue, kernel, dimensions, offset, global, local, n, list) \
	clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, n, list, NULL)
	CHECK_HANDLE(clEnqueueNDRangeKernel, cl_command_queue, CL_INVALID_COMMAND_QUEUE, RUN(bad, s.kernel, 1, NULL, &eight, NULL, 0, NULL));
	CHECK_HANDLE(clEnqueueNDRangeKernel, cl_kernel, CL_INVALID_KERNEL, RUN(s.queue, bad, 1, NULL, &eight, NULL, 0, NULL));
	CHECK(clEnqueueNDRangeKernel, "a queue of another context", RUN(s.other_queue, s.kernel, 1, NULL, &eight, NULL, 0, NULL), CL_INVALID_CONTEXT);
	CHECK(clEnqueueNDRangeKernel, "arguments not set", RUN(s.queue, s.unset, 1, NULL, &eight, NULL, 0, NULL), CL_INVALID_KERNEL_ARGS);
	CHECK(clEnqueueNDRangeKernel, "no dimensions", RUN(s.queue, s.kernel, 0, NULL, &eight, NULL, 0, NULL), CL_INVALID_WORK_DIMENSION);
	CHECK(clEnqueueNDRangeKernel, "four dimensions", RUN(s.queue, s.kernel, 4, NULL, &eight, NULL, 0, NULL), CL_INVALID_WORK_DIMENSION);
	CHECK(clEnqueueNDRangeKernel, "a global size of 0", RUN(s.queue, s.kernel, 1, NULL, &none, NULL, 0, NULL), CL_SUCCESS, CL_INVALID_GLOBAL_WORK_SIZE);
	CHECK(clEnqueueNDRangeKernel, "no global size", RUN(s.queue, s.kernel, 1, NULL, NULL, NULL, 0, NULL), CL_SUCCESS, CL_INVALID_GLOBAL_WORK_SIZE);
	CHECK(clEnqueueNDRangeKernel, "an offset that overflows", RUN(s.queue, s.kernel, 1, &last, &eight, NULL, 0, NULL), CL_INVALID_GLOBAL_OFFSET);
	CHECK(clEnqueueNDRangeKernel, "a local size of 0", RUN(s.queue, s.kernel, 1, NULL, &eight, &none, 0, NULL), CL_INVALID_WORK_GROUP_SIZE);
	CHECK(clEnqueueNDRangeKernel, "a local size beyond the device's", RUN(s.queue, s.kernel, 1, NULL, &group, &group, 0, NULL),
	      CL_INVALID_WORK_ITEM_SIZE, CL_INVALID_WORK_GROUP_SIZE);
	CHECK(clEnqueueNDRangeKernel, "a group beyond the device's", RUN(s.queue, s.kernel, 2, NULL, items, items, 0, NULL), CL_INVALID_WORK_GROUP_SIZE);
	CHECK(clEnqueueNDRangeKernel, "another group than the kernel requires", RUN(s.queue, s.required, 1, NULL, &eight, &eight, 0, NULL),
	      CL_INVALID_WORK_GROUP_SIZE);
	CHECK(clEnqueueNDRangeKernel, "a required group that does not divide", RUN(s.queue, s.required, 1, NULL, &three, &four, 0, NULL),
	      CL_INVALID_WORK_GROUP_SIZE);
	CHECK_WAITS(clEnqueueNDRangeKernel, RUN(s.queue, s.kernel, 1, NULL, &one, NULL, count, list));
	CHECK_HANDLE(clEnqueueTask, cl_command_queue, CL_INVALID_COMMAND_QUEUE, clEnqueueTask(bad, s.kernel, 0, NULL, NULL));
	CHECK_HANDLE(clEnqueueTask, cl_kernel, CL_INVALID_KERNEL, clEnqueueTask(s.queue, bad, 0, NULL, NULL));
	CHECK(clEnqueueTask, "arguments not set", clEnqueueTask(s.queue, s.unset, 0, NULL, NULL), CL_INVALID_KERNEL_ARGS);
	CHECK_WAITS(clEnqueueTask, clEnqueueTask(s.queue, s.kernel, count, list, NULL));
	CHECK_HANDLE(clEnqueueNativeKernel, cl_command_queue, CL_INVALID_COMMAND_QUEUE,
		     clEnqueueNativeKernel(bad, native, NULL, 0, 0, NULL, NULL, 0, NULL, NULL));
	if (s.has_native) {
		CHECK(clEnqueueNativeKernel, "no function", clEnqueueNativeKernel(s.queue, NULL, NULL, 0, 0, NULL, NULL, 0, NULL, NULL), CL_INVALID_VALUE);
		CHECK(clEnqueueNativeKernel, "bytes of no arguments", clEnqueueNativeKernel(s.queue, native, NULL, 8, 0, NULL, NULL, 0, NULL, NULL),
		      CL_INVALID_VALUE);
	} else {
		CHECK(clEnqueueNativeKernel, "where there are none", clEnqueueNativeKernel(s.queue, native, NULL, 0, 0, NULL, NULL, 0, NULL, NULL),
		      CL_INVALID_OPERATION);
	}
	need(clFinish(s.queue), "clFinish");
}
