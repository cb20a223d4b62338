/* SPDX-License-Identifier: MIT */
/* Records of living objects and the checkpoint they are written into: order, compaction, limits, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "mdev/engine/compute/records.h"

#define LIMIT 65536u

static uint64_t memory[(LIMIT + 8192) / 8];

static void note_queue(struct records *records, uint32_t queue)
{
	struct wire_queue_create r = {.h = {.opcode = WIRE_QUEUE_CREATE, .bytes = sizeof(r)}, .slot = 7, .queue = queue};

	records_note(records, &r, sizeof(r), queue);
}

static void note_buffer(struct records *records, uint32_t buffer)
{
	struct wire_buffer_create r = {.h = {.opcode = WIRE_BUFFER_CREATE, .bytes = sizeof(r)}, .slot = 7, .buffer = buffer, .bytes = buffer};

	records_note(records, &r, sizeof(r), buffer);
}

static void note_kernel(struct records *records, uint32_t kernel, uint32_t program, const char *name)
{
	struct {
		struct wire_kernel_create r;
		char name[16];
	} r = {.r = {.h = {.opcode = WIRE_KERNEL_CREATE, .bytes = sizeof(r.r) + 16}, .slot = 7, .kernel = kernel, .program = program,
		     .name_bytes = (uint32_t)strlen(name)}};

	strcpy(r.name, name);
	records_note(records, &r, sizeof(r.r) + 16, kernel);
}

static void note_program(struct records *records, uint32_t program, const char *source, const char *options)
{
	records_note_program(records, program, source, strlen(source), options, strlen(options), false);
}

static const struct checkpoint *write_all(const struct records *records)
{
	struct checkpoint_state state = {.head = 64, .sequence = 12};
	struct checkpoint_writer writer;

	checkpoint_begin(&writer, memory, sizeof(memory));
	records_write(records, &writer);
	checkpoint_put_slot(&writer, 5, 99, -5);
	assert_true(checkpoint_commit(&writer, &state));
	assert_int_equal(checkpoint_check(memory, sizeof(memory)), 0);
	return (const struct checkpoint *)memory;
}

/* "q1 b2 p1:source|options k3:1 d1": what is to be made, in order. */
static void spell(const struct checkpoint *checkpoint, char text[1024])
{
	struct checkpoint_reader reader = checkpoint_records(checkpoint);
	const struct wire_header *record;
	bool damaged = false;

	text[0] = 0;
	while ((record = checkpoint_next(&reader, &damaged))) {
		const struct checkpoint_program *program;
		const void *source, *options;
		const uint32_t *word = (const uint32_t *)(const void *)(record + 1);
		size_t used = strlen(text);
		char *at = text + used;

		assert_int_equal(word[0], WIRE_NO_SLOT);
		switch (record->opcode) {
		case WIRE_PROGRAM_BUILD:
			assert_true(checkpoint_program_text(record, &program, &source, &options));
			snprintf(at, 1024 - used, "p%u:%.*s|%.*s ", program->program, (int)program->source_bytes, (const char *)source,
				 (int)program->options_bytes, (const char *)options);
			break;
		case WIRE_KERNEL_CREATE:
			snprintf(at, 1024 - used, "k%u:%u ", word[1], word[2]);
			break;
		default:
			snprintf(at, 1024 - used, "%c%u ", record->opcode == WIRE_QUEUE_CREATE ? 'q' : record->opcode == WIRE_BUFFER_CREATE ? 'b' : 'd',
				 word[1]);
		}
	}
	assert_false(damaged);
}

static void objects_come_back_in_an_order_that_can_be_acted_on(void **state)
{
	struct records *records = records_create(LIMIT);
	char text[1024];

	(void)state;
	note_program(records, 1, "first", "-O");
	note_kernel(records, 3, 1, "f");
	note_queue(records, 1);
	note_buffer(records, 2);
	records_forget(records, WIRE_PROGRAM_BUILD, 1);	/* its kernel lives on */
	note_program(records, 1, "second", "");		/* and the id is another's */
	note_kernel(records, 4, 1, "g");
	note_program(records, 2, "third, without kernels", "");
	assert_true(records_are_whole(records));
	assert_int_equal(records_count(records), 6);
	const struct checkpoint *checkpoint = write_all(records);
	spell(checkpoint, text);
	assert_string_equal(text, "q1 b2 p1:first|-O k3:1 d1 p1:second| k4:1 p2:third, without kernels| ");
	assert_int_equal(checkpoint->state.sequence, 12);
	assert_int_equal(checkpoint->slot_count, 1);
	assert_int_equal(checkpoint_slots(checkpoint)->slot, 99);
	assert_int_equal(checkpoint_slots(checkpoint)->status, -5);
	/* With its last kernel the first program goes too. */
	records_forget(records, WIRE_KERNEL_CREATE, 3);
	records_forget(records, WIRE_BUFFER_CREATE, 2);
	records_forget(records, WIRE_BUFFER_CREATE, 77);	/* never was */
	spell(write_all(records), text);
	assert_string_equal(text, "q1 p1:second| k4:1 p2:third, without kernels| ");
	records_destroy(records);
}

static void the_list_is_as_long_as_there_are_objects(void **state)
{
	struct records *records = records_create(LIMIT);
	char text[1024];

	(void)state;
	note_queue(records, 9);
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t id = 1 + i * 7919u % 65535u;
		note_buffer(records, id);
		note_program(records, 5, "text", "");
		note_kernel(records, 6, 5, "k");
		if (i & 1)
			records_forget(records, WIRE_KERNEL_CREATE, 6);
		records_forget(records, WIRE_PROGRAM_BUILD, 5);
		if (!(i & 1))
			records_forget(records, WIRE_KERNEL_CREATE, 6);
		records_forget(records, WIRE_BUFFER_CREATE, id);
		assert_int_equal(records_count(records), 1);
		assert_true(records_are_whole(records));
	}
	spell(write_all(records), text);
	assert_string_equal(text, "q9 ");
	records_destroy(records);
}

/* What does not fit, or cannot be made again, is no error: it keeps its engine for as long as it lives. */
static void what_cannot_be_written_keeps_the_engine_while_it_lives(void **state)
{
	static char large[LIMIT + 1];
	struct records *records = records_create(LIMIT);

	(void)state;
	memset(large, ' ', LIMIT);
	records_note_program(records, 1, large, LIMIT + 1, "", 0, false);
	assert_false(records_are_whole(records));
	records_forget(records, WIRE_PROGRAM_BUILD, 1);
	assert_true(records_are_whole(records));
	/* Many that fit one by one. */
	for (uint32_t i = 1; i <= 3; i++)
		records_note_program(records, i, large, LIMIT / 2, "", 0, false);
	assert_false(records_are_whole(records));
	struct checkpoint_writer writer;
	checkpoint_begin(&writer, memory, sizeof(memory));
	records_write(records, &writer);
	assert_false(checkpoint_commit(&writer, &(struct checkpoint_state){0}));
	assert_int_equal(checkpoint_check(memory, sizeof(memory)), -ENODATA);
	records_forget(records, WIRE_PROGRAM_BUILD, 2);
	records_forget(records, WIRE_PROGRAM_BUILD, 3);
	assert_true(records_are_whole(records));
	/* Variables of its own, also while only a kernel is left of it. */
	records_note_program(records, 2, "x", 1, "", 0, true);
	note_kernel(records, 8, 2, "k");
	assert_false(records_are_whole(records));
	records_forget(records, WIRE_PROGRAM_BUILD, 2);
	assert_false(records_are_whole(records));
	records_forget(records, WIRE_KERNEL_CREATE, 8);
	assert_true(records_are_whole(records));
	/* Of a kind that nothing is known of here: for good. */
	struct wire_destroy unknown = {.h = {.opcode = 40, .bytes = sizeof(unknown)}};
	records_note(records, &unknown, sizeof(unknown), 1);
	assert_false(records_are_whole(records));
	records_destroy(records);
	assert_false(records_are_whole(NULL));
	note_queue(NULL, 1);
	records_destroy(NULL);
}

static void no_damaged_byte_is_overlooked(void **state)
{
	struct records *records = records_create(LIMIT);
	uint8_t *bytes = (uint8_t *)memory;

	(void)state;
	note_queue(records, 1);
	note_program(records, 1, "kernel void f(void) {}", "-w");
	note_kernel(records, 1, 1, "f");
	size_t used = checkpoint_bytes(write_all(records));
	for (size_t i = 0; i < used; i++) {
		bytes[i] ^= 0x40;
		assert_int_not_equal(checkpoint_check(memory, sizeof(memory)), 0);
		bytes[i] ^= 0x40;
	}
	assert_int_equal(checkpoint_check(memory, sizeof(memory)), 0);
	for (size_t cut = 0; cut < used; cut += 8)
		assert_int_not_equal(checkpoint_check(memory, cut), 0);
	assert_int_equal(checkpoint_check(memory, used), 0);
	checkpoint_void(memory);
	assert_int_equal(checkpoint_check(memory, sizeof(memory)), -ENODATA);
	records_destroy(records);
}

/* Whoever wrote it may have made the checksum right: lengths are judged one by one. */
static void lengths_that_cannot_be_are_refused(void **state)
{
	struct {
		struct checkpoint_program program;
		uint8_t text[64];
	} lies = {.program = {.h = {.opcode = WIRE_PROGRAM_BUILD, .bytes = sizeof(lies)}, .source_bytes = 40, .options_bytes = 24}};
	const struct checkpoint_program *program;
	const void *source, *options;
	static const struct {
		uint64_t source_bytes, options_bytes;
	} wrong[] = {{0, 0}, {65, 0}, {41, 24}, {40, 25}, {UINT64_MAX, 0}, {UINT64_MAX - 6, 8}, {40, UINT64_MAX}, {1, UINT64_MAX - 7}};

	(void)state;
	assert_true(checkpoint_program_text(&lies.program.h, &program, &source, &options));
	assert_ptr_equal(options, lies.text + 40);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		lies.program.source_bytes = wrong[i].source_bytes;
		lies.program.options_bytes = wrong[i].options_bytes;
		assert_false(checkpoint_program_text(&lies.program.h, &program, &source, &options));
	}
	lies.program.h.bytes = sizeof(lies.program) - 8;
	assert_false(checkpoint_program_text(&lies.program.h, &program, &source, &options));
	/* A record longer than what is left, shorter than its header, not a multiple of 8. */
	static const uint32_t lengths[] = {0, 8, 20, 72, UINT32_MAX & ~7u};
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct wire_header records[4] = {{.bytes = 16}, {.bytes = lengths[i]}};
		struct checkpoint_reader reader = {(const uint8_t *)records, sizeof(records)};
		bool damaged = false;
		assert_ptr_equal(checkpoint_next(&reader, &damaged), records);
		assert_null(checkpoint_next(&reader, &damaged));
		assert_true(damaged);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_come_back_in_an_order_that_can_be_acted_on),
		cmocka_unit_test(the_list_is_as_long_as_there_are_objects),
		cmocka_unit_test(what_cannot_be_written_keeps_the_engine_while_it_lives),
		cmocka_unit_test(no_damaged_byte_is_overlooked),
		cmocka_unit_test(lengths_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
