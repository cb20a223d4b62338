// SPDX-License-Identifier: MIT
/* benchmarks/stats.c and benchmarks/prng.h: figures that can be worked out by hand. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "benchmarks/prng.h"
#include "benchmarks/stats.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static void median_of_an_odd_count_is_the_middle_sample(void **state)
{
	const double samples[] = { 9, 1, 5 };

	(void)state;
	assert_true(stats_median(samples, 3) == 5);
	assert_true(stats_median(samples, 1) == 9);
}

static void median_of_an_even_count_is_the_mean_of_the_middle(void **state)
{
	const double samples[] = { 4, 1, 100, 2 };

	(void)state;
	assert_true(stats_median(samples, 4) == 3);
}

static void samples_keep_their_order(void **state)
{
	double samples[] = { 3, 1, 2 };

	(void)state;
	stats_median(samples, 3);
	stats_percentile(samples, 3, 99);
	assert_true(samples[0] == 3 && samples[1] == 1 && samples[2] == 2);
}

static void p99_is_the_nearest_rank(void **state)
{
	double samples[200];

	(void)state;
	for (int i = 0; i < 200; i++)
		samples[i] = 200 - i;	/* 200 ... 1 */
	assert_true(stats_percentile(samples, 200, 99) == 198);
	assert_true(stats_percentile(samples, 100, 99) == 199);	/* 200 ... 101 */
	assert_true(stats_percentile(samples, 50, 99) == 200);	/* too few: the largest */
	assert_true(stats_percentile(samples, 200, 100) == 200);
	assert_true(stats_percentile(samples, 200, 0.1) == 1);
}

static void geomean_multiplies(void **state)
{
	const double samples[] = { 0.5, 2, 8 }, with_zero[] = { 1, 0 }, with_nan[] = { 1, NAN };

	(void)state;
	assert_true(fabs(stats_geomean(samples, 3) - 2) < 1e-12);
	assert_true(isnan(stats_geomean(with_zero, 2)));
	assert_true(isnan(stats_geomean(with_nan, 2)));
}

static void no_samples_have_no_figures(void **state)
{
	struct summary summary = { .count = 7 };

	(void)state;
	assert_true(isnan(stats_median(NULL, 0)));
	assert_true(isnan(stats_percentile(NULL, 0, 99)));
	assert_true(isnan(stats_geomean(NULL, 0)));
	assert_int_equal(stats_summarize(NULL, 0, &summary), -EINVAL);
	assert_int_equal(summary.count, 7);	/* untouched */
}

static void summary_holds_all_figures(void **state)
{
	const double samples[] = { 2, 8, 4, 6 };
	struct summary summary;

	(void)state;
	assert_int_equal(stats_summarize(samples, 4, &summary), 0);
	assert_int_equal(summary.count, 4);
	assert_true(summary.min == 2 && summary.median == 5 && summary.p99 == 8);
}

/* Pinned, so that results stay comparable between machines and versions. */
static void random_words_depend_on_seed_stream_and_index_only(void **state)
{
	(void)state;
	assert_int_equal(prng_mix(0), UINT64_C(0xe220a8397b1dcdaf));	/* splitmix64's first value for 0 */
	assert_int_equal(prng_u32(1, 0, 0), prng_u32(1, 0, 0));
	assert_int_not_equal(prng_u32(1, 0, 0), prng_u32(2, 0, 0));
	assert_int_not_equal(prng_u32(1, 0, 0), prng_u32(1, 1, 0));
	assert_int_not_equal(prng_u32(1, 0, 0), prng_u32(1, 0, 1));
	assert_int_equal(prng_u32(1, 0, 0), 0x5e41ab08);
	assert_int_equal(prng_u32(42, 3, 1000000), 0x3809ce3);
}

static void random_floats_fill_their_range(void **state)
{
	float least = 2, most = -2;
	double sum = 0;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		float value = prng_float(7, 0, (uint64_t)i);

		least = fminf(least, value);
		most = fmaxf(most, value);
		sum += (double)value;
	}
	assert_true(least >= -1 && least < -0.99f);
	assert_true(most < 1 && most > 0.99f);
	assert_true(fabs(sum / 10000) < 0.03);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(median_of_an_odd_count_is_the_middle_sample),
		cmocka_unit_test(median_of_an_even_count_is_the_mean_of_the_middle),
		cmocka_unit_test(samples_keep_their_order),
		cmocka_unit_test(p99_is_the_nearest_rank),
		cmocka_unit_test(geomean_multiplies),
		cmocka_unit_test(no_samples_have_no_figures),
		cmocka_unit_test(summary_holds_all_figures),
		cmocka_unit_test(random_words_depend_on_seed_stream_and_index_only),
		cmocka_unit_test(random_floats_fill_their_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
