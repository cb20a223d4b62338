/* SPDX-License-Identifier: MIT */
/*
 * The engine's jail: entered by main before vendor code is loaded, never left.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_JAIL_H
#define VGPU_MDEV_ENGINE_COMPUTE_JAIL_H

#include <stdbool.h>
#include <stdint.h>

struct jail_settings {
	const char *icd;		/* must stay readable, and the library it names */
	const char *scratch;		/* a folder of this engine's own, made here; the only place it can write */
	uint64_t memory_limit_bytes;	/* of private memory, the mapped blobs not counted; 0 = none */
	const int *keep_fds;		/* ascending, above 2; all others above 2 are closed */
	unsigned keep_fd_count;
	bool seccomp_later;		/* of the compile helper, which reads no source itself: its builds enter, each for itself */
	int guarded_fd;			/* -1, or one of keep_fds: a file to ask for mappings of, and for nothing else */
};

struct jail_guard {
	int fd;				/* the guarded file's descriptor, under a number that nothing else can get */
	int listener;			/* whoever holds it answers each mmap of fd, with MAP_PRIVATE or MAP_SHARED; taken by
					 * the caller. -1: none can be had here, and fd maps as it pleases */
};

/* Enters. ret_guard: NULL without a guarded_fd. What the host does not allow is said in one line of the log; only a jail without no_new_privs or
 * without its scratch folder is an error: -errno. One thread only. */
int jail_enter(const struct jail_settings *settings, struct jail_guard *ret_guard);

/*
 * For a process forked in a jail with seccomp_later: what a build may do. It writes in settings' scratch folder only, one in the former's, and
 * enters seccomp. 0, or -errno where the host does not allow all of it: then nothing of a guest's is to be read.
 */
int jail_enter_build(const struct jail_settings *settings);

/* Removes the scratch folder, as far as the jail lets us: its content always. */
void jail_leave_nothing(const char *scratch);
#endif
