/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server on vgpud's UNIX socket: bytes of clients in, calls of the service, JSON out.
 *
 * libmicrohttpd runs without threads inside the service's sd-event loop. Event loop thread only. Distrusts clients: bodies are bounded, a slow
 * one is dropped after a time, none can hold another up.
 */
#ifndef VGPU_MDEV_API_API_H
#define VGPU_MDEV_API_API_H

#include <jansson.h>
#include <systemd/sd-event.h>

#include "mdev/refusal.h"
#include "mdev/service.h"

struct api;
struct api_call;

/* Serves on the listening socket, borrowed. stop is called when a client asks for the service's end. 0, or -errno with a sentence. */
int api_create(sd_event *loop, int listen_fd, struct service *service, void (*stop)(bool with_vgpus, void *data), void *data,
	       struct api **ret_api, char ret_why[256]);
void api_destroy(struct api *api);	/* accepts NULL */

/* ---- for handlers: each call is answered exactly once ---- */
struct service *api_call_service(struct api_call *call);
/* Takes value, which may be NULL: then status is sent without a body, or 500 if the status needs one. */
void api_answer(struct api_call *call, int http_status, json_t *value);
void api_refuse(struct api_call *call, const struct refusal *refusal);
/* Calls again(call) when an event has happened or wait_s have passed, whichever is first. */
void api_wait_for_event(struct api_call *call, uint64_t wait_s, void (*again)(struct api_call *call, void *data), void *data);
void api_request_stop(struct api_call *call, bool with_vgpus);

#endif
