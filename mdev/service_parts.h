/* SPDX-License-Identifier: MIT */
/*
 * What the files of the service share: service.c (life, GPUs), service_profiles.c, service_vgpus.c, service_sched.c. Nobody else
 * includes this.
 */
#ifndef VGPU_MDEV_SERVICE_PARTS_H
#define VGPU_MDEV_SERVICE_PARTS_H

#include "mdev/instance.h"
#include "mdev/leases.h"
#include "mdev/service.h"
#include "mdev/store/store.h"

struct gpu {
	char id[GPU_ID_BYTES];
	char key[512];
	struct queue_edit queue;	/* what an administrator set */
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
/* As find; refuses one that nobody sees. */
struct gpu *service_gpu_find_shown(const struct service *service, const char *id, struct refusal *refusal);
json_t *service_gpu_json(const struct service *service, const struct gpu *gpu);
/* Its number and what is set. 0, or -errno with a sentence. */
int service_gpu_write(struct service *service, const struct gpu *gpu, char ret_why[256]);
uint64_t gpu_capacity_bytes(const struct gpu *gpu);
uint64_t service_gpu_free_bytes(const struct service *service, const struct gpu *gpu);
struct vgpu *service_vgpu_find(struct service *service, const char *id, struct refusal *refusal);
json_t *service_vgpu_json(const struct vgpu *vgpu);
int service_vgpu_write(struct vgpu *vgpu, char ret_why[256]);
struct profile *service_profile_find(const struct service *service, const char *name);

/* service_sched.c */
/* What its run queue is to be: what follows from the GPU, and over that what was set. gpu NULL: one that nobody knows. */
struct run_queue_settings service_gpu_queue(const struct service *service, const struct gpu *gpu);
/* Reservations and budgets of the vGPUs defined on it, but for one of them (or NULL). */
uint64_t service_gpu_promised_ppm(const struct service *service, const struct gpu *gpu, const struct vgpu *except);
/* How many vGPUs with such settings its run queue has room for. */
uint64_t service_gpu_room(const struct service *service, const struct gpu *gpu, const struct sched_settings *sched);
/* Whether except (NULL: a new vGPU) may have these settings on it. 0, or -ENOSPC with a sentence. */
int service_gpu_admits(const struct service *service, const struct gpu *gpu, const struct vgpu *except, const struct sched_settings *sched,
		       char ret_why[ADMISSION_WHY_BYTES]);
/* Makes its run queue, and the vGPUs that run on it, be what is set. */
void service_gpu_schedule(struct service *service, const struct gpu *gpu);

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
