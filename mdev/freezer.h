/* SPDX-License-Identifier: MIT */
/*
 * Stops the processes of one vGPU from outside, lets them go on, and tells their processor time.
 *
 * With a group (groups.h) by cgroup.freeze and cpu.stat: all threads stand 27 us (p99 40 us) after the write, in whatever they are, and
 * nothing they do changes that. Without one by SIGSTOP to each engine, which takes milliseconds where the main thread computes (facts
 * in docs/FACTS.md), and by each engine's processor clock; device processes are not seen then.
 *
 * Not thread-safe: whoever has it serializes. Distrusts the engines; they can neither leave their group nor write to it.
 */
#ifndef VGPU_MDEV_FREEZER_H
#define VGPU_MDEV_FREEZER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "scheduler/arbiter.h"

struct freezer;

/* group: the folder of the vGPU's group, or NULL. NULL without memory; a group that cannot be used is as none. */
struct freezer *freezer_create(const char *group);
/* Does not let anything go on. Accepts NULL. */
void freezer_destroy(struct freezer *freezer);

/* Freezing takes microseconds, at any moment: leases may end by it. */
bool freezer_is_quick(const struct freezer *freezer);

/* An engine of the vGPU: it joins the group. pid 0 (a test's thread) cannot be stopped: without a group, freezing fails then. */
void freezer_engine_add(struct freezer *freezer, pid_t pid);
void freezer_engine_remove(struct freezer *freezer, pid_t pid);

/* 0 once it is so, or -errno. */
int freezer_set(struct freezer *freezer, enum freeze_depth depth);
/* Of all processes so far, those that have ended included with a group. */
uint64_t freezer_cpu_ns(const struct freezer *freezer);

#endif
