/* SPDX-License-Identifier: MIT */
/*
 * From one engine of a context to the next: what stands is written into a checkpoint, and made again from it.
 *
 * Ring thread only. What the checkpoint says is judged like what comes from the ring: the engine that wrote it had run the guest's
 * kernels. A buffer whose blob is gone meanwhile is gone, as it would be in a living engine; whatever else cannot be made
 * again ends the context.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_REBUILD_H
#define VGPU_MDEV_ENGINE_COMPUTE_REBUILD_H

#include "mdev/engine/compute/checkpoint.h"
#include "mdev/engine/compute/execute.h"

/* Whether an engine with nothing to do could be made again as it is. */
bool rebuild_is_possible(struct executor *executor);

/* Where the ring stands. */
struct rebuild_place {
	uint32_t head;
	uint64_t sequence;
};
/* Writes all into memory of `bytes`. False: it does not fit, or it is not possible. */
bool rebuild_save(struct executor *executor, const struct rebuild_place *place, void *memory, size_t bytes);

/* Makes all again in an executor that has nothing yet. 0; -ENODATA, -EPROTO, -EBADMSG as checkpoint_check; -EIO: an object could
 * not be made; -ENOMEM. Else a sentence is in why. */
int rebuild_load(struct executor *executor, const struct parse_limits *limits, const void *memory, size_t bytes,
		 struct rebuild_place *ret_place, char why[256]);
#endif
