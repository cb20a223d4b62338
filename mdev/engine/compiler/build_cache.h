/* SPDX-License-Identifier: MIT */
/*
 * The cache of a vGPU's build results: a key's bytes, bounded, the longest unused going first.
 *
 * It lies whole in a file of fixed size (a memfd that the keeper holds), so that it outlives the helper that uses it, and ends with
 * the vGPU. One user at a time; one that is killed amid a change leaves a mark, and its successor begins anew. Only
 * helpers ever have it, and no process that reads a guest's source (compiler/server.h); it is checked all the same when it is opened.
 */
#ifndef VGPU_MDEV_ENGINE_COMPILER_BUILD_CACHE_H
#define VGPU_MDEV_ENGINE_COMPILER_BUILD_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "mdev/engine/compiler/sha256.h"

#define BUILD_CACHE_ENTRIES 2048u

struct build_cache;

/* Borrows memory of `bytes`, 8-byte aligned: zeros, or what an earlier one left. 0, or -EINVAL: too small. */
int build_cache_open(void *memory, size_t bytes, struct build_cache **ret_cache);
/* What is kept stays in the memory. Accepts NULL. */
void build_cache_close(struct build_cache *cache);

/* The value and its length, until the next call; NULL if there is none. Counts as a use. */
const void *build_cache_find(struct build_cache *cache, const uint8_t key[SHA256_BYTES], uint32_t *ret_bytes);

/* Keeps a copy, in place of others not used for longest, and of an older one of that key. What would take more than a quarter is not kept. */
void build_cache_keep(struct build_cache *cache, const uint8_t key[SHA256_BYTES], const void *value, uint32_t bytes);

/* Bytes of all values. */
size_t build_cache_used(const struct build_cache *cache);
#endif
