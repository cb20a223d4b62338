/* SPDX-License-Identifier: MIT */
/*
 * The device as the event loop sees it: attaching to a state, events, reset, configuration space.
 */
#include "vgpu-qemu/virtio_gpu/virtio_gpu.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/virtio_gpu/aperture.h"
#include "vgpu-qemu/virtio_gpu/audit.h"
#include "vgpu-qemu/virtio_gpu/blobs.h"
#include "vgpu-qemu/virtio_gpu/contexts.h"
#include "vgpu-qemu/virtio_gpu/engine_channel.h"
#include "vgpu-qemu/virtio_gpu/guest_blob.h"
#include "vgpu-qemu/virtio_gpu/ledger.h"
#include "vgpu-qemu/virtio_gpu/map_guard.h"
#include "vgpu-qemu/virtio_gpu/pending.h"
#include "vgpu-qemu/virtio_gpu/resource_table.h"
#include "vgpu-qemu/virtio_gpu/waiting.h"

uint64_t virtio_gpu_features(void)
{
	return 1ull << VIRTIO_GPU_F_VIRGL | 1ull << VIRTIO_GPU_F_RESOURCE_BLOB | 1ull << VIRTIO_GPU_F_CONTEXT_INIT;
}

void virtio_gpu_state_init(struct gpu_state *state)
{
	/* The tables above are as blank as the marks say; touching them would cost megabytes per connection. */
	memset(state, 0, offsetof(struct gpu_state, resource));
	state->magic = GPU_STATE_MAGIC;
	state->version = GPU_STATE_VERSION;
	state->acting_serial = UINT64_MAX;
}

static int read_capset(struct virtio_gpu *gpu)
{
	struct wire_capset header;
	ssize_t got = pread(gpu->w.capset_fd, gpu->capset, sizeof(gpu->capset), 0);

	if (got < 0)
		return -errno;
	if ((size_t)got < sizeof(header)) {
		log_error("capset: %zd bytes, needs at least %zu; it is written by vgpud when a vGPU is started", got,
			  sizeof(header));
		return -EPROTO;
	}
	memcpy(&header, gpu->capset, sizeof(header));
	if (le32toh(header.magic) != WIRE_CAPSET_MAGIC || le32toh(header.bytes) > (size_t)got ||
	    le32toh(header.bytes) < sizeof(header)) {
		log_error("capset: not one, or cut off: says %u bytes, has %zd; restart the vGPU", le32toh(header.bytes), got);
		return -EPROTO;
	}
	gpu->capset_bytes = le32toh(header.bytes);
	return 0;
}

static int rebuild(struct virtio_gpu *gpu)
{
	int status = resource_table_rebuild(gpu);

	if (!status)
		status = aperture_rebuild(gpu);
	if (!status)
		status = guest_blob_rebuild(gpu);
	if (!status)
		status = pending_rebuild(gpu);
	if (status)
		return status;
	ledger_rebuild(gpu);
	status = contexts_rebuild(gpu);
	for (uint32_t i = 0; !status && i < gpu->state->resource_high; i++)
		resource_settle(gpu, i);
	if (!status)
		waiting_rebuild(gpu);
	return status;
}

int virtio_gpu_create(const struct virtio_gpu_wiring *wiring, struct virtio_gpu **ret_gpu)
{
	struct virtio_gpu *gpu;
	int status;

	if (wiring->state->magic != GPU_STATE_MAGIC || wiring->state->version != GPU_STATE_VERSION) {
		log_error("state page: the virtio-gpu part has version %u, this build reads %u", wiring->state->version,
			  GPU_STATE_VERSION);
		return -EPROTO;
	}
	if (wiring->slot >= KEEPER_SLOT_MAX || wiring->limits.max_contexts > KEEPER_CONTEXT_MAX ||
	    wiring->limits.aperture_bytes > INT64_MAX)
		return -EINVAL;
	gpu = calloc(1, sizeof(*gpu));
	if (!gpu)
		return -ENOMEM;
	gpu->w = *wiring;
	gpu->state = wiring->state;
	gpu->timer_fd = -1;
	gpu->recovering = true;
	status = read_capset(gpu);
	if (status)
		goto free_gpu;
	status = audit_begin(gpu);
	if (status)
		goto free_gpu;
	status = rebuild(gpu);
	if (status) {
		log_error("state page: what it says of the guest's contexts and blobs cannot be: %s", strerror(-status));
		goto leave;
	}
	gpu->recovering = false;
	if (gpu->answers_owed)
		audit_now(gpu);
	*ret_gpu = gpu;
	return 0;

leave:
	virtio_gpu_destroy(gpu);
	return status;
free_gpu:
	free(gpu);
	return status;
}

void virtio_gpu_destroy(struct virtio_gpu *gpu)
{
	if (!gpu)
		return;
	for (uint32_t i = 0; i < KEEPER_CONTEXT_MAX; i++)
		engine_channel_detach(gpu, i);
	audit_end(gpu);
	free(gpu);
}

void virtio_gpu_event(struct virtio_gpu *gpu, uint64_t data, uint32_t events)
{
	uint32_t low = (uint32_t)data;
	uint32_t context = low & 0xff;
	uint32_t generation = low >> 8 & 0xfffff;

	if (low >> 28 == GPU_EVENT_TIMER) {
		audit_tick(gpu);
		return;
	}
	/* One gathered by epoll before the attachment it belongs to ended. */
	if (context >= KEEPER_CONTEXT_MAX || !gpu->channel[context].attached ||
	    (gpu->channel[context].generation & 0xfffff) != generation)
		return;
	if (low >> 28 == GPU_EVENT_CHANNEL)
		engine_channel_event(gpu, context, events);
	else if (low >> 28 == GPU_EVENT_COMPLETION)
		context_completed(gpu, context);
	else if (low >> 28 == GPU_EVENT_MAPPING)
		map_guard_event(gpu, context, events);
}

void virtio_gpu_engine_started(struct virtio_gpu *gpu, uint32_t context, int64_t pid)
{
	if (context < KEEPER_CONTEXT_MAX)
		context_engine_started(gpu, context, pid);
}

void virtio_gpu_engine_died(struct virtio_gpu *gpu, uint32_t context, int64_t status)
{
	if (context < KEEPER_CONTEXT_MAX)
		context_engine_died(gpu, context, status);
}

void virtio_gpu_reset(struct virtio_gpu *gpu)
{
	int64_t taken;

	pending_forget_all(gpu);
	/* Serials may begin anew. */
	gpu->state->acting_serial = UINT64_MAX;
	for (uint32_t i = 0; i < KEEPER_CONTEXT_MAX; i++)
		context_drop(gpu, i);
	for (uint32_t i = 0; i < gpu->state->resource_high; i++)
		resource_drop(gpu, i);
	/* A page the guest touched without a blob is no misdeed of whoever boots next. */
	taken = aperture_punch_strays(gpu);
	if (taken < 0)
		log_error("cannot scrub the aperture: %s", strerror((int)-taken));
	audit_hurry(gpu);
}

bool virtio_gpu_idle(const struct virtio_gpu *gpu)
{
	for (uint32_t i = 0; i < KEEPER_CONTEXT_MAX; i++)
		if (gpu->state->context[i].use != GPU_CONTEXT_FREE)
			return false;
	return gpu->resource_count == 0;
}

/* No event is ever raised, and the configuration does not change. */
void virtio_gpu_config_read(struct virtio_gpu *gpu, uint32_t offset, void *buffer, uint32_t bytes)
{
	const struct virtio_gpu_config config = {.num_capsets = htole32(1)};

	(void)gpu;
	memset(buffer, 0, bytes);
	if (offset < sizeof(config))
		memcpy(buffer, (const uint8_t *)&config + offset,
		       bytes < sizeof(config) - offset ? bytes : sizeof(config) - offset);
}

void virtio_gpu_config_write(struct virtio_gpu *gpu, uint32_t offset, const void *buffer, uint32_t bytes)
{
	/* events_clear is the one writable field (virtio 1.3 §5.7.4), and no event is pending. */
	(void)gpu;
	(void)offset;
	(void)buffer;
	(void)bytes;
}
