/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/virtio_gpu/engine_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mdev/engine/engine_protocol.h"
#include "mdev/ipc/seqpacket.h"
#include "mdev/log/log.h"
#include "vgpu-qemu/virtio_gpu/blobs.h"
#include "vgpu-qemu/virtio_gpu/contexts.h"
#include "vgpu-qemu/virtio_gpu/ledger.h"
#include "vgpu-qemu/virtio_gpu/map_guard.h"
#include "vgpu-qemu/virtio_gpu/pending.h"
#include "vgpu-qemu/virtio_gpu/resource_table.h"
#include "vgpu-qemu/virtio_gpu/retirement.h"

#define MESSAGES_PER_EVENT 64u	/* then the loop serves others; epoll is level-triggered here */

static void dirty_append(struct virtio_gpu *gpu, struct engine_channel *channel, uint32_t slot)
{
	struct resource_view *view = &gpu->view[slot];

	if (view->dirty)
		return;
	view->dirty = true;
	view->dirty_next = 0;
	if (channel->dirty_tail)
		gpu->view[channel->dirty_tail - 1].dirty_next = slot + 1;
	else
		channel->dirty_head = slot + 1;
	channel->dirty_tail = slot + 1;
}

static void dirty_pop(struct virtio_gpu *gpu, struct engine_channel *channel)
{
	struct resource_view *view = &gpu->view[channel->dirty_head - 1];

	channel->dirty_head = view->dirty_next;
	if (!channel->dirty_head)
		channel->dirty_tail = 0;
	view->dirty = false;
}

static int watch(struct virtio_gpu *gpu, uint32_t context, int operation, bool writable)
{
	struct engine_channel *channel = &gpu->channel[context];
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLRDHUP | (writable ? EPOLLOUT : 0),
		.data.u64 = gpu_event_data(GPU_EVENT_CHANNEL, channel->generation, context),
	};

	channel->full = writable;
	return epoll_ctl(gpu->w.epoll_fd, operation, channel->fd, &event) ? -errno : 0;
}

/* True if it went out. What cannot go out now is tried again on EPOLLOUT; a dead peer shows as an event of its own. */
static bool say(struct virtio_gpu *gpu, uint32_t context, const struct engine_message *message)
{
	struct engine_channel *channel = &gpu->channel[context];
	int status = seqpacket_send(channel->fd, message, sizeof(*message), NULL, 0);

	if (status == -EAGAIN && !channel->full)
		watch(gpu, context, EPOLL_CTL_MOD, true);
	/* An engine may close one direction only, and writable it would be for ever: let the end show as an event. */
	if (status && status != -EAGAIN)
		shutdown(channel->fd, SHUT_RDWR);
	return status == 0;
}

static bool say_resource(struct virtio_gpu *gpu, uint32_t context, uint32_t slot)
{
	const struct gpu_resource *r = resource_at(gpu, slot);
	struct resource_view *view = &gpu->view[slot];
	enum engine_told wanted = r->range == GPU_RANGE_MAPPED ? ENGINE_TOLD_MAP :
				  r->range == GPU_RANGE_UNMAPPING ? ENGINE_TOLD_UNMAP : ENGINE_TOLD_NOTHING;
	struct engine_message message = {
		.op = wanted == ENGINE_TOLD_MAP ? ENGINE_MAP : ENGINE_UNMAP,
		.blob_id = r->blob_id,
		.offset = r->offset,
		.bytes = r->bytes,
		.value = wanted == ENGINE_TOLD_UNMAP ? r->unmap_number : 0,
	};

	if (wanted == ENGINE_TOLD_NOTHING || wanted == view->told)
		return true;
	if (!say(gpu, context, &message))
		return false;
	view->told = (uint8_t)wanted;
	if (wanted == ENGINE_TOLD_MAP && pending_is(gpu, r->pending_head, GPU_PENDING_MAP, slot))
		pending_answer(gpu, r->pending_head, VIRTIO_GPU_RESP_OK_MAP_INFO);
	return true;
}

static void push(struct virtio_gpu *gpu, uint32_t context)
{
	struct engine_channel *channel = &gpu->channel[context];
	const struct gpu_context *c = &gpu->state->context[context];

	if (!channel->attached)
		return;
	if (!channel->resync_told) {
		struct engine_message message = {.op = ENGINE_RESYNC, .value = ENGINE_PROTOCOL_VERSION};

		if (!say(gpu, context, &message))
			return;
		channel->resync_told = true;
	}
	while (channel->dirty_head) {
		if (!say_resource(gpu, context, channel->dirty_head - 1))
			return;
		dirty_pop(gpu, channel);
	}
	/* Last: from here on the engine serves records, which may name any blob mapped before. */
	if (!channel->ring_told && c->ring != GPU_NONE && resource_at(gpu, c->ring)->range == GPU_RANGE_MAPPED) {
		const struct gpu_resource *ring = resource_at(gpu, c->ring);
		struct engine_message message = {
			.op = ENGINE_RING,
			.blob_id = ring->blob_id,
			.offset = ring->offset,
			.bytes = ring->bytes,
			.value = c->wire_version,
		};

		if (!say(gpu, context, &message))
			return;
		channel->ring_told = true;
	}
	if (channel->ring_told && !channel->idle_told && retirement_idle_ms(gpu, context)) {
		struct engine_message message = {.op = ENGINE_RETIRE_AFTER, .value = retirement_idle_ms(gpu, context)};

		if (!say(gpu, context, &message))
			return;
		channel->idle_told = true;
	}
	if (channel->charged_owed) {
		struct engine_message message = {.op = ENGINE_CHARGED, .value = c->device_bytes};

		if (!say(gpu, context, &message))
			return;
		channel->charged_owed = false;
	}
	if (channel->full)
		watch(gpu, context, EPOLL_CTL_MOD, false);
}

static void set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Of this module's own: the keeper link closes its descriptors when it pleases, and what is in the epoll set must be
 * taken out by its number first. */
static int duplicate(struct virtio_gpu *gpu, enum keeper_tag_kind kind, uint32_t context)
{
	int fd = keeper_link_fd(gpu->w.keeper, KEEPER_TAG(kind, context));

	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void close_own(struct engine_channel *channel)
{
	if (channel->fd >= 0)
		close(channel->fd);
	if (channel->doorbell_fd >= 0)
		close(channel->doorbell_fd);
	if (channel->completion_fd >= 0)
		close(channel->completion_fd);
	*channel = (struct engine_channel){.fd = -1, .doorbell_fd = -1, .completion_fd = -1, .listener_fd = -1};
}

int engine_channel_attach(struct virtio_gpu *gpu, uint32_t context)
{
	struct engine_channel *channel = &gpu->channel[context];
	struct epoll_event event;
	int status;

	engine_channel_detach(gpu, context);
	channel->listener_fd = -1;
	channel->fd = duplicate(gpu, KEEPER_FD_ENGINE_CHANNEL, context);
	channel->doorbell_fd = duplicate(gpu, KEEPER_FD_ENGINE_DOORBELL, context);
	channel->completion_fd = duplicate(gpu, KEEPER_FD_ENGINE_COMPLETION, context);
	if (channel->fd < 0 || channel->doorbell_fd < 0 || channel->completion_fd < 0) {
		status = -ENOENT;
		goto close_duplicates;
	}
	channel->generation = ++gpu->generation;
	/* This end's flag is the device's alone; the doorbell's is shared with the engine, which polls it. */
	set_nonblocking(channel->fd);
	set_nonblocking(channel->doorbell_fd);
	status = watch(gpu, context, EPOLL_CTL_ADD, false);
	if (status)
		goto close_duplicates;
	/*
	 * Edge-triggered, and never read: an engine could empty it first and leave a read blocking. Every write of the
	 * engine's is an edge; a counter that is not zero yet shows once more after a takeover, which only means "look
	 * again" to the guest.
	 */
	event = (struct epoll_event){
		.events = EPOLLIN | EPOLLET,
		.data.u64 = gpu_event_data(GPU_EVENT_COMPLETION, channel->generation, context),
	};
	if (epoll_ctl(gpu->w.epoll_fd, EPOLL_CTL_ADD, channel->completion_fd, &event)) {
		status = -errno;
		epoll_ctl(gpu->w.epoll_fd, EPOLL_CTL_DEL, channel->fd, NULL);
		goto close_duplicates;
	}
	channel->attached = true;
	status = map_guard_begin(gpu, context);
	if (status) {
		engine_channel_detach(gpu, context);
		return status;
	}
	if (!channel->attached)
		return 0;
	for (uint32_t i = 0; i < gpu->state->resource_high; i++) {
		const struct gpu_resource *r = resource_at(gpu, i);

		if (r->use == GPU_RESOURCE_FREE || r->owner != context || r->range == GPU_RANGE_NONE)
			continue;
		gpu->view[i].told = ENGINE_TOLD_NOTHING;
		dirty_append(gpu, channel, i);
	}
	push(gpu, context);
	return 0;

close_duplicates:
	close_own(channel);
	return status;
}

void engine_channel_detach(struct virtio_gpu *gpu, uint32_t context)
{
	struct engine_channel *channel = &gpu->channel[context];

	if (!channel->attached)
		return;
	/* By hand: others hold the same files, so closing alone would leave them in the epoll set. */
	epoll_ctl(gpu->w.epoll_fd, EPOLL_CTL_DEL, channel->fd, NULL);
	epoll_ctl(gpu->w.epoll_fd, EPOLL_CTL_DEL, channel->completion_fd, NULL);
	map_guard_end(gpu, context);
	while (channel->dirty_head)
		dirty_pop(gpu, channel);
	close_own(channel);
}

void engine_channel_end(struct virtio_gpu *gpu, uint32_t context)
{
	if (!gpu->channel[context].attached)
		return;
	shutdown(gpu->channel[context].fd, SHUT_RDWR);
	engine_channel_detach(gpu, context);
}

void engine_channel_touch(struct virtio_gpu *gpu, uint32_t resource)
{
	uint32_t owner = resource_at(gpu, resource)->owner;

	if (owner == GPU_NONE || !gpu->channel[owner].attached)
		return;
	dirty_append(gpu, &gpu->channel[owner], resource);
	push(gpu, owner);
}

bool engine_channel_told_map(const struct virtio_gpu *gpu, uint32_t resource)
{
	return gpu->view[resource].told == ENGINE_TOLD_MAP;
}

void engine_channel_forget(struct virtio_gpu *gpu, uint32_t owner, uint32_t resource)
{
	gpu->view[resource].told = ENGINE_TOLD_NOTHING;
	if (owner == GPU_NONE || !gpu->view[resource].dirty)
		return;
	struct engine_channel *channel = &gpu->channel[owner];
	uint32_t previous = 0;

	for (uint32_t at = channel->dirty_head; at; at = gpu->view[at - 1].dirty_next) {
		if (at == resource + 1) {
			if (previous)
				gpu->view[previous - 1].dirty_next = gpu->view[resource].dirty_next;
			else
				channel->dirty_head = gpu->view[resource].dirty_next;
			if (channel->dirty_tail == at)
				channel->dirty_tail = previous;
			break;
		}
		previous = at;
	}
	gpu->view[resource].dirty = false;
}

void engine_channel_ring_doorbell(struct virtio_gpu *gpu, uint32_t context)
{
	const struct engine_channel *channel = &gpu->channel[context];
	uint64_t one = 1;

	if (!channel->attached)
		return;	/* a starting engine looks at its ring by itself */
	/* EAGAIN: the counter is full, so it is not zero: the engine is not asleep on it. */
	ssize_t written = write(channel->doorbell_fd, &one, sizeof(one));
	(void)written;
}

/* RELEASED: believed for a range of this context that is to be let go, this time; anything else is a repetition. */
static void released(struct virtio_gpu *gpu, uint32_t context, const struct engine_message *message)
{
	uint32_t slot = resource_table_find_blob(gpu, context, message->blob_id);
	const struct gpu_resource *r;

	if (slot == GPU_NONE)
		return;
	r = resource_at(gpu, slot);
	if (r->range == GPU_RANGE_UNMAPPING && r->offset == message->offset && r->unmap_number == message->value)
		blob_released(gpu, slot);
}

/* CHARGE: an absolute total, so that a repetition changes nothing. */
static void charge(struct virtio_gpu *gpu, uint32_t context, uint64_t wanted_bytes)
{
	struct gpu_context *c = &gpu->state->context[context];

	if (wanted_bytes > c->device_bytes) {
		if (ledger_charge(gpu, wanted_bytes - c->device_bytes))
			c->device_bytes = wanted_bytes;
	} else if (wanted_bytes < c->device_bytes) {
		uint64_t freed_bytes = c->device_bytes - wanted_bytes;

		c->device_bytes = wanted_bytes;
		ledger_refund(gpu, freed_bytes);
	}
	gpu->channel[context].charged_owed = true;
	push(gpu, context);
}

/* Takes listener, -1 unless the message is LISTENER. */
static void act(struct virtio_gpu *gpu, uint32_t context, const struct engine_message *message, int listener)
{
	switch (message->op) {
	case ENGINE_READY:
		if (message->value != ENGINE_PROTOCOL_VERSION) {
			log_error("engine of context slot %u speaks channel version %llu, this device %u: install both from the same release",
				  context, (unsigned long long)message->value, ENGINE_PROTOCOL_VERSION);
			context_condemn(gpu, context, WIRE_LOST_START);
		}
		break;
	case ENGINE_RELEASED:
		released(gpu, context, message);
		break;
	case ENGINE_CHARGE:
		charge(gpu, context, message->value);
		break;
	case ENGINE_RETIRE:
		retirement_begin(gpu, context);
		break;
	case ENGINE_FAULT:
		context_fault(gpu, context, message->value);
		break;
	case ENGINE_LISTENER:
		if (map_guard_take(gpu, context, listener)) {
			keeper_link_strike(gpu->w.keeper,
					   "the engine of context slot %u sent something else as its listener; killed", context);
			context_condemn(gpu, context, WIRE_LOST_CRASH);
		}
		break;
	default:
		keeper_link_strike(gpu->w.keeper, "the engine of context slot %u sent message %u, which no engine sends; killed",
				   context, message->op);
		context_condemn(gpu, context, WIRE_LOST_CRASH);
	}
}

static void close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

void engine_channel_event(struct virtio_gpu *gpu, uint32_t context, uint32_t events)
{
	struct engine_channel *channel = &gpu->channel[context];
	uint32_t generation = channel->generation;

	if (events & EPOLLOUT)
		push(gpu, context);
	for (unsigned i = 0; i < MESSAGES_PER_EVENT; i++) {
		struct engine_message message;
		int fds[SEQPACKET_FDS_MAX];
		unsigned fd_count;
		/* Acted on first, consumed after: a process killed between does it again, which changes nothing. */
		ssize_t got = seqpacket_receive(channel->fd, &message, sizeof(message), true, fds, &fd_count);

		int listener = -1;

		if (got == -EAGAIN)
			return;
		if (got == sizeof(message) && message.op == ENGINE_LISTENER && fd_count == 1) {
			listener = fds[0];
			fd_count = 0;
		}
		close_all(fds, fd_count);
		if (got == 0 || (got < 0 && got != -EMSGSIZE)) {
			/* It closed its end: dead, or as good as dead. The keeper's DIED is what counts, and says how. */
			engine_channel_detach(gpu, context);
			keeper_link_engine_kill(gpu->w.keeper, context);
			return;
		}
		if (got != sizeof(message) || fd_count) {
			keeper_link_strike(gpu->w.keeper, "the engine of context slot %u sent a message of a wrong size; killed",
					   context);
			context_condemn(gpu, context, WIRE_LOST_CRASH);
			return;
		}
		act(gpu, context, &message, listener);
		if (!channel->attached || channel->generation != generation)
			return;
		got = seqpacket_receive(channel->fd, &message, sizeof(message), false, fds, &fd_count);
		close_all(fds, fd_count);
		if (got < 0)
			return;
	}
}
