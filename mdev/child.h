/* SPDX-License-Identifier: MIT */
/*
 * Child processes of vgpud: started with clean descriptors, reaped in one place, watched by pidfd whoever their parent is.
 *
 * vgpud is a subreaper, so processes of a dead keeper become its children and are reaped here as well.
 * Event loop thread only.
 */
#ifndef VGPU_MDEV_CHILD_H
#define VGPU_MDEV_CHILD_H

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* Reaps every child that ends, from now on. Blocks SIGCHLD. 0 or -errno. */
int child_reap_all(sd_event *loop);

/* Starts path with argv in a session of its own: 0 is /dev/null, 1 is stdout_fd (or our stderr if it is -1), 2 our stderr, all others
 * closed; no signal blocked, SIGPIPE ignored (a log nobody reads must not kill it). environment NULL = ours. *ret_pidfd is the
 * caller's to close. 0, or -errno, also when path cannot be executed. */
int child_start(const char *path, char *const *argv, char *const *environment, int stdout_fd, pid_t *ret_pid, int *ret_pidfd);

/* pidfd of any process. -ESRCH if it is gone. */
int child_open(pid_t pid);
/* True once the process behind pidfd has ended. */
bool child_has_ended(int pidfd);
void child_kill(int pidfd, int signal);

#endif
