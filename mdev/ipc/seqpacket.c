/* SPDX-License-Identifier: MIT */
#include "mdev/ipc/seqpacket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

int seqpacket_pair(int ret_fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) ? -errno : 0;
}

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(SEQPACKET_FDS_MAX * sizeof(int))];
};

int seqpacket_send(int socket, const void *message, size_t bytes, const int *fds, unsigned fd_count)
{
	struct iovec iov = {.iov_base = (void *)message, .iov_len = bytes};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control;
	ssize_t sent;

	if (fd_count > SEQPACKET_FDS_MAX)
		return -EINVAL;
	if (fd_count) {
		memset(&control, 0, sizeof(control));
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, fd_count * sizeof(int));
	}
	do
		sent = sendmsg(socket, &header, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	return (size_t)sent == bytes ? 0 : -EIO;
}

static void close_all(int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		close(fds[i]);
		fds[i] = -1;
	}
}

ssize_t seqpacket_receive(int socket, void *buffer, size_t capacity, bool peek, int ret_fds[SEQPACKET_FDS_MAX],
			  unsigned *ret_fd_count)
{
	struct iovec iov = {.iov_base = buffer, .iov_len = capacity};
	union control control;
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	unsigned count = 0;
	ssize_t got;

	for (unsigned i = 0; i < SEQPACKET_FDS_MAX; i++)
		ret_fds[i] = -1;
	*ret_fd_count = 0;
	do
		got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | (peek ? MSG_PEEK : 0));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		unsigned in_this = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (unsigned i = 0; i < in_this; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (count < SEQPACKET_FDS_MAX)
				ret_fds[count++] = fd;
			else
				close(fd);
		}
	}
	if (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		close_all(ret_fds, count);
		return -EMSGSIZE;
	}
	*ret_fd_count = count;
	return got;
}
