/* SPDX-License-Identifier: MIT */
/* Errors of images, and what the device says of itself. */
#include "images.h"

#include <stdio.h>

static const size_t zero[3];

/* ---- errors, as OpenCL 3.0 words them ------------------------------------------------------------------------- */

#define REFUSED(call, right, what) do { \
		cl_int error_ = (call); \
		images_expect(error_ == (right), what, "error", error_); \
	} while (0)
#define STRICTLY_REFUSED(call, right, what) do { \
		if (images_strict) \
			REFUSED(call, right, what); \
	} while (0)
#define CREATE(flags, format, desc, pointer) (clCreateImage(gpu->context, flags, format, desc, pointer, &error), error)

void images_errors(struct gpu *gpu)
{
	const cl_image_format format = {CL_RGBA, CL_UNSIGNED_INT8}, other = {CL_RGBA, CL_FLOAT};
	const size_t far[3] = {33, 0, 0}, tall[3] = {1, 18, 1}, empty[3] = {0, 1, 1}, one[3] = {1, 1, 1}, deep[3] = {1, 1, 2};
	static uint8_t memory[65536];
	cl_image_desc desc = image_desc_of(&image_kinds[3]);
	cl_mem image = image_plain(gpu, &image_kinds[3], format, 0), floats = image_plain(gpu, &image_kinds[3], other, 0), buffer = gpu_buffer(gpu, 64);
	cl_kernel kernel = gpu_kernel(gpu, images_source, "transpose");
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
	images_expect(error == CL_INVALID_VALUE, "no row pitch", "error", error);
	clEnqueueMapImage(gpu->queue, image, CL_TRUE, CL_MAP_READ, far, one, &pitch, NULL, 0, NULL, NULL, &error);
	images_expect(error == CL_INVALID_VALUE, "map outside", "error", error);
	STRICTLY_REFUSED(clGetImageInfo(buffer, CL_IMAGE_WIDTH, 8, &pitch, NULL), CL_INVALID_MEM_OBJECT, "image information of a buffer");
	REFUSED(clSetKernelArg(kernel, 0, 4, &image), CL_INVALID_ARG_SIZE, "argument size");
	REFUSED(clGetSupportedImageFormats(gpu->context, 0, 0x1234, 0, NULL, NULL), CL_INVALID_VALUE, "formats of no type");
	(void)clCreateSamplerWithProperties(gpu->context, (const cl_sampler_properties[]){CL_SAMPLER_ADDRESSING_MODE, 1, 0}, &error);
	images_expect(!images_strict || error == CL_INVALID_VALUE, "sampler mode", "error", error);
	clReleaseKernel(kernel);
	clReleaseMemObject(image);
	clReleaseMemObject(floats);
	clReleaseMemObject(buffer);
}

/* ---- what the device chooses ------------------------------------------------------------------------------------- */

void images_device(struct gpu *gpu)
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
		images_expect(bytes == infos[i].bytes, "bytes", infos[i].name, (long)bytes);
		printf("%s=%llu\n", infos[i].name, (unsigned long long)value);
	}
	for (size_t k = 0; k < sizeof(image_kinds) / sizeof(image_kinds[0]); k++)
		for (size_t f = 0; f < sizeof(flags) / sizeof(flags[0]); f++) {
			cl_uint count = 0;
			uint64_t sum = 0;
			gpu_check(clGetSupportedImageFormats(gpu->context, flags[f], image_kinds[k].type, 1024, list, &count), "formats");
			for (cl_uint i = 0; i < count && i < 1024; i++)
				sum = sum * 31 + list[i].image_channel_order * 7 + list[i].image_channel_data_type;
			printf("formats_%s_%zu=%u sum=%llx\n", image_kinds[k].name, f, count, (unsigned long long)sum);
			images_expect(count > 0, "formats", image_kinds[k].name, (long)count);
		}
}
