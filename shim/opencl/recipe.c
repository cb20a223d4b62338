/* SPDX-License-Identifier: MIT */
#include "shim/opencl/recipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct text *text_create(const void *bytes, size_t count)
{
	struct text *text = count < SIZE_MAX - sizeof(*text) - 1 ? malloc(sizeof(*text) + count + 1) : NULL;

	if (!text)
		return NULL;
	text->references = 1;
	text->bytes = count;
	if (count)
		memcpy(text->data, bytes, count);
	text->data[count] = '\0';
	return text;
}

struct text *text_hold(struct text *text)
{
	__atomic_fetch_add(&text->references, 1, __ATOMIC_RELAXED);
	return text;
}

void text_release(struct text *text)
{
	if (text && __atomic_fetch_sub(&text->references, 1, __ATOMIC_ACQ_REL) == 1)
		free(text);
}

struct recipe *recipe_create(enum recipe_form form, uint32_t makes, const char *options, struct text *text, uint32_t header_count,
			     uint32_t constant_count, uint32_t input_count)
{
	struct recipe *recipe = calloc(1, sizeof(*recipe));

	if (!recipe)
		return NULL;
	recipe->references = 1;
	recipe->form = form;
	recipe->makes = makes;
	recipe->options = strdup(options ? options : "");
	recipe->headers = calloc(header_count + 1, sizeof(*recipe->headers));
	recipe->constants = calloc(constant_count + 1, sizeof(*recipe->constants));
	recipe->inputs = calloc(input_count + 1, sizeof(struct recipe *));
	if (!recipe->options || !recipe->headers || !recipe->constants || !recipe->inputs) {
		recipe_release(recipe);
		return NULL;
	}
	recipe->text = text ? text_hold(text) : NULL;
	recipe->header_count = header_count;
	recipe->constant_count = constant_count;
	recipe->input_count = input_count;
	return recipe;
}

struct recipe *recipe_hold(struct recipe *recipe)
{
	__atomic_fetch_add(&recipe->references, 1, __ATOMIC_RELAXED);
	return recipe;
}

/* Recurses as deep as libraries were linked of libraries: RECIPE_ORDER_MAX at most, a small frame each. */
void recipe_release(struct recipe *recipe)
{
	if (!recipe || __atomic_fetch_sub(&recipe->references, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	for (uint32_t i = 0; i < recipe->input_count; i++)
		recipe_release(recipe->inputs[i]);
	for (uint32_t i = 0; i < recipe->header_count; i++) {
		free(recipe->headers[i].name);
		text_release(recipe->headers[i].text);
	}
	free(recipe->inputs);
	free(recipe->headers);
	free(recipe->constants);
	text_release(recipe->text);
	free(recipe->options);
	free(recipe);
}

bool recipe_header_name_fits(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > RECIPE_HEADER_NAME_MAX || name[0] == '/')
		return false;
	for (const char *at = name; *at;) {
		size_t part = strcspn(at, "/");

		if (part == 2 && at[0] == '.' && at[1] == '.')
			return false;
		at += part;
		at += *at == '/';
	}
	return true;
}

/* ---- order ------------------------------------------------------------------------------------- */

uint32_t recipe_order_find(const struct recipe_order *order, const struct recipe *recipe)
{
	uint32_t i = 0;

	while (i < order->count && order->recipes[i] != recipe)
		i++;
	return i;
}

static int order_add(struct recipe_order *order, struct recipe *recipe)
{
	int r = 0;

	if (recipe_order_find(order, recipe) < order->count)
		return 0;
	for (uint32_t i = 0; r == 0 && i < recipe->input_count; i++)
		r = order_add(order, recipe->inputs[i]);
	if (r == 0 && order->count == RECIPE_ORDER_MAX)
		r = -E2BIG;
	if (r == 0)
		order->recipes[order->count++] = recipe;
	return r;
}

int recipe_order_make(struct recipe *root, struct recipe_order *ret_order)
{
	struct recipe_order order = { 0, calloc(RECIPE_ORDER_MAX, sizeof(struct recipe *)) };
	int r = order.recipes ? order_add(&order, root) : -ENOMEM;

	if (r < 0) {
		free(order.recipes);
		return r;
	}
	*ret_order = order;
	return 0;
}

void recipe_order_finish(struct recipe_order *order)
{
	free(order->recipes);
	order->recipes = NULL;
	order->count = 0;
}
