/* SPDX-License-Identifier: MIT */
#include "tests/vgpu-qemu/virtio_gpu/script.h"

#include <endian.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define REQUIRE(condition) do { \
	if (!(condition)) { \
		fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
		abort(); \
	} \
} while (0)

struct reader {
	const uint8_t *at;
	size_t left;
};

static uint32_t byte(struct reader *reader)
{
	if (!reader->left)
		return 0;
	reader->left--;
	return *reader->at++;
}

/* Mostly small numbers; now and then an extreme. */
static uint64_t number(struct reader *reader, uint32_t small)
{
	static const uint64_t extreme[] = {UINT64_MAX, UINT64_MAX - 4095, 1ull << 63, 1ull << 32, UINT32_MAX, 1ull << 31};
	uint32_t b = byte(reader);

	if (b >= 250)
		return extreme[b - 250];
	return b % small;
}

static uint64_t blob_id(struct reader *reader)
{
	return WIRE_BLOB_ID(byte(reader) % 8 ? WIRE_BLOB_KIND_MEMORY : WIRE_BLOB_KIND_RING, number(reader, 12));
}

union any_request {
	struct virtio_gpu_ctrl_hdr header;
	struct virtio_gpu_get_capset_info capset_info;
	struct virtio_gpu_get_capset capset;
	struct virtio_gpu_ctx_create context_create;
	struct virtio_gpu_ctx_resource resource;
	struct {
		struct virtio_gpu_cmd_submit submit;
		struct wire_submit wire;
	} submit;
	struct {
		struct virtio_gpu_resource_create_blob blob;
		struct virtio_gpu_mem_entry entry[8];
	} create_blob;
	struct virtio_gpu_resource_map_blob map;
	uint8_t raw[256];
};

static uint32_t make_request(struct reader *reader, union any_request *q)
{
	static const uint32_t types[] = {
		VIRTIO_GPU_CMD_CTX_CREATE, VIRTIO_GPU_CMD_CTX_DESTROY, VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE,
		VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
		VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB,
		VIRTIO_GPU_CMD_RESOURCE_UNREF, VIRTIO_GPU_CMD_SUBMIT_3D, VIRTIO_GPU_CMD_SUBMIT_3D,
		VIRTIO_GPU_CMD_GET_CAPSET_INFO, VIRTIO_GPU_CMD_GET_CAPSET, VIRTIO_GPU_CMD_GET_DISPLAY_INFO,
		VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D,
	};
	uint32_t type = types[byte(reader) % (sizeof(types) / sizeof(types[0]))];
	uint32_t bytes = sizeof(q->header);

	memset(q, 0, sizeof(*q));
	q->header.type = htole32(type);
	q->header.flags = htole32(byte(reader));
	q->header.fence_id = htole64(number(reader, 200));
	q->header.ctx_id = htole32((uint32_t)number(reader, 6));
	q->header.ring_idx = (uint8_t)byte(reader);
	switch (type) {
	case VIRTIO_GPU_CMD_CTX_CREATE:
		q->context_create.nlen = htole32((uint32_t)number(reader, 70));
		q->context_create.context_init = htole32(byte(reader) % 16 ? WIRE_CAPSET_ID : (uint32_t)number(reader, 40));
		bytes = sizeof(q->context_create);
		break;
	case VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE:
	case VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE:
	case VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB:
	case VIRTIO_GPU_CMD_RESOURCE_UNREF:
		q->resource.resource_id = htole32((uint32_t)number(reader, 16));
		bytes = sizeof(q->resource);
		break;
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB: {
		uint32_t entries = byte(reader) % 9;
		uint64_t id = blob_id(reader);

		q->create_blob.blob.resource_id = htole32((uint32_t)number(reader, 16));
		q->create_blob.blob.blob_mem = htole32(byte(reader) % 8 < 6 ? VIRTIO_GPU_BLOB_MEM_HOST3D :
						       (uint32_t)number(reader, 5));
		q->create_blob.blob.blob_flags = htole32(byte(reader) % 8 ? VIRTIO_GPU_BLOB_FLAG_USE_MAPPABLE :
							 (uint32_t)number(reader, 16));
		q->create_blob.blob.blob_id = htole64(id);
		q->create_blob.blob.size = htole64(WIRE_BLOB_KIND(id) == WIRE_BLOB_KIND_RING ? WIRE_RING_BLOB_BYTES :
						   number(reader, 64) * 0x8000);
		bytes = sizeof(q->create_blob.blob);
		if (le32toh(q->create_blob.blob.blob_mem) == VIRTIO_GPU_BLOB_MEM_HOST3D)
			break;
		q->create_blob.blob.nr_entries = htole32(byte(reader) % 16 ? entries : (uint32_t)number(reader, 200));
		for (uint32_t i = 0; i < entries; i++) {
			q->create_blob.entry[i].addr = htole64(RIG_RAM + number(reader, 64) * 4096);
			q->create_blob.entry[i].length = htole32((uint32_t)number(reader, 16) * 4096);
		}
		bytes += entries * (uint32_t)sizeof(q->create_blob.entry[0]);
		break;
	}
	case VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB:
		q->map.resource_id = htole32((uint32_t)number(reader, 16));
		q->map.offset = htole64(number(reader, 128) * 0x40000 + (byte(reader) % 32 ? 0 : 1));
		bytes = sizeof(q->map);
		break;
	case VIRTIO_GPU_CMD_SUBMIT_3D:
		q->submit.submit.size = htole32(byte(reader) % 32 ? sizeof(q->submit.wire) : (uint32_t)number(reader, 64));
		q->submit.wire.op = htole32(byte(reader) % 5);
		q->submit.wire.version = htole32(byte(reader) % 8 ? WIRE_VERSION : (uint32_t)number(reader, 4));
		q->submit.wire.arg = htole64(WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, number(reader, 12)));
		bytes = sizeof(q->submit);
		break;
	case VIRTIO_GPU_CMD_GET_CAPSET_INFO:
		q->capset_info.capset_index = htole32((uint32_t)number(reader, 2));
		bytes = sizeof(q->capset_info);
		break;
	case VIRTIO_GPU_CMD_GET_CAPSET:
		q->capset.capset_id = htole32(byte(reader) % 4 ? WIRE_CAPSET_ID : (uint32_t)number(reader, 40));
		q->capset.capset_version = htole32((uint32_t)number(reader, 3));
		bytes = sizeof(q->capset);
		break;
	default:
		break;
	}
	/* Now and then a wrong size, or bytes overwritten. */
	if (byte(reader) % 32 == 0)
		bytes = byte(reader) % sizeof(q->raw);
	if (byte(reader) % 64 == 0)
		for (unsigned i = 0; i < 8; i++)
			q->raw[byte(reader) % 96] = (uint8_t)byte(reader);
	return bytes;
}

static void command(struct rig *rig, struct reader *reader)
{
	static struct virtqueue_element element;
	union any_request request;
	uint32_t request_bytes = make_request(reader, &request);
	uint32_t how = byte(reader);
	uint32_t room = how % 16 ? 512 : byte(reader) * 4;
	uint16_t head = (uint16_t)byte(reader);
	uint64_t charged;

	/* The queue takes no head that is outstanding, but for a hostile guest. */
	while (rig->control.outstanding[head] && how % 64 != 1)
		head = (head + 1) % VIRTQUEUE_SIZE_MAX;
	if (rig->control.outstanding[head])
		rig->control.offered_twice[head] = true;
	rig_lay(rig, head, &request, request_bytes, room, &element);
	if (how % 32 == 2 && element.writable_count) {
		/* The response in pieces, some of them gone. */
		struct guest_range whole = element.range[element.readable_count];

		element.writable_count = 5;
		for (unsigned i = 0; i < 5; i++)
			element.range[element.readable_count + i] = (struct guest_range){
				byte(reader) % 16 ? whole.address + i * (room / 5) : 64, room / 5};
		element.writable_bytes = room / 5 * 5;
	}
	charged = rig_charged(rig);
	enum virtqueue_verdict verdict = rig_handle_element(rig, &element, how % 128 == 3);
	if (how % 128 == 3)
		REQUIRE(rig_charged(rig) == charged && verdict == VIRTQUEUE_COMPLETE);
	/* The process dies before the queue has noted that it is done. */
	if (how % 32 == 4) {
		rig->control.outstanding[head] = true;
		rig->taken.valid = true;
		rig_take_over(rig);
		rig_replay(rig, &verdict);
		REQUIRE(verdict == VIRTQUEUE_COMPLETE || rig->control.outstanding[head]);
	}
}

/* What a shim does first; chance alone hardly ever would. */
static void well_behaved(struct rig *rig, uint32_t context)
{
	uint64_t ring = WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1);

	rig_context_create(rig, context);
	rig_blob_create(rig, context, 16 + context, ring, WIRE_RING_BLOB_BYTES);
	rig_map(rig, 0, 16 + context, context << 20);
	if (!rig->control.outstanding[0])
		rig_submit(rig, 0, context, WIRE_SUBMIT_SETUP, WIRE_VERSION, ring);
}

static void engine_message(struct rig *rig, struct reader *reader, uint32_t slot)
{
	static const uint32_t ops[] = {ENGINE_READY, ENGINE_RELEASED, ENGINE_RELEASED, ENGINE_RELEASED, ENGINE_RELEASED,
				       ENGINE_CHARGE, ENGINE_CHARGE, ENGINE_FAULT, 77};
	uint32_t op = ops[byte(reader) % 9];
	struct engine_message message = {
		.op = op,
		.blob_id = blob_id(reader),
		.offset = number(reader, 128) * 0x40000,
		.value = op == ENGINE_READY ? ENGINE_PROTOCOL_VERSION : number(reader, 32) * 0x10000,
	};
	uint32_t bytes = byte(reader) % 64 ? sizeof(message) : byte(reader) % 40;
	const struct gpu_state *s = rig->wiring.state;

	if (op == ENGINE_RELEASED && byte(reader) % 2) {
		/* An honest one. */
		for (uint32_t i = 0; i < s->resource_high; i++)
			if (s->resource[i].use != GPU_RESOURCE_FREE && s->resource[i].owner == slot &&
			    s->resource[i].range == GPU_RANGE_UNMAPPING) {
				message.blob_id = s->resource[i].blob_id;
				message.offset = s->resource[i].offset;
				message.value = s->resource[i].unmap_number;
			}
	}
	/* A full socket, or an end closed by the device, is the engine's own trouble. */
	ssize_t sent = send(rig->keeper.engine[slot].channel, &message, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)sent;
}

static void check(struct rig *rig)
{
	const struct gpu_state *s = rig->wiring.state;
	uint64_t charged = 0;

	for (uint32_t i = 0; i < s->resource_high; i++) {
		const struct gpu_resource *r = &s->resource[i];

		if (r->use == GPU_RESOURCE_FREE)
			continue;
		if (r->kind == GPU_RESOURCE_MEMORY && r->use != GPU_RESOURCE_WAITING)
			charged += r->bytes;
		if (r->range == GPU_RANGE_NONE)
			continue;
		REQUIRE(r->offset + r->bytes <= RIG_APERTURE_BYTES);
		for (uint32_t j = 0; j < i; j++)
			REQUIRE(s->resource[j].use == GPU_RESOURCE_FREE || s->resource[j].range == GPU_RANGE_NONE ||
				s->resource[j].offset >= r->offset + r->bytes ||
				s->resource[j].offset + s->resource[j].bytes <= r->offset);
	}
	for (uint32_t i = 0; i < KEEPER_CONTEXT_MAX; i++)
		if (s->context[i].use != GPU_CONTEXT_FREE)
			charged += s->context[i].device_bytes;
	REQUIRE(rig_charged(rig) == charged);
	REQUIRE(charged <= rig->vgpu_page->vram_limit_bytes);
	for (uint32_t head = 0; head < GPU_PENDING_MAX; head++)
		REQUIRE(s->pending[head].kind == GPU_PENDING_NONE || rig->control.outstanding[head] ||
			rig->control.offered_twice[head]);
}

unsigned script_run(struct rig *rig, const uint8_t *data, size_t bytes)
{
	struct reader reader = {data, bytes};
	unsigned commands = 0;

	while (reader.left) {
		uint32_t what = byte(&reader);
		uint32_t slot = what < 192 ? 0 : byte(&reader) % 8;

		if (what < 186) {
			command(rig, &reader);
			commands++;
		} else if (what < 192) {
			if (!rig->control.outstanding[0])
				well_behaved(rig, 1 + byte(&reader) % 5);
			commands += 4;
		} else if (what < 212) {
			if (rig->keeper.start_wanted[slot] && !rig->keeper.engine[slot].alive)
				rig_engine_start(rig, slot);
		} else if (what < 218) {
			if (rig->keeper.kill_wanted[slot] || rig->keeper.engine[slot].alive || what == 212)
				rig_engine_die(rig, slot, what % 2 ? SIGSEGV : -2);
		} else if (what < 238) {
			if (rig->keeper.engine[slot].alive)
				engine_message(rig, &reader, slot);
		} else if (what < 244) {
			if (rig->keeper.engine[slot].alive)
				rig_engine_complete(rig, slot);
		} else if (what < 251) {
			rig_run(rig, 0);
			if (rig->keeper.engine[slot].alive)
				rig_engine_drain(rig, slot);
		} else if (what < 254) {
			rig_take_over(rig);
		} else if (what == 254) {
			virtio_gpu_reset(rig->gpu);
			memset(rig->control.outstanding, 0, sizeof(rig->control.outstanding));
			rig->control.serial = 0;
		}
		check(rig);
	}
	return commands;
}
