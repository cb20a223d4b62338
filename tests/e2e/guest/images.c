/* SPDX-License-Identifier: MIT */
/*
 * Images of every type: each command's result is held to a model in plain memory. Ends in `images=ok cases=N`; the same natively
 * and on a vGPU. What is the device's own to choose (its formats) is printed, so that the two can be compared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

#define PIXELS_MAX 16384u

static unsigned failures, cases;
/* 0: leaves out what PoCL 3.1 does wrong: copies and fills of images in buffers (it crashes), the command type of reads from them,
 * one-dimensional arrays with gaps between their elements, and some errors. */
static int strict = 1;

static void expect(int right, const char *what, const char *where, long value)
{
	cases++;
	if (right)
		return;
	failures++;
	printf("wrong: %s of %s (%ld)\n", what, where, value);
}

/* A command that may be refused when it is enqueued, or later by its event: 1 if it was done. */
static int done(cl_int error, const cl_event *event)
{
	cl_int status = error;

	if (error == CL_SUCCESS) {
		clWaitForEvents(1, event);
		gpu_check(clGetEventInfo(*event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL), "clGetEventInfo");
		clReleaseEvent(*event);
	}
	return status == CL_COMPLETE;
}

/* ---- the model: pixels without gaps, in the API's three dimensions -------------------------------------------- */

struct kind {
	const char *name;
	cl_mem_object_type type;
	size_t extent[3];
	size_t part_origin[3], part[3];	/* a region inside */
};
static const struct kind kinds[] = {
	{"1d", CL_MEM_OBJECT_IMAGE1D, {61, 1, 1}, {7, 0, 0}, {33, 1, 1}},
	{"1d-buffer", CL_MEM_OBJECT_IMAGE1D_BUFFER, {61, 1, 1}, {7, 0, 0}, {33, 1, 1}},
	{"1d-array", CL_MEM_OBJECT_IMAGE1D_ARRAY, {33, 7, 1}, {5, 2, 0}, {17, 4, 1}},
	{"2d", CL_MEM_OBJECT_IMAGE2D, {33, 17, 1}, {4, 3, 0}, {21, 11, 1}},
	{"2d-array", CL_MEM_OBJECT_IMAGE2D_ARRAY, {19, 11, 5}, {3, 2, 1}, {9, 7, 3}},
	{"3d", CL_MEM_OBJECT_IMAGE3D, {19, 11, 6}, {3, 2, 1}, {9, 7, 4}},
};
static const struct format {
	const char *name;
	cl_image_format format;
	size_t bytes;
} formats[] = {
	{"rgba-u8", {CL_RGBA, CL_UNSIGNED_INT8}, 4},   {"r-f32", {CL_R, CL_FLOAT}, 4},
	{"rgba-u16", {CL_RGBA, CL_UNSIGNED_INT16}, 8}, {"rgba-f32", {CL_RGBA, CL_FLOAT}, 16},
	{"r-u8", {CL_R, CL_UNSIGNED_INT8}, 1},	       {"bgra-unorm8", {CL_BGRA, CL_UNORM_INT8}, 4},
};

struct model {
	const struct kind *kind;
	size_t pixel;
	uint8_t bytes[PIXELS_MAX * 16];
};

static size_t model_at(const struct model *m, size_t x, size_t y, size_t z)
{
	return ((z * m->kind->extent[1] + y) * m->kind->extent[0] + x) * m->pixel;
}

static size_t model_bytes(const struct model *m)
{
	return m->kind->extent[0] * m->kind->extent[1] * m->kind->extent[2] * m->pixel;
}

static void model_random(struct model *m, unsigned seed)
{
	for (size_t i = 0; i < model_bytes(m); i++)
		m->bytes[i] = (uint8_t)(rand_r(&seed) >> 7);
	if (m->pixel == 16 || m->pixel == 4)	/* floats must be no NaN: a device may touch those up */
		for (size_t i = 3; i < model_bytes(m); i += 4)
			m->bytes[i] &= 0x3f;
}

/* The application's memory for a region: rows at these pitches, in API dimensions. */
struct host {
	size_t row_pitch, slice_pitch;	/* as given to the API */
	size_t y_step, z_step;		/* bytes of a step in the region's own dimensions */
};
static struct host host_of(const struct kind *kind, const size_t region[3], size_t pixel, size_t gap)
{
	struct host h = {.row_pitch = region[0] * pixel + gap * pixel};

	if (kind->type == CL_MEM_OBJECT_IMAGE1D_ARRAY) {
		h.slice_pitch = h.row_pitch * (strict ? 2 : 1);
		h.y_step = h.slice_pitch;
	} else {
		h.y_step = h.row_pitch;
		if (kind->type == CL_MEM_OBJECT_IMAGE3D || kind->type == CL_MEM_OBJECT_IMAGE2D_ARRAY)
			h.slice_pitch = h.z_step = h.row_pitch * (region[1] + gap);
	}
	return h;
}

/* Model region <-> host memory: compares (to == NULL), or copies. Returns how many bytes differ. */
static size_t host_differs(const struct model *m, const size_t origin[3], const size_t region[3], const struct host *h, const uint8_t *at)
{
	size_t wrong = 0;

	for (size_t z = 0; z < region[2]; z++)
		for (size_t y = 0; y < region[1]; y++)
			wrong += !!memcmp(m->bytes + model_at(m, origin[0], origin[1] + y, origin[2] + z), at + y * h->y_step + z * h->z_step,
					  region[0] * m->pixel);
	return wrong;
}
static void host_to_model(struct model *m, const size_t origin[3], const size_t region[3], const struct host *h, const uint8_t *at)
{
	for (size_t z = 0; z < region[2]; z++)
		for (size_t y = 0; y < region[1]; y++)
			memcpy(m->bytes + model_at(m, origin[0], origin[1] + y, origin[2] + z), at + y * h->y_step + z * h->z_step,
			       region[0] * m->pixel);
}
static void model_to_host(const struct model *m, const struct host *h, uint8_t *at)
{
	for (size_t z = 0; z < m->kind->extent[2]; z++)
		for (size_t y = 0; y < m->kind->extent[1]; y++)
			memcpy(at + y * h->y_step + z * h->z_step, m->bytes + model_at(m, 0, y, z), m->kind->extent[0] * m->pixel);
}

/* ---- one image ---------------------------------------------------------------------------------------------- */

static const size_t zero[3];

struct image {
	cl_mem cl, buffer;
};

static cl_image_desc desc_of(const struct kind *kind)
{
	return (cl_image_desc){
		.image_type = kind->type,
		.image_width = kind->extent[0],
		.image_height = kind->type == CL_MEM_OBJECT_IMAGE1D_ARRAY ? 0 : kind->extent[1],
		.image_depth = kind->type == CL_MEM_OBJECT_IMAGE3D ? kind->extent[2] : 0,
		.image_array_size = kind->type == CL_MEM_OBJECT_IMAGE1D_ARRAY	? kind->extent[1] :
				    kind->type == CL_MEM_OBJECT_IMAGE2D_ARRAY ? kind->extent[2] :
										      0,
	};
}

/* With the model's pixels in it: at creation, from memory with gaps, where the type allows that. */
static struct image image_make(struct gpu *gpu, const struct model *m, const struct format *format, uint8_t *memory, cl_mem_flags flags)
{
	struct image image = {0};
	cl_image_desc desc = desc_of(m->kind);
	const struct host h = host_of(m->kind, m->kind->extent, m->pixel, 3);
	cl_int error;

	if (m->kind->type == CL_MEM_OBJECT_IMAGE1D_BUFFER) {
		image.buffer = clCreateBuffer(gpu->context, CL_MEM_COPY_HOST_PTR, model_bytes(m), (void *)(uintptr_t)m->bytes, &error);
		gpu_check(error, "clCreateBuffer");
		desc.mem_object = image.buffer;
		image.cl = clCreateImage(gpu->context, 0, &format->format, &desc, NULL, &error);
	} else {
		model_to_host(m, &h, memory);
		desc.image_row_pitch = h.row_pitch;
		desc.image_slice_pitch = h.slice_pitch;
		image.cl = clCreateImage(gpu->context, flags, &format->format, &desc, memory, &error);
	}
	gpu_check(error, "clCreateImage");
	return image;
}

static void image_end(struct image *image)
{
	gpu_check(clReleaseMemObject(image->cl), "clReleaseMemObject");
	if (image->buffer)
		gpu_check(clReleaseMemObject(image->buffer), "clReleaseMemObject");
}

/* All of it is the model's. */
static void image_holds(struct gpu *gpu, const struct image *image, const struct model *m, const char *after, const char *where)
{
	static uint8_t read[PIXELS_MAX * 16];
	const struct host h = {.y_step = m->kind->extent[0] * m->pixel, .z_step = m->kind->extent[0] * m->kind->extent[1] * m->pixel};

	gpu_check(clEnqueueReadImage(gpu->queue, image->cl, CL_TRUE, zero, m->kind->extent, 0, 0, read, 0, NULL, NULL), "clEnqueueReadImage");
	expect(!host_differs(m, zero, m->kind->extent, &h, read), after, where, 0);
}

static void transfers(struct gpu *gpu, struct image *image, struct model *m, const char *where)
{
	static uint8_t memory[PIXELS_MAX * 32];
	const struct kind *k = m->kind;
	const struct host h = host_of(k, k->part, m->pixel, 2);
	cl_event events[2];

	memset(memory, 0xee, sizeof(memory));
	gpu_check(clEnqueueReadImage(gpu->queue, image->cl, CL_TRUE, k->part_origin, k->part, h.row_pitch, h.slice_pitch, memory, 0, NULL,
				     NULL), "read of a part");
	expect(!host_differs(m, k->part_origin, k->part, &h, memory), "read of a part", where, 0);
	expect(memory[k->part[0] * m->pixel] == 0xee, "gap after a row", where, memory[k->part[0] * m->pixel]);

	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = (uint8_t)(i * 7) & 0x3f;
	gpu_check(clEnqueueWriteImage(gpu->queue, image->cl, CL_TRUE, k->part_origin, k->part, h.row_pitch, h.slice_pitch, memory, 0, NULL,
				      NULL), "write of a part");
	host_to_model(m, k->part_origin, k->part, &h, memory);
	image_holds(gpu, image, m, "write of a part", where);

	/* Behind something that is not over: both must keep their places. */
	cl_int error;
	cl_event gate = clCreateUserEvent(gpu->context, &error);
	gpu_check(error, "clCreateUserEvent");
	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = (uint8_t)(i * 5) & 0x3f;
	gpu_check(clEnqueueWriteImage(gpu->queue, image->cl, CL_FALSE, k->part_origin, k->part, h.row_pitch, h.slice_pitch, memory, 1, &gate,
				      &events[0]), "write behind a user event");
	static uint8_t back[PIXELS_MAX * 32];
	memset(back, 0xee, sizeof(back));
	gpu_check(clEnqueueReadImage(gpu->queue, image->cl, CL_FALSE, k->part_origin, k->part, h.row_pitch, h.slice_pitch, back, 1, &events[0],
				     &events[1]), "read behind it");
	expect(back[0] == 0xee, "read that waits", where, back[0]);
	gpu_check(clSetUserEventStatus(gate, CL_COMPLETE), "clSetUserEventStatus");
	gpu_check(clWaitForEvents(1, &events[1]), "clWaitForEvents");
	host_to_model(m, k->part_origin, k->part, &h, memory);
	expect(!host_differs(m, k->part_origin, k->part, &h, back), "write and read behind a user event", where, 0);
	cl_command_type type = 0;
	gpu_check(clGetEventInfo(events[1], CL_EVENT_COMMAND_TYPE, sizeof(type), &type, NULL), "clGetEventInfo");
	expect(type == CL_COMMAND_READ_IMAGE || (!strict && image->buffer), "command type", where, (long)type);
	clReleaseEvent(events[0]);
	clReleaseEvent(events[1]);
	clReleaseEvent(gate);
	image_holds(gpu, image, m, "transfers", where);
}

static void copies(struct gpu *gpu, struct image *image, struct model *m, const struct format *format, const char *where)
{
	static struct model other;
	static uint8_t memory[PIXELS_MAX * 32];
	const struct kind *k = m->kind;
	const size_t part_bytes = k->part[0] * k->part[1] * k->part[2] * m->pixel;
	const struct host tight = {.y_step = k->part[0] * m->pixel, .z_step = k->part[0] * k->part[1] * m->pixel};
	cl_mem buffer = gpu_buffer(gpu, part_bytes + 64);
	cl_event event = NULL;

	other.kind = k;
	other.pixel = m->pixel;
	model_random(&other, 77);
	struct image second = image_make(gpu, &other, format, memory, CL_MEM_COPY_HOST_PTR);
	expect(done(clEnqueueCopyImage(gpu->queue, image->cl, second.cl, k->part_origin, zero, k->part, 0, NULL, &event), &event), "copy command",
	       where, 0);
	for (size_t z = 0; z < k->part[2]; z++)
		for (size_t y = 0; y < k->part[1]; y++)
			memcpy(other.bytes + model_at(&other, 0, y, z),
			       m->bytes + model_at(m, k->part_origin[0], k->part_origin[1] + y, k->part_origin[2] + z), k->part[0] * m->pixel);
	image_holds(gpu, &second, &other, "copy", where);

	expect(done(clEnqueueCopyImageToBuffer(gpu->queue, image->cl, buffer, k->part_origin, k->part, 64, 0, NULL, &event), &event),
	       "copy command to a buffer", where, 0);
	gpu_check(clEnqueueReadBuffer(gpu->queue, buffer, CL_TRUE, 64, part_bytes, memory, 0, NULL, NULL), "clEnqueueReadBuffer");
	expect(!host_differs(m, k->part_origin, k->part, &tight, memory), "copy to a buffer", where, 0);
	expect(done(clEnqueueCopyBufferToImage(gpu->queue, buffer, second.cl, 64, k->part_origin, k->part, 0, NULL, &event), &event),
	       "copy command from a buffer", where, 0);
	host_to_model(&other, k->part_origin, k->part, &tight, memory);
	image_holds(gpu, &second, &other, "copy from a buffer", where);

	image_end(&second);
	clReleaseMemObject(buffer);
}

static void fills(struct gpu *gpu, struct image *image, struct model *m, const struct format *format, const char *where)
{
	const struct kind *k = m->kind;
	cl_event event = NULL;

	if (format->format.image_channel_data_type == CL_UNSIGNED_INT8 || format->format.image_channel_data_type == CL_UNSIGNED_INT16) {
		const cl_uint color[4] = {11, 22, 33, 44};
		uint8_t *pixel = calloc(1, m->pixel);
		const size_t channel = format->format.image_channel_data_type == CL_UNSIGNED_INT8 ? 1 : 2;

		for (size_t c = 0; c < m->pixel / channel; c++)
			pixel[c * channel] = (uint8_t)color[c];
		expect(done(clEnqueueFillImage(gpu->queue, image->cl, color, k->part_origin, k->part, 0, NULL, &event), &event), "fill command",
		       where, 0);
		for (size_t z = 0; z < k->part[2]; z++)
			for (size_t y = 0; y < k->part[1]; y++)
				for (size_t x = 0; x < k->part[0]; x++)
					memcpy(m->bytes + model_at(m, k->part_origin[0] + x, k->part_origin[1] + y, k->part_origin[2] + z), pixel,
					       m->pixel);
		image_holds(gpu, image, m, "fill", where);
		free(pixel);
	}
}

static void maps(struct gpu *gpu, struct image *image, struct model *m, cl_bool blocking, const char *where)
{
	const struct kind *k = m->kind;
	const cl_bool is_array_1d = k->type == CL_MEM_OBJECT_IMAGE1D_ARRAY;
	struct host h = {0};
	cl_event mapped;
	cl_int error;

	uint8_t *at = clEnqueueMapImage(gpu->queue, image->cl, blocking, CL_MAP_READ | CL_MAP_WRITE, k->part_origin, k->part, &h.row_pitch,
					&h.slice_pitch, 0, NULL, &mapped, &error);
	gpu_check(error, "clEnqueueMapImage");
	gpu_check(clWaitForEvents(1, &mapped), "clWaitForEvents");
	clReleaseEvent(mapped);
	h.y_step = is_array_1d ? h.slice_pitch : h.row_pitch;
	h.z_step = is_array_1d ? 0 : h.slice_pitch;
	expect(!host_differs(m, k->part_origin, k->part, &h, at), "map", where, blocking);
	for (size_t z = 0; z < k->part[2]; z++)
		for (size_t y = 0; y < k->part[1]; y++)
			memset(at + y * h.y_step + z * h.z_step, (int)(y * 3 + z) & 0x3f, k->part[0] * m->pixel);
	host_to_model(m, k->part_origin, k->part, &h, at);
	gpu_check(clEnqueueUnmapMemObject(gpu->queue, image->cl, at, 0, NULL, NULL), "clEnqueueUnmapMemObject");
	image_holds(gpu, image, m, "unmap", where);

	at = clEnqueueMapImage(gpu->queue, image->cl, CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION, zero, k->extent, &h.row_pitch, &h.slice_pitch,
			       0, NULL, NULL, &error);
	gpu_check(error, "clEnqueueMapImage");
	h.y_step = is_array_1d ? h.slice_pitch : h.row_pitch;
	h.z_step = is_array_1d ? 0 : h.slice_pitch;
	model_random(m, 5);
	model_to_host(m, &h, at);
	gpu_check(clEnqueueUnmapMemObject(gpu->queue, image->cl, at, 0, NULL, NULL), "clEnqueueUnmapMemObject");
	image_holds(gpu, image, m, "map that invalidates", where);
	expect(clEnqueueUnmapMemObject(gpu->queue, image->cl, at, 0, NULL, NULL) == CL_INVALID_VALUE, "second unmap", where, 0);
}

static void infos(const struct image *image, const struct model *m, const char *where)
{
	const struct kind *k = m->kind;
	const cl_image_desc desc = desc_of(k);
	size_t value[7] = {0};
	cl_mem_object_type type = 0;
	cl_image_format format;

	gpu_check(clGetImageInfo(image->cl, CL_IMAGE_WIDTH, sizeof(size_t), &value[0], NULL), "width");
	gpu_check(clGetImageInfo(image->cl, CL_IMAGE_HEIGHT, sizeof(size_t), &value[1], NULL), "height");
	gpu_check(clGetImageInfo(image->cl, CL_IMAGE_DEPTH, sizeof(size_t), &value[2], NULL), "depth");
	gpu_check(clGetImageInfo(image->cl, CL_IMAGE_ARRAY_SIZE, sizeof(size_t), &value[3], NULL), "array size");
	gpu_check(clGetImageInfo(image->cl, CL_IMAGE_ELEMENT_SIZE, sizeof(size_t), &value[4], NULL), "element size");
	gpu_check(clGetImageInfo(image->cl, CL_IMAGE_FORMAT, sizeof(format), &format, NULL), "format");
	gpu_check(clGetMemObjectInfo(image->cl, CL_MEM_SIZE, sizeof(size_t), &value[5], NULL), "size");
	gpu_check(clGetMemObjectInfo(image->cl, CL_MEM_TYPE, sizeof(type), &type, NULL), "type");
	expect(value[0] == desc.image_width, "width", where, (long)value[0]);
	expect(k->extent[1] == 1 || desc.image_height == value[1], "height", where, (long)value[1]);
	expect(value[2] == desc.image_depth, "depth", where, (long)value[2]);
	expect(value[3] == desc.image_array_size, "array size", where, (long)value[3]);
	expect(value[4] == m->pixel, "element size", where, (long)value[4]);
	expect(value[5] >= model_bytes(m), "size", where, (long)value[5]);
	expect(type == k->type, "type", where, (long)type);
	expect(clGetImageInfo(image->cl, CL_MEM_SIZE, sizeof(size_t), &value[6], NULL) == CL_INVALID_VALUE, "unknown information", where, 0);
}

static void every_type(struct gpu *gpu)
{
	static struct model m;
	static uint8_t memory[PIXELS_MAX * 32];
	char where[64];

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (size_t f = 0; f < sizeof(formats) / sizeof(formats[0]); f++)
			for (int use = 0; use < 2; use++) {
				m.kind = &kinds[k];
				m.pixel = formats[f].bytes;
				model_random(&m, (unsigned)(k * 100 + f));
				snprintf(where, sizeof(where), "%s %s%s", kinds[k].name, formats[f].name, use ? " in host memory" : "");
				struct image image = image_make(gpu, &m, &formats[f], memory, use ? CL_MEM_USE_HOST_PTR : CL_MEM_COPY_HOST_PTR);
				image_holds(gpu, &image, &m, "creation", where);
				infos(&image, &m, where);
				transfers(gpu, &image, &m, where);
				if (kinds[k].type != CL_MEM_OBJECT_IMAGE1D_BUFFER || strict) {
					copies(gpu, &image, &m, &formats[f], where);
					fills(gpu, &image, &m, &formats[f], where);
				}
				maps(gpu, &image, &m, CL_TRUE, where);
				maps(gpu, &image, &m, CL_FALSE, where);
				image_end(&image);
			}
}

/* ---- kernels --------------------------------------------------------------------------------------------------- */

static const char source[] =
	"constant sampler_t nearest = CLK_NORMALIZED_COORDS_FALSE | CLK_ADDRESS_CLAMP_TO_EDGE | CLK_FILTER_NEAREST;\n"
	"kernel void transpose(read_only image2d_t in, write_only image2d_t out)\n"
	"{ int2 p = (int2)(get_global_id(0), get_global_id(1)); write_imageui(out, p.yx, read_imageui(in, nearest, p)); }\n"
	"kernel void sampled(read_only image2d_t in, sampler_t s, global float4 *out)\n"
	"{ int x = get_global_id(0); out[x] = read_imagef(in, s, (float2)((float)x - 2.0f, 1.0f)); }\n"
	"kernel void sizes(read_only image3d_t a, read_only image2d_array_t b, read_only image1d_array_t c, global int *out)\n"
	"{ out[0] = get_image_width(a); out[1] = get_image_height(a); out[2] = get_image_depth(a); out[3] = get_image_width(b);\n"
	"  out[4] = get_image_height(b); out[5] = get_image_array_size(b); out[6] = get_image_width(c); out[7] = get_image_array_size(c); }\n"
	"kernel void line(read_only image1d_buffer_t in, global uint4 *out, int shift)\n"
	"{ int x = get_global_id(0); out[x] = read_imageui(in, x) + (uint4)(shift); }\n"
	"kernel void volume(write_only image3d_t out)\n"
	"{ int4 p = (int4)(get_global_id(0), get_global_id(1), get_global_id(2), 0); write_imageui(out, p, (uint4)(p.x, p.y, p.z, 7)); }\n";

static cl_kernel kernel_of(struct gpu *gpu, const char *name)
{
	return gpu_kernel(gpu, source, name);
}

static void run(struct gpu *gpu, cl_kernel kernel, cl_uint dimensions, const size_t *global)
{
	gpu_check(clEnqueueNDRangeKernel(gpu->queue, kernel, dimensions, NULL, global, NULL, 0, NULL, NULL), "clEnqueueNDRangeKernel");
}

static cl_mem plain_image(struct gpu *gpu, const struct kind *kind, cl_image_format format, cl_mem_flags flags)
{
	const cl_image_desc desc = desc_of(kind);
	cl_int error;
	cl_mem image = clCreateImage(gpu->context, flags, &format, &desc, NULL, &error);

	gpu_check(error, "clCreateImage");
	return image;
}

static void kernel_transposes(struct gpu *gpu)
{
	const size_t square[3] = {32, 32, 1};
	const struct kind kind = {"2d", CL_MEM_OBJECT_IMAGE2D, {32, 32, 1}, {0}, {0}};
	const cl_image_format format = {CL_RGBA, CL_UNSIGNED_INT32};
	cl_kernel kernel = kernel_of(gpu, "transpose");
	cl_mem in = plain_image(gpu, &kind, format, CL_MEM_READ_ONLY), out = plain_image(gpu, &kind, format, CL_MEM_WRITE_ONLY);
	static cl_uint pixels[32][32][4];
	size_t wrong = 0;

	for (cl_uint y = 0; y < 32; y++)
		for (cl_uint x = 0; x < 32; x++)
			pixels[y][x][0] = y * 100 + x;
	gpu_check(clEnqueueWriteImage(gpu->queue, in, CL_FALSE, zero, square, 0, 0, pixels, 0, NULL, NULL), "clEnqueueWriteImage");
	gpu_check(clSetKernelArg(kernel, 0, sizeof(in), &in), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 1, sizeof(out), &out), "clSetKernelArg");
	run(gpu, kernel, 2, square);
	gpu_check(clEnqueueReadImage(gpu->queue, out, CL_TRUE, zero, square, 0, 0, pixels, 0, NULL, NULL), "clEnqueueReadImage");
	for (cl_uint y = 0; y < 32; y++)
		for (cl_uint x = 0; x < 32; x++)
			wrong += pixels[y][x][0] != x * 100 + y;
	expect(!wrong, "transposed", "kernel", (long)wrong);
	clReleaseMemObject(in);
	clReleaseMemObject(out);
	clReleaseKernel(kernel);
}

/* Outside of the image each addressing mode has its own answer (OpenCL 3.0 C §8.2). */
static void kernel_samples(struct gpu *gpu)
{
	static const struct {
		cl_addressing_mode mode;
		float at[9];	/* red of x = -2..6 in a row of 0 1 2 3 4 */
	} modes[] = {
		{CL_ADDRESS_CLAMP_TO_EDGE, {0, 0, 0, 1, 2, 3, 4, 4, 4}},
		{CL_ADDRESS_CLAMP, {0, 0, 0, 1, 2, 3, 4, 0, 0}},
	};
	const struct kind kind = {"2d", CL_MEM_OBJECT_IMAGE2D, {5, 3, 1}, {0}, {0}};
	cl_mem image = plain_image(gpu, &kind, (cl_image_format){CL_RGBA, CL_FLOAT}, CL_MEM_READ_ONLY), out = gpu_buffer(gpu, 9 * sizeof(cl_float4));
	cl_kernel kernel = kernel_of(gpu, "sampled");
	const size_t count = 9;
	cl_float pixels[3][5][4], got[9][4];

	for (int y = 0; y < 3; y++)
		for (int x = 0; x < 5; x++)
			for (int c = 0; c < 4; c++)
				pixels[y][x][c] = (float)x;
	gpu_check(clEnqueueWriteImage(gpu->queue, image, CL_TRUE, zero, kind.extent, 0, 0, pixels, 0, NULL, NULL), "clEnqueueWriteImage");
	gpu_check(clSetKernelArg(kernel, 0, sizeof(image), &image), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 2, sizeof(out), &out), "clSetKernelArg");
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		const cl_sampler_properties list[] = {CL_SAMPLER_NORMALIZED_COORDS, CL_FALSE, CL_SAMPLER_ADDRESSING_MODE, modes[i].mode,
						      CL_SAMPLER_FILTER_MODE, CL_FILTER_NEAREST, 0};
		cl_int error;
		cl_sampler sampler = clCreateSamplerWithProperties(gpu->context, list, &error);
		gpu_check(error, "clCreateSamplerWithProperties");
		cl_addressing_mode mode = 0;
		gpu_check(clGetSamplerInfo(sampler, CL_SAMPLER_ADDRESSING_MODE, sizeof(mode), &mode, NULL), "clGetSamplerInfo");
		expect(mode == modes[i].mode, "mode", "sampler", (long)mode);
		gpu_check(clSetKernelArg(kernel, 1, sizeof(sampler), &sampler), "clSetKernelArg");
		run(gpu, kernel, 1, &count);
		gpu_check(clEnqueueReadBuffer(gpu->queue, out, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL), "clEnqueueReadBuffer");
		for (size_t x = 0; x < count; x++)
			expect(got[x][0] == modes[i].at[x], "sampled pixel", i ? "clamp" : "clamp to edge", (long)x);
		clReleaseSampler(sampler);
	}
	clReleaseMemObject(image);
	clReleaseMemObject(out);
	clReleaseKernel(kernel);
}

static void kernel_sees_sizes(struct gpu *gpu)
{
	const cl_image_format format = {CL_RGBA, CL_UNSIGNED_INT8};
	static const cl_int right[8] = {19, 11, 6, 19, 11, 5, 33, 7};
	cl_mem a = plain_image(gpu, &kinds[5], format, 0), b = plain_image(gpu, &kinds[4], format, 0), c = plain_image(gpu, &kinds[2], format, 0);
	cl_mem out = gpu_buffer(gpu, sizeof(right));
	cl_kernel kernel = kernel_of(gpu, "sizes"), volume = kernel_of(gpu, "volume");
	const size_t one = 1;
	cl_int got[8];
	static uint8_t pixels[6][11][19][4];
	size_t wrong = 0;

	gpu_check(clSetKernelArg(kernel, 0, sizeof(a), &a), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 1, sizeof(b), &b), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 2, sizeof(c), &c), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 3, sizeof(out), &out), "clSetKernelArg");
	run(gpu, kernel, 1, &one);
	gpu_check(clEnqueueReadBuffer(gpu->queue, out, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL), "clEnqueueReadBuffer");
	for (int i = 0; i < 8; i++)
		expect(got[i] == right[i], "size that a kernel sees", "image", i * 1000 + got[i]);
	gpu_check(clSetKernelArg(volume, 0, sizeof(a), &a), "clSetKernelArg");
	run(gpu, volume, 3, kinds[5].extent);
	gpu_check(clEnqueueReadImage(gpu->queue, a, CL_TRUE, zero, kinds[5].extent, 0, 0, pixels, 0, NULL, NULL), "clEnqueueReadImage");
	for (unsigned z = 0; z < 6; z++)
		for (unsigned y = 0; y < 11; y++)
			for (unsigned x = 0; x < 19; x++)
				wrong += pixels[z][y][x][0] != x || pixels[z][y][x][1] != y || pixels[z][y][x][2] != z || pixels[z][y][x][3] != 7;
	expect(!wrong, "pixels written", "3d", (long)wrong);
	cl_mem all[] = {a, b, c, out};
	for (int i = 0; i < 4; i++)
		clReleaseMemObject(all[i]);
	clReleaseKernel(kernel);
	clReleaseKernel(volume);
}

/* The buffer's bytes are the image's, in both directions, also when the application has let go of the buffer. */
static void kernel_reads_a_buffers_image(struct gpu *gpu)
{
	const cl_image_format format = {CL_RGBA, CL_UNSIGNED_INT32};
	cl_image_desc desc = {.image_type = CL_MEM_OBJECT_IMAGE1D_BUFFER, .image_width = 64};
	cl_mem buffer = gpu_buffer(gpu, 64 * 16), out = gpu_buffer(gpu, 64 * 16);
	cl_kernel kernel = kernel_of(gpu, "line");
	const cl_int shift = 5;
	const size_t count = 64;
	cl_uint pattern[4] = {1, 2, 3, 4}, got[64][4];
	cl_int error;
	cl_mem parent = NULL;

	desc.mem_object = buffer;
	cl_mem image = clCreateImage(gpu->context, CL_MEM_READ_WRITE, &format, &desc, NULL, &error);
	gpu_check(error, "clCreateImage");
	gpu_check(clEnqueueFillBuffer(gpu->queue, buffer, pattern, sizeof(pattern), 0, 64 * 16, 0, NULL, NULL), "clEnqueueFillBuffer");
	gpu_check(clGetMemObjectInfo(image, CL_MEM_ASSOCIATED_MEMOBJECT, sizeof(parent), &parent, NULL), "clGetMemObjectInfo");
	expect(parent == buffer, "associated object", "1d-buffer", 0);
	gpu_check(clReleaseMemObject(buffer), "clReleaseMemObject");
	gpu_check(clSetKernelArg(kernel, 0, sizeof(image), &image), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 1, sizeof(out), &out), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 2, sizeof(shift), &shift), "clSetKernelArg");
	run(gpu, kernel, 1, &count);
	gpu_check(clEnqueueReadBuffer(gpu->queue, out, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL), "clEnqueueReadBuffer");
	for (cl_uint c = 0; c < 4; c++)
		expect(got[63][c] == c + 6, "pixel", "1d-buffer", got[63][c]);
	clReleaseMemObject(image);
	clReleaseMemObject(out);
	clReleaseKernel(kernel);
}

/* ---- errors, as OpenCL 3.0 words them ------------------------------------------------------------------------- */

#define REFUSED(call, right, what) do { \
		cl_int error_ = (call); \
		expect(error_ == (right), what, "error", error_); \
	} while (0)
#define STRICTLY_REFUSED(call, right, what) do { \
		if (strict) \
			REFUSED(call, right, what); \
	} while (0)
#define CREATE(flags, format, desc, pointer) (clCreateImage(gpu->context, flags, format, desc, pointer, &error), error)

static void errors(struct gpu *gpu)
{
	const cl_image_format format = {CL_RGBA, CL_UNSIGNED_INT8}, other = {CL_RGBA, CL_FLOAT};
	const size_t far[3] = {33, 0, 0}, tall[3] = {1, 18, 1}, empty[3] = {0, 1, 1}, one[3] = {1, 1, 1}, deep[3] = {1, 1, 2};
	static uint8_t memory[65536];
	cl_image_desc desc = desc_of(&kinds[3]);
	cl_mem image = plain_image(gpu, &kinds[3], format, 0), floats = plain_image(gpu, &kinds[3], other, 0), buffer = gpu_buffer(gpu, 64);
	cl_kernel kernel = kernel_of(gpu, "transpose");
	size_t pitch;
	cl_int error;

	REFUSED(CREATE(0, NULL, &desc, NULL), CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, "no format");
	REFUSED(CREATE(0, &format, NULL, NULL), CL_INVALID_IMAGE_DESCRIPTOR, "no descriptor");
	REFUSED(CREATE(CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY, &format, &desc, NULL), CL_INVALID_VALUE, "flags");
	REFUSED(CREATE(CL_MEM_USE_HOST_PTR, &format, &desc, NULL), CL_INVALID_HOST_PTR, "no host pointer");
	REFUSED(CREATE(0, &format, &desc, memory), CL_INVALID_HOST_PTR, "host pointer without a flag");
	desc.image_row_pitch = 100;
	STRICTLY_REFUSED(CREATE(CL_MEM_COPY_HOST_PTR, &format, &desc, memory), CL_INVALID_IMAGE_DESCRIPTOR, "row pitch too small");
	desc.image_row_pitch = 135;
	STRICTLY_REFUSED(CREATE(CL_MEM_COPY_HOST_PTR, &format, &desc, memory), CL_INVALID_IMAGE_DESCRIPTOR, "row pitch of no whole pixels");
	desc.image_row_pitch = 256;
	STRICTLY_REFUSED(CREATE(0, &format, &desc, NULL), CL_INVALID_IMAGE_DESCRIPTOR, "row pitch without a pointer");
	desc.image_row_pitch = 0;
	desc.image_width = (size_t)1 << 30;
	STRICTLY_REFUSED(CREATE(0, &format, &desc, NULL), CL_INVALID_IMAGE_SIZE, "too wide");
	desc.image_width = 33;
	desc.image_type = 0x1234;
	STRICTLY_REFUSED(CREATE(0, &format, &desc, NULL), CL_INVALID_IMAGE_DESCRIPTOR, "type");

	REFUSED(clEnqueueReadImage(gpu->queue, image, CL_TRUE, far, one, 0, 0, memory, 0, NULL, NULL), CL_INVALID_VALUE, "origin outside");
	REFUSED(clEnqueueReadImage(gpu->queue, image, CL_TRUE, zero, tall, 0, 0, memory, 0, NULL, NULL), CL_INVALID_VALUE, "region outside");
	STRICTLY_REFUSED(clEnqueueReadImage(gpu->queue, image, CL_TRUE, zero, empty, 0, 0, memory, 0, NULL, NULL), CL_INVALID_VALUE, "empty region");
	REFUSED(clEnqueueReadImage(gpu->queue, image, CL_TRUE, zero, deep, 0, 0, memory, 0, NULL, NULL), CL_INVALID_VALUE, "depth of a 2d one");
	REFUSED(clEnqueueReadImage(gpu->queue, image, CL_TRUE, zero, one, 0, 0, NULL, 0, NULL, NULL), CL_INVALID_VALUE, "no pointer");
	REFUSED(clEnqueueReadImage(gpu->queue, buffer, CL_TRUE, zero, one, 0, 0, memory, 0, NULL, NULL), CL_INVALID_MEM_OBJECT, "read of a buffer");
	STRICTLY_REFUSED(clEnqueueReadBuffer(gpu->queue, image, CL_TRUE, 0, 4, memory, 0, NULL, NULL), CL_INVALID_MEM_OBJECT, "buffer read of an image");
	REFUSED(clEnqueueCopyImage(gpu->queue, image, floats, zero, zero, one, 0, NULL, NULL), CL_IMAGE_FORMAT_MISMATCH, "formats that differ");
	REFUSED(clEnqueueCopyImage(gpu->queue, image, image, zero, zero, one, 0, NULL, NULL), CL_MEM_COPY_OVERLAP, "overlap");
	REFUSED(clEnqueueCopyImageToBuffer(gpu->queue, image, buffer, zero, one, 62, 0, NULL, NULL), CL_INVALID_VALUE, "buffer too short");
	REFUSED(clEnqueueFillImage(gpu->queue, image, NULL, zero, one, 0, NULL, NULL), CL_INVALID_VALUE, "no color");
	clEnqueueMapImage(gpu->queue, image, CL_TRUE, CL_MAP_READ, zero, one, NULL, NULL, 0, NULL, NULL, &error);
	expect(error == CL_INVALID_VALUE, "no row pitch", "error", error);
	clEnqueueMapImage(gpu->queue, image, CL_TRUE, CL_MAP_READ, far, one, &pitch, NULL, 0, NULL, NULL, &error);
	expect(error == CL_INVALID_VALUE, "map outside", "error", error);
	STRICTLY_REFUSED(clGetImageInfo(buffer, CL_IMAGE_WIDTH, 8, &pitch, NULL), CL_INVALID_MEM_OBJECT, "image information of a buffer");
	REFUSED(clSetKernelArg(kernel, 0, 4, &image), CL_INVALID_ARG_SIZE, "argument size");
	REFUSED(clGetSupportedImageFormats(gpu->context, 0, 0x1234, 0, NULL, NULL), CL_INVALID_VALUE, "formats of no type");
	(void)clCreateSamplerWithProperties(gpu->context, (const cl_sampler_properties[]){CL_SAMPLER_ADDRESSING_MODE, 1, 0}, &error);
	expect(!strict || error == CL_INVALID_VALUE, "sampler mode", "error", error);
	clReleaseKernel(kernel);
	clReleaseMemObject(image);
	clReleaseMemObject(floats);
	clReleaseMemObject(buffer);
}

/* ---- what the device chooses ------------------------------------------------------------------------------------- */

static void device_tells(struct gpu *gpu)
{
	static const struct {
		const char *name;
		cl_device_info param;
		size_t bytes;
	} infos[] = {
		{"support", CL_DEVICE_IMAGE_SUPPORT, 4},	 {"read_args", CL_DEVICE_MAX_READ_IMAGE_ARGS, 4},
		{"write_args", CL_DEVICE_MAX_WRITE_IMAGE_ARGS, 4}, {"width_2d", CL_DEVICE_IMAGE2D_MAX_WIDTH, 8},
		{"height_2d", CL_DEVICE_IMAGE2D_MAX_HEIGHT, 8},	 {"width_3d", CL_DEVICE_IMAGE3D_MAX_WIDTH, 8},
		{"depth_3d", CL_DEVICE_IMAGE3D_MAX_DEPTH, 8},	 {"array", CL_DEVICE_IMAGE_MAX_ARRAY_SIZE, 8},
		{"buffer", CL_DEVICE_IMAGE_MAX_BUFFER_SIZE, 8},	 {"samplers", CL_DEVICE_MAX_SAMPLERS, 4},
	};
	static const cl_mem_flags flags[] = {CL_MEM_READ_WRITE, CL_MEM_READ_ONLY, CL_MEM_WRITE_ONLY, CL_MEM_KERNEL_READ_AND_WRITE};
	static cl_image_format list[1024];

	for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
		uint64_t value = 0;
		size_t bytes = 0;
		gpu_check(clGetDeviceInfo(gpu->device, infos[i].param, sizeof(value), &value, &bytes), infos[i].name);
		expect(bytes == infos[i].bytes, "bytes", infos[i].name, (long)bytes);
		printf("%s=%llu\n", infos[i].name, (unsigned long long)value);
	}
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]); f++) {
			cl_uint count = 0;
			uint64_t sum = 0;
			gpu_check(clGetSupportedImageFormats(gpu->context, flags[f], kinds[k].type, 1024, list, &count), "formats");
			for (cl_uint i = 0; i < count && i < 1024; i++)
				sum = sum * 31 + list[i].image_channel_order * 7 + list[i].image_channel_data_type;
			printf("formats_%s_%zu=%u sum=%llx\n", kinds[k].name, f, count, (unsigned long long)sum);
			expect(count > 0, "formats", kinds[k].name, (long)count);
		}
}

int images_main(int argc, char **argv)
{
	struct gpu gpu;
	cl_bool supported = CL_FALSE;

	strict = !option(argc, argv, "--lenient", 0);
	gpu_open(&gpu);
	gpu_check(clGetDeviceInfo(gpu.device, CL_DEVICE_IMAGE_SUPPORT, sizeof(supported), &supported, NULL), "CL_DEVICE_IMAGE_SUPPORT");
	if (!supported) {
		fprintf(stderr, "the device has no images\n");
		return 1;
	}
	device_tells(&gpu);
	every_type(&gpu);
	kernel_transposes(&gpu);
	kernel_samples(&gpu);
	kernel_sees_sizes(&gpu);
	kernel_reads_a_buffers_image(&gpu);
	errors(&gpu);
	gpu_close(&gpu);
	printf("images=%s cases=%u failures=%u\n", failures ? "wrong" : "ok", cases, failures);
	return failures ? 1 : 0;
}
