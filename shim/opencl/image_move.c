/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing parts of images.
 *
 * As transfer.c does it for buffers: where the image is aperture memory and nothing is under way on the queue, rows are copied in
 * the application's thread; a non-blocking move that must keep its place goes through staging, in which rows lie without gaps, by
 * one record; images of a device's own memory always go that way, in pieces when blocking.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/copy.h"
#include "shim/opencl/command.h"
#include "shim/opencl/event.h"
#include "shim/opencl/image.h"

#define PIECE_BYTES 0x400000u

cl_int image_check(const struct _cl_command_queue *queue, const struct _cl_mem *mem, const size_t *origin, const size_t *region,
		   cl_uint wait_count, const cl_event *waits)
{
	if (!object_is(queue, OBJECT_QUEUE))
		return CL_INVALID_COMMAND_QUEUE;
	if (!mem_is_image(mem))
		return CL_INVALID_MEM_OBJECT;
	if (mem->context != queue->context)
		return CL_INVALID_CONTEXT;
	if (!origin || !region || !wire_image_inside(&mem->image->shape, (const uint64_t *)origin, (const uint64_t *)region))
		return CL_INVALID_VALUE;
	return wait_list_check(queue->context, wait_count, waits);
}

/* ---- rows --------------------------------------------------------------------------------------------- */

/* Where rows lie: bytes between their beginnings. */
struct layout {
	size_t row_pitch, slice_pitch;
};

static void layout_copy(uint8_t *to, const struct layout *to_layout, const uint8_t *from, const struct layout *from_layout,
			const struct wire_image_rows *rows)
{
	const bool whole_slices = to_layout->row_pitch == rows->row_bytes && from_layout->row_pitch == rows->row_bytes;

	for (size_t slice = 0; slice < rows->slices; slice++) {
		uint8_t *to_row = to + slice * to_layout->slice_pitch;
		const uint8_t *from_row = from + slice * from_layout->slice_pitch;

		if (whole_slices) {
			copy_bytes(to_row, from_row, rows->rows * rows->row_bytes);
			continue;
		}
		for (size_t row = 0; row < rows->rows; row++)
			memcpy(to_row + row * to_layout->row_pitch, from_row + row * from_layout->row_pitch, rows->row_bytes);
	}
}

static struct layout layout_tight(const struct wire_image_rows *rows)
{
	return (struct layout){ rows->row_bytes, rows->row_bytes * rows->rows };
}

/* From the first byte of the application's to the last. */
static size_t host_span(const struct image_move *move, const struct wire_image_rows *rows)
{
	uint64_t bytes = 0;

	(void)wire_image_span(rows, move->row_pitch, move->slice_pitch, &bytes);
	return bytes;
}

static uint8_t *device_address(const struct image_move *move)
{
	const struct _cl_mem *mem = move->transfer.mem;
	const struct image *image = mem->image;

	return mem->ops->address(mem, wire_image_at(&image->shape, (const uint64_t *)move->origin, image->row_pitch, image->slice_pitch));
}

/* In the calling thread; the image is aperture memory. */
static void move_here(const struct image_move *move)
{
	const struct _cl_mem *mem = move->transfer.mem;
	const struct wire_image_rows rows = image_rows(mem, move->region);
	const struct layout device = { mem->image->row_pitch, mem->image->slice_pitch }, host = { move->row_pitch, move->slice_pitch };

	if (move->write)
		layout_copy(device_address(move), &device, move->host, &host, &rows);
	else
		layout_copy(move->host, &host, device_address(move), &device, &rows);
}

/* ---- through staging ------------------------------------------------------------------------------------ */

cl_int image_move_record(const struct image_move *move, struct memory_range *range, bool release, cl_event *ret_event)
{
	const struct _cl_mem *mem = move->transfer.mem;
	const struct wire_image_rows rows = image_rows(mem, move->region);
	struct wire_image_transfer record = {
		.image = mem->id,
		.row_pitch = rows.row_bytes,
		.slice_pitch = wire_image_has_slices(mem->image->shape.type) ? rows.row_bytes * rows.rows : 0,
		.range = memory_wire_range(range),
	};
	struct command command = {
		.queue = move->transfer.queue,
		.opcode = move->write ? WIRE_IMAGE_WRITE : WIRE_IMAGE_READ,
		.wait_count = move->transfer.wait_count,
		.waits = move->transfer.waits,
		.body = &record.image,
		.body_bytes = sizeof(record) - offsetof(struct wire_image_transfer, image),
		.staging = release ? range : NULL,
		.mems = { move->transfer.mem },
	};

	memcpy(record.origin, move->origin, sizeof(record.origin));
	memcpy(record.region, move->region, sizeof(record.region));
	record.range.bytes = rows.row_bytes * rows.rows * rows.slices;
	return command_enqueue(&command, move->transfer.type, ret_event);
}

static void read_hook_run(struct hook *hook, bool ok)
{
	const struct wire_image_rows rows = { hook->row_bytes, hook->rows, hook->slices };
	const struct layout tight = layout_tight(&rows), host = { hook->row_pitch, hook->slice_pitch };

	if (ok)
		layout_copy(hook->destination, &host, hook->staging.address, &tight, &rows);
	memory_release(hook->event->context->session->memory, &hook->staging);
}

static cl_int read_staged(const struct image_move *move, const struct wire_image_rows *rows, struct memory_range *staging,
			  cl_event *ret_event)
{
	struct session *session = move->transfer.queue->context->session;
	struct hook *hook = calloc(1, sizeof(*hook));
	cl_int error = hook ? image_move_record(move, staging, false, &hook->event) : CL_OUT_OF_HOST_MEMORY;

	if (error) {
		memory_release(session->memory, staging);
		free(hook);
		return error;
	}
	hook->staging = *staging;
	hook->run = read_hook_run;
	hook->destination = move->host;
	hook->bytes = host_span(move, rows);
	hook->row_bytes = rows->row_bytes;
	hook->rows = rows->rows;
	hook->slices = rows->slices;
	hook->row_pitch = move->row_pitch;
	hook->slice_pitch = move->slice_pitch;
	if (move->transfer.type == CL_COMMAND_MAP_IMAGE) {	/* into its host_ptr, the application's again when the image ends */
		hook->mem = move->transfer.mem;
		object_retain(hook->mem);
	}
	if (ret_event) {
		*ret_event = hook->event;
		object_retain(hook->event);
	}
	hook_add(session, hook);
	return CL_SUCCESS;
}

/* All of it by one record: CL_MEM_OBJECT_ALLOCATION_FAILURE where there is no staging for that. ret_event may be NULL. */
static cl_int move_staged(const struct image_move *move, cl_event *ret_event)
{
	struct session *session = move->transfer.queue->context->session;
	const struct wire_image_rows rows = image_rows(move->transfer.mem, move->region);
	const struct layout tight = layout_tight(&rows), host = { move->row_pitch, move->slice_pitch };
	struct memory_range staging;
	int r = staging_alloc(session, rows.row_bytes * rows.rows * rows.slices, &staging);

	if (r < 0)
		return r == -ENOMEM ? CL_MEM_OBJECT_ALLOCATION_FAILURE : CL_DEVICE_NOT_AVAILABLE;
	if (!move->write)
		return read_staged(move, &rows, &staging, ret_event);
	transfer_await_reads(session, move->host, host_span(move, &rows));
	layout_copy(staging.address, &tight, move->host, &host, &rows);
	return image_move_record(move, &staging, true, ret_event);
}

/* The next piece of the region, from `at` in the region's own two upper dimensions. */
static struct image_move piece_of(const struct image_move *move, const size_t at[2], size_t piece_bytes)
{
	const struct wire_image_shape *shape = &move->transfer.mem->image->shape;
	const size_t row_bytes = move->region[0] * shape->pixel_bytes;
	const uint64_t ahead[3] = { 0, at[0], at[1] };
	const size_t fit = piece_bytes / row_bytes ? piece_bytes / row_bytes : 1;
	struct image_move piece = *move;

	piece.origin[1] += at[0];
	piece.origin[2] += at[1];
	piece.host += wire_image_at(shape, ahead, move->row_pitch, move->slice_pitch);
	piece.region[1] = move->region[1] - at[0] < fit ? move->region[1] - at[0] : fit;
	piece.region[2] = 1;
	if (piece.region[1] == move->region[1]) {	/* whole slices: as many as fit */
		const size_t slices = fit / move->region[1] ? fit / move->region[1] : 1;

		piece.region[2] = move->region[2] - at[1] < slices ? move->region[2] - at[1] : slices;
	}
	return piece;
}

/* Piece after piece, each waited for. Each has the waits, so what fails the first fails them all. The last one's event is the whole's. */
static cl_int move_pieces(const struct image_move *move, cl_event *ret_event)
{
	size_t at[2] = { 0, 0 }, piece_bytes = PIECE_BYTES;
	cl_event event = NULL;
	cl_int error = CL_SUCCESS;

	while (!error && at[1] < move->region[2]) {
		struct image_move piece = piece_of(move, at, piece_bytes);

		if (event)
			event_release(event);
		event = NULL;
		error = move_staged(&piece, &event);
		if (error == CL_MEM_OBJECT_ALLOCATION_FAILURE && piece_bytes > 4096) {
			piece_bytes /= 4;
			error = CL_SUCCESS;
			continue;
		}
		if (error)
			break;
		event_wait(event);
		error = event->status < 0 ? event->status : CL_SUCCESS;
		at[0] += piece.region[1];
		if (at[0] == move->region[1]) {
			at[0] = 0;
			at[1] += piece.region[2];
		}
	}
	if (!error && move->transfer.blocking)
		error = queue_refusal(move->transfer.queue);
	if (!error && ret_event)
		*ret_event = event;
	else if (event)
		event_release(event);
	return error;
}

/* ---- later, by the library's thread ---------------------------------------------------------------------- */

/* Through a queue for the purpose: the application's is held back. */
static cl_int deferred_move(void *data)
{
	struct image_move *move = data;
	struct _cl_context *context = move->transfer.mem->context;
	cl_int error;

	if (device_address(move)) {
		move_here(move);
		return CL_SUCCESS;
	}
	move->transfer.queue = vgpu_clCreateCommandQueueWithProperties(context, context->devices[0], NULL, &error);
	if (!move->transfer.queue)
		return error;
	error = move_pieces(move, NULL);
	queue_release(move->transfer.queue);
	return error;
}

static cl_int defer(const struct image_move *move, cl_event *ret_event)
{
	struct image_move *later = malloc(sizeof(*later));

	if (!later)
		return CL_OUT_OF_HOST_MEMORY;
	*later = *move;
	later->transfer.wait_count = 0;
	later->transfer.waits = NULL;
	later->transfer.blocking = CL_TRUE;
	return transfer_defer_call(&move->transfer, deferred_move, later, ret_event);
}

/* ---- a move --------------------------------------------------------------------------------------------- */

cl_int image_move_do(const struct image_move *move, cl_event *ret_event)
{
	const struct transfer *transfer = &move->transfer;
	struct session *session = transfer->queue->context->session;
	const struct wire_image_rows rows = image_rows(transfer->mem, move->region);
	const bool here = device_address(move);
	const bool at_once = here && transfer_settled(transfer);
	cl_int error = CL_SUCCESS;

	if (session_lost(session))
		return CL_DEVICE_NOT_AVAILABLE;
	if (move->write && !transfer->blocking && transfer_read_is_held(session, move->host, host_span(move, &rows)))
		return defer(move, ret_event);
	if (!transfer->blocking && !at_once) {
		error = move_staged(move, ret_event);
		if (error != CL_MEM_OBJECT_ALLOCATION_FAILURE)
			return error;
		if (command_would_be_held(transfer->queue, transfer->wait_count, transfer->waits))
			return defer(move, ret_event);
	}
	if (!here)
		return move_pieces(move, ret_event);
	/* Blocking, or there was no room for staging. */
	if (!at_once)
		error = transfer_settle(transfer);
	else if (transfer->blocking)
		error = queue_refusal(transfer->queue);
	if (error)
		return error;
	move_here(move);
	return command_done_here(transfer->queue, transfer->type, ret_event);
}

/* ---- the API ------------------------------------------------------------------------------------- */

/* OpenCL 3.0 §5.3.3: pitches of 0 are computed; what has no slices has no slice pitch. */
static cl_int move_enqueue(struct image_move *move, const size_t *origin, const size_t *region, size_t row_pitch, size_t slice_pitch,
			   cl_event *event)
{
	const struct transfer *transfer = &move->transfer;
	const cl_mem_flags forbidden = CL_MEM_HOST_NO_ACCESS | (move->write ? CL_MEM_HOST_READ_ONLY : CL_MEM_HOST_WRITE_ONLY);
	cl_int error = image_check(transfer->queue, transfer->mem, origin, region, transfer->wait_count, transfer->waits);
	uint64_t pitches[2] = { row_pitch, slice_pitch }, span;
	struct wire_image_rows rows;

	if (error)
		return error;
	if (!move->host)
		return CL_INVALID_VALUE;
	memcpy(move->origin, origin, sizeof(move->origin));
	memcpy(move->region, region, sizeof(move->region));
	rows = image_rows(transfer->mem, region);
	if (!wire_image_pitches(&transfer->mem->image->shape, &rows, &pitches[0], &pitches[1]) ||
	    !wire_image_span(&rows, pitches[0], pitches[1], &span))
		return CL_INVALID_VALUE;
	move->row_pitch = pitches[0];
	move->slice_pitch = pitches[1];
	if (transfer->mem->flags & forbidden)
		return CL_INVALID_OPERATION;
	if (transfer->blocking && waits_failed(transfer->wait_count, transfer->waits))
		return CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
	return image_move_do(move, event);
}

cl_int vgpu_clEnqueueReadImage(cl_command_queue queue, cl_mem image, cl_bool blocking_read, const size_t *origin,
			       const size_t *region, size_t row_pitch, size_t slice_pitch, void *ptr, cl_uint num_events_in_wait_list,
			       const cl_event *event_wait_list, cl_event *event)
{
	struct image_move move = { .transfer = { queue, image, 0, 0, blocking_read, num_events_in_wait_list, event_wait_list,
						 CL_COMMAND_READ_IMAGE },
				   .host = ptr };

	return move_enqueue(&move, origin, region, row_pitch, slice_pitch, event);
}

cl_int vgpu_clEnqueueWriteImage(cl_command_queue queue, cl_mem image, cl_bool blocking_write, const size_t *origin,
				const size_t *region, size_t input_row_pitch, size_t input_slice_pitch, const void *ptr,
				cl_uint num_events_in_wait_list, const cl_event *event_wait_list, cl_event *event)
{
	struct image_move move = { .transfer = { queue, image, 0, 0, blocking_write, num_events_in_wait_list, event_wait_list,
						 CL_COMMAND_WRITE_IMAGE },
				   .host = (uint8_t *)(uintptr_t)ptr, .write = true };

	return move_enqueue(&move, origin, region, input_row_pitch, input_slice_pitch, event);
}
