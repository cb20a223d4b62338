/* SPDX-License-Identifier: MIT */
/*
 * The shim's end of the command ring: writes records, hands out completion slots, waits.
 *
 * One ring per session. Any thread may call anything here but ring_destroy. A thread writes a record
 * between ring_begin and ring_commit with the ring's lock held: no call out, nothing slow there.
 * The ring is lost when the engine says so, when the transport fails, or after fork in the child
 * (where its memory is no longer mapped); then ring_begin answers NULL and every wait returns -EIO.
 */
#ifndef VGPU_SHIM_RING_H
#define VGPU_SHIM_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/transport/transport.h"
#include "shim/wire/wire.h"

#define RING_STATUS_LOST (-2)	/* CL_DEVICE_NOT_AVAILABLE: the status of what was under way when the ring was lost */
#define RING_SPIN_NS 20000u	/* the longest a waiting thread spins (measured: more steals the engine's core) */
#define RING_PROBE_NS (3 * RING_SPIN_NS)	/* now and then, as long as a sleeping engine takes to answer */
#define RING_PROBE_EVERY 16u

/* What became of one record. Embedded in whatever waits for it; ring_begin arms it. */
struct ring_completion {
	uint64_t sequence;	/* 0: never written */
	uint32_t slot;
	uint32_t done;		/* atomic; the fields below are valid once 1 (acquire) */
	int32_t status;
	uint32_t value;
	uint64_t queued_ns, submit_ns, start_ns, end_ns;
};

#define RING_BELLED (1ull << 32)

struct ring_wait;
struct ring {
	/* Read by all, written at creation. */
	struct transport *transport;
	struct transport_blob blob;
	struct wire_shim_page *shim;
	struct wire_engine_page *engine;
	struct wire_slot *slots;
	uint8_t *records;
	bool may_spin;			/* false with one processor: spinning would only delay the engine */

	uint32_t lost;			/* atomic, ours: also set where the blob may no longer be read */
	uint64_t belled;		/* atomic: RING_BELLED | tail of a doorbell not known to be answered; 0: none */
	int64_t clock_offset_ns;	/* atomic: least seen (our clock - device clock), INT64_MAX unknown */

	pthread_mutex_t lock;		/* guards what follows, up to the waits */
	uint32_t tail;			/* free-running; published by ring_commit */
	uint32_t head_seen;
	uint32_t quiet_bytes;		/* written since the engine's state was last looked at */
	uint64_t sequence;		/* of the last record begun */
	uint32_t free_first, free_count;
	uint16_t free_fifo[WIRE_SLOT_COUNT];
	uint64_t free_after[WIRE_SLOT_COUNT];	/* sequence a slot must show before it is used again */
	struct ring_completion *owner[WIRE_SLOT_COUNT];

	/* The waits (ring_wait.c). */
	pthread_mutex_t wait_lock;
	pthread_cond_t wait_kick;	/* for the waiter thread */
	struct ring_wait *waits;	/* those not known to be done */
	struct ring_wait *ready;	/* done ones whose notify the waiter thread will call */
	bool led;			/* some thread holds the WAKE fence */
	bool stop;
	bool thread_started;
	pthread_t thread;
};

/* Makes the ring's blob and starts the engine (SETUP). Borrows transport, which must outlive the ring. 0 or -errno. */
int ring_create(struct transport *transport, struct ring **ret_ring);
/* No thread may be in a call. Does not close the transport. Accepts NULL. */
void ring_destroy(struct ring *ring);
/* Declares it lost (transport failure). Wakes everybody. */
void ring_set_lost(struct ring *ring);
/* In the child of a fork: lost, locks made anew, its thread forgotten. */
void ring_after_fork(struct ring *ring);
/* Whether this is the ring's waiter thread, which cannot destroy it. */
bool ring_on_waiter_thread(struct ring *ring);

bool ring_is_lost(const struct ring *ring);

/* Takes the lock and room for a record of `bytes` (a multiple of 8), fills header and slot in; the rest is the
 * caller's to fill in whole. With a completion, claims a slot for it. Waits while ring or slots are full. NULL: lost. */
void *ring_begin(struct ring *ring, enum wire_opcode opcode, size_t bytes, struct ring_completion *completion);
/* Publishes the record and releases the lock. Rings a bell only after much unseen work. */
void ring_commit(struct ring *ring);
/* The sequence of the record begun last; with the lock held. */
static inline uint64_t ring_sequence_locked(const struct ring *ring) { return ring->sequence; }
/* The engine will look at everything committed: rings the doorbell if it sleeps. */
void ring_flush(struct ring *ring);

/* True once the record is over (or the ring lost); the completion's results may be read then. */
bool ring_poll(struct ring *ring, struct ring_completion *completion);
/* Nobody will ask any more: the slot is used again when the engine has answered it. */
void ring_forget(struct ring *ring, struct ring_completion *completion);
/* True once the queue has completed the record with that sequence (or the ring is lost). */
bool ring_queue_done(const struct ring *ring, uint32_t queue, uint64_t sequence);
/* The device's clock now, as well as it is known here. */
uint64_t ring_device_now_ns(struct ring *ring);
/* Our own clock (CLOCK_MONOTONIC). */
uint64_t ring_now_ns(void);

/*
 * Waiting. `done` is called from any thread, must not block and take no lock but the ring's.
 * It need not know about loss. A wait belongs to its owner until it has returned or been notified.
 */
struct ring_wait {
	bool (*done)(struct ring *ring, struct ring_wait *wait);
	void (*notify)(struct ring *ring, struct ring_wait *wait);	/* set: ring_wait_async, called on the waiter thread */
	struct ring_completion *completion;	/* for ring_wait_completion's predicate */
	uint64_t sequence;
	uint32_t index;
	uint32_t word;			/* ring_wait.c's, as the next two */
	uint64_t since_ns;
	struct ring_wait *next;
};
/* Flushes, then blocks until done: spins up to spin_ns, then sleeps. 0, or -EIO when lost first. */
int ring_wait(struct ring *ring, struct ring_wait *wait, uint32_t spin_ns);
/* Flushes; wait->notify is called once, on the waiter thread, when done or lost. -errno if that thread cannot be had. */
int ring_wait_async(struct ring *ring, struct ring_wait *wait);
/* Shorthands. */
int ring_wait_completion(struct ring *ring, struct ring_completion *completion, uint32_t spin_ns);
int ring_wait_queue(struct ring *ring, uint32_t queue, uint64_t sequence, uint32_t spin_ns);
/* For ring.c: creation and end of the part in ring_wait.c. */
void ring_waits_init(struct ring *ring);
void ring_waits_finish(struct ring *ring);
/* Ends the waiter thread: no notify is called any more. Before what they use goes. */
void ring_waits_stop(struct ring *ring);
void ring_waits_wake_all(struct ring *ring);
#endif
