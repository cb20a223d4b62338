/* SPDX-License-Identifier: MIT */
/* The guest's frames: in any pieces, and when they are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vgpu-qemu/launcher/frame.h"

struct seen {
	char types[16];
	size_t count;
	char output[64];
	size_t output_bytes;
	int answer; /* what the callback returns */
};

static int on_frame(void *arg, const struct frame *frame)
{
	struct seen *seen = arg;

	seen->types[seen->count++] = (char)frame->type;
	if (frame->type == FRAME_OUTPUT) {
		memcpy(seen->output + seen->output_bytes, frame->payload, frame->payload_bytes);
		seen->output_bytes += frame->payload_bytes;
	}
	return seen->answer;
}

/* READY, OUTPUT "hello", EXIT 3. */
static const uint8_t stream[] = "R\0\0\0\0\0\0\0" "O\0\0\0\5\0\0\0hello" "X\0\0\0\1\0\0\0\3";
#define STREAM_BYTES (sizeof(stream) - 1)

static void frames_arrive_in_pieces_of_any_size(void **state)
{
	struct frame_reader *reader = malloc(sizeof(*reader));

	(void)state;
	for (size_t piece = 1; piece <= STREAM_BYTES; piece++) {
		struct seen seen = { 0 };

		frame_reader_init(reader);
		for (size_t at = 0; at < STREAM_BYTES; at += piece) {
			size_t count = STREAM_BYTES - at < piece ? STREAM_BYTES - at : piece;

			assert_int_equal(frame_feed(reader, stream + at, count, on_frame, &seen), 0);
		}
		assert_memory_equal(seen.types, "ROX", 4);
		assert_int_equal(seen.output_bytes, 5);
		assert_memory_equal(seen.output, "hello", 5);
	}
	free(reader);
}

static void the_callback_can_end_the_stream(void **state)
{
	struct frame_reader *reader = malloc(sizeof(*reader));
	struct seen seen = { .answer = 1 };

	(void)state;
	frame_reader_init(reader);
	assert_int_equal(frame_feed(reader, stream, STREAM_BYTES, on_frame, &seen), 1);
	assert_int_equal(seen.count, 1);
	free(reader);
}

static void what_is_no_frame_is_refused(void **state)
{
	static const uint8_t bad[][8] = {
		"\0\0\0\0\0\0\0",         /* no type */
		"Z\0\0\0\0\0\0",          /* unknown type */
		"R\0\0\0\1\0\0",          /* a payload where none may be */
		"O\0\0\0\0\0\0",          /* none where one must be */
		{ 'O', 0, 0, 0, 1, 0, 1, 0 },   /* one byte above the limit */
		{ 'O', 0, 0, 0, 255, 255, 255, 255 },
		{ 'O', 1, 0, 0, 1, 0, 0, 0 },   /* reserved bytes */
		{ 'X', 0, 0, 0, 2, 0, 0, 0 },
		{ 'F', 0, 0, 0, 1, 16, 0, 0 },  /* 4097 bytes of reason */
	};
	struct frame_reader *reader = malloc(sizeof(*reader));

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct seen seen = { 0 };

		frame_reader_init(reader);
		assert_int_equal(frame_feed(reader, bad[i], 8, on_frame, &seen), -EPROTO);
		assert_int_equal(seen.count, 0);
	}
	free(reader);
}

static void random_bytes_never_reach_beyond_the_reader(void **state)
{
	struct frame_reader *reader = malloc(sizeof(*reader));
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct seen seen = { .answer = 1 };
		uint8_t bytes[24];

		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(seed >> 24);
		}
		bytes[0] = (uint8_t)"ROFX"[seed % 4];
		bytes[1] = bytes[2] = bytes[3] = bytes[6] = bytes[7] = 0;
		frame_reader_init(reader);
		frame_feed(reader, bytes, sizeof(bytes), on_frame, &seen);
		assert_true(reader->have_bytes <= sizeof(reader->bytes));
		assert_true(seen.output_bytes <= sizeof(bytes));
	}
	free(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_arrive_in_pieces_of_any_size),
		cmocka_unit_test(the_callback_can_end_the_stream),
		cmocka_unit_test(what_is_no_frame_is_refused),
		cmocka_unit_test(random_bytes_never_reach_beyond_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
