/* SPDX-License-Identifier: MIT */
/* The table of routes and what each does: takes the arguments, calls the service, answers. */
#include <stdlib.h>

#include "mdev/api/api.h"
#include "mdev/api/route.h"
#include "mdev/json/json_reader.h"

static void answer_or_refuse(struct api_call *call, bool is_done, int status, json_t *value, const struct refusal *refusal)
{
	if (is_done)
		api_answer(call, status, value);
	else
		api_refuse(call, refusal);
}

/* Lists travel in an object, so that more can be said beside them one day. */
static json_t *wrap(const char *name, json_t *list)
{
	return list ? json_pack("{so}", name, list) : NULL;
}

static void get_ping(struct api_call *call, const struct api_request *request)
{
	(void)request;
	api_answer(call, 200, json_pack("{ss si}", "version", VGPU_VERSION, "api", 1));
}

static void get_gpus(struct api_call *call, const struct api_request *request)
{
	(void)request;
	api_answer(call, 200, wrap("gpus", service_gpu_list(api_call_service(call))));
}

static void get_gpu(struct api_call *call, const struct api_request *request)
{
	struct refusal refusal;
	json_t *value = NULL;
	bool is_done = service_gpu_show(api_call_service(call), request->id, &value, &refusal);

	answer_or_refuse(call, is_done, 200, value, &refusal);
}

static void patch_gpu(struct api_call *call, const struct api_request *request)
{
	struct refusal refusal;
	json_t *value = NULL;
	bool is_done = service_gpu_set(api_call_service(call), request->id, request->body, &value, &refusal);

	answer_or_refuse(call, is_done, 200, value, &refusal);
}

static void get_profiles(struct api_call *call, const struct api_request *request)
{
	(void)request;
	api_answer(call, 200, wrap("profiles", service_profile_list(api_call_service(call))));
}

static void get_profile(struct api_call *call, const struct api_request *request)
{
	struct refusal refusal;
	json_t *value = NULL;
	bool is_done = service_profile_show(api_call_service(call), request->id, &value, &refusal);

	answer_or_refuse(call, is_done, 200, value, &refusal);
}

static void post_profile(struct api_call *call, const struct api_request *request)
{
	struct refusal refusal;
	json_t *value = NULL;
	bool is_done = service_profile_create(api_call_service(call), request->body, &value, &refusal);

	answer_or_refuse(call, is_done, 201, value, &refusal);
}

static void delete_profile(struct api_call *call, const struct api_request *request)
{
	struct refusal refusal;
	bool is_done = service_profile_delete(api_call_service(call), request->id, &refusal);

	answer_or_refuse(call, is_done, 204, NULL, &refusal);
}

static void get_vgpus(struct api_call *call, const struct api_request *request)
{
	(void)request;
	api_answer(call, 200, wrap("vgpus", service_vgpu_list(api_call_service(call))));
}

static void get_vgpu(struct api_call *call, const struct api_request *request)
{
	struct refusal refusal;
	json_t *value = NULL;
	bool is_done = service_vgpu_show(api_call_service(call), request->id, &value, &refusal);

	answer_or_refuse(call, is_done, 200, value, &refusal);
}

static void patch_vgpu(struct api_call *call, const struct api_request *request)
{
	struct refusal refusal;
	json_t *value = NULL;
	bool is_done = service_vgpu_set(api_call_service(call), request->id, request->body, &value, &refusal);

	answer_or_refuse(call, is_done, 200, value, &refusal);
}

static void on_created(const json_t *result, const struct refusal *refusal, void *data)
{
	answer_or_refuse(data, !refusal, 201, json_incref((json_t *)result), refusal);
}

static void post_vgpu(struct api_call *call, const struct api_request *request)
{
	struct vgpu_wish wish;
	struct refusal refusal;

	if (!vgpu_wish_parse(request->body, &wish, &refusal) ||
	    !service_vgpu_create(api_call_service(call), &wish, on_created, call, &refusal))
		api_refuse(call, &refusal);
}

static void on_deleted(const json_t *result, const struct refusal *refusal, void *data)
{
	(void)result;
	answer_or_refuse(data, !refusal, 204, NULL, refusal);
}

static void delete_vgpu(struct api_call *call, const struct api_request *request)
{
	struct refusal refusal;

	if (!service_vgpu_delete(api_call_service(call), request->id, request->force, on_deleted, call, &refusal))
		api_refuse(call, &refusal);
}

static void replace_device(struct api_call *call, const struct api_request *request)
{
	struct json_reader reader;
	struct refusal refusal;
	char program[900];	/* the keeper's texts have 1024 bytes */

	json_reader_init(&reader, request->body);
	json_reader_text(&reader, "program", NULL, program, sizeof(program));
	if (json_reader_finish(&reader)) {
		refuse(&refusal, REFUSAL_BAD_REQUEST, NULL, "%s", reader.why);
		api_refuse(call, &refusal);
		return;
	}
	bool is_done = service_vgpu_replace_device(api_call_service(call), request->id, program, &refusal);

	answer_or_refuse(call, is_done, 202, NULL, &refusal);
}

static void answer_events(struct api_call *call, uint64_t after)
{
	const struct event_log *events = service_events(api_call_service(call));
	json_t *list = event_log_list(events, after);

	api_answer(call, 200, list ? json_pack("{so sI}", "events", list, "last", (json_int_t)event_log_last(events)) : NULL);
}

static void events_again(struct api_call *call, void *data)
{
	uint64_t *after = data;

	answer_events(call, *after);
	free(after);
}

static void get_events(struct api_call *call, const struct api_request *request)
{
	uint64_t *after = NULL;

	if (request->wait_s && event_log_last(service_events(api_call_service(call))) <= request->after)
		after = malloc(sizeof(*after));
	if (!after) {
		answer_events(call, request->after);
		return;
	}
	*after = request->after;
	api_wait_for_event(call, request->wait_s, events_again, after);
}

static void post_stop(struct api_call *call, const struct api_request *request)
{
	struct json_reader reader;
	struct refusal refusal;
	bool with_vgpus = false;

	json_reader_init(&reader, request->body);
	json_reader_bool(&reader, "vgpus", &with_vgpus);
	if (json_reader_finish(&reader)) {
		refuse(&refusal, REFUSAL_BAD_REQUEST, NULL, "%s", reader.why);
		api_refuse(call, &refusal);
		return;
	}
	api_request_stop(call, with_vgpus);
	api_answer(call, 202, NULL);
}

static void get_trace(struct api_call *call, const struct api_request *request)
{
	struct refusal refusal;
	json_t *value = NULL;
	bool is_done = service_gpu_trace(api_call_service(call), request->id, request->after, request->most, &value, &refusal);

	answer_or_refuse(call, is_done, 200, value, &refusal);
}

static const char *const trace_queries[] = {"after", "most", NULL};
static const char *const events_queries[] = {"after", "wait_s", NULL};
static const char *const delete_queries[] = {"force", NULL};

const struct api_route api_routes[] = {
	{.method = "GET", .pattern = "/v1/ping", .handle = get_ping},
	{.method = "GET", .pattern = "/v1/gpus", .handle = get_gpus},
	{.method = "GET", .pattern = "/v1/gpus/{id}", .handle = get_gpu},
	{.method = "PATCH", .pattern = "/v1/gpus/{id}", .has_body = true, .handle = patch_gpu},
	{.method = "GET", .pattern = "/v1/profiles", .handle = get_profiles},
	{.method = "POST", .pattern = "/v1/profiles", .has_body = true, .handle = post_profile},
	{.method = "GET", .pattern = "/v1/profiles/{id}", .handle = get_profile},
	{.method = "DELETE", .pattern = "/v1/profiles/{id}", .handle = delete_profile},
	{.method = "GET", .pattern = "/v1/vgpus", .handle = get_vgpus},
	{.method = "POST", .pattern = "/v1/vgpus", .has_body = true, .handle = post_vgpu},
	{.method = "GET", .pattern = "/v1/vgpus/{id}", .handle = get_vgpu},
	{.method = "PATCH", .pattern = "/v1/vgpus/{id}", .has_body = true, .handle = patch_vgpu},
	{.method = "DELETE", .pattern = "/v1/vgpus/{id}", .queries = delete_queries, .handle = delete_vgpu},
	{.method = "POST", .pattern = "/v1/vgpus/{id}/replace-device", .has_body = true, .handle = replace_device},
	{.method = "GET", .pattern = "/v1/events", .queries = events_queries, .handle = get_events},
	{.method = "POST", .pattern = "/v1/service/stop", .has_body = true, .handle = post_stop},
	{.method = "GET", .pattern = "/v1/gpus/{id}/trace", .queries = trace_queries, .handle = get_trace},
	{.method = NULL},
};
