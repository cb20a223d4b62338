/* SPDX-License-Identifier: MIT */
/* clCreateSampler: what the device takes, whatever its version. */
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include "mdev/engine/compute/image.h"

#include <stdlib.h>
#include <string.h>

#include "mdev/engine/compute/image_linear.h"

#define FORMATS_MAX 1024u

static uint64_t limit_of(const struct device *device, cl_device_info param)
{
	size_t value = 0;

	return clGetDeviceInfo(device->id, param, sizeof(value), &value, NULL) ? 0 : value;
}

struct parse_image_limits image_limits(const struct device *device)
{
	cl_bool supported = CL_FALSE;

	if (clGetDeviceInfo(device->id, CL_DEVICE_IMAGE_SUPPORT, sizeof(supported), &supported, NULL) || !supported)
		return (struct parse_image_limits){0};
	return (struct parse_image_limits){
		.width_2d = limit_of(device, CL_DEVICE_IMAGE2D_MAX_WIDTH),
		.height_2d = limit_of(device, CL_DEVICE_IMAGE2D_MAX_HEIGHT),
		.width_3d = limit_of(device, CL_DEVICE_IMAGE3D_MAX_WIDTH),
		.height_3d = limit_of(device, CL_DEVICE_IMAGE3D_MAX_HEIGHT),
		.depth_3d = limit_of(device, CL_DEVICE_IMAGE3D_MAX_DEPTH),
		.array_size = limit_of(device, CL_DEVICE_IMAGE_MAX_ARRAY_SIZE),
		.buffer_pixels = limit_of(device, CL_DEVICE_IMAGE_MAX_BUFFER_SIZE),
	};
}

/* ---- creation ----------------------------------------------------------------------------------- */

/* What the image lies in: pins, charges or counts it. */
static int place_take(struct executor *x, const struct parsed_image_create *c, struct buffer *made, void **ret_memory)
{
	struct buffer *parent = c->buffer ? x->objects->buffers[c->buffer] : NULL;
	const struct wire_range *range = c->backing.bytes ? &c->backing : NULL;

	if (c->buffer && (!parent || parent->image))
		return CL_INVALID_MEM_OBJECT;
	if (parent && c->bytes > parent->bytes)
		return CL_INVALID_IMAGE_SIZE;
	if (parent && parent->blob_id)
		range = &parent->backing;
	if (range) {
		*ret_memory = blobs_pin(x->blobs, range);
		if (!*ret_memory)
			return CL_INVALID_HOST_PTR;	/* taken back since it was parsed */
		made->blob_id = range->blob_id;
		made->backing = *range;
	} else if (!parent) {
		if (!x->charge(x->data, x->objects->charged_bytes + c->bytes))
			return CL_MEM_OBJECT_ALLOCATION_FAILURE;
		x->objects->charged_bytes += c->bytes;
		made->charged_bytes = c->bytes;
	}
	made->parent = parent;
	if (parent)
		parent->uses++;
	return 0;
}

int image_create(struct executor *x, const struct parsed *p)
{
	const struct parsed_image_create *c = &p->image_create;
	struct buffer **at = &x->objects->buffers[c->image];
	const bool in_blob = c->backing.bytes;
	void *memory = NULL;
	cl_int error;

	if (*at)
		return CL_INVALID_MEM_OBJECT;
	struct buffer *made = calloc(1, sizeof(*made));
	struct image *image = calloc(1, sizeof(*image));
	if (!made || !image) {
		free(made);
		free(image);
		return CL_OUT_OF_HOST_MEMORY;
	}
	made->uses = 1;
	made->image = image;
	error = place_take(x, c, made, &memory);
	if (error) {
		execute_buffer_unuse(x, made);
		return error;
	}
	const cl_image_desc desc = {
		.image_type = c->shape.type,
		.image_width = c->width,
		.image_height = c->height,
		.image_depth = c->depth,
		.image_array_size = c->array_size,
		.image_row_pitch = in_blob || (c->buffer && c->shape.type == CL_MEM_OBJECT_IMAGE2D) ? c->row_pitch : 0,
		.image_slice_pitch = in_blob ? c->slice_pitch : 0,
		.mem_object = made->parent ? made->parent->cl : NULL,
	};
	made->cl = clCreateImage(x->device->context, c->flags | (in_blob ? CL_MEM_USE_HOST_PTR : 0), &c->format, &desc,
				 in_blob ? memory : NULL, &error);
	if (!made->cl) {
		if (made->blob_id)
			blobs_unpin(x->blobs, made->blob_id);
		execute_buffer_unuse(x, made);
		return error ? error : CL_OUT_OF_RESOURCES;
	}
	if (c->shape.type == CL_MEM_OBJECT_IMAGE1D_BUFFER) {
		image->linear = made->parent->cl;
		clRetainMemObject(image->linear);
	}
	image->shape = c->shape;
	image->format = c->format;
	made->bytes = c->bytes;
	made->serial = x->objects->next_serial++;
	*at = made;
	if (c->image >= x->objects->buffer_id_end)
		x->objects->buffer_id_end = c->image + 1;
	return 0;
}

int image_formats(struct executor *x, const struct parsed *p, uint32_t *ret_value)
{
	const struct parsed_image_formats *f = &p->image_formats;
	cl_image_format formats[FORMATS_MAX];
	cl_uint count = 0;

	int error = clGetSupportedImageFormats(x->device->context, f->flags, f->type, FORMATS_MAX, formats, &count);
	if (error)
		return error;
	if (count > FORMATS_MAX)
		count = FORMATS_MAX;
	struct wire_image_format *reply = blobs_pin(x->blobs, &f->reply);
	if (!reply)
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < count && i < f->reply.bytes / sizeof(*reply); i++)
		reply[i] = (struct wire_image_format){formats[i].image_channel_order, formats[i].image_channel_data_type};
	blobs_unpin(x->blobs, f->reply.blob_id);
	*ret_value = count;
	return 0;
}

int sampler_create(struct executor *x, const struct parsed *p)
{
	const struct parsed_sampler_create *c = &p->sampler_create;
	struct sampler **at = &x->objects->samplers[c->sampler];
	cl_int error = 0;

	if (*at)
		return CL_INVALID_SAMPLER;
	struct sampler *made = calloc(1, sizeof(*made));
	if (!made)
		return CL_OUT_OF_HOST_MEMORY;
	made->cl = clCreateSampler(x->device->context, c->normalized, c->addressing, c->filter, &error);
	if (!made->cl) {
		free(made);
		return error ? error : CL_OUT_OF_RESOURCES;
	}
	made->serial = x->objects->next_serial++;
	*at = made;
	return 0;
}

/* ---- commands ----------------------------------------------------------------------------------- */

struct size3 {
	size_t v[3];
};
static struct size3 size3(const uint64_t from[3])
{
	return (struct size3){{from[0], from[1], from[2]}};
}

static const struct buffer *find_image(const struct executor *x, uint32_t id)
{
	const struct buffer *found = x->objects->buffers[id];

	return found && found->image ? found : NULL;
}

/* Between the image and memory that stays pinned. */
static int transfer_enqueue(const struct image_target *t, bool write, const struct buffer *image, const struct parsed_image_transfer *p,
			    uint64_t row_pitch, uint64_t slice_pitch, void *memory)
{
	const struct size3 origin = size3(p->origin), region = size3(p->region);
	const cl_mem linear = image->image->linear;
	const size_t bytes = image->image->shape.pixel_bytes;

	if (linear && write)
		return clEnqueueWriteBuffer(t->queue, linear, CL_FALSE, origin.v[0] * bytes, region.v[0] * bytes, memory, t->wait_count,
					    t->waits, t->ret_event);
	if (linear)
		return clEnqueueReadBuffer(t->queue, linear, CL_FALSE, origin.v[0] * bytes, region.v[0] * bytes, memory, t->wait_count,
					   t->waits, t->ret_event);
	if (write)
		return clEnqueueWriteImage(t->queue, image->cl, CL_FALSE, origin.v, region.v, row_pitch, slice_pitch, memory, t->wait_count,
					   t->waits, t->ret_event);
	return clEnqueueReadImage(t->queue, image->cl, CL_FALSE, origin.v, region.v, row_pitch, slice_pitch, memory, t->wait_count, t->waits,
				  t->ret_event);
}

static int transfer(struct executor *x, const struct image_target *target, const struct parsed *p, uint64_t *ret_pinned_blob)
{
	const struct parsed_image_transfer *t = &p->image_transfer;
	const struct buffer *image = find_image(x, t->image);
	uint64_t row_pitch = t->row_pitch, slice_pitch = t->slice_pitch, span;
	struct wire_image_rows rows;

	if (!image)
		return CL_INVALID_MEM_OBJECT;
	if (!wire_image_inside(&image->image->shape, t->origin, t->region) || !wire_image_rows(&image->image->shape, t->region, &rows) ||
	    !wire_image_pitches(&image->image->shape, &rows, &row_pitch, &slice_pitch) ||
	    !wire_image_span(&rows, row_pitch, slice_pitch, &span) || span > t->range.bytes)
		return CL_INVALID_VALUE;
	void *memory = blobs_pin(x->blobs, &t->range);
	if (!memory)
		return CL_INVALID_VALUE;
	int error = transfer_enqueue(target, p->opcode == WIRE_IMAGE_WRITE, image, t, row_pitch, slice_pitch, memory);
	if (error)
		blobs_unpin(x->blobs, t->range.blob_id);
	else
		*ret_pinned_blob = t->range.blob_id;
	return error;
}

static int copy(const struct executor *x, const struct image_target *t, const struct parsed *p)
{
	const struct parsed_image_copy *c = &p->image_copy;
	const struct buffer *source = find_image(x, c->source), *destination = find_image(x, c->destination);
	const struct size3 from = size3(c->source_origin), to = size3(c->destination_origin), region = size3(c->region);

	if (!source || !destination)
		return CL_INVALID_MEM_OBJECT;
	if (memcmp(&source->image->format, &destination->image->format, sizeof(cl_image_format)))
		return CL_IMAGE_FORMAT_MISMATCH;
	if (!wire_image_inside(&source->image->shape, c->source_origin, c->region) ||
	    !wire_image_inside(&destination->image->shape, c->destination_origin, c->region))
		return CL_INVALID_VALUE;
	if (source == destination && wire_image_overlap(c->source_origin, c->destination_origin, c->region))
		return CL_MEM_COPY_OVERLAP;
	if (source->image->linear || destination->image->linear)
		return image_linear_copy(t, source, from.v, destination, to.v, region.v);
	return clEnqueueCopyImage(t->queue, source->cl, destination->cl, from.v, to.v, region.v, t->wait_count, t->waits, t->ret_event);
}

static int buffer_copy(const struct executor *x, const struct image_target *t, const struct parsed *p)
{
	const struct parsed_image_buffer_copy *c = &p->image_buffer_copy;
	const struct buffer *image = find_image(x, c->image), *buffer = x->objects->buffers[c->buffer];
	const struct size3 origin = size3(c->origin), region = size3(c->region);
	const bool to_buffer = p->opcode == WIRE_IMAGE_TO_BUFFER;
	struct wire_image_rows rows;
	uint64_t bytes;

	if (!image || !buffer || buffer->image)
		return CL_INVALID_MEM_OBJECT;
	if (!wire_image_inside(&image->image->shape, c->origin, c->region) || !wire_image_rows(&image->image->shape, c->region, &rows) ||
	    __builtin_mul_overflow(rows.row_bytes, rows.rows, &bytes) || __builtin_mul_overflow(bytes, rows.slices, &bytes) ||
	    c->offset > buffer->bytes || bytes > buffer->bytes - c->offset)
		return CL_INVALID_VALUE;
	const cl_mem linear = image->image->linear;
	const size_t at = origin.v[0] * image->image->shape.pixel_bytes;
	if (linear)
		return clEnqueueCopyBuffer(t->queue, to_buffer ? linear : buffer->cl, to_buffer ? buffer->cl : linear, to_buffer ? at : c->offset,
					   to_buffer ? c->offset : at, bytes, t->wait_count, t->waits, t->ret_event);
	return to_buffer ? clEnqueueCopyImageToBuffer(t->queue, image->cl, buffer->cl, origin.v, region.v, c->offset, t->wait_count, t->waits,
						      t->ret_event) :
			   clEnqueueCopyBufferToImage(t->queue, buffer->cl, image->cl, c->offset, origin.v, region.v, t->wait_count, t->waits,
						      t->ret_event);
}

static int fill(const struct executor *x, const struct image_target *t, const struct parsed *p)
{
	const struct parsed_image_fill *f = &p->image_fill;
	const struct buffer *image = find_image(x, f->image);
	const struct size3 origin = size3(f->origin), region = size3(f->region);

	if (!image)
		return CL_INVALID_MEM_OBJECT;
	if (!wire_image_inside(&image->image->shape, f->origin, f->region))
		return CL_INVALID_VALUE;
	if (image->image->linear)
		return image_linear_fill(x->device->context, t, image, f->color, f->origin[0], f->region[0]);
	return clEnqueueFillImage(t->queue, image->cl, f->color, origin.v, region.v, t->wait_count, t->waits, t->ret_event);
}

int image_enqueue(struct executor *x, const struct parsed *p, cl_command_queue queue, cl_uint wait_count, const cl_event *waits,
		  cl_event *ret_event, uint64_t *ret_pinned_blob)
{
	const struct image_target target = {queue, wait_count, wait_count ? waits : NULL, ret_event};

	switch (p->opcode) {
	case WIRE_IMAGE_COPY:
		return copy(x, &target, p);
	case WIRE_IMAGE_TO_BUFFER:
	case WIRE_IMAGE_FROM_BUFFER:
		return buffer_copy(x, &target, p);
	case WIRE_IMAGE_FILL:
		return fill(x, &target, p);
	default:
		return transfer(x, &target, p, ret_pinned_blob);
	}
}
