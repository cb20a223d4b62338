/* SPDX-License-Identifier: MIT */
/* Images on a real vgpu-compute: where they lie, what they are charged, and records that name what is not theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <CL/cl.h>
#include <cmocka.h>

#include "shim/wire/image.h"
#include "tests/mdev/engine/engine_harness.h"

#define WIDTH 32u
#define HEIGHT 16u
#define IMAGE_BYTES (WIDTH * HEIGHT * 4)

static struct wire_image_create image_of(struct harness *h, uint32_t image, uint32_t type)
{
	return (struct wire_image_create){
		.slot = harness_slot(h),
		.image = image,
		.type = type,
		.channel_order = CL_RGBA,
		.channel_type = CL_UNSIGNED_INT8,
		.width = WIDTH,
		.height = type == CL_MEM_OBJECT_IMAGE2D ? HEIGHT : 0,
	};
}

/* In the memory blob, or, with offset UINT64_MAX, the device's own. */
static int32_t image_2d(struct harness *h, uint32_t image, uint64_t offset)
{
	struct wire_image_create r = image_of(h, image, CL_MEM_OBJECT_IMAGE2D);
	struct engine_message m;

	if (offset != UINT64_MAX) {
		r.row_pitch = WIDTH * 4;
		r.backing = (struct wire_range){HARNESS_MEMORY_BLOB, offset, IMAGE_BYTES};
	}
	uint64_t sequence = harness_put(h, WIRE_IMAGE_CREATE, &r, sizeof(r));
	if (offset == UINT64_MAX) {
		assert_true(harness_heard(h, ENGINE_CHARGE, &m, 5000));
		harness_tell(h, ENGINE_CHARGED, 0, 0, 0, m.value);
	}
	return harness_wait(h, r.slot, sequence, 5000);
}

static struct wire_image_transfer move_of(struct harness *h, uint32_t image)
{
	return (struct wire_image_transfer){
		.q = {.slot = harness_slot(h), .queue = HARNESS_QUEUE},
		.image = image,
		.region = {WIDTH, HEIGHT, 1},
		.row_pitch = WIDTH * 4,
		.range = {HARNESS_MEMORY_BLOB, 1 << 20, IMAGE_BYTES},
	};
}

static int32_t put_move(struct harness *h, uint16_t opcode, const struct wire_image_transfer *move)
{
	struct wire_image_transfer r = *move;

	r.q.slot = harness_slot(h);
	uint64_t sequence = harness_put(h, opcode, &r, sizeof(r));
	return harness_wait(h, r.q.slot, sequence, 5000);
}

static void start(struct harness *h, bool discrete)
{
	const struct harness_options options = {.discrete = discrete};
	struct engine_message m;

	harness_start_bare(h, &options);
	harness_tell(h, ENGINE_RING, HARNESS_RING_BLOB, 0, 0, WIRE_VERSION);
	assert_true(harness_heard(h, ENGINE_READY, &m, 20000));
	assert_int_equal(harness_queue(h, HARNESS_QUEUE, 0), 0);
}

/* It keeps serving: an image is written and comes back. */
static void still_right(struct harness *h, uint32_t image)
{
	struct wire_image_transfer move = move_of(h, image);

	for (unsigned i = 0; i < IMAGE_BYTES; i++)
		h->memory[(1 << 20) + i] = (uint8_t)(i * 11);
	assert_int_equal(put_move(h, WIRE_IMAGE_WRITE, &move), 0);
	move.range.offset = 2 << 20;
	assert_int_equal(put_move(h, WIRE_IMAGE_READ, &move), 0);
	assert_memory_equal(h->memory + (2 << 20), h->memory + (1 << 20), IMAGE_BYTES);
}

static void what_lies_outside_of_an_image_is_refused(void **state)
{
	const bool discrete = *state;
	struct harness h;

	start(&h, discrete);
	assert_int_equal(image_2d(&h, 1, discrete ? UINT64_MAX : 0), 0);
	assert_int_equal(image_2d(&h, 2, discrete ? UINT64_MAX : 65536), 0);
	struct wire_buffer_create b = {.slot = harness_slot(&h), .buffer = 3, .bytes = 4096};
	if (!discrete)
		b.backing = (struct wire_range){HARNESS_MEMORY_BLOB, 131072, 4096};
	uint64_t sequence = harness_put(&h, WIRE_BUFFER_CREATE, &b, sizeof(b));
	if (discrete) {
		struct engine_message m;
		assert_true(harness_heard(&h, ENGINE_CHARGE, &m, 5000));
		assert_int_equal(m.value, 2 * IMAGE_BYTES + 4096);
		harness_tell(&h, ENGINE_CHARGED, 0, 0, 0, m.value);
	}
	assert_int_equal(harness_wait(&h, b.slot, sequence, 5000), 0);
	still_right(&h, 1);

	const struct wire_image_transfer right = move_of(&h, 1);
	const struct {
		const char *what;
		size_t offset;
		uint64_t value;
		int32_t error;
	} wrong[] = {
		{"no image", offsetof(struct wire_image_transfer, image), 9, CL_INVALID_MEM_OBJECT},
		{"a buffer", offsetof(struct wire_image_transfer, image), 3, CL_INVALID_MEM_OBJECT},
		{"origin x", offsetof(struct wire_image_transfer, origin[0]), 1, CL_INVALID_VALUE},
		{"origin y", offsetof(struct wire_image_transfer, origin[1]), 1, CL_INVALID_VALUE},
		{"origin z", offsetof(struct wire_image_transfer, origin[2]), 1, CL_INVALID_VALUE},
		{"width", offsetof(struct wire_image_transfer, region[0]), WIDTH + 1, CL_INVALID_VALUE},
		{"height", offsetof(struct wire_image_transfer, region[1]), HEIGHT + 1, CL_INVALID_VALUE},
		{"depth", offsetof(struct wire_image_transfer, region[2]), 2, CL_INVALID_VALUE},
		{"a pitch less than a row", offsetof(struct wire_image_transfer, row_pitch), WIDTH * 4 - 4, CL_INVALID_VALUE},
		{"a pitch that leaves the range", offsetof(struct wire_image_transfer, row_pitch), WIDTH * 4 + 4, CL_INVALID_VALUE},
		{"a pitch that wraps", offsetof(struct wire_image_transfer, row_pitch), UINT64_MAX / 8, CL_INVALID_VALUE},
		{"a slice pitch", offsetof(struct wire_image_transfer, slice_pitch), IMAGE_BYTES, CL_INVALID_VALUE},
		{"a short range", offsetof(struct wire_image_transfer, range.bytes), IMAGE_BYTES - 1, CL_INVALID_VALUE},
	};
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		for (uint16_t opcode = WIRE_IMAGE_WRITE; opcode <= WIRE_IMAGE_READ; opcode++) {
			struct wire_image_transfer move = right;
			memcpy((uint8_t *)&move + wrong[i].offset, &wrong[i].value, i < 2 ? 4 : 8);
			int32_t error = put_move(&h, opcode, &move);
			if (error != wrong[i].error)
				fail_msg("%s: %d, not %d", wrong[i].what, error, wrong[i].error);
		}

	struct wire_image_copy copy = {.q = {.queue = HARNESS_QUEUE}, .source = 1, .destination = 2, .region = {WIDTH, HEIGHT, 1}};
	struct wire_image_buffer_copy across = {.q = {.queue = HARNESS_QUEUE}, .image = 1, .buffer = 3, .region = {WIDTH, HEIGHT, 1}};
	struct wire_image_fill fill = {.q = {.queue = HARNESS_QUEUE}, .image = 1, .region = {WIDTH, HEIGHT, 1}};
#define PUT(opcode, record) (record.q.slot = harness_slot(&h), sequence = harness_put(&h, opcode, &record, sizeof(record)), \
			     harness_wait(&h, record.q.slot, sequence, 5000))
	assert_int_equal(PUT(WIRE_IMAGE_COPY, copy), 0);
	copy.destination_origin[1] = 1;
	assert_int_equal(PUT(WIRE_IMAGE_COPY, copy), CL_INVALID_VALUE);
	copy.destination_origin[1] = 0;
	copy.destination = 1;
	assert_int_equal(PUT(WIRE_IMAGE_COPY, copy), CL_MEM_COPY_OVERLAP);
	copy.destination = 3;
	assert_int_equal(PUT(WIRE_IMAGE_COPY, copy), CL_INVALID_MEM_OBJECT);
	assert_int_equal(PUT(WIRE_IMAGE_TO_BUFFER, across), 0);
	across.offset = 4096 - IMAGE_BYTES + 1;
	assert_int_equal(PUT(WIRE_IMAGE_TO_BUFFER, across), CL_INVALID_VALUE);
	assert_int_equal(PUT(WIRE_IMAGE_FROM_BUFFER, across), CL_INVALID_VALUE);
	across.offset = UINT64_MAX;
	assert_int_equal(PUT(WIRE_IMAGE_FROM_BUFFER, across), CL_INVALID_VALUE);
	across.offset = 0;
	across.buffer = 2;
	assert_int_equal(PUT(WIRE_IMAGE_TO_BUFFER, across), CL_INVALID_MEM_OBJECT);
	assert_int_equal(PUT(WIRE_IMAGE_FILL, fill), 0);
	fill.origin[0] = 1;
	assert_int_equal(PUT(WIRE_IMAGE_FILL, fill), CL_INVALID_VALUE);

	/* What is a buffer's is not an image's. */
	struct wire_buffer_transfer raw = {.q = {.queue = HARNESS_QUEUE}, .buffer = 1, .range = {HARNESS_MEMORY_BLOB, 1 << 20, 64}};
	assert_int_equal(PUT(WIRE_BUFFER_READ, raw), CL_INVALID_MEM_OBJECT);
	assert_int_equal(image_2d(&h, 3, 262144), discrete ? CL_INVALID_HOST_PTR : CL_INVALID_MEM_OBJECT);
	still_right(&h, 1);
	harness_stop(&h);
}

static void an_image_in_a_blob_is_its_bytes_and_goes_with_it(void **state)
{
	struct harness h;
	struct engine_message m;

	(void)state;
	start(&h, false);
	assert_int_equal(image_2d(&h, 1, 4096), 0);
	struct wire_image_transfer move = move_of(&h, 1);
	for (unsigned i = 0; i < IMAGE_BYTES; i++)
		h.memory[4096 + i] = (uint8_t)(i * 3);
	assert_int_equal(put_move(&h, WIRE_IMAGE_READ, &move), 0);
	assert_memory_equal(h.memory + (1 << 20), h.memory + 4096, IMAGE_BYTES);
	harness_tell(&h, ENGINE_UNMAP, HARNESS_MEMORY_BLOB, HARNESS_MEMORY_OFFSET, HARNESS_MEMORY_BYTES, 3);
	assert_true(harness_heard(&h, ENGINE_RELEASED, &m, 5000));
	harness_tell(&h, ENGINE_MAP, HARNESS_MEMORY_BLOB, HARNESS_MEMORY_OFFSET, HARNESS_MEMORY_BYTES, 0);
	harness_tell(&h, ENGINE_RESYNC, 0, 0, 0, ENGINE_PROTOCOL_VERSION);
	assert_true(harness_heard(&h, ENGINE_READY, &m, 5000));
	assert_int_equal(put_move(&h, WIRE_IMAGE_READ, &move), CL_INVALID_MEM_OBJECT);
	harness_stop(&h);
}

/* The buffer's id is free, its memory is not: the image has it, in a blob and on the device. */
static void an_image_keeps_the_memory_of_its_buffer(void **state)
{
	const bool discrete = *state;
	struct harness h;
	struct engine_message m;
	uint64_t sequence;

	start(&h, discrete);
	struct wire_buffer_create b = {.slot = harness_slot(&h), .buffer = 1, .bytes = WIDTH * 4};
	if (!discrete)
		b.backing = (struct wire_range){HARNESS_MEMORY_BLOB, 4096, WIDTH * 4};
	sequence = harness_put(&h, WIRE_BUFFER_CREATE, &b, sizeof(b));
	if (discrete) {
		assert_true(harness_heard(&h, ENGINE_CHARGE, &m, 5000));
		harness_tell(&h, ENGINE_CHARGED, 0, 0, 0, m.value);
	}
	assert_int_equal(harness_wait(&h, b.slot, sequence, 5000), 0);
	struct wire_image_create r = image_of(&h, 2, CL_MEM_OBJECT_IMAGE1D_BUFFER);
	r.buffer = 1;
	sequence = harness_put(&h, WIRE_IMAGE_CREATE, &r, sizeof(r));
	assert_int_equal(harness_wait(&h, r.slot, sequence, 5000), 0);
	r.image = 3;
	r.width = WIDTH + 1;
	r.slot = harness_slot(&h);
	sequence = harness_put(&h, WIRE_IMAGE_CREATE, &r, sizeof(r));
	assert_int_equal(harness_wait(&h, r.slot, sequence, 5000), CL_INVALID_IMAGE_SIZE);
	r.width = WIDTH;
	r.buffer = 2;	/* an image is no buffer */
	r.slot = harness_slot(&h);
	sequence = harness_put(&h, WIRE_IMAGE_CREATE, &r, sizeof(r));
	assert_int_equal(harness_wait(&h, r.slot, sequence, 5000), CL_INVALID_MEM_OBJECT);

	assert_int_equal(harness_destroy(&h, WIRE_BUFFER_DESTROY, 1), 0);
	if (discrete)
		assert_false(harness_heard(&h, ENGINE_CHARGE, &m, 200));
	struct wire_image_fill fill = {.q = {.slot = WIRE_NO_SLOT, .queue = HARNESS_QUEUE}, .image = 2, .color = {5, 0, 0, 0, 6},
				       .origin = {3, 0, 0}, .region = {WIDTH - 3, 1, 1}};
	harness_put(&h, WIRE_IMAGE_FILL, &fill, sizeof(fill));
	struct wire_image_transfer move = move_of(&h, 2);
	move.region[1] = 1;
	move.range.bytes = WIDTH * 4;
	assert_int_equal(put_move(&h, WIRE_IMAGE_READ, &move), 0);
	for (unsigned i = 3; i < WIDTH; i++) {
		assert_int_equal(h.memory[(1 << 20) + i * 4], 5);
		assert_int_equal(h.memory[(1 << 20) + i * 4 + 1], 6);
		assert_int_equal(h.memory[(1 << 20) + i * 4 + 3], 0);
	}
	assert_int_equal(harness_destroy(&h, WIRE_BUFFER_DESTROY, 2), 0);
	if (discrete) {
		assert_true(harness_heard(&h, ENGINE_CHARGE, &m, 5000));
		assert_int_equal(m.value, 0);
	}
	harness_stop(&h);
}

static void a_refused_charge_is_the_apis_error(void **state)
{
	struct harness h;
	struct engine_message m;

	(void)state;
	start(&h, true);
	struct wire_image_create r = image_of(&h, 1, CL_MEM_OBJECT_IMAGE2D);
	uint64_t sequence = harness_put(&h, WIRE_IMAGE_CREATE, &r, sizeof(r));
	assert_true(harness_heard(&h, ENGINE_CHARGE, &m, 5000));
	assert_int_equal(m.value, IMAGE_BYTES);
	harness_tell(&h, ENGINE_CHARGED, 0, 0, 0, 0);
	assert_int_equal(harness_wait(&h, r.slot, sequence, 5000), CL_MEM_OBJECT_ALLOCATION_FAILURE);
	assert_int_equal(image_2d(&h, 1, UINT64_MAX), 0);
	still_right(&h, 1);
	harness_stop(&h);
}

static void arguments_name_living_images_and_samplers(void **state)
{
	static const char source[] = "kernel void f(read_only image2d_t in, sampler_t s, global uint4 *out)\n"
				     "{ out[0] = read_imageui(in, s, (int2)(3, 2)); }\n";
	struct harness h;
	struct harness_launch l;
	uint64_t sequence;

	(void)state;
	start(&h, false);
	assert_int_equal(image_2d(&h, 1, 0), 0);
	assert_int_equal(harness_buffer(&h, 2, 65536, 4096), 0);
	assert_int_equal(harness_build(&h, 1, source, "", NULL), 0);
	assert_int_equal(harness_kernel(&h, 1, 1, "f"), 0);
	struct wire_sampler_create s = {.slot = harness_slot(&h), .sampler = 4, .addressing = CL_ADDRESS_CLAMP, .filter = CL_FILTER_NEAREST};
	sequence = harness_put(&h, WIRE_SAMPLER_CREATE, &s, sizeof(s));
	assert_int_equal(harness_wait(&h, s.slot, sequence, 5000), 0);
	h.memory[2 * WIDTH * 4 + 3 * 4] = 77;
	static const struct {
		uint32_t image_kind, image, sampler_kind, sampler;
		int32_t error;
	} rows[] = {
		{WIRE_ARG_IMAGE, 1, WIRE_ARG_SAMPLER, 4, 0},
		{WIRE_ARG_IMAGE, 2, WIRE_ARG_SAMPLER, 4, CL_INVALID_MEM_OBJECT},
		{WIRE_ARG_IMAGE, 7, WIRE_ARG_SAMPLER, 4, CL_INVALID_MEM_OBJECT},
		{WIRE_ARG_BUFFER, 2, WIRE_ARG_SAMPLER, 4, CL_INVALID_ARG_VALUE},
		{WIRE_ARG_IMAGE, 1, WIRE_ARG_SAMPLER, 5, CL_INVALID_SAMPLER},
		{WIRE_ARG_IMAGE, 1, WIRE_ARG_IMAGE, 1, CL_INVALID_ARG_VALUE},
		{WIRE_ARG_IMAGE, 1, WIRE_ARG_SAMPLER, 4, 0},
	};
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct wire_arg args[2] = {{.kind = rows[i].image_kind, .object = rows[i].image},
						 {.kind = rows[i].sampler_kind, .object = rows[i].sampler}};
		uint32_t slot = harness_slot(&h);

		memset(h.memory + 65536, 0, 16);
		harness_launch_begin(&l, HARNESS_QUEUE, 1, slot, 1, 1);
		for (int a = 0; a < 2; a++) {
			memcpy(l.bytes + l.used, &args[a], sizeof(args[a]));
			l.used += sizeof(args[a]);
			((struct wire_ndrange *)(void *)l.bytes)->arg_count++;
		}
		harness_launch_buffer(&l, 2);
		sequence = harness_launch_put(&h, &l);
		assert_int_equal(harness_wait(&h, slot, sequence, 20000), rows[i].error);
		assert_int_equal(h.memory[65536], rows[i].error ? 0 : 77);
	}
	/* The same ids, other objects: what was set before is not what is meant. */
	assert_int_equal(harness_destroy(&h, WIRE_SAMPLER_DESTROY, 4), 0);
	assert_int_equal(harness_destroy(&h, WIRE_SAMPLER_DESTROY, 4), CL_INVALID_SAMPLER);
	assert_int_equal(harness_destroy(&h, WIRE_BUFFER_DESTROY, 1), 0);
	assert_int_equal(image_2d(&h, 1, 131072), 0);
	h.memory[131072 + 2 * WIDTH * 4 + 3 * 4] = 78;
	s.slot = harness_slot(&h);
	sequence = harness_put(&h, WIRE_SAMPLER_CREATE, &s, sizeof(s));
	assert_int_equal(harness_wait(&h, s.slot, sequence, 5000), 0);
	uint32_t slot = harness_slot(&h);
	const struct wire_arg args[2] = {{.kind = WIRE_ARG_IMAGE, .object = 1}, {.kind = WIRE_ARG_SAMPLER, .object = 4}};
	harness_launch_begin(&l, HARNESS_QUEUE, 1, slot, 1, 1);
	memcpy(l.bytes + l.used, args, sizeof(args));
	l.used += sizeof(args);
	((struct wire_ndrange *)(void *)l.bytes)->arg_count += 2;
	harness_launch_buffer(&l, 2);
	sequence = harness_launch_put(&h, &l);
	assert_int_equal(harness_wait(&h, slot, sequence, 20000), 0);
	assert_int_equal(h.memory[65536], 78);
	harness_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(what_lies_outside_of_an_image_is_refused, NULL),
		{"what_lies_outside_of_an_image_is_refused_on_a_discrete_device", what_lies_outside_of_an_image_is_refused, NULL, NULL, (void *)1},
		cmocka_unit_test(an_image_in_a_blob_is_its_bytes_and_goes_with_it),
		cmocka_unit_test_prestate(an_image_keeps_the_memory_of_its_buffer, NULL),
		{"an_image_keeps_the_memory_of_its_buffer_on_a_discrete_device", an_image_keeps_the_memory_of_its_buffer, NULL, NULL, (void *)1},
		cmocka_unit_test(a_refused_charge_is_the_apis_error),
		cmocka_unit_test(arguments_name_living_images_and_samplers),
	};

	return cmocka_run_group_tests_name("engine images", tests, NULL, NULL);
}
