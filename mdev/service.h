/* SPDX-License-Identifier: MIT */
/*
 * The service: GPUs, profiles and vGPUs together, and every operation on them. What the API calls.
 *
 * Event loop thread only. An operation that changes state is durable before it is answered. JSON results are new references;
 * NULL means out of memory. Operations that take time answer through a completion, called later from the loop, once.
 */
#ifndef VGPU_MDEV_SERVICE_H
#define VGPU_MDEV_SERVICE_H

#include <jansson.h>
#include <stdbool.h>
#include <systemd/sd-event.h>

#include "mdev/event_log.h"
#include "mdev/gpu/parent.h"
#include "mdev/profile.h"
#include "mdev/refusal.h"
#include "mdev/vgpu_spec.h"

struct service;

struct service_settings {
	const char *state_dir;		/* all borrowed for the service's life */
	const char *runtime_dir;
	struct parent_settings parents;
	uint64_t slice_ns;		/* 0 = the scheduler's default */
};

/* result (borrowed) or refusal, never both; result may be NULL with refusal NULL: done, nothing to say. */
typedef void (*service_completion)(const json_t *result, const struct refusal *refusal, void *data);

/* Loads the state, adopts what runs, begins to look for GPUs. ready is called once from the loop when they are known and every vGPU
 * has been started. 0, or -errno with a sentence. */
int service_create(sd_event *loop, const struct service_settings *settings, void (*ready)(void *data), void *data,
		   struct service **ret_service, char ret_why[256]);
/* Lets go; vGPUs run on. Accepts NULL. */
void service_destroy(struct service *service);
/* Stops every vGPU, keeping its definition; stopped is called from the loop when no process of any is left. */
void service_stop_vgpus(struct service *service, void (*stopped)(void *data), void *data);

struct event_log *service_events(struct service *service);

json_t *service_gpu_list(struct service *service);
bool service_gpu_show(struct service *service, const char *id, json_t **ret_gpu, struct refusal *refusal);
/* What its scheduler did after event number `after`; most: events at a time, 0 = LEASE_TRACE_PAGE_DEFAULT. */
bool service_gpu_trace(struct service *service, const char *id, uint64_t after, uint64_t most, json_t **ret_trace, struct refusal *refusal);

/* Policy and parameters of its run queue, any of them, while it runs. */
bool service_gpu_set(struct service *service, const char *id, const json_t *body, json_t **ret_gpu, struct refusal *refusal);

json_t *service_profile_list(struct service *service);
bool service_profile_show(struct service *service, const char *name, json_t **ret_profile, struct refusal *refusal);
bool service_profile_create(struct service *service, const json_t *body, json_t **ret_profile, struct refusal *refusal);
bool service_profile_delete(struct service *service, const char *name, struct refusal *refusal);

/* What a vGPU is asked to be: the body of a create. */
struct vgpu_wish {
	char profile[PROFILE_NAME_BYTES];
	char name[VGPU_NAME_BYTES];	/* "" = made from the UUID */
	char gpu[GPU_ID_BYTES];		/* "" = where most is free */
	struct sched_edit sched;	/* over the profile's */
};
bool vgpu_wish_parse(const json_t *body, struct vgpu_wish *ret_wish, struct refusal *refusal);

json_t *service_vgpu_list(struct service *service);
/* id: a UUID, a name, or the beginning of exactly one UUID. */
bool service_vgpu_show(struct service *service, const char *id, json_t **ret_vgpu, struct refusal *refusal);
/* Answered when the vGPU runs and its sockets are there. False: refused at once, done is not called. */
bool service_vgpu_create(struct service *service, const struct vgpu_wish *wish, service_completion done, void *data,
			 struct refusal *refusal);
/* Answered when nothing of it is left. force: also with a connection open. */
bool service_vgpu_delete(struct service *service, const char *id, bool force, service_completion done, void *data,
			 struct refusal *refusal);
/* Weight, cap and the like, any of them, while it runs. */
bool service_vgpu_set(struct service *service, const char *id, const json_t *body, json_t **ret_vgpu, struct refusal *refusal);
bool service_vgpu_replace_device(struct service *service, const char *id, const char *program, struct refusal *refusal);

#endif
