/* SPDX-License-Identifier: MIT */
/* Run queues, vGPUs and engines that come and go. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "mdev/leases_parts.h"
#include "mdev/log/log.h"

static void engine_destroy(struct engine *engine)
{
	munmap(engine->status, LEASE_STATUS_BYTES);
	if (engine->pidfd >= 0)
		close(engine->pidfd);
	free(engine);
}

void leases_vgpu_destroy(struct leases_vgpu *vgpu)
{
	while (vgpu->engines) {
		struct engine *engine = vgpu->engines;
		vgpu->engines = engine->next;
		engine_destroy(engine);
	}
	freezer_destroy(vgpu->freezer);
	if (vgpu->grant)
		munmap(vgpu->grant, LEASE_GRANT_BYTES);
	if (vgpu->want_fd >= 0)
		close(vgpu->want_fd);
	free(vgpu);
}

int leases_queue_get_locked(struct leases *leases, const char *name, struct queue **ret_queue)
{
	struct arbiter_settings settings = {.slice_ns = leases->slice_ns, .overrun_grace_ns = ARBITER_OVERRUN_GRACE_NS};
	struct queue *queue;
	int error;

	for (queue = leases->queues; queue; queue = queue->next) {
		if (!strcmp(queue->name, name)) {
			*ret_queue = queue;
			return 0;
		}
	}
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	snprintf(queue->name, sizeof(queue->name), "%s", name);
	queue->id = ++leases->last_id;
	queue->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (queue->timer_fd < 0) {
		error = -errno;
		goto free_queue;
	}
	queue->trace = lease_trace_create(LEASE_TRACE_EVENTS, leases_now_ns());
	queue->arbiter = queue->trace ? arbiter_create(&settings, &leases_hands, leases) : NULL;
	if (!queue->arbiter) {
		error = -ENOMEM;
		goto close_timer;
	}
	arbiter_set_hold(queue->arbiter, !leases->settled);
	error = leases_watch(leases, queue->timer_fd, queue->id);
	if (error)
		goto destroy_arbiter;
	queue->next = leases->queues;
	leases->queues = queue;
	*ret_queue = queue;
	return 0;
destroy_arbiter:
	arbiter_destroy(queue->arbiter);
close_timer:
	lease_trace_destroy(queue->trace);
	close(queue->timer_fd);
free_queue:
	free(queue);
	return error;
}

/* Maps a page whose file is long enough and stays so. 0 or -errno. */
static int map_page(int fd, size_t bytes, int protection, void **ret_page, struct stat *ret_stat)
{
	const int needed = F_SEAL_SHRINK;
	int seals = fcntl(fd, F_GET_SEALS);

	if (fstat(fd, ret_stat))
		return -errno;
	if (ret_stat->st_size < (off_t)bytes)
		return -EPROTO;
	if (seals < 0 || ((seals & needed) != needed && fcntl(fd, F_ADD_SEALS, needed)))
		return -EPERM;
	void *page = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	*ret_page = page;
	return 0;
}

static_assert(LEASE_RECORDS_AT >= sizeof(struct lease_grant) && LEASE_RECORDS_AT % 8 == 0 &&
	      LEASE_RECORDS_AT + 2 * sizeof(struct entity_record) <= LEASE_GRANT_BYTES, "the records lie behind the grant, in its page");

/* Debts and budgets live in the page, which the keeper holds over our death. */
static void keep_locked(struct leases_vgpu *vgpu)
{
	struct entity_record *records = (struct entity_record *)(void *)((char *)vgpu->grant + LEASE_RECORDS_AT);
	char why[ADMISSION_WHY_BYTES];

	if (arbiter_keep(vgpu->entity, records, leases_now_ns(), why))
		log_warning("vGPU %s: its scheduling before the restart cannot go on: %s; it begins anew", vgpu->name, why);
}

static void trace_leave_locked(struct leases_vgpu *vgpu)
{
	struct entity_settings settings = vgpu->entity ? *arbiter_entity_settings(vgpu->entity) : entity_defaults();

	lease_trace_leave(vgpu->queue->trace, vgpu->trace_number, &settings);
}

int leases_add(struct leases *leases, const char *queue, const char *name, const char *group, int grant_fd, int want_fd,
	       struct leases_vgpu **ret_vgpu)
{
	struct leases_vgpu *vgpu = calloc(1, sizeof(*vgpu));
	struct stat status;
	void *page;
	int error = -ENOMEM;

	if (!vgpu) {
		close(want_fd);
		goto out;
	}
	vgpu->want_fd = want_fd;
	snprintf(vgpu->name, sizeof(vgpu->name), "%s", name);
	vgpu->freezer = freezer_create(group);
	if (!vgpu->freezer)
		goto destroy;
	/* Reading an empty eventfd must not stop the thread. */
	fcntl(want_fd, F_SETFL, fcntl(want_fd, F_GETFL) | O_NONBLOCK);
	error = map_page(grant_fd, LEASE_GRANT_BYTES, PROT_READ | PROT_WRITE, &page, &status);
	if (error)
		goto destroy;
	vgpu->grant = page;
	vgpu->device = status.st_dev;
	vgpu->inode = status.st_ino;
	pthread_mutex_lock(&leases->lock);
	vgpu->id = ++leases->last_id;
	error = leases_queue_get_locked(leases, queue, &vgpu->queue);
	if (!error) {
		vgpu->trace_number = lease_trace_join(vgpu->queue->trace, name);
		vgpu->entity = arbiter_add(vgpu->queue->arbiter, vgpu->grant, vgpu, leases_now_ns());
		error = vgpu->entity ? leases_watch(leases, want_fd, vgpu->id) : -EPROTO;
		if (!error)
			keep_locked(vgpu);
		if (error) {
			trace_leave_locked(vgpu);
			arbiter_remove(vgpu->queue->arbiter, vgpu->entity, leases_now_ns());
		}
	}
	if (!error) {
		vgpu->next = leases->vgpus;
		leases->vgpus = vgpu;
		leases_run_locked(vgpu->queue);
	}
	pthread_mutex_unlock(&leases->lock);
destroy:
	if (error)
		leases_vgpu_destroy(vgpu);
	else
		*ret_vgpu = vgpu;
out:
	close(grant_fd);
	return error;
}

void leases_remove(struct leases *leases, struct leases_vgpu *vgpu)
{
	if (!vgpu)
		return;
	pthread_mutex_lock(&leases->lock);
	for (struct leases_vgpu **at = &leases->vgpus; *at; at = &(*at)->next) {
		if (*at == vgpu) {
			*at = vgpu->next;
			break;
		}
	}
	epoll_ctl(leases->epoll_fd, EPOLL_CTL_DEL, vgpu->want_fd, NULL);
	trace_leave_locked(vgpu);
	arbiter_remove(vgpu->queue->arbiter, vgpu->entity, leases_now_ns());
	leases_run_locked(vgpu->queue);
	pthread_mutex_unlock(&leases->lock);
	leases_vgpu_destroy(vgpu);
}

static void engine_remove_locked(struct leases_vgpu *vgpu, uint32_t slot, uint32_t context)
{
	for (struct engine **at = &vgpu->engines; *at; at = &(*at)->next) {
		struct engine *engine = *at;
		if (engine->slot != slot || engine->context != context)
			continue;
		arbiter_engine_remove(vgpu->entity, engine->entity, leases_now_ns());
		*at = engine->next;
		freezer_engine_remove(vgpu->freezer, engine->pid);
		engine_destroy(engine);
		return;
	}
}

int leases_engine_add(struct leases *leases, struct leases_vgpu *vgpu, uint32_t slot, uint32_t context, pid_t pid, int status_fd)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	struct stat status;
	void *page;
	int error = engine ? map_page(status_fd, LEASE_STATUS_BYTES, PROT_READ | PROT_WRITE, &page, &status) : -ENOMEM;

	close(status_fd);
	if (error) {
		free(engine);
		return error;
	}
	engine->slot = slot;
	engine->context = context;
	engine->pid = pid;
	engine->pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	engine->status = page;
	engine->seen = lease_trace_look(page);
	pthread_mutex_lock(&leases->lock);
	engine_remove_locked(vgpu, slot, context);
	engine->entity = arbiter_engine_add(vgpu->entity, engine->status, engine);
	if (engine->entity) {
		freezer_engine_add(vgpu->freezer, pid);
		atomic_store(&engine->status->heard, 1);
		syscall(SYS_futex, &engine->status->heard, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		engine->next = vgpu->engines;
		vgpu->engines = engine;
		leases_run_locked(vgpu->queue);	/* it may want already */
	}
	pthread_mutex_unlock(&leases->lock);
	if (!engine->entity) {
		engine_destroy(engine);
		return -ENOMEM;
	}
	return 0;
}

void leases_engine_remove(struct leases *leases, struct leases_vgpu *vgpu, uint32_t slot, uint32_t context)
{
	pthread_mutex_lock(&leases->lock);
	engine_remove_locked(vgpu, slot, context);
	leases_run_locked(vgpu->queue);
	pthread_mutex_unlock(&leases->lock);
}
