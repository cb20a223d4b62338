/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/virtio_gpu/waiting.h"

#include <errno.h>

#include "vgpu-qemu/virtio_gpu/aperture.h"
#include "vgpu-qemu/virtio_gpu/audit.h"
#include "vgpu-qemu/virtio_gpu/blobs.h"
#include "vgpu-qemu/virtio_gpu/contexts.h"
#include "vgpu-qemu/virtio_gpu/engine_channel.h"
#include "vgpu-qemu/virtio_gpu/ledger.h"
#include "vgpu-qemu/virtio_gpu/pending.h"
#include "vgpu-qemu/virtio_gpu/resource_table.h"

/* ---- will it fit? ----------------------------------------------------------------------------------- */

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/* Charged now, and refunded as soon as an engine lets go or is dead. What cannot be punched does not come back. */
static uint64_t returning_bytes(struct virtio_gpu *gpu)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < KEEPER_CONTEXT_MAX; i++)
		if (gpu->state->context[i].use != GPU_CONTEXT_FREE && gpu->state->context[i].engine == GPU_ENGINE_DYING)
			bytes = add(bytes, gpu->state->context[i].device_bytes);
	for (uint32_t i = 0; gpu->unmapping_count && i < gpu->extent_count; i++) {
		const struct gpu_resource *r = resource_at(gpu, gpu->extent[i]);

		if (r->kind == GPU_RESOURCE_MEMORY && r->range == GPU_RANGE_UNMAPPING &&
		    (r->use == GPU_RESOURCE_DYING || r->use == GPU_RESOURCE_ZOMBIE) && context_engine_may_touch(gpu, r->owner))
			bytes = add(bytes, r->bytes);
	}
	return bytes;
}

static uint64_t waiting_bytes(struct virtio_gpu *gpu)
{
	uint64_t bytes = 0;

	for (uint32_t head = 0; head < GPU_PENDING_MAX; head++) {
		const struct gpu_pending *p = &gpu->state->pending[head];

		if (p->kind == GPU_PENDING_CREATE && resource_at(gpu, p->subject)->use == GPU_RESOURCE_WAITING)
			bytes = add(bytes, resource_at(gpu, p->subject)->bytes);
	}
	return bytes;
}

bool waiting_lets_pass(struct virtio_gpu *gpu, uint64_t bytes)
{
	return !gpu->waiting_count || ledger_fits(gpu, add(waiting_bytes(gpu), bytes), returning_bytes(gpu));
}

/* ---- commands ------------------------------------------------------------------------------------------ */

uint32_t waiting_create(struct virtio_gpu *gpu, const struct gpu_request *request, const struct gpu_resource *resource)
{
	struct gpu_resource waiting = *resource;
	uint64_t returning = returning_bytes(gpu);
	uint32_t slot;

	if ((!returning && !gpu->waiting_count) || gpu->waiting_count >= WAITING_MAX ||
	    !ledger_fits(gpu, add(waiting_bytes(gpu), resource->bytes), returning) ||
	    !pending_possible(gpu, request, sizeof(struct virtio_gpu_ctrl_hdr)))
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	gpu_request_act(gpu, request);
	waiting.use = GPU_RESOURCE_WAITING;
	slot = resource_table_add(gpu, &waiting);
	if (slot == GPU_NONE)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	gpu->view[slot].waiting_since_ns = gpu_now_ns();
	/* A kill before this leaves a resource that nobody asked for: a takeover drops it, and the element comes again. */
	pending_note(gpu, request, GPU_PENDING_CREATE, slot, sizeof(struct virtio_gpu_ctrl_hdr));
	audit_hurry(gpu);
	return GPU_DEFERRED;
}

uint32_t waiting_create_again(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t slot)
{
	return pending_is(gpu, request->element->head, GPU_PENDING_CREATE, slot) ? GPU_DEFERRED :
	       VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
}

uint32_t waiting_map(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t slot, uint64_t offset)
{
	if (pending_is(gpu, request->element->head, GPU_PENDING_MAP_LATER, slot) && request->again)
		return GPU_DEFERRED;
	if (pending_find(gpu, GPU_PENDING_MAP_LATER, slot) != GPU_NONE ||
	    !pending_possible(gpu, request, sizeof(struct virtio_gpu_resp_map_info)))
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	gpu_request_act(gpu, request);
	resource_at(gpu, slot)->offset = offset;	/* checked when it is mapped */
	pending_note(gpu, request, GPU_PENDING_MAP_LATER, slot, sizeof(struct virtio_gpu_resp_map_info));
	return GPU_DEFERRED;
}

uint32_t waiting_unmap(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t slot)
{
	uint32_t head = pending_find(gpu, GPU_PENDING_MAP_LATER, slot);

	if (head == GPU_NONE)
		return request->replay ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_UNSPEC;
	gpu_request_act(gpu, request);
	pending_answer(gpu, head, VIRTIO_GPU_RESP_ERR_UNSPEC);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* The slot last: while it is WAITING a takeover knows what is owed. */
static void remove_waiting(struct virtio_gpu *gpu, uint32_t slot)
{
	uint32_t head = pending_find(gpu, GPU_PENDING_MAP_LATER, slot);

	if (head != GPU_NONE)
		pending_answer(gpu, head, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	resource_table_remove(gpu, slot);
}

uint32_t waiting_unref(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t slot)
{
	uint32_t head = pending_find(gpu, GPU_PENDING_CREATE, slot);

	gpu_request_act(gpu, request);
	/* As if it had been made and given up at once, which nobody can tell apart. */
	if (head != GPU_NONE)
		pending_answer(gpu, head, VIRTIO_GPU_RESP_OK_NODATA);
	remove_waiting(gpu, slot);
	waiting_hurry(gpu);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

void waiting_drop(struct virtio_gpu *gpu, uint32_t slot)
{
	resource_table_remove(gpu, slot);
}

/* ---- granting -------------------------------------------------------------------------------------------- */

void waiting_hurry(struct virtio_gpu *gpu)
{
	if (!gpu->waiting_count || gpu->waiting_due)
		return;
	gpu->waiting_due = true;
	audit_now(gpu);
}

/* Whom nobody is to be told of: its element was answered another way. */
static void drop_orphans(struct virtio_gpu *gpu)
{
	for (uint32_t i = 0; gpu->waiting_count && i < gpu->state->resource_high; i++)
		if (resource_at(gpu, i)->use == GPU_RESOURCE_WAITING && pending_find(gpu, GPU_PENDING_CREATE, i) == GPU_NONE)
			remove_waiting(gpu, i);
}

static uint32_t oldest(const struct virtio_gpu *gpu)
{
	const struct gpu_pending *pending = gpu->state->pending;
	uint32_t found = GPU_NONE;

	for (uint32_t head = 0; head < GPU_PENDING_MAX; head++)
		if (pending[head].kind == GPU_PENDING_CREATE &&
		    (found == GPU_NONE || pending[head].serial < pending[found].serial))
			found = head;
	return found;
}

static void refuse(struct virtio_gpu *gpu, uint32_t head, uint32_t type)
{
	uint32_t slot = gpu->state->pending[head].subject;

	pending_answer(gpu, head, type);
	remove_waiting(gpu, slot);
}

static bool context_lives(struct virtio_gpu *gpu, uint32_t context)
{
	return context != GPU_NONE && gpu->state->context[context].use == GPU_CONTEXT_LIVE;
}

/* False: it has to wait on, and all younger ones with it. */
static bool serve(struct virtio_gpu *gpu, uint32_t head, uint64_t now_ns)
{
	const struct gpu_pending *p = &gpu->state->pending[head];
	uint32_t slot = p->subject;
	const struct gpu_resource *r = resource_at(gpu, slot);
	uint64_t returning;

	if (r->use != GPU_RESOURCE_WAITING) {	/* granted by a process that did not live to say so */
		pending_answer(gpu, head, VIRTIO_GPU_RESP_OK_NODATA);
		return true;
	}
	/* Charged first: a kill before it is LIVE is mended by the recomputation of the ledger. */
	if (ledger_charge(gpu, r->bytes)) {
		resource_table_grant(gpu, slot);
		pending_answer(gpu, head, VIRTIO_GPU_RESP_OK_NODATA);
		return true;
	}
	returning = returning_bytes(gpu);
	if (returning && ledger_fits(gpu, r->bytes, returning) &&
	    now_ns - gpu->view[slot].waiting_since_ns < WAITING_PATIENCE_NS)
		return false;
	refuse(gpu, head, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	return true;
}

/* What blob_map would have done, had the resource been LIVE. */
static void map_now(struct virtio_gpu *gpu, uint32_t head)
{
	uint32_t slot = gpu->state->pending[head].subject;
	struct gpu_resource *r = resource_at(gpu, slot);

	if (r->range == GPU_RANGE_NONE) {
		int status = aperture_claim(gpu, slot, r->offset);

		if (status) {
			pending_answer(gpu, head, status == -EINVAL || status == -EBUSY ? VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER :
					VIRTIO_GPU_RESP_ERR_UNSPEC);
			return;
		}
	}
	audit_hurry(gpu);
	r->pending_head = head;
	pending_becomes_map(gpu, head);
	gpu->view[slot].mapped_since_ns = gpu_now_ns();
	engine_channel_touch(gpu, slot);
	/* Without an engine, or told of it already while a process took over. */
	if (pending_is(gpu, head, GPU_PENDING_MAP, slot) && engine_channel_told_map(gpu, slot))
		pending_answer(gpu, head, VIRTIO_GPU_RESP_OK_MAP_INFO);
	resource_settle(gpu, slot);
}

void waiting_settle(struct virtio_gpu *gpu)
{
	uint64_t now_ns = gpu_now_ns();
	uint32_t head;

	gpu->waiting_due = false;
	if (gpu->waiting_orphans) {
		gpu->waiting_orphans = false;
		drop_orphans(gpu);
	}
	for (head = 0; head < GPU_PENDING_MAX; head++) {
		const struct gpu_pending *p = &gpu->state->pending[head];

		if (p->kind == GPU_PENDING_CREATE && resource_at(gpu, p->subject)->use == GPU_RESOURCE_WAITING &&
		    !context_lives(gpu, resource_at(gpu, p->subject)->owner))
			refuse(gpu, head, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	}
	while ((head = oldest(gpu)) != GPU_NONE && serve(gpu, head, now_ns))
		;
	for (head = 0; head < GPU_PENDING_MAX; head++)
		if (gpu->state->pending[head].kind == GPU_PENDING_MAP_LATER &&
		    resource_at(gpu, gpu->state->pending[head].subject)->use == GPU_RESOURCE_LIVE)
			map_now(gpu, head);
}

void waiting_rebuild(struct virtio_gpu *gpu)
{
	uint64_t now_ns = gpu_now_ns();

	/* How long a former process has waited is not known: the patience begins anew. */
	for (uint32_t i = 0; gpu->waiting_count && i < gpu->state->resource_high; i++)
		if (resource_at(gpu, i)->use == GPU_RESOURCE_WAITING)
			gpu->view[i].waiting_since_ns = now_ns;
	gpu->waiting_orphans = true;
	waiting_settle(gpu);
}
