/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "guest.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} programs[] = {
	{"soak", soak_main, "compute and verify for --seconds N"},
	{"zerocopy", zerocopy_main, "map 8 MiB and wait for the host to change it in place"},
	{"spin", spin_main, "one kernel of --ms N (0: for ever) writing --bytes N"},
	{"scan", scan_main, "count dirty words in --bytes N of fresh memory"},
	{"build", build_main, "build a program of --kernels N, --salt N, and compute"},
	{"pauses", pauses_main, "compute, pause, go on: --rounds N --pause-ms N --spread-us N"},
	{"wild", wild_main, "a kernel out of bounds, then a new context"},
	{"stray", stray_main, "a kernel that reads and writes --bytes N around its buffer"},
	{"churn", churn_main, "--threads T make, use and drop objects at once"},
	{"images", images_main, "images of every type, held to a model"},
	{"images-full", images_full_main, "more images than memory"},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(programs) / sizeof(programs[0]); i++)
		if (!strcmp(argv[1], programs[i].name))
			return programs[i].run(argc - 1, argv + 1);
	fprintf(stderr, "usage: vgpu-guest-test PROGRAM [OPTIONS]\n");
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		fprintf(stderr, "  %-10s %s\n", programs[i].name, programs[i].what);
	return 2;
}
