// SPDX-License-Identifier: MIT
/*
 * vgpu-bench-fairness: the parts that tools/bench_fairness.sh puts together.
 *
 * `client` is one load on one device, and counts what it gets done. The others need no device: `shares` compares clients,
 * `report` tells figures, `now` and `sleep-until` are the clients' clock. Which vGPUs there are, who runs beside whom and what
 * the service's books say is the script's.
 */
#include "benchmarks/clock.h"
#include "benchmarks/fairness/calibration.h"
#include "benchmarks/fairness/client.h"
#include "benchmarks/fairness/figures.h"
#include "benchmarks/fairness/phases.h"
#include "benchmarks/fairness/shares.h"
#include "benchmarks/fairness/spin.h"
#include "benchmarks/option_reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

static void print_help(FILE *out)
{
	fputs("usage: vgpu-bench-fairness VERB ...\n"
		"What tools/bench_fairness.sh measures shares of a GPU with.\n\n"
		"  client --load LOAD --go FILE --ready FILE --out FILE [OPTION]...\n"
		"      makes --ready, waits for 'BEGIN_NS END_NS' in --go, writes --out. Loads:\n"
		"      backlog   a queue that is never empty   --loops, --batch, --depth, --queues\n"
		"      endless   a kernel that never ends\n"
		"      frames    one kernel a period           --loops, --period-us\n"
		"      build     programs, one after another   --threads\n"
		"      flush     a doorbell for each kernel    --loops\n"
		"      burn      CPU time, without a device    --threads, --duty PERCENT\n"
		"      --tell-ms N      says `done UNITS` on standard output as often\n"
		"      --platform TEXT  platform whose name holds TEXT\n"
		"      --phase K/COUNT/MS  at work only in phase K of COUNT that take turns; not for endless, frames\n"
		"  calibrate TEXT NS...      lines of NS, loops, NS taken; on a platform whose name holds TEXT\n"
		"  shares WEIGHTS SPAN_MS FILE...\n"
		"      of clients by their --out files, WEIGHTS as 1,2,4, taken in turn\n"
		"  phases MS COUNT SKIP_MS FILE...\n"
		"      of clients by their --out files, added up, without the first SKIP_MS of each phase: lines\n"
		"      'rate K PER_SECOND' and 'ratio K J MEDIAN', phase K over phase J in the same round\n"
		"  min-max WEIGHTS NUMBER... least over greatest of the numbers per weight\n"
		"  report ROWS OUT [NAME=VALUE]...\n"
		"      rows of name, value, unit and aim with tabs between, as a table and as JSON\n"
		"  now, sleep-until NS       CLOCK_MONOTONIC\n\n"
		"Exit status: 0 done, 1 failed, 2 wrong usage.\n", out);
}

static int usage_error(const char *reason)
{
	fprintf(stderr, "vgpu-bench-fairness: %s\n", reason);
	return EXIT_USAGE;
}

static int failure(const char *reason)
{
	fprintf(stderr, "vgpu-bench-fairness: %s\n", reason);
	return EXIT_FAILED;
}

static int verb_client(int argc, char **argv)
{
	struct client_options options;
	char reason[512];

	if (client_options_parse(argc, argv, &options, reason, sizeof(reason)))
		return usage_error(reason);
	return client_run(&options) ? EXIT_FAILED : EXIT_DONE;
}

static int calibrate_all(struct spin *spin, int count, char **targets)
{
	struct calibration calibration;

	calibration_measure(spin, &calibration);
	for (int i = 0; i < count; i++) {
		uint64_t target_ns;
		double actual_ns;
		uint32_t loops;
		char reason[256];

		if (option_number(targets[i], "the length", 1000, 10000000000u, &target_ns, reason, sizeof(reason)))
			return usage_error(reason);
		loops = calibration_find(spin, &calibration, (double)target_ns, &actual_ns);
		if (spin->cl.failed)
			return failure(spin->cl.failure);
		if (loops == 0)
			return failure("this device takes as long for many loops as for one: nothing can be calibrated");
		printf("%" PRIu64 " %" PRIu32 " %.0f\n", target_ns, loops, actual_ns);
	}
	return EXIT_DONE;
}

static int verb_calibrate(int argc, char **argv)
{
	struct spin spin;
	int status;

	if (argc < 3)
		return usage_error("calibrate needs a platform and lengths; see --help");
	spin_open(&spin, argv[1], false);
	status = spin.cl.failed ? failure(spin.cl.failure) : calibrate_all(&spin, argc - 2, argv + 2);
	spin_close(&spin);
	return status;
}

/* "1,2,4" over and over. 0, or EXIT_USAGE. */
static int parse_weights(const char *text, double *weights, unsigned count)
{
	double cycle[SHARES_CLIENTS_MAX];
	unsigned cycle_count = 0;
	char *end;

	if (count == 0 || count > SHARES_CLIENTS_MAX)
		return usage_error("one to 64 clients can be compared; see --help");
	do {
		if (cycle_count == SHARES_CLIENTS_MAX)
			return usage_error("more weights than clients may be");
		cycle[cycle_count] = strtod(text, &end);
		if (end == text || (*end && *end != ',') || !(cycle[cycle_count++] > 0))
			return usage_error("weights are positive numbers with commas between, as 1,2,4");
		text = end + 1;
	} while (*end);
	for (unsigned i = 0; i < count; i++)
		weights[i] = cycle[i % cycle_count];
	return EXIT_DONE;
}

static int print_shares(const struct progress *clients, const double *weights, unsigned count, uint32_t window_bins)
{
	struct shares shares;

	if (shares_compute(clients, weights, count, window_bins, &shares))
		return failure("the clients' windows differ");
	printf("min_max %.6f\nresolution %.6f\ndeviation_ms %.3f\ntotal %.3f\n", shares.min_max, shares.resolution,
		shares.deviation_ns / 1e6, shares.total);
	for (unsigned i = 0; i < count; i++)
		printf("share%u %.6f\n", i, shares.share[i]);
	return EXIT_DONE;
}

/* Of clients' --out files. On success all are to be finished; else EXIT_FAILED, and none. */
static int read_clients(struct progress *clients, char **paths, unsigned count)
{
	char reason[512];

	for (unsigned i = 0; i < count; i++) {
		FILE *file = fopen(paths[i], "re");
		int err = file ? progress_read(file, &clients[i]) : -errno;

		if (file)
			fclose(file);
		if (!err)
			continue;
		while (i > 0)
			progress_finish(&clients[--i]);
		snprintf(reason, sizeof(reason), "no client's result in %.400s: %s", paths[i], strerror(-err));
		return failure(reason);
	}
	return EXIT_DONE;
}

static int verb_shares(int argc, char **argv)
{
	struct progress clients[SHARES_CLIENTS_MAX];
	double weights[SHARES_CLIENTS_MAX];
	unsigned count = argc > 3 ? (unsigned)argc - 3 : 0, span_ms;
	int status;
	char reason[512];

	if (argc < 4)
		return usage_error("shares needs weights, a span and files; see --help");
	status = parse_weights(argv[1], weights, count);
	if (status)
		return status;
	if (option_count(argv[2], "the span", 10, 1000000, &span_ms, reason, sizeof(reason)))
		return usage_error(reason);
	status = read_clients(clients, argv + 3, count);
	if (status)
		return status;
	status = print_shares(clients, weights, count, (uint32_t)(span_ms * 1000000ull / PROGRESS_BIN_NS));
	for (unsigned i = 0; i < count; i++)
		progress_finish(&clients[i]);
	return status;
}

static int print_phases(const struct phases *phases)
{
	for (unsigned i = 0; i < phases->count; i++) {
		printf("rate %u %.3f\n", i, phases_rate(phases, i));
		for (unsigned j = 0; j < phases->count; j++)
			printf("ratio %u %u %.6f\n", i, j, phases_ratio(phases, i, j));
	}
	return EXIT_DONE;
}

static int verb_phases(int argc, char **argv)
{
	struct progress clients[SHARES_CLIENTS_MAX];
	unsigned count = argc > 4 ? (unsigned)argc - 4 : 0, phase_ms, phase_count, skip_ms;
	struct phases phases;
	char reason[512];
	int status;

	if (count == 0 || count > SHARES_CLIENTS_MAX)
		return usage_error("phases needs their length, count, what to skip, and 1 to 64 files; see --help");
	if (option_count(argv[1], "a phase's length", 20, 1000000, &phase_ms, reason, sizeof(reason)) ||
	    option_count(argv[2], "the number of phases", 1, PHASES_MAX, &phase_count, reason, sizeof(reason)) ||
	    option_count(argv[3], "what to skip", 0, phase_ms - 10, &skip_ms, reason, sizeof(reason)))
		return usage_error(reason);
	status = read_clients(clients, argv + 4, count);
	if (status)
		return status;
	if (phases_compute(clients, count, phase_ms / 10, phase_count, skip_ms / 10, &phases))
		status = failure("the clients' windows differ, or hold no whole round of phases, or too many");
	else
		status = print_phases(&phases);
	for (unsigned i = 0; i < count; i++)
		progress_finish(&clients[i]);
	return status;
}

static int verb_min_max(int argc, char **argv)
{
	double weights[SHARES_CLIENTS_MAX], amounts[SHARES_CLIENTS_MAX];
	unsigned count = argc > 2 ? (unsigned)argc - 2 : 0;
	int status = parse_weights(argc > 1 ? argv[1] : "", weights, count);

	for (unsigned i = 0; !status && i < count; i++) {
		char *end;

		amounts[i] = strtod(argv[2 + i], &end);
		if (end == argv[2 + i] || *end || amounts[i] < 0)
			status = usage_error("the amounts are numbers from 0; see --help");
	}
	if (!status)
		printf("%.6f\n", shares_min_max(amounts, weights, count));
	return status;
}

static int verb_report(int argc, char **argv)
{
	struct figures *figures = calloc(1, sizeof(*figures));
	FILE *rows = argc > 2 ? fopen(argv[1], "re") : NULL;
	char reason[512];
	int status = EXIT_DONE, err;

	if (argc < 3)
		status = usage_error("report needs a file of rows and one to write; see --help");
	else if (!figures || !rows)
		status = failure(figures ? "the rows cannot be read" : "out of memory");
	else if (figures_read(rows, figures, reason, sizeof(reason)))
		status = failure(reason);
	if (rows)
		fclose(rows);
	if (!status) {
		figures_print(figures, stdout);
		err = figures_write(figures, argv + 3, (unsigned)argc - 3, argv[2]);
		if (err) {
			snprintf(reason, sizeof(reason), "cannot write %.400s: %s", argv[2], strerror(-err));
			status = failure(reason);
		}
	}
	free(figures);
	return status;
}

static int verb_now(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return usage_error("now takes nothing; see --help");
	printf("%" PRIu64 "\n", clock_now_ns());
	return EXIT_DONE;
}

static int verb_sleep_until(int argc, char **argv)
{
	char reason[256];
	uint64_t at_ns;

	if (option_number(argc == 2 ? argv[1] : "", "the time", 0, INT64_MAX, &at_ns, reason, sizeof(reason)))
		return usage_error(reason);
	clock_sleep_until(at_ns);
	return EXIT_DONE;
}

static int verb_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	print_help(stdout);
	return EXIT_DONE;
}

static int verb_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("vgpu-bench-fairness " VGPU_VERSION);
	return EXIT_DONE;
}

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{ "client", verb_client },
	{ "calibrate", verb_calibrate },
	{ "shares", verb_shares },
	{ "phases", verb_phases },
	{ "min-max", verb_min_max },
	{ "report", verb_report },
	{ "now", verb_now },
	{ "sleep-until", verb_sleep_until },
	{ "--help", verb_help },
	{ "--version", verb_version },
};

int main(int argc, char **argv)
{
	char reason[256];

	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	snprintf(reason, sizeof(reason), "there is no verb '%.64s'; see --help", argc > 1 ? argv[1] : "");
	return usage_error(reason);
}
