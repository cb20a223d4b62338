/* SPDX-License-Identifier: MIT */
/*
 * The engine's end of the command ring (shim/wire/wire.h): takes records, acts on them under the lease, sleeps.
 *
 * One thread with a large stack, on which PoCL's basic driver runs the guest's kernels. It owns the
 * objects and the lease holder. The guest can write every byte of the ring at any time: position and
 * length of each record are judged from the engine's own head and one read of the guest's tail, and a
 * record is copied before anything looks into it.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_RING_H
#define VGPU_MDEV_ENGINE_COMPUTE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "mdev/engine/compute/blobs.h"
#include "mdev/engine/compute/device.h"
#include "scheduler/lease.h"

struct ring;

/* All borrowed for the life of the ring. */
struct ring_settings {
	const struct device *device;
	struct blobs *blobs;
	void *ring_blob;		/* WIRE_RING_BLOB_BYTES */
	uint32_t version;		/* of the protocol, the shim's choice */
	int doorbell_fd;
	int completion_fd;
	int want_fd;
	const struct lease_grant *grant;
	struct lease_status *status;
	bool unified;
	bool svm;
	uint64_t max_alloc_bytes;
	uint32_t spin_ns;		/* how long an idle engine polls before it sleeps */
	const char *strategy;		/* complete.h; NULL: by trial */
	const char *preempt;		/* pieces.h; NULL: as the grant says */
	int compiler_fd;		/* build_client.h; -1: none. Taken */
	/* The ring is damaged: an enum wire_lost. The ring thread ends. */
	void (*fault)(void *data, uint32_t reason);
	bool (*charge)(void *data, uint64_t total_bytes);
	/* Returns once everything that vgpu-device had said before is known: a record may name a blob whose MAP is on its way. */
	void (*catch_up)(void *data);
	void *data;
};

/* Starts serving: 0, or -errno with a sentence in why. */
int ring_start(const struct ring_settings *settings, struct ring **ret_ring, char why[256]);

/* Makes the ring thread look at dying blobs. Any thread. */
void ring_kick(struct ring *ring);

/* Asks it to end and waits; true if it did, and then everything is torn down and ring is freed. False while
 * a command runs: call again, or end the process. Main thread only. */
bool ring_stop(struct ring *ring, uint32_t timeout_ms);
#endif
