/* SPDX-License-Identifier: MIT */
/*
 * Forged status pages. The bytes are a script: what guests' engines write into their pages, at any moment (also in the middle of a
 * run), engines and vGPUs that come and go, time, edits, and arbiters that die and are followed by others over the same pages.
 *
 * vGPU 0 has one engine, which plays by the rules of lease.h. Checked, whatever the others do:
 *  - never more holders (granted, and not frozen) than leases; where freezing works, who is marked frozen stands, and nobody else;
 *  - what was charged never goes back, and is never more than the time that has passed;
 *  - where freezing works, vGPU 0 gets the lease in bounded time while the others go on forging; where it does not, once they are dead.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/arbiter.h"
#include "scheduler/entity.h"

#define VGPUS 3u
#define ENGINES 2u
#define OPS_MAX 200u
#define RUNS_MAX 4000u
#define START_NS 1000000000ull
#define BOUND_NS 60000000000ull	/* a realtime vGPU may have 9 s of each 10, and a weight 64 times as large */

struct vgpu {
	struct lease_grant grant;
	struct entity_record records[2];
	struct lease_status status[ENGINES];
	struct arbiter_entity *entity;
	struct arbiter_engine *engine[ENGINES];
	bool stopped;			/* by ops.freeze */
	uint64_t cpu_ns;
	uint64_t used_ns;		/* in the page, when last looked at */
};

struct world {
	const uint8_t *data;
	size_t bytes;
	uint64_t random;		/* goes on when the bytes are used up */
	bool freezes, counts, may_fail, fails, has_failed, meddles, starting;
	uint32_t leases;
	struct vgpu vgpus[VGPUS];
	struct arbiter *arbiter;
	struct arbiter_ops ops;
	uint64_t now_ns, next_ns;
	bool wants;			/* vGPU 0 */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "fuzz_arbiter: broken: %s\n", what);
	abort();
}

static uint8_t take_byte(struct world *world)
{
	if (world->bytes) {
		world->bytes--;
		return *world->data++;
	}
	world->random = world->random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint8_t)(world->random >> 56);
}

static uint64_t take_u64(struct world *world)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | take_byte(world);
	return value;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- what forgers do --------------------------------------------------------------------------------------------------- */

static uint64_t forged_value(struct world *world, const struct vgpu *vgpu)
{
	uint32_t epoch = lease_word_epoch(vgpu->grant.word);

	switch (take_byte(world) % 8) {
	case 0: return epoch;
	case 1: return epoch - 1;
	case 2: return world->now_ns;
	case 3: return UINT64_MAX;
	case 4: return 0;
	case 5: return take_byte(world) % 4;
	case 6: return world->now_ns - take_byte(world);
	default: return take_u64(world);
	}
}

static void forge(struct world *world)
{
	uint8_t what = take_byte(world);
	struct vgpu *vgpu = &world->vgpus[1 + what % (VGPUS - 1)];
	struct lease_status *status = &vgpu->status[what / 4 % ENGINES];

	switch (what / 16 % 12) {
	case 0: case 1: case 2: status->state = LEASE_RUN; break;
	case 3: status->state = (uint32_t)forged_value(world, vgpu); break;
	case 4: status->state = LEASE_WANT; break;
	case 5: case 6: status->run_epoch = (uint32_t)forged_value(world, vgpu); break;
	case 7: status->busy_ns = forged_value(world, vgpu); break;
	case 8: status->kernels = forged_value(world, vgpu); break;
	case 9: status->kernel_id = forged_value(world, vgpu); break;
	case 10: status->heartbeat_ns = forged_value(world, vgpu); break;
	default: status->run_at_ns = forged_value(world, vgpu); break;
	}
}

/* All of them say that they run, under the grant that stands or the one before. */
static void stay_at_work(struct world *world)
{
	for (unsigned i = ENGINES; i < VGPUS * ENGINES; i++) {
		struct vgpu *vgpu = &world->vgpus[i / ENGINES];
		uint32_t epoch = lease_word_epoch(vgpu->grant.word);
		vgpu->status[i % ENGINES].run_epoch = vgpu->grant.word & LEASE_GRANTED ? epoch : epoch - 1;
		vgpu->status[i % ENGINES].state = LEASE_RUN;
	}
}

/* Between two reads of the arbiter. */
static void meddle(struct world *world)
{
	if (world->meddles && take_byte(world) % 4 == 0)
		forge(world);
}

/* ---- what has to hold ---------------------------------------------------------------------------------------------------- */

static bool is_holding(const struct vgpu *vgpu)
{
	return (vgpu->grant.word & LEASE_GRANTED) && !vgpu->grant.frozen;
}

static void check_holders(const struct world *world)
{
	uint32_t holders = 0;

	for (unsigned v = 0; v < VGPUS; v++)
		holders += world->vgpus[v].entity && is_holding(&world->vgpus[v]);
	check(holders <= world->leases, "more holders than leases");
}

static void check_all(struct world *world)
{
	check_holders(world);
	for (unsigned v = 0; v < VGPUS; v++) {
		struct vgpu *vgpu = &world->vgpus[v];
		check(vgpu->grant.used_ns >= vgpu->used_ns, "what was charged has gone back");
		check(vgpu->grant.used_ns <= world->now_ns - START_NS, "more was charged than time has passed");
		vgpu->used_ns = vgpu->grant.used_ns;
		if (world->freezes && !world->has_failed && vgpu->entity)
			check(vgpu->stopped == !!vgpu->grant.frozen, "who is marked frozen stands, and nobody else");
	}
}

/* ---- the arbiter's hands --------------------------------------------------------------------------------------------------- */

static void on_wake(struct lease_grant *grant, void *data)
{
	(void)grant;
	meddle(data);
	if (!((struct world *)data)->starting)
		check_holders(data);
}

static void on_overrun(void *owner, uint64_t held_ns, void *data)
{
	(void)owner;
	(void)held_ns;
	meddle(data);
}

static int on_freeze(void *owner, enum freeze_depth depth, void *data)
{
	struct world *world = data;
	struct vgpu *vgpu = owner;

	meddle(world);
	if (depth != FREEZE_NOTHING && world->fails) {
		world->has_failed = true;
		return -EIO;
	}
	vgpu->stopped = depth != FREEZE_NOTHING;
	return 0;
}

static uint64_t on_cpu_ns(void *owner, void *data)
{
	meddle(data);
	return ((const struct vgpu *)owner)->cpu_ns;
}

static void on_hang(void *owner, void *engine_owner, uint64_t lease_ns, void *data)
{
	(void)owner;
	(void)engine_owner;
	(void)lease_ns;
	meddle(data);
}

static void on_squat(void *owner, uint64_t used_ns, void *data)
{
	(void)used_ns;
	meddle(data);
	check(owner != &((struct world *)data)->vgpus[0], "one that uses nothing is said to squat");
}

static void on_note(void *owner, enum trace_kind kind, uint64_t value, uint64_t kernel_id, uint64_t now_ns, void *data)
{
	(void)owner;
	(void)kind;
	(void)value;
	(void)kernel_id;
	(void)now_ns;
	meddle(data);
}

/* ---- members --------------------------------------------------------------------------------------------------------------- */

static void add_engine(struct world *world, unsigned v, unsigned e)
{
	struct vgpu *vgpu = &world->vgpus[v];

	(void)world;
	if (vgpu->entity && !vgpu->engine[e])
		vgpu->engine[e] = arbiter_engine_add(vgpu->entity, &vgpu->status[e], &vgpu->status[e]);
}

static void remove_engine(struct world *world, unsigned v, unsigned e)
{
	struct vgpu *vgpu = &world->vgpus[v];

	arbiter_engine_remove(vgpu->entity, vgpu->engine[e], world->now_ns);
	vgpu->engine[e] = NULL;
}

static void add_vgpu(struct world *world, unsigned v)
{
	struct vgpu *vgpu = &world->vgpus[v];
	char why[ADMISSION_WHY_BYTES];

	vgpu->entity = arbiter_add(world->arbiter, &vgpu->grant, vgpu, world->now_ns);
	check(vgpu->entity, "a vGPU is added");
	arbiter_keep(vgpu->entity, vgpu->records, world->now_ns, why);
}

static void remove_vgpu(struct world *world, unsigned v)
{
	struct vgpu *vgpu = &world->vgpus[v];

	for (unsigned e = 0; e < ENGINES; e++)
		remove_engine(world, v, e);
	arbiter_remove(world->arbiter, vgpu->entity, world->now_ns);
	vgpu->entity = NULL;
}

/* A first arbiter, or one after another that died: over the pages as they are. */
static void start_arbiter(struct world *world, uint32_t had_engines)
{
	struct arbiter_settings settings = {
		.overrun_grace_ns = ARBITER_OVERRUN_GRACE_NS, .freezes = world->freezes, .processors = world->counts ? 2 : 0,
	};
	struct run_queue_settings queue = run_queue_defaults();
	char why[ADMISSION_WHY_BYTES];
	unsigned first = take_byte(world) % VGPUS;

	queue.leases = world->leases;
	world->arbiter = arbiter_create(&settings, &world->ops, world);
	check(world->arbiter && !arbiter_configure(world->arbiter, &queue, world->now_ns, why), "an arbiter starts");
	world->starting = true;
	arbiter_set_hold(world->arbiter, true);
	for (unsigned i = 0; i < VGPUS; i++)
		add_vgpu(world, (first + i) % VGPUS);
	for (unsigned i = 0; i < VGPUS * ENGINES; i++)
		if (had_engines & 1u << i)
			add_engine(world, i / ENGINES, i % ENGINES);
	arbiter_set_hold(world->arbiter, false);
	world->starting = false;
}

static uint32_t stop_arbiter(struct world *world)
{
	uint32_t had_engines = 0;

	for (unsigned i = 0; i < VGPUS * ENGINES; i++) {
		had_engines |= world->vgpus[i / ENGINES].engine[i % ENGINES] ? 1u << i : 0;
		world->vgpus[i / ENGINES].engine[i % ENGINES] = NULL;
	}
	arbiter_destroy(world->arbiter);
	return had_engines;
}

/* ---- time ------------------------------------------------------------------------------------------------------------------ */

/* What lease.c does. True if it has moved: then the arbiter is told. */
static bool play_by_the_rules(struct world *world)
{
	struct vgpu *vgpu = &world->vgpus[0];
	struct lease_status *status = &vgpu->status[0];
	uint64_t word = vgpu->grant.word;
	uint32_t before = status->state;

	if (vgpu->stopped || !vgpu->engine[0])
		return false;
	if (status->state == LEASE_RUN) {
		bool is_over = lease_word_epoch(word) != status->run_epoch || !(word & LEASE_GRANTED) || (word & LEASE_REVOKE) ||
			       ((word & LEASE_CONTENDED) && !(word & LEASE_FREEZES) && world->now_ns >= vgpu->grant.deadline_ns);
		if (is_over || !world->wants)
			status->state = world->wants ? LEASE_WANT : LEASE_IDLE;
	} else {
		status->state = world->wants ? LEASE_WANT : LEASE_IDLE;
	}
	if (status->state == LEASE_WANT && (word & LEASE_GRANTED) && !(word & LEASE_REVOKE)) {
		status->run_epoch = lease_word_epoch(word);
		status->state = LEASE_RUN;
	}
	return status->state != before;
}

static void run(struct world *world)
{
	do {
		world->next_ns = arbiter_run(world->arbiter, world->now_ns);
		check_all(world);
	} while (play_by_the_rules(world));
}

/* The arbiter is called when it asked to be. */
static void pass(struct world *world, uint64_t step_ns)
{
	uint64_t until_ns = world->now_ns + step_ns;

	for (unsigned i = 0; i < RUNS_MAX && world->now_ns < until_ns; i++) {
		uint64_t next_ns = world->next_ns > world->now_ns ? world->next_ns : world->now_ns + 1;
		uint64_t then_ns = world->next_ns ? smaller(next_ns, until_ns) : until_ns;
		if (world->vgpus[0].status[0].state == LEASE_RUN && !world->vgpus[0].stopped)
			world->vgpus[0].status[0].busy_ns += then_ns - world->now_ns;
		world->now_ns = then_ns;
		run(world);
	}
}

/* ---- the script ---------------------------------------------------------------------------------------------------------------- */

static void edit(struct world *world)
{
	struct vgpu *vgpu = &world->vgpus[1 + take_byte(world) % (VGPUS - 1)];
	struct entity_settings settings = entity_defaults();
	uint8_t what = take_byte(world);
	char why[ADMISSION_WHY_BYTES];

	if (what & 1)
		settings.weight = (uint32_t)take_u64(world) % (what & 2 ? UINT32_MAX : ENTITY_WEIGHT_MAX);
	if (what & 4)
		settings.cap_ppm = take_byte(world) * 5000u;
	if (what & 8)
		settings.reservation_ppm = take_byte(world) * 4000u;
	if (what & 16) {
		settings.class = take_byte(world) % 4;
		settings.budget_ns = (uint64_t)take_byte(world) * 50000;
		settings.period_ns = (uint64_t)take_byte(world) * 100000;
	}
	if (what & 32)
		settings.slice_ns = take_u64(world) >> (take_byte(world) % 64);
	if (vgpu->entity)
		arbiter_edit(vgpu->entity, &settings, world->now_ns, why);
}

static void act(struct world *world)
{
	uint8_t what = take_byte(world);
	unsigned v = 1 + what / 16 % (VGPUS - 1), e = what / 64 % ENGINES;

	switch (what % 16) {
	case 0: case 1: case 2:
		forge(world);
		break;
	case 3:
		stay_at_work(world);
		break;
	case 4: case 5:
		pass(world, 1ull << (take_byte(world) % 31));
		break;
	case 6: case 7:
		run(world);
		break;
	case 8:
		add_engine(world, v, e);
		break;
	case 9:
		remove_engine(world, v, e);
		break;
	case 10:
		edit(world);
		break;
	case 11:
		start_arbiter(world, stop_arbiter(world) | (what & 128 ? 0 : ~0u));
		break;
	case 12:
		world->vgpus[v].cpu_ns += take_u64(world) >> (32 + take_byte(world) % 32);
		break;
	case 13:
		world->wants = what & 16;
		break;
	case 14:
		world->fails = world->may_fail && (what & 32);
		arbiter_set_hang_timeout(world->vgpus[v].entity, take_u64(world) >> (take_byte(world) % 64));
		break;
	default:
		remove_vgpu(world, v);
		add_vgpu(world, v);
		for (e = 0; e < ENGINES; e++)
			add_engine(world, v, e);
		break;
	}
}

/* The one that plays by the rules, after a rest, wants. */
static void check_turn_comes(struct world *world)
{
	uint8_t how = take_byte(world) % 3;	/* 2: the others leave their pages as they are */

	world->wants = false;
	pass(world, 1000000);
	world->wants = true;
	for (uint64_t until_ns = world->now_ns + BOUND_NS; world->now_ns < until_ns;) {
		if (play_by_the_rules(world))
			run(world);
		if (is_holding(&world->vgpus[0]) && world->vgpus[0].status[0].state == LEASE_RUN)
			return;
		if (how == 0)
			forge(world);
		else if (how == 1)
			stay_at_work(world);
		pass(world, 1u << (12 + take_byte(world) % 12));
	}
	check(false, "who plays by the rules does not get the lease");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world world = {.data = data, .bytes = size, .now_ns = START_NS, .random = size};
	uint8_t how = take_byte(&world);

	world.freezes = how & 1;
	world.counts = how & 2;
	world.may_fail = (how & 12) == 12;
	world.meddles = how & 16;
	world.leases = 1 + (how >> 5) % 2;
	world.ops = (struct arbiter_ops){
		.wake = on_wake, .overrun = on_overrun, .freeze = world.freezes ? on_freeze : NULL, .cpu_ns = world.counts ? on_cpu_ns : NULL,
		.hang = on_hang, .squat = on_squat, .note = on_note,
	};
	for (unsigned v = 0; v < VGPUS; v++) {
		world.vgpus[v].grant.magic = LEASE_MAGIC;
		world.vgpus[v].grant.version = LEASE_VERSION;
	}
	start_arbiter(&world, 1u);
	for (unsigned i = 0; i < OPS_MAX && world.bytes; i++) {
		act(&world);
		if (how & 64)
			run(&world);
	}
	run(&world);
	world.fails = false;
	if (!world.freezes || world.has_failed)	/* after a failure leases end by a drain */
		for (unsigned i = ENGINES; i < VGPUS * ENGINES; i++)
			remove_engine(&world, i / ENGINES, i % ENGINES);
	check_turn_comes(&world);
	arbiter_destroy(world.arbiter);
	return 0;
}
