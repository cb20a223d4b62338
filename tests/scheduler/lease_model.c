/* SPDX-License-Identifier: MIT */
/* The lease protocol's model: its state in 128 bits, what may not be, what is hoped for, and how a step is said. */
#include "tests/scheduler/lease_model.h"

#include <assert.h>
#include <stdio.h>

#include "scheduler/lease.h"
#include "tests/scheduler/lease_model_parts.h"

static_assert(ENGINE_ATS <= 32 && ARBITER_ATS <= 32 && SCANS <= 16 && LEASE_FREEZES == 8, "as wide as they are packed");

/* ---- the state ---------------------------------------------------------------------------------------------------- */

struct packer {
	unsigned __int128 bits;
	unsigned at;
};

static inline void put(struct packer *packer, uint8_t value, unsigned bits)
{
	packer->bits |= (unsigned __int128)value << packer->at;
	packer->at += bits;
}

static inline uint8_t get(struct packer *packer, unsigned bits)
{
	uint8_t value = (uint8_t)(packer->bits & ((1u << bits) - 1));

	packer->bits >>= bits;
	return value;
}

/* Every field with its width, of the vGPUs and engines there are. */
#define EACH_FIELD(DO, its, from) do { \
	DO((from)->arbiter.at, 5); DO((from)->arbiter.i, 2); DO((from)->arbiter.j, 1); DO((from)->arbiter.scan, 4); \
	DO((from)->arbiter.wants, 3); DO((from)->arbiter.hold, 1); DO((from)->arbiter.second, 1); \
	for (unsigned v = 0; v < (its)->settings.vgpu_count; v++) { \
		DO((from)->vgpus[v].flags, 4); DO((from)->vgpus[v].deadline, 1); DO((from)->vgpus[v].granted_at, 1); \
		DO((from)->vgpus[v].frozen, 1); DO((from)->vgpus[v].stopped, 1); DO((from)->vgpus[v].told, 1); \
		DO((from)->vgpus[v].passed, 1); DO((from)->vgpus[v].timed, 1); DO((from)->vgpus[v].known, 1); \
		for (unsigned e = 0; e < (its)->settings.engine_count[v]; e++) { \
			DO((from)->vgpus[v].engines[e].at, 5); DO((from)->vgpus[v].engines[e].state, 2); \
			DO((from)->vgpus[v].engines[e].run_age, 2); DO((from)->vgpus[v].engines[e].flags, 4); \
			DO((from)->vgpus[v].engines[e].age, 2); DO((from)->vgpus[v].engines[e].told, 1); \
			DO((from)->vgpus[v].engines[e].more, 1); DO((from)->vgpus[v].engines[e].known, 1); \
		} \
	} \
} while (0)

static struct state_key pack(const struct model *model, const struct model_state *state)
{
	struct packer packer = {.at = 0};

#define PUT(field, bits) put(&packer, field, bits)
	EACH_FIELD(PUT, model, state);
	assert(packer.at <= 128);
	return (struct state_key){.half = {(uint64_t)packer.bits, (uint64_t)(packer.bits >> 64)}};
}

static struct model_state unpack(const struct model *model, const struct state_key *key)
{
	struct packer packer = {.bits = (unsigned __int128)key->half[1] << 64 | key->half[0]};
	struct model_state state;

	memset(&state, 0, sizeof(state));
#define GET(field, bits) ((field) = get(&packer, bits))
	EACH_FIELD(GET, model, &state);
	return state;
}

/* What nobody will read again is cleared, so that states that differ in nothing are one. */
static void forget(const struct model *model, struct model_state *state)
{
	bool scans = state->arbiter.at == A_SCAN_STATE || state->arbiter.at == A_SCAN_EPOCH;

	if (!scans)
		state->arbiter.j = state->arbiter.scan = 0;
	if (state->arbiter.at <= A_DRAIN)
		state->arbiter.i = state->arbiter.wants = state->arbiter.second = 0;
	if (state->arbiter.at == A_GRANT_AT)	/* i is chosen with it */
		state->arbiter.i = 0;
	for (unsigned v = 0; v < model->settings.vgpu_count; v++) {
		struct model_vgpu *vgpu = &state->vgpus[v];

		if (!vgpu->granted_at)
			vgpu->passed = false;
		for (unsigned e = 0; e < model->settings.engine_count[v]; e++) {
			struct model_engine *engine = &vgpu->engines[e];
			bool is_read = state->arbiter.at == A_SCAN_EPOCH && state->arbiter.i == v && state->arbiter.j == e;
			bool holds_word = (engine->at >= E_STORE_RUN && engine->at <= E_LOAD) ||
					  (engine->at >= E_WORKS && engine->at <= R_LOAD);

			if (engine->state != LEASE_RUN && !is_read)
				engine->run_age = 2;
			if (engine->at != T_SLEEP)
				engine->flags = 0;
			if (!holds_word)
				engine->age = 0;
			if (engine->at < T_LOAD || engine->at > E_TELL)
				engine->told = false;
			if (engine->at < R_STORE)
				engine->more = false;
		}
	}
}

void model_step(const struct model *model, struct model_state state, uint32_t label, bool happens)
{
	forget(model, &state);
	struct state_key key = pack(model, &state);
	state_search_step(model->search, &key, label, happens);
}

void model_next_epoch(struct model_vgpu *vgpu, uint8_t flags)
{
	for (unsigned e = 0; e < MODEL_ENGINES; e++) {
		struct model_engine *engine = &vgpu->engines[e];
		engine->age += engine->age < 2;
		engine->run_age += engine->run_age < 2;
	}
	vgpu->flags = flags;
}

/* ---- what may not be, and what is hoped for ------------------------------------------------------------------------- */

static bool uses_parent(const struct model_vgpu *vgpu, const struct model_engine *engine)
{
	return (engine->at == E_WORKS || engine->at == M_DEADLINE) && !vgpu->stopped;
}

static const char *wrong(const struct state_key *key, void *data)
{
	const struct model *model = data;
	struct model_state state = unpack(model, key);
	unsigned users = 0, holders = 0;

	for (unsigned v = 0; v < model->settings.vgpu_count; v++) {
		const struct model_vgpu *vgpu = &state.vgpus[v];
		bool uses = false;
		for (unsigned e = 0; e < model->settings.engine_count[v]; e++)
			uses |= uses_parent(vgpu, &vgpu->engines[e]);
		users += uses;
		holders += (vgpu->flags & LEASE_GRANTED) && !vgpu->frozen;
	}
	return users > 1 ? "engines of two vGPUs use the parent" : holders > 1 ? "two words are granted" : NULL;
}

/* A bit per engine: it wants nothing, or has what it wants. */
static uint8_t fulfilled(const struct state_key *key, void *data)
{
	const struct model *model = data;
	struct model_state state = unpack(model, key);
	unsigned bits = 0;

	for (unsigned v = 0; v < model->settings.vgpu_count; v++)
		for (unsigned e = 0; e < model->settings.engine_count[v]; e++) {
			const struct model_engine *engine = &state.vgpus[v].engines[e];
			bool has = engine->at <= E_IDLE || (engine->at >= E_WORKS && !state.vgpus[v].stopped);
			bits |= (unsigned)has << (v * MODEL_ENGINES + e);
		}
	return (uint8_t)bits;
}

/* ---- how a step is said ----------------------------------------------------------------------------------------------- */

static const char *const engine_says[ENGINE_ATS] = {
	[T_STORE_WANT] = "lease_take: state = WANT", [T_LOAD] = "lease_take: loads the word", [T_TELL] = "lease_take: tells",
	[T_SLEEP] = "lease_take: compares, sleeps", [T_ASLEEP] = "sleeps",
	[E_STORE_RUN] = "enter: stores run_epoch, state = RUN", [E_LOAD] = "enter: loads the word again",
	[E_STORE_WANT] = "enter: came late, state = WANT", [E_TELL] = "enter: tells", [E_WORKS] = "lease_must_stop: loads the word",
	[M_DEADLINE] = "lease_must_stop: loads the deadline", [R_STORE] = "lease_release: stores the state",
	[R_LOAD] = "lease_release: loads the word", [R_TELL] = "lease_release: tells",
};

static const char *const arbiter_says[ARBITER_ATS] = {
	[A_DRAIN] = "reads the want eventfd, looks", [A_SCAN_STATE] = "loads a state", [A_SCAN_EPOCH] = "loads a run_epoch",
	[A_DROP_WORD] = "drops the lease of the dead: the word", [A_DROP_UNFROZEN] = "drops it: frozen = 0", [A_DROP_THAW] = "drops it: thaws",
	[A_TAKE_ON] = "takes on who runs", [A_STORE_OPEN_DEADLINE] = "opens it again: deadline = 0",
	[A_STORE_OPEN] = "opens it again: the word", [A_STORE_DEADLINE] = "stores a deadline", [A_STORE_CONTENDED] = "word |= CONTENDED",
	[A_STORE_REVOKE] = "word |= REVOKE", [A_REVOKE_WAKE] = "wakes the revoked", [A_TAKE_BACK] = "takes the word back",
	[A_STORE_FROZEN] = "frozen = 1", [A_FREEZE] = "freezes", [A_CLOSE] = "closes the books", [A_GRANT_AT] = "picks: granted_at, the deadline",
	[A_GRANT_WORD] = "grants: the word", [A_GRANT_UNFROZEN] = "grants: frozen = 0",
	[A_GRANT_THAW] = "grants: thaws", [A_GRANT_WAKE] = "grants: wakes",
};

static const char *const event_says[EVENTS] = {
	[EVENT_WORK] = "has work", [EVENT_WORK_ENDS] = "has no more work",
	[EVENT_TIMEOUT] = "lease_take times out", [EVENT_GIVE_UP] = "gives up wanting", [EVENT_ENGINE_DIES] = "dies",
	[EVENT_ENGINE_STARTS] = "starts", [EVENT_DEADLINE] = "the deadline passes", [EVENT_TIMER] = "the timer fires, the arbiter looks",
	[EVENT_ARBITER_DIES] = "the arbiter dies", [EVENT_ARBITER_STARTS] = "a new arbiter starts",
	[EVENT_ADD] = "the arbiter adds the vGPU, looks", [EVENT_ENGINE_ADD] = "the arbiter adds the engine, looks",
	[EVENT_ENGINE_REMOVE] = "the arbiter removes the dead engine, looks", [EVENT_SETTLE] = "the arbiter has heard from all, looks",
};

static void print_step(uint32_t label, const struct state_key *to, void *data)
{
	static const char *const states[] = {"idle", "want", "run", "?"};
	const struct model *model = data;
	struct model_state state = unpack(model, to);
	unsigned kind = label >> 16, who = label >> 8 & 0xff, what = label & 0xff;
	const char *text = kind == LABEL_ENGINE ? engine_says[what] : kind == LABEL_ARBITER ? arbiter_says[what] : event_says[what];

	if (kind == LABEL_ARBITER)
		printf("#   arbiter, vGPU %u: %-44s", who, text);
	else
		printf("#   vGPU %u engine %u: %-43s", who / MODEL_ENGINES, who % MODEL_ENGINES, text);
	for (unsigned v = 0; v < model->settings.vgpu_count; v++) {
		const struct model_vgpu *vgpu = &state.vgpus[v];
		printf(" | %c%c%c%c%s%s", vgpu->flags & LEASE_GRANTED ? 'G' : '-', vgpu->flags & LEASE_CONTENDED ? 'C' : '-',
		       vgpu->flags & LEASE_REVOKE ? 'R' : '-', vgpu->flags & LEASE_FREEZES ? 'F' : '-', vgpu->frozen ? " frozen" : "",
		       vgpu->stopped ? " stopped" : "");
		for (unsigned e = 0; e < model->settings.engine_count[v]; e++)
			printf(" %s%s", states[vgpu->engines[e].state & 3], uses_parent(vgpu, &vgpu->engines[e]) ? "!" : "");
	}
	printf("\n");
}

/* ---- the model ------------------------------------------------------------------------------------------------------------ */

static void successors(struct state_search *search, const struct state_key *from, void *data)
{
	struct model *model = data;
	struct model_state state = unpack(model, from);

	model->search = search;
	for (unsigned v = 0; v < model->settings.vgpu_count; v++)
		for (unsigned e = 0; e < model->settings.engine_count[v]; e++)
			model_engine_steps(model, &state, v, e);
	model_arbiter_steps(model, &state);
}

struct state_result lease_model_check(const struct model_settings *settings, size_t state_max, bool print)
{
	struct model model = {.settings = *settings};
	struct state_model searched = {
		.successors = successors, .wrong = wrong, .fulfilled = fulfilled, .print_step = print_step, .data = &model,
	};
	struct model_state first;

	memset(&first, 0, sizeof(first));
	first.arbiter.at = A_WAITS;
	for (unsigned v = 0; v < settings->vgpu_count; v++) {
		first.vgpus[v].known = true;
		for (unsigned e = 0; e < settings->engine_count[v]; e++) {
			first.vgpus[v].engines[e] = (struct model_engine){.at = E_IDLE, .run_age = 2, .known = true};
			searched.hopes |= (uint8_t)(1u << (v * MODEL_ENGINES + e));
		}
	}
	struct state_key key = pack(&model, &first);
	return state_search_run(&searched, &key, state_max, print);
}
