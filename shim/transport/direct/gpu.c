/* SPDX-License-Identifier: MIT */
#include "shim/transport/direct/gpu.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_gpu.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOB_MEM_HOST3D 2u		/* virtio 1.3 §5.7.6.8 */
#define BLOB_FLAG_MAPPABLE 1u
#define RELEASE_WAIT_MS 5000u

/* The largest commands we send, each of its own type so that no byte is left over. */
struct submit_command {
	struct virtio_gpu_cmd_submit submit;
	struct wire_submit payload;
};
static_assert(sizeof(struct submit_command) <= QUEUE_OUT_BYTES, "fits a slot");
static_assert(sizeof(struct virtio_gpu_ctx_create) <= QUEUE_OUT_BYTES, "fits a slot");
static_assert(sizeof(struct virtio_gpu_resource_create_blob) <= QUEUE_OUT_BYTES, "fits a slot");

/* A command somebody waits for, with room for any short response. */
struct command {
	struct queue_request request;
	union {
		struct virtio_gpu_ctrl_hdr header;
		struct virtio_gpu_resp_capset_info capset_info;
		struct virtio_gpu_resp_map_info map_info;
	} response;
};

static struct virtio_gpu_ctrl_hdr header_of(uint32_t type, uint32_t context)
{
	return (struct virtio_gpu_ctrl_hdr){.type = htole32(type), .ctx_id = htole32(context)};
}

static void command_init(struct command *command, const void *out, size_t out_bytes)
{
	*command = (struct command){
		.request = {
			.out = out,
			.out_bytes = (uint32_t)out_bytes,
			.in = &command->response,
			.in_bytes = sizeof(command->response),
		},
	};
}

/* What the device said, in errno. */
static int verdict(const struct virtio_gpu_ctrl_hdr *response, uint32_t written, uint32_t ok_type)
{
	uint32_t type = le32toh(response->type);

	if (written < sizeof(*response))
		return -EPROTO;
	if (type == ok_type)
		return 0;
	switch (type) {
	case VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY:
		return -ENOMEM;
	case VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID:
	case VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID:
		return -ENOENT;
	case VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER:
		return -EINVAL;
	default:
		return -EIO;
	}
}

static int command_verdict(const struct command *command, uint32_t ok_type)
{
	if (command->request.status)
		return command->request.status;
	return verdict(&command->response.header, command->request.written, ok_type);
}

/* Posts commands in one batch and waits for all of them. -ENODEV: none of them is to be looked at. */
static int call(struct gpu *gpu, struct command *commands, unsigned count)
{
	struct queue_request *requests[QUEUE_BATCH_MAX];
	int err;

	for (unsigned i = 0; i < count; i++)
		requests[i] = &commands[i].request;
	err = queue_post(gpu->queue, requests, count, gpu->timeout_ms);
	if (err == -ENODEV || err == -EINVAL)
		return err;
	for (unsigned i = 0; i < count && !err; i++)
		err = queue_wait(gpu->queue, requests[i], gpu->timeout_ms);
	if (err) {
		/* A device that does not answer is as good as dead, and our buffers must not stay in its queue. */
		vfio_user_client_kill(gpu->queue->device->client);
		queue_fail(gpu->queue);
		return -ENODEV;
	}
	return 0;
}

int gpu_init(struct gpu *gpu, struct queue *queue, uint64_t aperture_bytes, unsigned timeout_ms)
{
	pthread_condattr_t monotonic;

	*gpu = (struct gpu){.queue = queue, .timeout_ms = timeout_ms, .context_taken[0] = 1};	/* 0 is no context */
	int err = aperture_init(&gpu->aperture, aperture_bytes & ~4095ull);
	if (err)
		return err;
	pthread_mutex_init(&gpu->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&gpu->released, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return 0;
}

void gpu_finish(struct gpu *gpu)
{
	pthread_cond_destroy(&gpu->released);
	pthread_mutex_destroy(&gpu->lock);
	aperture_finish(&gpu->aperture);
}

/* ---- capset ----------------------------------------------------------------------------------- */

static int capset_info(struct gpu *gpu, uint32_t index, uint32_t *ret_id, uint32_t *ret_bytes)
{
	struct virtio_gpu_get_capset_info out = {
		.hdr = header_of(VIRTIO_GPU_CMD_GET_CAPSET_INFO, 0),
		.capset_index = htole32(index),
	};
	struct command command;
	int err;

	command_init(&command, &out, sizeof(out));
	err = call(gpu, &command, 1);
	if (!err)
		err = command_verdict(&command, VIRTIO_GPU_RESP_OK_CAPSET_INFO);
	if (!err && command.request.written < sizeof(command.response.capset_info))
		err = -EPROTO;
	if (err)
		return err;
	*ret_id = le32toh(command.response.capset_info.capset_id);
	*ret_bytes = le32toh(command.response.capset_info.capset_max_size);
	return 0;
}

int gpu_capset_read(struct gpu *gpu, uint16_t capset_count, const struct arena_piece *large, const void **ret_data, size_t *ret_bytes)
{
	struct virtio_gpu_get_capset out = {
		.hdr = header_of(VIRTIO_GPU_CMD_GET_CAPSET, 0),
		.capset_id = htole32(WIRE_CAPSET_ID),
		.capset_version = htole32(0),	/* as user space in a guest asks */
	};
	const struct virtio_gpu_resp_capset *response = large->memory;
	uint32_t id = 0, bytes = 0;
	struct command command;
	int err = 0;

	for (uint32_t i = 0; i < capset_count && id != WIRE_CAPSET_ID && !err; i++)
		err = capset_info(gpu, i, &id, &bytes);
	if (err)
		return err;
	if (id != WIRE_CAPSET_ID)
		return -ENOENT;
	if (bytes > WIRE_CAPSET_MAX_BYTES)
		return -EPROTO;
	command_init(&command, &out, sizeof(out));
	command.request.large_in = large;
	command.request.in_bytes = (uint32_t)sizeof(response->hdr) + bytes;
	err = call(gpu, &command, 1);
	if (!err)
		err = command.request.status;
	if (!err)
		err = verdict(&response->hdr, command.request.written, VIRTIO_GPU_RESP_OK_CAPSET);
	if (err)
		return err;
	*ret_data = response->capset_data;
	*ret_bytes = command.request.written - sizeof(response->hdr);
	return 0;
}

/* ---- contexts --------------------------------------------------------------------------------- */

/* The lowest free id, as the Linux driver takes them. 0: none left. */
static uint32_t context_id_take(struct gpu *gpu)
{
	uint32_t id = 0;

	pthread_mutex_lock(&gpu->lock);
	for (unsigned i = 0; i < GPU_CONTEXT_MAX / 64; i++) {
		if (gpu->context_taken[i] == UINT64_MAX)
			continue;
		unsigned bit = (unsigned)__builtin_ctzll(~gpu->context_taken[i]);
		gpu->context_taken[i] |= 1ull << bit;
		id = 64 * i + bit;
		break;
	}
	pthread_mutex_unlock(&gpu->lock);
	return id;
}

static void context_id_give(struct gpu *gpu, uint32_t id)
{
	pthread_mutex_lock(&gpu->lock);
	gpu->context_taken[id / 64] &= ~(1ull << (id % 64));
	pthread_mutex_unlock(&gpu->lock);
}

int gpu_context_create(struct gpu *gpu, const char *name, uint32_t *ret_context)
{
	uint32_t context = context_id_take(gpu);
	struct virtio_gpu_ctx_create out = {
		.hdr = header_of(VIRTIO_GPU_CMD_CTX_CREATE, context),
		.context_init = htole32(WIRE_CAPSET_ID),
	};
	struct command command;
	size_t name_bytes = strnlen(name, sizeof(out.debug_name) - 1);
	int err;

	if (!context)
		return -ENOSPC;
	memcpy(out.debug_name, name, name_bytes);
	out.nlen = htole32((uint32_t)name_bytes);
	command_init(&command, &out, sizeof(out));
	err = call(gpu, &command, 1);
	if (!err)
		err = command_verdict(&command, VIRTIO_GPU_RESP_OK_NODATA);
	if (err) {
		context_id_give(gpu, context);
		return err;
	}
	*ret_context = context;
	return 0;
}

void gpu_context_destroy(struct gpu *gpu, uint32_t context)
{
	struct virtio_gpu_ctx_destroy out = {.hdr = header_of(VIRTIO_GPU_CMD_CTX_DESTROY, context)};
	struct command command;

	command_init(&command, &out, sizeof(out));
	if (!call(gpu, &command, 1))
		context_id_give(gpu, context);
}

/* ---- blobs ------------------------------------------------------------------------------------ */

/* UNMAP, DETACH and UNREF under way together; freed by the answer to UNREF, which comes last. */
struct release {
	struct gpu *gpu;
	struct gpu_blob blob;
	unsigned left;
	struct command unmap, detach, unref;
	struct virtio_gpu_resource_unmap_blob unmap_out;
	struct virtio_gpu_ctx_resource detach_out;
	struct virtio_gpu_resource_unref unref_out;
};

static void release_step(struct release *release)
{
	struct gpu *gpu = release->gpu;
	bool last;

	/* Answers may overtake each other, so it is the last of the three that ends it. */
	pthread_mutex_lock(&gpu->lock);
	last = --release->left == 0;
	pthread_mutex_unlock(&gpu->lock);
	if (!last)
		return;
	/* Refused or not, the device no longer knows the resource, and refuses overlaps if it does. */
	if (!release->unref.request.status)
		aperture_give(&gpu->aperture, release->blob.offset, release->blob.bytes);
	pthread_mutex_lock(&gpu->lock);
	gpu->releases_pending--;
	pthread_cond_broadcast(&gpu->released);
	pthread_mutex_unlock(&gpu->lock);
	free(release);
}

#define RELEASE_OF(request_, member) \
	((struct release *)((char *)(request_) - offsetof(struct release, member) - offsetof(struct command, request)))
static void unmap_done(struct queue_request *request) { release_step(RELEASE_OF(request, unmap)); }
static void detach_done(struct queue_request *request) { release_step(RELEASE_OF(request, detach)); }
static void unref_done(struct queue_request *request) { release_step(RELEASE_OF(request, unref)); }

static void release_init(struct release *release, struct gpu *gpu, uint32_t context, const struct gpu_blob *blob)
{
	*release = (struct release){
		.gpu = gpu,
		.blob = *blob,
		.left = 3,
		.unmap_out = {
			.hdr = header_of(VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB, 0),
			.resource_id = htole32(blob->resource),
		},
		.detach_out = {
			.hdr = header_of(VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, context),
			.resource_id = htole32(blob->resource),
		},
		.unref_out = {
			.hdr = header_of(VIRTIO_GPU_CMD_RESOURCE_UNREF, 0),
			.resource_id = htole32(blob->resource),
		},
	};
	command_init(&release->unmap, &release->unmap_out, sizeof(release->unmap_out));
	command_init(&release->detach, &release->detach_out, sizeof(release->detach_out));
	command_init(&release->unref, &release->unref_out, sizeof(release->unref_out));
	release->unmap.request.done = unmap_done;
	release->detach.request.done = detach_done;
	release->unref.request.done = unref_done;
}

void gpu_blob_destroy(struct gpu *gpu, uint32_t context, const struct gpu_blob *blob)
{
	struct release *release = malloc(sizeof(*release));
	int err;

	if (!release)
		return;		/* the range stays ours until the context ends, which drops the blob */
	release_init(release, gpu, context, blob);
	struct queue_request *requests[] = {&release->detach.request, &release->unmap.request, &release->unref.request};
	pthread_mutex_lock(&gpu->lock);
	gpu->releases_pending++;
	pthread_mutex_unlock(&gpu->lock);
	err = queue_post(gpu->queue, requests, 3, gpu->timeout_ms);
	if (!err)
		return;
	pthread_mutex_lock(&gpu->lock);
	gpu->releases_pending--;
	pthread_mutex_unlock(&gpu->lock);
	free(release);
}

/* One attempt: CREATE, MAP and ATTACH in one batch, as the Linux driver sends them. */
static int blob_create_once(struct gpu *gpu, uint32_t context, uint64_t blob_id, struct gpu_blob *blob)
{
	struct virtio_gpu_resource_create_blob create = {
		.hdr = header_of(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, context),
		.resource_id = htole32(blob->resource),
		.blob_mem = htole32(BLOB_MEM_HOST3D),
		.blob_flags = htole32(BLOB_FLAG_MAPPABLE),
		.blob_id = htole64(blob_id),
		.size = htole64(blob->bytes),
	};
	struct virtio_gpu_resource_map_blob map = {
		.hdr = header_of(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, 0),
		.resource_id = htole32(blob->resource),
		.offset = htole64(blob->offset),
	};
	struct virtio_gpu_ctx_resource attach = {
		.hdr = header_of(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, context),
		.resource_id = htole32(blob->resource),
	};
	struct command commands[3];
	int err, created;

	command_init(&commands[0], &create, sizeof(create));
	command_init(&commands[1], &map, sizeof(map));
	command_init(&commands[2], &attach, sizeof(attach));
	err = call(gpu, commands, 3);
	if (err)
		return err;
	created = command_verdict(&commands[0], VIRTIO_GPU_RESP_OK_NODATA);
	err = created;
	if (!err)
		err = command_verdict(&commands[1], VIRTIO_GPU_RESP_OK_MAP_INFO);
	if (!err)
		err = command_verdict(&commands[2], VIRTIO_GPU_RESP_OK_NODATA);
	if (err && !created) {
		/* It stands but cannot be used: the release gives the range back too. */
		gpu_blob_destroy(gpu, context, blob);
		blob->bytes = 0;
	}
	return err;
}

/* Waits for a dropped blob to be gone. False: none is on its way, or none came. */
static bool wait_for_release(struct gpu *gpu)
{
	struct timespec deadline;
	bool any;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += RELEASE_WAIT_MS / 1000;
	pthread_mutex_lock(&gpu->lock);
	any = gpu->releases_pending != 0;
	while (gpu->releases_pending)
		if (pthread_cond_timedwait(&gpu->released, &gpu->lock, &deadline) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&gpu->lock);
	return any;
}

int gpu_blob_create(struct gpu *gpu, uint32_t context, uint64_t blob_id, uint64_t bytes, struct gpu_blob *ret_blob)
{
	struct gpu_blob blob;
	int err;

	if (!bytes || bytes % 4096)
		return -EINVAL;
	for (int attempt = 0;; attempt++) {
		blob = (struct gpu_blob){.bytes = bytes};
		err = aperture_take(&gpu->aperture, bytes, &blob.offset);
		if (!err) {
			pthread_mutex_lock(&gpu->lock);
			if (!++gpu->last_resource)
				gpu->last_resource = 1;
			blob.resource = gpu->last_resource;
			pthread_mutex_unlock(&gpu->lock);
			err = blob_create_once(gpu, context, blob_id, &blob);
			if (!err)
				break;
			if (blob.bytes)
				aperture_give(&gpu->aperture, blob.offset, blob.bytes);
		}
		if (err != -ENOMEM || attempt || !wait_for_release(gpu))
			return err;
	}
	*ret_blob = blob;
	return 0;
}

/* ---- submissions ------------------------------------------------------------------------------ */

/* A submission nobody waits for; freed when answered. */
struct detached {
	struct command command;
	struct submit_command out;
};

static void detached_done(struct queue_request *request)
{
	free((char *)request - offsetof(struct detached, command.request));
}

static struct submit_command submit_of(uint32_t context, const struct wire_submit *submit)
{
	return (struct submit_command){
		.submit = {
			.hdr = header_of(VIRTIO_GPU_CMD_SUBMIT_3D, context),
			.size = htole32(sizeof(*submit)),
		},
		.payload = *submit,
	};
}

int gpu_submit(struct gpu *gpu, uint32_t context, const struct wire_submit *submit, bool wait)
{
	struct submit_command out = submit_of(context, submit);
	int err;

	if (wait) {
		struct command command;

		command_init(&command, &out, sizeof(out));
		err = call(gpu, &command, 1);
		return err ? err : command_verdict(&command, VIRTIO_GPU_RESP_OK_NODATA);
	}
	struct detached *detached = malloc(sizeof(*detached));
	if (!detached)
		return -ENOMEM;
	detached->out = out;
	command_init(&detached->command, &detached->out, sizeof(detached->out));
	detached->command.request.done = detached_done;
	struct queue_request *request = &detached->command.request;
	err = queue_post(gpu->queue, &request, 1, gpu->timeout_ms);
	if (err)
		free(detached);
	return err;
}

int gpu_submit_fenced(struct gpu *gpu, uint32_t context, uint8_t ring, const struct wire_submit *submit, struct gpu_fence *fence)
{
	struct submit_command out = submit_of(context, submit);
	struct queue_request *request = &fence->request;

	out.submit.hdr.flags = htole32(VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
	out.submit.hdr.ring_idx = ring;
	pthread_mutex_lock(&gpu->lock);
	out.submit.hdr.fence_id = htole64(++gpu->last_fence);
	pthread_mutex_unlock(&gpu->lock);
	request->out = &out;	/* copied by queue_post */
	request->out_bytes = sizeof(out);
	request->in = fence->response;
	request->in_bytes = sizeof(struct virtio_gpu_ctrl_hdr);
	return queue_post(gpu->queue, &request, 1, gpu->timeout_ms);
}
