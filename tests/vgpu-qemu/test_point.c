/* SPDX-License-Identifier: MIT */
/*
 * Kills the process at a labelled instant: VGPU_TEST_KILL=LABEL:N means at the N-th time LABEL is passed.
 */
#include "vgpu-qemu/test_point.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

void test_point(const char *label)
{
	/* Counts over the life of the process: what a test hook is for. */
	static unsigned passed;
	const char *wanted = getenv("VGPU_TEST_KILL");
	size_t bytes = strlen(label);

	if (wanted && !strncmp(wanted, label, bytes) && wanted[bytes] == ':' &&
	    ++passed == (unsigned)atoi(wanted + bytes + 1))
		raise(SIGKILL);
}
