// SPDX-License-Identifier: MIT
/* benchmarks/fairness: shares, phases, calibration, options, results between processes, figures. No OpenCL device needed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "benchmarks/fairness/calibration.h"
#include "benchmarks/fairness/client_options.h"
#include "benchmarks/fairness/figures.h"
#include "benchmarks/fairness/load.h"
#include "benchmarks/fairness/phases.h"
#include "benchmarks/fairness/shares.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000000ull

#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-9)

static struct progress window(uint32_t seconds)
{
	struct progress progress;

	assert_int_equal(progress_init(&progress, SECOND, SECOND + seconds * SECOND), 0);
	return progress;
}

/* Units per bin, in bins [from, to). */
static void work(struct progress *progress, uint32_t from, uint32_t to, uint32_t units)
{
	for (uint32_t bin = from; bin < to; bin++)
		progress->bin[bin] += units;
}

static void only_what_is_done_in_the_window_counts(void **state)
{
	struct progress progress = window(1);

	(void)state;
	progress_add(&progress, SECOND - 1, 1);
	progress_add(&progress, 2 * SECOND, 1);
	assert_int_equal(progress_total(&progress), 0);
	progress_add(&progress, SECOND, 2);
	progress_add(&progress, 2 * SECOND - 1, 3);
	assert_int_equal(progress.bin[0], 2);
	assert_int_equal(progress.bin[99], 3);
	assert_int_equal(progress_total(&progress), 5);
	progress_finish(&progress);
}

static void an_empty_or_endless_window_is_refused(void **state)
{
	struct progress progress;

	(void)state;
	assert_int_equal(progress_init(&progress, 5, 5), -EINVAL);
	assert_int_equal(progress_init(&progress, 5, 4), -EINVAL);
	assert_int_equal(progress_init(&progress, 0, UINT64_MAX), -EINVAL);
}

static FILE *text_file(char *text)
{
	FILE *file = fmemopen(text, strlen(text), "r");

	assert_non_null(file);
	return file;
}

static void progress_is_read_back_behind_other_lines(void **state)
{
	struct progress progress = window(1), read;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length), *in;

	(void)state;
	work(&progress, 3, 10, 7);
	fputs("cpu_ns 12\n", out);
	progress_write(&progress, out);
	fclose(out);
	in = text_file(text);
	assert_int_equal(progress_read(in, &read), 0);
	fclose(in);
	assert_int_equal(read.begin_ns, progress.begin_ns);
	assert_int_equal(read.bins, 100);
	assert_memory_equal(read.bin, progress.bin, 100 * sizeof(*read.bin));
	progress_finish(&read);

	/* Cut anywhere, it is refused. The last newline apart, which says that the last number is whole. */
	for (size_t cut = 1; cut < length; cut += 5) {
		text[length - cut] = '\0';
		in = fmemopen(text, length - cut, "r");
		assert_int_equal(in ? progress_read(in, &read) : -EINVAL, -EINVAL);
		if (in)
			fclose(in);
	}
	free(text);
	progress_finish(&progress);
}

static void work_by_weight_is_fair(void **state)
{
	struct progress clients[3] = { window(3), window(3), window(3) };
	const double weights[] = { 1, 2, 4 };
	struct shares shares;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		work(&clients[i], 0, 300, 1u << i);
	assert_int_equal(shares_compute(clients, weights, 3, 100, &shares), 0);
	assert_near(shares.min_max, 1);
	assert_near(shares.deviation_ns, 0);
	assert_near(shares.total, 2100);
	assert_near(shares.share[2], 4.0 / 7);
	assert_near(shares.resolution, 1.0 / 300);
	for (unsigned i = 0; i < 3; i++)
		progress_finish(&clients[i]);
}

/* Fair over the whole, but one client after the other. */
static void a_late_half_is_seen_in_the_worst_span(void **state)
{
	struct progress clients[2] = { window(4), window(4) };
	const double weights[] = { 1, 1 };
	struct shares shares;

	(void)state;
	work(&clients[0], 0, 200, 5);
	work(&clients[1], 200, 400, 5);
	assert_int_equal(shares_compute(clients, weights, 2, 100, &shares), 0);
	assert_near(shares.min_max, 1);
	assert_near(shares.deviation_ns, 0.5 * SECOND);
	/* Slices of 20 ms: no span of a second is off by more than half of one. */
	memset(clients[0].bin, 0, 400 * sizeof(*clients[0].bin));
	memset(clients[1].bin, 0, 400 * sizeof(*clients[1].bin));
	for (uint32_t bin = 0; bin < 400; bin += 4) {
		work(&clients[0], bin, bin + 2, 5);
		work(&clients[1], bin + 2, bin + 4, 5);
	}
	assert_int_equal(shares_compute(clients, weights, 2, 99, &shares), 0);
	assert_true(shares.deviation_ns > 1e6 && shares.deviation_ns <= 10e6);
	progress_finish(&clients[0]);
	progress_finish(&clients[1]);
}

static void who_got_nothing_makes_the_least_share_0(void **state)
{
	struct progress clients[2] = { window(1), window(1) };
	const double weights[] = { 1, 1 };
	struct shares shares;

	(void)state;
	assert_int_equal(shares_compute(clients, weights, 2, 100, &shares), 0);
	assert_true(isnan(shares.min_max));
	work(&clients[1], 0, 100, 1);
	assert_int_equal(shares_compute(clients, weights, 2, 100, &shares), 0);
	assert_near(shares.min_max, 0);
	assert_true(isinf(shares.resolution));
	progress_finish(&clients[0]);
	progress_finish(&clients[1]);
}

static void clients_of_different_windows_are_not_compared(void **state)
{
	struct progress clients[2] = { window(1), window(2) };
	const double weights[] = { 1, 1 }, none[] = { 1, 0 };
	struct shares shares;
	struct phases phases;

	(void)state;
	assert_int_equal(shares_compute(clients, weights, 2, 100, &shares), -EINVAL);
	assert_int_equal(shares_compute(clients, none, 1, 0, &shares), -EINVAL);
	assert_int_equal(shares_compute(clients, weights, 0, 100, &shares), -EINVAL);
	assert_int_equal(phases_compute(clients, 2, 10, 2, 0, &phases), -EINVAL);
	progress_finish(&clients[0]);
	progress_finish(&clients[1]);
}

/* A machine that becomes slower by half in the second round. */
static void phases_are_compared_within_their_round(void **state)
{
	struct progress client = window(2);
	struct phases phases;

	(void)state;
	work(&client, 0, 50, 8);
	work(&client, 50, 100, 4);
	work(&client, 100, 150, 4);
	work(&client, 150, 200, 2);
	/* What lingers from the phase before. */
	work(&client, 50, 55, 100);
	assert_int_equal(phases_compute(&client, 1, 50, 2, 10, &phases), 0);
	assert_int_equal(phases.rounds, 2);
	assert_near(phases_ratio(&phases, 1, 0), 0.5);
	assert_near(phases_ratio(&phases, 0, 1), 2);
	assert_near(phases_rate(&phases, 0), 600);
	assert_int_equal(phases_compute(&client, 1, 50, 2, 50, &phases), -EINVAL);
	assert_int_equal(phases_compute(&client, 1, 150, 2, 10, &phases), -EINVAL);
	progress_finish(&client);
}

static void a_phase_that_stood_still_gives_no_ratio(void **state)
{
	struct progress client = window(1);
	struct phases phases;

	(void)state;
	work(&client, 0, 50, 1);
	assert_int_equal(phases_compute(&client, 1, 50, 2, 0, &phases), 0);
	assert_true(isnan(phases_ratio(&phases, 0, 1)));
	assert_near(phases_ratio(&phases, 1, 0), 0);
	progress_finish(&client);
}

static void a_client_works_in_its_phase_and_before_the_window(void **state)
{
	const struct phase_plan plan = { .phase_ns = 100, .count = 3, .active = 1 }, none = { 0 };

	(void)state;
	assert_true(phase_is_active(&plan, 1000, 999));
	assert_false(phase_is_active(&plan, 1000, 1000));
	assert_true(phase_is_active(&plan, 1000, 1100));
	assert_true(phase_is_active(&plan, 1000, 1199));
	assert_false(phase_is_active(&plan, 1000, 1200));
	assert_true(phase_is_active(&plan, 1000, 1400));
	assert_int_equal(phase_active_at_ns(&plan, 1000, 1000), 1100);
	assert_int_equal(phase_active_at_ns(&plan, 1000, 1250), 1400);
	assert_int_equal(phase_active_at_ns(&plan, 1000, 1399), 1400);
	assert_true(phase_is_active(&none, 1000, 1234));
	assert_int_equal(phase_active_at_ns(&none, 1000, 1234), 1234);
}

static void loops_lie_on_the_line_through_both_points(void **state)
{
	const struct calibration calibration = { .launch_ns = 20000, .loops = 1001, .loops_ns = 1020000 };
	const struct calibration flat = { .launch_ns = 20000, .loops = 1001, .loops_ns = 20000 };
	const struct calibration failed = { .launch_ns = NAN, .loops = 1001, .loops_ns = NAN };

	(void)state;
	assert_int_equal(calibration_loops(&calibration, 20000), 1);
	assert_int_equal(calibration_loops(&calibration, 50000), 31);
	assert_int_equal(calibration_loops(&calibration, 10), 1);
	assert_int_equal(calibration_loops(&calibration, 1e18), UINT32_MAX);
	assert_int_equal(calibration_loops(&flat, 50000), 0);
	assert_int_equal(calibration_loops(&failed, 50000), 0);
}

static int parse(struct client_options *options, char *reason, size_t reason_size, const char *const *extra, int count)
{
	char *argv[24] = { (char *)"client", (char *)"--go", (char *)"g", (char *)"--ready", (char *)"r", (char *)"--out",
		(char *)"o", (char *)"--load", (char *)"backlog" };

	for (int i = 0; i < count; i++)
		argv[9 + i] = (char *)extra[i];
	return client_options_parse(9 + count, argv, options, reason, reason_size);
}

static void client_options_become_numbers(void **state)
{
	const char *const extra[] = { "--loops", "77", "--batch", "20", "--queues", "100", "--phase", "1/4/2000" };
	struct client_options options;
	char reason[512];

	(void)state;
	assert_int_equal(parse(&options, reason, sizeof(reason), extra, 8), 0);
	assert_ptr_equal(options.load, &load_backlog);
	assert_int_equal(options.loops, 77);
	assert_int_equal(options.batch, 20);
	/* A queue each at least. */
	assert_int_equal(options.depth, 100);
	assert_int_equal(options.plan.phase_ns, 2 * SECOND);
	assert_int_equal(options.plan.count, 4);
	assert_int_equal(options.plan.active, 1);
}

static void bad_client_options_are_named(void **state)
{
	static const struct {
		const char *option, *value, *want;
	} cases[] = {
		{ "--load", "sleep", "there is no load 'sleep'; say one of backlog, " },
		{ "--loops", "0", "--loops is '0'" },
		{ "--batch", "x", "--batch is 'x'" },
		{ "--depth", "5000", "--depth is '5000'" },
		{ "--duty", "101", "--duty is '101'" },
		{ "--phase", "2/2/100", "--phase is '2/2/100'" },
		{ "--phase", "0/2/100x", "--phase is '0/2/100x'" },
		{ "--phase", "0/0/100", "--phase is '0/0/100'" },
		{ "--phase", "0/9/100", "--phase is '0/9/100'" },
		{ "--phase", "0/2", "--phase is '0/2'" },
		{ "--sleep", "1", "there is no option '--sleep'" },
	};
	struct client_options options;
	char reason[512];
	char *argv[] = { (char *)"client", (char *)"--load", (char *)"burn" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(&options, reason, sizeof(reason), &cases[i].option, 2), -EINVAL);
		if (strncmp(reason, cases[i].want, strlen(cases[i].want)))
			fail_msg("%s: %s", cases[i].want, reason);
	}
	assert_int_equal(client_options_parse(3, argv, &options, reason, sizeof(reason)), -EINVAL);
	assert_non_null(strstr(reason, "--go"));
}

static int read_figures(const char *text, struct figures *figures, char *reason, size_t reason_size)
{
	char *copy = strdup(text);
	FILE *file = text_file(copy);
	int err = figures_read(file, figures, reason, reason_size);

	fclose(file);
	free(copy);
	return err;
}

static void figures_are_told_with_their_aims(void **state)
{
	static struct figures figures;
	char reason[512], *table = NULL;
	size_t length;
	FILE *out;

	(void)state;
	assert_int_equal(read_figures("a.share\t0.98\tratio\t>= 0.97\nb\t3.5\tms\t-\nc\t-\t%\t<= 0.5\nd\t0.9\tratio\t>= 0.97\n",
		&figures, reason, sizeof(reason)), 0);
	assert_int_equal(figures.count, 4);
	assert_string_equal(figures.figure[0].name, "a.share");
	assert_near(figures.figure[0].value, 0.98);
	assert_string_equal(figures.figure[1].aim, "");
	assert_true(isnan(figures.figure[2].value));
	out = open_memstream(&table, &length);
	figures_print(&figures, out);
	fclose(out);
	assert_non_null(strstr(table, ">= 0.97   met\n"));
	assert_non_null(strstr(table, "<= 0.5    not measured\n"));
	assert_non_null(strstr(table, ">= 0.97   NOT met\n"));
	free(table);
}

static void a_broken_row_is_refused_by_its_number(void **state)
{
	static const char *const broken[] = {
		"a\t1\tms\n", "a\t1\tms\t-\t-\n", "\t1\tms\t-\n", "a\tx\tms\t-\n", "a\t1\tms\t== 1\n",
		"a23456789012345678901234567890123456789012345678901234567890123456789\t1\tms\t-\n", "a\t\tms\t-\n",
	};
	static struct figures figures;
	char reason[512], text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		snprintf(text, sizeof(text), "good\t1\tms\t-\n%s", broken[i]);
		assert_int_equal(read_figures(text, &figures, reason, sizeof(reason)), -EINVAL);
		assert_int_equal(strncmp(reason, "line 2 ", 7), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_done_in_the_window_counts),
		cmocka_unit_test(an_empty_or_endless_window_is_refused),
		cmocka_unit_test(progress_is_read_back_behind_other_lines),
		cmocka_unit_test(work_by_weight_is_fair),
		cmocka_unit_test(a_late_half_is_seen_in_the_worst_span),
		cmocka_unit_test(who_got_nothing_makes_the_least_share_0),
		cmocka_unit_test(clients_of_different_windows_are_not_compared),
		cmocka_unit_test(phases_are_compared_within_their_round),
		cmocka_unit_test(a_phase_that_stood_still_gives_no_ratio),
		cmocka_unit_test(a_client_works_in_its_phase_and_before_the_window),
		cmocka_unit_test(loops_lie_on_the_line_through_both_points),
		cmocka_unit_test(client_options_become_numbers),
		cmocka_unit_test(bad_client_options_are_named),
		cmocka_unit_test(figures_are_told_with_their_aims),
		cmocka_unit_test(a_broken_row_is_refused_by_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
