/* SPDX-License-Identifier: MIT */
/*
 * The part of the Linux virtio_gpu driver's ioctl interface that we use (include/uapi/drm/virtgpu_drm.h of Linux 5.16
 * and later), written out here because the header that distributions ship with libdrm can be older than blobs and contexts.
 */
#ifndef VGPU_SHIM_TRANSPORT_VIRTGPU_ABI_H
#define VGPU_SHIM_TRANSPORT_VIRTGPU_ABI_H

#include <assert.h>
#include <stdint.h>
#include <xf86drm.h>

#define VIRTGPU_IOCTL(number, type) DRM_IOWR(DRM_COMMAND_BASE + (number), type)

enum virtgpu_param {
	VIRTGPU_HAS_3D_FEATURES = 1,
	VIRTGPU_HAS_RESOURCE_BLOB = 3,
	VIRTGPU_HAS_HOST_VISIBLE = 4,
	VIRTGPU_HAS_CONTEXT_INIT = 6,
	VIRTGPU_CAPSET_IDS = 7,		/* a mask */
};

struct virtgpu_getparam {
	uint64_t param;
	uint64_t value;		/* address of an int */
};
#define VIRTGPU_IOCTL_GETPARAM VIRTGPU_IOCTL(0x03, struct virtgpu_getparam)

struct virtgpu_get_caps {
	uint32_t capset_id;
	uint32_t capset_version;
	uint64_t address;
	uint32_t bytes;
	uint32_t pad;
};
static_assert(sizeof(struct virtgpu_get_caps) == 24, "Linux ABI");
#define VIRTGPU_IOCTL_GET_CAPS VIRTGPU_IOCTL(0x09, struct virtgpu_get_caps)

enum virtgpu_context_param {
	VIRTGPU_CONTEXT_CAPSET_ID = 1,
	VIRTGPU_CONTEXT_NUM_RINGS = 2,
	VIRTGPU_CONTEXT_POLL_RINGS_MASK = 3,
};
struct virtgpu_context_param_value {
	uint64_t param;
	uint64_t value;
};
struct virtgpu_context_init {
	uint32_t param_count;
	uint32_t pad;
	uint64_t params;	/* address of struct virtgpu_context_param_value[] */
};
static_assert(sizeof(struct virtgpu_context_init) == 16, "Linux ABI");
#define VIRTGPU_IOCTL_CONTEXT_INIT VIRTGPU_IOCTL(0x0b, struct virtgpu_context_init)

#define VIRTGPU_BLOB_MEM_HOST3D 2u
#define VIRTGPU_BLOB_MAPPABLE 1u
struct virtgpu_create_blob {
	uint32_t blob_mem;
	uint32_t blob_flags;
	uint32_t handle;	/* out */
	uint32_t resource;	/* out */
	uint64_t bytes;
	uint32_t pad;
	uint32_t command_bytes;
	uint64_t command;
	uint64_t blob_id;
};
static_assert(sizeof(struct virtgpu_create_blob) == 48, "Linux ABI");
#define VIRTGPU_IOCTL_CREATE_BLOB VIRTGPU_IOCTL(0x0a, struct virtgpu_create_blob)

struct virtgpu_map {
	uint64_t offset;	/* out: for mmap */
	uint32_t handle;
	uint32_t pad;
};
static_assert(sizeof(struct virtgpu_map) == 16, "Linux ABI");
#define VIRTGPU_IOCTL_MAP VIRTGPU_IOCTL(0x01, struct virtgpu_map)

#define VIRTGPU_EXECBUFFER_FENCE_FD_OUT 2u
#define VIRTGPU_EXECBUFFER_RING_IDX 4u
/* As of 5.16; newer kernels take the shorter struct, the ioctl number carries its size. */
struct virtgpu_execbuffer {
	uint32_t flags;
	uint32_t bytes;
	uint64_t command;
	uint64_t handles;
	uint32_t handle_count;
	int32_t fence_fd;	/* out */
	uint32_t ring_idx;
	uint32_t pad;
};
static_assert(sizeof(struct virtgpu_execbuffer) == 40, "Linux ABI");
#define VIRTGPU_IOCTL_EXECBUFFER VIRTGPU_IOCTL(0x02, struct virtgpu_execbuffer)

#endif
