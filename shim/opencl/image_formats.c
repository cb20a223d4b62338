/* SPDX-License-Identifier: MIT */
/*
 * Which image formats the host's device has. One question to the engine per type and access, for the life of the process: a
 * device does not change.
 */
#include <stdlib.h>
#include <string.h>

#include "shim/opencl/image.h"

#define REPLY_FORMATS 512u
#define FORMATS_MOST 65536u		/* of an answer that is believed */

static const cl_mem_object_type types[IMAGE_TYPES] = {
	CL_MEM_OBJECT_IMAGE2D, CL_MEM_OBJECT_IMAGE3D, CL_MEM_OBJECT_IMAGE2D_ARRAY,
	CL_MEM_OBJECT_IMAGE1D, CL_MEM_OBJECT_IMAGE1D_ARRAY, CL_MEM_OBJECT_IMAGE1D_BUFFER,
};
static const cl_mem_flags accesses[IMAGE_ACCESSES] = {
	CL_MEM_READ_WRITE, CL_MEM_READ_ONLY, CL_MEM_WRITE_ONLY, CL_MEM_KERNEL_READ_AND_WRITE,
};

/* One request. CL_SUCCESS with the number that the host has, or an error. */
static cl_int formats_request(struct session *session, int type, int access, const struct memory_range *reply, uint32_t *ret_count)
{
	struct ring_completion completion = { .slot = WIRE_NO_SLOT };
	struct wire_image_formats *record = ring_begin(session->ring, WIRE_IMAGE_FORMATS, sizeof(*record), &completion);

	if (!record)
		return CL_DEVICE_NOT_AVAILABLE;
	record->type = types[type];
	record->flags = accesses[access];
	record->reply = memory_wire_range(reply);
	ring_commit(session->ring);
	if (ring_wait_completion(session->ring, &completion, RING_SPIN_NS) < 0)
		return CL_DEVICE_NOT_AVAILABLE;
	*ret_count = completion.value;
	return completion.status < 0 ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
}

/* The reply is the engine's to change: each entry is copied before it is looked at. */
static cl_int formats_read(const struct memory_range *reply, uint32_t count, struct image_formats *formats, int type, int access)
{
	cl_image_format *list = malloc((count + 1) * sizeof(*list));
	cl_uint kept = 0;

	if (!list)
		return CL_OUT_OF_HOST_MEMORY;
	for (uint32_t i = 0; i < count; i++) {
		struct wire_image_format wire;

		memcpy(&wire, (const uint8_t *)reply->address + i * sizeof(wire), sizeof(wire));
		if (wire_image_pixel_bytes(wire.channel_order, wire.channel_type))
			list[kept++] = (cl_image_format){ wire.channel_order, wire.channel_type };
	}
	formats->list[type][access] = list;
	formats->count[type][access] = kept;
	formats->known[type][access] = true;
	return CL_SUCCESS;
}

static cl_int formats_fetch(struct session *session, struct image_formats *formats, int type, int access)
{
	uint32_t room = REPLY_FORMATS, count = 0;
	struct memory_range reply;
	cl_int error;

	for (;;) {
		int r = staging_alloc(session, room * sizeof(struct wire_image_format), &reply);

		if (r < 0)
			return session_lost(session) ? CL_DEVICE_NOT_AVAILABLE : CL_OUT_OF_RESOURCES;
		error = formats_request(session, type, access, &reply, &count);
		if (!error && count > FORMATS_MOST)
			error = CL_OUT_OF_RESOURCES;
		if (error || count <= room)
			break;
		memory_release(session->memory, &reply);
		room = count;
	}
	if (!error)
		error = formats_read(&reply, count, formats, type, access);
	memory_release(session->memory, &reply);
	return error;
}

cl_int image_formats_get(struct _cl_context *context, cl_mem_flags flags, cl_mem_object_type type,
			 const cl_image_format **ret_formats, cl_uint *ret_count)
{
	const cl_mem_flags access_flags = flags & (CL_MEM_READ_WRITE | CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY | CL_MEM_KERNEL_READ_AND_WRITE);
	struct _cl_device_id *device = context->device;
	cl_int error = CL_SUCCESS;
	int at = 0, access = 0;

	while (at < IMAGE_TYPES && types[at] != type)
		at++;
	while (access < IMAGE_ACCESSES && access_flags && accesses[access] != access_flags)
		access++;
	if (at == IMAGE_TYPES || access == IMAGE_ACCESSES)
		return CL_INVALID_VALUE;
	pthread_mutex_lock(&device->format_lock);
	if (!device->formats)
		device->formats = calloc(1, sizeof(*device->formats));
	if (!device->formats)
		error = CL_OUT_OF_HOST_MEMORY;
	else if (!device->formats->known[at][access])
		error = formats_fetch(context->session, device->formats, at, access);
	if (!error) {
		*ret_formats = device->formats->list[at][access];
		*ret_count = device->formats->count[at][access];
	}
	pthread_mutex_unlock(&device->format_lock);
	return error;
}

#define KNOWN_FLAGS (CL_MEM_READ_WRITE | CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY | CL_MEM_KERNEL_READ_AND_WRITE | CL_MEM_USE_HOST_PTR | \
		     CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR | CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS)

cl_int vgpu_clGetSupportedImageFormats(cl_context context, cl_mem_flags flags, cl_mem_object_type image_type,
				       cl_uint num_entries, cl_image_format *image_formats, cl_uint *num_image_formats)
{
	const cl_image_format *formats = NULL;
	cl_uint count = 0;

	if (!object_is(context, OBJECT_CONTEXT))
		return CL_INVALID_CONTEXT;
	if ((num_entries == 0 && image_formats) || (flags & ~(cl_mem_flags)KNOWN_FLAGS))
		return CL_INVALID_VALUE;
	if (context->device->images) {
		cl_int error = image_formats_get(context, flags, image_type, &formats, &count);

		if (error)
			return error;
	}
	for (cl_uint i = 0; image_formats && i < count && i < num_entries; i++)
		image_formats[i] = formats[i];
	if (num_image_formats)
		*num_image_formats = count;
	return CL_SUCCESS;
}
