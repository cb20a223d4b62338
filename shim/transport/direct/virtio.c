/* SPDX-License-Identifier: MIT */
#include "shim/transport/direct/virtio.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <time.h>

#define NO_VECTOR 0xffffu	/* virtio 1.3 §4.1.5.1.2 */
#define RESET_TRIES 2000	/* of 1 ms */

static int common_write(struct virtio_device *device, unsigned at, uint64_t value, uint32_t bytes)
{
	uint64_t value_le = htole64(value);

	return vfio_user_client_write(device->client, device->layout.common.bar, device->layout.common.offset + at, &value_le, bytes);
}

static int common_read(struct virtio_device *device, unsigned at, uint32_t bytes, uint64_t *ret_value)
{
	uint64_t value_le = 0;
	int err = vfio_user_client_read(device->client, device->layout.common.bar, device->layout.common.offset + at, &value_le, bytes);

	if (!err)
		*ret_value = le64toh(value_le);
	return err;
}

int virtio_status(struct virtio_device *device, uint8_t *ret_status)
{
	uint64_t status;
	int err = common_read(device, VIRTIO_PCI_COMMON_STATUS, 1, &status);

	if (!err)
		*ret_status = (uint8_t)status;
	return err;
}

int virtio_reset(struct virtio_device *device)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	uint8_t status;
	int err = common_write(device, VIRTIO_PCI_COMMON_STATUS, 0, 1);

	for (int tries = 0; !err; tries++) {
		err = virtio_status(device, &status);
		if (err || !status)
			break;
		if (tries == RESET_TRIES)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	if (!err)
		err = common_write(device, VIRTIO_PCI_COMMON_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE, 1);
	if (!err)
		err = common_write(device, VIRTIO_PCI_COMMON_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER, 1);
	return err;
}

static int offered_features(struct virtio_device *device, uint64_t *ret_offered)
{
	uint64_t half[2];

	for (unsigned i = 0; i < 2; i++) {
		int err = common_write(device, VIRTIO_PCI_COMMON_DFSELECT, i, 4);
		if (!err)
			err = common_read(device, VIRTIO_PCI_COMMON_DF, 4, &half[i]);
		if (err)
			return err;
	}
	*ret_offered = half[0] | half[1] << 32;
	return 0;
}

int virtio_negotiate(struct virtio_device *device, uint64_t required, uint64_t optional, uint64_t *ret_features)
{
	const uint8_t chosen_status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK;
	uint64_t offered, chosen;
	uint8_t status;
	int err = offered_features(device, &offered);

	if (err)
		return err;
	*ret_features = offered;
	if (required & ~offered)
		return -ENOTSUP;
	chosen = required | (offered & optional);
	for (unsigned i = 0; i < 2 && !err; i++) {
		err = common_write(device, VIRTIO_PCI_COMMON_GFSELECT, i, 4);
		if (!err)
			err = common_write(device, VIRTIO_PCI_COMMON_GF, (uint32_t)(chosen >> (32 * i)), 4);
	}
	if (!err)
		err = common_write(device, VIRTIO_PCI_COMMON_STATUS, chosen_status, 1);
	if (!err)
		err = virtio_status(device, &status);
	if (err)
		return err;
	if (!(status & VIRTIO_CONFIG_S_FEATURES_OK))
		return -ENOTSUP;
	*ret_features = chosen;
	return 0;
}

int virtio_queue_size_max(struct virtio_device *device, uint16_t index, uint16_t *ret_size)
{
	uint64_t size;
	int err = common_write(device, VIRTIO_PCI_COMMON_Q_SELECT, index, 2);

	if (!err)
		err = common_read(device, VIRTIO_PCI_COMMON_Q_SIZE, 2, &size);
	if (!err)
		*ret_size = (uint16_t)size;
	return err;
}

int virtio_queue_enable(struct virtio_device *device, uint16_t index, const struct virtio_queue_place *place, uint16_t vector,
			uint64_t *ret_notify)
{
	const struct {
		unsigned at;
		uint32_t bytes;
		uint64_t value;
	} steps[] = {
		{VIRTIO_PCI_COMMON_MSIX, 2, VIRTIO_VECTOR_CONFIG},
		{VIRTIO_PCI_COMMON_Q_SELECT, 2, index},
		{VIRTIO_PCI_COMMON_Q_SIZE, 2, place->size},
		{VIRTIO_PCI_COMMON_Q_MSIX, 2, vector},
		{VIRTIO_PCI_COMMON_Q_DESCLO, 4, (uint32_t)place->descriptors},
		{VIRTIO_PCI_COMMON_Q_DESCHI, 4, place->descriptors >> 32},
		{VIRTIO_PCI_COMMON_Q_AVAILLO, 4, (uint32_t)place->available},
		{VIRTIO_PCI_COMMON_Q_AVAILHI, 4, place->available >> 32},
		{VIRTIO_PCI_COMMON_Q_USEDLO, 4, (uint32_t)place->used},
		{VIRTIO_PCI_COMMON_Q_USEDHI, 4, place->used >> 32},
		{VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1},
	};
	uint64_t vector_taken, notify_offset, notify;
	int err = 0;

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]) && !err; i++)
		err = common_write(device, steps[i].at, steps[i].value, steps[i].bytes);
	if (!err)
		err = common_read(device, VIRTIO_PCI_COMMON_Q_MSIX, 2, &vector_taken);
	if (!err)
		err = common_read(device, VIRTIO_PCI_COMMON_Q_NOFF, 2, &notify_offset);
	if (err)
		return err;
	if (vector_taken == NO_VECTOR)
		return -EIO;
	notify = notify_offset * device->layout.notify_multiplier;
	if (notify > device->layout.notify.bytes || device->layout.notify.bytes - notify < 2)
		return -EPROTO;
	*ret_notify = device->layout.notify.offset + notify;
	return 0;
}

int virtio_driver_ok(struct virtio_device *device)
{
	return common_write(device, VIRTIO_PCI_COMMON_STATUS,
			    VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |
				    VIRTIO_CONFIG_S_DRIVER_OK, 1);
}

int virtio_notify(struct virtio_device *device, uint16_t index, uint64_t notify)
{
	uint16_t index_le = htole16(index);

	return vfio_user_client_write(device->client, device->layout.notify.bar, notify, &index_le, sizeof(index_le));
}

int virtio_config_read(struct virtio_device *device, uint32_t offset, void *buffer, uint32_t bytes)
{
	if (offset > device->layout.device.bytes || bytes > device->layout.device.bytes - offset)
		return -EINVAL;
	return vfio_user_client_read(device->client, device->layout.device.bar, device->layout.device.offset + offset, buffer, bytes);
}
