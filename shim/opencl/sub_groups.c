/* SPDX-License-Identifier: MIT */
/*
 * clGetKernelSubGroupInfo: what depends on a local size, so the engine is asked each time.
 */
#include <errno.h>
#include <string.h>

#include "shim/opencl/buffer.h"
#include "shim/opencl/device_programs.h"

/* By parameter: inputs in size_t values, from..to; how many come back (0: as room is given, at most 3). */
static const struct {
	cl_kernel_sub_group_info param;
	uint32_t input_least, input_most, answer_count;
} questions[] = {
	{ CL_KERNEL_MAX_SUB_GROUP_SIZE_FOR_NDRANGE, 1, 3, 1 },
	{ CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE, 1, 3, 1 },
	{ CL_KERNEL_LOCAL_SIZE_FOR_SUB_GROUP_COUNT, 1, 1, 0 },
	{ CL_KERNEL_MAX_NUM_SUB_GROUPS, 0, 0, 1 },
	{ CL_KERNEL_COMPILE_NUM_SUB_GROUPS, 0, 0, 1 },
};

/* One round trip. bytes: of the answer, 8 to 24. */
static cl_int ask(struct session *session, const struct _cl_kernel *kernel, cl_kernel_sub_group_info param, const size_t *input,
		  uint32_t input_count, size_t *ret_answer, size_t bytes)
{
	struct ring_completion completion = { .slot = WIRE_NO_SLOT };
	struct wire_kernel_sub_groups *record;
	struct memory_range reply;
	cl_int error = CL_DEVICE_NOT_AVAILABLE;
	int r = staging_alloc(session, bytes, &reply);

	if (r < 0)
		return r == -ENOMEM ? CL_OUT_OF_RESOURCES : CL_DEVICE_NOT_AVAILABLE;
	record = ring_begin(session->ring, WIRE_KERNEL_SUB_GROUPS, sizeof(*record), &completion);
	if (record) {
		record->kernel = kernel->id;
		record->param = param;
		record->input_count = input_count;
		memset(record->input, 0, sizeof(record->input));
		for (uint32_t i = 0; i < input_count; i++)
			record->input[i] = input[i];
		record->reply = memory_wire_range(&reply);
		record->reply.bytes = bytes;
		ring_commit(session->ring);
		if (ring_wait_completion(session->ring, &completion, 0) == 0)
			error = completion.status;
		if (!error)
			memcpy(ret_answer, reply.address, bytes);
		if (!error && completion.value != bytes)
			error = CL_OUT_OF_RESOURCES;
	}
	memory_release(session->memory, &reply);
	return error;
}

cl_int vgpu_clGetKernelSubGroupInfo(cl_kernel kernel, cl_device_id device, cl_kernel_sub_group_info param_name,
				    size_t input_value_size, const void *input_value, size_t param_value_size, void *param_value,
				    size_t *param_value_size_ret)
{
	size_t input[3] = { 0 }, answer[3] = { 0 }, bytes, i = 0;
	const size_t count = sizeof(questions) / sizeof(questions[0]);
	const struct _cl_context *context;
	cl_int error;

	if (!object_is(kernel, OBJECT_KERNEL))
		return CL_INVALID_KERNEL;
	context = kernel->program->context;
	if (device ? !context_has(context, device) : context->device_count > 1)
		return CL_INVALID_DEVICE;
	if (!device_has_sub_groups(context->device) || !session_has(context->session, WIRE_CAPS_PROGRAMS))
		return CL_INVALID_OPERATION;
	while (i < count && questions[i].param != param_name)
		i++;
	if (i == count)
		return CL_INVALID_VALUE;
	if (questions[i].input_most) {
		if (!input_value || input_value_size % sizeof(size_t) || input_value_size < questions[i].input_least * sizeof(size_t) ||
		    input_value_size > questions[i].input_most * sizeof(size_t))
			return CL_INVALID_VALUE;
		memcpy(input, input_value, input_value_size);
	}
	/* A local size is told for as many dimensions as are asked for. */
	bytes = questions[i].answer_count ? sizeof(size_t) : param_value ? param_value_size : sizeof(answer);
	if (bytes == 0 || bytes % sizeof(size_t) || bytes > sizeof(answer))
		return CL_INVALID_VALUE;
	if (param_value) {
		if (param_value_size < bytes)
			return CL_INVALID_VALUE;
		error = ask(context->session, kernel, param_name, input,
			    questions[i].input_most ? (uint32_t)(input_value_size / sizeof(size_t)) : 0, answer, bytes);
		if (error)
			return error;
	}
	return info_answer(answer, bytes, param_value_size, param_value, param_value_size_ret);
}

/* cl_khr_subgroups' own, of a device of OpenCL 2.0. */
cl_int vgpu_clGetKernelSubGroupInfoKHR(cl_kernel in_kernel, cl_device_id in_device, cl_kernel_sub_group_info param_name,
				       size_t input_value_size, const void *input_value, size_t param_value_size, void *param_value,
				       size_t *param_value_size_ret)
{
	return vgpu_clGetKernelSubGroupInfo(in_kernel, in_device, param_name, input_value_size, input_value, param_value_size,
					    param_value, param_value_size_ret);
}
