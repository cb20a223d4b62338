/* SPDX-License-Identifier: MIT */
/* What kernels see of images, and do to them. */
#include "images.h"

static const size_t zero[3];

const char images_source[] =
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
	return gpu_kernel(gpu, images_source, name);
}

static void run(struct gpu *gpu, cl_kernel kernel, cl_uint dimensions, const size_t *global)
{
	gpu_check(clEnqueueNDRangeKernel(gpu->queue, kernel, dimensions, NULL, global, NULL, 0, NULL, NULL), "clEnqueueNDRangeKernel");
}

static void kernel_transposes(struct gpu *gpu)
{
	const size_t square[3] = {32, 32, 1};
	const struct kind kind = {"2d", CL_MEM_OBJECT_IMAGE2D, {32, 32, 1}, {0}, {0}};
	const cl_image_format format = {CL_RGBA, CL_UNSIGNED_INT32};
	cl_kernel kernel = kernel_of(gpu, "transpose");
	cl_mem in = image_plain(gpu, &kind, format, CL_MEM_READ_ONLY), out = image_plain(gpu, &kind, format, CL_MEM_WRITE_ONLY);
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
	images_expect(!wrong, "transposed", "kernel", (long)wrong);
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
	cl_mem image = image_plain(gpu, &kind, (cl_image_format){CL_RGBA, CL_FLOAT}, CL_MEM_READ_ONLY), out = gpu_buffer(gpu, 9 * sizeof(cl_float4));
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
		images_expect(mode == modes[i].mode, "mode", "sampler", (long)mode);
		gpu_check(clSetKernelArg(kernel, 1, sizeof(sampler), &sampler), "clSetKernelArg");
		run(gpu, kernel, 1, &count);
		gpu_check(clEnqueueReadBuffer(gpu->queue, out, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL), "clEnqueueReadBuffer");
		for (size_t x = 0; x < count; x++)
			images_expect(got[x][0] == modes[i].at[x], "sampled pixel", i ? "clamp" : "clamp to edge", (long)x);
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
	cl_mem a = image_plain(gpu, &image_kinds[5], format, 0), b = image_plain(gpu, &image_kinds[4], format, 0), c = image_plain(gpu, &image_kinds[2], format, 0);
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
		images_expect(got[i] == right[i], "size that a kernel sees", "image", i * 1000 + got[i]);
	gpu_check(clSetKernelArg(volume, 0, sizeof(a), &a), "clSetKernelArg");
	run(gpu, volume, 3, image_kinds[5].extent);
	gpu_check(clEnqueueReadImage(gpu->queue, a, CL_TRUE, zero, image_kinds[5].extent, 0, 0, pixels, 0, NULL, NULL), "clEnqueueReadImage");
	for (unsigned z = 0; z < 6; z++)
		for (unsigned y = 0; y < 11; y++)
			for (unsigned x = 0; x < 19; x++)
				wrong += pixels[z][y][x][0] != x || pixels[z][y][x][1] != y || pixels[z][y][x][2] != z || pixels[z][y][x][3] != 7;
	images_expect(!wrong, "pixels written", "3d", (long)wrong);
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
	images_expect(parent == buffer, "associated object", "1d-buffer", 0);
	gpu_check(clReleaseMemObject(buffer), "clReleaseMemObject");
	gpu_check(clSetKernelArg(kernel, 0, sizeof(image), &image), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 1, sizeof(out), &out), "clSetKernelArg");
	gpu_check(clSetKernelArg(kernel, 2, sizeof(shift), &shift), "clSetKernelArg");
	run(gpu, kernel, 1, &count);
	gpu_check(clEnqueueReadBuffer(gpu->queue, out, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL), "clEnqueueReadBuffer");
	for (cl_uint c = 0; c < 4; c++)
		images_expect(got[63][c] == c + 6, "pixel", "1d-buffer", got[63][c]);
	clReleaseMemObject(image);
	clReleaseMemObject(out);
	clReleaseKernel(kernel);
}

void images_kernels(struct gpu *gpu)
{
	kernel_transposes(gpu);
	kernel_samples(gpu);
	kernel_sees_sizes(gpu);
	kernel_reads_a_buffers_image(gpu);
}
