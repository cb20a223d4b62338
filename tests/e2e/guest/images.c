/* SPDX-License-Identifier: MIT */
/*
 * Images of every type: each command's result is held to a model in plain memory. Ends in `images=ok cases=N`; the same natively
 * and on a vGPU.
 */
#include "images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIXELS_MAX 16384u

int images_strict = 1;
static unsigned failures, cases;

void images_expect(int right, const char *what, const char *where, long value)
{
	cases++;
	if (right)
		return;
	failures++;
	printf("wrong: %s of %s (%ld)\n", what, where, value);
}

int images_end(void)
{
	printf("images=%s cases=%u failures=%u\n", failures ? "wrong" : "ok", cases, failures);
	return failures ? 1 : 0;
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

const struct kind image_kinds[KIND_COUNT] = {
	{"1d", CL_MEM_OBJECT_IMAGE1D, {61, 1, 1}, {7, 0, 0}, {33, 1, 1}},
	{"1d-buffer", CL_MEM_OBJECT_IMAGE1D_BUFFER, {61, 1, 1}, {7, 0, 0}, {33, 1, 1}},
	{"1d-array", CL_MEM_OBJECT_IMAGE1D_ARRAY, {33, 7, 1}, {5, 2, 0}, {17, 4, 1}},
	{"2d", CL_MEM_OBJECT_IMAGE2D, {33, 17, 1}, {4, 3, 0}, {21, 11, 1}},
	{"2d-array", CL_MEM_OBJECT_IMAGE2D_ARRAY, {19, 11, 5}, {3, 2, 1}, {9, 7, 3}},
	{"3d", CL_MEM_OBJECT_IMAGE3D, {19, 11, 6}, {3, 2, 1}, {9, 7, 4}},
};

cl_image_desc image_desc_of(const struct kind *kind)
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

cl_mem image_plain(struct gpu *gpu, const struct kind *kind, cl_image_format format, cl_mem_flags flags)
{
	const cl_image_desc desc = image_desc_of(kind);
	cl_int error;
	cl_mem image = clCreateImage(gpu->context, flags, &format, &desc, NULL, &error);

	gpu_check(error, "clCreateImage");
	return image;
}

/* ---- the model: pixels without gaps, in the API's three dimensions -------------------------------------------- */

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
		h.slice_pitch = h.row_pitch * (images_strict ? 2 : 1);
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

/* With the model's pixels in it: at creation, from memory with gaps, where the type allows that. */
static struct image image_make(struct gpu *gpu, const struct model *m, const struct format *format, uint8_t *memory, cl_mem_flags flags)
{
	struct image image = {0};
	cl_image_desc desc = image_desc_of(m->kind);
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
	images_expect(!host_differs(m, zero, m->kind->extent, &h, read), after, where, 0);
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
	images_expect(!host_differs(m, k->part_origin, k->part, &h, memory), "read of a part", where, 0);
	images_expect(memory[k->part[0] * m->pixel] == 0xee, "gap after a row", where, memory[k->part[0] * m->pixel]);

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
	images_expect(back[0] == 0xee, "read that waits", where, back[0]);
	gpu_check(clSetUserEventStatus(gate, CL_COMPLETE), "clSetUserEventStatus");
	gpu_check(clWaitForEvents(1, &events[1]), "clWaitForEvents");
	host_to_model(m, k->part_origin, k->part, &h, memory);
	images_expect(!host_differs(m, k->part_origin, k->part, &h, back), "write and read behind a user event", where, 0);
	cl_command_type type = 0;
	gpu_check(clGetEventInfo(events[1], CL_EVENT_COMMAND_TYPE, sizeof(type), &type, NULL), "clGetEventInfo");
	images_expect(type == CL_COMMAND_READ_IMAGE || (!images_strict && image->buffer), "command type", where, (long)type);
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
	images_expect(done(clEnqueueCopyImage(gpu->queue, image->cl, second.cl, k->part_origin, zero, k->part, 0, NULL, &event), &event), "copy command",
	       where, 0);
	for (size_t z = 0; z < k->part[2]; z++)
		for (size_t y = 0; y < k->part[1]; y++)
			memcpy(other.bytes + model_at(&other, 0, y, z),
			       m->bytes + model_at(m, k->part_origin[0], k->part_origin[1] + y, k->part_origin[2] + z), k->part[0] * m->pixel);
	image_holds(gpu, &second, &other, "copy", where);

	images_expect(done(clEnqueueCopyImageToBuffer(gpu->queue, image->cl, buffer, k->part_origin, k->part, 64, 0, NULL, &event), &event),
	       "copy command to a buffer", where, 0);
	gpu_check(clEnqueueReadBuffer(gpu->queue, buffer, CL_TRUE, 64, part_bytes, memory, 0, NULL, NULL), "clEnqueueReadBuffer");
	images_expect(!host_differs(m, k->part_origin, k->part, &tight, memory), "copy to a buffer", where, 0);
	images_expect(done(clEnqueueCopyBufferToImage(gpu->queue, buffer, second.cl, 64, k->part_origin, k->part, 0, NULL, &event), &event),
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
		images_expect(done(clEnqueueFillImage(gpu->queue, image->cl, color, k->part_origin, k->part, 0, NULL, &event), &event), "fill command",
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
	images_expect(!host_differs(m, k->part_origin, k->part, &h, at), "map", where, blocking);
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
	images_expect(clEnqueueUnmapMemObject(gpu->queue, image->cl, at, 0, NULL, NULL) == CL_INVALID_VALUE, "second unmap", where, 0);
}

static void infos(const struct image *image, const struct model *m, const char *where)
{
	const struct kind *k = m->kind;
	const cl_image_desc desc = image_desc_of(k);
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
	images_expect(value[0] == desc.image_width, "width", where, (long)value[0]);
	images_expect(k->extent[1] == 1 || desc.image_height == value[1], "height", where, (long)value[1]);
	images_expect(value[2] == desc.image_depth, "depth", where, (long)value[2]);
	images_expect(value[3] == desc.image_array_size, "array size", where, (long)value[3]);
	images_expect(value[4] == m->pixel, "element size", where, (long)value[4]);
	images_expect(value[5] >= model_bytes(m), "size", where, (long)value[5]);
	images_expect(type == k->type, "type", where, (long)type);
	images_expect(clGetImageInfo(image->cl, CL_MEM_SIZE, sizeof(size_t), &value[6], NULL) == CL_INVALID_VALUE, "unknown information", where, 0);
}

static void every_type(struct gpu *gpu)
{
	static struct model m;
	static uint8_t memory[PIXELS_MAX * 32];
	char where[64];

	for (size_t k = 0; k < sizeof(image_kinds) / sizeof(image_kinds[0]); k++)
		for (size_t f = 0; f < sizeof(formats) / sizeof(formats[0]); f++)
			for (int use = 0; use < 2; use++) {
				m.kind = &image_kinds[k];
				m.pixel = formats[f].bytes;
				model_random(&m, (unsigned)(k * 100 + f));
				snprintf(where, sizeof(where), "%s %s%s", image_kinds[k].name, formats[f].name, use ? " in host memory" : "");
				struct image image = image_make(gpu, &m, &formats[f], memory, use ? CL_MEM_USE_HOST_PTR : CL_MEM_COPY_HOST_PTR);
				image_holds(gpu, &image, &m, "creation", where);
				infos(&image, &m, where);
				transfers(gpu, &image, &m, where);
				if (image_kinds[k].type != CL_MEM_OBJECT_IMAGE1D_BUFFER || images_strict) {
					copies(gpu, &image, &m, &formats[f], where);
					fills(gpu, &image, &m, &formats[f], where);
				}
				maps(gpu, &image, &m, CL_TRUE, where);
				maps(gpu, &image, &m, CL_FALSE, where);
				image_end(&image);
			}
}

int images_main(int argc, char **argv)
{
	struct gpu gpu;
	cl_bool supported = CL_FALSE;

	images_strict = !option(argc, argv, "--lenient", 0);
	gpu_open(&gpu);
	gpu_check(clGetDeviceInfo(gpu.device, CL_DEVICE_IMAGE_SUPPORT, sizeof(supported), &supported, NULL), "CL_DEVICE_IMAGE_SUPPORT");
	if (!supported) {
		fprintf(stderr, "the device has no images\n");
		return 1;
	}
	images_device(&gpu);
	every_type(&gpu);
	images_kernels(&gpu);
	images_errors(&gpu);
	gpu_close(&gpu);
	return images_end();
}
