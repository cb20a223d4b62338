/* SPDX-License-Identifier: MIT */
/*
 * The lease protocol: how an engine gets the GPU, holds it for a time slice and gives it back.
 *
 * Two shared pages. The grant page, one per vGPU and run queue, is written by the arbiter (in vgpud)
 * alone; engines map it read-only. The status page, one per engine, is written by that engine, which is
 * untrusted: the arbiter reads each field once and believes it only as far as it can hurt nobody
 * but the vGPU itself. Both are memfds that the keeper makes and holds, so that a restarted vgpud
 * goes on from what they say.
 *
 * grant.word is one atomic 64-bit value: the epoch in the upper 32 bits, LEASE_* flags in the lower
 * 32 (the futex word; little-endian hosts). It says everything an engine must know per chunk in one
 * acquire load. deadline_ns is stored before the word that announces it.
 *
 *   engine                                   arbiter
 *   WANT: state = WANT (seq_cst)             grant: deadline_ns, word = {epoch+1, GRANTED...} (seq_cst), FUTEX_WAKE
 *     word not GRANTED: write the want       contended: word |= CONTENDED (same epoch) with a deadline
 *     eventfd, FUTEX_WAIT on flags           deadline: word |= REVOKE
 *   RUN: run_epoch = e, state = RUN          take back: word = {epoch+1, 0} (seq_cst), then read every
 *     (seq_cst), load word again; another    status page: while one says RUN with the old epoch the
 *     epoch or not GRANTED: back to WANT     lease is not over and nobody else is granted
 *   end: state = IDLE or WANT (seq_cst); if the word was CONTENDED or changed: write the want eventfd
 *   pass: passed = epoch + 1, then end     it wants, but not under this grant: as if it were IDLE, until the next
 *
 * The store of RUN followed by the second load, against the arbiter's store of the word followed by
 * its reads of the status pages, is the Dekker pair that excludes two holders; all four are seq_cst.
 *
 * Where the parent is the processor the arbiter does not ask: at the deadline it stops the engines of the vGPU where they stand (frozen),
 * from outside, by the kernel. The word stays GRANTED under its epoch, so an engine that goes on, milliseconds later, has noticed nothing;
 * meanwhile the vGPU holds no lease. FREEZES in the word tells an engine that it need not look at the deadline, nor drain, and may keep its
 * lease while it waits a moment for the next command: the lease can be taken at any instant.
 *
 * A lone vGPU keeps GRANTED with deadline_ns 0 (open lease): its engines go IDLE -> RUN -> IDLE with no
 * system call. Several engines of one vGPU run under the same grant at the same time.
 * The time charged is from grant to observed release, never an engine's word; busy_ns is only for
 * display, and for the share shown while a lease is open and nobody waits.
 */
#ifndef VGPU_SCHEDULER_LEASE_H
#define VGPU_SCHEDULER_LEASE_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LEASE_MAGIC 0x5341454cu		/* "LEAS" */
#define LEASE_VERSION 1u

/* grant.word, lower half */
#define LEASE_GRANTED (1u << 0)
#define LEASE_CONTENDED (1u << 1)	/* somebody waits: obey the deadline, say when you are done */
#define LEASE_REVOKE (1u << 2)		/* the deadline has passed: start nothing, drain, release */
#define LEASE_FREEZES (1u << 3)		/* with GRANTED: at its end the engine is stopped where it stands and goes on with the next
					 * grant, under the same epoch. It need not look at the deadline, nor drain */

struct lease_grant {
	uint32_t magic;
	uint32_t version;
	_Atomic uint64_t word;
	_Atomic uint64_t deadline_ns;	/* CLOCK_MONOTONIC; 0 = none */
	_Atomic uint64_t chunk_ns;	/* a chunk's target length; 0 = do not chunk */
	/* The arbiter's own books, kept here so that they outlive it. Engines do not read them, but for resumed_ns. */
	_Atomic uint64_t granted_at_ns;	/* of the current grant, 0 = none */
	_Atomic uint64_t used_ns;	/* charged so far: contended leases by wall time */
	_Atomic uint64_t grants;
	_Atomic uint64_t overruns;
	_Atomic uint64_t busy_base_ns;	/* sum of the engines' busy_ns when used_ns was last brought up to date */
	_Atomic uint64_t frozen;	/* enum lease_frozen: not 0 = stopped: it holds no lease, whatever the word says, and wants one */
	_Atomic uint64_t resumed_ns;	/* when the vGPU last began to hold a lease, frozen before or not. For engines: what lies before was not their
					 * work's time */
	uint64_t reserved[5];
};
static_assert(sizeof(struct lease_grant) == 128, "kept across builds");
#define LEASE_GRANT_BYTES 4096u
#define LEASE_RECORDS_AT 256u	/* in the grant page: two struct entity_record (entity.h), the arbiter's own as well */

enum lease_frozen {
	LEASE_THAWED = 0,
	LEASE_FROZEN_AT_END = 1,	/* of its lease, with work under way: the word stays GRANTED */
	LEASE_FROZEN_WITHOUT = 2,	/* it used the parent without a lease */
};

enum lease_state {
	LEASE_IDLE = 0,
	LEASE_WANT = 1,
	LEASE_RUN = 2,
};

struct lease_status {
	uint32_t magic;
	uint32_t version;
	_Atomic uint32_t state;		/* enum lease_state */
	_Atomic uint32_t run_epoch;	/* with RUN: under which grant */
	_Atomic uint64_t busy_ns;	/* the engine's own count of time with work on the device */
	_Atomic uint64_t kernels;	/* launched so far */
	_Atomic uint64_t kernel_id;	/* a hash naming what runs now, or with WANT what would run first; for prediction; 0 unknown */
	_Atomic uint64_t heartbeat_ns;	/* when work was last done */
	_Atomic uint64_t run_at_ns;	/* when it entered RUN under a contended lease; for the books of lost time only */
	_Atomic uint32_t heard;		/* written by the service, the only field that is: not 0 = its arbiter looks at this page. Before that no
					 * lease is taken, which the arbiter would not see. A futex */
	uint32_t padding;
	_Atomic uint64_t pieces;	/* launched so far: as many as kernels, where none is split */
	_Atomic uint64_t passed;	/* with WANT: 1 + the epoch of a contended grant that it wants nothing more of (lease_pass); 0 = none */
	uint64_t reserved[6];
};
static_assert(sizeof(struct lease_status) == 128, "kept across builds");
#define LEASE_STATUS_BYTES 4096u

static inline uint32_t lease_word_epoch(uint64_t word) { return (uint32_t)(word >> 32); }
static inline uint32_t lease_word_flags(uint64_t word) { return (uint32_t)word; }
static inline uint64_t lease_word(uint32_t epoch, uint32_t flags) { return (uint64_t)epoch << 32 | flags; }

/*
 * The engine's side. A holder is one engine process; all calls from its submitting thread except
 * lease_must_stop, which any thread may make.
 */
struct lease_holder {
	const struct lease_grant *grant;	/* borrowed, mapped read-only */
	struct lease_status *status;		/* borrowed */
	int want_eventfd;			/* borrowed */
	uint32_t epoch;				/* of the lease held */
	bool held;
	uint64_t passed;			/* as in the status page, which is not believed by anybody */
};

/* Starts from IDLE and writes the status page's magic and version. 0, or -EPROTO for a grant page of
 * another version. */
int lease_holder_init(struct lease_holder *holder, const struct lease_grant *grant, struct lease_status *status,
		      int want_eventfd);

/* Takes the lease, sleeping until the arbiter has heard of this engine and it is granted; returns at once if it is held. timeout_ms < 0 waits for
 * ever. 0, or -ETIMEDOUT (state stays WANT; call again, or lease_release to give up). */
int lease_take(struct lease_holder *holder, int timeout_ms);

/* True if the holder must not start another chunk: revoked, past its deadline while contended, or not
 * held. now_ns: CLOCK_MONOTONIC. One acquire load while nobody waits. */
bool lease_must_stop(const struct lease_holder *holder, uint64_t now_ns);

/* Whether an engine without work may poll for a moment, keeping its lease: nobody waits, or the lease can be taken from it at any
 * instant. One acquire load; any thread. */
bool lease_may_stay(const struct lease_holder *holder);

/* Gives the lease back; the device must be drained. want_more: go to WANT, not IDLE, because work is queued.
 * No system call unless somebody waits. */
void lease_release(struct lease_holder *holder, bool want_more);

/* Gives the lease back, drained, before its end: what is queued does not fit into the rest of it. Of a contended lease the rest is
 * for others: lease_take then waits for the next grant, or until nobody else waits any more. */
void lease_pass(struct lease_holder *holder);

#endif
