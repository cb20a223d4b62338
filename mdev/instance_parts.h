/* SPDX-License-Identifier: MIT */
/*
 * What the files of an instance share: instance.c (its life as others see it), instance_keeper.c (the keeper: found, started,
 * heard), instance_engines.c (whose engines hold leases), instance_stop.c. Nobody else includes this.
 */
#ifndef VGPU_MDEV_INSTANCE_PARTS_H
#define VGPU_MDEV_INSTANCE_PARTS_H

#include "mdev/instance.h"
#include "mdev/keeper_client.h"

#define INSTANCE_PAUSE_FIRST_US 500000u	/* before a keeper that died too often is started again; then it doubles */

struct engine {
	struct instance *instance;
	uint32_t slot, context;
	pid_t pid;
	int pidfd;
	sd_event_source *source;
	struct engine *next;
};

/* A process the end of which a stop waits for. */
struct awaited {
	int pidfd;
	struct awaited *next;
};

struct instance {
	const struct vgpu_spec *spec;
	const struct instance_surroundings *around;
	void *owner;
	char dir[256];
	enum instance_state state;
	char why[256];
	struct parent *parent;

	struct keeper_client *client;
	bool managed;			/* the keeper has told everything */
	pid_t keeper_pid;		/* 0 = none lives */
	int keeper_pidfd;
	sd_event_source *keeper_source;
	sd_event_source *timer;		/* connect again, start again, or look whether all have stopped */
	uint64_t since_us;		/* when the current state's waiting began */
	uint64_t window_us;		/* of deaths counted */
	unsigned deaths;
	uint64_t pause_us;

	struct vgpu_page *page;
	struct leases_vgpu *lease;
	struct engine *engines;
	bool slot_open[KEEPER_SLOT_MAX];
	struct awaited *awaited;
	bool stop_asked;		/* the keeper connected to knows that it is to stop */
	pid_t late_keeper;		/* that a stop kills, 0 = one that cannot be told; -1: none so far */
	int lock_fd;			/* keeper.lock while it is ours, at the end of a stop; or -1 */
};

/* instance.c */
uint64_t instance_now_us(void);
void instance_enter_state(struct instance *instance, enum instance_state state, const char *why);
/* The one timer; handler NULL: off. */
void instance_set_timer(struct instance *instance, uint64_t delay_us, sd_event_time_handler_t handler);
/* Calls each for every device process that lives. */
unsigned instance_devices(const struct instance *instance, void (*each)(pid_t pid, void *data), void *data);

/* instance_keeper.c */
/* Connects to the keeper that serves, and watches it. 0 or -errno. */
int instance_connect(struct instance *instance);
/* Takes pidfd; a negative one: none lives. */
void instance_watch_keeper(struct instance *instance, pid_t pid, int pidfd);

/* instance_engines.c */
struct engine *instance_engine_find(struct instance *instance, uint32_t slot, uint32_t context);
/* Takes status_fd. */
void instance_engine_add(struct instance *instance, const struct keeper_message *message, int status_fd);
/* Its lease goes as well. */
void instance_engine_gone(struct engine *engine);
/* Its lease stays. */
void instance_engine_forget(struct engine *engine);

#endif
