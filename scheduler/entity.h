/* SPDX-License-Identifier: MIT */
/*
 * What is set and kept about one vGPU in a run queue: its settings, and the record that outlives the scheduler.
 *
 * The unit of fairness is the vGPU: never a context, a queue or a process, so that opening more of those gains nothing.
 */
#ifndef VGPU_SCHEDULER_ENTITY_H
#define VGPU_SCHEDULER_ENTITY_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define ENTITY_WHOLE_PPM 1000000u	/* shares are in millionths of one lease held all the time */

#define ENTITY_WEIGHT_MIN 1u
#define ENTITY_WEIGHT_MAX 65536u
#define ENTITY_WEIGHT 1024u
#define ENTITY_CAP_PPM_MIN 1000u
#define ENTITY_BURST_NS 10000000ull
#define ENTITY_BURST_NS_MIN 100000ull
#define ENTITY_BURST_NS_MAX 10000000000ull
#define ENTITY_PERIOD_NS_MIN 1000000ull
#define ENTITY_PERIOD_NS_MAX 10000000000ull
#define ENTITY_BUDGET_NS_MIN 50000ull
#define ENTITY_SLICE_NS_MIN 100000ull
#define ENTITY_SLICE_NS_MAX 100000000ull

enum entity_class {
	ENTITY_NORMAL = 0,
	ENTITY_REALTIME = 1,	/* budget_ns in each period_ns, before all others and off the top; beyond it as normal */
	ENTITY_IDLE = 2,	/* what nobody else wants */
};

struct entity_settings {
	uint32_t weight;		/* ENTITY_WEIGHT_MIN..MAX */
	uint32_t class;			/* enum entity_class */
	uint32_t cap_ppm;		/* ENTITY_CAP_PPM_MIN..ENTITY_WHOLE_PPM; the latter = no cap */
	uint32_t reservation_ppm;	/* 0 = none; at most cap_ppm, and what admission.h lets in */
	uint64_t burst_ns;		/* what a capped vGPU may use at once after a rest */
	uint64_t budget_ns;		/* with ENTITY_REALTIME only, else 0 */
	uint64_t period_ns;
	uint64_t slice_ns;		/* 0 = the queue's */
};

static inline struct entity_settings entity_defaults(void)
{
	return (struct entity_settings){
		.weight = ENTITY_WEIGHT,
		.class = ENTITY_NORMAL,
		.cap_ppm = ENTITY_WHOLE_PPM,
		.burst_ns = ENTITY_BURST_NS,
	};
}

/*
 * All that a decision depends on and that time alone would not bring back: kept where it outlives the scheduler (the
 * keeper's lease grant page has room for both copies behind struct lease_grant). Fixed layout, native byte order: it is
 * read by another build on the same host. The two copies are written in turn, so that a writer killed in the middle
 * costs the last change and never the record; `check` says whether a copy is whole.
 */
#define ENTITY_RECORD_MAGIC 0x59544e45u		/* "ENTY" */
#define ENTITY_RECORD_VERSION 1u

struct entity_record {
	uint32_t magic;
	uint32_t version;
	uint64_t turn;			/* counts up with each save; the larger of two whole copies counts */
	uint64_t saved_at_ns;		/* CLOCK_MONOTONIC of the host */
	struct entity_settings settings;
	int64_t lag_ns;			/* owed to the vGPU; negative = its debt */
	int64_t deferred_ns;		/* overruns still to be charged (adaptive) */
	int64_t tokens_ns;		/* of the cap */
	int64_t budget_left_ns;		/* of the realtime period */
	uint64_t period_end_ns;
	int64_t reserved_ns;		/* behind (positive) or ahead of its reservation */
	uint64_t idle_used_ns;		/* idle class: what orders its members */
	uint64_t peak_ns;		/* the longest piece of work lately */
	uint64_t used_ns;		/* charged so far */
	uint64_t check;
};
static_assert(sizeof(struct entity_settings) == 48, "part of the record");
static_assert(sizeof(struct entity_record) == 24 + 48 + 80, "kept across builds");

/* Completes copies[turn % 2] with the record: whole at any instant, or not at all. */
void entity_record_save(struct entity_record copies[2], const struct entity_record *record);
/* The newer whole copy, checked for bounds; NULL if neither is whole or of our version. */
const struct entity_record *entity_record_load(const struct entity_record copies[2]);

#endif
