/* SPDX-License-Identifier: MIT */
/*
 * What the fake engine does with images: bytes of pixels, no formats. It keeps images of its own memory with gaps, so that a shim that
 * believes to know their layout is wrong.
 */
#ifndef VGPU_TESTS_SHIM_FAKE_IMAGES_H
#define VGPU_TESTS_SHIM_FAKE_IMAGES_H

#include <stddef.h>

#include "shim/wire/image.h"

struct fake_image {
	struct wire_image_shape shape;
	uint64_t row_pitch, slice_pitch;
	uint64_t bytes;			/* 0: no image */
};

/* What a record asks for. False: it breaks the protocol. */
bool fake_image_make(const struct wire_image_create *record, struct fake_image *ret_image);
/* True if the region lies in the image. */
bool fake_image_has(const struct fake_image *image, const uint64_t origin[3], const uint64_t region[3]);
/* Pixels of a region to memory at these pitches, or the other way. */
void fake_image_move(const struct fake_image *image, uint8_t *pixels, const uint64_t origin[3], const uint64_t region[3], uint8_t *memory,
		     uint64_t row_pitch, uint64_t slice_pitch, bool to_image);
void fake_image_fill(const struct fake_image *image, uint8_t *pixels, const uint64_t origin[3], const uint64_t region[3],
		     const uint8_t *pixel);
/* Of the region without gaps. */
uint64_t fake_image_tight_bytes(const struct fake_image *image, const uint64_t region[3], uint64_t *ret_row_pitch, uint64_t *ret_slice_pitch);
#endif
