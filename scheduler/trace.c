/* SPDX-License-Identifier: MIT */
#include "scheduler/trace.h"

void trace_init(struct trace *trace, struct trace_event *events, size_t capacity)
{
	assert(capacity && !(capacity & (capacity - 1)));
	*trace = (struct trace){.events = events, .capacity = capacity};
}

void trace_add(struct trace *trace, const struct trace_event *event)
{
	trace->events[trace->written++ & (trace->capacity - 1)] = *event;
}

size_t trace_read(const struct trace *trace, uint64_t *next, struct trace_event *ret_events, size_t most, uint64_t *ret_lost)
{
	uint64_t oldest = trace->written > trace->capacity ? trace->written - trace->capacity : 0;
	size_t count = 0;

	*ret_lost = 0;
	if (*next > trace->written)	/* a number of another ring: from the beginning */
		*next = 0;
	if (*next < oldest) {
		*ret_lost = oldest - *next;
		*next = oldest;
	}
	while (count < most && *next < trace->written)
		ret_events[count++] = trace->events[(*next)++ & (trace->capacity - 1)];
	return count;
}
