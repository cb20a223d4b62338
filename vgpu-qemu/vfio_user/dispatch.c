/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/vfio_user/dispatch.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>

#include "mdev/keeper/keeper_protocol.h"
#include "mdev/log/log.h"
#include "vgpu-qemu/device.h"
#include "vgpu-qemu/fragile.h"

#define MAX_DATA_XFER_BYTES 2048u
static_assert(sizeof(struct vfio_user_region_access) + MAX_DATA_XFER_BYTES <= REPLY_PAYLOAD_MAX, "a read fits its reply");

#define REGION_COUNT VFIO_PCI_NUM_REGIONS
#define IRQ_COUNT VFIO_PCI_NUM_IRQS

/* ---- set-up -------------------------------------------------------------------------------------------- */

static int version(struct device *device, const struct request *request, struct reply *reply)
{
	struct vfio_user_version v;
	const char *text = (const char *)request->payload + sizeof(v);
	uint32_t text_bytes = request->payload_bytes - (uint32_t)sizeof(v);
	int used;

	memcpy(&v, request->payload, sizeof(v));
	if (v.major != 0) {
		log_warning("the client speaks vfio-user %u.%u, this device 0.0", v.major, v.minor);
		return -EINVAL;
	}
	if (text_bytes && text[text_bytes - 1]) {
		log_warning("the client's VERSION has %u bytes of text without an end", text_bytes);
		return -EINVAL;
	}
	log_debug("the client's capabilities: %.*s", (int)text_bytes, text_bytes ? text : "");
	device->page->connection.negotiated = 1;
	/* write_multiple is not offered: a write is one message here. */
	v.minor = 0;
	memcpy(reply->payload, &v, sizeof(v));
	used = snprintf((char *)reply->payload + sizeof(v), REPLY_PAYLOAD_MAX - sizeof(v),
			"{\"capabilities\":{\"max_msg_fds\":%u,\"max_data_xfer_size\":%u,\"pgsizes\":4096,\"max_dma_maps\":%u}}",
			REQUEST_FDS_MAX, MAX_DATA_XFER_BYTES, DMA_SLOT_MAX);
	reply->payload_bytes = (uint32_t)sizeof(v) + (uint32_t)used + 1;
	return 0;
}

static int get_info(struct device *device, const struct request *request, struct reply *reply)
{
	struct vfio_user_device_info info;

	(void)device;
	memcpy(&info, request->payload, sizeof(info));
	if (info.argsz < sizeof(info))
		return -EINVAL;
	info.argsz = sizeof(info);
	info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = REGION_COUNT;
	info.num_irqs = IRQ_COUNT;
	memcpy(reply->payload, &info, sizeof(info));
	reply->payload_bytes = sizeof(info);
	return 0;
}

/*
 * A client asks first with argsz for the plain structure and learns from the reply how much more there is; then
 * again, and gets the sparse area and, with it only, the descriptor.
 */
static int get_region_info(struct device *device, const struct request *request, struct reply *reply)
{
	struct vfio_user_region_info info;
	struct device_region region;

	memcpy(&info, request->payload, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= REGION_COUNT)
		return -EINVAL;
	device_region(device, info.index, &region);
	uint32_t room = info.argsz;
	info.argsz = sizeof(info);
	info.flags = region.bytes ? VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE : 0;
	info.cap_offset = 0;
	info.size = region.bytes;
	info.offset = 0;
	reply->payload_bytes = sizeof(info);
	if (region.mmap_bytes) {
		struct vfio_user_sparse_mmap sparse = {
			.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP,
			.version = 1,
			.nr_areas = 1,
			.area_offset = 0,
			.area_size = region.mmap_bytes,
		};

		info.flags |= VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
		info.argsz = sizeof(info) + sizeof(sparse);
		info.cap_offset = sizeof(info);
		if (room >= info.argsz) {
			memcpy(reply->payload + sizeof(info), &sparse, sizeof(sparse));
			reply->payload_bytes = info.argsz;
			reply->fd_tag = region.fd_tag;
		}
	}
	memcpy(reply->payload, &info, sizeof(info));
	return 0;
}

static int get_irq_info(struct device *device, const struct request *request, struct reply *reply)
{
	struct vfio_user_irq_info info;

	(void)device;
	memcpy(&info, request->payload, sizeof(info));
	if (info.argsz < sizeof(info) || info.index >= IRQ_COUNT)
		return -EINVAL;
	/* QEMU warns its user about a device whose error interrupt exists but has no vector. */
	if (info.index == VFIO_PCI_ERR_IRQ_INDEX)
		return -EINVAL;
	info.argsz = sizeof(info);
	info.flags = info.index == VFIO_PCI_MSIX_IRQ_INDEX ? VFIO_IRQ_INFO_EVENTFD : 0;
	info.count = info.index == VFIO_PCI_MSIX_IRQ_INDEX ? MSIX_VECTOR_COUNT : 0;
	memcpy(reply->payload, &info, sizeof(info));
	reply->payload_bytes = sizeof(info);
	return 0;
}

/* ---- interrupts ---------------------------------------------------------------------------------------- */

static int set_eventfds(struct device *device, const struct vfio_user_irq_set *set, const struct request *request)
{
	if (request->fd_count && request->fd_count != set->count)
		return -EINVAL;
	for (uint32_t i = 0; i < set->count; i++) {
		if (!request->fd_count) {
			msix_detach(&device->msix, set->start + i);
			continue;
		}
		int error = msix_attach(&device->msix, set->start + i, request->fds[i]);
		if (error)
			return error;
	}
	return 0;
}

static int set_irqs(struct device *device, const struct request *request, struct reply *reply)
{
	struct vfio_user_irq_set set;
	const uint8_t *data = request->payload + sizeof(set);
	uint32_t data_bytes = request->payload_bytes - (uint32_t)sizeof(set);
	uint32_t type, end;

	(void)reply;
	memcpy(&set, request->payload, sizeof(set));
	type = set.flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
	if (set.argsz < sizeof(set) || set.index >= IRQ_COUNT || __builtin_add_overflow(set.start, set.count, &end))
		return -EINVAL;
	if (set.flags & ~(uint32_t)(VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK) ||
	    (set.flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) != VFIO_IRQ_SET_ACTION_TRIGGER)
		return -EINVAL; /* masking is done by the client, which attaches and detaches */
	if (end > (set.index == VFIO_PCI_MSIX_IRQ_INDEX ? MSIX_VECTOR_COUNT : 0))
		return -EINVAL;
	switch (type) {
	case VFIO_IRQ_SET_DATA_NONE:
		if (request->fd_count)
			return -EINVAL;
		if (!set.count && set.index == VFIO_PCI_MSIX_IRQ_INDEX)
			for (unsigned v = 0; v < MSIX_VECTOR_COUNT; v++)
				msix_detach(&device->msix, v);
		for (uint32_t i = 0; i < set.count; i++)
			msix_raise(&device->msix, (uint16_t)(set.start + i));
		return 0;
	case VFIO_IRQ_SET_DATA_BOOL:
		if (request->fd_count || data_bytes < set.count)
			return -EINVAL;
		for (uint32_t i = 0; i < set.count; i++)
			if (data[i])
				msix_raise(&device->msix, (uint16_t)(set.start + i));
		return 0;
	case VFIO_IRQ_SET_DATA_EVENTFD:
		return set_eventfds(device, &set, request);
	default:
		return -EINVAL;
	}
}

/* ---- guest memory ----------------------------------------------------------------------------------------- */

static int dma_map(struct device *device, const struct request *request, struct reply *reply)
{
	struct vfio_user_dma_map map;
	int error;

	(void)reply;
	memcpy(&map, request->payload, sizeof(map));
	if (map.argsz < sizeof(map) || map.flags & ~(VFIO_USER_DMA_ACCESS_READ | VFIO_USER_DMA_ACCESS_WRITE))
		return -EINVAL;
	static_assert(VFIO_USER_DMA_ACCESS_READ == DMA_SLOT_READ && VFIO_USER_DMA_ACCESS_WRITE == DMA_SLOT_WRITE, "same bits");
	error = guest_memory_map(device->memory, (struct guest_range){map.address, map.size}, map.offset, map.flags,
				 request->fd_count ? request->fds[0] : -1);
	if (error)
		log_warning("DMA_MAP of 0x%" PRIx64 "+0x%" PRIx64 " (offset 0x%" PRIx64 ", %s) was refused: %s", map.address,
			    map.size, map.offset, request->fd_count ? "with a descriptor" : "no descriptor", strerror(-error));
	return error;
}

static int dma_unmap(struct device *device, const struct request *request, struct reply *reply)
{
	struct vfio_user_dma_unmap unmap;
	int error;

	memcpy(&unmap, request->payload, sizeof(unmap));
	if (unmap.argsz < sizeof(unmap) || unmap.flags & ~VFIO_USER_DMA_UNMAP_ALL)
		return -EINVAL; /* no dirty page tracking was offered */
	if (unmap.flags & VFIO_USER_DMA_UNMAP_ALL) {
		if (unmap.address || unmap.size)
			return -EINVAL;
		guest_memory_unmap_all(device->memory);
	} else {
		error = guest_memory_unmap(device->memory, (struct guest_range){unmap.address, unmap.size});
		/* Replayed after a kill: it is gone already. */
		if (error && !(error == -ENOENT && device->page->connection.request.attempts > 1))
			return error;
	}
	memcpy(reply->payload, &unmap, sizeof(unmap));
	reply->payload_bytes = sizeof(unmap);
	return 0;
}

/* ---- regions ------------------------------------------------------------------------------------------------ */

/* Returns 0 with *ret_access if the range lies in its region. */
static int region_access(const struct device *device, const struct request *request, uint32_t data_bytes,
			 struct vfio_user_region_access *ret_access)
{
	struct vfio_user_region_access access;
	struct device_region region;
	uint64_t end;

	memcpy(&access, request->payload, sizeof(access));
	if (access.region >= REGION_COUNT || !access.count || access.count > MAX_DATA_XFER_BYTES ||
	    __builtin_add_overflow(access.offset, access.count, &end))
		return -EINVAL;
	device_region(device, access.region, &region);
	if (end > region.bytes || (data_bytes && access.count != data_bytes))
		return -EINVAL;
	*ret_access = access;
	return 0;
}

static int region_read(struct device *device, const struct request *request, struct reply *reply)
{
	struct vfio_user_region_access access;
	int error = region_access(device, request, 0, &access);

	if (error)
		return error;
	memcpy(reply->payload, &access, sizeof(access));
	device_region_read(device, access.region, access.offset, reply->payload + sizeof(access), access.count,
			   &reply->clears_isr);
	reply->payload_bytes = (uint32_t)sizeof(access) + access.count;
	return 0;
}

static int region_write(struct device *device, const struct request *request, struct reply *reply)
{
	struct vfio_user_region_access access;
	int error = region_access(device, request, request->payload_bytes - (uint32_t)sizeof(access), &access);

	if (error)
		return error;
	FRAGILE(access.region == VFIO_PCI_BAR0_REGION_INDEX && access.offset == FRAGILE_BAR0_OFFSET);
	device_region_write(device, access.region, access.offset, request->payload + sizeof(access), access.count);
	memcpy(reply->payload, &access, sizeof(access));
	reply->payload_bytes = sizeof(access);
	return 0;
}

static int reset(struct device *device, const struct request *request, struct reply *reply)
{
	(void)request;
	(void)reply;
	device_reset(device);
	return 0;
}

/* ---- the table ------------------------------------------------------------------------------------------------ */

static const struct row {
	const char *name;
	uint32_t payload_min;
	uint32_t payload_max;
	unsigned fds_max;
	int (*handler)(struct device *device, const struct request *request, struct reply *reply);
} rows[] = {
	[VFIO_USER_VERSION] = {"VERSION", 4, 4096, 0, version},
	[VFIO_USER_DMA_MAP] = {"DMA_MAP", 32, 32, 1, dma_map},
	[VFIO_USER_DMA_UNMAP] = {"DMA_UNMAP", 24, 24, 0, dma_unmap},
	[VFIO_USER_DEVICE_GET_INFO] = {"DEVICE_GET_INFO", 16, 16, 0, get_info},
	/* A client may send as much as it wants to get: capabilities included. */
	[VFIO_USER_DEVICE_GET_REGION_INFO] = {"DEVICE_GET_REGION_INFO", 32, 4096, 0, get_region_info},
	[VFIO_USER_DEVICE_GET_IRQ_INFO] = {"DEVICE_GET_IRQ_INFO", 16, 16, 0, get_irq_info},
	[VFIO_USER_DEVICE_SET_IRQS] = {"DEVICE_SET_IRQS", 20, 20 + MSIX_VECTOR_COUNT, MSIX_VECTOR_COUNT, set_irqs},
	[VFIO_USER_REGION_READ] = {"REGION_READ", 16, 16, 0, region_read},
	[VFIO_USER_REGION_WRITE] = {"REGION_WRITE", 17, 16 + MAX_DATA_XFER_BYTES, 0, region_write},
	[VFIO_USER_DEVICE_RESET] = {"DEVICE_RESET", 0, 0, 0, reset},
};

static const struct row *row_of(uint16_t command)
{
	return command < sizeof(rows) / sizeof(rows[0]) && rows[command].handler ? &rows[command] : NULL;
}

unsigned dispatch_fds_allowed(uint16_t command)
{
	const struct row *row = row_of(command);

	return row ? row->fds_max : 0;
}

int dispatch_execute(void *data, const struct request *request, struct reply *reply)
{
	struct device *device = data;
	const struct row *row = row_of(request->command);
	int error;

	if (!row) {
		log_debug("vfio-user command %u is not offered", request->command);
		return -ENOSYS;
	}
	if (request->payload_bytes < row->payload_min || request->payload_bytes > row->payload_max) {
		log_warning("vfio-user %s came with %u bytes, %u to %u are right: refused", row->name, request->payload_bytes,
			    row->payload_min, row->payload_max);
		return -EINVAL;
	}
	if (!device->page->connection.negotiated && request->command != VFIO_USER_VERSION) {
		log_warning("vfio-user %s came before VERSION: refused", row->name);
		return -EINVAL;
	}
	error = row->handler(device, request, reply);
	if (error)
		log_debug("vfio-user %s: %s", row->name, strerror(-error));
	return error;
}
