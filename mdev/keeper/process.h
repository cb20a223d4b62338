/* SPDX-License-Identifier: MIT */
/* A child process started with exactly the descriptors it is meant to have, and watched by pidfd. */
#ifndef VGPU_MDEV_KEEPER_PROCESS_H
#define VGPU_MDEV_KEEPER_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#define PROCESS_FDS_MAX 16

/* Descriptors are 0 = /dev/null, 1 and 2 = ours (the log), 3.. = fds[0..]. Everything else is closed.
 * own_pid_namespace: everything the process forks dies with it; where the host refuses that,
 * the process starts without and *ret_namespaced is false. */
#define PROCESS_EXIT_NO_ROOM 126	/* of a child that found no descriptor for its own */
struct process_spec {
	const char *path;
	char *const *argv;
	char *const *environment;	/* NULL-terminated; built from nothing by the caller */
	const int *fds;
	unsigned fd_count;
	bool own_pid_namespace;
};

/* What every child of ours is given: a PATH, and of our environment how to log and what sanitizers are told. */
#define PROCESS_SETTINGS 4
struct process_environment {
	char *entries[2 + PROCESS_SETTINGS];	/* NULL-terminated; into this struct */
	char setting[PROCESS_SETTINGS][1024];
};
void process_environment_make(struct process_environment *environment);

/* Starts it. 0 with *ret_pid and *ret_pidfd (the caller's to close), or -errno. A program that cannot be executed exits 127. */
int process_start(const struct process_spec *spec, pid_t *ret_pid, int *ret_pidfd, bool *ret_namespaced);

/* Reaps a process whose pidfd is readable. Returns its wait status; -ECHILD where it is not our child (we were
 * started anew while it lived). */
int process_reap(int pidfd);

/* SIGKILL by pidfd: never another process. */
void process_kill(int pidfd);

#endif
