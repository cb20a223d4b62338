/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compiler/build_cache.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC 0x48434256u
#define VERSION 1u

/* Values lie in the order of their entries, one after the other. */
struct entry {
	uint8_t key[SHA256_BYTES];
	uint64_t last_use;	/* by `clock` */
	uint32_t offset;	/* in the values */
	uint32_t bytes;
};

struct header {
	uint32_t magic;
	uint32_t version;
	uint32_t changing;
	uint32_t count;
	uint64_t clock;		/* counts uses */
	struct entry entries[BUILD_CACHE_ENTRIES];
};

struct build_cache {
	struct header *header;
	uint8_t *values;
	uint32_t capacity;
};

static uint32_t end_of(const struct build_cache *cache)
{
	const struct header *h = cache->header;

	return h->count ? h->entries[h->count - 1].offset + h->entries[h->count - 1].bytes : 0;
}

static bool is_whole(const struct build_cache *cache)
{
	const struct header *h = cache->header;
	uint64_t end = 0;

	if (h->magic != MAGIC || h->version != VERSION || h->changing || h->count > BUILD_CACHE_ENTRIES)
		return false;
	for (uint32_t i = 0; i < h->count; i++) {
		if (h->entries[i].offset < end)
			return false;
		end = (uint64_t)h->entries[i].offset + h->entries[i].bytes;
		if (end > cache->capacity)
			return false;
	}
	return true;
}

int build_cache_open(void *memory, size_t bytes, struct build_cache **ret_cache)
{
	if (bytes < sizeof(struct header) + 4096 || bytes - sizeof(struct header) > UINT32_MAX)
		return -EINVAL;
	struct build_cache *cache = calloc(1, sizeof(*cache));
	if (!cache)
		return -ENOMEM;
	cache->header = memory;
	cache->values = (uint8_t *)memory + sizeof(struct header);
	cache->capacity = (uint32_t)(bytes - sizeof(struct header));
	if (!is_whole(cache)) {
		memset(cache->header, 0, sizeof(*cache->header));
		cache->header->version = VERSION;
		cache->header->magic = MAGIC;
	}
	*ret_cache = cache;
	return 0;
}

void build_cache_close(struct build_cache *cache)
{
	free(cache);
}

static struct entry *find(const struct build_cache *cache, const uint8_t key[SHA256_BYTES])
{
	struct header *h = cache->header;

	for (uint32_t i = 0; i < h->count; i++)
		if (!memcmp(h->entries[i].key, key, SHA256_BYTES))
			return &h->entries[i];
	return NULL;
}

const void *build_cache_find(struct build_cache *cache, const uint8_t key[SHA256_BYTES], uint32_t *ret_bytes)
{
	struct entry *entry = find(cache, key);

	if (!entry)
		return NULL;
	entry->last_use = ++cache->header->clock;
	*ret_bytes = entry->bytes;
	return cache->values + entry->offset;
}

static void drop(struct build_cache *cache, struct entry *entry)
{
	struct header *h = cache->header;
	size_t index = (size_t)(entry - h->entries);

	memmove(entry, entry + 1, (h->count - index - 1) * sizeof(*entry));
	h->count--;
}

static struct entry *longest_unused(const struct build_cache *cache)
{
	struct header *h = cache->header;
	struct entry *oldest = &h->entries[0];

	for (uint32_t i = 1; i < h->count; i++)
		if (h->entries[i].last_use < oldest->last_use)
			oldest = &h->entries[i];
	return oldest;
}

/* Closes the gaps that dropped values left. */
static void compact(struct build_cache *cache)
{
	struct header *h = cache->header;
	uint32_t end = 0;

	for (uint32_t i = 0; i < h->count; i++) {
		struct entry *entry = &h->entries[i];
		memmove(cache->values + end, cache->values + entry->offset, entry->bytes);
		entry->offset = end;
		end += entry->bytes;
	}
}

size_t build_cache_used(const struct build_cache *cache)
{
	size_t used = 0;

	for (uint32_t i = 0; i < cache->header->count; i++)
		used += cache->header->entries[i].bytes;
	return used;
}

/* The mark of a change is seen by whoever opens the memory after this process was killed. */
static void mark(struct build_cache *cache, bool changing)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*(volatile uint32_t *)&cache->header->changing = changing;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void build_cache_keep(struct build_cache *cache, const uint8_t key[SHA256_BYTES], const void *value, uint32_t bytes)
{
	struct header *h = cache->header;
	struct entry *old = find(cache, key);

	if (bytes > cache->capacity / 4)
		return;
	mark(cache, true);
	if (old)
		drop(cache, old);
	while (h->count && (h->count == BUILD_CACHE_ENTRIES || build_cache_used(cache) + bytes > cache->capacity))
		drop(cache, longest_unused(cache));
	if (cache->capacity - end_of(cache) < bytes)
		compact(cache);
	struct entry *entry = &h->entries[h->count];
	*entry = (struct entry){.last_use = ++h->clock, .offset = end_of(cache), .bytes = bytes};
	memcpy(entry->key, key, SHA256_BYTES);
	memcpy(cache->values + entry->offset, value, bytes);
	h->count++;
	mark(cache, false);
}
