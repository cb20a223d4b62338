/* SPDX-License-Identifier: MIT */
/* What is set of run queues and vGPUs, what is known of them, and the trace. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mdev/leases_parts.h"

/*
 * A switch loses 18 to 30 us (make bench-fairness: lost), and may lose 0.5 % of the time. Shares are to be within 1 % over 10 s with 16 vGPUs, so a
 * round of all is well below 100 ms.
 */
#define CPU_SWITCH_COST_NS 30000ull
#define CPU_SWITCH_PPM 6000u
#define CPU_ROUND_NS 64000000ull
#define CPU_SLICE_MAX_NS 12000000ull

int leases_edit(struct leases *leases, struct leases_vgpu *vgpu, const struct entity_settings *settings, uint64_t hang_timeout_ns,
		char ret_why[ADMISSION_WHY_BYTES])
{
	pthread_mutex_lock(&leases->lock);
	int error = arbiter_edit(vgpu->entity, settings, leases_now_ns(), ret_why);
	if (!error) {
		arbiter_set_hang_timeout(vgpu->entity, hang_timeout_ns);
		leases_run_locked(vgpu->queue);
	}
	pthread_mutex_unlock(&leases->lock);
	return error;
}

static uint32_t processors(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	return count > 0 ? (uint32_t)count : 1;
}

struct run_queue_settings leases_parent_defaults(bool on_cpu, uint32_t compute_units)
{
	struct run_queue_settings settings = run_queue_defaults();

	if (!on_cpu)
		return settings;
	settings.switch_cost_ns = CPU_SWITCH_COST_NS;
	settings.switch_ppm = CPU_SWITCH_PPM;
	settings.target_latency_ns = CPU_ROUND_NS;
	settings.slice_max_ns = CPU_SLICE_MAX_NS;
	/* Work that uses one processor of several leases one, not the machine. */
	settings.leases = compute_units && compute_units < processors() ? processors() / compute_units : 1;
	if (settings.leases > RUN_QUEUE_LEASES_MAX)
		settings.leases = RUN_QUEUE_LEASES_MAX;
	return settings;
}

int leases_set_parent(struct leases *leases, const char *name, bool on_cpu)
{
	struct queue *queue;

	pthread_mutex_lock(&leases->lock);
	int error = leases_queue_get_locked(leases, name, &queue);
	if (!error) {
		/* Without groups stopping takes milliseconds: then only those are stopped who do not end by themselves. */
		arbiter_set_parent(queue->arbiter, on_cpu && leases->groups, on_cpu ? processors() : 0);
		leases_run_locked(queue);
	}
	pthread_mutex_unlock(&leases->lock);
	return error;
}

int leases_configure(struct leases *leases, const char *name, const struct run_queue_settings *settings, char ret_why[ADMISSION_WHY_BYTES])
{
	struct queue *queue;

	pthread_mutex_lock(&leases->lock);
	int error = leases_queue_get_locked(leases, name, &queue);
	if (error)
		snprintf(ret_why, ADMISSION_WHY_BYTES, "no run queue can be made: %s", strerror(-error));
	else
		error = arbiter_configure(queue->arbiter, settings, leases_now_ns(), ret_why);
	if (!error)
		leases_run_locked(queue);
	pthread_mutex_unlock(&leases->lock);
	return error;
}

/* ---- what is known -------------------------------------------------------------------------------- */

int leases_same_page(const struct leases_vgpu *vgpu, int grant_fd)
{
	struct stat status;

	return vgpu && !fstat(grant_fd, &status) && status.st_dev == vgpu->device && status.st_ino == vgpu->inode;
}

bool leases_totals(struct leases *leases, const char *name, struct arbiter_totals *ret_totals)
{
	struct queue *queue;

	pthread_mutex_lock(&leases->lock);
	for (queue = leases->queues; queue && strcmp(queue->name, name); queue = queue->next)
		;
	if (queue)
		arbiter_totals(queue->arbiter, ret_totals);
	pthread_mutex_unlock(&leases->lock);
	return queue;
}

void leases_usage(struct leases *leases, const struct leases_vgpu *vgpu, struct arbiter_usage *ret_usage)
{
	pthread_mutex_lock(&leases->lock);
	arbiter_usage(vgpu->entity, leases_now_ns(), ret_usage);
	pthread_mutex_unlock(&leases->lock);
}

/* ---- the trace ---------------------------------------------------------------------------------------- */

void leases_identify(struct leases *leases, struct leases_vgpu *vgpu, const char *uuid)
{
	pthread_mutex_lock(&leases->lock);
	lease_trace_identify(vgpu->queue->trace, vgpu->trace_number, uuid);
	pthread_mutex_unlock(&leases->lock);
}

/* The settings of those that are still there are the arbiter's to say. */
static void trace_settings_locked(const struct leases *leases, struct lease_trace_page *page, const struct queue *queue)
{
	page->queue = *arbiter_queue_settings(queue->arbiter);
	page->freezes = arbiter_freezes(queue->arbiter);
	for (const struct leases_vgpu *vgpu = leases->vgpus; vgpu; vgpu = vgpu->next)
		for (size_t i = 0; vgpu->queue == queue && i < page->member_count; i++)
			if (page->members[i].number == vgpu->trace_number)
				page->members[i].settings = *arbiter_entity_settings(vgpu->entity);
}

int leases_trace(struct leases *leases, const char *name, uint64_t after, size_t most, struct lease_trace_page **ret_page)
{
	struct lease_trace_page *page = lease_trace_page_create(most);
	struct timespec realtime;
	int error = -ENOENT;

	if (!page)
		return -ENOMEM;
	pthread_mutex_lock(&leases->lock);
	for (const struct queue *queue = leases->queues; queue; queue = queue->next) {
		if (strcmp(queue->name, name))
			continue;
		for (struct leases_vgpu *vgpu = leases->vgpus; vgpu; vgpu = vgpu->next)
			if (vgpu->queue == queue && lease_trace_holds(queue->trace, vgpu->trace_number))
				leases_trace_engines(vgpu, leases_now_ns());
		error = lease_trace_read(queue->trace, after, most, page);
		if (!error)
			trace_settings_locked(leases, page, queue);
		page->now_ns = leases_now_ns();
		clock_gettime(CLOCK_REALTIME, &realtime);
	}
	pthread_mutex_unlock(&leases->lock);
	if (error) {
		lease_trace_page_destroy(page);
		return error;
	}
	page->realtime_ns = (uint64_t)realtime.tv_sec * 1000000000u + (uint64_t)realtime.tv_nsec;
	*ret_page = page;
	return 0;
}
