/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation. The kernel hands a request out once; a process killed between receiving and answering would
 * leave the engine's thread waiting for good. So it is received into the state page: the kernel's copy and the request's
 * change of state are one system call, which SIGKILL does not cut in two. A successor finds it there and answers it,
 * perhaps for the second time, which the kernel refuses without harm: ids are never used again.
 *
 * Distrusts the engine: every word of a request is its own.
 */
#include "vgpu-qemu/virtio_gpu/map_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/virtio_gpu/aperture.h"
#include "vgpu-qemu/virtio_gpu/contexts.h"
#include "vgpu-qemu/virtio_gpu/resource_table.h"

#define REFUSED_MAPS_MAX 16u	/* then the engine is killed: no honest one asks for more than was told to it */

static_assert(sizeof(struct seccomp_notif) == sizeof(((struct gpu_state *)0)->map_request), "state page layout");

/* No engine can make another of these: its filter denies seccomp(2), and it has closed its own. */
static bool is_listener(int fd)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 && !strcmp(target, "anon_inode:seccomp notify");
}

enum verdict {
	VERDICT_MAP,
	VERDICT_GONE,		/* it was this context's when the engine was told of it */
	VERDICT_MISDEED,
};

static enum verdict judge(const struct virtio_gpu *gpu, uint32_t context, const struct seccomp_data *call)
{
	uint64_t bytes = call->args[1], protection = call->args[2], flags = call->args[3], offset = call->args[5];
	uint32_t slot = aperture_holder(gpu, offset, bytes);

	if (flags != MAP_SHARED || protection & ~(uint64_t)(PROT_READ | PROT_WRITE) || slot == GPU_NONE)
		return VERDICT_MISDEED;
	const struct gpu_resource *r = &gpu->state->resource[slot];
	if (r->owner != context)
		return VERDICT_MISDEED;
	return r->range == GPU_RANGE_MAPPED ? VERDICT_MAP : VERDICT_GONE;
}

static void refuse(struct virtio_gpu *gpu, uint32_t context, const struct seccomp_data *call)
{
	struct engine_channel *channel = &gpu->channel[context];

	keeper_link_strike(gpu->w.keeper,
			   "the engine of guest context '%s' asked to map %llu bytes at %llu of the aperture, which are no blob of its own",
			   gpu->state->context[context].debug_name, (unsigned long long)call->args[1],
			   (unsigned long long)call->args[5]);
	if (++channel->refused_maps >= REFUSED_MAPS_MAX)
		context_condemn(gpu, context, WIRE_LOST_CRASH);
}

/* Answers what stands in the state page. */
static void answer(struct virtio_gpu *gpu, uint32_t context)
{
	struct gpu_state *state = gpu->state;
	struct seccomp_notif asked;

	memcpy(&asked, state->map_request, sizeof(asked));
	enum verdict verdict = judge(gpu, context, &asked.data);
	struct seccomp_notif_resp response = {
		.id = asked.id,
		.error = verdict == VERDICT_MAP ? 0 : -EPERM,
		.flags = verdict == VERDICT_MAP ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0,
	};
	/* ENOENT: it was killed, or a signal ended the wait and it asks again. EINPROGRESS: answered before. */
	if (ioctl(gpu->channel[context].listener_fd, SECCOMP_IOCTL_NOTIF_SEND, &response) && errno != ENOENT &&
	    errno != EINPROGRESS) {
		log_error("cannot answer an engine's mapping: %s", strerror(errno));
		context_condemn(gpu, context, WIRE_LOST_CRASH);
	}
	memset(state->map_request, 0, sizeof(state->map_request));
	if (verdict == VERDICT_MISDEED)
		refuse(gpu, context, &asked.data);
}

static bool is_empty(const struct gpu_state *state)
{
	for (unsigned i = 0; i < sizeof(state->map_request) / sizeof(state->map_request[0]); i++)
		if (state->map_request[i])
			return false;
	return true;
}

int map_guard_begin(struct virtio_gpu *gpu, uint32_t context)
{
	struct engine_channel *channel = &gpu->channel[context];
	int fd = keeper_link_fd(gpu->w.keeper, KEEPER_TAG(KEEPER_FD_ENGINE_LISTENER, context));
	struct epoll_event event = {
		.events = EPOLLIN,
		.data.u64 = gpu_event_data(GPU_EVENT_MAPPING, channel->generation, context),
	};

	if (fd < 0)
		return 0;
	channel->listener_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (channel->listener_fd < 0 || epoll_ctl(gpu->w.epoll_fd, EPOLL_CTL_ADD, channel->listener_fd, &event))
		return -errno;
	if (gpu->state->map_context == context && !is_empty(gpu->state))
		answer(gpu, context);
	return 0;
}

void map_guard_end(struct virtio_gpu *gpu, uint32_t context)
{
	struct engine_channel *channel = &gpu->channel[context];

	if (channel->listener_fd < 0)
		return;
	epoll_ctl(gpu->w.epoll_fd, EPOLL_CTL_DEL, channel->listener_fd, NULL);
	close(channel->listener_fd);
	channel->listener_fd = -1;
}

int map_guard_take(struct virtio_gpu *gpu, uint32_t context, int fd)
{
	if (fd < 0)
		return -EINVAL;
	if (!is_listener(fd)) {
		close(fd);
		return -EINVAL;
	}
	map_guard_end(gpu, context);
	keeper_link_store(gpu->w.keeper, KEEPER_TAG(KEEPER_FD_ENGINE_LISTENER, context), fd);
	return map_guard_begin(gpu, context);
}

void map_guard_event(struct virtio_gpu *gpu, uint32_t context, uint32_t events)
{
	struct gpu_state *state = gpu->state;
	int fd = gpu->channel[context].listener_fd;

	if (fd < 0)
		return;
	if (!(events & EPOLLIN)) {	/* nobody is left under that filter; DIED says the rest */
		map_guard_end(gpu, context);
		return;
	}
	/* Left by a process that died with an engine that died: the kernel wants the place blank. */
	memset(state->map_request, 0, sizeof(state->map_request));
	atomic_signal_fence(memory_order_seq_cst);
	state->map_context = context;
	atomic_signal_fence(memory_order_seq_cst);
	/* Does not wait: the kernel counts what has been asked, and nobody else receives. */
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, state->map_request))
		return;
	answer(gpu, context);
}
