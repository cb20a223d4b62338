/* SPDX-License-Identifier: MIT */
/*
 * Makes a program of whatever kind: built, compiled or linked, from OpenCL C or intermediate language.
 *
 * build_make is the one way from "sources, options, kind" to a program and the reply that describes it; build.c builds from C
 * and writes replies. The compiler is vendor code fed by the guest; what it breaks is this engine. Needs no lease.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_COMPILE_H
#define VGPU_MDEV_ENGINE_COMPUTE_COMPILE_H

#include <stdbool.h>
#include <stddef.h>

#include "mdev/engine/compute/device.h"
#include "mdev/engine/compute/objects.h"
#include "mdev/engine/compute/parse.h"

enum build_form { BUILD_EXECUTABLE, BUILD_OBJECT, BUILD_LINK };

/* Everything is borrowed, nothing ends with a NUL. Source and options of an executable from C may be the guest's memory, each
 * byte is read once; all else is private. */
struct build_request {
	enum build_form form;
	bool il;			/* source is intermediate language */
	const void *source;
	size_t source_bytes;
	const void *options;
	size_t options_bytes;
	const struct parsed_header *headers;	/* of an object */
	uint32_t header_count;
	const struct wire_constant *constants;	/* of IL */
	uint32_t constant_count;
	struct program *const *inputs;	/* of a link */
	uint32_t input_count;
	struct output *output;		/* is told that it may print; NULL: nobody */
};

/* A program that could not be built is a program too: its reply carries the log. 0, or an OpenCL error if there is none. */
int build_make(const struct device *device, const struct build_request *request, struct program **ret_program);
#endif
