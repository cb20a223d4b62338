/* SPDX-License-Identifier: MIT */
/*
 * Completions: from commands enqueued on the host's device to slots and counters in the guest's ring blob.
 *
 * Each wire queue is a `struct complete_queue`: an in-order OpenCL queue with a FIFO of the records enqueued on it
 * and not yet published. The ring thread pushes records, and ends a batch when it has nothing more at
 * hand. How the end of a batch is learned of is a strategy, chosen by what the device can do:
 *
 *   synchronous  the device runs commands on the enqueuing thread (PoCL's basic driver): finish, publish
 *   callback     the last event's callback publishes, from the worker that ended it
 *   native       a native kernel at the end of the batch publishes from the driver's own worker
 *   waiter       one thread per queue waits for the batch's last event, then publishes
 *
 * A publication takes the lock, writes slots and queue_done of everything done in order, and wakes the
 * guest once. What a record waited for on other queues is published before it: their own publication may come later. What must wait for all earlier work (an object's last use, a blob's release) is a barrier.
 *
 * Threads: complete_push, _batch_end, _barrier, _wait_below, _drain, _event_of and queue calls from the ring thread only.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_COMPLETE_H
#define VGPU_MDEV_ENGINE_COMPUTE_COMPLETE_H

#include <CL/cl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "mdev/engine/compute/blobs.h"
#include "mdev/engine/compute/device.h"
#include "mdev/engine/compute/output.h"
#include "scheduler/lease.h"
#include "scheduler/prediction.h"
#include "shim/wire/wire.h"

#define COMPLETE_DEPTH 1024u	/* records of one queue in flight; power of two */

struct complete;

/* A record of another queue that is over when ours is. */
struct complete_after {
	struct complete_queue *queue;	/* only compared, until it is found among the living ones */
	uint64_t sequence;
};

struct complete_pending {
	uint64_t sequence;
	uint64_t taken_ns;	/* device time base; 0 unless the queue is profiled */
	cl_event event;		/* owned; NULL: nothing to ask */
	cl_event first;		/* owned; of the first of several pieces, for their times; NULL: there is one, or nobody asks */
	uint64_t kernel_id;	/* 0: no kernel */
	bool is_split;		/* several pieces: its time says nothing about one */
	struct complete_after *after;	/* owned; what it waits for, to be published first */
	uint32_t after_count;
	uint32_t slot;
	int32_t status;		/* known beforehand: a refusal */
};

struct complete_queue {
	struct complete *complete;
	struct complete_queue *next;	/* of all queues with work or in the table */
	cl_command_queue cl;
	uint32_t id;
	bool profiling;
	bool detached;			/* destroyed by the guest: goes when its work is done */
	uint32_t batch_count;		/* pushed since the last end of a batch */
	uint64_t pushed_sequence;
	uint32_t head, tail;		/* of fifo, free-running; under the lock */
	struct complete_pending *fifo;
	/* strategy callback */
	uint32_t callbacks;		/* not yet over; under the lock */
	/* strategy waiter */
	pthread_t waiter;
	bool waiter_runs;
};

struct complete_strategy;
struct complete_barrier;

struct complete_slot {
	uint64_t sequence;
	int32_t status;
	bool done;
	struct complete_queue *queue;
	cl_event event;			/* borrowed from the queue's FIFO until done */
};

/* Called when no work is outstanding any more, by the thread that published it, with no lock held. */
typedef void complete_idle_fn(void *data);

struct complete {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const struct complete_strategy *strategy;
	const struct device *device;
	struct blobs *blobs;
	struct output *output;		/* set before the first record; NULL: nothing is kept */
	struct wire_shim_page *shim_page;
	struct wire_engine_page *engine_page;
	struct wire_slot *wire_slots;
	const struct lease_grant *grant;
	struct lease_status *status;
	int completion_fd;
	complete_idle_fn *idle;
	void *idle_data;

	struct complete_queue *queues;
	struct complete_slot *slots;
	uint64_t counted[WIRE_QUEUE_COUNT];	/* what queue_done was last set to: it never goes back */
	struct complete_barrier *barriers, **barriers_end;
	_Atomic uint32_t outstanding;
	uint64_t busy_since_ns;		/* 0: nothing on the device */
	uint64_t published_ns;		/* when the last publication was */
	_Atomic uint64_t cost_ns;	/* of one record lately: peak with decay */
	struct prediction prediction;	/* of kernels that run whole; under the lock */
	struct {
		uint64_t kernel_id;
		bool is_mixed;		/* it is not of one kernel alone */
		bool has_split;
	} published;			/* what is being published; under the lock */
	bool wake_due;
	bool stopping;
};

/* Borrows everything. strategy_name NULL: choose by trying the device. 0 or -errno. */
int complete_init(struct complete *complete, const struct device *device, struct blobs *blobs, void *ring_blob,
		  int completion_fd, const struct lease_grant *grant, struct lease_status *status, const char *strategy_name, complete_idle_fn *idle,
		  void *idle_data);
/* Nothing may be outstanding. */
void complete_finish(struct complete *complete);
const char *complete_strategy_name(const struct complete *complete);
bool complete_is_synchronous(const struct complete *complete);
/* Whether complete_push wants an event with every record, not only with those that have a slot. */
bool complete_wants_every_event(const struct complete *complete);

/* sub_device: borrowed, NULL: on the device. 0, or an OpenCL error. Stores the queue's first counter. */
int complete_queue_create(struct complete *complete, uint32_t id, cl_device_id sub_device, bool profiling, uint64_t sequence,
			  struct complete_queue **ret_queue);
/* The guest's id is gone; the queue itself goes with complete_reap once its work is done. */
void complete_queue_detach(struct complete_queue *queue);
/* Frees detached queues without work. */
void complete_reap(struct complete *complete);

/* Answers an object record at once; the wake-up comes with the next complete_batch_end. */
void complete_answer(struct complete *complete, uint64_t sequence, uint32_t slot, int32_t status, uint32_t value);
/* A record that has no slot to say so was refused. */
void complete_refuse(struct complete *complete, uint64_t sequence, int32_t status);

/* A record of a queue that is not there, or its creation, was refused: nobody is to wait for the counter. */
void complete_count(struct complete *complete, uint32_t queue_id, uint64_t sequence);

/* Work is about to be enqueued: busy time starts. */
void complete_begin(struct complete *complete);
/* Nothing is outstanding, and the lease goes back: busy time ends. */
void complete_rest(struct complete *complete);
/* How long the kernel is expected to run, whole; 0: none has been seen. */
uint64_t complete_expect(struct complete *complete, uint64_t kernel_id);
/* Takes pending.event, .first and .after. If the queue is full, earlier work is waited for. */
void complete_push(struct complete_queue *queue, const struct complete_pending *pending);
/* Everything pushed so far will be published without further calls. Wakes for answers given. */
void complete_batch_end(struct complete *complete);
/* Sleeps until at most `count` records are outstanding. */
void complete_wait_below(struct complete *complete, uint32_t count);
/* Sleeps until nothing is. */
void complete_drain(struct complete *complete);

/*
 * When all records enqueued before `sequence` are done: unpins unpin_blob_id if not 0, then answers slot if
 * it is not WIRE_NO_SLOT. At once if they are done already. 0 or -ENOMEM.
 */
int complete_barrier(struct complete *complete, uint64_t sequence, uint32_t slot, uint64_t unpin_blob_id);

/* The event of an earlier record that a new one on `queue` must wait for, retained; NULL if there is none
 * to wait for. *ret_failed is set if that record failed. *ret_after: what goes into the new one's pending.after, with
 * queue NULL if nothing does. */
cl_event complete_event_of(struct complete *complete, const struct wire_wait *wait, const struct complete_queue *queue,
			   bool *ret_failed, struct complete_after *ret_after);
#endif
