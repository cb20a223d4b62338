/* SPDX-License-Identifier: MIT */
#include "mdev/event_log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mdev/log/log.h"

struct event {
	int64_t seconds;
	char kind[32];
	char subject[64];
	char text[512];
};

struct event_log {
	struct event ring[EVENT_LOG_MAX];	/* event n lies at n % EVENT_LOG_MAX */
	uint64_t last;
	void (*changed)(void *data);
	void *data;
};

struct event_log *event_log_create(void)
{
	return calloc(1, sizeof(struct event_log));
}

void event_log_destroy(struct event_log *events)
{
	free(events);
}

void event_log_listen(struct event_log *events, void (*changed)(void *data), void *data)
{
	events->changed = changed;
	events->data = data;
}

void event_log_add(struct event_log *events, const char *kind, const char *subject, const char *format, ...)
{
	struct event *event = &events->ring[++events->last % EVENT_LOG_MAX];
	va_list arguments;

	event->seconds = time(NULL);
	snprintf(event->kind, sizeof(event->kind), "%s", kind);
	snprintf(event->subject, sizeof(event->subject), "%s", subject ? subject : "");
	va_start(arguments, format);
	vsnprintf(event->text, sizeof(event->text), format, arguments);
	va_end(arguments);
	log_info("%s%s%s: %s", event->kind, subject ? " " : "", event->subject, event->text);
	if (events->changed)
		events->changed(events->data);
}

uint64_t event_log_last(const struct event_log *events)
{
	return events->last;
}

const char *format_time(int64_t seconds, char buffer[32])
{
	time_t time = (time_t)seconds;
	struct tm parts;

	if (!gmtime_r(&time, &parts) || !strftime(buffer, 32, "%Y-%m-%dT%H:%M:%SZ", &parts))
		snprintf(buffer, 32, "1970-01-01T00:00:00Z");
	return buffer;
}

/* A guest's words may be in a text: what is not UTF-8 would spoil the whole answer. */
static json_t *text_of(const char *text)
{
	json_t *string = json_string(text);
	char copy[512];

	if (string)
		return string;
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *at = copy; *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	return json_string(copy);
}

json_t *event_log_list(const struct event_log *events, uint64_t after)
{
	uint64_t oldest = events->last > EVENT_LOG_MAX ? events->last - EVENT_LOG_MAX + 1 : 1;
	json_t *list = json_array();
	char time[32];

	for (uint64_t n = after + 1 > oldest ? after + 1 : oldest; list && n <= events->last && after < events->last; n++) {
		const struct event *event = &events->ring[n % EVENT_LOG_MAX];
		json_array_append_new(list, json_pack("{sI ss ss so so}", "sequence", (json_int_t)n, "time",
						      format_time(event->seconds, time), "kind", event->kind, "subject",
						      event->subject[0] ? text_of(event->subject) : json_null(), "text",
						      text_of(event->text)));
	}
	return list;
}
