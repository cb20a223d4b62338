/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target of the reader of binaries, which an application may have from anywhere. Input: one byte, then a container, whose
 * checksum and length are made right unless the byte is odd; with 2 in it, the container of the tests that its upper bits name
 * comes first and the input is laid over it. What is taken is held to container.h: written again, it is the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/shim/opencl/containers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void hold(bool promise)
{
	if (!promise)
		abort();
}

/* The input over one that is whole: at the place that its first two bytes say. */
static uint8_t *overlaid(unsigned which, const uint8_t *data, size_t bytes, size_t *ret_count)
{
	struct recipe *recipe = containers_recipe(which % CONTAINERS);
	size_t count = container_bytes(recipe), at = bytes >= 2 ? (size_t)(data[0] | data[1] << 8) % count : 0;
	uint8_t *container = malloc(count);

	hold(container && container_write(recipe, 7, container, count) == 0);
	recipe_release(recipe);
	for (size_t i = 2; i < bytes && at < count; i++)
		container[at++] ^= data[i];
	*ret_count = count;
	return container;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct recipe *recipe = NULL;
	uint8_t *container, *again;
	size_t count;

	if (bytes < 1)
		return 0;
	if (data[0] & 2) {
		container = overlaid(data[0] >> 2, data + 1, bytes - 1, &count);
	} else {
		count = bytes - 1;
		container = malloc(count + 1);
		hold(container);
		memcpy(container, data + 1, count);
	}
	if (!(data[0] & 1) && count >= sizeof(struct container_head))
		containers_seal(container, count);
	if (container_read(container, count, 7, &recipe) == 0) {
		hold(container_bytes(recipe) == count);
		again = malloc(count);
		hold(again && container_write(recipe, 7, again, count) == 0);
		recipe_release(recipe);
		/* Recipes may stand in another order; the bytes of a second round are the first's. */
		recipe = NULL;
		hold(container_read(again, count, 7, &recipe) == 0);
		memset(container, 0xff, count);
		hold(container_write(recipe, 7, container, count) == 0 && memcmp(container, again, count) == 0);
		recipe_release(recipe);
		free(again);
	}
	free(container);
	return 0;
}
