/* SPDX-License-Identifier: MIT */
/*
 * The owner's side of guest memory: which ranges the client has mapped, and their mappings here.
 *
 * The table is connection_state.dma in the state page, the descriptors are the keeper link's (KEEPER_FD_DMA by
 * slot); this module adds the mappings of this process. Everything else reaches guest memory through
 * guest_memory.h only. Device thread only.
 */
#ifndef VGPU_QEMU_DMA_H
#define VGPU_QEMU_DMA_H

#include "vgpu-qemu/guest_memory.h"
#include "vgpu-qemu/keeper_link.h"
#include "vgpu-qemu/state_page.h"

/* Maps what the table holds, fresh or taken over; a range that can no longer be mapped is logged and refuses access.
 * Borrows table (DMA_SLOT_MAX entries) and keeper. Installs the SIGBUS handler; one per process. 0 or -errno. */
int guest_memory_create(struct dma_slot *table, struct keeper_link *keeper, struct guest_memory **ret_memory);
/* Unmaps here; table and descriptors stay. Accepts NULL. */
void guest_memory_destroy(struct guest_memory *memory);

/*
 * DMA_MAP. fd is borrowed, -1 for none. Repeating a call does nothing more. 0; -EINVAL: empty, unaligned or
 * wrapping range, or RAM without a descriptor; -EEXIST: overlaps another; -ENOSPC: DMA_SLOT_MAX are in use; -errno of mmap.
 */
int guest_memory_map(struct guest_memory *memory, struct guest_range range, uint64_t offset, uint32_t access, int fd);

/* DMA_UNMAP of exactly the ranges inside range. 0; -ENOENT if there is none or one would be cut. */
int guest_memory_unmap(struct guest_memory *memory, struct guest_range range);
void guest_memory_unmap_all(struct guest_memory *memory);

/* True if some range came without a descriptor and holds address: access through it is impossible by design. */
bool guest_memory_lacks_descriptor(const struct guest_memory *memory, uint64_t address);

#endif
