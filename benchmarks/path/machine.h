/* SPDX-License-Identifier: MIT */
/* Facts about the machine that figures were taken on. */
#ifndef BENCHMARKS_PATH_MACHINE_H
#define BENCHMARKS_PATH_MACHINE_H

#include <stdint.h>

struct machine {
	char cpu_model[128];	/* as /proc/cpuinfo names it, else the architecture */
	char architecture[66];
	char kernel[66];
	unsigned cores;		/* that this process may use */
	uint64_t memory_bytes;
};

/* Asks the kernel. What it does not tell is "?" or 0. */
void machine_describe(struct machine *ret_machine);

#endif
