/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/program_records.h"

#include <stdlib.h>
#include <string.h>

#include "mdev/engine/compute/compile.h"

/* A private copy of a range of the guest's; *ret_copy NULL if it is empty. 0 or an OpenCL error. */
static int range_copy(struct executor *x, const struct wire_range *range, void **ret_copy)
{
	void *copy, *memory;

	*ret_copy = NULL;
	if (!range->bytes)
		return 0;
	copy = malloc(range->bytes);
	if (!copy)
		return CL_OUT_OF_HOST_MEMORY;
	memory = blobs_pin(x->blobs, range);
	if (!memory) {		/* taken back since it was parsed */
		free(copy);
		return CL_INVALID_VALUE;
	}
	memcpy(copy, memory, range->bytes);
	blobs_unpin(x->blobs, range->blob_id);
	*ret_copy = copy;
	return 0;
}

int program_reply(struct executor *x, const struct program *program, const struct wire_range *reply, uint32_t *ret_value)
{
	*ret_value = program->reply_bytes;
	if (reply->bytes < program->reply_bytes)
		return CL_OUT_OF_HOST_MEMORY;
	void *memory = blobs_pin(x->blobs, reply);
	if (!memory)
		return CL_INVALID_VALUE;
	memcpy(memory, program->reply, program->reply_bytes);
	blobs_unpin(x->blobs, reply->blob_id);
	return 0;
}

int record_program_compile(struct executor *x, const struct parsed_program_compile *c, uint32_t *ret_value)
{
	struct program **at = &x->objects->programs[c->program];
	void *source = NULL, *options = NULL, *packed = NULL;
	struct parsed_header *headers = NULL;
	int error;

	if (*at)
		return CL_INVALID_PROGRAM;
	error = range_copy(x, &c->source, &source);
	if (!error)
		error = range_copy(x, &c->options, &options);
	if (!error)
		error = range_copy(x, &c->headers, &packed);
	if (!error && c->header_count) {
		headers = calloc(c->header_count, sizeof(*headers));
		error = headers ? headers_parse(packed, c->headers.bytes, c->header_count, headers) : CL_OUT_OF_HOST_MEMORY;
	}
	if (!error) {
		const struct build_request request = {
			.form = c->executable ? BUILD_EXECUTABLE : BUILD_OBJECT,
			.il = c->il,
			.source = source,
			.source_bytes = c->source.bytes,
			.options = options,
			.options_bytes = c->options.bytes,
			.headers = headers,
			.header_count = c->header_count,
			.constants = c->constants,
			.constant_count = c->constant_count,
			.output = x->complete->output,
		};
		error = build_make(x->device, &request, at);
	}
	free(headers);
	free(packed);
	free(options);
	free(source);
	return error ? error : program_reply(x, *at, &c->reply, ret_value);
}

int record_program_link(struct executor *x, const struct parsed_program_link *l, uint32_t *ret_value)
{
	struct program **at = &x->objects->programs[l->program];
	struct program **inputs;
	void *options = NULL;
	int error;

	if (*at)
		return CL_INVALID_PROGRAM;
	inputs = calloc(l->input_count, sizeof(*inputs));
	if (!inputs)
		return CL_OUT_OF_HOST_MEMORY;
	error = range_copy(x, &l->options, &options);
	for (uint32_t i = 0; !error && i < l->input_count; i++) {
		inputs[i] = x->objects->programs[l->inputs[i]];
		if (!inputs[i])
			error = CL_INVALID_PROGRAM;
	}
	if (!error) {
		const struct build_request request = {
			.form = BUILD_LINK,
			.options = options,
			.options_bytes = l->options.bytes,
			.inputs = inputs,
			.input_count = l->input_count,
		};
		error = build_make(x->device, &request, at);
	}
	free(options);
	free(inputs);
	return error ? error : program_reply(x, *at, &l->reply, ret_value);
}

int record_kernel_sub_groups(struct executor *x, const struct parsed_sub_groups *s, uint32_t *ret_value)
{
	const struct kernel *kernel = x->objects->kernels[s->kernel];
	size_t answer[3] = {0}, bytes = 0;
	cl_int error;

	if (!kernel)
		return CL_INVALID_KERNEL;
	if (!x->device->has_sub_groups)	/* a driver without need not have the function */
		return CL_INVALID_OPERATION;
	error = clGetKernelSubGroupInfo(kernel->cl, x->device->id, s->param, s->input_count * sizeof(s->input[0]),
					s->input_count ? s->input : NULL, s->reply.bytes & ~(uint64_t)7, answer, &bytes);
	if (error)
		return error;
	if (bytes > sizeof(answer) || bytes > s->reply.bytes)
		return CL_INVALID_VALUE;
	void *reply = blobs_pin(x->blobs, &s->reply);
	if (!reply)
		return CL_INVALID_VALUE;
	memcpy(reply, answer, bytes);
	blobs_unpin(x->blobs, s->reply.blob_id);
	*ret_value = (uint32_t)bytes;
	return 0;
}
