/* SPDX-License-Identifier: MIT */
/*
 * The virtio-gpu device inside one process: what its modules share, all of it rebuilt from struct gpu_state.
 *
 * Private to this folder. Device thread only. Reading order: gpu_state.h, resource_table, ledger, aperture, pending,
 * engine_channel, map_guard, contexts, retirement, blobs, waiting, guest_blob, control, audit, virtio_gpu.c.
 *
 * Theory of operation. The guest's requests change a few words of the state (a resource is DYING, a context is
 * DESTROYED), and what follows from them is done by two functions that may be called at any time and any number of
 * times: resource_settle and context_settle. They are called after the change, when an engine lets go or
 * dies, and for everything when a process takes over; so a kill between two steps costs nothing but the repetition.
 */
#ifndef VGPU_QEMU_VIRTIO_GPU_GPU_H
#define VGPU_QEMU_VIRTIO_GPU_GPU_H

#include <linux/virtio_gpu.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/wire/wire.h"
#include "vgpu-qemu/virtio_gpu/gpu_state.h"
#include "vgpu-qemu/virtio_gpu/virtio_gpu.h"

#define GPU_PAGE_BYTES 4096u
#define GPU_RESPONSE_BYTES_MAX (sizeof(struct virtio_gpu_ctrl_hdr) + WIRE_CAPSET_MAX_BYTES)

/* What this process has told an engine about a resource's range. */
enum engine_told {
	ENGINE_TOLD_NOTHING = 0,
	ENGINE_TOLD_MAP = 1,
	ENGINE_TOLD_UNMAP = 2,
};

/* This process's end of one engine's channel, by context slot. */
struct engine_channel {
	bool attached;
	bool resync_told;
	bool ring_told;
	bool charged_owed;		/* a CHARGE waits for its answer */
	bool idle_told;			/* RETIRE_AFTER */
	bool full;			/* EPOLLOUT is asked for */
	int fd;				/* duplicates of the keeper link's; valid while attached */
	int doorbell_fd;
	int completion_fd;
	int listener_fd;		/* of the engine's mappings (map_guard.h), or -1 */
	uint32_t refused_maps;
	uint32_t generation;		/* of the attachment: an event of an earlier one is ignored */
	uint32_t dirty_head;		/* resources the engine has to hear of, oldest first; slot + 1, 0 = none */
	uint32_t dirty_tail;
};

/* Of one resource slot, this process only. */
struct resource_view {
	uint32_t id_next;		/* chains of the two indices; slot + 1 */
	uint32_t blob_next;
	uint32_t dirty_next;
	bool dirty;
	uint8_t told;			/* enum engine_told */
	uint64_t unmapping_since_ns;
	uint64_t mapped_since_ns;	/* of a MAP that waits for room in the channel */
	uint64_t waiting_since_ns;	/* of a CREATE that waits for memory */
};

struct virtio_gpu {
	struct virtio_gpu_wiring w;
	struct gpu_state *state;

	/* resource_table */
	uint32_t by_id[GPU_RESOURCE_MAX];	/* slot + 1 */
	uint32_t by_blob[GPU_RESOURCE_MAX];
	uint32_t free_slot[GPU_RESOURCE_MAX];
	uint32_t free_count;
	struct resource_view view[GPU_RESOURCE_MAX];
	uint32_t resource_count;	/* not FREE */
	uint32_t ring_count;		/* of them rings */
	uint32_t rings_of[KEEPER_CONTEXT_MAX];
	uint32_t waiting_count;		/* of them WAITING */

	/* waiting */
	bool waiting_due;		/* the tick is on its way */
	bool waiting_orphans;		/* there may be one without its element */

	/* ledger */
	uint64_t charged_bytes;

	/* aperture */
	uint32_t extent[GPU_RESOURCE_MAX];	/* resource slots whose range is held, by offset */
	uint32_t extent_count;
	uint64_t held_bytes;
	uint32_t unmapping_count;

	/* guest_blob */
	uint32_t run_free;		/* chained by gpu_run.next, or GPU_NONE */

	/* pending */
	uint32_t pending_map_count;
	bool recovering;		/* in virtio_gpu_create: answers are written, but not published before the first tick */
	bool answers_owed;

	/* engine_channel */
	struct engine_channel channel[KEEPER_CONTEXT_MAX];
	uint32_t generation;

	/* audit */
	int timer_fd;
	uint64_t tick_due_ns;
	uint64_t audit_interval_ns;
	uint64_t audit_due_ns;
	uint64_t audited_blocks;
	uint64_t strike_quiet_until_ns;
	uint64_t unstruck_bytes;

	uint64_t say_quiet_until_ns;	/* of warnings a guest can provoke at will */

	uint32_t capset_bytes;
	uint8_t capset[WIRE_CAPSET_MAX_BYTES];
	alignas(uint64_t) uint8_t response[GPU_RESPONSE_BYTES_MAX];
};

/* What low 32 bits of an epoll event's data say: kind, generation, context slot. */
enum gpu_event_kind {
	GPU_EVENT_TIMER = 1,
	GPU_EVENT_CHANNEL = 2,
	GPU_EVENT_COMPLETION = 3,
	GPU_EVENT_MAPPING = 4,
};
static inline uint64_t gpu_event_data(enum gpu_event_kind kind, uint32_t generation, uint32_t context)
{
	return VIRTIO_GPU_EVENT | (uint32_t)kind << 28 | (generation & 0xfffffu) << 8 | (context & 0xffu);
}

uint64_t gpu_now_ns(void);	/* CLOCK_MONOTONIC */

#endif
