/* SPDX-License-Identifier: MIT */
/*
 * vgpu-sim: runs the scheduler of vgpud, or a rival's rule, on a simulated clock. vgpu-sim(1) documents it.
 *
 *   vgpu-sim run SCENARIO       what each vGPU gets
 *   vgpu-sim fit SCENARIO       how many of one kind fit
 *   vgpu-sim compare            our rule beside others
 *   vgpu-sim check SCENARIO     whether the file is right
 *
 * Here: the command line, and where results go.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/sim/mix.h"
#include "tools/vgpu-sim/compare.h"
#include "tools/vgpu-sim/fit.h"
#include "tools/vgpu-sim/report.h"
#include "tools/vgpu-sim/scenario_file.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DOES_NOT_FIT = 3 };

struct options {
	const struct rule_ops *rule;
	bool json;
	const char *svg, *json_file;
	uint32_t seconds, seeds;
	uint32_t counts[17];
	struct fit_targets targets;
};

static const struct {
	const char *name;
	const struct rule_ops *ops;
} rules[] = {
	{"vgpud", &rule_vgpud}, {"gvt", &rule_gvt}, {"round-robin", &rule_round_robin}, {"eevdf", &rule_eevdf}, {"drm-fair", &rule_drm_fair},
};
#define RULES (sizeof(rules) / sizeof(rules[0]))

static __attribute__((format(printf, 2, 3))) int complain(int code, const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	fputs("vgpu-sim: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return code;
}

static void print_help(void)
{
	fputs("usage: vgpu-sim run SCENARIO [--rule RULE] [--json] [--svg FILE]\n"
	      "       vgpu-sim fit SCENARIO --user NAME [--share S] [--wait-p99-ms MS] [--missed PERCENT] [--most N] [--json]\n"
	      "       vgpu-sim compare [--vgpus N[,N]...] [--seconds S] [--seeds N] [--json-file FILE]\n"
	      "       vgpu-sim check SCENARIO\n\nrules:", stdout);
	for (size_t i = 0; i < RULES; i++)
		printf(" %s", rules[i].name);
	puts("\nA scenario is a JSON file; vgpu-sim(1) has its fields.");
}

static bool number_of(const char *text, double least, double most, double *ret_number)
{
	char *end;
	double number = strtod(text, &end);

	if (end == text || *end || !(number >= least && number <= most))
		return false;
	*ret_number = number;
	return true;
}

static bool counts_of(const char *text, uint32_t counts[17])
{
	size_t count = 0;

	for (; count < 16; count++) {
		char *end;
		unsigned long vgpus = strtoul(text, &end, 10);
		if (end == text || vgpus < MIX_OF || vgpus > 1024 || vgpus % MIX_OF)
			return false;
		counts[count] = (uint32_t)vgpus;
		if (!*end) {
			counts[count + 1] = 0;
			return true;
		}
		if (*end != ',')
			return false;
		text = end + 1;
	}
	return false;
}

enum { O_RULE = 256, O_JSON, O_SVG, O_USER, O_SHARE, O_WAIT, O_MISSED, O_MOST, O_VGPUS, O_SECONDS, O_SEEDS, O_JSON_FILE, O_HELP, O_VERSION };

static const struct option long_options[] = {
	{"rule", required_argument, NULL, O_RULE},	 {"json", no_argument, NULL, O_JSON},
	{"svg", required_argument, NULL, O_SVG},	 {"user", required_argument, NULL, O_USER},
	{"share", required_argument, NULL, O_SHARE},	 {"wait-p99-ms", required_argument, NULL, O_WAIT},
	{"missed", required_argument, NULL, O_MISSED},	 {"most", required_argument, NULL, O_MOST},
	{"vgpus", required_argument, NULL, O_VGPUS},	 {"seconds", required_argument, NULL, O_SECONDS},
	{"seeds", required_argument, NULL, O_SEEDS},	 {"json-file", required_argument, NULL, O_JSON_FILE},
	{"help", no_argument, NULL, O_HELP},		 {"version", no_argument, NULL, O_VERSION},
	{NULL, 0, NULL, 0},
};

/* 0, or the program's exit status + 1. */
static int option_of(int option, struct options *options)
{
	double number;

	switch (option) {
	case O_RULE:
		for (size_t i = 0; i < RULES; i++)
			if (!strcmp(rules[i].name, optarg))
				options->rule = rules[i].ops;
		return options->rule ? 0 : 1 + complain(EXIT_USAGE, "there is no rule '%s'; there are vgpud, gvt, round-robin, eevdf and drm-fair", optarg);
	case O_JSON:
		options->json = true;
		return 0;
	case O_SVG:
		options->svg = optarg;
		return 0;
	case O_JSON_FILE:
		options->json_file = optarg;
		return 0;
	case O_USER:
		options->targets.user = optarg;
		return 0;
	case O_SHARE:
		if (number_of(optarg, 0, 1, &options->targets.share))
			return 0;
		return 1 + complain(EXIT_USAGE, "--share '%s': it must be from 0 to 1, a part of the ideal, as 0.97", optarg);
	case O_WAIT:
		if (number_of(optarg, 0.001, 1e6, &options->targets.wait_p99_ms))
			return 0;
		return 1 + complain(EXIT_USAGE, "--wait-p99-ms '%s': it must be from 0.001 to 1000000", optarg);
	case O_MISSED:
		if (number_of(optarg, 0, 100, &options->targets.missed_percent))
			return 0;
		return 1 + complain(EXIT_USAGE, "--missed '%s': it must be from 0 to 100, in percent of frames", optarg);
	case O_MOST:
		if (!number_of(optarg, 1, 1024, &number))
			return 1 + complain(EXIT_USAGE, "--most '%s': it must be from 1 to 1024", optarg);
		options->targets.most = (uint32_t)number;
		return 0;
	case O_VGPUS:
		if (counts_of(optarg, options->counts))
			return 0;
		return 1 + complain(EXIT_USAGE, "--vgpus '%s': it must be multiples of %u up to 1024, as 8,64", optarg, MIX_OF);
	case O_SECONDS:
		if (!number_of(optarg, 1, 3600, &number))
			return 1 + complain(EXIT_USAGE, "--seconds '%s': it must be from 1 to 3600", optarg);
		options->seconds = (uint32_t)number;
		return 0;
	case O_SEEDS:
		if (!number_of(optarg, 1, 1000, &number))
			return 1 + complain(EXIT_USAGE, "--seeds '%s': it must be from 1 to 1000", optarg);
		options->seeds = (uint32_t)number;
		return 0;
	case O_HELP:
		print_help();
		return 1;
	case O_VERSION:
		puts("vgpu-sim " VGPU_VERSION);
		return 1;
	default:
		return 1 + EXIT_USAGE;	/* getopt has said why */
	}
}

/* Opens, and says so if that fails. */
static FILE *create_file(const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file)
		complain(EXIT_FAILED, "cannot write '%s': %s", path, strerror(errno));
	return file;
}

static int close_file(FILE *file, const char *path)
{
	bool failed = ferror(file);

	if (fclose(file) || failed)
		return complain(EXIT_FAILED, "cannot write '%s': %s", path, strerror(errno));
	return 0;
}

static int run(const char *path, const struct options *options)
{
	struct scenario *scenario;
	struct summary *summary;
	char why[SCENARIO_WHY_BYTES];
	int code = 0;

	if (scenario_read(path, NULL, &scenario, why))
		return complain(EXIT_FAILED, "%s: %s", path, why);
	if (summary_run(scenario, options->rule, &summary, why)) {
		scenario_destroy(scenario);
		return complain(EXIT_FAILED, "%s: %s", path, why);
	}
	if (options->json)
		report_json(stdout, scenario, options->rule->name, summary);
	else
		report_table(stdout, scenario, options->rule->name, summary);
	if (options->svg) {
		FILE *file = create_file(options->svg);
		code = EXIT_FAILED;
		if (file) {
			report_svg(file, scenario, options->rule->name, summary);
			code = close_file(file, options->svg);
		}
	}
	summary_destroy(summary);
	scenario_destroy(scenario);
	return code;
}

static int run_fit(const char *path, const struct options *options)
{
	struct fit_answer answer;
	char why[SCENARIO_WHY_BYTES];

	if (!options->targets.user)
		return complain(EXIT_USAGE, "fit needs --user NAME: the vGPU of the scenario whose number is looked for");
	if (!(options->targets.share > 0 || options->targets.wait_p99_ms > 0 || options->targets.missed_percent >= 0))
		return complain(EXIT_USAGE, "fit needs a target: --share, --wait-p99-ms or --missed");
	if (fit(path, options->rule, &options->targets, &answer, why))
		return complain(EXIT_FAILED, "%s: %s", path, why);
	if (options->json)
		printf("{\"user\": \"%s\", \"fits\": %u, \"of_ideal\": %.4f, \"wait_p99_ms\": %.4f, \"missed_percent\": %.4f}\n",
		       options->targets.user, answer.count, answer.share, answer.wait_p99_ms, answer.missed_percent);
	else if (!answer.count)
		printf("not one '%s' fits: %s\n", options->targets.user, answer.limit);
	else
		printf("%u of '%s' fit: the worst of them has %.3f of its ideal, a P99 wait of %.3f ms, %.2f %% of frames missed\n%s%s\n",
		       answer.count, options->targets.user, answer.share, answer.wait_p99_ms, answer.missed_percent,
		       answer.is_most ? "more were not tried (--most)" : "one more: ", answer.is_most ? "" : answer.limit);
	return answer.count ? 0 : EXIT_DOES_NOT_FIT;
}

static int run_compare(const struct options *options)
{
	char why[ADMISSION_WHY_BYTES] = "no memory";
	FILE *json = options->json_file ? create_file(options->json_file) : NULL;

	if (options->json_file && !json)
		return EXIT_FAILED;
	int error = compare(stdout, json, options->counts, options->seconds, options->seeds, why);
	int code = json ? close_file(json, options->json_file) : 0;
	return error ? complain(EXIT_FAILED, "%s", why) : code;
}

static int check(const char *path)
{
	struct scenario *scenario;
	char why[SCENARIO_WHY_BYTES];

	if (scenario_read(path, NULL, &scenario, why))
		return complain(EXIT_FAILED, "%s: %s", path, why);
	printf("%s: %zu vGPUs, %u x %g s\n", scenario->title, scenario->member_count, scenario->seeds, (double)scenario->duration_ns / 1e9);
	scenario_destroy(scenario);
	return 0;
}

int main(int argc, char **argv)
{
	struct options options = {.rule = &rule_vgpud, .seconds = 60, .seeds = 5, .counts = {8, 64}, .targets = {.missed_percent = -1, .most = 1024}};
	int option;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (option == O_RULE)
			options.rule = NULL;
		int end = option_of(option == 'h' ? O_HELP : option, &options);
		if (end)
			return end - 1;
	}
	const char *verb = optind < argc ? argv[optind++] : NULL;
	const char *path = optind < argc ? argv[optind++] : NULL;
	if (optind < argc)
		return complain(EXIT_USAGE, "'%s' is one word too many", argv[optind]);
	if (!verb)
		return complain(EXIT_USAGE, "say what to do: run, fit, compare or check (--help says more)");
	if (!strcmp(verb, "compare"))
		return path ? complain(EXIT_USAGE, "compare takes no scenario: it has its own mix") : run_compare(&options);
	if (strcmp(verb, "run") && strcmp(verb, "fit") && strcmp(verb, "check"))
		return complain(EXIT_USAGE, "there is no '%s'; there are run, fit, compare and check", verb);
	if (!path)
		return complain(EXIT_USAGE, "%s needs a scenario: a JSON file", verb);
	return !strcmp(verb, "run") ? run(path, &options) : !strcmp(verb, "fit") ? run_fit(path, &options) : check(path);
}
