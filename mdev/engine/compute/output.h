/* SPDX-License-Identifier: MIT */
/*
 * What kernels print, kept until the guest fetches it (WIRE_OUTPUT_READ).
 *
 * The driver writes it to this process's standard output (PoCL), before it says that the command is over. That is
 * /dev/null until a program is built whose text may print; then it becomes a pipe, which is emptied before completions
 * are published, and by a thread whenever it is not empty, so that no kernel waits for room in it. What does not fit into
 * WIRE_OUTPUT_KEPT_BYTES is counted and lost. Processes that print nothing pay one look at a flag per publication.
 *
 * What is in there is a guest's: bytes, never looked at. Its kernels may close the pipe or fill it without end; that costs
 * their own process.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_OUTPUT_H
#define VGPU_MDEV_ENGINE_COMPUTE_OUTPUT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/wire/wire.h"

struct output {
	pthread_mutex_t lock;		/* guards what follows; a leaf */
	int pipe;			/* its end to read from, -1: none */
	char *text;			/* from `first`, `count` bytes */
	size_t first, count, capacity;
	uint64_t produced_bytes;	/* ever, lost ones included */
	uint64_t lost_bytes;		/* not told yet */
	_Atomic bool open;
	pthread_t reader;
};

void output_init(struct output *output);
/* No command may be running. Standard output is /dev/null again. */
void output_finish(struct output *output);

/* A program of this text is going to be built: opens the way if it may print. Ring thread. NULL: nothing is kept. */
void output_expect(struct output *output, const char *source, size_t source_bytes, const char *options, size_t options_bytes);
/* The same for a program whose text is not known. */
void output_expect_any(struct output *output);
/* Whether this text, built with these options, can call printf. */
bool output_may_print(const char *source, size_t source_bytes, const char *options, size_t options_bytes);

static inline bool output_is_open(const struct output *output)
{
	return output && atomic_load_explicit(&output->open, memory_order_acquire);
}
/* Takes in what has been written so far. Any thread. */
void output_collect(struct output *output);
/* produced_bytes. Any thread. */
uint64_t output_bytes(struct output *output);
/* Writes struct wire_output and text to `to`, which has `room` bytes, more than that struct; lets go of it. Text bytes. */
uint32_t output_take(struct output *output, void *to, uint64_t room);
#endif
