/* SPDX-License-Identifier: MIT */
/*
 * Images: creation and information.
 *
 * On a unified device an image is aperture memory without gaps; elsewhere it is the device's, laid out as that likes. One that is
 * made of a buffer is that buffer's memory. CL_MEM_USE_HOST_PTR: the device has a copy, as of buffers.
 */
#include "shim/opencl/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ACCESS_FLAGS (CL_MEM_READ_WRITE | CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY)
#define HOST_ACCESS_FLAGS (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS)

static size_t limit_of(const struct _cl_device_id *device, cl_device_info param)
{
	size_t bytes, number = 0;
	const void *value = device_info_find(device, param, &bytes);

	if (value && bytes <= sizeof(number))
		memcpy(&number, value, bytes);
	return number;
}

/* ---- what the application asks for ---------------------------------------------------------------- */

/* Sizes that the type has: at least 1 (OpenCL 3.0 §5.3.1.2), at most the device's. */
static cl_int sizes_check(const struct _cl_device_id *device, const struct wire_image_shape *shape)
{
	static const struct {
		cl_mem_object_type type;
		cl_device_info most[3];
	} limits[] = {
		{ CL_MEM_OBJECT_IMAGE1D, { CL_DEVICE_IMAGE2D_MAX_WIDTH } },
		{ CL_MEM_OBJECT_IMAGE1D_BUFFER, { CL_DEVICE_IMAGE_MAX_BUFFER_SIZE } },
		{ CL_MEM_OBJECT_IMAGE1D_ARRAY, { CL_DEVICE_IMAGE2D_MAX_WIDTH, CL_DEVICE_IMAGE_MAX_ARRAY_SIZE } },
		{ CL_MEM_OBJECT_IMAGE2D, { CL_DEVICE_IMAGE2D_MAX_WIDTH, CL_DEVICE_IMAGE2D_MAX_HEIGHT } },
		{ CL_MEM_OBJECT_IMAGE2D_ARRAY, { CL_DEVICE_IMAGE2D_MAX_WIDTH, CL_DEVICE_IMAGE2D_MAX_HEIGHT, CL_DEVICE_IMAGE_MAX_ARRAY_SIZE } },
		{ CL_MEM_OBJECT_IMAGE3D, { CL_DEVICE_IMAGE3D_MAX_WIDTH, CL_DEVICE_IMAGE3D_MAX_HEIGHT, CL_DEVICE_IMAGE3D_MAX_DEPTH } },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
		for (int k = 0; k < 3 && limits[i].type == shape->type && limits[i].most[k]; k++)
			if (shape->extent[k] == 0 || shape->extent[k] > limit_of(device, limits[i].most[k]))
				return CL_INVALID_IMAGE_SIZE;
	return CL_SUCCESS;
}

/* Fills shape and the host's pitches in; needs nothing of the device but its limits. */
static cl_int desc_check(const struct _cl_context *context, const void *host_ptr, struct image *image)
{
	const cl_image_desc *desc = &image->desc;
	const bool in_buffer = desc->mem_object;
	struct wire_image_rows rows;
	uint64_t row_pitch = desc->image_row_pitch, slice_pitch = desc->image_slice_pitch;
	cl_int error;

	if (!wire_image_shape(desc->image_type, wire_image_pixel_bytes(image->format.image_channel_order, image->format.image_channel_data_type),
			      desc->image_width, desc->image_height, desc->image_depth, desc->image_array_size, &image->shape))
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (desc->num_mip_levels || desc->num_samples)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (in_buffer ? desc->image_type != CL_MEM_OBJECT_IMAGE1D_BUFFER && desc->image_type != CL_MEM_OBJECT_IMAGE2D :
			desc->image_type == CL_MEM_OBJECT_IMAGE1D_BUFFER)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	error = sizes_check(context->device, &image->shape);
	if (error)
		return error;
	if (!host_ptr && !in_buffer && (row_pitch || slice_pitch))
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (!wire_image_has_slices(desc->image_type))
		slice_pitch = 0;	/* of no meaning */
	if (!wire_image_rows(&image->shape, image->shape.extent, &rows) || row_pitch % image->shape.pixel_bytes ||
	    !wire_image_pitches(&image->shape, &rows, &row_pitch, &slice_pitch) || (slice_pitch && slice_pitch % row_pitch))
		return CL_INVALID_IMAGE_DESCRIPTOR;
	image->host_row_pitch = row_pitch;
	image->host_slice_pitch = slice_pitch;
	return CL_SUCCESS;
}

/* The image is to be the memory of desc.mem_object (OpenCL 3.0 §5.3.1.2, "2D image from buffer"). */
static cl_int in_buffer_check(const struct _cl_context *context, cl_mem_flags *flags, const struct image *image)
{
	const struct _cl_mem *buffer = image->desc.mem_object;
	const struct _cl_device_id *device = context->device;
	const size_t pitch_align = limit_of(device, CL_DEVICE_IMAGE_PITCH_ALIGNMENT);
	const size_t base_align = limit_of(device, CL_DEVICE_IMAGE_BASE_ADDRESS_ALIGNMENT);
	size_t bytes = image->host_row_pitch * image->shape.extent[1];

	if (!mem_is_buffer(buffer) || buffer->context != context)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (image->desc.image_type == CL_MEM_OBJECT_IMAGE2D) {
		if (!device->image2d_from_buffer)
			return CL_INVALID_OPERATION;
		if ((pitch_align && image->host_row_pitch % (pitch_align * image->shape.pixel_bytes)) ||
		    (base_align && buffer->origin % (base_align * image->shape.pixel_bytes)))
			return CL_INVALID_IMAGE_FORMAT_DESCRIPTOR;
	}
	if (bytes > buffer->bytes)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	return mem_flags_inherit(buffer, flags);
}

static cl_int format_check(struct _cl_context *context, cl_mem_flags flags, const cl_image_format *format, cl_mem_object_type type)
{
	const cl_image_format *formats;
	cl_uint count;
	cl_int error;

	if (!wire_image_pixel_bytes(format->image_channel_order, format->image_channel_data_type)) {
		/* Valid ones that are not carried are told from what is none at all. */
		const bool known = format->image_channel_order >= CL_R && format->image_channel_order <= CL_ABGR &&
				   format->image_channel_data_type >= CL_SNORM_INT8 &&
				   format->image_channel_data_type <= CL_UNORM_INT_101010_2;

		return known && format->image_channel_order != CL_RGB && format->image_channel_order != CL_RGBx ?
		       CL_IMAGE_FORMAT_NOT_SUPPORTED : CL_INVALID_IMAGE_FORMAT_DESCRIPTOR;
	}
	error = image_formats_get(context, flags & ACCESS_FLAGS, type, &formats, &count);
	if (error == CL_INVALID_VALUE)	/* the flags have been looked at: it is the type */
		return CL_INVALID_IMAGE_DESCRIPTOR;
	for (cl_uint i = 0; !error && i < count; i++)
		if (memcmp(&formats[i], format, sizeof(*format)) == 0)
			return CL_SUCCESS;
	return error ? error : CL_IMAGE_FORMAT_NOT_SUPPORTED;
}

/* ---- storage -------------------------------------------------------------------------------------- */

/* What clCreateImage may say; anything else is a host that does not do this. */
static cl_int creation_error(int32_t status)
{
	switch (status) {
	case CL_IMAGE_FORMAT_NOT_SUPPORTED:
	case CL_INVALID_IMAGE_DESCRIPTOR:
	case CL_INVALID_IMAGE_SIZE:
	case CL_MEM_OBJECT_ALLOCATION_FAILURE:
	case CL_OUT_OF_HOST_MEMORY:
		return status;
	default:
		return status < 0 ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
	}
}

/* The device is the one to know what it can do with an image, so this waits. */
static cl_int create_record(const struct _cl_mem *mem)
{
	const struct image *image = mem->image;
	struct session *session = mem->context->session;
	struct ring_completion completion = { .slot = WIRE_NO_SLOT };
	struct wire_image_create *record = ring_begin(session->ring, WIRE_IMAGE_CREATE, sizeof(*record), &completion);
	const bool in_blob = session->unified && !mem->parent;
	const bool pitched_buffer = mem->parent && image->desc.image_type == CL_MEM_OBJECT_IMAGE2D;
	const bool sized_2d = image->shape.type == CL_MEM_OBJECT_IMAGE2D || image->shape.type == CL_MEM_OBJECT_IMAGE2D_ARRAY ||
			      image->shape.type == CL_MEM_OBJECT_IMAGE3D;

	if (!record)
		return CL_DEVICE_NOT_AVAILABLE;
	record->image = mem->id;
	record->flags = mem->flags & (ACCESS_FLAGS | HOST_ACCESS_FLAGS);
	record->type = image->shape.type;
	record->channel_order = image->format.image_channel_order;
	record->channel_type = image->format.image_channel_data_type;
	record->buffer = mem->parent ? mem->parent->id : 0;
	record->width = image->shape.extent[0];
	record->height = sized_2d ? image->shape.extent[1] : 0;
	record->depth = image->shape.type == CL_MEM_OBJECT_IMAGE3D ? image->shape.extent[2] : 0;
	record->array_size = image->shape.type == CL_MEM_OBJECT_IMAGE1D_ARRAY ? image->shape.extent[1] :
			     image->shape.type == CL_MEM_OBJECT_IMAGE2D_ARRAY ? image->shape.extent[2] : 0;
	record->row_pitch = in_blob || pitched_buffer ? image->row_pitch : 0;
	record->slice_pitch = in_blob ? image->slice_pitch : 0;
	record->backing = in_blob ? memory_wire_range(&mem->range) : (struct wire_range){ 0 };
	ring_commit(session->ring);
	if (ring_wait_completion(session->ring, &completion, RING_SPIN_NS) < 0)
		return CL_DEVICE_NOT_AVAILABLE;
	return creation_error(completion.status);
}

/* The whole image, from or to memory at the application's pitches. */
static struct image_move whole(struct _cl_mem *mem, const void *initial)
{
	struct image_move move = {
		.transfer = { .mem = mem, .blocking = CL_TRUE, .type = CL_COMMAND_WRITE_IMAGE },
		.row_pitch = mem->image->host_row_pitch,
		.slice_pitch = mem->image->host_slice_pitch,
		.host = (uint8_t *)(uintptr_t)initial,
		.write = true,
	};

	memcpy(move.region, mem->image->shape.extent, sizeof(move.region));
	return move;
}

/* Through a queue for the purpose; on a unified device it finds it idle, and only copies. */
static cl_int initial_write(struct _cl_mem *mem, const void *initial)
{
	struct image_move move = whole(mem, initial);
	cl_int error;

	move.transfer.queue = vgpu_clCreateCommandQueueWithProperties(mem->context, mem->context->devices[0], NULL, &error);
	if (!move.transfer.queue)
		return error;
	error = image_move_do(&move, NULL);
	queue_release(move.transfer.queue);
	return error;
}

static cl_int storage_make(struct _cl_mem *mem)
{
	struct session *session = mem->context->session;
	cl_int error;
	int r;

	if (session->unified && mem->parent) {
		mem->range = mem->parent->range;
		mem->range.slab = NULL;
	} else if (session->unified) {
		r = staging_alloc(session, mem->bytes, &mem->range);
		if (r < 0)
			return r == -ENOMEM ? CL_MEM_OBJECT_ALLOCATION_FAILURE : CL_DEVICE_NOT_AVAILABLE;
	}
	error = create_record(mem);
	if (error && mem->range.slab)
		memory_release(session->memory, &mem->range);
	return error;
}

/* Pitches of our own memory: without gaps, but in a buffer as the application has them. */
static bool layout_make(struct _cl_mem *mem)
{
	struct image *image = mem->image;
	const struct wire_image_rows rows = image_rows(mem, image->shape.extent);
	uint64_t row_pitch = mem->parent ? image->host_row_pitch : 0, slice_pitch = 0, bytes;

	if (!wire_image_pitches(&image->shape, &rows, &row_pitch, &slice_pitch) ||
	    !wire_image_bytes(&image->shape, &rows, row_pitch, slice_pitch, &bytes) || bytes > mem->context->device->capset->max_alloc_bytes)
		return false;
	image->row_pitch = row_pitch;
	image->slice_pitch = slice_pitch;
	mem->bytes = bytes;
	return true;
}

/* mem is new and has its image; on failure the caller drops both, and the id if it is not 0. */
static cl_int image_make(struct _cl_mem *mem, void *host_ptr)
{
	struct image *image = mem->image;
	cl_int error;

	mem->parent = image->desc.mem_object;
	if (!layout_make(mem))
		return CL_MEM_OBJECT_ALLOCATION_FAILURE;
	if (mem->flags & CL_MEM_USE_HOST_PTR && !mem->parent)
		mem->host_ptr = host_ptr;
	error = storage_make(mem);
	if (error)
		return error;
	if (mem->parent)
		object_retain(mem->parent);
	if (host_ptr)
		error = initial_write(mem, host_ptr);
	if (!mem->host_ptr) {	/* the application's pitches were of its copy only */
		image->host_row_pitch = image->row_pitch;
		image->host_slice_pitch = image->slice_pitch;
	}
	if (error) {
		mem->ops->destroy(mem);
		mem->id = 0;
	}
	return error;
}

static cl_int properties_keep(struct _cl_mem *mem, const cl_mem_properties *properties)
{
	if (!properties)
		return CL_SUCCESS;
	mem->properties = calloc(1, sizeof(*properties));
	mem->property_count = mem->properties ? 1 : 0;
	return mem->properties ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
}

cl_mem vgpu_clCreateImageWithProperties(cl_context context, const cl_mem_properties *properties, cl_mem_flags flags,
					const cl_image_format *image_format, const cl_image_desc *image_desc, void *host_ptr,
					cl_int *errcode_ret)
{
	struct image *image;
	struct _cl_mem *mem;
	cl_int error;

	if (!object_is(context, OBJECT_CONTEXT))
		return refuse(errcode_ret, CL_INVALID_CONTEXT);
	if (!context->device->images)
		return refuse(errcode_ret, CL_INVALID_OPERATION);
	if (properties && properties[0])
		return refuse(errcode_ret, CL_INVALID_PROPERTY);
	error = mem_flags_check(flags, host_ptr);
	if (!error && !image_format)
		error = CL_INVALID_IMAGE_FORMAT_DESCRIPTOR;
	if (!error && !image_desc)
		error = CL_INVALID_IMAGE_DESCRIPTOR;
	if (!error && session_lost(context->session))
		error = CL_DEVICE_NOT_AVAILABLE;
	if (!error)
		error = format_check(context, flags, image_format, image_desc->image_type);
	if (error)
		return refuse(errcode_ret, error);
	image = calloc(1, sizeof(*image));
	if (!image)
		return refuse(errcode_ret, CL_OUT_OF_HOST_MEMORY);
	image->format = *image_format;
	image->desc = *image_desc;
	error = desc_check(context, host_ptr, image);
	if (!error && image->desc.mem_object)
		error = host_ptr ? CL_INVALID_HOST_PTR : in_buffer_check(context, &flags, image);
	if (error) {
		free(image);
		return refuse(errcode_ret, error);
	}
	mem = mem_new(context, flags, 0, errcode_ret);
	if (!mem) {
		free(image);
		return NULL;
	}
	mem->image = image;
	error = properties_keep(mem, properties);
	if (!error)
		error = image_make(mem, host_ptr);
	if (error) {
		if (mem->id)
			session_id_return(context->session, ID_BUFFER, mem->id);
		free(mem->properties);
		free(image);
		free(mem);
		return refuse(errcode_ret, error);
	}
	object_retain(context);
	refuse(errcode_ret, CL_SUCCESS);
	return mem;
}

cl_mem vgpu_clCreateImage(cl_context context, cl_mem_flags flags, const cl_image_format *image_format,
			  const cl_image_desc *image_desc, void *host_ptr, cl_int *errcode_ret)
{
	return vgpu_clCreateImageWithProperties(context, NULL, flags, image_format, image_desc, host_ptr, errcode_ret);
}

/* The older calls have one error for all of what describes the image (OpenCL 1.1 §5.3.1). */
static cl_mem image_create_old(cl_context context, cl_mem_flags flags, const cl_image_format *image_format, const cl_image_desc *desc,
			       void *host_ptr, cl_int *errcode_ret)
{
	cl_int error;
	cl_mem made = vgpu_clCreateImage(context, flags, image_format, desc, host_ptr, &error);

	refuse(errcode_ret, error == CL_INVALID_IMAGE_DESCRIPTOR ? CL_INVALID_IMAGE_SIZE : error);
	return made;
}

cl_mem vgpu_clCreateImage2D(cl_context context, cl_mem_flags flags, const cl_image_format *image_format, size_t image_width,
			    size_t image_height, size_t image_row_pitch, void *host_ptr, cl_int *errcode_ret)
{
	const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = image_width, .image_height = image_height,
				     .image_row_pitch = image_row_pitch };

	return image_create_old(context, flags, image_format, &desc, host_ptr, errcode_ret);
}

cl_mem vgpu_clCreateImage3D(cl_context context, cl_mem_flags flags, const cl_image_format *image_format, size_t image_width,
			    size_t image_height, size_t image_depth, size_t image_row_pitch, size_t image_slice_pitch, void *host_ptr,
			    cl_int *errcode_ret)
{
	const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE3D, .image_width = image_width, .image_height = image_height,
				     .image_depth = image_depth, .image_row_pitch = image_row_pitch, .image_slice_pitch = image_slice_pitch };

	return image_create_old(context, flags, image_format, &desc, host_ptr, errcode_ret);
}

cl_int vgpu_clGetImageInfo(cl_mem image, cl_image_info param_name, size_t param_value_size, void *param_value,
			   size_t *param_value_size_ret)
{
	const struct wire_image_shape *shape;

	if (!mem_is_image(image))
		return CL_INVALID_MEM_OBJECT;
	shape = &image->image->shape;
	switch (param_name) {
	case CL_IMAGE_FORMAT:
		INFO_ANSWER(cl_image_format, image->image->format);
	case CL_IMAGE_ELEMENT_SIZE:
		INFO_ANSWER(size_t, shape->pixel_bytes);
	case CL_IMAGE_ROW_PITCH:
		INFO_ANSWER(size_t, image->image->host_row_pitch);
	case CL_IMAGE_SLICE_PITCH:
		INFO_ANSWER(size_t, image->image->host_slice_pitch);
	case CL_IMAGE_WIDTH:
		INFO_ANSWER(size_t, shape->extent[0]);
	case CL_IMAGE_HEIGHT:
		INFO_ANSWER(size_t, shape->type == CL_MEM_OBJECT_IMAGE2D || shape->type == CL_MEM_OBJECT_IMAGE2D_ARRAY ||
			    shape->type == CL_MEM_OBJECT_IMAGE3D ? shape->extent[1] : 0);
	case CL_IMAGE_DEPTH:
		INFO_ANSWER(size_t, shape->type == CL_MEM_OBJECT_IMAGE3D ? shape->extent[2] : 0);
	case CL_IMAGE_ARRAY_SIZE:
		INFO_ANSWER(size_t, shape->type == CL_MEM_OBJECT_IMAGE1D_ARRAY ? shape->extent[1] :
			    shape->type == CL_MEM_OBJECT_IMAGE2D_ARRAY ? shape->extent[2] : 0);
	case CL_IMAGE_BUFFER:
		INFO_ANSWER(cl_mem, image->parent);
	case CL_IMAGE_NUM_MIP_LEVELS:
	case CL_IMAGE_NUM_SAMPLES:
		INFO_ANSWER(cl_uint, 0);
	default:
		return CL_INVALID_VALUE;
	}
}
