/* SPDX-License-Identifier: MIT */
/*
 * One vGPU as one client sees it: joins the parts of vgpu-device and runs their event loop.
 *
 * main/device.c makes one. Single-threaded; nothing in it waits for the GPU, an engine or the guest.
 */
#ifndef VGPU_QEMU_DEVICE_H
#define VGPU_QEMU_DEVICE_H

#include "vgpu-qemu/dma.h"
#include "vgpu-qemu/keeper_link.h"
#include "vgpu-qemu/msix.h"
#include "vgpu-qemu/state_page.h"
#include "vgpu-qemu/vfio_user/request_log.h"
#include "vgpu-qemu/virtio_gpu/virtio_gpu.h"
#include "vgpu-qemu/virtio_pci.h"

/* From the command line and config.json. */
struct device_options {
	const char *dir;
	uint32_t slot;
	const char *keeper_program;	/* NULL: none is started */
	uint32_t max_contexts;
	uint64_t slack_bytes;
	uint64_t engine_idle_ms;
};

struct device {
	struct device_options options;
	int epoll_fd;
	int connection_fd;		/* borrowed from the keeper link, as all descriptors below */
	int aperture_fd;
	uint64_t aperture_bytes;
	struct state_page *page;
	uint64_t generation;
	struct vgpu_page *vgpu_page;
	struct keeper_link *keeper;
	struct guest_memory *memory;
	struct msix msix;
	struct virtio_pci virtio;
	struct virtio_gpu *gpu;
	struct vfio_user_connection *connection;
	bool connection_ended;
};

/* Runs the device from keeper_socket (taken) until its connection ends. Returns an enum device_exit. */
int device_run(const struct device_options *options, int keeper_socket);

/* ---- for vfio_user/dispatch.c ------------------------------------------------------------------------ */

struct device_region {
	uint64_t bytes;			/* 0: there is no such region */
	uint64_t mmap_bytes;		/* from its start; 0: none */
	uint32_t fd_tag;		/* of the file behind the mmappable part */
};
void device_region(const struct device *device, uint32_t index, struct device_region *ret_region);

/* The caller has checked that the range lies in the region. */
void device_region_read(struct device *device, uint32_t index, uint64_t offset, void *buffer, uint32_t bytes,
			bool *ret_clears_isr);
void device_region_write(struct device *device, uint32_t index, uint64_t offset, const void *buffer, uint32_t bytes);

/* Function-level reset, as after power-on; mappings of guest memory and eventfds stay. */
void device_reset(struct device *device);

#endif
