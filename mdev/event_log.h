/* SPDX-License-Identifier: MIT */
/* What happened lately: the last EVENT_LOG_MAX events in memory, numbered, each also a line in the log. */
#ifndef VGPU_MDEV_EVENT_LOG_H
#define VGPU_MDEV_EVENT_LOG_H

#include <jansson.h>
#include <stdint.h>

#define EVENT_LOG_MAX 1024u

struct event_log;

struct event_log *event_log_create(void);
void event_log_destroy(struct event_log *events);	/* accepts NULL */

/* Adds one. kind is a stable word ("vgpu.created", "keeper.died"); subject a vGPU's UUID, a GPU's id or NULL. */
void event_log_add(struct event_log *events, const char *kind, const char *subject, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Number of the last event, 0 if none. Numbers rise by one and start at 1 with the process. */
uint64_t event_log_last(const struct event_log *events);
/* New array of {"sequence","time","kind","subject","text"} of those after `after`, oldest first. NULL without memory. */
json_t *event_log_list(const struct event_log *events, uint64_t after);
/* Calls changed(data) after each event from now on; one listener. */
void event_log_listen(struct event_log *events, void (*changed)(void *data), void *data);

/* RFC 3339 UTC of seconds since 1970, 32 bytes. */
const char *format_time(int64_t seconds, char buffer[32]);
#endif
