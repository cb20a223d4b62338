/* SPDX-License-Identifier: MIT */
/*
 * What vgpu-keeper says to the processes around it, over SOCK_SEQPACKET.
 *
 * The keeper of a vGPU stores descriptors and starts, watches and restarts processes. It knows slots: a
 * slot is one vfio-user connection (slot 0: the VM's; 1..: direct clients'), with a device process, a
 * state page, an aperture and the engines of that connection's contexts. A new connection is a new
 * slot with fresh memory, so nothing of an earlier client can be seen by a later one.
 *
 * Files of a vGPU, in its runtime folder (DIR = --dir of every process here):
 *   config.json      written by vgpud before it starts the keeper; read by keeper, device, engines' launcher
 *   capset           the capset as the guest gets it (shim/wire/wire.h), written by vgpud
 *   vfio-user.sock   where QEMU connects; one connection at a time
 *   direct.sock      where direct clients connect
 *   keeper.sock      where vgpud, and device processes that lost their keeper, connect
 *   keeper.lock      flock: one keeper at a time
 *   slot-N.pid       pid of the slot's device process, for a keeper that starts anew
 *   engine-N-M.pid   pid of the engine of context M of slot N, likewise
 *   compiler.pid     pid of the compile helper, likewise
 *   device-program   what REPLACE_DEVICE chose, for a keeper that starts anew
 *
 * Every message is a struct keeper_message, up to SEQPACKET_FDS_MAX descriptors, and for some `bytes` of text after it.
 * A receiver acts idempotently and then consumes (receive with peek first), so that it may be killed
 * between the two. All peers are trusted processes of the host service; guest bytes never travel here.
 */
#ifndef VGPU_MDEV_KEEPER_KEEPER_PROTOCOL_H
#define VGPU_MDEV_KEEPER_KEEPER_PROTOCOL_H

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>

#define KEEPER_PROTOCOL_VERSION 1u
#define KEEPER_SLOT_MAX 64u
#define KEEPER_CONTEXT_MAX 64u		/* engines of one slot at a time */
#define KEEPER_TEXT_MAX 1024u

/*
 * A descriptor's name in the keeper: what it is and which one. The same tag replaces. Fixed ones are made by the
 * keeper with the slot; the others are stored by the device process (DMA, IRQ, PENDING) or come with an engine.
 */
#define KEEPER_TAG(kind, index) ((uint32_t)(kind) << 16 | (uint32_t)(index))
#define KEEPER_TAG_KIND(tag) ((tag) >> 16)
#define KEEPER_TAG_INDEX(tag) ((tag) & 0xffffu)
enum keeper_tag_kind {
	KEEPER_FD_CONNECTION = 1,	/* vfio-user stream socket, index 0 */
	KEEPER_FD_STATE = 2,		/* memfd of the state page (vgpu-qemu/state_page.h) */
	KEEPER_FD_APERTURE = 3,		/* memfd behind BAR2, sealed against resizing */
	KEEPER_FD_REPLY_READ = 4,	/* the pipe replies pass through */
	KEEPER_FD_REPLY_WRITE = 5,
	KEEPER_FD_VGPU_PAGE = 6,	/* memfd of struct vgpu_page, shared by all slots of the vGPU */
	KEEPER_FD_CAPSET = 7,		/* read-only file */
	KEEPER_FD_GRANT = 8,		/* memfd of the vGPU's lease grant page (scheduler/lease.h) */
	KEEPER_FD_WANT = 9,		/* eventfd: an engine wants or gives back the lease */
	KEEPER_FD_DMA = 16,		/* guest RAM, by the state page's DMA slot */
	KEEPER_FD_IRQ = 17,		/* eventfd, by MSI-X vector */
	KEEPER_FD_PENDING = 18,		/* descriptors of the request in the log, by position; dropped when it is done */
	KEEPER_FD_ENGINE_CHANNEL = 32,	/* by context slot: vgpu-device's end of the channel (mdev/engine/engine_protocol.h) */
	KEEPER_FD_ENGINE_DOORBELL = 33,	/* eventfd, device -> engine */
	KEEPER_FD_ENGINE_COMPLETION = 34, /* eventfd, engine -> device */
	KEEPER_FD_ENGINE_STATUS = 35,	/* memfd of the engine's lease status page; keeper <-> vgpud, and in REJOIN */
	KEEPER_FD_ENGINE_PIDFD = 36,	/* in REJOIN only */
	KEEPER_FD_ENGINE_LISTENER = 37,	/* seccomp listener of the engine's mappings; stored and dropped by the device */
};

enum keeper_op {
	/* keeper -> device. The device process is started with its keeper socket as descriptor 3 and
	 * nothing else but 0, 1, 2; then it receives all descriptors of its slot. */
	KEEPER_HELLO = 1,	/* slot, value = number of descriptors that follow */
	KEEPER_GIVE = 2,	/* tags[0..fd_count) name the attached descriptors; at start and after ENGINE_START */
	KEEPER_GIVEN = 3,	/* all descriptors have been given: begin, or take over */
	KEEPER_ENGINE_STARTED = 4, /* context: its CHANNEL, DOORBELL, COMPLETION are attached (tags as in GIVE); value = pid */
	KEEPER_ENGINE_DIED = 5,	/* context; value = wait status, or negative errno if it could not be started. Sent once it is dead
				 * and reaped: from here on it touches no memory. Sent again to every later device process, until the
				 * context's ENGINE_CHANNEL is dropped: that says it has been acted on */

	/* device -> keeper */
	KEEPER_STORE = 16,	/* store the attached descriptors under tags */
	KEEPER_DROP = 17,	/* forget tags[0..tag_count). An engine's CHANNEL: its DIED has been acted on, not to be sent again */
	KEEPER_ENGINE_START = 18, /* context: start its engine. Answered by STARTED or DIED; asking for a living one answers STARTED again */
	KEEPER_ENGINE_KILL = 19, /* context: SIGKILL it; answered by DIED: at once if there is none, and not again if that has been
				 * said */
	KEEPER_STRIKE = 20,	/* the guest misbehaved; text says how. The keeper counts and logs, naming vGPU and slot */
	KEEPER_FINISHED = 21,	/* the connection has ended and the slot is clean: forget it */
	KEEPER_REJOIN = 22,	/* to keeper.sock, by a device that lost its keeper: slot, value = its pid; then STORE for every
				 * descriptor, one ENGINE_IS per engine, then REJOINED */
	KEEPER_ENGINE_IS = 23,	/* context; value = pid; CHANNEL, DOORBELL, COMPLETION, STATUS, PIDFD attached */
	KEEPER_REJOINED = 24,

	/* vgpud -> keeper */
	KEEPER_MANAGE = 32,	/* first message on keeper.sock: answered by IS, one LEASE, one ENGINE per engine, then MANAGED */
	KEEPER_REPLACE_DEVICE = 33, /* text: path of the program to use from now on; all device processes are replaced */
	KEEPER_STOP = 34,	/* end every slot and exit; the connections are closed */

	/* keeper -> vgpud */
	KEEPER_IS = 48,		/* value = keeper's pid; VGPU_PAGE attached */
	KEEPER_LEASE = 49,	/* GRANT and WANT attached */
	KEEPER_ENGINE = 50,	/* slot, context, value = pid; STATUS attached: an engine was started */
	KEEPER_ENGINE_GONE = 51, /* slot, context, value = wait status */
	KEEPER_SLOT = 52,	/* slot, value = 1 opened, 0 closed; text: peer ("pid 123 uid 0") */
	KEEPER_EVENT = 53,	/* text: something for the event log; value = strikes so far for a STRIKE */
	KEEPER_MANAGED = 54,
};

/* How vgpu-device ends, and what the keeper does then. After any other status or a signal it starts the device again. */
enum device_exit {
	DEVICE_EXIT_FINISHED = 0,	/* the connection has ended and the slot is clean (KEEPER_FINISHED was sent) */
	DEVICE_EXIT_USAGE = 2,		/* arguments or config.json are wrong */
	DEVICE_EXIT_KEEPER = 3,		/* descriptors were missing or not given in time */
	DEVICE_EXIT_STATE_NEWER = 4,	/* the state page is of a newer build: the program before the last REPLACE_DEVICE, else
					 * the connection is given up */
	DEVICE_EXIT_STATE_DAMAGED = 5,	/* the state page makes no sense: the connection is given up */
	DEVICE_EXIT_FAILED = 6,		/* out of memory or the like: try again */
};

#define KEEPER_TAGS_PER_MESSAGE 16

struct keeper_message {
	uint32_t op;			/* enum keeper_op */
	uint32_t slot;
	uint32_t context;		/* context slot in the state page, < KEEPER_CONTEXT_MAX */
	uint32_t tag_count;
	uint32_t tags[KEEPER_TAGS_PER_MESSAGE];
	int64_t value;
	uint32_t bytes;			/* of text after this struct, no NUL */
	uint32_t reserved;
};
static_assert(sizeof(struct keeper_message) == 96, "spoken between builds");

/*
 * The vGPU's page: one per vGPU, mapped by its keeper, its device processes and vgpud. It carries the
 * ledger over all slots. Each slot's device writes its own entry only, and recomputes it from its tables when it
 * takes over, so there is nothing to repair after a crash. To charge: raise your own entry (seq_cst), sum all
 * (seq_cst loads), and if the sum exceeds the limit lower it again and refuse: two at once may both be refused,
 * but the limit is never exceeded.
 */
#define VGPU_PAGE_MAGIC 0x45474150u
#define VGPU_PAGE_VERSION 1u
struct vgpu_page {
	uint32_t magic;
	uint32_t version;
	_Atomic uint64_t vram_limit_bytes;	/* written by vgpud */
	_Atomic uint64_t strikes;		/* written by the keeper */
	uint64_t reserved[5];
	struct {
		_Atomic uint64_t charged_bytes;	/* VRAM; written by the slot's device; zeroed by the keeper when the slot ends */
		_Atomic uint32_t contexts;
		_Atomic uint32_t resources;
		_Atomic uint64_t backing_bytes;	/* blocks of the aperture file, last audit */
		_Atomic uint64_t punched_bytes;	/* taken back outside blobs, so far */
	} slot[KEEPER_SLOT_MAX];
};
static_assert(sizeof(struct vgpu_page) == 64 + 32 * KEEPER_SLOT_MAX, "spoken between builds");
#define VGPU_PAGE_BYTES 4096u

#endif
