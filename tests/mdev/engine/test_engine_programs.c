/* SPDX-License-Identifier: MIT */
/* A real engine that compiles and links: what it makes, and what it refuses of a guest that means harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <CL/cl.h>
#include <cmocka.h>

#include "tests/mdev/engine/engine_harness.h"

/* Where things lie in the memory blob. */
#define SOURCE_AT (16u << 20)
#define OPTIONS_AT (17u << 20)
#define HEADERS_AT (18u << 20)
#define REPLY_AT (19u << 20)
#define REPLY_BYTES (1u << 20)
#define DATA_AT (20u << 20)

static const struct wire_build_reply *reply_of(struct harness *h)
{
	return (const struct wire_build_reply *)(const void *)(h->memory + REPLY_AT);
}

static struct wire_range text(struct harness *h, uint32_t at, const char *words)
{
	size_t bytes = words ? strlen(words) : 0;

	if (words)
		memcpy(h->memory + at, words, bytes);
	return (struct wire_range){HARNESS_MEMORY_BLOB, at, bytes};
}

static const struct wire_range reply_range = {HARNESS_MEMORY_BLOB, REPLY_AT, REPLY_BYTES};

static int32_t compile_with(struct harness *h, uint32_t program, const char *source, const char *options, struct wire_range headers,
			    uint32_t header_count)
{
	struct wire_program_compile r = {
		.slot = harness_slot(h),
		.program = program,
		.makes = WIRE_PROGRAM_OBJECT,
		.source = text(h, SOURCE_AT, source),
		.options = text(h, OPTIONS_AT, options),
		.headers = headers,
		.reply = reply_range,
		.header_count = header_count,
	};

	return harness_wait(h, r.slot, harness_put(h, WIRE_PROGRAM_COMPILE, &r, sizeof(r)), 60000);
}

static int32_t compile(struct harness *h, uint32_t program, const char *source)
{
	return compile_with(h, program, source, NULL, (struct wire_range){0}, 0);
}

static int32_t link_of(struct harness *h, uint32_t program, const char *options, const uint32_t *inputs, uint32_t count)
{
	struct {
		struct wire_program_link r;
		uint32_t inputs[8];
	} r = {.r = {.slot = harness_slot(h), .program = program, .options = text(h, OPTIONS_AT, options), .reply = reply_range,
		     .input_count = count}};

	memcpy(r.inputs, inputs, count * sizeof(*inputs));
	return harness_wait(h, r.r.slot, harness_put(h, WIRE_PROGRAM_LINK, &r, (uint32_t)(sizeof(r.r) + ((count * 4 + 7) & ~7u))),
			    60000);
}

/* Appends one; its range grows. */
static void header_add(struct harness *h, struct wire_range *headers, const char *name, const char *words)
{
	const struct wire_program_header head = {.name_bytes = (uint32_t)strlen(name), .text_bytes = strlen(words)};
	uint8_t *at = h->memory + HEADERS_AT + headers->bytes;
	size_t name_bytes = (strlen(name) + 7) & ~(size_t)7, text_bytes = (strlen(words) + 7) & ~(size_t)7;

	headers->blob_id = HARNESS_MEMORY_BLOB;
	headers->offset = HEADERS_AT;
	memset(at, 0, sizeof(head) + name_bytes + text_bytes);
	memcpy(at, &head, sizeof(head));
	memcpy(at + sizeof(head), name, strlen(name));
	memcpy(at + sizeof(head) + name_bytes, words, strlen(words));
	headers->bytes += sizeof(head) + name_bytes + text_bytes;
}

/* Runs kernel `name`(global int *out) of the program over 4 items: out[2]. */
static int run(struct harness *h, uint32_t program, const char *name)
{
	struct harness_launch l;
	int *out = (int *)(void *)(h->memory + DATA_AT);
	uint32_t slot = harness_slot(h);

	out[2] = 0;
	assert_int_equal(harness_buffer(h, 1, DATA_AT, 4096), 0);
	assert_int_equal(harness_kernel(h, 1, program, name), 0);
	harness_launch_begin(&l, HARNESS_QUEUE, 1, slot, 4, 1);
	harness_launch_buffer(&l, 1);
	assert_int_equal(harness_wait(h, slot, harness_launch_put(h, &l), 60000), 0);
	assert_int_equal(harness_destroy(h, WIRE_KERNEL_DESTROY, 1), 0);
	assert_int_equal(harness_destroy(h, WIRE_BUFFER_DESTROY, 1), 0);
	return out[2];
}

static void ended_well(struct harness *h)
{
	harness_stop(h);
	assert_true(WIFEXITED(h->wait_status) && WEXITSTATUS(h->wait_status) == 0);
}

static void objects_and_libraries_are_linked(void **state)
{
	struct harness h;
	struct wire_range headers = {0};

	(void)state;
	harness_start(&h, NULL);
	header_add(&h, &headers, "three.h", "#define THREE 3\n");
	header_add(&h, &headers, "deep/four.h", "#define FOUR (THREE + 1)\n");
	assert_int_equal(compile_with(&h, 1, "#include \"three.h\"\n#include \"deep/four.h\"\nint four(void) { return FOUR + GIVEN; }",
				      "-DGIVEN=100", headers, 2), 0);
	assert_int_equal(reply_of(&h)->error, 0);
	assert_int_equal(reply_of(&h)->kernel_count, 0);
	assert_int_equal(link_of(&h, 2, "-create-library", (uint32_t[]){1}, 1), 0);
	assert_int_equal(reply_of(&h)->error, 0);
	assert_int_equal(compile(&h, 3, "int four(void); kernel void get(global int *out) { out[get_global_id(0)] = four(); }"), 0);
	assert_int_equal(reply_of(&h)->kernel_count, 0);
	assert_int_equal(link_of(&h, 4, NULL, (uint32_t[]){3, 2}, 2), 0);
	assert_int_equal(reply_of(&h)->error, 0);
	assert_int_equal(reply_of(&h)->kernel_count, 1);
	/* What was linked of may go. */
	for (uint32_t i = 1; i <= 3; i++)
		assert_int_equal(harness_destroy(&h, WIRE_PROGRAM_DESTROY, i), 0);
	assert_int_equal(run(&h, 4, "get"), 104);
	ended_well(&h);
}

/* The shim has to know them to write a launch. */
static void a_linked_kernels_arguments_are_told(void **state)
{
	struct harness h;
	struct wire_kernel_info kernel;
	struct wire_arg_info arg;

	(void)state;
	harness_start(&h, NULL);
	assert_int_equal(compile(&h, 1, "kernel void f(global int *a, local float *b, int c, constant int *d) { a[0] = c + d[0] + (int)b[0]; }"), 0);
	assert_int_equal(link_of(&h, 2, NULL, (uint32_t[]){1}, 1), 0);
	assert_int_equal(reply_of(&h)->kernel_count, 1);
	const uint8_t *at = (const uint8_t *)(reply_of(&h) + 1) + ((reply_of(&h)->log_bytes + 7) & ~7u);
	memcpy(&kernel, at, sizeof(kernel));
	assert_int_equal(kernel.arg_count, 4);
	at += sizeof(kernel) + 8 + ((kernel.attributes_bytes + 7) & ~7u);
	static const uint32_t kinds[4] = {WIRE_ARG_BUFFER, WIRE_ARG_LOCAL, WIRE_ARG_VALUE, WIRE_ARG_BUFFER};
	for (unsigned i = 0; i < 4; i++) {
		memcpy(&arg, at, sizeof(arg));
		assert_int_equal(arg.kind, kinds[i]);
		at += sizeof(arg) + ((arg.type_name_bytes + 7) & ~7u) + ((arg.name_bytes + 7) & ~7u);
	}
	ended_well(&h);
}

static void what_cannot_be_linked_is_refused(void **state)
{
	struct harness h;
	const uint32_t good = 1, failed = 2, built = 3, nobody = 9;

	(void)state;
	harness_start(&h, NULL);
	assert_int_equal(compile(&h, good, "int one(void) { return 1; }"), 0);
	assert_int_equal(compile(&h, failed, "int one(void) { return no_such_name; }"), 0);
	assert_int_equal(reply_of(&h)->error, CL_COMPILE_PROGRAM_FAILURE);
	assert_true(reply_of(&h)->log_bytes > 0);
	assert_int_equal(harness_build(&h, built, "kernel void two(global int *out) { out[0] = 2; }", NULL, NULL), 0);
	assert_int_equal(link_of(&h, 5, NULL, &failed, 1), CL_INVALID_OPERATION);
	assert_int_equal(link_of(&h, 5, NULL, &built, 1), CL_INVALID_OPERATION);
	assert_int_equal(link_of(&h, 5, NULL, &nobody, 1), CL_INVALID_PROGRAM);
	assert_int_equal(link_of(&h, 5, NULL, (uint32_t[]){good, 5}, 2), CL_INVALID_PROGRAM);	/* itself */
	assert_int_equal(link_of(&h, good, NULL, &good, 1), CL_INVALID_PROGRAM);	/* an id that is taken */
	assert_int_equal(compile(&h, good, "int x;"), CL_INVALID_PROGRAM);
	/* A link that began and failed is a program; it makes no kernel. */
	assert_int_equal(link_of(&h, 5, "-no-such-option", &good, 1), 0);
	assert_int_equal(reply_of(&h)->build_status, CL_BUILD_ERROR);
	assert_int_equal(reply_of(&h)->error, CL_INVALID_LINKER_OPTIONS);
	assert_int_equal(harness_kernel(&h, 1, 5, "two"), CL_INVALID_PROGRAM_EXECUTABLE);
	assert_int_equal(harness_kernel(&h, 1, good, "two"), CL_INVALID_PROGRAM_EXECUTABLE);
	assert_int_equal(harness_destroy(&h, WIRE_PROGRAM_DESTROY, 5), 0);
	assert_int_equal(run(&h, built, "two"), 0);	/* the engine lives: item 0 was written, 2 was not */
	ended_well(&h);
}

/* A driver writes headers into files. */
static void header_names_that_leave_their_folder_are_refused(void **state)
{
	static const char *const names[] = {"/tmp/x.h", "../x.h", "a/../../x.h", "..", "a/.."};
	struct harness h;

	(void)state;
	harness_start(&h, NULL);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct wire_range headers = {0};

		header_add(&h, &headers, names[i], "#define X 1\n");
		assert_int_equal(compile_with(&h, 1, "int x;", NULL, headers, 1), CL_INVALID_VALUE);
	}
	/* More than there are, lengths beyond the range, fewer than fill it. */
	struct wire_range headers = {0};
	header_add(&h, &headers, "x.h", "#define X 1\n");
	assert_int_equal(compile_with(&h, 1, "int x;", NULL, headers, 2), CL_INVALID_VALUE);
	((struct wire_program_header *)(void *)(h.memory + HEADERS_AT))->text_bytes = UINT64_MAX - 3;
	assert_int_equal(compile_with(&h, 1, "int x;", NULL, headers, 1), CL_INVALID_VALUE);
	headers.bytes = 0;
	header_add(&h, &headers, "x.h", "#define X 1\n");
	header_add(&h, &headers, "y.h", "#define Y 1\n");
	assert_int_equal(compile_with(&h, 1, "int x;", NULL, headers, 1), CL_INVALID_VALUE);
	assert_int_equal(compile_with(&h, 1, "#include \"y.h\"\nint x(void) { return Y; }", NULL, headers, 2), 0);
	assert_int_equal(reply_of(&h)->error, 0);
	ended_well(&h);
}

/* On a host without, neither the driver's function nor the engine is harmed by it. */
static void intermediate_language_is_refused_where_the_host_has_none(void **state)
{
	static const uint32_t module[5] = {0x07230203, 0x00010000, 0, 1, 0};
	struct harness h;
	struct wire_program_compile r;

	(void)state;
	harness_start(&h, NULL);
	r = (struct wire_program_compile){
		.slot = harness_slot(&h),
		.program = 1,
		.makes = WIRE_PROGRAM_EXECUTABLE,
		.language = WIRE_LANGUAGE_IL,
		.source = {HARNESS_MEMORY_BLOB, SOURCE_AT, sizeof(module)},
		.reply = reply_range,
	};
	memcpy(h.memory + SOURCE_AT, module, sizeof(module));
	int32_t status = harness_wait(&h, r.slot, harness_put(&h, WIRE_PROGRAM_COMPILE, &r, sizeof(r)), 60000);
	/* One that has it takes the empty module, or says in its own words that it does not. */
	assert_true(status == CL_INVALID_OPERATION || status == CL_INVALID_VALUE || status == 0);
	assert_int_equal(harness_build(&h, 2, "kernel void two(global int *out) { out[get_global_id(0)] = 2; }", NULL, NULL), 0);
	assert_int_equal(run(&h, 2, "two"), 2);
	ended_well(&h);
}

static void a_reply_that_did_not_fit_is_asked_for_again(void **state)
{
	const uint32_t input = 1;
	struct harness h;

	(void)state;
	harness_start(&h, NULL);
	assert_int_equal(compile(&h, input, "kernel void one(global int *out) { out[0] = 1; }"), 0);
	struct {
		struct wire_program_link r;
		uint32_t inputs[2];
	} l = {.r = {.slot = harness_slot(&h), .program = 2, .reply = {HARNESS_MEMORY_BLOB, REPLY_AT, sizeof(struct wire_build_reply)},
		     .input_count = 1}, .inputs = {input}};
	assert_int_equal(harness_wait(&h, l.r.slot, harness_put(&h, WIRE_PROGRAM_LINK, &l, sizeof(l)), 60000), CL_OUT_OF_HOST_MEMORY);
	uint32_t needed = h.slots[l.r.slot].value;
	assert_true(needed > sizeof(struct wire_build_reply) && needed < REPLY_BYTES);
	struct wire_program_build again = {.slot = harness_slot(&h), .program = 2, .reply = reply_range};
	assert_int_equal(harness_wait(&h, again.slot, harness_put(&h, WIRE_PROGRAM_BUILD, &again, sizeof(again)), 60000), 0);
	assert_int_equal(reply_of(&h)->kernel_count, 1);
	ended_well(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_and_libraries_are_linked),
		cmocka_unit_test(a_linked_kernels_arguments_are_told),
		cmocka_unit_test(what_cannot_be_linked_is_refused),
		cmocka_unit_test(header_names_that_leave_their_folder_are_refused),
		cmocka_unit_test(intermediate_language_is_refused_where_the_host_has_none),
		cmocka_unit_test(a_reply_that_did_not_fit_is_asked_for_again),
	};

	return cmocka_run_group_tests_name("engine programs", tests, NULL, NULL);
}
