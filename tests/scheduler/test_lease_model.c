/* SPDX-License-Identifier: MIT */
/* All states of the lease protocol are searched: as it is, then broken in one way each, which has to be noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/scheduler/lease_model.h"

#define STATES_MOST 6000000u	/* 60 bytes each, and 4 per step */
#define STATES_NEAR 700000u

static void holds(struct model_settings settings)
{
	struct state_result result = lease_model_check(&settings, STATES_MOST, true);

	printf("# %zu states, %zu steps, the last one %zu steps from the first\n", result.states, result.steps, result.depth);
	assert_int_equal(result.verdict, STATES_HOLD);
	assert_true(result.states > 100000);
}

/* Broken so, it is found to be: verdict. Found, not printed: the way is for who looks for it. */
static void is_found(struct model_settings settings, enum model_mutation mutation, enum state_verdict verdict)
{
	settings.mutation = mutation;
	struct state_result result = lease_model_check(&settings, STATES_MOST, false);

	printf("# found after %zu states, %zu steps from the first\n", result.states, result.depth);
	assert_int_equal(result.verdict, verdict);
}

static const struct model_settings draining = {.vgpu_count = 2, .engine_count = {1, 1}};
static const struct model_settings freezing = {.vgpu_count = 2, .engine_count = {1, 1}, .freezes = true};
static const struct model_settings draining_arbiter_dies = {.vgpu_count = 2, .engine_count = {1, 1}, .arbiter_dies = true};
static const struct model_settings freezing_arbiter_dies = {.vgpu_count = 2, .engine_count = {1, 1}, .freezes = true, .arbiter_dies = true};
static const struct model_settings draining_engines_die = {.vgpu_count = 2, .engine_count = {1, 1}, .engines_die = true};
static const struct model_settings freezing_engines_die = {.vgpu_count = 2, .engine_count = {1, 1}, .freezes = true, .engines_die = true};

/* ---- as it is ---------------------------------------------------------------------------------------------------------- */

static void a_drained_lease_has_one_holder_and_nobody_waits_for_ever_whoever_gives_up(void **state)
{
	struct model_settings settings = draining;

	(void)state;
	settings.gives_up = true;
	holds(settings);
}

static void nor_where_the_arbiter_of_drained_leases_dies_at_any_step(void **state)
{
	(void)state;
	holds(draining_arbiter_dies);
}

static void nor_where_engines_with_drained_leases_die_at_any_step(void **state)
{
	(void)state;
	holds(draining_engines_die);
}

static void nor_where_leases_end_by_freezing_and_the_arbiter_dies_at_any_step(void **state)
{
	(void)state;
	holds(freezing_arbiter_dies);
}

static void nor_where_leases_end_by_freezing_and_engines_die_at_any_step(void **state)
{
	(void)state;
	holds(freezing_engines_die);
}

/* More than can be searched in a moment: nothing is wrong, and nobody is lost, as far as it goes. */
static void nor_near_the_start_where_one_vgpu_has_two_engines(void **state)
{
	(void)state;
	for (unsigned freezes = 0; freezes < 2; freezes++) {
		struct model_settings settings = {.vgpu_count = 2, .engine_count = {2, 1}, .freezes = freezes};
		struct state_result result = lease_model_check(&settings, STATES_NEAR, true);
		printf("# %zu states and %zu steps looked at\n", result.states, result.steps);
		assert_true(result.verdict == STATES_HOLD || result.verdict == STATES_TOO_MANY);
		assert_true(result.states >= STATES_NEAR / 2);
	}
}

/* A minute: with LEASE_MODEL_ALL=1, and then this alone. */
static void nor_where_both_sides_die_at_any_step(void **state)
{
	struct model_settings settings = {.vgpu_count = 2, .engine_count = {1, 1}, .arbiter_dies = true, .engines_die = true};

	(void)state;
	holds(settings);
	settings.freezes = true;
	holds(settings);
}

/* ---- broken ------------------------------------------------------------------------------------------------------------- */

static void an_enter_without_its_second_load_is_found(void **state)
{
	(void)state;
	is_found(draining, MODEL_NO_SECOND_LOAD, STATES_WRONG);
	is_found(freezing, MODEL_NO_SECOND_LOAD, STATES_WRONG);
}

static void a_release_that_tells_nobody_is_found(void **state)
{
	(void)state;
	is_found(draining, MODEL_SILENT_RELEASE, STATES_HOPELESS);
}

static void an_enter_that_came_late_and_tells_nobody_is_found(void **state)
{
	(void)state;
	is_found(draining, MODEL_SILENT_WITHDRAWAL, STATES_HOPELESS);
}

static void a_grant_that_wakes_nobody_is_found(void **state)
{
	(void)state;
	is_found(draining, MODEL_NO_WAKE, STATES_HOPELESS);
}

static void a_new_arbiter_that_does_not_wake_again_is_found(void **state)
{
	(void)state;
	is_found(draining_arbiter_dies, MODEL_NO_WAKE_AGAIN, STATES_HOPELESS);
}

static void a_sleep_that_does_not_compare_the_word_is_found(void **state)
{
	(void)state;
	is_found(draining, MODEL_SLEEP_UNCOMPARED, STATES_HOPELESS);
}

static void an_eventfd_that_is_read_after_the_pages_is_found(void **state)
{
	(void)state;
	is_found(draining, MODEL_DRAIN_AFTER_LOOK, STATES_HOPELESS);
}

static void a_word_taken_back_without_looking_for_who_runs_is_found(void **state)
{
	(void)state;
	is_found(draining, MODEL_NO_LOOK_AFTER_TAKE_BACK, STATES_WRONG);
}

static void a_new_arbiter_that_decides_before_it_has_heard_from_all_is_found(void **state)
{
	struct model_settings settings = draining_arbiter_dies;

	(void)state;
	settings.freezes = true;
	is_found(settings, MODEL_NO_HOLD, STATES_WRONG);
}

static void holders_asked_before_it_is_seen_whose_lease_is_over_are_found(void **state)
{
	(void)state;
	is_found(freezing, MODEL_ONE_PASS, STATES_HOPELESS);
}

static void an_engine_that_runs_before_the_arbiter_has_heard_of_it_is_found(void **state)
{
	(void)state;
	is_found(draining_engines_die, MODEL_UNHEARD_ENGINES, STATES_WRONG);
	is_found(freezing_engines_die, MODEL_UNHEARD_ENGINES, STATES_WRONG);
}

static void a_new_arbiter_that_ignores_frozen_is_found(void **state)
{
	(void)state;
	is_found(freezing_arbiter_dies, MODEL_NO_FREEZE_AGAIN, STATES_WRONG);
}

static void a_new_arbiter_that_thaws_nobody_is_found(void **state)
{
	(void)state;
	is_found(freezing_arbiter_dies, MODEL_NO_THAW_AGAIN, STATES_HOPELESS);
}

static void a_lease_that_is_over_before_its_vgpu_stands_is_found(void **state)
{
	(void)state;
	is_found(freezing, MODEL_CLOSE_BEFORE_FREEZE, STATES_WRONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drained_lease_has_one_holder_and_nobody_waits_for_ever_whoever_gives_up),
		cmocka_unit_test(nor_where_the_arbiter_of_drained_leases_dies_at_any_step),
		cmocka_unit_test(nor_where_engines_with_drained_leases_die_at_any_step),
		cmocka_unit_test(nor_where_leases_end_by_freezing_and_the_arbiter_dies_at_any_step),
		cmocka_unit_test(nor_where_leases_end_by_freezing_and_engines_die_at_any_step),
		cmocka_unit_test(nor_near_the_start_where_one_vgpu_has_two_engines),
		cmocka_unit_test(an_enter_without_its_second_load_is_found),
		cmocka_unit_test(a_release_that_tells_nobody_is_found),
		cmocka_unit_test(an_enter_that_came_late_and_tells_nobody_is_found),
		cmocka_unit_test(a_grant_that_wakes_nobody_is_found),
		cmocka_unit_test(a_new_arbiter_that_does_not_wake_again_is_found),
		cmocka_unit_test(a_sleep_that_does_not_compare_the_word_is_found),
		cmocka_unit_test(an_eventfd_that_is_read_after_the_pages_is_found),
		cmocka_unit_test(a_word_taken_back_without_looking_for_who_runs_is_found),
		cmocka_unit_test(a_new_arbiter_that_decides_before_it_has_heard_from_all_is_found),
		cmocka_unit_test(holders_asked_before_it_is_seen_whose_lease_is_over_are_found),
		cmocka_unit_test(an_engine_that_runs_before_the_arbiter_has_heard_of_it_is_found),
		cmocka_unit_test(a_new_arbiter_that_ignores_frozen_is_found),
		cmocka_unit_test(a_new_arbiter_that_thaws_nobody_is_found),
		cmocka_unit_test(a_lease_that_is_over_before_its_vgpu_stands_is_found),
	};

	const struct CMUnitTest longest[] = {
		cmocka_unit_test(nor_where_both_sides_die_at_any_step),
	};

	if (getenv("LEASE_MODEL_ALL"))
		return cmocka_run_group_tests_name("both sides die", longest, NULL, NULL);
	return cmocka_run_group_tests_name("lease model", tests, NULL, NULL);
}
