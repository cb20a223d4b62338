/* SPDX-License-Identifier: MIT */
/* An engine of the model: scheduler/lease.c, and what happens to an engine. */
#include "scheduler/lease.h"
#include "tests/scheduler/lease_model_parts.h"


/* The engine's next step does this to the state, and it goes on at `at`. */
#define ENGINE_STEP(label_what, is_event, ...) do { \
	struct model_state next = *from; \
	struct model_vgpu *vgpu = &next.vgpus[v]; \
	struct model_engine *engine = &vgpu->engines[e]; \
	__VA_ARGS__ \
	(void)vgpu; \
	model_step(model, next, LABEL((is_event) ? LABEL_EVENT : LABEL_ENGINE, v * MODEL_ENGINES + e, label_what), is_event); \
} while (0)

/* Granted, and not asked to end. */
static bool is_open_to_enter(uint8_t flags)
{
	return (flags & LEASE_GRANTED) && !(flags & LEASE_REVOKE);
}

static void take_steps(const struct model *model, const struct model_state *from, unsigned v, unsigned e)
{
	const struct model_engine *was = &from->vgpus[v].engines[e];
	enum model_mutation mutation = model->settings.mutation;

	switch (was->at) {
	case T_STORE_WANT:
		ENGINE_STEP(was->at, false, engine->state = LEASE_WANT; engine->told = false; engine->at = T_LOAD;);
		break;
	case T_LOAD:
		ENGINE_STEP(was->at, false,
			engine->flags = vgpu->flags;
			engine->age = 0;
			engine->at = is_open_to_enter(vgpu->flags) ? E_STORE_RUN : engine->told ? T_SLEEP : T_TELL;);
		break;
	case T_TELL:
		ENGINE_STEP(was->at, false, vgpu->told = true; engine->told = true; engine->at = T_LOAD;);
		break;
	case T_SLEEP:	/* the flags alone are the futex word */
		ENGINE_STEP(was->at, false,
			engine->at = engine->flags == vgpu->flags || mutation == MODEL_SLEEP_UNCOMPARED ? T_ASLEEP : T_LOAD;);
		break;
	case T_ASLEEP:
		if (!model->settings.gives_up)
			break;
		ENGINE_STEP(EVENT_TIMEOUT, true, engine->at = T_STORE_WANT;);	/* and calls again */
		ENGINE_STEP(EVENT_GIVE_UP, true, engine->at = R_STORE; engine->more = false; engine->age = 2;);
		break;
	case E_STORE_RUN:	/* run_epoch's store comes before, relaxed: who reads RUN reads it, and nobody reads it else */
		ENGINE_STEP(was->at, false,
			engine->run_age = engine->age;
			engine->state = LEASE_RUN;
			engine->at = mutation == MODEL_NO_SECOND_LOAD ? E_WORKS : E_LOAD;);
		break;
	case E_LOAD:
		ENGINE_STEP(was->at, false, engine->at = !engine->age && is_open_to_enter(vgpu->flags) ? E_WORKS : E_STORE_WANT;);
		break;
	case E_STORE_WANT:
		ENGINE_STEP(was->at, false, engine->state = LEASE_WANT; engine->told = true;
			engine->at = mutation == MODEL_SILENT_WITHDRAWAL ? T_LOAD : E_TELL;);
		break;
	case E_TELL:
		ENGINE_STEP(was->at, false, vgpu->told = true; engine->at = T_LOAD;);
		break;
	}
}

static void hold_steps(const struct model *model, const struct model_state *from, unsigned v, unsigned e)
{
	const struct model_vgpu *grant = &from->vgpus[v];
	const struct model_engine *was = &grant->engines[e];
	/* Where leases end by freezing, work may never come to where it would ask whether to stop. But what goes on under a word that was
	 * taken back does: it entered in that very instant, and the arbiter waits. */
	bool asks_surely = !model->settings.freezes || was->age || !(grant->flags & LEASE_GRANTED);

	switch (was->at) {
	case E_WORKS:
		if (was->age || !is_open_to_enter(grant->flags)) {
			ENGINE_STEP(E_WORKS, !asks_surely, engine->at = R_STORE; engine->more = true;);
		} else if ((grant->flags & LEASE_CONTENDED) && !(grant->flags & LEASE_FREEZES)) {
			ENGINE_STEP(E_WORKS, !asks_surely, engine->at = M_DEADLINE;);
		}
		ENGINE_STEP(EVENT_WORK_ENDS, true, engine->at = R_STORE; engine->more = false;);
		break;
	case M_DEADLINE:
		ENGINE_STEP(was->at, false,
			engine->at = vgpu->deadline && vgpu->passed ? R_STORE : E_WORKS; engine->more = true;);
		break;
	case R_STORE:
		ENGINE_STEP(was->at, false, engine->state = engine->more ? LEASE_WANT : LEASE_IDLE; engine->at = R_LOAD;);
		break;
	case R_LOAD: {
		bool waited_for = was->age || (grant->flags & (LEASE_CONTENDED | LEASE_REVOKE)) || !(grant->flags & LEASE_GRANTED);
		if (waited_for && model->settings.mutation != MODEL_SILENT_RELEASE)
			ENGINE_STEP(was->at, false, engine->at = R_TELL;);
		else
			ENGINE_STEP(was->at, false, engine->at = engine->more ? T_STORE_WANT : E_IDLE;);
		break;
	}
	case R_TELL:
		ENGINE_STEP(was->at, false, vgpu->told = true; engine->at = engine->more ? T_STORE_WANT : E_IDLE;);
		break;
	}
}

/* A new page; the arbiter hears of the engine before it can run, or is dead and will hear of it before it grants. */
static void start_steps(const struct model *model, const struct model_state *from, unsigned v, unsigned e)
{
	bool hears = from->arbiter.at == A_WAITS && !from->arbiter.hold && from->vgpus[v].known;
	bool will_hear = from->arbiter.at == A_DEAD || (from->arbiter.hold && from->arbiter.at == A_WAITS);

	if (model->settings.mutation == MODEL_UNHEARD_ENGINES)
		ENGINE_STEP(EVENT_ENGINE_STARTS, true, *engine = (struct model_engine){.at = E_IDLE, .run_age = 2};);
	else if (hears)
		ENGINE_STEP(EVENT_ENGINE_STARTS, true, *engine = (struct model_engine){.at = E_IDLE, .run_age = 2, .known = true};
			    model_arbiter_run(model, &next););
	else if (will_hear)
		ENGINE_STEP(EVENT_ENGINE_STARTS, true, *engine = (struct model_engine){.at = E_IDLE, .run_age = 2};);
}

void model_engine_steps(const struct model *model, const struct model_state *from, unsigned v, unsigned e)
{
	const struct model_engine *was = &from->vgpus[v].engines[e];

	if (was->at == E_ABSENT) {
		start_steps(model, from, v, e);
		return;
	}
	if (was->at == E_DEAD)
		return;
	if (model->settings.engines_die)
		ENGINE_STEP(EVENT_ENGINE_DIES, true, engine->at = E_DEAD;);
	if (from->vgpus[v].stopped)
		return;
	if (was->at == E_IDLE)
		ENGINE_STEP(EVENT_WORK, true, engine->at = T_STORE_WANT;);
	else if (was->at >= E_WORKS)
		hold_steps(model, from, v, e);
	else
		take_steps(model, from, v, e);
}
