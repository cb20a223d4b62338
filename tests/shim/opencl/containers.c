/* SPDX-License-Identifier: MIT */
#include "tests/shim/opencl/containers.h"

#include <CL/cl.h>
#include <stdlib.h>
#include <string.h>

#define OP(words, opcode) ((words) << 16 | (opcode))
const uint32_t containers_module[CONTAINERS_MODULE_WORDS] = {
	0x07230203, 0x00010000, 0, 9, 0,
	OP(4, 71), 1, 1, 5, OP(4, 71), 2, 1, 6, OP(4, 71), 3, 1, 7,	/* Decorate SpecId */
	OP(4, 21), 4, 32, 0, OP(3, 22), 5, 64, OP(2, 20), 6,		/* TypeInt, TypeFloat, TypeBool */
	OP(4, 50), 4, 1, 11, OP(5, 50), 5, 2, 0, 0x3ff00000, OP(3, 48), 6, 3,
	OP(5, 5), 1, 0x736e6f63, 0x746e6174, 0,				/* Name "constant" */
};

static struct recipe *source(uint32_t makes, const char *options, const char *text, uint32_t headers)
{
	struct text *held = text_create(text, strlen(text));
	struct recipe *recipe = recipe_create(RECIPE_SOURCE, makes, options, held, headers, 0, 0);

	text_release(held);
	return recipe;
}

static struct recipe *object(const char *text)
{
	return source(CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT, "", text, 0);
}

/* Takes both. */
static struct recipe *linked(uint32_t makes, struct recipe *a, struct recipe *b)
{
	struct recipe *recipe = recipe_create(RECIPE_LINK, makes, makes == CL_PROGRAM_BINARY_TYPE_LIBRARY ? "-create-library" : "", NULL,
					      0, 0, b ? 2 : 1);

	recipe->inputs[0] = a;
	if (b)
		recipe->inputs[1] = b;
	return recipe;
}

struct recipe *containers_recipe(unsigned which)
{
	struct recipe *recipe, *shared;
	struct text *text;

	switch (which) {
	case CONTAINER_SOURCE:
		return source(CL_PROGRAM_BINARY_TYPE_EXECUTABLE, "-DX=1", "kernel scale", 0);
	case CONTAINER_HEADERS:
		recipe = source(CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT, "-DY", "kernel add", 2);
		recipe->headers[0] = (struct recipe_header){ strdup("a.h"), text_create("#define A 1\n", 12) };
		recipe->headers[1] = (struct recipe_header){ strdup("deep/b.h"), text_create("", 0) };
		return recipe;
	case CONTAINER_IL:
		text = text_create(containers_module, sizeof(containers_module));
		recipe = recipe_create(RECIPE_IL, CL_PROGRAM_BINARY_TYPE_EXECUTABLE, "", text, 0, 1, 0);
		recipe->constants[0] = (struct recipe_constant){ .id = 6, .bytes = 8, .value = { 1, 2, 3 } };
		text_release(text);
		return recipe;
	case CONTAINER_LINK:
		return linked(CL_PROGRAM_BINARY_TYPE_EXECUTABLE, object("kernel scale"), object("helpers"));
	default:
		shared = object("kernel scale");
		recipe_hold(shared);
		return linked(CL_PROGRAM_BINARY_TYPE_EXECUTABLE, linked(CL_PROGRAM_BINARY_TYPE_LIBRARY, shared, NULL),
			      linked(CL_PROGRAM_BINARY_TYPE_LIBRARY, shared, NULL));
	}
}

void containers_seal(uint8_t *container, size_t count)
{
	struct container_head head;

	memcpy(&head, container, sizeof(head));
	head.bytes = count;
	head.checksum = 0;
	head.checksum = container_checksum(container_checksum(0, &head, sizeof(head)), container + sizeof(head), count - sizeof(head));
	memcpy(container, &head, sizeof(head));
}
