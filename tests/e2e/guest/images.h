/* SPDX-License-Identifier: MIT */
/*
 * What the parts of `vgpu-guest-test images` share: images.c (commands), images_kernels.c, images_errors.c.
 */
#ifndef VGPU_TESTS_E2E_GUEST_IMAGES_H
#define VGPU_TESTS_E2E_GUEST_IMAGES_H

#include "guest.h"

/* Counts a case; says what is wrong. */
void images_expect(int right, const char *what, const char *where, long value);
/* Prints the verdict: the program's exit status. */
int images_end(void);
/* 0: leaves out what PoCL 3.1 does wrong: copies and fills of images in buffers (it crashes), the command type of reads from them,
 * one-dimensional arrays with gaps between their elements, and some errors. */
extern int images_strict;

struct kind {
	const char *name;
	cl_mem_object_type type;
	size_t extent[3];		/* as origins and regions count */
	size_t part_origin[3], part[3];	/* a region inside */
};
enum { KIND_1D, KIND_1D_BUFFER, KIND_1D_ARRAY, KIND_2D, KIND_2D_ARRAY, KIND_3D, KIND_COUNT };
extern const struct kind image_kinds[KIND_COUNT];
cl_image_desc image_desc_of(const struct kind *kind);
/* Without pixels. */
cl_mem image_plain(struct gpu *gpu, const struct kind *kind, cl_image_format format, cl_mem_flags flags);

extern const char images_source[];
void images_kernels(struct gpu *gpu);
void images_errors(struct gpu *gpu);
/* What the device chooses is printed, so that two runs can be compared. */
void images_device(struct gpu *gpu);
#endif
