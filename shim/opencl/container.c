/* SPDX-License-Identifier: MIT */
#include "shim/opencl/container.h"

#include <CL/cl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/spirv.h"
#include "shim/wire/wire.h"

static size_t padded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

uint64_t container_checksum(uint64_t seed, const void *bytes, size_t count)
{
	/* By four bits: ECMA-182's polynomial, reflected. */
	static const uint64_t table[16] = {
		0x0000000000000000, 0x7d9ba13851336649, 0xfb374270a266cc92, 0x86ace348f355aadb,
		0x64b62bcaebc387a1, 0x192d8af2baf0e1e8, 0x9f8169ba49a54b33, 0xe21ac88218962d7a,
		0xc96c5795d7870f42, 0xb4f7f6ad86b4690b, 0x325b15e575e1c3d0, 0x4fc0b4dd24d2a599,
		0xadda7c5f3c4488e3, 0xd041dd676d77eeaa, 0x56ed3e2f9e224471, 0x2b769f17cf112238,
	};
	const uint8_t *at = bytes;
	uint64_t sum = ~seed;

	for (size_t i = 0; i < count; i++) {
		sum ^= at[i];
		sum = (sum >> 4) ^ table[sum & 15];
		sum = (sum >> 4) ^ table[sum & 15];
	}
	return ~sum;
}

static uint64_t whole_checksum(const uint8_t *bytes, size_t count)
{
	struct container_head head;

	memcpy(&head, bytes, sizeof(head));
	head.checksum = 0;
	return container_checksum(container_checksum(0, &head, sizeof(head)), bytes + sizeof(head), count - sizeof(head));
}

/* ---- writing ----------------------------------------------------------------------------------- */

/* Counts only, with bytes NULL. */
struct writer {
	uint8_t *bytes;
	size_t used;
};

static void write_part(struct writer *writer, const void *part, size_t bytes)
{
	if (writer->bytes && bytes) {
		memcpy(writer->bytes + writer->used, part, bytes);
		memset(writer->bytes + writer->used + bytes, 0, padded(bytes) - bytes);
	}
	writer->used += padded(bytes);
}

static void write_recipe(struct writer *writer, const struct recipe *recipe, const struct recipe_order *order)
{
	const struct container_recipe fixed = {
		.form = recipe->form,
		.makes = recipe->makes,
		.options_bytes = (uint32_t)strlen(recipe->options),
		.header_count = recipe->header_count,
		.constant_count = recipe->constant_count,
		.input_count = recipe->input_count,
		.text_bytes = recipe->text ? recipe->text->bytes : 0,
	};
	uint32_t place[2] = { 0 };

	write_part(writer, &fixed, sizeof(fixed));
	write_part(writer, recipe->options, fixed.options_bytes);
	write_part(writer, recipe->text ? recipe->text->data : NULL, fixed.text_bytes);
	for (uint32_t i = 0; i < recipe->header_count; i++) {
		const struct recipe_header *header = &recipe->headers[i];
		const struct container_header head = { (uint32_t)strlen(header->name), 0, header->text->bytes };

		write_part(writer, &head, sizeof(head));
		write_part(writer, header->name, head.name_bytes);
		write_part(writer, header->text->data, head.text_bytes);
	}
	write_part(writer, recipe->constants, recipe->constant_count * sizeof(*recipe->constants));
	for (uint32_t i = 0; i < recipe->input_count; i++) {
		place[i % 2] = recipe_order_find(order, recipe->inputs[i]);
		if (i % 2 || i + 1 == recipe->input_count)
			write_part(writer, place, (i % 2 + 1) * sizeof(place[0]));
	}
}

static void write_all(struct writer *writer, const struct recipe_order *order, uint64_t identity, size_t count)
{
	struct container_head head = { .version = CONTAINER_VERSION, .recipe_count = order->count, .bytes = count, .identity = identity };

	memcpy(head.magic, CONTAINER_MAGIC, sizeof(head.magic));
	write_part(writer, &head, sizeof(head));
	for (uint32_t i = 0; i < order->count; i++)
		write_recipe(writer, order->recipes[i], order);
}

size_t container_bytes(struct recipe *recipe)
{
	struct writer counter = { 0 };
	struct recipe_order order;

	if (recipe_order_make(recipe, &order) < 0)
		return 0;
	write_all(&counter, &order, 0, 0);
	recipe_order_finish(&order);
	return counter.used;
}

int container_write(struct recipe *recipe, uint64_t identity, uint8_t *ret_bytes, size_t count)
{
	struct writer writer = { .bytes = ret_bytes };
	struct recipe_order order;
	uint64_t checksum;
	int r = recipe_order_make(recipe, &order);

	if (r < 0)
		return r;
	write_all(&writer, &order, identity, count);
	recipe_order_finish(&order);
	checksum = whole_checksum(ret_bytes, count);
	memcpy(ret_bytes + offsetof(struct container_head, checksum), &checksum, sizeof(checksum));
	return 0;
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* Its error sticks. */
struct reader {
	const uint8_t *at;
	size_t left;
	bool bad;
	bool no_memory;
};

static const uint8_t *read_part(struct reader *reader, uint64_t bytes)
{
	uint64_t whole = (bytes + 7) & ~(uint64_t)7;
	const uint8_t *part = reader->at;

	if (reader->bad || whole < bytes || whole > reader->left) {
		reader->bad = true;
		return NULL;
	}
	for (uint64_t i = bytes; i < whole; i++)
		if (part[i]) {
			reader->bad = true;
			return NULL;
		}
	reader->at += whole;
	reader->left -= whole;
	return part;
}

static void read_struct(struct reader *reader, void *ret_value, size_t bytes)
{
	const uint8_t *part = read_part(reader, bytes);

	if (part)
		memcpy(ret_value, part, bytes);
}

/* Text without a NUL in it. NULL: bad, or no memory. */
static char *read_string(struct reader *reader, uint32_t bytes)
{
	const uint8_t *part = read_part(reader, bytes);
	char *copy;

	if (!part || (bytes && memchr(part, 0, bytes))) {
		reader->bad = true;
		return NULL;
	}
	copy = malloc((size_t)bytes + 1);
	if (!copy) {
		reader->bad = reader->no_memory = true;
		return NULL;
	}
	memcpy(copy, part, bytes);
	copy[bytes] = '\0';
	return copy;
}

static struct text *read_text(struct reader *reader, uint64_t bytes)
{
	const uint8_t *part = read_part(reader, bytes);
	struct text *text = part ? text_create(part, bytes) : NULL;

	if (part && !text)
		reader->no_memory = true;
	if (!text)
		reader->bad = true;
	return text;
}

static bool fixed_is_sound(const struct container_recipe *fixed)
{
	if (fixed->header_count > WIRE_HEADER_MAX || fixed->constant_count > WIRE_CONSTANT_MAX || fixed->input_count > WIRE_INPUT_MAX)
		return false;
	switch (fixed->form) {
	case RECIPE_SOURCE:
		return (fixed->makes == CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT ||
			(fixed->makes == CL_PROGRAM_BINARY_TYPE_EXECUTABLE && !fixed->header_count)) &&
		       !fixed->constant_count && !fixed->input_count;
	case RECIPE_IL:
		return (fixed->makes == CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT || fixed->makes == CL_PROGRAM_BINARY_TYPE_EXECUTABLE) &&
		       !fixed->header_count && !fixed->input_count;
	case RECIPE_LINK:
		return (fixed->makes == CL_PROGRAM_BINARY_TYPE_LIBRARY || fixed->makes == CL_PROGRAM_BINARY_TYPE_EXECUTABLE) &&
		       !fixed->header_count && !fixed->constant_count && fixed->input_count && !fixed->text_bytes;
	default:
		return false;
	}
}

static void read_headers(struct reader *reader, struct recipe *recipe)
{
	for (uint32_t i = 0; !reader->bad && i < recipe->header_count; i++) {
		struct container_header head = { 0 };

		read_struct(reader, &head, sizeof(head));
		recipe->headers[i].name = read_string(reader, head.name_bytes);
		if (reader->bad || head.reserved || !recipe_header_name_fits(recipe->headers[i].name))
			reader->bad = true;
		recipe->headers[i].text = read_text(reader, head.text_bytes);
	}
}

static void read_constants(struct reader *reader, struct recipe *recipe)
{
	for (uint32_t i = 0; !reader->bad && i < recipe->constant_count; i++) {
		struct recipe_constant *constant = &recipe->constants[i];

		read_struct(reader, constant, sizeof(*constant));
		if (spirv_constant_bytes(recipe->text->data, recipe->text->bytes, constant->id) != constant->bytes)
			reader->bad = true;
	}
}

/* made: `count` recipes that were read before. */
static void read_inputs(struct reader *reader, struct recipe *recipe, struct recipe *const *made, uint32_t count)
{
	const uint8_t *places = read_part(reader, recipe->input_count * (uint64_t)sizeof(uint32_t));
	uint32_t place;

	for (uint32_t i = 0; !reader->bad && i < recipe->input_count; i++) {
		memcpy(&place, places + i * sizeof(place), sizeof(place));
		if (place >= count || made[place]->makes == CL_PROGRAM_BINARY_TYPE_EXECUTABLE)
			reader->bad = true;
		else
			recipe->inputs[i] = recipe_hold(made[place]);
	}
}

static struct recipe *read_recipe(struct reader *reader, struct recipe *const *made, uint32_t count)
{
	struct container_recipe fixed = { 0 };
	struct text *text = NULL;
	struct recipe *recipe;
	char *options;

	read_struct(reader, &fixed, sizeof(fixed));
	/* A count beyond what is left of the bytes is no reason to ask for memory. */
	if (reader->bad || !fixed_is_sound(&fixed) || fixed.header_count > reader->left / sizeof(struct container_header) ||
	    fixed.constant_count > reader->left / sizeof(struct recipe_constant) || fixed.input_count > reader->left / sizeof(uint32_t)) {
		reader->bad = true;
		return NULL;
	}
	options = read_string(reader, fixed.options_bytes);
	if (fixed.form != RECIPE_LINK)
		text = read_text(reader, fixed.text_bytes);
	if (!reader->bad && fixed.form == RECIPE_IL && !spirv_is_module(text->data, text->bytes))
		reader->bad = true;
	recipe = reader->bad ? NULL : recipe_create(fixed.form, fixed.makes, options, text, fixed.header_count, fixed.constant_count,
						    fixed.input_count);
	if (!reader->bad && !recipe)
		reader->bad = reader->no_memory = true;
	text_release(text);
	free(options);
	if (!recipe)
		return NULL;
	read_headers(reader, recipe);
	read_constants(reader, recipe);
	read_inputs(reader, recipe, made, count);
	if (!reader->bad)
		return recipe;
	recipe_release(recipe);
	return NULL;
}

int container_read(const uint8_t *bytes, size_t count, uint64_t identity, struct recipe **ret_recipe)
{
	struct reader reader = { .at = bytes, .left = count };
	struct container_head head = { 0 };
	struct recipe **made;
	struct recipe_order order;
	uint32_t read = 0;
	int r = -EINVAL;

	read_struct(&reader, &head, sizeof(head));
	if (reader.bad || memcmp(head.magic, CONTAINER_MAGIC, sizeof(head.magic)) || head.version != CONTAINER_VERSION ||
	    head.bytes != count || head.identity != identity || head.recipe_count < 1 || head.recipe_count > RECIPE_ORDER_MAX ||
	    head.checksum != whole_checksum(bytes, count))
		return -EINVAL;
	made = calloc(head.recipe_count, sizeof(struct recipe *));
	if (!made)
		return -ENOMEM;
	while (!reader.bad && read < head.recipe_count) {
		made[read] = read_recipe(&reader, made, read);
		read += !reader.bad;
	}
	if (reader.no_memory) {
		r = -ENOMEM;
	} else if (!reader.bad && !reader.left) {
		r = recipe_order_make(made[read - 1], &order);
		if (r == 0) {
			if (order.count != read)	/* one that nothing is made of */
				r = -EINVAL;
			recipe_order_finish(&order);
		}
	}
	if (r == 0)
		*ret_recipe = recipe_hold(made[read - 1]);
	while (read)
		recipe_release(made[--read]);
	free(made);
	return r;
}
