/* SPDX-License-Identifier: MIT */
/* Every alignment of both sides, sizes around the limit, and nothing beyond the ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "shim/copy.h"

#define ROOM_BYTES (COPY_STREAM_BYTES + 8192)
#define GUARD 0xa5

static void check(uint8_t *to, const uint8_t *from, size_t to_offset, size_t from_offset, size_t bytes)
{
	memset(to, GUARD, ROOM_BYTES);
	copy_bytes(to + to_offset, from + from_offset, bytes);
	assert_memory_equal(to + to_offset, from + from_offset, bytes);
	for (size_t i = 0; i < to_offset; i++)
		assert_int_equal(to[i], GUARD);
	for (size_t i = to_offset + bytes; i < ROOM_BYTES; i++)
		assert_int_equal(to[i], GUARD);
}

static void what_was_there_arrives_and_nothing_else(void **state)
{
	static const size_t sizes[] = {0, 1, 63, 64, 4096, COPY_STREAM_BYTES - 1, COPY_STREAM_BYTES, COPY_STREAM_BYTES + 1,
				       COPY_STREAM_BYTES + 63, COPY_STREAM_BYTES + 64, COPY_STREAM_BYTES + 4000};
	static const size_t offsets[] = {0, 1, 15, 16, 17, 63, 64, 65, 2048, 4095};
	uint8_t *from = aligned_alloc(4096, ROOM_BYTES), *to = aligned_alloc(4096, ROOM_BYTES);

	(void)state;
	assert_non_null(from);
	assert_non_null(to);
	for (size_t i = 0; i < ROOM_BYTES; i++)
		from[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
		for (size_t t = 0; t < sizeof(offsets) / sizeof(offsets[0]); t++)
			check(to, from, offsets[t], offsets[(s + t) % 10], sizes[s]);
	free(from);
	free(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_there_arrives_and_nothing_else),
	};

	return cmocka_run_group_tests_name("shim/copy", tests, NULL, NULL);
}
