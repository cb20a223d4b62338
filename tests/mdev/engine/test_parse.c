/* SPDX-License-Identifier: MIT */
/* Every field of every record: a valid one is taken, and each way to be wrong is refused with its error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <CL/cl.h>
#include <cmocka.h>

#include "tests/mdev/engine/wire_records.h"

static int parse(const void *record, size_t bytes, bool unified, struct parsed *parsed)
{
	const struct parse_limits limits = records_limits(unified);

	/* A heap copy of exactly this length: a sanitizer sees a byte read too far. */
	void *copy = malloc(bytes);
	memcpy(copy, record, bytes);
	int error = parse_record(copy, bytes, &limits, parsed);
	free(copy);
	return error;
}

/* One field spoiled. */
struct spoiled {
	const char *what;
	uint16_t opcode;
	uint16_t offset;
	uint8_t bytes;
	uint64_t value;
	int error;
	bool discrete;
};
#define AT(type, field) offsetof(struct type, field), sizeof(((struct type *)0)->field)
#define WAIT_AT (sizeof(struct wire_ndrange))
#define ARGS_AT (WAIT_AT + sizeof(struct wire_wait))

static const struct spoiled spoiled[] = {
	{"flags", WIRE_MARKER, AT(wire_header, flags), 1, CL_INVALID_OPERATION, false},
	{"opcode", WIRE_MARKER, AT(wire_header, opcode), WIRE_OPCODE_COUNT, CL_INVALID_OPERATION, false},
	{"opcode", WIRE_MARKER, AT(wire_header, opcode), 0xffff, CL_INVALID_OPERATION, false},
	{"slot", WIRE_MARKER, AT(wire_queued, slot), WIRE_SLOT_COUNT, CL_INVALID_EVENT, false},
	{"slot", WIRE_QUEUE_CREATE, AT(wire_queue_create, slot), 0xfffffffe, CL_INVALID_EVENT, false},
	{"queue 0", WIRE_QUEUE_CREATE, AT(wire_queue_create, queue), 0, CL_INVALID_COMMAND_QUEUE, false},
	{"queue", WIRE_QUEUE_CREATE, AT(wire_queue_create, queue), WIRE_QUEUE_COUNT, CL_INVALID_COMMAND_QUEUE, false},
	{"properties", WIRE_QUEUE_CREATE, AT(wire_queue_create, properties), 4, CL_INVALID_QUEUE_PROPERTIES, false},
	{"properties", WIRE_QUEUE_CREATE, AT(wire_queue_create, properties), 1ull << 63, CL_INVALID_QUEUE_PROPERTIES, false},
	{"id", WIRE_QUEUE_DESTROY, AT(wire_destroy, id), 0, CL_INVALID_COMMAND_QUEUE, false},
	{"id", WIRE_QUEUE_DESTROY, AT(wire_destroy, id), WIRE_QUEUE_COUNT, CL_INVALID_COMMAND_QUEUE, false},
	{"id", WIRE_BUFFER_DESTROY, AT(wire_destroy, id), 0, CL_INVALID_MEM_OBJECT, false},
	{"id", WIRE_BUFFER_DESTROY, AT(wire_destroy, id), WIRE_OBJECT_MAX, CL_INVALID_MEM_OBJECT, false},
	{"id", WIRE_PROGRAM_DESTROY, AT(wire_destroy, id), 0xffffffff, CL_INVALID_PROGRAM, false},
	{"id", WIRE_KERNEL_DESTROY, AT(wire_destroy, id), WIRE_OBJECT_MAX, CL_INVALID_KERNEL, false},
	{"buffer", WIRE_BUFFER_CREATE, AT(wire_buffer_create, buffer), 0, CL_INVALID_MEM_OBJECT, false},
	{"buffer", WIRE_BUFFER_CREATE, AT(wire_buffer_create, buffer), WIRE_OBJECT_MAX, CL_INVALID_MEM_OBJECT, false},
	{"flags USE_HOST_PTR", WIRE_BUFFER_CREATE, AT(wire_buffer_create, flags), CL_MEM_USE_HOST_PTR, CL_INVALID_VALUE, false},
	{"flags ALLOC_HOST_PTR", WIRE_BUFFER_CREATE, AT(wire_buffer_create, flags), CL_MEM_ALLOC_HOST_PTR, CL_INVALID_VALUE, false},
	{"flags COPY_HOST_PTR", WIRE_BUFFER_CREATE, AT(wire_buffer_create, flags), CL_MEM_COPY_HOST_PTR, CL_INVALID_VALUE, false},
	{"flags two accesses", WIRE_BUFFER_CREATE, AT(wire_buffer_create, flags), CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY, CL_INVALID_VALUE, false},
	{"flags two host accesses", WIRE_BUFFER_CREATE, AT(wire_buffer_create, flags), CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS, CL_INVALID_VALUE, false},
	{"bytes 0", WIRE_BUFFER_CREATE, AT(wire_buffer_create, bytes), 0, CL_INVALID_BUFFER_SIZE, false},
	{"bytes", WIRE_BUFFER_CREATE, AT(wire_buffer_create, bytes), 32769, CL_INVALID_BUFFER_SIZE, false},
	{"bytes", WIRE_BUFFER_CREATE, AT(wire_buffer_create, bytes), UINT64_MAX, CL_INVALID_BUFFER_SIZE, false},
	{"backing unlike bytes", WIRE_BUFFER_CREATE, AT(wire_buffer_create, backing.bytes), 4095, CL_INVALID_HOST_PTR, false},
	{"backing none", WIRE_BUFFER_CREATE, AT(wire_buffer_create, backing.bytes), 0, CL_INVALID_HOST_PTR, false},
	{"backing blob", WIRE_BUFFER_CREATE, AT(wire_buffer_create, backing.blob_id), RECORDS_BLOB + 1, CL_INVALID_HOST_PTR, false},
	{"backing in the ring", WIRE_BUFFER_CREATE, AT(wire_buffer_create, backing.blob_id), WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 3), CL_INVALID_HOST_PTR, false},
	{"backing end", WIRE_BUFFER_CREATE, AT(wire_buffer_create, backing.offset), RECORDS_BLOB_BYTES - 4096 + 128, CL_INVALID_HOST_PTR, false},
	{"backing wraps", WIRE_BUFFER_CREATE, AT(wire_buffer_create, backing.offset), UINT64_MAX - 127, CL_INVALID_HOST_PTR, false},
	{"backing align", WIRE_BUFFER_CREATE, AT(wire_buffer_create, backing.offset), 64, CL_MISALIGNED_SUB_BUFFER_OFFSET, false},
	{"backing on a discrete device", WIRE_BUFFER_CREATE, AT(wire_buffer_create, backing.blob_id), RECORDS_BLOB, CL_INVALID_HOST_PTR, true},
	{"program", WIRE_PROGRAM_BUILD, AT(wire_program_build, program), 0, CL_INVALID_PROGRAM, false},
	{"program", WIRE_PROGRAM_BUILD, AT(wire_program_build, program), WIRE_OBJECT_MAX, CL_INVALID_PROGRAM, false},
	{"source blob", WIRE_PROGRAM_BUILD, AT(wire_program_build, source.blob_id), 0, CL_INVALID_VALUE, false},
	{"source end", WIRE_PROGRAM_BUILD, AT(wire_program_build, source.bytes), RECORDS_BLOB_BYTES - 255, CL_INVALID_VALUE, false},
	{"options wrap", WIRE_PROGRAM_BUILD, AT(wire_program_build, options.offset), UINT64_MAX, CL_INVALID_BUILD_OPTIONS, false},
	{"reply none", WIRE_PROGRAM_BUILD, AT(wire_program_build, reply.bytes), 0, CL_INVALID_VALUE, false},
	{"reply short", WIRE_PROGRAM_BUILD, AT(wire_program_build, reply.bytes), sizeof(struct wire_build_reply) - 1, CL_INVALID_VALUE, false},
	{"reply align", WIRE_PROGRAM_BUILD, AT(wire_program_build, reply.offset), 260, CL_INVALID_VALUE, false},
	{"reply end", WIRE_PROGRAM_BUILD, AT(wire_program_build, reply.offset), RECORDS_BLOB_BYTES - 8, CL_INVALID_VALUE, false},
	{"kernel", WIRE_KERNEL_CREATE, AT(wire_kernel_create, kernel), 0, CL_INVALID_KERNEL, false},
	{"kernel", WIRE_KERNEL_CREATE, AT(wire_kernel_create, kernel), WIRE_OBJECT_MAX, CL_INVALID_KERNEL, false},
	{"program", WIRE_KERNEL_CREATE, AT(wire_kernel_create, program), 0, CL_INVALID_PROGRAM, false},
	{"name none", WIRE_KERNEL_CREATE, AT(wire_kernel_create, name_bytes), 0, CL_INVALID_KERNEL_NAME, false},
	{"name beyond", WIRE_KERNEL_CREATE, AT(wire_kernel_create, name_bytes), 9, CL_INVALID_KERNEL_NAME, false},
	{"name with NUL", WIRE_KERNEL_CREATE, AT(wire_kernel_create, name_bytes), 6, CL_INVALID_KERNEL_NAME, false},
	{"name huge", WIRE_KERNEL_CREATE, AT(wire_kernel_create, name_bytes), 0xffffffff, CL_INVALID_KERNEL_NAME, false},
	{"queue", WIRE_NDRANGE, AT(wire_ndrange, q.queue), 0, CL_INVALID_COMMAND_QUEUE, false},
	{"queue", WIRE_NDRANGE, AT(wire_ndrange, q.queue), WIRE_QUEUE_COUNT, CL_INVALID_COMMAND_QUEUE, false},
	{"waits", WIRE_NDRANGE, AT(wire_ndrange, q.wait_count), WIRE_WAIT_MAX + 1, CL_INVALID_EVENT_WAIT_LIST, false},
	{"waits beyond", WIRE_NDRANGE, AT(wire_ndrange, q.wait_count), 100, CL_INVALID_EVENT_WAIT_LIST, false},
	{"waits huge", WIRE_NDRANGE, AT(wire_ndrange, q.wait_count), 0x10000001, CL_INVALID_EVENT_WAIT_LIST, false},
	{"wait for itself", WIRE_NDRANGE, WAIT_AT, 8, 10, CL_INVALID_EVENT_WAIT_LIST, false},
	{"wait for the future", WIRE_NDRANGE, WAIT_AT, 8, UINT64_MAX, CL_INVALID_EVENT_WAIT_LIST, false},
	{"wait for 0", WIRE_NDRANGE, WAIT_AT, 8, 0, CL_INVALID_EVENT_WAIT_LIST, false},
	{"wait slot", WIRE_NDRANGE, WAIT_AT + 8, 4, WIRE_SLOT_COUNT, CL_INVALID_EVENT_WAIT_LIST, false},
	{"kernel", WIRE_NDRANGE, AT(wire_ndrange, kernel), 0, CL_INVALID_KERNEL, false},
	{"kernel", WIRE_NDRANGE, AT(wire_ndrange, kernel), WIRE_OBJECT_MAX, CL_INVALID_KERNEL, false},
	{"dimensions", WIRE_NDRANGE, AT(wire_ndrange, dimensions), 0, CL_INVALID_WORK_DIMENSION, false},
	{"dimensions", WIRE_NDRANGE, AT(wire_ndrange, dimensions), 4, CL_INVALID_WORK_DIMENSION, false},
	{"has_local", WIRE_NDRANGE, AT(wire_ndrange, has_local), 2, CL_INVALID_WORK_GROUP_SIZE, false},
	{"args", WIRE_NDRANGE, AT(wire_ndrange, arg_count), WIRE_ARG_MAX + 1, CL_INVALID_KERNEL_ARGS, false},
	{"args beyond", WIRE_NDRANGE, AT(wire_ndrange, arg_count), 4, CL_INVALID_KERNEL_ARGS, false},
	{"offset wraps", WIRE_NDRANGE, AT(wire_ndrange, offset[1]), UINT64_MAX - 7, CL_INVALID_GLOBAL_OFFSET, false},
	{"global product", WIRE_NDRANGE, AT(wire_ndrange, global[2]), 1ull << 60, CL_INVALID_GLOBAL_WORK_SIZE, false},
	{"local 0", WIRE_NDRANGE, AT(wire_ndrange, local[1]), 0, CL_INVALID_WORK_GROUP_SIZE, false},
	{"local product", WIRE_NDRANGE, AT(wire_ndrange, local[2]), 1ull << 62, CL_INVALID_WORK_GROUP_SIZE, false},
	{"arg kind", WIRE_NDRANGE, ARGS_AT, 4, 0, CL_INVALID_ARG_VALUE, false},
	{"arg kind", WIRE_NDRANGE, ARGS_AT, 4, 4, CL_INVALID_ARG_VALUE, false},
	{"arg object", WIRE_NDRANGE, ARGS_AT + 8, 4, WIRE_OBJECT_MAX, CL_INVALID_MEM_OBJECT, false},
	{"arg value 0", WIRE_NDRANGE, ARGS_AT + 16 + 4, 4, 0, CL_INVALID_ARG_SIZE, false},
	{"arg value beyond", WIRE_NDRANGE, ARGS_AT + 16 + 4, 4, 100, CL_INVALID_ARG_SIZE, false},
	{"arg value huge", WIRE_NDRANGE, ARGS_AT + 16 + 4, 4, 0xffffffff, CL_INVALID_ARG_SIZE, false},
	{"arg local 0", WIRE_NDRANGE, ARGS_AT + 48 + 4, 4, 0, CL_INVALID_ARG_SIZE, false},
	{"buffer", WIRE_BUFFER_FILL, AT(wire_buffer_fill, buffer), 0, CL_INVALID_MEM_OBJECT, false},
	{"pattern 0", WIRE_BUFFER_FILL, AT(wire_buffer_fill, pattern_bytes), 0, CL_INVALID_VALUE, false},
	{"pattern 3", WIRE_BUFFER_FILL, AT(wire_buffer_fill, pattern_bytes), 3, CL_INVALID_VALUE, false},
	{"pattern 256", WIRE_BUFFER_FILL, AT(wire_buffer_fill, pattern_bytes), 256, CL_INVALID_VALUE, false},
	{"fill offset", WIRE_BUFFER_FILL, AT(wire_buffer_fill, offset), 2, CL_INVALID_VALUE, false},
	{"fill bytes", WIRE_BUFFER_FILL, AT(wire_buffer_fill, bytes), 63, CL_INVALID_VALUE, false},
	{"fill wraps", WIRE_BUFFER_FILL, AT(wire_buffer_fill, offset), UINT64_MAX - 3, CL_INVALID_VALUE, false},
	{"source", WIRE_BUFFER_COPY, AT(wire_buffer_copy, source), 0, CL_INVALID_MEM_OBJECT, false},
	{"destination", WIRE_BUFFER_COPY, AT(wire_buffer_copy, destination), WIRE_OBJECT_MAX, CL_INVALID_MEM_OBJECT, false},
	{"copy 0", WIRE_BUFFER_COPY, AT(wire_buffer_copy, bytes), 0, CL_INVALID_VALUE, false},
	{"copy wraps", WIRE_BUFFER_COPY, AT(wire_buffer_copy, source_offset), UINT64_MAX - 1, CL_INVALID_VALUE, false},
	{"copy wraps", WIRE_BUFFER_COPY, AT(wire_buffer_copy, destination_offset), UINT64_MAX - 1, CL_INVALID_VALUE, false},
	{"buffer", WIRE_BUFFER_WRITE, AT(wire_buffer_transfer, buffer), 0, CL_INVALID_MEM_OBJECT, false},
	{"range blob", WIRE_BUFFER_WRITE, AT(wire_buffer_transfer, range.blob_id), 77, CL_INVALID_VALUE, false},
	{"range end", WIRE_BUFFER_READ, AT(wire_buffer_transfer, range.bytes), RECORDS_BLOB_BYTES, CL_INVALID_VALUE, false},
	{"range none", WIRE_BUFFER_READ, AT(wire_buffer_transfer, range.bytes), 0, CL_INVALID_VALUE, false},
	{"range wraps", WIRE_BUFFER_READ, AT(wire_buffer_transfer, range.offset), UINT64_MAX - 10, CL_INVALID_VALUE, false},
	{"offset wraps", WIRE_BUFFER_READ, AT(wire_buffer_transfer, offset), UINT64_MAX - 10, CL_INVALID_VALUE, false},
	{"opcode of none", WIRE_MARKER, AT(wire_header, opcode), WIRE_OPCODE_COUNT - 1, CL_INVALID_OPERATION, false},
	{"first", WIRE_PARTITION, AT(wire_partition, first), 0, CL_INVALID_DEVICE, false},
	{"first", WIRE_PARTITION, AT(wire_partition, first), WIRE_SUB_DEVICE_COUNT - 1, CL_INVALID_DEVICE, false},
	{"count", WIRE_PARTITION, AT(wire_partition, count), 0, CL_INVALID_DEVICE, false},
	{"count", WIRE_PARTITION, AT(wire_partition, count), 0xffffffff, CL_INVALID_DEVICE, false},
	{"count", WIRE_PARTITION, AT(wire_partition, count), 4, CL_INVALID_VALUE, false},
	{"kind", WIRE_PARTITION, AT(wire_partition, kind), 3, CL_INVALID_VALUE, false},
	{"units", WIRE_PARTITION, sizeof(struct wire_partition), 4, 0, CL_INVALID_DEVICE_PARTITION_COUNT, false},
	{"units", WIRE_PARTITION, sizeof(struct wire_partition) + 4, 4, 2, CL_INVALID_DEVICE_PARTITION_COUNT, false},
	{"units", WIRE_PARTITION, sizeof(struct wire_partition), 4, 0xffffffff, CL_INVALID_DEVICE_PARTITION_COUNT, false},
	{"id", WIRE_SUB_DEVICE_DESTROY, AT(wire_destroy, id), WIRE_SUB_DEVICE_COUNT, CL_INVALID_DEVICE, false},
	{"queue", WIRE_QUEUE_CREATE_ON, AT(wire_queue_create_on, q.queue), 0, CL_INVALID_COMMAND_QUEUE, false},
	{"sub-device", WIRE_QUEUE_CREATE_ON, AT(wire_queue_create_on, sub_device), 0, CL_INVALID_DEVICE, false},
	{"sub-device", WIRE_QUEUE_CREATE_ON, AT(wire_queue_create_on, sub_device), WIRE_SUB_DEVICE_COUNT, CL_INVALID_DEVICE, false},
	{"room", WIRE_OUTPUT_READ, AT(wire_output_read, range.bytes), sizeof(struct wire_output), CL_INVALID_VALUE, false},
	{"room", WIRE_OUTPUT_READ, AT(wire_output_read, range.bytes), RECORDS_BLOB_BYTES, CL_INVALID_VALUE, false},
	{"alignment", WIRE_OUTPUT_READ, AT(wire_output_read, range.offset), 4, CL_INVALID_VALUE, false},
	{"blob kind", WIRE_OUTPUT_READ, AT(wire_output_read, range.blob_id), WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1), CL_INVALID_VALUE, false},
	{"blob kind", WIRE_BLOB_RELEASE, AT(wire_blob_release, blob_id), WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1), CL_INVALID_VALUE, false},
};

static void every_field_out_of_range_is_refused(void **state)
{
	_Alignas(8) uint8_t record[WIRE_RECORD_MAX_BYTES];
	struct parsed parsed;

	(void)state;
	for (unsigned i = 0; i < sizeof(spoiled) / sizeof(spoiled[0]); i++) {
		const struct spoiled *s = &spoiled[i];
		size_t bytes = records_valid(s->opcode, !s->discrete, record);
		assert_int_equal(parse(record, bytes, !s->discrete, &parsed), 0);
		memcpy(record + s->offset, &s->value, s->bytes);
		int error = parse(record, bytes, !s->discrete, &parsed);
		if (error != s->error)
			fail_msg("row %u, %s of opcode %u: error %d, not %d", i, s->what, s->opcode, error, s->error);
	}
}

static void every_record_cut_short_is_refused(void **state)
{
	_Alignas(8) uint8_t record[WIRE_RECORD_MAX_BYTES];
	struct parsed parsed;

	(void)state;
	for (uint16_t opcode = 1; opcode < WIRE_OPCODE_COUNT; opcode++) {
		size_t bytes = records_valid(opcode, true, record);
		for (size_t cut = sizeof(struct wire_header); cut < bytes; cut += 8)
			if (!parse(record, cut, true, &parsed))
				fail_msg("opcode %u is taken with %zu of %zu bytes", opcode, cut, bytes);
	}
}

static void a_refused_record_still_names_its_slot_and_queue(void **state)
{
	_Alignas(8) uint8_t record[WIRE_RECORD_MAX_BYTES];
	struct parsed parsed;

	(void)state;
	size_t bytes = records_valid(WIRE_NDRANGE, true, record);
	((struct wire_ndrange *)(void *)record)->dimensions = 9;
	assert_int_equal(parse(record, bytes, true, &parsed), CL_INVALID_WORK_DIMENSION);
	assert_int_equal(parsed.slot, 3);
	assert_int_equal(parsed.queue, 1);
	assert_int_equal(parsed.sequence, 10);
	((struct wire_header *)(void *)record)->opcode = 999;
	assert_int_equal(parse(record, bytes, true, &parsed), CL_INVALID_OPERATION);
	assert_int_equal(parsed.slot, WIRE_NO_SLOT);
	assert_int_equal(parsed.queue, 0);
}

static void an_ndrange_is_parsed_as_written(void **state)
{
	_Alignas(8) uint8_t record[WIRE_RECORD_MAX_BYTES];
	const struct parse_limits limits = records_limits(true);
	struct parsed parsed;

	(void)state;
	size_t bytes = records_valid(WIRE_NDRANGE, true, record);
	assert_int_equal(parse_record(record, bytes, &limits, &parsed), 0);
	assert_int_equal(parsed.wait_count, 1);
	assert_int_equal(parsed.waits[0].sequence, 9);
	assert_int_equal(parsed.waits[0].slot, 7);
	assert_int_equal(parsed.ndrange.arg_count, 3);
	assert_int_equal(parsed.ndrange.args[0].object, 5);
	assert_int_equal(parsed.ndrange.args[1].bytes, 12);
	assert_memory_equal(parsed.ndrange.args[1].value, "twelve bytes", 12);
	assert_int_equal((uintptr_t)parsed.ndrange.args[1].value % 8, 0);
	assert_int_equal(parsed.ndrange.args[2].bytes, 256);
	assert_int_equal(parsed.ndrange.global[2], 4);
	assert_int_equal(parsed.ndrange.local[0], 8);
	assert_int_equal(parsed.ndrange.offset[1], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_out_of_range_is_refused),
		cmocka_unit_test(every_record_cut_short_is_refused),
		cmocka_unit_test(a_refused_record_still_names_its_slot_and_queue),
		cmocka_unit_test(an_ndrange_is_parsed_as_written),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
