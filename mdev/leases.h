/* SPDX-License-Identifier: MIT */
/*
 * Runs the arbiters: maps the lease pages, listens to the want eventfds, keeps the timers.
 *
 * Owns a thread of its own, so that no fsync or HTTP request of the service ever lengthens a slice. All functions may be
 * called from vgpud's event loop; they take one lock, held for microseconds.
 * Distrusts engines: of their status pages one field is written (`heard`), and they are mapped only if they are sealed against shrinking.
 */
#ifndef VGPU_MDEV_LEASES_H
#define VGPU_MDEV_LEASES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mdev/lease_trace.h"
#include "scheduler/arbiter.h"

struct leases;
struct leases_vgpu;

/* Starts the thread. slice_ns: of all vGPUs, 0 = as each run queue has it. groups: vGPUs have cgroups, so that leases can end by freezing.
 * Nothing is granted until leases_settle. 0 or -errno. */
int leases_create(uint64_t slice_ns, bool groups, struct leases **ret_leases);
/* Stops the thread and forgets; the pages stay as they are, for the next vgpud. Accepts NULL. */
void leases_destroy(struct leases *leases);

/* All who may hold a lease have been heard: granting begins. */
void leases_settle(struct leases *leases);

/* Adds a vGPU to the run queue named queue. Takes both descriptors, also on failure. name is for the log, copied. group: the folder of
 * its cgroup (groups.h), or NULL. 0 or -errno. */
int leases_add(struct leases *leases, const char *queue, const char *name, const char *group, int grant_fd, int want_fd,
	       struct leases_vgpu **ret_vgpu);
/* Its engines must be dead. Accepts NULL. */
void leases_remove(struct leases *leases, struct leases_vgpu *vgpu);

/* Replaces the engine of (slot, context), if there is one. pid: the process, 0 = none (a test's thread). Takes status_fd, also on
 * failure. 0, or -errno: -EPERM for a page that could be truncated under us. */
int leases_engine_add(struct leases *leases, struct leases_vgpu *vgpu, uint32_t slot, uint32_t context, pid_t pid, int status_fd);
void leases_engine_remove(struct leases *leases, struct leases_vgpu *vgpu, uint32_t slot, uint32_t context);

/* Weight, cap, reservation, class and slice of a vGPU, while it runs; obeyed from the next lease on. hang_timeout_ns: how long one
 * command may have the lease before its engine is killed, 0 = for ever. 0, or -EINVAL or -ENOSPC with one sentence in ret_why: then nothing
 * has changed. */
int leases_edit(struct leases *leases, struct leases_vgpu *vgpu, const struct entity_settings *settings, uint64_t hang_timeout_ns,
		char ret_why[ADMISSION_WHY_BYTES]);

/* What the parent of a run queue is, which is made if it is not there: on_cpu, the processors of this host. Then leases end by freezing, and
 * processor time without a lease is charged. 0 or -errno. */
int leases_set_parent(struct leases *leases, const char *queue, bool on_cpu);
/* What a run queue begins with on such a parent, of whose processors a kernel uses compute_units: as many leases at a time as fit beside one
 * another, and slices that are worth a switch. */
struct run_queue_settings leases_parent_defaults(bool on_cpu, uint32_t compute_units);

/* Policy and parameters of a run queue, made if it is not there. Errors as above. */
int leases_configure(struct leases *leases, const char *queue, const struct run_queue_settings *settings, char ret_why[ADMISSION_WHY_BYTES]);

/* True if grant_fd is the very page vgpu runs on. */
int leases_same_page(const struct leases_vgpu *vgpu, int grant_fd);
/* False: there is no such run queue yet. */
bool leases_totals(struct leases *leases, const char *queue, struct arbiter_totals *ret_totals);
void leases_usage(struct leases *leases, const struct leases_vgpu *vgpu, struct arbiter_usage *ret_usage);

/* Its UUID, for traces; copied. */
void leases_identify(struct leases *leases, struct leases_vgpu *vgpu, const char *uuid);
/* What the run queue did after event number `after`, at most `most` events (1 to LEASE_TRACE_PAGE_MOST): lease_trace_page_destroy frees it.
 * 0, -ENOENT (no vGPU of this queue was ever there) or -ENOMEM. */
int leases_trace(struct leases *leases, const char *queue, uint64_t after, size_t most, struct lease_trace_page **ret_page);

#endif
