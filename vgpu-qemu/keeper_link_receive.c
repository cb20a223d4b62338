/* SPDX-License-Identifier: MIT */
/*
 * What the keeper says: descriptors given, engines started and dead.
 *
 * A message is consumed after it was acted upon, so one that a killed process had begun is read again by the next.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mdev/ipc/seqpacket.h"
#include "mdev/log/log.h"
#include "vgpu-qemu/keeper_link_parts.h"

/* Puts what came along into the table; takes all fds. */
static void take_given(struct keeper_link *link, const struct keeper_message *message, const int *fds, unsigned fd_count)
{
	for (unsigned i = 0; i < fd_count; i++) {
		if (i < message->tag_count && i < KEEPER_TAGS_PER_MESSAGE) {
			keeper_table_put(&link->table, message->tags[i], fds[i], false);
		} else {
			close(fds[i]);
		}
	}
}

static void engine_started(struct keeper_link *link, const struct keeper_message *message)
{
	struct engine *engine = &link->engine[message->context];
	uint32_t pidfd_tag = KEEPER_TAG(KEEPER_FD_ENGINE_PIDFD, message->context);

	engine->alive = true;
	engine->pid = message->value;
	if (engine->wish == WISH_START || engine->wish == WISH_START_AGAIN)
		engine->wish = WISH_NONE;
	/* Opened while the keeper, its parent, has not reaped it: the number cannot be another process's. */
	if (keeper_link_fd(link, pidfd_tag) < 0 && message->value > 0) {
		int fd = (int)syscall(SYS_pidfd_open, (pid_t)message->value, 0u);
		if (fd >= 0)
			keeper_table_put(&link->table, pidfd_tag, fd, false);
	}
	link->wiring.engine_started(link->wiring.data, message->context, message->value);
}

static void engine_died(struct keeper_link *link, const struct keeper_message *message)
{
	struct engine *engine = &link->engine[message->context];
	/* The wish a DIED answers: a START that failed or a KILL. An order given after this DIED was sent is
	 * given again by whoever gave it, upon the call below. */
	engine->alive = false;
	engine->wish = WISH_NONE;
	for (uint32_t kind = KEEPER_FD_ENGINE_CHANNEL; kind <= KEEPER_FD_ENGINE_PIDFD; kind++)
		keeper_table_remove(&link->table, KEEPER_TAG(kind, message->context));
	/* The acknowledgement: from here on a takeover is not told of this death again, nor given its channel. Goes out before
	 * any order that the call below gives for the context's next engine. */
	if (link->state != LINK_LOST)
		keeper_table_drop(&link->table, KEEPER_TAG(KEEPER_FD_ENGINE_CHANNEL, message->context));
	link->wiring.engine_died(link->wiring.data, message->context, message->value);
	/* In the socket before this process serves its guest again. */
	keeper_link_flush(link, true);
}

int keeper_link_receive_one(struct keeper_link *link)
{
	struct {
		struct keeper_message message;
		char text[KEEPER_TEXT_MAX];
	} in, consumed;
	int fds[SEQPACKET_FDS_MAX];
	unsigned fd_count;
	int socket = link->socket;
	bool given = false;
	ssize_t got = seqpacket_receive(socket, &in, sizeof(in), true, fds, &fd_count);

	if (got == -EAGAIN)
		return -EAGAIN;
	if (got == -EMSGSIZE) {
		log_warning("the keeper sent a message longer than %zu bytes: ignored", sizeof(in));
		goto consume;
	}
	if (got <= 0)
		return -EPIPE;
	if ((size_t)got < sizeof(in.message) || in.message.context >= KEEPER_CONTEXT_MAX) {
		log_warning("the keeper sent a malformed message of %zd bytes: ignored", got);
		for (unsigned i = 0; i < fd_count; i++)
			close(fds[i]);
		goto consume;
	}
	take_given(link, &in.message, fds, fd_count);
	switch (in.message.op) {
	case KEEPER_HELLO:
	case KEEPER_GIVE:
		break;
	case KEEPER_GIVEN:
		given = true;
		break;
	case KEEPER_ENGINE_STARTED:
		engine_started(link, &in.message);
		break;
	case KEEPER_ENGINE_DIED:
		engine_died(link, &in.message);
		break;
	default:
		log_warning("the keeper sent message %u, which this build does not know: ignored", in.message.op);
	}
consume:
	/* Acting may have found the keeper dead: then its socket is gone, and the message with it. */
	if (link->socket == socket)
		(void)!recv(socket, &consumed, sizeof(consumed), MSG_DONTWAIT);
	return given;
}
