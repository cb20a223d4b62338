/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/checkpoint.h"

#include <errno.h>
#include <string.h>

#define CHECKED_FROM offsetof(struct checkpoint, state)

static size_t padded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

/* FNV-1a over 64-bit words: all of it is a multiple of 8. */
static uint64_t sum(const uint8_t *bytes, size_t count)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < count; i += 8) {
		uint64_t word;
		memcpy(&word, bytes + i, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3u;
		hash ^= hash >> 29;
	}
	return hash;
}

/* ---- writing ------------------------------------------------------------------------------------- */

void checkpoint_begin(struct checkpoint_writer *writer, void *memory, size_t capacity)
{
	*writer = (struct checkpoint_writer){.memory = memory, .capacity = capacity, .used = sizeof(struct checkpoint)};
	writer->full = capacity < sizeof(struct checkpoint);
	if (!writer->full)
		checkpoint_void(memory);
}

void checkpoint_void(void *memory)
{
	__atomic_store_n(&((struct checkpoint *)memory)->magic, 0, __ATOMIC_SEQ_CST);
}

/* Room for `bytes`, zeroed at its end where it is padded; NULL once it is full. */
static uint8_t *take(struct checkpoint_writer *writer, size_t bytes)
{
	size_t whole = padded(bytes);

	if (writer->full || whole < bytes || whole > writer->capacity - writer->used) {
		writer->full = true;
		return NULL;
	}
	uint8_t *at = writer->memory + writer->used;
	memset(at + bytes, 0, whole - bytes);
	writer->used += whole;
	return at;
}

size_t checkpoint_cost(size_t bytes)
{
	return padded(bytes);
}

size_t checkpoint_program_cost(size_t source_bytes, size_t options_bytes)
{
	return sizeof(struct checkpoint_program) + padded(source_bytes) + padded(options_bytes);
}

void checkpoint_put(struct checkpoint_writer *writer, const void *record, size_t bytes)
{
	uint8_t *at = take(writer, bytes);
	uint32_t whole = (uint32_t)padded(bytes);

	assert(!writer->record_end && bytes >= sizeof(struct wire_header));
	if (!at)
		return;
	memcpy(at, record, bytes);
	memcpy(at + offsetof(struct wire_header, bytes), &whole, sizeof(whole));
}

void checkpoint_put_program(struct checkpoint_writer *writer, uint32_t program, const void *source, size_t source_bytes,
			    const void *options, size_t options_bytes)
{
	size_t whole = checkpoint_program_cost(source_bytes, options_bytes);
	struct checkpoint_program head = {
		.h = {.opcode = WIRE_PROGRAM_BUILD, .bytes = (uint32_t)whole},
		.slot = WIRE_NO_SLOT,
		.program = program,
		.source_bytes = source_bytes,
		.options_bytes = options_bytes,
	};

	assert(!writer->record_end);
	if (source_bytes > writer->capacity || options_bytes > writer->capacity) {
		writer->full = true;
		return;
	}
	uint8_t *at = take(writer, whole);
	if (!at)
		return;
	memcpy(at, &head, sizeof(head));
	at += sizeof(head);
	memset(at, 0, whole - sizeof(head));
	memcpy(at, source, source_bytes);
	if (options_bytes)
		memcpy(at + padded(source_bytes), options, options_bytes);
}

void checkpoint_put_slot(struct checkpoint_writer *writer, uint64_t sequence, uint32_t slot, int32_t status)
{
	const struct checkpoint_slot put = {.sequence = sequence, .slot = slot, .status = status};

	if (!writer->record_end)
		writer->record_end = writer->used;
	uint8_t *at = take(writer, sizeof(put));
	if (!at)
		return;
	memcpy(at, &put, sizeof(put));
	writer->slot_count++;
}

bool checkpoint_commit(struct checkpoint_writer *writer, const struct checkpoint_state *state)
{
	struct checkpoint *checkpoint = (struct checkpoint *)(void *)writer->memory;

	if (writer->full)
		return false;
	if (!writer->record_end)
		writer->record_end = writer->used;
	checkpoint->version = CHECKPOINT_VERSION;
	checkpoint->record_bytes = (uint32_t)(writer->record_end - sizeof(*checkpoint));
	checkpoint->slot_count = writer->slot_count;
	checkpoint->state = *state;
	checkpoint->checksum = sum(writer->memory + CHECKED_FROM, writer->used - CHECKED_FROM);
	__atomic_store_n(&checkpoint->magic, CHECKPOINT_MAGIC, __ATOMIC_SEQ_CST);
	return true;
}

/* ---- reading ------------------------------------------------------------------------------------- */

uint64_t checkpoint_bytes(const struct checkpoint *head)
{
	return sizeof(*head) + (uint64_t)head->record_bytes + (uint64_t)head->slot_count * sizeof(struct checkpoint_slot);
}

int checkpoint_check(const void *memory, size_t bytes)
{
	const struct checkpoint *checkpoint = memory;

	if (bytes < sizeof(*checkpoint) || checkpoint->magic != CHECKPOINT_MAGIC)
		return -ENODATA;
	if (checkpoint->version != CHECKPOINT_VERSION)
		return -EPROTO;
	uint64_t whole = checkpoint_bytes(checkpoint);
	if ((checkpoint->record_bytes & 7) || whole > bytes || checkpoint->slot_count > WIRE_SLOT_COUNT || (checkpoint->state.head & 7))
		return -EBADMSG;
	return sum((const uint8_t *)memory + CHECKED_FROM, whole - CHECKED_FROM) == checkpoint->checksum ? 0 : -EBADMSG;
}

struct checkpoint_reader checkpoint_records(const struct checkpoint *checkpoint)
{
	return (struct checkpoint_reader){(const uint8_t *)(checkpoint + 1), checkpoint->record_bytes};
}

const struct wire_header *checkpoint_next(struct checkpoint_reader *reader, bool *ret_damaged)
{
	const struct wire_header *header = (const struct wire_header *)(const void *)reader->at;

	if (!reader->left)
		return NULL;
	if (reader->left < sizeof(*header) || header->bytes < sizeof(*header) || (header->bytes & 7) || header->bytes > reader->left) {
		*ret_damaged = true;
		return NULL;
	}
	reader->at += header->bytes;
	reader->left -= header->bytes;
	return header;
}

bool checkpoint_program_text(const struct wire_header *record, const struct checkpoint_program **ret_program, const void **ret_source,
			     const void **ret_options)
{
	const struct checkpoint_program *program = (const struct checkpoint_program *)(const void *)record;

	if (record->bytes < sizeof(*program))
		return false;
	uint64_t room = record->bytes - sizeof(*program);
	if (!program->source_bytes || program->source_bytes > room || padded(program->source_bytes) > room ||
	    program->options_bytes > room - padded(program->source_bytes))
		return false;
	*ret_program = program;
	*ret_source = program + 1;
	*ret_options = (const uint8_t *)(program + 1) + padded(program->source_bytes);
	return true;
}

const struct checkpoint_slot *checkpoint_slots(const struct checkpoint *checkpoint)
{
	return (const struct checkpoint_slot *)(const void *)((const uint8_t *)(checkpoint + 1) + checkpoint->record_bytes);
}
