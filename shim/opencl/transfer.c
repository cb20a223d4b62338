/* SPDX-License-Identifier: MIT */
/*
 * Reading, writing, filling and copying buffers.
 *
 * Theory of operation. Where the buffer is aperture memory and nothing is under way on the queue, a read or write is one
 * copy in the application's thread: no record, no engine. Otherwise a blocking one waits for the queue and then copies.
 * A non-blocking one must keep its place in the queue: a write copies into staging at once and a read leaves staging in a
 * hook, each with a record in between. Buffers of a device's own memory always go that way, in chunks when blocking.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/copy.h"
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
	if (!mem_is_buffer(mem))
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

bool transfer_settled(const struct transfer *transfer)
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

cl_int transfer_marker(const struct transfer *transfer, struct memory_range *staging, cl_event *ret_event)
{
	struct command command = { .queue = transfer->queue, .opcode = WIRE_MARKER, .wait_count = transfer->wait_count,
				   .waits = transfer->waits, .staging = staging };

	return command_enqueue(&command, transfer->type, ret_event);
}

/* ---- one piece by record ----------------------------------------------------------------------------- */

static void read_hook_run(struct hook *hook, bool ok)
{
	if (ok)
		copy_bytes(hook->destination, hook->staging.address, hook->bytes);
	memory_release(hook->event->context->session->memory, &hook->staging);
}

/* Takes the hook, whose event is made. */
static void hook_arm(const struct transfer *transfer, struct hook *hook, uint8_t *host, cl_event *ret_event)
{
	hook->run = read_hook_run;
	hook->destination = host;
	hook->bytes = transfer->bytes;
	if (transfer->type == CL_COMMAND_MAP_BUFFER) {	/* into its host_ptr, the application's again when the buffer ends */
		hook->mem = transfer->mem;
		object_retain(hook->mem);
	}
	if (ret_event) {
		*ret_event = hook->event;
		object_retain(hook->event);
	}
	hook_add(transfer->queue->context->session, hook);
}

/* Of what is mapped from then on, so that no command may change it (OpenCL 3.0 §5.5.2): it is copied where it lies, whenever
 * somebody looks, by one copy and without staging. */
static cl_int read_mapped(const struct transfer *transfer, uint8_t *device, uint8_t *host, cl_event *ret_event)
{
	struct hook *hook = calloc(1, sizeof(*hook));
	cl_int error;

	if (!hook)
		return CL_OUT_OF_HOST_MEMORY;
	hook->staging.address = device;		/* nothing to give back */
	error = transfer_marker(transfer, NULL, &hook->event);
	if (error)
		free(hook);
	else
		hook_arm(transfer, hook, host, ret_event);
	return error;
}

static cl_int read_staged(const struct transfer *transfer, uint8_t *host, cl_event *ret_event)
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
	hook_arm(transfer, hook, host, ret_event);
	return CL_SUCCESS;
}

static bool hook_fills(const struct hook *hook, const uint8_t *host, size_t bytes)
{
	return (const uint8_t *)hook->destination < host + bytes && host < (const uint8_t *)hook->destination + hook->bytes;
}

bool transfer_read_is_held(struct session *session, const uint8_t *host, size_t bytes)
{
	bool found = false;

	if (!__atomic_load_n(&session->hook_count, __ATOMIC_ACQUIRE))
		return false;
	pthread_mutex_lock(&session->hook_lock);
	for (struct hook *hook = session->hooks; hook && !found; hook = hook->next)
		found = hook_fills(hook, host, bytes) && !__atomic_load_n(&hook->event->written, __ATOMIC_ACQUIRE);
	pthread_mutex_unlock(&session->hook_lock);
	return found;
}

void transfer_await_reads(struct session *session, const uint8_t *host, size_t bytes)
{
	struct _cl_event *event;

	while (__atomic_load_n(&session->hook_count, __ATOMIC_ACQUIRE)) {
		event = NULL;
		pthread_mutex_lock(&session->hook_lock);
		for (struct hook *hook = session->hooks; hook && !event; hook = hook->next)
			if (hook_fills(hook, host, bytes))
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

static cl_int write_staged(const struct transfer *transfer, uint8_t *host, cl_event *ret_event)
{
	struct session *session = transfer->queue->context->session;
	struct memory_range staging;
	int r = staging_alloc(session, transfer->bytes, &staging);

	if (r < 0)
		return r == -ENOMEM ? CL_MEM_OBJECT_ALLOCATION_FAILURE : CL_DEVICE_NOT_AVAILABLE;
	transfer_await_reads(session, host, transfer->bytes);
	copy_bytes(staging.address, host, transfer->bytes);
	return transfer_record(transfer, WIRE_BUFFER_WRITE, &staging, true, ret_event);
}

/* ---- a transfer, in either direction ------------------------------------------------------------------ */

struct direction {
	bool write;
	cl_mem_flags forbidden;		/* to the host, by the buffer's flags */
	/* All of it by one record: CL_MEM_OBJECT_ALLOCATION_FAILURE where there is no staging for that. ret_event may be NULL. */
	cl_int (*staged)(const struct transfer *transfer, uint8_t *host, cl_event *ret_event);
};
static const struct direction reading = { false, CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS, read_staged };
static const struct direction writing = { true, CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS, write_staged };

/* Waits for the piece and lets go of it. The error so far, else its own. */
static cl_int piece_end(cl_event event, cl_int error)
{
	event_wait(event);
	if (!error && event->status < 0)
		error = event->status;
	event_release(event);
	return error;
}

/*
 * Piece by piece, one under way while the next is staged: as much staging as there is suffices. Each has the waits, so
 * what fails the first fails them all. The last one's event is the whole's.
 */
static cl_int transfer_pieces(const struct transfer *transfer, const struct direction *direction, uint8_t *host,
			      cl_event *ret_event)
{
	struct transfer piece = *transfer;
	size_t chunk = CHUNK_BYTES, done = 0;
	cl_event last = NULL;
	cl_int error = CL_SUCCESS;

	while (!error && done < transfer->bytes) {
		cl_event before = last, event = NULL;

		piece.offset = transfer->offset + done;
		piece.bytes = transfer->bytes - done < chunk ? transfer->bytes - done : chunk;
		error = direction->staged(&piece, host + done, &event);
		if (!error)
			done += piece.bytes;
		if (error == CL_MEM_OBJECT_ALLOCATION_FAILURE && (before || chunk > 4096)) {
			chunk = before ? chunk : chunk / 4;	/* the one under way gives its own back first */
			error = CL_SUCCESS;
		}
		last = event;
		if (before)
			error = piece_end(before, error);
	}
	if (last && !error) {
		event_wait(last);
		error = last->status < 0 ? last->status : transfer->blocking ? queue_refusal(transfer->queue) : CL_SUCCESS;
	}
	if (last && !error && ret_event)
		*ret_event = last;
	else if (last)
		error = piece_end(last, error);
	return error;
}

/* The whole transfer, to be done when the queue has come to it: here and now it would wait for a user event. */
static cl_int defer(const struct transfer *transfer, bool write, uint8_t *host, cl_event *ret_event)
{
	const struct rows rows = {
		.region = { transfer->bytes, 1, 1 },
		.device = { transfer->offset, transfer->bytes, transfer->bytes, transfer->bytes },
		.host = { 0, transfer->bytes, transfer->bytes, transfer->bytes },
	};

	return transfer_defer(transfer, write, host, &rows, ret_event);
}

static cl_int transfer_do(const struct transfer *transfer, const struct direction *direction, uint8_t *host,
			  cl_event *ret_event)
{
	struct session *session = transfer->queue->context->session;
	uint8_t *device = transfer->mem->ops->address(transfer->mem, transfer->offset);
	bool at_once = device && transfer_settled(transfer);
	cl_int error = CL_SUCCESS;

	if (session_lost(session))
		return CL_DEVICE_NOT_AVAILABLE;
	if (direction->write && !transfer->blocking && transfer_read_is_held(session, host, transfer->bytes))
		return defer(transfer, true, host, ret_event);
	if (!transfer->blocking && !at_once && device && !direction->write && transfer->type == CL_COMMAND_MAP_BUFFER)
		return read_mapped(transfer, device, host, ret_event);
	if (!transfer->blocking && !at_once) {
		error = direction->staged(transfer, host, ret_event);
		if (error != CL_MEM_OBJECT_ALLOCATION_FAILURE)
			return error;
		if (command_would_be_held(transfer->queue, transfer->wait_count, transfer->waits))
			return defer(transfer, direction->write, host, ret_event);
	}
	if (!device)
		return transfer_pieces(transfer, direction, host, ret_event);
	/* Blocking, or there was no room for staging. */
	if (!at_once)
		error = transfer_settle(transfer);
	else if (transfer->blocking)
		error = queue_refusal(transfer->queue);
	if (error)
		return error;
	copy_bytes(direction->write ? device : host, direction->write ? host : device, transfer->bytes);
	return command_done_here(transfer->queue, transfer->type, ret_event);
}

cl_int transfer_read(const struct transfer *transfer, void *destination, cl_event *ret_event)
{
	return transfer_do(transfer, &reading, destination, ret_event);
}

cl_int transfer_write(const struct transfer *transfer, const void *source, cl_event *ret_event)
{
	return transfer_do(transfer, &writing, (void *)(uintptr_t)source, ret_event);	/* only read from */
}

/* ---- the API ------------------------------------------------------------------------------------- */

static cl_int transfer_enqueue(const struct transfer *transfer, const struct direction *direction, void *host,
			       cl_event *event)
{
	cl_int error = transfer_check(transfer->queue, transfer->mem, transfer->offset, transfer->bytes,
				      transfer->wait_count, transfer->waits);

	if (error)
		return error;
	if (!host)
		return CL_INVALID_VALUE;
	if (transfer->mem->flags & direction->forbidden)
		return CL_INVALID_OPERATION;
	if (transfer->blocking && waits_failed(transfer->wait_count, transfer->waits))
		return CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
	return transfer_do(transfer, direction, host, event);
}

cl_int vgpu_clEnqueueReadBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking_read, size_t offset, size_t cb,
				void *ptr, cl_uint num_events_in_wait_list, const cl_event *event_wait_list,
				cl_event *event)
{
	const struct transfer transfer = { queue, buffer, offset, cb, blocking_read, num_events_in_wait_list,
					   event_wait_list, CL_COMMAND_READ_BUFFER };

	return transfer_enqueue(&transfer, &reading, ptr, event);
}

cl_int vgpu_clEnqueueWriteBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking_write, size_t offset,
				 size_t cb, const void *ptr, cl_uint num_events_in_wait_list,
				 const cl_event *event_wait_list, cl_event *event)
{
	const struct transfer transfer = { queue, buffer, offset, cb, blocking_write, num_events_in_wait_list,
					   event_wait_list, CL_COMMAND_WRITE_BUFFER };

	return transfer_enqueue(&transfer, &writing, (void *)(uintptr_t)ptr, event);
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
	return error ? error : transfer_marker(&transfer, NULL, event);
}
