/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/virtio_gpu/blobs.h"

#include <endian.h>
#include <errno.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/virtio_gpu/aperture.h"
#include "vgpu-qemu/virtio_gpu/audit.h"
#include "vgpu-qemu/virtio_gpu/contexts.h"
#include "vgpu-qemu/virtio_gpu/engine_channel.h"
#include "vgpu-qemu/virtio_gpu/guest_blob.h"
#include "vgpu-qemu/virtio_gpu/ledger.h"
#include "vgpu-qemu/virtio_gpu/pending.h"
#include "vgpu-qemu/virtio_gpu/resource_table.h"
#include "vgpu-qemu/virtio_gpu/waiting.h"

/* ---- RESOURCE_CREATE_BLOB -------------------------------------------------------------------------- */

struct create_arguments {
	uint32_t id;
	uint32_t memory;		/* VIRTIO_GPU_BLOB_MEM_* */
	uint32_t entry_count;
	bool mappable;
	uint64_t blob_id;
	uint64_t bytes;
};

static bool create_parse(const struct gpu_request *request, struct create_arguments *ret_arguments)
{
	const struct virtio_gpu_resource_create_blob *raw = &request->u.create_blob;
	uint32_t flags = le32toh(raw->blob_flags);
	struct create_arguments a = {
		.id = le32toh(raw->resource_id),
		.memory = le32toh(raw->blob_mem),
		.entry_count = le32toh(raw->nr_entries),
		.mappable = flags & VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE,
		.blob_id = le64toh(raw->blob_id),
		.bytes = le64toh(raw->size),
	};

	if (flags & ~(uint32_t)(VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE | VIRTIO_GPU_BLOB_FLAG_USE_SHAREABLE |
				VIRTIO_GPU_BLOB_FLAG_USE_CROSS_DEVICE))
		return false;
	if (a.memory != VIRTIO_GPU_BLOB_MEM_GUEST && a.memory != VIRTIO_GPU_BLOB_MEM_HOST3D)
		return false;
	if (!a.bytes)
		return false;
	if (a.memory == VIRTIO_GPU_BLOB_MEM_HOST3D &&
	    (a.bytes % GPU_PAGE_BYTES || a.entry_count || request->element->readable_bytes != sizeof(*raw)))
		return false;
	*ret_arguments = a;
	return true;
}

/* Rings are not charged, but bounded: one for each context there may be, and what the slack allows for those whose
 * context is gone and which the guest has not given up yet. */
static bool ring_allowed(const struct virtio_gpu *gpu)
{
	uint64_t spare = gpu->w.limits.slack_bytes / 2 / WIRE_RING_BLOB_BYTES;

	return gpu->ring_count < gpu->w.limits.max_contexts + spare;
}

static uint32_t create_host3d(struct virtio_gpu *gpu, const struct gpu_request *request,
			      const struct create_arguments *a)
{
	uint32_t context = context_find(gpu, request->context_id);
	struct gpu_resource r = {
		.id = a->id,
		.use = GPU_RESOURCE_LIVE,
		.kind = GPU_RESOURCE_MEMORY,
		.mappable = a->mappable,
		.owner = context,
		.pending_head = GPU_NONE,
		.blob_id = a->blob_id,
		.bytes = a->bytes,
		.offset = GPU_OFFSET_NONE,
		.birth_serial = request->element->serial,
		.run_first = GPU_NONE,
	};

	if (context == GPU_NONE)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	switch (WIRE_BLOB_KIND(a->blob_id)) {
	case WIRE_BLOB_KIND_RING:
		r.kind = GPU_RESOURCE_RING;
		if (a->bytes != WIRE_RING_BLOB_BYTES || gpu->rings_of[context])
			return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
		if (!ring_allowed(gpu))
			return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
		break;
	case WIRE_BLOB_KIND_MEMORY:
		if (a->bytes > gpu->w.limits.aperture_bytes)
			return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
		break;
	default:
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (resource_table_find_blob(gpu, context, a->blob_id) != GPU_NONE)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	/* Charged first, so that the limit holds at every instant; a kill before the slot is filled is mended by the
	 * recomputation of the ledger. */
	if (r.kind == GPU_RESOURCE_MEMORY && (!waiting_lets_pass(gpu, r.bytes) || !ledger_charge(gpu, r.bytes)))
		return waiting_create(gpu, request, &r);
	gpu_request_act(gpu, request);
	if (resource_table_add(gpu, &r) == GPU_NONE) {
		if (r.kind == GPU_RESOURCE_MEMORY)
			ledger_refund(gpu, r.bytes);
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t create_guest(struct virtio_gpu *gpu, const struct gpu_request *request,
			     const struct create_arguments *a)
{
	struct gpu_resource r = {
		.id = a->id,
		.use = GPU_RESOURCE_LIVE,
		.kind = GPU_RESOURCE_GUEST,
		.mappable = a->mappable,
		.owner = GPU_NONE,
		.pending_head = GPU_NONE,
		.blob_id = a->blob_id,
		.bytes = a->bytes,
		.offset = GPU_OFFSET_NONE,
		.birth_serial = request->element->serial,
	};
	int status = guest_blob_take(gpu, request, a->entry_count, a->bytes, &r.run_first, &r.run_count);

	if (status == -ENOSPC)
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	if (status)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	gpu_request_act(gpu, request);
	if (resource_table_add(gpu, &r) == GPU_NONE) {
		guest_blob_give(gpu, r.run_first);
		return VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY;
	}
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static bool is_waiting(struct virtio_gpu *gpu, uint32_t slot)
{
	return slot != GPU_NONE && resource_at(gpu, slot)->use == GPU_RESOURCE_WAITING;
}

uint32_t blob_create(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	struct create_arguments a;
	uint32_t slot;

	if (!create_parse(request, &a))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	slot = resource_table_find(gpu, a.id);
	if (slot != GPU_NONE && request->replay && resource_at(gpu, slot)->birth_serial == request->element->serial)
		return is_waiting(gpu, slot) ? waiting_create_again(gpu, request, slot) : VIRTIO_GPU_RESP_OK_NODATA;
	if (slot != GPU_NONE || !a.id)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	return a.memory == VIRTIO_GPU_BLOB_MEM_HOST3D ? create_host3d(gpu, request, &a) : create_guest(gpu, request, &a);
}

/* ---- what follows from a resource's state ------------------------------------------------------------ */

static void free_resource(struct virtio_gpu *gpu, uint32_t slot)
{
	struct gpu_resource *r = resource_at(gpu, slot);
	uint32_t head = r->pending_head;
	uint64_t charged_bytes = r->kind == GPU_RESOURCE_MEMORY ? r->bytes : 0;
	uint32_t run_first = r->kind == GPU_RESOURCE_GUEST ? r->run_first : GPU_NONE;

	engine_channel_forget(gpu, r->owner, slot);
	if (r->owner != GPU_NONE && gpu->state->context[r->owner].ring == slot)
		gpu->state->context[r->owner].ring = GPU_NONE;
	/*
	 * The answer before the slot: a kill between them finds the slot again and frees it; the other way round nobody
	 * would remember whom to answer. The guest cannot act on the answer before this process is done.
	 */
	if (pending_is(gpu, head, GPU_PENDING_UNREF, slot))
		pending_answer(gpu, head, VIRTIO_GPU_RESP_OK_NODATA);
	resource_table_remove(gpu, slot);
	guest_blob_give(gpu, run_first);
	if (charged_bytes)
		ledger_refund(gpu, charged_bytes);
}

static void answer_map(struct virtio_gpu *gpu, uint32_t slot)
{
	struct gpu_resource *r = resource_at(gpu, slot);

	if (pending_is(gpu, r->pending_head, GPU_PENDING_MAP, slot))
		pending_answer(gpu, r->pending_head, VIRTIO_GPU_RESP_OK_MAP_INFO);
}

void resource_settle(struct virtio_gpu *gpu, uint32_t slot)
{
	struct gpu_resource *r = resource_at(gpu, slot);
	bool given_up = r->use == GPU_RESOURCE_DYING || r->use == GPU_RESOURCE_ZOMBIE;
	bool touchable = context_engine_may_touch(gpu, r->owner);

	if (r->use == GPU_RESOURCE_FREE)
		return;
	if (given_up && r->range == GPU_RANGE_MAPPED) {
		answer_map(gpu, slot);
		aperture_condemn(gpu, slot);
		audit_hurry(gpu);
		if (touchable)
			engine_channel_touch(gpu, slot);
	}
	if (r->range == GPU_RANGE_MAPPED && (r->owner == GPU_NONE || !gpu->channel[r->owner].attached))
		answer_map(gpu, slot);
	if (r->range == GPU_RANGE_UNMAPPING && !touchable) {
		if (aperture_release(gpu, slot))
			return;	/* held for good, and in the log */
		engine_channel_forget(gpu, r->owner, slot);
	}
	if (given_up && r->range == GPU_RANGE_NONE)
		free_resource(gpu, slot);
}

void blob_released(struct virtio_gpu *gpu, uint32_t slot)
{
	if (aperture_release(gpu, slot))
		return;
	engine_channel_forget(gpu, resource_at(gpu, slot)->owner, slot);
	resource_settle(gpu, slot);
}

void resource_drop(struct virtio_gpu *gpu, uint32_t slot)
{
	if (resource_at(gpu, slot)->use == GPU_RESOURCE_FREE)
		return;
	if (is_waiting(gpu, slot)) {
		waiting_drop(gpu, slot);
		return;
	}
	resource_table_forget_id(gpu, slot);
	resource_settle(gpu, slot);
}

/* ---- MAP, UNMAP, UNREF ---------------------------------------------------------------------------------- */

/* A resource the guest may still name, or GPU_NONE. It may be WAITING. */
static uint32_t find_named(struct virtio_gpu *gpu, uint32_t id)
{
	uint32_t slot = resource_table_find(gpu, id);

	return slot != GPU_NONE && (resource_at(gpu, slot)->use == GPU_RESOURCE_LIVE || is_waiting(gpu, slot)) ? slot : GPU_NONE;
}

static void map_response(struct virtio_gpu *gpu)
{
	struct virtio_gpu_resp_map_info *response = (void *)gpu->response;

	response->map_info = htole32(VIRTIO_GPU_MAP_CACHE_CACHED);
}

/* The range is the blob's. Answered when the engine has been told, so that a record naming the blob finds it there. */
static uint32_t map_answer(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t slot)
{
	struct gpu_resource *r = resource_at(gpu, slot);
	uint32_t owner = r->owner;

	map_response(gpu);
	if (owner == GPU_NONE || !gpu->channel[owner].attached || engine_channel_told_map(gpu, slot) ||
	    !pending_possible(gpu, request, sizeof(struct virtio_gpu_resp_map_info)))
		return VIRTIO_GPU_RESP_OK_MAP_INFO;
	gpu->view[slot].mapped_since_ns = gpu_now_ns();
	r->pending_head = request->element->head;
	pending_note(gpu, request, GPU_PENDING_MAP, slot, sizeof(struct virtio_gpu_resp_map_info));
	audit_hurry(gpu);
	return GPU_DEFERRED;
}

uint32_t blob_map(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	uint32_t slot = find_named(gpu, le32toh(request->u.map_blob.resource_id));
	uint64_t offset = le64toh(request->u.map_blob.offset);
	struct gpu_resource *r;
	int status;

	if (slot == GPU_NONE)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	r = resource_at(gpu, slot);
	if (r->kind == GPU_RESOURCE_GUEST || !r->mappable)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (is_waiting(gpu, slot))
		return waiting_map(gpu, request, slot, offset);
	if (r->range == GPU_RANGE_MAPPED && request->replay && r->offset == offset)
		return map_answer(gpu, request, slot);
	if (r->range != GPU_RANGE_NONE)	/* mapped already, or an engine has not let go of the former range */
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	gpu_request_act(gpu, request);
	status = aperture_claim(gpu, slot, offset);
	if (status == -EINVAL || status == -EBUSY)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (status)
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	audit_hurry(gpu);
	if (r->kind == GPU_RESOURCE_RING && r->owner != GPU_NONE)
		context_announce_lost(gpu, r->owner, slot);
	engine_channel_touch(gpu, slot);
	return map_answer(gpu, request, slot);
}

uint32_t blob_unmap(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	uint32_t slot = find_named(gpu, le32toh(request->u.unmap_blob.resource_id));
	struct gpu_resource *r;

	if (slot == GPU_NONE)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	r = resource_at(gpu, slot);
	if (r->kind == GPU_RESOURCE_GUEST)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (is_waiting(gpu, slot))
		return waiting_unmap(gpu, request, slot);
	if (r->range != GPU_RANGE_MAPPED)
		return request->replay ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_UNSPEC;
	gpu_request_act(gpu, request);
	answer_map(gpu, slot);
	aperture_condemn(gpu, slot);
	audit_hurry(gpu);
	if (context_engine_may_touch(gpu, r->owner))
		engine_channel_touch(gpu, slot);
	resource_settle(gpu, slot);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t resource_unref(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	uint32_t slot = resource_table_find(gpu, le32toh(request->u.unref.resource_id));
	uint32_t head = request->element->head;
	struct gpu_resource *r;

	if (slot == GPU_NONE)
		return request->replay ? VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (is_waiting(gpu, slot))
		return waiting_unref(gpu, request, slot);
	r = resource_at(gpu, slot);
	if (r->use == GPU_RESOURCE_DYING)	/* the first answer is still owed; an earlier process may have noted this one */
		return pending_is(gpu, head, GPU_PENDING_UNREF, slot) ? GPU_DEFERRED :
		       VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	answer_map(gpu, slot);
	if (r->range != GPU_RANGE_NONE && context_engine_may_touch(gpu, r->owner)) {
		if (!pending_possible(gpu, request, sizeof(struct virtio_gpu_ctrl_hdr)))
			return VIRTIO_GPU_RESP_ERR_UNSPEC;
		gpu_request_act(gpu, request);
		pending_note(gpu, request, GPU_PENDING_UNREF, slot, sizeof(struct virtio_gpu_ctrl_hdr));
		r->pending_head = head;
		atomic_signal_fence(memory_order_seq_cst);
		r->use = GPU_RESOURCE_DYING;
		resource_settle(gpu, slot);
		return GPU_DEFERRED;
	}
	gpu_request_act(gpu, request);
	r->pending_head = GPU_NONE;
	r->use = GPU_RESOURCE_DYING;
	resource_settle(gpu, slot);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* ---- references ------------------------------------------------------------------------------------------- */

uint32_t resource_attach(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	uint32_t context = context_find(gpu, request->context_id);
	uint32_t slot = find_named(gpu, le32toh(request->u.context_resource.resource_id));

	if (context == GPU_NONE)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (slot == GPU_NONE)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	/* Counted, and nothing else: an engine gets the blobs its own context made. */
	resource_at(gpu, slot)->attached |= 1ull << context;
	return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t resource_detach(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	uint32_t context = context_find(gpu, request->context_id);
	uint32_t slot = find_named(gpu, le32toh(request->u.context_resource.resource_id));

	if (context == GPU_NONE)
		return VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID;
	if (slot == GPU_NONE)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	resource_at(gpu, slot)->attached &= ~(1ull << context);
	return VIRTIO_GPU_RESP_OK_NODATA;
}
