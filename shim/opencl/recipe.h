/* SPDX-License-Identifier: MIT */
/*
 * What a program is made from: enough to make it again, on this host or another.
 *
 * A recipe is never changed once it is whole, and is counted: a linked program's holds those of its inputs, so that its binary
 * can be written when they are gone. Pure data; any thread.
 */
#ifndef VGPU_SHIM_OPENCL_RECIPE_H
#define VGPU_SHIM_OPENCL_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECIPE_HEADER_NAME_MAX 1023u

/* Bytes that several recipes share, with a NUL behind them. */
struct text {
	uint32_t references;	/* atomic */
	size_t bytes;
	char data[];
};
/* A copy. NULL: no memory. */
struct text *text_create(const void *bytes, size_t count);
struct text *text_hold(struct text *text);
void text_release(struct text *text);	/* accepts NULL */

enum recipe_form { RECIPE_SOURCE = 1, RECIPE_IL = 2, RECIPE_LINK = 3 };

struct recipe_header {
	char *name;		/* as wire_program_header wants it */
	struct text *text;
};
struct recipe_constant {
	uint32_t id;
	uint32_t bytes;		/* 1, 2, 4 or 8 */
	uint8_t value[8];
};
struct recipe {
	uint32_t references;	/* atomic */
	enum recipe_form form;
	uint32_t makes;		/* cl_program_binary_type: EXECUTABLE or OBJECT; a link's EXECUTABLE or LIBRARY */
	char *options;
	struct text *text;	/* SOURCE, IL */
	uint32_t header_count;	/* SOURCE that makes an object */
	struct recipe_header *headers;
	uint32_t constant_count;	/* IL */
	struct recipe_constant *constants;
	uint32_t input_count;	/* LINK: objects and libraries */
	struct recipe **inputs;
};

/* With room for so many headers, constants and inputs, all empty; options is copied, text held. NULL: no memory. */
struct recipe *recipe_create(enum recipe_form form, uint32_t makes, const char *options, struct text *text, uint32_t header_count,
			     uint32_t constant_count, uint32_t input_count);
struct recipe *recipe_hold(struct recipe *recipe);
void recipe_release(struct recipe *recipe);	/* accepts NULL */
/* Whether a header may be called that. */
bool recipe_header_name_fits(const char *name);

/* Every recipe below it and itself, inputs before what is made of them, each once: what is to be done, in order. */
struct recipe_order {
	uint32_t count;
	struct recipe **recipes;	/* borrowed, the root last */
};
#define RECIPE_ORDER_MAX 4096u
/* 0; -ENOMEM; -E2BIG: more than RECIPE_ORDER_MAX. */
int recipe_order_make(struct recipe *root, struct recipe_order *ret_order);
void recipe_order_finish(struct recipe_order *order);
/* Its place; order->count if it is not there. */
uint32_t recipe_order_find(const struct recipe_order *order, const struct recipe *recipe);
#endif
