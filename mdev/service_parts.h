/* SPDX-License-Identifier: MIT */
/* What the three files of the service share: service.c (life, GPUs), service_profiles.c, service_vgpus.c. Nobody else includes this. */
#ifndef VGPU_MDEV_SERVICE_PARTS_H
#define VGPU_MDEV_SERVICE_PARTS_H

#include "mdev/instance.h"
#include "mdev/leases.h"
#include "mdev/service.h"
#include "mdev/store/store.h"

struct gpu {
	char id[GPU_ID_BYTES];
	char key[512];
	struct parent *parent;	/* owned; NULL: known from before, not there now */
	struct gpu *next;
};

struct vgpu {
	struct vgpu_spec spec;
	struct service *service;
	struct instance *instance;	/* owned */
	service_completion create_done;	/* not NULL: a create waits for it to run */
	void *create_data;
	uint64_t create_until_us;
	service_completion delete_done;
	void *delete_data;
	struct refusal create_refusal;	/* with a code: the create failed, it is being taken away */
	struct vgpu *next;
};

struct service {
	sd_event *loop;
	struct service_settings settings;
	struct store *store;
	struct event_log *events;
	struct leases *leases;
	struct groups *groups;		/* NULL: this host has none that we could use */
	struct instance_surroundings surroundings;
	struct gpu *gpus;
	struct profile *builtin;
	struct profile *profiles;	/* made by users */
	struct vgpu *vgpus;		/* in order of creation */
	sd_event_source *settle;	/* deferred: looks what changed states ask for */
	sd_event_source *settle_timer;
	sd_event_source *adoption_timer;
	bool gpus_known;
	bool leases_settled;
	void (*ready)(void *data);
	void *ready_data;
	bool stopping;
	void (*stopped)(void *data);
	void *stopped_data;
};

#define STORE_GPUS "gpus"
#define STORE_PROFILES "profiles"
#define STORE_VGPUS "vgpus"

struct gpu *service_gpu_find(const struct service *service, const char *id);
uint64_t gpu_capacity_bytes(const struct gpu *gpu);
uint64_t service_gpu_free_bytes(const struct service *service, const struct gpu *gpu);
struct profile *service_profile_find(const struct service *service, const char *name);

int service_profiles_load(struct service *service, char ret_why[256]);
int service_vgpus_load(struct service *service, char ret_why[256]);
void service_vgpus_adopt(struct service *service);	/* those whose keepers live */
void service_vgpus_run(struct service *service);	/* all, on the GPUs found */
void service_vgpus_destroy(struct service *service);
/* Does what the vGPUs' states ask for: answers, removals. */
void service_vgpus_settle(struct service *service);
void service_settle_soon(struct service *service);
/* And every now and then while a create waits: its patience ends without any event. */
void service_settle_in_time(struct service *service);
void service_on_aside(const char *file, const char *why, void *data);

#endif
