/* SPDX-License-Identifier: MIT */
/*
 * A program's binary: a recipe as bytes that an application may keep in a file and give back, on a device of the same identity.
 *
 * It holds source or intermediate language, options, headers, what was linked, and never native code. Layout, little-endian,
 * every part padded with zeros to 8 bytes:
 *
 *   struct container_head
 *   per recipe, inputs before what is made of them, the program's own last:
 *     struct container_recipe, options, text,
 *     per header { struct container_header, name, text }, constants (struct recipe_constant), inputs (uint32_t: places before)
 *
 * The checksum finds damage, not malice: whoever can write the file can write the source as well.
 */
#ifndef VGPU_SHIM_OPENCL_CONTAINER_H
#define VGPU_SHIM_OPENCL_CONTAINER_H

#include <assert.h>

#include "shim/opencl/recipe.h"

#define CONTAINER_MAGIC "vGPUprog"
#define CONTAINER_VERSION 1u

struct container_head {
	char magic[8];
	uint32_t version;
	uint32_t recipe_count;		/* 1..RECIPE_ORDER_MAX */
	uint64_t bytes;			/* of all */
	uint64_t identity;		/* of the device it was made for */
	uint64_t checksum;		/* CRC-64/XZ of all bytes, with zeros in this place */
};
struct container_recipe {
	uint32_t form;			/* enum recipe_form */
	uint32_t makes;
	uint32_t options_bytes;
	uint32_t header_count;
	uint32_t constant_count;
	uint32_t input_count;
	uint64_t text_bytes;
};
struct container_header {
	uint32_t name_bytes;
	uint32_t reserved;
	uint64_t text_bytes;
};
static_assert(sizeof(struct container_head) == 40 && sizeof(struct container_recipe) == 32 && sizeof(struct container_header) == 16,
	      "file format");

/* Its length; 0: more than RECIPE_ORDER_MAX recipes, or no memory. */
size_t container_bytes(struct recipe *recipe);
/* Into ret_bytes[count], where count is what container_bytes said. 0, -ENOMEM, -E2BIG. */
int container_write(struct recipe *recipe, uint64_t identity, uint8_t *ret_bytes, size_t count);
/* Takes only what is whole, undamaged, and for that identity. 0 with a reference in *ret_recipe, -EINVAL, -ENOMEM. */
int container_read(const uint8_t *bytes, size_t count, uint64_t identity, struct recipe **ret_recipe);

/* CRC-64/XZ; seed 0 or what it returned for the bytes before. */
uint64_t container_checksum(uint64_t seed, const void *bytes, size_t count);
#endif
