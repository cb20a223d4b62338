/* SPDX-License-Identifier: MIT */
/*
 * The insides of the leases, shared by their files and nobody else.
 *
 *   leases.c           the thread, the life
 *   leases_hands.c     what the arbiters ask for: wake, freeze, count, report
 *   leases_members.c   run queues, vGPUs and engines that come and go
 *   leases_settings.c  what is set, what is known, the trace
 */
#ifndef VGPU_MDEV_LEASES_PARTS_H
#define VGPU_MDEV_LEASES_PARTS_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "mdev/freezer.h"
#include "mdev/leases.h"

struct queue {
	char name[64];
	uint64_t id;
	struct arbiter *arbiter;
	int timer_fd;
	struct lease_trace *trace;
	struct queue *next;
};

struct engine {
	uint32_t slot, context;
	pid_t pid;
	int pidfd;			/* -1: not a process of its own */
	struct lease_status *status;
	struct arbiter_engine *entity;
	struct lease_trace_engine seen;	/* for the trace */
	struct engine *next;
};

struct leases_vgpu {
	char name[128];
	uint64_t id;
	struct queue *queue;
	int want_fd;
	dev_t device;			/* of the grant page's file, to know it again */
	ino_t inode;
	struct lease_grant *grant;
	struct arbiter_entity *entity;
	struct engine *engines;
	struct freezer *freezer;
	uint64_t overrun_logged_ns;
	uint64_t overruns_unsaid;
	uint64_t squat_logged_ns;
	uint64_t squat_unsaid_ns;
	uint32_t trace_number;
	struct leases_vgpu *next;
};

struct leases {
	pthread_mutex_t lock;		/* over everything below */
	pthread_t thread;
	int epoll_fd;
	int stop_fd;
	uint64_t slice_ns;		/* of all vGPUs; 0 = the run queues' own */
	bool groups;			/* there are cgroups: freezing is quick */
	uint64_t last_id;		/* epoll carries ids, so that an event of something removed finds nothing */
	bool settled;
	struct queue *queues;
	struct leases_vgpu *vgpus;
};

uint64_t leases_now_ns(void);

/* leases_hands.c; owner: the struct leases_vgpu, of an engine: its struct engine */
extern const struct arbiter_ops leases_hands;
/* For the trace: what each engine did since it was last looked at. */
void leases_trace_engines(struct leases_vgpu *vgpu, uint64_t now_ns);

/* leases.c */
/* Lets the arbiter decide and sets the queue's timer to when it wants to be asked again. */
void leases_run_locked(struct queue *queue);
/* The thread looks at fd; what happens there is of what has this id. 0 or -errno. */
int leases_watch(struct leases *leases, int fd, uint64_t id);

/* leases_members.c */
/* The run queue of that name, made if it is not there. 0 or -errno. */
int leases_queue_get_locked(struct leases *leases, const char *name, struct queue **ret_queue);
void leases_vgpu_destroy(struct leases_vgpu *vgpu);

#endif
