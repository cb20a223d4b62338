/* SPDX-License-Identifier: MIT */
#include "tests/scheduler/state_search.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NOWHERE UINT32_MAX
#define FIRST_LOOK 65536u	/* at so many states it is looked whether hopes are lost already, and at each four times as many */
#define STEPS_MAX 64u	/* of one state */

struct state_search {
	const struct state_model *model;
	struct state_key *states;	/* in the order they were found */
	uint32_t *parents;
	uint64_t *own_first;		/* of state i: its own steps are own[own_first[i]] to own[own_first[i + 1]] */
	uint32_t *own;
	uint32_t *table;		/* of numbers of states, by hash */
	size_t count, looked_at, state_max, own_count, own_max, table_size, steps;
	uint32_t from;
	bool is_full;
	struct found {	/* the steps of the state that is looked at */
		struct state_key to;
		size_t hash;
		bool happens;
	} found[STEPS_MAX];
	size_t found_count;
	/* Looking for one step again, to name it. */
	const struct state_key *sought;
	uint32_t sought_label;
};

/* Pages come as they are touched; what is not needed costs nothing. */
static void *reserve(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static void release(void *at, size_t bytes)
{
	if (at)
		munmap(at, bytes);
}

static size_t hash_of(const struct state_key *key)
{
	uint64_t h = (key->half[0] ^ (key->half[1] << 32 | key->half[1] >> 32)) * 0x9e3779b97f4a7c15ull;

	h = (h ^ (h >> 29) ^ key->half[1]) * 0xbf58476d1ce4e5b9ull;
	return (size_t)(h ^ (h >> 32));
}

static bool table_grow(struct state_search *search)
{
	size_t size = search->table_size ? search->table_size * 2 : 1u << 16;
	uint32_t *table = reserve(size * sizeof(*table));

	if (!table)
		return false;
	memset(table, 0xff, size * sizeof(*table));
	for (size_t i = 0; i < search->count; i++) {
		size_t at = hash_of(&search->states[i]) & (size - 1);
		while (table[at] != NOWHERE)
			at = (at + 1) & (size - 1);
		table[at] = (uint32_t)i;
	}
	release(search->table, search->table_size * sizeof(*table));
	search->table = table;
	search->table_size = size;
	return true;
}

/* The number of a state, given now if it is new. NOWHERE: there is no room. */
static uint32_t number_of(struct state_search *search, const struct state_key *key, size_t hash)
{
	if (search->count * 2 >= search->table_size && !table_grow(search))
		return NOWHERE;
	size_t at = hash & (search->table_size - 1);
	while (search->table[at] != NOWHERE) {
		const struct state_key *there = &search->states[search->table[at]];
		if (there->half[0] == key->half[0] && there->half[1] == key->half[1])
			return search->table[at];
		at = (at + 1) & (search->table_size - 1);
	}
	if (search->count == search->state_max)
		return NOWHERE;
	search->states[search->count] = *key;
	search->parents[search->count] = search->from;
	search->table[at] = (uint32_t)search->count;
	return (uint32_t)search->count++;
}

void state_search_step(struct state_search *search, const struct state_key *to, uint32_t label, bool happens)
{
	if (search->sought) {
		if (to->half[0] == search->sought->half[0] && to->half[1] == search->sought->half[1])
			search->sought_label = label;
		return;
	}
	assert(search->found_count < STEPS_MAX);
	struct found *found = &search->found[search->found_count++];
	*found = (struct found){.to = *to, .hash = hash_of(to), .happens = happens};
	__builtin_prefetch(&search->table[found->hash & (search->table_size - 1)]);
}

/* All steps of one state together: memory is what this waits for, so it is asked for all of them first. */
static void take_in(struct state_search *search)
{
	for (size_t i = 0; i < search->found_count; i++) {
		uint32_t there = search->table[search->found[i].hash & (search->table_size - 1)];
		if (there != NOWHERE)
			__builtin_prefetch(&search->states[there]);
	}
	for (size_t i = 0; i < search->found_count; i++) {
		const struct found *found = &search->found[i];
		uint32_t number = number_of(search, &found->to, found->hash);
		if (number == NOWHERE || (!found->happens && search->own_count == search->own_max)) {
			search->is_full = true;
			break;
		}
		search->steps++;
		if (!found->happens && number != search->from)
			search->own[search->own_count++] = number;
	}
	search->found_count = 0;
}

static void print_way(struct state_search *search, uint32_t to)
{
	size_t length = 0;
	uint32_t at = to;

	while (search->parents[at] != NOWHERE) {
		at = search->parents[at];
		length++;
	}
	uint32_t *way = malloc((length + 1) * sizeof(*way));
	if (!way)
		return;
	at = to;
	for (size_t i = length + 1; i--; at = search->parents[at])
		way[i] = at;
	for (size_t i = 1; i <= length; i++) {
		search->sought = &search->states[way[i]];
		search->model->successors(search, &search->states[way[i - 1]], search->model->data);
		search->model->print_step(search->sought_label, search->sought, search->model->data);
	}
	search->sought = NULL;
	free(way);
}

/* How far back from each state its distance is, is not kept: the depth is that of the last one found. */
static size_t depth_of(const struct state_search *search, uint32_t at)
{
	size_t depth = 0;

	for (; search->parents[at] != NOWHERE; at = search->parents[at])
		depth++;
	return depth;
}

/* The hopes that can still come true, per state: those fulfilled there and those of the states its own steps lead to, until nothing
 * changes. Later states are mostly further on, so looking from the end is quick. Where the search has not been yet, all may come true:
 * so what is lost halfway is lost. */
static uint32_t find_hopeless(struct state_search *search, uint8_t *hope, uint8_t *ret_lost)
{
	const struct state_model *model = search->model;
	bool changed = true;

	for (size_t i = 0; i < search->count; i++)
		hope[i] = i < search->looked_at ? model->fulfilled(&search->states[i], model->data) : model->hopes;
	while (changed) {
		changed = false;
		for (size_t i = search->looked_at; i--;) {
			uint8_t now = hope[i];
			for (uint64_t k = search->own_first[i]; k < search->own_first[i + 1]; k++)
				now |= hope[search->own[k]];
			changed |= now != hope[i];
			hope[i] = now;
		}
	}
	for (size_t i = 0; i < search->looked_at; i++) {
		*ret_lost = (uint8_t)(model->hopes & ~hope[i]);
		if (*ret_lost)
			return (uint32_t)i;
	}
	return NOWHERE;
}

/* True if somebody hopes for what cannot come. */
static bool is_hopeless(struct state_search *search, uint8_t *hope, struct state_result *result, bool print)
{
	uint8_t lost = 0;
	uint32_t at = find_hopeless(search, hope, &lost);

	if (at == NOWHERE)
		return false;
	result->verdict = STATES_HOPELESS;
	result->depth = depth_of(search, at);
	if (print) {
		printf("# hope %#x is lost after %zu steps:\n", lost, result->depth);
		print_way(search, at);
	}
	return true;
}

static void explore(struct state_search *search, uint8_t *hope, struct state_result *result, bool print)
{
	size_t look_at = FIRST_LOOK;

	const struct state_model *model = search->model;

	for (size_t i = 0; i < search->count; i++) {
		struct state_key key = search->states[i];
		const char *wrong = model->wrong(&key, model->data);
		if (wrong) {
			result->verdict = STATES_WRONG;
			result->depth = depth_of(search, (uint32_t)i);
			if (print) {
				printf("# wrong: %s, after %zu steps:\n", wrong, result->depth);
				print_way(search, (uint32_t)i);
			}
			return;
		}
		search->from = (uint32_t)i;
		search->own_first[i] = search->own_count;
		model->successors(search, &key, model->data);
		take_in(search);
		search->own_first[i + 1] = search->own_count;
		if (search->is_full) {
			result->verdict = STATES_TOO_MANY;
			return;
		}
		search->looked_at = i + 1;
		if (search->looked_at == look_at) {
			if (is_hopeless(search, hope, result, print))
				return;
			look_at *= 4;
		}
	}
	if (!is_hopeless(search, hope, result, print))
		result->depth = depth_of(search, (uint32_t)search->count - 1);
}

struct state_result state_search_run(const struct state_model *model, const struct state_key *first, size_t state_max, bool print)
{
	struct state_search search = {.model = model, .state_max = state_max, .own_max = state_max * 6, .from = NOWHERE};
	struct state_result result = {.verdict = STATES_HOLD};
	uint8_t *hope = reserve(state_max);

	search.states = reserve(state_max * sizeof(*search.states));
	search.parents = reserve(state_max * sizeof(*search.parents));
	search.own_first = reserve((state_max + 1) * sizeof(*search.own_first));
	search.own = reserve(search.own_max * sizeof(*search.own));
	if (!hope || !search.states || !search.parents || !search.own_first || !search.own || number_of(&search, first, hash_of(first)) == NOWHERE)
		result.verdict = STATES_TOO_MANY;
	else
		explore(&search, hope, &result, print);
	result.states = search.count;
	result.steps = search.steps;
	release(hope, state_max);
	release(search.states, state_max * sizeof(*search.states));
	release(search.parents, state_max * sizeof(*search.parents));
	release(search.own_first, (state_max + 1) * sizeof(*search.own_first));
	release(search.own, search.own_max * sizeof(*search.own));
	release(search.table, search.table_size * sizeof(*search.table));
	return result;
}
