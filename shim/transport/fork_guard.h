/* SPDX-License-Identifier: MIT */
/*
 * What a child of fork() must not keep: descriptors whose owner is the parent, and locks some other thread held.
 *
 * A copy of our socket or DRM file in a child would keep the parent's context alive after the parent's death, and answers meant
 * for one would reach the other. A guard names such descriptors; in the child they are closed, set to -1, and the
 * guard answers `true` from then on. fork_lock() is a mutex that is free in the child, whoever held it in the parent.
 * (A process-wide list is needed because pthread_atfork has no argument.)
 */
#ifndef VGPU_SHIM_TRANSPORT_FORK_GUARD_H
#define VGPU_SHIM_TRANSPORT_FORK_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>

#define FORK_GUARD_FDS_MAX 8

struct fork_guard {
	struct fork_guard *next, *previous;
	int *fd[FORK_GUARD_FDS_MAX];	/* borrowed places of descriptors; *fd may be -1 */
	unsigned fd_count;
	atomic_bool in_child;
};

/* Puts it on the list; fd and fd_count are set, the rest is not. */
void fork_guard_enter(struct fork_guard *guard);
void fork_guard_leave(struct fork_guard *guard);

static inline bool fork_guard_in_child(struct fork_guard *guard)
{
	return atomic_load_explicit(&guard->in_child, memory_order_relaxed);
}

void fork_lock(void);
void fork_unlock(void);

#endif
