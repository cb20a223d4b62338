/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/objects.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int objects_init(struct objects *objects)
{
	*objects = (struct objects){.buffer_id_end = 1, .next_serial = 1};
	objects->buffers = calloc(WIRE_OBJECT_MAX, sizeof(*objects->buffers));
	objects->programs = calloc(WIRE_OBJECT_MAX, sizeof(*objects->programs));
	objects->kernels = calloc(WIRE_OBJECT_MAX, sizeof(*objects->kernels));
	if (objects->buffers && objects->programs && objects->kernels)
		return 0;
	free(objects->buffers);
	free(objects->programs);
	free(objects->kernels);
	return -ENOMEM;
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
		free(buffer);
	}
	for (uint32_t i = 0; i < WIRE_QUEUE_COUNT; i++)
		if (objects->queues[i])
			complete_queue_detach(objects->queues[i]);
	for (uint32_t i = 0; i < WIRE_SUB_DEVICE_COUNT; i++)
		if (objects->sub_devices[i])
			clReleaseDevice(objects->sub_devices[i]);
	free(objects->kernels);
	free(objects->programs);
	free(objects->buffers);
}

uint32_t kernel_arg_kind(cl_kernel cl, uint32_t index)
{
	cl_kernel_arg_address_qualifier where = 0;
	char type[64] = "";

	if (clGetKernelArgInfo(cl, index, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof(where), &where, NULL))
		return 0;
	switch (where) {
	case CL_KERNEL_ARG_ADDRESS_LOCAL:
		return WIRE_ARG_LOCAL;
	case CL_KERNEL_ARG_ADDRESS_PRIVATE:
		return WIRE_ARG_VALUE;
	default:
		/* OpenCL 3.0, table 33: images and pipes report global; they are no buffers. */
		if (!clGetKernelArgInfo(cl, index, CL_KERNEL_ARG_TYPE_NAME, sizeof(type), type, NULL) &&
		    (!strncmp(type, "image", 5) || !strncmp(type, "pipe", 4)) && !strchr(type, '*'))
			return 0;
		return WIRE_ARG_BUFFER;
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
	clReleaseProgram(program->cl);
	splittable_destroy(program->splittable);
	free(program->reply);
	free(program);
}

uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;
	uint64_t hash = seed ? seed : 0xcbf29ce484222325u;

	for (size_t i = 0; i < count; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	return hash;
}
