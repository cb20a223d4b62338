/* SPDX-License-Identifier: MIT */
#include "tools/vgpu-admin/trace_events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXTS_OF_SLOT 64u
#define SLOTS 64u

void trace_events_init(struct trace_events *events, const char *gpu)
{
	*events = (struct trace_events){0};
	snprintf(events->gpu, sizeof(events->gpu), "%s", gpu);
}

void trace_events_finish(struct trace_events *events)
{
	free(events->events);
	free(events->members);
}

size_t trace_events_member(const struct trace_events *events, uint32_t number)
{
	for (size_t i = 0; i < events->member_count; i++)
		if (events->members[i].number == number)
			return i;
	return SIZE_MAX;
}

static int append(struct trace_events *events, const struct trace_event *event)
{
	if (events->count == TRACE_EVENTS_MOST)
		return -E2BIG;
	if (events->count == events->capacity) {
		size_t capacity = events->capacity ? events->capacity * 2 : 4096;
		void *grown = reallocarray(events->events, capacity, sizeof(*events->events));
		if (!grown)
			return -ENOMEM;
		events->events = grown;
		events->capacity = capacity;
	}
	events->events[events->count++] = *event;
	return 0;
}

/* ---- a page, read ------------------------------------------------------------------------------------ */

static bool take_number(const json_t *object, const char *name, uint64_t *ret_number)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret_number = (uint64_t)json_integer_value(value);
	return true;
}

/* Absent or null: as 0. */
static uint64_t number_of(const json_t *object, const char *name)
{
	uint64_t number = 0;

	take_number(object, name, &number);
	return number;
}

/* The index of a word among words, or of the first. */
static uint32_t word_of(const json_t *object, const char *name, const char *const *words)
{
	const char *text = json_string_value(json_object_get(object, name));

	for (uint32_t i = 0; text && words[i]; i++)
		if (!strcmp(words[i], text))
			return i;
	return 0;
}

static bool take_event(const struct trace_events *events, const json_t *value, struct trace_event *ret_event)
{
	/* By enum trace_kind; "" stands for a kind of a later vgpud, which is left out. */
	static const char *const kinds[] = {"", "want", "grant", "release", "overrun", "kernel", "squat", "hang", "engine", NULL};
	const char *kernel = json_string_value(json_object_get(value, "kernel"));
	struct trace_event event = {.kind = (uint16_t)word_of(value, "kind", kinds), .value = number_of(value, "value_ns")};
	uint64_t number;

	if (!take_number(value, "at_ns", &event.at_ns) || !take_number(value, "vgpu", &number) || number > UINT32_MAX ||
	    trace_events_member(events, (uint32_t)number) == SIZE_MAX)
		return false;
	event.entity = (uint32_t)number;
	event.kernel_id = kernel ? strtoull(kernel, NULL, 16) : number_of(value, "kernels");
	event.engine = (uint16_t)(number_of(value, "slot") % SLOTS * CONTEXTS_OF_SLOT + number_of(value, "context") % CONTEXTS_OF_SLOT);
	*ret_event = event;
	return true;
}

static bool take_member(const json_t *value, struct trace_member *ret_member)
{
	static const char *const classes[] = {"normal", "realtime", "idle", NULL};
	const char *name = json_string_value(json_object_get(value, "name")), *uuid = json_string_value(json_object_get(value, "uuid"));
	uint64_t number;

	if (!name || !take_number(value, "number", &number) || number > UINT32_MAX)
		return false;
	*ret_member = (struct trace_member){
		.number = (uint32_t)number,
		.gone = json_is_true(json_object_get(value, "gone")),
		.held_since_ns = number_of(value, "held_since_ns"),
		.deadline_ns = number_of(value, "deadline_ns"),
		.settings = {
			.weight = (uint32_t)number_of(value, "weight"),
			.class = word_of(value, "class", classes),
			.cap_ppm = (uint32_t)number_of(value, "cap_ppm"),
			.reservation_ppm = (uint32_t)number_of(value, "reservation_ppm"),
			.burst_ns = number_of(value, "burst_ns"),
			.budget_ns = number_of(value, "budget_ns"),
			.period_ns = number_of(value, "period_ns"),
			.slice_ns = number_of(value, "slice_ns"),
		},
	};
	snprintf(ret_member->name, sizeof(ret_member->name), "%s", name);
	snprintf(ret_member->uuid, sizeof(ret_member->uuid), "%s", uuid ? uuid : "");
	return true;
}

/* Replaces what is known of each member, keeping those that the service has forgotten since. */
static int take_members(struct trace_events *events, const json_t *list)
{
	const json_t *value;
	size_t index;

	json_array_foreach(list, index, value) {
		struct trace_member member;
		if (!take_member(value, &member))
			return -EPROTO;
		size_t at = trace_events_member(events, member.number);
		if (at == SIZE_MAX) {
			void *grown = reallocarray(events->members, events->member_count + 1, sizeof(*events->members));
			if (!grown)
				return -ENOMEM;
			events->members = grown;
			at = events->member_count++;
		}
		events->members[at] = member;
	}
	return 0;
}

static void take_queue(struct trace_events *events, const json_t *value)
{
	static const char *const policies[] = {"best-effort", "equal-share", "fixed-share", "adaptive", NULL};
	static const char *const preemptions[] = {"chunks", "freeze", NULL};

	events->freezes = word_of(value, "preemption", preemptions) == 1;
	events->queue = (struct run_queue_settings){
		.policy = word_of(value, "policy", policies),
		.leases = (uint32_t)number_of(value, "leases"),
		.slots = (uint32_t)number_of(value, "slots"),
		.averaging = (uint32_t)number_of(value, "averaging"),
		.slice_ns = number_of(value, "slice_ns"),
		.target_latency_ns = number_of(value, "target_latency_ns"),
		.slice_min_ns = number_of(value, "slice_min_ns"),
		.slice_max_ns = number_of(value, "slice_max_ns"),
		.switch_cost_ns = number_of(value, "switch_cost_ns"),
		.switch_ppm = (uint32_t)number_of(value, "switch_ppm"),
		.chunk_ns = number_of(value, "chunk_ns"),
	};
}

int trace_events_add(struct trace_events *events, const json_t *page)
{
	const json_t *clock = json_object_get(page, "clock"), *list = json_object_get(page, "events"), *value;
	uint64_t next, lost, began_ns, now_ns, realtime_ns;
	size_t index;

	if (!take_number(page, "next", &next) || !take_number(page, "lost", &lost) || !take_number(page, "began_ns", &began_ns) ||
	    !take_number(clock, "monotonic_ns", &now_ns) || !take_number(clock, "realtime_ns", &realtime_ns) || !json_is_array(list) ||
	    !json_is_array(json_object_get(page, "vgpus")))
		return -EPROTO;
	int error = take_members(events, json_object_get(page, "vgpus"));
	if (error)
		return error;
	take_queue(events, json_object_get(page, "queue"));
	bool is_first = !events->ring_began_ns;
	if (is_first)
		events->overwritten = lost;
	else
		events->lost += lost;
	uint64_t known_until_ns = events->count ? events->events[events->count - 1].at_ns : events->begin_ns;
	json_array_foreach(list, index, value) {
		struct trace_event event;
		if (!take_event(events, value, &event))
			return -EPROTO;
		if (!index && lost && !is_first)
			error = append(events, &(struct trace_event){.at_ns = known_until_ns, .kind = TRACE_LOST, .value = lost});
		if (!error && event.kind)
			error = append(events, &event);
		if (error)
			return error;
		if (!events->begin_ns)
			events->begin_ns = event.at_ns;
	}
	events->next = next;
	events->ring_began_ns = began_ns;
	events->end_ns = now_ns;
	events->realtime_ns = realtime_ns;
	if (!events->begin_ns)
		events->begin_ns = now_ns;
	return 0;
}

/* ---- what lasted ---------------------------------------------------------------------------------------- */

/* What is known of a vGPU while its events are gone through. */
struct progress {
	bool holds;
	bool holds_is_known;		/* of the time before its first event nothing is */
	uint64_t granted_ns, deadline_ns;
	bool overran;
	uint64_t waits_from_ns;		/* if it is granted next; 0 = not known */
	bool wants;			/* it said so, after its last lease */
	uint64_t lease_end_ns;		/* no span before this: they must not overlap */
	uint64_t kernel_end_ns;
};

struct spans {
	struct trace_span *list;
	size_t count, capacity;
	bool failed;
};

static void add(struct spans *spans, const struct trace_span *span)
{
	if (spans->count == spans->capacity) {
		size_t capacity = spans->capacity ? spans->capacity * 2 : 1024;
		void *grown = reallocarray(spans->list, capacity, sizeof(*spans->list));
		if (!grown) {
			spans->failed = true;
			return;
		}
		spans->list = grown;
		spans->capacity = capacity;
	}
	spans->list[spans->count++] = *span;
}

static uint64_t later_ns(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns > b_ns ? a_ns : b_ns;
}

static void end_lease(const struct trace_events *events, struct spans *spans, struct progress *progress, size_t member, uint64_t held_ns,
		      uint64_t at_ns, bool is_cut)
{
	uint64_t from_ns = progress->granted_ns;

	if (!progress->holds) {	/* its grant is not in the trace: it was before */
		from_ns = later_ns(at_ns > held_ns ? at_ns - held_ns : 0, events->begin_ns);
		is_cut = true;
	}
	from_ns = later_ns(from_ns, progress->lease_end_ns);
	at_ns = later_ns(at_ns, from_ns);
	add(spans, &(struct trace_span){.kind = SPAN_LEASE, .member = member, .from_ns = from_ns, .to_ns = at_ns, .is_cut = is_cut,
					.deadline_ns = progress->holds ? progress->deadline_ns : 0,
					.is_open = progress->holds && !progress->deadline_ns, .overran = progress->overran});
	progress->lease_end_ns = at_ns;
	progress->holds = false;
	progress->overran = false;
}

static void grant(struct spans *spans, struct progress *progress, size_t member, const struct trace_event *event)
{
	if (progress->waits_from_ns && event->at_ns >= progress->waits_from_ns)
		add(spans, &(struct trace_span){.kind = SPAN_WAIT, .member = member, .from_ns = progress->waits_from_ns, .to_ns = event->at_ns});
	progress->waits_from_ns = 0;
	progress->wants = false;
	progress->holds = true;
	progress->holds_is_known = true;
	progress->granted_ns = event->at_ns;
	progress->deadline_ns = event->value;
	progress->overran = false;
}

/* It ran until now, and took so long. One that began before the last was done is shown from there on. */
static void kernel(const struct trace_events *events, struct spans *spans, struct progress *progress, size_t member, const struct trace_event *event)
{
	uint64_t from_ns = event->at_ns > event->value ? event->at_ns - event->value : 0;

	bool is_cut = from_ns < events->begin_ns;
	from_ns = later_ns(later_ns(from_ns, events->begin_ns), progress->kernel_end_ns);
	uint64_t to_ns = later_ns(event->at_ns, from_ns);
	add(spans, &(struct trace_span){.kind = SPAN_KERNEL, .member = member, .from_ns = from_ns, .to_ns = to_ns, .kernel_id = event->kernel_id,
					.is_cut = is_cut});
	progress->kernel_end_ns = to_ns;
}

/* Comes before the end of a lease, or while it lasts: it was active from the lease's beginning, or from when it was last looked at. */
static void engine(const struct trace_events *events, struct spans *spans, const struct progress *progress, size_t member,
		   const struct trace_event *event, uint64_t *engine_end_ns)
{
	uint64_t from_ns = progress->holds ? progress->granted_ns : event->at_ns > event->value ? event->at_ns - event->value : 0;

	from_ns = later_ns(later_ns(from_ns, events->begin_ns), later_ns(progress->lease_end_ns, *engine_end_ns));
	uint64_t to_ns = later_ns(event->at_ns, from_ns);
	add(spans, &(struct trace_span){.kind = SPAN_ENGINE, .member = member, .from_ns = from_ns, .to_ns = to_ns, .engine = event->engine,
					.busy_ns = event->value, .kernels = event->kernel_id, .is_cut = !progress->holds,
					.is_open = progress->holds && !progress->deadline_ns});
	*engine_end_ns = to_ns;
}

static void take(const struct trace_events *events, struct spans *spans, struct progress *progress, size_t member,
		 const struct trace_event *event, uint64_t *engine_end_ns)
{
	switch ((enum trace_kind)event->kind) {
	case TRACE_WANT:
		/* Who holds a lease has what it wants. */
		if (!progress->holds) {
			progress->waits_from_ns = event->at_ns;
			progress->wants = true;
		}
		break;
	case TRACE_GRANT:
		/* A second grant without a release: what was before has ended here at the latest. */
		if (progress->holds)
			end_lease(events, spans, progress, member, 0, event->at_ns, false);
		grant(spans, progress, member, event);
		break;
	case TRACE_RELEASE:
		end_lease(events, spans, progress, member, event->value, event->at_ns, false);
		/* A grant without a want before it means that it has waited from here on. */
		progress->waits_from_ns = event->at_ns;
		progress->holds_is_known = true;
		break;
	case TRACE_OVERRUN:
		progress->overran = true;
		break;
	case TRACE_KERNEL:
		kernel(events, spans, progress, member, event);
		break;
	case TRACE_ENGINE:
		engine(events, spans, progress, member, event, engine_end_ns);
		break;
	case TRACE_SQUAT:
	case TRACE_HANG:
		break;
	}
}

/* Where events were lost nothing is known any more: leases end, and begin again with what comes. */
static void forget(const struct trace_events *events, struct spans *spans, struct progress *progress, uint64_t at_ns)
{
	for (size_t i = 0; i < events->member_count; i++) {
		if (progress[i].holds)
			end_lease(events, spans, &progress[i], i, 0, at_ns, true);
		progress[i].waits_from_ns = 0;
		progress[i].wants = false;
		progress[i].holds_is_known = false;
	}
}

int trace_events_spans(const struct trace_events *events, struct trace_span **ret_spans, size_t *ret_count)
{
	struct progress *progress = calloc(events->member_count + 1, sizeof(*progress));
	uint64_t *engine_end_ns = calloc(events->member_count + 1, SLOTS * CONTEXTS_OF_SLOT * sizeof(*engine_end_ns));
	struct spans spans = {0};

	spans.failed = !progress || !engine_end_ns;
	for (size_t i = 0; i < events->count && !spans.failed; i++) {
		const struct trace_event *event = &events->events[i];
		if (event->kind == TRACE_LOST) {
			forget(events, &spans, progress, event->at_ns);
			continue;
		}
		size_t member = trace_events_member(events, event->entity);
		take(events, &spans, &progress[member], member, event, &engine_end_ns[member * SLOTS * CONTEXTS_OF_SLOT + event->engine % (SLOTS * CONTEXTS_OF_SLOT)]);
	}
	/* What is held when the trace ends; of one that was silent all the time the service says so. */
	for (size_t i = 0; i < events->member_count && !spans.failed; i++) {
		const struct trace_member *member = &events->members[i];
		if (!progress[i].holds && !progress[i].holds_is_known && member->held_since_ns) {
			progress[i].holds = true;
			progress[i].granted_ns = later_ns(member->held_since_ns, events->begin_ns);
			progress[i].deadline_ns = member->deadline_ns;
		}
		if (progress[i].holds)
			end_lease(events, &spans, &progress[i], i, 0, events->end_ns, true);
		else if (progress[i].wants && !member->gone)
			add(&spans, &(struct trace_span){.kind = SPAN_WAIT, .member = i, .from_ns = progress[i].waits_from_ns,
							 .to_ns = later_ns(events->end_ns, progress[i].waits_from_ns), .is_cut = true});
	}
	free(progress);
	free(engine_end_ns);
	if (spans.failed) {
		free(spans.list);
		return -ENOMEM;
	}
	*ret_spans = spans.list;
	*ret_count = spans.count;
	return 0;
}
