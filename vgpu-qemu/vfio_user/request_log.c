/* SPDX-License-Identifier: MIT */
#include "vgpu-qemu/vfio_user/request_log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mdev/keeper/keeper_protocol.h"
#include "mdev/log/log.h"
#include "vgpu-qemu/test_point.h"

#define ATTEMPTS_MAX 2u			/* processes that may die of one request */
#define RESEND_DOUBT_MS 200		/* how long a client may take from a reply to its next request, see recover */

struct vfio_user_connection {
	struct request_log_wiring wiring;
	struct request_log *log;
	bool ended;
	uint8_t buffer[REQUEST_MAX_BYTES + 1];	/* one more: see receive */
};

int vfio_user_connection_create(const struct request_log_wiring *wiring, struct vfio_user_connection **ret_connection)
{
	struct vfio_user_connection *connection;
	int flags = fcntl(wiring->socket, F_GETFL);

	/* splice(2) to the socket must not wait for a client that does not read. */
	if (flags < 0 || fcntl(wiring->socket, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return -ENOMEM;
	connection->wiring = *wiring;
	connection->log = &wiring->state->request;
	*ret_connection = connection;
	return 0;
}

void vfio_user_connection_destroy(struct vfio_user_connection *connection)
{
	free(connection);
}

static int pending_bytes(int fd, unsigned long what)
{
	int bytes = 0;

	return ioctl(fd, what, &bytes) ? 0 : bytes;
}

/* Ends the connection because of what the client sent. */
static int end(struct vfio_user_connection *connection, const char *why)
{
	log_warning("the vfio-user connection is ended: %s", why);
	keeper_link_strike(connection->wiring.keeper, "vfio-user connection ended: %s", why);
	shutdown(connection->wiring.socket, SHUT_RDWR);
	connection->ended = true;
	return -EPIPE;
}

static int ended(struct vfio_user_connection *connection)
{
	connection->ended = true;
	return -EPIPE;
}

/* ---- NONE: a new message ------------------------------------------------------------------------------- */

/* Fewer bytes than a message: either more will come, or the peer is gone. */
static int incomplete(struct vfio_user_connection *connection)
{
	struct pollfd p = {.fd = connection->wiring.socket, .events = POLLIN | POLLRDHUP};

	if (poll(&p, 1, 0) == 1 && p.revents & (POLLRDHUP | POLLHUP | POLLERR)) {
		log_info("the client went away in the middle of a message");
		return ended(connection);
	}
	return 0;
}

/* Peeks exactly bytes with the descriptors that belong to them. Returns bytes peeked; descriptors are the caller's. */
static ssize_t peek_with_fds(struct vfio_user_connection *connection, uint32_t bytes, int fds[REQUEST_FDS_MAX],
			     unsigned *ret_fd_count, bool *ret_too_many)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(REQUEST_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = connection->buffer, .iov_len = bytes};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(connection->wiring.socket, &header, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	unsigned count = 0;

	if (got < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		unsigned in_this = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		for (unsigned i = 0; i < in_this && count < REQUEST_FDS_MAX; i++)
			memcpy(&fds[count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
	*ret_fd_count = count;
	*ret_too_many = header.msg_flags & MSG_CTRUNC;
	return got;
}

/* The message is in buffer: into the log it goes, descriptors first. Takes fds. */
static void log_message(struct vfio_user_connection *connection, uint32_t bytes, const int *fds, unsigned fd_count,
			int refused_errno)
{
	struct request_log *log = connection->log;

	for (unsigned i = 0; i < fd_count; i++)
		keeper_link_store(connection->wiring.keeper, KEEPER_TAG(KEEPER_FD_PENDING, i), fds[i]);
	TEST_POINT("stored");
	memcpy(log->message, connection->buffer, bytes);
	log->message_bytes = bytes;
	log->fd_count = fd_count;
	log->refused_errno = (uint32_t)refused_errno;
	log->attempts = 0;
	log->reply_bytes = 0;
	log->reply_fd_tag = 0;
	log->clears_isr = 0;
	log->serial++;
	state_barrier();
	log->phase = REQUEST_LOGGED;
	state_barrier();
	TEST_POINT("logged");
}

/*
 * 1: a message was logged. 0: none is there. -EPIPE.
 *
 * Whose descriptors? A peek goes on over the messages that wait until it has passed one with descriptors, and stops
 * behind that one (Linux af_unix: a sendmsg's descriptors travel with its last bytes, and even a peek of exactly one
 * message's length picks up those of the next). So the first peek has no room for descriptors, and CTRUNC says that it
 * met some; they are this message's only if the peek stopped exactly at its end. The buffer is longer than any
 * message, so that running out of room never looks like that.
 */
static int receive(struct vfio_user_connection *connection)
{
	struct iovec iov = {.iov_base = connection->buffer, .iov_len = sizeof(connection->buffer)};
	struct msghdr peek = {.msg_iov = &iov, .msg_iovlen = 1};
	struct vfio_user_header header;
	int fds[REQUEST_FDS_MAX];
	unsigned fd_count = 0;
	bool too_many = false;
	int refused_errno = 0;
	ssize_t got = recvmsg(connection->wiring.socket, &peek, MSG_PEEK | MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : ended(connection);
	if (got == 0)
		return ended(connection);
	if ((size_t)got < sizeof(header))
		return incomplete(connection);
	memcpy(&header, connection->buffer, sizeof(header));
	if (header.message_size < sizeof(header))
		return end(connection, "a message shorter than its header (garbage on the socket?)");
	if (header.message_size > REQUEST_MAX_BYTES)
		return end(connection, "a message longer than 8192 bytes (garbage on the socket, or more than max_data_xfer_size)");
	if ((size_t)got < header.message_size) {
		if ((uint32_t)pending_bytes(connection->wiring.socket, SIOCINQ) < header.message_size)
			return incomplete(connection);
		return end(connection, "a message sent in parts around its descriptors; it must be one sendmsg");
	}
	if ((size_t)got == header.message_size && peek.msg_flags & MSG_CTRUNC) {
		got = peek_with_fds(connection, header.message_size, fds, &fd_count, &too_many);
		if (got != (ssize_t)header.message_size)
			return end(connection, "a message vanished from the socket between two looks at it");
	}
	if ((header.flags & VFIO_USER_FLAGS_TYPE) != VFIO_USER_FLAGS_COMMAND) {
		log_warning("a vfio-user message of type %u from the client, which sends commands only: refused",
			    header.flags & VFIO_USER_FLAGS_TYPE);
		refused_errno = EINVAL;
	} else if (too_many || fd_count > connection->wiring.fds_allowed(header.command)) {
		log_warning("vfio-user command %u came with %u%s descriptors, at most %u belong to it: refused", header.command,
			    fd_count, too_many ? " or more" : "", connection->wiring.fds_allowed(header.command));
		refused_errno = EINVAL;
	}
	if (refused_errno) {
		for (unsigned i = 0; i < fd_count; i++)
			close(fds[i]);
		fd_count = 0;
	}
	log_message(connection, header.message_size, fds, fd_count, refused_errno);
	return 1;
}

/* ---- LOGGED, CONSUMED -------------------------------------------------------------------------------------- */

static int consume(struct vfio_user_connection *connection)
{
	struct request_log *log = connection->log;
	ssize_t got = recv(connection->wiring.socket, connection->buffer, log->message_bytes, MSG_DONTWAIT);

	/* It was there a moment ago, and nobody else reads here. */
	if (got != (ssize_t)log->message_bytes)
		return end(connection, "a message vanished from the socket between two looks at it");
	TEST_POINT("consumed");
	state_barrier();
	log->phase = REQUEST_CONSUMED;
	state_barrier();
	return 0;
}

static void execute(struct vfio_user_connection *connection)
{
	struct request_log *log = connection->log;
	struct vfio_user_header header;
	struct vfio_user_header *answer = (struct vfio_user_header *)log->reply;
	struct request request = {.payload = log->message + sizeof(header)};
	struct reply reply = {.payload = log->reply + sizeof(header)};
	int error;

	memcpy(&header, log->message, sizeof(header));
	request.command = header.command;
	request.payload_bytes = log->message_bytes - (uint32_t)sizeof(header);
	request.fd_count = log->fd_count;
	for (unsigned i = 0; i < log->fd_count; i++)
		request.fds[i] = keeper_link_fd(connection->wiring.keeper, KEEPER_TAG(KEEPER_FD_PENDING, i));
	log->attempts++;
	state_barrier();
	TEST_POINT("execute");
	memset(log->reply, 0, sizeof(log->reply));
	if (log->refused_errno) {
		error = -(int)log->refused_errno;
	} else if (log->attempts > ATTEMPTS_MAX) {
		keeper_link_strike(connection->wiring.keeper,
				   "vfio-user command %u killed the device process %u times; it is answered with an error",
				   header.command, ATTEMPTS_MAX);
		error = -EIO;
	} else {
		error = connection->wiring.execute(connection->wiring.data, &request, &reply);
	}
	TEST_POINT("executed");
	if (error) {
		reply.payload_bytes = 0;
		reply.fd_tag = 0;
		reply.clears_isr = false;
	}
	assert(reply.payload_bytes <= REPLY_PAYLOAD_MAX);
	answer->message_id = header.message_id;
	answer->command = header.command;
	answer->message_size = (uint32_t)sizeof(header) + reply.payload_bytes;
	answer->flags = VFIO_USER_FLAGS_REPLY | (error ? VFIO_USER_FLAGS_ERROR : 0);
	answer->error = (uint32_t)-error;
	/* NO_REPLY has a meaning in commands only. */
	if (header.flags & VFIO_USER_FLAGS_NO_REPLY && (header.flags & VFIO_USER_FLAGS_TYPE) == VFIO_USER_FLAGS_COMMAND)
		log->reply_bytes = 0;
	else
		log->reply_bytes = answer->message_size;
	log->reply_fd_tag = reply.fd_tag;
	log->clears_isr = reply.clears_isr;
	state_barrier();
	log->phase = REQUEST_EXECUTED;
	state_barrier();
	TEST_POINT("reply-logged");
}

/* ---- EXECUTED and after -------------------------------------------------------------------------------------- */

static void done(struct vfio_user_connection *connection)
{
	struct request_log *log = connection->log;
	unsigned fd_count = log->fd_count;

	TEST_POINT("sent");
	state_barrier();
	log->phase = REQUEST_NONE;
	state_barrier();
	TEST_POINT("none");
	for (unsigned i = 0; i < fd_count; i++)
		keeper_link_drop(connection->wiring.keeper, KEEPER_TAG(KEEPER_FD_PENDING, i));
}

static int send_fd(struct vfio_user_connection *connection)
{
	struct request_log *log = connection->log;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = log->reply, .iov_len = log->reply_bytes};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);
	int fd = keeper_link_fd(connection->wiring.keeper, log->reply_fd_tag);
	ssize_t sent;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	sent = sendmsg(connection->wiring.socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		return errno == EAGAIN ? -EAGAIN : ended(connection);
	return 0;
}

/* From EXECUTED on. 0: done. -EAGAIN: the client must read first. -EPIPE. */
static int answer(struct vfio_user_connection *connection)
{
	struct request_log *log = connection->log;
	int error;

	if (log->phase == REQUEST_EXECUTED) {
		if (log->clears_isr)
			*connection->wiring.isr = 0;
		if (!log->reply_bytes) {
			done(connection);
			return 0;
		}
		if (log->reply_fd_tag) {
			state_barrier();
			log->phase = REQUEST_SENDING_FD;
			state_barrier();
			TEST_POINT("sending-fd");
		} else {
			ssize_t written = write(connection->wiring.pipe_write, log->reply, log->reply_bytes);
			if (written != (ssize_t)log->reply_bytes)
				return end(connection, "a reply does not fit into the reply pipe");
			TEST_POINT("piped");
			log->phase = REQUEST_IN_PIPE;
			state_barrier();
			TEST_POINT("in-pipe");
		}
	}
	if (log->phase == REQUEST_SENDING_FD) {
		error = send_fd(connection);
		if (error)
			return error;
		TEST_POINT("fd-sent");
		done(connection);
		return 0;
	}
	while (pending_bytes(connection->wiring.pipe_read, FIONREAD)) {
		ssize_t moved = splice(connection->wiring.pipe_read, NULL, connection->wiring.socket, NULL, REPLY_MAX_BYTES,
				       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (moved < 0 && errno == EAGAIN)
			return -EAGAIN;
		if (moved <= 0)
			return ended(connection);
	}
	done(connection);
	return 0;
}

int vfio_user_connection_serve(struct vfio_user_connection *connection)
{
	struct request_log *log = connection->log;
	int result;

	if (connection->ended)
		return -EPIPE;
	if (log->phase == REQUEST_NONE) {
		result = receive(connection);
		if (result <= 0)
			return result;
	}
	if (log->phase == REQUEST_LOGGED) {
		result = consume(connection);
		if (result)
			return result;
	}
	if (log->phase == REQUEST_CONSUMED)
		execute(connection);
	result = answer(connection);
	return result == -EAGAIN ? 0 : result ? result : 1;
}

/* ---- takeover ------------------------------------------------------------------------------------------------- */

/* Is the logged message still the head of the socket? */
static bool still_queued(struct vfio_user_connection *connection)
{
	struct request_log *log = connection->log;
	ssize_t got = recv(connection->wiring.socket, connection->buffer, log->message_bytes, MSG_PEEK | MSG_DONTWAIT);

	return got == (ssize_t)log->message_bytes && !memcmp(connection->buffer, log->message, log->message_bytes);
}

/*
 * Was the reply with a descriptor sent? Unread bytes say yes. None may mean that the client has read it already:
 * then its next request follows at once, for such replies are part of its set-up, done one step after the other.
 */
static bool fd_reply_was_sent(struct vfio_user_connection *connection)
{
	struct pollfd p = {.fd = connection->wiring.socket, .events = POLLIN};

	return pending_bytes(connection->wiring.socket, SIOCOUTQ) > 0 || poll(&p, 1, RESEND_DOUBT_MS) == 1;
}

void vfio_user_connection_recover(struct vfio_user_connection *connection)
{
	struct request_log *log = connection->log;

	switch (log->phase) {
	case REQUEST_NONE:
		/* Left by a process killed before it logged, or before it dropped them. */
		for (unsigned i = 0; i < REQUEST_FDS_MAX; i++)
			keeper_link_drop(connection->wiring.keeper, KEEPER_TAG(KEEPER_FD_PENDING, i));
		break;
	case REQUEST_LOGGED:
		if (!still_queued(connection))
			log->phase = REQUEST_CONSUMED;
		break;
	case REQUEST_EXECUTED:
		if (pending_bytes(connection->wiring.pipe_read, FIONREAD))
			log->phase = REQUEST_IN_PIPE;
		break;
	case REQUEST_SENDING_FD:
		if (fd_reply_was_sent(connection))
			done(connection);
		break;
	default:
		break;
	}
}
