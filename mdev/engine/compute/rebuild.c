/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/rebuild.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mdev/engine/compute/output.h"
#include "mdev/log/log.h"

bool rebuild_is_possible(struct executor *x)
{
	struct complete *complete = x->complete;

	/* What the device's own memory holds is in no record, nor what kernels have printed and nobody fetched. */
	if (!records_are_whole(x->records) || x->objects->charged_bytes || output_is_open(complete->output))
		return false;
	pthread_mutex_lock(&complete->lock);
	bool quiet = !complete->barriers && !atomic_load(&complete->outstanding);
	for (const struct complete_queue *q = complete->queues; q; q = q->next)
		quiet &= q->head == q->tail && !q->detached;
	pthread_mutex_unlock(&complete->lock);
	return quiet && !blobs_any_dying(x->blobs);
}

bool rebuild_save(struct executor *x, const struct rebuild_place *place, void *memory, size_t bytes)
{
	struct complete *complete = x->complete;
	struct checkpoint_state state = {.head = place->head, .sequence = place->sequence};
	struct checkpoint_writer writer;

	if (!rebuild_is_possible(x))
		return false;
	checkpoint_begin(&writer, memory, bytes);
	records_write(x->records, &writer);
	pthread_mutex_lock(&complete->lock);
	for (uint32_t i = 0; i < WIRE_SLOT_COUNT; i++)
		if (complete->slots[i].done && complete->slots[i].status < 0)
			checkpoint_put_slot(&writer, complete->slots[i].sequence, i, complete->slots[i].status);
	memcpy(state.counted, complete->counted, sizeof(state.counted));
	pthread_mutex_unlock(&complete->lock);
	for (uint32_t i = 0; i < WIRE_QUEUE_COUNT; i++)
		state.refused[i] = x->refused[i];
	state.clock_now_ns = clock_now_ns();
	state.device_now_ns = complete_now_ns(complete);
	return checkpoint_commit(&writer, &state);
}

/* ---- making it again ------------------------------------------------------------------------------- */

struct load {
	struct executor *executor;
	const struct parse_limits *limits;
	const struct checkpoint_state *state;
	struct parsed parsed;
	char *why;
};

static int make_program(struct load *load, const struct wire_header *record)
{
	const struct checkpoint_program *program;
	const void *source, *options;

	if (!checkpoint_program_text(record, &program, &source, &options) || !program->program || program->program >= WIRE_OBJECT_MAX ||
	    load->executor->objects->programs[program->program]) {
		snprintf(load->why, 256, "a program's lengths or id make no sense");
		return -EBADMSG;
	}
	int error = execute_program(load->executor, program->program, source, program->source_bytes, options, program->options_bytes);
	if (!error)
		return 0;
	snprintf(load->why, 256, "program %u cannot be made again (error %d)", program->program, error);
	return -EIO;
}

static int make(struct load *load, const struct wire_header *record)
{
	struct parsed *p = &load->parsed;
	int error = parse_record(record, record->bytes, load->limits, p);

	if (error && p->opcode != WIRE_BUFFER_CREATE) {
		snprintf(load->why, 256, "a record of kind %u makes no sense (error %d)", record->opcode, error);
		return -EBADMSG;
	}
	p->slot = WIRE_NO_SLOT;
	if (!error && p->opcode == WIRE_QUEUE_CREATE)
		p->sequence = load->state->counted[p->queue_create.queue];
	if (!error)
		error = execute_object(load->executor, p);
	if (error && p->opcode == WIRE_BUFFER_CREATE) {
		log_debug("a buffer is not made again (error %d): its blob is gone", error);
		return 0;
	}
	if (error)
		snprintf(load->why, 256, "an object of kind %u cannot be made again (error %d)", record->opcode, error);
	return error ? -EIO : 0;
}

static int make_all(struct load *load, const struct checkpoint *checkpoint)
{
	struct checkpoint_reader reader = checkpoint_records(checkpoint);
	const struct wire_header *record;
	bool damaged = false;
	int r = 0;

	while (!r && (record = checkpoint_next(&reader, &damaged))) {
		switch (record->opcode) {
		case WIRE_PROGRAM_BUILD:
			r = make_program(load, record);
			break;
		case WIRE_QUEUE_CREATE:
		case WIRE_BUFFER_CREATE:
		case WIRE_KERNEL_CREATE:
		case WIRE_PROGRAM_DESTROY:
			r = make(load, record);
			break;
		default:
			snprintf(load->why, 256, "a record of kind %u has no place in a checkpoint", record->opcode);
			r = -EBADMSG;
		}
	}
	if (damaged) {
		snprintf(load->why, 256, "a record's length makes no sense");
		r = -EBADMSG;
	}
	return r;
}

static void restore_counts(struct executor *x, const struct checkpoint *checkpoint)
{
	const struct checkpoint_slot *slots = checkpoint_slots(checkpoint);
	struct complete *complete = x->complete;

	pthread_mutex_lock(&complete->lock);
	memcpy(complete->counted, checkpoint->state.counted, sizeof(complete->counted));
	for (uint32_t i = 0; i < checkpoint->slot_count; i++)
		if (slots[i].slot < WIRE_SLOT_COUNT && slots[i].status < 0)
			complete->slots[slots[i].slot] = (struct complete_slot){
				.sequence = slots[i].sequence, .status = slots[i].status, .done = true};
	pthread_mutex_unlock(&complete->lock);
	for (uint32_t i = 0; i < WIRE_QUEUE_COUNT; i++)
		x->refused[i] = (uint16_t)checkpoint->state.refused[i];
}

/* A driver whose clock began anew with this process: what it says is put behind what has been published. */
static void restore_clock(struct complete *complete, const struct checkpoint_state *state)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t since_ns = now_ns > state->clock_now_ns ? now_ns - state->clock_now_ns : 0;
	uint64_t device_ns = complete_now_ns(complete);

	if (device_ns < state->device_now_ns)
		complete->time_shift_ns = state->device_now_ns + since_ns - device_ns;
}

/* No more of the file is touched than there is of it: what is touched takes memory. */
static int copy_checked(const void *memory, size_t bytes, struct checkpoint **ret_copy)
{
	struct checkpoint head;

	if (bytes < sizeof(head))
		return -ENODATA;
	memcpy(&head, memory, sizeof(head));
	uint64_t whole = head.magic == CHECKPOINT_MAGIC ? checkpoint_bytes(&head) : sizeof(head);
	if (whole > bytes)
		return -EBADMSG;
	struct checkpoint *copy = malloc(whole);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, memory, whole);
	int r = checkpoint_check(copy, whole);
	if (r)
		free(copy);
	else
		*ret_copy = copy;
	return r;
}

int rebuild_load(struct executor *x, const struct parse_limits *limits, const void *memory, size_t bytes,
		 struct rebuild_place *ret_place, char why[256])
{
	struct checkpoint *copy = NULL;
	int r = copy_checked(memory, bytes, &copy);

	if (r)
		snprintf(why, 256, "%s", r == -ENODATA ? "there is none" : r == -EPROTO ? "it is of another build" :
				 r == -ENOMEM ? "out of memory" : "it is damaged");
	if (!r) {
		struct load load = {.executor = x, .limits = limits, .state = &copy->state, .why = why};
		restore_counts(x, copy);
		restore_clock(x->complete, &copy->state);
		r = make_all(&load, copy);
	}
	if (!r)
		*ret_place = (struct rebuild_place){copy->state.head, copy->state.sequence};
	free(copy);
	return r;
}
