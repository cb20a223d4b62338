/* SPDX-License-Identifier: MIT */
#include "shim/transport/fork_guard.h"

#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

/* Process-wide by nature: fork() concerns all of the process, and its handlers take no argument. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct fork_guard *guards;

static void in_child(void)
{
	for (struct fork_guard *guard = guards; guard; guard = guard->next) {
		if (fork_guard_in_child(guard))
			continue;	/* the parent was a child itself */
		atomic_store_explicit(&guard->in_child, true, memory_order_relaxed);
		for (unsigned i = 0; i < guard->fd_count; i++) {
			if (*guard->fd[i] >= 0)
				close(*guard->fd[i]);
			*guard->fd[i] = -1;
		}
	}
	pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
	pthread_atfork(fork_lock, fork_unlock, in_child);
}

void fork_lock(void)
{
	pthread_mutex_lock(&lock);
}

void fork_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

void fork_guard_enter(struct fork_guard *guard)
{
	pthread_once(&once, watch_forks);
	atomic_store_explicit(&guard->in_child, false, memory_order_relaxed);
	fork_lock();
	guard->previous = NULL;
	guard->next = guards;
	if (guards)
		guards->previous = guard;
	guards = guard;
	fork_unlock();
}

void fork_guard_leave(struct fork_guard *guard)
{
	fork_lock();
	if (guard->previous)
		guard->previous->next = guard->next;
	else
		guards = guard->next;
	if (guard->next)
		guard->next->previous = guard->previous;
	fork_unlock();
}
