/* SPDX-License-Identifier: MIT */
#include "shim/transport/direct/pci.h"

#include <endian.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_pci.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_BYTES 256u
#define VENDOR_REDHAT 0x1af4u
#define DEVICE_VIRTIO_GPU 0x1050u	/* 0x1040 + device id 16, virtio 1.3 §4.1.2 */
#define COMMON_BYTES_MIN 56u		/* struct virtio_pci_common_cfg, virtio 1.3 §4.1.4.3 */

static uint16_t read_u16(const uint8_t *config, unsigned at)
{
	uint16_t value;

	memcpy(&value, config + at, sizeof(value));
	return le16toh(value);
}

static uint32_t read_u32(const uint8_t *config, unsigned at)
{
	uint32_t value;

	memcpy(&value, config + at, sizeof(value));
	return le32toh(value);
}

/* One vendor capability (virtio 1.3 §4.1.4). A later one of the same type is an alternative; the first is taken. */
static void take_virtio_capability(const uint8_t *config, unsigned at, struct pci_layout *layout)
{
	unsigned bytes = config[at + offsetof(struct virtio_pci_cap, cap_len)];
	struct pci_window window = {
		.bar = config[at + offsetof(struct virtio_pci_cap, bar)],
		.offset = read_u32(config, at + offsetof(struct virtio_pci_cap, offset)),
		.bytes = read_u32(config, at + offsetof(struct virtio_pci_cap, length)),
	};

	if (window.bar >= VFIO_USER_REGION_BAR_COUNT || bytes < sizeof(struct virtio_pci_cap) || at + bytes > CONFIG_BYTES)
		return;
	switch (config[at + offsetof(struct virtio_pci_cap, cfg_type)]) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		if (!layout->common.bytes)
			layout->common = window;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		if (!layout->device.bytes)
			layout->device = window;
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		if (layout->notify.bytes || bytes < sizeof(struct virtio_pci_notify_cap))
			break;
		layout->notify = window;
		layout->notify_multiplier = read_u32(config, at + offsetof(struct virtio_pci_notify_cap, notify_off_multiplier));
		break;
	case VIRTIO_PCI_CAP_SHARED_MEMORY_CFG:
		if (bytes < sizeof(struct virtio_pci_cap64) || layout->host_visible.bytes ||
		    config[at + offsetof(struct virtio_pci_cap, id)] != VIRTIO_GPU_SHM_ID_HOST_VISIBLE)
			break;
		window.offset |= (uint64_t)read_u32(config, at + offsetof(struct virtio_pci_cap64, offset_hi)) << 32;
		window.bytes |= (uint64_t)read_u32(config, at + offsetof(struct virtio_pci_cap64, length_hi)) << 32;
		layout->host_visible = window;
		break;
	}
}

int pci_read_layout(struct vfio_user_client *client, struct pci_layout *ret_layout, char ret_why[256])
{
	uint8_t config[CONFIG_BYTES + sizeof(struct virtio_pci_cap64)] = {0};	/* a header at the edge reads zeros */
	struct pci_layout layout = {0};
	const char *missing = NULL;
	int err = vfio_user_client_read(client, VFIO_USER_REGION_CONFIG, 0, config, CONFIG_BYTES);

	if (err) {
		snprintf(ret_why, 256, "cannot read the device's PCI configuration: %s", strerror(-err));
		return err;
	}
	if (read_u16(config, PCI_VENDOR_ID) != VENDOR_REDHAT || read_u16(config, PCI_DEVICE_ID) != DEVICE_VIRTIO_GPU) {
		snprintf(ret_why, 256, "the device behind the socket is %04x:%04x, not a virtio-gpu (%04x:%04x); use a vGPU's direct.sock",
			 read_u16(config, PCI_VENDOR_ID), read_u16(config, PCI_DEVICE_ID), VENDOR_REDHAT, DEVICE_VIRTIO_GPU);
		return -ENODEV;
	}
	unsigned at = read_u16(config, PCI_STATUS) & PCI_STATUS_CAP_LIST ? config[PCI_CAPABILITY_LIST] & ~3u : 0;
	for (unsigned hops = 0; at >= PCI_STD_HEADER_SIZEOF && hops < CONFIG_BYTES / 4; hops++) {
		if (config[at] == PCI_CAP_ID_VNDR)
			take_virtio_capability(config, at, &layout);
		else if (config[at] == PCI_CAP_ID_MSIX)
			layout.msix_capability = (uint8_t)at;
		at = config[at + 1] & ~3u;
	}
	if (layout.common.bytes < COMMON_BYTES_MIN)
		missing = "common configuration";
	else if (!layout.notify.bytes)
		missing = "notification area";
	else if (!layout.device.bytes)
		missing = "device configuration";
	else if (!layout.host_visible.bytes)
		missing = "host-visible shared memory";
	else if (!layout.msix_capability)
		missing = "MSI-X";
	if (missing) {
		snprintf(ret_why, 256, "the device has no %s capability; service and shim do not fit together", missing);
		return -ENODEV;
	}
	*ret_layout = layout;
	return 0;
}

static int set_bits(struct vfio_user_client *client, unsigned at, uint16_t bits)
{
	uint16_t value_le;
	int err = vfio_user_client_read(client, VFIO_USER_REGION_CONFIG, at, &value_le, sizeof(value_le));

	if (err)
		return err;
	value_le = htole16((uint16_t)(le16toh(value_le) | bits));
	return vfio_user_client_write(client, VFIO_USER_REGION_CONFIG, at, &value_le, sizeof(value_le));
}

int pci_enable(struct vfio_user_client *client, const struct pci_layout *layout)
{
	int err = set_bits(client, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);

	if (err)
		return err;
	return set_bits(client, layout->msix_capability + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
}
