/* SPDX-License-Identifier: MIT */
/* The thread of the leases, and their life. leases_parts.h names the other files. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "mdev/leases_parts.h"
#include "mdev/log/log.h"

uint64_t leases_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void leases_run_locked(struct queue *queue)
{
	uint64_t next_ns = arbiter_run(queue->arbiter, leases_now_ns());
	struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(next_ns / 1000000000u), .tv_nsec = (long)(next_ns % 1000000000u)},
	};

	timerfd_settime(queue->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* ---- the thread ------------------------------------------------------------------------------------ */

static void drain(int fd)
{
	uint64_t count;
	ssize_t got = read(fd, &count, sizeof(count));
	(void)got;	/* empty: another event took it */
}

/*
 * The want eventfd is shared with engines, which run guest code and could clear O_NONBLOCK and be quicker to read: a plain
 * read would then wait for them, with the lock held. RWF_NOWAIT is this call's own.
 */
static void drain_shared(int fd)
{
	uint64_t count;
	struct iovec into = {.iov_base = &count, .iov_len = sizeof(count)};
	ssize_t got = preadv2(fd, &into, 1, -1, RWF_NOWAIT);
	(void)got;	/* as above */
}

static void handle_locked(struct leases *leases, uint64_t id)
{
	for (struct leases_vgpu *vgpu = leases->vgpus; vgpu; vgpu = vgpu->next) {
		if (vgpu->id != id)
			continue;
		drain_shared(vgpu->want_fd);
		leases_run_locked(vgpu->queue);
		return;
	}
	for (struct queue *queue = leases->queues; queue; queue = queue->next) {
		if (queue->id != id)
			continue;
		drain(queue->timer_fd);
		leases_run_locked(queue);
		return;
	}
}

static void *leases_thread(void *data)
{
	struct leases *leases = data;
	struct sched_param priority = {.sched_priority = 1};
	struct epoll_event events[16];

	pthread_setname_np(pthread_self(), "leases");
	/* On a CPU parent the engines keep all processors busy; a hand-over must not wait behind them. */
	if (pthread_setschedparam(pthread_self(), SCHED_RR | SCHED_RESET_ON_FORK, &priority))
		log_info("no real-time priority for hand-overs of leases (needs CAP_SYS_NICE): going on without");
	for (;;) {
		int count = epoll_wait(leases->epoll_fd, events, 16, -1);
		if (count < 0 && errno != EINTR) {
			log_error("leases: epoll_wait: %s; no lease changes hands any more, restart vgpud", strerror(errno));
			return NULL;
		}
		pthread_mutex_lock(&leases->lock);
		for (int i = 0; i < count; i++) {
			if (!events[i].data.u64) {
				pthread_mutex_unlock(&leases->lock);
				return NULL;
			}
			handle_locked(leases, events[i].data.u64);
		}
		pthread_mutex_unlock(&leases->lock);
	}
}

int leases_watch(struct leases *leases, int fd, uint64_t id)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = id};

	return epoll_ctl(leases->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int leases_create(uint64_t slice_ns, bool groups, struct leases **ret_leases)
{
	struct leases *leases = calloc(1, sizeof(*leases));
	int error;

	if (!leases)
		return -ENOMEM;
	/* The thread of the hand-overs must not wait for one of ordinary priority that has the lock and no processor. */
	pthread_mutexattr_t attributes;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&leases->lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	leases->slice_ns = slice_ns;
	leases->groups = groups;
	leases->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	leases->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (leases->epoll_fd < 0 || leases->stop_fd < 0) {
		error = -errno;
		goto close;
	}
	error = leases_watch(leases, leases->stop_fd, 0);
	if (error)
		goto close;
	error = -pthread_create(&leases->thread, NULL, leases_thread, leases);
	if (error)
		goto close;
	*ret_leases = leases;
	return 0;
close:
	if (leases->epoll_fd >= 0)
		close(leases->epoll_fd);
	if (leases->stop_fd >= 0)
		close(leases->stop_fd);
	pthread_mutex_destroy(&leases->lock);
	free(leases);
	return error;
}

void leases_destroy(struct leases *leases)
{
	uint64_t one = 1;

	if (!leases)
		return;
	ssize_t written = write(leases->stop_fd, &one, sizeof(one));
	(void)written;
	pthread_join(leases->thread, NULL);
	while (leases->queues) {
		struct queue *queue = leases->queues;
		leases->queues = queue->next;
		arbiter_destroy(queue->arbiter);
		lease_trace_destroy(queue->trace);
		close(queue->timer_fd);
		free(queue);
	}
	while (leases->vgpus) {
		struct leases_vgpu *vgpu = leases->vgpus;
		leases->vgpus = vgpu->next;
		leases_vgpu_destroy(vgpu);
	}
	close(leases->epoll_fd);
	close(leases->stop_fd);
	pthread_mutex_destroy(&leases->lock);
	free(leases);
}

void leases_settle(struct leases *leases)
{
	pthread_mutex_lock(&leases->lock);
	leases->settled = true;
	for (struct queue *queue = leases->queues; queue; queue = queue->next) {
		arbiter_set_hold(queue->arbiter, false);
		leases_run_locked(queue);
	}
	pthread_mutex_unlock(&leases->lock);
}
