/* SPDX-License-Identifier: MIT */
/*
 * Builds that go on behind an answer which the guest has already: the engine's own, of what the compile helper has built before.
 *
 * Work-group functions are compiled by the driver for each local size when a kernel is first enqueued, so an engine needs its own program
 * whatever a helper made. One thread, started with the first request, which begins by warming the compiler up. The functions are
 * the ring thread's.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_LATE_BUILD_H
#define VGPU_MDEV_ENGINE_COMPUTE_LATE_BUILD_H

#include <stdbool.h>

#include "mdev/engine/compiler/parts.h"
#include "mdev/engine/compute/device.h"

struct program;
struct late_builds;
struct late_build;

/* Makes a program of parts as the helper does (build_client.c). 0 or an OpenCL error. */
typedef int late_make_fn(const struct device *device, uint32_t kind, const struct part *parts, uint32_t part_count,
			 struct program **ret_program);

/* Borrows device. NULL: no memory. */
struct late_builds *late_builds_create(const struct device *device, late_make_fn *make);
/* Starts the thread, if it does not run: it is likely to be needed soon. */
void late_builds_warm(struct late_builds *builds);
/* False: a build runs that cannot be stopped; everything stays. */
bool late_builds_destroy(struct late_builds *builds);

/* Takes input: parts_join's. NULL: no memory or no thread; input is freed then. */
struct late_build *late_build_start(struct late_builds *builds, uint32_t kind, uint8_t *input, size_t bytes, uint32_t part_count);
/* Waits for it. 0 with a program of the caller's, or an OpenCL error. The build is gone then. */
int late_build_finish(struct late_build *late, struct program **ret_program);
/* Nobody wants it any more. Accepts NULL. */
void late_build_drop(struct late_build *late);
#endif
