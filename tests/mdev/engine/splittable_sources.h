/* SPDX-License-Identifier: MIT */
/* OpenCL C texts and whether their kernel `f` is splittable, for the unit test and the fuzz target. */
#ifndef VGPU_TESTS_MDEV_ENGINE_SPLITTABLE_SOURCES_H
#define VGPU_TESTS_MDEV_ENGINE_SPLITTABLE_SOURCES_H

#include <stdbool.h>

struct splittable_source {
	bool is_splittable;
	const char *why;
	const char *source;
	const char *options;	/* NULL = none */
};

extern const struct splittable_source splittable_sources[];
extern const unsigned splittable_source_count;
#endif
