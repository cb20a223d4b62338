/* SPDX-License-Identifier: MIT */
/* Games with the command ring: records out of range, and a ring overwritten while it is read. */
#include "tests/e2e/hostile/hostile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shim/transport/direct/direct.h"

static const struct wire_submit doorbell = {.op = WIRE_SUBMIT_DOORBELL, .version = WIRE_VERSION};

/* A context of its own with a ring and one memory blob. */
struct context {
	struct transport *transport;
	struct transport_blob ring_blob, memory;
	struct raw_ring ring;
};

#define MEMORY_ID WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 1)
#define MEMORY_BYTES (64u * 1024)

static uint32_t engine_state(const struct context *context)
{
	return __atomic_load_n(&raw_ring_engine_page(&context->ring)->engine_state, __ATOMIC_ACQUIRE);
}

static void context_close(struct context *context)
{
	context->transport->ops->blob_destroy(context->transport, &context->memory);
	context->transport->ops->blob_destroy(context->transport, &context->ring_blob);
	context->transport->ops->close(context->transport);
}

/* Opens it and waits until its engine runs. 0 or -errno. */
static int context_open(struct hostile *hostile, struct context *context)
{
	const uint64_t ring_id = WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1);
	const struct wire_submit setup = {.op = WIRE_SUBMIT_SETUP, .version = WIRE_VERSION, .arg = ring_id};
	const struct transport_ops *ops;
	char why[256];
	int err = direct_open(hostile->path, 0, &context->transport, why);

	if (err)
		return err;
	ops = context->transport->ops;
	err = ops->blob_create(context->transport, ring_id, WIRE_RING_BLOB_BYTES, &context->ring_blob);
	if (err)
		goto close_transport;
	err = ops->blob_create(context->transport, MEMORY_ID, MEMORY_BYTES, &context->memory);
	if (err)
		goto destroy_ring;
	context->ring = (struct raw_ring){.base = context->ring_blob.address};
	err = ops->submit(context->transport, &setup);
	for (unsigned i = 0; i < 2000 && !err && engine_state(context) == WIRE_ENGINE_ABSENT; i++)
		usleep(10000);
	if (!err && engine_state(context) != WIRE_ENGINE_AWAKE && engine_state(context) != WIRE_ENGINE_SLEEPING)
		err = -ENOEXEC;	/* the engine did not come */
	if (!err)
		return 0;
	ops->blob_destroy(context->transport, &context->memory);
destroy_ring:
	ops->blob_destroy(context->transport, &context->ring_blob);
close_transport:
	ops->close(context->transport);
	return err;
}

enum outcome { REFUSED, LOST, DONE, NOTHING };

/* Waits for what becomes of a record: its slot, the engine's word that it failed, the context's end. */
static enum outcome wait_outcome(const struct context *context, uint32_t slot, uint64_t sequence, int *ret_status)
{
	const struct wire_engine_page *page = raw_ring_engine_page(&context->ring);
	uint64_t until_ms = hostile_now_ms() + 10000;

	*ret_status = 0;
	while (hostile_now_ms() < until_ms) {
		if (slot < WIRE_SLOT_COUNT) {
			const struct wire_slot *answer = raw_ring_slot(&context->ring, slot);

			if (__atomic_load_n(&answer->sequence, __ATOMIC_ACQUIRE) == sequence) {
				*ret_status = answer->status;
				return answer->status < 0 ? REFUSED : DONE;
			}
		}
		if (__atomic_load_n(&page->failed, __ATOMIC_ACQUIRE) == sequence) {
			*ret_status = page->failed_status;
			return REFUSED;
		}
		if (engine_state(context) == WIRE_ENGINE_LOST)
			return LOST;
		usleep(200);
	}
	return NOTHING;
}

static enum outcome send_record(struct context *context, void *record, uint32_t bytes, uint32_t slot, int *ret_status)
{
	struct wire_header *header = record;

	if (!header->bytes)
		header->bytes = bytes;
	uint64_t sequence = raw_ring_put_next(&context->ring, record, bytes);
	if (context->transport->ops->submit(context->transport, &doorbell))
		return LOST;
	return wait_outcome(context, slot, sequence, ret_status);
}

/* ---- bad-records ------------------------------------------------------------------------------------ */

#define H(op) .h = {.opcode = WIRE_##op}
#define Q(op, queue_) .q = {H(op), .slot = 1, .queue = queue_}
#define FAR 0xfffffff0ull
#define INSIDE {MEMORY_ID, 0, 4096}
#define NO_BLOB {WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 99), 0, 4096}
#define BEHIND {MEMORY_ID, MEMORY_BYTES, 4096}
#define OVER {MEMORY_ID, MEMORY_BYTES - 8, 4096}
#define WRAPS {MEMORY_ID, UINT64_MAX - 8, 4096}
#define HUGE_RANGE {MEMORY_ID, 0, UINT64_MAX}
#define RING_ITSELF {WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1), 0, 4096}

static const struct bad {
	const char *what;
	uint32_t bytes;
	uint32_t slot;
	union {
		struct wire_header header;
		struct wire_queue_create queue_create;
		struct wire_destroy destroy;
		struct wire_buffer_create buffer_create;
		struct wire_program_build program_build;
		struct wire_kernel_create kernel_create;
		struct wire_queued queued;
		struct wire_ndrange ndrange;
		struct wire_buffer_fill fill;
		struct wire_buffer_copy copy;
		struct wire_buffer_transfer transfer;
		struct wire_blob_release release;
		struct wire_svm_map svm_map;
		uint8_t raw[1024];
	} u;
	bool harmless;		/* may as well be accepted */
} bad_records[] = {
#define BAD(what_, member, ...) {what_, sizeof(((struct bad *)0)->u.member), 1, {.member = {__VA_ARGS__}}, false}
	BAD("an unknown opcode", queue_create, .h = {.opcode = WIRE_OPCODE_COUNT}, .slot = 1),
	BAD("opcode 65535", queue_create, .h = {.opcode = 65535}, .slot = 1),
	BAD("unknown flags", queue_create, .h = {.opcode = WIRE_QUEUE_CREATE, .flags = 0x8000}, .slot = 1, .queue = 3),
	BAD("queue 0", queue_create, H(QUEUE_CREATE), .slot = 1, .queue = 0),
	BAD("queue 256", queue_create, H(QUEUE_CREATE), .slot = 1, .queue = WIRE_QUEUE_COUNT),
	BAD("queue 2^32-1", queue_create, H(QUEUE_CREATE), .slot = 1, .queue = UINT32_MAX),
	BAD("a queue that is there", queue_create, H(QUEUE_CREATE), .slot = 1, .queue = 1),
	BAD("the end of no queue", destroy, H(QUEUE_DESTROY), .slot = 1, .id = 200),
	BAD("the end of queue 2^32-1", destroy, H(QUEUE_DESTROY), .slot = 1, .id = UINT32_MAX),
	BAD("buffer 0", buffer_create, H(BUFFER_CREATE), .slot = 1, .buffer = 0, .bytes = 4096, .backing = INSIDE),
	BAD("buffer 65536", buffer_create, H(BUFFER_CREATE), .slot = 1, .buffer = WIRE_OBJECT_MAX, .bytes = 4096, .backing = INSIDE),
	BAD("a buffer of no bytes", buffer_create, H(BUFFER_CREATE), .slot = 1, .buffer = 9, .bytes = 0),
	BAD("a buffer of 2^64-1 bytes", buffer_create, H(BUFFER_CREATE), .slot = 1, .buffer = 9, .bytes = UINT64_MAX, .backing = HUGE_RANGE),
	BAD("a buffer in no blob", buffer_create, H(BUFFER_CREATE), .slot = 1, .buffer = 9, .bytes = 4096, .backing = NO_BLOB),
	BAD("a buffer behind its blob", buffer_create, H(BUFFER_CREATE), .slot = 1, .buffer = 9, .bytes = 4096, .backing = BEHIND),
	BAD("a buffer over its blob's end", buffer_create, H(BUFFER_CREATE), .slot = 1, .buffer = 9, .bytes = 4096, .backing = OVER),
	BAD("a buffer that wraps", buffer_create, H(BUFFER_CREATE), .slot = 1, .buffer = 9, .bytes = 4096, .backing = WRAPS),
	BAD("a buffer in the ring", buffer_create, H(BUFFER_CREATE), .slot = 1, .buffer = 9, .bytes = 4096, .backing = RING_ITSELF),
	BAD("the end of no buffer", destroy, H(BUFFER_DESTROY), .slot = 1, .id = 77),
	BAD("program 0", program_build, H(PROGRAM_BUILD), .slot = 1, .program = 0, .source = INSIDE, .reply = INSIDE),
	BAD("source in no blob", program_build, H(PROGRAM_BUILD), .slot = 1, .program = 9, .source = NO_BLOB, .reply = INSIDE),
	BAD("source of 2^64-1 bytes", program_build, H(PROGRAM_BUILD), .slot = 1, .program = 9, .source = HUGE_RANGE, .reply = INSIDE),
	BAD("options that wrap", program_build, H(PROGRAM_BUILD), .slot = 1, .program = 9, .source = INSIDE, .options = WRAPS, .reply = INSIDE),
	BAD("a reply behind its blob", program_build, H(PROGRAM_BUILD), .slot = 1, .program = 9, .source = INSIDE, .reply = BEHIND),
	BAD("the end of no program", destroy, H(PROGRAM_DESTROY), .slot = 1, .id = 77),
	BAD("a kernel of no program", kernel_create, H(KERNEL_CREATE), .slot = 1, .kernel = 1, .program = 77, .name_bytes = 0),
	BAD("a kernel name of 4 GiB", kernel_create, H(KERNEL_CREATE), .slot = 1, .kernel = 1, .program = 1, .name_bytes = UINT32_MAX),
	BAD("the end of no kernel", destroy, H(KERNEL_DESTROY), .slot = 1, .id = 77),
	BAD("a run of no kernel", ndrange, Q(NDRANGE, 1), .kernel = 77, .dimensions = 1, .global = {1, 1, 1}),
	BAD("a run in 99 dimensions", ndrange, Q(NDRANGE, 1), .kernel = 77, .dimensions = 99, .global = {1, 1, 1}),
	BAD("a run with 2^32-1 arguments", ndrange, Q(NDRANGE, 1), .kernel = 77, .dimensions = 1, .arg_count = UINT32_MAX, .global = {1, 1, 1}),
	BAD("a wait list of 2^32-1", queued, H(MARKER), .slot = 1, .queue = 1, .wait_count = UINT32_MAX),
	BAD("a marker on no queue", queued, H(MARKER), .slot = 1, .queue = 99),
	BAD("a marker on queue 2^32-1", queued, H(MARKER), .slot = 1, .queue = UINT32_MAX),
	BAD("a fill of no buffer", fill, Q(BUFFER_FILL, 1), .buffer = 77, .pattern_bytes = 4, .bytes = 64),
	BAD("a fill behind the buffer", fill, Q(BUFFER_FILL, 1), .buffer = 1, .pattern_bytes = 4, .offset = 1 << 20, .bytes = 64),
	BAD("a fill that wraps", fill, Q(BUFFER_FILL, 1), .buffer = 1, .pattern_bytes = 4, .offset = UINT64_MAX - 3, .bytes = 64),
	BAD("a pattern of 3 bytes", fill, Q(BUFFER_FILL, 1), .buffer = 1, .pattern_bytes = 3, .bytes = 63),
	BAD("a pattern of 4096 bytes", fill, Q(BUFFER_FILL, 1), .buffer = 1, .pattern_bytes = 4096, .bytes = 4096),
	BAD("a pattern of 0 bytes", fill, Q(BUFFER_FILL, 1), .buffer = 1, .pattern_bytes = 0, .bytes = 64),
	BAD("a copy from no buffer", copy, Q(BUFFER_COPY, 1), .source = 77, .destination = 1, .bytes = 64),
	BAD("a copy over the end", copy, Q(BUFFER_COPY, 1), .source = 1, .destination = 1, .source_offset = 4000, .bytes = 4096),
	BAD("a copy of 2^64-1 bytes", copy, Q(BUFFER_COPY, 1), .source = 1, .destination = 1, .bytes = UINT64_MAX),
	BAD("a write from no blob", transfer, Q(BUFFER_WRITE, 1), .buffer = 1, .range = NO_BLOB),
	BAD("a write from behind the blob", transfer, Q(BUFFER_WRITE, 1), .buffer = 1, .range = BEHIND),
	BAD("a write behind the buffer", transfer, Q(BUFFER_WRITE, 1), .buffer = 1, .offset = FAR, .range = INSIDE),
	BAD("a read into a range that wraps", transfer, Q(BUFFER_READ, 1), .buffer = 1, .range = WRAPS),
	BAD("a read of no buffer", transfer, Q(BUFFER_READ, 1), .buffer = 77, .range = INSIDE),
	BAD("memory at address 0", svm_map, H(SVM_MAP), .slot = 1, .blob_id = MEMORY_ID, .address = 0),
	BAD("memory over the engine's programs", svm_map, H(SVM_MAP), .slot = 1, .blob_id = MEMORY_ID, .address = 0x555555554000),
	BAD("memory over the engine's libraries", svm_map, H(SVM_MAP), .slot = 1, .blob_id = MEMORY_ID, .address = 0x7ffff7d00000),
	BAD("memory in the kernel", svm_map, H(SVM_MAP), .slot = 1, .blob_id = MEMORY_ID, .address = 0xffff888000000000),
	BAD("memory at half a page", svm_map, H(SVM_MAP), .slot = 1, .blob_id = MEMORY_ID, .address = WIRE_SVM_WINDOW_FIRST + 2048),
	BAD("memory over the window's end", svm_map, H(SVM_MAP), .slot = 1, .blob_id = MEMORY_ID, .address = WIRE_SVM_WINDOW_END - 4096),
	BAD("the ring at an address", svm_map, H(SVM_MAP), .slot = 1, .blob_id = WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1),
	    .address = WIRE_SVM_WINDOW_FIRST),
	BAD("no blob at an address", svm_map, H(SVM_MAP), .slot = 1, .blob_id = WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 99),
	    .address = WIRE_SVM_WINDOW_FIRST),
	/* Nobody touches what is not there, so that this may be answered with success. */
	{"the release of no blob", sizeof(struct wire_blob_release), 1,
	 {.release = {H(BLOB_RELEASE), .slot = 1, .blob_id = WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 99)}}, .harmless = true},
	/* Lengths and places of answers that are wrong in themselves: the ring cannot be trusted after them. */
	{"slot 8192", sizeof(struct wire_queued), WIRE_SLOT_COUNT, {.queued = {H(MARKER), .slot = WIRE_SLOT_COUNT, .queue = 1}}, false},
	{"slot 2^32-2", sizeof(struct wire_queued), UINT32_MAX - 1, {.queued = {H(MARKER), .slot = UINT32_MAX - 1, .queue = 1}}, false},
	{"a record of 8 bytes", 16, 1, {.header = {.opcode = WIRE_MARKER, .bytes = 8}}, false},
	{"a record of 17 bytes", 32, 1, {.header = {.opcode = WIRE_MARKER, .bytes = 17}}, false},
	{"a record of 4 GiB", 32, 1, {.header = {.opcode = WIRE_MARKER, .bytes = UINT32_MAX & ~7u}}, false},
	{"a record longer than what was written", 32, 1, {.header = {.opcode = WIRE_MARKER, .bytes = 4096}}, false},
	{"a marker that is only a header", 16, 1, {.header = {.opcode = WIRE_MARKER, .bytes = 16}}, false},
	{"an NDRANGE that is only a header", 16, 1, {.header = {.opcode = WIRE_NDRANGE, .bytes = 16}}, false},
};

/* A queue and a buffer of 4096 bytes, so that records fail for their own fault. */
static bool furnish(struct context *context)
{
	struct wire_queue_create queue = {H(QUEUE_CREATE), .slot = 2, .queue = 1};
	struct wire_buffer_create buffer = {H(BUFFER_CREATE), .slot = 3, .buffer = 1, .bytes = 4096};
	int status;

	if (context->transport->capset->flags & WIRE_CAPS_UNIFIED)
		buffer.backing = (struct wire_range)INSIDE;
	return send_record(context, &queue, sizeof(queue), 2, &status) == DONE &&
	       send_record(context, &buffer, sizeof(buffer), 3, &status) == DONE;
}

static bool furnished_context(struct hostile *hostile, struct context *context)
{
	int err = context_open(hostile, context);

	if (err)
		return hostile_check(hostile, false, "no context with a running engine: %s", strerror(-err));
	if (furnish(context))
		return true;
	context_close(context);
	return hostile_check(hostile, false, "a good queue and buffer were refused");
}

void hostile_bad_records(struct hostile *hostile)
{
	struct wire_queued marker = {H(MARKER), .slot = 5, .queue = 1};
	struct context context;
	unsigned lost = 0;
	int status;

	if (!furnished_context(hostile, &context))
		return;
	for (unsigned i = 0; i < sizeof(bad_records) / sizeof(bad_records[0]); i++) {
		struct bad bad = bad_records[i];
		enum outcome outcome = send_record(&context, &bad.u, bad.bytes, bad.slot, &status);
		static const char *const words[] = {"refused", "the context was lost", "accepted", "no answer"};

		hostile_check(hostile, outcome == REFUSED || outcome == LOST || (outcome == DONE && bad.harmless), "%s: %s (%d)", bad.what, words[outcome], status);
		if (outcome == REFUSED || outcome == DONE)
			continue;
		lost += outcome == LOST;
		context_close(&context);
		if (!furnished_context(hostile, &context))
			return;
	}
	hostile_note(hostile, "%u of %zu records cost the context, the others only themselves", lost,
		     sizeof(bad_records) / sizeof(bad_records[0]));
	hostile_check(hostile, send_record(&context, &marker, sizeof(marker), 5, &status) == DONE, "after all that a good marker completes");
	context_close(&context);
}

/* ---- garbage-ring ----------------------------------------------------------------------------------- */

/* What is overwritten, and how often. The slots belong to it too: the engine writes and never reads them. */
static void scribble(struct hostile *hostile, struct context *context)
{
	uint8_t *base = context->ring.base;
	static const struct {
		uint32_t offset, bytes;
	} parts[] = {
		{WIRE_OFFSET_SHIM_PAGE, 16},
		{WIRE_OFFSET_ENGINE_PAGE, 64},
		{WIRE_OFFSET_ENGINE_PAGE, 4096},
		{WIRE_OFFSET_SLOTS, 4096},
		{WIRE_OFFSET_RING, 4096},
		{WIRE_OFFSET_RING, WIRE_RING_BYTES},
	};
	unsigned part = (unsigned)(hostile_random(hostile) % (sizeof(parts) / sizeof(parts[0])));

	for (unsigned i = 0; i < 64; i++) {
		uint32_t at = parts[part].offset + (uint32_t)(hostile_random(hostile) % parts[part].bytes);

		((volatile uint8_t *)base)[at] = (uint8_t)(hostile_random(hostile) >> 40);
	}
	/* And a tail that makes the engine read it. */
	if (hostile_random(hostile) % 4 == 0)
		__atomic_store_n(&raw_ring_shim_page(&context->ring)->tail, (uint32_t)hostile_random(hostile) & ~7u, __ATOMIC_RELEASE);
}

/* Good records under way while the ring is spoiled: half of it plausible is worse than noise. */
static void feed(struct hostile *hostile, struct context *context)
{
	for (unsigned i = 0; i < 32; i++) {
		struct bad record = bad_records[hostile_random(hostile) % (sizeof(bad_records) / sizeof(bad_records[0]))];

		if (!record.u.header.bytes)
			record.u.header.bytes = record.bytes;
		((uint8_t *)&record.u)[hostile_random(hostile) % record.bytes] = (uint8_t)hostile_random(hostile);
		raw_ring_put_next(&context->ring, &record.u, record.bytes);
	}
}

void hostile_garbage_ring(struct hostile *hostile)
{
	struct bystander bystander;
	uint64_t until_ms = hostile_now_ms() + 1000ull * hostile->seconds;
	unsigned contexts = 0, rounds = 0;

	if (!bystander_begin(hostile, &bystander))
		return;
	while (hostile_now_ms() < until_ms) {
		struct context context;
		int err = context_open(hostile, &context);

		if (err) {
			hostile_check(hostile, false, "context %u: none with a running engine: %s", contexts, strerror(-err));
			break;
		}
		contexts++;
		/* Long enough for the engine to meet it; it may be lost at once, and goes on being scribbled at. */
		uint64_t enough_ms = hostile_now_ms() + 200 + hostile_random(hostile) % 400;
		while (hostile_now_ms() < enough_ms && !err) {
			feed(hostile, &context);
			for (unsigned i = 0; i < 20; i++, rounds++)
				scribble(hostile, &context);
			err = context.transport->ops->submit(context.transport, &doorbell);
		}
		hostile_check(hostile, !err, "context %u: the device took its doorbells (%s)", contexts, err ? strerror(-err) : "ok");
		context_close(&context);
		if (err || !bystander_works(hostile, &bystander))
			break;
	}
	hostile_note(hostile, "%u rounds of scribbling in %u contexts", rounds, contexts);
	bystander_end(hostile, &bystander);
}
