/* SPDX-License-Identifier: MIT */
/*
 * Acts on one parsed record: an object record on the tables, a queue record on the host's device.
 *
 * Ring thread only. Whatever happens is answered: in the record's slot, in queue_done of its queue, or
 * in the engine page's `failed` and, for a queue's records, `queue_refused`.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_EXECUTE_H
#define VGPU_MDEV_ENGINE_COMPUTE_EXECUTE_H

#include "mdev/engine/compute/complete.h"
#include "mdev/engine/compute/objects.h"
#include "mdev/engine/compute/parse.h"
#include "mdev/engine/compute/pieces.h"

struct compiler;

struct executor {
	const struct device *device;
	struct complete *complete;
	struct blobs *blobs;
	struct objects *objects;
	struct pieces *pieces;
	struct compiler *compiler;
	uint16_t refused[WIRE_QUEUE_COUNT];	/* records without a slot; what the page says is the guest's to change */
	/* For buffers without a backing: asks for a total of device memory; false if it is not granted. */
	bool (*charge)(void *data, uint64_t total_bytes);
	void *data;
};

/* error: what parse_record returned. taken_ns: when the record was taken, device time base, 0 if nobody wants to know. */
void execute_record(struct executor *executor, const struct parsed *parsed, int error, uint64_t taken_ns);

/* The kernel that a record launches, NULL if it launches none. Until the next record that destroys it. */
const struct kernel *execute_kernel_of(const struct executor *executor, const struct parsed *parsed);

/* Lets go of one use of a memory object that is in no table: with the last, its charge goes back and it is freed. */
void execute_buffer_unuse(struct executor *executor, struct buffer *buffer);

/* Drops the buffers that lie in blobs that vgpu-device wants back; `sequence` is the last record taken. */
void execute_drop_dying(struct executor *executor, uint64_t sequence);
#endif
