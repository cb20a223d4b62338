/* SPDX-License-Identifier: MIT */
/*
 * Aperture memory of a session: ranges cut from slabs, or blobs of their own when large.
 *
 * A slab is one WIRE_BLOB_KIND_MEMORY blob, cut in the device's base alignment, so that a small buffer costs no
 * ioctl. A range that the engine may still touch is given back with memory_release_after: it is used again only when
 * the record that ends its use has been answered. Nothing here blocks but memory_alloc when the vGPU is full.
 * Any thread may call anything but memory_destroy.
 */
#ifndef VGPU_SHIM_MEMORY_H
#define VGPU_SHIM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "shim/ring.h"

struct memory;
struct memory_slab;

struct memory_range {
	void *address;
	uint64_t blob_id;
	uint64_t offset;
	size_t bytes;			/* as asked for */
	struct memory_slab *slab;	/* ours */
};

/* Borrows ring, which outlives it. */
int memory_create(struct ring *ring, struct memory **ret_memory);
/* Drops every blob, whoever holds ranges. After loss or when the engine has gone. Accepts NULL. */
void memory_destroy(struct memory *memory);

/* Contents undefined. -ENOMEM: over the vGPU's limit, also after everything under way of being freed was; -EIO: lost. */
int memory_alloc(struct memory *memory, size_t bytes, struct memory_range *ret_range);
/* The same, in a blob of its own; bytes up to the next page's end are the range's too. */
int memory_alloc_blob(struct memory *memory, size_t bytes, struct memory_range *ret_range);
/* Moves such a range to where the caller has reserved room for all its pages (transport.h, blob_move). 0 or -errno. */
int memory_move(struct memory *memory, struct memory_range *range, void *address);
/* For a range that no record of the ring has named, or whose last record is known to be over. */
void memory_release(struct memory *memory, struct memory_range *range);
/* Same, for one that the engine may touch until it answers the DESTROY of that object, which is sent from here. */
void memory_release_destroy(struct memory *memory, struct memory_range *range, enum wire_opcode opcode, uint32_t id);
/* Same, for staging that records of `queue` up to `sequence` use. */
void memory_release_after(struct memory *memory, struct memory_range *range, uint32_t queue, uint64_t sequence);

/* In the child of a fork: its locks made anew. The ring is lost already. */
void memory_after_fork(struct memory *memory);
/* Bytes of blobs held now: for tests and messages. */
uint64_t memory_held_bytes(struct memory *memory);
static inline struct wire_range memory_wire_range(const struct memory_range *range)
{
	return (struct wire_range){ .blob_id = range->blob_id, .offset = range->offset, .bytes = range->bytes };
}
#endif
