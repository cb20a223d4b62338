/* SPDX-License-Identifier: MIT */
/*
 * Guest RAM as the device sees it: the only way to reach a guest's bytes.
 *
 * Ranges come by vfio-user DMA_MAP with a descriptor each. Every access names a guest address and a length, is
 * looked up, checked and copied; no pointer into guest RAM leaves this module. A file truncated by its owner
 * raises SIGBUS: the handler puts zero pages under the access and the access fails with -EFAULT.
 * Device thread only.
 */
#ifndef VGPU_QEMU_GUEST_MEMORY_H
#define VGPU_QEMU_GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guest_memory;	/* mappings of this process; the table itself is in the state page */

/* A range of guest memory in guest addresses, as descriptors carry it. */
struct guest_range {
	uint64_t address;
	uint64_t bytes;
};

/* Copies out of guest memory. 0; -EFAULT if any byte is unmapped or gone (the buffer's content is then undefined). */
int guest_memory_read(struct guest_memory *memory, uint64_t address, void *buffer, size_t bytes);

/* Copies into guest memory. 0; -EFAULT as above; -EACCES where the mapping is read-only. */
int guest_memory_write(struct guest_memory *memory, uint64_t address, const void *buffer, size_t bytes);

/* Atomic accesses for virtqueue indices: naturally aligned, little-endian. */
int guest_memory_load_u16(struct guest_memory *memory, uint64_t address, uint16_t *ret_value);	/* acquire */
int guest_memory_store_u16(struct guest_memory *memory, uint64_t address, uint16_t value);	/* release */

/* True if all of the range is mapped (and writable, if asked). */
bool guest_memory_covers(struct guest_memory *memory, struct guest_range range, bool writable);

#endif
