/* SPDX-License-Identifier: MIT */
/* A parent that can be frozen, a few vGPUs of one engine each and a clock, all imagined, for tests of the arbiter. */
#ifndef TESTS_ARBITER_WORLD_H
#define TESTS_ARBITER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scheduler/arbiter.h"

#define WORLD_SLICE_NS 4000000ull	/* of all vGPUs */

#define MS 1000000ull
#define WORLD_VGPUS_MAX 6

struct world;

struct world_vgpu {
	struct world *world;
	struct lease_grant grant;
	struct entity_record records[2];
	struct lease_status status;
	struct arbiter_entity *entity;
	struct arbiter_engine *engine;
	enum freeze_depth depth;	/* what the parent does to it */
	int freeze_error;		/* of each freezing; letting go never fails */
	uint64_t cpu_ns;
	unsigned overruns, hangs, squats;
};

struct world {
	struct arbiter *arbiter;
	struct arbiter_settings settings;
	struct world_vgpu vgpu[WORLD_VGPUS_MAX];
	unsigned count;
	uint64_t now_ns;
	uint64_t freeze_takes_ns;
	unsigned calls;		/* of all operations */
	unsigned dies_at;	/* the arbiter dies in this call of them; 0 = never */
	jmp_buf death;
};

/* A parent of four processors with so many vGPUs, all idle. */
void world_begin(struct world *world, unsigned count, uint64_t leases);
void world_end(struct world *world);
/* As if vgpud was killed: another arbiter over the same pages, which hears of the vGPUs in their order. */
void world_start_over(struct world *world, uint64_t leases);
/* arbiter_run now; fails on more holders than leases, and on a page that does not say what the parent does. */
uint64_t world_run(struct world *world);
/* The same dies_at. True if the arbiter died of it. */
bool world_run_to_death(struct world *world, unsigned dies_at);

uint32_t world_flags(const struct world *world, unsigned i);
bool world_holds(const struct world *world, unsigned i);
bool world_is_frozen(const struct world *world, unsigned i);
void world_want(struct world *world, unsigned i);
/* Enters RUN as lease.c does, if it may and is not frozen. */
bool world_enter(struct world *world, unsigned i);
void world_idle(struct world *world, unsigned i);
struct arbiter_usage world_usage(const struct world *world, unsigned i);

#endif
