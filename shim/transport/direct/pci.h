/* SPDX-License-Identifier: MIT */
/*
 * The device's PCI configuration space as a virtio driver reads it (virtio 1.3 §4.1): where the registers, the doorbell and
 * the shared memory lie, and MSI-X switched on.
 */
#ifndef VGPU_SHIM_TRANSPORT_DIRECT_PCI_H
#define VGPU_SHIM_TRANSPORT_DIRECT_PCI_H

#include <stdint.h>

#include "shim/transport/direct/vfio_user_client.h"

struct pci_window {
	uint8_t bar;
	uint64_t offset;
	uint64_t bytes;
};

struct pci_layout {
	struct pci_window common;
	struct pci_window notify;
	struct pci_window device;
	struct pci_window host_visible;	/* shared memory VIRTIO_GPU_SHM_ID_HOST_VISIBLE */
	uint32_t notify_multiplier;
	uint8_t msix_capability;	/* its offset in configuration space */
};

/* Reads and checks the capabilities of a virtio-gpu. 0, or -errno with the sentence. */
int pci_read_layout(struct vfio_user_client *client, struct pci_layout *ret_layout, char ret_why[256]);

/* Lets the device answer on its BARs, read our memory and raise MSI-X vectors. */
int pci_enable(struct vfio_user_client *client, const struct pci_layout *layout);

#endif
