/* SPDX-License-Identifier: MIT */
#include "shim/opencl/spirv.h"

#include <string.h>

#define MAGIC 0x07230203u
#define HEADER_WORDS 5u
#define DECORATION_SPEC_ID 1u

enum { OP_TYPE_INT = 21, OP_TYPE_FLOAT = 22, OP_SPEC_TRUE = 48, OP_SPEC_FALSE = 49, OP_SPEC_CONSTANT = 50, OP_DECORATE = 71 };

struct module {
	const uint8_t *bytes;	/* of any alignment */
	size_t words;
	bool swapped;
};

static uint32_t word(const struct module *module, size_t at)
{
	uint32_t value;

	memcpy(&value, module->bytes + at * sizeof(value), sizeof(value));
	return module->swapped ? __builtin_bswap32(value) : value;
}

/* The instruction there: its length in words, 0 if it is none. */
static size_t instruction(const struct module *module, size_t at, uint32_t *ret_opcode)
{
	size_t length = word(module, at) >> 16;

	*ret_opcode = word(module, at) & 0xffff;
	return length <= module->words - at ? length : 0;
}

static bool open_module(const void *bytes, size_t count, struct module *ret_module)
{
	struct module module = { .bytes = bytes, .words = count / sizeof(uint32_t) };

	if (count % sizeof(uint32_t) || module.words < HEADER_WORDS)
		return false;
	module.swapped = word(&module, 0) != MAGIC;
	*ret_module = module;
	return word(&module, 0) == MAGIC;
}

bool spirv_is_module(const void *bytes, size_t count)
{
	struct module module;
	uint32_t opcode;
	size_t length;

	if (!open_module(bytes, count, &module))
		return false;
	for (size_t at = HEADER_WORDS; at < module.words; at += length) {
		length = instruction(&module, at, &opcode);
		if (!length)
			return false;
	}
	return true;
}

/* The first instruction with this opcode whose operand `operand` is that: its place, 0 if there is none. Operands count from 1. */
static size_t find(const struct module *module, uint32_t wanted, size_t operand, uint32_t value)
{
	uint32_t opcode;
	size_t length;

	for (size_t at = HEADER_WORDS; at < module->words; at += length) {
		length = instruction(module, at, &opcode);
		if (!length)
			return 0;
		if (opcode == wanted && operand < length && word(module, at + operand) == value)
			return at;
	}
	return 0;
}

static uint32_t length_of(const struct module *module, size_t at)
{
	uint32_t opcode;

	return (uint32_t)instruction(module, at, &opcode);
}

static uint32_t type_bytes(const struct module *module, uint32_t type)
{
	size_t at = find(module, OP_TYPE_INT, 1, type);

	if (!at)
		at = find(module, OP_TYPE_FLOAT, 1, type);
	if (!at || length_of(module, at) < 3)
		return 0;
	switch (word(module, at + 2)) {		/* width in bits */
	case 8:
	case 16:
	case 32:
	case 64:
		return word(module, at + 2) / 8;
	default:
		return 0;
	}
}

uint32_t spirv_constant_bytes(const void *bytes, size_t count, uint32_t spec_id)
{
	struct module module;
	uint32_t opcode;
	size_t length, at;

	if (!open_module(bytes, count, &module))
		return 0;
	for (size_t decorated = HEADER_WORDS; decorated < module.words; decorated += length) {
		length = instruction(&module, decorated, &opcode);
		if (!length)
			return 0;
		if (opcode != OP_DECORATE || length < 4 || word(&module, decorated + 2) != DECORATION_SPEC_ID ||
		    word(&module, decorated + 3) != spec_id)
			continue;
		uint32_t id = word(&module, decorated + 1);
		if (find(&module, OP_SPEC_TRUE, 2, id) || find(&module, OP_SPEC_FALSE, 2, id))
			return 1;
		at = find(&module, OP_SPEC_CONSTANT, 2, id);
		return at ? type_bytes(&module, word(&module, at + 1)) : 0;
	}
	return 0;
}
