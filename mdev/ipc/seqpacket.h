/* SPDX-License-Identifier: MIT */
/*
 * Messages with descriptors over a UNIX SOCK_SEQPACKET pair: one send, one receive, none torn.
 *
 * Descriptors received are CLOEXEC and the caller's to close. Any thread; one reader per socket.
 */
#ifndef VGPU_MDEV_IPC_SEQPACKET_H
#define VGPU_MDEV_IPC_SEQPACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SEQPACKET_FDS_MAX 16

/* A connected pair, both ends CLOEXEC. 0 or -errno. */
int seqpacket_pair(int ret_fds[2]);

/* Sends one message; borrows fds. 0, or -errno (-EPIPE: peer gone; -EAGAIN: a non-blocking socket is full). */
int seqpacket_send(int socket, const void *message, size_t bytes, const int *fds, unsigned fd_count);

/*
 * Receives one message into buffer, blocking as the socket does. Fills ret_fds (SEQPACKET_FDS_MAX entries)
 * and *ret_fd_count; unused entries are -1. Returns the message's length, 0 on end of stream, or
 * -errno: -EMSGSIZE for a message longer than the buffer or with more descriptors than allowed (its
 * descriptors are closed, the message is consumed).
 * With peek, the message stays queued and the descriptors are duplicates.
 */
ssize_t seqpacket_receive(int socket, void *buffer, size_t capacity, bool peek, int ret_fds[SEQPACKET_FDS_MAX],
			  unsigned *ret_fd_count);
#endif
