/* SPDX-License-Identifier: MIT */
/* Random scenarios for the properties of the run queue, and the smallest that still fails. */
#ifndef VGPU_TESTS_SCHEDULER_RANDOM_SCENARIO_H
#define VGPU_TESTS_SCHEDULER_RANDOM_SCENARIO_H

#include "scheduler/sim/scenario.h"

#define RANDOM_MEMBERS_MAX 12u

enum random_kind {
	RANDOM_STATIC,	/* all backlogged, one lease, weights only */
	RANDOM_SLEEPERS,/* those who come and go as well */
	RANDOM_ANY,	/* caps, reservations, classes, policies, leases, edits */
};

struct random_scenario {
	struct scenario scenario;
	struct member members[RANDOM_MEMBERS_MAX];
	struct edit edits[4];
};

/* The same seed, the same scenario, on any machine: no floating point. All times are whole microseconds. */
void random_scenario_init(struct random_scenario *random, enum random_kind kind, uint64_t seed);
/* Makes it smaller as long as `fails` says that it fails. */
void random_scenario_shrink(struct random_scenario *random, bool (*fails)(const struct scenario *scenario, void *data), void *data);

#endif
