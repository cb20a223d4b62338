/* SPDX-License-Identifier: MIT */
/*
 * A vfio-user client: one connection to a device server, one request at a time.
 *
 * Any thread may call; a mutex lets one request out at a time. A server that hangs up, stays silent longer than the timeout or
 * breaks the protocol makes the client dead: that call and all later ones answer -ENODEV. Replacing the server's
 * process behind an open socket is not noticed here, which is how it should be.
 */
#ifndef VGPU_SHIM_TRANSPORT_DIRECT_VFIO_USER_CLIENT_H
#define VGPU_SHIM_TRANSPORT_DIRECT_VFIO_USER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/transport/direct/vfio_user.h"

#define VFIO_USER_FDS_MAX 8
#define VFIO_USER_AREA_MAX 8
#define VFIO_USER_TIMEOUT_MS 30000	/* of one request; a replaced device process takes milliseconds */

struct vfio_user_client;

struct vfio_user_region {
	uint64_t bytes;
	uint64_t file_offset;
	uint32_t flags;
	int fd;			/* the caller's, or -1 */
	unsigned area_count;	/* mmappable areas; without the sparse capability the whole region is one */
	struct vfio_user_sparse_area area[VFIO_USER_AREA_MAX];
};

/* Connects to the socket and agrees on the version. 0 or -errno with one sentence in ret_why. */
int vfio_user_client_connect(const char *path, unsigned timeout_ms, struct vfio_user_client **ret_client, char ret_why[256]);
/* Closes the connection. Accepts NULL. */
void vfio_user_client_destroy(struct vfio_user_client *client);

/* Where the descriptor of the connection is kept: borrowed, for poll, and for the child of a fork to close (then -1). */
int *vfio_user_client_socket(struct vfio_user_client *client);
bool vfio_user_client_dead(struct vfio_user_client *client);
/* Makes it dead now; a request in flight in another thread returns. */
void vfio_user_client_kill(struct vfio_user_client *client);

int vfio_user_client_device_info(struct vfio_user_client *client, struct vfio_user_device_info *ret_info);
/* ret_region->fd, where there is one, is the caller's to close. */
int vfio_user_client_region_info(struct vfio_user_client *client, uint32_t index, struct vfio_user_region *ret_region);
int vfio_user_client_irq_count(struct vfio_user_client *client, uint32_t index, uint32_t *ret_count);
/* Attaches an eventfd (borrowed) to one vector. */
int vfio_user_client_irq_eventfd(struct vfio_user_client *client, uint32_t index, uint32_t vector, int eventfd);
/* Shows the server `bytes` of fd (borrowed) from offset at address, readable and writable. */
int vfio_user_client_dma_map(struct vfio_user_client *client, uint64_t address, uint64_t bytes, int fd, uint64_t offset);
int vfio_user_client_dma_unmap(struct vfio_user_client *client, uint64_t address, uint64_t bytes);
int vfio_user_client_read(struct vfio_user_client *client, uint32_t region, uint64_t offset, void *buffer, uint32_t bytes);
int vfio_user_client_write(struct vfio_user_client *client, uint32_t region, uint64_t offset, const void *buffer, uint32_t bytes);
int vfio_user_client_reset(struct vfio_user_client *client);

/* One request of any kind, for the above and for tests. The payload goes out in up to two parts. The reply's payload is copied
 * into reply (at most capacity; a longer one makes the client dead), its length into *ret_bytes. Descriptors in the reply
 * go to ret_fd (the first; NULL: closed), the others are closed. -errno as the server says, or -ENODEV. */
struct vfio_user_request {
	uint16_t command;
	const void *head;
	uint32_t head_bytes;
	const void *body;
	uint32_t body_bytes;
	const int *fds;		/* borrowed */
	unsigned fd_count;
	void *reply;
	uint32_t reply_capacity;
};
int vfio_user_client_request(struct vfio_user_client *client, const struct vfio_user_request *request, uint32_t *ret_bytes,
			     int *ret_fd);

#endif
