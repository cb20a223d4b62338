// SPDX-License-Identifier: MIT
/*
 * vgpu-bench-path: what the way to the device costs.
 *
 * `side` measures in this process, on the platform and in the environment it finds. `compare` (what it
 * does when told nothing) starts `side` processes of its own, natively and through a vGPU by turns, and
 * sets the figures side by side. A side is a process because drivers read their environment once and
 * because a launch is the unit in which their speed varies most.
 */
#include "benchmarks/path/compare.h"
#include "benchmarks/path/side.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
	EXIT_MEASURED = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

static void print_help(FILE *out)
{
	fputs("usage: vgpu-bench-path [compare] [OPTION]...\n"
		"       vgpu-bench-path side [OPTION]...\n"
		"Measures what the way to an OpenCL device costs: empty kernels, transfers, mappings and the\n"
		"set of vgpu-bench. 'compare' launches native, vGPU and native sides by turns; 'side' is one of\n"
		"them, and prints a JSON object per line.\n\n"
		"both:\n"
		"  --device TEXT|INDEX       device whose name holds TEXT, or by number\n"
		"  --size PRESET             of the set: small, medium (default) or large\n"
		"  --repeat N                repetitions of each kernel of the set (default 5)\n"
		"  --max-bytes N             leaves larger transfers out\n"
		"  --only A,B,...            these measurements: enqueue_finish, write_1MiB, kernel_sgemm ...,\n"
		"                            or groups of them: commands, many, work,\n"
		"                            transfers, set; many only if named, or with PoCL's basic driver\n"
		"side:\n"
		"  --platform TEXT           platform whose name holds TEXT\n"
		"compare:\n"
		"  --native-platform TEXT, --vgpu-platform TEXT\n"
		"  --native-env K=V,K=V...   environment of the native side; \\, is a comma inside a value\n"
		"  --vgpu-env K=V,K=V...     environment of the vGPU's side\n"
		"  --vgpu-basic-env K=V,...  environment in which the vGPU uses PoCL's basic driver, to compare\n"
		"                            with POCL_DEVICES=basic natively (default: not measured)\n"
		"  --launches N              of each side (default 6, which has all orders)\n"
		"  --timeout-s N             of one launch (default 120)\n"
		"  --out FILE                default build/bench/path.json\n"
		"  --progress                'progress K/N SIDE' lines on standard error\n\n"
		"Exit status: 0 measured (aims met or not), 1 not, 2 wrong usage.\n", out);
}

static int usage_error(const char *reason)
{
	fprintf(stderr, "vgpu-bench-path: %s\n", reason);
	return EXIT_USAGE;
}

/*
 * A driver, or a kernel's printf, may write to descriptor 1: that goes to stderr, and our lines out of
 * a copy which no process that a driver starts can keep open.
 */
static FILE *claim_stdout(void)
{
	int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		return NULL;
	return fdopen(fd, "w");
}

static int verb_side(int argc, char **argv)
{
	struct side_options options;
	char reason[512];
	FILE *out;
	int err;

	if (side_options_parse(argc, argv, &options, reason, sizeof(reason)))
		return usage_error(reason);
	out = claim_stdout();
	if (!out) {
		fprintf(stderr, "vgpu-bench-path: no standard output: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	err = side_run(&options, out);
	if (fclose(out) && !err) {
		err = -errno;
		fprintf(stderr, "vgpu-bench-path: the samples could not be written: %s\n", strerror(-err));
	}
	if (err == -EINVAL)
		return EXIT_USAGE;
	return err ? EXIT_FAILED : EXIT_MEASURED;
}

static int verb_compare(int argc, char **argv)
{
	struct compare_options options;
	char reason[512];
	int err;

	if (compare_options_parse(argc, argv, &options, reason, sizeof(reason)))
		return usage_error(reason);
	err = compare_run(&options);
	compare_options_finish(&options);
	return err ? EXIT_FAILED : EXIT_MEASURED;
}

static int verb_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	print_help(stdout);
	return EXIT_MEASURED;
}

static int verb_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("vgpu-bench-path " VGPU_VERSION);
	return EXIT_MEASURED;
}

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
};

static const struct verb verbs[] = {
	{ "compare", verb_compare },
	{ "side", verb_side },
	{ "--help", verb_help },
	{ "--version", verb_version },
};

int main(int argc, char **argv)
{
	char reason[256];

	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(argc - 1, argv + 1);
	if (argc > 1 && argv[1][0] != '-') {
		snprintf(reason, sizeof(reason), "there is no '%.64s'; say compare or side, see --help", argv[1]);
		return usage_error(reason);
	}
	return verb_compare(argc, argv);
}
