/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: everything a client's bytes pass through before the service's state is looked at. The input's first line is
 * "METHOD PATH[?NAME=VALUE[&...]]", what follows it is the body. The sentences made of it must be there whenever it is refused.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mdev/api/api.h"
#include "mdev/api/route.h"
#include "mdev/gpu/probe.h"
#include "mdev/profile.h"
#include "mdev/quantity.h"
#include "mdev/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_say(const struct refusal *refusal)
{
	if (!refusal->code || !refusal->message[0] || refusal_http_status(refusal->code) < 400)
		abort();
}

/* What PATCH does with a body. An edit that is good can be stored, and read again. */
static void take_settings(const json_t *body)
{
	struct sched_settings settings = sched_settings_defaults(), again = settings;
	struct run_queue_settings queue_settings = run_queue_defaults();
	struct json_reader reader;
	struct sched_edit edit;
	struct queue_edit queue;
	char why[256] = "";

	json_reader_init(&reader, body);
	queue_edit_read(&reader, &queue);
	if (json_reader_finish(&reader) && !reader.why[0])
		abort();
	queue_edit_apply(&queue, &queue_settings);
	json_reader_init(&reader, body);
	sched_edit_read(&reader, &edit);
	if (json_reader_finish(&reader)) {
		if (!reader.why[0])
			abort();
		return;
	}
	sched_edit_apply(&edit, &settings);
	if (sched_settings_check(&settings, why)) {
		if (!why[0])
			abort();
		return;
	}
	json_t *stored = json_object();
	if (sched_settings_store(&settings, stored))
		abort();
	json_reader_init(&reader, stored);
	sched_edit_read(&reader, &edit);
	sched_edit_apply(&edit, &again);
	if (json_reader_finish(&reader) || memcmp(&settings.entity, &again.entity, sizeof(again.entity)) ||
	    settings.hang_timeout_ms != again.hang_timeout_ms)
		abort();
	json_decref(stored);
}

static void take_body(struct api_request *request)
{
	struct refusal refusal;
	struct vgpu_wish wish;
	struct profile profile;
	struct vgpu_spec spec;
	struct probe_device device;
	char why[256] = "";

	take_settings(request->body);
	if (!vgpu_wish_parse(request->body, &wish, &refusal))
		must_say(&refusal);
	for (int is_stored = 0; is_stored < 2; is_stored++)
		if (profile_parse(request->body, is_stored, &profile, why) && !why[0])
			abort();
	if (vgpu_spec_parse(request->body, &spec, why) && !why[0])
		abort();
	if (!probe_parse_device(request->body, &device, why))
		free(device.info);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *line_end = size ? memchr(data, '\n', size) : NULL;
	size_t line_bytes = line_end ? (size_t)(line_end - data) : size;
	struct api_request request = {0};
	struct refusal refusal = {0};
	char line[2048], allow[64], why[256], *path, *query, *save = NULL;
	uint64_t bytes;

	if (line_bytes >= sizeof(line))
		return 0;
	memcpy(line, data, line_bytes);
	line[line_bytes] = '\0';
	quantity_parse_bytes(line, &bytes, why);
	quantity_parse_time(line, &bytes, why);
	quantity_parse_percent(line, &bytes, why);
	path = strchr(line, ' ');
	if (!path)
		return 0;
	*path++ = '\0';
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	if (!api_route_find(line, path, &request, allow, &refusal)) {
		must_say(&refusal);
		return 0;
	}
	for (char *pair = query ? strtok_r(query, "&", &save) : NULL; pair; pair = strtok_r(NULL, "&", &save)) {
		char *value = strchr(pair, '=');
		if (value)
			*value++ = '\0';
		if (!api_query_take(&request, pair, value, &refusal))
			must_say(&refusal);
	}
	const uint8_t *body = line_end ? line_end + 1 : data + size;
	if (!api_body_take(&request, (const char *)body, size - (size_t)(body - data), &refusal))
		must_say(&refusal);
	else if (request.body)
		take_body(&request);
	api_request_finish(&request);
	return 0;
}
