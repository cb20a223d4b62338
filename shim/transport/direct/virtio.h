/* SPDX-License-Identifier: MIT */
/*
 * The common configuration of a virtio device over PCI (virtio 1.3 §4.1.4.3): the steps of initialisation, §3.1.1.
 * Called by the one thread that sets the connection up; virtio_notify by any.
 */
#ifndef VGPU_SHIM_TRANSPORT_DIRECT_VIRTIO_H
#define VGPU_SHIM_TRANSPORT_DIRECT_VIRTIO_H

#include <stdint.h>

#include "shim/transport/direct/pci.h"

#define VIRTIO_VECTOR_CONFIG 0
#define VIRTIO_VECTOR_CONTROL 1
#define VIRTIO_VECTOR_COUNT 2

struct virtio_device {
	struct vfio_user_client *client;	/* borrowed */
	struct pci_layout layout;
};

/* Where a queue lies, on the bus. */
struct virtio_queue_place {
	uint16_t size;
	uint64_t descriptors;
	uint64_t available;
	uint64_t used;
};

/* Resets it and waits until it says so; then ACKNOWLEDGE and DRIVER. 0, -ENODEV, -ETIMEDOUT. */
int virtio_reset(struct virtio_device *device);
/* Takes `required`, and what it offers of `optional`, up to FEATURES_OK. -ENOTSUP with *ret_features (also then what the
 * device offers) if something required is missing or it refuses the choice. */
int virtio_negotiate(struct virtio_device *device, uint64_t required, uint64_t optional, uint64_t *ret_features);
/* The largest size queue `index` may have; 0: no such queue. */
int virtio_queue_size_max(struct virtio_device *device, uint16_t index, uint16_t *ret_size);
/* Sets queue `index` up and enables it. *ret_notify: where its doorbell lies in the notify BAR. */
int virtio_queue_enable(struct virtio_device *device, uint16_t index, const struct virtio_queue_place *place, uint16_t vector,
			uint64_t *ret_notify);
int virtio_driver_ok(struct virtio_device *device);
int virtio_status(struct virtio_device *device, uint8_t *ret_status);
/* One socket round trip. */
int virtio_notify(struct virtio_device *device, uint16_t index, uint64_t notify);
int virtio_config_read(struct virtio_device *device, uint32_t offset, void *buffer, uint32_t bytes);

#endif
