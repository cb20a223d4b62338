/* SPDX-License-Identifier: MIT */
#include "tests/shim/fake_images.h"

#include <string.h>

#define GAP_PIXELS 5u

bool fake_image_make(const struct wire_image_create *record, struct fake_image *ret_image)
{
	const bool given = record->backing.bytes || (record->buffer && record->type == CL_MEM_OBJECT_IMAGE2D);
	struct fake_image image = { .row_pitch = record->row_pitch, .slice_pitch = record->slice_pitch };
	struct wire_image_rows rows;

	if (!wire_image_shape(record->type, wire_image_pixel_bytes(record->channel_order, record->channel_type), record->width, record->height,
			      record->depth, record->array_size, &image.shape) ||
	    !image.shape.pixel_bytes || !wire_image_rows(&image.shape, image.shape.extent, &rows))
		return false;
	if (given != (record->row_pitch != 0))
		return false;
	if (!given && !record->buffer)
		image.row_pitch = rows.row_bytes + GAP_PIXELS * image.shape.pixel_bytes;
	if (!wire_image_pitches(&image.shape, &rows, &image.row_pitch, &image.slice_pitch) ||
	    !wire_image_bytes(&image.shape, &rows, image.row_pitch, image.slice_pitch, &image.bytes))
		return false;
	*ret_image = image;
	return !record->backing.bytes || record->backing.bytes == image.bytes;
}

bool fake_image_has(const struct fake_image *image, const uint64_t origin[3], const uint64_t region[3])
{
	return image->bytes && wire_image_inside(&image->shape, origin, region);
}

void fake_image_move(const struct fake_image *image, uint8_t *pixels, const uint64_t origin[3], const uint64_t region[3], uint8_t *memory,
		     uint64_t row_pitch, uint64_t slice_pitch, bool to_image)
{
	for (uint64_t z = 0; z < region[2]; z++)
		for (uint64_t y = 0; y < region[1]; y++) {
			const uint64_t at[3] = { origin[0], origin[1] + y, origin[2] + z }, here[3] = { 0, y, z };
			uint8_t *in = pixels + wire_image_at(&image->shape, at, image->row_pitch, image->slice_pitch);
			uint8_t *out = memory + wire_image_at(&image->shape, here, row_pitch, slice_pitch);

			memcpy(to_image ? in : out, to_image ? out : in, region[0] * image->shape.pixel_bytes);
		}
}

void fake_image_fill(const struct fake_image *image, uint8_t *pixels, const uint64_t origin[3], const uint64_t region[3],
		     const uint8_t *pixel)
{
	static const uint64_t one[3] = { 1, 1, 1 };

	for (uint64_t z = 0; z < region[2]; z++)
		for (uint64_t y = 0; y < region[1]; y++)
			for (uint64_t x = 0; x < region[0]; x++) {
				const uint64_t at[3] = { origin[0] + x, origin[1] + y, origin[2] + z };

				fake_image_move(image, pixels, at, one, (uint8_t *)(uintptr_t)pixel, 0, 0, true);
			}
}

uint64_t fake_image_tight_bytes(const struct fake_image *image, const uint64_t region[3], uint64_t *ret_row_pitch, uint64_t *ret_slice_pitch)
{
	struct wire_image_rows rows = { 0 };

	(void)wire_image_rows(&image->shape, region, &rows);
	*ret_row_pitch = rows.row_bytes;
	*ret_slice_pitch = rows.row_bytes * rows.rows;
	return rows.row_bytes * rows.rows * rows.slices;
}
