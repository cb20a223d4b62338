/* SPDX-License-Identifier: MIT */
/*
 * Writes records into the ring and owns the completion slots. Waiting is in ring_wait.c.
 *
 * Theory of operation. `tail` is ours alone; the engine's `head` is only ever a hint that bytes are free,
 * so one acquire load of it per lap is enough. A record that would wrap is preceded by a NOP up to the end.
 *
 * Slots. A free slot carries the sequence it must show before it may be used again (free_after): a slot whose
 * owner lost interest is queued at once and taken when the engine has written it, so nothing blocks and nothing
 * is polled. A slot with an owner is freed the moment anybody sees it complete: its contents move into the
 * owner under the lock. Thus 8192 slots carry any number of living events.
 *
 * Doorbell. A committed record is seen by an engine that is awake. For a sleeping one the sequence is: store tail,
 * seq_cst fence, load engine_state (pairs with the engine's store of SLEEPING and its last look at tail). A bell
 * that the engine has not answered yet covers later records too: it will load tail after it woke, so
 * no second one is rung while head has not passed the tail of the last. An engine that has RETIRED is no process any more: only
 * vgpu-device can start another, so it is told, whatever bell the last one had agreed on.
 */
#include "shim/ring.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RING_MASK (WIRE_RING_BYTES - 1u)
#define QUIET_MAX_BYTES 0x4000u		/* look whether the engine sleeps after this much */

uint64_t ring_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int ring_create(struct transport *transport, struct ring **ret_ring)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	struct wire_submit setup = { .op = WIRE_SUBMIT_SETUP, .arg = WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1) };
	int r;

	if (!ring)
		return -ENOMEM;
	r = transport->ops->blob_create(transport, setup.arg, WIRE_RING_BLOB_BYTES, &ring->blob);
	if (r < 0)
		goto free_ring;
	setup.version = transport->capset->version_max < WIRE_VERSION ? transport->capset->version_max : WIRE_VERSION;
	ring->transport = transport;
	ring->shim = (void *)((uint8_t *)ring->blob.address + WIRE_OFFSET_SHIM_PAGE);
	ring->engine = (void *)((uint8_t *)ring->blob.address + WIRE_OFFSET_ENGINE_PAGE);
	ring->slots = (void *)((uint8_t *)ring->blob.address + WIRE_OFFSET_SLOTS);
	ring->records = (uint8_t *)ring->blob.address + WIRE_OFFSET_RING;
	ring->shim->bell_by = transport->same_host ? WIRE_BELL_FUTEX : WIRE_BELL_SUBMIT;
	ring->may_spin = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	ring->clock_offset_ns = INT64_MAX;
	ring->free_count = WIRE_SLOT_COUNT;
	for (uint32_t i = 0; i < WIRE_SLOT_COUNT; i++)
		ring->free_fifo[i] = (uint16_t)i;
	pthread_mutex_init(&ring->lock, NULL);
	ring_waits_init(ring);
	r = transport->ops->submit(transport, &setup);
	if (r < 0)
		goto drop_blob;
	*ret_ring = ring;
	return 0;

drop_blob:
	ring_waits_finish(ring);
	pthread_mutex_destroy(&ring->lock);
	transport->ops->blob_destroy(transport, &ring->blob);
free_ring:
	free(ring);
	return r;
}

void ring_destroy(struct ring *ring)
{
	if (!ring)
		return;
	ring_waits_finish(ring);
	pthread_mutex_destroy(&ring->lock);
	ring->transport->ops->blob_destroy(ring->transport, &ring->blob);
	free(ring);
}

void ring_set_lost(struct ring *ring)
{
	__atomic_store_n(&ring->lost, 1, __ATOMIC_SEQ_CST);
	ring_waits_wake_all(ring);
}

void ring_after_fork(struct ring *ring)
{
	__atomic_store_n(&ring->lost, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_init(&ring->lock, NULL);
	ring->thread_started = false;
	ring->led = false;
	ring->waits = ring->ready = NULL;	/* they belong to threads that are not here */
	ring_waits_init(ring);
}

bool ring_is_lost(const struct ring *ring)
{
	return __atomic_load_n(&ring->lost, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&ring->engine->engine_state, __ATOMIC_ACQUIRE) == WIRE_ENGINE_LOST;
}

/* ---- slots ---------------------------------------------------------------------------------- */

static bool slot_shows(const struct ring *ring, uint32_t slot, uint64_t sequence)
{
	return __atomic_load_n(&ring->slots[slot].sequence, __ATOMIC_ACQUIRE) == sequence;
}

static void slot_free_locked(struct ring *ring, uint32_t slot, uint64_t after)
{
	ring->owner[slot] = NULL;
	ring->free_after[slot] = after;
	ring->free_fifo[(ring->free_first + ring->free_count++) % WIRE_SLOT_COUNT] = (uint16_t)slot;
}

/* Moves a finished (or lost) record's results into its owner. */
static void completion_fill_locked(struct ring *ring, struct ring_completion *completion, bool lost)
{
	const struct wire_slot *slot = &ring->slots[completion->slot];

	if (lost) {
		completion->status = RING_STATUS_LOST;
	} else {
		completion->status = slot->status;
		completion->value = slot->value;
		completion->queued_ns = slot->queued_ns;
		completion->submit_ns = slot->submit_ns;
		completion->start_ns = slot->start_ns;
		completion->end_ns = slot->end_ns;
	}
	slot_free_locked(ring, completion->slot, completion->sequence);
	__atomic_store_n(&completion->slot, WIRE_NO_SLOT, __ATOMIC_RELAXED);	/* read without the lock by ring_poll */
	__atomic_store_n(&completion->done, 1, __ATOMIC_RELEASE);
}

/* Takes the first free slot that its last record has left. */
static bool slot_take_locked(struct ring *ring, uint32_t *ret_slot)
{
	for (uint32_t tries = ring->free_count; tries > 0; tries--) {
		uint32_t slot = ring->free_fifo[ring->free_first];

		ring->free_first = (ring->free_first + 1) % WIRE_SLOT_COUNT;
		ring->free_count--;
		if (slot_shows(ring, slot, ring->free_after[slot])) {
			*ret_slot = slot;
			return true;
		}
		slot_free_locked(ring, slot, ring->free_after[slot]);
	}
	return false;
}

/* -EAGAIN: every slot has a record under way. */
static int slot_claim_locked(struct ring *ring, uint32_t *ret_slot)
{
	if (slot_take_locked(ring, ret_slot))
		return 0;
	for (uint32_t slot = 0; slot < WIRE_SLOT_COUNT; slot++) {
		struct ring_completion *owner = ring->owner[slot];

		if (owner && slot_shows(ring, slot, owner->sequence))
			completion_fill_locked(ring, owner, false);
	}
	return slot_take_locked(ring, ret_slot) ? 0 : -EAGAIN;
}

bool ring_poll(struct ring *ring, struct ring_completion *completion)
{
	bool lost;

	if (__atomic_load_n(&completion->done, __ATOMIC_ACQUIRE))
		return true;
	lost = ring_is_lost(ring);
	/* slot may turn to WIRE_NO_SLOT under us by a fill: done is 1 then, which the lock below shows. */
	if (!lost) {
		uint32_t slot = __atomic_load_n(&completion->slot, __ATOMIC_RELAXED);

		if (slot != WIRE_NO_SLOT && !slot_shows(ring, slot, completion->sequence))
			return __atomic_load_n(&completion->done, __ATOMIC_ACQUIRE);
	}
	pthread_mutex_lock(&ring->lock);
	if (!completion->done) {
		if (completion->slot == WIRE_NO_SLOT) {
			completion->status = RING_STATUS_LOST;
			__atomic_store_n(&completion->done, 1, __ATOMIC_RELEASE);
		} else {
			/* An engine that died may have answered this one before. */
			bool answered = !__atomic_load_n(&ring->lost, __ATOMIC_ACQUIRE) &&
					slot_shows(ring, completion->slot, completion->sequence);

			completion_fill_locked(ring, completion, !answered);
		}
	}
	pthread_mutex_unlock(&ring->lock);
	return true;
}

void ring_forget(struct ring *ring, struct ring_completion *completion)
{
	if (__atomic_load_n(&completion->done, __ATOMIC_ACQUIRE) || !completion->sequence)
		return;
	pthread_mutex_lock(&ring->lock);
	if (!completion->done && completion->slot != WIRE_NO_SLOT) {
		slot_free_locked(ring, completion->slot, completion->sequence);
		__atomic_store_n(&completion->slot, WIRE_NO_SLOT, __ATOMIC_RELAXED);	/* read without the lock by ring_poll */
	}
	pthread_mutex_unlock(&ring->lock);
}

bool ring_queue_done(const struct ring *ring, uint32_t queue, uint64_t sequence)
{
	if (__atomic_load_n(&ring->lost, __ATOMIC_ACQUIRE))
		return true;
	return __atomic_load_n(&ring->engine->queue_done[queue], __ATOMIC_ACQUIRE) >= sequence || ring_is_lost(ring);
}

/* ---- records -------------------------------------------------------------------------------- */

static uint32_t room_locked(struct ring *ring)
{
	return WIRE_RING_BYTES - (ring->tail - ring->head_seen);
}

/* A rest of 8 bytes could not hold the header of the NOP that must fill it, so none is ever left. */
static bool record_fits(uint32_t bytes, uint32_t to_end)
{
	return bytes == to_end || bytes + sizeof(struct wire_header) <= to_end;
}

static bool head_moved(struct ring *ring, struct ring_wait *wait)
{
	return __atomic_load_n(&ring->engine->head, __ATOMIC_ACQUIRE) != wait->index;
}

/* Any answer at all may have freed a slot. */
static bool slot_appeared(struct ring *ring, struct ring_wait *wait)
{
	uint32_t slot = WIRE_NO_SLOT;
	bool found;

	(void)wait;
	pthread_mutex_lock(&ring->lock);
	found = slot_claim_locked(ring, &slot) == 0;
	if (found)
		slot_free_locked(ring, slot, ring->slots[slot].sequence);
	pthread_mutex_unlock(&ring->lock);
	return found;
}

/* Returns with the lock held and room for `bytes` at ring->tail, or without the lock and -EIO. */
static int room_make(struct ring *ring, uint32_t bytes, bool with_slot, uint32_t *ret_slot)
{
	pthread_mutex_lock(&ring->lock);
	for (;;) {
		uint32_t to_end = WIRE_RING_BYTES - (ring->tail & RING_MASK);
		uint32_t needed = record_fits(bytes, to_end) ? bytes : bytes + to_end;
		struct ring_wait wait = { .done = head_moved };

		if (ring_is_lost(ring))
			break;
		if (room_locked(ring) < needed)
			ring->head_seen = __atomic_load_n(&ring->engine->head, __ATOMIC_ACQUIRE);
		if (room_locked(ring) >= needed) {
			if (!with_slot || slot_claim_locked(ring, ret_slot) == 0)
				return 0;
			wait.done = slot_appeared;
		}
		wait.index = ring->head_seen;
		pthread_mutex_unlock(&ring->lock);
		if (ring_wait(ring, &wait, 0) < 0)
			return -EIO;
		pthread_mutex_lock(&ring->lock);
	}
	pthread_mutex_unlock(&ring->lock);
	return -EIO;
}

void *ring_begin(struct ring *ring, enum wire_opcode opcode, size_t bytes, struct ring_completion *completion)
{
	uint32_t slot = WIRE_NO_SLOT, to_end;
	struct wire_header *header;

	if (room_make(ring, (uint32_t)bytes, completion != NULL, &slot) < 0)
		return NULL;
	to_end = WIRE_RING_BYTES - (ring->tail & RING_MASK);
	if (!record_fits((uint32_t)bytes, to_end)) {
		header = (void *)(ring->records + (ring->tail & RING_MASK));
		header->opcode = WIRE_NOP;
		header->flags = 0;
		header->bytes = to_end;
		header->sequence = ring->sequence;
		ring->tail += to_end;
		ring->quiet_bytes += to_end;
	}
	header = (void *)(ring->records + (ring->tail & RING_MASK));
	header->opcode = (uint16_t)opcode;
	header->flags = 0;
	header->bytes = (uint32_t)bytes;
	header->sequence = ++ring->sequence;
	memcpy(header + 1, &slot, sizeof(slot));	/* every record has its slot there */
	if (completion) {
		completion->sequence = ring->sequence;
		completion->slot = slot;
		completion->done = 0;
		ring->owner[slot] = completion;
	}
	ring->tail += (uint32_t)bytes;
	ring->quiet_bytes += (uint32_t)bytes;
	return header;
}

void ring_commit(struct ring *ring)
{
	bool look = ring->quiet_bytes >= QUIET_MAX_BYTES;

	__atomic_store_n(&ring->shim->tail, ring->tail, __ATOMIC_RELEASE);
	if (look)
		ring->quiet_bytes = 0;
	pthread_mutex_unlock(&ring->lock);
	if (look)
		ring_flush(ring);
}

void ring_flush(struct ring *ring)
{
	const struct wire_submit doorbell = { .op = WIRE_SUBMIT_DOORBELL, .version = WIRE_VERSION };
	uint32_t tail, head, state;
	uint64_t belled;

	if (__atomic_load_n(&ring->lost, __ATOMIC_ACQUIRE))
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	state = __atomic_load_n(&ring->engine->engine_state, __ATOMIC_ACQUIRE);
	if (state != WIRE_ENGINE_SLEEPING && state != WIRE_ENGINE_RETIRED) {
		/* Forgotten here, it cannot be taken for an unanswered one when the counts have wrapped around. */
		if (__atomic_load_n(&ring->belled, __ATOMIC_RELAXED))
			__atomic_store_n(&ring->belled, 0, __ATOMIC_RELAXED);
		return;
	}
	tail = __atomic_load_n(&ring->shim->tail, __ATOMIC_RELAXED);
	head = __atomic_load_n(&ring->engine->head, __ATOMIC_ACQUIRE);
	belled = __atomic_load_n(&ring->belled, __ATOMIC_RELAXED);
	/* An unanswered one is for a tail within the ring ahead of head. */
	if (tail == head || (belled && (uint32_t)belled - head - 1 < WIRE_RING_BYTES))
		return;
	__atomic_store_n(&ring->belled, RING_BELLED | tail, __ATOMIC_RELAXED);
	if (state == WIRE_ENGINE_SLEEPING && (__atomic_load_n(&ring->engine->features, __ATOMIC_RELAXED) & WIRE_FEATURE_BELL)) {
		__atomic_fetch_add(&ring->engine->bell, 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, &ring->engine->bell, FUTEX_WAKE, 1, NULL, NULL, 0);
	} else if (ring->transport->ops->submit(ring->transport, &doorbell) < 0) {
		ring_set_lost(ring);
	}
}

/* ---- time ----------------------------------------------------------------------------------- */

uint64_t ring_device_now_ns(struct ring *ring)
{
	uint64_t now_ns = ring_now_ns();
	uint64_t device_ns = __atomic_load_n(&ring->lost, __ATOMIC_ACQUIRE) ? 0 :
			     __atomic_load_n(&ring->engine->host_now_ns, __ATOMIC_RELAXED);
	int64_t offset = __atomic_load_n(&ring->clock_offset_ns, __ATOMIC_RELAXED);

	/* A publication is in the past, so each one bounds the offset from above: the least is the best. */
	if (device_ns && (int64_t)(now_ns - device_ns) < offset) {
		offset = (int64_t)(now_ns - device_ns);
		__atomic_store_n(&ring->clock_offset_ns, offset, __ATOMIC_RELAXED);
	}
	return offset == INT64_MAX ? now_ns : now_ns - (uint64_t)offset;
}
