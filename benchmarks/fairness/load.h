/* SPDX-License-Identifier: MIT */
/*
 * The loads a client can be: what it keeps the GPU, or the CPU, busy with.
 *
 * A load begins as soon as it may run, so that all are busy when the window begins; only what happens in the
 * window is counted; it ends once the window has.
 */
#ifndef BENCHMARKS_FAIRNESS_LOAD_H
#define BENCHMARKS_FAIRNESS_LOAD_H

#include "benchmarks/fairness/client_options.h"
#include "benchmarks/fairness/progress.h"
#include "benchmarks/fairness/spin.h"

/* A client while it runs. */
struct client {
	const struct client_options *options;
	struct spin spin;		/* not opened for a load that does not need it */
	struct progress progress;
	uint64_t kernels;		/* done in the window, whole ones */
	uint64_t cpu_begin_ns, cpu_end_ns;	/* this process's CPU time at the window's ends */
	uint64_t told_ns;
	FILE *out;			/* more lines of "KEY VALUE" may go here */
};

struct load {
	const char *name;
	bool without_gpu;
	bool endless;			/* wants the kernel that never ends */
	void (*run)(struct client *client);	/* a failure is that of client->spin.cl */
};

/* NULL: there is none. */
const struct load *load_find(const char *name);
extern const char load_names[];

/* False once the window is over. Before that it sleeps where this client has nothing to do in a phase. */
bool client_may_go_on(const struct client *client);

/* To be told the time now and then, and once after the window's end: notes CPU time at its ends, says what is done if that is wanted. */
void client_clock(struct client *client, uint64_t now_ns);

extern const struct load load_backlog, load_endless, load_frames, load_build, load_flush, load_burn;

#endif
