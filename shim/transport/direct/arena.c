/* SPDX-License-Identifier: MIT */
#include "shim/transport/direct/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int arena_init(struct arena *arena, size_t bytes)
{
	int err;

	arena->fd = memfd_create("vgpu-direct", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (arena->fd < 0)
		return -errno;
	if (ftruncate(arena->fd, (off_t)bytes))
		goto fail;
	/* So that neither a bug here nor the server can pull memory from under the other. */
	if (fcntl(arena->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		goto fail;
	arena->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, arena->fd, 0);
	if (arena->base == MAP_FAILED)
		goto fail;
	madvise(arena->base, bytes, MADV_DONTFORK);
	arena->bytes = bytes;
	arena->used = 0;
	return 0;

fail:
	err = -errno;
	close(arena->fd);
	return err;
}

void arena_finish(struct arena *arena)
{
	munmap(arena->base, arena->bytes);
	close(arena->fd);
}

int arena_take(struct arena *arena, size_t bytes, size_t align, struct arena_piece *ret_piece)
{
	size_t at = (arena->used + align - 1) & ~(align - 1);

	if (at > arena->bytes || bytes > arena->bytes - at)
		return -ENOMEM;
	ret_piece->memory = arena->base + at;
	ret_piece->bus = ARENA_BUS_ADDRESS + at;
	arena->used = at + bytes;
	return 0;
}
