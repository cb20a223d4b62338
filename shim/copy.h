/* SPDX-License-Identifier: MIT */
/*
 * Copies of much memory.
 *
 * memcpy is up to four times as slow where the destination lies a little behind the source modulo 4096: each store looks to the
 * processor as if a load that follows depended on it. That is the usual case of a read: an application's large
 * malloc lies 16 bytes into a page, a buffer at its start. copy_bytes stores past the caches there and does not care.
 */
#ifndef VGPU_SHIM_COPY_H
#define VGPU_SHIM_COPY_H

#include <stddef.h>

/* Below this memcpy's way through the caches is better, as the reader comes soon. */
#define COPY_STREAM_BYTES ((size_t)4 << 20)

/* As memcpy: the ranges do not overlap. Any thread. */
void copy_bytes(void *restrict destination, const void *restrict source, size_t bytes);

#endif
