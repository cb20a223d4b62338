/* SPDX-License-Identifier: MIT */
/*
 * Running kernels, and markers and barriers.
 *
 * The hot path of the whole shim: checks against what is known here, then one record. No allocation, no system call.
 */
#include <string.h>

#include "shim/opencl/buffer.h"
#include "shim/opencl/command.h"
#include "shim/opencl/event.h"

#define BODY_BYTES (sizeof(struct wire_ndrange) - sizeof(struct wire_queued))

/* Fills record's sizes in. CL_SUCCESS, the API's error, or 1: there is nothing to run (OpenCL 3.0 §5.10.1). */
static cl_int sizes_check(const struct _cl_kernel *kernel, cl_uint work_dim, const size_t *offset,
			  const size_t *global, const size_t *local, struct wire_ndrange *record)
{
	const struct _cl_device_id *device = kernel->program->context->device;
	const uint64_t *required = kernel->info->wire.compile_work_group_size;
	uint64_t items = 1;
	bool empty = !global;

	record->dimensions = work_dim;
	for (cl_uint i = 0; i < 3; i++) {
		record->offset[i] = 0;
		record->global[i] = record->local[i] = 1;
	}
	for (cl_uint i = 0; i < work_dim && global; i++) {
		if (offset && offset[i] > SIZE_MAX - global[i])
			return CL_INVALID_GLOBAL_OFFSET;
		record->offset[i] = offset ? offset[i] : 0;
		record->global[i] = global[i];
		empty |= global[i] == 0;
	}
	record->has_local = local || required[0] ? 1 : 0;
	for (cl_uint i = 0; i < work_dim && record->has_local; i++) {
		uint64_t size = local ? local[i] : required[i];

		if (size == 0 || (required[0] && size != required[i]))
			return CL_INVALID_WORK_GROUP_SIZE;
		if (size > device->max_work_item_sizes[i])
			return CL_INVALID_WORK_ITEM_SIZE;
		if (!empty && record->global[i] % size && (required[0] || !device->non_uniform))
			return CL_INVALID_WORK_GROUP_SIZE;
		record->local[i] = size;
		if (__builtin_mul_overflow(items, size, &items))
			return CL_INVALID_WORK_GROUP_SIZE;
	}
	if (items > kernel->info->wire.work_group_size)
		return CL_INVALID_WORK_GROUP_SIZE;
	return empty ? 1 : CL_SUCCESS;
}

static cl_int kernel_enqueue(cl_command_queue queue, cl_kernel kernel, cl_uint work_dim, const size_t *offset,
			     const size_t *global, const size_t *local, cl_uint wait_count, const cl_event *waits,
			     cl_event *event, cl_command_type type)
{
	struct wire_ndrange record;
	struct command command;
	struct session *session;
	cl_int error;

	if (!object_is(queue, OBJECT_QUEUE))
		return CL_INVALID_COMMAND_QUEUE;
	if (!object_is(kernel, OBJECT_KERNEL))
		return CL_INVALID_KERNEL;
	if (kernel->program->context != queue->context)
		return CL_INVALID_CONTEXT;
	if (kernel->missing)
		return CL_INVALID_KERNEL_ARGS;
	if (work_dim < 1 || work_dim > 3)
		return CL_INVALID_WORK_DIMENSION;
	error = sizes_check(kernel, work_dim, offset, global, local, &record);
	if (error < 0)
		return error;
	if (kernel->info->wire.local_mem_bytes + kernel->local_mem_bytes > queue->context->device->local_mem_bytes)
		return CL_OUT_OF_RESOURCES;
	if (wait_count || waits) {
		cl_int wait_error = wait_list_check(queue->context, wait_count, waits);

		if (wait_error)
			return wait_error;
	}
	command = (struct command){ .queue = queue, .wait_count = wait_count, .waits = waits, .opcode = WIRE_MARKER };
	if (error == CL_SUCCESS) {
		record.kernel = kernel->id;
		record.arg_count = kernel->info->wire.arg_count;
		command.opcode = WIRE_NDRANGE;
		command.body = &record.kernel;
		command.body_bytes = BODY_BYTES;
		command.kernel = kernel;
		command.tail = kernel->snapshot;
		command.tail_bytes = kernel->snapshot_bytes;
	}
	session = queue->context->session;
	__atomic_fetch_add(&queue->expected_ns,
			   __atomic_load_n(&session->pace_ns[kernel->id % SESSION_PACES], __ATOMIC_RELAXED), __ATOMIC_RELAXED);
	__atomic_fetch_add(&queue->expected_count, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&queue->last_kernel_id, kernel->id, __ATOMIC_RELAXED);
	return command_enqueue(&command, type, event);
}

cl_int vgpu_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint work_dim,
				   const size_t *global_work_offset, const size_t *global_work_size,
				   const size_t *local_work_size, cl_uint num_events_in_wait_list,
				   const cl_event *event_wait_list, cl_event *event)
{
	return kernel_enqueue(queue, kernel, work_dim, global_work_offset, global_work_size, local_work_size,
			      num_events_in_wait_list, event_wait_list, event, CL_COMMAND_NDRANGE_KERNEL);
}

cl_int vgpu_clEnqueueTask(cl_command_queue queue, cl_kernel kernel, cl_uint num_events_in_wait_list,
			  const cl_event *event_wait_list, cl_event *event)
{
	const size_t one = 1;

	return kernel_enqueue(queue, kernel, 1, NULL, &one, &one, num_events_in_wait_list, event_wait_list, event,
			      CL_COMMAND_TASK);
}

/* ---- markers and barriers: queues run in order, so they are the same ----------------------------------- */

static cl_int marker_enqueue(cl_command_queue queue, cl_command_type type, cl_uint wait_count, const cl_event *waits,
			     cl_event *event)
{
	const struct transfer transfer = { .queue = queue, .wait_count = wait_count, .waits = waits, .type = type };
	cl_int error;

	if (!object_is(queue, OBJECT_QUEUE))
		return CL_INVALID_COMMAND_QUEUE;
	error = wait_list_check(queue->context, wait_count, waits);
	return error ? error : transfer_marker(&transfer, NULL, event);
}

cl_int vgpu_clEnqueueMarkerWithWaitList(cl_command_queue queue, cl_uint num_events_in_wait_list,
					const cl_event *event_wait_list, cl_event *event)
{
	return marker_enqueue(queue, CL_COMMAND_MARKER, num_events_in_wait_list, event_wait_list, event);
}

cl_int vgpu_clEnqueueBarrierWithWaitList(cl_command_queue queue, cl_uint num_events_in_wait_list,
					 const cl_event *event_wait_list, cl_event *event)
{
	return marker_enqueue(queue, CL_COMMAND_BARRIER, num_events_in_wait_list, event_wait_list, event);
}

cl_int vgpu_clEnqueueMarker(cl_command_queue queue, cl_event *event)
{
	return event ? marker_enqueue(queue, CL_COMMAND_MARKER, 0, NULL, event) : CL_INVALID_VALUE;
}

cl_int vgpu_clEnqueueBarrier(cl_command_queue queue)
{
	return marker_enqueue(queue, CL_COMMAND_BARRIER, 0, NULL, NULL);
}

cl_int vgpu_clEnqueueWaitForEvents(cl_command_queue queue, cl_uint num_events, const cl_event *event_list)
{
	cl_int error;

	if (num_events == 0 || !event_list)
		return CL_INVALID_VALUE;
	error = marker_enqueue(queue, CL_COMMAND_BARRIER, num_events, event_list, NULL);
	return error == CL_INVALID_EVENT_WAIT_LIST ? CL_INVALID_EVENT : error;
}
