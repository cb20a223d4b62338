/* SPDX-License-Identifier: MIT */
/* Parameter errors as OpenCL 3.0 words them, information, builds, and memory's limits. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/shim/opencl/fixture.h"

static void the_device_says_what_the_vgpu_is(void **state)
{
	cl_ulong bytes;
	char text[256];
	cl_bool flag;
	cl_device_svm_capabilities svm;
	size_t size;

	(void)state;
	assert_cl(clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof(text), text, NULL));
	assert_string_equal(text, "vGPU fake-1g");
	assert_cl(clGetDeviceInfo(device, CL_DEVICE_GLOBAL_MEM_SIZE, 8, &bytes, &size));
	assert_int_equal(bytes, 64u << 20);
	assert_int_equal(size, 8);
	assert_cl(clGetDeviceInfo(device, CL_DEVICE_IMAGE_SUPPORT, sizeof(flag), &flag, NULL));
	assert_int_equal(flag, CL_FALSE);
	assert_cl(clGetDeviceInfo(device, CL_DEVICE_SVM_CAPABILITIES, sizeof(svm), &svm, NULL));
	assert_int_equal(svm, fixture_staged() || fixture_version_1() ? 0 : 11);	/* all but the system's */
	assert_cl(clGetDeviceInfo(device, CL_DEVICE_EXTENSIONS, sizeof(text), text, NULL));
	assert_string_equal(text, fixture_version_1() ? "cl_khr_byte_addressable_store cl_khr_fp64" :
			    "cl_khr_byte_addressable_store cl_khr_fp64 cl_khr_il_program");
	assert_int_equal(clGetDeviceInfo(device, CL_DEVICE_NAME, 3, text, NULL), CL_INVALID_VALUE);
	assert_int_equal(clGetDeviceInfo(device, 0x7777, sizeof(text), text, NULL), CL_INVALID_VALUE);
	assert_int_equal(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ACCELERATOR, 1, &(cl_device_id){ 0 }, NULL),
			 CL_DEVICE_NOT_FOUND);
	assert_int_equal(clGetDeviceIDs(platform, 0, 1, &(cl_device_id){ 0 }, NULL), CL_INVALID_DEVICE_TYPE);
}

static void creation_refuses_bad_arguments(void **state)
{
	const cl_queue_properties on_device[] = { CL_QUEUE_PROPERTIES, CL_QUEUE_ON_DEVICE | CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, 0 };
	struct world world;
	cl_int error;
	int data;

	(void)state;
	world_make(&world);
#define REFUSED(call, code) do { assert_null(call); assert_int_equal(error, code); } while (0)
	REFUSED(clCreateContext(NULL, 0, &device, NULL, NULL, &error), CL_INVALID_VALUE);
	REFUSED(clCreateContext((const cl_context_properties[]){ 0x7777, 1, 0 }, 1, &device, NULL, NULL, &error),
		CL_INVALID_PROPERTY);
	REFUSED(clCreateBuffer(world.context, 0, 0, NULL, &error), CL_INVALID_BUFFER_SIZE);
	REFUSED(clCreateBuffer(world.context, 0, (size_t)1 << 40, NULL, &error), CL_INVALID_BUFFER_SIZE);
	REFUSED(clCreateBuffer(world.context, CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY, 4, NULL, &error), CL_INVALID_VALUE);
	REFUSED(clCreateBuffer(world.context, CL_MEM_COPY_HOST_PTR, 4, NULL, &error), CL_INVALID_HOST_PTR);
	REFUSED(clCreateBuffer(world.context, 0, 4, &data, &error), CL_INVALID_HOST_PTR);
	REFUSED(clCreateBuffer(world.context, CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR, 4, &data, &error), CL_INVALID_VALUE);
	REFUSED(clCreateCommandQueueWithProperties(world.context, device, on_device, &error), CL_INVALID_QUEUE_PROPERTIES);
	REFUSED(clCreateCommandQueue(world.context, device, 1u << 20, &error), CL_INVALID_VALUE);
	REFUSED(clCreateKernel(world.program, "nothing", &error), CL_INVALID_KERNEL_NAME);
	REFUSED(clCreateProgramWithSource(world.context, 0, NULL, NULL, &error), CL_INVALID_VALUE);
	REFUSED(clCreateSampler(world.context, CL_FALSE, CL_ADDRESS_CLAMP, CL_FILTER_LINEAR, &error), CL_INVALID_OPERATION);
	REFUSED(clCreateImage(world.context, 0, &(cl_image_format){ 0 }, &(cl_image_desc){ 0 }, NULL, &error),
		CL_INVALID_OPERATION);
	world_end(&world);
}

static void enqueues_refuse_bad_arguments(void **state)
{
	const size_t one = 1, zero = 0, seven = 7, sixteen = 16, large = 512, eight = 8;
	struct world world, other;
	cl_kernel group8;
	cl_int error;
	int data[64] = { 0 };
	cl_mem mem, write_only;

	(void)state;
	world_make(&world);
	world_make(&other);
	mem = world_buffer(&world, sizeof(data), data);
	group8 = clCreateKernel(world.program, "group8", &error);
	assert_cl(error);
#define RUN(kernel, dim, offset, global, local) clEnqueueNDRangeKernel(world.queue, kernel, dim, offset, global, local, 0, NULL, NULL)
	assert_int_equal(RUN(world.scale, 1, NULL, &one, NULL), CL_INVALID_KERNEL_ARGS);
	assert_int_equal(clSetKernelArg(world.scale, 2, 4, data), CL_INVALID_ARG_INDEX);
	assert_int_equal(clSetKernelArg(world.scale, 1, 8, data), CL_INVALID_ARG_SIZE);
	assert_int_equal(clSetKernelArg(world.scale, 1, 4, NULL), CL_INVALID_ARG_VALUE);
	assert_int_equal(clSetKernelArg(world.scale, 0, 4, &mem), CL_INVALID_ARG_SIZE);
	assert_int_equal(clSetKernelArg(world.scale, 0, sizeof(mem), &world.queue), CL_INVALID_MEM_OBJECT);
	assert_cl(world_scale(&world, mem, 1, 1, NULL));
	assert_int_equal(RUN(world.scale, 0, NULL, &one, NULL), CL_INVALID_WORK_DIMENSION);
	assert_int_equal(RUN(world.scale, 4, NULL, &one, NULL), CL_INVALID_WORK_DIMENSION);
	assert_int_equal(RUN(world.scale, 1, NULL, &sixteen, &seven), CL_INVALID_WORK_GROUP_SIZE);
	assert_int_equal(RUN(world.scale, 1, NULL, &large, &large), CL_INVALID_WORK_ITEM_SIZE);
	assert_int_equal(RUN(world.scale, 1, &(size_t){ SIZE_MAX }, &one, NULL), CL_INVALID_GLOBAL_OFFSET);
	assert_int_equal(RUN(world.scale, 2, NULL, ((size_t[]){ 64, 64 }), ((size_t[]){ 64, 64 })), CL_INVALID_WORK_GROUP_SIZE);
	assert_cl(RUN(world.scale, 1, NULL, &zero, NULL));
	assert_int_equal(clEnqueueNDRangeKernel(other.queue, world.scale, 1, NULL, &one, NULL, 0, NULL, NULL),
			 CL_INVALID_CONTEXT);
	assert_int_equal(clEnqueueNDRangeKernel(world.queue, world.scale, 1, NULL, &one, NULL, 1, NULL, NULL),
			 CL_INVALID_EVENT_WAIT_LIST);
	assert_cl(clSetKernelArg(group8, 0, sizeof(mem), &mem));
	assert_int_equal(RUN(group8, 1, NULL, &sixteen, &sixteen), CL_INVALID_WORK_GROUP_SIZE);
	assert_cl(RUN(group8, 1, NULL, &sixteen, &eight));
	assert_cl(RUN(group8, 1, NULL, &sixteen, NULL));
	assert_int_equal(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 252, 8, data, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_int_equal(clEnqueueReadBuffer(world.queue, mem, CL_TRUE, 0, 8, NULL, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_int_equal(clEnqueueReadBuffer(other.queue, mem, CL_TRUE, 0, 8, data, 0, NULL, NULL), CL_INVALID_CONTEXT);
	write_only = clCreateBuffer(world.context, CL_MEM_HOST_WRITE_ONLY, 64, NULL, &error);
	assert_cl(error);
	assert_int_equal(clEnqueueReadBuffer(world.queue, write_only, CL_TRUE, 0, 8, data, 0, NULL, NULL),
			 CL_INVALID_OPERATION);
	assert_int_equal(clEnqueueFillBuffer(world.queue, mem, data, 3, 0, 6, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_int_equal(clEnqueueFillBuffer(world.queue, mem, data, 4, 2, 8, 0, NULL, NULL), CL_INVALID_VALUE);
	assert_int_equal(clEnqueueNativeKernel(world.queue, NULL, NULL, 0, 0, NULL, NULL, 0, NULL, NULL), CL_INVALID_OPERATION);
	clReleaseMemObject(write_only);
	clReleaseMemObject(mem);
	clReleaseKernel(group8);
	world_end(&other);
	world_end(&world);
}

static int notified;
static void CL_CALLBACK build_notify(cl_program program, void *data)
{
	(void)program;
	(void)data;
	__atomic_fetch_add(&notified, 1, __ATOMIC_SEQ_CST);
}

static void a_build_tells_its_log_and_its_kernels(void **state)
{
	const char *sources[2] = { "kernel scale ", "#error" }, *longer = "scale #long";
	struct world world;
	cl_program program;
	cl_build_status status;
	char text[256];
	size_t count;
	cl_int error;
	cl_kernel kernel;

	(void)state;
	world_make(&world);
	program = clCreateProgramWithSource(world.context, 2, sources, NULL, &error);
	assert_cl(error);
	assert_int_equal(clGetProgramInfo(program, CL_PROGRAM_NUM_KERNELS, sizeof(count), &count, NULL),
			 CL_INVALID_PROGRAM_EXECUTABLE);
	assert_int_equal(clBuildProgram(program, 0, NULL, "-DX", NULL, NULL), CL_BUILD_PROGRAM_FAILURE);
	assert_cl(clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof(text), text, NULL));
	assert_string_equal(text, "fake: error in 19 bytes, options 3");
	assert_cl(clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_STATUS, sizeof(status), &status, NULL));
	assert_int_equal(status, CL_BUILD_ERROR);
	assert_null(clCreateKernel(program, "scale", &error));
	assert_int_equal(error, CL_INVALID_PROGRAM_EXECUTABLE);
	notified = 0;
	assert_cl(clBuildProgram(program, 0, NULL, NULL, build_notify, NULL));
	for (int i = 0; i < 6000 && !__atomic_load_n(&notified, __ATOMIC_SEQ_CST); i++)
		usleep(10000);
	assert_int_equal(__atomic_load_n(&notified, __ATOMIC_SEQ_CST), 1);
	clReleaseProgram(program);

	program = clCreateProgramWithSource(world.context, 1, &longer, NULL, &error);
	assert_cl(error);
	assert_cl(clBuildProgram(program, 0, NULL, NULL, NULL, NULL));
	assert_cl(clGetProgramInfo(program, CL_PROGRAM_NUM_KERNELS, sizeof(count), &count, NULL));
	assert_int_equal(count, 1001);
	kernel = clCreateKernel(program, "scale", &error);
	assert_cl(error);
	assert_int_equal(clBuildProgram(program, 0, NULL, NULL, NULL, NULL), CL_INVALID_OPERATION);
	assert_cl(clGetKernelArgInfo(kernel, 1, CL_KERNEL_ARG_NAME, sizeof(text), text, NULL));
	assert_string_equal(text, "factor");
	clReleaseKernel(kernel);
	assert_cl(clBuildProgram(program, 0, NULL, NULL, NULL, NULL));
	clReleaseProgram(program);

	assert_cl(clGetProgramInfo(world.program, CL_PROGRAM_KERNEL_NAMES, sizeof(text), text, NULL));
	assert_string_equal(text, "scale;add;sum;group8;wide");
	world_end(&world);
}

static void values_of_untold_size_are_carried_whole(void **state)
{
	const size_t one = 1;
	struct world world;
	double wide[16] = { 1 };
	cl_kernel kernel, clone;
	cl_int error;

	(void)state;
	world_make(&world);
	kernel = clCreateKernel(world.program, "wide", &error);
	assert_cl(error);
	assert_cl(clSetKernelArg(kernel, 0, 4, wide));
	assert_cl(clEnqueueTask(world.queue, kernel, 0, NULL, NULL));
	assert_cl(clSetKernelArg(kernel, 0, sizeof(wide), wide));
	assert_cl(clEnqueueNDRangeKernel(world.queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
	clone = clCloneKernel(kernel, &error);
	assert_cl(error);
	assert_cl(clSetKernelArg(kernel, 0, 8, wide));
	assert_cl(clEnqueueNDRangeKernel(world.queue, clone, 1, NULL, &one, NULL, 0, NULL, NULL));
	assert_cl(clEnqueueNDRangeKernel(world.queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
	assert_cl(clFinish(world.queue));
	clReleaseKernel(kernel);
	clReleaseKernel(clone);
	world_end(&world);
}

/* ---- memory ------------------------------------------------------------------------------------------ */

static void unified_too_many_buffers_are_an_allocation_failure(void **state)
{
	struct world world;
	cl_mem mems[16];
	int made = 0;
	cl_int error = CL_SUCCESS;

	(void)state;
	world_make(&world);
	while (made < 16) {
		mems[made] = clCreateBuffer(world.context, 0, 16u << 20, NULL, &error);
		if (error)
			break;
		made++;
	}
	assert_int_equal(error, CL_MEM_OBJECT_ALLOCATION_FAILURE);
	assert_int_equal(made, 3);	/* 64 MiB, less a slab */
	/* What was released before is there for the next, though it goes through the engine. */
	for (int i = 0; i < 20; i++) {
		clReleaseMemObject(mems[made - 1]);
		mems[made - 1] = clCreateBuffer(world.context, 0, 16u << 20, NULL, &error);
		assert_cl(error);
	}
	while (made > 0)
		clReleaseMemObject(mems[--made]);
	for (int i = 0; i < 2000 && GET(blob_bytes) > 2u << 20; i++)
		usleep(1000);		/* given back by the waiter thread, with no call of ours */
	assert_true(GET(blob_bytes) <= 2u << 20);
	world_end(&world);
}

static void unified_memory_is_used_again_only_after_the_engine_let_go(void **state)
{
	struct world world;
	uint64_t first, next;
	cl_int error;
	cl_mem mem;

	(void)state;
	world_make(&world);
	SET(hold_destroys, 1);
	mem = clCreateBuffer(world.context, 0, 8192, NULL, &error);
	assert_cl(error);
	assert_cl(clFinish(world.queue));
	usleep(2000);
	first = GET(last_backing);
	clReleaseMemObject(mem);
	for (int i = 0; i < 10; i++) {
		mem = clCreateBuffer(world.context, 0, 8192, NULL, &error);
		assert_cl(error);
		assert_cl(clEnqueueMarkerWithWaitList(world.queue, 0, NULL, NULL));
		assert_cl(clFinish(world.queue));
		next = GET(last_backing);
		assert_true(next != first);
		clReleaseMemObject(mem);
	}
	SET(hold_destroys, 0);
	assert_cl(clEnqueueMarkerWithWaitList(world.queue, 0, NULL, NULL));
	assert_cl(clFinish(world.queue));
	usleep(50000);
	mem = clCreateBuffer(world.context, 0, 8192, NULL, &error);
	assert_cl(error);
	assert_cl(clEnqueueMarkerWithWaitList(world.queue, 0, NULL, NULL));
	assert_cl(clFinish(world.queue));
	assert_true(GET(last_backing) == first);
	clReleaseMemObject(mem);
	world_end(&world);
}

static void ten_thousand_buffers_leave_nothing(void **state)
{
	enum { COUNT = 10000 };
	cl_mem *mems = calloc(COUNT, sizeof(*mems));
	struct world world;
	cl_int error;

	(void)state;
	world_make(&world);
	for (int i = 0; i < COUNT; i++) {
		mems[i] = clCreateBuffer(world.context, 0, (size_t)(i * 37 % 3000) + 1, NULL, &error);
		assert_cl(error);
	}
	for (int i = 0; i < COUNT; i++)
		assert_cl(clReleaseMemObject(mems[i * 7919 % COUNT]));
	assert_cl(clFinish(world.queue));
	for (int i = 0; i < 2000 && GET(buffers); i++)
		usleep(1000);
	assert_int_equal(GET(buffers), 0);
	world_end(&world);
	free(mems);
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_check)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_device_says_what_the_vgpu_is),
		TEST(creation_refuses_bad_arguments),
		TEST(enqueues_refuse_bad_arguments),
		TEST(a_build_tells_its_log_and_its_kernels),
		TEST(values_of_untold_size_are_carried_whole),
		TEST(unified_too_many_buffers_are_an_allocation_failure),
		TEST(unified_memory_is_used_again_only_after_the_engine_let_go),
		TEST(ten_thousand_buffers_leave_nothing),
	};

	/* Not run and not counted: there the engine owns the memory, and the fake has it without end. */
	if (fixture_staged())
		cmocka_set_skip_filter("unified_*");
	return cmocka_run_group_tests_name("shim/opencl errors", tests, fixture_setup, NULL);
}
