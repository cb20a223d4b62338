/* SPDX-License-Identifier: MIT */
/*
 * The cgroup v2 groups that a service's vGPUs run in.
 *
 *   BASE/UUID/engines   its engines: frozen at the end of a lease
 *   BASE/UUID/serving   its keeper and device processes: counted; frozen only with a guest that floods them
 *
 * BASE is a child of the group that the first vgpud of this runtime folder ran in; its path is kept in the folder (file `cgroup`), so that later
 * ones find what runs. No controller is needed: freezing and counting are every group's. Where no cgroup v2 hierarchy can be written there are
 * none, and leases do without (freezer.h). Event loop thread only.
 */
#ifndef VGPU_MDEV_GROUPS_H
#define VGPU_MDEV_GROUPS_H

#include <stdbool.h>
#include <sys/types.h>

#define GROUPS_ENGINES "engines"
#define GROUPS_SERVING "serving"
#define GROUPS_PATH_BYTES 768

struct groups;

/* 0, or -errno with a sentence: this host has none that we could use. */
int groups_open(const char *runtime_dir, struct groups **ret_groups, char ret_why[256]);
/* The groups stay, for the next vgpud, unless there are none of vGPUs any more. Accepts NULL. */
void groups_close(struct groups *groups);

/* Makes a vGPU's group, if it is not there; its folder in ret_path. 0 or -errno. */
int groups_make(const struct groups *groups, const char *uuid, char ret_path[GROUPS_PATH_BYTES]);
/* Puts a process among those that serve the guest. It may have ended. */
void groups_serve(const struct groups *groups, const char *uuid, pid_t pid);
/* For a vGPU that a vgpud before this one left: that may have died while the keeper stood frozen, which could then never be asked for what thaws
 * it. Its engines stay as they are. NULL groups: nothing. */
void groups_thaw_serving(const struct groups *groups, const char *uuid);
/* Of a vGPU without processes. Accepts NULL. */
void groups_remove(const struct groups *groups, const char *uuid);

#endif
