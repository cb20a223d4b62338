/* SPDX-License-Identifier: MIT */
/* The arbiter on a parent that it can freeze and whose processor time counts, under a virtual clock. */
#include "tests/scheduler/arbiter_world.h"

#include <errno.h>
#include <stdlib.h>

#include "scheduler/sim/draw.h"

/* 0 in RUN at its deadline, 1 waiting. Returns the deadline. */
static uint64_t begin_contended(struct world *world)
{
	world_begin(world, 3, 1);
	world_want(world, 0);
	world_run(world);
	assert_true(world_enter(world, 0));
	world_want(world, 1);
	uint64_t deadline_ns = world_run(world);
	assert_int_equal(deadline_ns, world->vgpu[0].grant.deadline_ns);
	return deadline_ns;
}

static void a_holder_is_frozen_at_its_deadline_and_goes_on_under_the_same_epoch(void **state)
{
	struct world world;

	(void)state;
	world.now_ns = begin_contended(&world);
	uint32_t epoch = lease_word_epoch(world.vgpu[0].grant.word);
	uint64_t next_ns = world_run(&world);
	assert_true(world_is_frozen(&world, 0));
	assert_int_equal(world_flags(&world, 0), LEASE_GRANTED | LEASE_CONTENDED | LEASE_FREEZES);
	assert_false(world_usage(&world, 0).holds);
	assert_true(world_enter(&world, 1));
	uint64_t used_ns = world_usage(&world, 0).gpu_time_ns;
	world.now_ns = next_ns;
	assert_int_equal(world_usage(&world, 0).gpu_time_ns, used_ns);	/* it stands for nothing */
	world_run(&world);
	assert_true(world_is_frozen(&world, 1));
	assert_true(world_holds(&world, 0));
	assert_int_equal(lease_word_epoch(world.vgpu[0].grant.word), epoch);
	assert_int_equal(world.vgpu[0].overruns, 0);
	world_end(&world);
}

static void an_idle_holder_is_taken_back_not_frozen(void **state)
{
	struct world world;

	(void)state;
	begin_contended(&world);
	world_idle(&world, 0);
	world_run(&world);
	assert_false(world_flags(&world, 0) & LEASE_GRANTED);
	assert_false(world_is_frozen(&world, 0));
	assert_true(world_holds(&world, 1));
	world_end(&world);
}

static void a_freeze_that_fails_ends_in_a_drain(void **state)
{
	struct world world;

	(void)state;
	world.now_ns = begin_contended(&world);
	world.vgpu[0].freeze_error = -ETIMEDOUT;
	world_run(&world);
	assert_true(world_flags(&world, 0) & LEASE_REVOKE);
	assert_false(world_flags(&world, 0) & LEASE_FREEZES);
	assert_false(world_flags(&world, 1) & LEASE_GRANTED);
	world_want(&world, 0);
	world_run(&world);
	assert_true(world_holds(&world, 1));
	world_end(&world);
}

static void an_arbiter_may_die_at_each_step_of_a_hand_over(void **state)
{
	struct world world;
	unsigned deaths = 0;

	(void)state;
	for (unsigned dies_at = 1;; dies_at++) {
		world.now_ns = begin_contended(&world);
		uint32_t epoch = lease_word_epoch(world.vgpu[0].grant.word);
		if (!world_run_to_death(&world, dies_at)) {
			world_end(&world);
			break;
		}
		deaths++;
		world_start_over(&world, 1);
		for (unsigned turns = 0; turns < 20; turns++) {
			uint64_t next_ns = world_run(&world);
			assert_true(world_holds(&world, 0) || world_holds(&world, 1));
			if (world_holds(&world, 1))
				world_enter(&world, 1);
			assert_true(next_ns > world.now_ns);
			world.now_ns = next_ns;
		}
		assert_int_equal(lease_word_epoch(world.vgpu[0].grant.word), epoch);
		assert_true(world_usage(&world, 0).gpu_time_ns + 8 * MS >= world_usage(&world, 1).gpu_time_ns);
		assert_true(world_usage(&world, 1).gpu_time_ns >= 24 * MS);
		world_end(&world);
	}
	assert_true(deaths >= 5);
}

/* Frozen in WANT (one engine of two was in RUN, and has died): its word says GRANTED, but it has no lease. */
static void who_can_not_be_frozen_again_after_a_restart_has_no_second_lease(void **state)
{
	for (unsigned is_running = 0; is_running < 2; is_running++) {
		struct world world;
		(void)state;
		world.now_ns = begin_contended(&world);
		world_run(&world);
		assert_true(world_is_frozen(&world, 0));
		assert_true(world_enter(&world, 1));
		if (!is_running)
			world_want(&world, 0);
		world.vgpu[0].freeze_error = -EIO;
		world_start_over(&world, 1);
		world_run(&world);
		world_end(&world);
	}
}

static void engines_that_die_frozen_hold_nobody_up(void **state)
{
	struct world world;

	(void)state;
	world.now_ns = begin_contended(&world);
	world_run(&world);
	assert_true(world_is_frozen(&world, 0));
	assert_true(world_enter(&world, 1));
	arbiter_engine_remove(world.vgpu[0].entity, world.vgpu[0].engine, world.now_ns);
	world_run(&world);
	assert_false(world_is_frozen(&world, 0));
	assert_false(world_flags(&world, 0) & LEASE_GRANTED);
	assert_int_equal(world_flags(&world, 1), LEASE_GRANTED | LEASE_FREEZES);	/* open: nobody waits */
	world_end(&world);
}

static void a_run_without_a_lease_is_frozen_and_named(void **state)
{
	struct world world;

	(void)state;
	begin_contended(&world);
	world_idle(&world, 0);
	world_run(&world);
	assert_true(world_enter(&world, 1));
	world.vgpu[0].status.state = LEASE_RUN;	/* under the epoch before */
	world.now_ns += MS;
	world_run(&world);
	assert_int_equal(world.vgpu[0].overruns, 0);
	world.now_ns += ARBITER_OVERRUN_GRACE_NS;
	world_run(&world);
	assert_int_equal(world.vgpu[0].overruns, 1);
	assert_int_equal(world.vgpu[0].grant.frozen, LEASE_FROZEN_WITHOUT);
	assert_int_equal(world.vgpu[0].depth, FREEZE_ALL);
	world_end(&world);
}

static void processor_time_without_a_lease_is_a_debt(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 3, 1);
	world.settings.freezes = false;
	arbiter_set_parent(world.arbiter, false, 4);
	world_want(&world, 1);
	world_want(&world, 2);
	uint64_t begin_ns = world.now_ns, next_ns = world_run(&world);
	world.vgpu[0].cpu_ns += 400 * MS;	/* a builder: a tenth of a second of the parent */
	world_want(&world, 0);
	while (world.now_ns < begin_ns + 1000 * MS) {
		for (unsigned i = 0; i < 3; i++)
			world_enter(&world, i);
		world.now_ns = next_ns;
		for (unsigned i = 0; i < 3; i++)
			world_want(&world, i);	/* each stops at its deadline */
		next_ns = world_run(&world);
	}
	uint64_t first_ns = world_usage(&world, 0).gpu_time_ns, second_ns = world_usage(&world, 1).gpu_time_ns;
	assert_int_equal(world_usage(&world, 0).unleased_ns, 400 * MS);
	assert_in_range(second_ns - first_ns, 92 * MS, 108 * MS);
	world_end(&world);
}

/* 1 and 2 in turns, and 0 uses cpu_ns of a processor in each ms it is not frozen. */
static void squat(struct world *world, uint64_t cpu_ns, bool others, uint64_t for_ns)
{
	uint64_t until_ns = world->now_ns + for_ns;

	while (world->now_ns < until_ns) {
		for (unsigned i = 1; i < world->count && others; i++) {
			if (world->vgpu[i].status.state == LEASE_IDLE)
				world_want(world, i);
			if (world->vgpu[i].status.state == LEASE_WANT)
				world_enter(world, i);
		}
		world_run(world);
		world->now_ns += MS;
		world->vgpu[0].cpu_ns += world_is_frozen(world, 0) ? 0 : cpu_ns;
	}
}

static void a_squatter_runs_in_its_turns_and_is_left_alone_when_it_stops(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 3, 1);
	squat(&world, 4 * MS, true, 6000 * MS);
	assert_true(world.vgpu[0].squats >= 1);
	assert_in_range(world_usage(&world, 0).gpu_time_ns + world_usage(&world, 0).unleased_ns / 4, 1900 * MS, 2050 * MS);
	assert_true(world_usage(&world, 1).gpu_time_ns >= 1950 * MS);
	squat(&world, 0, true, 1000 * MS);
	assert_false(world_is_frozen(&world, 0));
	uint64_t used_ns = world_usage(&world, 0).gpu_time_ns;
	squat(&world, 0, true, 1000 * MS);
	assert_int_equal(world_usage(&world, 0).gpu_time_ns, used_ns);
	world_end(&world);
}

static void small_amounts_are_never_frozen_nor_what_hinders_nobody(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 3, 1);
	squat(&world, MS / 200, true, 5000 * MS);
	squat(&world, 4 * MS, false, 0);
	assert_int_equal(world.vgpu[0].squats, 0);
	world_end(&world);
	world_begin(&world, 3, 1);
	squat(&world, 4 * MS, false, 5000 * MS);
	assert_int_equal(world.vgpu[0].squats, 0);
	assert_int_equal(world_usage(&world, 0).grants, 0);
	world_end(&world);
}

static void a_hang_is_told_once_per_command_by_its_own_lease_time(void **state)
{
	struct world world;

	(void)state;
	begin_contended(&world);
	arbiter_set_hang_timeout(world.vgpu[0].entity, 100 * MS);
	uint64_t begin_ns = world.now_ns;
	while (world.now_ns < begin_ns + 500 * MS) {
		if (world.vgpu[1].status.state == LEASE_WANT)
			world_enter(&world, 1);
		uint64_t next_ns = world_run(&world);
		if (world.now_ns < begin_ns + 190 * MS)
			assert_int_equal(world.vgpu[0].hangs, 0);
		world.now_ns = next_ns;
	}
	assert_int_equal(world.vgpu[0].hangs, 1);
	world.vgpu[0].status.heartbeat_ns = world.now_ns;	/* another command */
	begin_ns = world.now_ns;
	while (world.now_ns < begin_ns + 150 * MS)
		world.now_ns = world_run(&world);
	assert_int_equal(world.vgpu[0].hangs, 1);
	while (world.now_ns < begin_ns + 300 * MS)
		world.now_ns = world_run(&world);
	assert_int_equal(world.vgpu[0].hangs, 2);
	world_end(&world);
}

static void an_open_lease_freezes_too_once_somebody_waits(void **state)
{
	struct world world;

	(void)state;
	world_begin(&world, 2, 1);
	world_want(&world, 0);
	world_run(&world);
	assert_int_equal(world_flags(&world, 0), LEASE_GRANTED | LEASE_FREEZES);
	world_enter(&world, 0);
	world.now_ns += 5000 * MS;
	world_want(&world, 1);
	world.now_ns = world_run(&world);
	world_run(&world);
	assert_true(world_is_frozen(&world, 0));
	assert_true(world_holds(&world, 1));
	struct arbiter_totals totals;
	arbiter_totals(world.arbiter, &totals);
	assert_int_equal(totals.switches, 2);
	assert_int_equal(totals.freezes, 1);
	assert_int_equal(totals.contended_ns, WORLD_SLICE_NS);
	assert_int_equal(totals.lost_ns, 0);
	world_end(&world);
}

static void nobody_is_charged_until_it_runs_again(void **state)
{
	struct world world;
	struct arbiter_totals totals;

	(void)state;
	world.now_ns = begin_contended(&world);
	uint64_t waking_ns = arbiter_queue_settings(world.arbiter)->switch_cost_ns, begin_ns = world.now_ns;
	uint64_t before_ns = world_usage(&world, 0).gpu_time_ns + world_usage(&world, 1).gpu_time_ns;
	uint64_t next_ns = begin_ns;
	while (next_ns < begin_ns + 300 * MS) {
		world.now_ns = next_ns;
		next_ns = world_run(&world);
		if (world_holds(&world, 1) && world.vgpu[1].status.state == LEASE_WANT)
			world_enter(&world, 1);
	}
	/* Just now the one was stopped and the other let go on. */
	arbiter_totals(world.arbiter, &totals);
	uint64_t resumed = totals.freezes - 1;
	assert_true(resumed > 20);
	assert_int_equal(totals.resuming_ns, resumed * waking_ns);
	uint64_t charged_ns = world_usage(&world, 0).gpu_time_ns + world_usage(&world, 1).gpu_time_ns - before_ns;
	assert_int_equal(charged_ns + (resumed - 1) * waking_ns, world.now_ns - begin_ns);
	world_end(&world);
}

/* ---- engines of all kinds ------------------------------------------------------------------------- */

enum kind { BACKLOGGED, NOW_AND_THEN, LIAR, SQUATTER };

static bool goes_by_the_rules(enum kind kind)
{
	return kind == BACKLOGGED || kind == NOW_AND_THEN;
}

/* What an engine does next. True: it tells the arbiter. */
static bool act(struct world *world, unsigned i, enum kind kind, struct draw *draw)
{
	struct world_vgpu *vgpu = &world->vgpu[i];
	uint32_t state = vgpu->status.state;

	if (world_is_frozen(world, i))
		return false;
	if (kind == LIAR && !draw_below(draw, 20)) {
		vgpu->status.run_epoch = lease_word_epoch(vgpu->grant.word) - (uint32_t)draw_below(draw, 2);
		vgpu->status.state = (uint32_t)draw_below(draw, 4);
		vgpu->status.busy_ns = draw_word(draw);
		vgpu->status.run_at_ns = draw_word(draw);
		return draw_below(draw, 2);
	}
	if (!goes_by_the_rules(kind))
		return false;
	if (kind == NOW_AND_THEN && !draw_below(draw, 16)) {
		vgpu->status.state = state == LEASE_IDLE ? LEASE_WANT : LEASE_IDLE;
		return true;
	}
	if (state == LEASE_RUN && (lease_word_epoch(vgpu->grant.word) != vgpu->status.run_epoch || !world_holds(world, i) ||
				   (world_flags(world, i) & LEASE_REVOKE))) {
		world_want(world, i);
		return true;
	}
	if (state == LEASE_IDLE && kind == BACKLOGGED) {
		world_want(world, i);
		return true;
	}
	if (state == LEASE_WANT)
		world_enter(world, i);
	return false;
}

static void use(struct world *world, unsigned i, enum kind kind, uint64_t for_ns, bool is_squatting, uint64_t served_ns[])
{
	struct world_vgpu *vgpu = &world->vgpu[i];

	if (world_is_frozen(world, i))
		return;
	if (kind == SQUATTER ? is_squatting : vgpu->status.state == LEASE_RUN)
		vgpu->cpu_ns += 4 * for_ns;
	if (goes_by_the_rules(kind) && vgpu->status.state == LEASE_RUN)
		vgpu->status.busy_ns += for_ns;
	if (world_holds(world, i) && vgpu->status.state == LEASE_RUN)
		served_ns[i] += for_ns;
}

static void live(uint64_t seed)
{
	struct draw draw = draw_from(seed, 1);
	struct world world;
	enum kind kind[WORLD_VGPUS_MAX];
	uint64_t served_ns[WORLD_VGPUS_MAX] = {0}, next_ns = 0;
	unsigned count = 2 + (unsigned)draw_below(&draw, WORLD_VGPUS_MAX - 1);
	unsigned leases = 1 + (unsigned)draw_below(&draw, 2), liars = 0;
	bool starts_over = !draw_below(&draw, 3);

	world_begin(&world, count, leases);
	world.freeze_takes_ns = draw_below(&draw, 50000);
	for (unsigned i = 0; i < count; i++) {
		kind[i] = i ? (enum kind)draw_below(&draw, 4) : BACKLOGGED;
		liars += kind[i] == LIAR;
	}
	uint64_t begin_ns = world.now_ns, until_ns = begin_ns + 10000 * MS;
	while (world.now_ns < until_ns) {
		bool told = false;
		uint64_t before_ns = world.now_ns;
		for (unsigned i = 0; i < count; i++)
			told |= act(&world, i, kind[i], &draw);
		if (starts_over && !draw_below(&draw, 2000)) {
			world_run_to_death(&world, 1 + (unsigned)draw_below(&draw, 12));
			world_start_over(&world, leases);
			told = true;
		}
		if (told || (next_ns && world.now_ns >= next_ns))
			next_ns = world_run(&world);
		assert_true(!next_ns || next_ns > before_ns);
		uint64_t then_ns = world.now_ns + MS / 2;
		if (next_ns > world.now_ns && next_ns < then_ns)
			then_ns = next_ns;
		for (unsigned i = 0; i < count; i++)
			use(&world, i, kind[i], then_ns - world.now_ns, (then_ns / (200 * MS) + i) % 2, served_ns);
		world.now_ns = then_ns;
	}
	uint64_t share_ns = (world.now_ns - begin_ns) / count * (leases < count ? leases : count);
	/* A freeze takes up to 50 us of a slice of 4 ms, from all leases, and this clock moves by half milliseconds. */
	uint64_t allowed_ns = 2 * WORLD_SLICE_NS + ARBITER_OVERRUN_GRACE_NS + share_ns / 32 + liars * 2 * ARBITER_OVERRUN_GRACE_NS;
	for (unsigned i = 0; i < count; i++) {
		if (kind[i] == BACKLOGGED && served_ns[i] + allowed_ns < share_ns)
			fail_msg("seed %lu: vGPU %u of %u (%u leases, %u liars, restarts %d) had %lu ms, its share is %lu ms", (unsigned long)seed, i,
				 count, leases, liars, starts_over, (unsigned long)(served_ns[i] / MS), (unsigned long)(share_ns / MS));
		if (goes_by_the_rules(kind[i]))
			assert_int_equal(world.vgpu[i].overruns, 0);
	}
	world_end(&world);
}

static void who_goes_by_the_rules_has_its_share_whatever_the_others_do(void **state)
{
	const char *seeds = getenv("ARBITER_SEEDS");

	(void)state;
	for (uint64_t seed = 0; seed < (seeds ? strtoul(seeds, NULL, 10) : 100); seed++)
		live(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_holder_is_frozen_at_its_deadline_and_goes_on_under_the_same_epoch),
		cmocka_unit_test(an_idle_holder_is_taken_back_not_frozen),
		cmocka_unit_test(a_freeze_that_fails_ends_in_a_drain),
		cmocka_unit_test(an_arbiter_may_die_at_each_step_of_a_hand_over),
		cmocka_unit_test(who_can_not_be_frozen_again_after_a_restart_has_no_second_lease),
		cmocka_unit_test(engines_that_die_frozen_hold_nobody_up),
		cmocka_unit_test(a_run_without_a_lease_is_frozen_and_named),
		cmocka_unit_test(processor_time_without_a_lease_is_a_debt),
		cmocka_unit_test(a_squatter_runs_in_its_turns_and_is_left_alone_when_it_stops),
		cmocka_unit_test(small_amounts_are_never_frozen_nor_what_hinders_nobody),
		cmocka_unit_test(a_hang_is_told_once_per_command_by_its_own_lease_time),
		cmocka_unit_test(an_open_lease_freezes_too_once_somebody_waits),
		cmocka_unit_test(nobody_is_charged_until_it_runs_again),
		cmocka_unit_test(who_goes_by_the_rules_has_its_share_whatever_the_others_do),
	};

	return cmocka_run_group_tests_name("arbiter that freezes", tests, NULL, NULL);
}
