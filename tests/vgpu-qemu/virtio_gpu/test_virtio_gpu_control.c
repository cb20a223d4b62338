/* SPDX-License-Identifier: MIT */
/* Every command of the control and cursor queues: sizes, ids, fences, capset, guest-memory blobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <endian.h>
#include <string.h>

#include "tests/vgpu-qemu/virtio_gpu/fakes.h"

#define MEMORY(id) WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, id)
#define RING WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1)
#define LIMIT (16ull << 20)

static int begin(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));

	rig_begin(rig, NULL, 0, LIMIT, 4);
	*state = rig;
	return 0;
}

static int end(void **state)
{
	rig_end(*state);
	free(*state);
	return 0;
}

static void every_command_of_a_wrong_size_is_refused(void **state)
{
	static const struct {
		uint32_t type;
		uint32_t bytes;
	} rows[] = {
		{VIRTIO_GPU_CMD_GET_DISPLAY_INFO, sizeof(struct virtio_gpu_ctrl_hdr)},
		{VIRTIO_GPU_CMD_GET_CAPSET_INFO, sizeof(struct virtio_gpu_get_capset_info)},
		{VIRTIO_GPU_CMD_GET_CAPSET, sizeof(struct virtio_gpu_get_capset)},
		{VIRTIO_GPU_CMD_CTX_CREATE, sizeof(struct virtio_gpu_ctx_create)},
		{VIRTIO_GPU_CMD_CTX_DESTROY, sizeof(struct virtio_gpu_ctx_destroy)},
		{VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, sizeof(struct virtio_gpu_ctx_resource)},
		{VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, sizeof(struct virtio_gpu_ctx_resource)},
		{VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, sizeof(struct virtio_gpu_resource_create_blob)},
		{VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, sizeof(struct virtio_gpu_resource_map_blob)},
		{VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB, sizeof(struct virtio_gpu_resource_unmap_blob)},
		{VIRTIO_GPU_CMD_RESOURCE_UNREF, sizeof(struct virtio_gpu_resource_unref)},
		{VIRTIO_GPU_CMD_SUBMIT_3D, sizeof(struct virtio_gpu_cmd_submit) + sizeof(struct wire_submit)},
	};
	struct rig *rig = *state;

	assert_int_equal(rig_context_create(rig, 1), VIRTIO_GPU_RESP_OK_NODATA);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (uint32_t bytes = 0; bytes <= rows[i].bytes + 40; bytes += 4) {
			uint8_t request[256] = {0};
			struct virtio_gpu_ctrl_hdr header = {.type = htole32(rows[i].type), .ctx_id = htole32(1)};

			if (bytes == rows[i].bytes)
				continue;
			memcpy(request, &header, sizeof(header));
			assert_int_equal(rig_handle(rig, 3, request, bytes, 512), VIRTQUEUE_COMPLETE);
			assert_in_range(rig->response.type, VIRTIO_GPU_RESP_ERR_UNSPEC,
					VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
			assert_int_equal(rig->response.written, sizeof(header));
		}
	}
	assert_int_equal(rig_charged(rig), 0);
}

static void a_response_the_guest_has_no_room_for_is_not_written(void **state)
{
	struct rig *rig = *state;
	struct virtio_gpu_ctrl_hdr request = {.type = htole32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO)};

	for (uint32_t room = 0; room < sizeof(request); room++) {
		rig_handle(rig, 0, &request, sizeof(request), room);
		assert_int_equal(rig->control.written[0], 0);
		assert_int_equal(rig->response.bytes[room], 0xee);
	}
	/* Room for a header only: it says what is wrong. */
	rig_handle(rig, 0, &request, sizeof(request), 40);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	rig_handle(rig, 0, &request, sizeof(request), sizeof(struct virtio_gpu_resp_display_info));
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	for (unsigned i = sizeof(request); i < sizeof(struct virtio_gpu_resp_display_info); i++)
		assert_int_equal(rig->response.bytes[i], 0);
}

static void what_the_device_has_no_part_for_is_unspec(void **state)
{
	static const uint32_t types[] = {
		VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, VIRTIO_GPU_CMD_SET_SCANOUT, VIRTIO_GPU_CMD_RESOURCE_FLUSH,
		VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING,
		VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, VIRTIO_GPU_CMD_GET_EDID, VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID,
		VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D,
		VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, 0, 0x0fff, 0x1100, 0xffffffff,
	};
	struct rig *rig = *state;

	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		uint8_t request[128] = {0};
		uint32_t type = htole32(types[i]);

		memcpy(request, &type, sizeof(type));
		rig_handle(rig, 0, request, sizeof(request), 64);
		assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_UNSPEC);
	}
}

static void the_capset_is_read_whole(void **state)
{
	struct rig *rig = *state;
	struct virtio_gpu_get_capset_info info = {.hdr.type = htole32(VIRTIO_GPU_CMD_GET_CAPSET_INFO)};
	struct virtio_gpu_get_capset get = {
		.hdr.type = htole32(VIRTIO_GPU_CMD_GET_CAPSET),
		.capset_id = htole32(WIRE_CAPSET_ID),
		.capset_version = htole32(WIRE_VERSION),
	};
	struct virtio_gpu_resp_capset_info answer;
	struct wire_capset capset;

	rig_handle(rig, 0, &info, sizeof(info), sizeof(answer));
	memcpy(&answer, rig->response.bytes, sizeof(answer));
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_OK_CAPSET_INFO);
	assert_int_equal(le32toh(answer.capset_id), WIRE_CAPSET_ID);
	assert_int_equal(le32toh(answer.capset_max_size), RIG_CAPSET_BYTES);

	rig_handle(rig, 0, &get, sizeof(get), sizeof(get.hdr) + RIG_CAPSET_BYTES);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_OK_CAPSET);
	assert_int_equal(rig->response.written, sizeof(get.hdr) + RIG_CAPSET_BYTES);
	memcpy(&capset, rig->response.bytes + sizeof(get.hdr), sizeof(capset));
	assert_int_equal(le32toh(capset.magic), WIRE_CAPSET_MAGIC);
	assert_int_equal(rig->response.bytes[sizeof(get.hdr) + sizeof(capset) + 2], 3);

	rig_handle(rig, 0, &get, sizeof(get), sizeof(get.hdr) + RIG_CAPSET_BYTES - 1);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	get.capset_version = htole32(WIRE_VERSION + 1);
	rig_handle(rig, 0, &get, sizeof(get), 4096);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	get.capset_id = htole32(2);
	get.capset_version = 0;
	rig_handle(rig, 0, &get, sizeof(get), 4096);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	info.capset_index = htole32(1);
	rig_handle(rig, 0, &info, sizeof(info), 4096);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
}

static void a_fence_is_echoed_and_only_what_was_asked(void **state)
{
	struct rig *rig = *state;
	struct virtio_gpu_ctx_create request = {
		.hdr = {
			.type = htole32(VIRTIO_GPU_CMD_CTX_CREATE),
			.flags = htole32(0xffffffff),
			.fence_id = htole64(0x123456789abcull),
			.ctx_id = htole32(9),
			.ring_idx = 63,
			.padding = {1, 2, 3},
		},
		.context_init = htole32(WIRE_CAPSET_ID),
	};

	rig_handle(rig, 0, &request, sizeof(request), 64);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig->response.flags, VIRTIO_GPU_FLAG_FENCE | VIRTIO_GPU_FLAG_INFO_RING_IDX);
	assert_true(rig->response.fence_id == 0x123456789abcull);
	assert_int_equal(rig->response.context_id, 9);
	assert_int_equal(rig->response.ring_index, 63);
	/* Errors too: the guest waits for the fence, not for success. */
	rig_handle(rig, 0, &request, sizeof(request), 64);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	assert_true(rig->response.fence_id == 0x123456789abcull);
	request.hdr.flags = 0;
	rig_handle(rig, 0, &request, sizeof(request), 64);
	assert_int_equal(rig->response.flags, 0);
	assert_true(rig->response.fence_id == 0);
	assert_int_equal(rig->response.ring_index, 0);
}

static void contexts_are_counted_and_named_by_their_ids(void **state)
{
	struct rig *rig = *state;
	struct virtio_gpu_ctx_create request = {
		.hdr = {.type = htole32(VIRTIO_GPU_CMD_CTX_CREATE), .ctx_id = htole32(7)},
		.context_init = htole32(WIRE_CAPSET_ID),
	};

	assert_int_equal(rig_context_create(rig, 0), VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	request.context_init = htole32(2);	/* virgl2: not ours */
	rig_handle(rig, 0, &request, sizeof(request), 64);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	request.context_init = htole32(WIRE_CAPSET_ID | 0x100);
	rig_handle(rig, 0, &request, sizeof(request), 64);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	request.context_init = htole32(WIRE_CAPSET_ID);
	request.nlen = htole32(65);
	rig_handle(rig, 0, &request, sizeof(request), 64);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	for (uint32_t id = 1; id <= 4; id++)
		assert_int_equal(rig_context_create(rig, 0xfffffff0 + id), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_context_create(rig, 5), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_int_equal(rig->vgpu_page->slot[0].contexts, 4);
	assert_int_equal(rig_context_destroy(rig, 5), VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(rig_context_destroy(rig, 0xfffffff1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_context_destroy(rig, 0xfffffff1), VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(rig_context_create(rig, 5), VIRTIO_GPU_RESP_OK_NODATA);
	assert_false(virtio_gpu_idle(rig->gpu));
}

static void blobs_are_checked_before_they_are_charged(void **state)
{
	struct rig *rig = *state;
	struct virtio_gpu_resource_create_blob request = {
		.hdr = {.type = htole32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB), .ctx_id = htole32(1)},
		.resource_id = htole32(1),
		.blob_id = htole64(MEMORY(1)),
		.size = htole64(4096),
	};

	assert_int_equal(rig_context_create(rig, 1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_blob_create(rig, 2, 1, MEMORY(1), 4096), VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(rig_blob_create(rig, 1, 0, MEMORY(1), 4096), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), 0), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), 4095), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_blob_create(rig, 1, 1, 1, 4096), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_blob_create(rig, 1, 1, WIRE_BLOB_ID(3, 1), 4096), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), LIMIT + 4096), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), UINT64_MAX - 4095), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_int_equal(rig_blob_create(rig, 1, 1, RING, 4096), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	for (uint32_t memory = 0; memory < 5; memory++) {
		if (memory == VIRTIO_GPU_BLOB_MEM_HOST3D)
			continue;
		request.blob_mem = htole32(memory);
		rig_handle(rig, 0, &request, sizeof(request), 64);
		assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	}
	request.blob_mem = htole32(VIRTIO_GPU_BLOB_MEM_HOST3D);
	request.blob_flags = htole32(8);
	rig_handle(rig, 0, &request, sizeof(request), 64);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_charged(rig), 0);
	/* One that must not be mapped. */
	request.blob_flags = 0;
	rig_handle(rig, 0, &request, sizeof(request), 64);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_map(rig, 0, 1, 0), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_charged(rig), 4096);
	/* Same resource id, same blob id, second ring. */
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(2), 4096), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(rig_blob_create(rig, 1, 2, MEMORY(1), 4096), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_blob_create(rig, 1, 2, RING, WIRE_RING_BLOB_BYTES), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_blob_create(rig, 1, 3, RING + 1, WIRE_RING_BLOB_BYTES), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_charged(rig), 4096);	/* a ring is not charged */
	assert_int_equal(rig->vgpu_page->slot[0].resources, 2);
}

static void a_range_is_one_blobs_and_inside_the_file(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(rig_context_create(rig, 1), VIRTIO_GPU_RESP_OK_NODATA);
	for (uint32_t id = 1; id <= 4; id++)
		assert_int_equal(rig_blob_create(rig, 1, id, MEMORY(id), 0x4000), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_map(rig, 0, 9, 0), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(rig_map(rig, 0, 1, 1), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_map(rig, 0, 1, RIG_APERTURE_BYTES), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_map(rig, 0, 1, RIG_APERTURE_BYTES - 0x3000), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_map(rig, 0, 1, UINT64_MAX - 0xfff), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_map(rig, 0, 1, 0x8000), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig->response.bytes[sizeof(struct virtio_gpu_ctrl_hdr)], VIRTIO_GPU_MAP_CACHE_CACHED);
	assert_int_equal(rig->response.written, sizeof(struct virtio_gpu_resp_map_info));
	assert_int_equal(rig_map(rig, 0, 1, 0x10000), VIRTIO_GPU_RESP_ERR_UNSPEC);
	for (uint64_t at = 0x5000; at < 0xc000; at += 0x1000)
		assert_int_equal(rig_map(rig, 0, 2, at), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_map(rig, 0, 2, 0x4000), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_map(rig, 0, 3, 0xc000), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_map(rig, 0, 4, RIG_APERTURE_BYTES - 0x4000), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_unmap(rig, 9), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(rig_unmap(rig, 1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_unmap(rig, 1), VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(rig_map(rig, 0, 1, 0x8000), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_unref(rig, 0, 1), VIRTIO_GPU_RESP_OK_NODATA);	/* mapped still: unmaps */
	assert_int_equal(rig_unref(rig, 0, 1), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(rig_unref(rig, 0, 2), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_unref(rig, 0, 3), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_unref(rig, 0, 4), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_charged(rig), 0);
}

static void references_outlive_the_context(void **state)
{
	struct rig *rig = *state;
	struct virtio_gpu_ctx_resource request = {
		.hdr = {.type = htole32(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE), .ctx_id = htole32(1)},
		.resource_id = htole32(1),
	};

	assert_int_equal(rig_context_create(rig, 1), VIRTIO_GPU_RESP_OK_NODATA);
	rig_handle(rig, 0, &request, sizeof(request), 64);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), 4096), VIRTIO_GPU_RESP_OK_NODATA);
	rig_handle(rig, 0, &request, sizeof(request), 64);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_true(rig->wiring.state->resource[0].attached == 1);
	request.hdr.ctx_id = htole32(2);
	rig_handle(rig, 0, &request, sizeof(request), 64);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(rig_context_create(rig, 2), VIRTIO_GPU_RESP_OK_NODATA);
	rig_handle(rig, 0, &request, sizeof(request), 64);
	assert_true(rig->wiring.state->resource[0].attached == 3);
	request.hdr.type = htole32(VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE);
	rig_handle(rig, 0, &request, sizeof(request), 64);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_true(rig->wiring.state->resource[0].attached == 1);
	assert_int_equal(rig_context_destroy(rig, 1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_true(rig->wiring.state->resource[0].attached == 0);
	assert_int_equal(rig_charged(rig), 4096);
	assert_int_equal(rig_unref(rig, 0, 1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_charged(rig), 0);
	assert_int_equal(rig_context_destroy(rig, 2), VIRTIO_GPU_RESP_OK_NODATA);
	assert_true(virtio_gpu_idle(rig->gpu));
}

static void a_submission_is_one_struct(void **state)
{
	struct rig *rig = *state;
	struct {
		struct virtio_gpu_cmd_submit submit;
		uint8_t payload[64];
	} request = {.submit.hdr = {.type = htole32(VIRTIO_GPU_CMD_SUBMIT_3D), .ctx_id = htole32(1)}};

	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_DOORBELL, 1, 0), VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(rig_context_create(rig, 1), VIRTIO_GPU_RESP_OK_NODATA);
	request.payload[0] = WIRE_SUBMIT_DOORBELL;
	for (uint32_t size = 0; size <= 64; size++) {
		request.submit.size = htole32(size);
		for (uint32_t given = 0; given <= 64; given += 4) {
			rig_handle(rig, 0, &request, sizeof(request.submit) + given, 64);
			assert_int_equal(rig->response.type, size == 16 && given == 16 ?
					 VIRTIO_GPU_RESP_OK_NODATA : VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
		}
	}
	assert_int_equal(rig_submit(rig, 0, 1, 0, 1, 0), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_submit(rig, 0, 1, 99, 1, 0), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_SETUP, 1, RING), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig->keeper.starts, 0);
}

struct guest_blob_request {
	struct virtio_gpu_resource_create_blob blob;
	struct virtio_gpu_mem_entry entry[400];
};

static uint32_t create_guest_blob(struct rig *rig, struct guest_blob_request *request, uint32_t id, uint64_t bytes,
				  uint32_t entry_count, uint32_t entries_given)
{
	request->blob.hdr.type = htole32(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB);
	request->blob.resource_id = htole32(id);
	request->blob.blob_mem = htole32(VIRTIO_GPU_BLOB_MEM_GUEST);
	request->blob.nr_entries = htole32(entry_count);
	request->blob.size = htole64(bytes);
	rig_handle(rig, 0, request, (uint32_t)(sizeof(request->blob) + entries_given * sizeof(request->entry[0])), 64);
	return rig->response.type;
}

static void guest_memory_blobs_are_runs_of_mapped_memory(void **state)
{
	struct rig *rig = *state;
	struct guest_blob_request *request = calloc(1, sizeof(*request));
	struct gpu_state *s = rig->wiring.state;

	/* Every other page, then neighbours. */
	for (uint32_t i = 0; i < 400; i++) {
		request->entry[i].addr = htole64(RIG_RAM + (i < 200 ? 2 * i : 200 + i) * 4096ull);
		request->entry[i].length = htole32(4096);
	}
	assert_int_equal(create_guest_blob(rig, request, 1, 400 * 4096, 400, 400), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(s->resource[0].run_count, 201);
	assert_int_equal(s->run_high, 201);
	assert_int_equal(rig_charged(rig), 0);
	assert_int_equal(rig_map(rig, 0, 1, 0), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(rig_unmap(rig, 1), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);

	assert_int_equal(create_guest_blob(rig, request, 2, 400 * 4096 + 1, 400, 400), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(create_guest_blob(rig, request, 2, 4096, 0, 0), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(create_guest_blob(rig, request, 2, 4096, 2, 1), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(create_guest_blob(rig, request, 2, 4096, 1, 2), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	assert_int_equal(create_guest_blob(rig, request, 2, 4096, UINT32_MAX, 3), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	request->entry[399].addr = htole64(UINT64_MAX - 1);
	assert_int_equal(create_guest_blob(rig, request, 2, 4096, 400, 400), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	request->entry[399].addr = htole64(RIG_MEMORY_BASE + RIG_MEMORY_BYTES - 4095);
	assert_int_equal(create_guest_blob(rig, request, 2, 4096, 400, 400), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	request->entry[399].addr = htole64(RIG_RAM);
	request->entry[399].length = 0;
	assert_int_equal(create_guest_blob(rig, request, 2, 4096, 400, 400), VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	request->entry[399].length = htole32(4096);

	/* What was refused has left nothing behind: the pool is full after as many as it holds. */
	for (uint32_t i = 0; i < 400; i++)
		request->entry[i].addr = htole64(RIG_RAM + (2 * i) * 4096ull);
	uint32_t id = 2;
	while (create_guest_blob(rig, request, id, 4096, 400, 400) == VIRTIO_GPU_RESP_OK_NODATA)
		id++;
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_int_equal(id - 2, (GPU_RUN_MAX - 201) / 400);
	rig_take_over(rig);
	assert_int_equal(create_guest_blob(rig, request, id, 4096, 400, 400), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_int_equal(rig_unref(rig, 0, 5), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(create_guest_blob(rig, request, id, 4096, 400, 400), VIRTIO_GPU_RESP_OK_NODATA);
	for (uint32_t i = 1; i <= id; i++)
		assert_int_equal(rig_unref(rig, 0, i), i == 5 ? VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID :
				 VIRTIO_GPU_RESP_OK_NODATA);
	assert_true(virtio_gpu_idle(rig->gpu));
	free(request);
}

static void scattered_requests_and_responses_are_put_together(void **state)
{
	struct rig *rig = *state;
	static struct virtqueue_element element;
	struct virtio_gpu_ctx_create request = {
		.hdr = {.type = htole32(VIRTIO_GPU_CMD_CTX_CREATE), .ctx_id = htole32(1)},
		.context_init = htole32(WIRE_CAPSET_ID),
	};
	struct guest_range whole[2];

	rig_lay(rig, 0, &request, sizeof(request), 32, &element);
	memcpy(whole, element.range, sizeof(whole));
	element.readable_count = sizeof(request) / 4;
	element.writable_count = 32;
	for (unsigned i = 0; i < element.readable_count; i++)
		element.range[i] = (struct guest_range){whole[0].address + 4 * i, 4};
	for (unsigned i = 0; i < element.writable_count; i++)
		element.range[element.readable_count + i] = (struct guest_range){whole[1].address + i, 1};
	assert_int_equal(rig_handle_element(rig, &element, false), VIRTQUEUE_COMPLETE);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig->response.context_id, 1);
}

static void memory_the_guest_takes_away_only_costs_its_own_answer(void **state)
{
	struct rig *rig = *state;
	static struct virtqueue_element element;
	struct virtio_gpu_ctrl_hdr request = {.type = htole32(VIRTIO_GPU_CMD_GET_DISPLAY_INFO)};

	rig_lay(rig, 0, &request, sizeof(request), 512, &element);
	element.range[1].address = 64;
	assert_int_equal(rig_handle_element(rig, &element, false), VIRTQUEUE_COMPLETE);
	assert_int_equal(rig->control.written[0], 0);
	rig_lay(rig, 0, &request, sizeof(request), 512, &element);
	element.range[0].address = 64;
	assert_int_equal(rig_handle_element(rig, &element, false), VIRTQUEUE_COMPLETE);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_UNSPEC);
}

static void the_last_attempt_answers_and_does_nothing(void **state)
{
	struct rig *rig = *state;
	static struct virtqueue_element element;
	struct virtio_gpu_ctx_create request = {
		.hdr = {
			.type = htole32(VIRTIO_GPU_CMD_CTX_CREATE),
			.flags = htole32(VIRTIO_GPU_FLAG_FENCE),
			.fence_id = htole64(5),
			.ctx_id = htole32(1),
		},
		.context_init = htole32(WIRE_CAPSET_ID),
	};

	rig_lay(rig, 0, &request, sizeof(request), 64, &element);
	element.attempt = 3;
	assert_int_equal(rig_handle_element(rig, &element, true), VIRTQUEUE_COMPLETE);
	assert_int_equal(rig->response.type, VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(rig->response.fence_id, 5);
	assert_true(virtio_gpu_idle(rig->gpu));
}

static void the_cursor_queue_changes_nothing(void **state)
{
	struct rig *rig = *state;
	static struct virtqueue_element element;
	struct virtio_gpu_update_cursor request = {.hdr.type = htole32(VIRTIO_GPU_CMD_MOVE_CURSOR)};
	uint32_t written = 0;

	for (uint32_t bytes = 0; bytes <= sizeof(request); bytes += 4) {
		rig_lay(rig, 1, &request, bytes, 64, &element);
		assert_int_equal(virtio_gpu_cursor(rig->gpu, &element, false, &written), VIRTQUEUE_COMPLETE);
		rig_read_response(rig, 1);
		assert_int_equal(rig->response.type, bytes == sizeof(request) ? VIRTIO_GPU_RESP_OK_NODATA :
				 VIRTIO_GPU_RESP_ERR_UNSPEC);
		assert_int_equal(written, sizeof(request.hdr));
	}
	/* Linux gives the cursor queue no room for an answer. */
	rig_lay(rig, 1, &request, sizeof(request), 0, &element);
	assert_int_equal(virtio_gpu_cursor(rig->gpu, &element, false, &written), VIRTQUEUE_COMPLETE);
	assert_int_equal(written, 0);
	assert_true(virtio_gpu_idle(rig->gpu));
}

static void the_configuration_space_offers_one_capset_and_no_scanout(void **state)
{
	struct rig *rig = *state;
	struct virtio_gpu_config config;
	uint8_t far[8];

	virtio_gpu_config_read(rig->gpu, 0, &config, sizeof(config));
	assert_int_equal(le32toh(config.num_capsets), 1);
	assert_int_equal(config.num_scanouts, 0);
	assert_int_equal(config.events_read, 0);
	virtio_gpu_config_read(rig->gpu, 12, far, sizeof(far));	/* half beyond the end */
	assert_int_equal(far[0], 1);
	assert_int_equal(far[4], 0);
	virtio_gpu_config_read(rig->gpu, 0xfffffffe, far, sizeof(far));
	assert_int_equal(far[0], 0);
	virtio_gpu_config_write(rig->gpu, 4, "\1\0\0\0", 4);
	assert_int_equal(virtio_gpu_features(), 1 << 0 | 1 << 3 | 1 << 4);
}

static void a_state_that_cannot_be_is_refused(void **state)
{
	struct rig *rig = *state;
	struct virtio_gpu *other = NULL;
	struct gpu_state *s = rig->wiring.state;

	assert_int_equal(rig_context_create(rig, 1), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), 4096), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_blob_create(rig, 1, 2, MEMORY(2), 4096), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_map(rig, 0, 1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_map(rig, 0, 2, 4096), VIRTIO_GPU_RESP_OK_MAP_INFO);
	s->version++;
	assert_true(virtio_gpu_create(&rig->wiring, &other) < 0);
	s->version--;
	s->resource[0].offset = 4096;
	assert_true(virtio_gpu_create(&rig->wiring, &other) < 0);
	s->resource[0].offset = 0;
	s->resource[1].owner = 64;
	assert_true(virtio_gpu_create(&rig->wiring, &other) < 0);
	s->resource[1].owner = 0;
	s->resource_high = GPU_RESOURCE_MAX + 1;
	assert_true(virtio_gpu_create(&rig->wiring, &other) < 0);
	s->resource_high = 2;
	assert_null(other);
	rig_take_over(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
		T(every_command_of_a_wrong_size_is_refused),
		T(a_response_the_guest_has_no_room_for_is_not_written),
		T(what_the_device_has_no_part_for_is_unspec),
		T(the_capset_is_read_whole),
		T(a_fence_is_echoed_and_only_what_was_asked),
		T(contexts_are_counted_and_named_by_their_ids),
		T(blobs_are_checked_before_they_are_charged),
		T(a_range_is_one_blobs_and_inside_the_file),
		T(references_outlive_the_context),
		T(a_submission_is_one_struct),
		T(guest_memory_blobs_are_runs_of_mapped_memory),
		T(scattered_requests_and_responses_are_put_together),
		T(memory_the_guest_takes_away_only_costs_its_own_answer),
		T(the_last_attempt_answers_and_does_nothing),
		T(the_cursor_queue_changes_nothing),
		T(the_configuration_space_offers_one_capset_and_no_scanout),
		T(a_state_that_cannot_be_is_refused),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
