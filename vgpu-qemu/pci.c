/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/pci.h"

#include <endian.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <string.h>

/* ---- the layout ------------------------------------------------------------------------------------ */

#define VENDOR_VIRTIO 0x1af4u
#define DEVICE_VIRTIO_GPU 0x1050u	/* 0x1040 + 16, virtio 1.3 §4.1.2, §5 */
#define CLASS_DISPLAY_OTHER 0x038000u
#define SUBSYSTEM 0x1100u

/* In the order of the chain. Nothing else names these offsets, so a layout with other ones is a change here only. */
enum capability {
	CAPABILITY_COMMON,
	CAPABILITY_ISR,
	CAPABILITY_DEVICE,
	CAPABILITY_NOTIFY,
	CAPABILITY_WINDOW,
	CAPABILITY_SHARED_MEMORY,
	CAPABILITY_MSIX,
	CAPABILITY_COUNT
};
static const struct {
	uint8_t offset;
	uint8_t id;
	uint8_t bytes;
} capabilities[CAPABILITY_COUNT] = {
	[CAPABILITY_COMMON] = {0x40, PCI_CAP_ID_VNDR, 16},
	[CAPABILITY_ISR] = {0x50, PCI_CAP_ID_VNDR, 16},
	[CAPABILITY_DEVICE] = {0x60, PCI_CAP_ID_VNDR, 16},
	[CAPABILITY_NOTIFY] = {0x70, PCI_CAP_ID_VNDR, 20},
	[CAPABILITY_WINDOW] = {0x84, PCI_CAP_ID_VNDR, 20},
	[CAPABILITY_SHARED_MEMORY] = {0x98, PCI_CAP_ID_VNDR, 24},
	[CAPABILITY_MSIX] = {0xb0, PCI_CAP_ID_MSIX, 12},
};
#define WINDOW_BAR 4u			/* inside struct virtio_pci_cap (virtio 1.3 §4.1.4) */
#define WINDOW_OFFSET 8u
#define WINDOW_BYTES 12u
#define WINDOW_DATA 16u
#define SHARED_MEMORY_ID_HOST_VISIBLE 1u	/* virtio 1.3 §5.7.2 */

static void put_le16(uint8_t *at, uint16_t value)
{
	value = htole16(value);
	memcpy(at, &value, sizeof(value));
}

static void put_le32(uint8_t *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static uint32_t get_le32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

/* A virtio capability (virtio 1.3 §4.1.4): where in which BAR a part of the device lies. */
static void put_virtio(uint8_t *config, enum capability which, uint8_t type, uint8_t bar, uint32_t offset, uint32_t bytes)
{
	uint8_t *at = config + capabilities[which].offset;

	at[2] = capabilities[which].bytes;
	at[3] = type;
	at[4] = bar;
	put_le32(at + 8, offset);
	put_le32(at + 12, bytes);
}

void pci_config_init(uint8_t config[PCI_CONFIG_BYTES], uint64_t aperture_bytes)
{
	uint8_t *at;

	memset(config, 0, PCI_CONFIG_BYTES);
	put_le16(config + PCI_VENDOR_ID, VENDOR_VIRTIO);
	put_le16(config + PCI_DEVICE_ID, DEVICE_VIRTIO_GPU);
	put_le16(config + PCI_STATUS, PCI_STATUS_CAP_LIST);
	put_le32(config + PCI_CLASS_REVISION, CLASS_DISPLAY_OTHER << 8 | 1);
	put_le32(config + PCI_BASE_ADDRESS_2, PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH);
	put_le16(config + PCI_SUBSYSTEM_VENDOR_ID, VENDOR_VIRTIO);
	put_le16(config + PCI_SUBSYSTEM_ID, SUBSYSTEM);
	config[PCI_CAPABILITY_LIST] = capabilities[0].offset;
	for (unsigned i = 0; i < CAPABILITY_COUNT; i++) {
		config[capabilities[i].offset] = capabilities[i].id;
		config[capabilities[i].offset + 1] = i + 1 < CAPABILITY_COUNT ? capabilities[i + 1].offset : 0;
	}

	put_virtio(config, CAPABILITY_COMMON, VIRTIO_PCI_CAP_COMMON_CFG, PCI_BAR_VIRTIO, VIRTIO_COMMON_OFFSET,
		   VIRTIO_PART_BYTES);
	put_virtio(config, CAPABILITY_ISR, VIRTIO_PCI_CAP_ISR_CFG, PCI_BAR_VIRTIO, VIRTIO_ISR_OFFSET, VIRTIO_PART_BYTES);
	put_virtio(config, CAPABILITY_DEVICE, VIRTIO_PCI_CAP_DEVICE_CFG, PCI_BAR_VIRTIO, VIRTIO_DEVICE_OFFSET,
		   VIRTIO_PART_BYTES);
	put_virtio(config, CAPABILITY_NOTIFY, VIRTIO_PCI_CAP_NOTIFY_CFG, PCI_BAR_VIRTIO, VIRTIO_NOTIFY_OFFSET,
		   VIRTIO_PART_BYTES);
	put_le32(config + capabilities[CAPABILITY_NOTIFY].offset + 16, VIRTIO_NOTIFY_MULTIPLIER);
	put_virtio(config, CAPABILITY_WINDOW, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0);
	put_virtio(config, CAPABILITY_SHARED_MEMORY, VIRTIO_PCI_CAP_SHARED_MEMORY_CFG, PCI_BAR_APERTURE, 0,
		   (uint32_t)aperture_bytes);
	at = config + capabilities[CAPABILITY_SHARED_MEMORY].offset;
	at[5] = SHARED_MEMORY_ID_HOST_VISIBLE;
	put_le32(at + 20, (uint32_t)(aperture_bytes >> 32));

	at = config + capabilities[CAPABILITY_MSIX].offset;
	put_le16(at + PCI_MSIX_FLAGS, MSIX_VECTOR_COUNT - 1);
	put_le32(at + PCI_MSIX_TABLE, 0x0 | PCI_BAR_MSIX);
	put_le32(at + PCI_MSIX_PBA, 0x800 | PCI_BAR_MSIX);
}

/* ---- access ---------------------------------------------------------------------------------------- */

/* What the client may change; everything else is read-only (PCI Local Bus 3.0 §6.1). QEMU emulates the BARs itself;
 * a direct client sizes them here. */
static uint8_t writable_bits(uint32_t offset)
{
	const uint32_t window = capabilities[CAPABILITY_WINDOW].offset;
	static const uint8_t bars[24] = {
		0x00, 0xc0, 0xff, 0xff,	/* BAR0: 16 KiB */
		0x00, 0xf0, 0xff, 0xff,	/* BAR1: 4 KiB */
		0x00, 0x00, 0x00, 0x00,	/* BAR2 and 3: 8 GiB */
		0xfe, 0xff, 0xff, 0xff,
	};

	if (offset == PCI_COMMAND)
		return PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	if (offset == PCI_COMMAND + 1)
		return (PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE) >> 8;
	if (offset == PCI_CACHE_LINE_SIZE || offset == PCI_LATENCY_TIMER || offset == PCI_INTERRUPT_LINE)
		return 0xff;
	if (offset >= PCI_BASE_ADDRESS_0 && offset < PCI_BASE_ADDRESS_0 + sizeof(bars))
		return bars[offset - PCI_BASE_ADDRESS_0];
	if (offset == window + WINDOW_BAR || (offset >= window + WINDOW_OFFSET && offset < window + WINDOW_DATA))
		return 0xff;
	if (offset == capabilities[CAPABILITY_MSIX].offset + PCI_MSIX_FLAGS + 1u)
		return (PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >> 8;
	return 0;
}

void pci_config_write(uint8_t config[PCI_CONFIG_BYTES], uint32_t offset, const void *buffer, uint32_t bytes)
{
	const uint8_t *from = buffer;

	for (uint32_t i = 0; i < bytes; i++) {
		uint8_t mask = writable_bits(offset + i);
		config[offset + i] = (uint8_t)((config[offset + i] & ~mask) | (from[i] & mask));
	}
}

uint32_t pci_window_data_offset(void)
{
	return capabilities[CAPABILITY_WINDOW].offset + WINDOW_DATA;
}

bool pci_window_hit(const uint8_t config[PCI_CONFIG_BYTES], uint32_t offset, uint32_t bytes, struct pci_window *ret_window)
{
	const uint8_t *at = config + capabilities[CAPABILITY_WINDOW].offset;
	const uint32_t data = pci_window_data_offset();
	struct pci_window window = {at[WINDOW_BAR], get_le32(at + WINDOW_OFFSET), get_le32(at + WINDOW_BYTES)};

	if (offset >= data + 4 || offset + bytes <= data)
		return false;
	/* virtio 1.3 §4.1.4.9.1: cap.length is 1, 2 or 4, and cap.offset a multiple of it. */
	if ((window.bytes != 1 && window.bytes != 2 && window.bytes != 4) || window.offset % window.bytes)
		return false;
	*ret_window = window;
	return true;
}
