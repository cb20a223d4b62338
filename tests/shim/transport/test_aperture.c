/* SPDX-License-Identifier: MIT */
/* The aperture's offsets: never handed out twice, all of them back in the end. */
#include "shim/transport/direct/aperture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGE 4096ull
#define PAGES 256u

static void all_of_it_can_be_taken_in_one_piece_again(void **state)
{
	struct aperture aperture;
	uint64_t offset[4], all;

	(void)state;
	assert_int_equal(aperture_init(&aperture, 4 * PAGE), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(aperture_take(&aperture, PAGE, &offset[i]), 0);
	assert_int_equal(aperture_take(&aperture, PAGE, &all), -ENOMEM);
	aperture_give(&aperture, offset[2], PAGE);
	aperture_give(&aperture, offset[0], PAGE);
	assert_int_equal(aperture_take(&aperture, 2 * PAGE, &all), -ENOMEM);
	aperture_give(&aperture, offset[1], PAGE);
	aperture_give(&aperture, offset[3], PAGE);
	assert_int_equal(aperture_take(&aperture, 4 * PAGE, &all), 0);
	assert_int_equal(all, 0);
	aperture_finish(&aperture);
}

static void random_use_never_overlaps_and_loses_nothing(void **state)
{
	struct aperture aperture;
	bool taken[PAGES] = {false};
	struct { uint64_t offset, pages; } piece[PAGES];
	unsigned count = 0, free_pages = PAGES;

	(void)state;
	srandom(7);
	assert_int_equal(aperture_init(&aperture, PAGES * PAGE), 0);
	for (unsigned n = 0; n < 20000; n++) {
		uint64_t pages = 1 + (uint64_t)random() % 12, offset;

		if (random() % 2 && !aperture_take(&aperture, pages * PAGE, &offset)) {
			assert_true(offset % PAGE == 0 && offset / PAGE + pages <= PAGES);
			for (uint64_t i = 0; i < pages; i++) {
				assert_false(taken[offset / PAGE + i]);
				taken[offset / PAGE + i] = true;
			}
			piece[count].offset = offset;
			piece[count++].pages = pages;
			free_pages -= (unsigned)pages;
		} else if (count) {
			unsigned which = (unsigned)random() % count;

			memset(taken + piece[which].offset / PAGE, 0, piece[which].pages);
			aperture_give(&aperture, piece[which].offset, piece[which].pages * PAGE);
			free_pages += (unsigned)piece[which].pages;
			piece[which] = piece[--count];
		}
		assert_int_equal(aperture_free_bytes(&aperture), free_pages * PAGE);
	}
	aperture_finish(&aperture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_can_be_taken_in_one_piece_again),
		cmocka_unit_test(random_use_never_overlaps_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
