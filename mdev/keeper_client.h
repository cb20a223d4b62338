/* SPDX-License-Identifier: MIT */
/*
 * vgpud's connection to one keeper: frames, descriptors and the end of it; what messages mean is instance.c's.
 *
 * Event loop thread only.
 */
#ifndef VGPU_MDEV_KEEPER_CLIENT_H
#define VGPU_MDEV_KEEPER_CLIENT_H

#include <systemd/sd-event.h>

#include "mdev/ipc/seqpacket.h"
#include "mdev/keeper/keeper_protocol.h"

struct keeper_client;

struct keeper_client_ops {
	/* One message; text is NUL-terminated. It may take descriptors by setting their entry to -1; the others are closed after it. */
	void (*message)(const struct keeper_message *message, const char *text, int fds[SEQPACKET_FDS_MAX], void *data);
	/* The connection has ended; the client is gone after this returns. */
	void (*ended)(void *data);
};

/* Connects to path (keeper.sock) and says MANAGE. 0, or -errno: -ENOENT, -ECONNREFUSED: no keeper listens there. */
int keeper_client_open(sd_event *loop, const char *path, const struct keeper_client_ops *ops, void *data,
		       struct keeper_client **ret_client);
void keeper_client_close(struct keeper_client *client);	/* accepts NULL; does not call ended */
/* 0 or -errno. text may be NULL. */
int keeper_client_send(struct keeper_client *client, uint32_t op, const char *text);
/* Process id of the one who listened, as the kernel says. */
pid_t keeper_client_peer(const struct keeper_client *client);

#endif
