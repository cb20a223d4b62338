/* SPDX-License-Identifier: MIT */
/*
 * A trace of a GPU's scheduler as collected from the service page by page, and what can be told of it: leases, waits, kernels.
 *
 * The service's answers are checked once, here; what comes out has known kinds and members.
 */
#ifndef VGPU_TOOLS_VGPU_ADMIN_TRACE_EVENTS_H
#define VGPU_TOOLS_VGPU_ADMIN_TRACE_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scheduler/run_queue.h"
#include "scheduler/trace.h"

#define TRACE_LOST 0	/* a kind of its own: value events were lost here */
#define TRACE_EVENTS_MOST 4000000u	/* 128 MiB */

struct trace_member {
	uint32_t number;
	bool gone;
	char uuid[40];		/* "" = not known */
	char name[128];
	struct entity_settings settings;
	uint64_t held_since_ns;	/* when the trace ended; 0 = no lease was held */
	uint64_t deadline_ns;
};

struct trace_events {
	char gpu[64];
	uint64_t begin_ns, end_ns;	/* what it covers, CLOCK_MONOTONIC */
	uint64_t realtime_ns;		/* of end_ns */
	uint64_t lost;			/* while it was collected */
	uint64_t overwritten;		/* before it was collected: older than the ring */
	uint64_t next, ring_began_ns;	/* for the page that follows */
	struct run_queue_settings queue;
	bool freezes;
	struct trace_event *events;	/* by their order; at_ns may go back by a little between vGPUs */
	size_t count, capacity;
	struct trace_member *members;
	size_t member_count;
};

void trace_events_init(struct trace_events *events, const char *gpu);
void trace_events_finish(struct trace_events *events);
/* Adds a page. 0, -ENOMEM, -E2BIG (TRACE_EVENTS_MOST are there), or -EPROTO: not what vgpud would answer. */
int trace_events_add(struct trace_events *events, const json_t *page);
/* Position of the member with this number, or SIZE_MAX. */
size_t trace_events_member(const struct trace_events *events, uint32_t number);

enum trace_span_kind { SPAN_LEASE, SPAN_WAIT, SPAN_KERNEL, SPAN_ENGINE };

/* Something that lasted. */
struct trace_span {
	enum trace_span_kind kind;
	size_t member;
	uint64_t from_ns, to_ns;	/* to_ns >= from_ns; those of one member, kind and engine never overlap */
	uint64_t deadline_ns;		/* LEASE: 0 = open, or not known */
	bool is_open;			/* LEASE, or the lease of ENGINE: known to have no deadline when it was granted */
	bool overran;			/* LEASE: the service noted an overrun */
	bool is_cut;			/* the trace has only its beginning or its end */
	uint64_t kernel_id;		/* KERNEL */
	uint32_t engine;		/* ENGINE: slot * 64 + context */
	uint64_t busy_ns, kernels;	/* ENGINE */
};

/* All spans, in the order of their ends. 0 with *ret_spans the caller's to free, or -ENOMEM. */
int trace_events_spans(const struct trace_events *events, struct trace_span **ret_spans, size_t *ret_count);

#endif
