/* SPDX-License-Identifier: MIT */
/* Pieces cover a launch exactly once, whatever its shape; their size follows what they cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mdev/engine/compute/chunk.h"

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t random_below(uint64_t *state, uint64_t end)
{
	return random_next(state) % end;
}

/* Marks each work-item of a piece; fails if one is marked already or outside. */
static void mark(uint8_t *marks, const struct chunk_range *whole, const struct chunk_range *piece)
{
	size_t from[3] = {0}, count[3] = {1, 1, 1};

	for (uint32_t i = 0; i < whole->dimensions; i++) {
		assert_true(piece->offset[i] >= whole->offset[i]);
		from[i] = piece->offset[i] - whole->offset[i];
		count[i] = piece->global[i];
		assert_true(count[i] > 0 && from[i] + count[i] <= whole->global[i]);
		/* Groups stay where they were, and are whole but at the end of the launch. */
		assert_int_equal(piece->local[i], whole->local[i]);
		assert_int_equal(from[i] % whole->local[i], 0);
		if (from[i] + count[i] != whole->global[i])
			assert_int_equal(count[i] % whole->local[i], 0);
	}
	for (size_t z = from[2]; z < from[2] + count[2]; z++)
		for (size_t y = from[1]; y < from[1] + count[1]; y++)
			for (size_t x = from[0]; x < from[0] + count[0]; x++) {
				uint8_t *m = &marks[(z * (whole->dimensions > 1 ? whole->global[1] : 1) + y) * whole->global[0] + x];
				assert_int_equal(*m, 0);
				*m = 1;
			}
}

static void cover(const struct chunk_range *whole, uint64_t *random, uint64_t most)
{
	struct chunk_plan plan;
	struct chunk_range piece;
	uint64_t groups, all = 0;
	size_t items = 1;

	for (uint32_t i = 0; i < whole->dimensions; i++)
		items *= whole->global[i];
	uint8_t *marks = calloc(items, 1);
	assert_non_null(marks);
	assert_true(chunk_plan_init(&plan, whole));
	for (;;) {
		uint64_t max_groups = random_below(random, most) + 1;
		groups = chunk_next(&plan, max_groups, &piece);
		if (!groups)
			break;
		assert_true(groups <= max_groups);
		assert_int_equal(piece.dimensions, whole->dimensions);
		mark(marks, whole, &piece);
		all += groups;
	}
	assert_int_equal(all, chunk_plan_groups(&plan));
	assert_null(memchr(marks, 0, items));
	assert_int_equal(chunk_next(&plan, 1, &piece), 0);
	free(marks);
}

static void random_launches_are_covered_exactly_once(void **state)
{
	uint64_t random = 0x9e3779b97f4a7c15u;

	(void)state;
	for (unsigned turn = 0; turn < 3000; turn++) {
		struct chunk_range whole = {.dimensions = (uint32_t)random_below(&random, 3) + 1};
		bool uniform = random_below(&random, 2);
		for (uint32_t i = 0; i < whole.dimensions; i++) {
			whole.local[i] = random_below(&random, whole.dimensions == 1 ? 40 : 6) + 1;
			whole.global[i] = uniform ? whole.local[i] * (random_below(&random, 9) + 1) : random_below(&random, 40) + 1;
			whole.offset[i] = random_below(&random, 2) ? random_below(&random, 1000) : 0;
		}
		assert_true(!uniform || chunk_is_uniform(&whole));
		cover(&whole, &random, random_below(&random, 3) ? 12 : 400);
	}
}

static void groups_that_are_not_full_are_at_the_end_only(void **state)
{
	const struct chunk_range whole = {.dimensions = 1, .global = {1000}, .local = {64}};
	struct chunk_plan plan;
	struct chunk_range piece;

	(void)state;
	assert_false(chunk_is_uniform(&whole));
	assert_true(chunk_plan_init(&plan, &whole));
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(chunk_next(&plan, 5, &piece), 5);
		assert_int_equal(piece.global[0], 320);
	}
	assert_int_equal(chunk_next(&plan, 5, &piece), 1);
	assert_int_equal(piece.offset[0], 960);
	assert_int_equal(piece.global[0], 40);
}

static void the_slowest_dimension_is_split_first(void **state)
{
	const struct chunk_range whole = {.dimensions = 3, .global = {64, 32, 16}, .local = {8, 8, 1}};
	struct chunk_plan plan;
	struct chunk_range piece;

	(void)state;
	assert_true(chunk_plan_init(&plan, &whole));
	assert_int_equal(chunk_plan_groups(&plan), 8 * 4 * 16);
	assert_int_equal(chunk_next(&plan, 100, &piece), 96);	/* three layers of 32 */
	assert_int_equal(piece.global[0], 64);
	assert_int_equal(piece.global[2], 3);
	assert_int_equal(chunk_next(&plan, 20, &piece), 16);	/* two rows of 8 in the fourth */
	assert_int_equal(piece.offset[2], 3);
	assert_int_equal(piece.global[2], 1);
	assert_int_equal(piece.global[1], 16);
	assert_int_equal(chunk_next(&plan, 5, &piece), 5);	/* within the third row */
	assert_int_equal(piece.global[0], 40);
	assert_int_equal(chunk_next(&plan, 100, &piece), 3);	/* that row's end, then the layer's, then layers again */
	assert_int_equal(chunk_next(&plan, 100, &piece), 8);
	assert_int_equal(chunk_next(&plan, 100, &piece), 96);
	assert_int_equal(piece.offset[2], 4);
}

static void launches_that_cannot_be_are_not_planned(void **state)
{
	struct chunk_plan plan;

	(void)state;
	assert_false(chunk_plan_init(&plan, &(struct chunk_range){.dimensions = 0}));
	assert_false(chunk_plan_init(&plan, &(struct chunk_range){.dimensions = 4, .global = {1, 1, 1}, .local = {1, 1, 1}}));
	assert_false(chunk_plan_init(&plan, &(struct chunk_range){.dimensions = 1, .global = {0}, .local = {1}}));
	assert_false(chunk_plan_init(&plan, &(struct chunk_range){.dimensions = 1, .global = {8}, .local = {0}}));
	assert_false(chunk_plan_init(&plan, &(struct chunk_range){.dimensions = 1, .offset = {SIZE_MAX}, .global = {8}, .local = {8}}));
	assert_false(chunk_plan_init(&plan, &(struct chunk_range){
		.dimensions = 2, .global = {SIZE_MAX / 2, SIZE_MAX / 2}, .local = {1, 1}}));
}

static void a_local_size_divides_and_is_worth_it(void **state)
{
	static const size_t none[3] = {0}, required[3] = {8, 4, 1};
	size_t local[3];

	(void)state;
	assert_true(chunk_local_choose(1, (size_t[3]){1920}, 4096, none, local));
	assert_int_equal(local[0], 240);
	assert_true(chunk_local_choose(2, (size_t[3]){48, 100}, 64, none, local));
	assert_int_equal(local[0], 48);
	assert_int_equal(local[1], 1);
	assert_int_equal(local[2], 1);
	assert_true(chunk_local_choose(2, (size_t[3]){16, 100}, 64, none, local));
	assert_int_equal(local[1], 4);
	assert_true(chunk_local_choose(2, (size_t[3]){64, 64}, 64, required, local));
	assert_int_equal(local[0], 8);
	assert_int_equal(local[1], 4);
	assert_true(chunk_local_choose(1, (size_t[3]){7}, 64, none, local));
	assert_int_equal(local[0], 7);
	assert_false(chunk_local_choose(1, (size_t[3]){10007}, 256, none, local));	/* a prime: groups of one */
	assert_false(chunk_local_choose(1, (size_t[3]){0}, 256, none, local));
}

static void pieces_grow_to_the_length_asked_for(void **state)
{
	struct chunk_cost cost = {0};

	(void)state;
	/* Never seen: as the first. Its time held a compiler: no cost is learned, and it does not grow. */
	assert_int_equal(chunk_cost_groups(&cost, 500000, 1000, 8), 8);
	chunk_cost_observe(&cost, 8, 100000000, false);
	assert_int_equal(chunk_cost_groups(&cost, 500000, 1000, 8), 8);
	/* 1000 ns each: 500 of them, by steps of four. */
	uint64_t groups = 8;
	for (unsigned i = 0; i < 8; i++) {
		chunk_cost_observe(&cost, groups, groups * 1000, true);
		uint64_t next = chunk_cost_groups(&cost, 500000, 1000, 8);
		assert_true(next <= 4 * groups);
		groups = next;
	}
	assert_int_equal(groups, 500);
	assert_int_equal(chunk_cost_of(&cost, 500), 500000);
	/* 20 us to enqueue: a millisecond at least. */
	assert_int_equal(chunk_cost_groups(&cost, 500000, 20000, 8), 1000);
	/* One that was kept waiting does not make them tiny, several do; and it is forgotten. */
	chunk_cost_observe(&cost, 500, 500000000, true);
	assert_int_equal(chunk_cost_groups(&cost, 500000, 1000, 8), 125);
	for (unsigned i = 0; i < 40; i++)
		chunk_cost_observe(&cost, 125, 125000, true);
	groups = chunk_cost_groups(&cost, 500000, 1000, 8);
	assert_in_range(groups, 480, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_launches_are_covered_exactly_once),
		cmocka_unit_test(groups_that_are_not_full_are_at_the_end_only),
		cmocka_unit_test(the_slowest_dimension_is_split_first),
		cmocka_unit_test(launches_that_cannot_be_are_not_planned),
		cmocka_unit_test(a_local_size_divides_and_is_worth_it),
		cmocka_unit_test(pieces_grow_to_the_length_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
