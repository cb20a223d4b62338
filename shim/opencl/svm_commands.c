/* SPDX-License-Identifier: MIT */
/*
 * Commands on shared virtual memory (OpenCL 3.0 §5.6).
 *
 * It is aperture memory here and in the engine, so mapping and migrating move nothing and only keep their place in the queue. Copies
 * and fills are those of the buffer over the arena; between two pieces of the application's own memory the library's thread copies.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/copy.h"
#include "shim/opencl/command.h"
#include "shim/opencl/event.h"
#include "shim/opencl/svm.h"

static cl_int svm_check(const struct transfer *command)
{
	if (!object_is(command->queue, OBJECT_QUEUE))
		return CL_INVALID_COMMAND_QUEUE;
	if (!command->queue->context->device->svm)
		return CL_INVALID_OPERATION;
	return wait_list_check(command->queue->context, command->wait_count, command->waits);
}

static cl_int blocking_check(const struct transfer *command)
{
	return command->blocking && waits_failed(command->wait_count, command->waits) ?
	       CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST : CL_SUCCESS;
}

static bool is_idle(const struct transfer *command)
{
	return queue_idle(command->queue) && waits_over(command->wait_count, command->waits) &&
	       !waits_failed(command->wait_count, command->waits);
}

/* ---- copies -------------------------------------------------------------------------------------- */

struct host_copy {
	void *destination;
	const void *source;
	size_t bytes;
};

static cl_int host_copy_run(void *data, cl_int status)
{
	struct host_copy *copy = data;

	if (status == CL_COMPLETE)
		copy_bytes(copy->destination, copy->source, copy->bytes);
	free(copy);
	return status;
}

/* By the processor, here or on the library's thread. */
static cl_int copy_on_host(const struct transfer *command, void *destination, const void *source, cl_event *event)
{
	struct host_copy *copy;
	cl_int error = CL_SUCCESS;

	if (session_lost(command->queue->context->session))
		return CL_DEVICE_NOT_AVAILABLE;
	if (command->blocking || is_idle(command)) {
		if (command->blocking)
			error = transfer_settle(command);
		if (error)
			return error;
		copy_bytes(destination, source, command->bytes);
		return command_done_here(command->queue, command->type, event);
	}
	copy = malloc(sizeof(*copy));
	if (!copy)
		return CL_OUT_OF_HOST_MEMORY;
	*copy = (struct host_copy){ destination, source, command->bytes };
	error = command_call(command, host_copy_run, copy, event);
	if (error)
		free(copy);
	return error;
}

static cl_int copy_on_device(const struct transfer *command, const struct svm_place *destination, const struct svm_place *source,
			     cl_event *event)
{
	struct wire_buffer_copy record = { .source = source->mem->id, .destination = destination->mem->id,
					   .source_offset = source->offset, .destination_offset = destination->offset,
					   .bytes = command->bytes };
	struct command copy = {
		.queue = command->queue,
		.opcode = WIRE_BUFFER_COPY,
		.wait_count = command->wait_count,
		.waits = command->waits,
		.body = &record.source,
		.body_bytes = sizeof(record) - offsetof(struct wire_buffer_copy, source),
		.mems = { source->mem, destination->mem },
	};

	return command_enqueue(&copy, command->type, event);
}

cl_int vgpu_clEnqueueSVMMemcpy(cl_command_queue command_queue, cl_bool blocking_copy, void *dst_ptr, const void *src_ptr,
			       size_t size, cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	struct transfer command = { .queue = command_queue, .bytes = size, .blocking = blocking_copy,
				    .wait_count = num_events_in_wait_list, .waits = event_wait_list, .type = CL_COMMAND_SVM_MEMCPY };
	uintptr_t to = (uintptr_t)dst_ptr, from = (uintptr_t)src_ptr;
	struct svm_place destination, source;
	cl_int error = svm_check(&command);
	bool to_svm, from_svm;

	if (error)
		return error;
	if (!dst_ptr || !src_ptr)
		return CL_INVALID_VALUE;
	if (to - from < size || from - to < size)
		return CL_MEM_COPY_OVERLAP;
	error = blocking_check(&command);
	if (error)
		return error;
	if (size == 0)
		return transfer_place(&command, event);
	to_svm = svm_find(command_queue->context, dst_ptr, &destination);
	from_svm = svm_find(command_queue->context, src_ptr, &source);
	if ((to_svm && destination.room < size) || (from_svm && source.room < size))
		return CL_INVALID_VALUE;
	if (to_svm == from_svm && (!to_svm || blocking_copy || is_idle(&command)))
		return copy_on_host(&command, dst_ptr, src_ptr, event);
	if (to_svm && from_svm)
		return copy_on_device(&command, &destination, &source, event);
	command.mem = to_svm ? destination.mem : source.mem;
	command.offset = to_svm ? destination.offset : source.offset;
	return to_svm ? transfer_write(&command, src_ptr, event) : transfer_read(&command, dst_ptr, event);
}

cl_int vgpu_clEnqueueSVMMemFill(cl_command_queue command_queue, void *svm_ptr, const void *pattern, size_t pattern_size,
				size_t size, cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	const struct transfer checked = { .queue = command_queue, .wait_count = num_events_in_wait_list, .waits = event_wait_list };
	struct wire_buffer_fill record = { .bytes = size, .pattern_bytes = (uint32_t)pattern_size };
	struct command command = {
		.queue = command_queue,
		.opcode = WIRE_BUFFER_FILL,
		.wait_count = num_events_in_wait_list,
		.waits = event_wait_list,
		.body = &record.buffer,
		.body_bytes = sizeof(record) - offsetof(struct wire_buffer_fill, buffer),
	};
	struct svm_place place;
	cl_int error = svm_check(&checked);

	if (error)
		return error;
	if (!svm_ptr || !pattern || pattern_size == 0 || pattern_size > sizeof(record.pattern) ||
	    (pattern_size & (pattern_size - 1)) || (uintptr_t)svm_ptr % pattern_size || size % pattern_size)
		return CL_INVALID_VALUE;
	if (!svm_find(command_queue->context, svm_ptr, &place) || place.room < size)
		return CL_INVALID_VALUE;
	if (size == 0)
		command = (struct command){ .queue = command_queue, .opcode = WIRE_MARKER, .wait_count = num_events_in_wait_list,
					    .waits = event_wait_list };
	record.buffer = place.mem->id;
	record.offset = place.offset;
	memcpy(record.pattern, pattern, pattern_size);
	command.mems[0] = place.mem;
	return command_enqueue(&command, CL_COMMAND_SVM_MEMFILL, event);
}

/* ---- what keeps its place ------------------------------------------------------------------------------ */

cl_int vgpu_clEnqueueSVMMap(cl_command_queue command_queue, cl_bool blocking_map, cl_map_flags map_flags, void *svm_ptr,
			    size_t size, cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	const struct transfer command = { .queue = command_queue, .blocking = blocking_map, .wait_count = num_events_in_wait_list,
					  .waits = event_wait_list, .type = CL_COMMAND_SVM_MAP };
	const cl_map_flags known = CL_MAP_READ | CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION;
	struct svm_place place;
	cl_int error = svm_check(&command);

	if (error)
		return error;
	if (!svm_ptr || size == 0 || (map_flags & ~known) ||
	    ((map_flags & CL_MAP_WRITE_INVALIDATE_REGION) && (map_flags & (CL_MAP_READ | CL_MAP_WRITE))))
		return CL_INVALID_VALUE;
	if (!svm_find(command_queue->context, svm_ptr, &place) || place.room < size)
		return CL_INVALID_VALUE;
	error = blocking_check(&command);
	return error ? error : transfer_place(&command, event);
}

cl_int vgpu_clEnqueueSVMUnmap(cl_command_queue command_queue, void *svm_ptr, cl_uint num_events_in_wait_list,
			      const cl_event *event_wait_list, cl_event *event)
{
	const struct transfer command = { .queue = command_queue, .wait_count = num_events_in_wait_list,
					  .waits = event_wait_list, .type = CL_COMMAND_SVM_UNMAP };
	struct svm_place place;
	cl_int error = svm_check(&command);

	if (error)
		return error;
	if (!svm_find(command_queue->context, svm_ptr, &place))
		return CL_INVALID_VALUE;
	return transfer_place(&command, event);
}

cl_int vgpu_clEnqueueSVMMigrateMem(cl_command_queue command_queue, cl_uint num_svm_pointers, const void **svm_pointers,
				   const size_t *sizes, cl_mem_migration_flags flags, cl_uint num_events_in_wait_list,
				   const cl_event *event_wait_list, cl_event *event)
{
	const struct transfer command = { .queue = command_queue, .wait_count = num_events_in_wait_list,
					  .waits = event_wait_list, .type = CL_COMMAND_SVM_MIGRATE_MEM };
	const cl_mem_migration_flags known = CL_MIGRATE_MEM_OBJECT_HOST | CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED;
	struct svm_place place;
	cl_int error = svm_check(&command);

	if (error)
		return error;
	if (num_svm_pointers == 0 || !svm_pointers || (flags & ~known))
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < num_svm_pointers; i++)
		if (!svm_find(command_queue->context, svm_pointers[i], &place) || (sizes && place.room < sizes[i]))
			return CL_INVALID_VALUE;
	return transfer_place(&command, event);
}

/* ---- freeing in the queue's turn ------------------------------------------------------------------------ */

struct svm_freeing {
	cl_command_queue queue;		/* held */
	void(CL_CALLBACK *function)(cl_command_queue, cl_uint, void **, void *);
	void *user_data;
	cl_uint count;
	void *pointers[];
};

static void free_all(const struct svm_freeing *freeing)
{
	for (cl_uint i = 0; i < freeing->count; i++)
		svm_free(freeing->queue->context, freeing->pointers[i]);
}

static void freeing_end(struct svm_freeing *freeing)
{
	queue_release(freeing->queue);
	free(freeing);
}

static cl_int freeing_run(void *data, cl_int status)
{
	struct svm_freeing *freeing = data;

	if (status == CL_COMPLETE && freeing->function)
		freeing->function(freeing->queue, freeing->count, freeing->pointers, freeing->user_data);
	else if (status == CL_COMPLETE)
		free_all(freeing);
	freeing_end(freeing);
	return status;
}

cl_int vgpu_clEnqueueSVMFree(cl_command_queue command_queue, cl_uint num_svm_pointers, void **svm_pointers,
			     void(CL_CALLBACK *pfn_free_func)(cl_command_queue queue, cl_uint num_svm_pointers, void **svm_pointers,
							      void *user_data),
			     void *user_data, cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	const struct transfer command = { .queue = command_queue, .wait_count = num_events_in_wait_list,
					  .waits = event_wait_list, .type = CL_COMMAND_SVM_FREE };
	struct svm_freeing *freeing;
	cl_int error = svm_check(&command);

	if (error)
		return error;
	if ((num_svm_pointers == 0) != (svm_pointers == NULL))
		return CL_INVALID_VALUE;
	freeing = malloc(sizeof(*freeing) + num_svm_pointers * sizeof(*freeing->pointers));
	if (!freeing)
		return CL_OUT_OF_HOST_MEMORY;
	*freeing = (struct svm_freeing){ command_queue, pfn_free_func, user_data, num_svm_pointers };
	if (num_svm_pointers)
		memcpy(freeing->pointers, svm_pointers, num_svm_pointers * sizeof(*svm_pointers));
	object_retain(command_queue);
	if (!pfn_free_func && is_idle(&command)) {
		free_all(freeing);
		freeing_end(freeing);
		return command_done_here(command_queue, CL_COMMAND_SVM_FREE, event);
	}
	error = command_call(&command, freeing_run, freeing, event);
	if (error)
		freeing_end(freeing);
	return error;
}
