/* SPDX-License-Identifier: MIT */
/*
 * Reading, writing, filling and copying buffers.
 *
 * Theory of operation. Where the buffer is aperture memory and nothing is under way on the queue, a read or write is one
 * memcpy in the application's thread: no record, no engine. Otherwise a blocking one waits for the queue and then copies.
 * A non-blocking one must keep its place in the queue: a write copies into staging at once and a read leaves staging in a
 * hook, each with a record in between. Buffers of a device's own memory always go that way, in chunks when blocking.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/buffer.h"
#include "shim/opencl/command.h"
#include "shim/opencl/event.h"

#define CHUNK_BYTES 0x400000u

int staging_alloc(struct session *session, size_t bytes, struct memory_range *ret_range)
{
	int r = memory_alloc(session->memory, bytes, ret_range);

	if (r == -ENOMEM && __atomic_load_n(&session->hook_count, __ATOMIC_ACQUIRE)) {
		hooks_run(session);
		r = memory_alloc(session->memory, bytes, ret_range);
	}
	return r;
}

cl_int transfer_check(const struct _cl_command_queue *queue, const struct _cl_mem *mem, size_t offset, size_t bytes,
		      cl_uint wait_count, const cl_event *waits)
{
	if (!object_is(queue, OBJECT_QUEUE))
		return CL_INVALID_COMMAND_QUEUE;
	if (!object_is(mem, OBJECT_MEM))
		return CL_INVALID_MEM_OBJECT;
	if (mem->context != queue->context)
		return CL_INVALID_CONTEXT;
	if (bytes == 0 || offset > mem->bytes || bytes > mem->bytes - offset)
		return CL_INVALID_VALUE;
	return wait_list_check(queue->context, wait_count, waits);
}

cl_int transfer_settle(const struct transfer *transfer)
{
	for (cl_uint i = 0; i < transfer->wait_count; i++)
		event_wait(transfer->waits[i]);
	if (waits_failed(transfer->wait_count, transfer->waits))
		return CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
	return queue_drain(transfer->queue);
}

/* The bytes may be touched right now. */
static bool settled(const struct transfer *transfer)
{
	return queue_idle(transfer->queue) && waits_over(transfer->wait_count, transfer->waits) &&
	       !waits_failed(transfer->wait_count, transfer->waits);
}

cl_int transfer_record(const struct transfer *transfer, enum wire_opcode opcode, struct memory_range *range,
		       bool release, cl_event *ret_event)
{
	struct wire_buffer_transfer record = {
		.buffer = transfer->mem->id,
		.offset = transfer->offset,
		.range = memory_wire_range(range),
	};
	struct command command = {
		.queue = transfer->queue,
		.opcode = opcode,
		.wait_count = transfer->wait_count,
		.waits = transfer->waits,
		.body = &record.buffer,
		.body_bytes = sizeof(record) - offsetof(struct wire_buffer_transfer, buffer),
		.staging = release ? range : NULL,
		.mems = { transfer->mem },
	};

	record.range.bytes = transfer->bytes;
	return command_enqueue(&command, transfer->type, ret_event);
}

cl_int transfer_marker(const struct transfer *transfer, cl_event *ret_event)
{
	struct command command = { .queue = transfer->queue, .opcode = WIRE_MARKER, .wait_count = transfer->wait_count,
				   .waits = transfer->waits };

	return command_enqueue(&command, transfer->type, ret_event);
}

/* Waits for it and says how it went; hands it out, or lets go of it. */
static cl_int piece_end(cl_event event, cl_int error, cl_event *ret_event)
{
	event_wait(event);
	if (!error && event->status < 0)
		error = event->status;
	if (!error && ret_event)
		*ret_event = event;
	else
		event_release(event);
	return error;
}

/* ---- read ----------------------------------------------------------------------------------------- */

static void read_hook_run(struct hook *hook, bool ok)
{
	if (ok)
		memcpy(hook->destination, hook->staging.address, hook->bytes);
	memory_release(hook->event->context->session->memory, &hook->staging);
}

/* One piece by record. *ret_event is always set on success. */
static cl_int read_staged(const struct transfer *transfer, void *destination, cl_event *ret_event)
{
	struct session *session = transfer->queue->context->session;
	struct hook *hook = calloc(1, sizeof(*hook));
	cl_int error;
	int r;

	if (!hook)
		return CL_OUT_OF_HOST_MEMORY;
	r = staging_alloc(session, transfer->bytes, &hook->staging);
	if (r < 0) {
		free(hook);
		return r == -ENOMEM ? CL_MEM_OBJECT_ALLOCATION_FAILURE : CL_DEVICE_NOT_AVAILABLE;
	}
	error = transfer_record(transfer, WIRE_BUFFER_READ, &hook->staging, false, &hook->event);
	if (error) {
		memory_release(session->memory, &hook->staging);
		free(hook);
		return error;
	}
	hook->run = read_hook_run;
	hook->destination = destination;
	hook->bytes = transfer->bytes;
	*ret_event = hook->event;
	object_retain(hook->event);
	hook_add(session, hook);
	return CL_SUCCESS;
}

/* Piece by piece, each waited for: as much staging as there is suffices. */
static cl_int read_chunks(const struct transfer *transfer, uint8_t *destination, cl_event *ret_event)
{
	struct transfer piece = *transfer;
	size_t chunk = CHUNK_BYTES, done = 0;
	cl_int error;

	while (done < transfer->bytes) {
		cl_event event;

		piece.offset = transfer->offset + done;
		piece.bytes = transfer->bytes - done < chunk ? transfer->bytes - done : chunk;
		error = read_staged(&piece, destination + done, &event);
		if (error == CL_MEM_OBJECT_ALLOCATION_FAILURE && chunk > 4096) {
			chunk /= 4;
			continue;
		}
		if (error)
			return error;
		done += piece.bytes;
		piece.wait_count = 0;
		event_wait(event);
		error = event->status >= 0 && done == transfer->bytes ? queue_refusal(transfer->queue) : CL_SUCCESS;
		error = piece_end(event, error, done == transfer->bytes ? ret_event : NULL);
		if (error)
			return error;
	}
	return CL_SUCCESS;
}

/* The whole transfer, to be done when the queue has come to it: here and now it would wait for a user event. */
static cl_int defer(const struct transfer *transfer, bool write, void *host, cl_event *ret_event)
{
	const struct rows rows = {
		.region = { transfer->bytes, 1, 1 },
		.device = { transfer->offset, transfer->bytes, transfer->bytes, transfer->bytes },
		.host = { 0, transfer->bytes, transfer->bytes, transfer->bytes },
	};

	return transfer_defer(transfer, write, host, &rows, ret_event);
}

static bool would_be_held(const struct transfer *transfer)
{
	return command_would_be_held(transfer->queue, transfer->wait_count, transfer->waits);
}

cl_int transfer_read(const struct transfer *transfer, void *destination, cl_event *ret_event)
{
	const uint8_t *source = transfer->mem->ops->address(transfer->mem, transfer->offset);
	cl_event event;
	cl_int error;

	if (session_lost(transfer->queue->context->session))
		return CL_DEVICE_NOT_AVAILABLE;
	if (source && !settled(transfer)) {
		if (!transfer->blocking) {
			error = read_staged(transfer, destination, &event);
			if (error == CL_SUCCESS && ret_event)
				*ret_event = event;
			else if (error == CL_SUCCESS)
				event_release(event);
			if (error != CL_MEM_OBJECT_ALLOCATION_FAILURE)
				return error;
			if (would_be_held(transfer))
				return defer(transfer, false, destination, ret_event);
		}
		error = transfer_settle(transfer);	/* blocking, or no room for staging */
		if (error)
			return error;
	}
	if (source) {
		error = transfer->blocking ? queue_refusal(transfer->queue) : CL_SUCCESS;
		if (error)
			return error;
		memcpy(destination, source, transfer->bytes);
		return command_done_here(transfer->queue, transfer->type, ret_event);
	}
	if (!transfer->blocking) {
		error = read_staged(transfer, destination, &event);
		if (error == CL_SUCCESS && ret_event)
			*ret_event = event;
		else if (error == CL_SUCCESS)
			event_release(event);
		if (error != CL_MEM_OBJECT_ALLOCATION_FAILURE)
			return error;
		if (would_be_held(transfer))
			return defer(transfer, false, destination, ret_event);
	}
	return read_chunks(transfer, destination, ret_event);
}

/* ---- write ---------------------------------------------------------------------------------------- */

/* A read that is held back is to fill it first. */
static bool held_read_fills(struct session *session, const void *source, size_t bytes)
{
	bool found = false;

	if (!__atomic_load_n(&session->hook_count, __ATOMIC_ACQUIRE))
		return false;
	pthread_mutex_lock(&session->hook_lock);
	for (struct hook *hook = session->hooks; hook && !found; hook = hook->next)
		found = (const uint8_t *)hook->destination < (const uint8_t *)source + bytes &&
			(const uint8_t *)source < (const uint8_t *)hook->destination + hook->bytes &&
			!__atomic_load_n(&hook->event->written, __ATOMIC_ACQUIRE);
	pthread_mutex_unlock(&session->hook_lock);
	return found;
}

/* A read under way may still be to fill what is to be written: in queue order it comes first. */
static void await_reads_into(struct session *session, const void *source, size_t bytes)
{
	struct _cl_event *event;

	while (__atomic_load_n(&session->hook_count, __ATOMIC_ACQUIRE)) {
		event = NULL;
		pthread_mutex_lock(&session->hook_lock);
		for (struct hook *hook = session->hooks; hook && !event; hook = hook->next)
			if ((const uint8_t *)hook->destination < (const uint8_t *)source + bytes &&
			    (const uint8_t *)source < (const uint8_t *)hook->destination + hook->bytes)
				event = hook->event;
		if (event)
			object_retain(event);
		pthread_mutex_unlock(&session->hook_lock);
		if (!event)
			return;
		event_wait(event);
		event_release(event);
	}
}

static cl_int write_staged(const struct transfer *transfer, const void *source, cl_event *ret_event)
{
	struct session *session = transfer->queue->context->session;
	struct memory_range staging;
	int r = staging_alloc(session, transfer->bytes, &staging);

	if (r < 0)
		return r == -ENOMEM ? CL_MEM_OBJECT_ALLOCATION_FAILURE : CL_DEVICE_NOT_AVAILABLE;
	await_reads_into(session, source, transfer->bytes);
	memcpy(staging.address, source, transfer->bytes);
	return transfer_record(transfer, WIRE_BUFFER_WRITE, &staging, true, ret_event);
}

/* Piece by piece, one under way while the next is staged. Each has the waits: what fails the first fails them all. */
static cl_int write_chunks(const struct transfer *transfer, const uint8_t *source, cl_event *ret_event)
{
	struct transfer piece = *transfer;
	size_t chunk = CHUNK_BYTES, done = 0;
	cl_event last = NULL;
	cl_int error = CL_SUCCESS;

	while (!error && done < transfer->bytes) {
		cl_event before = last, event;

		piece.offset = transfer->offset + done;
		piece.bytes = transfer->bytes - done < chunk ? transfer->bytes - done : chunk;
		error = write_staged(&piece, source + done, &event);
		if (error == CL_MEM_OBJECT_ALLOCATION_FAILURE && chunk > 4096) {
			chunk /= 4;
			error = CL_SUCCESS;
			continue;
		}
		if (error)
			break;
		done += piece.bytes;
		last = event;
		if (before)
			error = piece_end(before, CL_SUCCESS, NULL);
	}
	return last ? piece_end(last, error, ret_event) : error;
}

cl_int transfer_write(const struct transfer *transfer, const void *source, cl_event *ret_event)
{
	uint8_t *destination = transfer->mem->ops->address(transfer->mem, transfer->offset);
	void *host = (void *)(uintptr_t)source;
	cl_int error;

	if (session_lost(transfer->queue->context->session))
		return CL_DEVICE_NOT_AVAILABLE;
	if (!transfer->blocking && held_read_fills(transfer->queue->context->session, source, transfer->bytes))
		return defer(transfer, true, host, ret_event);
	if (destination && !settled(transfer)) {
		if (!transfer->blocking) {
			error = write_staged(transfer, source, ret_event);
			if (error != CL_MEM_OBJECT_ALLOCATION_FAILURE)
				return error;
			if (would_be_held(transfer))
				return defer(transfer, true, host, ret_event);
		}
		error = transfer_settle(transfer);
		if (error)
			return error;
	}
	if (destination) {
		memcpy(destination, source, transfer->bytes);
		return command_done_here(transfer->queue, transfer->type, ret_event);
	}
	if (!transfer->blocking) {
		error = write_staged(transfer, source, ret_event);
		if (error != CL_MEM_OBJECT_ALLOCATION_FAILURE)
			return error;
		if (would_be_held(transfer))
			return defer(transfer, true, host, ret_event);
	}
	return write_chunks(transfer, source, ret_event);
}

/* ---- the API ------------------------------------------------------------------------------------- */

cl_int vgpu_clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking_read, size_t offset, size_t cb,
				void *ptr, cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
				cl_event *event)
{
	const struct transfer transfer = { queue, buffer, offset, cb, blocking_read, num_events_in_wait_list,
					   event_wait_list, CL_COMMAND_READ_BUFFER };
	cl_int error = transfer_check(queue, buffer, offset, cb, num_events_in_wait_list, event_wait_list);

	if (error)
		return error;
	if (!ptr)
		return CL_INVALID_VALUE;
	if (buffer->flags & (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS))
		return CL_INVALID_OPERATION;
	if (blocking_read && waits_failed(num_events_in_wait_list, event_wait_list))
		return CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
	return transfer_read(&transfer, ptr, event);
}

cl_int vgpu_clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking_write, size_t offset,
				 size_t cb, const void *ptr, cl_uint num_events_in_wait_list,
				 const cl_event *event_wait_list, cl_event *event)
{
	const struct transfer transfer = { queue, buffer, offset, cb, blocking_write, num_events_in_wait_list,
					   event_wait_list, CL_COMMAND_WRITE_BUFFER };
	cl_int error = transfer_check(queue, buffer, offset, cb, num_events_in_wait_list, event_wait_list);

	if (error)
		return error;
	if (!ptr)
		return CL_INVALID_VALUE;
	if (buffer->flags & (CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS))
		return CL_INVALID_OPERATION;
	if (blocking_write && waits_failed(num_events_in_wait_list, event_wait_list))
		return CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
	return transfer_write(&transfer, ptr, event);
}

cl_int vgpu_clEnqueueFillBuffer(cl_command_queue queue, cl_mem buffer, const void *pattern, size_t pattern_size,
				size_t offset, size_t cb, cl_uint num_events_in_wait_list,
				const cl_event *event_wait_list, cl_event *event)
{
	struct wire_buffer_fill record = { .offset = offset, .bytes = cb };
	struct command command = {
		.queue = queue,
		.opcode = WIRE_BUFFER_FILL,
		.wait_count = num_events_in_wait_list,
		.waits = event_wait_list,
		.body = &record.buffer,
		.body_bytes = sizeof(record) - offsetof(struct wire_buffer_fill, buffer),
		.mems = { buffer },
	};
	cl_int error = transfer_check(queue, buffer, offset, cb, num_events_in_wait_list, event_wait_list);

	if (error)
		return error;
	if (!pattern || pattern_size == 0 || pattern_size > 128 || (pattern_size & (pattern_size - 1)) ||
	    offset % pattern_size || cb % pattern_size)
		return CL_INVALID_VALUE;
	record.buffer = buffer->id;
	record.pattern_bytes = (uint32_t)pattern_size;
	memcpy(record.pattern, pattern, pattern_size);
	return command_enqueue(&command, CL_COMMAND_FILL_BUFFER, event);
}

cl_int vgpu_clEnqueueCopyBuffer(cl_command_queue queue, cl_mem src_buffer, cl_mem dst_buffer, size_t src_offset,
				size_t dst_offset, size_t cb, cl_uint num_events_in_wait_list,
				const cl_event *event_wait_list, cl_event *event)
{
	struct wire_buffer_copy record = { .source_offset = src_offset, .destination_offset = dst_offset, .bytes = cb };
	struct command command = {
		.queue = queue,
		.opcode = WIRE_BUFFER_COPY,
		.wait_count = num_events_in_wait_list,
		.waits = event_wait_list,
		.body = &record.source,
		.body_bytes = sizeof(record) - offsetof(struct wire_buffer_copy, source),
		.mems = { src_buffer, dst_buffer },
	};
	cl_int error = transfer_check(queue, src_buffer, src_offset, cb, num_events_in_wait_list, event_wait_list);
	size_t source_at, destination_at;

	if (!error)
		error = transfer_check(queue, dst_buffer, dst_offset, cb, num_events_in_wait_list, event_wait_list);
	if (error)
		return error;
	source_at = src_buffer->origin + src_offset;
	destination_at = dst_buffer->origin + dst_offset;
	if ((src_buffer->parent ? src_buffer->parent : src_buffer) == (dst_buffer->parent ? dst_buffer->parent : dst_buffer) &&
	    source_at < destination_at + cb && destination_at < source_at + cb)
		return CL_MEM_COPY_OVERLAP;
	record.source = src_buffer->id;
	record.destination = dst_buffer->id;
	return command_enqueue(&command, CL_COMMAND_COPY_BUFFER, event);
}

cl_int vgpu_clEnqueueMigrateMemObjects(cl_command_queue queue, cl_uint num_mem_objects, const cl_mem *mem_objects,
				       cl_mem_migration_flags flags, cl_uint num_events_in_wait_list,
				       const cl_event *event_wait_list, cl_event *event)
{
	const struct transfer transfer = { .queue = queue, .wait_count = num_events_in_wait_list,
					   .waits = event_wait_list, .type = CL_COMMAND_MIGRATE_MEM_OBJECTS };
	cl_int error;

	if (!object_is(queue, OBJECT_QUEUE))
		return CL_INVALID_COMMAND_QUEUE;
	if (num_mem_objects == 0 || !mem_objects ||
	    (flags & ~(cl_mem_migration_flags)(CL_MIGRATE_MEM_OBJECT_HOST | CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED)))
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < num_mem_objects; i++) {
		if (!object_is(mem_objects[i], OBJECT_MEM))
			return CL_INVALID_MEM_OBJECT;
		if (mem_objects[i]->context != queue->context)
			return CL_INVALID_CONTEXT;
	}
	error = wait_list_check(queue->context, num_events_in_wait_list, event_wait_list);
	/* One device: everything is where it should be. */
	return error ? error : transfer_marker(&transfer, event);
}
