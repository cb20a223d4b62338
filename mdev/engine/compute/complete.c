/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation. One lock covers the FIFOs, the private slot table, the barriers and every store into the guest's
 * page that more than one thread makes. No OpenCL call that can run commands is made under it, only
 * queries and releases of events, so a driver's worker may take it from inside a native kernel.
 *
 * No completion is lost: a record is in a FIFO before its batch's end is arranged, and the strategy
 * publishes everything up to the batch's last sequence. No wake-up is lost: stores of the payload, a
 * seq_cst fence, then the exchange of wake_wanted, against the shim's store of wake_wanted and its
 * second look (wire.h, "Ordering").
 */
#include "mdev/engine/compute/complete.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mdev/engine/compute/complete_strategy.h"

struct complete_barrier {
	struct complete_barrier *next;
	uint64_t sequence;
	uint64_t unpin_blob_id;
	uint32_t slot;
	bool pinned;
};

int complete_init(struct complete *complete, const struct device *device, struct blobs *blobs, void *ring_blob,
		  int completion_fd, const struct lease_grant *grant, struct lease_status *status, const char *strategy_name, complete_idle_fn *idle,
		  void *idle_data)
{
	const struct complete_strategy *strategy = complete_strategy_choose(device, strategy_name);
	uint8_t *base = ring_blob;

	if (!strategy)
		return -EINVAL;
	struct complete_slot *slots = calloc(WIRE_SLOT_COUNT, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	*complete = (struct complete){
		.strategy = strategy,
		.device = device,
		.blobs = blobs,
		.shim_page = (struct wire_shim_page *)(void *)(base + WIRE_OFFSET_SHIM_PAGE),
		.engine_page = (struct wire_engine_page *)(void *)(base + WIRE_OFFSET_ENGINE_PAGE),
		.wire_slots = (struct wire_slot *)(void *)(base + WIRE_OFFSET_SLOTS),
		.grant = grant,
		.status = status,
		.completion_fd = completion_fd,
		.idle = idle,
		.idle_data = idle_data,
		.slots = slots,
	};
	pthread_mutex_init(&complete->lock, NULL);
	pthread_cond_init(&complete->changed, NULL);
	complete->barriers_end = &complete->barriers;
	return 0;
}

const char *complete_strategy_name(const struct complete *complete)
{
	return complete->strategy->name;
}

bool complete_is_synchronous(const struct complete *complete)
{
	return complete_strategy_is_synchronous(complete->strategy);
}

bool complete_wants_every_event(const struct complete *complete)
{
	return complete->strategy->every_event;
}

/* ---- publication -------------------------------------------------------------------------------- */

static void slot_store(struct complete *complete, uint32_t slot, const struct wire_slot *value)
{
	struct wire_slot *s = &complete->wire_slots[slot];

	s->status = value->status;
	s->value = value->value;
	s->queued_ns = value->queued_ns;
	s->submit_ns = value->submit_ns;
	s->start_ns = value->start_ns;
	s->end_ns = value->end_ns;
	__atomic_store_n(&s->sequence, value->sequence, __ATOMIC_RELEASE);	/* pairs with the shim's acquire load */
}

static void answer_locked(struct complete *complete, uint64_t sequence, uint32_t slot, int32_t status, uint32_t value)
{
	struct wire_slot published = {.sequence = sequence, .status = status, .value = value};

	if (slot == WIRE_NO_SLOT) {
		if (status < 0) {
			complete->engine_page->failed_status = status;
			__atomic_store_n(&complete->engine_page->failed, sequence, __ATOMIC_RELEASE);
		}
		return;
	}
	complete->slots[slot] = (struct complete_slot){.sequence = sequence, .status = status, .done = true};
	slot_store(complete, slot, &published);
}

static void wake(struct complete *complete)
{
	uint32_t *wanted = &complete->shim_page->wake_wanted;
	uint64_t one = 1;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);	/* pairs with the shim's store of wake_wanted and second look */
	if (__atomic_load_n(wanted, __ATOMIC_RELAXED) == WIRE_WAKE_NONE)
		return;
	switch (__atomic_exchange_n(wanted, WIRE_WAKE_NONE, __ATOMIC_SEQ_CST)) {
	case WIRE_WAKE_NONE:
		return;
	case WIRE_WAKE_FUTEX:
		/* In memory of the guest: whatever else sleeps there is the guest's own too. */
		syscall(SYS_futex, wanted, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		return;
	default:;
		ssize_t written = write(complete->completion_fd, &one, sizeof(one));
		(void)written;	/* full: the device is told already */
	}
}

/* The oldest sequence in flight, UINT64_MAX if none. */
static uint64_t oldest_locked(const struct complete *complete)
{
	uint64_t oldest = UINT64_MAX;

	for (const struct complete_queue *q = complete->queues; q; q = q->next)
		if (q->head != q->tail && q->fifo[q->head & (COMPLETE_DEPTH - 1)].sequence < oldest)
			oldest = q->fifo[q->head & (COMPLETE_DEPTH - 1)].sequence;
	return oldest;
}

/* Answers the barriers that are due, oldest first. Their blobs are unpinned before the answer, which may
 * call out with RELEASED; so the lock is dropped and taken again around that. */
static void fire_barriers_locked(struct complete *complete)
{
	while (complete->barriers && complete->barriers->sequence <= oldest_locked(complete)) {
		struct complete_barrier *b = complete->barriers;

		complete->barriers = b->next;
		if (!complete->barriers)
			complete->barriers_end = &complete->barriers;
		if (b->pinned) {
			pthread_mutex_unlock(&complete->lock);
			blobs_unpin(complete->blobs, b->unpin_blob_id);
			pthread_mutex_lock(&complete->lock);
		}
		answer_locked(complete, b->sequence, b->slot, CL_COMPLETE, 0);
		free(b);
	}
}

static void read_times(const struct complete_pending *p, struct wire_slot *slot)
{
	cl_ulong times[4];
	static const cl_profiling_info names[4] = {CL_PROFILING_COMMAND_QUEUED, CL_PROFILING_COMMAND_SUBMIT,
						   CL_PROFILING_COMMAND_START, CL_PROFILING_COMMAND_END};

	for (unsigned i = 0; i < 4; i++)
		if (clGetEventProfilingInfo(p->event, names[i], sizeof(times[i]), &times[i], NULL))
			return;
	/* Pieces began with the first of them. */
	for (unsigned i = 0; p->first && i < 3; i++)
		clGetEventProfilingInfo(p->first, names[i], sizeof(times[i]), &times[i], NULL);
	/* From taking the record on; the driver's own clock for the rest. */
	slot->queued_ns = p->taken_ns && p->taken_ns < times[1] ? p->taken_ns : times[0];
	slot->submit_ns = times[1];
	slot->start_ns = times[2];
	slot->end_ns = times[3];
}

static void publish_one_locked(struct complete_queue *queue, struct complete_pending *p)
{
	struct complete *complete = queue->complete;
	struct wire_slot slot = {.sequence = p->sequence, .status = p->status};
	cl_int state = CL_COMPLETE;

	if (p->event) {
		if (!clGetEventInfo(p->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(state), &state, NULL) && state < 0)
			slot.status = state;
		if (queue->profiling && slot.status == CL_COMPLETE)
			read_times(p, &slot);
	}
	if (p->slot != WIRE_NO_SLOT) {
		complete->slots[p->slot] =
			(struct complete_slot){.sequence = p->sequence, .status = slot.status, .done = true};
		slot_store(complete, p->slot, &slot);
	} else if (slot.status < 0) {
		answer_locked(complete, p->sequence, WIRE_NO_SLOT, slot.status, 0);
	}
	if (p->event)
		clReleaseEvent(p->event);
	if (p->first)
		clReleaseEvent(p->first);
	p->event = p->first = NULL;
	complete->published.is_mixed |= !p->kernel_id ||
					(complete->published.kernel_id && complete->published.kernel_id != p->kernel_id);
	complete->published.kernel_id = p->kernel_id;
	complete->published.has_split |= p->is_split;
}

static void count_locked(struct complete *complete, uint32_t queue_id, uint64_t sequence)
{
	if (sequence <= complete->counted[queue_id])
		return;
	complete->counted[queue_id] = sequence;
	__atomic_store_n(&complete->engine_page->queue_done[queue_id], sequence, __ATOMIC_RELEASE);
}

static uint32_t publish_until_locked(struct complete_queue *queue, uint64_t sequence);

/* The device is done with what `p` waited for. Terminates: what is waited for is older than who waits, and a queue whose
 * head is being published has nothing older. */
static uint32_t publish_awaited_locked(struct complete *complete, struct complete_pending *p)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < p->after_count; i++)
		for (struct complete_queue *q = complete->queues; q; q = q->next)
			if (q == p->after[i].queue)
				count += publish_until_locked(q, p->after[i].sequence);
	free(p->after);
	p->after = NULL;
	p->after_count = 0;
	return count;
}

/* How many records that were, other queues' included. */
static uint32_t publish_until_locked(struct complete_queue *queue, uint64_t sequence)
{
	uint32_t count = 0;
	uint64_t done = 0;

	while (queue->head != queue->tail && queue->fifo[queue->head & (COMPLETE_DEPTH - 1)].sequence <= sequence) {
		struct complete_pending *p = &queue->fifo[queue->head & (COMPLETE_DEPTH - 1)];

		if (p->after)
			count += publish_awaited_locked(queue->complete, p);
		done = p->sequence;
		publish_one_locked(queue, p);
		queue->head++;
		count++;
	}
	if (done)
		count_locked(queue->complete, queue->id, done);
	return count;
}

static uint64_t later_ns(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns > b_ns ? a_ns : b_ns;
}

/* `count` records were published, each sample_ns long on the mean. */
static void learn_locked(struct complete *complete, uint64_t sample_ns)
{
	uint64_t cost_ns = atomic_load_explicit(&complete->cost_ns, memory_order_relaxed);

	atomic_store_explicit(&complete->cost_ns, sample_ns > cost_ns ? sample_ns : cost_ns - cost_ns / 8 + sample_ns / 8,
			      memory_order_relaxed);
	/* A mean of several kernels is none's. Long ones come in batches of one (ring.c, pace). */
	if (!complete->published.is_mixed)
		prediction_observe(&complete->prediction, complete->published.kernel_id, sample_ns);
}

/* The lease's page names what the device is at: the oldest in flight. */
static void name_oldest_locked(struct complete *complete)
{
	const struct complete_pending *oldest = NULL;

	for (const struct complete_queue *q = complete->queues; q; q = q->next) {
		const struct complete_pending *p = &q->fifo[q->head & (COMPLETE_DEPTH - 1)];
		if (q->head != q->tail && (!oldest || p->sequence < oldest->sequence))
			oldest = p;
	}
	if (oldest)
		atomic_store_explicit(&complete->status->kernel_id, oldest->kernel_id, memory_order_relaxed);
}

void complete_publish(struct complete_queue *queue, uint64_t sequence)
{
	struct complete *complete = queue->complete;
	uint32_t count;
	bool idle = false;

	output_collect(complete->output);	/* before anything is shown complete that may have printed */
	pthread_mutex_lock(&complete->lock);
	if (output_is_open(complete->output))
		complete->engine_page->output_bytes = output_bytes(complete->output);
	complete->published.kernel_id = 0;
	complete->published.is_mixed = complete->published.has_split = false;
	count = publish_until_locked(queue, sequence);
	if (count) {
		uint64_t now_ns = clock_now_ns();
		/* While this process was frozen nothing cost anything. */
		uint64_t resumed_ns = atomic_load_explicit(&complete->grant->resumed_ns, memory_order_relaxed);
		uint64_t since_ns = later_ns(later_ns(complete->published_ns, complete->busy_since_ns), resumed_ns);
		if (since_ns > now_ns)
			since_ns = now_ns;

		if (!complete->published.has_split)
			learn_locked(complete, (now_ns - since_ns) / count);
		complete->published_ns = now_ns;
		complete->engine_page->host_now_ns = now_ns + (uint64_t)complete->device->time_offset_ns;
		atomic_store_explicit(&complete->status->heartbeat_ns, now_ns, memory_order_relaxed);
		idle = atomic_fetch_sub(&complete->outstanding, count) == count;
		if (idle) {
			uint64_t busy_since_ns = later_ns(complete->busy_since_ns, resumed_ns);
			atomic_fetch_add_explicit(&complete->status->busy_ns, now_ns > busy_since_ns ? now_ns - busy_since_ns : 0,
						  memory_order_relaxed);
			complete->busy_since_ns = 0;
		} else {
			name_oldest_locked(complete);
		}
		fire_barriers_locked(complete);
		pthread_cond_broadcast(&complete->changed);
	}
	pthread_mutex_unlock(&complete->lock);
	wake(complete);
	if (idle && complete->idle)
		complete->idle(complete->idle_data);
}

/* ---- the ring thread's side ----------------------------------------------------------------------- */

void complete_answer(struct complete *complete, uint64_t sequence, uint32_t slot, int32_t status, uint32_t value)
{
	pthread_mutex_lock(&complete->lock);
	answer_locked(complete, sequence, slot, status, value);
	pthread_mutex_unlock(&complete->lock);
	complete->wake_due = true;
}

void complete_refuse(struct complete *complete, uint64_t sequence, int32_t status)
{
	complete_answer(complete, sequence, WIRE_NO_SLOT, status, 0);
}

void complete_count(struct complete *complete, uint32_t queue_id, uint64_t sequence)
{
	pthread_mutex_lock(&complete->lock);
	count_locked(complete, queue_id, sequence);
	pthread_mutex_unlock(&complete->lock);
	complete->wake_due = true;
}

int complete_queue_create(struct complete *complete, uint32_t id, cl_device_id sub_device, bool profiling, uint64_t sequence,
			  struct complete_queue **ret_queue)
{
	const cl_queue_properties properties[] = {CL_QUEUE_PROPERTIES, profiling ? CL_QUEUE_PROFILING_ENABLE : 0, 0};
	struct complete_queue *queue = calloc(1, sizeof(*queue));
	cl_int error = CL_OUT_OF_HOST_MEMORY;

	if (!queue)
		return error;
	queue->fifo = calloc(COMPLETE_DEPTH, sizeof(*queue->fifo));
	if (!queue->fifo)
		goto free_queue;
	queue->complete = complete;
	queue->id = id;
	queue->profiling = profiling;
	queue->pushed_sequence = sequence;
	queue->cl = clCreateCommandQueueWithProperties(complete->device->context,
						       sub_device ? sub_device : complete->device->id, properties, &error);
	if (!queue->cl)
		goto free_fifo;
	error = complete->strategy->queue_init ? complete->strategy->queue_init(queue) : 0;
	if (error)
		goto release_cl;
	pthread_mutex_lock(&complete->lock);
	queue->next = complete->queues;
	complete->queues = queue;
	count_locked(complete, id, sequence);
	pthread_mutex_unlock(&complete->lock);
	*ret_queue = queue;
	return 0;

release_cl:
	clReleaseCommandQueue(queue->cl);
free_fifo:
	free(queue->fifo);
free_queue:
	free(queue);
	return error;
}

void complete_queue_detach(struct complete_queue *queue)
{
	struct complete *complete = queue->complete;

	if (queue->batch_count) {
		queue->batch_count = 0;
		complete->strategy->batch_end(queue);
	}
	pthread_mutex_lock(&complete->lock);
	queue->detached = true;
	pthread_mutex_unlock(&complete->lock);
}

void complete_reap(struct complete *complete)
{
	for (;;) {
		struct complete_queue *found = NULL;

		pthread_mutex_lock(&complete->lock);
		for (struct complete_queue **at = &complete->queues; *at; at = &(*at)->next) {
			if ((*at)->detached && (*at)->head == (*at)->tail) {
				found = *at;
				*at = found->next;
				break;
			}
		}
		pthread_mutex_unlock(&complete->lock);
		if (!found)
			return;
		if (complete->strategy->queue_finish)
			complete->strategy->queue_finish(found);
		clFinish(found->cl);	/* a native kernel that published may still be returning */
		clReleaseCommandQueue(found->cl);
		free(found->fifo);
		free(found);
	}
}

void complete_begin(struct complete *complete)
{
	if (atomic_load_explicit(&complete->outstanding, memory_order_relaxed))
		return;
	pthread_mutex_lock(&complete->lock);
	if (!complete->busy_since_ns)
		complete->busy_since_ns = clock_now_ns();
	pthread_mutex_unlock(&complete->lock);
}

void complete_rest(struct complete *complete)
{
	pthread_mutex_lock(&complete->lock);
	if (complete->busy_since_ns && !atomic_load(&complete->outstanding)) {
		uint64_t now_ns = clock_now_ns();
		uint64_t since_ns = later_ns(complete->busy_since_ns,
					     atomic_load_explicit(&complete->grant->resumed_ns, memory_order_relaxed));
		atomic_fetch_add_explicit(&complete->status->busy_ns, now_ns > since_ns ? now_ns - since_ns : 0, memory_order_relaxed);
		complete->busy_since_ns = 0;
	}
	pthread_mutex_unlock(&complete->lock);
}

uint64_t complete_expect(struct complete *complete, uint64_t kernel_id)
{
	pthread_mutex_lock(&complete->lock);
	uint64_t expected_ns = prediction_of(&complete->prediction, kernel_id);
	pthread_mutex_unlock(&complete->lock);
	return expected_ns;
}

void complete_push(struct complete_queue *queue, const struct complete_pending *pending)
{
	struct complete *complete = queue->complete;

	pthread_mutex_lock(&complete->lock);
	while (queue->tail - queue->head == COMPLETE_DEPTH) {
		pthread_mutex_unlock(&complete->lock);
		complete_drain(complete);
		pthread_mutex_lock(&complete->lock);
	}
	if (!complete->busy_since_ns)
		complete->busy_since_ns = clock_now_ns();
	queue->fifo[queue->tail++ & (COMPLETE_DEPTH - 1)] = *pending;
	if (pending->slot != WIRE_NO_SLOT)
		complete->slots[pending->slot] = (struct complete_slot){
			.sequence = pending->sequence, .status = pending->status, .queue = queue, .event = pending->event};
	atomic_fetch_add(&complete->outstanding, 1);
	pthread_mutex_unlock(&complete->lock);
	queue->pushed_sequence = pending->sequence;
	queue->batch_count++;
}

void complete_batch_end(struct complete *complete)
{
	/* Only this thread changes the list, so it may be walked without the lock. */
	for (struct complete_queue *q = complete->queues; q; q = q->next) {
		if (!q->batch_count)
			continue;
		q->batch_count = 0;
		complete->strategy->batch_end(q);
		if (complete_is_synchronous(complete))
			complete->wake_due = false;	/* that publication woke for the answers before it too */
	}
	if (complete->wake_due) {
		complete->wake_due = false;
		wake(complete);
	}
}

void complete_wait_below(struct complete *complete, uint32_t count)
{
	complete_batch_end(complete);
	pthread_mutex_lock(&complete->lock);
	while (atomic_load(&complete->outstanding) > count)
		pthread_cond_wait(&complete->changed, &complete->lock);
	pthread_mutex_unlock(&complete->lock);
}

void complete_drain(struct complete *complete)
{
	complete_wait_below(complete, 0);
}

int complete_barrier(struct complete *complete, uint64_t sequence, uint32_t slot, uint64_t unpin_blob_id)
{
	struct complete_barrier *b;

	if (slot == WIRE_NO_SLOT && !unpin_blob_id)
		return 0;
	b = malloc(sizeof(*b));
	if (!b)
		return -ENOMEM;
	*b = (struct complete_barrier){
		.sequence = sequence, .slot = slot, .unpin_blob_id = unpin_blob_id, .pinned = unpin_blob_id != 0};
	pthread_mutex_lock(&complete->lock);
	*complete->barriers_end = b;
	complete->barriers_end = &b->next;
	fire_barriers_locked(complete);
	pthread_mutex_unlock(&complete->lock);
	complete->wake_due = true;
	return 0;
}

cl_event complete_event_of(struct complete *complete, const struct wire_wait *wait, const struct complete_queue *queue,
			   bool *ret_failed, struct complete_after *ret_after)
{
	struct complete_queue *other = NULL;
	cl_event event = NULL;

	pthread_mutex_lock(&complete->lock);
	const struct complete_slot *s = &complete->slots[wait->slot];
	if (s->sequence == wait->sequence) {
		if (s->status < 0) {
			*ret_failed = true;
		} else if (!s->done) {
			/* Of the same queue the order is there anyway; the event is for the driver to fail what waits for a failure. */
			if (s->queue != queue)
				other = s->queue;
			if (s->event) {
				event = s->event;
				clRetainEvent(event);
			}
		}
	}
	pthread_mutex_unlock(&complete->lock);
	*ret_after = (struct complete_after){other, wait->sequence};
	/* A record without a command of its own (a marker) is done when what is before it on its queue is. The
	 * queue cannot go meanwhile: only this thread reaps. */
	if (other && !event && clEnqueueMarkerWithWaitList(other->cl, 0, NULL, &event))
		clFinish(other->cl);
	if (other)
		clFlush(other->cl);
	return event;
}

void complete_finish(struct complete *complete)
{
	for (struct complete_queue *q = complete->queues; q; q = q->next)
		q->detached = true;
	complete_reap(complete);
	pthread_cond_destroy(&complete->changed);
	pthread_mutex_destroy(&complete->lock);
	free(complete->slots);
}
