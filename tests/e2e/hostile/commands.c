/* SPDX-License-Identifier: MIT */
/* Games with the control queue: chains and commands that no driver sends. */
#include "tests/e2e/hostile/hostile.h"

#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <string.h>

#define OK VIRTIO_GPU_RESP_OK_NODATA
#define OUT (RAW_BUS_ADDRESS + RAW_OFFSET_OUT)
#define IN (RAW_BUS_ADDRESS + RAW_OFFSET_IN)
#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT
#define NOWHERE 0x123456789000ull

/* ---- chains ------------------------------------------------------------------------------------------ */

static const struct chain {
	const char *what;
	unsigned count;
	struct raw_descriptor descriptor[4];
	uint16_t head;
} chains[] = {
	{"a chain that bites its tail", 2, {{OUT, 24, NEXT, 1}, {IN, 24, NEXT | WRITE, 0}}, 0},
	{"a chain that leaves the ring", 1, {{OUT, 24, NEXT, 40000}}, 0},
	{"a head outside the ring", 0, {{0}}, 256},
	{"the last possible head", 0, {{0}}, 65535},
	{"an element without response", 1, {{OUT, 24, 0, 0}}, 0},
	{"an element without request", 1, {{IN, 24, WRITE, 0}}, 0},
	{"a request after the response", 2, {{IN, 24, NEXT | WRITE, 1}, {OUT, 24, 0, 0}}, 0},
	{"a request at no memory", 2, {{NOWHERE, 24, NEXT, 1}, {IN, 24, WRITE, 0}}, 0},
	{"a response at no memory", 2, {{OUT, 24, NEXT, 1}, {NOWHERE, 24, WRITE, 0}}, 0},
	{"a request of 4 GiB", 2, {{OUT, UINT32_MAX, NEXT, 1}, {IN, 24, WRITE, 0}}, 0},
	{"a response of 4 GiB", 2, {{OUT, 24, NEXT, 1}, {IN, UINT32_MAX, WRITE, 0}}, 0},
	{"an address that wraps", 2, {{UINT64_MAX - 8, 24, NEXT, 1}, {IN, 24, WRITE, 0}}, 0},
	{"empty descriptors", 2, {{OUT, 0, NEXT, 1}, {IN, 0, WRITE, 0}}, 0},
	{"a response of 3 bytes", 2, {{OUT, 24, NEXT, 1}, {IN, 3, WRITE, 0}}, 0},
	{"an indirect table of 7 bytes", 1, {{OUT, 7, INDIRECT, 0}}, 0},
	{"an indirect table of 4 GiB", 1, {{OUT, UINT32_MAX & ~15u, INDIRECT, 0}}, 0},
	{"an indirect table at no memory", 1, {{NOWHERE, 32, INDIRECT, 0}}, 0},
	{"an empty indirect table", 1, {{OUT, 0, INDIRECT, 0}}, 0},
	{"an indirect descriptor with a next one", 2, {{OUT, 32, INDIRECT | NEXT, 1}, {IN, 24, WRITE, 0}}, 0},
	{"a writable indirect table", 1, {{OUT, 32, INDIRECT | WRITE, 0}}, 0},
	{"flags nobody knows", 2, {{OUT, 24, 0xfff8 | NEXT, 1}, {IN, 24, 0xfff8 | WRITE, 0}}, 0},
};

/* Each on a connection of its own: a broken ring may cost the device, which is that connection. */
static void send_chain(struct hostile *hostile, const struct chain *chain)
{
	struct raw_client *raw;
	uint32_t head, bytes;
	uint8_t status = 0;
	int err = raw_client_open(hostile->path, RAW_RUNNING, &raw);

	if (err) {
		hostile_check(hostile, false, "%s: no connection (%s)", chain->what, strerror(-err));
		return;
	}
	raw_client_descriptors(raw, 0, chain->descriptor, chain->count);
	raw_client_available(raw, chain->head);
	err = raw_client_kick(raw);
	int used = err ? err : raw_client_used(raw, 1000, &head, &bytes);
	if (!err)
		err = virtio_status(&raw->device, &status);
	/* Completed, or the device asks for a reset, or it hung up: each is an answer. Silence is none. */
	hostile_check(hostile, !used || err || (status & VIRTIO_CONFIG_S_NEEDS_RESET), "%s: %s", chain->what,
		      !used ? "the element was completed" : err ? "the connection was ended" : status & VIRTIO_CONFIG_S_NEEDS_RESET ? "the device asks for a reset"
												       : "no answer at all");
	if (!err && (status & VIRTIO_CONFIG_S_NEEDS_RESET)) {
		raw->available_index = raw->used_index = 0;
		memset(raw->memory, 0, RAW_OFFSET_OUT);
		raw->stage = RAW_MEMORY_SHOWN;
		err = raw_client_advance(raw, RAW_RUNNING);
		hostile_check(hostile, !err && raw_gpu_context_create(raw, 1) == OK, "%s: after a reset the device works", chain->what);
	}
	raw_client_close(raw);
}

static void index_jumps(struct hostile *hostile)
{
	struct raw_client *raw;
	uint8_t status = 0;
	int err = raw_client_open(hostile->path, RAW_RUNNING, &raw);

	if (!hostile_check(hostile, !err, "a connection to jump with"))
		return;
	raw_client_available_index(raw, 30000);
	err = raw_client_kick(raw);
	if (!err)
		err = virtio_status(&raw->device, &status);
	hostile_note(hostile, "an index 30000 ahead: %s", err ? "the connection was ended" : status & VIRTIO_CONFIG_S_NEEDS_RESET ? "the device asks for a reset" : "ignored");
	raw_client_close(raw);
	newcomer_works(hostile, "after an index that jumps");
}

/* ---- commands ---------------------------------------------------------------------------------------- */

/* An answer that is an error, and a connection that goes on. */
static void expect_error(struct hostile *hostile, int type, const char *what)
{
	hostile_check(hostile, type >= VIRTIO_GPU_RESP_ERR_UNSPEC && type < 0x1300, "%s: %s %#x", what,
		      type < 0 ? "failed" : "answered", type < 0 ? -type : type);
}

static void wrong_ids(struct hostile *hostile, struct raw_client *raw)
{
	const uint64_t memory_id = WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 1);
	const struct wire_submit setup = {.op = WIRE_SUBMIT_SETUP, .version = WIRE_VERSION, .arg = WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 9)};
	const struct wire_submit unknown = {.op = 77, .version = WIRE_VERSION};
	const struct wire_submit version = {.op = WIRE_SUBMIT_SETUP, .version = 999, .arg = WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1)};

	hostile_check(hostile, raw_gpu_context_create(raw, 1) == OK, "a good context");
	expect_error(hostile, raw_gpu_context_create(raw, 1), "the same context again");
	expect_error(hostile, raw_gpu_context_create(raw, 0), "context 0");
	expect_error(hostile, raw_gpu_context_destroy(raw, 99), "the end of a context that is not");
	expect_error(hostile, raw_gpu_blob_create(raw, 99, 1, memory_id, 4096), "a blob in no context");
	expect_error(hostile, raw_gpu_blob_create(raw, 1, 0, memory_id, 4096), "resource 0");
	expect_error(hostile, raw_gpu_blob_create(raw, 1, 1, memory_id, 0), "a blob of no bytes");
	expect_error(hostile, raw_gpu_blob_create(raw, 1, 1, memory_id, 4097), "a blob of 4097 bytes");
	expect_error(hostile, raw_gpu_blob_create(raw, 1, 1, memory_id, 1ull << 50), "a blob of 1 PiB");
	expect_error(hostile, raw_gpu_blob_create(raw, 1, 1, memory_id, UINT64_MAX & ~4095ull), "a blob of all there is");
	expect_error(hostile, raw_gpu_blob_create(raw, 1, 1, WIRE_BLOB_ID(77, 1), 4096), "a blob of no kind");
	expect_error(hostile, raw_gpu_blob_create(raw, 1, 1, WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1), 4096), "a ring of 4096 bytes");
	hostile_check(hostile, raw_gpu_blob_create(raw, 1, 1, memory_id, 8192) == OK, "a good blob");
	expect_error(hostile, raw_gpu_blob_create(raw, 1, 1, memory_id + 1, 8192), "the same resource again");
	expect_error(hostile, raw_gpu_blob_create(raw, 1, 2, memory_id, 8192), "the same blob again");
	expect_error(hostile, raw_gpu_map(raw, 99, 0), "a map of no resource");
	expect_error(hostile, raw_gpu_map(raw, 1, 1), "a map at offset 1");
	expect_error(hostile, raw_gpu_map(raw, 1, raw->aperture_bytes), "a map behind the end");
	expect_error(hostile, raw_gpu_map(raw, 1, raw->aperture_bytes - 4096), "a map over the end");
	expect_error(hostile, raw_gpu_map(raw, 1, UINT64_MAX & ~4095ull), "a map that overflows");
	hostile_check(hostile, raw_gpu_map(raw, 1, 0) == VIRTIO_GPU_RESP_OK_MAP_INFO, "a good map");
	expect_error(hostile, raw_gpu_map(raw, 1, 65536), "a second map");
	hostile_check(hostile, raw_gpu_blob_create(raw, 1, 3, memory_id + 2, 8192) == OK, "a second good blob");
	expect_error(hostile, raw_gpu_map(raw, 3, 4096), "an overlapping map");
	expect_error(hostile, raw_gpu_unmap(raw, 99), "an unmap of no resource");
	expect_error(hostile, raw_gpu_unmap(raw, 3), "an unmap of what is not mapped");
	expect_error(hostile, raw_gpu_unref(raw, 99), "an unref of no resource");
	expect_error(hostile, raw_gpu_attach(raw, 99, 1), "an attach to no context");
	expect_error(hostile, raw_gpu_submit(raw, 99, &setup), "a submission to no context");
	expect_error(hostile, raw_gpu_submit(raw, 1, &setup), "a set-up with a ring that is not");
	expect_error(hostile, raw_gpu_submit(raw, 1, &unknown), "a submission of no kind");
	expect_error(hostile, raw_gpu_submit(raw, 1, &version), "a set-up of version 999");
	hostile_check(hostile, raw_gpu_unmap(raw, 1) == OK && raw_gpu_unref(raw, 1) == OK && raw_gpu_unref(raw, 3) == OK &&
				       raw_gpu_context_destroy(raw, 1) == OK, "all good ones go");
}

/* Until the device says no: contexts, and blobs of one page. */
static void exhaust(struct hostile *hostile, struct raw_client *raw)
{
	uint32_t contexts = 0, blobs = 0;
	int type = OK;

	while (contexts < 100000 && (type = raw_gpu_context_create(raw, contexts + 1)) == OK)
		contexts++;
	expect_error(hostile, type, "one context too many");
	while (contexts && blobs < 200000 &&
	       (type = raw_gpu_blob_create(raw, 1, blobs + 1, WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, blobs + 1), 4096)) == OK)
		blobs++;
	expect_error(hostile, type, "one blob too many");
	hostile_note(hostile, "%u contexts and %u blobs of one page were given", contexts, blobs);
	for (uint32_t i = 1; i <= contexts; i++)
		if ((type = raw_gpu_context_destroy(raw, i)) != OK)
			break;
	hostile_check(hostile, type == OK, "all of them go");
}

static void random_commands(struct hostile *hostile, struct raw_client *raw)
{
	static const uint32_t types[] = {0x100, 0x101, 0x102, 0x103, 0x104, 0x105, 0x106, 0x107, 0x108, 0x109, 0x10a, 0x10b, 0x10c, 0x10d,
					 0x200, 0x201, 0x202, 0x203, 0x204, 0x205, 0x206, 0x207, 0x208, 0x209, 0x300, 0x301, 0, 0x1100, 0xffffffff};
	unsigned answered = 0, errors = 0;
	int err = 0;

	for (unsigned i = 0; i < 3000 && !err; i++) {
		struct virtio_gpu_ctrl_hdr response = {0};
		uint32_t out[32], bytes;

		for (unsigned n = 0; n < 32; n++)
			out[n] = hostile_random(hostile) % 2 ? (uint32_t)(hostile_random(hostile) % 5) : (uint32_t)hostile_random(hostile);
		out[0] = types[hostile_random(hostile) % (sizeof(types) / sizeof(types[0]))];
		out[1] &= 2;		/* a fence may be held back for good */
		out[4] = (uint32_t)(hostile_random(hostile) % 3);
		err = raw_client_command(raw, out, (uint32_t)(hostile_random(hostile) % sizeof(out)), &response, sizeof(response), &bytes);
		answered += !err;
		errors += !err && response.type >= VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	hostile_check(hostile, !err, "%u random commands were answered, %u with errors", answered, errors);
}

void hostile_bad_commands(struct hostile *hostile)
{
	struct raw_client *raw;
	int err;

	for (unsigned i = 0; i < sizeof(chains) / sizeof(chains[0]); i++)
		send_chain(hostile, &chains[i]);
	index_jumps(hostile);
	err = raw_client_open(hostile->path, RAW_RUNNING, &raw);
	if (!hostile_check(hostile, !err, "a connection for bad commands"))
		return;
	wrong_ids(hostile, raw);
	exhaust(hostile, raw);
	random_commands(hostile, raw);
	raw_client_close(raw);
	newcomer_works(hostile, "after bad commands");
}
