/* SPDX-License-Identifier: MIT */
/*
 * Splitting one launch into pieces by global offset: what is covered by each, and how large it should be.
 *
 * Pure. A piece is a whole number of work-groups, but for the groups at the end of a dimension that the local size does not
 * divide: those are in whatever piece covers that end. Pieces follow each other in the order of the group ids, are boxes, and
 * cover the launch exactly once. The slowest dimension is split first; within one layer of it the next, and so on.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_CHUNK_H
#define VGPU_MDEV_ENGINE_COMPUTE_CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHUNK_ENQUEUES_MIN 50u	/* a piece is at least that many times as long as it takes to enqueue it: 2 % */

struct chunk_range {
	uint32_t dimensions;	/* 1 to 3 */
	size_t offset[3];
	size_t global[3];
	size_t local[3];
};

struct chunk_plan {
	struct chunk_range whole;
	uint64_t groups[3];	/* those at an end that are not full count */
	uint64_t at[3];		/* the next piece's first group */
	bool is_over;
};

/* The local size of a launch that names none: the largest that divides the global size, of at most max_group_size work-items, required
 * (reqd_work_group_size) if that is not zero. False if there is none worth having: leave it to the driver, and do not split. */
bool chunk_local_choose(uint32_t dimensions, const size_t global[3], size_t max_group_size, const size_t required[3], size_t ret_local[3]);

/* All of the local sizes divide the global ones. */
bool chunk_is_uniform(const struct chunk_range *range);

/* False: not one to be split (a size is zero, or a product does not fit). */
bool chunk_plan_init(struct chunk_plan *plan, const struct chunk_range *whole);
uint64_t chunk_plan_groups(const struct chunk_plan *plan);	/* of the whole */
/* The next piece, of at most max_groups work-groups, at least one. Returns how many; 0: the whole is covered. */
uint64_t chunk_next(struct chunk_plan *plan, uint64_t max_groups, struct chunk_range *ret_piece);

/* What a kernel's work-groups cost, learned from its pieces. */
struct chunk_cost {
	double group_ns;	/* 0: not known */
	uint64_t last_groups, last_ns;	/* of the last piece seen, whatever else that time held */
};

/* A piece has taken took_ns. is_clean: that was the work and nothing else, such as waiting or compiling. */
void chunk_cost_observe(struct chunk_cost *cost, uint64_t groups, uint64_t took_ns, bool is_clean);
/* How many groups a piece should have that is to last target_ns, or CHUNK_ENQUEUES_MIN enqueue_ns if that is more. first_groups: of a
 * kernel never seen. Grows at most fourfold from piece to piece. */
uint64_t chunk_cost_groups(const struct chunk_cost *cost, uint64_t target_ns, uint64_t enqueue_ns, uint64_t first_groups);
/* 0: not known. */
uint64_t chunk_cost_of(const struct chunk_cost *cost, uint64_t groups);
#endif
