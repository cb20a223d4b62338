/* SPDX-License-Identifier: MIT */
/*
 * Predicts how long a piece of work that cannot be stopped will take: per kernel of one vGPU, peak-hold with slow decay.
 *
 * Piece: a kernel where nothing can be stopped, a chunk where kernels are split. A kernel never seen is expected to be as long as
 * the vGPU's peak: to lie short costs the liar a smaller request once, to lie long costs it its turn. Fixed size: with more kernels
 * than entries, the entry is the newest's.
 */
#ifndef VGPU_SCHEDULER_PREDICTION_H
#define VGPU_SCHEDULER_PREDICTION_H

#include <stdint.h>

#define PREDICTION_ENTRIES 64	/* a power of two */

struct prediction {
	uint64_t peak_ns;	/* of all kernels */
	struct {
		uint64_t kernel_id;	/* 0 = none */
		uint64_t cost_ns;
	} entries[PREDICTION_ENTRIES];
};

void prediction_observe(struct prediction *prediction, uint64_t kernel_id, uint64_t took_ns);
/* kernel_id 0 = not known: the peak. 0 = nothing was seen yet. */
uint64_t prediction_of(const struct prediction *prediction, uint64_t kernel_id);

#endif
