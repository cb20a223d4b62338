/* SPDX-License-Identifier: MIT */
#include "shim/transport/direct/queue.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <time.h>

/* available: flags, index, ring, used_event; used: flags, index, ring, avail_event (virtio 1.3 §2.7.6, §2.7.8). */
#define AVAILABLE_BYTES(size) (6u + 2u * (size))
#define USED_BYTES(size) (6u + 8u * (size))

static struct vring_avail *available_ring(struct queue *queue)
{
	return queue->available.memory;
}

static struct vring_used *used_ring(struct queue *queue)
{
	return queue->used.memory;
}

/* The descriptors of a slot are written once per use; the head is the slot's for good. */
static uint16_t slot_head(const struct queue *queue, unsigned slot)
{
	return (uint16_t)(queue->indirect ? slot : 2 * slot);
}

static int init_slots(struct queue *queue, struct arena *arena)
{
	for (unsigned i = 0; i < queue->slot_count; i++) {
		struct queue_slot *slot = &queue->slot[i];
		int err = arena_take(arena, QUEUE_OUT_BYTES, 64, &slot->out);

		if (!err)
			err = arena_take(arena, QUEUE_IN_BYTES, 64, &slot->in);
		if (!err)
			err = arena_take(arena, 2 * sizeof(struct vring_desc), 16, &slot->table);
		if (err)
			return err;
		slot->request = NULL;
		queue->free_slot[i] = (uint16_t)(queue->slot_count - 1 - i);
	}
	queue->free_count = queue->slot_count;
	return 0;
}

int queue_init(struct queue *queue, struct virtio_device *device, uint16_t index, uint16_t vector, bool indirect,
	       struct arena *arena)
{
	pthread_condattr_t monotonic;
	uint16_t size;
	int err = virtio_queue_size_max(device, index, &size);

	if (err)
		return err;
	if (size > QUEUE_SIZE_MAX)
		size = QUEUE_SIZE_MAX;
	if (size < 2 * QUEUE_BATCH_MAX || (size & (size - 1)))
		return -EPROTO;
	*queue = (struct queue){
		.device = device,
		.index = index,
		.size = size,
		.slot_count = indirect ? size : size / 2,
		.indirect = indirect,
	};
	err = arena_take(arena, sizeof(struct vring_desc) * size, 4096, &queue->descriptors);
	if (!err)
		err = arena_take(arena, AVAILABLE_BYTES(size), 64, &queue->available);
	if (!err)
		err = arena_take(arena, USED_BYTES(size), 4096, &queue->used);
	if (!err)
		err = init_slots(queue, arena);
	if (err)
		return err;
	const struct virtio_queue_place place = {
		.size = size,
		.descriptors = queue->descriptors.bus,
		.available = queue->available.bus,
		.used = queue->used.bus,
	};
	err = virtio_queue_enable(device, index, &place, vector, &queue->notify);
	if (err)
		return err;
	pthread_mutex_init(&queue->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&queue->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return 0;
}

void queue_finish(struct queue *queue)
{
	pthread_cond_destroy(&queue->changed);
	pthread_mutex_destroy(&queue->lock);
}

static struct timespec deadline_after(unsigned timeout_ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += timeout_ms / 1000;
	t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

/* Fills a free slot's buffers and descriptors; returns its head. */
static uint16_t load_slot_locked(struct queue *queue, struct queue_request *request)
{
	unsigned i = queue->free_slot[--queue->free_count];
	struct queue_slot *slot = &queue->slot[i];
	uint16_t head = slot_head(queue, i);
	struct vring_desc *ring = queue->descriptors.memory;
	struct vring_desc *pair = queue->indirect ? slot->table.memory : &ring[head];
	uint16_t second = queue->indirect ? 1 : (uint16_t)(head + 1);

	slot->request = request;
	memcpy(slot->out.memory, request->out, request->out_bytes);
	pair[0] = (struct vring_desc){
		.addr = htole64(slot->out.bus),
		.len = htole32(request->out_bytes),
		.flags = htole16(VRING_DESC_F_NEXT),
		.next = htole16(second),
	};
	pair[1] = (struct vring_desc){
		.addr = htole64(request->large_in ? request->large_in->bus : slot->in.bus),
		.len = htole32(request->in_bytes),
		.flags = htole16(VRING_DESC_F_WRITE),
	};
	if (queue->indirect)
		ring[head] = (struct vring_desc){
			.addr = htole64(slot->table.bus),
			.len = htole32(2 * sizeof(struct vring_desc)),
			.flags = htole16(VRING_DESC_F_INDIRECT),
		};
	return head;
}

static int wait_for_slots_locked(struct queue *queue, unsigned count, unsigned timeout_ms)
{
	struct timespec deadline = deadline_after(timeout_ms);

	while (!queue->failed && queue->free_count < count)
		if (pthread_cond_timedwait(&queue->changed, &queue->lock, &deadline) == ETIMEDOUT && queue->free_count < count)
			return queue->failed ? -ENODEV : -ETIMEDOUT;
	return queue->failed ? -ENODEV : 0;
}

/*
 * Sees to it that the device looks at all that is posted. One thread at a time sends notifies; what others post meanwhile
 * it covers with one more, so that they need not wait for the socket.
 */
static void notify(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	while (!queue->notifying && queue->notified < queue->posted && !queue->failed) {
		queue->notified = queue->posted;
		queue->notifying = true;
		pthread_mutex_unlock(&queue->lock);
		atomic_fetch_add_explicit(&queue->notify_count, 1, memory_order_relaxed);
		/* A failure makes the client dead; the completion thread sees that and fails the queue. */
		(void)virtio_notify(queue->device, queue->index, queue->notify);
		pthread_mutex_lock(&queue->lock);
		queue->notifying = false;
	}
	pthread_mutex_unlock(&queue->lock);
}

int queue_post(struct queue *queue, struct queue_request *const *requests, unsigned count, unsigned timeout_ms)
{
	if (count > QUEUE_BATCH_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++)
		if (requests[i]->out_bytes > QUEUE_OUT_BYTES || (!requests[i]->large_in && requests[i]->in_bytes > QUEUE_IN_BYTES))
			return -EINVAL;
	pthread_mutex_lock(&queue->lock);
	int err = wait_for_slots_locked(queue, count, timeout_ms);
	if (err) {
		pthread_mutex_unlock(&queue->lock);
		return err;
	}
	for (unsigned i = 0; i < count; i++) {
		requests[i]->finished = false;
		requests[i]->status = 0;
		requests[i]->written = 0;
		uint16_t head = load_slot_locked(queue, requests[i]);
		available_ring(queue)->ring[queue->available_index & (queue->size - 1)] = htole16(head);
		queue->available_index++;
	}
	/* Pairs with the device's acquire load of the index. */
	__atomic_store_n(&available_ring(queue)->idx, htole16(queue->available_index), __ATOMIC_RELEASE);
	queue->posted += count;
	pthread_mutex_unlock(&queue->lock);

	/* The index before the flag, as the device does it the other way round (virtio 1.3 §2.7.13.4.1). */
	atomic_thread_fence(memory_order_seq_cst);
	if (!(le16toh(__atomic_load_n(&used_ring(queue)->flags, __ATOMIC_RELAXED)) & VRING_USED_F_NO_NOTIFY))
		notify(queue);
	return 0;
}

/* Takes one used element; NULL if it names no request under way. */
static struct queue_request *take_used_locked(struct queue *queue, const struct vring_used_elem *element)
{
	uint32_t head = le32toh(element->id);
	uint32_t i = queue->indirect ? head : head / 2;

	if (i >= queue->slot_count || slot_head(queue, i) != head || !queue->slot[i].request)
		return NULL;
	struct queue_slot *slot = &queue->slot[i];
	struct queue_request *request = slot->request;
	uint32_t written = le32toh(element->len);

	slot->request = NULL;
	queue->free_slot[queue->free_count++] = (uint16_t)i;
	request->written = written < request->in_bytes ? written : request->in_bytes;
	if (!request->large_in)
		memcpy(request->in, slot->in.memory, request->written);
	return request;
}

/* A waiter may go, and its request with it, as soon as the lock is free; those with callbacks are run after that. */
static void finish_locked(struct queue_request *request, int status, struct queue_request ***tail)
{
	request->status = status;
	request->next = NULL;
	if (request->done) {
		**tail = request;
		*tail = &request->next;
	}
	request->finished = true;
}

static void run_callbacks(struct queue_request *request)
{
	while (request) {
		struct queue_request *next = request->next;

		request->done(request);
		request = next;
	}
}

int queue_reap(struct queue *queue)
{
	struct queue_request *callbacks = NULL, **tail = &callbacks;
	bool any = false;
	int err = 0;

	pthread_mutex_lock(&queue->lock);
	while (!queue->failed) {
		/* Pairs with the device's release store of the index. */
		uint16_t index = le16toh(__atomic_load_n(&used_ring(queue)->idx, __ATOMIC_ACQUIRE));
		struct queue_request *request;

		if (index == queue->used_index)
			break;
		if ((uint16_t)(index - queue->used_index) > queue->size) {
			err = -EPROTO;
			break;
		}
		request = take_used_locked(queue, &used_ring(queue)->ring[queue->used_index & (queue->size - 1)]);
		if (!request) {
			err = -EPROTO;
			break;
		}
		queue->used_index++;
		finish_locked(request, 0, &tail);
		any = true;
	}
	if (any)
		pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
	run_callbacks(callbacks);
	return err;
}

void queue_fail(struct queue *queue)
{
	struct queue_request *callbacks = NULL, **tail = &callbacks;

	pthread_mutex_lock(&queue->lock);
	queue->failed = true;
	for (unsigned i = 0; i < queue->slot_count; i++) {
		struct queue_request *request = queue->slot[i].request;

		queue->slot[i].request = NULL;
		if (request)
			finish_locked(request, -ENODEV, &tail);
	}
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
	run_callbacks(callbacks);
}

int queue_wait(struct queue *queue, struct queue_request *request, unsigned timeout_ms)
{
	struct timespec deadline = deadline_after(timeout_ms);
	bool late = false;
	int status;

	pthread_mutex_lock(&queue->lock);
	while (!request->finished && !late)
		late = pthread_cond_timedwait(&queue->changed, &queue->lock, &deadline) == ETIMEDOUT;
	if (!request->finished) {
		/* In case an interrupt was lost with a process that died. */
		pthread_mutex_unlock(&queue->lock);
		(void)queue_reap(queue);
		pthread_mutex_lock(&queue->lock);
	}
	status = request->finished ? request->status : -ETIMEDOUT;
	pthread_mutex_unlock(&queue->lock);
	return status;
}
