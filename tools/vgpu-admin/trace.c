/* SPDX-License-Identifier: MIT */
/* The command `trace`: collects the pages of a GPU's trace and writes them as one file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/vgpu-admin/client.h"
#include "tools/vgpu-admin/trace_formats.h"

#define PAGE_EVENTS 4096u
#define POLL_MS 200		/* a full ring is many times as long */

struct format {
	const char *name;
	int (*write)(FILE *file, const struct trace_events *events);
};

static const struct format formats[] = {{"perfetto", trace_write_perfetto}, {"recorded", trace_write_recorded}};

static uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static enum exit_code get_page(const struct arguments *arguments, uint64_t after, unsigned most, json_t **ret_page)
{
	char path[1024], query[96];

	snprintf(query, sizeof(query), "/trace?after=%llu&most=%u", (unsigned long long)after, most);
	return client_call(arguments, "GET", client_path(path, "/v1/gpus/", arguments->id, query), NULL, ret_page);
}

static uint64_t last_of(const json_t *page)
{
	json_int_t last = json_integer_value(json_object_get(page, "last"));

	return last > 0 ? (uint64_t)last : 0;
}

/* Where nothing has been read yet: behind what there is now. */
static enum exit_code begin_now(const struct arguments *arguments, struct trace_events *events)
{
	json_t *page;
	enum exit_code code = get_page(arguments, 0, 1, &page);

	if (code)
		return code;
	events->next = last_of(page);
	events->ring_began_ns = (uint64_t)json_integer_value(json_object_get(page, "began_ns"));
	events->begin_ns = (uint64_t)json_integer_value(json_object_get(json_object_get(page, "clock"), "monotonic_ns"));
	json_decref(page);
	return EXIT_OK;
}

/* One page more. *ret_last: the newest event there was then. */
static enum exit_code add_page(const struct arguments *arguments, struct trace_events *events, uint64_t *ret_last)
{
	uint64_t ring_began_ns = events->ring_began_ns;
	json_t *page;
	enum exit_code code = get_page(arguments, events->next, PAGE_EVENTS, &page);

	if (code)
		return code;
	int error = trace_events_add(events, page);
	*ret_last = last_of(page);
	json_decref(page);
	if (!error && ring_began_ns && ring_began_ns != events->ring_began_ns)
		return complain(EXIT_FAILED, "vgpud was restarted meanwhile, and its trace began anew; ask again");
	if (error == -E2BIG)
		return complain(EXIT_FAILED, "more than %u events; ask for fewer seconds", TRACE_EVENTS_MOST);
	if (error)
		return complain(EXIT_FAILED, error == -ENOMEM ? "no memory for the trace" : "the service's answer is not a trace");
	return EXIT_OK;
}

static enum exit_code collect(const struct arguments *arguments, struct trace_events *events)
{
	bool is_watching = arguments->given & OPT_SECONDS;
	uint64_t until_ms = monotonic_ms() + arguments->seconds * 1000, last = 0, end = 0;
	enum exit_code code = EXIT_OK;

	events->next = arguments->after;
	if (is_watching)
		code = begin_now(arguments, events);
	/* Ends: what is added while the last pages are read is left to the next trace. */
	for (bool is_ending = false; !code;) {
		if (!is_ending && (!is_watching || monotonic_ms() >= until_ms)) {
			code = add_page(arguments, events, &end);
			is_ending = true;
		} else {
			code = add_page(arguments, events, &last);
		}
		if (is_ending && events->next >= end)
			break;
		if (!code && !is_ending && events->next >= last) {
			uint64_t now_ms = monotonic_ms(), rest_ms = until_ms > now_ms ? until_ms - now_ms : 0;
			usleep((useconds_t)(rest_ms < POLL_MS ? rest_ms : POLL_MS) * 1000);
		}
	}
	return code;
}

/* Where the trace goes: a file beside the one that is asked for, which takes its name when it is whole. */
struct output_file {
	FILE *file;
	const char *path;	/* NULL = standard output */
	char *temporary;	/* NULL = written as it is: a device, a pipe */
};

static enum exit_code open_output(const char *path, struct output_file *ret_output)
{
	struct output_file output = {.file = stdout, .path = path};
	struct stat status;

	if (path && !stat(path, &status) && !S_ISREG(status.st_mode)) {
		output.file = fopen(path, "we");
	} else if (path) {
		mode_t mask = umask(0);
		umask(mask);
		int fd = asprintf(&output.temporary, "%s.XXXXXX", path) < 0 ? -1 : mkstemp(output.temporary);
		output.file = fd < 0 ? NULL : fdopen(fd, "w");
		if (fd >= 0)
			fchmod(fd, 0666 & ~mask);
	}
	if (!output.file) {
		int error = errno;
		free(output.temporary);
		return complain(EXIT_FAILED, "cannot write '%s': %s", path, strerror(error));
	}
	*ret_output = output;
	return EXIT_OK;
}

/* Nothing stays under the name if anything failed. */
static enum exit_code close_output(struct output_file *output, enum exit_code code)
{
	bool is_written = !fflush(output->file) && !ferror(output->file) && (!output->temporary || !fsync(fileno(output->file)));
	int error = errno;

	if (output->path && fclose(output->file) && is_written) {
		is_written = false;
		error = errno;
	}
	if (!code && is_written && output->temporary && rename(output->temporary, output->path)) {
		is_written = false;
		error = errno;
	}
	if (output->temporary && (code || !is_written))
		unlink(output->temporary);
	free(output->temporary);
	if (!code && !is_written)
		return complain(EXIT_FAILED, "cannot write the trace to %s: %s; nothing was kept", output->path ? output->path : "standard output",
				strerror(error));
	return code;
}

static enum exit_code write_trace(const struct arguments *arguments, const struct format *format, const struct trace_events *events)
{
	struct output_file output = {0};
	enum exit_code code = open_output(arguments->file, &output);

	if (code)
		return code;
	int error = format->write(output.file, events);
	if (error == -ENODATA)
		code = complain(EXIT_FAILED, "no vGPU of '%s' did anything in this time: there is nothing to replay", events->gpu);
	else if (error)
		code = complain(EXIT_FAILED, "no memory for the trace");
	return close_output(&output, code);
}

enum exit_code command_trace(const struct arguments *arguments)
{
	const struct format *format = &formats[0];
	struct trace_events events;

	if ((arguments->given & OPT_SECONDS) && (arguments->given & OPT_AFTER))
		return complain(EXIT_USAGE, "--seconds is of what happens from now on, --after of what has happened: give one of them");
	if (arguments->format && strcmp(arguments->format, formats[0].name)) {
		if (strcmp(arguments->format, formats[1].name))
			return complain(EXIT_USAGE, "--format is '%s', but must be perfetto or recorded", arguments->format);
		format = &formats[1];
	}
	trace_events_init(&events, arguments->id);
	enum exit_code code = collect(arguments, &events);
	if (!code && events.lost)
		complain(EXIT_OK, "%llu events were lost: they came faster than they were read", (unsigned long long)events.lost);
	if (!code && events.overwritten)
		complain(EXIT_OK, "%llu older events are no longer there", (unsigned long long)events.overwritten);
	if (!code)
		code = write_trace(arguments, format, &events);
	trace_events_finish(&events);
	return code;
}
