/* SPDX-License-Identifier: MIT */
/* What kernels print comes out of this process, in order, before their completion is seen; nothing is asked for otherwise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/shim/opencl/fixture.h"

/* Standard output and error are files while `work` runs. */
static void captured(void (*work)(void *), void *data, char *ret_out, char *ret_err, size_t room)
{
	int files[2], kept[2];
	char *const texts[2] = { ret_out, ret_err };

	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		files[i] = memfd_create("captured", MFD_CLOEXEC);
		kept[i] = dup(STDOUT_FILENO + i);
		dup2(files[i], STDOUT_FILENO + i);
	}
	work(data);
	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		dup2(kept[i], STDOUT_FILENO + i);
		close(kept[i]);
		ssize_t got = pread(files[i], texts[i], room - 1, 0);
		texts[i][got > 0 ? got : 0] = '\0';
		close(files[i]);
	}
}

struct scene {
	struct world world;
	cl_program program;
	cl_kernel print;
};

static void scene_make(struct scene *scene)
{
	const char *source = "print";
	cl_int error;

	world_make(&scene->world);
	scene->program = clCreateProgramWithSource(scene->world.context, 1, &source, NULL, &error);
	assert_cl(error);
	assert_cl(clBuildProgram(scene->program, 0, NULL, NULL, NULL, NULL));
	scene->print = clCreateKernel(scene->program, "print", &error);
	assert_cl(error);
}

static void scene_end(struct scene *scene)
{
	clReleaseKernel(scene->print);
	clReleaseProgram(scene->program);
	world_end(&scene->world);
}

static void print(struct scene *scene, int value, size_t items, cl_event *event)
{
	assert_cl(clSetKernelArg(scene->print, 0, sizeof(value), &value));
	assert_cl(clEnqueueNDRangeKernel(scene->world.queue, scene->print, 1, NULL, &items, NULL, 0, NULL, event));
}

static void say(const char *text)
{
	assert_int_equal(write(STDOUT_FILENO, text, strlen(text)), strlen(text));
}

static void every_way_to_see_a_completion(void *data)
{
	struct scene *scene = data;
	cl_event event;
	cl_int status;
	char byte;
	cl_mem mem = world_buffer(&scene->world, 64, NULL);

	print(scene, 1, 2, NULL);
	assert_cl(clFinish(scene->world.queue));
	say("finish\n");
	print(scene, 2, 1, &event);
	assert_cl(clWaitForEvents(1, &event));
	say("wait\n");
	clReleaseEvent(event);
	print(scene, 3, 1, &event);
	assert_cl(clFlush(scene->world.queue));
	do
		assert_cl(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	while (status != CL_COMPLETE);
	say("info\n");
	clReleaseEvent(event);
	print(scene, 4, 1, NULL);
	assert_cl(clEnqueueReadBuffer(scene->world.queue, mem, CL_TRUE, 0, 1, &byte, 0, NULL, NULL));
	say("read\n");
	print(scene, 5, 1, NULL);
	assert_non_null(clEnqueueMapBuffer(scene->world.queue, mem, CL_TRUE, CL_MAP_READ, 0, 64, 0, NULL, NULL, &status));
	say("map\n");
	clReleaseMemObject(mem);
}

static void text_comes_before_the_completion_that_is_seen(void **state)
{
	struct scene scene;
	char out[4096], err[4096];

	(void)state;
	scene_make(&scene);
	captured(every_way_to_see_a_completion, &scene, out, err, sizeof(out));
	assert_string_equal(out, "print 1\nprint 1\nfinish\nprint 2\nwait\nprint 3\ninfo\nprint 4\nread\nprint 5\nmap\n");
	assert_string_equal(err, "");
	scene_end(&scene);
}

static volatile int called;
static void CL_CALLBACK on_complete(cl_event event, cl_int status, void *data)
{
	(void)event;
	(void)status;
	(void)data;
	say("callback\n");
	__atomic_store_n(&called, 1, __ATOMIC_SEQ_CST);
}

static void print_and_be_called(void *data)
{
	struct scene *scene = data;
	cl_event event;

	called = 0;
	print(scene, 7, 1, &event);
	assert_cl(clSetEventCallback(event, CL_COMPLETE, on_complete, NULL));
	while (!__atomic_load_n(&called, __ATOMIC_SEQ_CST))
		usleep(1000);
	clReleaseEvent(event);
}

static void text_comes_before_a_callback(void **state)
{
	struct scene scene;
	char out[4096], err[4096];

	(void)state;
	scene_make(&scene);
	captured(print_and_be_called, &scene, out, err, sizeof(out));
	assert_string_equal(out, "print 7\ncallback\n");
	scene_end(&scene);
}

static void print_much(void *data)
{
	print(data, 1234567, 100000, NULL);
	assert_cl(clFinish(((struct scene *)data)->world.queue));
	print(data, 8, 1, NULL);
	assert_cl(clFinish(((struct scene *)data)->world.queue));
}

static void what_is_lost_is_said_once_and_the_rest_goes_on(void **state)
{
	static char out[1 << 18], err[4096];
	struct scene scene;

	(void)state;
	scene_make(&scene);
	captured(print_much, &scene, out, err, sizeof(out));
	assert_non_null(strstr(err, "bytes that kernels printed are lost"));
	assert_ptr_equal(strstr(err, "lost"), strrchr(err, 'l'));	/* once */
	assert_string_equal(out + strlen(out) - 8, "print 8\n");
	assert_true(strlen(out) > 60000);
	scene_end(&scene);
}

static void print_to_a_liar(void *data)
{
	SET(lie_about_output, 1);
	print(data, 9, 1, NULL);
	assert_cl(clFinish(((struct scene *)data)->world.queue));
}

static void an_engine_that_lies_about_sizes_is_not_believed(void **state)
{
	struct scene scene;
	char out[4096], err[4096];

	(void)state;
	scene_make(&scene);
	captured(print_to_a_liar, &scene, out, err, sizeof(out));
	assert_string_equal(out, "");
	scene_end(&scene);
}

static void who_prints_nothing_asks_for_nothing(void **state)
{
	struct world world;
	int data[4] = { 0 };
	cl_mem mem;

	(void)state;
	world_make(&world);
	mem = world_buffer(&world, sizeof(data), data);
	uint32_t before = GET(output_reads);
	for (int i = 0; i < 100; i++) {
		assert_cl(world_scale(&world, mem, 1, 4, NULL));
		assert_cl(clFinish(world.queue));
	}
	assert_int_equal(GET(output_reads), before);
	clReleaseMemObject(mem);
	world_end(&world);
}

static void the_device_tells_how_much_is_kept(void **state)
{
	size_t bytes;

	(void)state;
	assert_cl(clGetDeviceInfo(device, CL_DEVICE_PRINTF_BUFFER_SIZE, sizeof(bytes), &bytes, NULL));
	assert_int_equal(bytes, 1 << 20);	/* the host's, which is less than what an engine keeps */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(text_comes_before_the_completion_that_is_seen, fixture_check),
		cmocka_unit_test_teardown(text_comes_before_a_callback, fixture_check),
		cmocka_unit_test_teardown(what_is_lost_is_said_once_and_the_rest_goes_on, fixture_check),
		cmocka_unit_test_teardown(an_engine_that_lies_about_sizes_is_not_believed, fixture_check),
		cmocka_unit_test_teardown(who_prints_nothing_asks_for_nothing, fixture_check),
		cmocka_unit_test_teardown(the_device_tells_how_much_is_kept, fixture_check),
	};

	return cmocka_run_group_tests_name("printf", tests, fixture_setup, NULL);
}
