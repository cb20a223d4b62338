/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/virtio_gpu/pending.h"

#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "vgpu-qemu/virtio_gpu/waiting.h"

static_assert(GPU_PENDING_MAX == VIRTQUEUE_SIZE_MAX, "one per head");

bool pending_possible(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t response_bytes)
{
	const struct virtqueue_element *element = request->element;
	const struct gpu_pending *p;
	uint64_t covered = 0;

	if (element->head >= GPU_PENDING_MAX)
		return false;
	p = &gpu->state->pending[element->head];
	if (p->kind != GPU_PENDING_NONE && p->serial != element->serial)
		return false;
	for (unsigned i = 0; i < element->writable_count && i < GPU_PENDING_RANGES; i++)
		covered += element->range[element->readable_count + i].bytes;
	return covered >= response_bytes;
}

void pending_note(struct virtio_gpu *gpu, const struct gpu_request *request, enum gpu_pending_kind kind, uint32_t subject,
		  uint32_t response_bytes)
{
	const struct virtqueue_element *element = request->element;
	struct gpu_pending *p = &gpu->state->pending[element->head];
	uint64_t left = response_bytes;

	if (p->kind == GPU_PENDING_MAP)
		gpu->pending_map_count--;
	p->kind = GPU_PENDING_NONE;
	atomic_signal_fence(memory_order_seq_cst);
	p->subject = subject;
	p->serial = element->serial;
	p->flags = request->flags;
	p->context_id = request->context_id;
	p->fence_id = request->fence_id;
	p->ring_index = request->ring_index;
	p->written = 0;
	p->range_count = 0;
	for (unsigned i = 0; left; i++) {
		const struct guest_range *range = &element->range[element->readable_count + i];
		uint64_t part = range->bytes < left ? range->bytes : left;

		p->range[i].address = range->address;
		p->range[i].bytes = part;
		p->range_count = i + 1;
		left -= part;
	}
	atomic_signal_fence(memory_order_seq_cst);
	p->kind = kind;
	if (kind == GPU_PENDING_MAP)
		gpu->pending_map_count++;
}

bool pending_is(const struct virtio_gpu *gpu, uint32_t head, enum gpu_pending_kind kind, uint32_t subject)
{
	return head < GPU_PENDING_MAX && gpu->state->pending[head].kind == kind &&
	       gpu->state->pending[head].subject == subject;
}

uint32_t pending_find(const struct virtio_gpu *gpu, enum gpu_pending_kind kind, uint32_t subject)
{
	for (uint32_t head = 0; head < GPU_PENDING_MAX; head++)
		if (pending_is(gpu, head, kind, subject))
			return head;
	return GPU_NONE;
}

void pending_becomes_map(struct virtio_gpu *gpu, uint32_t head)
{
	assert(gpu->state->pending[head].kind == GPU_PENDING_MAP_LATER);
	gpu->state->pending[head].kind = GPU_PENDING_MAP;
	gpu->pending_map_count++;
}

static uint32_t write_response(struct virtio_gpu *gpu, const struct gpu_pending *p, uint32_t type)
{
	struct virtio_gpu_resp_map_info response = {
		.hdr = {
			.type = htole32(type),
			.flags = htole32(p->flags),
			.fence_id = htole64(p->fence_id),
			.ctx_id = htole32(p->context_id),
			.ring_idx = (uint8_t)p->ring_index,
		},
		.map_info = htole32(VIRTIO_GPU_MAP_CACHE_CACHED),
	};
	uint32_t bytes = type == VIRTIO_GPU_RESP_OK_MAP_INFO ? sizeof(response) : sizeof(response.hdr);
	uint32_t done = 0;

	for (uint32_t i = 0; i < p->range_count && done < bytes; i++) {
		uint32_t part = bytes - done;

		if (p->range[i].bytes < part)
			part = (uint32_t)p->range[i].bytes;
		if (guest_memory_write(gpu->w.memory, p->range[i].address, (const uint8_t *)&response + done, part))
			return 0;	/* the guest took its memory away: its loss */
		done += part;
	}
	return done;
}

void pending_answer(struct virtio_gpu *gpu, uint32_t head, uint32_t type)
{
	struct gpu_pending *p = &gpu->state->pending[head];

	if (p->kind == GPU_PENDING_MAP)
		gpu->pending_map_count--;
	p->written = write_response(gpu, p, type);
	atomic_signal_fence(memory_order_seq_cst);
	p->kind = GPU_PENDING_ANSWERED;
	/*
	 * While a process takes over, the queue's own record may still name this head as being handled. It is shown to the
	 * handler again first, which then sees ANSWERED; so nothing is published before the first event.
	 */
	if (gpu->recovering) {
		gpu->answers_owed = true;
		return;
	}
	virtqueue_complete(gpu->w.control, (uint16_t)head, p->written);
	p->kind = GPU_PENDING_NONE;
}

void pending_forget(struct virtio_gpu *gpu, uint32_t head)
{
	struct gpu_pending *p = &gpu->state->pending[head];

	if (p->kind == GPU_PENDING_MAP)
		gpu->pending_map_count--;
	if (p->kind == GPU_PENDING_CREATE) {
		gpu->waiting_orphans = true;
		waiting_hurry(gpu);
	}
	p->kind = GPU_PENDING_NONE;
}

void pending_forget_all(struct virtio_gpu *gpu)
{
	for (uint32_t head = 0; head < GPU_PENDING_MAX; head++)
		gpu->state->pending[head].kind = GPU_PENDING_NONE;
	gpu->pending_map_count = 0;
	gpu->answers_owed = false;
}

int pending_rebuild(struct virtio_gpu *gpu)
{
	for (uint32_t head = 0; head < GPU_PENDING_MAX; head++) {
		const struct gpu_pending *p = &gpu->state->pending[head];

		if (p->kind > GPU_PENDING_MAP_LATER || p->range_count > GPU_PENDING_RANGES)
			return -EPROTO;
		if ((p->kind == GPU_PENDING_CREATE || p->kind == GPU_PENDING_MAP_LATER) &&
		    p->subject >= gpu->state->resource_high)
			return -EPROTO;
		if (p->kind == GPU_PENDING_MAP)
			gpu->pending_map_count++;
		if (p->kind == GPU_PENDING_ANSWERED)
			gpu->answers_owed = true;
	}
	return 0;
}

void pending_publish_owed(struct virtio_gpu *gpu)
{
	if (!gpu->answers_owed)
		return;
	gpu->answers_owed = false;
	for (uint32_t head = 0; head < GPU_PENDING_MAX; head++) {
		struct gpu_pending *p = &gpu->state->pending[head];

		if (p->kind != GPU_PENDING_ANSWERED)
			continue;
		virtqueue_complete(gpu->w.control, (uint16_t)head, p->written);
		p->kind = GPU_PENDING_NONE;
	}
}
