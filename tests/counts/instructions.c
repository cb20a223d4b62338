/* SPDX-License-Identifier: MIT */
/*
 * What a command costs in instructions of ours: COUNT empty kernels with one buffer go through the shim's ring, the engine's
 * parser and the lease, in one process and one thread, so that callgrind counts the same each time. The device is not in it.
 * tests/e2e/counts.sh runs it with N and 2N. Taking a record from the ring is written here again: ring.c's own is one with threads and OpenCL.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mdev/engine/compute/parse.h"
#include "scheduler/lease.h"
#include "shim/ring.h"

static int blob_create(struct transport *transport, uint64_t blob_id, size_t bytes, struct transport_blob *ret_blob)
{
	(void)transport;
	ret_blob->blob_id = blob_id;
	ret_blob->bytes = bytes;
	ret_blob->address = aligned_alloc(4096, bytes);
	if (!ret_blob->address)
		return -1;
	memset(ret_blob->address, 0, bytes);
	return 0;
}

static void blob_destroy(struct transport *transport, struct transport_blob *blob)
{
	(void)transport;
	free(blob->address);
}

static int submit(struct transport *transport, const struct wire_submit *what)
{
	(void)transport;
	(void)what;
	return 0;
}

static const struct transport_ops ops = {.blob_create = blob_create, .blob_destroy = blob_destroy, .submit = submit};

static uint64_t blob_bytes(void *data, uint64_t blob_id)
{
	(void)data;
	(void)blob_id;
	return 0;
}

struct empty_kernel {
	struct wire_ndrange range;
	struct wire_arg arg;
};

/* The guest's side: as shim/opencl writes it. */
static bool send(struct ring *ring)
{
	struct empty_kernel *record = ring_begin(ring, WIRE_NDRANGE, sizeof(*record), NULL);

	if (!record)
		return false;
	record->range.q.queue = 1;
	record->range.q.wait_count = 0;
	record->range.kernel = 1;
	record->range.dimensions = 1;
	record->range.arg_count = 1;
	record->range.has_local = 0;
	for (unsigned i = 0; i < 3; i++) {
		record->range.offset[i] = 0;
		record->range.global[i] = 1;
		record->range.local[i] = 0;
	}
	record->arg = (struct wire_arg){.kind = WIRE_ARG_BUFFER, .object = 5};
	ring_commit(ring);
	ring_flush(ring);
	return true;
}

/* The engine's: a copy of the record, parsed, run if the lease lets it. */
static bool receive(struct ring *ring, const struct parse_limits *limits, struct lease_holder *lease, uint32_t *head)
{
	static _Alignas(8) uint8_t copy[WIRE_RECORD_MAX_BYTES];
	static struct parsed parsed;

	while (*head != __atomic_load_n(&ring->shim->tail, __ATOMIC_ACQUIRE)) {
		uint32_t position = *head & (WIRE_RING_BYTES - 1);
		struct wire_header header;
		if (WIRE_RING_BYTES - position < sizeof(header)) {
			*head += WIRE_RING_BYTES - position;
			continue;
		}
		memcpy(&header, ring->records + position, sizeof(header));
		*head += header.bytes;
		if (header.opcode == WIRE_NOP)
			continue;
		memcpy(copy, ring->records + position, header.bytes);
		if (parse_record(copy, header.bytes, limits, &parsed) || parsed.opcode != WIRE_NDRANGE || parsed.ndrange.args[0].object != 5)
			return false;
		if (lease_take(lease, 0) || lease_must_stop(lease, 1))
			return false;
		__atomic_store_n(&ring->engine->processed, parsed.sequence, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&ring->engine->head, *head, __ATOMIC_RELEASE);
	return true;
}

int main(int argc, char **argv)
{
	static struct wire_capset capset = {.version_max = WIRE_VERSION};
	static struct lease_grant grant = {.magic = LEASE_MAGIC, .version = LEASE_VERSION};
	static struct lease_status status;
	const struct parse_limits limits = {.mem_align_bytes = 128, .max_alloc_bytes = 32768, .unified = true, .blob_bytes = blob_bytes};
	struct transport transport = {.ops = &ops, .capset = &capset};
	struct lease_holder lease;
	struct ring *ring;
	uint32_t head = 0;
	unsigned long count = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;

	if (!count) {
		fprintf(stderr, "usage: count_instructions COUNT\n");
		return 2;
	}
	grant.word = lease_word(1, LEASE_GRANTED);
	int want = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (want < 0 || ring_create(&transport, &ring) || lease_holder_init(&lease, &grant, &status, want))
		return 1;
	status.heard = 1;
	for (unsigned long i = 0; i < count; i++)
		if (!send(ring) || !receive(ring, &limits, &lease, &head))
			return 1;
	lease_release(&lease, false);
	ring_destroy(ring);
	close(want);
	return 0;
}
