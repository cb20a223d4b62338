/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target of the record parser. Input: one byte that chooses the device's kind, then a record. What the
 * parser accepts is held to what parse.h promises, so that a hole in it is a crash here.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/mdev/engine/wire_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void hold(bool promise)
{
	if (!promise)
		abort();
}

static void hold_range(const struct wire_range *range)
{
	hold(range->blob_id == RECORDS_BLOB && range->bytes <= RECORDS_BLOB_BYTES &&
	     range->offset <= RECORDS_BLOB_BYTES - range->bytes);
}

static void hold_args(const struct parsed_ndrange *n, const uint8_t *record, size_t bytes)
{
	hold(n->dimensions >= 1 && n->dimensions <= 3 && n->arg_count <= WIRE_ARG_MAX);
	for (uint32_t i = 0; i < n->arg_count; i++) {
		const uint8_t *value = n->args[i].value;
		hold(n->args[i].object < WIRE_OBJECT_MAX || n->args[i].kind != WIRE_ARG_BUFFER);
		if (n->args[i].kind == WIRE_ARG_SVM && n->args[i].address)
			hold(n->args[i].address >= WIRE_SVM_WINDOW_FIRST && n->args[i].address < WIRE_SVM_WINDOW_END);
		if (n->args[i].kind == WIRE_ARG_VALUE)
			hold(value >= record && n->args[i].bytes <= (size_t)(record + bytes - value));
	}
}

static void hold_parsed(const struct parsed *p, const uint8_t *record, size_t bytes, bool unified)
{
	const uint8_t *waits = (const uint8_t *)(const void *)p->waits;

	hold(p->slot < WIRE_SLOT_COUNT || p->slot == WIRE_NO_SLOT);
	hold(p->queue < WIRE_QUEUE_COUNT && p->wait_count <= WIRE_WAIT_MAX);
	if (p->wait_count)
		hold(waits >= record && p->wait_count * sizeof(struct wire_wait) <= (size_t)(record + bytes - waits));
	switch (p->opcode) {
	case WIRE_BUFFER_CREATE:
		/* Without one it is device memory; with one it lies in a blob, and only unified devices take it. */
		if (p->buffer_create.backing.blob_id || p->buffer_create.backing.offset || p->buffer_create.backing.bytes) {
			hold(unified);
			hold_range(&p->buffer_create.backing);
		}
		break;
	case WIRE_PROGRAM_BUILD:
		hold_range(&p->program_build.reply);
		if (p->program_build.source.bytes)
			hold_range(&p->program_build.source);
		break;
	case WIRE_KERNEL_CREATE:
		hold(strlen(p->kernel_create.name) > 0);
		break;
	case WIRE_NDRANGE:
		hold_args(&p->ndrange, record, bytes);
		break;
	case WIRE_BUFFER_WRITE:
	case WIRE_BUFFER_READ:
		hold_range(&p->transfer.range);
		break;
	case WIRE_SVM_MAP:
		hold(unified && p->svm_map.blob_id == RECORDS_BLOB && !(p->svm_map.address & 4095));
		hold(p->svm_map.address >= WIRE_SVM_WINDOW_FIRST && p->svm_map.address < WIRE_SVM_WINDOW_END);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct parsed parsed;

	if (size < 1 + sizeof(struct wire_header) || size > WIRE_RECORD_MAX_BYTES)
		return 0;
	bool unified = data[0] & 1;
	size_t bytes = (size - 1) & ~(size_t)7;
	const struct parse_limits limits = records_limits(unified);
	uint8_t *record = malloc(bytes);
	if (!record)
		return 0;
	memcpy(record, data + 1, bytes);
	if (!parse_record(record, bytes, &limits, &parsed) && parsed.opcode != WIRE_NOP)
		hold_parsed(&parsed, record, bytes, unified);
	free(record);
	return 0;
}
