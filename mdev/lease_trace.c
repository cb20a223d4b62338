/* SPDX-License-Identifier: MIT */
#include "mdev/lease_trace.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mdev/keeper/keeper_protocol.h"

/* An engine's number in an event is slot * KEEPER_CONTEXT_MAX + context. */
static_assert(KEEPER_SLOT_MAX * KEEPER_CONTEXT_MAX <= UINT16_MAX, "struct trace_event.engine");

struct lease_trace {
	struct trace ring;
	uint64_t began_ns;
	uint32_t last_number;
	struct lease_trace_member *members;
	size_t count, capacity;
	struct trace_event events[];
};

struct lease_trace *lease_trace_create(size_t capacity, uint64_t now_ns)
{
	struct lease_trace *trace = calloc(1, sizeof(*trace) + capacity * sizeof(trace->events[0]));

	if (!trace)
		return NULL;
	trace_init(&trace->ring, trace->events, capacity);
	trace->began_ns = now_ns;
	return trace;
}

void lease_trace_destroy(struct lease_trace *trace)
{
	if (!trace)
		return;
	free(trace->members);
	free(trace);
}

static struct lease_trace_member *member_of(const struct lease_trace *trace, uint32_t number)
{
	for (size_t i = 0; i < trace->count; i++)
		if (trace->members[i].number == number)
			return &trace->members[i];
	return NULL;
}

/* Forgets who is gone and in no event any more. Done when somebody joins, so that the table is bounded by who is there and the ring. */
static void forget(struct lease_trace *trace)
{
	size_t kept = 0;

	for (size_t i = 0; i < trace->count; i++) {
		const struct lease_trace_member *member = &trace->members[i];
		if (!member->gone || member->events_until + trace->ring.capacity > trace->ring.written)
			trace->members[kept++] = *member;
	}
	trace->count = kept;
}

uint32_t lease_trace_join(struct lease_trace *trace, const char *name)
{
	forget(trace);
	if (trace->count == trace->capacity) {
		size_t capacity = trace->capacity ? trace->capacity * 2 : 8;
		void *grown = reallocarray(trace->members, capacity, sizeof(*trace->members));
		if (!grown)
			return 0;
		trace->members = grown;
		trace->capacity = capacity;
	}
	struct lease_trace_member *member = &trace->members[trace->count++];
	*member = (struct lease_trace_member){.number = ++trace->last_number, .settings = entity_defaults(), .events_until = trace->ring.written};
	snprintf(member->name, sizeof(member->name), "%s", name);
	return member->number;
}

void lease_trace_identify(struct lease_trace *trace, uint32_t number, const char *uuid)
{
	struct lease_trace_member *member = member_of(trace, number);

	if (member)
		snprintf(member->uuid, sizeof(member->uuid), "%s", uuid);
}

void lease_trace_leave(struct lease_trace *trace, uint32_t number, const struct entity_settings *settings)
{
	struct lease_trace_member *member = member_of(trace, number);

	if (!member)
		return;
	member->gone = true;
	member->settings = *settings;
	member->held_since_ns = 0;
}

static void add(struct lease_trace *trace, struct lease_trace_member *member, const struct trace_event *event)
{
	trace_add(&trace->ring, event);
	member->events_until = trace->ring.written;
}

void lease_trace_note(struct lease_trace *trace, uint32_t number, enum trace_kind kind, uint64_t value, uint64_t kernel_id,
		      uint64_t now_ns)
{
	struct lease_trace_member *member = member_of(trace, number);

	if (!member)
		return;
	if (kind == TRACE_GRANT) {
		member->held_since_ns = now_ns;
		member->deadline_ns = value;
	} else if (kind == TRACE_RELEASE) {
		member->held_since_ns = 0;
	}
	add(trace, member, &(struct trace_event){.at_ns = now_ns, .kind = (uint16_t)kind, .value = value, .kernel_id = kernel_id,
						 .entity = number});
}

struct lease_trace_engine lease_trace_look(const struct lease_status *status)
{
	return (struct lease_trace_engine){
		.busy_ns = atomic_load_explicit(&status->busy_ns, memory_order_relaxed),
		.kernels = atomic_load_explicit(&status->kernels, memory_order_relaxed),
	};
}

void lease_trace_engine(struct lease_trace *trace, uint32_t number, uint32_t slot, uint32_t context, const struct lease_status *status,
			struct lease_trace_engine *seen, uint64_t now_ns)
{
	struct lease_trace_member *member = member_of(trace, number);
	struct lease_trace_engine now = lease_trace_look(status);
	/* The page is the engine's word: a count that went back is none. */
	uint64_t busy_ns = now.busy_ns > seen->busy_ns ? now.busy_ns - seen->busy_ns : 0;
	uint64_t kernels = now.kernels > seen->kernels ? now.kernels - seen->kernels : 0;

	*seen = now;
	/* Stopped in the middle of a kernel, an engine has had part without a count to show it. */
	if (!member || (!busy_ns && !kernels && atomic_load(&status->state) != LEASE_RUN))
		return;
	add(trace, member, &(struct trace_event){.at_ns = now_ns, .kind = TRACE_ENGINE, .value = busy_ns, .kernel_id = kernels,
						 .entity = number, .engine = (uint16_t)(slot * KEEPER_CONTEXT_MAX + context)});
}

bool lease_trace_holds(const struct lease_trace *trace, uint32_t number)
{
	const struct lease_trace_member *member = member_of(trace, number);

	return member && member->held_since_ns;
}

struct lease_trace_page *lease_trace_page_create(size_t most)
{
	return calloc(1, sizeof(struct lease_trace_page) + most * sizeof(struct trace_event));
}

void lease_trace_page_destroy(struct lease_trace_page *page)
{
	if (!page)
		return;
	free(page->members);
	free(page);
}

int lease_trace_read(const struct lease_trace *trace, uint64_t after, size_t most, struct lease_trace_page *page)
{
	page->members = calloc(trace->count + 1, sizeof(*page->members));
	if (!page->members)
		return -ENOMEM;
	if (trace->count)
		memcpy(page->members, trace->members, trace->count * sizeof(*page->members));
	page->member_count = trace->count;
	page->began_ns = trace->began_ns;
	page->last = trace->ring.written;
	page->next = after;
	page->count = trace_read(&trace->ring, &page->next, page->events, most, &page->lost);
	return 0;
}

/* ---- as JSON ------------------------------------------------------------------------------------------ */

static const char *const kinds[] = {
	[TRACE_WANT] = "want", [TRACE_GRANT] = "grant", [TRACE_RELEASE] = "release", [TRACE_OVERRUN] = "overrun",
	[TRACE_KERNEL] = "kernel", [TRACE_SQUAT] = "squat", [TRACE_HANG] = "hang", [TRACE_ENGINE] = "engine",
};

/* An engine's own word may be anything; what JSON readers cannot hold is cut off. */
static json_t *number_json(uint64_t number)
{
	return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

/* A kernel's id has all 64 bits, which many readers of JSON numbers do not keep. */
static json_t *kernel_json(uint64_t kernel_id)
{
	return kernel_id ? json_sprintf("%016llx", (unsigned long long)kernel_id) : json_null();
}

static json_t *event_json(const struct trace_event *event)
{
	if (event->kind == TRACE_ENGINE)
		return json_pack("{so ss sI so so si si}", "at_ns", number_json(event->at_ns), "kind", kinds[event->kind], "vgpu",
				 (json_int_t)event->entity, "value_ns", number_json(event->value), "kernels", number_json(event->kernel_id),
				 "slot", (int)(event->engine / KEEPER_CONTEXT_MAX), "context", (int)(event->engine % KEEPER_CONTEXT_MAX));
	return json_pack("{so ss sI so so}", "at_ns", number_json(event->at_ns), "kind", kinds[event->kind], "vgpu", (json_int_t)event->entity,
			 "value_ns", event->kind == TRACE_WANT ? json_null() : number_json(event->value), "kernel", kernel_json(event->kernel_id));
}

static const char *class_word(uint32_t class)
{
	return class == ENTITY_REALTIME ? "realtime" : class == ENTITY_IDLE ? "idle" : "normal";
}

static json_t *member_json(const struct lease_trace_member *member)
{
	const struct entity_settings *settings = &member->settings;
	json_t *uuid = member->uuid[0] ? json_string(member->uuid) : json_null();

	return json_pack("{sI so ss sb so so sI ss sI sI so so so so}", "number", (json_int_t)member->number, "uuid", uuid, "name", member->name,
			 "gone", (int)member->gone, "held_since_ns", member->held_since_ns ? number_json(member->held_since_ns) : json_null(),
			 "deadline_ns", member->held_since_ns ? number_json(member->deadline_ns) : json_null(),
			 "weight", (json_int_t)settings->weight, "class", class_word(settings->class),
			 "cap_ppm", (json_int_t)settings->cap_ppm, "reservation_ppm", (json_int_t)settings->reservation_ppm,
			 "burst_ns", number_json(settings->burst_ns), "budget_ns", number_json(settings->budget_ns),
			 "period_ns", number_json(settings->period_ns), "slice_ns", number_json(settings->slice_ns));
}

static json_t *queue_json(const struct lease_trace_page *page)
{
	static const char *const policies[] = {"best-effort", "equal-share", "fixed-share", "adaptive"};
	const struct run_queue_settings *queue = &page->queue;

	return json_pack("{ss ss sI sI sI so so so so so sI so}", "policy", policies[queue->policy & 3], "preemption",
			 page->freezes ? "freeze" : "chunks", "leases", (json_int_t)queue->leases, "slots", (json_int_t)queue->slots,
			 "averaging", (json_int_t)queue->averaging, "slice_ns", number_json(queue->slice_ns),
			 "target_latency_ns", number_json(queue->target_latency_ns), "slice_min_ns", number_json(queue->slice_min_ns),
			 "slice_max_ns", number_json(queue->slice_max_ns), "switch_cost_ns", number_json(queue->switch_cost_ns),
			 "switch_ppm", (json_int_t)queue->switch_ppm, "chunk_ns", number_json(queue->chunk_ns));
}

json_t *lease_trace_json(const struct lease_trace_page *page)
{
	json_t *events = json_array(), *members = json_array();

	/* Appending NULL fails: what cannot be made shows as a shorter list. */
	for (size_t i = 0; i < page->count; i++)
		json_array_append_new(events, event_json(&page->events[i]));
	for (size_t i = 0; i < page->member_count; i++)
		json_array_append_new(members, member_json(&page->members[i]));
	if (json_array_size(events) != page->count || json_array_size(members) != page->member_count) {
		json_decref(events);
		json_decref(members);
		return NULL;
	}
	return json_pack("{so so so so so s{so so} so so}", "events", events, "next", number_json(page->next), "last", number_json(page->last),
			 "lost", number_json(page->lost), "began_ns", number_json(page->began_ns), "clock", "monotonic_ns",
			 number_json(page->now_ns), "realtime_ns", number_json(page->realtime_ns), "queue", queue_json(page), "vgpus", members);
}
