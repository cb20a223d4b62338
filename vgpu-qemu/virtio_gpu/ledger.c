/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/virtio_gpu/ledger.h"

#include <stdatomic.h>

#include "vgpu-qemu/virtio_gpu/waiting.h"

static _Atomic uint64_t *entry(struct virtio_gpu *gpu)
{
	return &gpu->w.vgpu_page->slot[gpu->w.slot].charged_bytes;
}

void ledger_rebuild(struct virtio_gpu *gpu)
{
	const struct gpu_state *state = gpu->state;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < state->resource_high; i++)
		if (state->resource[i].use != GPU_RESOURCE_FREE && state->resource[i].use != GPU_RESOURCE_WAITING &&
		    state->resource[i].kind == GPU_RESOURCE_MEMORY)
			bytes += state->resource[i].bytes;
	for (uint32_t i = 0; i < KEEPER_CONTEXT_MAX; i++)
		if (state->context[i].use != GPU_CONTEXT_FREE)
			bytes += state->context[i].device_bytes;
	gpu->charged_bytes = bytes;
	atomic_store(entry(gpu), bytes);
}

static uint64_t sum_of_all(struct vgpu_page *page)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < KEEPER_SLOT_MAX; i++)
		if (__builtin_add_overflow(sum, atomic_load(&page->slot[i].charged_bytes), &sum))
			return UINT64_MAX;
	return sum;
}

bool ledger_charge(struct virtio_gpu *gpu, uint64_t bytes)
{
	struct vgpu_page *page = gpu->w.vgpu_page;
	uint64_t limit = atomic_load(&page->vram_limit_bytes);
	uint64_t wanted;
	uint64_t sum;

	if (__builtin_add_overflow(gpu->charged_bytes, bytes, &wanted) || wanted > limit)
		return false;
	/* seq_cst store, then seq_cst loads, in every slot's device: of two at once at least one sees the other. */
	atomic_store(entry(gpu), wanted);
	sum = sum_of_all(page);
	if (sum > limit) {
		atomic_store(entry(gpu), gpu->charged_bytes);
		return false;
	}
	gpu->charged_bytes = wanted;
	return true;
}

bool ledger_fits(struct virtio_gpu *gpu, uint64_t bytes, uint64_t returning)
{
	uint64_t sum = sum_of_all(gpu->w.vgpu_page);

	sum -= returning < sum ? returning : sum;
	return !__builtin_add_overflow(sum, bytes, &sum) && sum <= atomic_load(&gpu->w.vgpu_page->vram_limit_bytes);
}

void ledger_refund(struct virtio_gpu *gpu, uint64_t bytes)
{
	assert(bytes <= gpu->charged_bytes);
	gpu->charged_bytes -= bytes;
	atomic_store(entry(gpu), gpu->charged_bytes);
	waiting_hurry(gpu);
}
