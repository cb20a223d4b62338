/* SPDX-License-Identifier: MIT */
/*
 * vfio-user as spoken on the socket: message layouts and numbers, written from the specification
 * (QEMU docs/interop/vfio-user.rst; the structs are those of linux/vfio.h where it says so).
 *
 * The host's server has a header of its own on purpose: the two sides of a trust boundary share no source. Fields are in
 * host byte order (both ends run on one host), fixed width, without hidden padding.
 */
#ifndef VGPU_SHIM_TRANSPORT_DIRECT_VFIO_USER_H
#define VGPU_SHIM_TRANSPORT_DIRECT_VFIO_USER_H

#include <assert.h>
#include <stdint.h>

#define VFIO_USER_MAJOR 0
#define VFIO_USER_MINOR 0
#define VFIO_USER_MAX_MESSAGE_BYTES (1u << 20)	/* what this client accepts */

enum vfio_user_command {
	VFIO_USER_VERSION = 1,
	VFIO_USER_DMA_MAP = 2,
	VFIO_USER_DMA_UNMAP = 3,
	VFIO_USER_DEVICE_GET_INFO = 4,
	VFIO_USER_DEVICE_GET_REGION_INFO = 5,
	VFIO_USER_DEVICE_GET_REGION_IO_FDS = 6,
	VFIO_USER_DEVICE_GET_IRQ_INFO = 7,
	VFIO_USER_DEVICE_SET_IRQS = 8,
	VFIO_USER_REGION_READ = 9,
	VFIO_USER_REGION_WRITE = 10,
	VFIO_USER_DMA_READ = 11,
	VFIO_USER_DMA_WRITE = 12,
	VFIO_USER_DEVICE_RESET = 13,
};

#define VFIO_USER_TYPE_MASK 0xfu
#define VFIO_USER_TYPE_COMMAND 0u
#define VFIO_USER_TYPE_REPLY 1u
#define VFIO_USER_NO_REPLY (1u << 4)
#define VFIO_USER_ERROR (1u << 5)

struct vfio_user_header {
	uint16_t id;
	uint16_t command;
	uint32_t bytes;		/* header included */
	uint32_t flags;
	uint32_t error;		/* an errno, with VFIO_USER_ERROR */
};
static_assert(sizeof(struct vfio_user_header) == 16, "vfio-user");

/* Followed by capabilities as JSON with its NUL, or nothing. */
struct vfio_user_version {
	uint16_t major;
	uint16_t minor;
};
static_assert(sizeof(struct vfio_user_version) == 4, "vfio-user");

#define VFIO_USER_DMA_READABLE (1u << 0)
#define VFIO_USER_DMA_WRITABLE (1u << 1)
struct vfio_user_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset;	/* in the file that rides along */
	uint64_t address;
	uint64_t size;
};
static_assert(sizeof(struct vfio_user_dma_map) == 32, "vfio-user");

struct vfio_user_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t size;
};
static_assert(sizeof(struct vfio_user_dma_unmap) == 24, "vfio-user");

#define VFIO_USER_DEVICE_RESETTABLE (1u << 0)
#define VFIO_USER_DEVICE_PCI (1u << 1)
struct vfio_user_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t num_regions;
	uint32_t num_irqs;
};
static_assert(sizeof(struct vfio_user_device_info) == 16, "vfio-user");

#define VFIO_USER_REGION_READABLE (1u << 0)
#define VFIO_USER_REGION_WRITABLE (1u << 1)
#define VFIO_USER_REGION_MMAP (1u << 2)
#define VFIO_USER_REGION_CAPS (1u << 3)
#define VFIO_USER_REGION_BAR0 0u
#define VFIO_USER_REGION_BAR_COUNT 6u
#define VFIO_USER_REGION_CONFIG 7u
struct vfio_user_region_info {
	uint32_t argsz;		/* of the whole reply; more than was asked for: ask again */
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;	/* of the first capability from the start of this struct; 0 none */
	uint64_t size;
	uint64_t offset;	/* in the file that rides along */
};
static_assert(sizeof(struct vfio_user_region_info) == 32, "vfio-user");

struct vfio_user_cap_header {
	uint16_t id;
	uint16_t version;
	uint32_t next;		/* from the start of the region_info; 0 last */
};
#define VFIO_USER_CAP_SPARSE_MMAP 1u
struct vfio_user_sparse_mmap {
	struct vfio_user_cap_header header;
	uint32_t nr_areas;
	uint32_t reserved;
};
static_assert(sizeof(struct vfio_user_sparse_mmap) == 16, "vfio-user");
struct vfio_user_sparse_area {
	uint64_t offset;	/* in the region */
	uint64_t size;
};

#define VFIO_USER_IRQ_MSIX 2u
struct vfio_user_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};
static_assert(sizeof(struct vfio_user_irq_info) == 16, "vfio-user");

#define VFIO_USER_IRQ_DATA_NONE (1u << 0)
#define VFIO_USER_IRQ_DATA_EVENTFD (1u << 2)
#define VFIO_USER_IRQ_ACTION_TRIGGER (1u << 5)
struct vfio_user_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
};
static_assert(sizeof(struct vfio_user_irq_set) == 20, "vfio-user");

/* REGION_READ, REGION_WRITE; a write's data follow, a read's follow in the reply. */
struct vfio_user_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
};
static_assert(sizeof(struct vfio_user_region_access) == 16, "vfio-user");

#endif
