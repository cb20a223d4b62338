/* SPDX-License-Identifier: MIT */
/*
 * One window cut into phases that take turns: what differs between them is compared within each round.
 *
 * A machine whose clock or neighbours come and go differs from second to second by more than what is looked for; phases
 * that follow each other closely see the same machine. Pure arithmetic.
 */
#ifndef BENCHMARKS_FAIRNESS_PHASES_H
#define BENCHMARKS_FAIRNESS_PHASES_H

#include <stdbool.h>

#include "benchmarks/fairness/progress.h"

#define PHASES_MAX 8
#define PHASES_ROUNDS_MAX 64

/* Which phases there are, and in which of them a client is at work. {0}: in all. */
struct phase_plan {
	uint64_t phase_ns;
	unsigned count;		/* 0: there are no phases */
	unsigned active;	/* below count */
};

/* Before the window everybody is at work. */
bool phase_is_active(const struct phase_plan *plan, uint64_t begin_ns, uint64_t now_ns);
/* When the active phase that is now, or is next, begins. */
uint64_t phase_active_at_ns(const struct phase_plan *plan, uint64_t begin_ns, uint64_t now_ns);

struct phases {
	unsigned count, rounds;
	double rate[PHASES_MAX][PHASES_ROUNDS_MAX];	/* kernels per second of the phase's part that is looked at */
};

/* Clients of one window, their work added up. The first skip_bins of each phase are left out: there the one before
 * lingers. Rounds that are not whole are left out. -EINVAL: windows differ, no whole round, or too many. */
int phases_compute(const struct progress *clients, unsigned client_count, uint32_t phase_bins, unsigned phase_count,
	uint32_t skip_bins, struct phases *ret_phases);
/* Median over rounds. */
double phases_rate(const struct phases *phases, unsigned phase);
/* Median over rounds of the one's rate over the other's in the same round; NAN where that stood still in all. */
double phases_ratio(const struct phases *phases, unsigned phase, unsigned other);

#endif
