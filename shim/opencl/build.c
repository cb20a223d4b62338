/* SPDX-License-Identifier: MIT */
/*
 * Builds on the host; what it says about them is read by build_reply.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/buffer.h"
#include "shim/opencl/build_reply.h"

#define REPLY_BYTES 0x10000u

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
			build_reply_read(build, reply.address, reply.bytes);
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
	build_reply_forget(build);
	free(build->options);
	free(build);
}
