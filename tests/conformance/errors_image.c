/* SPDX-License-Identifier: MIT */
/* OpenCL 3.0 §5.3, §5.7: images and samplers; where there are none, what is answered then. */
#include "tests/conformance/conformance.h"

static char data[4 * 64 * 64];
static const cl_image_format rgba = {CL_RGBA, CL_UNSIGNED_INT8};
static const size_t origin[3], one[3] = {1, 1, 1}, block[3] = {8, 8, 1}, flat[3] = {8, 0, 1}, large[3] = {65, 1, 1}, at_end[3] = {60, 60, 0};

static cl_image_desc desc_2d(size_t width, size_t height)
{
	return (cl_image_desc){.image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = width, .image_height = height};
}

static cl_int image(cl_context context, cl_mem_flags flags, const cl_image_format *format, const cl_image_desc *desc, void *host)
{
	return MADE(clCreateImage(context, flags, format, desc, host, &err));
}

static void creation(void)
{
	const cl_image_desc good = desc_2d(64, 64), empty = desc_2d(0, 64), huge = desc_2d((size_t)1 << 31, 1);
	cl_image_desc desc;
	const cl_image_format bad_order = {0x7777, CL_UNSIGNED_INT8}, bad_type = {CL_RGBA, 0x7777}, no_pair = {CL_RGBA, CL_UNORM_SHORT_565};
	const cl_mem_properties unknown[] = {0x7777, 1, 0};

	CHECK_HANDLE(clCreateImage, cl_context, CL_INVALID_CONTEXT, image(bad, 0, &rgba, &good, NULL));
	CHECK(clCreateImage, "an unknown flag", image(s.context, 1u << 30, &rgba, &good, NULL), CL_INVALID_VALUE);
	CHECK(clCreateImage, "read-only and write-only", image(s.context, CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY, &rgba, &good, NULL), CL_INVALID_VALUE);
	CHECK(clCreateImage, "no format", image(s.context, 0, NULL, &good, NULL), CL_INVALID_IMAGE_FORMAT_DESCRIPTOR);
	CHECK(clCreateImage, "an unknown order", image(s.context, 0, &bad_order, &good, NULL), CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, CL_IMAGE_FORMAT_NOT_SUPPORTED);
	CHECK(clCreateImage, "an unknown type", image(s.context, 0, &bad_type, &good, NULL), CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, CL_IMAGE_FORMAT_NOT_SUPPORTED);
	CHECK(clCreateImage, "an order and a type that do not go together", image(s.context, 0, &no_pair, &good, NULL),
	      CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, CL_IMAGE_FORMAT_NOT_SUPPORTED);
	CHECK(clCreateImage, "no description", image(s.context, 0, &rgba, NULL, NULL), CL_INVALID_IMAGE_DESCRIPTOR);
	CHECK(clCreateImage, "no width", image(s.context, 0, &rgba, &empty, NULL), CL_INVALID_IMAGE_SIZE, CL_INVALID_IMAGE_DESCRIPTOR);
	CHECK(clCreateImage, "wider than can be", image(s.context, 0, &rgba, &huge, NULL), CL_INVALID_IMAGE_SIZE);
	desc = good;
	desc.image_type = CL_MEM_OBJECT_BUFFER;
	CHECK(clCreateImage, "no type of image", image(s.context, 0, &rgba, &desc, NULL), CL_INVALID_IMAGE_DESCRIPTOR);
	desc = good;
	desc.image_row_pitch = 256;
	CHECK(clCreateImage, "a pitch without a pointer", image(s.context, 0, &rgba, &desc, NULL), CL_INVALID_IMAGE_DESCRIPTOR);
	desc.image_row_pitch = 255;
	CHECK(clCreateImage, "rows too close", image(s.context, CL_MEM_COPY_HOST_PTR, &rgba, &desc, data), CL_INVALID_IMAGE_DESCRIPTOR);
	desc = good;
	desc.num_mip_levels = 2;
	CHECK(clCreateImage, "mip levels", image(s.context, 0, &rgba, &desc, NULL), CL_INVALID_IMAGE_DESCRIPTOR);
	desc = good;
	desc.num_samples = 2;
	CHECK(clCreateImage, "samples", image(s.context, 0, &rgba, &desc, NULL), CL_INVALID_IMAGE_DESCRIPTOR);
	CHECK(clCreateImage, "a pointer without a flag", image(s.context, 0, &rgba, &good, data), CL_INVALID_HOST_PTR);
	CHECK(clCreateImage, "a flag without a pointer", image(s.context, CL_MEM_COPY_HOST_PTR, &rgba, &good, NULL), CL_INVALID_HOST_PTR);
	CHECK_MADE(clCreateImageWithProperties, "an unknown property",
		   clCreateImageWithProperties(s.context, unknown, 0, &rgba, &good, NULL, &err), CL_INVALID_PROPERTY);
	CHECK_MADE(clCreateImage2D, "no width", clCreateImage2D(s.context, 0, &rgba, 0, 64, 0, NULL, &err), CL_INVALID_IMAGE_SIZE);
	CHECK_MADE(clCreateImage2D, "no format", clCreateImage2D(s.context, 0, NULL, 64, 64, 0, NULL, &err), CL_INVALID_IMAGE_FORMAT_DESCRIPTOR);
	CHECK_MADE(clCreateImage3D, "no depth", clCreateImage3D(s.context, 0, &rgba, 64, 64, 0, 0, 0, NULL, &err), CL_INVALID_IMAGE_SIZE,
		   CL_INVALID_IMAGE_DESCRIPTOR);
}

static void commands(cl_mem mem, cl_mem other, cl_mem bytes)
{
	size_t pitch = 0, slice = 0;
	const cl_uint color[4] = {1, 2, 3, 4};

#define IMAGE_READ(queue, of, at, region, row, to, n, list) clEnqueueReadImage(queue, of, CL_TRUE, at, region, row, 0, to, n, list, NULL)
#define IMAGE_WRITE(queue, of, at, region, row, to, n, list) clEnqueueWriteImage(queue, of, CL_TRUE, at, region, row, 0, to, n, list, NULL)
#define CHECK_IMAGE_TRANSFER(entry, OP) \
	do { \
		CHECK_HANDLE(entry, cl_command_queue, CL_INVALID_COMMAND_QUEUE, OP(bad, mem, origin, block, 0, data, 0, NULL)); \
		CHECK_HANDLE(entry, cl_mem, CL_INVALID_MEM_OBJECT, OP(s.queue, bad, origin, block, 0, data, 0, NULL)); \
		CHECK(entry, "of a buffer", OP(s.queue, s.buffer, origin, block, 0, data, 0, NULL), CL_INVALID_MEM_OBJECT); \
		CHECK(entry, "a queue of another context", OP(s.other_queue, mem, origin, block, 0, data, 0, NULL), CL_INVALID_CONTEXT); \
		CHECK(entry, "a region of nothing", OP(s.queue, mem, origin, flat, 0, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "wider than the image", OP(s.queue, mem, origin, large, 0, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "past the end", OP(s.queue, mem, at_end, block, 0, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "no pointer", OP(s.queue, mem, origin, block, 0, NULL, 0, NULL), CL_INVALID_VALUE); \
		CHECK(entry, "rows too close", OP(s.queue, mem, origin, block, 8, data, 0, NULL), CL_INVALID_VALUE); \
		CHECK_WAITS(entry, OP(s.queue, mem, origin, block, 0, data, count, list)); \
		CHECK(entry, "blocking, for an event that failed", OP(s.queue, mem, origin, block, 0, data, 1, &s.failed), \
		      CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST); \
	} while (0)
	CHECK_IMAGE_TRANSFER(clEnqueueReadImage, IMAGE_READ);
	CHECK_IMAGE_TRANSFER(clEnqueueWriteImage, IMAGE_WRITE);
#define IMAGE_COPY(queue, from, to, at, there, region, n, list) clEnqueueCopyImage(queue, from, to, at, there, region, n, list, NULL)
	CHECK_HANDLE(clEnqueueCopyImage, cl_command_queue, CL_INVALID_COMMAND_QUEUE, IMAGE_COPY(bad, mem, other, origin, origin, block, 0, NULL));
	CHECK_HANDLE(clEnqueueCopyImage, cl_mem, CL_INVALID_MEM_OBJECT, IMAGE_COPY(s.queue, bad, other, origin, origin, block, 0, NULL));
	CHECK(clEnqueueCopyImage, "formats that differ", IMAGE_COPY(s.queue, mem, bytes, origin, origin, block, 0, NULL), CL_IMAGE_FORMAT_MISMATCH);
	CHECK(clEnqueueCopyImage, "past the end", IMAGE_COPY(s.queue, mem, other, at_end, origin, block, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueCopyImage, "to past the end", IMAGE_COPY(s.queue, mem, other, origin, at_end, block, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueCopyImage, "onto itself", IMAGE_COPY(s.queue, mem, mem, origin, one, block, 0, NULL), CL_MEM_COPY_OVERLAP, CL_INVALID_VALUE);
	CHECK_WAITS(clEnqueueCopyImage, IMAGE_COPY(s.queue, mem, other, origin, origin, block, count, list));
	CHECK_HANDLE(clEnqueueFillImage, cl_mem, CL_INVALID_MEM_OBJECT, clEnqueueFillImage(s.queue, bad, color, origin, block, 0, NULL, NULL));
	CHECK(clEnqueueFillImage, "no color", clEnqueueFillImage(s.queue, mem, NULL, origin, block, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueFillImage, "past the end", clEnqueueFillImage(s.queue, mem, color, at_end, block, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_WAITS(clEnqueueFillImage, clEnqueueFillImage(s.queue, mem, color, origin, block, count, list, NULL));
	CHECK(clEnqueueCopyImageToBuffer, "of a buffer", clEnqueueCopyImageToBuffer(s.queue, s.buffer, s.target, origin, block, 0, 0, NULL, NULL),
	      CL_INVALID_MEM_OBJECT);
	CHECK(clEnqueueCopyImageToBuffer, "past the buffer's end",
	      clEnqueueCopyImageToBuffer(s.queue, mem, s.target, origin, block, BUFFER_BYTES - 16, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueCopyImageToBuffer, "past the image's end", clEnqueueCopyImageToBuffer(s.queue, mem, s.target, at_end, block, 0, 0, NULL, NULL),
	      CL_INVALID_VALUE);
	CHECK_WAITS(clEnqueueCopyImageToBuffer, clEnqueueCopyImageToBuffer(s.queue, mem, s.target, origin, block, 0, count, list, NULL));
	CHECK(clEnqueueCopyBufferToImage, "to a buffer", clEnqueueCopyBufferToImage(s.queue, s.buffer, s.target, 0, origin, block, 0, NULL, NULL),
	      CL_INVALID_MEM_OBJECT);
	CHECK(clEnqueueCopyBufferToImage, "past the buffer's end",
	      clEnqueueCopyBufferToImage(s.queue, s.buffer, mem, BUFFER_BYTES - 16, origin, block, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_WAITS(clEnqueueCopyBufferToImage, clEnqueueCopyBufferToImage(s.queue, s.buffer, mem, 0, origin, block, count, list, NULL));
#define IMAGE_MAP(of, flags, at, region, row, n, list) \
	MADE(clEnqueueMapImage(s.queue, of, CL_TRUE, flags, at, region, row, &slice, n, list, NULL, &err))
	CHECK(clEnqueueMapImage, "of a buffer", IMAGE_MAP(s.buffer, CL_MAP_READ, origin, block, &pitch, 0, NULL), CL_INVALID_MEM_OBJECT);
	CHECK(clEnqueueMapImage, "past the end", IMAGE_MAP(mem, CL_MAP_READ, at_end, block, &pitch, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueMapImage, "an unknown flag", IMAGE_MAP(mem, 1 << 20, origin, block, &pitch, 0, NULL), CL_INVALID_VALUE);
	CHECK(clEnqueueMapImage, "no room for the pitch", IMAGE_MAP(mem, CL_MAP_READ, origin, block, NULL, 0, NULL), CL_INVALID_VALUE);
	CHECK_WAITS(clEnqueueMapImage, IMAGE_MAP(mem, CL_MAP_READ, origin, block, &pitch, count, list));
	CHECK_QUERY(clGetImageInfo, CL_IMAGE_WIDTH, clGetImageInfo(mem, param, size, value, NULL));
}

static void samplers(void)
{
	const cl_sampler_properties unknown[] = {0x7777, 1, 0}, bad_filter[] = {CL_SAMPLER_FILTER_MODE, 0x7777, 0};
	const cl_sampler_properties twice[] = {CL_SAMPLER_FILTER_MODE, CL_FILTER_NEAREST, CL_SAMPLER_FILTER_MODE, CL_FILTER_NEAREST, 0};
	cl_sampler sampler;

	CHECK_HANDLE(clCreateSampler, cl_context, CL_INVALID_CONTEXT, MADE(clCreateSampler(bad, CL_FALSE, CL_ADDRESS_NONE, CL_FILTER_NEAREST, &err)));
	CHECK_MADE(clCreateSampler, "an unknown addressing mode", clCreateSampler(s.context, CL_FALSE, 0x7777, CL_FILTER_NEAREST, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateSampler, "an unknown filter", clCreateSampler(s.context, CL_FALSE, CL_ADDRESS_NONE, 0x7777, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateSamplerWithProperties, "an unknown property", clCreateSamplerWithProperties(s.context, unknown, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateSamplerWithProperties, "an unknown filter", clCreateSamplerWithProperties(s.context, bad_filter, &err), CL_INVALID_VALUE);
	CHECK_MADE(clCreateSamplerWithProperties, "a property twice", clCreateSamplerWithProperties(s.context, twice, &err), CL_INVALID_VALUE);
	sampler = clCreateSampler(s.context, CL_FALSE, CL_ADDRESS_NONE, CL_FILTER_NEAREST, &err);
	need(err, "clCreateSampler");
	CHECK_QUERY(clGetSamplerInfo, CL_SAMPLER_CONTEXT, clGetSamplerInfo(sampler, param, size, value, NULL));
	clReleaseSampler(sampler);
}

static void with_images(void)
{
	const cl_image_format r8 = {CL_R, CL_UNSIGNED_INT8};
	const cl_image_desc desc = desc_2d(64, 64);
	cl_mem mem = clCreateImage(s.context, 0, &rgba, &desc, NULL, &err);
	need(err, "clCreateImage");
	cl_mem other = clCreateImage(s.context, 0, &rgba, &desc, NULL, &err);
	need(err, "clCreateImage");
	cl_mem bytes = clCreateImage(s.context, 0, &r8, &desc, NULL, &err);
	need(err, "clCreateImage");

	creation();
	commands(mem, other, bytes);
	samplers();
	clReleaseMemObject(mem);
	clReleaseMemObject(other);
	clReleaseMemObject(bytes);
}

static void without_images(void)
{
	const cl_image_desc desc = desc_2d(64, 64);

	CHECK(clCreateImage, "where there are none", image(s.context, 0, &rgba, &desc, NULL), CL_INVALID_OPERATION);
	CHECK_MADE(clCreateImage2D, "where there are none", clCreateImage2D(s.context, 0, &rgba, 64, 64, 0, NULL, &err), CL_INVALID_OPERATION);
	CHECK_MADE(clCreateImage3D, "where there are none", clCreateImage3D(s.context, 0, &rgba, 64, 64, 4, 0, 0, NULL, &err), CL_INVALID_OPERATION);
	CHECK_MADE(clCreateSampler, "where there are none", clCreateSampler(s.context, CL_FALSE, CL_ADDRESS_NONE, CL_FILTER_NEAREST, &err),
		   CL_INVALID_OPERATION);
	CHECK_MADE(clCreateSamplerWithProperties, "where there are none", clCreateSamplerWithProperties(s.context, NULL, &err), CL_INVALID_OPERATION);
	CHECK(clEnqueueReadImage, "of a buffer", IMAGE_READ(s.queue, s.buffer, origin, block, 0, data, 0, NULL), CL_INVALID_MEM_OBJECT,
	      CL_INVALID_OPERATION);
}

void errors_image(void)
{
	cl_image_format format;
	cl_uint count;

	CHECK_HANDLE(clGetSupportedImageFormats, cl_context, CL_INVALID_CONTEXT,
		     clGetSupportedImageFormats(bad, 0, CL_MEM_OBJECT_IMAGE2D, 1, &format, &count));
	CHECK(clGetSupportedImageFormats, "no type of image", clGetSupportedImageFormats(s.context, 0, CL_MEM_OBJECT_BUFFER, 1, &format, &count),
	      CL_INVALID_VALUE);
	CHECK(clGetSupportedImageFormats, "an unknown flag", clGetSupportedImageFormats(s.context, 1u << 30, CL_MEM_OBJECT_IMAGE2D, 1, &format, &count),
	      CL_INVALID_VALUE);
	CHECK(clGetSupportedImageFormats, "no entries but room", clGetSupportedImageFormats(s.context, 0, CL_MEM_OBJECT_IMAGE2D, 0, &format, &count),
	      CL_INVALID_VALUE);
	CHECK_HANDLE(clGetImageInfo, cl_mem, CL_INVALID_MEM_OBJECT, clGetImageInfo(bad, CL_IMAGE_WIDTH, 0, NULL, NULL));
	CHECK(clGetImageInfo, "of a buffer", clGetImageInfo(s.buffer, CL_IMAGE_WIDTH, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_HANDLE(clRetainSampler, cl_sampler, CL_INVALID_SAMPLER, clRetainSampler(bad));
	CHECK_HANDLE(clReleaseSampler, cl_sampler, CL_INVALID_SAMPLER, clReleaseSampler(bad));
	CHECK_HANDLE(clGetSamplerInfo, cl_sampler, CL_INVALID_SAMPLER, clGetSamplerInfo(bad, CL_SAMPLER_CONTEXT, 0, NULL, NULL));
	if (s.has_images)
		with_images();
	else
		without_images();
}
