/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/virtio_gpu/guest_blob.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#define ENTRIES_AT_ONCE 128u

/* Free runs are chained too; a chain in use ends with GPU_NONE, the free one as well. */
static void push_free(struct virtio_gpu *gpu, uint32_t run)
{
	gpu->state->run[run].next = gpu->run_free;
	gpu->run_free = run;
}

int guest_blob_rebuild(struct virtio_gpu *gpu)
{
	struct gpu_state *state = gpu->state;
	uint8_t *used;
	int status = 0;

	gpu->run_free = GPU_NONE;
	if (state->run_high > GPU_RUN_MAX)
		return -EPROTO;
	if (!state->run_high)
		return 0;
	used = calloc(state->run_high, 1);
	if (!used)
		return -ENOMEM;
	for (uint32_t i = 0; i < state->resource_high && !status; i++) {
		const struct gpu_resource *r = &state->resource[i];

		if (r->use == GPU_RESOURCE_FREE || r->kind != GPU_RESOURCE_GUEST)
			continue;
		for (uint32_t run = r->run_first; run != GPU_NONE; run = state->run[run].next) {
			if (run >= state->run_high || used[run]) {
				status = -EPROTO;
				break;
			}
			used[run] = 1;
		}
	}
	for (uint32_t run = state->run_high; !status && run-- > 0;)
		if (!used[run])
			push_free(gpu, run);
	free(used);
	return status;
}

static uint32_t pop_free(struct virtio_gpu *gpu)
{
	uint32_t run = gpu->run_free;

	if (run != GPU_NONE)
		gpu->run_free = gpu->state->run[run].next;
	else if (gpu->state->run_high < GPU_RUN_MAX)
		run = gpu->state->run_high++;
	return run;
}

/* A chain that grows at its end. */
struct chain {
	uint32_t first;
	uint32_t last;
	uint32_t count;
	uint64_t bytes;
};

static int chain_append(struct virtio_gpu *gpu, struct chain *chain, uint64_t address, uint32_t bytes)
{
	struct gpu_run *run = gpu->state->run;
	uint32_t grown;
	uint32_t fresh;

	if (chain->last != GPU_NONE && run[chain->last].address + run[chain->last].bytes == address &&
	    !__builtin_add_overflow(run[chain->last].bytes, bytes, &grown)) {
		run[chain->last].bytes = grown;
		return 0;
	}
	fresh = pop_free(gpu);
	if (fresh == GPU_NONE)
		return -ENOSPC;
	run[fresh] = (struct gpu_run){.address = address, .bytes = bytes, .next = GPU_NONE};
	if (chain->last == GPU_NONE)
		chain->first = fresh;
	else
		run[chain->last].next = fresh;
	chain->last = fresh;
	chain->count++;
	return 0;
}

static int chain_append_entry(struct virtio_gpu *gpu, struct chain *chain, const struct virtio_gpu_mem_entry *raw)
{
	struct guest_range range = {.address = le64toh(raw->addr), .bytes = le32toh(raw->length)};
	uint64_t end;

	if (!range.bytes || __builtin_add_overflow(range.address, range.bytes, &end) ||
	    __builtin_add_overflow(chain->bytes, range.bytes, &chain->bytes))
		return -EINVAL;
	if (!guest_memory_covers(gpu->w.memory, range, true))
		return -EFAULT;
	return chain_append(gpu, chain, range.address, (uint32_t)range.bytes);
}

int guest_blob_take(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t entry_count, uint64_t bytes,
		    uint32_t *ret_run_first, uint32_t *ret_run_count)
{
	struct virtio_gpu_mem_entry entry[ENTRIES_AT_ONCE];
	struct chain chain = {.first = GPU_NONE, .last = GPU_NONE};
	uint64_t at = sizeof(struct virtio_gpu_resource_create_blob);
	int status = 0;

	if (!entry_count || request->element->readable_bytes != at + (uint64_t)entry_count * sizeof(entry[0]))
		return -EINVAL;
	while (entry_count && !status) {
		uint32_t count = entry_count < ENTRIES_AT_ONCE ? entry_count : ENTRIES_AT_ONCE;
		size_t part = count * sizeof(entry[0]);

		if (virtqueue_element_read(gpu->w.memory, request->element, at, entry, part) != (long)part)
			status = -EFAULT;
		for (uint32_t i = 0; i < count && !status; i++)
			status = chain_append_entry(gpu, &chain, &entry[i]);
		at += part;
		entry_count -= count;
	}
	if (!status && chain.bytes < bytes)
		status = -EINVAL;
	if (status) {
		guest_blob_give(gpu, chain.first);
		return status;
	}
	*ret_run_first = chain.first;
	*ret_run_count = chain.count;
	return 0;
}

void guest_blob_give(struct virtio_gpu *gpu, uint32_t run_first)
{
	while (run_first != GPU_NONE) {
		uint32_t next = gpu->state->run[run_first].next;

		push_free(gpu, run_first);
		run_first = next;
	}
}
