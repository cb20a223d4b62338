/* SPDX-License-Identifier: MIT */
/*
 * The memory this driver shows to its device: one memfd, sealed against resizing, handed out once from the front.
 *
 * Addresses on the bus are ours to choose; the arena lies at ARENA_BUS_ADDRESS. Nothing is given back before the end: rings
 * and request buffers live as long as the connection. Set up by one thread.
 */
#ifndef VGPU_SHIM_TRANSPORT_DIRECT_ARENA_H
#define VGPU_SHIM_TRANSPORT_DIRECT_ARENA_H

#include <stddef.h>
#include <stdint.h>

#define ARENA_BUS_ADDRESS 0x10000000ull

struct arena {
	int fd;
	uint8_t *base;
	size_t bytes;
	size_t used;
};

/* A piece of it, as both sides see it. */
struct arena_piece {
	void *memory;
	uint64_t bus;
};

/* bytes: a multiple of the page size. Not inherited by children of a fork. 0 or -errno. */
int arena_init(struct arena *arena, size_t bytes);
void arena_finish(struct arena *arena);

/* Zeroed memory, aligned to align (a power of two <= 4096). 0, or -ENOMEM when the arena is used up. */
int arena_take(struct arena *arena, size_t bytes, size_t align, struct arena_piece *ret_piece);

#endif
