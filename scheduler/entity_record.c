/* SPDX-License-Identifier: MIT */
/* The record in two copies; entity.h says why. Pure, and distrusts what it reads: a keeper's memory may hold anything. */
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "scheduler/entity.h"

#define SANE_NS (1ll << 50)	/* 13 days: no debt, credit or count of tokens is beyond it */

/* FNV-1a over the words before `check`: a torn copy is found, an attacker is not meant (nobody but us can write it). */
static uint64_t check_of(const struct entity_record *record)
{
	uint64_t hash = 0xcbf29ce484222325u, word;

	for (size_t at = 0; at < offsetof(struct entity_record, check); at += sizeof(word)) {
		memcpy(&word, (const char *)record + at, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3u;
		hash ^= hash >> 29;
	}
	return hash;
}

static bool is_sane(int64_t ns)
{
	return ns >= -SANE_NS && ns <= SANE_NS;
}

static bool is_whole(const struct entity_record *record)
{
	return record->magic == ENTITY_RECORD_MAGIC && record->version == ENTITY_RECORD_VERSION &&
	       record->check == check_of(record) && is_sane(record->lag_ns) && is_sane(record->deferred_ns) &&
	       is_sane(record->tokens_ns) && is_sane(record->budget_left_ns) && is_sane(record->reserved_ns);
}

void entity_record_save(struct entity_record copies[2], const struct entity_record *record)
{
	const struct entity_record *last = entity_record_load(copies);
	struct entity_record next = *record;

	next.magic = ENTITY_RECORD_MAGIC;
	next.version = ENTITY_RECORD_VERSION;
	next.turn = last ? last->turn + 1 : 0;
	next.check = check_of(&next);
	struct entity_record *into = last == &copies[0] ? &copies[1] : &copies[0];
	into->check = ~next.check;	/* not whole while the rest is written */
	atomic_signal_fence(memory_order_seq_cst);	/* death is of this process: the compiler's order is what counts */
	memcpy(into, &next, offsetof(struct entity_record, check));
	atomic_signal_fence(memory_order_seq_cst);
	into->check = next.check;
}

const struct entity_record *entity_record_load(const struct entity_record copies[2])
{
	bool first = is_whole(&copies[0]), second = is_whole(&copies[1]);

	if (first && second)
		return copies[0].turn > copies[1].turn ? &copies[0] : &copies[1];
	return first ? &copies[0] : second ? &copies[1] : NULL;
}
