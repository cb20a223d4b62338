/* SPDX-License-Identifier: MIT */
/*
 * The connection: takes one request after another, logs it before it acts, and answers it exactly once.
 *
 * Theory of operation (state_page.h has the log; a phase is stored after what it says is true).
 *   NONE      Peek the header, then the message with its descriptors (a peek duplicates them). Store the
 *             descriptors with the keeper, copy the message into the log.
 *   LOGGED    Consume the message from the socket. After a restart: is the message at the head of the socket the one
 *             in the log? Then it was not consumed. (A client that sends the same message twice without waiting for
 *             a reply, with the same id, may lose one of the two; message ids count up in every client we know.)
 *   CONSUMED  Execute. Executing twice must be the same as once: handlers store absolute values.
 *   EXECUTED  The reply stands in the log. Side effects of reading (clear-on-read) happen now. Write the reply into
 *             the pipe. After a restart: bytes in the pipe mean that it was written.
 *   IN_PIPE   splice(2) moves it to the socket in one step. After a restart: an empty pipe means that it was sent.
 *   NONE      Stored descriptors are dropped with the next look at the socket.
 * A reply that carries a descriptor cannot pass through a pipe: SENDING_FD. After a restart the unread bytes
 * of the socket tell, or else that the client goes on and sends its next request.
 *
 * A request begun by two processes that both died is answered with EIO by the third.
 * Distrusts the client: lengths, types, descriptor counts, a reader that does not read. Never blocks.
 */
#ifndef VGPU_QEMU_VFIO_USER_REQUEST_LOG_H
#define VGPU_QEMU_VFIO_USER_REQUEST_LOG_H

#include <stdbool.h>

#include "vgpu-qemu/keeper_link.h"
#include "vgpu-qemu/state_page.h"
#include "vgpu-qemu/vfio_user/protocol.h"

#define REPLY_PAYLOAD_MAX (REPLY_MAX_BYTES - sizeof(struct vfio_user_header))

/* A request as its handler sees it: framing checked, copied. */
struct request {
	uint16_t command;
	const uint8_t *payload;
	uint32_t payload_bytes;
	unsigned fd_count;
	int fds[REQUEST_FDS_MAX];	/* borrowed */
};

struct reply {
	uint8_t *payload;		/* REPLY_PAYLOAD_MAX bytes, zeroed */
	uint32_t payload_bytes;
	uint32_t fd_tag;		/* the descriptor to attach; 0: none */
	bool clears_isr;
};

struct request_log_wiring {
	int socket;			/* all borrowed */
	int pipe_read;
	int pipe_write;
	struct connection_state *state;
	uint8_t *isr;			/* cleared when a reply that clears it is safe */
	struct keeper_link *keeper;
	/* How many descriptors the command may carry. */
	unsigned (*fds_allowed)(uint16_t command);
	/* 0, or -errno to answer with (the reply's content is then ignored). Must be idempotent. */
	int (*execute)(void *data, const struct request *request, struct reply *reply);
	void *data;
};

struct vfio_user_connection;

int vfio_user_connection_create(const struct request_log_wiring *wiring, struct vfio_user_connection **ret_connection);
void vfio_user_connection_destroy(struct vfio_user_connection *connection);

/* Finishes a predecessor's phase as far as it can without waiting. Call once before serve. */
void vfio_user_connection_recover(struct vfio_user_connection *connection);

/*
 * Handles at most one request. 1: one was handled, call again. 0: nothing more to do until the socket, watched
 * edge-triggered for in and out, has an event. -EPIPE: the connection has ended, or was ended because of the client's
 * bytes, which is in the log then.
 */
int vfio_user_connection_serve(struct vfio_user_connection *connection);

#endif
