/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a process: loses LEAK_ON_PURPOSE_BYTES bytes of it at its start. Whether the process looks for leaks at its end is
 * then seen by what it says (san_leaks.sh). Built with sanitizers only.
 */
#include <stdlib.h>

#define DEEP_BYTES (512u << 10)

static void __attribute__((noinline)) lose(size_t bytes)
{
	void *volatile lost = malloc(bytes);

	lost = NULL;
	(void)lost;
}

/* Far down the stack: what it leaves there is not looked at, and so cannot pass for a pointer that somebody still has. */
static void __attribute__((noinline)) lose_deep(size_t bytes)
{
	volatile char room[DEEP_BYTES];

	room[0] = 0;
	lose(bytes);
	room[DEEP_BYTES - 1] = room[0];
}

static void __attribute__((constructor)) begin(void)
{
	const char *bytes = getenv("LEAK_ON_PURPOSE_BYTES");

	if (bytes)
		lose_deep(strtoul(bytes, NULL, 10));
}
