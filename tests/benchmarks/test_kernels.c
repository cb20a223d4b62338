// SPDX-License-Identifier: MIT
/*
 * The set on the first OpenCL device there is: right results pass, and the verification catches wrong
 * ones. Small sizes, on purpose not multiples of tiles and groups. Needs an OpenCL device; without one
 * it fails.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "benchmarks/kernels/sha256_reference.h"
#include "benchmarks/runner.h"

#include <string.h>

static struct device_choice choice;

static int find_device(void **state)
{
	char reason[512];

	(void)state;
	if (device_choose(NULL, NULL, &choice, reason, sizeof(reason)) == 0)
		return 0;
	fprintf(stderr, "%s\n", reason);
	return -1;
}

struct small_case {
	const char *kernel;
	uint32_t param[BENCH_PARAMS_MAX];
};

static const struct small_case small_cases[] = {
	{ "vecadd", { 1 } },
	{ "vecadd", { 1001 } },
	{ "sgemm", { 37, 16 } },
	{ "sgemm", { 5, 3 } },
	{ "reduce", { 1001, 3 } },
	{ "reduce", { 3, 5 } },		/* more groups than a piece of input */
	{ "stencil2d", { 33, 3 } },
	{ "stencil2d", { 16, 4 } },
	{ "nbody", { 97 } },
	{ "sha256", { 7, 5 } },
};
#define SMALL_CASES (sizeof(small_cases) / sizeof(small_cases[0]))

static struct bench_request request_of(const struct small_case *small)
{
	struct bench_request request = {
		.kernel = bench_kernel_find(small->kernel),
		.seed = 11,
		.warmup = 1,
		.repeat = 2,
	};

	assert_non_null(request.kernel);
	memcpy(request.param, small->param, sizeof(request.param));
	return request;
}

static void right_results_are_verified(void **state)
{
	(void)state;
	for (size_t i = 0; i < SMALL_CASES; i++) {
		struct bench_request request = request_of(&small_cases[i]);
		struct bench_result result;

		bench_execute(&choice, &request, &result);
		if (result.failed)
			fail_msg("%s: %s", small_cases[i].kernel, result.failure);
		if (result.mismatch.found)
			fail_msg("%s: word %zu: want %s, got %s", small_cases[i].kernel, result.mismatch.index,
				result.mismatch.want, result.mismatch.got);
		assert_true(result.wall_us[0] > 0 && result.wall_us[1] > 0);
		assert_true(result.work > 0);
		bench_result_finish(&result);
	}
}

static void every_kernel_is_among_the_cases(void **state)
{
	(void)state;
	for (unsigned k = 0; k < bench_kernel_count; k++) {
		bool found = false;

		for (size_t i = 0; i < SMALL_CASES; i++)
			found = found || !strcmp(small_cases[i].kernel, bench_kernels[k]->name);
		assert_true(found);
	}
}

static void one_corrupted_word_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < SMALL_CASES; i++) {
		for (uint64_t seed = 1; seed <= 4; seed++) {
			struct bench_request request = request_of(&small_cases[i]);
			struct bench_result result;

			request.seed = seed;	/* it also decides which word */
			request.inject_fault = true;
			request.warmup = 0;
			request.repeat = 1;
			bench_execute(&choice, &request, &result);
			if (result.failed)
				fail_msg("%s: %s", small_cases[i].kernel, result.failure);
			if (!result.mismatch.found)
				fail_msg("%s: a corrupted word passed", small_cases[i].kernel);
			assert_string_not_equal(result.mismatch.want, result.mismatch.got);
			bench_result_finish(&result);
		}
	}
}

static void enqueue_nothing(struct bench_run *run)
{
	(void)run;
}

static void launches_that_never_happened_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < SMALL_CASES; i++) {
		struct bench_request request = request_of(&small_cases[i]);
		struct bench_kernel lazy = *request.kernel;
		struct bench_result result;

		lazy.enqueue = enqueue_nothing;
		request.kernel = &lazy;
		bench_execute(&choice, &request, &result);
		assert_false(result.failed);
		assert_true(result.mismatch.found);
		bench_result_finish(&result);
	}
}

static unsigned enqueued;

static void enqueue_all_but_the_last(struct bench_run *run)
{
	if (enqueued++ < 2)	/* a warm-up and the first of two repetitions */
		bench_kernel_find(run->kernel->name)->enqueue(run);
}

static void a_lost_last_launch_does_not_pass_on_an_earlier_result(void **state)
{
	(void)state;
	for (size_t i = 0; i < SMALL_CASES; i++) {
		struct bench_request request = request_of(&small_cases[i]);
		struct bench_kernel lossy = *request.kernel;
		struct bench_result result;

		enqueued = 0;
		lossy.enqueue = enqueue_all_but_the_last;
		request.kernel = &lossy;
		bench_execute(&choice, &request, &result);
		assert_false(result.failed);
		assert_true(result.mismatch.found);
		bench_result_finish(&result);
	}
}

static void the_first_failure_of_a_session_sticks(void **state)
{
	struct session cl;

	(void)state;
	session_open(&cl, &choice);
	assert_false(cl.failed);
	assert_null(session_build(&cl, "__kernel void broken(", "-DX=1"));
	assert_true(cl.failed);
	assert_non_null(strstr(cl.failure, "clBuildProgram"));
	assert_non_null(strstr(cl.failure, "CL_BUILD_PROGRAM_FAILURE"));
	assert_non_null(strstr(cl.failure, "-DX=1"));
	assert_null(session_buffer(&cl, CL_MEM_READ_WRITE, 64, NULL));
	assert_null(session_host_memory(&cl, 1, 1));
	assert_non_null(strstr(cl.failure, "clBuildProgram"));
	session_close(&cl);
}

static void a_failure_names_the_call_and_the_error(void **state)
{
	struct session cl;

	(void)state;
	session_open(&cl, &choice);
	assert_null(session_buffer(&cl, CL_MEM_READ_WRITE, 0, NULL));
	assert_non_null(strstr(cl.failure, "clCreateBuffer of 0 bytes failed: CL_INVALID_BUFFER_SIZE (-61)"));
	session_close(&cl);
}

static void an_unknown_device_is_answered_with_those_there_are(void **state)
{
	struct device_choice other = { .compute_units = 77 };
	char reason[1024];

	(void)state;
	assert_true(device_choose("no such platform", NULL, &other, reason, sizeof(reason)) < 0);
	assert_non_null(strstr(reason, choice.device_name));
	assert_true(device_choose(NULL, "63", &other, reason, sizeof(reason)) < 0);
	assert_int_equal(other.compute_units, 77);	/* untouched */
	assert_int_equal(device_choose(NULL, "0", &other, reason, sizeof(reason)), 0);
	assert_ptr_equal(other.device, choice.device);
}

/* FIPS 180-4's example: "abc". */
static void reference_hash_is_sha256(void **state)
{
	const uint32_t words[16] = { 0x61626380, [15] = 24 };
	const uint32_t want[8] = {
		0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223, 0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad,
	};
	uint32_t digest[8];

	(void)state;
	sha256_block(words, digest);
	assert_memory_equal(digest, want, sizeof(want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reference_hash_is_sha256),
		cmocka_unit_test(every_kernel_is_among_the_cases),
		cmocka_unit_test(right_results_are_verified),
		cmocka_unit_test(one_corrupted_word_is_found),
		cmocka_unit_test(launches_that_never_happened_are_found),
		cmocka_unit_test(a_lost_last_launch_does_not_pass_on_an_earlier_result),
		cmocka_unit_test(the_first_failure_of_a_session_sticks),
		cmocka_unit_test(a_failure_names_the_call_and_the_error),
		cmocka_unit_test(an_unknown_device_is_answered_with_those_there_are),
	};

	return cmocka_run_group_tests(tests, find_device, NULL);
}
