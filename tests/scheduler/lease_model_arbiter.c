/* SPDX-License-Identifier: MIT */
/* The arbiter of the model: scheduler/arbiter.c, and the loop around it in mdev/leases.c. */
#include "scheduler/lease.h"
#include "tests/scheduler/lease_model_parts.h"

static unsigned engine_count(const struct model *model, unsigned v)
{
	return model->settings.engine_count[v];
}

/* What the arbiter reads of its own pages is of no other process's making: it is part of the step before. */
static bool is_holder(const struct model_vgpu *vgpu)
{
	return (vgpu->flags & LEASE_GRANTED) && !vgpu->frozen;
}

static bool others_wait(const struct model *model, const struct model_state *state, unsigned v)
{
	for (unsigned u = 0; u < model->settings.vgpu_count; u++)
		if (u != v && (state->arbiter.wants & (1u << u)) && !state->vgpus[u].granted_at)
			return true;
	return false;
}

static bool has_engines(const struct model *model, const struct model_vgpu *vgpu, unsigned v)
{
	for (unsigned e = 0; e < engine_count(model, v); e++)
		if (vgpu->engines[e].known)
			return true;
	return false;
}

static void wake(const struct model *model, struct model_vgpu *vgpu, unsigned v)
{
	for (unsigned e = 0; e < engine_count(model, v); e++)
		if (vgpu->engines[e].at == T_ASLEEP) {
			vgpu->engines[e].at = T_LOAD;
			vgpu->engines[e].told = true;
		}
}

/* ---- reading the states of a vGPU's engines ------------------------------------------------------------------- */

static void scanned(const struct model *model, struct model_state *state, bool found);

static bool is_for_want(unsigned scan)
{
	return scan == SCAN_LOOK_WANT || scan == SCAN_STEP_WANT || scan == SCAN_CLOSE_WANT || scan == SCAN_GRANT_WANT;
}

/* Goes on to engine j or the next that is known. */
static void scan_on(const struct model *model, struct model_state *state, unsigned j)
{
	const struct model_vgpu *vgpu = &state->vgpus[state->arbiter.i];

	while (j < engine_count(model, state->arbiter.i) && !vgpu->engines[j].known)
		j++;
	if (j < engine_count(model, state->arbiter.i)) {
		state->arbiter.at = A_SCAN_STATE;
		state->arbiter.j = (uint8_t)j;
	} else {
		scanned(model, state, false);
	}
}

/* Whether engine j is in the state that is looked for: RUN counts under the grant that stands, or the one taken back last. */
static bool is_match(const struct model_state *state, unsigned j)
{
	const struct model_vgpu *vgpu = &state->vgpus[state->arbiter.i];
	const struct model_engine *engine = &vgpu->engines[j];

	if (is_for_want(state->arbiter.scan))
		return engine->state == LEASE_WANT;
	return engine->state == LEASE_RUN && engine->run_age == (vgpu->flags & LEASE_GRANTED ? 0 : 1);
}

static void scan(const struct model *model, struct model_state *state, enum scan what)
{
	bool found = false;

	state->arbiter.scan = what;
	if (!model->settings.reads_at_once) {
		scan_on(model, state, 0);
		return;
	}
	for (unsigned j = 0; j < engine_count(model, state->arbiter.i); j++)
		found |= state->vgpus[state->arbiter.i].engines[j].known && is_match(state, j);
	scanned(model, state, found);
}

static void scan_state(const struct model *model, struct model_state *state)
{
	uint8_t seen = state->vgpus[state->arbiter.i].engines[state->arbiter.j].state;

	if (is_for_want(state->arbiter.scan)) {
		if (seen == LEASE_WANT)
			scanned(model, state, true);
		else
			scan_on(model, state, state->arbiter.j + 1u);
	} else if (seen == LEASE_RUN) {
		state->arbiter.at = A_SCAN_EPOCH;
	} else {
		scan_on(model, state, state->arbiter.j + 1u);
	}
}

static void scan_epoch(const struct model *model, struct model_state *state)
{
	if (is_match(state, state->arbiter.j))
		scanned(model, state, true);
	else
		scan_on(model, state, state->arbiter.j + 1u);
}

/* ---- one run -------------------------------------------------------------------------------------------------- */

static void look_at(const struct model *model, struct model_state *state, unsigned i);
static void step_at(const struct model *model, struct model_state *state, unsigned i);

static void wait_on(const struct model *model, struct model_state *state)
{
	state->arbiter.at = model->settings.mutation == MODEL_DRAIN_AFTER_LOOK ? A_DRAIN : A_WAITS;
}

/* arbiter_run(). What has a lease, as the run queue counts, is what has a granted_at. */
void model_arbiter_run(const struct model *model, struct model_state *state)
{
	if (state->arbiter.hold && model->settings.mutation != MODEL_NO_HOLD)
		return;
	state->arbiter.wants = state->arbiter.second = 0;
	for (unsigned v = 0; v < model->settings.vgpu_count; v++)
		state->vgpus[v].timed = false;
	look_at(model, state, 0);
}

/* look(): who wants. */
static void look_at(const struct model *model, struct model_state *state, unsigned i)
{
	for (; i < model->settings.vgpu_count; i++) {
		const struct model_vgpu *vgpu = &state->vgpus[i];

		if (!vgpu->known)
			continue;
		state->arbiter.i = (uint8_t)i;
		if (!vgpu->frozen) {
			scan(model, state, vgpu->granted_at ? SCAN_LOOK_WANT : SCAN_TAKE_ON);
			return;
		}
		if (!has_engines(model, vgpu, i)) {
			state->arbiter.at = A_DROP_WORD;
			return;
		}
		state->arbiter.wants |= (uint8_t)(1u << i);	/* it was stopped in the middle */
	}
	step_at(model, state, 0);
}

/* It goes on holding, or is waited for: a timer is set where a deadline is waited for. */
static void goes_on(const struct model *model, struct model_state *state)
{
	struct model_vgpu *vgpu = &state->vgpus[state->arbiter.i];

	vgpu->timed = (vgpu->flags & LEASE_GRANTED) && (vgpu->flags & LEASE_CONTENDED) && !(vgpu->flags & LEASE_REVOKE);
	step_at(model, state, state->arbiter.i + 1u);
}

/* arbiter_step() */
static void step(const struct model *model, struct model_state *state)
{
	const struct model_vgpu *vgpu = &state->vgpus[state->arbiter.i];

	if (!(vgpu->flags & LEASE_GRANTED)) {
		scan(model, state, SCAN_LEFT);
	} else if (!(vgpu->flags & LEASE_REVOKE) && !others_wait(model, state, state->arbiter.i)) {
		if (vgpu->flags & LEASE_CONTENDED)
			state->arbiter.at = A_STORE_OPEN_DEADLINE;
		else
			goes_on(model, state);
	} else if (!(vgpu->flags & LEASE_CONTENDED)) {
		state->arbiter.at = A_STORE_DEADLINE;
	} else {
		scan(model, state, SCAN_STEP_RUN);
	}
}

/* grant_all(): one lease. */
static void grant(const struct model *model, struct model_state *state)
{
	bool somebody = false, is_free = true;

	for (unsigned v = 0; v < model->settings.vgpu_count; v++) {
		is_free &= !state->vgpus[v].granted_at || !state->vgpus[v].known;
		somebody |= state->vgpus[v].known && (state->arbiter.wants & (1u << v));
	}
	if (is_free && somebody)
		state->arbiter.at = A_GRANT_AT;
	else
		wait_on(model, state);
}

/* arbiter_run()'s loop: first who was taken back, so that who is asked for its deadline has seen who waits. */
static void step_at(const struct model *model, struct model_state *state, unsigned i)
{
	bool one_pass = model->settings.mutation == MODEL_ONE_PASS;

	for (;; i++) {
		if (i == model->settings.vgpu_count && !state->arbiter.second && !one_pass) {
			state->arbiter.second = true;
			i = 0;
		}
		if (i == model->settings.vgpu_count)
			break;
		const struct model_vgpu *vgpu = &state->vgpus[i];
		bool in_turn = one_pass || state->arbiter.second == !!(vgpu->flags & LEASE_GRANTED);
		if (!vgpu->known || !vgpu->granted_at || !in_turn)
			continue;
		state->arbiter.i = (uint8_t)i;
		step(model, state);
		return;
	}
	grant(model, state);
}

/* arbiter_step(), after it has read the states. */
static void judge(const struct model *model, struct model_state *state, bool is_running, bool is_wanting)
{
	const struct model_vgpu *vgpu = &state->vgpus[state->arbiter.i];

	if (!is_running && ((vgpu->flags & LEASE_REVOKE) || !is_wanting))
		state->arbiter.at = A_TAKE_BACK;
	else if (!(vgpu->flags & LEASE_REVOKE) && vgpu->passed)
		scan(model, state, SCAN_END_RUN);
	else
		goes_on(model, state);
}

static void scanned(const struct model *model, struct model_state *state, bool found)
{
	const struct model_vgpu *vgpu = &state->vgpus[state->arbiter.i];
	uint8_t bit = (uint8_t)(1u << state->arbiter.i);

	switch ((enum scan)state->arbiter.scan) {
	case SCAN_TAKE_ON:
		if (found)
			state->arbiter.at = A_TAKE_ON;
		else
			scan(model, state, SCAN_LOOK_WANT);
		break;
	case SCAN_LOOK_WANT:
	case SCAN_LOOK_RUN:
		if (found)
			state->arbiter.wants |= bit;
		if (!found && state->arbiter.scan == SCAN_LOOK_WANT)
			scan(model, state, SCAN_LOOK_RUN);
		else
			look_at(model, state, state->arbiter.i + 1u);
		break;
	case SCAN_STEP_RUN:
		if (found)
			judge(model, state, true, false);
		else
			scan(model, state, SCAN_STEP_WANT);
		break;
	case SCAN_STEP_WANT:
		judge(model, state, false, found);
		break;
	case SCAN_END_RUN:
		if (!found)
			state->arbiter.at = A_TAKE_BACK;
		else if (!(vgpu->flags & LEASE_FREEZES))
			state->arbiter.at = A_STORE_REVOKE;
		else
			state->arbiter.at = A_STORE_FROZEN;
		break;
	case SCAN_REVOKED_RUN:
		if (found)
			goes_on(model, state);
		else
			state->arbiter.at = A_TAKE_BACK;
		break;
	case SCAN_LEFT:
		if (found)
			goes_on(model, state);
		else
			scan(model, state, SCAN_CLOSE_WANT);
		break;
	case SCAN_CLOSE_WANT:
		state->arbiter.wants = (uint8_t)(found ? state->arbiter.wants | bit : state->arbiter.wants & ~bit);
		state->arbiter.at = A_CLOSE;
		break;
	case SCAN_GRANT_WANT:
		if (found)
			state->arbiter.at = A_GRANT_WAKE;
		else
			wait_on(model, state);
		break;
	case SCANS:
		break;
	}
}

/* ---- its accesses ---------------------------------------------------------------------------------------------- */

/* The arbiter's next step does this to the state. */
#define ARBITER_STEP(what, ...) do { \
	struct model_state next = *from; \
	struct model_vgpu *vgpu = &next.vgpus[next.arbiter.i]; \
	__VA_ARGS__ \
	(void)vgpu; \
	model_step(model, next, LABEL(LABEL_ARBITER, next.arbiter.i, what), false); \
} while (0)

static void look_steps(const struct model *model, const struct model_state *from)
{
	uint8_t at = from->arbiter.at;

	switch (at) {
	case A_SCAN_STATE:
		ARBITER_STEP(at, scan_state(model, &next););
		break;
	case A_SCAN_EPOCH:
		ARBITER_STEP(at, scan_epoch(model, &next););
		break;
	case A_DROP_WORD:
		ARBITER_STEP(at, model_next_epoch(vgpu, 0); next.arbiter.at = A_DROP_UNFROZEN;);
		break;
	case A_DROP_UNFROZEN:
		ARBITER_STEP(at, vgpu->frozen = false; next.arbiter.at = A_DROP_THAW;);
		break;
	case A_DROP_THAW:
		ARBITER_STEP(at, vgpu->stopped = false; scan(model, &next, SCAN_TAKE_ON););
		break;
	case A_TAKE_ON:
		ARBITER_STEP(at, vgpu->granted_at = true; scan(model, &next, SCAN_LOOK_WANT););
		break;
	}
}

static void end_steps(const struct model *model, const struct model_state *from)
{
	enum model_mutation mutation = model->settings.mutation;
	uint8_t at = from->arbiter.at;

	switch (at) {
	case A_STORE_OPEN_DEADLINE:
		ARBITER_STEP(at, vgpu->deadline = false; next.arbiter.at = A_STORE_OPEN;);
		break;
	case A_STORE_OPEN:
		ARBITER_STEP(at, vgpu->flags &= (uint8_t)~LEASE_CONTENDED; vgpu->passed = false; goes_on(model, &next););
		break;
	case A_STORE_DEADLINE:
		ARBITER_STEP(at, vgpu->deadline = true; next.arbiter.at = A_STORE_CONTENDED;);
		break;
	case A_STORE_CONTENDED:
		ARBITER_STEP(at, vgpu->flags |= LEASE_CONTENDED;
			     scan(model, &next, SCAN_STEP_RUN););
		break;
	case A_STORE_REVOKE:
		ARBITER_STEP(at, vgpu->flags |= LEASE_REVOKE; next.arbiter.at = A_REVOKE_WAKE;);
		break;
	case A_REVOKE_WAKE:
		ARBITER_STEP(at, wake(model, vgpu, next.arbiter.i); scan(model, &next, SCAN_REVOKED_RUN););
		break;
	case A_TAKE_BACK:
		ARBITER_STEP(at, model_next_epoch(vgpu, 0);
			     scan(model, &next, mutation == MODEL_NO_LOOK_AFTER_TAKE_BACK ? SCAN_CLOSE_WANT : SCAN_LEFT););
		break;
	case A_STORE_FROZEN:
		ARBITER_STEP(at, vgpu->frozen = true;
			     next.arbiter.at = mutation == MODEL_CLOSE_BEFORE_FREEZE ? A_CLOSE : A_FREEZE;);
		break;
	case A_FREEZE:
		ARBITER_STEP(at, vgpu->stopped = true; next.arbiter.at = A_CLOSE;);
		break;
	case A_CLOSE:
		ARBITER_STEP(at, vgpu->granted_at = false;
			     if (vgpu->frozen)
				next.arbiter.wants |= (uint8_t)(1u << next.arbiter.i);
			     step_at(model, &next, next.arbiter.i + 1u););
		break;
	}
}

/* arbiter_grant() */
static void grant_steps(const struct model *model, const struct model_state *from)
{
	enum model_mutation mutation = model->settings.mutation;
	uint8_t at = from->arbiter.at;

	switch (at) {
	case A_GRANT_AT:	/* whoever wants */
		for (uint8_t v = 0; v < model->settings.vgpu_count; v++) {
			if (!from->vgpus[v].known || !(from->arbiter.wants & (1u << v)))
				continue;
			struct model_state next = *from;
			next.arbiter.i = v;
			next.vgpus[v].granted_at = true;
			next.vgpus[v].passed = false;
			next.vgpus[v].deadline = others_wait(model, &next, v);
			next.arbiter.at = A_GRANT_WORD;
			model_step(model, next, LABEL(LABEL_ARBITER, v, at), false);
		}
		break;
	case A_GRANT_WORD:	/* who was frozen goes on under its epoch */
		ARBITER_STEP(at,
			uint8_t flags = (uint8_t)(LEASE_GRANTED | (model->settings.freezes ? LEASE_FREEZES : 0) |
						  (vgpu->deadline ? LEASE_CONTENDED : 0));
			if (vgpu->flags & LEASE_GRANTED)
				vgpu->flags = flags;
			else
				model_next_epoch(vgpu, flags);
			vgpu->timed = vgpu->deadline;
			next.arbiter.at = vgpu->frozen ? A_GRANT_UNFROZEN : A_GRANT_WAKE;);
		break;
	case A_GRANT_UNFROZEN:
		ARBITER_STEP(at, vgpu->frozen = false; next.arbiter.at = A_GRANT_THAW;);
		break;
	case A_GRANT_THAW:
		ARBITER_STEP(at, vgpu->stopped = false; scan(model, &next, SCAN_GRANT_WANT););
		break;
	case A_GRANT_WAKE:
		ARBITER_STEP(at,
			if (mutation != MODEL_NO_WAKE)
				wake(model, vgpu, next.arbiter.i);
			if (mutation == MODEL_CLOSE_BEFORE_FREEZE)
				for (unsigned v = 0; v < model->settings.vgpu_count; v++)
					next.vgpus[v].stopped = next.vgpus[v].frozen;
			wait_on(model, &next););
		break;
	}
}

/* ---- its events -------------------------------------------------------------------------------------------------- */

/* Something the arbiter does by itself, or time does: whom it is about. */
#define EVENT_STEP(what, whose_v, whose_e, ...) do { \
	struct model_state next = *from; \
	struct model_vgpu *vgpu = &next.vgpus[whose_v]; \
	__VA_ARGS__ \
	(void)vgpu; \
	model_step(model, next, LABEL(LABEL_EVENT, (whose_v) * MODEL_ENGINES + (whose_e), what), false); \
} while (0)

/* arbiter_add(): a lease that stands goes on, but there is one only; who is marked frozen is stopped, and nobody else. */
static void add_vgpu(const struct model *model, struct model_state *state, unsigned v)
{
	struct model_vgpu *vgpu = &state->vgpus[v];
	bool another = false;

	for (unsigned u = 0; u < model->settings.vgpu_count; u++)
		another |= state->vgpus[u].known && is_holder(&state->vgpus[u]);
	vgpu->known = true;
	if (vgpu->frozen) {
		if (model->settings.mutation != MODEL_NO_FREEZE_AGAIN)
			vgpu->stopped = true;
		vgpu->granted_at = false;
	} else {
		if (model->settings.mutation != MODEL_NO_THAW_AGAIN)
			vgpu->stopped = false;
		vgpu->granted_at |= is_holder(vgpu);
	}
	if (another && is_holder(vgpu))
		model_next_epoch(vgpu, 0);
	/* The one before may have died between the word and the wake-up. */
	if (is_holder(vgpu) && model->settings.mutation != MODEL_NO_WAKE_AGAIN)
		wake(model, vgpu, v);
	model_arbiter_run(model, state);
}

static void hear_from(const struct model *model, struct model_state *state, unsigned v)
{
	for (unsigned e = 0; e < engine_count(model, v); e++)
		state->vgpus[v].engines[e].known = state->vgpus[v].engines[e].at != E_ABSENT;
}

/* A new arbiter: each vGPU, then all engines there are, then it begins to decide. */
static void begin_steps(const struct model *model, const struct model_state *from)
{
	for (unsigned v = 0; v < model->settings.vgpu_count; v++) {
		if (from->vgpus[v].known)
			continue;
		EVENT_STEP(EVENT_ADD, v, 0, add_vgpu(model, &next, v););
		return;
	}
	EVENT_STEP(EVENT_SETTLE, 0, 0,
		   for (unsigned v = 0; v < model->settings.vgpu_count; v++)
			hear_from(model, &next, v);
		   next.arbiter.hold = false;
		   model_arbiter_run(model, &next););
}

static void wait_steps(const struct model *model, const struct model_state *from)
{
	bool late = model->settings.mutation == MODEL_DRAIN_AFTER_LOOK;

	if (from->arbiter.hold) {
		begin_steps(model, from);
		return;
	}
	for (unsigned v = 0; v < model->settings.vgpu_count; v++) {
		if (from->vgpus[v].told) {
			struct model_state next = *from;
			next.vgpus[v].told = late;
			model_arbiter_run(model, &next);
			model_step(model, next, LABEL(LABEL_ARBITER, v, A_DRAIN), false);
		}
		if (from->vgpus[v].timed && from->vgpus[v].passed)
			EVENT_STEP(EVENT_TIMER, v, 0, model_arbiter_run(model, &next););
		for (unsigned e = 0; e < engine_count(model, v); e++) {
			const struct model_engine *engine = &from->vgpus[v].engines[e];
			if (engine->at != E_ABSENT && !engine->known)
				EVENT_STEP(EVENT_ENGINE_ADD, v, e, vgpu->engines[e].known = true; model_arbiter_run(model, &next););
			if (engine->at == E_DEAD)
				EVENT_STEP(EVENT_ENGINE_REMOVE, v, e,
					   vgpu->engines[e] = (struct model_engine){.at = E_ABSENT, .run_age = 2};
					   model_arbiter_run(model, &next););
		}
	}
}

static void forget_arbiter(struct model_state *state)
{
	memset(&state->arbiter, 0, sizeof(state->arbiter));
	for (unsigned v = 0; v < MODEL_VGPUS; v++) {
		state->vgpus[v].timed = state->vgpus[v].known = false;
		for (unsigned e = 0; e < MODEL_ENGINES; e++) {
			struct model_engine *engine = &state->vgpus[v].engines[e];
			engine->known = false;
			if (engine->at == E_DEAD)	/* a keeper does not show it to the next one */
				*engine = (struct model_engine){.at = E_ABSENT, .run_age = 2};
		}
	}
}

void model_arbiter_steps(const struct model *model, const struct model_state *from)
{
	for (unsigned v = 0; v < model->settings.vgpu_count; v++)
		if (from->vgpus[v].granted_at && (from->vgpus[v].flags & LEASE_CONTENDED) && !from->vgpus[v].passed)
			EVENT_STEP(EVENT_DEADLINE, v, 0, vgpu->passed = true;);
	if (from->arbiter.at != A_DEAD && model->settings.arbiter_dies) {
		struct model_state next = *from;
		forget_arbiter(&next);
		model_step(model, next, LABEL(LABEL_EVENT, 0, EVENT_ARBITER_DIES), true);
	}
	switch (from->arbiter.at) {
	case A_DEAD:
		EVENT_STEP(EVENT_ARBITER_STARTS, 0, 0, next.arbiter.at = A_WAITS; next.arbiter.hold = true;);
		break;
	case A_WAITS:
		wait_steps(model, from);
		break;
	case A_DRAIN: {
		struct model_state next = *from;
		for (unsigned v = 0; v < model->settings.vgpu_count; v++)
			next.vgpus[v].told = false;
		next.arbiter.at = A_WAITS;
		model_step(model, next, LABEL(LABEL_ARBITER, 0, A_DRAIN), false);
		break;
	}
	default:
		look_steps(model, from);
		end_steps(model, from);
		grant_steps(model, from);
	}
}
