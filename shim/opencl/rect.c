/* SPDX-License-Identifier: MIT */
/*
 * Rectangular transfers, row by row.
 *
 * The protocol's transfers are linear. A unified buffer is copied to or from right here, once the queue has come to
 * it; another is read as the span that holds the rectangle and written row by row; a copy is a record per row.
 * A non-blocking one may be over when it returns, but where that would wait for a user event it is deferred.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/buffer.h"
#include "shim/opencl/command.h"
#include "shim/opencl/event.h"

/* OpenCL 3.0 §5.2.2: pitches of 0 are computed; others must hold the rows and slices. */
static cl_int side_make(const size_t *origin, const size_t *region, size_t row_pitch, size_t slice_pitch,
			struct side *ret_side)
{
	size_t slice_offset, row_offset, last_slice, last_row;

	if (!origin || !region || region[0] == 0 || region[1] == 0 || region[2] == 0)
		return CL_INVALID_VALUE;
	if (row_pitch == 0)
		row_pitch = region[0];
	if (row_pitch < region[0])
		return CL_INVALID_VALUE;
	if (slice_pitch == 0 && __builtin_mul_overflow(region[1], row_pitch, &slice_pitch))
		return CL_INVALID_VALUE;
	if (slice_pitch < region[1] * row_pitch || slice_pitch % row_pitch)
		return CL_INVALID_VALUE;
	if (__builtin_mul_overflow(origin[2], slice_pitch, &slice_offset) ||
	    __builtin_mul_overflow(origin[1], row_pitch, &row_offset) ||
	    __builtin_add_overflow(slice_offset, row_offset, &ret_side->offset) ||
	    __builtin_add_overflow(ret_side->offset, origin[0], &ret_side->offset) ||
	    __builtin_mul_overflow(region[2] - 1, slice_pitch, &last_slice) ||
	    __builtin_mul_overflow(region[1] - 1, row_pitch, &last_row) ||
	    __builtin_add_overflow(last_slice, last_row, &ret_side->span) ||
	    __builtin_add_overflow(ret_side->span, region[0], &ret_side->span))
		return CL_INVALID_VALUE;
	ret_side->row_pitch = row_pitch;
	ret_side->slice_pitch = slice_pitch;
	return CL_SUCCESS;
}

static cl_int rect_check(cl_command_queue queue, cl_mem buffer, const size_t *buffer_origin, const size_t *host_origin,
			 const size_t *region, const size_t pitches[4], const void *pointer, cl_uint wait_count,
			 const cl_event *waits, struct side *ret_device, struct side *ret_host)
{
	cl_int error;

	if (!object_is(queue, OBJECT_QUEUE))
		return CL_INVALID_COMMAND_QUEUE;
	if (!mem_is_buffer(buffer))
		return CL_INVALID_MEM_OBJECT;
	if (!pointer)
		return CL_INVALID_VALUE;
	error = side_make(buffer_origin, region, pitches[0], pitches[1], ret_device);
	if (!error)
		error = side_make(host_origin, region, pitches[2], pitches[3], ret_host);
	return error ? error : transfer_check(queue, buffer, ret_device->offset, ret_device->span, wait_count, waits);
}

/* True if it has been deferred, or that failed: doing it here might wait for a user event. */
static bool rect_deferred(const struct transfer *transfer, cl_bool blocking, bool write, void *pointer, const size_t *region,
			  const struct side *device, const struct side *host, cl_event *event, cl_int *ret_error)
{
	const struct rows rows = { { region[0], region[1], region[2] }, *device, *host };

	if (blocking || !command_would_be_held(transfer->queue, transfer->wait_count, transfer->waits))
		return false;
	*ret_error = transfer_defer(transfer, write, pointer, &rows, event);
	return true;
}

cl_int vgpu_clEnqueueReadBufferRect(cl_command_queue queue, cl_mem buffer, cl_bool blocking_read,
				    const size_t *buffer_origin, const size_t *host_origin, const size_t *region,
				    size_t buffer_row_pitch, size_t buffer_slice_pitch, size_t host_row_pitch,
				    size_t host_slice_pitch, void *ptr, cl_uint num_events_in_wait_list,
				    const cl_event *event_wait_list, cl_event *event)
{
	const size_t pitches[4] = { buffer_row_pitch, buffer_slice_pitch, host_row_pitch, host_slice_pitch };
	struct transfer transfer = { .queue = queue, .mem = buffer, .blocking = CL_TRUE,
				     .wait_count = num_events_in_wait_list, .waits = event_wait_list,
				     .type = CL_COMMAND_READ_BUFFER_RECT };
	struct side device, host;
	const uint8_t *source;
	uint8_t *copy = NULL;
	cl_int error = rect_check(queue, buffer, buffer_origin, host_origin, region, pitches, ptr,
				  num_events_in_wait_list, event_wait_list, &device, &host);

	if (error)
		return error;
	if (buffer->flags & (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS))
		return CL_INVALID_OPERATION;
	transfer.offset = device.offset;
	transfer.bytes = device.span;
	if (rect_deferred(&transfer, blocking_read, false, ptr, region, &device, &host, event, &error))
		return error;
	source = buffer->ops->address(buffer, device.offset);
	if (source) {
		error = transfer_settle(&transfer);
		if (!error)
			error = command_done_here(queue, transfer.type, event);
	} else {
		source = copy = malloc(device.span);
		error = copy ? transfer_read(&transfer, copy, event) : CL_OUT_OF_HOST_MEMORY;
	}
	if (!error)
		rows_copy((uint8_t *)ptr + host.offset, &host, source, &device, region);
	free(copy);
	return error;
}

cl_int vgpu_clEnqueueWriteBufferRect(cl_command_queue queue, cl_mem buffer, cl_bool blocking_write,
				     const size_t *buffer_origin, const size_t *host_origin, const size_t *region,
				     size_t buffer_row_pitch, size_t buffer_slice_pitch, size_t host_row_pitch,
				     size_t host_slice_pitch, const void *ptr, cl_uint num_events_in_wait_list,
				     const cl_event *event_wait_list, cl_event *event)
{
	const size_t pitches[4] = { buffer_row_pitch, buffer_slice_pitch, host_row_pitch, host_slice_pitch };
	struct transfer transfer = { .queue = queue, .mem = buffer, .blocking = CL_TRUE,
				     .wait_count = num_events_in_wait_list, .waits = event_wait_list,
				     .type = CL_COMMAND_WRITE_BUFFER_RECT };
	struct side device, host;
	uint8_t *destination;
	cl_int error = rect_check(queue, buffer, buffer_origin, host_origin, region, pitches, ptr,
				  num_events_in_wait_list, event_wait_list, &device, &host);

	if (error)
		return error;
	if (buffer->flags & (CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS))
		return CL_INVALID_OPERATION;
	if (rect_deferred(&transfer, blocking_write, true, (void *)(uintptr_t)ptr, region, &device, &host, event, &error))
		return error;
	error = transfer_settle(&transfer);
	if (error)
		return error;
	destination = buffer->ops->address(buffer, device.offset);
	if (destination) {
		rows_copy(destination, &device, (const uint8_t *)ptr + host.offset, &host, region);
		return command_done_here(queue, transfer.type, event);
	}
	transfer.wait_count = 0;
	transfer.bytes = region[0];
	for (size_t slice = 0; slice < region[2]; slice++)
		for (size_t row = 0; row < region[1] && !error; row++) {
			transfer.offset = device.offset + row_at(&device, slice, row);
			error = transfer_write(&transfer, (const uint8_t *)ptr + host.offset + row_at(&host, slice, row),
					       NULL);
		}
	return error ? error : command_done_here(queue, transfer.type, event);
}

/* True if two rectangles of one buffer share a byte (OpenCL 3.0, appendix on CL_MEM_COPY_OVERLAP; with equal pitches). */
static bool rects_overlap(const size_t *from, const size_t *to, const size_t *region)
{
	for (int i = 0; i < 3; i++)
		if (from[i] + region[i] <= to[i] || to[i] + region[i] <= from[i])
			return false;
	return true;
}

cl_int vgpu_clEnqueueCopyBufferRect(cl_command_queue queue, cl_mem src_buffer, cl_mem dst_buffer,
				    const size_t *src_origin, const size_t *dst_origin, const size_t *region,
				    size_t src_row_pitch, size_t src_slice_pitch, size_t dst_row_pitch,
				    size_t dst_slice_pitch, cl_uint num_events_in_wait_list,
				    const cl_event *event_wait_list, cl_event *event)
{
	struct side from, to;
	cl_int error;

	if (!object_is(queue, OBJECT_QUEUE))
		return CL_INVALID_COMMAND_QUEUE;
	if (!mem_is_buffer(src_buffer) || !mem_is_buffer(dst_buffer))
		return CL_INVALID_MEM_OBJECT;
	error = side_make(src_origin, region, src_row_pitch, src_slice_pitch, &from);
	if (!error)
		error = side_make(dst_origin, region, dst_row_pitch, dst_slice_pitch, &to);
	if (!error)
		error = transfer_check(queue, src_buffer, from.offset, from.span, num_events_in_wait_list, event_wait_list);
	if (!error)
		error = transfer_check(queue, dst_buffer, to.offset, to.span, num_events_in_wait_list, event_wait_list);
	if (!error && src_buffer == dst_buffer) {
		if (from.row_pitch != to.row_pitch || from.slice_pitch != to.slice_pitch)
			error = CL_INVALID_VALUE;
		else if (rects_overlap(src_origin, dst_origin, region))
			error = CL_MEM_COPY_OVERLAP;
	}
	for (size_t i = 0; !error && i < region[1] * region[2]; i++) {
		bool last = i == region[1] * region[2] - 1;
		struct wire_buffer_copy record = {
			.source = src_buffer->id,
			.destination = dst_buffer->id,
			.source_offset = from.offset + row_at(&from, i / region[1], i % region[1]),
			.destination_offset = to.offset + row_at(&to, i / region[1], i % region[1]),
			.bytes = region[0],
		};
		struct command command = {
			.queue = queue,
			.opcode = WIRE_BUFFER_COPY,
			.wait_count = num_events_in_wait_list,	/* each row: none is to be copied if one has failed */
			.waits = event_wait_list,
			.body = &record.source,
			.body_bytes = sizeof(record) - offsetof(struct wire_buffer_copy, source),
			.mems = { src_buffer, dst_buffer },
		};

		error = command_enqueue(&command, CL_COMMAND_COPY_BUFFER_RECT, last ? event : NULL);
	}
	return error;
}
