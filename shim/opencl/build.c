/* SPDX-License-Identifier: MIT */
/*
 * Builds on the host, and reads what it says about them.
 *
 * The reply comes from the engine, which runs what the guest wrote, so its lengths are checked like any
 * stranger's: a reply that does not parse is a failed build, never a crash of the application.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/buffer.h"

#define REPLY_BYTES 0x10000u

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

static void reply_read(struct build *build, const void *bytes, size_t length)
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

/* One request. 0, or -errno; the reply's needed size where it did not fit. */
static int build_request(struct build *build, const struct wire_range *source, const struct wire_range *options,
			 const struct memory_range *reply, struct ring_completion *completion)
{
	struct ring *ring = build->session->ring;
	struct wire_program_build *record = ring_begin(ring, WIRE_PROGRAM_BUILD, sizeof(*record), completion);

	if (!record)
		return -EIO;
	record->program = build->id;
	record->source = *source;
	record->options = *options;
	record->reply = memory_wire_range(reply);
	ring_commit(ring);
	return ring_wait_completion(ring, completion, 0);
}

static cl_int build_error(int r)
{
	return r == -ENOMEM ? CL_OUT_OF_RESOURCES : CL_DEVICE_NOT_AVAILABLE;
}

/* Places text into the aperture. An empty one is a zero range. */
static int text_place(struct session *session, const char *text, size_t bytes, struct memory_range *ret_range,
		      struct wire_range *ret_wire)
{
	int r;

	memset(ret_range, 0, sizeof(*ret_range));
	memset(ret_wire, 0, sizeof(*ret_wire));
	if (bytes == 0)
		return 0;
	r = staging_alloc(session, bytes, ret_range);
	if (r < 0)
		return r;
	memcpy(ret_range->address, text, bytes);
	*ret_wire = memory_wire_range(ret_range);
	ret_wire->bytes = bytes;
	return 0;
}

static cl_int build_run(struct build *build, const struct _cl_program *program)
{
	struct session *session = build->session;
	struct memory_range source, options = { 0 }, reply = { 0 };
	struct wire_range source_wire, options_wire;
	struct ring_completion completion = { .slot = WIRE_NO_SLOT };
	/* An empty source is a program without kernels; an empty range would ask for a reply again. */
	int r = program->source_bytes ? text_place(session, program->source, program->source_bytes, &source, &source_wire) :
		text_place(session, "\n", 1, &source, &source_wire);

	if (r == 0)
		r = text_place(session, build->options, strlen(build->options), &options, &options_wire);
	if (r == 0)
		r = staging_alloc(session, REPLY_BYTES, &reply);
	if (r == 0)
		r = build_request(build, &source_wire, &options_wire, &reply, &completion);
	if (r == 0 && completion.status == CL_OUT_OF_HOST_MEMORY && completion.value > reply.bytes) {
		const struct wire_range none = { 0 };
		size_t needed = completion.value;

		memory_release(session->memory, &reply);
		r = staging_alloc(session, needed, &reply);
		if (r == 0)
			r = build_request(build, &none, &none, &reply, &completion);
	}
	if (r == 0) {
		if (completion.status == CL_SUCCESS) {
			reply_read(build, reply.address, reply.bytes);
		} else {
			build->refused = completion.status != CL_OUT_OF_HOST_MEMORY;
			build->status = CL_BUILD_ERROR;
			build->error = completion.status;
			build->log = calloc(1, 1);
		}
	}
	memory_release(session->memory, &source);
	memory_release(session->memory, &options);
	memory_release(session->memory, &reply);
	return r < 0 ? build_error(r) : build->log ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
}

cl_int build_create(struct _cl_program *program, const char *options, struct build **ret_build)
{
	struct build *build = calloc(1, sizeof(*build));
	cl_int error;

	if (!build)
		return CL_OUT_OF_HOST_MEMORY;
	build->references = 1;
	build->session = program->context->session;
	build->options = strdup(options ? options : "");
	build->id = session_id_take(build->session, ID_PROGRAM);
	if (!build->options || !build->id) {
		error = build->options ? CL_OUT_OF_RESOURCES : CL_OUT_OF_HOST_MEMORY;
		free(build->options);
		if (build->id)
			session_id_return(build->session, ID_PROGRAM, build->id);
		free(build);
		return error;
	}
	error = build_run(build, program);
	if (error) {
		build_release(build);
		return error;
	}
	*ret_build = build;
	return CL_SUCCESS;
}

void build_release(struct build *build)
{
	if (!build || __atomic_fetch_sub(&build->references, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	if (build->refused)
		session_id_return(build->session, ID_PROGRAM, build->id);
	else
		session_object_destroy(build->session, WIRE_PROGRAM_DESTROY, ID_PROGRAM, build->id);
	kernels_free(build);
	free(build->options);
	free(build->log);
	free(build);
}
