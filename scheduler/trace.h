/* SPDX-License-Identifier: MIT */
/*
 * A bounded ring of what a scheduler did: the newest events stay, and how many were lost is known.
 *
 * One writer, and readers under the writer's lock. The memory is the caller's; nothing here asks for any. Events are fixed-layout, so that
 * a ring can be copied out as it is.
 */
#ifndef VGPU_SCHEDULER_TRACE_H
#define VGPU_SCHEDULER_TRACE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum trace_kind {
	TRACE_WANT = 1,		/* kernel_id: what it would start first */
	TRACE_GRANT = 2,	/* value: the deadline, 0 = open */
	TRACE_RELEASE = 3,	/* value: since the grant */
	TRACE_OVERRUN = 4,	/* value: since the deadline */
	TRACE_KERNEL = 5,	/* value: how long it ran; kernel_id names it */
	TRACE_SQUAT = 6,	/* value: processor time used without a lease, for which it was stopped */
	TRACE_HANG = 7,		/* value: how long one command had the lease */
	TRACE_ENGINE = 8,	/* an engine had part in the lease since it was last looked at; value: how long it was busy; kernel_id: how
				 * many kernels it began */
};

struct trace_event {
	uint64_t at_ns;
	uint64_t value;
	uint64_t kernel_id;
	uint32_t entity;	/* the caller's number of it */
	uint16_t kind;		/* enum trace_kind */
	uint16_t engine;	/* TRACE_ENGINE: the caller's number of it; else 0 */
};
static_assert(sizeof(struct trace_event) == 32, "copied out as it is");

struct trace {
	struct trace_event *events;	/* borrowed */
	size_t capacity;		/* a power of two */
	uint64_t written;		/* since the beginning */
};

/* capacity: a power of two. */
void trace_init(struct trace *trace, struct trace_event *events, size_t capacity);
void trace_add(struct trace *trace, const struct trace_event *event);
/*
 * Copies up to `most` events from number *next on, oldest first, and moves *next behind them. Events that were overwritten before
 * they could be read are passed over and counted in *ret_lost. Returns how many were copied.
 */
size_t trace_read(const struct trace *trace, uint64_t *next, struct trace_event *ret_events, size_t most, uint64_t *ret_lost);

#endif
