/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mdev/engine/compute/source_tokens.h"
#include "mdev/log/log.h"

#define PIPE_BYTES (1 << 20)
#define READ_BYTES 65536u

void output_init(struct output *output)
{
	*output = (struct output){.pipe = -1};
	pthread_mutex_init(&output->lock, NULL);
}

/* ---- which programs ----------------------------------------------------------------------------- */

/* A name that a macro pastes together is not seen by its letters. */
static bool tokens_may_print(const struct source_tokens *tokens)
{
	for (uint32_t i = 0; i < tokens->count; i++) {
		const struct source_token *token = &tokens->tokens[i];

		if (token->kind == TOKEN_NAME && memmem(tokens->text + token->at, token->length, "printf", 6))
			return true;
		if (i && source_token_is(tokens, token, "#") && source_token_is(tokens, token - 1, "#"))
			return true;
	}
	return false;
}

bool output_may_print(const char *source, size_t source_bytes, const char *options, size_t options_bytes)
{
	struct source_tokens tokens;
	bool may;

	if (options_bytes && (memmem(options, options_bytes, "printf", 6) || memmem(options, options_bytes, "##", 2)))
		return true;
	if (source_tokens_read(source, source_bytes, &tokens))
		return true;	/* not understood */
	may = tokens_may_print(&tokens);
	source_tokens_finish(&tokens);
	return may;
}

/* ---- the pipe ----------------------------------------------------------------------------------- */

/* Room for more, in WIRE_OUTPUT_KEPT_BYTES. */
static bool make_room_locked(struct output *output, size_t bytes)
{
	if (output->first && output->first + output->count + bytes > output->capacity) {
		memmove(output->text, output->text + output->first, output->count);
		output->first = 0;
	}
	if (output->count + bytes <= output->capacity)
		return true;
	size_t capacity = output->capacity ? 2 * output->capacity : READ_BYTES;
	while (capacity < output->count + bytes)
		capacity *= 2;
	char *grown = output->count + bytes <= WIRE_OUTPUT_KEPT_BYTES ? realloc(output->text, capacity) : NULL;
	if (!grown)
		return false;
	output->text = grown;
	output->capacity = capacity;
	return true;
}

static void keep_locked(struct output *output, const char *text, size_t bytes)
{
	output->produced_bytes += bytes;
	/* After a loss nothing is kept until that was told: what is printed has one gap, and the telling is in its place. */
	if (output->lost_bytes || !make_room_locked(output, bytes)) {
		output->lost_bytes += bytes;
		return;
	}
	memcpy(output->text + output->first + output->count, text, bytes);
	output->count += bytes;
}

void output_collect(struct output *output)
{
	char part[READ_BYTES];
	ssize_t got;

	if (!output_is_open(output))
		return;
	pthread_mutex_lock(&output->lock);
	/* Bounded: a kernel that prints without end is not to hold up who publishes. */
	for (size_t taken = 0; taken <= 2 * PIPE_BYTES && (got = read(output->pipe, part, sizeof(part))) > 0; taken += (size_t)got)
		keep_locked(output, part, (size_t)got);
	pthread_mutex_unlock(&output->lock);
}

static void *reader_main(void *data)
{
	struct output *output = data;
	struct pollfd readable = {.fd = output->pipe, .events = POLLIN};

	/* Until standard output is another file, and no process has this one. */
	while (poll(&readable, 1, -1) >= 0 || errno == EINTR) {
		output_collect(output);
		if (readable.revents & ~POLLIN)
			break;
	}
	return NULL;
}

static int open_pipe(struct output *output)
{
	int ends[2] = {-1, -1}, r = 0;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	/* More room than the default, so that kernels seldom wait for the reader; not essential. */
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
	output->pipe = ends[0];
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) || dup2(ends[1], STDOUT_FILENO) < 0) {
		r = -errno;
		goto close_ends;
	}
	close(ends[1]);
	r = -pthread_create(&output->reader, NULL, reader_main, output);
	if (!r) {
		atomic_store_explicit(&output->open, true, memory_order_release);
		return 0;
	}
	/* Nobody would empty it: back to where it goes nowhere. */
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (nowhere >= 0)
		dup2(nowhere, STDOUT_FILENO);
	close(nowhere);
	ends[1] = -1;
close_ends:
	close(ends[0]);
	if (ends[1] >= 0)
		close(ends[1]);
	output->pipe = -1;
	return r;
}

void output_expect_any(struct output *output)
{
	if (!output || output_is_open(output))
		return;
	int r = open_pipe(output);
	if (r)
		log_warning("what kernels print goes nowhere: no pipe for it: %s", strerror(-r));
}

void output_expect(struct output *output, const char *source, size_t source_bytes, const char *options, size_t options_bytes)
{
	if (output && !output_is_open(output) && output_may_print(source, source_bytes, options, options_bytes))
		output_expect_any(output);
}

void output_finish(struct output *output)
{
	if (output_is_open(output)) {
		int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

		/* The last writer's end: the reader sees it and ends. */
		if (nowhere >= 0) {
			dup2(nowhere, STDOUT_FILENO);
			close(nowhere);
		} else {
			close(STDOUT_FILENO);
		}
		pthread_join(output->reader, NULL);
		close(output->pipe);
	}
	free(output->text);
	pthread_mutex_destroy(&output->lock);
}

uint64_t output_bytes(struct output *output)
{
	pthread_mutex_lock(&output->lock);
	uint64_t bytes = output->produced_bytes;
	pthread_mutex_unlock(&output->lock);
	return bytes;
}

uint32_t output_take(struct output *output, void *to, uint64_t room)
{
	struct wire_output head = {0};

	if (output) {
		pthread_mutex_lock(&output->lock);
		uint64_t most = room - sizeof(head) < READ_BYTES * 16 ? room - sizeof(head) : READ_BYTES * 16;
		head.text_bytes = output->count < most ? output->count : most;
		memcpy((char *)to + sizeof(head), output->text + output->first, head.text_bytes);
		output->first += head.text_bytes;
		output->count -= head.text_bytes;
		head.left_bytes = output->count;
		if (!output->count) {
			head.lost_bytes = output->lost_bytes;
			output->lost_bytes = 0;
			free(output->text);
			output->text = NULL;
			output->first = output->capacity = 0;
		}
		pthread_mutex_unlock(&output->lock);
	}
	memcpy(to, &head, sizeof(head));
	return (uint32_t)head.text_bytes;
}
