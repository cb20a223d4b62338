/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/build_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mdev/engine/compile_protocol.h"
#include "mdev/engine/compute/build.h"
#include "mdev/engine/compute/late_build.h"
#include "mdev/engine/compute/output.h"
#include "mdev/log/log.h"
#include "shim/wire/wire.h"

struct compiler {
	const struct device *device;
	int helper_fd;			/* -1: none, or no more */
	struct late_builds *late;
};

static int make(const struct device *device, uint32_t kind, const struct part *parts, uint32_t part_count, struct program **ret_program)
{
	if (kind != COMPILE_BUILD || part_count != 2)
		return CL_INVALID_OPERATION;
	return build_program(device, parts[1].bytes, parts[1].count, parts[0].bytes, parts[0].count, NULL, ret_program);
}

struct compiler *compiler_create(const struct device *device, int helper_fd)
{
	struct compiler *compiler = calloc(1, sizeof(*compiler));

	if (compiler)
		compiler->late = late_builds_create(device, make);
	if (!compiler || !compiler->late) {
		free(compiler);
		if (helper_fd >= 0)
			close(helper_fd);
		return NULL;
	}
	compiler->device = device;
	compiler->helper_fd = helper_fd;
	return compiler;
}

bool compiler_destroy(struct compiler *compiler)
{
	if (!compiler)
		return true;
	if (!late_builds_destroy(compiler->late))
		return false;
	if (compiler->helper_fd >= 0)
		close(compiler->helper_fd);
	free(compiler);
	return true;
}

/* ---- the helper --------------------------------------------------------------------------------- */

static bool send_all(int fd, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;

	while (count) {
		ssize_t sent = send(fd, at, count, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		at += sent;
		count -= (size_t)sent;
	}
	return true;
}

static bool receive_all(int fd, void *bytes, size_t count)
{
	uint8_t *at = bytes;

	while (count) {
		ssize_t got = recv(fd, at, count, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		count -= (size_t)got;
	}
	return true;
}

static void helper_lost(struct compiler *compiler)
{
	log_info("the compile helper is gone: building without it");
	close(compiler->helper_fd);
	compiler->helper_fd = -1;
}

/* The helper's reply, allocated; NULL: build here. */
static uint8_t *ask_helper(struct compiler *compiler, uint32_t kind, uint32_t part_count, const uint8_t *input, size_t bytes, uint32_t *ret_bytes)
{
	const struct compile_request request = {.magic = COMPILE_MAGIC, .kind = kind, .part_count = part_count, .bytes = bytes};
	struct compile_answer answer;
	uint8_t *reply = NULL;

	if (!send_all(compiler->helper_fd, &request, sizeof(request)) || !send_all(compiler->helper_fd, input, bytes))
		goto lost;
	late_builds_warm(compiler->late);
	if (!receive_all(compiler->helper_fd, &answer, sizeof(answer)) || answer.magic != COMPILE_MAGIC)
		goto lost;
	if (answer.status != COMPILE_DONE)
		return NULL;
	if (answer.bytes < sizeof(struct wire_build_reply) || answer.bytes > COMPILE_REPLY_MAX_BYTES || !(reply = malloc((size_t)answer.bytes)) ||
	    !receive_all(compiler->helper_fd, reply, (size_t)answer.bytes))
		goto lost;
	*ret_bytes = (uint32_t)answer.bytes;
	return reply;

lost:
	free(reply);
	helper_lost(compiler);
	return NULL;
}

/* ---- programs ------------------------------------------------------------------------------------- */

/* Takes reply and input. */
static int program_of_reply(struct compiler *compiler, uint8_t *reply, uint32_t reply_bytes, uint8_t *input, size_t bytes,
			    struct program **ret_program)
{
	struct program *program = calloc(1, sizeof(*program));
	struct wire_build_reply head;

	memcpy(&head, reply, sizeof(head));
	if (!program)
		goto free_all;
	if (!head.error) {
		program->late = late_build_start(compiler->late, COMPILE_BUILD, input, bytes, 2);
		input = NULL;
		if (!program->late)
			goto free_all;
		program->type = CL_PROGRAM_BINARY_TYPE_EXECUTABLE;
	}
	program->reply = reply;
	program->reply_bytes = reply_bytes;
	free(input);
	*ret_program = program;
	return 0;

free_all:
	free(program);
	free(reply);
	free(input);
	return CL_OUT_OF_HOST_MEMORY;
}

int compile_program(struct compiler *compiler, const void *source, size_t source_bytes, const void *options, size_t options_bytes,
		    struct output *output, struct program **ret_program)
{
	struct part copies[2];
	const struct part parts[2] = {{options, options_bytes}, {source, source_bytes}};
	uint32_t reply_bytes = 0;
	size_t bytes = 0;
	uint8_t *reply = NULL;

	uint8_t *input = compiler->helper_fd >= 0 ? parts_join(parts, 2, &bytes) : NULL;
	if (input)
		reply = ask_helper(compiler, COMPILE_BUILD, 2, input, bytes, &reply_bytes);
	/* Of the copy: what the guest changes meanwhile is not what is built. */
	if (reply && !parts_split(input, bytes, 2, copies))
		output_expect(output, (const char *)copies[1].bytes, copies[1].count, (const char *)copies[0].bytes, copies[0].count);
	if (reply)
		return program_of_reply(compiler, reply, reply_bytes, input, bytes, ret_program);
	free(input);
	return build_program(compiler->device, source, source_bytes, options, options_bytes, output, ret_program);
}

int compile_ready(struct program *program)
{
	struct program *made = NULL;

	if (program->late) {
		int error = late_build_finish(program->late, &made);
		program->late = NULL;
		if (error)
			log_warning("a program that the compile helper built cannot be built here (error %d)", error);
		if (made) {
			program->cl = made->cl;
			program->type = made->type;
			program->splittable = made->splittable;
			program->source_hash = made->source_hash;
			free(made->reply);
			free(made);
		}
	}
	return program->cl ? 0 : CL_INVALID_PROGRAM_EXECUTABLE;
}
