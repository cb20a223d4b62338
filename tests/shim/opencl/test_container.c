/* SPDX-License-Identifier: MIT */
/* Recipes as bytes: what is written is read back, and nothing else is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <CL/cl.h>
#include <cmocka.h>

#include "tests/shim/opencl/containers.h"

#define IDENTITY 77u

static uint8_t *written(struct recipe *recipe, size_t *ret_bytes)
{
	uint8_t *bytes;

	*ret_bytes = container_bytes(recipe);
	assert_true(*ret_bytes > 0);
	bytes = malloc(*ret_bytes);
	assert_int_equal(container_write(recipe, IDENTITY, bytes, *ret_bytes), 0);
	return bytes;
}

static void same(const struct recipe *a, const struct recipe *b)
{
	assert_int_equal(a->form, b->form);
	assert_int_equal(a->makes, b->makes);
	assert_string_equal(a->options, b->options);
	assert_int_equal(!a->text, !b->text);
	if (a->text) {
		assert_int_equal(a->text->bytes, b->text->bytes);
		assert_memory_equal(a->text->data, b->text->data, a->text->bytes);
	}
	assert_int_equal(a->header_count, b->header_count);
	for (uint32_t i = 0; i < a->header_count; i++) {
		assert_string_equal(a->headers[i].name, b->headers[i].name);
		assert_string_equal(a->headers[i].text->data, b->headers[i].text->data);
	}
	assert_int_equal(a->constant_count, b->constant_count);
	if (a->constant_count)
		assert_memory_equal(a->constants, b->constants, a->constant_count * sizeof(*a->constants));
	assert_int_equal(a->input_count, b->input_count);
	for (uint32_t i = 0; i < a->input_count; i++)
		same(a->inputs[i], b->inputs[i]);
}

static void what_is_written_is_read_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CONTAINERS; i++) {
		struct recipe *recipe = containers_recipe(i), *back = NULL;
		size_t bytes;
		uint8_t *container = written(recipe, &bytes);

		assert_int_equal(container_read(container, bytes, IDENTITY, &back), 0);
		same(recipe, back);
		recipe_release(back);
		recipe_release(recipe);
		free(container);
	}
}

/* An input that two links use is written once. */
static void what_is_shared_is_written_once(void **state)
{
	struct recipe *recipe = containers_recipe(CONTAINER_SHARED), *back = NULL;
	struct container_head head;
	size_t bytes;
	uint8_t *container = written(recipe, &bytes);

	(void)state;
	memcpy(&head, container, sizeof(head));
	assert_int_equal(head.recipe_count, 4);
	assert_int_equal(container_read(container, bytes, IDENTITY, &back), 0);
	assert_ptr_equal(back->inputs[0]->inputs[0], back->inputs[1]->inputs[0]);
	recipe_release(back);
	recipe_release(recipe);
	free(container);
}

/* Exact copies on the heap: a sanitizer sees a byte read too far. */
static int taken(const uint8_t *bytes, size_t count, uint64_t identity)
{
	struct recipe *recipe = NULL;
	uint8_t *copy = malloc(count ? count : 1);
	int r;

	memcpy(copy, bytes, count);
	r = container_read(copy, count, identity, &recipe);
	assert_int_equal(!recipe, r != 0);
	recipe_release(recipe);
	free(copy);
	return r;
}

static void every_damage_is_found(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CONTAINERS; i++) {
		struct recipe *recipe = containers_recipe(i);
		size_t bytes;
		uint8_t *container = written(recipe, &bytes), *longer = calloc(1, bytes + 8);

		for (size_t at = 0; at < bytes; at++)
			for (unsigned bit = 0; bit < 8; bit++) {
				container[at] ^= (uint8_t)(1u << bit);
				assert_int_equal(taken(container, bytes, IDENTITY), -EINVAL);
				container[at] ^= (uint8_t)(1u << bit);
			}
		for (size_t cut = 0; cut < bytes; cut++)
			assert_int_equal(taken(container, cut, IDENTITY), -EINVAL);
		memcpy(longer, container, bytes);
		assert_int_equal(taken(longer, bytes + 8, IDENTITY), -EINVAL);
		assert_int_equal(taken(container, bytes, IDENTITY + 1), -EINVAL);
		assert_int_equal(taken(container, bytes, IDENTITY), 0);
		free(longer);
		free(container);
		recipe_release(recipe);
	}
}

/* With a right checksum, as somebody may write it: what no recipe of ours says. */
static void what_cannot_be_is_refused_whatever_the_checksum(void **state)
{
#define AT(field) sizeof(struct container_head) + offsetof(struct container_recipe, field)
	static const struct {
		unsigned container;
		size_t at;
		uint32_t value;
	} lies[] = {
		{ CONTAINER_SOURCE, offsetof(struct container_head, version), 2 },
		{ CONTAINER_SOURCE, offsetof(struct container_head, recipe_count), 0 },
		{ CONTAINER_SOURCE, offsetof(struct container_head, recipe_count), 2 },
		{ CONTAINER_SOURCE, offsetof(struct container_head, recipe_count), 0xffffffff },
		{ CONTAINER_SOURCE, AT(form), 0 },
		{ CONTAINER_SOURCE, AT(form), RECIPE_LINK },
		{ CONTAINER_SOURCE, AT(form), RECIPE_IL },
		{ CONTAINER_SOURCE, AT(makes), CL_PROGRAM_BINARY_TYPE_LIBRARY },
		{ CONTAINER_SOURCE, AT(makes), 3 },
		{ CONTAINER_SOURCE, AT(options_bytes), 0xffffffff },
		{ CONTAINER_SOURCE, AT(header_count), 1 },
		{ CONTAINER_SOURCE, AT(constant_count), 1 },
		{ CONTAINER_SOURCE, AT(input_count), 1 },
		{ CONTAINER_SOURCE, AT(text_bytes), 0xfffffff8 },
		{ CONTAINER_HEADERS, AT(header_count), 3 },
		{ CONTAINER_HEADERS, AT(header_count), 0xffffffff },
		{ CONTAINER_HEADERS, AT(makes), CL_PROGRAM_BINARY_TYPE_EXECUTABLE },
		{ CONTAINER_IL, AT(constant_count), 2 },
		{ CONTAINER_IL, AT(form), RECIPE_SOURCE },
		{ CONTAINER_IL, AT(text_bytes), 4 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct recipe *recipe = containers_recipe(lies[i].container);
		size_t bytes;
		uint8_t *container = written(recipe, &bytes);

		memcpy(container + lies[i].at, &lies[i].value, sizeof(lies[i].value));
		containers_seal(container, bytes);
		if (taken(container, bytes, IDENTITY) != -EINVAL)
			fail_msg("lie %u is taken", i);
		free(container);
		recipe_release(recipe);
	}
}

/* A link's input that comes after it, or is itself. */
static void a_recipe_is_made_of_earlier_ones_only(void **state)
{
	struct recipe *recipe = containers_recipe(CONTAINER_LINK);
	size_t bytes;
	uint8_t *container = written(recipe, &bytes);
	uint32_t *places = (uint32_t *)(void *)(container + bytes - 8);	/* of the link, which stands last */

	(void)state;
	assert_int_equal(places[0], 0);
	assert_int_equal(places[1], 1);
	for (uint32_t place = 2; place < 5; place++) {
		places[1] = place;
		containers_seal(container, bytes);
		assert_int_equal(taken(container, bytes, IDENTITY), -EINVAL);
	}
	places[1] = 0;		/* then nothing is made of the second */
	containers_seal(container, bytes);
	assert_int_equal(taken(container, bytes, IDENTITY), -EINVAL);
	places[1] = 1;
	containers_seal(container, bytes);
	assert_int_equal(taken(container, bytes, IDENTITY), 0);
	free(container);
	recipe_release(recipe);
}

static void the_checksum_is_that_of_its_name(void **state)
{
	(void)state;
	assert_true(container_checksum(0, "123456789", 9) == 0x995dc9bbdf1939fa);
	assert_true(container_checksum(container_checksum(0, "1234", 4), "56789", 5) == 0x995dc9bbdf1939fa);
}

static void a_module_tells_its_constants(void **state)
{
	uint32_t swapped[CONTAINERS_MODULE_WORDS];
	const uint32_t *module = containers_module;

	(void)state;
	assert_true(spirv_is_module(module, sizeof(containers_module)));
	assert_int_equal(spirv_constant_bytes(module, sizeof(containers_module), 5), 4);
	assert_int_equal(spirv_constant_bytes(module, sizeof(containers_module), 6), 8);
	assert_int_equal(spirv_constant_bytes(module, sizeof(containers_module), 7), 1);
	assert_int_equal(spirv_constant_bytes(module, sizeof(containers_module), 8), 0);
	for (size_t i = 0; i < CONTAINERS_MODULE_WORDS; i++)
		swapped[i] = __builtin_bswap32(module[i]);
	assert_true(spirv_is_module(swapped, sizeof(swapped)));
	assert_int_equal(spirv_constant_bytes(swapped, sizeof(swapped), 6), 8);
	for (size_t cut = 0; cut < sizeof(containers_module); cut++) {	/* whole instructions only */
		uint8_t *copy = malloc(cut + 1);

		memcpy(copy, module, cut);
		spirv_constant_bytes(copy, cut, 6);
		if (cut % 4)
			assert_false(spirv_is_module(copy, cut));
		free(copy);
	}
	assert_false(spirv_is_module("kernel void source() { } ", 24));
}

static void header_names_stay_below_their_folder(void **state)
{
	(void)state;
	assert_true(recipe_header_name_fits("a.h"));
	assert_true(recipe_header_name_fits("a/b..c/..d/e.h"));
	assert_false(recipe_header_name_fits(""));
	assert_false(recipe_header_name_fits("/etc/passwd"));
	assert_false(recipe_header_name_fits(".."));
	assert_false(recipe_header_name_fits("a/../b"));
	assert_false(recipe_header_name_fits("a/.."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(what_is_shared_is_written_once),
		cmocka_unit_test(every_damage_is_found),
		cmocka_unit_test(what_cannot_be_is_refused_whatever_the_checksum),
		cmocka_unit_test(a_recipe_is_made_of_earlier_ones_only),
		cmocka_unit_test(the_checksum_is_that_of_its_name),
		cmocka_unit_test(a_module_tells_its_constants),
		cmocka_unit_test(header_names_stay_below_their_folder),
	};

	return cmocka_run_group_tests_name("shim/opencl containers", tests, NULL, NULL);
}
