/* SPDX-License-Identifier: MIT */
/*
 * An exhaustive search of the states of a model, breadth first: every state that can be reached is looked at once.
 *
 * A state is 128 bits that the model packs. Two kinds of steps: what the system does by itself, and what happens to it (a death,
 * new work). The search shows
 *  - safety: no state that can be reached is wrong;
 *  - progress: from every state there is a way, by the system's own steps alone, to where what is hoped for has come. The graph is
 *    finite, so a run that goes on and is fair (takes each step that it could take again and again) comes there.
 * What it finds is printed as the shortest way there, step by step.
 */
#ifndef VGPU_TESTS_STATE_SEARCH_H
#define VGPU_TESTS_STATE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state_key {
	uint64_t half[2];
};

struct state_search;

/* From a model's successors: one step, named by label. happens: not of the system's own doing. */
void state_search_step(struct state_search *search, const struct state_key *to, uint32_t label, bool happens);

struct state_model {
	/* Calls state_search_step for each step that is possible. */
	void (*successors)(struct state_search *search, const struct state_key *from, void *data);
	/* NULL, or what is wrong with this state. */
	const char *(*wrong)(const struct state_key *state, void *data);
	/* One bit per hope: set where it is fulfilled, or nothing is hoped for. hopes: the bits there are. */
	uint8_t (*fulfilled)(const struct state_key *state, void *data);
	uint8_t hopes;
	void (*print_step)(uint32_t label, const struct state_key *to, void *data);
	void *data;
};

enum state_verdict {
	STATES_HOLD,
	STATES_WRONG,		/* a wrong state can be reached */
	STATES_HOPELESS,	/* somebody hopes for what cannot come any more */
	STATES_TOO_MANY,	/* more than state_max, or no memory */
};

struct state_result {
	enum state_verdict verdict;
	size_t states, steps, depth;
};

/* print: a state found wrong or hopeless is printed with the way to it. */
struct state_result state_search_run(const struct state_model *model, const struct state_key *first, size_t state_max, bool print);

#endif
