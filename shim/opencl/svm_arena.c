/* SPDX-License-Identifier: MIT */
/*
 * Arenas and blocks.
 *
 * Theory of operation. An address is drawn in the window until it is free in this process (a reservation, which the blob's mapping
 * then takes over) and in the engine, which says so in the slot of SVM_MAP. Free parts of an arena are a sorted list of extents; blocks
 * are in a tree by address, so that any pointer into one finds it. An arena that becomes free goes, but for one of the usual size.
 */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "shim/opencl/svm.h"

#define ARENA_MAX_BYTES 0x200000u
#define ARENA_MIN_BYTES 0x10000u
#define ARENA_ALIGN_BYTES 0x200000u	/* of addresses: a large page */
#define PAGE_BYTES 4096u
#define BLOCK_ALIGN_BYTES 128u		/* the largest type of OpenCL C, and no cache line of two blocks */
#define RESERVE_TRIES 64u
#define ENGINE_TRIES 16u

struct extent {
	struct extent *next;
	size_t offset, bytes;
};

struct arena {
	struct _cl_mem mem;		/* first: the arena's end is the buffer's */
	struct arena *next;
	struct extent *free;		/* sorted, never adjacent */
	size_t blob_bytes, free_bytes;
	bool large;			/* made for one block */
};

struct block {
	uint8_t *address;
	size_t bytes;			/* as asked for */
	size_t offset, taken_bytes;	/* in the arena */
	struct arena *arena;
};

struct svm {
	pthread_mutex_t lock;		/* guards what follows */
	struct arena *arenas;
	void *blocks;			/* tsearch's, of struct block */
};

/* ---- addresses ----------------------------------------------------------------------------------- */

static uint64_t scramble(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* A range of the window that is ours from now on; NULL: none was found. seed: other seeds look elsewhere. */
static void *reserve(size_t bytes, uint64_t seed)
{
	const uint64_t places = (WIRE_SVM_WINDOW_END - WIRE_SVM_WINDOW_FIRST) / ARENA_ALIGN_BYTES;

	if (bytes > WIRE_SVM_WINDOW_END - WIRE_SVM_WINDOW_FIRST)
		return NULL;
	for (uint32_t i = 0; i < RESERVE_TRIES; i++) {
		uint64_t address = WIRE_SVM_WINDOW_FIRST + scramble(seed + i) % places * ARENA_ALIGN_BYTES;
		void *asked = (void *)(uintptr_t)address, *got;

		if (bytes > WIRE_SVM_WINDOW_END - address)
			continue;
		/* Kernels before 4.17 take the flag for a wish, and choose another address where it is taken. */
		got = mmap(asked, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
		if (got == asked)
			return got;
		if (got != MAP_FAILED)
			munmap(got, bytes);
	}
	return NULL;
}

cl_device_svm_capabilities svm_capabilities(const struct wire_capset *capset, uint64_t host_capabilities)
{
	const uint32_t needed = WIRE_CAPS_UNIFIED | WIRE_CAPS_SVM;
	void *place;

	if ((capset->flags & needed) != needed || capset->version_max < 2 || session_staging_forced())
		return 0;
	/* Machines with few address bits have no such window. */
	place = reserve(PAGE_BYTES, (uintptr_t)capset);
	if (!place)
		return 0;
	munmap(place, PAGE_BYTES);
	return host_capabilities & (CL_DEVICE_SVM_COARSE_GRAIN_BUFFER | CL_DEVICE_SVM_FINE_GRAIN_BUFFER | CL_DEVICE_SVM_ATOMICS);
}

/* ---- arenas -------------------------------------------------------------------------------------- */

static size_t arena_bytes_usual(const struct wire_capset *capset)
{
	size_t bytes = ARENA_MIN_BYTES;

	while (bytes < ARENA_MAX_BYTES && bytes * 2 <= capset->vram_bytes / 64)
		bytes *= 2;
	return bytes;
}

static cl_int engine_map(struct session *session, const struct memory_range *range)
{
	struct ring_completion completion = { .slot = WIRE_NO_SLOT };
	struct wire_svm_map *record = ring_begin(session->ring, WIRE_SVM_MAP, sizeof(*record), &completion);

	if (!record)
		return CL_DEVICE_NOT_AVAILABLE;
	record->reserved = 0;
	record->blob_id = range->blob_id;
	record->address = (uintptr_t)range->address;
	ring_commit(session->ring);
	if (ring_wait_completion(session->ring, &completion, RING_SPIN_NS) < 0)
		return CL_DEVICE_NOT_AVAILABLE;
	return completion.status;
}

/* Brings the range to one address in both processes. 0 or -errno. */
static int range_place(struct session *session, struct memory_range *range)
{
	size_t bytes = (range->bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	uint64_t seed = (uintptr_t)range->slab ^ (uint64_t)range->blob_id << 32;
	cl_int error = CL_INVALID_HOST_PTR;

	for (uint32_t i = 0; error == CL_INVALID_HOST_PTR && i < ENGINE_TRIES; i++) {
		void *place = reserve(bytes, seed + i * RESERVE_TRIES);
		int r = place ? memory_move(session->memory, range, place) : -ENOMEM;

		if (r < 0)
			return r;
		error = engine_map(session, range);
	}
	return error ? -EIO : 0;
}

static void arena_destroy(struct _cl_mem *mem)
{
	struct arena *arena = (struct arena *)mem;
	struct extent *extent;

	while ((extent = arena->free)) {
		arena->free = extent->next;
		free(extent);
	}
	buffer_unified.destroy(mem);
}

static uint8_t *arena_address(const struct _cl_mem *mem, size_t offset)
{
	return buffer_unified.address(mem, offset);
}

/* Its storage is made by arena_create. */
static const struct buffer_ops arena_ops = { "arena", NULL, arena_destroy, arena_address };

/* Does not hold its context: the context drops what is left, and until then its blocks hold it. */
static struct arena *arena_create(struct _cl_context *context, size_t bytes, bool large)
{
	struct session *session = context->session;
	struct arena *arena = calloc(1, sizeof(*arena));
	struct extent *extent = calloc(1, sizeof(*extent));

	if (!arena || !extent)
		goto free_both;
	arena->mem.context = context;
	arena->mem.ops = &arena_ops;
	arena->mem.flags = CL_MEM_READ_WRITE;
	arena->mem.id = session_id_take(session, ID_BUFFER);
	if (!arena->mem.id)
		goto free_both;
	if (memory_alloc_blob(session->memory, bytes, &arena->mem.range) < 0)
		goto return_id;
	if (range_place(session, &arena->mem.range) < 0)
		goto release_range;
	/* A page's rest may be more than a buffer can have; no block reaches there. */
	arena->mem.bytes = bytes < context->device->capset->max_alloc_bytes ? bytes : context->device->capset->max_alloc_bytes;
	arena->mem.range.bytes = arena->mem.bytes;
	if (buffer_placed.create(&arena->mem, NULL))
		goto release_range;
	object_init(&arena->mem.object, OBJECT_MEM);
	*extent = (struct extent){ .bytes = bytes };
	arena->free = extent;
	arena->blob_bytes = arena->free_bytes = bytes;
	arena->large = large;
	return arena;

release_range:
	memory_release(session->memory, &arena->mem.range);
return_id:
	session_id_return(session, ID_BUFFER, arena->mem.id);
free_both:
	free(arena);
	free(extent);
	return NULL;
}

static void arena_let_go(struct arena *arena)
{
	object_retain(arena->mem.context);	/* a buffer's end releases it */
	mem_release(&arena->mem);
}

static int arena_take(struct arena *arena, size_t bytes, size_t alignment, size_t *ret_offset)
{
	for (struct extent **link = &arena->free, *extent; (extent = *link); link = &extent->next) {
		size_t start = (extent->offset + alignment - 1) / alignment * alignment, before = start - extent->offset;
		size_t after;
		struct extent *rest;

		if (before > extent->bytes || bytes > extent->bytes - before)
			continue;
		after = extent->bytes - before - bytes;
		if (before && after) {
			rest = malloc(sizeof(*rest));
			if (!rest)
				return -ENOMEM;
			*rest = (struct extent){ extent->next, start + bytes, after };
			extent->next = rest;
			extent->bytes = before;
		} else if (before) {
			extent->bytes = before;
		} else if (after) {
			extent->offset += bytes;
			extent->bytes = after;
		} else {
			*link = extent->next;
			free(extent);
		}
		arena->free_bytes -= bytes;
		*ret_offset = start;
		return 0;
	}
	return -ENOMEM;
}

/* Merges it back. Without memory for an extent its bytes are lost until the arena goes. */
static void arena_return(struct arena *arena, size_t offset, size_t bytes)
{
	struct extent **link = &arena->free, *before = NULL, *after;

	while ((after = *link) && after->offset < offset) {
		before = after;
		link = &after->next;
	}
	arena->free_bytes += bytes;
	if (before && before->offset + before->bytes == offset) {
		before->bytes += bytes;
	} else {
		struct extent *extent = malloc(sizeof(*extent));

		if (!extent)
			return;
		*extent = (struct extent){ after, offset, bytes };
		*link = before = extent;
	}
	if (after && before->offset + before->bytes == after->offset) {
		before->bytes += after->bytes;
		before->next = after->next;
		free(after);
	}
}

/* ---- blocks -------------------------------------------------------------------------------------- */

/* A key is a block of no bytes: it equals the block it points into. */
static int block_compare(const void *key, const void *block)
{
	const struct block *a = key, *b = block;

	return a->address < b->address ? -1 : a->address >= b->address + b->taken_bytes;
}

static struct svm *svm_of(struct _cl_context *context)
{
	struct svm *svm;

	pthread_mutex_lock(&context->lock);
	svm = context->svm;
	if (!svm && (svm = calloc(1, sizeof(*svm)))) {
		pthread_mutex_init(&svm->lock, NULL);
		context->svm = svm;
	}
	pthread_mutex_unlock(&context->lock);
	return svm;
}

static struct svm *svm_existing(struct _cl_context *context)
{
	struct svm *svm;

	pthread_mutex_lock(&context->lock);
	svm = context->svm;
	pthread_mutex_unlock(&context->lock);
	return svm;
}

static bool take_from_locked(struct svm *svm, struct arena *arena, struct block *block, size_t alignment)
{
	if (arena_take(arena, block->taken_bytes, alignment, &block->offset) < 0)
		return false;
	block->arena = arena;
	block->address = arena->mem.ops->address(&arena->mem, block->offset);
	if (tsearch(block, &svm->blocks, block_compare))
		return true;
	arena_return(arena, block->offset, block->taken_bytes);
	return false;
}

static bool take(struct svm *svm, struct block *block, size_t alignment)
{
	bool taken = false;

	pthread_mutex_lock(&svm->lock);
	for (struct arena *arena = svm->arenas; arena && !taken; arena = arena->next)
		taken = !arena->large && arena->free_bytes >= block->taken_bytes && take_from_locked(svm, arena, block, alignment);
	pthread_mutex_unlock(&svm->lock);
	return taken;
}

static bool take_anew(struct svm *svm, struct _cl_context *context, struct block *block, size_t alignment)
{
	size_t usual_bytes = arena_bytes_usual(context->device->capset);
	size_t needed_bytes = (block->taken_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	bool large = block->taken_bytes > usual_bytes / 4, taken;
	struct arena *arena = arena_create(context, large ? needed_bytes : usual_bytes, large);

	if (!arena && !large)	/* perhaps just enough is left */
		arena = arena_create(context, needed_bytes, true);
	if (!arena)
		return false;
	pthread_mutex_lock(&svm->lock);
	taken = take_from_locked(svm, arena, block, alignment);
	if (taken) {
		arena->next = svm->arenas;
		svm->arenas = arena;
	}
	pthread_mutex_unlock(&svm->lock);
	if (!taken)
		arena_let_go(arena);
	return taken;
}

void *svm_alloc(struct _cl_context *context, size_t bytes, size_t alignment)
{
	struct svm *svm = svm_of(context);
	struct block *block = svm ? calloc(1, sizeof(*block)) : NULL;
	void *address;

	if (!block || session_lost(context->session)) {
		free(block);
		return NULL;
	}
	if (alignment < context->device->capset->mem_align_bytes)	/* so that it may be a buffer's memory */
		alignment = context->device->capset->mem_align_bytes;
	if (alignment < BLOCK_ALIGN_BYTES)
		alignment = BLOCK_ALIGN_BYTES;
	block->bytes = bytes;
	block->taken_bytes = (bytes + BLOCK_ALIGN_BYTES - 1) / BLOCK_ALIGN_BYTES * BLOCK_ALIGN_BYTES;
	if (!take(svm, block, alignment) && !take_anew(svm, context, block, alignment)) {
		free(block);
		return NULL;
	}
	address = block->address;
	object_retain(context);
	return address;
}

static bool is_free(const struct arena *arena)
{
	return arena->free_bytes == arena->blob_bytes;
}

/* The arena, if it goes with its last block: taken out of the list. */
static struct arena *block_return_locked(struct svm *svm, struct block *block)
{
	struct arena *arena = block->arena, **link;
	uint32_t kept = 0;

	tdelete(block, &svm->blocks, block_compare);
	arena_return(arena, block->offset, block->taken_bytes);
	for (const struct arena *at = svm->arenas; at; at = at->next)
		kept += !at->large && is_free(at);
	if (!is_free(arena) || (!arena->large && kept < 2))
		return NULL;
	for (link = &svm->arenas; *link != arena; link = &(*link)->next)
		;
	*link = arena->next;
	return arena;
}

static struct block *block_find_locked(struct svm *svm, const void *pointer)
{
	const struct block key = { .address = (uint8_t *)(uintptr_t)pointer };
	void *found = tfind(&key, &svm->blocks, block_compare);

	return found ? *(struct block **)found : NULL;
}

void svm_free(struct _cl_context *context, void *pointer)
{
	struct svm *svm = svm_existing(context);
	struct arena *arena = NULL;
	struct block *block;

	if (!svm)
		return;
	pthread_mutex_lock(&svm->lock);
	block = block_find_locked(svm, pointer);
	if (block && block->address != pointer)
		block = NULL;
	if (block)
		arena = block_return_locked(svm, block);
	pthread_mutex_unlock(&svm->lock);
	if (arena)
		arena_let_go(arena);
	if (block)
		context_release(context);
	free(block);
}

bool svm_find(struct _cl_context *context, const void *pointer, struct svm_place *ret_place)
{
	struct svm *svm = svm_existing(context);
	const uint8_t *at = pointer;
	struct block *block;
	size_t inside;

	if (!svm || !pointer)
		return false;
	pthread_mutex_lock(&svm->lock);
	block = block_find_locked(svm, at);
	if (!block || at > block->address + block->bytes)	/* one behind the end, or in the padding */
		block = block_find_locked(svm, at - 1);
	inside = block ? (size_t)(at - block->address) : 0;
	if (block && inside <= block->bytes)
		*ret_place = (struct svm_place){ &block->arena->mem, block->offset + inside, block->bytes - inside };
	else
		block = NULL;
	pthread_mutex_unlock(&svm->lock);
	return block;
}

void svm_finish(struct svm *svm)
{
	struct arena *arena;

	if (!svm)
		return;
	while ((arena = svm->arenas)) {
		svm->arenas = arena->next;
		arena->mem.ops->destroy(&arena->mem);
		free(arena);
	}
	pthread_mutex_destroy(&svm->lock);
	free(svm);
}
