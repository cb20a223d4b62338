/* SPDX-License-Identifier: MIT */
/*
 * Launches a kernel: whole, or where it cannot be frozen and nobody can tell, in pieces between which the lease is looked at.
 *
 * Theory of operation. Pieces are launches of the same kernel on the same in-order queue (chunk.h), at most two in flight, so that the
 * device has the next when one ends. Before each but the first the lease is asked; if it is over, what is in flight is waited for,
 * the lease goes back and is taken again, and the next piece follows. To everybody else it stays one record: the last
 * piece's event is the record's, its times begin with the first piece, the first waits for what the record waits for, and nothing
 * is launched behind a piece that failed. The ring thread stays with the record until its last piece is enqueued.
 *
 * In pieces: a kernel that is splittable (splittable.h), under a contended grant that asks for pieces (chunk_ns) and does not freeze. A launch
 * without a local size has one chosen here, in pieces or not, wherever pieces may be asked for: a kernel may see it.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_PIECES_H
#define VGPU_MDEV_ENGINE_COMPUTE_PIECES_H

#include "mdev/engine/compute/complete.h"
#include "mdev/engine/compute/objects.h"
#include "mdev/engine/compute/parse.h"

enum pieces_mode {
	PIECES_BY_GRANT,	/* as the grant says */
	PIECES_ALWAYS,		/* also if it freezes, and without its chunk_ns: for tests and measurements */
	PIECES_NEVER,
};

struct pieces {
	const struct device *device;
	struct complete *complete;
	const struct lease_grant *grant;
	struct lease_status *status;
	enum pieces_mode mode;
	uint32_t compute_units;
	uint64_t enqueue_ns;	/* what enqueuing one piece costs */
	/* Required. Whether work that is expected to last for that long may be started under the lease. */
	bool (*may_start)(void *data, uint64_t expected_ns);
	/* Required. Nothing of the launch is in flight: gives the lease back, takes it again. False: the engine is to stop. */
	bool (*yield)(void *data);
	void *data;
};

/* mode_name: VGPU_ENGINE_PREEMPT, "chunks", "whole" or NULL. may_start, yield and data are the caller's to fill in. */
void pieces_init(struct pieces *pieces, const struct device *device, struct complete *complete, const struct lease_grant *grant,
		 struct lease_status *status, const char *mode_name);

/* What can be known about a new kernel: fills in what pieces need. */
void pieces_describe(const struct pieces *pieces, struct kernel *kernel, const struct program *program, const char *name);

/* How long what a launch of the kernel starts with would keep the device; 0 = not known. */
uint64_t pieces_expect(const struct pieces *pieces, const struct kernel *kernel);

/* The kernel's arguments are set. Fills in pending's event, if with_event or in pieces, and for pieces their first event and what
 * failed. 0, or the OpenCL error with which the launch is refused. */
int pieces_launch(struct pieces *pieces, struct kernel *kernel, const struct parsed_ndrange *launch, const struct complete_queue *queue,
		  cl_uint wait_count, const cl_event *waits, bool with_event, struct complete_pending *pending);
#endif
