/* SPDX-License-Identifier: MIT */
/*
 * What must hold at every instant of any run (docs/SCHEDULER.md has the bounds).
 *
 *   conserving   no lease is free while somebody who is not capped waits, except in the holding policies
 *   zero sum     what is owed and what is in debt are equal
 *   debt, lag    one lease, weights only: debt <= 1.25 (q + C_i); lag <= 2 max_j (q + C_j), with sleepers 3 max_j max(q, C_j)
 *   cap          over any window T, service <= cap T + burst + C
 *   reservation  who always wants has at least R t, but for a start of some slices
 *   realtime     who has budget waits no longer than for what cannot be stopped and other realtime vGPUs
 *   fluid        static scenarios: charged time within 2 (q + C) of the fluid ideal
 *   not robbed   with sleepers: who always wants has at the end what the fluid ideal gives it, within 3 max(q, C)
 */
#ifndef VGPU_TESTS_SCHEDULER_INVARIANT_H
#define VGPU_TESTS_SCHEDULER_INVARIANT_H

#include "scheduler/sim/sim.h"
#include "tests/scheduler/random_scenario.h"

#define INVARIANT_WHY_BYTES 256

struct invariant_worst {	/* how near the bounds were come: 1 = reached */
	double debt, lag, cap, fluid;
};

/* Runs the scenario and checks. True if all held; else ret_why says what did not, and when. worst may be NULL and is raised. */
bool invariants_hold(const struct scenario *scenario, enum random_kind kind, struct invariant_worst *worst, char ret_why[INVARIANT_WHY_BYTES]);

#endif
