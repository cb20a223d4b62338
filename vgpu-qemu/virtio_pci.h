/* SPDX-License-Identifier: MIT */
/*
 * The modern virtio transport over PCI (virtio 1.3 §4.1): BAR0 and the device's status.
 *
 * Its registers are virtio_state in the state page. Device thread only. Distrusts every register written; what cannot
 * be repaired sets DEVICE_NEEDS_RESET, costs the guest this device until it resets it, and is logged.
 */
#ifndef VGPU_QEMU_VIRTIO_PCI_H
#define VGPU_QEMU_VIRTIO_PCI_H

#include <stdbool.h>

#include "vgpu-qemu/msix.h"
#include "vgpu-qemu/state_page.h"
#include "vgpu-qemu/virtio_gpu/virtio_gpu.h"
#include "vgpu-qemu/virtqueue_run.h"

struct virtio_pci {
	struct virtio_state *state;
	struct msix *msix;
	struct guest_memory *memory;
	struct virtqueue *queue[VIRTIO_QUEUE_COUNT];
	struct virtio_gpu *gpu;
	uint32_t kicked;		/* bit per queue to run; a takeover looks at all */
	uint32_t stale_checked;		/* bit per queue */
};

/* The features this build offers; kept in the state page from the start of a connection. */
uint64_t virtio_pci_features(void);

/* Makes the queues; gpu is set by the caller afterwards. Borrows what the struct points to. 0 or -errno. */
int virtio_pci_init(struct virtio_pci *virtio);
void virtio_pci_finish(struct virtio_pci *virtio);

/* BAR0. The caller has checked offset + bytes <= PCI_BAR_VIRTIO_BYTES. *ret_clears_isr is set if the read reached the
 * ISR status, which the caller clears once the reply is safe. */
void virtio_pci_read(struct virtio_pci *virtio, uint32_t offset, void *buffer, uint32_t bytes, bool *ret_clears_isr);
void virtio_pci_write(struct virtio_pci *virtio, uint32_t offset, const void *buffer, uint32_t bytes);

/* virtio 1.3 §2.4 */
void virtio_pci_reset(struct virtio_pci *virtio);

/* Finishes what a killed process began and looks at all queues. */
void virtio_pci_recover(struct virtio_pci *virtio);
/* Runs the kicked queues for a bounded time. True if there is more to do. */
bool virtio_pci_run(struct virtio_pci *virtio);

#endif
