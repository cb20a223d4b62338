/* SPDX-License-Identifier: MIT */
#include "tests/direct/raw_client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "shim/transport/direct/gpu.h"

/* ---- a socket ------------------------------------------------------------------------------------- */

int raw_socket_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

long raw_socket_send(int socket, const void *bytes, size_t count, const int *fds, unsigned fd_count)
{
	struct iovec iov = {(void *)bytes, count};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control;

	if (fd_count > 64)
		return -EINVAL;
	if (fd_count) {
		memset(&control, 0, sizeof(control));
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	long sent = sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	return sent < 0 ? -errno : sent;
}

long raw_socket_receive(int socket, void *buffer, size_t count, int timeout_ms)
{
	struct pollfd p = {.fd = socket, .events = POLLIN};
	int ready = poll(&p, 1, timeout_ms);

	if (!ready)
		return -ETIMEDOUT;
	/* recv, not recvmsg: the kernel drops descriptors nobody asks for. */
	long got = ready < 0 ? -1 : recv(socket, buffer, count, MSG_DONTWAIT);
	return got < 0 ? -errno : got;
}

/* ---- a device ------------------------------------------------------------------------------------- */

static int describe(struct raw_client *raw)
{
	struct vfio_user_region region;
	char why[256];
	int err = pci_read_layout(raw->client, &raw->device.layout, why);

	if (err)
		return err;
	err = vfio_user_client_region_info(raw->client, raw->device.layout.host_visible.bar, &region);
	if (err)
		return err;
	raw->aperture_fd = region.fd;
	raw->aperture_bytes = raw->device.layout.host_visible.bytes;
	raw->aperture = mmap(NULL, raw->aperture_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, region.fd,
			     (off_t)region.file_offset);
	if (raw->aperture == MAP_FAILED) {
		raw->aperture = NULL;
		return -errno;
	}
	for (uint32_t vector = 0; vector < VIRTIO_VECTOR_COUNT && !err; vector++)
		err = vfio_user_client_irq_eventfd(raw->client, VFIO_USER_IRQ_MSIX, vector, raw->irq);
	return err ? err : pci_enable(raw->client, &raw->device.layout);
}

static int show_memory(struct raw_client *raw)
{
	raw->memory_fd = memfd_create("raw-client", MFD_CLOEXEC);
	if (raw->memory_fd < 0 || ftruncate(raw->memory_fd, RAW_MEMORY_BYTES))
		return -errno;
	raw->memory = mmap(NULL, RAW_MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, raw->memory_fd, 0);
	if (raw->memory == MAP_FAILED) {
		raw->memory = NULL;
		return -errno;
	}
	return vfio_user_client_dma_map(raw->client, RAW_BUS_ADDRESS, RAW_MEMORY_BYTES, raw->memory_fd, 0);
}

static int agree_on_features(struct raw_client *raw)
{
	uint64_t features;
	int err = virtio_reset(&raw->device);

	return err ? err : virtio_negotiate(&raw->device, GPU_FEATURES_REQUIRED, GPU_FEATURES_OPTIONAL, &features);
}

static int enable_queue(struct raw_client *raw)
{
	const struct virtio_queue_place place = {
		.size = RAW_QUEUE_SIZE,
		.descriptors = RAW_BUS_ADDRESS + RAW_OFFSET_DESCRIPTORS,
		.available = RAW_BUS_ADDRESS + RAW_OFFSET_AVAILABLE,
		.used = RAW_BUS_ADDRESS + RAW_OFFSET_USED,
	};

	return virtio_queue_enable(&raw->device, 0, &place, VIRTIO_VECTOR_CONTROL, &raw->notify);
}

int raw_client_advance(struct raw_client *raw, enum raw_stage stage)
{
	int err = 0;

	while (raw->stage < stage && !err) {
		switch (raw->stage + 1) {
		case RAW_DESCRIBED: err = describe(raw); break;
		case RAW_MEMORY_SHOWN: err = show_memory(raw); break;
		case RAW_FEATURES: err = agree_on_features(raw); break;
		case RAW_QUEUE: err = enable_queue(raw); break;
		case RAW_RUNNING: err = virtio_driver_ok(&raw->device); break;
		default: err = -EINVAL; break;
		}
		if (!err)
			raw->stage++;
	}
	return err;
}

int raw_client_open(const char *path, enum raw_stage stage, struct raw_client **ret_raw)
{
	struct raw_client *raw = calloc(1, sizeof(*raw));
	char why[256];
	int err;

	if (!raw)
		return -ENOMEM;
	raw->memory_fd = raw->aperture_fd = -1;
	raw->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = raw->irq < 0 ? -errno : vfio_user_client_connect(path, RAW_TIMEOUT_MS, &raw->client, why);
	if (!err) {
		raw->device.client = raw->client;
		raw->stage = RAW_CONNECTED;
		err = raw_client_advance(raw, stage);
	}
	if (err) {
		raw_client_close(raw);
		return err;
	}
	*ret_raw = raw;
	return 0;
}

void raw_client_close(struct raw_client *raw)
{
	if (!raw)
		return;
	vfio_user_client_destroy(raw->client);
	if (raw->aperture)
		munmap(raw->aperture, raw->aperture_bytes);
	if (raw->memory)
		munmap(raw->memory, RAW_MEMORY_BYTES);
	if (raw->aperture_fd >= 0)
		close(raw->aperture_fd);
	if (raw->memory_fd >= 0)
		close(raw->memory_fd);
	if (raw->irq >= 0)
		close(raw->irq);
	free(raw);
}

void raw_client_descriptors(struct raw_client *raw, uint16_t first, const struct raw_descriptor *descriptors, unsigned count)
{
	struct vring_desc *ring = (struct vring_desc *)(raw->memory + RAW_OFFSET_DESCRIPTORS);

	for (unsigned i = 0; i < count; i++)
		ring[(first + i) % RAW_QUEUE_SIZE] = (struct vring_desc){
			.addr = descriptors[i].address,
			.len = descriptors[i].bytes,
			.flags = descriptors[i].flags,
			.next = descriptors[i].next,
		};
}

void raw_client_available(struct raw_client *raw, uint16_t head)
{
	struct vring_avail *available = (struct vring_avail *)(raw->memory + RAW_OFFSET_AVAILABLE);

	available->ring[raw->available_index % RAW_QUEUE_SIZE] = head;
	raw_client_available_index(raw, (uint16_t)(raw->available_index + 1));
}

void raw_client_available_index(struct raw_client *raw, uint16_t index)
{
	struct vring_avail *available = (struct vring_avail *)(raw->memory + RAW_OFFSET_AVAILABLE);

	raw->available_index = index;
	__atomic_store_n(&available->idx, index, __ATOMIC_RELEASE);
}

int raw_client_kick(struct raw_client *raw)
{
	return virtio_notify(&raw->device, 0, raw->notify);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int raw_client_used(struct raw_client *raw, int timeout_ms, uint32_t *ret_head, uint32_t *ret_bytes)
{
	const struct vring_used *used = (const struct vring_used *)(raw->memory + RAW_OFFSET_USED);
	uint64_t deadline = now_ms() + (uint64_t)timeout_ms, count;

	for (;;) {
		if (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) != raw->used_index) {
			const struct vring_used_elem *element = &used->ring[raw->used_index++ % RAW_QUEUE_SIZE];

			*ret_head = element->id;
			*ret_bytes = element->len;
			return 0;
		}
		uint64_t now = now_ms();
		struct pollfd p[2] = {{.fd = raw->irq, .events = POLLIN}, {.fd = *vfio_user_client_socket(raw->client)}};
		if (now >= deadline)
			return -ETIMEDOUT;
		poll(p, 2, (int)(deadline - now));
		if (p[1].revents)
			return -ENODEV;
		if (p[0].revents && read(raw->irq, &count, sizeof(count)) < 0 && errno != EAGAIN)
			return -errno;
	}
}

int raw_client_post(struct raw_client *raw, const void *out, uint32_t out_bytes, uint32_t in_bytes)
{
	uint16_t first = raw->next_descriptor;
	const struct raw_descriptor pair[] = {
		{RAW_BUS_ADDRESS + RAW_OFFSET_OUT + first * 1024u, out_bytes, VRING_DESC_F_NEXT,
		 (uint16_t)((first + 1) % RAW_QUEUE_SIZE)},
		{RAW_BUS_ADDRESS + RAW_OFFSET_IN, in_bytes, VRING_DESC_F_WRITE, 0},
	};

	if (out_bytes > 2048 || in_bytes > RAW_OFFSET_FREE - RAW_OFFSET_IN)
		return -EINVAL;
	memcpy(raw->memory + RAW_OFFSET_OUT + first * 1024u, out, out_bytes);
	raw_client_descriptors(raw, first, pair, 2);
	raw->next_descriptor = (uint16_t)((first + 2) % RAW_QUEUE_SIZE);
	raw_client_available(raw, first);
	return 0;
}

int raw_client_command(struct raw_client *raw, const void *out, uint32_t out_bytes, void *in, uint32_t in_bytes, uint32_t *ret_bytes)
{
	uint16_t head = raw->next_descriptor;
	uint32_t used, bytes;
	int err = raw_client_post(raw, out, out_bytes, in_bytes);

	if (!err)
		err = raw_client_kick(raw);
	/* Elements posted before may complete first. */
	for (used = head + 1u; !err && used != head;)
		err = raw_client_used(raw, RAW_TIMEOUT_MS, &used, &bytes);
	if (err)
		return err;
	memcpy(in, raw->memory + RAW_OFFSET_IN, in_bytes);
	*ret_bytes = bytes;
	return 0;
}

int raw_client_truncate(struct raw_client *raw, size_t bytes)
{
	return ftruncate(raw->memory_fd, (off_t)bytes) ? -errno : 0;
}

/* ---- proper commands -------------------------------------------------------------------------------- */

static int gpu_command(struct raw_client *raw, const void *out, uint32_t out_bytes)
{
	struct virtio_gpu_resp_map_info response = {0};
	uint32_t bytes;
	int err = raw_client_command(raw, out, out_bytes, &response, sizeof(response), &bytes);

	return err ? err : bytes < sizeof(response.hdr) ? -EPROTO : (int)response.hdr.type;
}

static struct virtio_gpu_ctrl_hdr header_of(uint32_t type, uint32_t context)
{
	return (struct virtio_gpu_ctrl_hdr){.type = type, .ctx_id = context};
}

int raw_gpu_context_create(struct raw_client *raw, uint32_t context)
{
	struct virtio_gpu_ctx_create out = {
		.hdr = header_of(VIRTIO_GPU_CMD_CTX_CREATE, context),
		.nlen = 3,
		.context_init = WIRE_CAPSET_ID,
		.debug_name = "raw",
	};

	return gpu_command(raw, &out, sizeof(out));
}

int raw_gpu_context_destroy(struct raw_client *raw, uint32_t context)
{
	struct virtio_gpu_ctx_destroy out = {.hdr = header_of(VIRTIO_GPU_CMD_CTX_DESTROY, context)};

	return gpu_command(raw, &out, sizeof(out));
}

int raw_gpu_blob_create(struct raw_client *raw, uint32_t context, uint32_t resource, uint64_t blob_id, uint64_t bytes)
{
	struct virtio_gpu_resource_create_blob out = {
		.hdr = header_of(VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, context),
		.resource_id = resource,
		.blob_mem = 2,
		.blob_flags = 1,
		.blob_id = blob_id,
		.size = bytes,
	};

	return gpu_command(raw, &out, sizeof(out));
}

int raw_gpu_map(struct raw_client *raw, uint32_t resource, uint64_t offset)
{
	struct virtio_gpu_resource_map_blob out = {
		.hdr = header_of(VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, 0),
		.resource_id = resource,
		.offset = offset,
	};

	return gpu_command(raw, &out, sizeof(out));
}

int raw_gpu_unmap(struct raw_client *raw, uint32_t resource)
{
	struct virtio_gpu_resource_unmap_blob out = {
		.hdr = header_of(VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB, 0),
		.resource_id = resource,
	};

	return gpu_command(raw, &out, sizeof(out));
}

int raw_gpu_attach(struct raw_client *raw, uint32_t context, uint32_t resource)
{
	struct virtio_gpu_ctx_resource out = {
		.hdr = header_of(VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, context),
		.resource_id = resource,
	};

	return gpu_command(raw, &out, sizeof(out));
}

int raw_gpu_unref(struct raw_client *raw, uint32_t resource)
{
	struct virtio_gpu_resource_unref out = {
		.hdr = header_of(VIRTIO_GPU_CMD_RESOURCE_UNREF, 0),
		.resource_id = resource,
	};

	return gpu_command(raw, &out, sizeof(out));
}

int raw_gpu_submit(struct raw_client *raw, uint32_t context, const struct wire_submit *submit)
{
	struct {
		struct virtio_gpu_cmd_submit submit;
		struct wire_submit payload;
	} out = {
		.submit = {.hdr = header_of(VIRTIO_GPU_CMD_SUBMIT_3D, context), .size = sizeof(*submit)},
		.payload = *submit,
	};

	return gpu_command(raw, &out, sizeof(out));
}

/* ---- a ring --------------------------------------------------------------------------------------- */

struct wire_shim_page *raw_ring_shim_page(const struct raw_ring *ring)
{
	return (struct wire_shim_page *)(ring->base + WIRE_OFFSET_SHIM_PAGE);
}

struct wire_engine_page *raw_ring_engine_page(const struct raw_ring *ring)
{
	return (struct wire_engine_page *)(ring->base + WIRE_OFFSET_ENGINE_PAGE);
}

struct wire_slot *raw_ring_slot(const struct raw_ring *ring, uint32_t slot)
{
	return (struct wire_slot *)(ring->base + WIRE_OFFSET_SLOTS) + slot;
}

static void publish(struct raw_ring *ring, uint32_t bytes)
{
	ring->tail += bytes;
	__atomic_store_n(&raw_ring_shim_page(ring)->tail, ring->tail, __ATOMIC_RELEASE);
}

void raw_ring_put(struct raw_ring *ring, const void *record, uint32_t bytes)
{
	uint32_t at = ring->tail & (WIRE_RING_BYTES - 1);

	if (bytes > WIRE_RING_BYTES - at) {
		struct wire_header nop = {.opcode = WIRE_NOP, .bytes = WIRE_RING_BYTES - at, .sequence = ring->sequence};

		/* What is left is a multiple of 8: too little for a header is a padding the engine must know from the length. */
		memcpy(ring->base + WIRE_OFFSET_RING + at, &nop, nop.bytes < sizeof(nop) ? nop.bytes : sizeof(nop));
		publish(ring, nop.bytes);
		at = 0;
	}
	memcpy(ring->base + WIRE_OFFSET_RING + at, record, bytes);
	publish(ring, bytes);
}

uint64_t raw_ring_put_next(struct raw_ring *ring, void *record, uint32_t bytes)
{
	struct wire_header *header = record;

	/* The NOP before a wrap carries the previous sequence. */
	header->sequence = ring->sequence + 1;
	raw_ring_put(ring, record, bytes);
	return ++ring->sequence;
}
