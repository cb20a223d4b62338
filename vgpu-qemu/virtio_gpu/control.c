/* SPDX-License-Identifier: MIT */
/*
 * The control and cursor queues: a command is copied from the guest once, checked for size by its row of a table,
 * handled, answered (virtio 1.3 §5.7.6).
 *
 * Distrusts everything the guest wrote. A handler gets the copy of the fixed part; what follows it (page entries, the
 * submission) is read by the handler, once as well.
 */
#include <endian.h>
#include <string.h>

#include "vgpu-qemu/virtio_gpu/blobs.h"
#include "vgpu-qemu/virtio_gpu/contexts.h"
#include "vgpu-qemu/virtio_gpu/pending.h"
#include "vgpu-qemu/virtio_gpu/request.h"

#define HEADER_BYTES ((uint32_t)sizeof(struct virtio_gpu_ctrl_hdr))

/* No scanout is offered, so each of the sixteen is disabled. */
static uint32_t get_display_info(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	(void)gpu;
	(void)request;
	return VIRTIO_GPU_RESP_OK_DISPLAY_INFO;
}

static uint32_t get_capset_info(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	struct virtio_gpu_resp_capset_info *response = (void *)gpu->response;

	if (le32toh(request->u.capset_info.capset_index) != 0)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	response->capset_id = htole32(WIRE_CAPSET_ID);
	response->capset_max_version = htole32(WIRE_VERSION);
	response->capset_max_size = htole32(gpu->capset_bytes);
	return VIRTIO_GPU_RESP_OK_CAPSET_INFO;
}

static uint32_t get_capset(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	if (le32toh(request->u.capset.capset_id) != WIRE_CAPSET_ID ||
	    le32toh(request->u.capset.capset_version) > WIRE_VERSION ||
	    request->element->writable_bytes < HEADER_BYTES + gpu->capset_bytes)
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	memcpy(gpu->response + HEADER_BYTES, gpu->capset, gpu->capset_bytes);
	return VIRTIO_GPU_RESP_OK_CAPSET;
}

/* What the device has no part for: scanouts, 2D and 3D images, EDID and UUID (features that are not offered), copies
 * between guest memory and host images. */
static uint32_t refuse(struct virtio_gpu *gpu, const struct gpu_request *request)
{
	(void)gpu;
	(void)request;
	return VIRTIO_GPU_RESP_ERR_UNSPEC;
}

struct command {
	uint32_t type;
	uint32_t request_bytes;		/* of the fixed part */
	bool longer;			/* more follows it, which the handler checks; else the request is exactly as long */
	uint32_t response_bytes;	/* the guest must have room for */
	uint32_t (*handle)(struct virtio_gpu *gpu, const struct gpu_request *request);
};

static const struct command commands[] = {
	{VIRTIO_GPU_CMD_SUBMIT_3D, sizeof(struct virtio_gpu_cmd_submit), true, HEADER_BYTES, context_submit},
	{VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, sizeof(struct virtio_gpu_resource_create_blob), true, HEADER_BYTES,
	 blob_create},
	{VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, sizeof(struct virtio_gpu_resource_map_blob), false,
	 sizeof(struct virtio_gpu_resp_map_info), blob_map},
	{VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB, sizeof(struct virtio_gpu_resource_unmap_blob), false, HEADER_BYTES,
	 blob_unmap},
	{VIRTIO_GPU_CMD_RESOURCE_UNREF, sizeof(struct virtio_gpu_resource_unref), false, HEADER_BYTES, resource_unref},
	{VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, sizeof(struct virtio_gpu_ctx_resource), false, HEADER_BYTES,
	 resource_attach},
	{VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, sizeof(struct virtio_gpu_ctx_resource), false, HEADER_BYTES,
	 resource_detach},
	{VIRTIO_GPU_CMD_CTX_CREATE, sizeof(struct virtio_gpu_ctx_create), false, HEADER_BYTES, context_create},
	{VIRTIO_GPU_CMD_CTX_DESTROY, HEADER_BYTES, false, HEADER_BYTES, context_destroy},
	{VIRTIO_GPU_CMD_GET_CAPSET_INFO, sizeof(struct virtio_gpu_get_capset_info), false,
	 sizeof(struct virtio_gpu_resp_capset_info), get_capset_info},
	{VIRTIO_GPU_CMD_GET_CAPSET, sizeof(struct virtio_gpu_get_capset), false, HEADER_BYTES, get_capset},
	{VIRTIO_GPU_CMD_GET_DISPLAY_INFO, HEADER_BYTES, false, sizeof(struct virtio_gpu_resp_display_info),
	 get_display_info},

	{VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, HEADER_BYTES, true, HEADER_BYTES, refuse},
	{VIRTIO_GPU_CMD_SET_SCANOUT, HEADER_BYTES, true, HEADER_BYTES, refuse},
	{VIRTIO_GPU_CMD_RESOURCE_FLUSH, HEADER_BYTES, true, HEADER_BYTES, refuse},
	{VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, HEADER_BYTES, true, HEADER_BYTES, refuse},
	{VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, HEADER_BYTES, true, HEADER_BYTES, refuse},
	{VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, HEADER_BYTES, true, HEADER_BYTES, refuse},
	{VIRTIO_GPU_CMD_GET_EDID, HEADER_BYTES, true, HEADER_BYTES, refuse},
	{VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID, HEADER_BYTES, true, HEADER_BYTES, refuse},
	{VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, HEADER_BYTES, true, HEADER_BYTES, refuse},
	{VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, HEADER_BYTES, true, HEADER_BYTES, refuse},
	{VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D, HEADER_BYTES, true, HEADER_BYTES, refuse},
	{VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, HEADER_BYTES, true, HEADER_BYTES, refuse},
};

static const struct command *find_command(uint32_t type)
{
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].type == type)
			return &commands[i];
	return NULL;
}

static uint32_t response_bytes(const struct virtio_gpu *gpu, uint32_t type)
{
	switch (type) {
	case VIRTIO_GPU_RESP_OK_DISPLAY_INFO:
		return sizeof(struct virtio_gpu_resp_display_info);
	case VIRTIO_GPU_RESP_OK_CAPSET_INFO:
		return sizeof(struct virtio_gpu_resp_capset_info);
	case VIRTIO_GPU_RESP_OK_CAPSET:
		return HEADER_BYTES + gpu->capset_bytes;
	case VIRTIO_GPU_RESP_OK_MAP_INFO:
		return sizeof(struct virtio_gpu_resp_map_info);
	default:
		return HEADER_BYTES;
	}
}

static uint32_t respond(struct virtio_gpu *gpu, const struct gpu_request *request, uint32_t type)
{
	struct virtio_gpu_ctrl_hdr header = {
		.type = htole32(type),
		.flags = htole32(request->flags),
		.fence_id = htole64(request->fence_id),
		.ctx_id = htole32(request->context_id),
		.ring_idx = request->ring_index,
	};
	uint32_t bytes = response_bytes(gpu, type);
	long written;

	memcpy(gpu->response, &header, sizeof(header));
	if (request->element->writable_bytes < bytes)
		bytes = HEADER_BYTES;
	if (request->element->writable_bytes < bytes)
		return 0;	/* no room even to say so */
	written = virtqueue_element_write(gpu->w.memory, request->element, 0, gpu->response, bytes);
	return written < 0 ? 0 : (uint32_t)written;
}

/* Copies the header, then as much of the fixed part as the command's row says. NULL: answer *ret_error. */
static const struct command *request_parse(struct virtio_gpu *gpu, const struct virtqueue_element *element,
					   struct gpu_request *request, uint32_t *ret_error)
{
	const struct virtio_gpu_ctrl_hdr *header = &request->u.header;
	const struct command *command;
	uint32_t rest;

	*ret_error = VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (element->readable_bytes < HEADER_BYTES ||
	    virtqueue_element_read(gpu->w.memory, element, 0, &request->u.header, HEADER_BYTES) != (long)HEADER_BYTES)
		return NULL;
	request->type = le32toh(header->type);
	request->flags = le32toh(header->flags) & (VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
	request->fence_id = request->flags & VIRTIO_GPU_FLAG_FENCE ? le64toh(header->fence_id) : 0;
	request->context_id = le32toh(header->ctx_id);
	request->ring_index = request->flags & VIRTIO_GPU_FLAG_INFO_RING_IDX ? header->ring_idx : 0;
	command = find_command(request->type);
	if (!command)
		return NULL;
	*ret_error = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (command->longer ? element->readable_bytes < command->request_bytes :
			      element->readable_bytes != command->request_bytes)
		return NULL;
	rest = command->request_bytes - HEADER_BYTES;
	if (rest && virtqueue_element_read(gpu->w.memory, element, HEADER_BYTES, (uint8_t *)&request->u + HEADER_BYTES,
					   rest) != (long)rest)
		return NULL;
	if (element->writable_bytes < command->response_bytes)
		return NULL;
	return command;
}

enum virtqueue_verdict virtio_gpu_control(void *data, const struct virtqueue_element *element, bool last_attempt,
					  uint32_t *ret_written)
{
	struct virtio_gpu *gpu = data;
	struct gpu_pending *pending = element->head < GPU_PENDING_MAX ? &gpu->state->pending[element->head] : NULL;
	struct gpu_request request = {
		.element = element,
		.again = element->attempt > 1,
		.replay = element->attempt > 1 && gpu->state->acting_serial == element->serial,
	};
	const struct command *command;
	uint32_t type;

	if (pending && pending->kind == GPU_PENDING_ANSWERED) {
		uint32_t written = pending->written;
		bool same = request.again && pending->serial == element->serial;

		/* Another serial: the answer had been published before the kill, and the guest uses the head again. */
		pending_forget(gpu, element->head);
		if (same) {
			*ret_written = written;
			return VIRTQUEUE_COMPLETE;
		}
	}
	memset(gpu->response, 0, sizeof(struct virtio_gpu_resp_display_info));
	command = request_parse(gpu, element, &request, &type);
	if (last_attempt) {
		keeper_link_strike(gpu->w.keeper, "a virtio-gpu command 0x%x killed the device process each time; it is answered with an error",
				   request.type);
		type = VIRTIO_GPU_RESP_ERR_UNSPEC;
	} else if (pending && pending->kind != GPU_PENDING_NONE && (!request.again || pending->serial != element->serial)) {
		type = VIRTIO_GPU_RESP_ERR_UNSPEC;	/* the guest offers a head that is outstanding */
	} else if (command) {
		type = command->handle(gpu, &request);
	}
	if (type == GPU_DEFERRED)
		return VIRTQUEUE_DEFER;
	/* Noted by an earlier process, and now answered at once. */
	if (pending && pending->kind != GPU_PENDING_NONE && request.again && pending->serial == element->serial)
		pending_forget(gpu, element->head);
	*ret_written = respond(gpu, &request, type);
	return VIRTQUEUE_COMPLETE;
}

/* No scanout, so no cursor to see: the commands succeed and change nothing (virtio 1.3 §5.7.6.9). */
enum virtqueue_verdict virtio_gpu_cursor(void *data, const struct virtqueue_element *element, bool last_attempt,
					 uint32_t *ret_written)
{
	struct virtio_gpu *gpu = data;
	struct gpu_request request = {.element = element};
	struct virtio_gpu_ctrl_hdr *header = &request.u.header;
	uint32_t type = VIRTIO_GPU_RESP_ERR_UNSPEC;

	memset(gpu->response, 0, HEADER_BYTES);
	if (element->readable_bytes == sizeof(struct virtio_gpu_update_cursor) &&
	    virtqueue_element_read(gpu->w.memory, element, 0, header, HEADER_BYTES) == (long)HEADER_BYTES) {
		request.type = le32toh(header->type);
		request.flags = le32toh(header->flags) & VIRTIO_GPU_FLAG_FENCE;
		request.fence_id = request.flags ? le64toh(header->fence_id) : 0;
		request.context_id = le32toh(header->ctx_id);
		if (!last_attempt && (request.type == VIRTIO_GPU_CMD_UPDATE_CURSOR ||
				      request.type == VIRTIO_GPU_CMD_MOVE_CURSOR))
			type = VIRTIO_GPU_RESP_OK_NODATA;
	}
	*ret_written = respond(gpu, &request, type);
	return VIRTQUEUE_COMPLETE;
}
