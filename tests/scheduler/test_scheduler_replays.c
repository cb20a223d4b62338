/* SPDX-License-Identifier: MIT */
/*
 * Golden replays: what is decided for fixed seeds is known, so that a change of it is seen, and meant. After a change that is
 * meant, the numbers that a failure prints are the new ones. The scenarios draw whole numbers alone: the same on every machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scheduler/sim/mix.h"
#include "scheduler/sim/sim.h"
#include "tests/scheduler/random_scenario.h"

static void decisions_of_fixed_seeds_are_known(void **state)
{
	static const uint64_t golden[] = {
		0x4109b99fd92041fb, 0x4029d86ee06653dc, 0xd96cdfa34b307707, 0x238a70d6e3af36c3,
		0x7f72dd2f76a6ff4c, 0xe1aeb40bc1bff3fc, 0xe367ebf218b0f18c, 0x18a7a7fbc2c654b4,
	};
	bool is_other = false;

	(void)state;
	for (uint64_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		struct random_scenario random;
		struct sim_result *first, *second;
		char why[ADMISSION_WHY_BYTES];
		random_scenario_init(&random, (enum random_kind)(i % 3), 1000 + i);
		assert_int_equal(sim_run(&random.scenario, &rule_vgpud, random.scenario.seed, NULL, &first, why), 0);
		assert_int_equal(sim_run(&random.scenario, &rule_vgpud, random.scenario.seed, NULL, &second, why), 0);
		assert_true(first->decisions_hash == second->decisions_hash);
		if (first->decisions_hash != golden[i]) {
			print_error("seed %llu: decisions 0x%016llx\n", (unsigned long long)(1000 + i),
				    (unsigned long long)first->decisions_hash);
			is_other = true;
		}
		sim_result_destroy(first);
		sim_result_destroy(second);
	}
	assert_false(is_other);
}

/* ---- the mix of comparison: the bars of docs/SCHEDULER.md ------------------------------------------------------- */

static void the_mix_is_shared_as_the_page_says(void **state)
{
	static const uint32_t counts[] = {8, 64};

	(void)state;
	for (size_t n = 0; n < 2; n++) {
		struct scenario *scenario;
		struct sim_result *result;
		char why[ADMISSION_WHY_BYTES];
		assert_int_equal(mix_create(counts[n], &scenario), 0);
		scenario->duration_ns = 20000000000u;
		assert_int_equal(sim_run(scenario, &rule_vgpud, 3, NULL, &result, why), 0);
		assert_true(sim_jain(result) > 0.9985);
		assert_true((double)result->lost_ns < 0.02 * (double)result->duration_ns);
		for (size_t i = 0; i < result->member_count; i++) {
			if (i % MIX_OF == MIX_VICTIM)
				assert_true((double)result->members[i].served_ns > 0.955 * result->members[i].ideal_ns);
			assert_int_equal(result->members[i].missed, 0);
		}
		sim_result_destroy(result);
		mix_destroy(scenario);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decisions_of_fixed_seeds_are_known),
		cmocka_unit_test(the_mix_is_shared_as_the_page_says),
	};

	return cmocka_run_group_tests_name("scheduler replays", tests, NULL, NULL);
}
