/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/virtqueue_run.h"

#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/state_page.h"
#include "vgpu-qemu/test_point.h"

/* virtio 1.3 §2.7.5 */
#define DESCRIPTOR_NEXT 1u
#define DESCRIPTOR_WRITE 2u
#define DESCRIPTOR_INDIRECT 4u
struct descriptor {
	uint64_t address_le;
	uint32_t bytes_le;
	uint16_t flags_le;
	uint16_t next_le;
};
static_assert(sizeof(struct descriptor) == 16, "guest ABI");

/* virtio 1.3 §2.7.6, §2.7.8: offsets in the rings */
#define AVAILABLE_FLAGS 0u
#define AVAILABLE_INDEX 2u
#define AVAILABLE_RING 4u
#define AVAILABLE_NO_INTERRUPT 1u
#define USED_INDEX 2u
#define USED_RING 4u
struct used_element {
	uint32_t head_le;
	uint32_t written_le;
};
static_assert(sizeof(struct used_element) == 8, "guest ABI");

#define CHAIN_BYTES_MAX (1ull << 32)	/* virtio 1.3 §2.7.4.3: a chain is no longer than 2^32 bytes */
#define ATTEMPTS_MAX 2u			/* processes that may die of one element */

struct virtqueue {
	struct virtqueue_wiring wiring;
	void *handler_data;
	struct virtqueue_element element;	/* the one being handled; large, so not on the stack */
};

int virtqueue_create(const struct virtqueue_wiring *wiring, struct virtqueue **ret_queue)
{
	struct virtqueue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	queue->wiring = *wiring;
	*ret_queue = queue;
	return 0;
}

void virtqueue_set_handler_data(struct virtqueue *queue, void *data)
{
	queue->handler_data = data;
}

void virtqueue_destroy(struct virtqueue *queue)
{
	free(queue);
}

static bool outstanding(const struct virtqueue_state *state, uint16_t head)
{
	return state->outstanding[head / 64] >> (head % 64) & 1;
}

static void set_outstanding(struct virtqueue_state *state, uint16_t head, bool value)
{
	uint64_t bit = 1ull << (head % 64);

	if (value)
		state->outstanding[head / 64] |= bit;
	else
		state->outstanding[head / 64] &= ~bit;
}

static void broken(struct virtqueue *queue, const char *reason)
{
	queue->wiring.broken(queue->wiring.data, queue, reason);
}

/* ---- set-up ---------------------------------------------------------------------------------------- */

int virtqueue_enable(struct virtqueue *queue, const char **ret_reason)
{
	struct virtqueue_state *s = queue->wiring.state;
	struct guest_memory *memory = queue->wiring.memory;

	if (!s->size || s->size > VIRTQUEUE_SIZE_MAX || s->size & (s->size - 1)) {
		*ret_reason = "its size is not a power of two up to 256";
		return -EINVAL;
	}
	if (s->descriptor_address % 16 || s->driver_address % 2 || s->device_address % 4) {
		*ret_reason = "an address is not aligned as virtio 1.3 §2.7 demands";
		return -EINVAL;
	}
	if (!guest_memory_covers(memory, (struct guest_range){s->descriptor_address, 16ull * s->size}, false) ||
	    !guest_memory_covers(memory, (struct guest_range){s->driver_address, 4 + 2ull * s->size}, false) ||
	    !guest_memory_covers(memory, (struct guest_range){s->device_address, 4 + 8ull * s->size}, true)) {
		*ret_reason = "it lies outside the guest memory the vGPU can reach";
		return -EFAULT;
	}
	s->last_available = 0;
	s->used_index = 0;
	memset(&s->taken, 0, sizeof(s->taken));
	memset(&s->done, 0, sizeof(s->done));
	memset(s->outstanding, 0, sizeof(s->outstanding));
	state_barrier();
	s->enabled = 1;
	return 0;
}

void virtqueue_reset(struct virtqueue *queue)
{
	struct virtqueue_state *s = queue->wiring.state;
	uint64_t serial = s->serial;

	s->enabled = 0;
	state_barrier();
	memset(s, 0, sizeof(*s));
	s->serial = serial;	/* serials never repeat in a connection */
	s->size = VIRTQUEUE_SIZE_MAX;
	s->vector = VIRTQUEUE_NO_VECTOR;
}

bool virtqueue_looks_stale(struct virtqueue *queue)
{
	const struct virtqueue_state *s = queue->wiring.state;
	uint8_t bytes[16 * VIRTQUEUE_SIZE_MAX];

	if (!s->enabled || s->last_available || s->used_index)
		return false;
	if (guest_memory_read(queue->wiring.memory, s->driver_address, bytes, 4u + 2u * s->size))
		return false;
	for (unsigned i = 0; i < 4u + 2u * s->size; i++)
		if (bytes[i])
			return false;
	if (guest_memory_read(queue->wiring.memory, s->descriptor_address, bytes, 16u * s->size))
		return false;
	for (unsigned i = 0; i < 16u * s->size; i++)
		if (bytes[i])
			return false;
	return true;
}

/* ---- chains ------------------------------------------------------------------------------------------ */

struct chain {
	struct virtqueue_element *element;
	uint64_t bytes;
	const char *reason;
};

static bool chain_add(struct chain *chain, const struct descriptor *d)
{
	struct virtqueue_element *e = chain->element;
	bool writable = le16toh(d->flags_le) & DESCRIPTOR_WRITE;
	uint32_t bytes = le32toh(d->bytes_le);
	uint64_t end;

	if (!writable && e->writable_count) {
		chain->reason = "a readable descriptor after a writable one (virtio 1.3 §2.7.4.2)";
		return false;
	}
	if (__builtin_add_overflow(le64toh(d->address_le), bytes, &end)) {
		chain->reason = "a descriptor wraps around the address space";
		return false;
	}
	chain->bytes += bytes;
	if (chain->bytes > CHAIN_BYTES_MAX) {
		chain->reason = "a chain of more than 4 GiB";
		return false;
	}
	e->range[e->readable_count + e->writable_count] = (struct guest_range){le64toh(d->address_le), bytes};
	if (writable) {
		e->writable_count++;
		e->writable_bytes += bytes;
	} else {
		e->readable_count++;
		e->readable_bytes += bytes;
	}
	return true;
}

/*
 * Follows one table from index. Visiting more descriptors than the table has is a loop. An indirect descriptor
 * hands over to its own table and ends the chain (virtio 1.3 §2.7.5.3: it has no NEXT).
 */
static bool chain_walk(struct virtqueue *queue, struct chain *chain, uint64_t table, uint32_t count, uint32_t index,
		       bool inside_indirect)
{
	for (uint32_t visited = 0;; visited++) {
		struct descriptor d;
		uint16_t flags;

		if (index >= count) {
			chain->reason = "a descriptor index outside its table";
			return false;
		}
		if (visited == count) {
			chain->reason = "a chain that loops";
			return false;
		}
		if (chain->element->readable_count + chain->element->writable_count == VIRTQUEUE_CHAIN_MAX) {
			chain->reason = "a chain of more than 512 descriptors";
			return false;
		}
		if (guest_memory_read(queue->wiring.memory, table + 16ull * index, &d, sizeof(d))) {
			chain->reason = "a descriptor table outside guest memory";
			return false;
		}
		flags = le16toh(d.flags_le);
		if (flags & DESCRIPTOR_INDIRECT) {
			uint32_t bytes = le32toh(d.bytes_le);
			uint64_t end;

			if (inside_indirect || flags & DESCRIPTOR_NEXT || !bytes || bytes % 16 ||
			    __builtin_add_overflow(le64toh(d.address_le), bytes, &end)) {
				chain->reason = "a malformed indirect descriptor (virtio 1.3 §2.7.5.3)";
				return false;
			}
			return chain_walk(queue, chain, le64toh(d.address_le), bytes / 16, 0, true);
		}
		if (!chain_add(chain, &d))
			return false;
		if (!(flags & DESCRIPTOR_NEXT))
			return true;
		index = le16toh(d.next_le);
	}
}

static bool element_parse(struct virtqueue *queue, uint16_t head)
{
	struct chain chain = {.element = &queue->element};

	queue->element.readable_count = 0;
	queue->element.writable_count = 0;
	queue->element.readable_bytes = 0;
	queue->element.writable_bytes = 0;
	if (!chain_walk(queue, &chain, queue->wiring.state->descriptor_address, queue->wiring.state->size, head, false)) {
		broken(queue, chain.reason);
		return false;
	}
	return true;
}

static long element_copy(struct guest_memory *memory, const struct guest_range *range, unsigned count, uint64_t offset,
			 void *to, const void *from, size_t bytes)
{
	size_t copied = 0;

	for (unsigned i = 0; i < count && copied < bytes; i++) {
		if (offset >= range[i].bytes) {
			offset -= range[i].bytes;
			continue;
		}
		size_t part = range[i].bytes - offset < bytes - copied ? range[i].bytes - offset : bytes - copied;
		int error = to ? guest_memory_read(memory, range[i].address + offset, (uint8_t *)to + copied, part)
			       : guest_memory_write(memory, range[i].address + offset, (const uint8_t *)from + copied, part);
		if (error)
			return -EFAULT;
		copied += part;
		offset = 0;
	}
	return (long)copied;
}

long virtqueue_element_read(struct guest_memory *memory, const struct virtqueue_element *element, uint64_t offset,
			    void *buffer, size_t bytes)
{
	return element_copy(memory, element->range, element->readable_count, offset, buffer, NULL, bytes);
}

long virtqueue_element_write(struct guest_memory *memory, const struct virtqueue_element *element, uint64_t offset,
			     const void *buffer, size_t bytes)
{
	return element_copy(memory, element->range + element->readable_count, element->writable_count, offset, NULL, buffer,
			    bytes);
}

/* ---- completion ---------------------------------------------------------------------------------------- */

/* From state DONE on: every step may be repeated by a fresh process. */
static void publish(struct virtqueue *queue)
{
	struct virtqueue_state *s = queue->wiring.state;
	struct virtqueue_done *done = &s->done;
	struct used_element used = {htole32(done->head), htole32(done->written)};
	uint16_t next = (uint16_t)(done->used_index + 1);
	uint16_t flags = 0;

	set_outstanding(s, done->head, false);
	if (guest_memory_write(queue->wiring.memory, s->device_address + USED_RING + 8ull * (done->used_index & (s->size - 1)),
			       &used, sizeof(used)) ||
	    guest_memory_store_u16(queue->wiring.memory, s->device_address + USED_INDEX, next)) {
		done->state = VIRTQUEUE_RECORD_FREE;
		broken(queue, "the used ring is no longer in guest memory");
		return;
	}
	TEST_POINT("published");
	/* Orders the index before the flags, against the driver's flags before the index (virtio 1.3 §2.7.7.1). */
	atomic_thread_fence(memory_order_seq_cst);
	if (guest_memory_load_u16(queue->wiring.memory, s->driver_address + AVAILABLE_FLAGS, &flags) ||
	    !(flags & AVAILABLE_NO_INTERRUPT))
		queue->wiring.interrupt(queue->wiring.data, queue);
	s->used_index = next;
	state_barrier();
	done->state = VIRTQUEUE_RECORD_FREE;
	TEST_POINT("done-freed");
}

void virtqueue_complete(struct virtqueue *queue, uint16_t head, uint32_t written)
{
	struct virtqueue_state *s = queue->wiring.state;

	if (!s->enabled || head >= s->size || !outstanding(s, head))
		return;
	s->done.head = head;
	s->done.written = written;
	s->done.used_index = s->used_index;
	state_barrier();
	s->done.state = VIRTQUEUE_RECORD_DONE;
	state_barrier();
	TEST_POINT("done");
	publish(queue);
}

/* ---- running ------------------------------------------------------------------------------------------- */

/* Handles the element in the taken record, whose bit in outstanding is set, and frees the record. */
static void handle_taken(struct virtqueue *queue)
{
	struct virtqueue_state *s = queue->wiring.state;
	struct virtqueue_taken *taken = &s->taken;
	const uint64_t serial = taken->serial;
	uint32_t written = 0;
	bool last_attempt;

	taken->attempts++;
	state_barrier();
	TEST_POINT("taken");
	last_attempt = taken->attempts > ATTEMPTS_MAX;
	if (last_attempt)
		log_error("%s: a request killed the device process %u times; it is answered with an error",
			  queue->wiring.name, ATTEMPTS_MAX);
	if (!element_parse(queue, taken->head)) {
		taken->state = VIRTQUEUE_RECORD_FREE;
		return;
	}
	queue->element.head = taken->head;
	queue->element.attempt = taken->attempts;
	queue->element.serial = serial;
	enum virtqueue_verdict verdict =
		queue->wiring.handler(queue->handler_data, &queue->element, last_attempt, &written);
	TEST_POINT("handled");
	/* The handler may have led to a reset: then the record is no longer this element's. */
	if (taken->state != VIRTQUEUE_RECORD_TAKEN || taken->serial != serial)
		return;
	if (verdict == VIRTQUEUE_COMPLETE)
		virtqueue_complete(queue, taken->head, written);
	state_barrier();
	taken->state = VIRTQUEUE_RECORD_FREE;
	state_barrier();
}

static bool take(struct virtqueue *queue)
{
	struct virtqueue_state *s = queue->wiring.state;
	uint16_t available, head;

	if (guest_memory_load_u16(queue->wiring.memory, s->driver_address + AVAILABLE_INDEX, &available)) {
		broken(queue, "the available ring is no longer in guest memory");
		return false;
	}
	if (available == s->last_available)
		return false;
	if ((uint16_t)(available - s->last_available) > s->size) {
		broken(queue, "the available index jumped by more than the queue's size");
		return false;
	}
	if (guest_memory_load_u16(queue->wiring.memory,
				  s->driver_address + AVAILABLE_RING + 2ull * (s->last_available & (s->size - 1)), &head)) {
		broken(queue, "the available ring is no longer in guest memory");
		return false;
	}
	if (head >= s->size) {
		broken(queue, "an available head outside the descriptor table");
		return false;
	}
	if (outstanding(s, head)) {
		broken(queue, "a head made available again before it was used");
		return false;
	}
	s->taken.head = head;
	s->taken.next_available = (uint16_t)(s->last_available + 1);
	s->taken.attempts = 0;
	s->taken.serial = s->serial + 1;
	state_barrier();
	s->taken.state = VIRTQUEUE_RECORD_TAKEN;
	state_barrier();
	TEST_POINT("record");
	/* While attempts is 0 the bit may not be set yet; from then on a clear bit says that the element is completed. */
	set_outstanding(s, head, true);
	state_barrier();
	s->last_available = s->taken.next_available;
	s->serial = s->taken.serial;
	state_barrier();
	return true;
}

void virtqueue_recover(struct virtqueue *queue)
{
	struct virtqueue_state *s = queue->wiring.state;

	if (!s->enabled)
		return;
	if (s->done.state == VIRTQUEUE_RECORD_DONE)
		publish(queue);
	if (s->taken.state == VIRTQUEUE_RECORD_TAKEN) {
		s->last_available = s->taken.next_available;
		s->serial = s->taken.serial;
		state_barrier();
		if (!s->taken.attempts)
			set_outstanding(s, s->taken.head, true);
		if (outstanding(s, s->taken.head))
			handle_taken(queue);
		else
			s->taken.state = VIRTQUEUE_RECORD_FREE;
	}
}

bool virtqueue_run(struct virtqueue *queue, unsigned budget)
{
	struct virtqueue_state *s = queue->wiring.state;

	while (budget--) {
		if (!s->enabled || !take(queue))
			return false;
		handle_taken(queue);
	}
	return true;
}
