/* SPDX-License-Identifier: MIT */
/* Images and samplers in the shim: what needs an engine that can be held, lost or full. Their results: `vgpu-guest-test images`. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/shim/opencl/fixture.h"

static const cl_image_format rgba = { CL_RGBA, CL_UNSIGNED_INT8 };
static const size_t zero[3];

static cl_mem image_2d(struct world *world, cl_mem_flags flags, size_t width, size_t height, void *host_ptr)
{
	const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = width, .image_height = height };
	cl_int error;
	cl_mem image = clCreateImage(world->context, flags, &rgba, &desc, host_ptr, &error);

	assert_cl(error);
	return image;
}

static cl_kernel invert_make(struct world *world, cl_program *ret_program)
{
	const char *source = "invert";
	cl_int error;
	cl_kernel kernel;

	*ret_program = clCreateProgramWithSource(world->context, 1, &source, NULL, &error);
	assert_cl(error);
	assert_cl(clBuildProgram(*ret_program, 0, NULL, NULL, NULL, NULL));
	kernel = clCreateKernel(*ret_program, "invert", &error);
	assert_cl(error);
	return kernel;
}

static void wait_gone(const uint32_t *count)
{
	for (int i = 0; i < 5000 && __atomic_load_n(count, __ATOMIC_SEQ_CST); i++)
		usleep(1000);
	assert_int_equal(__atomic_load_n(count, __ATOMIC_SEQ_CST), 0);
}

static void formats_are_asked_for_once_and_only_those_that_can_be_carried(void **state)
{
	cl_image_format formats[4] = { 0 };
	struct world world;
	cl_uint count = 0;
	uint32_t asked;
	cl_bool flag;

	(void)state;
	world_make(&world);
	assert_cl(clGetDeviceInfo(device, CL_DEVICE_IMAGE_SUPPORT, sizeof(flag), &flag, NULL));
	assert_int_equal(flag, CL_TRUE);
	assert_cl(clGetSupportedImageFormats(world.context, CL_MEM_READ_ONLY, CL_MEM_OBJECT_IMAGE2D, 4, formats, &count));
	assert_int_equal(count, 599);	/* of 600, one of which nobody knows */
	assert_int_equal(formats[1].image_channel_order, CL_R);
	assert_int_equal(formats[2].image_channel_data_type, CL_FLOAT);
	asked = GET(format_questions);
	assert_true(asked > 0);
	assert_cl(clGetSupportedImageFormats(world.context, CL_MEM_READ_ONLY, CL_MEM_OBJECT_IMAGE2D, 0, NULL, &count));
	assert_int_equal(GET(format_questions), asked);
	assert_int_equal(clGetSupportedImageFormats(world.context, CL_MEM_READ_ONLY, CL_MEM_OBJECT_BUFFER, 0, NULL, &count), CL_INVALID_VALUE);
	assert_int_equal(clGetSupportedImageFormats(world.context, CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY, CL_MEM_OBJECT_IMAGE2D, 0, NULL, &count),
			 CL_INVALID_VALUE);
	assert_int_equal(clGetSupportedImageFormats(world.context, 0, CL_MEM_OBJECT_IMAGE2D, 0, formats, &count), CL_INVALID_VALUE);
	world_end(&world);
}

/* 8x4 pixels in rows of 10: what lies between is not touched, in either direction. */
static void moves_keep_their_places_behind_a_user_event(void **state)
{
	const size_t region[3] = { 8, 4, 1 }, origin[3] = { 2, 1, 0 };
	uint8_t written[4][40], read[4][40], again[4][40];
	struct world world;
	cl_event gate, events[2];
	cl_int error;
	cl_mem image;

	(void)state;
	world_make(&world);
	memset(written, 0x11, sizeof(written));
	image = image_2d(&world, CL_MEM_READ_WRITE, 16, 8, NULL);
	assert_cl(clEnqueueWriteImage(world.queue, image, CL_TRUE, origin, region, 40, 0, written, 0, NULL, NULL));
	gate = clCreateUserEvent(world.context, &error);
	assert_cl(error);
	memset(read, 0xee, sizeof(read));
	assert_cl(clEnqueueReadImage(world.queue, image, CL_FALSE, origin, region, 40, 0, read, 1, &gate, &events[0]));
	/* Of what the read is still to fill: its bytes then, not now. */
	assert_cl(clEnqueueWriteImage(world.queue, image, CL_FALSE, zero, region, 40, 0, read, 0, NULL, &events[1]));
	usleep(20000);
	assert_int_equal(read[0][0], 0xee);
	assert_cl(clSetUserEventStatus(gate, CL_COMPLETE));
	assert_cl(clWaitForEvents(2, events));
	for (int y = 0; y < 4; y++) {
		assert_memory_equal(read[y], written[y], 32);
		assert_int_equal(read[y][32], 0xee);
	}
	assert_cl(clEnqueueReadImage(world.queue, image, CL_TRUE, zero, region, 40, 0, again, 0, NULL, NULL));
	assert_memory_equal(again[3], written[3], 32);
	assert_cl(clReleaseEvent(events[0]));
	assert_cl(clReleaseEvent(events[1]));
	assert_cl(clReleaseEvent(gate));
	assert_cl(clReleaseMemObject(image));
	world_end(&world);
}

static void a_failed_wait_list_moves_nothing(void **state)
{
	const size_t region[3] = { 4, 1, 1 };
	uint8_t bytes[16];
	struct world world;
	cl_event gate, event;
	cl_int error, status;
	cl_mem image;

	(void)state;
	world_make(&world);
	memset(bytes, 0x22, sizeof(bytes));
	image = image_2d(&world, 0, 4, 1, NULL);
	assert_cl(clEnqueueWriteImage(world.queue, image, CL_TRUE, zero, region, 0, 0, bytes, 0, NULL, NULL));
	gate = clCreateUserEvent(world.context, &error);
	assert_cl(error);
	memset(bytes, 0xee, sizeof(bytes));
	assert_cl(clEnqueueReadImage(world.queue, image, CL_FALSE, zero, region, 0, 0, bytes, 1, &gate, &event));
	assert_cl(clSetUserEventStatus(gate, -7));
	assert_int_equal(clWaitForEvents(1, &event), CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	assert_cl(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	assert_true(status < 0);
	assert_int_equal(bytes[0], 0xee);
	assert_int_equal(clEnqueueReadImage(world.queue, image, CL_TRUE, zero, region, 0, 0, bytes, 1, &gate, NULL),
			 CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
	assert_cl(clReleaseEvent(event));
	assert_cl(clReleaseEvent(gate));
	assert_cl(clReleaseMemObject(image));
	world_end(&world);
}

static void a_held_kernel_keeps_its_images_and_its_sampler(void **state)
{
	const size_t region[3] = { 4, 2, 1 };
	uint8_t bytes[32], got[32] = { 0 };
	struct world world;
	cl_event gate, event;
	cl_program program;
	cl_sampler sampler;
	cl_kernel kernel;
	cl_mem in, out;
	cl_int error;

	(void)state;
	world_make(&world);
	kernel = invert_make(&world, &program);
	memset(bytes, 0x0f, sizeof(bytes));
	in = image_2d(&world, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, 4, 2, bytes);
	out = image_2d(&world, CL_MEM_WRITE_ONLY, 4, 2, NULL);
	sampler = clCreateSampler(world.context, CL_FALSE, CL_ADDRESS_CLAMP, CL_FILTER_NEAREST, &error);
	assert_cl(error);
	gate = clCreateUserEvent(world.context, &error);
	assert_cl(error);
	assert_cl(clSetKernelArg(kernel, 0, sizeof(in), &in));
	assert_cl(clSetKernelArg(kernel, 1, sizeof(out), &out));
	assert_cl(clSetKernelArg(kernel, 2, sizeof(sampler), &sampler));
	assert_cl(clEnqueueNDRangeKernel(world.queue, kernel, 2, NULL, region, NULL, 1, &gate, NULL));
	assert_cl(clEnqueueReadImage(world.queue, out, CL_FALSE, zero, region, 0, 0, got, 0, NULL, &event));
	assert_cl(clReleaseSampler(sampler));
	assert_cl(clReleaseMemObject(in));
	assert_cl(clReleaseKernel(kernel));
	/* All that is written has been taken: the kernel is not, and its sampler stays. */
	assert_cl(clFlush(world.queue));
	for (int i = 0; i < 5000 && !GET(samplers); i++)
		usleep(1000);
	usleep(10000);
	assert_int_equal(GET(samplers), 1);
	assert_cl(clSetUserEventStatus(gate, CL_COMPLETE));
	assert_cl(clWaitForEvents(1, &event));
	assert_int_equal(got[0], 0xf0);
	assert_int_equal(got[31], 0xf0);
	assert_cl(clReleaseMemObject(out));
	assert_cl(clReleaseEvent(event));
	assert_cl(clReleaseEvent(gate));
	assert_cl(clReleaseProgram(program));
	assert_cl(clFinish(world.queue));
	wait_gone(&fake->samplers);
	world_end(&world);
}

static void mapping_a_unified_image_costs_nothing(void **state)
{
	const size_t region[3] = { 4, 2, 1 }, origin[3] = { 1, 1, 0 };
	size_t pitch = 0, slice_pitch = 7;
	struct world world;
	uint32_t records;
	uint8_t *all, *part;
	cl_uint count = 9;
	cl_int error;
	cl_mem image;

	(void)state;
	world_make(&world);
	image = image_2d(&world, 0, 8, 4, NULL);
	assert_cl(clFinish(world.queue));
	records = GET(records);
	part = clEnqueueMapImage(world.queue, image, CL_TRUE, CL_MAP_WRITE, origin, region, &pitch, &slice_pitch, 0, NULL, NULL, &error);
	assert_cl(error);
	assert_int_equal(slice_pitch, 0);
	part[pitch] = 0x77;
	assert_cl(clGetMemObjectInfo(image, CL_MEM_MAP_COUNT, sizeof(count), &count, NULL));
	assert_int_equal(count, 1);
	assert_cl(clEnqueueUnmapMemObject(world.queue, image, part, 0, NULL, NULL));
	if (!fixture_staged())
		assert_int_equal(GET(records), records);
	all = clEnqueueMapImage(world.queue, image, CL_TRUE, CL_MAP_READ, zero, (const size_t[]){ 8, 4, 1 }, &pitch, NULL, 0, NULL, NULL, &error);
	assert_cl(error);
	assert_int_equal(all[2 * pitch + 4], 0x77);
	assert_cl(clEnqueueUnmapMemObject(world.queue, image, all, 0, NULL, NULL));
	assert_cl(clReleaseMemObject(image));
	world_end(&world);
}

/* The staging for all of it at once is not to be had. */
static void large_moves_go_in_pieces(void **state)
{
	const size_t width = 2048, height = 2048, region[3] = { 2048, 2048, 1 };
	const size_t bytes = width * height * 4;
	uint8_t *written = malloc(bytes), *read = calloc(1, bytes);
	uint64_t vram_bytes = GET(vram_bytes);
	struct world world;
	cl_event gate, event;
	cl_int error;
	cl_mem image;

	(void)state;
	world_make(&world);
	for (size_t i = 0; i < bytes; i++)
		written[i] = (uint8_t)(i * 31 >> 5);
	image = image_2d(&world, 0, width, height, NULL);
	SET(vram_bytes, GET(blob_bytes) + (8u << 20));
	gate = clCreateUserEvent(world.context, &error);
	assert_cl(error);
	assert_cl(clEnqueueWriteImage(world.queue, image, CL_FALSE, zero, region, 0, 0, written, 1, &gate, NULL));
	assert_cl(clEnqueueReadImage(world.queue, image, CL_FALSE, zero, region, 0, 0, read, 0, NULL, &event));
	assert_cl(clSetUserEventStatus(gate, CL_COMPLETE));
	assert_cl(clWaitForEvents(1, &event));
	assert_memory_equal(read, written, bytes);
	memset(read, 0, bytes);
	assert_cl(clEnqueueReadImage(world.queue, image, CL_TRUE, zero, region, 0, 0, read, 0, NULL, NULL));
	assert_memory_equal(read, written, bytes);
	SET(vram_bytes, vram_bytes);
	assert_cl(clReleaseEvent(event));
	assert_cl(clReleaseEvent(gate));
	assert_cl(clReleaseMemObject(image));
	world_end(&world);
	free(written);
	free(read);
}

static void an_image_in_a_buffer_is_its_bytes(void **state)
{
	cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 8, .image_height = 4, .image_row_pitch = 64 };
	const size_t region[3] = { 1, 1, 1 }, origin[3] = { 3, 2, 0 };
	uint8_t bytes[256], pixel[4];
	struct world world;
	uint32_t before;
	cl_mem buffer, image, line, parent;
	cl_int error;

	(void)state;
	world_make(&world);
	assert_cl(clFinish(world.queue));
	before = GET(buffers);
	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	buffer = world_buffer(&world, sizeof(bytes), bytes);
	desc.mem_object = buffer;
	image = clCreateImage(world.context, 0, &rgba, &desc, NULL, &error);
	assert_cl(error);
	line = clCreateImage(world.context, CL_MEM_READ_ONLY, &rgba,
			     &(cl_image_desc){ .image_type = CL_MEM_OBJECT_IMAGE1D_BUFFER, .image_width = 64, .mem_object = buffer }, NULL, &error);
	assert_cl(error);
	assert_cl(clGetImageInfo(image, CL_IMAGE_BUFFER, sizeof(parent), &parent, NULL));
	assert_ptr_equal(parent, buffer);
	assert_cl(clReleaseMemObject(buffer));	/* its images keep it */
	assert_cl(clEnqueueReadImage(world.queue, image, CL_TRUE, origin, region, 0, 0, pixel, 0, NULL, NULL));
	assert_int_equal(pixel[0], 2 * 64 + 3 * 4);
	memset(pixel, 0xab, sizeof(pixel));
	assert_cl(clEnqueueWriteImage(world.queue, image, CL_TRUE, origin, region, 0, 0, pixel, 0, NULL, NULL));
	assert_cl(clEnqueueReadImage(world.queue, line, CL_TRUE, (const size_t[]){ 35, 0, 0 }, region, 0, 0, pixel, 0, NULL, NULL));
	assert_int_equal(pixel[3], 0xab);
	assert_cl(clReleaseMemObject(image));
	assert_cl(clReleaseMemObject(line));
	for (int i = 0; i < 5000 && GET(buffers) != before; i++) {
		assert_cl(clFinish(world.queue));
		usleep(1000);
	}
	assert_int_equal(GET(buffers), before);

	buffer = world_buffer(&world, sizeof(bytes), bytes);
	desc.mem_object = buffer;
	desc.image_row_pitch = 68;	/* the device wants 16 pixels */
	assert_null(clCreateImage(world.context, 0, &rgba, &desc, NULL, &error));
	assert_int_equal(error, CL_INVALID_IMAGE_FORMAT_DESCRIPTOR);
	desc.image_row_pitch = 128;
	assert_null(clCreateImage(world.context, 0, &rgba, &desc, NULL, &error));
	assert_int_equal(error, CL_INVALID_IMAGE_DESCRIPTOR);
	desc.image_row_pitch = 64;
	assert_null(clCreateImage(world.context, CL_MEM_COPY_HOST_PTR, &rgba, &desc, bytes, &error));
	assert_int_equal(error, CL_INVALID_HOST_PTR);
	assert_cl(clReleaseMemObject(buffer));
	world_end(&world);
}

static void arguments_must_be_what_the_kernel_declares(void **state)
{
	struct world world, other;
	cl_program program;
	cl_kernel kernel;
	cl_mem in, out, buffer, foreign;
	cl_sampler sampler;
	cl_int error;

	(void)state;
	world_make(&world);
	world_make(&other);
	kernel = invert_make(&world, &program);
	in = image_2d(&world, CL_MEM_READ_ONLY, 4, 2, NULL);
	out = image_2d(&world, CL_MEM_WRITE_ONLY, 4, 2, NULL);
	foreign = image_2d(&other, 0, 4, 2, NULL);
	buffer = world_buffer(&world, 64, NULL);
	sampler = clCreateSampler(other.context, CL_FALSE, CL_ADDRESS_CLAMP, CL_FILTER_NEAREST, &error);
	assert_cl(error);
	assert_int_equal(clSetKernelArg(kernel, 0, 4, &in), CL_INVALID_ARG_SIZE);
	assert_int_equal(clSetKernelArg(kernel, 0, sizeof(in), NULL), CL_INVALID_ARG_VALUE);
	assert_int_equal(clSetKernelArg(kernel, 0, sizeof(in), &world.queue), CL_INVALID_MEM_OBJECT);
	assert_int_equal(clSetKernelArg(kernel, 0, sizeof(in), &foreign), CL_INVALID_MEM_OBJECT);
	assert_int_equal(clSetKernelArg(kernel, 0, sizeof(in), &buffer), CL_INVALID_ARG_VALUE);
	assert_int_equal(clSetKernelArg(kernel, 0, sizeof(out), &out), CL_INVALID_ARG_VALUE);
	assert_int_equal(clSetKernelArg(kernel, 1, sizeof(in), &in), CL_INVALID_ARG_VALUE);
	assert_int_equal(clSetKernelArg(kernel, 2, sizeof(sampler), &sampler), CL_INVALID_SAMPLER);
	assert_int_equal(clSetKernelArg(kernel, 2, sizeof(in), &in), CL_INVALID_SAMPLER);
	assert_int_equal(clSetKernelArg(kernel, 2, 4, &sampler), CL_INVALID_ARG_SIZE);
	assert_int_equal(clSetKernelArg(world.scale, 0, sizeof(in), &in), CL_INVALID_ARG_VALUE);
	assert_cl(clSetKernelArg(kernel, 0, sizeof(in), &in));
	assert_cl(clSetKernelArg(kernel, 1, sizeof(out), &out));
	assert_int_equal(clEnqueueNDRangeKernel(world.queue, kernel, 1, NULL, (const size_t[]){ 4 }, NULL, 0, NULL, NULL), CL_INVALID_KERNEL_ARGS);
	assert_cl(clReleaseSampler(sampler));
	assert_cl(clReleaseMemObject(in));
	assert_cl(clReleaseMemObject(out));
	assert_cl(clReleaseMemObject(foreign));
	assert_cl(clReleaseMemObject(buffer));
	assert_cl(clReleaseKernel(kernel));
	assert_cl(clReleaseProgram(program));
	world_end(&other);
	world_end(&world);
}

static void buffers_calls_refuse_images_and_hosts_flags_hold(void **state)
{
	const cl_buffer_region part = { 0, 4 };
	const size_t region[3] = { 1, 1, 1 };
	uint8_t bytes[64] = { 0 };
	struct world world;
	cl_mem image, buffer, closed;
	size_t pitch;
	cl_int error;

	(void)state;
	world_make(&world);
	image = image_2d(&world, 0, 4, 4, NULL);
	closed = image_2d(&world, CL_MEM_HOST_NO_ACCESS, 4, 4, NULL);
	buffer = world_buffer(&world, 64, NULL);
	assert_int_equal(clEnqueueReadBuffer(world.queue, image, CL_TRUE, 0, 4, bytes, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	assert_int_equal(clEnqueueFillBuffer(world.queue, image, bytes, 4, 0, 4, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	assert_int_equal(clEnqueueCopyBuffer(world.queue, buffer, image, 0, 0, 4, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	assert_int_equal(clEnqueueReadBufferRect(world.queue, image, CL_TRUE, zero, zero, region, 0, 0, 0, 0, bytes, 0, NULL, NULL),
			 CL_INVALID_MEM_OBJECT);
	assert_null(clEnqueueMapBuffer(world.queue, image, CL_TRUE, CL_MAP_READ, 0, 4, 0, NULL, NULL, &error));
	assert_int_equal(error, CL_INVALID_MEM_OBJECT);
	assert_null(clCreateSubBuffer(image, 0, CL_BUFFER_CREATE_TYPE_REGION, &part, &error));
	assert_int_equal(error, CL_INVALID_MEM_OBJECT);
	assert_int_equal(clEnqueueCopyImageToBuffer(world.queue, image, image, zero, region, 0, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	assert_int_equal(clEnqueueReadImage(world.queue, closed, CL_TRUE, zero, region, 0, 0, bytes, 0, NULL, NULL), CL_INVALID_OPERATION);
	assert_int_equal(clEnqueueWriteImage(world.queue, closed, CL_TRUE, zero, region, 0, 0, bytes, 0, NULL, NULL), CL_INVALID_OPERATION);
	assert_null(clEnqueueMapImage(world.queue, closed, CL_TRUE, CL_MAP_READ, zero, region, &pitch, NULL, 0, NULL, NULL, &error));
	assert_int_equal(error, CL_INVALID_OPERATION);
	assert_null(clCreateImage(world.context, 0, &(cl_image_format){ CL_RG, CL_FLOAT },
				  &(cl_image_desc){ .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 4, .image_height = 4 }, NULL, &error));
	assert_int_equal(error, CL_IMAGE_FORMAT_NOT_SUPPORTED);
	assert_null(clCreateImage2D(world.context, 0, &rgba, 0, 4, 0, NULL, &error));
	assert_int_equal(error, CL_INVALID_IMAGE_SIZE);
	/* More than the device has, within its sides. */
	assert_null(clCreateImage2D(world.context, 0, &(cl_image_format){ CL_RGBA, CL_FLOAT }, 4096, 4096, 0, NULL, &error));
	assert_int_equal(error, CL_MEM_OBJECT_ALLOCATION_FAILURE);
	assert_cl(clReleaseMemObject(image));
	assert_cl(clReleaseMemObject(closed));
	assert_cl(clReleaseMemObject(buffer));
	world_end(&world);
}

static void images_of_a_lost_device_say_so(void **state)
{
	const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 4, .image_height = 4 };
	const size_t region[3] = { 4, 4, 1 };
	uint8_t bytes[64];
	struct world world;
	cl_sampler sampler;
	cl_int error;
	cl_mem image;

	(void)state;
	world_make(&world);
	image = image_2d(&world, 0, 4, 4, NULL);
	sampler = clCreateSampler(world.context, CL_TRUE, CL_ADDRESS_REPEAT, CL_FILTER_LINEAR, &error);
	assert_cl(error);
	SET(die, 1);
	for (int i = 0; i < 5000 && clFinish(world.queue) == CL_SUCCESS; i++)
		usleep(1000);
	assert_int_equal(clEnqueueReadImage(world.queue, image, CL_TRUE, zero, region, 0, 0, bytes, 0, NULL, NULL), CL_DEVICE_NOT_AVAILABLE);
	assert_int_equal(clEnqueueWriteImage(world.queue, image, CL_FALSE, zero, region, 0, 0, bytes, 0, NULL, NULL), CL_DEVICE_NOT_AVAILABLE);
	assert_int_equal(clEnqueueFillImage(world.queue, image, bytes, zero, region, 0, NULL, NULL), CL_DEVICE_NOT_AVAILABLE);
	assert_null(clCreateImage(world.context, 0, &rgba, &desc, NULL, &error));
	assert_int_equal(error, CL_DEVICE_NOT_AVAILABLE);
	assert_null(clCreateSampler(world.context, CL_TRUE, CL_ADDRESS_REPEAT, CL_FILTER_LINEAR, &error));
	assert_int_equal(error, CL_DEVICE_NOT_AVAILABLE);
	assert_cl(clReleaseMemObject(image));
	assert_cl(clReleaseSampler(sampler));
	world_end(&world);
	SET(samplers, 0);	/* of the engine that died */
	world_make(&world);
	assert_cl(clReleaseMemObject(image_2d(&world, 0, 4, 4, NULL)));
	world_end(&world);
}

static int images_setup(void **state)
{
	setenv("TEST_IMAGES", "1", 1);
	return fixture_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(formats_are_asked_for_once_and_only_those_that_can_be_carried, fixture_check),
		cmocka_unit_test_teardown(moves_keep_their_places_behind_a_user_event, fixture_check),
		cmocka_unit_test_teardown(a_failed_wait_list_moves_nothing, fixture_check),
		cmocka_unit_test_teardown(a_held_kernel_keeps_its_images_and_its_sampler, fixture_check),
		cmocka_unit_test_teardown(mapping_a_unified_image_costs_nothing, fixture_check),
		cmocka_unit_test_teardown(large_moves_go_in_pieces, fixture_check),
		cmocka_unit_test_teardown(an_image_in_a_buffer_is_its_bytes, fixture_check),
		cmocka_unit_test_teardown(arguments_must_be_what_the_kernel_declares, fixture_check),
		cmocka_unit_test_teardown(buffers_calls_refuse_images_and_hosts_flags_hold, fixture_check),
		cmocka_unit_test_teardown(images_of_a_lost_device_say_so, fixture_check),
	};

	return cmocka_run_group_tests_name("opencl images", tests, images_setup, NULL);
}
