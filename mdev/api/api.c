/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation. libmicrohttpd calls on_request three ways for one request: first with the head alone, then with pieces
 * of the body, then with nothing left. A call (struct api_call) is made at the first, collects the body at the second, and at the third is
 * parsed and handled. A handler that answers later leaves the connection suspended until api_answer resumes it; then on_request
 * comes once more and the response is queued. A call is freed by on_completed alone, which comes when its response is sent or
 * its client is found gone, never while suspended, so a late answer always finds its call.
 */
#include "mdev/api/api.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "mdev/api/route.h"
#include "mdev/log/log.h"

#define IDLE_CLIENT_S 30u
#define CONNECTIONS_MOST 256u

struct api {
	sd_event *loop;
	struct service *service;
	struct MHD_Daemon *daemon;
	sd_event_source *io;
	sd_event_source *timer;
	sd_event_source *deferred;	/* MHD_run soon: somebody was resumed */
	void (*stop)(bool with_vgpus, void *data);
	void *data;
	struct api_call *waiting;	/* for an event */
	struct api_call *calls;		/* all */
};

struct api_call {
	struct api *api;
	struct MHD_Connection *connection;
	struct api_request request;
	struct refusal refusal;		/* of the head; answered when the body has gone by */
	char allow[64];
	char *body;
	size_t body_bytes;
	bool is_begun;			/* the handler was called */
	bool is_suspended;
	struct MHD_Response *response;	/* ready to be queued */
	int status;
	/* waiting for an event */
	sd_event_source *wait_timer;
	void (*again)(struct api_call *call, void *data);
	void *again_data;
	struct api_call *next_waiting;
	struct api_call *next, **at;	/* in api->calls */
};

struct service *api_call_service(struct api_call *call)
{
	return call->api->service;
}

/* ---- answers ------------------------------------------------------------------------------------------------ */

static void respond(struct api_call *call, int status, char *text)
{
	struct api *api = call->api;

	call->status = status;
	call->response = MHD_create_response_from_buffer(text ? strlen(text) : 0, text ? text : (char *)"",
							 text ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (!call->response) {
		free(text);
	} else {
		if (text)
			MHD_add_response_header(call->response, "Content-Type", "application/json");
		if (status == 405)
			MHD_add_response_header(call->response, "Allow", call->allow);
	}
	if (call->is_suspended) {
		call->is_suspended = false;
		MHD_resume_connection(call->connection);
		sd_event_source_set_enabled(api->deferred, SD_EVENT_ONESHOT);
	}
}

void api_answer(struct api_call *call, int http_status, json_t *value)
{
	bool needs_body = http_status == 200 || http_status == 201;
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	struct refusal refusal;

	json_decref(value);
	if (!text && needs_body) {
		refuse(&refusal, REFUSAL_FAILED, NULL, "the service has no memory for the answer");
		api_refuse(call, &refusal);
		return;
	}
	respond(call, http_status, text);
}

void api_refuse(struct api_call *call, const struct refusal *refusal)
{
	json_t *message = json_string(refusal->message), *hint = refusal->hint[0] ? json_string(refusal->hint) : json_null();
	/* What a client sent may be quoted and cut in the middle of a character. */
	json_t *value = json_pack("{s{ss so so}}", "error", "code", refusal_code_name(refusal->code), "message",
				  message ? message : json_string("the request cannot be read as UTF-8"), "hint", hint ? hint : json_null());
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;

	json_decref(value);
	respond(call, refusal_http_status(refusal->code), text);
}

void api_request_stop(struct api_call *call, bool with_vgpus)
{
	call->api->stop(with_vgpus, call->api->data);
}

/* ---- waiting for events ---------------------------------------------------------------------------------------- */

static void wait_end(struct api_call *call)
{
	void (*again)(struct api_call *, void *) = call->again;

	for (struct api_call **at = &call->api->waiting; *at; at = &(*at)->next_waiting) {
		if (*at == call) {
			*at = call->next_waiting;
			break;
		}
	}
	call->wait_timer = sd_event_source_disable_unref(call->wait_timer);
	call->again = NULL;
	again(call, call->again_data);
}

static int on_wait_time(sd_event_source *source, uint64_t now_us, void *data)
{
	(void)source;
	(void)now_us;
	wait_end(data);
	return 0;
}

static void on_event(void *data)
{
	struct api *api = data;

	if (api->waiting)	/* answered from the loop: this is called from inside the service */
		sd_event_source_set_enabled(api->deferred, SD_EVENT_ONESHOT);
}

void api_wait_for_event(struct api_call *call, uint64_t wait_s, void (*again)(struct api_call *call, void *data), void *data)
{
	struct api *api = call->api;

	call->again = again;
	call->again_data = data;
	call->next_waiting = api->waiting;
	api->waiting = call;
	if (sd_event_add_time_relative(api->loop, &call->wait_timer, CLOCK_MONOTONIC, wait_s * 1000000, 0, on_wait_time, call) < 0)
		wait_end(call);
}

/* ---- libmicrohttpd ------------------------------------------------------------------------------------------------ */

struct query_walk {
	struct api_call *call;
	bool is_good;
};

static enum MHD_Result on_query(void *data, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct query_walk *walk = data;

	(void)kind;
	walk->is_good = api_query_take(&walk->call->request, name, value, &walk->call->refusal);
	return walk->is_good ? MHD_YES : MHD_NO;
}

static struct api_call *begin(struct api *api, struct MHD_Connection *connection, const char *method, const char *path)
{
	struct api_call *call = calloc(1, sizeof(*call));
	struct query_walk walk = {.call = call};

	if (!call)
		return NULL;
	call->api = api;
	call->connection = connection;
	call->at = &api->calls;
	call->next = api->calls;
	if (call->next)
		call->next->at = &call->next;
	api->calls = call;
	if (api_route_find(method, path, &call->request, call->allow, &call->refusal))
		MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, on_query, &walk);
	return call;
}

static bool collect(struct api_call *call, const char *bytes, size_t count)
{
	if (call->refusal.code)
		return true;	/* let it go by: the answer is known */
	if (count > API_BODY_MAX_BYTES - call->body_bytes) {
		refuse(&call->refusal, REFUSAL_TOO_LARGE, NULL, "the body has more than %u bytes", API_BODY_MAX_BYTES);
		return true;
	}
	char *grown = realloc(call->body, call->body_bytes + count);
	if (!grown)
		return false;
	memcpy(grown + call->body_bytes, bytes, count);
	call->body = grown;
	call->body_bytes += count;
	return true;
}

static enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *path, const char *method, const char *version,
				  const char *upload, size_t *upload_bytes, void **state)
{
	struct api_call *call = *state;

	(void)version;
	if (!call) {
		*state = call = begin(data, connection, method, path);
		return call ? MHD_YES : MHD_NO;
	}
	if (*upload_bytes) {
		bool is_good = collect(call, upload, *upload_bytes);
		*upload_bytes = 0;
		return is_good ? MHD_YES : MHD_NO;
	}
	if (!call->is_begun) {
		call->is_begun = true;
		if (call->refusal.code || !api_body_take(&call->request, call->body, call->body_bytes, &call->refusal)) {
			api_refuse(call, &call->refusal);
		} else {
			log_debug("%s %s", method, path);
			call->request.route->handle(call, &call->request);
		}
		if (!call->response) {
			if (call->status)
				return MHD_NO;	/* no memory for the response */
			call->is_suspended = true;
			MHD_suspend_connection(connection);
			return MHD_YES;
		}
	}
	if (!call->response)
		return MHD_NO;
	enum MHD_Result queued = MHD_queue_response(connection, (unsigned)call->status, call->response);
	MHD_destroy_response(call->response);
	call->response = NULL;
	return queued;
}

static void on_completed(void *data, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
	struct api_call *call = *state;

	(void)data;
	(void)connection;
	(void)code;
	if (!call)
		return;
	if (call->again)
		wait_end(call);
	if (call->response)
		MHD_destroy_response(call->response);
	api_request_finish(&call->request);
	*call->at = call->next;
	if (call->next)
		call->next->at = call->at;
	free(call->body);
	free(call);
	*state = NULL;
}

static void run(struct api *api)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	MHD_run(api->daemon);
	if (MHD_get_timeout(api->daemon, &timeout_ms) == MHD_YES) {
		sd_event_source_set_time_relative(api->timer, timeout_ms * 1000);
		sd_event_source_set_enabled(api->timer, SD_EVENT_ONESHOT);
	} else {
		sd_event_source_set_enabled(api->timer, SD_EVENT_OFF);
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *data)
{
	(void)source;
	(void)fd;
	(void)events;
	run(data);
	return 0;
}

static int on_time(sd_event_source *source, uint64_t now_us, void *data)
{
	(void)source;
	(void)now_us;
	run(data);
	return 0;
}

static int on_deferred(sd_event_source *source, void *data)
{
	struct api *api = data;

	(void)source;
	while (api->waiting)
		wait_end(api->waiting);
	run(api);
	return 0;
}

static int add_sources(struct api *api)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int r = info ? sd_event_add_io(api->loop, &api->io, info->epoll_fd, EPOLLIN, on_io, api) : -ENOTSUP;

	if (r >= 0)
		r = sd_event_add_time_relative(api->loop, &api->timer, CLOCK_MONOTONIC, 0, 0, on_time, api);
	if (r >= 0)
		r = sd_event_add_defer(api->loop, &api->deferred, on_deferred, api);
	return r < 0 ? r : 0;
}

int api_create(sd_event *loop, int listen_fd, struct service *service, void (*stop)(bool with_vgpus, void *data), void *data,
	       struct api **ret_api, char ret_why[256])
{
	struct api *api = calloc(1, sizeof(*api));
	int error = -ENOMEM, own_fd = fcntl(listen_fd, F_DUPFD_CLOEXEC, 3);	/* libmicrohttpd closes what it is given */

	if (!api || own_fd < 0)
		goto fail;
	*api = (struct api){.loop = loop, .service = service, .stop = stop, .data = data};
	/* Without MHD_USE_INTERNAL_POLLING_THREAD it runs when MHD_run is called, and at no other time. */
	api->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, api,
				       MHD_OPTION_LISTEN_SOCKET, own_fd, MHD_OPTION_NOTIFY_COMPLETED, on_completed, api,
				       MHD_OPTION_CONNECTION_TIMEOUT, IDLE_CLIENT_S, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MOST,
				       MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32768, MHD_OPTION_END);
	if (!api->daemon) {
		error = -EIO;
		goto fail;
	}
	own_fd = -1;
	error = add_sources(api);
	if (error)
		goto fail;
	event_log_listen(service_events(service), on_event, api);
	*ret_api = api;
	return 0;
fail:
	snprintf(ret_why, 256, "cannot serve the API: %s", strerror(-error));
	if (own_fd >= 0)
		close(own_fd);
	api_destroy(api);
	return error;
}

void api_destroy(struct api *api)
{
	if (!api)
		return;
	if (api->service)
		event_log_listen(service_events(api->service), NULL, NULL);
	while (api->waiting)
		wait_end(api->waiting);
	if (api->daemon) {
		struct refusal refusal;
		refuse(&refusal, REFUSAL_UNAVAILABLE, "ask again when vgpud is back; what was begun is finished then", "vgpud is ending");
		/* libmicrohttpd must not be stopped over a suspended connection. */
		for (struct api_call *call = api->calls; call; call = call->next)
			if (call->is_suspended)
				api_refuse(call, &refusal);
		MHD_run(api->daemon);
		MHD_stop_daemon(api->daemon);
	}
	sd_event_source_disable_unref(api->io);
	sd_event_source_disable_unref(api->timer);
	sd_event_source_disable_unref(api->deferred);
	free(api);
}
