/* SPDX-License-Identifier: MIT */
/*
 * The lease protocol of scheduler/lease.c and scheduler/arbiter.c as a model whose states can all be searched.
 *
 * A step is one access to what two processes share: a load or store of a page's field (all are seq_cst, so they happen in one order),
 * a futex's compare-and-sleep, a wake-up, a write or read of the want eventfd, a freeze. What is of one process only happens in
 * the step before it. Processes die between any two steps; pages, eventfds and frozen control groups stay.
 *
 * What stands for what:
 *  - epochs: nobody asks more of one than whether it is the word's or the one before, so its age is kept: 0, 1, 2 or more. That is
 *    exact for any number of grants.
 *  - time: a lease's deadline passes at any moment while it is held. The arbiter's only timer is that of a contended
 *    lease's deadline; the timers that only look again (an open lease's books, an overrun) do not exist here, so nothing may
 *    depend on them.
 *  - the run queue: anybody who wants may be picked; a lease has a deadline while somebody else wants.
 *  - freezing does not fail.
 *  - lease_pass is not here: to the pages it is a release, after which that engine waits longer, looking for itself, and the arbiter
 *    may take the grant back sooner, by the same steps.
 *  - an engine's work: goes on for ever (own steps), or ends at any moment (what happens).
 *  - what happens, and nobody counts on: new work, work's end, a lease_take that times out, a give-up, deaths, new engines.
 */
#ifndef VGPU_TESTS_LEASE_MODEL_H
#define VGPU_TESTS_LEASE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/scheduler/state_search.h"

#define MODEL_VGPUS 3u
#define MODEL_ENGINES 2u	/* of one vGPU */

/* Ways to break the protocol. */
enum model_mutation {
	MODEL_AS_IT_IS,
	MODEL_NO_SECOND_LOAD,		/* enter believes the first */
	MODEL_SILENT_RELEASE,		/* lease_release tells nobody */
	MODEL_SILENT_WITHDRAWAL,	/* nor does an enter that came too late */
	MODEL_NO_WAKE,			/* a grant wakes nobody */
	MODEL_NO_WAKE_AGAIN,		/* nor does a new arbiter, where the one before died before its wake-up */
	MODEL_SLEEP_UNCOMPARED,		/* the futex's word is not compared with what was read */
	MODEL_DRAIN_AFTER_LOOK,		/* the want eventfd is read after the pages */
	MODEL_NO_LOOK_AFTER_TAKE_BACK,	/* the states are read before the word is taken back, and not again */
	MODEL_NO_HOLD,			/* a new arbiter decides before it has heard from all engines */
	MODEL_ONE_PASS,			/* holders are asked for their deadlines before it is seen whose leases are over */
	MODEL_UNHEARD_ENGINES,		/* an engine may take a lease before the arbiter has heard of it */
	MODEL_NO_FREEZE_AGAIN,		/* a new arbiter believes that who is marked frozen stands */
	MODEL_NO_THAW_AGAIN,		/* a new arbiter believes that who is not marked frozen runs */
	MODEL_CLOSE_BEFORE_FREEZE,	/* the lease is over when frozen is stored, and the freeze comes after the next grant */
	MODEL_MUTATIONS,
};

struct model_settings {
	unsigned vgpu_count;
	unsigned engine_count[MODEL_VGPUS];
	bool freezes;			/* leases end by freezing; else by a drain */
	bool arbiter_dies, engines_die;
	bool reads_at_once;		/* the states of a vGPU's engines are read in one step, to keep three engines within bounds */
	bool gives_up;			/* lease_take times out, and may be given up then */
	enum model_mutation mutation;
};

/* Searches all states of the protocol so set up. print: a way to what is wrong is printed. */
struct state_result lease_model_check(const struct model_settings *settings, size_t state_max, bool print);

#endif
