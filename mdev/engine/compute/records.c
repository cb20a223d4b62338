/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/records.h"

#include <stdlib.h>
#include <string.h>

#define BUCKET_COUNT 4096u	/* power of two */

/* A list's member; programs are in one list, each with its kernels in another, everything else in a third. */
struct record {
	struct record *next, **link;	/* of its list */
	struct record *chain;		/* of its bucket */
	struct record *program;		/* of a kernel */
	struct record *kernels;		/* of a program */
	uint32_t key;			/* create opcode << 16 | id */
	bool is_gone;			/* a program that was destroyed and lives on in its kernels */
	bool is_kept_out;		/* counted in kept_out: too long, or with memory of its own */
	size_t bytes;			/* of the record, or of a program's source */
	size_t options_bytes;
	uint8_t content[];		/* the record; of a program: source, options. Nothing, if it is kept out */
};

struct records {
	size_t limit_bytes;
	size_t bytes;			/* what a checkpoint of them takes */
	uint32_t count;
	uint32_t kept_out;		/* living ones that cannot be written */
	bool has_unknown;		/* for good: something was made of which nothing is known here */
	struct record *programs, **programs_end;
	struct record *others, **others_end;
	struct record *buckets[BUCKET_COUNT];
};

static uint32_t key_of(uint16_t opcode, uint32_t id)
{
	return (uint32_t)opcode << 16 | id;
}

static struct record **find(struct records *records, uint32_t key)
{
	struct record **at = &records->buckets[(key * 0x9e3779b1u) >> 20 & (BUCKET_COUNT - 1)];

	while (*at && (*at)->key != key)
		at = &(*at)->chain;
	return at;
}

static void list_add(struct record ***end, struct record *record)
{
	record->link = *end;
	**end = record;
	*end = &record->next;
}

static void list_remove(struct record ***end, struct record *record)
{
	*record->link = record->next;
	if (record->next)
		record->next->link = record->link;
	else if (end)
		*end = record->link;
}

/* What it takes in a checkpoint. */
static size_t cost(const struct record *record)
{
	if (record->is_kept_out)
		return 0;
	if (record->key >> 16 != WIRE_PROGRAM_BUILD)
		return checkpoint_cost(record->bytes);
	/* Those that are gone are destroyed again when their kernels are made. */
	return checkpoint_program_cost(record->bytes, record->options_bytes) + checkpoint_cost(sizeof(struct wire_destroy));
}

struct records *records_create(size_t limit_bytes)
{
	struct records *records = calloc(1, sizeof(*records));

	if (!records)
		return NULL;
	records->limit_bytes = limit_bytes;
	records->programs_end = &records->programs;
	records->others_end = &records->others;
	return records;
}

static void list_free(struct record *record)
{
	while (record) {
		struct record *next = record->next;
		list_free(record->kernels);
		free(record);
		record = next;
	}
}

void records_destroy(struct records *records)
{
	if (!records)
		return;
	list_free(records->programs);
	list_free(records->others);
	free(records);
}

/* Takes its place in table and books; the caller puts it into its list. */
static void adopt(struct records *records, struct record *record)
{
	struct record **at = find(records, record->key);

	record->chain = *at;
	*at = record;
	records->count++;
	records->kept_out += record->is_kept_out;
	records->bytes += cost(record);
}

static void drop(struct records *records, struct record *record)
{
	records->kept_out -= record->is_kept_out;
	records->bytes -= cost(record);
	free(record);
}

void records_note(struct records *records, const void *content, size_t bytes, uint32_t id)
{
	const struct wire_header *header = content;
	struct record *program = NULL, *record = NULL;

	if (!records)
		return;
	if (header->opcode == WIRE_KERNEL_CREATE) {
		program = *find(records, key_of(WIRE_PROGRAM_BUILD, ((const struct wire_kernel_create *)content)->program));
	} else if (header->opcode != WIRE_QUEUE_CREATE && header->opcode != WIRE_BUFFER_CREATE) {
		records->has_unknown = true;
		return;
	}
	if (header->opcode != WIRE_KERNEL_CREATE || program)
		record = calloc(1, sizeof(*record) + bytes);
	if (!record) {
		records->has_unknown = true;
		return;
	}
	record->key = key_of(header->opcode, id);
	record->bytes = bytes;
	memcpy(record->content, content, bytes);
	/* The slot lies behind the header in every object record: of the guest's it is not to be answered again. */
	const uint32_t no_slot = WIRE_NO_SLOT;
	memcpy(record->content + sizeof(*header), &no_slot, sizeof(no_slot));
	record->program = program;
	adopt(records, record);
	if (program) {
		record->link = &program->kernels;
		record->next = program->kernels;
		if (record->next)
			record->next->link = &record->next;
		program->kernels = record;
	} else {
		list_add(&records->others_end, record);
	}
}

void records_note_program(struct records *records, uint32_t id, const void *source, size_t source_bytes, const void *options,
			  size_t options_bytes, bool is_stateful)
{
	if (!records)
		return;
	/* Text that can never be written is not worth its memory. */
	bool is_kept_out = is_stateful || source_bytes > records->limit_bytes || options_bytes > records->limit_bytes;
	struct record *record = calloc(1, sizeof(*record) + (is_kept_out ? 0 : source_bytes + options_bytes));
	if (!record) {
		records->has_unknown = true;
		return;
	}
	record->key = key_of(WIRE_PROGRAM_BUILD, id);
	record->is_kept_out = is_kept_out;
	if (!is_kept_out) {
		record->bytes = source_bytes;
		record->options_bytes = options_bytes;
		memcpy(record->content, source, source_bytes);
		if (options_bytes)
			memcpy(record->content + source_bytes, options, options_bytes);
	}
	adopt(records, record);
	list_add(&records->programs_end, record);
}

static void program_free(struct records *records, struct record *program)
{
	list_remove(&records->programs_end, program);
	drop(records, program);
}

void records_forget(struct records *records, uint16_t create_opcode, uint32_t id)
{
	if (!records)
		return;
	struct record **at = find(records, key_of(create_opcode, id)), *record = *at;
	if (!record)
		return;
	*at = record->chain;
	records->count--;
	if (create_opcode == WIRE_PROGRAM_BUILD) {
		record->is_gone = true;
		if (!record->kernels)
			program_free(records, record);
		return;
	}
	struct record *program = record->program;
	list_remove(program ? NULL : &records->others_end, record);
	drop(records, record);
	if (program && program->is_gone && !program->kernels)
		program_free(records, program);
}

bool records_are_whole(const struct records *records)
{
	return records && !records->has_unknown && !records->kept_out && records->bytes <= records->limit_bytes;
}

static void write_program(const struct record *program, struct checkpoint_writer *writer)
{
	uint32_t id = program->key & 0xffff;

	checkpoint_put_program(writer, id, program->content, program->bytes, program->content + program->bytes, program->options_bytes);
	for (const struct record *kernel = program->kernels; kernel; kernel = kernel->next)
		checkpoint_put(writer, kernel->content, kernel->bytes);
	if (program->is_gone) {
		const struct wire_destroy destroy = {
			.h = {.opcode = WIRE_PROGRAM_DESTROY, .bytes = sizeof(destroy)}, .slot = WIRE_NO_SLOT, .id = id};
		checkpoint_put(writer, &destroy, sizeof(destroy));
	}
}

void records_write(const struct records *records, struct checkpoint_writer *writer)
{
	for (const struct record *record = records->others; record; record = record->next)
		checkpoint_put(writer, record->content, record->bytes);
	/* Those that are gone first: another program may have the id since. */
	for (const struct record *program = records->programs; program; program = program->next)
		if (program->is_gone)
			write_program(program, writer);
	for (const struct record *program = records->programs; program; program = program->next)
		if (!program->is_gone)
			write_program(program, writer);
}

uint32_t records_count(const struct records *records)
{
	return records ? records->count : 0;
}
