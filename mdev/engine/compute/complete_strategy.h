/* SPDX-License-Identifier: MIT */
/*
 * How the end of a batch is learned of: one row per way, see complete.h. Private to complete*.c.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_COMPLETE_STRATEGY_H
#define VGPU_MDEV_ENGINE_COMPUTE_COMPLETE_STRATEGY_H

#include "mdev/engine/compute/complete.h"

struct complete_strategy {
	const char *name;
	bool every_event;	/* batch_end needs the event of each record, also of one that has no slot */
	/* Optional. Sets a new queue up. 0 or an OpenCL error. */
	int (*queue_init)(struct complete_queue *queue);
	/* Required. Everything up to pushed_sequence gets published. No lock held. */
	void (*batch_end)(struct complete_queue *queue);
	/* Optional. Undoes queue_init; the queue has no work. */
	void (*queue_finish)(struct complete_queue *queue);
};

/* By name, or by what a trial on the device shows (name NULL). NULL if there is none of that name. */
const struct complete_strategy *complete_strategy_choose(const struct device *device, const char *name);
bool complete_strategy_is_synchronous(const struct complete_strategy *strategy);

/* Publishes all of the queue's records up to sequence, and wakes the guest if it asked. Any thread. */
void complete_publish(struct complete_queue *queue, uint64_t sequence);
#endif
