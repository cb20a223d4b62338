/* SPDX-License-Identifier: MIT */
#include "mdev/api/route.h"

#include <stdio.h>
#include <string.h>

#include "mdev/json/json_reader.h"
#include "mdev/lease_trace.h"
#include "mdev/quantity.h"

#define EVENTS_WAIT_MOST_S 60u

/* True if path is of pattern; *ret_id and *ret_id_bytes name what stands at {id}. */
static bool matches(const char *pattern, const char *path, const char **ret_id, size_t *ret_id_bytes)
{
	*ret_id = "";
	*ret_id_bytes = 0;
	while (*pattern) {
		if (*pattern != '{') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		pattern = strchr(pattern, '}') + 1;
		*ret_id = path;
		*ret_id_bytes = strcspn(path, "/");
		path += *ret_id_bytes;
		if (!*ret_id_bytes)
			return false;
	}
	return !*path;
}

bool api_route_find(const char *method, const char *path, struct api_request *ret_request, char allow[64], struct refusal *refusal)
{
	const char *id;
	size_t id_bytes;

	allow[0] = '\0';
	if (strlen(path) >= API_PATH_MAX_BYTES)
		return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "the path is longer than %u bytes", API_PATH_MAX_BYTES - 1);
	for (const struct api_route *route = api_routes; route->method; route++) {
		if (!matches(route->pattern, path, &id, &id_bytes))
			continue;
		if (strcmp(route->method, method)) {
			size_t used = strlen(allow);
			snprintf(allow + used, 64 - used, "%s%s", used ? ", " : "", route->method);
			continue;
		}
		if (id_bytes >= sizeof(ret_request->id))
			return refuse(refusal, REFUSAL_NOT_FOUND, NULL, "no name has more than %zu bytes", sizeof(ret_request->id) - 1);
		*ret_request = (struct api_request){.route = route};
		memcpy(ret_request->id, id, id_bytes);
		return true;
	}
	if (allow[0])
		return refuse(refusal, REFUSAL_BAD_METHOD, NULL, "%.16s is not possible on %.100s; %s is", method, path, allow);
	return refuse(refusal, REFUSAL_NOT_FOUND, "docs/api.openapi.yaml lists all paths", "there is nothing at %.100s", path);
}

bool api_query_take(struct api_request *request, const char *name, const char *value, struct refusal *refusal)
{
	const char *const *known = request->route->queries;
	char why[256];

	while (known && *known && strcmp(*known, name))
		known++;
	if (!known || !*known)
		return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "there is no query argument '%.60s' here", name);
	if (!strcmp(name, "force")) {
		if (value && strcmp(value, "true") && strcmp(value, "false"))
			return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "force is '%.40s', but must be true or false", value);
		request->force = !value || !strcmp(value, "true");
		return true;
	}
	if (!strcmp(name, "most")) {
		if (quantity_parse_count(name, value ? value : "", 1, LEASE_TRACE_PAGE_MOST, &request->most, why))
			return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "%s", why);
		return true;
	}
	bool is_after = !strcmp(name, "after");
	if (quantity_parse_count(name, value ? value : "", 0, is_after ? INT64_MAX : EVENTS_WAIT_MOST_S,
				 is_after ? &request->after : &request->wait_s, why))
		return refuse(refusal, REFUSAL_BAD_REQUEST, NULL, "%s", why);
	return true;
}

bool api_body_take(struct api_request *request, const char *text, size_t bytes, struct refusal *refusal)
{
	char why[256];

	if (!request->route->has_body) {
		if (bytes)
			return refuse(refusal, REFUSAL_BAD_REQUEST, "send none", "%s %s takes no body, %zu bytes came", request->route->method,
				      request->route->pattern, bytes);
		return true;
	}
	if (bytes > API_BODY_MAX_BYTES)
		return refuse(refusal, REFUSAL_TOO_LARGE, NULL, "the body has more than %u bytes", API_BODY_MAX_BYTES);
	request->body = json_parse_strictly(bytes ? text : "", bytes, why);
	if (!request->body)
		return refuse(refusal, REFUSAL_BAD_REQUEST, "send one JSON object", "the body is %s", why);
	return true;
}

void api_request_finish(struct api_request *request)
{
	json_decref(request->body);
	request->body = NULL;
}
