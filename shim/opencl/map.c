/* SPDX-License-Identifier: MIT */
/*
 * Mapping buffers.
 *
 * A unified buffer's pointer is the aperture itself: mapping moves no byte. Elsewhere the pointer is staging memory, read
 * into at map and written back at unmap. A buffer made with CL_MEM_USE_HOST_PTR maps to the application's own memory
 * (OpenCL 3.0 §5.2.1), which the device cannot reach: it is copied at map and at unmap.
 */
#include <errno.h>
#include <stdlib.h>

#include "shim/copy.h"
#include "shim/opencl/buffer.h"
#include "shim/opencl/command.h"
#include "shim/opencl/event.h"
#include "shim/opencl/image.h"

#define WRITE_FLAGS (CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION)

cl_int transfer_place(const struct transfer *transfer, cl_event *ret_event)
{
	cl_int error;

	if (session_lost(transfer->queue->context->session))
		return CL_DEVICE_NOT_AVAILABLE;
	if (transfer->blocking) {
		error = transfer_settle(transfer);
		return error ? error : command_done_here(transfer->queue, transfer->type, ret_event);
	}
	if (queue_idle(transfer->queue) && waits_over(transfer->wait_count, transfer->waits) &&
	    !waits_failed(transfer->wait_count, transfer->waits))
		return command_done_here(transfer->queue, transfer->type, ret_event);
	return transfer_marker(transfer, NULL, ret_event);
}

cl_int mapping_filled(const struct transfer *transfer, struct mapping *mapping, cl_int error, struct _cl_event *read, cl_event *ret_event)
{
	if (!error && read) {
		event_wait(read);
		error = read->status < 0 ? read->status : queue_refusal(transfer->queue);
		if (!error && ret_event)
			*ret_event = read;
		else
			event_release(read);
	}
	if (error) {
		memory_release(transfer->queue->context->session->memory, &mapping->staging);
		return error;
	}
	mapping->queue = transfer->queue;
	object_retain(mapping->queue);
	return CL_SUCCESS;
}

/* Into staging memory of the mapping's own. */
static cl_int map_staged(const struct transfer *transfer, struct mapping *mapping, cl_event *ret_event)
{
	struct session *session = transfer->queue->context->session;
	cl_event event = NULL;
	cl_int error;
	int r = staging_alloc(session, transfer->bytes, &mapping->staging);

	if (r < 0)
		return r == -ENOMEM ? CL_MAP_FAILURE : CL_DEVICE_NOT_AVAILABLE;
	mapping->pointer = mapping->staging.address;
	if (mapping->flags & CL_MAP_WRITE_INVALIDATE_REGION)
		error = transfer_place(transfer, ret_event);
	else if (!transfer->blocking)
		error = transfer_record(transfer, WIRE_BUFFER_READ, &mapping->staging, false, ret_event);
	else
		error = transfer_record(transfer, WIRE_BUFFER_READ, &mapping->staging, false, &event);
	return mapping_filled(transfer, mapping, error, event, ret_event);
}

static cl_int map_do(const struct transfer *transfer, struct mapping *mapping, cl_event *ret_event)
{
	struct _cl_mem *mem = transfer->mem;

	if (mem->host_ptr && !mem_in_place(mem)) {
		mapping->pointer = (uint8_t *)mem->host_ptr + transfer->offset;
		return mapping->flags & CL_MAP_WRITE_INVALIDATE_REGION ? transfer_place(transfer, ret_event) :
			transfer_read(transfer, mapping->pointer, ret_event);
	}
	mapping->pointer = mem->ops->address(mem, transfer->offset);
	return mapping->pointer ? transfer_place(transfer, ret_event) : map_staged(transfer, mapping, ret_event);
}

cl_int map_flags_check(const struct _cl_mem *mem, cl_map_flags flags)
{
	const cl_map_flags known = CL_MAP_READ | WRITE_FLAGS;

	if ((flags & ~known) || ((flags & CL_MAP_WRITE_INVALIDATE_REGION) && (flags & (CL_MAP_READ | CL_MAP_WRITE))))
		return CL_INVALID_VALUE;
	if (((flags & CL_MAP_READ) && (mem->flags & (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS))) ||
	    ((flags & WRITE_FLAGS) && (mem->flags & (CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS))))
		return CL_INVALID_OPERATION;
	return CL_SUCCESS;
}

void mapping_add(struct _cl_mem *mem, struct mapping *mapping)
{
	pthread_mutex_lock(&mem->context->lock);
	mapping->next = mem->mappings;
	mem->mappings = mapping;
	mem->map_count++;
	pthread_mutex_unlock(&mem->context->lock);
}

void *vgpu_clEnqueueMapBuffer(cl_command_queue queue, cl_mem buffer, cl_bool blocking_map, cl_map_flags map_flags,
			      size_t offset, size_t cb, cl_uint num_events_in_wait_list,
			      const cl_event *event_wait_list, cl_event *event, cl_int *errcode_ret)
{
	const struct transfer transfer = { queue, buffer, offset, cb, blocking_map, num_events_in_wait_list,
					   event_wait_list, CL_COMMAND_MAP_BUFFER };
	struct mapping *mapping;
	cl_int error = transfer_check(queue, buffer, offset, cb, num_events_in_wait_list, event_wait_list);

	if (error)
		return refuse(errcode_ret, error);
	error = map_flags_check(buffer, map_flags);
	if (error)
		return refuse(errcode_ret, error);
	if (blocking_map && waits_failed(num_events_in_wait_list, event_wait_list))
		return refuse(errcode_ret, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	mapping = calloc(1, sizeof(*mapping));
	if (!mapping)
		return refuse(errcode_ret, CL_OUT_OF_HOST_MEMORY);
	mapping->offset = offset;
	mapping->bytes = cb;
	mapping->flags = map_flags;
	mapping->over = blocking_map;
	error = map_do(&transfer, mapping, event);
	if (error) {
		free(mapping);
		return refuse(errcode_ret, error);
	}
	mapping_add(buffer, mapping);
	refuse(errcode_ret, CL_SUCCESS);
	return mapping->pointer;
}

static struct mapping *mapping_take(struct _cl_mem *mem, const void *pointer)
{
	struct mapping **link = &mem->mappings, *mapping;

	pthread_mutex_lock(&mem->context->lock);
	while ((mapping = *link) && mapping->pointer != pointer)
		link = &mapping->next;
	if (mapping) {
		*link = mapping->next;
		mem->map_count--;
	}
	pthread_mutex_unlock(&mem->context->lock);
	return mapping;
}

/* From the application's own memory. No command that has not ended uses the region (OpenCL 3.0 §5.5.2: the application sees to
 * that), so it is one copy at once, whatever else is under way on the queue. */
static cl_int write_back(const struct transfer *transfer, const struct mapping *mapping, cl_event *event)
{
	struct session *session = transfer->queue->context->session;
	uint8_t *device = transfer->mem->ops->address(transfer->mem, mapping->offset);

	if (!device || !mapping->over || session_lost(session) || __atomic_load_n(&session->hook_count, __ATOMIC_ACQUIRE) ||
	    !waits_over(transfer->wait_count, transfer->waits) || waits_failed(transfer->wait_count, transfer->waits))
		return transfer_write(transfer, mapping->pointer, event);
	copy_bytes(device, mapping->pointer, mapping->bytes);
	return transfer_place(transfer, event);
}

cl_int vgpu_clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem mem, void *mapped_ptr,
				    cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	struct transfer transfer = { .queue = queue, .mem = mem, .wait_count = num_events_in_wait_list,
				     .waits = event_wait_list, .type = CL_COMMAND_UNMAP_MEM_OBJECT };
	struct mapping *mapping;
	cl_int error;

	if (!object_is(queue, OBJECT_QUEUE))
		return CL_INVALID_COMMAND_QUEUE;
	if (!object_is(mem, OBJECT_MEM))
		return CL_INVALID_MEM_OBJECT;
	if (mem->context != queue->context)
		return CL_INVALID_CONTEXT;
	error = wait_list_check(queue->context, num_events_in_wait_list, event_wait_list);
	if (error)
		return error;
	mapping = mapping_take(mem, mapped_ptr);
	if (!mapping)
		return CL_INVALID_VALUE;
	transfer.offset = mapping->offset;
	transfer.bytes = mapping->bytes;
	if (mem->image) {
		error = image_unmap(&transfer, mapping, event);
	} else if (!(mapping->flags & WRITE_FLAGS)) {
		/* A map that is not over yet may still be to write its staging: that goes back in the unmap's turn. */
		error = mapping->staging.slab ? transfer_marker(&transfer, &mapping->staging, event) :
						transfer_place(&transfer, event);
	} else if (mem->host_ptr && !mem_in_place(mem)) {
		error = write_back(&transfer, mapping, event);
	} else if (mapping->staging.slab) {
		error = transfer_record(&transfer, WIRE_BUFFER_WRITE, &mapping->staging, true, event);
	} else {
		error = transfer_place(&transfer, event);
	}
	if (mapping->queue)
		queue_release(mapping->queue);
	free(mapping);
	return error;
}
