/* SPDX-License-Identifier: MIT */
#include "shim/transport/direct/vfio_user_client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* What the server may send of its own: we share all memory by descriptor, so it has nothing to ask for. */
static const char capabilities_json[] =
	"{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"pgsizes\":4096}}";

#define REBIRTH_MS 2000u
#define RECONNECT_PAUSE_MS 50
#define HANG_UPS_MAX 2u

struct vfio_user_client {
	pthread_mutex_t lock;		/* one request at a time: held over its round trip */
	int socket;
	uint16_t next_id;
	unsigned timeout_ms;
	atomic_bool dead;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int *vfio_user_client_socket(struct vfio_user_client *client)
{
	return &client->socket;
}

bool vfio_user_client_dead(struct vfio_user_client *client)
{
	return atomic_load_explicit(&client->dead, memory_order_acquire);
}

void vfio_user_client_kill(struct vfio_user_client *client)
{
	atomic_store_explicit(&client->dead, true, memory_order_release);
	if (client->socket >= 0)
		shutdown(client->socket, SHUT_RDWR);
}

/* Waits until the socket is ready for `events`. 0, or -ETIMEDOUT. */
static int wait_ready(struct vfio_user_client *client, short events, uint64_t deadline_ms)
{
	for (;;) {
		uint64_t now = now_ms();
		struct pollfd p = {.fd = client->socket, .events = events};

		if (now >= deadline_ms)
			return -ETIMEDOUT;
		int ready = poll(&p, 1, (int)(deadline_ms - now));
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_all(struct vfio_user_client *client, struct iovec *iov, unsigned iov_count, const int *fds, unsigned fd_count,
		    uint64_t deadline_ms)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(VFIO_USER_FDS_MAX * sizeof(int))];
	} control;

	memset(&control, 0, sizeof(control));
	while (iov_count) {
		struct msghdr header = {.msg_iov = iov, .msg_iovlen = iov_count};

		if (fd_count) {
			header.msg_control = control.bytes;
			header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
			struct cmsghdr *c = CMSG_FIRSTHDR(&header);
			c->cmsg_level = SOL_SOCKET;
			c->cmsg_type = SCM_RIGHTS;
			c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
			memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
		}
		ssize_t sent = sendmsg(client->socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EAGAIN) {
			int err = wait_ready(client, POLLOUT, deadline_ms);
			if (err)
				return err;
			continue;
		}
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -errno;
		fd_count = 0;	/* descriptors ride on the first byte */
		while (iov_count && (size_t)sent >= iov->iov_len) {
			sent -= (ssize_t)iov->iov_len;
			iov++;
			iov_count--;
		}
		if (iov_count) {
			iov->iov_base = (char *)iov->iov_base + sent;
			iov->iov_len -= (size_t)sent;
		}
	}
	return 0;
}

/* Descriptors of the message being read: the first is kept, further ones are closed. */
static void take_fds(struct msghdr *header, int *fd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (unsigned i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int got;

			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (*fd < 0)
				*fd = got;
			else
				close(got);
		}
	}
}

static int receive_all(struct vfio_user_client *client, void *buffer, size_t bytes, int *fd, uint64_t deadline_ms)
{
	char *at = buffer;

	while (bytes) {
		struct iovec iov = {.iov_base = at, .iov_len = bytes};
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(VFIO_USER_FDS_MAX * sizeof(int))];
		} control;
		struct msghdr header = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.bytes,
			.msg_controllen = sizeof(control.bytes),
		};
		ssize_t got = recvmsg(client->socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

		if (got < 0 && errno == EAGAIN) {
			int err = wait_ready(client, POLLIN, deadline_ms);
			if (err)
				return err;
			continue;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return -ECONNRESET;
		take_fds(&header, fd);
		at += got;
		bytes -= (size_t)got;
	}
	return 0;
}

/* A command of the server's own: read past it and refuse it. */
static int refuse_command(struct vfio_user_client *client, const struct vfio_user_header *command, uint64_t deadline_ms)
{
	struct vfio_user_header reply = {
		.id = command->id,
		.command = command->command,
		.bytes = sizeof(reply),
		.flags = VFIO_USER_TYPE_REPLY | VFIO_USER_ERROR,
		.error = ENOTSUP,
	};
	struct iovec iov = {.iov_base = &reply, .iov_len = sizeof(reply)};
	uint32_t left = command->bytes - (uint32_t)sizeof(*command);
	int fd = -1;

	while (left) {
		char skipped[4096];
		uint32_t part = left < sizeof(skipped) ? left : (uint32_t)sizeof(skipped);
		int err = receive_all(client, skipped, part, &fd, deadline_ms);

		if (fd >= 0) {
			close(fd);
			fd = -1;
		}
		if (err)
			return err;
		left -= part;
	}
	if (command->flags & VFIO_USER_NO_REPLY)
		return 0;
	return send_all(client, &iov, 1, NULL, 0, deadline_ms);
}

static int round_trip_locked(struct vfio_user_client *client, const struct vfio_user_request *request, uint32_t *ret_bytes,
			     int *fd)
{
	uint64_t deadline_ms = now_ms() + client->timeout_ms;
	struct vfio_user_header header = {
		.id = client->next_id++,
		.command = request->command,
		.bytes = (uint32_t)sizeof(header) + request->head_bytes + request->body_bytes,
	};
	struct iovec iov[3] = {{&header, sizeof(header)}};
	unsigned iov_count = 1;
	struct vfio_user_header reply;
	int err;

	if (request->head_bytes)
		iov[iov_count++] = (struct iovec){(void *)request->head, request->head_bytes};
	if (request->body_bytes)
		iov[iov_count++] = (struct iovec){(void *)request->body, request->body_bytes};
	err = send_all(client, iov, iov_count, request->fds, request->fd_count, deadline_ms);
	if (err)
		return err;
	for (;;) {
		err = receive_all(client, &reply, sizeof(reply), fd, deadline_ms);
		if (err)
			return err;
		if (reply.bytes < sizeof(reply) || reply.bytes > VFIO_USER_MAX_MESSAGE_BYTES)
			return -EPROTO;
		if ((reply.flags & VFIO_USER_TYPE_MASK) == VFIO_USER_TYPE_REPLY)
			break;
		err = refuse_command(client, &reply, deadline_ms);
		if (err)
			return err;
	}
	uint32_t bytes = reply.bytes - (uint32_t)sizeof(reply);
	if (reply.id != header.id || reply.command != request->command || bytes > request->reply_capacity)
		return -EPROTO;
	err = receive_all(client, request->reply, bytes, fd, deadline_ms);
	if (err)
		return err;
	if (reply.flags & VFIO_USER_ERROR) {
		*ret_bytes = UINT32_MAX;	/* the stream is sound; the server refused */
		return reply.error && reply.error < 4096 ? -(int)reply.error : -EIO;
	}
	*ret_bytes = bytes;
	return 0;
}

int vfio_user_client_request(struct vfio_user_client *client, const struct vfio_user_request *request, uint32_t *ret_bytes,
			     int *ret_fd)
{
	uint32_t bytes = 0;
	int fd = -1;
	int err = -ENODEV;

	if (request->fd_count > VFIO_USER_FDS_MAX)
		return -EINVAL;
	pthread_mutex_lock(&client->lock);
	if (!vfio_user_client_dead(client)) {
		err = round_trip_locked(client, request, &bytes, &fd);
		if (err && bytes != UINT32_MAX) {
			vfio_user_client_kill(client);
			err = -ENODEV;
		}
	}
	pthread_mutex_unlock(&client->lock);
	if (!err && ret_fd) {
		*ret_fd = fd;
		fd = -1;
	}
	if (fd >= 0)
		close(fd);
	if (!err)
		*ret_bytes = bytes;
	return err;
}

/* A request whose reply has exactly one length; anything else is the server's breach of protocol. */
static int exchange(struct vfio_user_client *client, const struct vfio_user_request *request, int *ret_fd)
{
	uint32_t bytes;
	int fd = -1;
	int err = vfio_user_client_request(client, request, &bytes, &fd);

	if (err)
		return err;
	if (bytes != request->reply_capacity) {
		if (fd >= 0)
			close(fd);
		vfio_user_client_kill(client);
		return -ENODEV;
	}
	if (ret_fd)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	return 0;
}

static int agree_on_version(struct vfio_user_client *client, const char *path, char ret_why[256])
{
	struct vfio_user_version version = {VFIO_USER_MAJOR, VFIO_USER_MINOR};
	struct {
		struct vfio_user_version version;
		char json[4096];
	} reply;
	struct vfio_user_request request = {
		.command = VFIO_USER_VERSION,
		.head = &version,
		.head_bytes = sizeof(version),
		.body = capabilities_json,
		.body_bytes = sizeof(capabilities_json),
		.reply = &reply,
		.reply_capacity = sizeof(reply),
	};
	uint32_t bytes;
	int err = vfio_user_client_request(client, &request, &bytes, NULL);

	if (err) {
		snprintf(ret_why, 256, "%.120s: the service closed the connection or refused vfio-user %d.%d (%s); see vgpud's log",
			 path, VFIO_USER_MAJOR, VFIO_USER_MINOR, strerror(-err));
		return err;
	}
	if (bytes < sizeof(version) || reply.version.major != VFIO_USER_MAJOR) {
		snprintf(ret_why, 256, "%.120s speaks another vfio-user version than %d.x; is this a vGPU's direct.sock?", path,
			 VFIO_USER_MAJOR);
		return -EPROTO;
	}
	return 0;
}

/* One attempt. */
static int connect_once(const char *path, unsigned timeout_ms, struct vfio_user_client **ret_client, char ret_why[256])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct vfio_user_client *client;
	int err;

	if (strlen(path) >= sizeof(address.sun_path)) {
		snprintf(ret_why, 256, "the socket path %.100s... is longer than %zu bytes; use a shorter one", path,
			 sizeof(address.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path));
	client = calloc(1, sizeof(*client));
	if (!client) {
		snprintf(ret_why, 256, "out of memory");
		return -ENOMEM;
	}
	client->timeout_ms = timeout_ms;
	atomic_init(&client->dead, false);
	client->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->socket < 0) {
		err = -errno;
		snprintf(ret_why, 256, "cannot make a socket: %s", strerror(-err));
		goto free_client;
	}
	/* A service that no longer accepts must not hold us for ever: connect obeys the send timeout. */
	struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000};
	setsockopt(client->socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(client->socket, (struct sockaddr *)&address, sizeof(address))) {
		err = -errno;
		snprintf(ret_why, 256, "cannot connect to %.120s: %s; is the vGPU created and vgpud running? (vgpu-admin vgpu list)",
			 path, strerror(-err));
		goto close_socket;
	}
	pthread_mutex_init(&client->lock, NULL);
	err = agree_on_version(client, path, ret_why);
	if (err) {
		vfio_user_client_destroy(client);
		return err;
	}
	*ret_client = client;
	return 0;

close_socket:
	close(client->socket);
free_client:
	free(client);
	return err;
}

/* Is there a folder where a socket could appear? */
static bool has_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];

	if (!slash)
		return true;
	if (slash == path || (size_t)(slash - path) >= sizeof(folder))
		return slash == path;
	memcpy(folder, path, (size_t)(slash - path));
	folder[slash - path] = '\0';
	return !access(folder, F_OK);
}

/*
 * While the vGPU's keeper is being replaced its socket is not there or refuses, and a connection that the old one had not yet
 * accepted ends without an answer. That takes milliseconds; a vGPU's folder is there as long as the vGPU.
 */
int vfio_user_client_connect(const char *path, unsigned timeout_ms, struct vfio_user_client **ret_client, char ret_why[256])
{
	const uint64_t give_up_ms = now_ms() + (timeout_ms < REBIRTH_MS ? timeout_ms : REBIRTH_MS);
	unsigned hang_ups = 0;

	for (;;) {
		int err = connect_once(path, timeout_ms, ret_client, ret_why);
		bool reborn = (err == -ECONNREFUSED || err == -ENOENT) && has_folder(path);

		/* A service that hangs up on purpose does so each time. */
		if (err == -ENODEV && hang_ups++ < HANG_UPS_MAX)
			reborn = true;
		if (!reborn || now_ms() >= give_up_ms)
			return err;
		struct timespec pause = {.tv_nsec = RECONNECT_PAUSE_MS * 1000000};
		nanosleep(&pause, NULL);
	}
}

void vfio_user_client_destroy(struct vfio_user_client *client)
{
	if (!client)
		return;
	if (client->socket >= 0)
		close(client->socket);
	pthread_mutex_destroy(&client->lock);
	free(client);
}

int vfio_user_client_device_info(struct vfio_user_client *client, struct vfio_user_device_info *ret_info)
{
	struct vfio_user_device_info ask = {.argsz = sizeof(ask)}, reply;
	struct vfio_user_request request = {
		.command = VFIO_USER_DEVICE_GET_INFO,
		.head = &ask,
		.head_bytes = sizeof(ask),
		.reply = &reply,
		.reply_capacity = sizeof(reply),
	};
	int err = exchange(client, &request, NULL);

	if (!err)
		*ret_info = reply;
	return err;
}

/* The sparse areas of a reply of `bytes`, or the whole region. 0 or -EPROTO. */
static int parse_areas(const uint8_t *reply, uint32_t bytes, const struct vfio_user_region_info *info,
		       struct vfio_user_region *region)
{
	uint32_t at = info->flags & VFIO_USER_REGION_CAPS ? info->cap_offset : 0;

	if (info->flags & VFIO_USER_REGION_MMAP) {
		region->area_count = 1;
		region->area[0] = (struct vfio_user_sparse_area){0, info->size};
	}
	for (unsigned hops = 0; at; hops++) {
		struct vfio_user_sparse_mmap sparse;

		if (hops == 16 || at < sizeof(*info) || at > bytes || bytes - at < sizeof(sparse.header))
			return -EPROTO;
		memcpy(&sparse.header, reply + at, sizeof(sparse.header));
		if (sparse.header.id == VFIO_USER_CAP_SPARSE_MMAP) {
			if (bytes - at < sizeof(sparse))
				return -EPROTO;
			memcpy(&sparse, reply + at, sizeof(sparse));
			if (sparse.nr_areas > VFIO_USER_AREA_MAX ||
			    bytes - at - sizeof(sparse) < sparse.nr_areas * sizeof(struct vfio_user_sparse_area))
				return -EPROTO;
			memcpy(region->area, reply + at + sizeof(sparse), sparse.nr_areas * sizeof(struct vfio_user_sparse_area));
			region->area_count = sparse.nr_areas;
		}
		at = sparse.header.next;
	}
	for (unsigned i = 0; i < region->area_count; i++) {
		const struct vfio_user_sparse_area *area = &region->area[i];

		if (area->offset > info->size || area->size > info->size - area->offset)
			return -EPROTO;
	}
	return 0;
}

int vfio_user_client_region_info(struct vfio_user_client *client, uint32_t index, struct vfio_user_region *ret_region)
{
	uint8_t reply[1024];
	struct vfio_user_region_info ask = {.argsz = sizeof(ask), .index = index};
	struct vfio_user_region_info info = {0};
	struct vfio_user_region region = {.fd = -1};
	struct vfio_user_request request = {
		.command = VFIO_USER_DEVICE_GET_REGION_INFO,
		.head = &ask,
		.head_bytes = sizeof(ask),
		.reply = reply,
		.reply_capacity = sizeof(reply),
	};
	uint32_t bytes;
	int fd, err;

	/* Asked twice where there are capabilities: the first reply says how long the second will be. */
	for (int round = 0;; round++) {
		err = vfio_user_client_request(client, &request, &bytes, &fd);
		if (err)
			goto fail;
		if (region.fd < 0)
			region.fd = fd;
		else if (fd >= 0)
			close(fd);
		if (bytes < sizeof(info))
			goto broken;
		memcpy(&info, reply, sizeof(info));
		if (info.argsz <= bytes)
			break;
		if (round || info.argsz > sizeof(reply))
			goto broken;
		ask.argsz = info.argsz;
	}
	if (info.index != index || parse_areas(reply, bytes, &info, &region))
		goto broken;
	region.bytes = info.size;
	region.file_offset = info.offset;
	region.flags = info.flags;
	*ret_region = region;
	return 0;

broken:
	vfio_user_client_kill(client);
	err = -ENODEV;
fail:
	if (region.fd >= 0)
		close(region.fd);
	return err;
}

int vfio_user_client_irq_count(struct vfio_user_client *client, uint32_t index, uint32_t *ret_count)
{
	struct vfio_user_irq_info ask = {.argsz = sizeof(ask), .index = index}, reply;
	struct vfio_user_request request = {
		.command = VFIO_USER_DEVICE_GET_IRQ_INFO,
		.head = &ask,
		.head_bytes = sizeof(ask),
		.reply = &reply,
		.reply_capacity = sizeof(reply),
	};
	int err = exchange(client, &request, NULL);

	if (!err)
		*ret_count = reply.count;
	return err;
}

int vfio_user_client_irq_eventfd(struct vfio_user_client *client, uint32_t index, uint32_t vector, int eventfd)
{
	struct vfio_user_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_USER_IRQ_DATA_EVENTFD | VFIO_USER_IRQ_ACTION_TRIGGER,
		.index = index,
		.start = vector,
		.count = 1,	/* one descriptor per message: the least any server must take */
	};
	struct vfio_user_request request = {
		.command = VFIO_USER_DEVICE_SET_IRQS,
		.head = &set,
		.head_bytes = sizeof(set),
		.fds = &eventfd,
		.fd_count = 1,
	};

	return exchange(client, &request, NULL);
}

int vfio_user_client_dma_map(struct vfio_user_client *client, uint64_t address, uint64_t bytes, int fd, uint64_t offset)
{
	struct vfio_user_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_USER_DMA_READABLE | VFIO_USER_DMA_WRITABLE,
		.offset = offset,
		.address = address,
		.size = bytes,
	};
	struct vfio_user_request request = {
		.command = VFIO_USER_DMA_MAP,
		.head = &map,
		.head_bytes = sizeof(map),
		.fds = &fd,
		.fd_count = 1,
	};

	return exchange(client, &request, NULL);
}

int vfio_user_client_dma_unmap(struct vfio_user_client *client, uint64_t address, uint64_t bytes)
{
	struct vfio_user_dma_unmap unmap = {.argsz = sizeof(unmap), .address = address, .size = bytes}, reply;
	struct vfio_user_request request = {
		.command = VFIO_USER_DMA_UNMAP,
		.head = &unmap,
		.head_bytes = sizeof(unmap),
		.reply = &reply,
		.reply_capacity = sizeof(reply),
	};

	return exchange(client, &request, NULL);
}

int vfio_user_client_read(struct vfio_user_client *client, uint32_t region, uint64_t offset, void *buffer, uint32_t bytes)
{
	struct vfio_user_region_access access = {.offset = offset, .region = region, .count = bytes};
	uint8_t reply[sizeof(access) + 4096];
	struct vfio_user_request request = {
		.command = VFIO_USER_REGION_READ,
		.head = &access,
		.head_bytes = sizeof(access),
		.reply = reply,
		.reply_capacity = (uint32_t)sizeof(access) + bytes,
	};
	int err;

	if (bytes > 4096)
		return -EINVAL;
	err = exchange(client, &request, NULL);
	if (!err)
		memcpy(buffer, reply + sizeof(access), bytes);
	return err;
}

int vfio_user_client_write(struct vfio_user_client *client, uint32_t region, uint64_t offset, const void *buffer, uint32_t bytes)
{
	struct vfio_user_region_access access = {.offset = offset, .region = region, .count = bytes}, reply;
	struct vfio_user_request request = {
		.command = VFIO_USER_REGION_WRITE,
		.head = &access,
		.head_bytes = sizeof(access),
		.body = buffer,
		.body_bytes = bytes,
		.reply = &reply,
		.reply_capacity = sizeof(reply),
	};

	return exchange(client, &request, NULL);
}

int vfio_user_client_reset(struct vfio_user_client *client)
{
	struct vfio_user_request request = {.command = VFIO_USER_DEVICE_RESET};

	return exchange(client, &request, NULL);
}
