/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target of the shim's reader of build replies, which an engine that runs guest code may fill with anything. Input: the
 * reply. What is read must be whole: strings that end, arrays as long as their counts, or a failed build without kernels.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/build_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void hold(bool promise)
{
	if (!promise)
		abort();
}

/* Touches every byte up to the end, so that a sanitizer sees each. */
static size_t length(const char *text)
{
	hold(text);
	return strlen(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct build build = {0};
	uint8_t *reply = malloc(bytes + 1);
	size_t total;

	if (!reply)
		return 0;
	memcpy(reply, data, bytes);	/* of its exact length, and aligned as in the aperture */
	build_reply_read(&build, reply, bytes);
	total = length(build.log);
	hold(!build.kernels == !build.kernel_count);
	if (build.error == CL_OUT_OF_RESOURCES && build.status == CL_BUILD_ERROR && bytes < sizeof(struct wire_build_reply))
		hold(!build.kernel_count);
	for (cl_uint i = 0; i < build.kernel_count; i++) {
		const struct kernel_info *kernel = &build.kernels[i];

		hold(kernel->wire.arg_count <= WIRE_ARG_MAX);
		total += length(kernel->name) + length(kernel->attributes);
		for (uint32_t j = 0; j < kernel->wire.arg_count; j++)
			total += length(kernel->arguments[j].type_name) + length(kernel->arguments[j].name);
	}
	hold(total <= bytes);
	build_reply_forget(&build);
	free(reply);
	return 0;
}
