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
	{"opcode unassigned", WIRE_MARKER, AT(wire_header, opcode), WIRE_OPCODE_COUNT - 1, CL_INVALID_OPERATION, false},
	{"svm blob", WIRE_SVM_MAP, AT(wire_svm_map, blob_id), RECORDS_BLOB + 1, CL_INVALID_MEM_OBJECT, false},
	{"svm of the ring", WIRE_SVM_MAP, AT(wire_svm_map, blob_id), WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 3), CL_INVALID_MEM_OBJECT, false},
	{"svm address 0", WIRE_SVM_MAP, AT(wire_svm_map, address), 0, CL_INVALID_VALUE, false},
	{"svm address below", WIRE_SVM_MAP, AT(wire_svm_map, address), WIRE_SVM_WINDOW_FIRST - 4096, CL_INVALID_VALUE, false},
	{"svm address beyond", WIRE_SVM_MAP, AT(wire_svm_map, address), WIRE_SVM_WINDOW_END, CL_INVALID_VALUE, false},
	{"svm address in the kernel", WIRE_SVM_MAP, AT(wire_svm_map, address), 0xffff800000000000u, CL_INVALID_VALUE, false},
	{"svm address not a page's", WIRE_SVM_MAP, AT(wire_svm_map, address), WIRE_SVM_WINDOW_FIRST + 8, CL_INVALID_VALUE, false},
	{"opcode", WIRE_MARKER, AT(wire_header, opcode), 0xffff, CL_INVALID_OPERATION, false},
	{"opcode between", WIRE_MARKER, AT(wire_header, opcode), WIRE_OPCODE_COUNT - 1, CL_INVALID_OPERATION, false},
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
	{"arg kind", WIRE_NDRANGE, ARGS_AT, 4, 99, CL_INVALID_ARG_VALUE, false},
	{"arg address in no window", WIRE_NDRANGE, ARGS_AT, 4, WIRE_ARG_SVM, CL_INVALID_ARG_VALUE, false},
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
	{"buffer", WIRE_SUB_BUFFER_CREATE, AT(wire_sub_buffer_create, buffer), 0, CL_INVALID_MEM_OBJECT, false},
	{"parent", WIRE_SUB_BUFFER_CREATE, AT(wire_sub_buffer_create, parent), WIRE_OBJECT_MAX, CL_INVALID_MEM_OBJECT, false},
	{"flags", WIRE_SUB_BUFFER_CREATE, AT(wire_sub_buffer_create, flags), CL_MEM_USE_HOST_PTR, CL_INVALID_VALUE, false},
	{"bytes", WIRE_SUB_BUFFER_CREATE, AT(wire_sub_buffer_create, bytes), 0, CL_INVALID_BUFFER_SIZE, false},
	{"bytes wrap", WIRE_SUB_BUFFER_CREATE, AT(wire_sub_buffer_create, bytes), UINT64_MAX, CL_INVALID_BUFFER_SIZE, false},
	{"origin", WIRE_SUB_BUFFER_CREATE, AT(wire_sub_buffer_create, origin), 64, CL_MISALIGNED_SUB_BUFFER_OFFSET, false},
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
	{"an opcode in between", WIRE_MARKER, AT(wire_header, opcode), 30, CL_INVALID_OPERATION, false},
	{"image", WIRE_IMAGE_CREATE, AT(wire_image_create, image), 0, CL_INVALID_MEM_OBJECT, false},
	{"image", WIRE_IMAGE_CREATE, AT(wire_image_create, image), WIRE_OBJECT_MAX, CL_INVALID_MEM_OBJECT, false},
	{"flags USE_HOST_PTR", WIRE_IMAGE_CREATE, AT(wire_image_create, flags), CL_MEM_USE_HOST_PTR, CL_INVALID_VALUE, false},
	{"flags READ_AND_WRITE", WIRE_IMAGE_CREATE, AT(wire_image_create, flags), CL_MEM_KERNEL_READ_AND_WRITE, CL_INVALID_VALUE, false},
	{"flags two accesses", WIRE_IMAGE_CREATE, AT(wire_image_create, flags), CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY, CL_INVALID_VALUE, false},
	{"order", WIRE_IMAGE_CREATE, AT(wire_image_create, channel_order), 0, CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, false},
	{"order RGB", WIRE_IMAGE_CREATE, AT(wire_image_create, channel_order), CL_RGB, CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, false},
	{"channel type", WIRE_IMAGE_CREATE, AT(wire_image_create, channel_type), 0xffffffff, CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, false},
	{"type of a buffer", WIRE_IMAGE_CREATE, AT(wire_image_create, type), CL_MEM_OBJECT_BUFFER, CL_INVALID_IMAGE_DESCRIPTOR, false},
	{"type 3D without depth", WIRE_IMAGE_CREATE, AT(wire_image_create, type), CL_MEM_OBJECT_IMAGE3D, CL_INVALID_IMAGE_SIZE, false},
	{"type 1D with height", WIRE_IMAGE_CREATE, AT(wire_image_create, type), CL_MEM_OBJECT_IMAGE1D, CL_INVALID_IMAGE_SIZE, false},
	{"width 0", WIRE_IMAGE_CREATE, AT(wire_image_create, width), 0, CL_INVALID_IMAGE_SIZE, false},
	{"width", WIRE_IMAGE_CREATE, AT(wire_image_create, width), 65, CL_INVALID_IMAGE_SIZE, false},
	{"width wraps", WIRE_IMAGE_CREATE, AT(wire_image_create, width), UINT64_MAX, CL_INVALID_IMAGE_SIZE, false},
	{"width beyond the pitch", WIRE_IMAGE_CREATE, AT(wire_image_create, row_pitch), 124, CL_INVALID_IMAGE_DESCRIPTOR, false},
	{"height 0", WIRE_IMAGE_CREATE, AT(wire_image_create, height), 0, CL_INVALID_IMAGE_SIZE, false},
	{"height", WIRE_IMAGE_CREATE, AT(wire_image_create, height), 33, CL_INVALID_IMAGE_SIZE, false},
	{"height beyond the backing", WIRE_IMAGE_CREATE, AT(wire_image_create, height), 17, CL_INVALID_HOST_PTR, false},
	{"depth of a 2D one", WIRE_IMAGE_CREATE, AT(wire_image_create, depth), 1, CL_INVALID_IMAGE_SIZE, false},
	{"array of a 2D one", WIRE_IMAGE_CREATE, AT(wire_image_create, array_size), 1, CL_INVALID_IMAGE_SIZE, false},
	{"row pitch of no pixels", WIRE_IMAGE_CREATE, AT(wire_image_create, row_pitch), 258, CL_INVALID_IMAGE_DESCRIPTOR, false},
	{"row pitch wraps", WIRE_IMAGE_CREATE, AT(wire_image_create, row_pitch), UINT64_MAX - 3, CL_INVALID_IMAGE_DESCRIPTOR, false},
	{"slice pitch of a 2D one", WIRE_IMAGE_CREATE, AT(wire_image_create, slice_pitch), 4096, CL_INVALID_IMAGE_DESCRIPTOR, false},
	{"row pitch of the device's own", WIRE_IMAGE_CREATE, AT(wire_image_create, row_pitch), 256, CL_INVALID_IMAGE_DESCRIPTOR, true},
	{"in a buffer, too", WIRE_IMAGE_CREATE, AT(wire_image_create, buffer), 2, CL_INVALID_HOST_PTR, false},
	{"buffer", WIRE_IMAGE_CREATE, AT(wire_image_create, buffer), WIRE_OBJECT_MAX, CL_INVALID_MEM_OBJECT, true},
	{"in a buffer without a pitch", WIRE_IMAGE_CREATE, AT(wire_image_create, buffer), 2, CL_INVALID_IMAGE_DESCRIPTOR, true},
	{"backing none", WIRE_IMAGE_CREATE, AT(wire_image_create, backing.bytes), 0, CL_INVALID_HOST_PTR, false},
	{"backing short", WIRE_IMAGE_CREATE, AT(wire_image_create, backing.bytes), 4095, CL_INVALID_HOST_PTR, false},
	{"backing wraps", WIRE_IMAGE_CREATE, AT(wire_image_create, backing.offset), UINT64_MAX - 127, CL_INVALID_HOST_PTR, false},
	{"backing end", WIRE_IMAGE_CREATE, AT(wire_image_create, backing.offset), RECORDS_BLOB_BYTES - 4096 + 128, CL_INVALID_HOST_PTR, false},
	{"backing align", WIRE_IMAGE_CREATE, AT(wire_image_create, backing.offset), 64, CL_MISALIGNED_SUB_BUFFER_OFFSET, false},
	{"backing in the ring", WIRE_IMAGE_CREATE, AT(wire_image_create, backing.blob_id), WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 3), CL_INVALID_HOST_PTR, false},
	{"backing on a discrete device", WIRE_IMAGE_CREATE, AT(wire_image_create, backing.blob_id), RECORDS_BLOB, CL_INVALID_HOST_PTR, true},
	{"formats' type", WIRE_IMAGE_FORMATS, AT(wire_image_formats, type), CL_MEM_OBJECT_BUFFER, CL_INVALID_VALUE, false},
	{"formats' flags", WIRE_IMAGE_FORMATS, AT(wire_image_formats, flags), CL_MEM_USE_HOST_PTR, CL_INVALID_VALUE, false},
	{"formats' flags", WIRE_IMAGE_FORMATS, AT(wire_image_formats, flags), 0, CL_INVALID_VALUE, false},
	{"formats' reply none", WIRE_IMAGE_FORMATS, AT(wire_image_formats, reply.bytes), 0, CL_INVALID_VALUE, false},
	{"formats' reply end", WIRE_IMAGE_FORMATS, AT(wire_image_formats, reply.bytes), RECORDS_BLOB_BYTES, CL_INVALID_VALUE, false},
	{"formats' reply align", WIRE_IMAGE_FORMATS, AT(wire_image_formats, reply.offset), 260, CL_INVALID_VALUE, false},
	{"sampler", WIRE_SAMPLER_CREATE, AT(wire_sampler_create, sampler), 0, CL_INVALID_SAMPLER, false},
	{"sampler", WIRE_SAMPLER_CREATE, AT(wire_sampler_create, sampler), WIRE_OBJECT_MAX, CL_INVALID_SAMPLER, false},
	{"normalized", WIRE_SAMPLER_CREATE, AT(wire_sampler_create, normalized), 2, CL_INVALID_VALUE, false},
	{"addressing", WIRE_SAMPLER_CREATE, AT(wire_sampler_create, addressing), CL_ADDRESS_NONE - 1, CL_INVALID_VALUE, false},
	{"addressing", WIRE_SAMPLER_CREATE, AT(wire_sampler_create, addressing), CL_ADDRESS_MIRRORED_REPEAT + 1, CL_INVALID_VALUE, false},
	{"filter", WIRE_SAMPLER_CREATE, AT(wire_sampler_create, filter), CL_FILTER_LINEAR + 1, CL_INVALID_VALUE, false},
	{"id", WIRE_SAMPLER_DESTROY, AT(wire_destroy, id), 0, CL_INVALID_SAMPLER, false},
	{"id", WIRE_SAMPLER_DESTROY, AT(wire_destroy, id), WIRE_OBJECT_MAX, CL_INVALID_SAMPLER, false},
	{"image", WIRE_IMAGE_WRITE, AT(wire_image_transfer, image), 0, CL_INVALID_MEM_OBJECT, false},
	{"queue", WIRE_IMAGE_WRITE, AT(wire_image_transfer, q.queue), 0, CL_INVALID_COMMAND_QUEUE, false},
	{"region empty", WIRE_IMAGE_WRITE, AT(wire_image_transfer, region[2]), 0, CL_INVALID_VALUE, false},
	{"region wraps", WIRE_IMAGE_WRITE, AT(wire_image_transfer, region[0]), UINT64_MAX, CL_INVALID_VALUE, false},
	{"row pitch 0", WIRE_IMAGE_READ, AT(wire_image_transfer, row_pitch), 0, CL_INVALID_VALUE, false},
	{"range end", WIRE_IMAGE_READ, AT(wire_image_transfer, range.bytes), RECORDS_BLOB_BYTES, CL_INVALID_VALUE, false},
	{"range none", WIRE_IMAGE_READ, AT(wire_image_transfer, range.bytes), 0, CL_INVALID_VALUE, false},
	{"range blob", WIRE_IMAGE_READ, AT(wire_image_transfer, range.blob_id), 77, CL_INVALID_VALUE, false},
	{"source", WIRE_IMAGE_COPY, AT(wire_image_copy, source), 0, CL_INVALID_MEM_OBJECT, false},
	{"destination", WIRE_IMAGE_COPY, AT(wire_image_copy, destination), WIRE_OBJECT_MAX, CL_INVALID_MEM_OBJECT, false},
	{"source wraps", WIRE_IMAGE_COPY, AT(wire_image_copy, source_origin[1]), UINT64_MAX, CL_INVALID_VALUE, false},
	{"destination wraps", WIRE_IMAGE_COPY, AT(wire_image_copy, destination_origin[0]), UINT64_MAX - 6, CL_INVALID_VALUE, false},
	{"region empty", WIRE_IMAGE_COPY, AT(wire_image_copy, region[0]), 0, CL_INVALID_VALUE, false},
	{"image", WIRE_IMAGE_TO_BUFFER, AT(wire_image_buffer_copy, image), 0, CL_INVALID_MEM_OBJECT, false},
	{"buffer", WIRE_IMAGE_FROM_BUFFER, AT(wire_image_buffer_copy, buffer), WIRE_OBJECT_MAX, CL_INVALID_MEM_OBJECT, false},
	{"origin wraps", WIRE_IMAGE_FROM_BUFFER, AT(wire_image_buffer_copy, origin[2]), UINT64_MAX, CL_INVALID_VALUE, false},
	{"image", WIRE_IMAGE_FILL, AT(wire_image_fill, image), WIRE_OBJECT_MAX, CL_INVALID_MEM_OBJECT, false},
	{"region empty", WIRE_IMAGE_FILL, AT(wire_image_fill, region[1]), 0, CL_INVALID_VALUE, false},
	{"region wraps", WIRE_IMAGE_FILL, AT(wire_image_fill, origin[1]), UINT64_MAX - 3, CL_INVALID_VALUE, false},
	{"program", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, program), 0, CL_INVALID_PROGRAM, false},
	{"program", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, program), WIRE_OBJECT_MAX, CL_INVALID_PROGRAM, false},
	{"makes", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, makes), 2, CL_INVALID_VALUE, false},
	{"makes what headers do not serve", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, makes), WIRE_PROGRAM_EXECUTABLE, CL_INVALID_VALUE, false},
	{"language", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, language), 2, CL_INVALID_VALUE, false},
	{"language with headers", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, language), WIRE_LANGUAGE_IL, CL_INVALID_VALUE, false},
	{"source none", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, source.bytes), 0, CL_INVALID_VALUE, false},
	{"source end", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, source.bytes), RECORDS_BLOB_BYTES - 255, CL_INVALID_VALUE, false},
	{"options wrap", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, options.offset), UINT64_MAX, CL_INVALID_COMPILER_OPTIONS, false},
	{"headers none", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, headers.bytes), 0, CL_INVALID_VALUE, false},
	{"headers end", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, headers.offset), RECORDS_BLOB_BYTES - 8, CL_INVALID_VALUE, false},
	{"headers too many", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, header_count), WIRE_HEADER_MAX + 1, CL_INVALID_VALUE, false},
	{"headers without a count", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, header_count), 0, CL_INVALID_VALUE, false},
	{"constants of C", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, constant_count), 1, CL_INVALID_VALUE, false},
	{"reply short", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, reply.bytes), sizeof(struct wire_build_reply) - 1, CL_INVALID_VALUE, false},
	{"reply align", WIRE_PROGRAM_COMPILE, AT(wire_program_compile, reply.offset), 260, CL_INVALID_VALUE, false},
	{"program", WIRE_PROGRAM_LINK, AT(wire_program_link, program), 0, CL_INVALID_PROGRAM, false},
	{"options end", WIRE_PROGRAM_LINK, AT(wire_program_link, options.bytes), RECORDS_BLOB_BYTES, CL_INVALID_LINKER_OPTIONS, false},
	{"reply none", WIRE_PROGRAM_LINK, AT(wire_program_link, reply.bytes), 0, CL_INVALID_VALUE, false},
	{"inputs none", WIRE_PROGRAM_LINK, AT(wire_program_link, input_count), 0, CL_INVALID_VALUE, false},
	{"inputs beyond", WIRE_PROGRAM_LINK, AT(wire_program_link, input_count), 5, CL_INVALID_VALUE, false},
	{"inputs too many", WIRE_PROGRAM_LINK, AT(wire_program_link, input_count), 0xffffffff, CL_INVALID_VALUE, false},
	{"input 0", WIRE_PROGRAM_LINK, sizeof(struct wire_program_link) + 4, 4, 0, CL_INVALID_PROGRAM, false},
	{"input", WIRE_PROGRAM_LINK, sizeof(struct wire_program_link), 4, WIRE_OBJECT_MAX, CL_INVALID_PROGRAM, false},
	{"kernel", WIRE_KERNEL_SUB_GROUPS, AT(wire_kernel_sub_groups, kernel), 0, CL_INVALID_KERNEL, false},
	{"inputs", WIRE_KERNEL_SUB_GROUPS, AT(wire_kernel_sub_groups, input_count), 4, CL_INVALID_VALUE, false},
	{"reply short", WIRE_KERNEL_SUB_GROUPS, AT(wire_kernel_sub_groups, reply.bytes), 7, CL_INVALID_VALUE, false},
	{"reply long", WIRE_KERNEL_SUB_GROUPS, AT(wire_kernel_sub_groups, reply.bytes), 25, CL_INVALID_VALUE, false},
	{"reply align", WIRE_KERNEL_SUB_GROUPS, AT(wire_kernel_sub_groups, reply.offset), 257, CL_INVALID_VALUE, false},
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

static void image_arguments_name_their_objects(void **state)
{
	_Alignas(8) uint8_t record[WIRE_RECORD_MAX_BYTES];
	static const struct {
		uint32_t kind, object;
		int error;
	} rows[] = {
		{WIRE_ARG_IMAGE, 5, 0},
		{WIRE_ARG_IMAGE, 0, CL_INVALID_MEM_OBJECT},
		{WIRE_ARG_IMAGE, WIRE_OBJECT_MAX, CL_INVALID_MEM_OBJECT},
		{WIRE_ARG_SAMPLER, 5, 0},
		{WIRE_ARG_SAMPLER, 0, CL_INVALID_SAMPLER},
		{WIRE_ARG_SAMPLER, WIRE_OBJECT_MAX, CL_INVALID_SAMPLER},
	};
	struct parsed parsed;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct wire_arg arg = {.kind = rows[i].kind, .object = rows[i].object};
		size_t bytes = records_valid(WIRE_NDRANGE, true, record);
		memcpy(record + ARGS_AT, &arg, sizeof(arg));
		assert_int_equal(parse(record, bytes, true, &parsed), rows[i].error);
	}
}

/* Of every type: what it takes at its pitches is what its backing must be, and a device without images takes none. */
static void an_images_backing_is_just_its_rows(void **state)
{
	_Alignas(8) uint8_t record[WIRE_RECORD_MAX_BYTES];
	static const struct {
		uint32_t type;
		uint64_t height, depth, array_size, slice_pitch, bytes;
	} rows[] = {
		{CL_MEM_OBJECT_IMAGE1D, 0, 0, 0, 0, 256},
		{CL_MEM_OBJECT_IMAGE1D_ARRAY, 0, 0, 5, 512, 2560},
		{CL_MEM_OBJECT_IMAGE2D, 7, 0, 0, 0, 1792},
		{CL_MEM_OBJECT_IMAGE2D_ARRAY, 3, 0, 5, 1024, 5120},
		{CL_MEM_OBJECT_IMAGE3D, 3, 4, 0, 768, 3072},
	};
	struct wire_image_create *r = (void *)record;
	struct parsed parsed;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t bytes = records_valid(WIRE_IMAGE_CREATE, true, record);
		r->type = rows[i].type;
		r->width = 16;
		r->height = rows[i].height;
		r->depth = rows[i].depth;
		r->array_size = rows[i].array_size;
		r->slice_pitch = rows[i].slice_pitch;
		for (int more = -1; more <= 1; more++) {
			r->backing.bytes = rows[i].bytes + (uint64_t)more;
			assert_int_equal(parse(record, bytes, true, &parsed), more ? CL_INVALID_HOST_PTR : 0);
		}
		r->backing.bytes = rows[i].bytes;
		if (rows[i].slice_pitch) {
			r->slice_pitch -= 4;
			assert_int_equal(parse(record, bytes, true, &parsed), CL_INVALID_IMAGE_DESCRIPTOR);
		}
	}
	struct parse_limits limits = records_limits(true);
	limits.images = (struct parse_image_limits){0};
	size_t bytes = records_valid(WIRE_IMAGE_CREATE, true, record);
	assert_int_equal(parse_record(record, bytes, &limits, &parsed), CL_INVALID_OPERATION);
}

static void constants_of_intermediate_language_are_parsed(void **state)
{
	struct {
		struct wire_program_compile r;
		struct wire_constant constants[2];
	} record;
	const struct parse_limits limits = records_limits(true);
	struct parsed parsed;

	(void)state;
	records_valid(WIRE_PROGRAM_COMPILE, true, &record);
	record.r.h.bytes = sizeof(record);
	record.r.makes = WIRE_PROGRAM_EXECUTABLE;
	record.r.language = WIRE_LANGUAGE_IL;
	record.r.headers = (struct wire_range){0};
	record.r.header_count = 0;
	record.r.constant_count = 2;
	record.constants[0] = (struct wire_constant){.id = 5, .bytes = 4, .value = {44}};
	record.constants[1] = (struct wire_constant){.id = 0, .bytes = 1, .value = {1}};
	assert_int_equal(parse_record(&record, sizeof(record), &limits, &parsed), 0);
	assert_true(parsed.program_compile.il && parsed.program_compile.executable);
	assert_int_equal(parsed.program_compile.constants[0].value[0], 44);
	assert_int_equal(parsed.program_compile.constants[1].bytes, 1);
	for (uint32_t bytes = 0; bytes < 12; bytes++) {
		record.constants[1].bytes = bytes;
		bool fits = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
		assert_int_equal(parse(&record, sizeof(record), true, &parsed), fits ? 0 : CL_INVALID_VALUE);
	}
	record.constants[1].bytes = 8;
	record.r.constant_count = 3;
	assert_int_equal(parse(&record, sizeof(record), true, &parsed), CL_INVALID_VALUE);
	record.r.constant_count = WIRE_CONSTANT_MAX + 1;
	assert_int_equal(parse(&record, sizeof(record), true, &parsed), CL_INVALID_VALUE);
}

static void addresses_need_a_device_that_takes_them(void **state)
{
	_Alignas(8) uint8_t record[WIRE_RECORD_MAX_BYTES];
	struct parse_limits limits = records_limits(true);
	struct parsed parsed;

	(void)state;
	for (int svm = 0; svm < 2; svm++) {
		limits.svm = svm;
		size_t bytes = records_valid(WIRE_SVM_MAP, true, record);
		assert_int_equal(parse_record(record, bytes, &limits, &parsed), svm ? 0 : CL_INVALID_OPERATION);
		bytes = records_valid(WIRE_NDRANGE, true, record);
		struct wire_arg arg = {.kind = WIRE_ARG_SVM, .object = 0x12345678, .high = WIRE_SVM_WINDOW_FIRST >> 32};
		memcpy(record + ARGS_AT, &arg, sizeof(arg));
		assert_int_equal(parse_record(record, bytes, &limits, &parsed), svm ? 0 : CL_INVALID_ARG_VALUE);
		if (svm)
			assert_int_equal(parsed.ndrange.args[0].address, WIRE_SVM_WINDOW_FIRST + 0x12345678);
		arg = (struct wire_arg){.kind = WIRE_ARG_SVM};
		memcpy(record + ARGS_AT, &arg, sizeof(arg));
		assert_int_equal(parse_record(record, bytes, &limits, &parsed), svm ? 0 : CL_INVALID_ARG_VALUE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_need_a_device_that_takes_them),
		cmocka_unit_test(every_field_out_of_range_is_refused),
		cmocka_unit_test(every_record_cut_short_is_refused),
		cmocka_unit_test(a_refused_record_still_names_its_slot_and_queue),
		cmocka_unit_test(an_ndrange_is_parsed_as_written),
		cmocka_unit_test(image_arguments_name_their_objects),
		cmocka_unit_test(an_images_backing_is_just_its_rows),
		cmocka_unit_test(constants_of_intermediate_language_are_parsed),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
