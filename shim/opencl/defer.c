/* SPDX-License-Identifier: MIT */
/*
 * Commands that the library's own thread does, and among them non-blocking transfers that this thread could not do without
 * waiting for a user event, which may be its own to set.
 *
 * Theory of operation. A marker takes the command's place in the queue; behind it a second one, whose event is the
 * application's, waits for a user event of ours, so whatever follows on the queue is held back with it. When the first is
 * over, the library's thread does what is to be done and sets the user event.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/buffer.h"
#include "shim/opencl/command.h"
#include "shim/opencl/event.h"

struct call {
	struct _cl_event *returned;	/* the user event, held */
	cl_int (*run)(void *data, cl_int status);
	void *data;
};

/* Its place in the queue has come. */
static void CL_CALLBACK call_run(cl_event place, cl_int status, void *data)
{
	struct call *call = data;

	(void)place;
	commands_user_event_set(call->returned, call->run(call->data, status));
	event_release(call->returned);
	free(call);
}

cl_int command_call(const struct transfer *transfer, cl_int (*run)(void *data, cl_int status), void *data, cl_event *ret_event)
{
	struct command command = { .queue = transfer->queue, .opcode = WIRE_MARKER, .wait_count = 1 };
	struct call *call = malloc(sizeof(*call));
	cl_event place = NULL, returned;
	cl_int error;

	returned = call ? event_create(transfer->queue->context, NULL, CL_COMMAND_USER) : NULL;
	if (!returned) {
		free(call);
		return CL_OUT_OF_HOST_MEMORY;
	}
	*call = (struct call){ returned, run, data };
	object_retain(returned);
	error = transfer_marker(transfer, NULL, &place);
	command.waits = &returned;
	if (!error)
		error = command_enqueue(&command, transfer->type, ret_event);
	if (!error)
		error = vgpu_clSetEventCallback(place, CL_COMPLETE, call_run, call);
	if (error) {		/* what stands in the queue already must not wait for ever */
		commands_user_event_set(returned, error);
		event_release(returned);
		free(call);
	}
	if (place)
		event_release(place);
	event_release(returned);
	return error;
}

struct deferred {
	struct _cl_mem *mem;		/* held */
	cl_int (*run)(void *data);
	void *data;			/* owned */
};

/* The rows of a buffer. */
struct rows_later {
	struct _cl_mem *mem;		/* held by the deferred */
	bool write;
	uint8_t *host;
	struct rows rows;
};

void rows_copy(uint8_t *destination, const struct side *to, const uint8_t *source, const struct side *from,
	       const size_t *region)
{
	for (size_t slice = 0; slice < region[2]; slice++)
		for (size_t row = 0; row < region[1]; row++)
			memcpy(destination + row_at(to, slice, row), source + row_at(from, slice, row), region[0]);
}

/* Through a queue for the purpose: the application's is held back. */
static cl_int rows_transfer(const struct rows_later *later)
{
	const struct rows *rows = &later->rows;
	struct _cl_context *context = later->mem->context;
	struct transfer transfer = { .mem = later->mem, .blocking = CL_TRUE, .bytes = rows->region[0],
				     .type = later->write ? CL_COMMAND_WRITE_BUFFER : CL_COMMAND_READ_BUFFER };
	cl_int error = CL_SUCCESS;

	transfer.queue = vgpu_clCreateCommandQueueWithProperties(context, context->devices[0], NULL, &error);
	for (size_t i = 0; !error && i < rows->region[1] * rows->region[2]; i++) {
		size_t slice = i / rows->region[1], row = i % rows->region[1];
		uint8_t *host = later->host + rows->host.offset + row_at(&rows->host, slice, row);

		transfer.offset = rows->device.offset + row_at(&rows->device, slice, row);
		error = later->write ? transfer_write(&transfer, host, NULL) : transfer_read(&transfer, host, NULL);
	}
	if (transfer.queue)
		queue_release(transfer.queue);
	return error;
}

static cl_int rows_move(void *data)
{
	const struct rows_later *later = data;
	const struct rows *rows = &later->rows;
	uint8_t *device = later->mem->ops->address(later->mem, rows->device.offset);
	uint8_t *host = later->host + rows->host.offset;

	if (!device)
		return rows_transfer(later);
	if (later->write)
		rows_copy(device, &rows->device, host, &rows->host, rows->region);
	else
		rows_copy(host, &rows->host, device, &rows->device, rows->region);
	return CL_SUCCESS;
}

static void deferred_free(struct deferred *deferred)
{
	mem_release(deferred->mem);
	free(deferred->data);
	free(deferred);
}

static cl_int deferred_run(void *data, cl_int status)
{
	struct deferred *deferred = data;

	if (status == CL_COMPLETE)
		status = deferred->run(deferred->data);
	deferred_free(deferred);
	return status;
}

cl_int transfer_defer(const struct transfer *transfer, bool write, void *host, const struct rows *rows, cl_event *ret_event)
{
	struct rows_later *later = malloc(sizeof(*later));

	if (!later)
		return CL_OUT_OF_HOST_MEMORY;
	*later = (struct rows_later){ transfer->mem, write, host, *rows };
	return transfer_defer_call(transfer, rows_move, later, ret_event);
}

cl_int transfer_defer_call(const struct transfer *transfer, cl_int (*run)(void *data), void *data, cl_event *ret_event)
{
	struct deferred *deferred = malloc(sizeof(*deferred));
	cl_int error;

	if (!deferred) {
		free(data);
		return CL_OUT_OF_HOST_MEMORY;
	}
	*deferred = (struct deferred){ transfer->mem, run, data };
	object_retain(transfer->mem);
	error = command_call(transfer, deferred_run, deferred, ret_event);
	if (error)
		deferred_free(deferred);
	return error;
}
