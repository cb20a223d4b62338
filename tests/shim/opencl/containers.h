/* SPDX-License-Identifier: MIT */
/*
 * Recipes of every form, and containers of them, shared by the unit tests and the fuzz target.
 */
#ifndef VGPU_TESTS_SHIM_OPENCL_CONTAINERS_H
#define VGPU_TESTS_SHIM_OPENCL_CONTAINERS_H

#include <errno.h>

#include "shim/opencl/container.h"
#include "shim/opencl/spirv.h"

enum { CONTAINER_SOURCE, CONTAINER_HEADERS, CONTAINER_IL, CONTAINER_LINK, CONTAINER_SHARED, CONTAINERS };

/* A module with specialization constants 5 (int), 6 (double), 7 (bool); no kernel. */
#define CONTAINERS_MODULE_WORDS 43u
extern const uint32_t containers_module[CONTAINERS_MODULE_WORDS];

/* A new reference. */
struct recipe *containers_recipe(unsigned which);
/* Makes head.bytes and the checksum right. count: that of a head at least. */
void containers_seal(uint8_t *container, size_t count);
#endif
