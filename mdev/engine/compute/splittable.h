/* SPDX-License-Identifier: MIT */
/*
 * Whether a kernel can be run as several launches that differ in their global offset without anybody noticing.
 *
 * Theory of operation. Each piece is a launch of its own: get_global_id counts from its offset, so it is what it would be in the
 * whole; the number of groups, the group's id, the global size, the offset and the linear id are not, and a
 * group of one piece cannot wait for a group of a later one. What decides is which names a kernel can reach: through functions,
 * macros (all definitions of a name, in all branches of conditionals, nothing is expanded), typedefs and structs. It is
 * splittable if every one of them is known to be blind to the split, and every name that is called is a function of the text or
 * one of OpenCL C's (builtins.h). Not, besides: a loop together with atomics, volatile or fences (it may wait for another group);
 * variables of the program, printf, static and extern in functions; and whatever could build a name or define it elsewhere: ##,
 * #include, asm, a pragma that we do not know, C++, unbalanced brackets in a macro. When unsure the answer is no: that kernel
 * runs whole, which is never wrong.
 *
 * Pure. The text is a guest's and may lie: then its own kernels' results are wrong, and nobody else's.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_SPLITTABLE_H
#define VGPU_MDEV_ENGINE_COMPUTE_SPLITTABLE_H

#include <stdbool.h>
#include <stddef.h>

struct splittable;

/* The text and the options it is built with (NULL = none), borrowed for the call. NULL: no kernel of it is splittable. */
struct splittable *splittable_read(const char *source, size_t source_bytes, const char *options);
void splittable_destroy(struct splittable *splittable);

/* Accepts NULL. False also for a kernel that is not seen to be defined. */
bool splittable_kernel(struct splittable *splittable, const char *name);
#endif
