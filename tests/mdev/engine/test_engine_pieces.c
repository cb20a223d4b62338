/* SPDX-License-Identifier: MIT */
/* A real vgpu-compute on PoCL, made to run kernels in pieces: the results are those of whole runs, bit by bit. */
#include <limits.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <CL/cl.h>
#include <cmocka.h>

#include "scheduler/arbiter.h"
#include "tests/mdev/engine/engine_harness.h"

#define OUT_BYTES (1u << 20)
#define ITEMS 16384u

/* Each takes (global const uint *in, global uint *out, local uint *t) and writes out. The last three are of the kinds of the benchmark
 * set: a stencil, tiles of a matrix product, bodies through local memory. */
static const char program_text[] =
	"kernel void line(global const uint *in, global uint *out, local uint *t)\n"
	"{ size_t i = get_global_id(0); out[i] = in[i] * 2654435761u + (uint)i; }\n"
	"kernel void turn(global const uint *in, global uint *out, local uint *t)\n"
	"{ size_t i = get_global_id(0), l = get_local_id(0), n = get_local_size(0); t[l] = in[i];\n"
	"  barrier(CLK_LOCAL_MEM_FENCE); out[i] = t[n - 1 - l] + (uint)n; }\n"
	"kernel void plane(global const uint *in, global uint *out, local uint *t)\n"
	"{ size_t i = get_global_id(1) * 128 + get_global_id(0); out[i] = in[i] ^ (uint)(get_local_id(1) * 31 + get_local_id(0)); }\n"
	"kernel void space(global const uint *in, global uint *out, local uint *t)\n"
	"{ size_t i = (get_global_id(2) * 32 + get_global_id(1)) * 32 + get_global_id(0); out[i] = in[i] + (uint)get_local_linear_id(); }\n"
	"kernel void stencil(global const uint *in, global uint *out, local uint *t)\n"
	"{ uint x = get_global_id(0), y = get_global_id(1), i = y * 128 + x; float s = 0;\n"
	"  if (x && y && x < 127 && y < 127) s = 0.2f * ((float)in[i - 128] + in[i + 128] + in[i - 1] + in[i + 1] - 4.0f * in[i]);\n"
	"  out[i] = as_uint(native_sin(s) + sqrt(fabs(s))); }\n"
	"kernel __attribute__((reqd_work_group_size(16, 16, 1))) void tiles(global const uint *in, global uint *out, local uint *t)\n"
	"{ local float a[16][16], b[16][16]; uint x = get_local_id(0), y = get_local_id(1), c = get_global_id(0), r = get_global_id(1);\n"
	"  float s = 0; for (uint k = 0; k < 128; k += 16) { a[y][x] = (float)in[r * 128 + k + x]; b[y][x] = (float)in[(k + y) * 128 + c];\n"
	"  barrier(CLK_LOCAL_MEM_FENCE); for (uint j = 0; j < 16; j++) s += a[y][j] * b[j][x]; barrier(CLK_LOCAL_MEM_FENCE); }\n"
	"  out[r * 128 + c] = as_uint(s); }\n"
	"kernel void bodies(global const uint *in, global uint *out, local uint *t)\n"
	"{ uint i = get_global_id(0), l = get_local_id(0), n = get_local_size(0); float s = 0;\n"
	"  for (uint k = 0; k < 512; k += n) { t[l] = in[k + l]; barrier(CLK_LOCAL_MEM_FENCE);\n"
	"  for (uint j = 0; j < n; j++) s += rsqrt((float)(t[j] ^ in[i]) + 1.0f); barrier(CLK_LOCAL_MEM_FENCE); } out[i] = as_uint(s); }\n"
	"kernel void groups(global const uint *in, global uint *out, local uint *t)\n"
	"{ out[get_global_id(0)] = get_group_id(0) * 1000 + get_num_groups(0); }\n"
	"kernel void long_one(global const uint *in, global uint *out, local uint *t)\n"
	"{ uint v = in[get_global_id(0)]; for (uint i = 0; i < 100000; i++) v = v * 1664525u + 1013904223u + (v >> 7); out[get_global_id(0)] = v; }\n"
	"kernel void long_whole(global const uint *in, global uint *out, local uint *t)\n"
	"{ uint v = in[get_global_id(0)]; for (uint i = 0; i < 100000; i++) v = v * 1664525u + 1013904223u + (v >> 7);\n"
	"  out[get_global_id(0)] = get_num_groups(0) ? v : 0; }\n";

struct launch_case {
	const char *kernel;
	uint32_t dimensions;
	uint64_t offset[3], global[3], local[3];	/* local[0] 0: none */
	bool is_split;
};

static const struct launch_case cases[] = {
	{"line", 1, {0}, {ITEMS}, {64}, true},
	{"line", 1, {1024}, {8192}, {32}, true},
	{"line", 1, {0}, {ITEMS}, {0}, true},
	{"turn", 1, {0}, {ITEMS}, {64}, true},
	{"turn", 1, {640}, {6400}, {0}, true},
	{"plane", 2, {0}, {128, 128}, {16, 4}, true},
	{"plane", 2, {16, 32}, {64, 64}, {8, 8}, true},
	{"space", 3, {0}, {32, 32, 16}, {8, 4, 2}, true},
	{"space", 3, {8, 0, 4}, {16, 32, 8}, {8, 8, 1}, true},
	{"stencil", 2, {0}, {128, 128}, {16, 16}, true},
	{"tiles", 2, {0}, {128, 128}, {16, 16}, true},
	{"bodies", 1, {0}, {2048}, {64}, true},
	{"groups", 1, {0}, {ITEMS}, {64}, false},
	{"line", 1, {0}, {64}, {64}, false},	/* one group */
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

static void set_up(struct harness *h, const struct harness_options *options)
{
	uint32_t *in;

	harness_start(h, options);
	assert_int_equal(harness_build(h, 1, program_text, NULL, NULL), 0);
	in = (uint32_t *)(void *)h->memory;
	for (uint32_t i = 0; i < OUT_BYTES / 4; i++)
		in[i] = i * 2246822519u >> 8;
	assert_int_equal(harness_buffer(h, 1, 0, OUT_BYTES), 0);
	assert_int_equal(harness_buffer(h, 2, OUT_BYTES, OUT_BYTES), 0);
}

static void put_case(struct harness_launch *l, const struct launch_case *c, uint32_t queue, uint32_t kernel, uint32_t slot)
{
	harness_launch_begin(l, queue, kernel, slot, 1, 1);
	struct wire_ndrange *n = (struct wire_ndrange *)(void *)l->bytes;
	n->dimensions = c->dimensions;
	n->has_local = c->local[0] != 0;
	for (uint32_t i = 0; i < c->dimensions; i++) {
		n->offset[i] = c->offset[i];
		n->global[i] = c->global[i];
		n->local[i] = n->has_local ? c->local[i] : 0;
	}
	harness_launch_buffer(l, 1);
	harness_launch_buffer(l, 2);
	harness_launch_local(l, 32768);	/* whatever local size a driver chooses */
}

/* Runs all cases, each with a kernel never launched before: its results, and into how many pieces it went. */
static void run_cases(const struct harness_options *options, uint8_t *results, uint64_t pieces[CASES])
{
	struct harness h;
	struct harness_launch l;

	set_up(&h, options);
	for (uint32_t i = 0; i < CASES; i++) {
		uint32_t slot = harness_slot(&h);
		memset(h.memory + OUT_BYTES, 0xee, OUT_BYTES);
		assert_int_equal(harness_kernel(&h, i + 1, 1, cases[i].kernel), 0);
		uint64_t before = atomic_load(&h.status->pieces), kernels = atomic_load(&h.status->kernels);
		put_case(&l, &cases[i], HARNESS_QUEUE, i + 1, slot);
		assert_int_equal(harness_wait(&h, slot, harness_launch_put(&h, &l), 60000), 0);
		assert_int_equal(atomic_load(&h.status->kernels), kernels + 1);
		pieces[i] = atomic_load(&h.status->pieces) - before;
		memcpy(results + (size_t)i * OUT_BYTES, h.memory + OUT_BYTES, OUT_BYTES);
	}
	harness_stop(&h);
}

static void pieces_give_the_bits_of_the_whole(void **state)
{
	static const char *const devices[] = {"pthread", "basic"};
	uint8_t *whole = malloc(CASES * OUT_BYTES), *split = malloc(CASES * OUT_BYTES);
	uint64_t whole_pieces[CASES], pieces[CASES];

	(void)state;
	assert_non_null(whole);
	assert_non_null(split);
	for (unsigned d = 0; d < 2; d++) {
		run_cases(&(struct harness_options){.devices = devices[d], .preempt = "whole"}, whole, whole_pieces);
		run_cases(&(struct harness_options){.devices = devices[d], .preempt = "chunks"}, split, pieces);
		for (unsigned i = 0; i < CASES; i++) {
			assert_int_equal(whole_pieces[i], 1);
			if (cases[i].is_split ? pieces[i] < 2 : pieces[i] != 1)
				fail_msg("case %u, %s on %s, ran in %llu pieces", i, cases[i].kernel, devices[d],
					 (unsigned long long)pieces[i]);
			/* Without a local size, the whole's is the driver's choice, and "turn" shows it. */
			if (cases[i].local[0] || strcmp(cases[i].kernel, "turn"))
				assert_memory_equal(whole + (size_t)i * OUT_BYTES, split + (size_t)i * OUT_BYTES, OUT_BYTES);
		}
	}
	free(whole);
	free(split);
}

/* On one engine, where pieces may be asked for: whether they are shows in nothing. */
static void a_local_size_is_chosen_alike_for_pieces_and_the_whole(void **state)
{
	const struct launch_case c = {"turn", 1, {0}, {ITEMS}, {0}, true};
	uint8_t *whole = malloc(OUT_BYTES);
	struct harness h;
	struct harness_launch l;

	(void)state;
	assert_non_null(whole);
	set_up(&h, &(struct harness_options){.no_lease = true});
	harness_grant(&h, LEASE_GRANTED | LEASE_CONTENDED, harness_now_ns() + 60000000000u);	/* it does not freeze */
	assert_int_equal(harness_kernel(&h, 1, 1, c.kernel), 0);
	for (unsigned turn = 0; turn < 2; turn++) {
		uint32_t slot = harness_slot(&h);
		atomic_store(&h.grant->chunk_ns, turn ? 500000 : 0);
		uint64_t before = atomic_load(&h.status->pieces);
		memset(h.memory + OUT_BYTES, 0, OUT_BYTES);
		put_case(&l, &c, HARNESS_QUEUE, 1, slot);
		assert_int_equal(harness_wait(&h, slot, harness_launch_put(&h, &l), 60000), 0);
		if (!turn)
			assert_int_equal(atomic_load(&h.status->pieces) - before, 1);
		else
			assert_true(atomic_load(&h.status->pieces) - before > 1);
		if (!turn)
			memcpy(whole, h.memory + OUT_BYTES, OUT_BYTES);
	}
	assert_memory_equal(whole, h.memory + OUT_BYTES, OUT_BYTES);
	harness_stop(&h);
	free(whole);
}

static uint64_t pieces_under(uint32_t flags)
{
	struct harness h;
	struct harness_launch l;

	set_up(&h, &(struct harness_options){.no_lease = true});
	atomic_store(&h.grant->chunk_ns, 500000);
	harness_grant(&h, flags, harness_now_ns() + 60000000000u);
	assert_int_equal(harness_kernel(&h, 1, 1, "line"), 0);
	uint32_t slot = harness_slot(&h);
	put_case(&l, &cases[0], HARNESS_QUEUE, 1, slot);
	assert_int_equal(harness_wait(&h, slot, harness_launch_put(&h, &l), 60000), 0);
	assert_int_equal(atomic_load(&h.status->kernels), 1);
	uint64_t pieces = atomic_load(&h.status->pieces);
	harness_stop(&h);
	return pieces;
}

static void only_a_contended_grant_that_does_not_freeze_asks_for_pieces(void **state)
{
	(void)state;
	assert_int_equal(pieces_under(LEASE_GRANTED), 1);
	assert_int_equal(pieces_under(LEASE_GRANTED | LEASE_FREEZES), 1);
	assert_int_equal(pieces_under(LEASE_GRANTED | LEASE_CONTENDED | LEASE_FREEZES), 1);
	assert_true(pieces_under(LEASE_GRANTED | LEASE_CONTENDED) > 1);
}

/* The lease ends within a launch: it comes back between pieces, another has it, and the launch goes on to the right result. */
static void another_holder_gets_in_between_pieces_on(const char *devices)
{
	const struct launch_case c = {"long_one", 1, {0}, {ITEMS * 4}, {64}, true};
	struct harness h;
	struct harness_launch l;

	set_up(&h, &(struct harness_options){.devices = devices, .no_lease = true});
	atomic_store(&h.grant->chunk_ns, 1000000);
	harness_grant(&h, LEASE_GRANTED | LEASE_CONTENDED, harness_now_ns() + 60000000000u);
	assert_int_equal(harness_queue(&h, 2, CL_QUEUE_PROFILING_ENABLE), 0);
	assert_int_equal(harness_kernel(&h, 1, 1, c.kernel), 0);
	uint32_t slot = harness_slot(&h);
	put_case(&l, &c, 2, 1, slot);
	uint64_t sequence = harness_launch_put(&h, &l);
	for (int i = 0; i < 20000 && atomic_load(&h.status->pieces) < 5; i++)
		usleep(1000);
	assert_true(atomic_load(&h.status->pieces) >= 5);
	uint64_t id = atomic_load(&h.status->kernel_id);
	assert_true(id);
	atomic_fetch_or(&h.grant->word, LEASE_REVOKE);
	for (int i = 0; i < 20000 && atomic_load(&h.status->state) == LEASE_RUN; i++)
		usleep(1000);
	assert_int_equal(atomic_load(&h.status->state), LEASE_WANT);
	assert_false(harness_is_done(&h, slot, sequence));
	assert_int_equal(atomic_load(&h.status->kernel_id), id);
	uint64_t pieces = atomic_load(&h.status->pieces);
	harness_grant(&h, 0, 0);	/* another's turn */
	usleep(50000);
	assert_int_equal(atomic_load(&h.status->pieces), pieces);
	assert_false(harness_is_done(&h, slot, sequence));
	harness_grant(&h, LEASE_GRANTED, 0);
	assert_int_equal(harness_wait(&h, slot, sequence, 60000), 0);
	assert_true(atomic_load(&h.status->pieces) > pieces);
	assert_int_equal(atomic_load(&h.status->kernels), 1);
	/* Its times are those of one command: they hold the other's turn. */
	const struct wire_slot *s = &h.slots[slot];
	assert_true(s->queued_ns <= s->submit_ns && s->submit_ns <= s->start_ns && s->start_ns < s->end_ns);
	assert_true(s->end_ns - s->start_ns > 50000000u);
	const uint32_t *in = (const uint32_t *)(const void *)h.memory, *out = in + OUT_BYTES / 4;
	for (uint32_t i = 0; i < ITEMS * 4; i += 4093) {
		uint32_t v = in[i];
		for (uint32_t j = 0; j < 100000; j++)
			v = v * 1664525u + 1013904223u + (v >> 7);
		assert_int_equal(out[i], v);
	}
	harness_stop(&h);
}

static void another_holder_gets_in_between_pieces(void **state)
{
	(void)state;
	another_holder_gets_in_between_pieces_on("pthread");
	another_holder_gets_in_between_pieces_on("basic");
}

/* A kernel known to be longer than what is left is not started behind another, but is as the first of the next lease. */
static void the_tail_gate_keeps_a_long_kernel_for_the_next_lease(void **state)
{
	const struct launch_case c = {"long_one", 1, {0}, {ITEMS}, {64}, false}, brief = {"line", 1, {0}, {64}, {64}, false};
	struct harness h;
	struct harness_launch l;
	uint64_t sequence = 0;
	uint32_t slot = 0;

	(void)state;
	set_up(&h, NULL);
	assert_int_equal(harness_kernel(&h, 1, 1, c.kernel), 0);
	assert_int_equal(harness_kernel(&h, 2, 1, brief.kernel), 0);
	for (unsigned i = 0; i < 2; i++) {	/* learned */
		slot = harness_slot(&h);
		put_case(&l, &c, HARNESS_QUEUE, 1, slot);
		assert_int_equal(harness_wait(&h, slot, harness_launch_put(&h, &l), 60000), 0);
	}
	for (int i = 0; i < 5000 && atomic_load(&h.status->state) != LEASE_IDLE; i++)
		usleep(1000);
	harness_grant(&h, 0, 0);
	put_case(&l, &brief, HARNESS_QUEUE, 2, WIRE_NO_SLOT);
	harness_launch_put(&h, &l);
	slot = harness_slot(&h);
	put_case(&l, &c, HARNESS_QUEUE, 1, slot);
	sequence = harness_launch_put(&h, &l);
	for (int i = 0; i < 5000 && atomic_load(&h.status->state) != LEASE_WANT; i++)
		usleep(1000);
	uint64_t brief_id = atomic_load(&h.status->kernel_id);	/* what would run first */
	uint64_t kernels = atomic_load(&h.status->kernels);
	uint32_t epoch = lease_word_epoch(atomic_load(&h.grant->word)) + 1;
	harness_grant(&h, LEASE_GRANTED | LEASE_CONTENDED, harness_now_ns() + 5000000);	/* 5 ms: less than the long one takes */
	for (int i = 0; i < 5000 && !(atomic_load(&h.status->state) == LEASE_WANT && atomic_load(&h.status->kernels) > kernels &&
				      atomic_load(&h.status->run_epoch) == epoch); i++)
		usleep(1000);
	assert_int_equal(atomic_load(&h.status->kernels), kernels + 1);
	assert_int_equal(atomic_load(&h.status->state), LEASE_WANT);
	assert_int_not_equal(atomic_load(&h.status->kernel_id), brief_id);
	assert_false(harness_is_done(&h, slot, sequence));
	harness_grant(&h, LEASE_GRANTED | LEASE_CONTENDED, harness_now_ns() + 1000000000);
	assert_int_equal(harness_wait(&h, slot, sequence, 60000), 0);
	harness_stop(&h);
}

/* ---- with an arbiter, where nothing can be frozen ------------------------------------------------------ */

/* Who wants the device all the time, for a millisecond each time. */
struct other {
	struct lease_grant grant;
	struct lease_status status;
	uint64_t since_ns;
	unsigned turns;
};

static void wake(struct lease_grant *grant, void *data)
{
	(void)data;
	syscall(SYS_futex, (const uint32_t *)(const void *)&grant->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void other_moves(struct other *other, uint64_t now_ns)
{
	uint64_t word = atomic_load(&other->grant.word);

	if (atomic_load(&other->status.state) == LEASE_RUN) {
		if (now_ns - other->since_ns < 1000000u)
			return;
		atomic_store(&other->status.passed, (uint64_t)lease_word_epoch(word) + 1);
		atomic_store(&other->status.state, LEASE_WANT);
	} else if ((word & LEASE_GRANTED) && !(word & LEASE_REVOKE) &&
		   atomic_load(&other->status.passed) != (uint64_t)lease_word_epoch(word) + 1) {
		atomic_store(&other->status.run_epoch, lease_word_epoch(word));
		atomic_store(&other->status.state, LEASE_RUN);
		other->since_ns = now_ns;
		other->turns++;
	}
}

/* How many turns the other gets while one launch of the kernel runs, and what that computes. */
static unsigned turns_within(const char *kernel, uint8_t *results)
{
	static const struct arbiter_settings settings = {.slice_ns = 4000000, .overrun_grace_ns = 10000000};
	static const struct arbiter_ops ops = {.wake = wake};
	const struct launch_case c = {kernel, 1, {0}, {ITEMS * 4}, {64}, true};
	struct other other = {.grant = {.magic = LEASE_MAGIC, .version = LEASE_VERSION}, .status = {.state = LEASE_WANT}};
	struct arbiter *arbiter = arbiter_create(&settings, &ops, NULL);
	struct harness h;
	struct harness_launch l;

	assert_non_null(arbiter);
	set_up(&h, &(struct harness_options){.no_lease = true});
	assert_int_equal(harness_kernel(&h, 1, 1, c.kernel), 0);
	struct arbiter_entity *mine = arbiter_add(arbiter, h.grant, &h, harness_now_ns());
	struct arbiter_entity *its = arbiter_add(arbiter, &other.grant, &other, harness_now_ns());
	assert_non_null(mine);
	assert_non_null(its);
	assert_non_null(arbiter_engine_add(mine, h.status, NULL));
	assert_non_null(arbiter_engine_add(its, &other.status, NULL));
	uint32_t slot = harness_slot(&h);
	put_case(&l, &c, HARNESS_QUEUE, 1, slot);
	uint64_t sequence = harness_launch_put(&h, &l), until_ns = harness_now_ns() + 60000000000u;
	unsigned before = 0;
	while (!harness_is_done(&h, slot, sequence)) {
		uint64_t now_ns = harness_now_ns();
		assert_true(now_ns < until_ns);
		if (!atomic_load(&h.status->pieces))
			before = other.turns;
		other_moves(&other, now_ns);
		arbiter_run(arbiter, now_ns);
		usleep(100);
	}
	memcpy(results, h.memory + OUT_BYTES, OUT_BYTES);
	arbiter_destroy(arbiter);
	harness_stop(&h);
	return other.turns - before;
}

static void others_have_turns_within_a_long_kernel_that_can_be_split(void **state)
{
	uint8_t *split = malloc(OUT_BYTES), *whole = malloc(OUT_BYTES);

	(void)state;
	assert_non_null(split);
	assert_non_null(whole);
	unsigned turns = turns_within("long_one", split);
	if (turns < 10)
		fail_msg("%u turns of another within a kernel in pieces", turns);
	turns = turns_within("long_whole", whole);
	if (turns > 2)
		fail_msg("%u turns of another within a kernel that is whole", turns);
	assert_memory_equal(split, whole, OUT_BYTES);
	free(split);
	free(whole);
}

/* With an argument: only the tests whose names match it. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_give_the_bits_of_the_whole),
		cmocka_unit_test(a_local_size_is_chosen_alike_for_pieces_and_the_whole),
		cmocka_unit_test(only_a_contended_grant_that_does_not_freeze_asks_for_pieces),
		cmocka_unit_test(another_holder_gets_in_between_pieces),
		cmocka_unit_test(the_tail_gate_keeps_a_long_kernel_for_the_next_lease),
		cmocka_unit_test(others_have_turns_within_a_long_kernel_that_can_be_split),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
