/* SPDX-License-Identifier: MIT */
/*
 * Properties of the run queue over thousands of random scenarios, on a simulated clock. A scenario that breaks one is shrunk and printed
 * as a file for `vgpu-sim run`.
 *
 * PROPERTY_SEED: the first seed (1). PROPERTY_RUNS: scenarios of each kind (1000).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/scheduler/invariant.h"
#include "tools/vgpu-sim/scenario_file.h"

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static bool breaks(const struct scenario *scenario, void *data)
{
	char why[INVARIANT_WHY_BYTES];

	return !invariants_hold(scenario, *(enum random_kind *)data, NULL, why);
}

static void hold_over_many(enum random_kind kind, const char *said)
{
	uint64_t first = number("PROPERTY_SEED", 1), runs = number("PROPERTY_RUNS", 1000);
	struct invariant_worst worst = {0};
	char why[INVARIANT_WHY_BYTES];

	for (uint64_t seed = first; seed < first + runs; seed++) {
		struct random_scenario random;
		random_scenario_init(&random, kind, seed);
		if (invariants_hold(&random.scenario, kind, &worst, why))
			continue;
		print_error("seed %llu: %s\n", (unsigned long long)seed, why);
		random_scenario_shrink(&random, breaks, &kind);
		invariants_hold(&random.scenario, kind, NULL, why);
		print_error("shrunk: %s\n", why);
		scenario_write(stderr, &random.scenario);
		fail();
	}
	print_message("%s: %llu scenarios; of its bound, debt came to %.2f, lag to %.2f, caps to %.2f, the distance from fluid to %.2f\n", said,
		      (unsigned long long)runs, worst.debt, worst.lag, worst.cap, worst.fluid);
}

static void backlogged_vgpus_stay_near_the_fluid_ideal(void **state)
{
	(void)state;
	hold_over_many(RANDOM_STATIC, "static");
}

static void debts_and_credits_of_sleepers_are_bounded(void **state)
{
	(void)state;
	hold_over_many(RANDOM_SLEEPERS, "sleepers");
}

static void caps_reservations_and_budgets_are_kept(void **state)
{
	(void)state;
	hold_over_many(RANDOM_ANY, "any");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backlogged_vgpus_stay_near_the_fluid_ideal),
		cmocka_unit_test(debts_and_credits_of_sleepers_are_bounded),
		cmocka_unit_test(caps_reservations_and_budgets_are_kept),
	};

	return cmocka_run_group_tests_name("scheduler properties", tests, NULL, NULL);
}
