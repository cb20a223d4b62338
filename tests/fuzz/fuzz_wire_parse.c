/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target of the record parser. Input: one byte that chooses the device's kind, then a record; the same once more as a
 * count and headers. What the
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
		hold(n->args[i].object < WIRE_OBJECT_MAX ||
		     (n->args[i].kind != WIRE_ARG_BUFFER && n->args[i].kind != WIRE_ARG_IMAGE && n->args[i].kind != WIRE_ARG_SAMPLER));
		if (n->args[i].kind == WIRE_ARG_SVM && n->args[i].address)
			hold(n->args[i].address >= WIRE_SVM_WINDOW_FIRST && n->args[i].address < WIRE_SVM_WINDOW_END);
		if (n->args[i].kind == WIRE_ARG_VALUE)
			hold(value >= record && n->args[i].bytes <= (size_t)(record + bytes - value));
	}
}

static void hold_box(const uint64_t origin[3], const uint64_t region[3])
{
	uint64_t end;

	for (int i = 0; i < 3; i++)
		hold(region[i] && !__builtin_add_overflow(origin[i], region[i], &end));
}

/* Every pixel that the shape allows lies in what the image takes, and that in its backing. */
static void hold_image(const struct parsed_image_create *c, bool unified)
{
	const uint64_t last[3] = {c->shape.extent[0] - 1, c->shape.extent[1] - 1, c->shape.extent[2] - 1};

	hold(c->image && c->image < WIRE_OBJECT_MAX && c->buffer < WIRE_OBJECT_MAX && c->shape.pixel_bytes && c->bytes <= 32768);
	for (int i = 0; i < 3; i++)
		hold(c->shape.extent[i] >= 1 && c->shape.extent[i] <= 512);
	hold(wire_image_at(&c->shape, last, c->row_pitch, c->slice_pitch) + c->shape.pixel_bytes <= c->bytes);
	if (c->backing.blob_id || c->backing.offset || c->backing.bytes) {
		hold(unified && !c->buffer && c->backing.bytes == c->bytes);
		hold_range(&c->backing);
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
	case WIRE_PROGRAM_COMPILE:
		hold_range(&p->program_compile.source);
		hold_range(&p->program_compile.reply);
		if (p->program_compile.options.bytes)
			hold_range(&p->program_compile.options);
		if (p->program_compile.header_count)
			hold_range(&p->program_compile.headers);
		hold((const uint8_t *)(const void *)p->program_compile.constants >= record &&
		     p->program_compile.constant_count * sizeof(struct wire_constant) <=
			     (size_t)(record + bytes - (const uint8_t *)(const void *)p->program_compile.constants));
		break;
	case WIRE_PROGRAM_LINK:
		hold_range(&p->program_link.reply);
		hold(p->program_link.input_count >= 1);
		for (uint32_t i = 0; i < p->program_link.input_count; i++)
			hold(p->program_link.inputs[i] >= 1 && p->program_link.inputs[i] < WIRE_OBJECT_MAX);
		break;
	case WIRE_KERNEL_SUB_GROUPS:
		hold_range(&p->sub_groups.reply);
		hold(p->sub_groups.input_count <= 3);
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
	case WIRE_IMAGE_CREATE:
		hold_image(&p->image_create, unified);
		break;
	case WIRE_IMAGE_FORMATS:
		hold_range(&p->image_formats.reply);
		break;
	case WIRE_IMAGE_WRITE:
	case WIRE_IMAGE_READ:
		hold_box(p->image_transfer.origin, p->image_transfer.region);
		hold_range(&p->image_transfer.range);
		break;
	case WIRE_IMAGE_COPY:
		hold_box(p->image_copy.source_origin, p->image_copy.region);
		hold_box(p->image_copy.destination_origin, p->image_copy.region);
		break;
	case WIRE_IMAGE_TO_BUFFER:
	case WIRE_IMAGE_FROM_BUFFER:
		hold_box(p->image_buffer_copy.origin, p->image_buffer_copy.region);
		break;
	case WIRE_IMAGE_FILL:
		hold_box(p->image_fill.origin, p->image_fill.region);
		break;
	case WIRE_SVM_MAP:
		hold(unified && p->svm_map.blob_id == RECORDS_BLOB && !(p->svm_map.address & 4095));
		hold(p->svm_map.address >= WIRE_SVM_WINDOW_FIRST && p->svm_map.address < WIRE_SVM_WINDOW_END);
		break;
	default:
		break;
	}
}

/* As what a compilation's headers lie in. Names must be paths that stay below. */
static void parse_headers(const uint8_t *data, size_t size)
{
	uint32_t count = data[0] % 8 + 1;
	struct parsed_header *headers = malloc(count * sizeof(*headers));
	uint8_t *copy = malloc(size);

	if (headers && copy) {
		memcpy(copy, data + 1, size - 1);
		if (!headers_parse(copy, size - 1, count, headers))
			for (uint32_t i = 0; i < count; i++) {
				const uint8_t *text = headers[i].text;
				hold(headers[i].name[0] && headers[i].name[0] != '/' && !strstr(headers[i].name, "/../"));
				hold(text >= copy && headers[i].text_bytes <= (size_t)(copy + size - 1 - text));
			}
	}
	free(copy);
	free(headers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct parsed parsed;

	if (size)
		parse_headers(data, size);

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
