/* SPDX-License-Identifier: MIT */
/*
 * Reads what the host says about a build.
 *
 * The reply comes from the engine, which runs what the guest wrote, so its lengths are checked like any
 * stranger's, each copied before it is looked at: a reply that does not parse is a failed build, never a crash
 * of the application.
 */
#include "shim/opencl/build_reply.h"

#include <stdlib.h>
#include <string.h>

/* A reader whose error sticks. */
struct reader {
	const uint8_t *at;
	size_t left;
	bool bad;
};

static const void *read_bytes(struct reader *reader, size_t bytes)
{
	size_t padded = (bytes + 7) & ~(size_t)7;
	const void *at = reader->at;

	if (reader->bad || padded < bytes || padded > reader->left) {
		reader->bad = true;
		return NULL;
	}
	reader->at += padded;
	reader->left -= padded;
	return at;
}

static void read_struct(struct reader *reader, void *ret_value, size_t bytes)
{
	const void *at = read_bytes(reader, bytes);

	if (at)
		memcpy(ret_value, at, bytes);
}

/* A heap copy with a NUL; "" where the reader is bad. NULL: no memory. */
static char *read_string(struct reader *reader, size_t bytes)
{
	const char *at = read_bytes(reader, bytes);
	char *copy = malloc(at ? bytes + 1 : 1);

	if (!copy)
		return NULL;
	if (at)
		memcpy(copy, at, bytes);
	copy[at ? bytes : 0] = '\0';
	return copy;
}

static bool read_kernel(struct reader *reader, struct kernel_info *kernel)
{
	read_struct(reader, &kernel->wire, sizeof(kernel->wire));
	if (reader->bad || kernel->wire.arg_count > WIRE_ARG_MAX) {
		reader->bad = true;
		kernel->wire.arg_count = 0;
		return false;
	}
	kernel->name = read_string(reader, kernel->wire.name_bytes);
	kernel->attributes = read_string(reader, kernel->wire.attributes_bytes);
	kernel->arguments = calloc(kernel->wire.arg_count + 1, sizeof(*kernel->arguments));
	for (uint32_t i = 0; kernel->arguments && i < kernel->wire.arg_count; i++) {
		struct argument_info *argument = &kernel->arguments[i];

		read_struct(reader, &argument->wire, sizeof(argument->wire));
		if (reader->bad)
			break;
		argument->type_name = read_string(reader, argument->wire.type_name_bytes);
		argument->name = read_string(reader, argument->wire.name_bytes);
		if (!argument->type_name || !argument->name)
			reader->bad = true;
	}
	if (!kernel->name || !kernel->attributes || !kernel->arguments)
		reader->bad = true;
	return !reader->bad;
}

static void kernels_free(struct build *build)
{
	for (cl_uint i = 0; build->kernels && i < build->kernel_count; i++) {
		struct kernel_info *kernel = &build->kernels[i];

		for (uint32_t j = 0; kernel->arguments && j < kernel->wire.arg_count; j++) {
			free((char *)kernel->arguments[j].type_name);
			free((char *)kernel->arguments[j].name);
		}
		free(kernel->arguments);
		free((char *)kernel->name);
		free((char *)kernel->attributes);
	}
	free(build->kernels);
	build->kernels = NULL;
	build->kernel_count = 0;
}

void build_reply_forget(struct build *build)
{
	kernels_free(build);
	free(build->log);
	build->log = NULL;
}

void build_reply_read(struct build *build, const void *bytes, size_t length)
{
	struct reader reader = { .at = bytes, .left = length };
	struct wire_build_reply reply = { 0 };

	read_struct(&reader, &reply, sizeof(reply));
	build->log = read_string(&reader, reply.log_bytes);
	if (reply.kernel_count > length / sizeof(struct wire_kernel_info))
		reader.bad = true;
	if (!reader.bad && reply.kernel_count) {
		build->kernels = calloc(reply.kernel_count, sizeof(*build->kernels));
		for (uint32_t i = 0; build->kernels && i < reply.kernel_count; i++) {
			build->kernel_count = i + 1;
			if (!read_kernel(&reader, &build->kernels[i]))
				break;
		}
	}
	if (reader.bad || !build->log || (reply.kernel_count && !build->kernels)) {
		kernels_free(build);
		build->status = CL_BUILD_ERROR;
		build->error = CL_OUT_OF_RESOURCES;
		return;
	}
	build->status = reply.build_status;
	build->error = reply.error;
	build->global_variable_bytes = reply.global_variable_bytes;
	if (build->error == CL_SUCCESS && build->status != CL_BUILD_SUCCESS)
		build->error = CL_BUILD_PROGRAM_FAILURE;
}
