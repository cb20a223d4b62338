/* SPDX-License-Identifier: MIT */
/* The run queue step by step, on a virtual clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/prediction.h"
#include "scheduler/run_queue.h"
#include "scheduler/sim/draw.h"

#define MS 1000000ull
#define VGPUS_MAX 64

struct world {
	struct run_queue *queue;
	struct entity *vgpu[VGPUS_MAX];
	uint64_t now_ns;
	char why[ADMISSION_WHY_BYTES];
};

static void begin(struct world *world, unsigned count)
{
	struct run_queue_settings settings = run_queue_defaults();
	struct entity_settings plain = entity_defaults();

	*world = (struct world){.now_ns = 1000 * MS};
	settings.slice_ns = 2 * MS;
	assert_int_equal(run_queue_create(&settings, &world->queue, world->why), 0);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(run_queue_add(world->queue, &plain, NULL, world->now_ns, &world->vgpu[i], world->why), 0);
}

static void end(struct world *world)
{
	run_queue_destroy(world->queue);
}

static int edit(struct world *world, unsigned i, struct entity_settings settings)
{
	return run_queue_edit(world->queue, world->vgpu[i], &settings, world->now_ns, world->why);
}

static void wake(struct world *world, unsigned i)
{
	run_queue_wake(world->queue, world->vgpu[i], 0, world->now_ns);
}

static unsigned index_of(const struct world *world, const struct entity *entity)
{
	unsigned i = 0;

	while (world->vgpu[i] != entity)
		i++;
	return i;
}

/* One lease to its deadline (1 ms if there is none), then overrun_ns more. Returns who had it; VGPUS_MAX = nobody. */
static unsigned turn(struct world *world, uint64_t overrun_ns, bool wants_more)
{
	struct turn turn;

	if (!run_queue_pick(world->queue, world->now_ns, &turn))
		return VGPUS_MAX;
	uint64_t used_ns = (turn.deadline_ns ? turn.deadline_ns - world->now_ns : MS) + overrun_ns;
	world->now_ns += used_ns;
	run_queue_charge(world->queue, turn.entity, used_ns, world->now_ns);
	run_queue_release(world->queue, turn.entity, wants_more, 0, world->now_ns);
	return index_of(world, turn.entity);
}

static uint64_t used_ns(const struct world *world, unsigned i)
{
	struct entity_view view;

	run_queue_view(world->queue, world->vgpu[i], &view);
	return view.used_ns;
}

static int64_t lag_ns(const struct world *world, unsigned i)
{
	struct entity_view view;

	run_queue_view(world->queue, world->vgpu[i], &view);
	return view.lag_ns;
}

static void a_lone_vgpu_holds_an_open_lease(void **state)
{
	struct world world;
	struct turn turn;

	(void)state;
	begin(&world, 2);
	wake(&world, 0);
	assert_true(run_queue_pick(world.queue, world.now_ns, &turn));
	assert_int_equal(turn.deadline_ns, 0);
	assert_false(run_queue_pick(world.queue, world.now_ns, &turn));	/* there is one lease */
	world.now_ns += 3600000 * MS;
	run_queue_charge(world.queue, world.vgpu[0], 3600000 * MS, world.now_ns);
	assert_int_equal(run_queue_deadline(world.queue, world.vgpu[0], world.now_ns), 0);
	wake(&world, 1);
	assert_int_equal(run_queue_deadline(world.queue, world.vgpu[0], world.now_ns), world.now_ns + 2 * MS);
	run_queue_sleep(world.queue, world.vgpu[1], world.now_ns);
	assert_int_equal(run_queue_deadline(world.queue, world.vgpu[0], world.now_ns), 0);
	end(&world);
}

static void shares_follow_weights(void **state)
{
	static const uint32_t weights[] = {1024, 2048, 4096};
	struct world world;

	(void)state;
	begin(&world, 3);
	for (unsigned i = 0; i < 3; i++) {
		struct entity_settings settings = entity_defaults();
		settings.weight = weights[i];
		assert_int_equal(edit(&world, i, settings), 0);
		wake(&world, i);
	}
	for (unsigned i = 0; i < 7000; i++)
		turn(&world, 0, true);
	uint64_t all_ns = used_ns(&world, 0) + used_ns(&world, 1) + used_ns(&world, 2);
	assert_in_range(used_ns(&world, 0) * 7, all_ns - 28 * MS, all_ns + 28 * MS);
	assert_in_range(used_ns(&world, 2) * 7, 4 * all_ns - 28 * MS, 4 * all_ns + 28 * MS);
	end(&world);
}

static void an_edited_weight_counts_from_the_next_slice_on(void **state)
{
	struct world world;
	struct entity_settings heavy = entity_defaults();

	(void)state;
	begin(&world, 2);
	wake(&world, 0);
	wake(&world, 1);
	for (unsigned i = 0; i < 1000; i++)
		turn(&world, 0, true);
	int64_t before_ns = lag_ns(&world, 0);
	heavy.weight = 3072;
	assert_int_equal(edit(&world, 0, heavy), 0);
	assert_in_range(lag_ns(&world, 0) + 1000 * (int64_t)MS, before_ns + 1000 * (int64_t)MS - 10, before_ns + 1000 * (int64_t)MS + 10);
	uint64_t first_ns = used_ns(&world, 0), second_ns = used_ns(&world, 1);
	for (unsigned i = 0; i < 8; i++)
		turn(&world, 0, true);
	assert_int_equal(used_ns(&world, 0) - first_ns, 12 * MS);
	assert_int_equal(used_ns(&world, 1) - second_ns, 4 * MS);
	end(&world);
}

static void an_overrun_is_paid_back_also_by_one_who_sleeps_at_once(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 2);
	wake(&world, 0);
	wake(&world, 1);
	while (turn(&world, 0, true) != 1)
		;
	while (turn(&world, 48 * MS, false) != 0)	/* 50 ms, and asleep */
		;
	world.now_ns += 20000;
	wake(&world, 0);
	uint64_t had_ns = used_ns(&world, 1), start_ns = world.now_ns;
	while (turn(&world, 0, true) == 1)
		;
	assert_true(used_ns(&world, 1) - had_ns >= 44 * MS);
	assert_true(world.now_ns - start_ns < 60 * MS);
	end(&world);
}

static void an_idle_gpu_pays_debts_back_at_the_pace_of_time(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 2);
	wake(&world, 0);
	wake(&world, 1);
	for (unsigned done = 0; done != 1;)
		done = turn(&world, 0, true);
	while (turn(&world, 48 * MS, false) != 0)
		;
	int64_t debt_ns = -lag_ns(&world, 0);
	assert_true(debt_ns > 20 * (int64_t)MS);
	run_queue_sleep(world.queue, world.vgpu[1], world.now_ns);
	world.now_ns += 5 * MS;
	wake(&world, 1);
	assert_true(-lag_ns(&world, 0) > 0);
	run_queue_sleep(world.queue, world.vgpu[1], world.now_ns);
	world.now_ns += 100 * MS;
	wake(&world, 1);
	assert_int_equal(lag_ns(&world, 0), 0);
	end(&world);
}

static void realtime_comes_first_within_its_budget_and_off_the_top(void **state)
{
	struct world world;
	struct entity_settings realtime = entity_defaults();
	struct turn turn_now;

	(void)state;
	begin(&world, 3);
	realtime.class = ENTITY_REALTIME;
	realtime.period_ns = 16 * MS;
	realtime.budget_ns = 4 * MS;
	assert_int_equal(edit(&world, 2, realtime), 0);
	wake(&world, 0);
	wake(&world, 1);
	assert_true(run_queue_pick(world.queue, world.now_ns, &turn_now));
	world.now_ns += MS / 10;
	run_queue_charge(world.queue, turn_now.entity, MS / 10, world.now_ns);
	wake(&world, 2);
	assert_int_equal(run_queue_deadline(world.queue, turn_now.entity, world.now_ns), world.now_ns);	/* at once */
	run_queue_release(world.queue, turn_now.entity, true, 0, world.now_ns);
	assert_true(run_queue_pick(world.queue, world.now_ns, &turn_now));
	assert_ptr_equal(turn_now.entity, world.vgpu[2]);
	assert_int_equal(turn_now.tier, TIER_REALTIME);
	assert_int_equal(turn_now.deadline_ns, world.now_ns + 4 * MS);
	world.now_ns += 4 * MS;
	run_queue_charge(world.queue, world.vgpu[2], 4 * MS, world.now_ns);
	run_queue_release(world.queue, world.vgpu[2], true, 0, world.now_ns);
	assert_int_equal(lag_ns(&world, 2), 0);	/* off the top */
	assert_int_not_equal(turn(&world, 0, true), 2);	/* its budget is spent: as the others */
	end(&world);
}

static void the_idle_class_runs_when_nobody_else_wants(void **state)
{
	struct world world;
	struct entity_settings idle = entity_defaults();

	(void)state;
	begin(&world, 2);
	idle.class = ENTITY_IDLE;
	idle.weight = 65536;
	assert_int_equal(edit(&world, 0, idle), 0);
	wake(&world, 0);
	wake(&world, 1);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(turn(&world, 0, true), 1);
	run_queue_sleep(world.queue, world.vgpu[1], world.now_ns);
	assert_int_equal(turn(&world, 0, true), 0);
	end(&world);
}

static void a_cap_parks_and_says_when_to_ask_again(void **state)
{
	struct world world;
	struct entity_settings capped = entity_defaults();
	uint64_t start_ns;

	(void)state;
	begin(&world, 1);
	capped.cap_ppm = 250000;
	capped.burst_ns = 4 * MS;
	assert_int_equal(edit(&world, 0, capped), 0);
	wake(&world, 0);
	start_ns = world.now_ns;
	while (world.now_ns < start_ns + 1000 * MS) {
		if (turn(&world, 0, true) == VGPUS_MAX) {
			uint64_t next_ns = run_queue_next_ns(world.queue, world.now_ns);
			assert_true(next_ns > world.now_ns);
			world.now_ns = next_ns;
		}
	}
	assert_in_range(used_ns(&world, 0), 245 * MS, 257 * MS);
	end(&world);
}

static void a_holding_policy_holds_the_share_of_the_idle(void **state)
{
	struct world world;
	struct run_queue_settings settings;
	uint64_t start_ns;

	(void)state;
	begin(&world, 4);
	settings = *run_queue_settings(world.queue);
	settings.policy = POLICY_EQUAL_SHARE;
	assert_int_equal(run_queue_configure(world.queue, &settings, world.now_ns, world.why), 0);
	wake(&world, 0);	/* alone, of four */
	start_ns = world.now_ns;
	while (world.now_ns < start_ns + 1000 * MS)
		if (turn(&world, 0, true) == VGPUS_MAX)
			world.now_ns = run_queue_next_ns(world.queue, world.now_ns);
	assert_in_range(used_ns(&world, 0), 244 * MS, 256 * MS);
	settings.policy = POLICY_FIXED_SHARE;
	settings.slots = 3;
	assert_int_equal(run_queue_configure(world.queue, &settings, world.now_ns, world.why), -EINVAL);
	assert_non_null(strstr(world.why, "from 4 to"));
	end(&world);
}

static void a_reservation_is_kept_against_heavy_weights(void **state)
{
	struct world world;
	struct entity_settings reserved = entity_defaults(), heavy = entity_defaults();

	(void)state;
	begin(&world, 2);
	reserved.reservation_ppm = 400000;
	reserved.weight = 1;
	heavy.weight = 65536;
	assert_int_equal(edit(&world, 0, reserved), 0);
	assert_int_equal(edit(&world, 1, heavy), 0);
	wake(&world, 0);
	wake(&world, 1);
	uint64_t start_ns = world.now_ns;
	for (unsigned i = 0; i < 1000; i++)
		turn(&world, 0, true);
	uint64_t all_ns = world.now_ns - start_ns;
	assert_in_range(used_ns(&world, 0), all_ns * 39 / 100, all_ns * 41 / 100);
	end(&world);
}

static void what_cannot_be_kept_is_refused_with_what_would_fit(void **state)
{
	struct world world;
	struct entity_settings settings = entity_defaults();
	struct entity *another;

	(void)state;
	begin(&world, 2);
	settings.weight = 65537;
	assert_int_equal(edit(&world, 0, settings), -EINVAL);
	assert_string_equal(world.why, "weight 65537; it must be from 1 to 65536 (1024 is the usual one)");
	settings = entity_defaults();
	settings.reservation_ppm = 600000;
	assert_int_equal(edit(&world, 0, settings), 0);
	assert_int_equal(run_queue_add(world.queue, &settings, NULL, world.now_ns, &another, world.why), -ENOSPC);
	assert_string_equal(world.why, "a reservation of 60 % does not fit: 60 % of at most 90 % are promised already, 30 % would fit");
	settings.reservation_ppm = 300000;
	assert_int_equal(run_queue_add(world.queue, &settings, NULL, world.now_ns, &another, world.why), 0);
	settings = entity_defaults();
	settings.class = ENTITY_REALTIME;
	settings.period_ns = 16 * MS;
	settings.budget_ns = MS;
	assert_int_equal(edit(&world, 1, settings), -ENOSPC);
	run_queue_remove(world.queue, another, world.now_ns);
	assert_int_equal(edit(&world, 1, settings), 0);
	settings.cap_ppm = 10000;
	assert_int_equal(edit(&world, 1, settings), -EINVAL);
	settings = entity_defaults();
	settings.budget_ns = MS;
	assert_int_equal(edit(&world, 1, settings), -EINVAL);
	end(&world);
}

static void the_tail_gate_lets_the_first_piece_in_and_holds_long_ones_back(void **state)
{
	struct world world;
	struct turn turn_now;

	(void)state;
	begin(&world, 2);
	run_queue_observe(world.queue, world.vgpu[0], 7, 50 * MS);
	run_queue_observe(world.queue, world.vgpu[0], 8, MS / 2);
	wake(&world, 0);
	assert_true(run_queue_pick(world.queue, world.now_ns, &turn_now));
	assert_true(run_queue_may_start(world.queue, world.vgpu[0], 7, world.now_ns));
	assert_true(run_queue_may_start(world.queue, world.vgpu[0], 7, world.now_ns));	/* nobody waits */
	wake(&world, 1);
	assert_true(run_queue_may_start(world.queue, world.vgpu[0], 8, world.now_ns));
	assert_false(run_queue_may_start(world.queue, world.vgpu[0], 7, world.now_ns));
	assert_false(run_queue_may_start(world.queue, world.vgpu[0], 99, world.now_ns));	/* unknown: as the longest */
	end(&world);
}

static void a_prediction_holds_the_peak_and_lets_go_slowly(void **state)
{
	struct prediction prediction = {0};

	(void)state;
	assert_int_equal(prediction_of(&prediction, 5), 0);
	prediction_observe(&prediction, 5, 1000);
	prediction_observe(&prediction, 6, 64000);
	assert_int_equal(prediction_of(&prediction, 5), 1000);
	assert_int_equal(prediction_of(&prediction, 1234), 64000);
	for (unsigned i = 0; i < 8; i++)
		prediction_observe(&prediction, 6, 1000);
	assert_in_range(prediction_of(&prediction, 6), 40000, 60000);
	for (unsigned i = 0; i < 300; i++)
		prediction_observe(&prediction, 6, 1000);
	assert_in_range(prediction_of(&prediction, 6), 1000, 1100);
}

static void debts_tokens_and_budgets_outlive_the_queue(void **state)
{
	struct world world, next;
	struct entity_record copies[2] = {0}, record;
	struct entity_settings capped = entity_defaults();

	(void)state;
	begin(&world, 2);
	capped.cap_ppm = 500000;
	assert_int_equal(edit(&world, 0, capped), 0);
	wake(&world, 0);
	wake(&world, 1);
	while (turn(&world, 40 * MS, true) != 0)
		;
	assert_null(entity_record_load(copies));
	run_queue_export(world.queue, world.vgpu[0], world.now_ns, &record);
	entity_record_save(copies, &record);
	entity_record_save(copies, &record);
	assert_int_equal(entity_record_load(copies)->turn, 1);
	copies[1].lag_ns++;	/* torn */
	assert_ptr_equal(entity_record_load(copies), &copies[0]);

	begin(&next, 0);
	next.now_ns = world.now_ns + 100000;
	struct entity_settings plain = entity_defaults();
	assert_int_equal(run_queue_restore(next.queue, &copies[0], NULL, next.now_ns, &next.vgpu[0], next.why), 0);
	assert_int_equal(run_queue_add(next.queue, &plain, NULL, next.now_ns, &next.vgpu[1], next.why), 0);
	assert_int_equal(lag_ns(&next, 0), lag_ns(&world, 0));
	assert_int_equal(used_ns(&next, 0), used_ns(&world, 0));
	wake(&next, 0);
	wake(&next, 1);
	struct entity_view view;
	run_queue_view(next.queue, next.vgpu[0], &view);
	assert_true(view.parked || view.lag_ns < 0);
	uint64_t had_ns = used_ns(&next, 1);
	while (turn(&next, 0, true) == 1)
		;
	assert_true(used_ns(&next, 1) - had_ns > 10 * MS);	/* the debt is paid to whom it is owed */
	end(&world);
	end(&next);
}

static void a_lease_from_before_is_adopted_and_nobody_else_is_granted(void **state)
{
	struct world world;
	struct turn turn_now;

	(void)state;
	begin(&world, 2);
	wake(&world, 1);
	run_queue_adopt(world.queue, world.vgpu[0], world.now_ns);
	assert_false(run_queue_pick(world.queue, world.now_ns, &turn_now));
	assert_int_equal(run_queue_deadline(world.queue, world.vgpu[0], world.now_ns), world.now_ns + 2 * MS);
	world.now_ns += 2 * MS;
	run_queue_charge(world.queue, world.vgpu[0], 2 * MS, world.now_ns);
	run_queue_release(world.queue, world.vgpu[0], true, 0, world.now_ns);
	assert_int_equal(turn(&world, 0, true), 1);
	end(&world);
}

static void weights_no_number_of_leases_could_serve_gather_no_credit(void **state)
{
	struct world world;
	struct run_queue_settings settings;
	struct entity_settings heavy = entity_defaults();
	struct turn turns[2];

	(void)state;
	begin(&world, 3);
	settings = *run_queue_settings(world.queue);
	settings.leases = 2;
	assert_int_equal(run_queue_configure(world.queue, &settings, world.now_ns, world.why), 0);
	heavy.weight = 65536;
	assert_int_equal(edit(&world, 0, heavy), 0);
	for (unsigned i = 0; i < 3; i++)
		wake(&world, i);
	for (unsigned i = 0; i < 2000; i++) {
		assert_true(run_queue_pick(world.queue, world.now_ns, &turns[0]));
		assert_true(run_queue_pick(world.queue, world.now_ns, &turns[1]));
		world.now_ns += 2 * MS;
		for (unsigned k = 0; k < 2; k++)
			run_queue_charge(world.queue, turns[k].entity, 2 * MS, world.now_ns);
		for (unsigned k = 0; k < 2; k++)
			run_queue_release(world.queue, turns[k].entity, true, 0, world.now_ns);
	}
	assert_in_range(used_ns(&world, 0), 3980 * MS, 4000 * MS);
	assert_in_range(used_ns(&world, 1), 1980 * MS, 2020 * MS);
	assert_in_range(lag_ns(&world, 0) + 100 * (int64_t)MS, 90 * MS, 110 * MS);
	end(&world);
}

/* ---- no memory is asked for by a decision: the linker sends these here (--wrap) ----------------------------------- */

static unsigned long allocations;
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *at, size_t bytes);
void *__real_reallocarray(void *at, size_t count, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *at, size_t bytes);
void *__wrap_reallocarray(void *at, size_t count, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
	allocations++;
	return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	allocations++;
	return __real_calloc(count, bytes);
}

void *__wrap_realloc(void *at, size_t bytes)
{
	allocations++;
	return __real_realloc(at, bytes);
}

void *__wrap_reallocarray(void *at, size_t count, size_t bytes)
{
	allocations++;
	return __real_reallocarray(at, count, bytes);
}

static void no_decision_asks_for_memory(void **state)
{
	struct world world;
	struct draw draw = draw_from(5, 5);

	(void)state;
	allocations = 0;
	begin(&world, VGPUS_MAX);
	assert_true(allocations > VGPUS_MAX);	/* they are counted */
	allocations = 0;
	for (unsigned i = 0; i < 100000; i++) {
		unsigned at = (unsigned)draw_below(&draw, VGPUS_MAX);
		struct entity_settings settings = entity_defaults();
		settings.weight = 1 + (uint32_t)draw_below(&draw, 65536);
		settings.cap_ppm = 1000 + (uint32_t)draw_below(&draw, 999001);
		if (draw_below(&draw, 4))
			wake(&world, at);
		else
			run_queue_sleep(world.queue, world.vgpu[at], world.now_ns);
		if (!draw_below(&draw, 50))
			assert_int_equal(edit(&world, at, settings), 0);
		turn(&world, draw_below(&draw, MS), draw_below(&draw, 3));
		run_queue_observe(world.queue, world.vgpu[at], 1 + draw_below(&draw, 500), draw_below(&draw, 50 * MS));
		world.now_ns += draw_below(&draw, MS);
	}
	assert_int_equal(allocations, 0);
	end(&world);
}

static void several_leases_end_in_turns_though_one_is_free_for_a_moment(void **state)
{
	struct world world;
	struct turn first, second;
	struct run_queue_settings settings = run_queue_defaults();

	(void)state;
	begin(&world, 4);
	settings.slice_ns = 2 * MS;
	settings.leases = 2;
	assert_int_equal(run_queue_configure(world.queue, &settings, world.now_ns, world.why), 0);
	for (unsigned i = 0; i < 4; i++)
		wake(&world, i);
	assert_true(run_queue_pick(world.queue, world.now_ns, &first));
	assert_int_equal(first.deadline_ns, world.now_ns + 2 * MS);	/* three wait for the one that is left */
	assert_true(run_queue_pick(world.queue, world.now_ns, &second));
	world.now_ns += 2 * MS;
	run_queue_charge(world.queue, first.entity, 2 * MS, world.now_ns);
	run_queue_release(world.queue, first.entity, true, 0, world.now_ns);
	assert_int_equal(run_queue_deadline(world.queue, second.entity, world.now_ns), world.now_ns);
	end(&world);
}

/* ---- use without a lease ------------------------------------------------------------------------- */

static void assert_books_are_even(const struct world *world, unsigned count)
{
	int64_t sum_ns = 0;

	for (unsigned i = 0; i < count; i++)
		sum_ns += lag_ns(world, i);
	assert_in_range(sum_ns + 1000, 0, 2000);
}

static void use_without_a_lease_is_paid_back_awake_or_asleep(void **state)
{
	for (unsigned asleep = 0; asleep < 2; asleep++) {
		struct world world;
		(void)state;
		begin(&world, 3);
		for (unsigned i = asleep; i < 3; i++)
			wake(&world, i);
		run_queue_charge_unleased(world.queue, world.vgpu[0], 30 * MS, world.now_ns);
		assert_books_are_even(&world, 3);
		assert_in_range(-lag_ns(&world, 0), 15 * MS, 30 * MS);
		run_queue_charge_unleased(world.queue, world.vgpu[0], 30 * MS, world.now_ns);	/* in debt now */
		assert_books_are_even(&world, 3);
		assert_in_range(-lag_ns(&world, 0), 35 * MS, 60 * MS);
		wake(&world, 0);
		for (unsigned i = 0; i < 600; i++)
			turn(&world, 0, true);
		/* Asleep it had no part in the first 30 ms itself: each of the others is owed half. */
		uint64_t owed_ns = asleep ? 15 * MS : 0;
		assert_in_range(used_ns(&world, 0) + owed_ns, used_ns(&world, 1) - 4 * MS, used_ns(&world, 1) + 4 * MS);
		end(&world);
	}
}

static void what_was_used_while_nobody_wants_is_paid_back_by_idleness(void **state)
{
	struct world world;

	(void)state;
	begin(&world, 2);
	run_queue_charge_unleased(world.queue, world.vgpu[0], 20 * MS, world.now_ns);
	assert_int_equal(lag_ns(&world, 0), -20 * (int64_t)MS);
	world.now_ns += 1000 * MS;
	wake(&world, 0);
	wake(&world, 1);
	assert_in_range(lag_ns(&world, 0) + (int64_t)MS, 0, 2 * MS);
	end(&world);
}

static void use_without_a_lease_takes_from_a_cap_and_outlives_the_queue(void **state)
{
	struct world world;
	struct entity_settings capped = entity_defaults();
	struct entity_record record;
	struct entity *restored;
	struct turn turn;

	(void)state;
	begin(&world, 2);
	capped.cap_ppm = 100000;
	assert_int_equal(edit(&world, 0, capped), 0);
	wake(&world, 0);
	run_queue_charge_unleased(world.queue, world.vgpu[0], 500 * MS, world.now_ns);
	assert_false(run_queue_pick(world.queue, world.now_ns, &turn));	/* parked */
	run_queue_charge_unleased(world.queue, world.vgpu[0], 10 * MS, world.now_ns);
	run_queue_export(world.queue, world.vgpu[0], world.now_ns, &record);
	run_queue_remove(world.queue, world.vgpu[0], world.now_ns);
	assert_int_equal(run_queue_restore(world.queue, &record, NULL, world.now_ns, &restored, world.why), 0);
	run_queue_wake(world.queue, restored, 0, world.now_ns);
	assert_false(run_queue_pick(world.queue, world.now_ns, &turn));
	end(&world);
}

static void the_idle_class_pays_for_use_without_a_lease_among_itself(void **state)
{
	struct world world;
	struct entity_settings idle = entity_defaults();

	(void)state;
	begin(&world, 2);
	idle.class = ENTITY_IDLE;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(edit(&world, i, idle), 0);
		wake(&world, i);
	}
	run_queue_charge_unleased(world.queue, world.vgpu[0], 20 * MS, world.now_ns);
	for (unsigned i = 0; i < 100; i++)
		turn(&world, 0, true);
	assert_in_range(used_ns(&world, 0), used_ns(&world, 1) - 4 * MS, used_ns(&world, 1) + 4 * MS);
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lone_vgpu_holds_an_open_lease),
		cmocka_unit_test(shares_follow_weights),
		cmocka_unit_test(an_edited_weight_counts_from_the_next_slice_on),
		cmocka_unit_test(an_overrun_is_paid_back_also_by_one_who_sleeps_at_once),
		cmocka_unit_test(an_idle_gpu_pays_debts_back_at_the_pace_of_time),
		cmocka_unit_test(realtime_comes_first_within_its_budget_and_off_the_top),
		cmocka_unit_test(the_idle_class_runs_when_nobody_else_wants),
		cmocka_unit_test(a_cap_parks_and_says_when_to_ask_again),
		cmocka_unit_test(a_holding_policy_holds_the_share_of_the_idle),
		cmocka_unit_test(a_reservation_is_kept_against_heavy_weights),
		cmocka_unit_test(what_cannot_be_kept_is_refused_with_what_would_fit),
		cmocka_unit_test(the_tail_gate_lets_the_first_piece_in_and_holds_long_ones_back),
		cmocka_unit_test(a_prediction_holds_the_peak_and_lets_go_slowly),
		cmocka_unit_test(debts_tokens_and_budgets_outlive_the_queue),
		cmocka_unit_test(a_lease_from_before_is_adopted_and_nobody_else_is_granted),
		cmocka_unit_test(weights_no_number_of_leases_could_serve_gather_no_credit),
		cmocka_unit_test(several_leases_end_in_turns_though_one_is_free_for_a_moment),
		cmocka_unit_test(use_without_a_lease_is_paid_back_awake_or_asleep),
		cmocka_unit_test(what_was_used_while_nobody_wants_is_paid_back_by_idleness),
		cmocka_unit_test(use_without_a_lease_takes_from_a_cap_and_outlives_the_queue),
		cmocka_unit_test(the_idle_class_pays_for_use_without_a_lease_among_itself),
		cmocka_unit_test(no_decision_asks_for_memory),
	};

	return cmocka_run_group_tests_name("run queue", tests, NULL, NULL);
}
