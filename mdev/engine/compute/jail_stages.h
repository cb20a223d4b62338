/* SPDX-License-Identifier: MIT */
/*
 * The stages of the jail that have a file of their own. Private to jail*.c.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_JAIL_STAGES_H
#define VGPU_MDEV_ENGINE_COMPUTE_JAIL_STAGES_H

#include <stdbool.h>

#include "mdev/engine/compute/jail.h"

/* Where to read: folders and files that PoCL (3.1, 6.0) and GPU drivers open, and where devices are. Each may be missing. */
struct jail_place {
	const char *path;
	bool device;			/* written to and ioctl'ed */
};
extern const struct jail_place jail_places[];
extern const unsigned jail_place_count;

/* The folder of the library that the ICD file names, if by absolute path: into path. False if there is none. */
bool jail_icd_library_folder(const char *icd, char path[4096]);

/* Own user, mount, network, IPC and UTS namespaces with a root that holds jail_places, and scratch as a
 * private tmpfs. with_user: a user namespace too, for one without privileges. 0, or -errno with *ret_entered
 * telling whether the namespaces exist (then only the new root is missing). */
int jail_namespaces_enter(const struct jail_settings *settings, bool with_user, bool *ret_entered);
/* Whether this host lets this process make user namespaces; tried in a child. */
bool jail_user_namespaces_work(void);

/* Files by Landlock: read jail_places, write scratch, execute the linker only. *ret_abi: the host's. 0 or -errno. */
int jail_landlock_enter(const struct jail_settings *settings, int *ret_abi);

/* System calls an engine never needs, refused; with guarded_fd (-1: none) all that use it but mmap, which asks
 * *ret_listener, -1 if the host has no listeners. 0 or -errno. */
int jail_seccomp_enter(int guarded_fd, int *ret_listener);
#endif
