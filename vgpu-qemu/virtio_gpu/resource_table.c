/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/virtio_gpu/resource_table.h"

#include <errno.h>
#include <stdatomic.h>

static uint32_t id_bucket(uint32_t id)
{
	return (id * 2654435761u) >> 18;	/* Fibonacci hashing to 14 bits */
}
static_assert(GPU_RESOURCE_MAX == 1u << 14, "id_bucket, blob_bucket");

static uint32_t blob_bucket(uint32_t context, uint64_t blob_id)
{
	return (uint32_t)(((blob_id ^ (uint64_t)context << 40) * 0x9e3779b97f4a7c15ull) >> 50);
}

static bool has_id(const struct gpu_resource *r)
{
	return r->use == GPU_RESOURCE_LIVE || r->use == GPU_RESOURCE_DYING || r->use == GPU_RESOURCE_WAITING;
}

static bool has_blob_id(const struct gpu_resource *r)
{
	return r->kind != GPU_RESOURCE_GUEST && r->owner != GPU_NONE;
}

static void id_insert(struct virtio_gpu *gpu, uint32_t slot)
{
	uint32_t *bucket = &gpu->by_id[id_bucket(resource_at(gpu, slot)->id)];

	gpu->view[slot].id_next = *bucket;
	*bucket = slot + 1;
}

static void id_remove(struct virtio_gpu *gpu, uint32_t slot)
{
	uint32_t *link = &gpu->by_id[id_bucket(resource_at(gpu, slot)->id)];

	while (*link && *link != slot + 1)
		link = &gpu->view[*link - 1].id_next;
	if (*link)
		*link = gpu->view[slot].id_next;
}

static void blob_insert(struct virtio_gpu *gpu, uint32_t slot)
{
	const struct gpu_resource *r = resource_at(gpu, slot);
	uint32_t *bucket = &gpu->by_blob[blob_bucket(r->owner, r->blob_id)];

	gpu->view[slot].blob_next = *bucket;
	*bucket = slot + 1;
}

static void blob_remove(struct virtio_gpu *gpu, uint32_t slot)
{
	const struct gpu_resource *r = resource_at(gpu, slot);
	uint32_t *link = &gpu->by_blob[blob_bucket(r->owner, r->blob_id)];

	while (*link && *link != slot + 1)
		link = &gpu->view[*link - 1].blob_next;
	if (*link)
		*link = gpu->view[slot].blob_next;
}

static void count_resources(struct virtio_gpu *gpu)
{
	atomic_store(&gpu->w.vgpu_page->slot[gpu->w.slot].resources, gpu->resource_count);
}

static void enter(struct virtio_gpu *gpu, uint32_t slot)
{
	const struct gpu_resource *r = resource_at(gpu, slot);

	if (has_id(r))
		id_insert(gpu, slot);
	if (has_blob_id(r))
		blob_insert(gpu, slot);
	gpu->resource_count++;
	gpu->waiting_count += r->use == GPU_RESOURCE_WAITING;
	if (r->kind == GPU_RESOURCE_RING) {
		gpu->ring_count++;
		if (r->owner != GPU_NONE)
			gpu->rings_of[r->owner]++;
	}
}

int resource_table_rebuild(struct virtio_gpu *gpu)
{
	struct gpu_state *state = gpu->state;

	if (state->resource_high > GPU_RESOURCE_MAX)
		return -EPROTO;
	for (uint32_t i = state->resource_high; i-- > 0;) {
		const struct gpu_resource *r = &state->resource[i];

		if (r->use == GPU_RESOURCE_FREE) {
			gpu->free_slot[gpu->free_count++] = i;
			continue;
		}
		if (r->use > GPU_RESOURCE_WAITING || r->kind < GPU_RESOURCE_RING || r->kind > GPU_RESOURCE_GUEST ||
		    r->range > GPU_RANGE_UNMAPPING || (r->owner != GPU_NONE && r->owner >= KEEPER_CONTEXT_MAX))
			return -EPROTO;
		enter(gpu, i);
	}
	count_resources(gpu);
	return 0;
}

uint32_t resource_table_find(const struct virtio_gpu *gpu, uint32_t id)
{
	for (uint32_t at = gpu->by_id[id_bucket(id)]; at; at = gpu->view[at - 1].id_next)
		if (gpu->state->resource[at - 1].id == id)
			return at - 1;
	return GPU_NONE;
}

uint32_t resource_table_find_blob(const struct virtio_gpu *gpu, uint32_t context, uint64_t blob_id)
{
	for (uint32_t at = gpu->by_blob[blob_bucket(context, blob_id)]; at; at = gpu->view[at - 1].blob_next) {
		const struct gpu_resource *r = &gpu->state->resource[at - 1];

		if (r->owner == context && r->blob_id == blob_id)
			return at - 1;
	}
	return GPU_NONE;
}

uint32_t resource_table_add(struct virtio_gpu *gpu, const struct gpu_resource *resource)
{
	struct gpu_state *state = gpu->state;
	struct gpu_resource filled = *resource;
	struct gpu_resource *r;
	uint32_t slot;

	filled.use = GPU_RESOURCE_FREE;
	if (gpu->free_count)
		slot = gpu->free_slot[--gpu->free_count];
	else if (state->resource_high < GPU_RESOURCE_MAX)
		slot = state->resource_high;
	else
		return GPU_NONE;
	r = &state->resource[slot];
	*r = filled;
	if (slot == state->resource_high) {
		atomic_signal_fence(memory_order_seq_cst);
		state->resource_high++;
	}
	/* Only SIGKILL comes between: the compiler's order is what counts here and in the whole state page. */
	atomic_signal_fence(memory_order_seq_cst);
	r->use = resource->use;
	gpu->view[slot] = (struct resource_view){0};
	enter(gpu, slot);
	count_resources(gpu);
	return slot;
}

void resource_table_remove(struct virtio_gpu *gpu, uint32_t slot)
{
	struct gpu_resource *r = resource_at(gpu, slot);

	assert(r->range == GPU_RANGE_NONE);
	if (has_id(r))
		id_remove(gpu, slot);
	resource_table_orphan(gpu, slot);
	gpu->resource_count--;
	gpu->waiting_count -= r->use == GPU_RESOURCE_WAITING;
	if (r->kind == GPU_RESOURCE_RING)
		gpu->ring_count--;
	atomic_signal_fence(memory_order_seq_cst);
	r->use = GPU_RESOURCE_FREE;
	gpu->free_slot[gpu->free_count++] = slot;
	count_resources(gpu);
}

void resource_table_grant(struct virtio_gpu *gpu, uint32_t slot)
{
	assert(resource_at(gpu, slot)->use == GPU_RESOURCE_WAITING);
	resource_at(gpu, slot)->use = GPU_RESOURCE_LIVE;
	gpu->waiting_count--;
}

void resource_table_orphan(struct virtio_gpu *gpu, uint32_t slot)
{
	struct gpu_resource *r = resource_at(gpu, slot);

	if (r->owner == GPU_NONE)
		return;
	if (has_blob_id(r))
		blob_remove(gpu, slot);
	if (r->kind == GPU_RESOURCE_RING)
		gpu->rings_of[r->owner]--;
	r->owner = GPU_NONE;
}

void resource_table_forget_id(struct virtio_gpu *gpu, uint32_t slot)
{
	struct gpu_resource *r = resource_at(gpu, slot);

	if (has_id(r))
		id_remove(gpu, slot);
	r->use = GPU_RESOURCE_ZOMBIE;
}
