/* SPDX-License-Identifier: MIT */
/*
 * A running vGPU as vgpud sees it: its keeper, watched and started again when it dies, and what the keeper tells.
 *
 * Theory of operation. An instance has a runtime folder RUNTIME/vgpu/UUID. instance_run first connects to the keeper that
 * may live there (vgpud was started anew), and starts one if none answers. After the connection it is asked for everything
 * (KEEPER_MANAGE); the answer is taken as "add or replace", so hearing a thing twice is harmless. The keeper's death is seen by its
 * pidfd; then it is started again at once (with a growing pause if it dies again and again); its device processes rejoin it by
 * themselves. Engines are watched by pidfds of their own, so that leases are right also while no keeper is there to
 * say ENGINE_GONE.
 *
 * Event loop thread only. The keeper is trusted as a process of ours; its texts may carry a guest's words.
 */
#ifndef VGPU_MDEV_INSTANCE_H
#define VGPU_MDEV_INSTANCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "mdev/event_log.h"
#include "mdev/gpu/parent.h"
#include "mdev/groups.h"
#include "mdev/leases.h"
#include "mdev/vgpu_spec.h"

enum instance_state {
	INSTANCE_WAITING,	/* no keeper and no GPU to start one on */
	INSTANCE_STARTING,
	INSTANCE_RUNNING,
	INSTANCE_FAILED,	/* its keeper does not stay up; tried again after a pause */
	INSTANCE_STOPPING,
	INSTANCE_GONE,		/* stopped: no process left */
};
const char *instance_state_name(enum instance_state state);

struct instance;

struct instance_surroundings {
	sd_event *loop;
	struct leases *leases;
	const struct groups *groups;	/* NULL: this host has none */
	struct event_log *events;
	const char *runtime_dir;
	/* Called whenever the state has become another one. */
	void (*changed)(struct instance *instance, void *owner);
};

/* spec and surroundings are borrowed. Makes the runtime folder. 0 or -errno with a sentence. */
int instance_create(const struct vgpu_spec *spec, const struct instance_surroundings *surroundings, void *owner,
		    struct instance **ret_instance, char ret_why[256]);
/* Lets go without stopping anything: the vGPU runs on. Accepts NULL. */
void instance_destroy(struct instance *instance);

/* Looks for a keeper that lives already. True if one was found: RUNNING follows, or its death is seen. */
bool instance_adopt(struct instance *instance);
/* From now on it runs on parent (borrowed until it is set to another or NULL): a keeper is started if none is there. */
void instance_run(struct instance *instance, struct parent *parent);

/* Stops the keeper and waits for all processes, killing what does not end: STOPPING, then GONE. */
void instance_stop(struct instance *instance);
/* Removes the runtime folder; only when GONE. 0 or -errno. */
int instance_remove_folder(struct instance *instance);

/* Asks the keeper to run the device processes from program. 0, or -ENOTCONN. */
int instance_replace_device(struct instance *instance, const char *program);

/* Has it scheduled by these settings from its next lease on. 0 (also when it does not run: it is then when it does), or as leases_edit. */
int instance_schedule(struct instance *instance, const struct sched_settings *sched, char ret_why[ADMISSION_WHY_BYTES]);

enum instance_state instance_state(const struct instance *instance);
/* Why it is not RUNNING: a sentence, or "". */
const char *instance_why(const struct instance *instance);
/* Connections open now (slots). */
unsigned instance_connections(const struct instance *instance);
/* Adds the running part of the vGPU's JSON to object. */
void instance_json(const struct instance *instance, json_t *object);

#endif
