/* SPDX-License-Identifier: MIT */
/*
 * Images until the device is full: the last one is refused with an error of memory, their bytes are no more than the device has, and
 * where one goes another fits. Twice, so that nothing is lost on the way.
 */
#include "images.h"

#include <stdio.h>

#define SIDE 1024u
#define IMAGE_BYTES ((uint64_t)SIDE * SIDE * 16)
#define IMAGES_MAX 4096u

static cl_mem make(struct gpu *gpu, cl_int *ret_error)
{
	const cl_image_format format = {CL_RGBA, CL_FLOAT};
	const cl_image_desc desc = {.image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = SIDE, .image_height = SIDE};

	return clCreateImage(gpu->context, CL_MEM_READ_WRITE, &format, &desc, NULL, ret_error);
}

int images_full_main(int argc, char **argv)
{
	static cl_mem images[IMAGES_MAX];
	struct gpu gpu;
	cl_ulong vram_bytes = 0;
	unsigned counts[2];

	(void)argc;
	(void)argv;
	gpu_open(&gpu);
	gpu_check(clGetDeviceInfo(gpu.device, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(vram_bytes), &vram_bytes, NULL), "CL_DEVICE_GLOBAL_MEM_SIZE");
	for (int round = 0; round < 2; round++) {
		cl_int error = CL_SUCCESS;
		unsigned count = 0;

		while (count < IMAGES_MAX && (images[count] = make(&gpu, &error)))
			count++;
		images_expect(error == CL_MEM_OBJECT_ALLOCATION_FAILURE, "error", "a full device", error);
		images_expect(count && count * IMAGE_BYTES <= vram_bytes, "count", "a full device", count);
		gpu_check(clReleaseMemObject(images[--count]), "clReleaseMemObject");
		images[count] = make(&gpu, &error);
		gpu_check(error, "an image where one has gone");
		counts[round] = ++count;
		while (count)
			gpu_check(clReleaseMemObject(images[--count]), "clReleaseMemObject");
	}
	images_expect(counts[0] == counts[1], "second count", "a full device", counts[1]);
	gpu_close(&gpu);
	printf("images=%u of %u bytes\n", counts[0], (unsigned)IMAGE_BYTES);
	return images_end();
}
