/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mdev/engine/compute/late_build.h"

#include "mdev/engine/compute/partition.h"

int objects_init(struct objects *objects)
{
	*objects = (struct objects){.buffer_id_end = 1, .next_serial = 1};
	objects->buffers = calloc(WIRE_OBJECT_MAX, sizeof(*objects->buffers));
	objects->programs = calloc(WIRE_OBJECT_MAX, sizeof(*objects->programs));
	objects->kernels = calloc(WIRE_OBJECT_MAX, sizeof(*objects->kernels));
	objects->samplers = calloc(WIRE_OBJECT_MAX, sizeof(*objects->samplers));
	if (objects->buffers && objects->programs && objects->kernels && objects->samplers)
		return 0;
	free(objects->buffers);
	free(objects->programs);
	free(objects->kernels);
	free(objects->samplers);
	return -ENOMEM;
}

void buffer_free(struct buffer *buffer)
{
	if (buffer->image && buffer->image->linear)
		clReleaseMemObject(buffer->image->linear);
	free(buffer->image);
	free(buffer);
}

/* With what it lies in, if nobody else uses that. */
static void buffer_unuse(struct buffer *buffer)
{
	while (buffer && !--buffer->uses) {
		struct buffer *parent = buffer->parent;

		buffer_free(buffer);
		buffer = parent;
	}
}

void objects_finish(struct objects *objects, struct blobs *blobs)
{
	for (uint32_t i = 0; i < WIRE_OBJECT_MAX; i++)
		if (objects->kernels[i])
			kernel_destroy(objects->kernels[i]);
	for (uint32_t i = 0; i < WIRE_OBJECT_MAX; i++)
		if (objects->programs[i])
			program_destroy(objects->programs[i]);
	for (uint32_t i = 0; i < objects->buffer_id_end; i++) {
		struct buffer *buffer = objects->buffers[i];
		if (!buffer)
			continue;
		clReleaseMemObject(buffer->cl);
		if (buffer->blob_id)
			blobs_unpin(blobs, buffer->blob_id);
		buffer_unuse(buffer);
	}
	for (uint32_t i = 0; i < WIRE_OBJECT_MAX; i++)
		if (objects->samplers[i])
			sampler_destroy(objects->samplers[i]);
	for (uint32_t i = 0; i < WIRE_QUEUE_COUNT; i++)
		if (objects->queues[i])
			complete_queue_detach(objects->queues[i]);
	partitions_forget(objects->partitions);
	free(objects->samplers);
	free(objects->kernels);
	free(objects->programs);
	free(objects->buffers);
}

/* OpenCL 3.0, table 33: images and pipes report global, samplers private. 0 if its type tells nothing more. */
static uint32_t opaque_kind(const char *type)
{
	if (strchr(type, '*'))
		return 0;
	return !strncmp(type, "image", 5) ? WIRE_ARG_IMAGE : !strcmp(type, "sampler_t") ? WIRE_ARG_SAMPLER : 0;
}

/* For kernels of which the driver keeps no argument information, as of linked or intermediate programs: what may be set to
 * NULL with a length is local memory, what may with a handle's is a buffer, anything else a value. */
static uint32_t arg_kind_by_trial(cl_kernel cl, uint32_t index)
{
	if (!clSetKernelArg(cl, index, 1, NULL))
		return WIRE_ARG_LOCAL;
	return clSetKernelArg(cl, index, sizeof(cl_mem), NULL) ? WIRE_ARG_VALUE : WIRE_ARG_BUFFER;
}

uint32_t kernel_arg_kind(cl_kernel cl, uint32_t index)
{
	cl_kernel_arg_address_qualifier where = 0;
	char type[64] = "";

	if (clGetKernelArgInfo(cl, index, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof(where), &where, NULL))
		return arg_kind_by_trial(cl, index);
	/* A name that is longer is none of ours: the type stays empty. */
	clGetKernelArgInfo(cl, index, CL_KERNEL_ARG_TYPE_NAME, sizeof(type), type, NULL);
	switch (where) {
	case CL_KERNEL_ARG_ADDRESS_LOCAL:
		return WIRE_ARG_LOCAL;
	case CL_KERNEL_ARG_ADDRESS_PRIVATE:
		return opaque_kind(type) ? opaque_kind(type) : WIRE_ARG_VALUE;
	default:
		if (!strncmp(type, "pipe", 4) && !strchr(type, '*'))
			return 0;
		return opaque_kind(type) ? opaque_kind(type) : WIRE_ARG_BUFFER;
	}
}

struct kernel *kernel_create(cl_kernel cl, uint64_t name_hash)
{
	cl_uint count = 0;

	if (clGetKernelInfo(cl, CL_KERNEL_NUM_ARGS, sizeof(count), &count, NULL) || count > WIRE_ARG_MAX)
		return NULL;
	struct kernel *kernel = calloc(1, sizeof(*kernel) + count * sizeof(kernel->args[0]));
	if (!kernel)
		return NULL;
	kernel->cl = cl;
	kernel->name_hash = name_hash;
	kernel->arg_count = count;
	for (cl_uint i = 0; i < count; i++)
		kernel->args[i].kind = kernel_arg_kind(cl, i);
	return kernel;
}

void kernel_destroy(struct kernel *kernel)
{
	clReleaseKernel(kernel->cl);
	free(kernel);
}

void program_destroy(struct program *program)
{
	late_build_drop(program->late);
	if (program->cl)
		clReleaseProgram(program->cl);
	splittable_destroy(program->splittable);
	free(program->reply);
	free(program);
}

void sampler_destroy(struct sampler *sampler)
{
	clReleaseSampler(sampler->cl);
	free(sampler);
}

uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;
	uint64_t hash = seed ? seed : 0xcbf29ce484222325u;

	for (size_t i = 0; i < count; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	return hash;
}
