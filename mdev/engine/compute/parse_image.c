/* SPDX-License-Identifier: MIT */
/*
 * Records of images and samplers (shim/wire/image.h). What needs the image itself, whether a region lies in it and how long its
 * rows are, is the executor's question (image.c).
 */
#include <string.h>

#include "mdev/engine/compute/parse_parts.h"

/* Every size that the type has, at least 1 and at most the device's; no other. */
static bool sizes_fit(const struct wire_image_create *r, const struct parse_image_limits *most)
{
	const bool is_3d = r->type == CL_MEM_OBJECT_IMAGE3D;
	const bool is_array = r->type == CL_MEM_OBJECT_IMAGE1D_ARRAY || r->type == CL_MEM_OBJECT_IMAGE2D_ARRAY;
	const bool has_height = is_3d || r->type == CL_MEM_OBJECT_IMAGE2D || r->type == CL_MEM_OBJECT_IMAGE2D_ARRAY;
	const uint64_t width = r->type == CL_MEM_OBJECT_IMAGE1D_BUFFER ? most->buffer_pixels : is_3d ? most->width_3d : most->width_2d;
	const uint64_t height = !has_height ? 0 : is_3d ? most->height_3d : most->height_2d;

	return r->width && r->width <= width && !r->height == !has_height && r->height <= height && !r->depth == !is_3d &&
	       r->depth <= (is_3d ? most->depth_3d : 0) && !r->array_size == !is_array && r->array_size <= (is_array ? most->array_size : 0);
}

/* Where its memory is: in a blob, in a buffer, or the device's own. */
static int place_parse(const struct wire_image_create *r, const struct parse_limits *limits, struct parsed_image_create *c)
{
	const bool in_blob = r->backing.blob_id || r->backing.offset || r->backing.bytes;
	const bool is_1d_buffer = r->type == CL_MEM_OBJECT_IMAGE1D_BUFFER;
	struct wire_image_rows rows;

	if (r->buffer >= WIRE_OBJECT_MAX)
		return CL_INVALID_MEM_OBJECT;
	if (is_1d_buffer ? !r->buffer : r->buffer && r->type != CL_MEM_OBJECT_IMAGE2D)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (r->buffer && in_blob)
		return CL_INVALID_HOST_PTR;
	if (!wire_image_rows(&c->shape, c->shape.extent, &rows))
		return CL_INVALID_IMAGE_SIZE;
	c->row_pitch = r->row_pitch;
	c->slice_pitch = r->slice_pitch;
	if ((!in_blob && (r->buffer && !is_1d_buffer ? !r->row_pitch || r->slice_pitch : r->row_pitch || r->slice_pitch)) ||
	    r->row_pitch % c->shape.pixel_bytes || !wire_image_pitches(&c->shape, &rows, &c->row_pitch, &c->slice_pitch) ||
	    c->slice_pitch % c->row_pitch)
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (!wire_image_bytes(&c->shape, &rows, c->row_pitch, c->slice_pitch, &c->bytes) || c->bytes > limits->max_alloc_bytes)
		return CL_INVALID_IMAGE_SIZE;
	if (in_blob) {
		if (!limits->unified || r->backing.bytes != c->bytes || !range_fits(&r->backing, limits))
			return CL_INVALID_HOST_PTR;
		if (r->backing.offset & (limits->mem_align_bytes - 1))
			return CL_MISALIGNED_SUB_BUFFER_OFFSET;
	}
	return 0;
}

int image_create_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_image_create *r = record;
	struct parsed_image_create *c = &parsed->image_create;
	const uint32_t pixel_bytes = wire_image_pixel_bytes(r->channel_order, r->channel_type);

	(void)rest;
	if (!limits->images.width_2d)
		return CL_INVALID_OPERATION;
	if (!object_id_fits(r->image))
		return CL_INVALID_MEM_OBJECT;
	if (!mem_flags_fit(r->flags))
		return CL_INVALID_VALUE;
	if (!pixel_bytes)
		return CL_INVALID_IMAGE_FORMAT_DESCRIPTOR;
	if (!wire_image_shape(r->type, pixel_bytes, r->width, r->height, r->depth, r->array_size, &c->shape))
		return CL_INVALID_IMAGE_DESCRIPTOR;
	if (!sizes_fit(r, &limits->images))
		return CL_INVALID_IMAGE_SIZE;
	int error = place_parse(r, limits, c);
	if (error)
		return error;
	c->image = r->image;
	c->flags = r->flags;
	c->format = (cl_image_format){r->channel_order, r->channel_type};
	c->width = r->width;
	c->height = r->height;
	c->depth = r->depth;
	c->array_size = r->array_size;
	c->buffer = r->buffer;
	c->backing = r->backing;
	return 0;
}

int image_formats_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_image_formats *r = record;
	struct wire_image_shape shape;

	(void)rest;
	if (!limits->images.width_2d)
		return CL_INVALID_OPERATION;
	if (r->flags != CL_MEM_READ_WRITE && r->flags != CL_MEM_READ_ONLY && r->flags != CL_MEM_WRITE_ONLY &&
	    r->flags != CL_MEM_KERNEL_READ_AND_WRITE)
		return CL_INVALID_VALUE;
	if (!wire_image_shape(r->type, 1, 1, 1, 1, 1, &shape) || !range_fits(&r->reply, limits) || (r->reply.offset & 7))
		return CL_INVALID_VALUE;
	parsed->image_formats = (struct parsed_image_formats){r->type, r->flags, r->reply};
	return 0;
}

int sampler_create_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_sampler_create *r = record;

	(void)rest;
	if (!limits->images.width_2d)
		return CL_INVALID_OPERATION;
	if (!object_id_fits(r->sampler))
		return CL_INVALID_SAMPLER;
	if (r->normalized > 1 || r->addressing < CL_ADDRESS_NONE || r->addressing > CL_ADDRESS_MIRRORED_REPEAT ||
	    (r->filter != CL_FILTER_NEAREST && r->filter != CL_FILTER_LINEAR))
		return CL_INVALID_VALUE;
	parsed->sampler_create = (struct parsed_sampler_create){r->sampler, r->normalized, r->addressing, r->filter};
	return 0;
}

int sampler_destroy_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_destroy *r = record;

	(void)rest;
	(void)limits;
	if (!object_id_fits(r->id))
		return CL_INVALID_SAMPLER;
	parsed->destroy_id = r->id;
	return 0;
}

/* Nothing empty, no end that wraps. */
static bool box_fits(const uint64_t origin[3], const uint64_t region[3])
{
	uint64_t end;

	for (int i = 0; i < 3; i++)
		if (!region[i] || __builtin_add_overflow(origin[i], region[i], &end))
			return false;
	return true;
}

int image_transfer_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_image_transfer *r = record;
	struct parsed_image_transfer *t = &parsed->image_transfer;

	(void)rest;
	if (!object_id_fits(r->image))
		return CL_INVALID_MEM_OBJECT;
	if (!box_fits(r->origin, r->region) || !r->row_pitch || !range_fits(&r->range, limits))
		return CL_INVALID_VALUE;
	t->image = r->image;
	memcpy(t->origin, r->origin, sizeof(t->origin));
	memcpy(t->region, r->region, sizeof(t->region));
	t->row_pitch = r->row_pitch;
	t->slice_pitch = r->slice_pitch;
	t->range = r->range;
	return 0;
}

int image_copy_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_image_copy *r = record;
	struct parsed_image_copy *c = &parsed->image_copy;

	(void)rest;
	(void)limits;
	if (!object_id_fits(r->source) || !object_id_fits(r->destination))
		return CL_INVALID_MEM_OBJECT;
	if (!box_fits(r->source_origin, r->region) || !box_fits(r->destination_origin, r->region))
		return CL_INVALID_VALUE;
	c->source = r->source;
	c->destination = r->destination;
	memcpy(c->source_origin, r->source_origin, sizeof(c->source_origin));
	memcpy(c->destination_origin, r->destination_origin, sizeof(c->destination_origin));
	memcpy(c->region, r->region, sizeof(c->region));
	return 0;
}

int image_buffer_copy_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_image_buffer_copy *r = record;
	struct parsed_image_buffer_copy *c = &parsed->image_buffer_copy;

	(void)rest;
	(void)limits;
	if (!object_id_fits(r->image) || !object_id_fits(r->buffer))
		return CL_INVALID_MEM_OBJECT;
	if (!box_fits(r->origin, r->region))
		return CL_INVALID_VALUE;
	c->image = r->image;
	c->buffer = r->buffer;
	memcpy(c->origin, r->origin, sizeof(c->origin));
	memcpy(c->region, r->region, sizeof(c->region));
	c->offset = r->offset;
	return 0;
}

int image_fill_parse(const void *record, struct cursor *rest, const struct parse_limits *limits, struct parsed *parsed)
{
	const struct wire_image_fill *r = record;
	struct parsed_image_fill *f = &parsed->image_fill;

	(void)rest;
	(void)limits;
	if (!object_id_fits(r->image))
		return CL_INVALID_MEM_OBJECT;
	if (!box_fits(r->origin, r->region))
		return CL_INVALID_VALUE;
	f->image = r->image;
	memcpy(f->color, r->color, sizeof(f->color));
	memcpy(f->origin, r->origin, sizeof(f->origin));
	memcpy(f->region, r->region, sizeof(f->region));
	return 0;
}
