/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/virtio_gpu/audit.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/virtio_gpu/aperture.h"
#include "vgpu-qemu/virtio_gpu/contexts.h"
#include "vgpu-qemu/virtio_gpu/pending.h"
#include "vgpu-qemu/virtio_gpu/resource_table.h"
#include "vgpu-qemu/virtio_gpu/retirement.h"
#include "vgpu-qemu/virtio_gpu/waiting.h"

uint64_t gpu_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void arm(struct virtio_gpu *gpu, uint64_t due_ns)
{
	struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(due_ns / 1000000000ull), .tv_nsec = (long)(due_ns % 1000000000ull)},
	};

	gpu->tick_due_ns = due_ns;
	timerfd_settime(gpu->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

int audit_begin(struct virtio_gpu *gpu)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = gpu_event_data(GPU_EVENT_TIMER, 0, 0)};

	gpu->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (gpu->timer_fd < 0)
		return -errno;
	if (epoll_ctl(gpu->w.epoll_fd, EPOLL_CTL_ADD, gpu->timer_fd, &event)) {
		int status = -errno;

		close(gpu->timer_fd);
		gpu->timer_fd = -1;
		return status;
	}
	gpu->audited_blocks = UINT64_MAX;
	gpu->audit_interval_ns = AUDIT_HURRY_NS;
	gpu->audit_due_ns = gpu_now_ns() + AUDIT_HURRY_NS;
	arm(gpu, gpu->audit_due_ns);
	return 0;
}

void audit_end(struct virtio_gpu *gpu)
{
	if (gpu->timer_fd < 0)
		return;
	epoll_ctl(gpu->w.epoll_fd, EPOLL_CTL_DEL, gpu->timer_fd, NULL);
	close(gpu->timer_fd);
	gpu->timer_fd = -1;
}

void audit_hurry(struct virtio_gpu *gpu)
{
	uint64_t due_ns;

	if (gpu->timer_fd < 0)
		return;
	/* No look at the clock where the timer is in a hurry already. */
	if (gpu->audit_interval_ns == AUDIT_HURRY_NS)
		return;
	due_ns = gpu_now_ns() + AUDIT_HURRY_NS;
	gpu->audit_interval_ns = AUDIT_HURRY_NS;
	if (gpu->audit_due_ns > due_ns)
		gpu->audit_due_ns = due_ns;
	if (gpu->tick_due_ns > due_ns)
		arm(gpu, due_ns);
}

void audit_now(struct virtio_gpu *gpu)
{
	if (gpu->timer_fd >= 0)
		arm(gpu, 1);
}

/* Engines that keep a range they were told to let go of; MAPs an engine does not read. */
static void look_at_engines(struct virtio_gpu *gpu, uint64_t now_ns)
{
	if (gpu->unmapping_count) {
		for (uint32_t i = 0; i < gpu->extent_count; i++) {
			uint32_t slot = gpu->extent[i];
			const struct gpu_resource *r = resource_at(gpu, slot);
			const struct gpu_context *c;

			if (r->range != GPU_RANGE_UNMAPPING || r->owner == GPU_NONE ||
			    now_ns - gpu->view[slot].unmapping_since_ns < ENGINE_GRACE_NS)
				continue;
			c = &gpu->state->context[r->owner];
			if (c->engine != GPU_ENGINE_RUNNING)
				continue;
			log_warning("the engine of guest context '%s' has not let go of a blob within %llu ms; killed",
				    c->debug_name, (unsigned long long)(ENGINE_GRACE_NS / 1000000));
			context_condemn(gpu, r->owner, WIRE_LOST_HANG);
		}
	}
	/* Waited for long enough: the MAP is still sent when the engine reads; the guest's queue goes on. */
	if (gpu->pending_map_count) {
		for (uint32_t head = 0; head < GPU_PENDING_MAX; head++) {
			const struct gpu_pending *p = &gpu->state->pending[head];

			if (p->kind == GPU_PENDING_MAP &&
			    now_ns - gpu->view[p->subject].mapped_since_ns >= ENGINE_GRACE_NS)
				pending_answer(gpu, head, VIRTIO_GPU_RESP_OK_MAP_INFO);
		}
	}
}

static void strike(struct virtio_gpu *gpu, uint64_t bytes, uint64_t now_ns)
{
	gpu->unstruck_bytes += bytes;
	if (!gpu->unstruck_bytes || now_ns < gpu->strike_quiet_until_ns)
		return;
	gpu->strike_quiet_until_ns = now_ns + AUDIT_STRIKE_EVERY_NS;
	keeper_link_strike(gpu->w.keeper, "the guest touched %llu KiB of the aperture outside its blobs; taken back",
			   (unsigned long long)(gpu->unstruck_bytes / 1024));
	gpu->unstruck_bytes = 0;
}

static uint64_t blocks(struct virtio_gpu *gpu)
{
	struct stat st;

	return fstat(gpu->w.aperture_fd, &st) ? 0 : (uint64_t)st.st_blocks;
}

/* Returns the time until the next look. */
static uint64_t look_at_aperture(struct virtio_gpu *gpu, uint64_t now_ns)
{
	struct vgpu_page *page = gpu->w.vgpu_page;
	uint64_t have = blocks(gpu);
	uint64_t cost_ns;
	int64_t taken;

	/* More than is held is worth a look also where the count is the old one: a blob's pages may have gone, and as many
	 * others come. */
	if (have == gpu->audited_blocks && have * 512 <= gpu->held_bytes) {
		strike(gpu, 0, now_ns);
		gpu->audit_interval_ns *= 2;
		if (gpu->audit_interval_ns > AUDIT_LAZY_NS)
			gpu->audit_interval_ns = AUDIT_LAZY_NS;
		return gpu->audit_interval_ns;
	}
	taken = aperture_punch_strays(gpu);
	if (taken < 0)
		log_error("cannot look through the aperture: %s", strerror((int)-taken));
	/*
	 * The guest may touch pages behind the walk while it goes on, so what is there after it is no measure. Only a walk
	 * that took nothing is one, and of what was counted before it; after any other there is another look.
	 */
	gpu->audited_blocks = taken ? UINT64_MAX : have;
	atomic_store(&page->slot[gpu->w.slot].backing_bytes, blocks(gpu) * 512);
	if (taken > 0) {
		atomic_fetch_add(&page->slot[gpu->w.slot].punched_bytes, (uint64_t)taken);
		strike(gpu, (uint64_t)taken, now_ns);
	}
	gpu->audit_interval_ns = AUDIT_HURRY_NS;
	cost_ns = (gpu_now_ns() - now_ns) * 100;
	return cost_ns > AUDIT_HURRY_NS ? cost_ns : AUDIT_HURRY_NS;
}

void audit_tick(struct virtio_gpu *gpu)
{
	uint64_t now_ns = gpu_now_ns();
	uint64_t expirations;
	uint64_t due_ns;
	ssize_t got = read(gpu->timer_fd, &expirations, sizeof(expirations));

	(void)got;	/* EAGAIN: re-armed meanwhile; looking once more does no harm */
	pending_publish_owed(gpu);
	if (gpu->waiting_count || gpu->waiting_due)
		waiting_settle(gpu);
	look_at_engines(gpu, now_ns);
	retirement_tick(gpu, now_ns);
	if (now_ns >= gpu->audit_due_ns)
		gpu->audit_due_ns = now_ns + look_at_aperture(gpu, now_ns);
	due_ns = gpu->audit_due_ns;
	if ((gpu->unmapping_count || gpu->pending_map_count || gpu->waiting_count || gpu->unstruck_bytes) && due_ns > now_ns + AUDIT_HURRY_NS)
		due_ns = now_ns + AUDIT_HURRY_NS;
	arm(gpu, due_ns);
}
