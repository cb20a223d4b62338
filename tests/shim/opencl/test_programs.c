/* SPDX-License-Identifier: MIT */
/* Programs on the fake engine: what goes over the wire, what a host of version 1 is spared, and builds that take their time. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/shim/opencl/containers.h"
#include "tests/shim/opencl/fixture.h"

static cl_program source(struct world *world, const char *text)
{
	cl_int error;
	cl_program program = clCreateProgramWithSource(world->context, 1, &text, NULL, &error);

	assert_cl(error);
	return program;
}

static cl_int compile(cl_program program)
{
	return clCompileProgram(program, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL);
}

static cl_build_status status_of(cl_program program)
{
	cl_build_status status;

	assert_cl(clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_STATUS, sizeof(status), &status, NULL));
	return status;
}

static unsigned char *binary_of(cl_program program, size_t *ret_bytes)
{
	unsigned char *binary;

	assert_cl(clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(*ret_bytes), ret_bytes, NULL));
	assert_true(*ret_bytes > 0);
	binary = malloc(*ret_bytes);
	assert_cl(clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(binary), &binary, NULL));
	return binary;
}

static cl_program from_binary(struct world *world, const unsigned char *binary, size_t bytes, cl_int wanted)
{
	cl_int status = 77, error;
	cl_program program = clCreateProgramWithBinary(world->context, 1, &device, &bytes, &binary, &status, &error);

	assert_int_equal(error, wanted);
	assert_int_equal(status, wanted);
	assert_int_equal(!program, wanted != CL_SUCCESS);
	return program;
}

static void has_kernel(cl_program program, const char *name)
{
	cl_int error;
	cl_kernel kernel = clCreateKernel(program, name, &error);

	assert_cl(error);
	clReleaseKernel(kernel);
}

/* The engine has so many programs, once it has taken everything. */
static void assert_programs(struct world *world, uint32_t count)
{
	assert_cl(clEnqueueMarkerWithWaitList(world->queue, 0, NULL, NULL));
	assert_cl(clFinish(world->queue));
	assert_int_equal(GET(programs), count);
}

static void v2_a_linked_programs_binary_is_made_again_from_its_parts(void **state)
{
	struct world world;
	cl_program parts[2], library, linked, again;
	unsigned char *binary;
	uint32_t compiles, links, before;
	size_t bytes;
	cl_int error;

	(void)state;
	world_make(&world);
	assert_cl(clEnqueueMarkerWithWaitList(world.queue, 0, NULL, NULL));
	assert_cl(clFinish(world.queue));
	before = GET(programs);
	parts[0] = source(&world, "helpers");
	parts[1] = source(&world, "kernel scale");
	assert_cl(compile(parts[0]));
	assert_cl(compile(parts[1]));
	library = clLinkProgram(world.context, 0, NULL, "-create-library", 1, parts, NULL, NULL, &error);
	assert_cl(error);
	linked = clLinkProgram(world.context, 0, NULL, NULL, 2, (cl_program[]){ parts[1], library }, NULL, NULL, &error);
	assert_cl(error);
	assert_programs(&world, before + 4);
	clReleaseProgram(parts[0]);
	clReleaseProgram(parts[1]);
	clReleaseProgram(library);
	binary = binary_of(linked, &bytes);
	clReleaseProgram(linked);
	assert_programs(&world, before);

	compiles = GET(compiles);
	links = GET(links);
	again = from_binary(&world, binary, bytes, CL_SUCCESS);
	assert_int_equal(GET(compiles), compiles);	/* not before it is built */
	assert_cl(clBuildProgram(again, 0, NULL, NULL, NULL, NULL));
	assert_int_equal(GET(compiles), compiles + 2);
	assert_int_equal(GET(links), links + 2);
	assert_programs(&world, before + 1);		/* what was made on the way is gone */
	has_kernel(again, "scale");
	clReleaseProgram(again);
	assert_programs(&world, before);

	free(binary);
	world_end(&world);
}

/* Of a part that comes as a binary, and one that the engine has. */
static void v2_parts_from_binaries_are_linked_with_living_ones(void **state)
{
	struct world world;
	cl_program part, linked, inputs[2];
	unsigned char *binary;
	uint32_t compiles, before;
	size_t bytes;
	cl_int error;

	(void)state;
	world_make(&world);
	part = source(&world, "kernel add");
	assert_cl(compile(part));
	binary = binary_of(part, &bytes);
	clReleaseProgram(part);
	inputs[0] = from_binary(&world, binary, bytes, CL_SUCCESS);
	assert_int_equal(clBuildProgram(inputs[0], 0, NULL, NULL, NULL, NULL), CL_INVALID_BINARY);	/* it is no executable */
	inputs[1] = source(&world, "kernel scale");
	assert_cl(compile(inputs[1]));
	assert_cl(clEnqueueMarkerWithWaitList(world.queue, 0, NULL, NULL));
	assert_cl(clFinish(world.queue));
	before = GET(programs);
	compiles = GET(compiles);
	linked = clLinkProgram(world.context, 0, NULL, "", 2, inputs, NULL, NULL, &error);
	assert_cl(error);
	assert_int_equal(GET(compiles), compiles + 1);
	assert_programs(&world, before + 1);
	clReleaseProgram(inputs[0]);
	clReleaseProgram(inputs[1]);
	clReleaseProgram(linked);
	free(binary);
	world_end(&world);
}

static void v2_headers_reach_the_host(void **state)
{
	struct world world;
	cl_program program, headers[2], linked;
	const char *names[2] = { "a.h", "deep/b.h" }, *outside[2] = { "a.h", "../b.h" };
	cl_int error;

	(void)state;
	world_make(&world);
	program = source(&world, "#include");
	headers[0] = source(&world, " scale of odd length");
	headers[1] = source(&world, "");
	assert_int_equal(clCompileProgram(program, 0, NULL, NULL, 2, headers, outside, NULL, NULL), CL_INVALID_VALUE);
	assert_cl(clCompileProgram(program, 0, NULL, "-DX", 2, headers, names, NULL, NULL));
	linked = clLinkProgram(world.context, 0, NULL, NULL, 1, &program, NULL, NULL, &error);
	assert_cl(error);
	has_kernel(linked, "scale");
	clReleaseProgram(headers[0]);
	clReleaseProgram(headers[1]);
	clReleaseProgram(program);
	clReleaseProgram(linked);
	world_end(&world);
}

static void v2_intermediate_language_and_its_constants(void **state)
{
	const double three = 3;
	const cl_uint four = 4;
	const cl_bool yes = 1;
	uint32_t broken[CONTAINERS_MODULE_WORDS];
	struct world world;
	cl_program program;
	unsigned char *binary;
	char back[sizeof(containers_module)];
	uint64_t value;
	size_t bytes;
	cl_int error;

	(void)state;
	world_make(&world);
	memcpy(broken, containers_module, sizeof(broken));
	broken[5] = 0xffff0000u | 71;	/* longer than the module */
	assert_null(clCreateProgramWithIL(world.context, broken, sizeof(broken), &error));
	assert_int_equal(error, CL_INVALID_VALUE);
	assert_null(clCreateProgramWithIL(world.context, containers_module, 0, &error));
	assert_int_equal(error, CL_INVALID_VALUE);
	program = clCreateProgramWithIL(world.context, containers_module, sizeof(containers_module), &error);
	assert_cl(error);
	assert_cl(clGetProgramInfo(program, CL_PROGRAM_IL, sizeof(back), back, &bytes));
	assert_int_equal(bytes, sizeof(back));
	assert_memory_equal(back, containers_module, sizeof(back));
	assert_int_equal(clSetProgramSpecializationConstant(program, 8, 4, &four), CL_INVALID_SPEC_ID);
	assert_int_equal(clSetProgramSpecializationConstant(program, 6, 4, &four), CL_INVALID_VALUE);
	assert_int_equal(clSetProgramSpecializationConstant(program, 6, 8, NULL), CL_INVALID_VALUE);
	assert_int_equal(clSetProgramSpecializationConstant(world.program, 6, 8, &three), CL_INVALID_PROGRAM);
	assert_cl(clSetProgramSpecializationConstant(program, 5, 4, &(cl_uint){ 9 }));
	assert_cl(clSetProgramSpecializationConstant(program, 7, 1, &yes));
	assert_cl(clSetProgramSpecializationConstant(program, 6, 8, &three));
	assert_cl(clSetProgramSpecializationConstant(program, 5, 4, &four));	/* the last value counts */
	assert_cl(clBuildProgram(program, 0, NULL, NULL, NULL, NULL));
	assert_int_equal(GET(constants), 3);
	memcpy(&value, &three, sizeof(value));
	assert_true(GET(last_constant) == value);
	has_kernel(program, "scale");
	binary = binary_of(program, &bytes);
	clReleaseProgram(program);
	SET(constants, 0);
	program = from_binary(&world, binary, bytes, CL_SUCCESS);
	assert_cl(clBuildProgram(program, 0, NULL, NULL, NULL, NULL));
	assert_int_equal(GET(constants), 3);
	clReleaseProgram(program);
	free(binary);
	world_end(&world);
}

static void v2_sub_groups_are_asked_of_the_host(void **state)
{
	const size_t local[2] = { 5, 3 }, six = 6;
	struct world world;
	size_t answer = 0, shape[3] = { 0 }, bytes;

	(void)state;
	world_make(&world);
	assert_cl(clGetKernelSubGroupInfo(world.scale, device, CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE, sizeof(local), local, sizeof(answer), &answer, &bytes));
	assert_int_equal(answer, 4);
	assert_int_equal(bytes, sizeof(answer));
	assert_cl(clGetKernelSubGroupInfo(world.scale, NULL, CL_KERNEL_LOCAL_SIZE_FOR_SUB_GROUP_COUNT, sizeof(six), &six, sizeof(shape), shape, &bytes));
	assert_int_equal(shape[0], 24);
	assert_int_equal(shape[2], 1);
	assert_int_equal(bytes, sizeof(shape));
	assert_cl(clGetKernelSubGroupInfo(world.scale, device, CL_KERNEL_LOCAL_SIZE_FOR_SUB_GROUP_COUNT, sizeof(six), &six, sizeof(shape[0]), shape, NULL));
	assert_cl(clGetKernelSubGroupInfo(world.scale, device, CL_KERNEL_MAX_NUM_SUB_GROUPS, 0, NULL, sizeof(answer), &answer, NULL));
	assert_int_equal(answer, 64);
#define REFUSED(param, in_bytes, in, bytes, out) \
	assert_int_equal(clGetKernelSubGroupInfo(world.scale, device, param, in_bytes, in, bytes, out, NULL), CL_INVALID_VALUE)
	REFUSED(CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE, 0, NULL, sizeof(answer), &answer);
	REFUSED(CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE, 7, local, sizeof(answer), &answer);
	REFUSED(CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE, 32, local, sizeof(answer), &answer);
	REFUSED(CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE, 16, local, 4, &answer);
	REFUSED(CL_KERNEL_LOCAL_SIZE_FOR_SUB_GROUP_COUNT, 8, &six, 12, shape);
	REFUSED(0x7777, 8, &six, sizeof(answer), &answer);
	world_end(&world);
}

/* ---- builds under way ------------------------------------------------------------------------------ */

struct told {
	uint32_t count;
	cl_program program;
	pthread_t thread;
	cl_build_status status;
};

static void CL_CALLBACK tell(cl_program program, void *data)
{
	struct told *told = data;

	told->program = program;
	told->thread = pthread_self();
	clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_STATUS, sizeof(told->status), &told->status, NULL);
	__atomic_fetch_add(&told->count, 1, __ATOMIC_SEQ_CST);
}

static void told_of(struct told *told)
{
	for (int i = 0; i < 6000 && !__atomic_load_n(&told->count, __ATOMIC_SEQ_CST); i++)
		usleep(10000);
	assert_int_equal(__atomic_load_n(&told->count, __ATOMIC_SEQ_CST), 1);
}

static void a_build_with_a_callback_returns_at_once(void **state)
{
	struct told told = { 0 };
	struct world world;
	cl_program program;
	cl_int error;

	(void)state;
	world_make(&world);
	program = source(&world, "kernel scale #long");	/* its reply is asked for twice */
	SET(hold, 1);
	assert_cl(clBuildProgram(program, 0, NULL, "-DX", tell, &told));
	assert_int_equal(status_of(program), CL_BUILD_IN_PROGRESS);
	assert_int_equal(clBuildProgram(program, 0, NULL, NULL, NULL, NULL), CL_INVALID_OPERATION);
	assert_null(clCreateKernel(program, "scale", &error));
	assert_int_equal(error, CL_INVALID_PROGRAM_EXECUTABLE);
	assert_int_equal(__atomic_load_n(&told.count, __ATOMIC_SEQ_CST), 0);
	SET(hold, 0);
	told_of(&told);
	assert_ptr_equal(told.program, program);
	assert_int_equal(told.status, CL_BUILD_SUCCESS);
	assert_false(pthread_equal(told.thread, pthread_self()));
	has_kernel(program, "scale");
	clReleaseProgram(program);
	world_end(&world);
}

static void a_program_lives_until_its_build_has_told(void **state)
{
	struct told told = { 0 };
	struct world world;
	cl_program program;

	(void)state;
	world_make(&world);
	program = source(&world, "#error");
	SET(hold, 1);
	assert_cl(clBuildProgram(program, 0, NULL, NULL, tell, &told));
	assert_cl(clReleaseProgram(program));
	SET(hold, 0);
	told_of(&told);
	assert_int_equal(told.status, CL_BUILD_ERROR);
	world_end(&world);
}

static void v2_what_is_under_way_is_not_linked(void **state)
{
	struct told told = { 0 }, told_too = { 0 };
	struct world world;
	cl_program program, linked;
	cl_int error;

	(void)state;
	world_make(&world);
	program = source(&world, "kernel scale");
	SET(hold, 1);
	assert_cl(clCompileProgram(program, 0, NULL, NULL, 0, NULL, NULL, tell, &told));
	assert_null(clLinkProgram(world.context, 0, NULL, NULL, 1, &program, NULL, NULL, &error));
	assert_int_equal(error, CL_INVALID_OPERATION);
	SET(hold, 0);
	told_of(&told);
	linked = clLinkProgram(world.context, 0, NULL, NULL, 1, &program, tell, &told_too, &error);
	assert_cl(error);
	told_of(&told_too);
	assert_ptr_equal(told_too.program, linked);
	clReleaseProgram(program);
	clReleaseProgram(linked);
	world_end(&world);
}

static void a_build_of_a_lost_device_tells_so(void **state)
{
	struct told told = { 0 };
	struct world world;
	cl_program program;

	(void)state;
	world_make(&world);
	program = source(&world, "kernel scale");
	SET(hold, 1);
	assert_cl(clBuildProgram(program, 0, NULL, NULL, tell, &told));
	SET(die, 1);
	told_of(&told);
	assert_int_equal(told.status, CL_BUILD_ERROR);
	SET(hold, 0);
	assert_int_equal(clBuildProgram(program, 0, NULL, NULL, NULL, NULL), CL_DEVICE_NOT_AVAILABLE);
	clReleaseProgram(program);
	world_end(&world);
}

/* ---- binaries -------------------------------------------------------------------------------------- */

static void damaged_binaries_are_refused(void **state)
{
	struct world world;
	unsigned char *binary;
	size_t bytes;
	cl_program again;

	(void)state;
	world_make(&world);
	binary = binary_of(world.program, &bytes);
	for (size_t at = 0; at < bytes; at += 3) {
		binary[at] ^= 0x10;
		from_binary(&world, binary, bytes, CL_INVALID_BINARY);
		binary[at] ^= 0x10;
	}
	from_binary(&world, binary, bytes - 1, CL_INVALID_BINARY);
	from_binary(&world, binary, 1, CL_INVALID_BINARY);
	from_binary(&world, binary, 0, CL_INVALID_VALUE);
	from_binary(&world, NULL, bytes, CL_INVALID_VALUE);
	again = from_binary(&world, binary, bytes, CL_SUCCESS);
	assert_int_equal(compile(again), CL_INVALID_OPERATION);
	assert_cl(clBuildProgram(again, 0, NULL, NULL, NULL, NULL));
	has_kernel(again, "group8");
	clReleaseProgram(again);
	free(binary);
	world_end(&world);
}

/* With the identity of another device it is somebody else's. */
static void a_binary_is_good_for_its_device_only(void **state)
{
	struct world world;
	struct container_head head;
	unsigned char *binary;
	size_t bytes;

	(void)state;
	world_make(&world);
	binary = binary_of(world.program, &bytes);
	memcpy(&head, binary, sizeof(head));
	head.identity++;
	memcpy(binary, &head, sizeof(head));
	containers_seal(binary, bytes);
	from_binary(&world, binary, bytes, CL_INVALID_BINARY);
	head.identity--;
	memcpy(binary, &head, sizeof(head));
	containers_seal(binary, bytes);
	clReleaseProgram(from_binary(&world, binary, bytes, CL_SUCCESS));
	free(binary);
	world_end(&world);
}

static void v1_a_host_of_version_1_is_asked_for_nothing_new(void **state)
{
	struct world world;
	struct recipe *recipe = containers_recipe(CONTAINER_LINK);
	struct container_head head;
	unsigned char *binary, *foreign;
	cl_program program;
	size_t bytes, foreign_bytes = container_bytes(recipe), local = 8, answer;
	char version[64] = "?";
	cl_bool linker = 1;
	cl_int error;

	(void)state;
	world_make(&world);
	assert_cl(clGetDeviceInfo(device, CL_DEVICE_LINKER_AVAILABLE, sizeof(linker), &linker, NULL));
	assert_int_equal(linker, CL_FALSE);
	assert_cl(clGetDeviceInfo(device, CL_DEVICE_IL_VERSION, sizeof(version), version, NULL));
	assert_string_equal(version, "");
	program = source(&world, "kernel scale");
	assert_int_equal(compile(program), CL_INVALID_OPERATION);
	assert_null(clLinkProgram(world.context, 0, NULL, NULL, 1, &program, NULL, NULL, &error));
	assert_int_equal(error, CL_LINKER_NOT_AVAILABLE);
	assert_null(clCreateProgramWithIL(world.context, containers_module, sizeof(containers_module), &error));
	assert_int_equal(error, CL_INVALID_OPERATION);
	assert_int_equal(clSetProgramSpecializationConstant(program, 5, 4, &error), CL_INVALID_OPERATION);
	assert_int_equal(clGetKernelSubGroupInfo(world.scale, device, CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE, sizeof(local), &local,
						 sizeof(answer), &answer, NULL), CL_INVALID_OPERATION);
	/* Executables of source are given back; what such a host cannot make is refused. */
	binary = binary_of(world.program, &bytes);
	memcpy(&head, binary, sizeof(head));
	foreign = malloc(foreign_bytes);
	assert_int_equal(container_write(recipe, head.identity, foreign, foreign_bytes), 0);
	from_binary(&world, foreign, foreign_bytes, CL_INVALID_BINARY);
	clReleaseProgram(from_binary(&world, binary, bytes, CL_SUCCESS));
	clReleaseProgram(program);
	recipe_release(recipe);
	free(foreign);
	free(binary);
	world_end(&world);
}

#define TEST(name) cmocka_unit_test_teardown(name, fixture_check)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(v2_a_linked_programs_binary_is_made_again_from_its_parts),
		TEST(v2_parts_from_binaries_are_linked_with_living_ones),
		TEST(v2_headers_reach_the_host),
		TEST(v2_intermediate_language_and_its_constants),
		TEST(v2_sub_groups_are_asked_of_the_host),
		TEST(v2_what_is_under_way_is_not_linked),
		TEST(a_build_with_a_callback_returns_at_once),
		TEST(a_program_lives_until_its_build_has_told),
		TEST(a_build_of_a_lost_device_tells_so),
		TEST(damaged_binaries_are_refused),
		TEST(a_binary_is_good_for_its_device_only),
		TEST(v1_a_host_of_version_1_is_asked_for_nothing_new),
	};

	/* Each run counts those of the version its host speaks. */
	cmocka_set_skip_filter(fixture_version_1() ? "v2_*" : "v1_*");
	return cmocka_run_group_tests_name("shim/opencl programs", tests, fixture_setup, NULL);
}
