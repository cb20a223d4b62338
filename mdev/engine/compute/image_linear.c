/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/image_linear.h"

/* Onto itself, twice as much each time; the queue is in order. at, bytes: of the first pixel. The last copy has the event. */
static int double_up(const struct image_target *target, cl_mem memory, size_t at, size_t bytes, uint64_t pixels)
{
	int error = 0;

	for (uint64_t done = 1; !error && done < pixels;) {
		const uint64_t more = done < pixels - done ? done : pixels - done;

		error = clEnqueueCopyBuffer(target->queue, memory, memory, at, at + done * bytes, more * bytes, 0, NULL,
					    done + more == pixels ? target->ret_event : NULL);
		done += more;
	}
	return error;
}

int image_linear_fill(cl_context context, const struct image_target *target, const struct buffer *image, const void *color, uint64_t origin,
		      uint64_t pixels)
{
	static const size_t zero[3], one[3] = {1, 1, 1};
	const cl_image_desc desc = {.image_type = CL_MEM_OBJECT_IMAGE1D, .image_width = 1};
	const size_t bytes = image->image->shape.pixel_bytes, at = origin * bytes;
	cl_int error;

	cl_mem pixel = clCreateImage(context, CL_MEM_READ_WRITE, &image->image->format, &desc, NULL, &error);
	if (!pixel)
		return error;
	error = clEnqueueFillImage(target->queue, pixel, color, zero, one, target->wait_count, target->waits, NULL);
	if (!error)
		error = clEnqueueCopyImageToBuffer(target->queue, pixel, image->image->linear, zero, one, at, 0, NULL,
						   pixels == 1 ? target->ret_event : NULL);
	if (!error)
		error = double_up(target, image->image->linear, at, bytes, pixels);
	clReleaseMemObject(pixel);	/* its commands keep it */
	return error;
}

int image_linear_copy(const struct image_target *t, const struct buffer *source, const size_t from[3], const struct buffer *destination,
		      const size_t to[3], const size_t region[3])
{
	const cl_mem in = source->image->linear, out = destination->image->linear;
	const size_t bytes = source->image->shape.pixel_bytes;

	if (in && out)
		return clEnqueueCopyBuffer(t->queue, in, out, from[0] * bytes, to[0] * bytes, region[0] * bytes, t->wait_count, t->waits,
					   t->ret_event);
	if (in)
		return clEnqueueCopyBufferToImage(t->queue, in, destination->cl, from[0] * bytes, to, region, t->wait_count, t->waits,
						  t->ret_event);
	return clEnqueueCopyImageToBuffer(t->queue, source->cl, out, from, region, to[0] * bytes, t->wait_count, t->waits, t->ret_event);
}
