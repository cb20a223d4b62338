/* SPDX-License-Identifier: MIT */
#include "tests/shim/transport/fake_device.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINK_MAX_COUNT 32
#define RESOURCE_COUNT 4096
#define CONTEXT_COUNT 256
#define HELD_COUNT 512
#define CAPSET_ID 20
#define BAR_APERTURE 2
#define FEATURE_VERSION_1 (1ull << 32)
#define FEATURE_INDIRECT (1ull << 28)

/* Offsets in BAR 0. */
#define COMMON_AT 0x0u
#define DEVICE_AT 0x2000u
#define NOTIFY_AT 0x3000u

struct fake_resource {
	uint32_t id;
	uint64_t bytes, offset;
	bool mapped, charged;
};

struct held {
	uint16_t head;
	uint32_t context;	/* of a WAKE; 0: an UNREF */
};

/* One connection: a device of its own. */
struct fake_link {
	struct fake_device *device;
	int socket, kick, aperture;
	pthread_t thread;
	bool running;
	atomic_int orders;		/* bits of ORDER_* */
	int irq[4];
	uint8_t config[256];
	uint8_t *memory;		/* DMA */
	uint64_t memory_bus, memory_bytes;
	/* virtio */
	uint8_t status;
	uint32_t feature_select, guest_select;
	uint64_t guest_features;
	uint16_t queue_select, queue_size, vector, enabled;
	uint64_t descriptors, available, used;
	uint16_t last_available, used_index;
	/* gpu */
	bool context[CONTEXT_COUNT];
	struct fake_resource resource[RESOURCE_COUNT];
	struct held held[HELD_COUNT];
	unsigned held_count;
};

enum { ORDER_WAKE = 1, ORDER_RELEASE = 2, ORDER_DROP = 4, ORDER_FREEZE = 8, ORDER_STOP = 16, ORDER_BREAK = 32 };

struct fake_device {
	struct fake_config config;
	char folder[64];
	char path[96];
	int listener, stop;
	pthread_t thread;
	pthread_mutex_t lock;		/* counts, links */
	struct fake_counts counts;
	struct fake_link *link[LINK_MAX_COUNT];
	unsigned link_count;
	atomic_bool holds_unref;
	atomic_uint notify_us;
};

static void __attribute__((format(printf, 2, 3))) complain(struct fake_device *device, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&device->lock);
	device->counts.complaints++;
	va_start(args, format);
	vsnprintf(device->counts.complaint, sizeof(device->counts.complaint), format, args);
	va_end(args);
	pthread_mutex_unlock(&device->lock);
}

#define COUNT(device_, what) \
	do { \
		pthread_mutex_lock(&(device_)->lock); \
		(device_)->counts.what; \
		pthread_mutex_unlock(&(device_)->lock); \
	} while (0)

static void *dma(struct fake_link *link, uint64_t bus, uint64_t bytes)
{
	if (!link->memory || bus < link->memory_bus || bus - link->memory_bus > link->memory_bytes ||
	    bytes > link->memory_bytes - (bus - link->memory_bus)) {
		complain(link->device, "DMA to %#llx outside of what was mapped", (unsigned long long)bus);
		return NULL;
	}
	return link->memory + (bus - link->memory_bus);
}

/* ---- virtqueue ------------------------------------------------------------------------------------- */

struct descriptor {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags, next;
};

static void raise_irq(struct fake_link *link, unsigned vector)
{
	uint64_t one = 1;

	if (vector < 4 && link->irq[vector] >= 0 && write(link->irq[vector], &one, sizeof(one)) < 0)
		complain(link->device, "eventfd: %s", strerror(errno));
}

static void publish(struct fake_link *link, uint16_t head, uint32_t written)
{
	uint8_t *used = dma(link, link->used, 6 + 8ull * link->queue_size);
	uint32_t element[2] = {head, written};

	if (!used)
		return;
	memcpy(used + 4 + 8 * (link->used_index % link->queue_size), element, 8);
	link->used_index++;
	__atomic_store_n((uint16_t *)(used + 2), link->used_index, __ATOMIC_RELEASE);
}

/* The two parts of an element: one readable, one writable descriptor, as this driver makes them. */
static bool element_parts(struct fake_link *link, uint16_t head, uint8_t **out, uint32_t *out_bytes, uint8_t **in,
			  uint32_t *in_bytes)
{
	struct descriptor *ring = dma(link, link->descriptors, 16ull * link->queue_size);
	struct descriptor *table = ring;
	struct descriptor first, second;
	unsigned size = link->queue_size;

	if (!ring || head >= size)
		return false;
	first = ring[head];
	if (first.flags & 4) {
		if (!(link->guest_features & FEATURE_INDIRECT))
			complain(link->device, "indirect descriptor without the feature");
		table = dma(link, first.address, first.bytes);
		size = first.bytes / 16;
		if (!table || !size)
			return false;
		first = table[0];
	}
	if (!(first.flags & 1) || (first.flags & 2) || first.next >= size)
		return false;
	second = table[first.next];
	if (second.flags != 2)
		return false;
	*out = dma(link, first.address, first.bytes);
	*out_bytes = first.bytes;
	*in = dma(link, second.address, second.bytes);
	*in_bytes = second.bytes;
	return *out && *in;
}

/* ---- virtio-gpu ------------------------------------------------------------------------------------ */

struct control {
	uint32_t type, flags;
	uint64_t fence;
	uint32_t context;
	uint8_t ring, pad[3];
};

static struct fake_resource *find_resource(struct fake_link *link, uint32_t id)
{
	for (unsigned i = 0; i < RESOURCE_COUNT; i++)
		if (link->resource[i].id == id)
			return &link->resource[i];
	return NULL;
}

static void drop_resource(struct fake_link *link, struct fake_resource *resource)
{
	struct fake_device *device = link->device;

	pthread_mutex_lock(&device->lock);
	device->counts.resources--;
	if (resource->charged)
		device->counts.vram_charged -= resource->bytes;
	pthread_mutex_unlock(&device->lock);
	memset(resource, 0, sizeof(*resource));
}

static uint32_t create_blob(struct fake_link *link, const struct control *control, const uint8_t *out)
{
	struct fake_device *device = link->device;
	struct fake_resource *slot = find_resource(link, 0);
	uint32_t word[4];
	uint64_t blob_id, bytes;
	bool charged;

	memcpy(word, out + 24, 16);
	memcpy(&blob_id, out + 40, 8);
	memcpy(&bytes, out + 48, 8);
	if (control->context >= CONTEXT_COUNT || !link->context[control->context] || !word[0] || find_resource(link, word[0]) ||
	    word[1] != 2 || word[2] != 1 || word[3] || !bytes || bytes % 4096) {
		complain(device, "bad CREATE_BLOB");
		return 0x1205;
	}
	charged = blob_id >> 32 == 2;
	pthread_mutex_lock(&device->lock);
	if (!slot || (charged && device->counts.vram_charged + bytes > device->config.vram_bytes)) {
		pthread_mutex_unlock(&device->lock);
		return 0x1201;
	}
	device->counts.resources++;
	if (charged)
		device->counts.vram_charged += bytes;
	pthread_mutex_unlock(&device->lock);
	*slot = (struct fake_resource){.id = word[0], .bytes = bytes, .charged = charged};
	return 0x1100;
}

static uint32_t map_blob(struct fake_link *link, const uint8_t *out)
{
	uint32_t id;
	uint64_t offset;

	memcpy(&id, out + 24, 4);
	memcpy(&offset, out + 32, 8);
	struct fake_resource *resource = id ? find_resource(link, id) : NULL;
	if (!resource)
		return 0x1203;	/* after a refused CREATE_BLOB: as the Linux driver does it */
	if (resource->mapped || offset % 4096 || offset > link->device->config.aperture_bytes ||
	    resource->bytes > link->device->config.aperture_bytes - offset) {
		complain(link->device, "bad MAP_BLOB");
		return 0x1205;
	}
	for (unsigned i = 0; i < RESOURCE_COUNT; i++) {
		const struct fake_resource *other = &link->resource[i];

		if (other->mapped && offset < other->offset + other->bytes && other->offset < offset + resource->bytes) {
			complain(link->device, "MAP_BLOB over a blob that is not released yet");
			return 0x1205;
		}
	}
	resource->mapped = true;
	resource->offset = offset;
	return 0x1106;
}

static uint32_t create_context(struct fake_link *link, const struct control *control, const uint8_t *out)
{
	uint32_t init;

	memcpy(&init, out + 28, 4);
	if (!control->context || control->context >= CONTEXT_COUNT || link->context[control->context] || init != CAPSET_ID) {
		complain(link->device, "bad CTX_CREATE");
		return 0x1205;
	}
	if (fake_device_counts(link->device).contexts >= link->device->config.context_max)
		return 0x1201;
	link->context[control->context] = true;
	COUNT(link->device, contexts++);
	return 0x1100;
}

static void finish_held(struct fake_link *link, unsigned i, uint32_t type)
{
	struct control reply = {.type = type};
	struct held held = link->held[i];
	uint8_t *out, *in;
	uint32_t out_bytes, in_bytes;

	link->held[i] = link->held[--link->held_count];
	if (held.context)
		COUNT(link->device, held_wakes--);
	if (!element_parts(link, held.head, &out, &out_bytes, &in, &in_bytes))
		return;
	if (held.context) {
		memcpy(&reply.fence, out + 8, 8);
		reply.flags = 3;
	} else {
		uint32_t id;

		memcpy(&id, out + 24, 4);
		struct fake_resource *resource = find_resource(link, id);
		if (resource)
			drop_resource(link, resource);
	}
	memcpy(in, &reply, sizeof(reply));
	publish(link, held.head, sizeof(reply));
}

static bool submit_3d(struct fake_link *link, uint16_t head, const struct control *control, const uint8_t *out, uint32_t out_bytes,
		      uint32_t *type)
{
	uint32_t bytes, op;

	memcpy(&bytes, out + 24, 4);
	memcpy(&op, out + 32, 4);
	if (out_bytes != 48 || bytes != 16 || op < 1 || op > 3 || control->context >= CONTEXT_COUNT ||
	    !link->context[control->context] || (op == 3) != (control->flags == 3)) {
		complain(link->device, "bad SUBMIT_3D op %u flags %u", op, control->flags);
		*type = 0x1205;
		return false;
	}
	COUNT(link->device, submissions[op]++);
	*type = 0x1100;
	if (op != 3)
		return false;
	/* A newer WAKE of the context releases the older ones. */
	for (unsigned i = link->held_count; i-- > 0;)
		if (link->held[i].context == control->context)
			finish_held(link, i, 0x1100);
	link->held[link->held_count++] = (struct held){head, control->context};
	COUNT(link->device, held_wakes++);
	return true;
}

static void destroy_context(struct fake_link *link, uint32_t context)
{
	for (unsigned i = link->held_count; i-- > 0;)
		if (link->held[i].context == context)
			finish_held(link, i, 0x1200);
	link->context[context] = false;
	COUNT(link->device, contexts--);
}

/* Answers one element, or holds it. */
static void handle_element(struct fake_link *link, uint16_t head)
{
	struct fake_device *device = link->device;
	uint8_t *out, *in;
	uint32_t out_bytes, in_bytes, id = 0, type = 0x1100, extra = 0;
	struct control control, reply = {0};

	COUNT(device, elements++);
	if (!element_parts(link, head, &out, &out_bytes, &in, &in_bytes) || out_bytes < sizeof(control) || in_bytes < sizeof(reply)) {
		complain(device, "an element of the wrong shape");
		publish(link, head, 0);
		return;
	}
	memcpy(&control, out, sizeof(control));
	if (out_bytes >= 28)
		memcpy(&id, out + 24, 4);
	switch (control.type) {
	case 0x0108: {	/* GET_CAPSET_INFO */
		uint32_t info[4] = {id ? 0 : CAPSET_ID, 1, (uint32_t)device->config.capset_bytes, 0};
		type = 0x1102;
		memcpy(in + 24, info, 16);
		extra = 16;
		break;
	}
	case 0x0109:	/* GET_CAPSET */
		type = 0x1103;
		extra = (uint32_t)device->config.capset_bytes;
		if (id != CAPSET_ID || in_bytes < 24 + extra)
			complain(device, "bad GET_CAPSET");
		else
			memcpy(in + 24, device->config.capset, extra);
		break;
	case 0x0200:
		type = create_context(link, &control, out);
		break;
	case 0x0201:
		if (control.context >= CONTEXT_COUNT || !link->context[control.context]) {
			complain(device, "CTX_DESTROY of no context");
			type = 0x1204;
		} else {
			destroy_context(link, control.context);
		}
		break;
	case 0x010c:
		type = create_blob(link, &control, out);
		break;
	case 0x0208:
		type = map_blob(link, out);
		if (type == 0x1106) {
			uint32_t info[2] = {1, 0};
			memcpy(in + 24, info, 8);
			extra = 8;
		}
		break;
	case 0x0202:
		if (!id || !find_resource(link, id))
			type = 0x1203;
		break;
	case 0x0203:
	case 0x0209: {
		struct fake_resource *resource = id ? find_resource(link, id) : NULL;
		if (!resource) {
			complain(device, "command %#x on no resource", control.type);
			type = 0x1203;
		} else if (control.type == 0x0209 && !atomic_load(&device->holds_unref)) {
			resource->mapped = false;
		}
		break;
	}
	case 0x0102: {
		struct fake_resource *resource = id ? find_resource(link, id) : NULL;
		if (!resource) {
			complain(device, "UNREF of no resource");
			type = 0x1203;
		} else if (atomic_load(&device->holds_unref)) {
			link->held[link->held_count++] = (struct held){head, 0};
			return;
		} else {
			drop_resource(link, resource);
		}
		break;
	}
	case 0x0207:
		if (submit_3d(link, head, &control, out, out_bytes, &type))
			return;
		break;
	default:
		complain(device, "unknown command %#x", control.type);
		type = 0x1200;
	}
	reply.type = type;
	memcpy(in, &reply, sizeof(reply));
	publish(link, head, (uint32_t)sizeof(reply) + extra);
}

static void serve_queue(struct fake_link *link)
{
	const uint8_t *available = dma(link, link->available, 6 + 2ull * link->queue_size);
	uint16_t heads[256];
	unsigned count = 0;

	if (!available || !(link->status & 4))
		return;
	uint16_t index = __atomic_load_n((const uint16_t *)(available + 2), __ATOMIC_ACQUIRE);
	while (link->last_available != index && count < 256) {
		memcpy(&heads[count++], available + 4 + 2 * (link->last_available % link->queue_size), 2);
		link->last_available++;
	}
	/* In reverse, as far as that is allowed: commands act in order, so only runs of DOORBELLs may be turned round. */
	for (unsigned i = 0; i < count; i++)
		handle_element(link, heads[link->device->config.reverse && count > 8 ? count - 1 - i : i]);
	if (count)
		raise_irq(link, link->vector);
}

/* ---- registers ------------------------------------------------------------------------------------- */

static uint64_t offered(const struct fake_link *link)
{
	const struct fake_config *config = &link->device->config;

	return FEATURE_VERSION_1 | (config->no_indirect ? 0 : FEATURE_INDIRECT) | 1u << 0 | 1u << 3 |
	       (config->no_context_init ? 0 : 1u << 4);
}

static void reset(struct fake_link *link)
{
	link->status = 0;
	link->guest_features = 0;
	link->vector = 0xffff;
	link->enabled = 0;
	link->queue_size = link->device->config.queue_size;
	link->last_available = link->used_index = 0;
	while (link->held_count)
		if (link->held[--link->held_count].context)
			COUNT(link->device, held_wakes--);
	for (uint32_t i = 0; i < CONTEXT_COUNT; i++)
		if (link->context[i])
			destroy_context(link, i);
	for (unsigned i = 0; i < RESOURCE_COUNT; i++)
		if (link->resource[i].id)
			drop_resource(link, &link->resource[i]);
}

static void set_half(uint64_t *value, bool high, uint32_t half)
{
	*value = high ? (*value & 0xffffffffu) | (uint64_t)half << 32 : (*value & ~0xffffffffull) | half;
}

static void common_write(struct fake_link *link, uint64_t at, uint64_t value)
{
	switch (at) {
	case 0: link->feature_select = (uint32_t)value; break;
	case 8: link->guest_select = (uint32_t)value; break;
	case 12: set_half(&link->guest_features, link->guest_select, (uint32_t)value); break;
	case 16: break;
	case 20:
		if (!value) {
			reset(link);
			break;
		}
		link->status = (uint8_t)value;
		if ((value & 8) && (link->guest_features & ~offered(link)))
			link->status &= (uint8_t)~8u;
		break;
	case 22: link->queue_select = (uint16_t)value; break;
	case 24: link->queue_size = (uint16_t)value; break;
	case 26: link->vector = (uint16_t)value; break;
	case 28: link->enabled = (uint16_t)value; break;
	case 32: set_half(&link->descriptors, false, (uint32_t)value); break;
	case 36: set_half(&link->descriptors, true, (uint32_t)value); break;
	case 40: set_half(&link->available, false, (uint32_t)value); break;
	case 44: set_half(&link->available, true, (uint32_t)value); break;
	case 48: set_half(&link->used, false, (uint32_t)value); break;
	case 52: set_half(&link->used, true, (uint32_t)value); break;
	default: complain(link->device, "write to common+%llu", (unsigned long long)at);
	}
}

static uint64_t common_read(struct fake_link *link, uint64_t at)
{
	switch (at) {
	case 4: return link->feature_select > 1 ? 0 : offered(link) >> (32 * link->feature_select) & 0xffffffffu;
	case 18: return 2;
	case 20: return link->status;
	case 24: return link->queue_size;
	case 26: return link->vector;
	case 28: return link->enabled;
	case 30: return link->queue_select;
	default: complain(link->device, "read of common+%llu", (unsigned long long)at); return 0;
	}
}

static void put_cap(uint8_t *config, unsigned at, unsigned next, unsigned bytes, unsigned type, unsigned bar, unsigned id,
		    uint64_t offset, uint64_t length)
{
	uint32_t words[4] = {(uint32_t)offset, (uint32_t)length, (uint32_t)(offset >> 32), (uint32_t)(length >> 32)};

	config[at] = 9;
	config[at + 1] = (uint8_t)next;
	config[at + 2] = (uint8_t)bytes;
	config[at + 3] = (uint8_t)type;
	config[at + 4] = (uint8_t)bar;
	config[at + 5] = (uint8_t)id;
	memcpy(config + at + 8, words, bytes == 24 ? 16 : 8);
}

static void build_config(struct fake_link *link)
{
	uint8_t *config = link->config;
	const uint16_t head[] = {0x1af4, 0x1050};
	uint32_t multiplier = 4;

	memcpy(config, head, sizeof(head));
	config[6] = 0x10;	/* capabilities list */
	config[0x34] = 0x40;
	put_cap(config, 0x40, 0x50, 16, 1, 0, 0, COMMON_AT, 56);
	put_cap(config, 0x50, 0x60, 16, 3, 0, 0, 0x1000, 1);
	put_cap(config, 0x60, 0x70, 16, 4, 0, 0, DEVICE_AT, 16);
	put_cap(config, 0x70, 0x88, 20, 2, 0, 0, NOTIFY_AT, 16);
	memcpy(config + 0x70 + 16, &multiplier, 4);
	put_cap(config, 0x88, 0xa0, 24, 8, BAR_APERTURE, 1, 0, link->device->config.aperture_bytes);
	config[0xa0] = link->device->config.no_msix ? 0x0a : 0x11;
}

/* ---- vfio-user ------------------------------------------------------------------------------------- */

struct message {
	uint16_t id, command;
	uint32_t bytes, flags, error;
};

static bool send_reply(struct fake_link *link, const struct message *message, const void *payload, uint32_t bytes, int error, int fd)
{
	struct message reply = {message->id, message->command, 16 + (error ? 0 : bytes), error ? 0x21u : 1u, (uint32_t)error};
	struct iovec iov[2] = {{&reply, 16}, {(void *)payload, error ? 0 : bytes}};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr header = {.msg_iov = iov, .msg_iovlen = 2};

	if (fd >= 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(link->socket, &header, MSG_NOSIGNAL) == (ssize_t)reply.bytes;
}

static bool region_info(struct fake_link *link, const struct message *message, const uint8_t *payload)
{
	struct {
		uint32_t argsz, flags, index, cap;
		uint64_t size, offset;
		uint16_t id, version;
		uint32_t next, areas, reserved;
		uint64_t area_offset, area_size;
	} info = {.argsz = 32};
	uint32_t argsz;

	memcpy(&argsz, payload, 4);
	memcpy(&info.index, payload + 8, 4);
	if (info.index == 7) {
		info.flags = 3;
		info.size = 256;
	} else if (info.index == 0) {
		info.flags = 3;
		info.size = 0x4000;
	} else if (info.index == BAR_APERTURE) {
		info.argsz = 64;
		info.flags = 15;
		info.size = 1ull << 33;
		info.cap = 32;
		info.id = 1;
		info.version = 1;
		info.areas = 1;
		info.area_size = link->device->config.aperture_bytes;
		/* An fd rides on each of the two replies. */
		return send_reply(link, message, &info, argsz >= 64 ? 64 : 32, 0, link->aperture);
	}
	return send_reply(link, message, &info, 32, 0, -1);
}

static bool region_access(struct fake_link *link, const struct message *message, uint8_t *payload, uint32_t bytes)
{
	uint8_t reply[16 + 4096] = {0};
	uint64_t offset, value = 0;
	uint32_t region, count;
	bool write_it = message->command == 10;

	memcpy(&offset, payload, 8);
	memcpy(&region, payload + 8, 4);
	memcpy(&count, payload + 12, 4);
	if (count > 4096 || (write_it && bytes != 16 + count))
		return send_reply(link, message, NULL, 0, EINVAL, -1);
	memcpy(reply, payload, 16);
	if (write_it)
		memcpy(&value, payload + 16, count < 8 ? count : 8);
	if (region == 7 && offset + count <= 256) {
		if (write_it)
			memcpy(link->config + offset, payload + 16, count);
		else
			memcpy(reply + 16, link->config + offset, count);
	} else if (region == 0 && offset < 56 && count <= 8) {
		if (write_it)
			common_write(link, offset, value);
		else
			value = common_read(link, offset);
		memcpy(reply + 16, &value, write_it ? 0 : count);
	} else if (region == 0 && offset == DEVICE_AT && !write_it && count <= 16) {
		uint32_t device_config[4] = {0, 0, 0, 1};
		memcpy(reply + 16, device_config, count);
	} else if (region == 0 && offset == NOTIFY_AT && write_it) {
		unsigned us = atomic_load(&link->device->notify_us);
		COUNT(link->device, notifies++);
		if (us)
			usleep(us);
		if (!send_reply(link, message, reply, 16, 0, -1))
			return false;
		serve_queue(link);
		return true;
	} else {
		complain(link->device, "access to region %u at %#llx", region, (unsigned long long)offset);
		return send_reply(link, message, NULL, 0, EINVAL, -1);
	}
	return send_reply(link, message, reply, 16 + (write_it ? 0 : count), 0, -1);
}

static bool map_memory(struct fake_link *link, const struct message *message, const uint8_t *payload, int fd)
{
	uint64_t offset;
	void *memory;

	memcpy(&offset, payload + 8, 8);
	memcpy(&link->memory_bus, payload + 16, 8);
	memcpy(&link->memory_bytes, payload + 24, 8);
	if (fd < 0 || link->memory)
		return send_reply(link, message, NULL, 0, EINVAL, -1);
	memory = mmap(NULL, link->memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	if (memory == MAP_FAILED)
		return send_reply(link, message, NULL, 0, EFAULT, -1);
	link->memory = memory;
	return send_reply(link, message, NULL, 0, 0, -1);
}

static bool handle_message(struct fake_link *link, const struct message *message, uint8_t *payload, uint32_t bytes, int *fd)
{
	switch (message->command) {
	case 1:
		if (bytes < 5 || payload[bytes - 1])
			complain(link->device, "VERSION without terminated JSON");
		return send_reply(link, message, "\0\0\0\0{}", 7, 0, -1);
	case 2:
		return map_memory(link, message, payload, *fd);
	case 4: {
		uint32_t info[4] = {16, 3, 9, 5};
		return send_reply(link, message, info, 16, 0, -1);
	}
	case 5:
		return region_info(link, message, payload);
	case 7: {
		uint32_t info[4] = {16, 1, 0, 0};
		memcpy(&info[2], payload + 8, 4);
		info[3] = info[2] == 2 ? 3 : 0;
		return send_reply(link, message, info, 16, 0, -1);
	}
	case 8: {
		uint32_t set[5];
		memcpy(set, payload, 20);
		if (set[2] != 2 || set[3] > 3 || set[4] != 1 || *fd < 0)
			return send_reply(link, message, NULL, 0, EINVAL, -1);
		if (link->irq[set[3]] >= 0)
			close(link->irq[set[3]]);
		link->irq[set[3]] = *fd;
		*fd = -1;
		return send_reply(link, message, NULL, 0, 0, -1);
	}
	case 9:
	case 10:
		return region_access(link, message, payload, bytes);
	case 13:
		reset(link);
		return send_reply(link, message, NULL, 0, 0, -1);
	default:
		complain(link->device, "message %u", message->command);
		return send_reply(link, message, NULL, 0, ENOTSUP, -1);
	}
}

static bool receive_message(struct fake_link *link)
{
	uint8_t payload[16384];
	struct message message;
	struct iovec iov = {&message, 16};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	int fd = -1;
	bool good;

	if (recvmsg(link->socket, &header, MSG_CMSG_CLOEXEC | MSG_WAITALL) != 16)
		return false;
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	uint32_t bytes = message.bytes - 16;
	good = message.bytes >= 16 && bytes <= sizeof(payload) &&
	       (!bytes || recv(link->socket, payload, bytes, MSG_WAITALL) == (ssize_t)bytes) &&
	       handle_message(link, &message, payload, bytes, &fd);
	if (fd >= 0)
		close(fd);
	return good;
}

static void obey(struct fake_link *link, int orders)
{
	if (orders & (ORDER_WAKE | ORDER_RELEASE)) {
		for (unsigned i = link->held_count; i-- > 0;)
			if (orders & (link->held[i].context ? ORDER_WAKE : ORDER_RELEASE))
				finish_held(link, i, 0x1100);
		raise_irq(link, link->vector);
	}
	if (orders & ORDER_BREAK) {
		publish(link, 77, 24);
		raise_irq(link, link->vector);
	}
}

static void *serve_link(void *data)
{
	struct fake_link *link = data;
	struct pollfd p[2] = {{.fd = link->socket, .events = POLLIN}, {.fd = link->kick, .events = POLLIN}};
	bool frozen = false;

	for (;;) {
		uint64_t count;

		p[0].fd = frozen ? -1 : link->socket;
		poll(p, 2, -1);
		if (p[1].revents && read(link->kick, &count, sizeof(count)) == sizeof(count)) {
			int orders = atomic_exchange(&link->orders, 0);
			if (orders & (ORDER_DROP | ORDER_STOP))
				break;
			frozen |= orders & ORDER_FREEZE;
			obey(link, orders);
		}
		if (!frozen && p[0].revents && !receive_message(link))
			break;
	}
	reset(link);
	close(link->socket);
	close(link->aperture);
	if (link->memory)
		munmap(link->memory, link->memory_bytes);
	for (unsigned i = 0; i < 4; i++)
		if (link->irq[i] >= 0)
			close(link->irq[i]);
	COUNT(link->device, connections--);
	return NULL;
}

static void accept_link(struct fake_device *device)
{
	struct fake_link *link = calloc(1, sizeof(*link));

	link->device = device;
	link->socket = accept4(device->listener, NULL, NULL, SOCK_CLOEXEC);
	link->kick = eventfd(0, EFD_CLOEXEC);
	link->aperture = memfd_create("fake-aperture", MFD_CLOEXEC);
	for (unsigned i = 0; i < 4; i++)
		link->irq[i] = -1;
	if (ftruncate(link->aperture, (off_t)device->config.aperture_bytes))
		abort();
	reset(link);
	build_config(link);
	pthread_mutex_lock(&device->lock);
	if (device->link_count == LINK_MAX_COUNT)
		abort();
	device->link[device->link_count++] = link;
	device->counts.connections++;
	device->counts.connections_ever++;
	pthread_mutex_unlock(&device->lock);
	pthread_create(&link->thread, NULL, serve_link, link);
}

static void *serve_listener(void *data)
{
	struct fake_device *device = data;
	struct pollfd p[2] = {{.fd = device->listener, .events = POLLIN}, {.fd = device->stop, .events = POLLIN}};

	for (;;) {
		poll(p, 2, -1);
		if (p[1].revents)
			return NULL;
		if (p[0].revents)
			accept_link(device);
	}
}

/* ---- for the test ---------------------------------------------------------------------------------- */

int fake_device_start(const struct fake_config *config, struct fake_device **ret_device)
{
	struct fake_device *device = calloc(1, sizeof(*device));
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	device->config = *config;
	atomic_init(&device->holds_unref, config->hold_unref);
	pthread_mutex_init(&device->lock, NULL);
	strcpy(device->folder, "/tmp/vgpu-fake-XXXXXX");
	if (!mkdtemp(device->folder))
		return -errno;
	snprintf(device->path, sizeof(device->path), "%s/direct.sock", device->folder);
	memcpy(address.sun_path, device->path, strlen(device->path) + 1);
	device->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	device->stop = eventfd(0, EFD_CLOEXEC);
	if (bind(device->listener, (struct sockaddr *)&address, sizeof(address)) || listen(device->listener, 64))
		return -errno;
	pthread_create(&device->thread, NULL, serve_listener, device);
	*ret_device = device;
	return 0;
}

static void order(struct fake_device *device, int orders)
{
	uint64_t one = 1;

	pthread_mutex_lock(&device->lock);
	for (unsigned i = 0; i < device->link_count; i++) {
		atomic_fetch_or(&device->link[i]->orders, orders);
		if (write(device->link[i]->kick, &one, sizeof(one)) < 0)
			abort();
	}
	pthread_mutex_unlock(&device->lock);
}

void fake_device_stop(struct fake_device *device)
{
	uint64_t one = 1;

	if (write(device->stop, &one, sizeof(one)) < 0)
		abort();
	pthread_join(device->thread, NULL);
	order(device, ORDER_STOP);
	for (unsigned i = 0; i < device->link_count; i++) {
		pthread_join(device->link[i]->thread, NULL);
		close(device->link[i]->kick);
		free(device->link[i]);
	}
	close(device->listener);
	close(device->stop);
	unlink(device->path);
	rmdir(device->folder);
	pthread_mutex_destroy(&device->lock);
	free(device);
}

const char *fake_device_path(const struct fake_device *device)
{
	return device->path;
}

struct fake_counts fake_device_counts(struct fake_device *device)
{
	pthread_mutex_lock(&device->lock);
	struct fake_counts counts = device->counts;
	pthread_mutex_unlock(&device->lock);
	return counts;
}

void fake_device_wake_all(struct fake_device *device)
{
	order(device, ORDER_WAKE);
}

void fake_device_release(struct fake_device *device)
{
	atomic_store(&device->holds_unref, false);
	order(device, ORDER_RELEASE);
}

void fake_device_drop(struct fake_device *device)
{
	order(device, ORDER_DROP);
}

void fake_device_freeze(struct fake_device *device)
{
	order(device, ORDER_FREEZE);
}

void fake_device_slow_notify(struct fake_device *device, unsigned microseconds)
{
	atomic_store(&device->notify_us, microseconds);
}

void fake_device_break_ring(struct fake_device *device)
{
	order(device, ORDER_BREAK);
}
