/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space of the vGPU: what a virtio-gpu function shows, which bits can be written.
 *
 * The layout (BARs, capabilities and their offsets) is in this module alone; the bytes are in the state page.
 * Device thread only. Distrusts offsets and values of the client.
 */
#ifndef VGPU_QEMU_PCI_H
#define VGPU_QEMU_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "vgpu-qemu/state_page.h"

#define PCI_BAR_VIRTIO 0u
#define PCI_BAR_MSIX 1u
#define PCI_BAR_APERTURE 2u
#define PCI_BAR_VIRTIO_BYTES 0x4000u
#define PCI_BAR_MSIX_BYTES 0x1000u
#define PCI_BAR_APERTURE_BYTES (8ull << 30)	/* of address: a guest must place it above 4 GiB; backed far less */

/* Parts of BAR0 */
#define VIRTIO_COMMON_OFFSET 0x0000u
#define VIRTIO_ISR_OFFSET 0x1000u
#define VIRTIO_DEVICE_OFFSET 0x2000u
#define VIRTIO_NOTIFY_OFFSET 0x3000u
#define VIRTIO_PART_BYTES 0x1000u
#define VIRTIO_NOTIFY_MULTIPLIER 4u

/* Fills config as after power-on. aperture_bytes: length of the shared memory region (virtio 1.3 §4.1.4.7). */
void pci_config_init(uint8_t config[PCI_CONFIG_BYTES], uint64_t aperture_bytes);

/* Changes the writable bits among bytes; the caller has checked offset + bytes <= PCI_CONFIG_BYTES. */
void pci_config_write(uint8_t config[PCI_CONFIG_BYTES], uint32_t offset, const void *buffer, uint32_t bytes);

/* The VIRTIO PCI configuration access capability (virtio 1.3 §4.1.4.9): a window into a BAR. */
struct pci_window {
	uint8_t bar;
	uint32_t offset;
	uint32_t bytes;			/* 1, 2 or 4 */
};
/* True if an access of bytes at offset touches the window's data and the window is a valid one; fills *ret_window. */
bool pci_window_hit(const uint8_t config[PCI_CONFIG_BYTES], uint32_t offset, uint32_t bytes, struct pci_window *ret_window);
/* Where the window's four data bytes lie in the configuration space. */
uint32_t pci_window_data_offset(void);

#endif
