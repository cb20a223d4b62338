/* SPDX-License-Identifier: MIT */
/*
 * What one run queue did lately (scheduler/trace.h), with the names of the vGPUs that its events number.
 *
 * A vGPU that is removed keeps its name here for as long as an event of it can still be read. No lock of its own: the caller's holds over
 * everything here; what is read is copied out under it and turned into JSON without it.
 */
#ifndef VGPU_MDEV_LEASE_TRACE_H
#define VGPU_MDEV_LEASE_TRACE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "scheduler/entity.h"
#include "scheduler/lease.h"
#include "scheduler/run_queue.h"
#include "scheduler/trace.h"

#define LEASE_TRACE_EVENTS 65536u	/* 2 MiB for each run queue */
#define LEASE_TRACE_PAGE_MOST 8192u
#define LEASE_TRACE_PAGE_DEFAULT 2048u
#define LEASE_TRACE_NAME_BYTES 128u
#define LEASE_TRACE_UUID_BYTES 37u

struct lease_trace;

/* capacity: a power of two. NULL without memory. */
struct lease_trace *lease_trace_create(size_t capacity, uint64_t now_ns);
void lease_trace_destroy(struct lease_trace *trace);	/* accepts NULL */

/* A vGPU joins: returns its number, from 1; 0 without memory, then its events are left out. name is copied. */
uint32_t lease_trace_join(struct lease_trace *trace, const char *name);
void lease_trace_identify(struct lease_trace *trace, uint32_t number, const char *uuid);
/* It leaves; settings are its last ones. */
void lease_trace_leave(struct lease_trace *trace, uint32_t number, const struct entity_settings *settings);

/* Adds one event. */
void lease_trace_note(struct lease_trace *trace, uint32_t number, enum trace_kind kind, uint64_t value, uint64_t kernel_id,
		      uint64_t now_ns);

/* What an engine's status page said when it was last looked at. */
struct lease_trace_engine {
	uint64_t busy_ns;
	uint64_t kernels;
};
struct lease_trace_engine lease_trace_look(const struct lease_status *status);
/* Adds a TRACE_ENGINE if the engine did anything since it was last looked at. For each engine of a vGPU whose lease ends, and of one that
 * holds a lease when somebody reads the trace: an open lease may not end for hours. */
void lease_trace_engine(struct lease_trace *trace, uint32_t number, uint32_t slot, uint32_t context, const struct lease_status *status,
			struct lease_trace_engine *seen, uint64_t now_ns);

/* Whether it holds a lease, as far as was noted. */
bool lease_trace_holds(const struct lease_trace *trace, uint32_t number);

/* A member as a page names it. */
struct lease_trace_member {
	uint32_t number;
	bool gone;			/* it was removed */
	char uuid[LEASE_TRACE_UUID_BYTES];	/* "" = not known */
	char name[LEASE_TRACE_NAME_BYTES];
	struct entity_settings settings;
	uint64_t held_since_ns;		/* its lease's beginning; 0 = it holds none */
	uint64_t deadline_ns;		/* of that lease; 0 = open */
	uint64_t events_until;		/* number behind its last event */
};

struct lease_trace_page {
	uint64_t next;			/* to be given as `after` for what follows */
	uint64_t last;			/* number of the newest event there is */
	uint64_t lost;			/* events behind `after` that were overwritten before they could be read */
	uint64_t began_ns;		/* of this ring: another one means another vgpud, and other numbers */
	uint64_t now_ns, realtime_ns;	/* the same instant on both clocks */
	struct run_queue_settings queue;
	bool freezes;			/* work is stopped where it stands; else between its chunks */
	size_t count;
	size_t member_count;
	struct lease_trace_member *members;
	struct trace_event events[];
};

/* Room for a page of most events, 1 to LEASE_TRACE_PAGE_MOST. NULL without memory. Before the lock is taken. */
struct lease_trace_page *lease_trace_page_create(size_t most);
void lease_trace_page_destroy(struct lease_trace_page *page);	/* accepts NULL */
/* Copies the events behind number `after` (the first ever has 1), and all members. Settings of those still there are the caller's to fill
 * in. 0 or -ENOMEM. */
int lease_trace_read(const struct lease_trace *trace, uint64_t after, size_t most, struct lease_trace_page *page);

/* The answer of GET /v1/gpus/{id}/trace. NULL without memory. */
json_t *lease_trace_json(const struct lease_trace_page *page);

#endif
