/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "tools/vgpu-admin/trace_formats.h"

/* Tracks are numbered so that sorting by number groups them by vGPU. */
#define PROCESS 1
#define TRACKS_OF_VGPU 10000u
enum { TRACK_LEASES = 0, TRACK_WAITS = 1, TRACK_KERNELS = 2, TRACK_ENGINES = 10 };
#define CONTEXTS_OF_SLOT 64u

static unsigned long long track_of(size_t member, uint32_t track)
{
	return (unsigned long long)(member + 1) * TRACKS_OF_VGPU + track;
}

static uint32_t track_of_span(const struct trace_span *span)
{
	switch (span->kind) {
	case SPAN_WAIT:
		return TRACK_WAITS;
	case SPAN_KERNEL:
		return TRACK_KERNELS;
	case SPAN_ENGINE:
		return TRACK_ENGINES + span->engine;
	case SPAN_LEASE:
		break;
	}
	return TRACK_LEASES;
}

/* Microseconds, with all nanoseconds. */
static void write_us(FILE *file, const char *key, uint64_t ns)
{
	fprintf(file, "\"%s\": %llu.%03u", key, (unsigned long long)(ns / 1000), (unsigned)(ns % 1000));
}

static void write_text(FILE *file, const char *text)
{
	json_t *string = json_string(text);

	if (string)
		json_dumpf(string, file, JSON_ENCODE_ANY);
	else
		fputs("\"?\"", file);
	json_decref(string);
}

static void write_track(FILE *file, const struct trace_events *events, size_t member, uint32_t track)
{
	static const char *const words[] = {" leases", " waits", " kernels"};
	const struct trace_member *vgpu = &events->members[member];
	unsigned long long number = track_of(member, track);
	char name[256];

	if (track >= TRACK_ENGINES)
		snprintf(name, sizeof(name), "%s engine %u.%u", vgpu->name, (track - TRACK_ENGINES) / CONTEXTS_OF_SLOT,
			 (track - TRACK_ENGINES) % CONTEXTS_OF_SLOT);
	else
		snprintf(name, sizeof(name), "%s%s%s", vgpu->name, words[track], vgpu->gone ? " (removed)" : "");
	fprintf(file, ",\n{\"ph\": \"M\", \"pid\": %d, \"tid\": %llu, \"name\": \"thread_name\", \"args\": {\"name\": ", PROCESS, number);
	write_text(file, name);
	fprintf(file, ", \"uuid\": ");
	write_text(file, vgpu->uuid);
	fprintf(file, "}},\n{\"ph\": \"M\", \"pid\": %d, \"tid\": %llu, \"name\": \"thread_sort_index\", \"args\": {\"sort_index\": %llu}}", PROCESS,
		number, number);
}

static void write_lease(FILE *file, const struct trace_events *events, const struct trace_span *span)
{
	static const char *const classes[] = {"normal", "realtime", "idle"};
	const struct entity_settings *settings = &events->members[span->member].settings;

	fprintf(file, "\"name\": \"%s\", %s\"args\": {\"class\": \"%s\", \"weight\": %u, \"overran\": %s", span->is_open ? "open lease" : "lease",
		span->overran ? "\"cname\": \"terrible\", " : "", classes[settings->class % 3], settings->weight, span->overran ? "true" : "false");
	if (span->deadline_ns) {
		fprintf(file, ", ");
		write_us(file, "deadline_us", span->deadline_ns);
		if (span->to_ns > span->deadline_ns) {
			fprintf(file, ", ");
			write_us(file, "past_deadline_us", span->to_ns - span->deadline_ns);
		}
	}
}

static void write_span(FILE *file, const struct trace_events *events, const struct trace_span *span)
{
	fprintf(file, ",\n{\"ph\": \"X\", \"pid\": %d, \"tid\": %llu, ", PROCESS, track_of(span->member, track_of_span(span)));
	write_us(file, "ts", span->from_ns);
	fputs(", ", file);
	write_us(file, "dur", span->to_ns - span->from_ns);
	fputs(", ", file);
	switch (span->kind) {
	case SPAN_LEASE:
		write_lease(file, events, span);
		break;
	case SPAN_WAIT:
		fprintf(file, "\"name\": \"waits\", \"args\": {\"for\": \"a lease\"");
		break;
	case SPAN_KERNEL:
		fprintf(file, "\"name\": \"kernel %016llx\", \"args\": {\"kernel\": \"%016llx\"", (unsigned long long)span->kernel_id,
			(unsigned long long)span->kernel_id);
		break;
	case SPAN_ENGINE:
		fprintf(file, "\"name\": \"active\", \"args\": {\"kernels\": %llu, ", (unsigned long long)span->kernels);
		write_us(file, "busy_us", span->busy_ns);
		break;
	}
	fprintf(file, "%s}}", span->is_cut ? ", \"cut\": true" : "");
}

static void write_instant(FILE *file, const struct trace_events *events, const struct trace_event *event)
{
	const char *name;

	switch (event->kind) {
	case TRACE_LOST:
		fprintf(file, ",\n{\"ph\": \"i\", \"s\": \"g\", \"pid\": %d, \"tid\": 0, ", PROCESS);
		write_us(file, "ts", event->at_ns);
		fprintf(file, ", \"name\": \"events lost\", \"args\": {\"count\": %llu}}", (unsigned long long)event->value);
		return;
	case TRACE_OVERRUN:
		name = "overrun";
		break;
	case TRACE_SQUAT:
		name = "squat";
		break;
	case TRACE_HANG:
		name = "hang";
		break;
	default:
		return;
	}
	fprintf(file, ",\n{\"ph\": \"i\", \"s\": \"t\", \"pid\": %d, \"tid\": %llu, ", PROCESS,
		track_of(trace_events_member(events, event->entity), TRACK_LEASES));
	write_us(file, "ts", event->at_ns);
	fprintf(file, ", \"name\": \"%s\", \"args\": {", name);
	write_us(file, "for_us", event->value);
	fputs("}}", file);
}

/* Each track that something is on, and the leases of all. */
static int write_tracks(FILE *file, const struct trace_events *events, const struct trace_span *spans, size_t count)
{
	bool *is_named = calloc(events->member_count + 1, TRACKS_OF_VGPU * sizeof(*is_named));

	if (!is_named)
		return -ENOMEM;
	for (size_t i = 0; i < events->member_count; i++)
		write_track(file, events, i, TRACK_LEASES);
	for (size_t i = 0; i < count; i++) {
		uint32_t track = track_of_span(&spans[i]);
		bool *named = &is_named[spans[i].member * TRACKS_OF_VGPU + track];
		if (track != TRACK_LEASES && !*named)
			write_track(file, events, spans[i].member, track);
		*named = true;
	}
	free(is_named);
	return 0;
}

int trace_write_perfetto(FILE *file, const struct trace_events *events)
{
	struct trace_span *spans;
	size_t count;
	int error = trace_events_spans(events, &spans, &count);

	if (error)
		return error;
	fprintf(file, "{\"displayTimeUnit\": \"ms\",\n\"otherData\": {\"gpu\": ");
	write_text(file, events->gpu);
	fprintf(file, ", \"clock\": \"CLOCK_MONOTONIC\", \"begin_ns\": %llu, \"end_ns\": %llu, \"end_realtime_ns\": %llu, \"lost\": %llu, "
		      "\"overwritten\": %llu, \"leases\": %u},\n\"traceEvents\": [\n"
		      "{\"ph\": \"M\", \"pid\": %d, \"tid\": 0, \"name\": \"process_name\", \"args\": {\"name\": ",
		(unsigned long long)events->begin_ns, (unsigned long long)events->end_ns, (unsigned long long)events->realtime_ns,
		(unsigned long long)events->lost, (unsigned long long)events->overwritten, events->queue.leases, PROCESS);
	write_text(file, events->gpu);
	fputs("}}", file);
	error = write_tracks(file, events, spans, count);
	for (size_t i = 0; i < count && !error; i++)
		write_span(file, events, &spans[i]);
	for (size_t i = 0; i < events->count && !error; i++)
		write_instant(file, events, &events->events[i]);
	fputs("\n]}\n", file);
	free(spans);
	return error;
}
