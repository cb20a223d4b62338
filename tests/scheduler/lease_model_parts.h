/* SPDX-License-Identifier: MIT */
/* What the parts of the lease protocol's model share: the state, unpacked. lease_model.h has the theory. */
#ifndef VGPU_TESTS_LEASE_MODEL_PARTS_H
#define VGPU_TESTS_LEASE_MODEL_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "tests/scheduler/lease_model.h"

/* An engine's next step. T_: lease_take, E_: enter, M_: lease_must_stop, R_: lease_release. */
enum engine_at {
	E_ABSENT,	/* no process */
	E_DEAD,		/* killed; its page still counts */
	E_IDLE,		/* nothing to do */
	T_STORE_WANT,
	T_LOAD,
	T_TELL,
	T_SLEEP,	/* compare and sleep */
	T_ASLEEP,
	E_STORE_RUN,
	E_LOAD,
	E_STORE_WANT,
	E_TELL,
	E_WORKS,	/* on the device */
	M_DEADLINE,	/* the same, having read CONTENDED */
	R_STORE,	/* drained */
	R_LOAD,
	R_TELL,
	ENGINE_ATS,
};

enum arbiter_at {
	A_DEAD,
	A_WAITS,	/* for an event */
	A_DRAIN,	/* the want eventfd, when it is read late */
	A_SCAN_STATE,	/* of engine j of vGPU i */
	A_SCAN_EPOCH,
	/* look() */
	A_DROP_WORD,	/* of one who was frozen and whose engines have died */
	A_DROP_UNFROZEN,
	A_DROP_THAW,
	A_TAKE_ON,
	/* arbiter_step() */
	A_STORE_OPEN_DEADLINE,
	A_STORE_OPEN,
	A_STORE_DEADLINE,
	A_STORE_CONTENDED,
	A_STORE_REVOKE,
	A_REVOKE_WAKE,
	A_TAKE_BACK,
	A_STORE_FROZEN,
	A_FREEZE,
	A_CLOSE,
	/* arbiter_grant() */
	A_GRANT_AT,
	A_GRANT_WORD,
	A_GRANT_UNFROZEN,
	A_GRANT_THAW,
	A_GRANT_WAKE,
	ARBITER_ATS,
};

/* Why the states of a vGPU are read. */
enum scan {
	SCAN_TAKE_ON,		/* look: does it run without a lease */
	SCAN_LOOK_WANT,		/* does it want */
	SCAN_LOOK_RUN,		/* or run */
	SCAN_STEP_RUN,		/* a contended lease: does it run */
	SCAN_STEP_WANT,
	SCAN_END_RUN,		/* at its deadline */
	SCAN_REVOKED_RUN,
	SCAN_LEFT,		/* taken back: does it still run */
	SCAN_CLOSE_WANT,	/* over: does it want more */
	SCAN_GRANT_WANT,	/* thawed: does an engine of it sleep */
	SCANS,
};

struct model_engine {
	uint8_t at;		/* enum engine_at */
	uint8_t state, run_age;	/* its page */
	uint8_t flags, age;	/* of the word it has read, or holds under */
	uint8_t told, more;
	uint8_t known;		/* to the arbiter */
};

struct model_vgpu {
	uint8_t flags, deadline, granted_at, frozen;	/* its grant page */
	uint8_t stopped;	/* its engines stand still */
	uint8_t told;		/* its want eventfd */
	uint8_t passed;		/* the lease's deadline */
	uint8_t timed;		/* the arbiter has a timer on it */
	uint8_t known;
	struct model_engine engines[MODEL_ENGINES];
};

struct model_state {
	struct model_vgpu vgpus[MODEL_VGPUS];
	struct {
		uint8_t at;	/* enum arbiter_at */
		uint8_t i, j, scan;
		uint8_t wants;	/* a bit per vGPU, as the run queue has it */
		uint8_t hold;
		uint8_t second;	/* time through arbiter_run's loop */
	} arbiter;
};

struct model {
	struct model_settings settings;
	struct state_search *search;
};

/* Names of steps: who, and what. */
enum label_kind { LABEL_ENGINE, LABEL_ARBITER, LABEL_EVENT };
#define LABEL(kind, who, what) ((uint32_t)(kind) << 16 | (uint32_t)(who) << 8 | (uint32_t)(what))

enum event {
	EVENT_WORK, EVENT_WORK_ENDS, EVENT_TIMEOUT, EVENT_GIVE_UP, EVENT_ENGINE_DIES, EVENT_ENGINE_STARTS,
	EVENT_DEADLINE, EVENT_TIMER, EVENT_ARBITER_DIES, EVENT_ARBITER_STARTS, EVENT_ADD, EVENT_ENGINE_ADD, EVENT_ENGINE_REMOVE, EVENT_SETTLE,
	EVENTS,
};

/* One step: state after it. What the processes do not look at any more is cleared, so that states that differ in nothing are one. */
void model_step(const struct model *model, struct model_state state, uint32_t label, bool happens);

/* The word goes to the next epoch. */
void model_next_epoch(struct model_vgpu *vgpu, uint8_t flags);
void model_engine_steps(const struct model *model, const struct model_state *state, unsigned v, unsigned e);
/* It looks, and begins to decide. */
void model_arbiter_run(const struct model *model, struct model_state *state);
void model_arbiter_steps(const struct model *model, const struct model_state *state);

#endif
