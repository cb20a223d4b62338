/* SPDX-License-Identifier: MIT */
/*
 * What the virtio-gpu device knows of its guest: a part of the state page, read again by the next process.
 *
 * Plain old data: no pointers, fixed tables, slots named by index. Every table is written so that a kill between any
 * two stores leaves something a fresh process can go on from: an entry is filled first and gets its state last; it
 * loses its state first. What can be derived (hash indices, free lists, the order of ranges in the aperture, the
 * ledger entry) is not kept here but rebuilt by virtio_gpu_create.
 *
 * Sparse: a slot at or above resource_high (run_high) has never been used and its bytes mean nothing, so a blank
 * state touches a few dozen KiB of the page and not the megabytes it is long.
 *
 * The layout belongs to the state page's version; it grows at the reserved fields only.
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_GPU_STATE_H
#define VGPU_QEMU_VIRTIO_GPU_GPU_STATE_H

#include <assert.h>
#include <stdint.h>

#include "mdev/keeper/keeper_protocol.h"

#define GPU_STATE_MAGIC 0x53555047u	/* "GPUS" */
#define GPU_STATE_VERSION 1u

#define GPU_RESOURCE_MAX 16384u
#define GPU_PENDING_MAX 256u		/* by virtqueue head: VIRTQUEUE_SIZE_MAX */
#define GPU_PENDING_RANGES 4u		/* of guest memory that the response of a deferred element may be spread over */
#define GPU_RUN_MAX 65536u		/* page runs of all guest-memory blobs together */
#define GPU_DEBUG_NAME_BYTES 64u
#define GPU_NONE 0xffffffffu		/* no such slot */
#define GPU_OFFSET_NONE UINT64_MAX	/* not in the aperture */

/* A guest context. Its slot is the keeper's name for its engine, so the slot stays taken until that engine is dead. */
enum gpu_context_use {
	GPU_CONTEXT_FREE = 0,
	GPU_CONTEXT_LIVE = 1,
	GPU_CONTEXT_DESTROYED = 2,	/* CTX_DESTROY or reset; waits for its engine's death */
};

enum gpu_engine_life {
	GPU_ENGINE_NONE = 0,		/* no SETUP yet */
	GPU_ENGINE_STARTING = 1,	/* asked for; it knows no range yet */
	GPU_ENGINE_RUNNING = 2,		/* may touch every range that was mapped for this context */
	GPU_ENGINE_DYING = 3,		/* to be killed; still may */
	GPU_ENGINE_LOST = 4,		/* dead and reaped, and never started again for this context */
	GPU_ENGINE_RETIRING = 5,	/* said that it has nothing to do and will end (retirement.h); still may touch them */
	GPU_ENGINE_RETIRED = 6,		/* dead and reaped; another goes on from its checkpoint when the guest wants something */
};

struct gpu_context {
	uint32_t use;			/* enum gpu_context_use */
	uint32_t id;			/* the guest's; not looked up any more once DESTROYED */
	uint64_t birth_serial;		/* of the CTX_CREATE that made it */
	uint32_t capset_id;
	uint32_t engine;		/* enum gpu_engine_life */
	int64_t engine_pid;
	uint32_t lost_reason;		/* enum wire_lost: why it is LOST, or will be once it is dead */
	uint32_t wire_version;		/* chosen by the shim in SETUP */
	uint32_t ring;			/* resource slot of the ring SETUP named, or GPU_NONE */
	uint32_t completion_latched;	/* the engine completed something while no WAKE was pending: the next one is answered at once */
	uint32_t wake_head;		/* head of the pending WAKE, or GPU_NONE */
	uint32_t is_rebuilt;		/* 1: engines of this context go on from a checkpoint; 0: the first is to come, or lives */
	uint64_t device_bytes;		/* granted by CHARGE, in the ledger */
	uint64_t engine_since_ns;	/* CLOCK_MONOTONIC: RUNNING since then, or RETIRING */
	uint64_t reserved1[3];
	char debug_name[GPU_DEBUG_NAME_BYTES];	/* the guest's words, NUL-terminated */
};
static_assert(sizeof(struct gpu_context) == 160, "state page layout");

enum gpu_resource_kind {
	GPU_RESOURCE_RING = 1,		/* HOST3D, WIRE_BLOB_KIND_RING: not charged, one per context */
	GPU_RESOURCE_MEMORY = 2,	/* HOST3D, WIRE_BLOB_KIND_MEMORY: charged */
	GPU_RESOURCE_GUEST = 3,		/* guest memory: page runs, no place in the aperture */
};

enum gpu_resource_use {
	GPU_RESOURCE_FREE = 0,
	GPU_RESOURCE_LIVE = 1,
	GPU_RESOURCE_DYING = 2,		/* UNREF is deferred: the id is taken but answers to nothing */
	GPU_RESOURCE_ZOMBIE = 3,	/* the device was reset: the id is free, the range still held and charged */
	GPU_RESOURCE_WAITING = 4,	/* its CREATE waits for memory: id and blob id are taken, nothing is charged or held */
};

/* Of a HOST3D blob: its range of the aperture file. */
enum gpu_range_state {
	GPU_RANGE_NONE = 0,
	GPU_RANGE_MAPPED = 1,
	GPU_RANGE_UNMAPPING = 2,	/* an engine may still touch it: held until RELEASED or DIED, then punched */
};

struct gpu_resource {
	uint32_t id;			/* the guest's, not 0 */
	uint8_t use;			/* enum gpu_resource_use */
	uint8_t kind;			/* enum gpu_resource_kind */
	uint8_t range;			/* enum gpu_range_state */
	uint8_t mappable;		/* VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE */
	uint32_t owner;			/* context slot, GPU_NONE once that context is gone (or for guest memory with no context) */
	uint32_t pending_head;		/* of the deferred UNREF or MAP, or GPU_NONE */
	uint64_t blob_id;
	uint64_t bytes;
	uint64_t offset;		/* in the aperture, valid while range is not NONE, or with GPU_PENDING_MAP_LATER */
	uint64_t birth_serial;		/* of the RESOURCE_CREATE_BLOB that made it */
	uint64_t attached;		/* bit per context slot: CTX_ATTACH_RESOURCE */
	uint32_t run_first;		/* guest memory: first of its runs, or GPU_NONE */
	uint32_t run_count;
	uint64_t unmap_number;		/* which unmapping, valid while range is UNMAPPING: RELEASED has to repeat it */
};
static_assert(sizeof(struct gpu_resource) == 72, "state page layout");

/* A deferred element of the control queue. */
enum gpu_pending_kind {
	GPU_PENDING_NONE = 0,
	GPU_PENDING_WAKE = 1,		/* subject: context slot */
	GPU_PENDING_UNREF = 2,		/* subject: resource slot */
	GPU_PENDING_MAP = 3,		/* subject: resource slot; its MAP did not fit into the engine's channel yet */
	GPU_PENDING_ANSWERED = 4,	/* the response is in guest memory; only the used ring is owed. Never written again: the guest
					 * may own that memory already */
	GPU_PENDING_CREATE = 5,		/* subject: resource slot, WAITING */
	GPU_PENDING_MAP_LATER = 6,	/* subject: resource slot, WAITING; mapped at its offset once it is LIVE */
};

struct gpu_pending {
	uint32_t kind;			/* enum gpu_pending_kind */
	uint32_t subject;
	uint64_t serial;
	uint32_t flags;			/* of the response header (virtio 1.3 §5.7.6.7) */
	uint32_t context_id;
	uint64_t fence_id;
	uint32_t ring_index;
	uint32_t written;		/* with ANSWERED */
	uint32_t range_count;
	uint32_t reserved;
	struct {
		uint64_t address;
		uint64_t bytes;
	} range[GPU_PENDING_RANGES];
};
static_assert(sizeof(struct gpu_pending) == 48 + 16 * GPU_PENDING_RANGES, "state page layout");

/* A run of guest-physical memory of a guest-memory blob. */
struct gpu_run {
	uint64_t address;
	uint32_t bytes;
	uint32_t next;			/* run, or GPU_NONE */
};
static_assert(sizeof(struct gpu_run) == 16, "state page layout");

struct gpu_state {
	uint32_t magic;
	uint32_t version;
	uint32_t resource_high;		/* slots at or above were never used */
	uint32_t run_high;
	uint64_t acting_serial;		/* of the last element that passed its checks and began to act: tells a replay, which may
					 * find its work done, from a request for what does not exist */
	uint64_t unmap_count;		/* unmappings so far: unmap_number of the latest */
	uint32_t map_context;		/* context slot whose engine's mapping is being judged, stored first */
	uint32_t reserved0;
	uint64_t map_request[10];	/* that request: the kernel writes struct seccomp_notif here as it hands it out, once, so
					 * no kill can lose it; zero: none */
	uint64_t reserved[1];
	struct gpu_context context[KEEPER_CONTEXT_MAX];
	struct gpu_pending pending[GPU_PENDING_MAX];
	uint8_t reserved_tail[12288 - 128 - 160 * KEEPER_CONTEXT_MAX];
	struct gpu_resource resource[GPU_RESOURCE_MAX];
	struct gpu_run run[GPU_RUN_MAX];
};
static_assert(sizeof(struct gpu_state) == 12288 + 28672 + 72 * GPU_RESOURCE_MAX + 16 * GPU_RUN_MAX,
	      "state page layout: 2.2 MiB");

#endif
