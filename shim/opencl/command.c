/* SPDX-License-Identifier: MIT */
/*
 * Writes queue records.
 *
 * Theory of operation. A record may only name earlier records to wait for. A command that waits for a user event, or for
 * the event of such a command, or follows one on its (in-order) queue, is therefore held here as a copy, in its
 * queue's list, and written when nothing in its way is unwritten any more. While no user event is in
 * use, held_count is 0 and none of this is looked at.
 */
#include "shim/opencl/command.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim/opencl/buffer.h"
#include "shim/opencl/event.h"

struct command_held {
	struct command_held *next;
	struct command command;		/* pointers into this allocation; holds queue, event and waits */
	struct memory_range staging;
	struct _cl_mem **mems;		/* held; so is command.kernel */
	uint32_t mem_count;
	struct _cl_sampler **samplers;	/* held */
	uint32_t sampler_count;
	cl_event waits[];
};

bool waits_failed(cl_uint count, const cl_event *waits)
{
	for (cl_uint i = 0; i < count; i++) {
		struct _cl_event *event = waits[i];

		if (__atomic_load_n(&event->over, __ATOMIC_ACQUIRE)) {
			if (event->status < 0)
				return true;
		} else if (__atomic_load_n(&event->written, __ATOMIC_ACQUIRE) &&
			   ring_poll(event->context->session->ring, &event->completion) &&
			   event->completion.status < 0) {
			return true;
		}
	}
	return false;
}

bool waits_over(cl_uint count, const cl_event *waits)
{
	for (cl_uint i = 0; i < count; i++)
		if (!event_done(waits[i]))
			return false;
	return true;
}

static bool waits_written(cl_uint count, const cl_event *waits)
{
	for (cl_uint i = 0; i < count; i++)
		if (!__atomic_load_n(&waits[i]->written, __ATOMIC_ACQUIRE) &&
		    !__atomic_load_n(&waits[i]->over, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

/* Appends the record's completion, unless it is over. False: it has failed. */
static bool wait_add(struct ring *ring, struct ring_completion *completion, struct wire_wait *waits, uint32_t *count)
{
	uint32_t slot = __atomic_load_n(&completion->slot, __ATOMIC_RELAXED);

	if (ring_poll(ring, completion))
		return completion->status >= 0;
	/* Not over, so the slot was still its own when it was read. */
	waits[(*count)++] = (struct wire_wait){ .sequence = completion->sequence, .slot = slot };
	return true;
}

/*
 * Those of the list that the engine must know of: all that are not over. One of the same queue is over in time by itself,
 * but the engine alone knows whether it went well (OpenCL 3.0 §5.11: a failed one fails who waits for it).
 * Appends to waits and advances *at. False: one of them has failed already.
 */
static bool waits_collect(const struct command *command, cl_uint *at, struct wire_wait *waits, uint32_t *count)
{
	struct ring *ring = command->queue->context->session->ring;

	while (*at < command->wait_count && *count < WIRE_WAIT_MAX) {
		struct _cl_event *event = command->waits[(*at)++];
		bool well = __atomic_load_n(&event->over, __ATOMIC_ACQUIRE) ? event->status >= 0 :
			    wait_add(ring, &event->completion, waits, count);

		if (!well)
			return false;
	}
	return true;
}

/* The command itself, or without `whole` a marker ahead of it. */
static cl_int record_write(const struct command *command, const struct wire_wait *waits, uint32_t wait_count, bool whole,
			   struct ring_completion *completion)
{
	struct _cl_command_queue *queue = command->queue;
	struct ring *ring = queue->context->session->ring;
	size_t body_bytes = whole ? command->body_bytes : 0, tail_bytes = whole ? command->tail_bytes : 0;
	size_t bytes = sizeof(struct wire_queued) + body_bytes + wait_count * sizeof(*waits) + tail_bytes;
	struct wire_queued *record;
	uint8_t *at;

	if (bytes > WIRE_RECORD_MAX_BYTES)	/* arguments that are too much together */
		return CL_OUT_OF_RESOURCES;
	record = ring_begin(ring, whole ? command->opcode : WIRE_MARKER, bytes, completion);
	at = (uint8_t *)(record + 1);
	if (!record)
		return CL_DEVICE_NOT_AVAILABLE;
	record->queue = queue->id;
	record->wait_count = wait_count;
	record->reserved = 0;
	if (body_bytes)
		memcpy(at, command->body, body_bytes);
	if (wait_count)
		memcpy(at + body_bytes, waits, wait_count * sizeof(*waits));
	if (tail_bytes)
		memcpy(at + body_bytes + wait_count * sizeof(*waits), command->tail, tail_bytes);
	__atomic_store_n(&queue->last_sequence, ring_sequence_locked(ring), __ATOMIC_RELAXED);
	if (whole && command->event)
		__atomic_store_n(&command->event->written, 1, __ATOMIC_RELEASE);
	ring_commit(ring);
	return CL_SUCCESS;
}

static cl_int whole_write(const struct command *command, const struct wire_wait *waits, uint32_t wait_count)
{
	return record_write(command, waits, wait_count, true, command->event ? &command->event->completion : NULL);
}

/*
 * Long lists go ahead in markers, each waited for by the next and the last one by the command: what failed in the list
 * fails the whole chain. A marker's slot is let go of only when the record that names it has been written, so that
 * no record in between can have it.
 */
static cl_int command_write_waiting(const struct command *command)
{
	struct ring *ring = command->queue->context->session->ring;
	struct ring_completion markers[2] = { { .slot = WIRE_NO_SLOT }, { .slot = WIRE_NO_SLOT } };
	struct wire_wait waits[WIRE_WAIT_MAX];
	uint32_t count = 0;
	cl_uint at = 0;
	cl_int error = CL_SUCCESS;
	bool well = waits_collect(command, &at, waits, &count);

	for (uint32_t i = 0; !error && well && at < command->wait_count; i++) {
		struct ring_completion *marker = &markers[i % 2];

		ring_forget(ring, marker);
		*marker = (struct ring_completion){ .slot = WIRE_NO_SLOT };
		error = record_write(command, waits, count, false, marker);
		count = 0;
		well = !error && wait_add(ring, marker, waits, &count) && waits_collect(command, &at, waits, &count);
	}
	if (!error)
		error = well ? whole_write(command, waits, count) : CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST;
	for (int i = 0; i < 2; i++)
		ring_forget(ring, &markers[i]);
	return error;
}

static cl_int command_write(const struct command *command)
{
	cl_int error = command->wait_count ? command_write_waiting(command) : whole_write(command, NULL, 0);

	if (error == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST) {
		if (command->event)
			event_finish_here(command->event, error, false);
		error = CL_SUCCESS;
	}
	/* Also where nothing was written: what came before on the queue may still use it. */
	if (command->staging)
		queue_staging_return(command->queue, command->staging);
	return error;
}

/* ---- held commands ---------------------------------------------------------------------------- */

/* What the command uses must live until it is written, as it would if it were under way. */
static void held_keep(struct command_held *held)
{
	const struct _cl_kernel *kernel = held->command.kernel;

	for (int i = 0; i < 2; i++)
		if (held->command.mems[i])
			held->mems[held->mem_count++] = held->command.mems[i];
	for (uint32_t i = 0; kernel && i < kernel->info->wire.arg_count; i++)
		if (object_is(kernel->argument_mem[i], OBJECT_MEM))
			held->mems[held->mem_count++] = kernel->argument_mem[i];
	for (uint32_t i = 0; kernel && i < kernel->info->wire.arg_count; i++)
		if (object_is(kernel->argument_sampler[i], OBJECT_SAMPLER))
			held->samplers[held->sampler_count++] = kernel->argument_sampler[i];
	for (uint32_t i = 0; i < held->mem_count; i++)
		object_retain(held->mems[i]);
	for (uint32_t i = 0; i < held->sampler_count; i++)
		object_retain(held->samplers[i]);
	if (kernel)
		object_retain(held->command.kernel);
}

static void held_free(struct command_held *held)
{
	for (cl_uint i = 0; i < held->command.wait_count; i++)
		event_release(held->waits[i]);
	for (uint32_t i = 0; i < held->mem_count; i++)
		mem_release(held->mems[i]);
	for (uint32_t i = 0; i < held->sampler_count; i++)
		sampler_release(held->samplers[i]);
	if (held->command.kernel)
		kernel_release(held->command.kernel);
	if (held->command.event)
		event_release(held->command.event);
	queue_release(held->command.queue);
	free(held);
}

static cl_int held_add_locked(struct session *session, const struct command *command)
{
	struct _cl_command_queue *queue = command->queue;
	uint32_t sampler_room = command->kernel ? command->kernel->info->wire.arg_count : 0, mem_room = 2 + sampler_room;
	struct command_held *held = calloc(1, sizeof(*held) + command->wait_count * sizeof(cl_event) +
					   mem_room * sizeof(*held->mems) + sampler_room * sizeof(*held->samplers) + command->body_bytes + command->tail_bytes);
	uint8_t *bytes;

	if (!held)
		return CL_OUT_OF_HOST_MEMORY;
	held->mems = (void *)(held->waits + command->wait_count);
	held->samplers = (void *)(held->mems + mem_room);
	bytes = (uint8_t *)(held->samplers + sampler_room);
	held->command = *command;
	held->command.waits = held->waits;
	for (cl_uint i = 0; i < command->wait_count; i++) {
		held->waits[i] = command->waits[i];
		object_retain(command->waits[i]);
	}
	if (command->body_bytes)
		held->command.body = memcpy(bytes, command->body, command->body_bytes);
	if (command->tail_bytes)
		held->command.tail = memcpy(bytes + command->body_bytes, command->tail, command->tail_bytes);
	if (command->staging) {
		held->staging = *command->staging;
		command->staging->slab = NULL;
		held->command.staging = &held->staging;
	}
	held_keep(held);
	object_retain(queue);
	if (command->event)
		object_retain(command->event);
	if (!queue->held) {
		queue->held_end = &queue->held;
		queue->held_next = session->held_queues;
		session->held_queues = queue;
	}
	*queue->held_end = held;
	queue->held_end = &held->next;
	__atomic_fetch_add(&session->held_count, 1, __ATOMIC_RELEASE);
	return CL_SUCCESS;
}

/* Writes the queue's commands that nothing holds any more. Moves them to *gone. */
static bool queue_advance_locked(struct session *session, struct _cl_command_queue *queue, struct command_held **gone)
{
	struct command_held *held;
	bool moved = false;

	while ((held = queue->held) && (waits_written(held->command.wait_count, held->waits) || session_lost(session))) {
		cl_int error = session_lost(session) ? CL_DEVICE_NOT_AVAILABLE : command_write(&held->command);

		if (error && held->command.event)
			event_finish_here(held->command.event, error, false);
		queue->held = held->next;
		held->next = *gone;
		*gone = held;
		__atomic_fetch_sub(&session->held_count, 1, __ATOMIC_RELEASE);
		moved = true;
	}
	return moved;
}

static void held_advance(struct session *session)
{
	struct command_held *gone = NULL, *held;
	bool moved;

	pthread_mutex_lock(&session->held_lock);
	do {
		moved = false;
		for (struct _cl_command_queue **link = &session->held_queues, *queue; (queue = *link);) {
			moved |= queue_advance_locked(session, queue, &gone);
			if (!queue->held)
				*link = queue->held_next;
			else
				link = &queue->held_next;
		}
	} while (moved);
	pthread_cond_broadcast(&session->held_moved);
	pthread_mutex_unlock(&session->held_lock);
	ring_flush(session->ring);
	ring_waits_wake_all(session->ring);
	while ((held = gone)) {
		gone = held->next;
		held_free(held);
	}
}

bool commands_user_event_set(struct _cl_event *event, cl_int status)
{
	struct session *session = event->context->session;
	bool first;

	pthread_mutex_lock(&session->held_lock);
	first = !event->over;
	if (first)
		event_finish_here(event, status, false);
	pthread_mutex_unlock(&session->held_lock);
	if (first)
		held_advance(session);
	return first;
}

void commands_held_wait(struct session *session, struct _cl_event *event)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 100000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_mutex_lock(&session->held_lock);
	if (!event || !(__atomic_load_n(&event->written, __ATOMIC_ACQUIRE) ||
			__atomic_load_n(&event->over, __ATOMIC_ACQUIRE)))
		pthread_cond_timedwait(&session->held_moved, &session->held_lock, &until);
	pthread_mutex_unlock(&session->held_lock);
	if (session_lost(session))
		held_advance(session);
}

bool command_would_be_held(const struct _cl_command_queue *queue, cl_uint wait_count, const cl_event *waits)
{
	struct session *session = queue->context->session;
	bool held;

	if (!__atomic_load_n(&session->held_count, __ATOMIC_ACQUIRE))
		return !waits_written(wait_count, waits);
	pthread_mutex_lock(&session->held_lock);
	held = queue->held || !waits_written(wait_count, waits);
	pthread_mutex_unlock(&session->held_lock);
	return held;
}

cl_int command_submit(const struct command *command)
{
	struct session *session = command->queue->context->session;
	cl_int error = CL_SUCCESS;
	bool held = false;

	if (__atomic_load_n(&session->held_count, __ATOMIC_ACQUIRE) ||
	    (command->wait_count && !waits_written(command->wait_count, command->waits))) {
		pthread_mutex_lock(&session->held_lock);
		held = command->queue->held || !waits_written(command->wait_count, command->waits);
		if (held)
			error = held_add_locked(session, command);
		pthread_mutex_unlock(&session->held_lock);
	}
	/* Where there is no memory to hold it, its staging stays taken: a command held before it may still be to use it. */
	return held ? error : command_write(command);
}

cl_int command_enqueue(struct command *command, cl_command_type type, cl_event *ret_event)
{
	cl_int error;

	if (ret_event) {
		command->event = event_create(command->queue->context, command->queue, type);
		if (!command->event) {
			if (command->staging)
				queue_staging_return(command->queue, command->staging);
			return CL_OUT_OF_HOST_MEMORY;
		}
	}
	error = command_submit(command);
	if (ret_event && error)
		event_release(command->event);
	else if (ret_event)
		*ret_event = command->event;
	return error;
}

cl_int command_done_here(struct _cl_command_queue *queue, cl_command_type type, cl_event *ret_event)
{
	struct _cl_event *event;

	if (!ret_event)
		return CL_SUCCESS;
	event = event_create(queue->context, queue, type);
	if (!event)
		return CL_OUT_OF_HOST_MEMORY;
	event_finish_here(event, CL_COMPLETE, true);
	*ret_event = event;
	return CL_SUCCESS;
}
