/* SPDX-License-Identifier: MIT */
#include "mdev/keeper_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mdev/log/log.h"

#define MESSAGES_AT_ONCE 64	/* then others of the loop have their turn */

struct keeper_client {
	int socket;
	pid_t peer;
	sd_event_source *source;
	const struct keeper_client_ops *ops;
	void *data;
	bool is_closed;		/* closed by a message's handler: freed when that returns */
	bool is_dispatching;
};

static void release(struct keeper_client *client)
{
	client->source = sd_event_source_disable_unref(client->source);
	if (client->socket >= 0)
		close(client->socket);
	client->socket = -1;
}

void keeper_client_close(struct keeper_client *client)
{
	if (!client)
		return;
	release(client);
	client->is_closed = true;
	if (!client->is_dispatching)
		free(client);
}

/* Takes one message. 0, or what ended the connection. */
static int receive(struct keeper_client *client)
{
	struct {
		struct keeper_message message;
		char text[KEEPER_TEXT_MAX + 1];
	} in;
	int fds[SEQPACKET_FDS_MAX];
	unsigned fd_count;
	ssize_t got = seqpacket_receive(client->socket, &in, sizeof(in) - 1, false, fds, &fd_count);

	if (got <= 0)
		return got ? (int)got : -EPIPE;
	if ((size_t)got >= sizeof(in.message) && (size_t)got == sizeof(in.message) + in.message.bytes &&
	    in.message.tag_count <= KEEPER_TAGS_PER_MESSAGE) {
		in.text[in.message.bytes] = '\0';
		client->ops->message(&in.message, in.text, fds, client->data);
	} else {
		log_error("a keeper (pid %d) sent a message of %zd bytes that is none: left out", (int)client->peer, got);
	}
	for (unsigned i = 0; i < SEQPACKET_FDS_MAX; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return 0;
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct keeper_client *client = data;
	int error = 0;

	(void)source;
	(void)fd;
	(void)events;
	client->is_dispatching = true;
	for (int i = 0; i < MESSAGES_AT_ONCE && !error && !client->is_closed; i++)
		error = receive(client);
	client->is_dispatching = false;
	if (!client->is_closed && error && error != -EAGAIN) {
		release(client);
		client->is_dispatching = true;
		client->ops->ended(client->data);
		client->is_closed = true;
	}
	if (client->is_closed)
		free(client);
	return 0;
}

int keeper_client_open(sd_event *loop, const char *path, const struct keeper_client_ops *ops, void *data,
		       struct keeper_client **ret_client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct keeper_client *client;
	struct ucred peer;
	socklen_t length = sizeof(peer);
	int error;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->ops = ops;
	client->data = data;
	client->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->socket < 0 || connect(client->socket, (struct sockaddr *)&address, sizeof(address)) ||
	    getsockopt(client->socket, SOL_SOCKET, SO_PEERCRED, &peer, &length)) {
		error = -errno;
		goto fail;
	}
	client->peer = peer.pid;
	error = keeper_client_send(client, KEEPER_MANAGE, NULL);
	if (!error)
		error = sd_event_add_io(loop, &client->source, client->socket, EPOLLIN, on_socket, client);
	if (error < 0)
		goto fail;
	*ret_client = client;
	return 0;
fail:
	keeper_client_close(client);
	return error;
}

int keeper_client_send(struct keeper_client *client, uint32_t op, const char *text)
{
	struct {
		struct keeper_message message;
		char text[KEEPER_TEXT_MAX];
	} out = {.message = {.op = op}};
	size_t bytes = text ? strlen(text) : 0;

	if (bytes > KEEPER_TEXT_MAX)
		return -EMSGSIZE;
	if (bytes)
		memcpy(out.text, text, bytes);
	out.message.bytes = (uint32_t)bytes;
	return seqpacket_send(client->socket, &out, sizeof(out.message) + bytes, NULL, 0);
}

pid_t keeper_client_peer(const struct keeper_client *client)
{
	return client->peer;
}
