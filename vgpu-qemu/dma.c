/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation. A range is looked up for every access, so a DMA_UNMAP only has to remove it from the table: no
 * pointer into it is held anywhere (that is why a mapping has one reference, its slot). An access is split where
 * ranges meet. The copy itself may fault, because the file behind a range belongs to the client, who can truncate
 * it at any moment: the SIGBUS handler then puts anonymous zero pages under the faulting page, notes it, and the
 * copy goes on into them; the access returns -EFAULT. Faults outside such a copy are bugs of ours and kill.
 *
 * Distrusts: the client's ranges, offsets, descriptors and files.
 */
#include "vgpu-qemu/dma.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mdev/keeper/keeper_protocol.h"
#include "mdev/log/log.h"

#define PAGE_BYTES 4096u

struct guest_memory {
	struct dma_slot *table;
	struct keeper_link *keeper;
	uint8_t *base[DMA_SLOT_MAX];	/* NULL: not mapped here */
	unsigned last;			/* slot of the last hit */
	bool told_missing_backend;
};

/*
 * What the signal handler may repair: the one copy in progress. A mutable global, because a signal handler has no
 * argument; written by the device thread only, read by the handler on the same thread.
 */
static struct {
	const uint8_t *volatile start;
	volatile size_t bytes;
	volatile sig_atomic_t faulted;
} guarded;

static void on_sigbus(int signal_number, siginfo_t *info, void *context)
{
	const uintptr_t address = (uintptr_t)info->si_addr;
	const uintptr_t start = (uintptr_t)guarded.start;

	(void)context;
	if (guarded.start && address >= (start & ~(uintptr_t)(PAGE_BYTES - 1)) && address < start + guarded.bytes &&
	    mmap((void *)(address & ~(uintptr_t)(PAGE_BYTES - 1)), PAGE_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
		guarded.faulted = 1;
		return;
	}
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void guard_begin(const uint8_t *start, size_t bytes)
{
	guarded.faulted = 0;
	guarded.bytes = bytes;
	guarded.start = start;
	atomic_signal_fence(memory_order_seq_cst);
}

static int guard_end(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	guarded.start = NULL;
	return guarded.faulted ? -EFAULT : 0;
}

/* ---- the table ------------------------------------------------------------------------------------ */

static int map_slot(struct guest_memory *memory, unsigned slot, int fd)
{
	const struct dma_slot *entry = &memory->table[slot];
	int prot = (entry->access & DMA_SLOT_READ ? PROT_READ : 0) | (entry->access & DMA_SLOT_WRITE ? PROT_WRITE : 0);
	void *base = mmap(NULL, entry->bytes, prot, MAP_SHARED, fd, (off_t)entry->offset);

	if (base == MAP_FAILED)
		return -errno;
	memory->base[slot] = base;
	return 0;
}

static void unmap_slot(struct guest_memory *memory, unsigned slot)
{
	if (memory->base[slot])
		munmap(memory->base[slot], memory->table[slot].bytes);
	memory->base[slot] = NULL;
}

static void free_slot(struct guest_memory *memory, unsigned slot)
{
	struct dma_slot *entry = &memory->table[slot];
	bool had_descriptor = entry->state == DMA_SLOT_MEMORY;

	unmap_slot(memory, slot);
	entry->state = DMA_SLOT_FREE;
	state_barrier();
	if (had_descriptor)
		keeper_link_drop(memory->keeper, KEEPER_TAG(KEEPER_FD_DMA, slot));
}

int guest_memory_create(struct dma_slot *table, struct keeper_link *keeper, struct guest_memory **ret_memory)
{
	struct guest_memory *memory = calloc(1, sizeof(*memory));
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};

	if (!memory)
		return -ENOMEM;
	memory->table = table;
	memory->keeper = keeper;
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGBUS, &action, NULL)) {
		int error = -errno;
		free(memory);
		return error;
	}
	for (unsigned i = 0; i < DMA_SLOT_MAX; i++) {
		if (table[i].state != DMA_SLOT_MEMORY)
			continue;
		int error = map_slot(memory, i, keeper_link_fd(keeper, KEEPER_TAG(KEEPER_FD_DMA, i)));
		if (error)
			log_error("guest memory 0x%" PRIx64 "+0x%" PRIx64 " cannot be mapped again (%s): access to it will fail",
				  table[i].address, table[i].bytes, strerror(-error));
	}
	*ret_memory = memory;
	return 0;
}

void guest_memory_destroy(struct guest_memory *memory)
{
	if (!memory)
		return;
	for (unsigned i = 0; i < DMA_SLOT_MAX; i++)
		unmap_slot(memory, i);
	free(memory);
}

static int refuse_missing_backend(struct guest_memory *memory)
{
	if (!memory->told_missing_backend)
		log_error("the guest's RAM came without a descriptor, so the vGPU cannot reach it: start QEMU with "
			  "-object memory-backend-memfd,id=ram0,size=SIZE,share=on -machine q35,memory-backend=ram0");
	memory->told_missing_backend = true;
	return -EINVAL;
}

int guest_memory_map(struct guest_memory *memory, struct guest_range range, uint64_t offset, uint32_t access, int fd)
{
	unsigned slot = DMA_SLOT_MAX;
	struct dma_slot *entry;
	uint64_t last, file_last;
	int error;

	if (!range.bytes || (range.address | range.bytes | offset) % PAGE_BYTES || range.bytes > INT64_MAX ||
	    __builtin_add_overflow(range.address, range.bytes - 1, &last) ||
	    __builtin_add_overflow(offset, range.bytes, &file_last) || file_last > INT64_MAX ||
	    access & ~(DMA_SLOT_READ | DMA_SLOT_WRITE))
		return -EINVAL;
	for (unsigned i = 0; i < DMA_SLOT_MAX; i++) {
		entry = &memory->table[i];
		if (entry->state == DMA_SLOT_FREE) {
			slot = slot == DMA_SLOT_MAX ? i : slot;
			continue;
		}
		if (entry->address == range.address && entry->bytes == range.bytes && entry->offset == offset &&
		    entry->access == access && (entry->state == DMA_SLOT_MEMORY) == (fd >= 0)) {
			/* The same again: a request replayed after a kill; its mapping was made at start. */
			if (fd < 0 || memory->base[i])
				return 0;
			return map_slot(memory, i, fd);
		}
		if (entry->address <= last && range.address <= entry->address + entry->bytes - 1)
			return -EEXIST;
	}
	if (slot == DMA_SLOT_MAX)
		return -ENOSPC;
	/* On a PC the RAM begins at 0. ROMs and BARs, which come without a descriptor too, never lie there. */
	if (fd < 0 && range.address == 0 && access & DMA_SLOT_WRITE)
		return refuse_missing_backend(memory);

	entry = &memory->table[slot];
	entry->address = range.address;
	entry->bytes = range.bytes;
	entry->offset = offset;
	entry->access = access;
	if (fd < 0) {
		log_debug("0x%" PRIx64 "+0x%" PRIx64 " came without a descriptor (a ROM or BAR)", range.address, range.bytes);
		state_barrier();
		entry->state = DMA_SLOT_NO_DESCRIPTOR;
		return 0;
	}
	error = map_slot(memory, slot, fd);
	if (error)
		return error;
	int own = dup(fd);
	if (own < 0) {
		error = -errno;
		unmap_slot(memory, slot);
		return error;
	}
	keeper_link_store(memory->keeper, KEEPER_TAG(KEEPER_FD_DMA, slot), own);
	state_barrier();
	entry->state = DMA_SLOT_MEMORY;
	return 0;
}

int guest_memory_unmap(struct guest_memory *memory, struct guest_range range)
{
	uint64_t last;
	bool found = false;

	if (!range.bytes || __builtin_add_overflow(range.address, range.bytes - 1, &last))
		return -EINVAL;
	for (unsigned i = 0; i < DMA_SLOT_MAX; i++) {
		const struct dma_slot *entry = &memory->table[i];
		if (entry->state == DMA_SLOT_FREE)
			continue;
		uint64_t entry_last = entry->address + entry->bytes - 1;
		if (entry->address > last || entry_last < range.address)
			continue;
		if (entry->address < range.address || entry_last > last)
			return -ENOENT;
		found = true;
	}
	if (!found)
		return -ENOENT;
	for (unsigned i = 0; i < DMA_SLOT_MAX; i++) {
		const struct dma_slot *entry = &memory->table[i];
		if (entry->state != DMA_SLOT_FREE && entry->address >= range.address &&
		    entry->address + entry->bytes - 1 <= last)
			free_slot(memory, i);
	}
	return 0;
}

void guest_memory_unmap_all(struct guest_memory *memory)
{
	for (unsigned i = 0; i < DMA_SLOT_MAX; i++)
		if (memory->table[i].state != DMA_SLOT_FREE)
			free_slot(memory, i);
}

bool guest_memory_lacks_descriptor(const struct guest_memory *memory, uint64_t address)
{
	for (unsigned i = 0; i < DMA_SLOT_MAX; i++) {
		const struct dma_slot *entry = &memory->table[i];
		if (entry->state == DMA_SLOT_NO_DESCRIPTOR && address >= entry->address &&
		    address - entry->address < entry->bytes)
			return true;
	}
	return memory->told_missing_backend;
}

/* ---- access ---------------------------------------------------------------------------------------- */

static bool holds(const struct guest_memory *memory, unsigned slot, uint64_t address)
{
	const struct dma_slot *entry = &memory->table[slot];

	return memory->base[slot] && address >= entry->address && address - entry->address < entry->bytes;
}

/* The memory at address and how many of the wanted bytes lie there in one piece. */
static int piece(struct guest_memory *memory, uint64_t address, uint64_t wanted, uint32_t access, uint8_t **ret_start,
		 uint64_t *ret_bytes)
{
	unsigned slot = memory->last;

	if (!holds(memory, slot, address)) {
		for (slot = 0; slot < DMA_SLOT_MAX; slot++)
			if (holds(memory, slot, address))
				break;
		if (slot == DMA_SLOT_MAX)
			return -EFAULT;
		memory->last = slot;
	}
	const struct dma_slot *entry = &memory->table[slot];
	if ((entry->access & access) != access)
		return -EACCES;
	uint64_t inside = address - entry->address;
	*ret_start = memory->base[slot] + inside;
	*ret_bytes = entry->bytes - inside < wanted ? entry->bytes - inside : wanted;
	return 0;
}

int guest_memory_read(struct guest_memory *memory, uint64_t address, void *buffer, size_t bytes)
{
	uint8_t *to = buffer;
	uint64_t end;

	if (__builtin_add_overflow(address, bytes, &end))
		return -EFAULT;
	while (bytes) {
		uint8_t *from;
		uint64_t part;
		int error = piece(memory, address, bytes, DMA_SLOT_READ, &from, &part);

		if (error)
			return -EFAULT;
		guard_begin(from, part);
		memcpy(to, from, part);
		if (guard_end())
			return -EFAULT;
		to += part;
		address += part;
		bytes -= part;
	}
	return 0;
}

int guest_memory_write(struct guest_memory *memory, uint64_t address, const void *buffer, size_t bytes)
{
	const uint8_t *from = buffer;
	uint64_t end;

	if (__builtin_add_overflow(address, bytes, &end))
		return -EFAULT;
	while (bytes) {
		uint8_t *to;
		uint64_t part;
		int error = piece(memory, address, bytes, DMA_SLOT_WRITE, &to, &part);

		if (error)
			return error;
		guard_begin(to, part);
		memcpy(to, from, part);
		if (guard_end())
			return -EFAULT;
		from += part;
		address += part;
		bytes -= part;
	}
	return 0;
}

int guest_memory_load_u16(struct guest_memory *memory, uint64_t address, uint16_t *ret_value)
{
	uint8_t *at;
	uint64_t part;
	uint16_t value;
	int error;

	if (address % sizeof(value))
		return -EFAULT;
	error = piece(memory, address, sizeof(value), DMA_SLOT_READ, &at, &part);
	if (error)
		return -EFAULT;
	guard_begin(at, sizeof(value));
	value = atomic_load_explicit((_Atomic uint16_t *)at, memory_order_acquire); /* pairs with the driver's write barrier */
	if (guard_end())
		return -EFAULT;
	*ret_value = le16toh(value);
	return 0;
}

int guest_memory_store_u16(struct guest_memory *memory, uint64_t address, uint16_t value)
{
	uint8_t *at;
	uint64_t part;
	int error;

	if (address % sizeof(value))
		return -EFAULT;
	error = piece(memory, address, sizeof(value), DMA_SLOT_WRITE, &at, &part);
	if (error)
		return error;
	guard_begin(at, sizeof(value));
	atomic_store_explicit((_Atomic uint16_t *)at, htole16(value), memory_order_release); /* pairs with the driver's read barrier */
	return guard_end();
}

bool guest_memory_covers(struct guest_memory *memory, struct guest_range range, bool writable)
{
	uint64_t end;

	if (__builtin_add_overflow(range.address, range.bytes, &end))
		return false;
	while (range.bytes) {
		uint8_t *start;
		uint64_t part;

		if (piece(memory, range.address, range.bytes, DMA_SLOT_READ | (writable ? DMA_SLOT_WRITE : 0), &start, &part))
			return false;
		range.address += part;
		range.bytes -= part;
	}
	return true;
}
