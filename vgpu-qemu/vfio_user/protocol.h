/* SPDX-License-Identifier: MIT */
/*
 * vfio-user as QEMU speaks it: the structures on the wire (docs/interop/vfio-user in QEMU, version 0.0 of the
 * protocol). Little-endian; the device is built for little-endian hosts only. Names follow the specification.
 */
#ifndef VGPU_QEMU_VFIO_USER_PROTOCOL_H
#define VGPU_QEMU_VFIO_USER_PROTOCOL_H

#include <assert.h>
#include <stdint.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the structures below are read as they lie");

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
	VFIO_USER_REGION_WRITE_MULTI = 15,
};

#define VFIO_USER_FLAGS_TYPE 0xfu
#define VFIO_USER_FLAGS_COMMAND 0u
#define VFIO_USER_FLAGS_REPLY 1u
#define VFIO_USER_FLAGS_NO_REPLY (1u << 4)
#define VFIO_USER_FLAGS_ERROR (1u << 5)

struct vfio_user_header {
	uint16_t message_id;		/* the client's; differs between a message and the next */
	uint16_t command;
	uint32_t message_size;		/* header included */
	uint32_t flags;
	uint32_t error;			/* errno, with FLAGS_ERROR */
};
static_assert(sizeof(struct vfio_user_header) == 16, "wire");

struct vfio_user_version {
	uint16_t major;
	uint16_t minor;			/* JSON text follows, NUL-terminated, or nothing */
};
static_assert(sizeof(struct vfio_user_version) == 4, "wire");

#define VFIO_USER_DMA_ACCESS_READ (1u << 0)
#define VFIO_USER_DMA_ACCESS_WRITE (1u << 1)
struct vfio_user_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset;
	uint64_t address;
	uint64_t size;
};
static_assert(sizeof(struct vfio_user_dma_map) == 32, "wire");

#define VFIO_USER_DMA_UNMAP_DIRTY_PAGES (1u << 0)
#define VFIO_USER_DMA_UNMAP_ALL (1u << 1)
struct vfio_user_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t address;
	uint64_t size;
};
static_assert(sizeof(struct vfio_user_dma_unmap) == 24, "wire");

struct vfio_user_device_info {
	uint32_t argsz;
	uint32_t flags;			/* VFIO_DEVICE_FLAGS_* of linux/vfio.h */
	uint32_t num_regions;
	uint32_t num_irqs;
};
static_assert(sizeof(struct vfio_user_device_info) == 16, "wire");

struct vfio_user_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;		/* from argsz on */
	uint64_t size;
	uint64_t offset;		/* into the descriptor attached */
};
static_assert(sizeof(struct vfio_user_region_info) == 32, "wire");

/* struct vfio_region_info_cap_sparse_mmap with one area */
struct vfio_user_sparse_mmap {
	uint16_t id;
	uint16_t version;
	uint32_t next;
	uint32_t nr_areas;
	uint32_t reserved;
	uint64_t area_offset;
	uint64_t area_size;
};
static_assert(sizeof(struct vfio_user_sparse_mmap) == 32, "wire");

struct vfio_user_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};
static_assert(sizeof(struct vfio_user_irq_info) == 16, "wire");

struct vfio_user_irq_set {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;			/* data follows with DATA_BOOL; descriptors are attached with DATA_EVENTFD */
};
static_assert(sizeof(struct vfio_user_irq_set) == 20, "wire");

struct vfio_user_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count;			/* data follows in a write and in the reply to a read */
};
static_assert(sizeof(struct vfio_user_region_access) == 16, "wire");

#endif
