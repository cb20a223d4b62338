/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target without its fuzzer: every seed of tests/fuzz/seeds, its beginnings, and some inputs made from a fixed number
 * go through it, so that a regression shows in the unit tests, with any compiler. Linked with one target;
 * the program is called replay_TARGET. Speaks TAP; a target that aborts takes the tests behind it along (tests/run.sh).
 */
#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INPUT_BYTES_MAX (1u << 20)
#define BEGINNINGS 32u
#define MADE 256u
#define MADE_BYTES_MAX 1024u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* A copy of exactly that size: a sanitizer then sees the read of one byte more. */
static void run(const uint8_t *data, size_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);

	if (!copy)
		abort();
	memcpy(copy, data, bytes);
	LLVMFuzzerTestOneInput(copy, bytes);
	free(copy);
}

/* tests/fuzz/seeds/TARGET, in a folder above the program's own. False: this target has none. */
static bool find_seeds(const char *target, char ret_path[PATH_MAX])
{
	char at[PATH_MAX] = {0}, path[PATH_MAX + 64];
	char *slash;
	bool found_all = false;

	if (readlink("/proc/self/exe", at, sizeof(at) - 1) < 0)
		abort();
	while (!found_all && (slash = strrchr(at, '/'))) {
		*slash = '\0';
		snprintf(path, sizeof(path), "%s/tests/fuzz/seeds", at);
		found_all = !access(path, F_OK);
	}
	if (!found_all) {
		printf("Bail out! no tests/fuzz/seeds above this program\n");
		exit(1);
	}
	if (snprintf(ret_path, PATH_MAX, "%s/%s", path, target) >= PATH_MAX)
		abort();
	return !access(ret_path, F_OK);
}

static void replay(const char *path)
{
	static uint8_t input[INPUT_BYTES_MAX];
	FILE *file = fopen(path, "rb");
	size_t bytes;

	if (!file)
		abort();
	bytes = fread(input, 1, sizeof(input), file);
	fclose(file);
	for (unsigned i = 0; i < BEGINNINGS; i++)
		run(input, bytes * i / BEGINNINGS);
	run(input, bytes);
}

static void replay_made(void)
{
	static uint8_t input[MADE_BYTES_MAX];
	uint64_t state = 0x9e3779b97f4a7c15ull;

	run(input, 0);
	for (unsigned i = 0; i < MADE; i++) {
		size_t bytes;

		for (size_t at = 0; at < sizeof(input); at++) {
			state = state * 6364136223846793005ull + 1442695040888963407ull;
			input[at] = (uint8_t)(state >> 56);
		}
		bytes = 1 + (state >> 33) % sizeof(input);
		run(input, bytes);
	}
}

static int is_seed(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	const char *name = argc ? strrchr(argv[0], '/') : NULL;
	const char *target = name ? strchr(name, '_') : NULL;
	char folder[PATH_MAX], path[PATH_MAX + 256];
	struct dirent **seeds = NULL;
	int count = 0;

	if (!target) {
		fprintf(stderr, "call it by its path, .../replay_TARGET\n");
		return 2;
	}
	if (find_seeds(target + 1, folder)) {
		count = scandir(folder, &seeds, is_seed, alphasort);
		if (count <= 0) {
			printf("Bail out! no seeds in %s\n", folder);
			return 1;
		}
	}
	printf("1..%d\n", count + 1);
	fflush(stdout);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, seeds[i]->d_name);
		replay(path);
		printf("ok %d - %s_seed_%s\n", i + 1, target + 1, seeds[i]->d_name);
		fflush(stdout);
		free(seeds[i]);
	}
	free(seeds);
	replay_made();
	printf("ok %d - %s_made_inputs\n", count + 1, target + 1);
	return 0;
}
