// SPDX-License-Identifier: MIT
/*
 * SHA-256 over many nonces: integer arithmetic, registers, one atomic counter.
 *
 * Exercises constant memory as an argument, fill of a part of a buffer inside every repetition, an
 * atomic on global memory, non-blocking read that waits for an event on another queue.
 */
#include "benchmarks/kernels/kernel.h"
#include "benchmarks/kernels/sha256_reference.h"
#include "benchmarks/prng.h"

BENCH_SOURCE(sha256_cl, "benchmarks/kernels/sha256.cl");

#define PREFIX_WORDS 7
#define WORDS_PER_ITEM 3

/* One digest in 1024 starts below it. */
#define TARGET 0x00400000u

struct state {
	cl_kernel kernel;
	uint32_t prefix[PREFIX_WORDS];
};

static void setup(struct bench_run *run)
{
	struct session *cl = &run->cl;
	size_t items = run->param[0];
	struct state *state = run->state = session_host_memory(cl, 1, sizeof(*state));
	cl_mem prefix_buffer = session_buffer(cl, CL_MEM_READ_ONLY, sizeof(state->prefix), NULL);

	run->output_words = 1 + items * WORDS_PER_ITEM;
	run->output = session_buffer(cl, CL_MEM_READ_WRITE, run->output_words * sizeof(uint32_t), NULL);
	if (cl->failed)
		return;
	for (size_t i = 0; i < PREFIX_WORDS; i++)
		state->prefix[i] = prng_u32(run->seed, 0, i);
	session_write(cl, cl->queue, prefix_buffer, CL_TRUE, 0, sizeof(state->prefix), state->prefix,
		(struct wait_list){ 0 }, NULL);

	state->kernel = session_kernel(cl, session_build(cl, sha256_cl, ""), "sha256");
	session_arg_buffer(cl, state->kernel, 0, prefix_buffer);
	session_arg_u32(cl, state->kernel, 1, run->param[1]);
	session_arg_u32(cl, state->kernel, 2, TARGET);
	session_arg_buffer(cl, state->kernel, 3, run->output);
}

static void enqueue(struct bench_run *run)
{
	struct state *state = run->state;
	const size_t global = run->param[0];
	cl_event *zeroed = bench_event(run);

	session_fill_u32(&run->cl, run->output, 0, 0, sizeof(uint32_t), (struct wait_list){ 0 }, zeroed);
	session_launch(&run->cl, state->kernel, 1, &global, NULL, (struct wait_list){ 1, zeroed },
		bench_event(run));
}

static void fetch(struct bench_run *run)
{
	struct session *cl = &run->cl;
	size_t bytes = run->output_words * sizeof(uint32_t);
	cl_event marker = NULL, read = NULL;

	/* A no-op on the one queue, so that the other one has something to wait for. */
	if (!cl->failed)
		session_check(cl, "clEnqueueMarkerWithWaitList",
			clEnqueueMarkerWithWaitList(cl->queue, 0, NULL, &marker));
	session_flush(cl, cl->queue);
	session_read(cl, cl->upload_queue, run->output, CL_FALSE, 0, bytes, run->result,
		(struct wait_list){ 1, &marker }, &read);
	session_flush(cl, cl->upload_queue);
	session_wait(cl, 1, &read);
	if (marker)
		clReleaseEvent(marker);
	if (read)
		clReleaseEvent(read);
}

static void verify(struct bench_run *run)
{
	const struct state *state = run->state;
	uint32_t rounds = run->param[1], hits = 0;

	for (uint32_t item = 0; item < run->param[0]; item++) {
		uint32_t smallest = UINT32_MAX, smallest_nonce = item * rounds, folded = 0;
		size_t index = 1 + (size_t)item * WORDS_PER_ITEM;

		for (uint32_t round = 0; round < rounds; round++) {
			uint32_t words[16] = { 0 }, digest[8], nonce = item * rounds + round;

			for (int i = 0; i < PREFIX_WORDS; i++)
				words[i] = state->prefix[i];
			words[PREFIX_WORDS] = nonce;
			words[8] = 0x80000000;
			words[15] = 32 * 8;
			sha256_block(words, digest);

			for (int i = 0; i < 8; i++)
				folded ^= digest[i];
			if (digest[0] < smallest) {
				smallest = digest[0];
				smallest_nonce = nonce;
			}
			hits += digest[0] < TARGET;
		}
		if (!bench_expect_u32(run, index, smallest) ||
		    !bench_expect_u32(run, index + 1, smallest_nonce) ||
		    !bench_expect_u32(run, index + 2, folded))
			return;
	}
	bench_expect_u32(run, 0, hits);
}

static double work(const struct bench_run *run)
{
	return (double)run->param[0] * run->param[1] / 1e6;
}

static void teardown(struct bench_run *run)
{
	(void)run;	/* the session owns everything */
}

extern const struct bench_kernel bench_sha256;
const struct bench_kernel bench_sha256 = {
	.name = "sha256",
	.summary = "SHA-256 over many nonces, one message block each",
	.unit = "MH/s",
	.params = {
		{ "items", "work items", { 1024, 4096, 1 << 20 }, 1, 1 << 22 },
		{ "rounds", "nonces that each item tries", { 16, 16, 16 }, 1, 256 },
	},
	.setup = setup,
	.enqueue = enqueue,
	.fetch = fetch,
	.verify = verify,
	.work = work,
	.teardown = teardown,
};
