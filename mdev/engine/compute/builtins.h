/* SPDX-License-Identifier: MIT */
/*
 * What OpenCL C's own names mean to a kernel that is split by global offset (splittable.h).
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_BUILTINS_H
#define VGPU_MDEV_ENGINE_COMPUTE_BUILTINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum builtin {
	BUILTIN_UNKNOWN = 0,
	BUILTIN_CALL = 1 << 0,		/* a function, or a keyword that parentheses follow: splitting is invisible to it */
	BUILTIN_WORD = 1 << 1,		/* a keyword or a type: names nothing of the program's */
	BUILTIN_LOOP = 1 << 2,
	BUILTIN_SHARED = 1 << 3,	/* how work-groups see each other's writes while they run */
	BUILTIN_NEVER = 1 << 4,		/* sees that a launch was split, or may */
	BUILTIN_ATTRIBUTE = 1 << 5,	/* may stand in __attribute__ */
};

/* Of a name that need not end in NUL: a set of enum builtin. Names nobody knows but that look like a driver's own (get_x,
 * __x) are BUILTIN_NEVER. */
unsigned builtin_of(const char *name, size_t length);
#endif
