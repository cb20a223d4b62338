/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/virtio_pci.h"

#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/dma.h"
#include "vgpu-qemu/pci.h"
#include "vgpu-qemu/test_point.h"

#define ISR_QUEUE 1u	/* virtio 1.3 §4.1.4.5 */
#define ISR_CONFIG 2u
#define RUN_BUDGET 64u	/* elements of a queue before the loop looks at other events */

#define STATUS_FROM_DRIVER (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_DRIVER_OK | \
			    VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_FAILED)

static const char *const queue_names[VIRTIO_QUEUE_COUNT] = {"control queue", "cursor queue"};

uint64_t virtio_pci_features(void)
{
	return 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_INDIRECT_DESC | virtio_gpu_features();
}

/* ---- telling the guest ---------------------------------------------------------------------------- */

static void interrupt(void *data, struct virtqueue *queue)
{
	struct virtio_pci *virtio = data;

	virtio->state->isr |= ISR_QUEUE;
	for (unsigned i = 0; i < VIRTIO_QUEUE_COUNT; i++)
		if (virtio->queue[i] == queue)
			msix_raise(virtio->msix, virtio->state->queue[i].vector);
}

/* virtio 1.3 §2.1.2: the device is lost to this driver until it resets it. */
static void needs_reset(struct virtio_pci *virtio)
{
	if (virtio->state->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	virtio->state->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (!(virtio->state->status & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	virtio->state->config_generation++;
	virtio->state->isr |= ISR_CONFIG;
	msix_raise(virtio->msix, virtio->state->config_vector);
}

static void broken(void *data, struct virtqueue *queue, const char *reason)
{
	struct virtio_pci *virtio = data;

	for (unsigned i = 0; i < VIRTIO_QUEUE_COUNT; i++)
		if (virtio->queue[i] == queue)
			log_warning("the guest broke its %s: %s; the device waits for a reset", queue_names[i], reason);
	needs_reset(virtio);
}

/* ---- life -------------------------------------------------------------------------------------------- */

int virtio_pci_init(struct virtio_pci *virtio)
{
	for (unsigned i = 0; i < VIRTIO_QUEUE_COUNT; i++) {
		struct virtqueue_wiring wiring = {
			.state = &virtio->state->queue[i],
			.memory = virtio->memory,
			.handler = i == 0 ? virtio_gpu_control : virtio_gpu_cursor,
			.interrupt = interrupt,
			.broken = broken,
			.data = virtio,
			.name = queue_names[i],
		};
		int error = virtqueue_create(&wiring, &virtio->queue[i]);

		if (error) {
			virtio_pci_finish(virtio);
			return error;
		}
	}
	return 0;
}

void virtio_pci_finish(struct virtio_pci *virtio)
{
	for (unsigned i = 0; i < VIRTIO_QUEUE_COUNT; i++) {
		virtqueue_destroy(virtio->queue[i]);
		virtio->queue[i] = NULL;
	}
}

void virtio_pci_reset(struct virtio_pci *virtio)
{
	struct virtio_state *s = virtio->state;

	/* Queues first: from here on nothing is completed into the guest's memory. */
	for (unsigned i = 0; i < VIRTIO_QUEUE_COUNT; i++)
		virtqueue_reset(virtio->queue[i]);
	TEST_POINT("reset");
	virtio_gpu_reset(virtio->gpu);
	s->driver_features = 0;
	s->device_feature_select = 0;
	s->driver_feature_select = 0;
	s->config_vector = VIRTQUEUE_NO_VECTOR;
	s->queue_select = 0;
	s->isr = 0;
	s->config_generation = 0;
	virtio->kicked = 0;
	virtio->stale_checked = 0;
	/* Last: a reset cut short by a kill is seen as not begun, and done again with the request that asked for it. */
	state_barrier();
	s->status = 0;
}

static bool may_run(const struct virtio_state *s)
{
	return s->status & VIRTIO_CONFIG_S_DRIVER_OK &&
	       !(s->status & (VIRTIO_CONFIG_S_NEEDS_RESET | VIRTIO_CONFIG_S_FAILED));
}

void virtio_pci_recover(struct virtio_pci *virtio)
{
	if (!may_run(virtio->state))
		return;
	for (unsigned i = 0; i < VIRTIO_QUEUE_COUNT; i++) {
		virtqueue_recover(virtio->queue[i]);
		virtio->kicked |= 1u << i;
	}
	virtio->state->isr |= ISR_QUEUE;
	msix_raise_all(virtio->msix);
}

bool virtio_pci_run(struct virtio_pci *virtio)
{
	for (unsigned i = 0; i < VIRTIO_QUEUE_COUNT; i++) {
		if (!(virtio->kicked >> i & 1))
			continue;
		if (!may_run(virtio->state)) {
			virtio->kicked = 0;
			break;
		}
		if (!virtqueue_run(virtio->queue[i], RUN_BUDGET))
			virtio->kicked &= ~(1u << i);
	}
	return virtio->kicked;
}

/* ---- registers ---------------------------------------------------------------------------------------- */

static uint32_t half(uint64_t value, uint32_t select)
{
	return select == 0 ? (uint32_t)value : select == 1 ? (uint32_t)(value >> 32) : 0;
}

static void common_read(struct virtio_pci *virtio, uint32_t offset, uint8_t *to, uint32_t bytes)
{
	const struct virtio_state *s = virtio->state;
	struct virtio_pci_common_cfg c = {
		.device_feature_select = htole32(s->device_feature_select),
		.device_feature = htole32(half(s->offered_features, s->device_feature_select)),
		.guest_feature_select = htole32(s->driver_feature_select),
		.guest_feature = htole32(half(s->driver_features, s->driver_feature_select)),
		.msix_config = htole16(s->config_vector),
		.num_queues = htole16(VIRTIO_QUEUE_COUNT),
		.device_status = s->status,
		.config_generation = s->config_generation,
		.queue_select = htole16(s->queue_select),
	};

	if (s->queue_select < VIRTIO_QUEUE_COUNT) {
		const struct virtqueue_state *q = &s->queue[s->queue_select];
		c.queue_size = htole16(q->size);
		c.queue_msix_vector = htole16(q->vector);
		c.queue_enable = htole16(q->enabled);
		c.queue_notify_off = htole16(s->queue_select);
		c.queue_desc_lo = htole32((uint32_t)q->descriptor_address);
		c.queue_desc_hi = htole32((uint32_t)(q->descriptor_address >> 32));
		c.queue_avail_lo = htole32((uint32_t)q->driver_address);
		c.queue_avail_hi = htole32((uint32_t)(q->driver_address >> 32));
		c.queue_used_lo = htole32((uint32_t)q->device_address);
		c.queue_used_hi = htole32((uint32_t)(q->device_address >> 32));
	}
	for (uint32_t i = 0; i < bytes; i++)
		to[i] = offset + i < sizeof(c) ? ((const uint8_t *)&c)[offset + i] : 0;
}

static void status_write(struct virtio_pci *virtio, uint8_t value)
{
	struct virtio_state *s = virtio->state;
	uint8_t gained;

	if (!value) {
		virtio_pci_reset(virtio);
		return;
	}
	gained = (uint8_t)(value & STATUS_FROM_DRIVER & ~s->status);
	if (gained & VIRTIO_CONFIG_S_FEATURES_OK &&
	    (s->driver_features & ~s->offered_features || !(s->driver_features >> VIRTIO_F_VERSION_1 & 1))) {
		log_warning("the guest's driver chose features 0x%llx, offered are 0x%llx with VERSION_1 required: refused",
			    (unsigned long long)s->driver_features, (unsigned long long)s->offered_features);
		gained &= (uint8_t)~VIRTIO_CONFIG_S_FEATURES_OK;
	}
	if (gained & VIRTIO_CONFIG_S_DRIVER_OK && !((s->status | gained) & VIRTIO_CONFIG_S_FEATURES_OK)) {
		log_warning("the guest's driver skipped feature negotiation: refused");
		gained &= (uint8_t)~VIRTIO_CONFIG_S_DRIVER_OK;
	}
	/* A driver clears no bit but by a reset (virtio 1.3 §2.1.1). */
	s->status |= gained;
	if (gained & VIRTIO_CONFIG_S_DRIVER_OK)
		log_info("the guest's driver is ready, features 0x%llx", (unsigned long long)s->driver_features);
}

static void queue_enable(struct virtio_pci *virtio, unsigned index)
{
	const struct virtqueue_state *q = &virtio->state->queue[index];
	const char *reason;

	if (q->enabled)
		return; /* written again, or replayed after a kill */
	if (!(virtio->state->status & VIRTIO_CONFIG_S_FEATURES_OK))
		reason = "features were not negotiated before";
	else if (!virtqueue_enable(virtio->queue[index], &reason))
		return;
	log_warning("the guest's %s cannot be used: %s%s", queue_names[index], reason,
		    guest_memory_lacks_descriptor(virtio->memory, q->descriptor_address)
			    ? "; its RAM came without a descriptor: start QEMU with a shared memory-backend-memfd "
			      "(share=on)"
			    : "");
	needs_reset(virtio);
}

static void put_low(uint64_t *value, uint32_t low)
{
	*value = (*value & ~0xffffffffull) | low;
}

static void put_high(uint64_t *value, uint32_t high)
{
	*value = (*value & 0xffffffffull) | (uint64_t)high << 32;
}

static uint16_t checked_vector(uint16_t vector)
{
	return vector < MSIX_VECTOR_COUNT ? vector : VIRTQUEUE_NO_VECTOR;
}

static void queue_register_write(struct virtio_pci *virtio, uint32_t offset, uint32_t value)
{
	struct virtqueue_state *q = &virtio->state->queue[virtio->state->queue_select];

	if (offset == VIRTIO_PCI_COMMON_Q_MSIX) {
		q->vector = checked_vector((uint16_t)value);
		return;
	}
	if (offset == VIRTIO_PCI_COMMON_Q_ENABLE) {
		if (value == 1)
			queue_enable(virtio, virtio->state->queue_select);
		return;
	}
	/* virtio 1.3 §4.1.4.3.2: the rest is not changed while the queue is enabled. */
	if (q->enabled)
		return;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		if (value && value <= VIRTQUEUE_SIZE_MAX && !(value & (value - 1)))
			q->size = (uint16_t)value;
		else
			log_warning("the guest asked for a queue of %u: it stays at %u", value, q->size);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		put_low(&q->descriptor_address, value);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		put_high(&q->descriptor_address, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		put_low(&q->driver_address, value);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		put_high(&q->driver_address, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		put_low(&q->device_address, value);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		put_high(&q->device_address, value);
		break;
	default:
		break;
	}
}

/* One register, written whole: virtio 1.3 §4.1.3.1 lets a driver use no other width (64-bit ones as two halves). */
static void common_write(struct virtio_pci *virtio, uint32_t offset, uint32_t value, uint32_t bytes)
{
	static const uint8_t widths[] = {
		[VIRTIO_PCI_COMMON_DFSELECT] = 4, [VIRTIO_PCI_COMMON_GFSELECT] = 4, [VIRTIO_PCI_COMMON_GF] = 4,
		[VIRTIO_PCI_COMMON_MSIX] = 2,	  [VIRTIO_PCI_COMMON_STATUS] = 1,   [VIRTIO_PCI_COMMON_Q_SELECT] = 2,
		[VIRTIO_PCI_COMMON_Q_SIZE] = 2,	  [VIRTIO_PCI_COMMON_Q_MSIX] = 2,   [VIRTIO_PCI_COMMON_Q_ENABLE] = 2,
		[VIRTIO_PCI_COMMON_Q_DESCLO] = 4, [VIRTIO_PCI_COMMON_Q_DESCHI] = 4, [VIRTIO_PCI_COMMON_Q_AVAILLO] = 4,
		[VIRTIO_PCI_COMMON_Q_AVAILHI] = 4, [VIRTIO_PCI_COMMON_Q_USEDLO] = 4, [VIRTIO_PCI_COMMON_Q_USEDHI] = 4,
	};
	struct virtio_state *s = virtio->state;

	if (offset >= sizeof(widths) || widths[offset] != bytes) {
		log_debug("a write of %u bytes to virtio register 0x%x: ignored", bytes, offset);
		return;
	}
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		s->device_feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		s->driver_feature_select = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		if (s->status & VIRTIO_CONFIG_S_FEATURES_OK)
			break;
		if (s->driver_feature_select == 0)
			put_low(&s->driver_features, value);
		else if (s->driver_feature_select == 1)
			put_high(&s->driver_features, value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		s->config_vector = checked_vector((uint16_t)value);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		status_write(virtio, (uint8_t)value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		s->queue_select = (uint16_t)value;
		break;
	default:
		if (s->queue_select < VIRTIO_QUEUE_COUNT)
			queue_register_write(virtio, offset, value);
	}
}

/*
 * With memory-backend-memfd,share=off QEMU passes a descriptor all the same, but works on a private copy: the file
 * reads as zero for ever. A driver that rings a doorbell has put something into its ring before (virtio 1.3 §2.7.13);
 * if table and available ring are all zero, the two sides do not share memory. Looked at with the first doorbell only.
 */
static void check_stale(struct virtio_pci *virtio, unsigned index)
{
	if (virtio->stale_checked >> index & 1)
		return;
	virtio->stale_checked |= 1u << index;
	if (virtqueue_looks_stale(virtio->queue[index]))
		log_error("the guest rang for its %s, but its RAM reads as zero here: QEMU's memory backend is private; "
			  "start QEMU with -object memory-backend-memfd,id=ram0,size=SIZE,share=on -machine "
			  "q35,memory-backend=ram0",
			  queue_names[index]);
}

static void notify(struct virtio_pci *virtio, uint32_t offset)
{
	uint32_t index = offset / VIRTIO_NOTIFY_MULTIPLIER;

	if (index >= VIRTIO_QUEUE_COUNT || !virtio->state->queue[index].enabled)
		return;
	check_stale(virtio, index);
	virtio->kicked |= 1u << index; /* run after the reply, see device.c */
}

void virtio_pci_read(struct virtio_pci *virtio, uint32_t offset, void *buffer, uint32_t bytes, bool *ret_clears_isr)
{
	uint8_t *to = buffer;

	while (bytes) {
		uint32_t inside = offset % VIRTIO_PART_BYTES;
		uint32_t part = VIRTIO_PART_BYTES - inside < bytes ? VIRTIO_PART_BYTES - inside : bytes;

		memset(to, 0, part);
		switch (offset - inside) {
		case VIRTIO_COMMON_OFFSET:
			common_read(virtio, inside, to, part);
			break;
		case VIRTIO_ISR_OFFSET:
			if (inside == 0) {
				to[0] = virtio->state->isr;
				*ret_clears_isr = true;
			}
			break;
		case VIRTIO_DEVICE_OFFSET:
			virtio_gpu_config_read(virtio->gpu, inside, to, part);
			break;
		default:
			break;
		}
		to += part;
		offset += part;
		bytes -= part;
	}
}

void virtio_pci_write(struct virtio_pci *virtio, uint32_t offset, const void *buffer, uint32_t bytes)
{
	uint32_t inside = offset % VIRTIO_PART_BYTES;
	uint32_t low = 0, high = 0;

	if (inside + bytes > VIRTIO_PART_BYTES) {
		log_debug("a write of %u bytes at 0x%x of BAR0 crosses parts: ignored", bytes, offset);
		return;
	}
	switch (offset - inside) {
	case VIRTIO_COMMON_OFFSET:
		if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)
			return;
		memcpy(&low, buffer, bytes < 4 ? bytes : 4);
		common_write(virtio, inside, le32toh(low), bytes == 8 ? 4 : bytes);
		if (bytes == 8) {
			memcpy(&high, (const uint8_t *)buffer + 4, 4);
			common_write(virtio, inside + 4, le32toh(high), 4);
		}
		break;
	case VIRTIO_DEVICE_OFFSET:
		virtio_gpu_config_write(virtio->gpu, inside, buffer, bytes);
		break;
	case VIRTIO_NOTIFY_OFFSET:
		notify(virtio, inside);
		break;
	default:
		break;
	}
}
