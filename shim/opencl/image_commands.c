/* SPDX-License-Identifier: MIT */
/*
 * Copying and filling images, on the device; mapping them.
 *
 * Mapped, a unified image is the aperture itself. Elsewhere the pointer is staging memory without gaps, read into at map and written
 * back at unmap; with CL_MEM_USE_HOST_PTR it is the application's own memory, at its own pitches, copied at map and at unmap.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/command.h"
#include "shim/opencl/event.h"
#include "shim/opencl/image.h"

#define WRITE_FLAGS (CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION)

/* ---- copies and fills -------------------------------------------------------------------------------- */

cl_int vgpu_clEnqueueCopyImage(cl_command_queue queue, cl_mem src_image, cl_mem dst_image, const size_t *src_origin,
			       const size_t *dst_origin, const size_t *region, cl_uint num_events_in_wait_list,
			       const cl_event *event_wait_list, cl_event *event)
{
	struct wire_image_copy record;
	struct command command = {
		.queue = queue,
		.opcode = WIRE_IMAGE_COPY,
		.wait_count = num_events_in_wait_list,
		.waits = event_wait_list,
		.body = &record.source,
		.body_bytes = sizeof(record) - offsetof(struct wire_image_copy, source),
		.mems = { src_image, dst_image },
	};
	cl_int error;

	if (object_is(queue, OBJECT_QUEUE) && mem_is_image(src_image) && mem_is_image(dst_image) &&
	    memcmp(&src_image->image->format, &dst_image->image->format, sizeof(cl_image_format)))
		return CL_IMAGE_FORMAT_MISMATCH;
	error = image_check(queue, src_image, src_origin, region, num_events_in_wait_list, event_wait_list);
	if (!error)
		error = image_check(queue, dst_image, dst_origin, region, num_events_in_wait_list, event_wait_list);
	if (error)
		return error;
	if (src_image == dst_image &&
	    wire_image_overlap((const uint64_t *)src_origin, (const uint64_t *)dst_origin, (const uint64_t *)region))
		return CL_MEM_COPY_OVERLAP;
	record.source = src_image->id;
	record.destination = dst_image->id;
	memcpy(record.source_origin, src_origin, sizeof(record.source_origin));
	memcpy(record.destination_origin, dst_origin, sizeof(record.destination_origin));
	memcpy(record.region, region, sizeof(record.region));
	return command_enqueue(&command, CL_COMMAND_COPY_IMAGE, event);
}

static cl_int buffer_copy(cl_command_queue queue, cl_mem image, cl_mem buffer, const size_t *origin, const size_t *region, size_t offset,
			  enum wire_opcode opcode, cl_command_type type, cl_uint wait_count, const cl_event *waits, cl_event *event)
{
	struct wire_image_buffer_copy record = { .offset = offset };
	struct command command = {
		.queue = queue,
		.opcode = opcode,
		.wait_count = wait_count,
		.waits = waits,
		.body = &record.image,
		.body_bytes = sizeof(record) - offsetof(struct wire_image_buffer_copy, image),
		.mems = { image, buffer },
	};
	struct wire_image_rows rows;
	cl_int error;

	if (object_is(queue, OBJECT_QUEUE) && !mem_is_buffer(buffer))
		return CL_INVALID_MEM_OBJECT;
	error = image_check(queue, image, origin, region, wait_count, waits);
	if (error)
		return error;
	rows = image_rows(image, region);
	error = transfer_check(queue, buffer, offset, rows.row_bytes * rows.rows * rows.slices, wait_count, waits);
	if (error)
		return error;
	record.image = image->id;
	record.buffer = buffer->id;
	memcpy(record.origin, origin, sizeof(record.origin));
	memcpy(record.region, region, sizeof(record.region));
	return command_enqueue(&command, type, event);
}

cl_int vgpu_clEnqueueCopyImageToBuffer(cl_command_queue queue, cl_mem src_image, cl_mem dst_buffer, const size_t *src_origin,
				       const size_t *region, size_t dst_offset, cl_uint num_events_in_wait_list,
				       const cl_event *event_wait_list, cl_event *event)
{
	return buffer_copy(queue, src_image, dst_buffer, src_origin, region, dst_offset, WIRE_IMAGE_TO_BUFFER,
			   CL_COMMAND_COPY_IMAGE_TO_BUFFER, num_events_in_wait_list, event_wait_list, event);
}

cl_int vgpu_clEnqueueCopyBufferToImage(cl_command_queue queue, cl_mem src_buffer, cl_mem dst_image, size_t src_offset,
				       const size_t *dst_origin, const size_t *region, cl_uint num_events_in_wait_list,
				       const cl_event *event_wait_list, cl_event *event)
{
	return buffer_copy(queue, dst_image, src_buffer, dst_origin, region, src_offset, WIRE_IMAGE_FROM_BUFFER,
			   CL_COMMAND_COPY_BUFFER_TO_IMAGE, num_events_in_wait_list, event_wait_list, event);
}

cl_int vgpu_clEnqueueFillImage(cl_command_queue queue, cl_mem image, const void *fill_color, const size_t *origin,
			       const size_t *region, cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	struct wire_image_fill record = { .reserved = 0 };
	struct command command = {
		.queue = queue,
		.opcode = WIRE_IMAGE_FILL,
		.wait_count = num_events_in_wait_list,
		.waits = event_wait_list,
		.body = &record.image,
		.body_bytes = sizeof(record) - offsetof(struct wire_image_fill, image),
		.mems = { image },
	};
	cl_int error = image_check(queue, image, origin, region, num_events_in_wait_list, event_wait_list);

	if (error)
		return error;
	if (!fill_color)
		return CL_INVALID_VALUE;
	record.image = image->id;
	/* OpenCL 3.0 §5.3.5: a depth image's is one float. */
	memcpy(record.color, fill_color, image->image->format.image_channel_order == CL_DEPTH ? sizeof(cl_float) : sizeof(record.color));
	memcpy(record.origin, origin, sizeof(record.origin));
	memcpy(record.region, region, sizeof(record.region));
	return command_enqueue(&command, CL_COMMAND_FILL_IMAGE, event);
}

/* ---- maps ---------------------------------------------------------------------------------------------- */

/* Into staging memory of the mapping's own. */
static cl_int map_staged(const struct image_move *move, struct mapping *mapping, cl_event *ret_event)
{
	const struct transfer *transfer = &move->transfer;
	struct session *session = transfer->queue->context->session;
	const struct wire_image_rows rows = image_rows(transfer->mem, move->region);
	const bool reads = !(mapping->flags & CL_MAP_WRITE_INVALIDATE_REGION);
	cl_event event = NULL;
	cl_int error;
	int r = staging_alloc(session, rows.row_bytes * rows.rows * rows.slices, &mapping->staging);

	if (r < 0)
		return r == -ENOMEM ? CL_MAP_FAILURE : CL_DEVICE_NOT_AVAILABLE;
	mapping->pointer = mapping->staging.address;
	if (!reads)
		error = transfer_place(transfer, ret_event);
	else
		error = image_move_record(move, &mapping->staging, false, transfer->blocking ? &event : ret_event);
	return mapping_filled(transfer, mapping, error, event, ret_event);
}

/* The part of the application's own memory. */
static void move_to_host_ptr(struct image_move *move)
{
	const struct _cl_mem *mem = move->transfer.mem;

	move->row_pitch = mem->image->host_row_pitch;
	move->slice_pitch = mem->image->host_slice_pitch;
	move->host = (uint8_t *)mem->host_ptr +
		     wire_image_at(&mem->image->shape, (const uint64_t *)move->origin, move->row_pitch, move->slice_pitch);
}

static cl_int map_do(struct image_move *move, struct mapping *mapping, cl_event *ret_event)
{
	const struct _cl_mem *mem = move->transfer.mem;
	const struct image *image = mem->image;
	const struct wire_image_rows rows = image_rows(mem, move->region);

	if (mem->host_ptr) {
		move_to_host_ptr(move);
		mapping->pointer = move->host;
		return mapping->flags & CL_MAP_WRITE_INVALIDATE_REGION ? transfer_place(&move->transfer, ret_event) :
									 image_move_do(move, ret_event);
	}
	move->row_pitch = image->row_pitch;
	move->slice_pitch = image->slice_pitch;
	mapping->pointer = mem->ops->address(mem, wire_image_at(&image->shape, (const uint64_t *)move->origin, move->row_pitch,
								move->slice_pitch));
	if (mapping->pointer)
		return transfer_place(&move->transfer, ret_event);
	move->row_pitch = rows.row_bytes;
	move->slice_pitch = wire_image_has_slices(image->shape.type) ? rows.row_bytes * rows.rows : 0;
	return map_staged(move, mapping, ret_event);
}

void *vgpu_clEnqueueMapImage(cl_command_queue queue, cl_mem image, cl_bool blocking_map, cl_map_flags map_flags,
			     const size_t *origin, const size_t *region, size_t *image_row_pitch, size_t *image_slice_pitch,
			     cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event, cl_int *errcode_ret)
{
	struct image_move move = { .transfer = { queue, image, 0, 0, blocking_map, num_events_in_wait_list, event_wait_list,
						 CL_COMMAND_MAP_IMAGE } };
	struct mapping *mapping;
	cl_int error = image_check(queue, image, origin, region, num_events_in_wait_list, event_wait_list);

	if (error)
		return refuse(errcode_ret, error);
	if (!image_row_pitch || (!image_slice_pitch && wire_image_has_slices(image->image->shape.type)))
		return refuse(errcode_ret, CL_INVALID_VALUE);
	error = map_flags_check(image, map_flags);
	if (error)
		return refuse(errcode_ret, error);
	if (blocking_map && waits_failed(num_events_in_wait_list, event_wait_list))
		return refuse(errcode_ret, CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	mapping = calloc(1, sizeof(*mapping));
	if (!mapping)
		return refuse(errcode_ret, CL_OUT_OF_HOST_MEMORY);
	mapping->flags = map_flags;
	memcpy(mapping->origin, origin, sizeof(mapping->origin));
	memcpy(mapping->region, region, sizeof(mapping->region));
	memcpy(move.origin, origin, sizeof(move.origin));
	memcpy(move.region, region, sizeof(move.region));
	error = map_do(&move, mapping, event);
	if (error) {
		free(mapping);
		return refuse(errcode_ret, error);
	}
	*image_row_pitch = move.row_pitch;
	if (image_slice_pitch)
		*image_slice_pitch = move.slice_pitch;
	mapping_add(image, mapping);
	refuse(errcode_ret, CL_SUCCESS);
	return mapping->pointer;
}

cl_int image_unmap(const struct transfer *transfer, struct mapping *mapping, cl_event *ret_event)
{
	struct image_move move = { .transfer = *transfer, .write = true };

	memcpy(move.origin, mapping->origin, sizeof(move.origin));
	memcpy(move.region, mapping->region, sizeof(move.region));
	/* A map that is not over yet may still be to write its staging: that goes back in the unmap's turn. */
	if (!(mapping->flags & WRITE_FLAGS))
		return mapping->staging.slab ? transfer_marker(transfer, &mapping->staging, ret_event) : transfer_place(transfer, ret_event);
	if (transfer->mem->host_ptr) {
		move_to_host_ptr(&move);
		return image_move_do(&move, ret_event);
	}
	return mapping->staging.slab ? image_move_record(&move, &mapping->staging, true, ret_event) : transfer_place(transfer, ret_event);
}
