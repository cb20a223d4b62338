/* SPDX-License-Identifier: MIT */
/*
 * Which request goes where: the table of routes, and requests taken apart. No sockets here, so that tests and the fuzz target
 * reach everything a client's bytes pass through.
 */
#ifndef VGPU_MDEV_API_ROUTE_H
#define VGPU_MDEV_API_ROUTE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mdev/refusal.h"

#define API_BODY_MAX_BYTES 65536u
#define API_PATH_MAX_BYTES 512u

struct api_call;	/* api.h: a request being answered */

/* A request, taken apart and checked as far as it can be without the service's state. */
struct api_request {
	const struct api_route *route;
	char id[128];			/* what stood at {id}, "" if the route has none */
	json_t *body;			/* owned; NULL if the route takes none */
	uint64_t after;			/* query of /v1/events and /v1/gpus/{id}/trace */
	uint64_t wait_s;
	uint64_t most;			/* query of /v1/gpus/{id}/trace; 0 = not given */
	bool force;			/* query of DELETE /v1/vgpus/{id} */
};

struct api_route {
	const char *method;
	const char *pattern;		/* "/v1/vgpus/{id}" */
	bool has_body;
	const char *const *queries;	/* NULL-terminated names it knows */
	/* Called with everything parsed; answers through api_answer or api_refuse (api.h), at once or later. */
	void (*handle)(struct api_call *call, const struct api_request *request);
};

extern const struct api_route api_routes[];	/* ends with method NULL */

/* Finds the route; fills ret_request's route and id. allow (64 bytes) gets the methods of the path for REFUSAL_BAD_METHOD. */
bool api_route_find(const char *method, const char *path, struct api_request *ret_request, char allow[64], struct refusal *refusal);
/* One query argument (value NULL: none given). */
bool api_query_take(struct api_request *request, const char *name, const char *value, struct refusal *refusal);
/* The body as it came. */
bool api_body_take(struct api_request *request, const char *text, size_t bytes, struct refusal *refusal);
void api_request_finish(struct api_request *request);

#endif
