/* SPDX-License-Identifier: MIT */
#include "tests/mdev/engine/wire_records.h"

#include <string.h>

static uint64_t blob_bytes(void *data, uint64_t blob_id)
{
	(void)data;
	return blob_id == RECORDS_BLOB ? RECORDS_BLOB_BYTES : 0;
}

struct parse_limits records_limits(bool unified)
{
	return (struct parse_limits){
		.mem_align_bytes = 128, .max_alloc_bytes = 32768, .unified = unified, .svm = unified, .blob_bytes = blob_bytes,
		.images = {.width_2d = 64, .height_2d = 32, .width_3d = 16, .height_3d = 8, .depth_3d = 4, .array_size = 8, .buffer_pixels = 512}};
}

static const struct wire_range range = {RECORDS_BLOB, 256, 4096};

static size_t put(void *record, const void *bytes, size_t count)
{
	memcpy(record, bytes, count);
	return count;
}

static size_t ndrange(uint8_t *at)
{
	const struct wire_ndrange r = {
		.q = {.slot = 3, .queue = 1, .wait_count = 1},
		.kernel = 1,
		.dimensions = 3,
		.arg_count = 3,
		.has_local = 1,
		.offset = {1, 2, 3},
		.global = {64, 8, 4},
		.local = {8, 2, 1},
	};
	const struct wire_wait wait = {.sequence = 9, .slot = 7};
	const struct wire_arg buffer = {.kind = WIRE_ARG_BUFFER, .object = 5};
	const struct wire_arg value = {.kind = WIRE_ARG_VALUE, .bytes = 12};
	const struct wire_arg local = {.kind = WIRE_ARG_LOCAL, .bytes = 256};
	size_t used = put(at, &r, sizeof(r));

	used += put(at + used, &wait, sizeof(wait));
	used += put(at + used, &buffer, sizeof(buffer));
	used += put(at + used, &value, sizeof(value));
	used += put(at + used, "twelve bytes\0\0\0", 16);
	used += put(at + used, &local, sizeof(local));
	return used;
}

/* A 2D image of 32x16 pixels of 4 bytes: on a unified device in a blob at pitches of its own. */
static size_t image_create(bool unified, uint8_t *at)
{
	const struct wire_image_create r = {
		.slot = 3,
		.image = 1,
		.flags = CL_MEM_READ_WRITE,
		.type = CL_MEM_OBJECT_IMAGE2D,
		.channel_order = CL_RGBA,
		.channel_type = CL_UNSIGNED_INT8,
		.width = 32,
		.height = 16,
		.row_pitch = unified ? 256 : 0,
		.backing = unified ? range : (struct wire_range){0},
	};

	return put(at, &r, sizeof(r));
}

static size_t image_command(uint16_t opcode, uint8_t *at)
{
	const struct wire_queued q = {.slot = 3, .queue = 1};

	switch (opcode) {
	case WIRE_IMAGE_WRITE:
	case WIRE_IMAGE_READ:
		return put(at,
			   &(struct wire_image_transfer){
				   .q = q, .image = 1, .origin = {1, 2, 0}, .region = {8, 4, 1}, .row_pitch = 32, .range = range},
			   sizeof(struct wire_image_transfer));
	case WIRE_IMAGE_COPY:
		return put(at, &(struct wire_image_copy){.q = q, .source = 1, .destination = 2, .region = {8, 4, 1}},
			   sizeof(struct wire_image_copy));
	case WIRE_IMAGE_FILL:
		return put(at, &(struct wire_image_fill){.q = q, .image = 1, .region = {8, 4, 1}}, sizeof(struct wire_image_fill));
	default:
		return put(at, &(struct wire_image_buffer_copy){.q = q, .image = 1, .buffer = 2, .region = {8, 4, 1}, .offset = 16},
			   sizeof(struct wire_image_buffer_copy));
	}
}

static size_t body(uint16_t opcode, bool unified, uint8_t *at)
{
	const struct wire_queued q = {.slot = 3, .queue = 1};

	switch (opcode) {
	case WIRE_QUEUE_CREATE:
		return put(at, &(struct wire_queue_create){.slot = 3, .queue = 1, .properties = 2},
			   sizeof(struct wire_queue_create));
	case WIRE_QUEUE_DESTROY:
	case WIRE_BUFFER_DESTROY:
	case WIRE_PROGRAM_DESTROY:
	case WIRE_KERNEL_DESTROY:
	case WIRE_SUB_DEVICE_DESTROY:
		return put(at, &(struct wire_destroy){.slot = 3, .id = 1}, sizeof(struct wire_destroy));
	case WIRE_BUFFER_CREATE:
		return put(at,
			   &(struct wire_buffer_create){.slot = 3,
							.buffer = 1,
							.flags = 1,
							.bytes = 4096,
							.backing = unified ? range : (struct wire_range){0}},
			   sizeof(struct wire_buffer_create));
	case WIRE_PROGRAM_BUILD:
		return put(at,
			   &(struct wire_program_build){
				   .slot = 3, .program = 1, .source = range, .options = range, .reply = range},
			   sizeof(struct wire_program_build));
	case WIRE_KERNEL_CREATE:
		put(at, &(struct wire_kernel_create){.slot = 3, .kernel = 1, .program = 1, .name_bytes = 5},
		    sizeof(struct wire_kernel_create));
		put(at + sizeof(struct wire_kernel_create), "saxpy\0\0", 8);
		return sizeof(struct wire_kernel_create) + 8;
	case WIRE_NDRANGE:
		return ndrange(at);
	case WIRE_BUFFER_FILL:
		return put(at, &(struct wire_buffer_fill){.q = q, .buffer = 1, .pattern_bytes = 4, .offset = 8, .bytes = 64},
			   sizeof(struct wire_buffer_fill));
	case WIRE_BUFFER_COPY:
		return put(at, &(struct wire_buffer_copy){.q = q, .source = 1, .destination = 2, .bytes = 64},
			   sizeof(struct wire_buffer_copy));
	case WIRE_BUFFER_WRITE:
	case WIRE_BUFFER_READ:
		return put(at, &(struct wire_buffer_transfer){.q = q, .buffer = 1, .offset = 4, .range = range},
			   sizeof(struct wire_buffer_transfer));
	case WIRE_MARKER:
		return put(at, &q, sizeof(q));
	case WIRE_BLOB_RELEASE:
		return put(at, &(struct wire_blob_release){.slot = 3, .blob_id = RECORDS_BLOB},
			   sizeof(struct wire_blob_release));
	case WIRE_SUB_BUFFER_CREATE:
		return put(at, &(struct wire_sub_buffer_create){.slot = 3, .buffer = 2, .flags = 1, .origin = 128, .bytes = 64, .parent = 1},
			   sizeof(struct wire_sub_buffer_create));
	case WIRE_PARTITION:
		put(at, &(struct wire_partition){.slot = 3, .first = 1, .count = 2, .kind = WIRE_PARTITION_EQUALLY},
		    sizeof(struct wire_partition));
		put(at + sizeof(struct wire_partition), &(uint32_t[2]){1, 1}, 8);
		return sizeof(struct wire_partition) + 8;
	case WIRE_QUEUE_CREATE_ON:
		return put(at, &(struct wire_queue_create_on){.q = {.slot = 3, .queue = 1, .properties = 2}, .sub_device = 2},
			   sizeof(struct wire_queue_create_on));
	case WIRE_OUTPUT_READ:
		return put(at, &(struct wire_output_read){.slot = 3, .range = range}, sizeof(struct wire_output_read));
	case WIRE_IMAGE_CREATE:
		return image_create(unified, at);
	case WIRE_IMAGE_FORMATS:
		return put(at,
			   &(struct wire_image_formats){.slot = 3, .type = CL_MEM_OBJECT_IMAGE2D, .flags = CL_MEM_READ_ONLY, .reply = range},
			   sizeof(struct wire_image_formats));
	case WIRE_SAMPLER_CREATE:
		return put(at,
			   &(struct wire_sampler_create){
				   .slot = 3, .sampler = 1, .normalized = 1, .addressing = CL_ADDRESS_REPEAT, .filter = CL_FILTER_LINEAR},
			   sizeof(struct wire_sampler_create));
	case WIRE_SAMPLER_DESTROY:
		return put(at, &(struct wire_destroy){.slot = 3, .id = 1}, sizeof(struct wire_destroy));
	case WIRE_IMAGE_WRITE:
	case WIRE_IMAGE_READ:
	case WIRE_IMAGE_COPY:
	case WIRE_IMAGE_TO_BUFFER:
	case WIRE_IMAGE_FROM_BUFFER:
	case WIRE_IMAGE_FILL:
		return image_command(opcode, at);
	case WIRE_PROGRAM_COMPILE:
		return put(at,
			   &(struct wire_program_compile){.slot = 3,
							  .program = 1,
							  .makes = WIRE_PROGRAM_OBJECT,
							  .source = range,
							  .options = range,
							  .headers = range,
							  .reply = range,
							  .header_count = 1},
			   sizeof(struct wire_program_compile));
	case WIRE_PROGRAM_LINK:
		put(at, &(struct wire_program_link){.slot = 3, .program = 3, .options = range, .reply = range, .input_count = 2},
		    sizeof(struct wire_program_link));
		put(at + sizeof(struct wire_program_link), (uint32_t[]){1, 2}, 8);
		return sizeof(struct wire_program_link) + 8;
	case WIRE_KERNEL_SUB_GROUPS:
		return put(at,
			   &(struct wire_kernel_sub_groups){
				   .slot = 3, .kernel = 1, .param = 0x2033, .input_count = 3, .reply = {RECORDS_BLOB, 256, 24}},
			   sizeof(struct wire_kernel_sub_groups));
	case WIRE_SVM_MAP:
		return put(at,
			   &(struct wire_svm_map){.slot = 3, .blob_id = RECORDS_BLOB, .address = WIRE_SVM_WINDOW_FIRST + 0x345000},
			   sizeof(struct wire_svm_map));
	default:
		return sizeof(struct wire_header);
	}
}

size_t records_valid(uint16_t opcode, bool unified, void *record)
{
	size_t bytes = body(opcode, unified, record);
	const struct wire_header header = {.opcode = opcode, .bytes = (uint32_t)bytes, .sequence = 10};

	memcpy(record, &header, sizeof(header));
	return bytes;
}
