/* SPDX-License-Identifier: MIT */
/*
 * hostile_guest MODE DIRECT_SOCK [SECONDS [SEED]]: exits 0 if the service reacted as it must, 1 if not, 2 on bad usage.
 */
#include "tests/e2e/hostile/hostile.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct mode {
	const char *name;
	void (*run)(struct hostile *hostile);
	const char *what;
	bool on_request;	/* not one of `all` */
} modes[] = {
	{"touch-all", hostile_touch_all, "touches every page of the mapped aperture, without a blob", false},
	{"truncate", hostile_truncate, "truncates the memory it shows the device, then rings the doorbell", false},
	{"doorbell-flood", hostile_doorbell_flood, "rings doorbells for SECONDS, waiting for replies and not", false},
	{"garbage-socket", hostile_garbage_socket, "random bytes and random vfio-user messages on many connections", false},
	{"bad-commands", hostile_bad_commands, "descriptor chains and virtio-gpu commands no driver sends", false},
	{"garbage-ring", hostile_garbage_ring, "overwrites ring header and records at random while the engine runs, for SECONDS", false},
	{"bad-records", hostile_bad_records, "each opcode with ids, sizes and offsets out of range", false},
	{"vanish", hostile_vanish, "dies in the middle of each phase", false},
	{"crash", hostile_crash, "requests that kill the device process (which must be vgpu-device-fragile)", true},
};
#define MODE_COUNT (sizeof(modes) / sizeof(modes[0]))

bool hostile_check(struct hostile *hostile, bool good, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("%s %s: %s\n", good ? "PASS" : "FAIL", hostile->mode, text);
	fflush(stdout);
	hostile->failures += !good;
	return good;
}

void hostile_note(const struct hostile *hostile, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printf("     %s: %s\n", hostile->mode, text);
	fflush(stdout);
}

uint64_t hostile_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* xorshift64*: repeatable from the seed that is printed. */
uint64_t hostile_random(struct hostile *hostile)
{
	hostile->random ^= hostile->random >> 12;
	hostile->random ^= hostile->random << 25;
	hostile->random ^= hostile->random >> 27;
	return hostile->random * 0x2545f4914f6cdd1dull;
}

void hostile_random_bytes(struct hostile *hostile, void *buffer, size_t bytes)
{
	uint8_t *at = buffer;

	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(hostile_random(hostile) >> 32);
}

static int usage(void)
{
	fprintf(stderr, "usage: hostile_guest MODE DIRECT_SOCK [SECONDS [SEED]]; MODE is `all` or one of\n");
	for (unsigned i = 0; i < MODE_COUNT; i++)
		fprintf(stderr, "  %-16s %s\n", modes[i].name, modes[i].what);
	return 2;
}

int main(int argc, char **argv)
{
	struct hostile hostile = {.seconds = 3};
	unsigned ran = 0;

	if (argc < 3 || argc > 5)
		return usage();
	hostile.path = argv[2];
	if (argc > 3)
		hostile.seconds = (unsigned)strtoul(argv[3], NULL, 10);
	uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 0) : (uint64_t)time(NULL);
	if (!hostile.seconds || !seed)
		return usage();
	for (unsigned i = 0; i < MODE_COUNT; i++) {
		bool in_all = !strcmp(argv[1], "all") && !modes[i].on_request;
		if (!in_all && strcmp(argv[1], modes[i].name))
			continue;
		hostile.mode = modes[i].name;
		hostile.random = seed;
		hostile_note(&hostile, "%s (seed %llu)", modes[i].what, (unsigned long long)seed);
		ran++;
		struct bystander bystander;
		if (!bystander_begin(&hostile, &bystander))
			continue;
		modes[i].run(&hostile);
		bystander_end(&hostile, &bystander);
		newcomer_works(&hostile, "after it all");
	}
	if (!ran)
		return usage();
	printf("%s hostile_guest %s: %u failures\n", hostile.failures ? "FAIL" : "PASS", argv[1], hostile.failures);
	return hostile.failures ? 1 : 0;
}
