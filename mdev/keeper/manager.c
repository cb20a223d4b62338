/* SPDX-License-Identifier: MIT */
/* vgpud's connection: what it is told, what it may ask. It may vanish and come back at any time. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mdev/ipc/seqpacket.h"
#include "mdev/keeper/keeper.h"
#include "mdev/log/log.h"

static void dismiss(struct keeper *keeper)
{
	keeper_close_watched(keeper, &keeper->manager);
}

/* The manager never holds a keeper up: one that does not read is dismissed and finds out when it comes back. */
static void tell(struct keeper *keeper, const struct keeper_message *message, const char *text, const int *fds,
		 unsigned fd_count)
{
	struct {
		struct keeper_message message;
		char text[KEEPER_TEXT_MAX];
	} out = {.message = *message};
	size_t bytes = text ? strnlen(text, KEEPER_TEXT_MAX) : 0;

	if (keeper->manager < 0)
		return;
	out.message.bytes = (uint32_t)bytes;
	if (bytes)
		memcpy(out.text, text, bytes);
	int error = seqpacket_send(keeper->manager, &out, sizeof(out.message) + bytes, fds, fd_count);
	if (error) {
		log_warning("vgpud does not listen (%s): dismissed until it connects again", strerror(-error));
		dismiss(keeper);
	}
}

void manager_engine_started(struct keeper *keeper, const struct slot *slot, uint32_t context)
{
	struct keeper_message message = {
		.op = KEEPER_ENGINE,
		.slot = slot->index,
		.context = context,
		.value = slot->engine[context].pid,
		.tag_count = 1,
		.tags = {KEEPER_TAG(KEEPER_FD_ENGINE_STATUS, context)},
	};
	int status = store_get(&slot->store, message.tags[0]);

	if (status >= 0)
		tell(keeper, &message, NULL, &status, 1);
}

void manager_engine_gone(struct keeper *keeper, const struct slot *slot, uint32_t context, int status)
{
	tell(keeper, &(struct keeper_message){.op = KEEPER_ENGINE_GONE, .slot = slot->index, .context = context, .value = status},
	     NULL, NULL, 0);
}

void manager_slot(struct keeper *keeper, const struct slot *slot, bool opened, const char *peer)
{
	tell(keeper, &(struct keeper_message){.op = KEEPER_SLOT, .slot = slot->index, .value = opened}, peer, NULL, 0);
}

void manager_event(struct keeper *keeper, uint64_t strikes, const char *text)
{
	tell(keeper, &(struct keeper_message){.op = KEEPER_EVENT, .value = (int64_t)strikes}, text, NULL, 0);
}

static void tell_everything(struct keeper *keeper)
{
	int lease[2] = {keeper->grant_fd, keeper->want_fd};

	tell(keeper, &(struct keeper_message){.op = KEEPER_IS, .value = getpid(), .tag_count = 1,
					      .tags = {KEEPER_TAG(KEEPER_FD_VGPU_PAGE, 0)}},
	     NULL, &keeper->vgpu_page_fd, 1);
	tell(keeper, &(struct keeper_message){.op = KEEPER_LEASE, .tag_count = 2,
					      .tags = {KEEPER_TAG(KEEPER_FD_GRANT, 0), KEEPER_TAG(KEEPER_FD_WANT, 0)}},
	     NULL, lease, 2);
	for (uint32_t index = 0; index < KEEPER_SLOT_MAX; index++) {
		const struct slot *slot = keeper->slot[index];
		if (!slot)
			continue;
		manager_slot(keeper, slot, true, "open");
		for (uint32_t context = 0; context < KEEPER_CONTEXT_MAX; context++)
			if (slot->engine[context].life == ENGINE_ALIVE)
				manager_engine_started(keeper, slot, context);
	}
	tell(keeper, &(struct keeper_message){.op = KEEPER_MANAGED}, NULL, NULL, 0);
}

void manager_welcome(struct keeper *keeper, int socket)
{
	struct timeval patience = {.tv_sec = 1};

	dismiss(keeper);
	setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	keeper->manager = socket;
	keeper_watch(keeper, socket, KEEPER_EVENT_DATA(EVENT_MANAGER, 0, 0));
	if (keeper->open)
		tell_everything(keeper);
	else
		keeper->manager_waits = true;
}

void manager_opened(struct keeper *keeper)
{
	if (keeper->manager_waits)
		tell_everything(keeper);
	keeper->manager_waits = false;
}

static void replace_devices(struct keeper *keeper, const char *program)
{
	if (program_replace(keeper, program)) {
		log_error("cannot replace the device processes: %s is not the absolute path of a program", program);
		manager_event(keeper, 0, "replace-device refused: not the absolute path of a program");
		return;
	}
	log_info("device processes are replaced by %s", program);
	for (uint32_t index = 0; index < KEEPER_SLOT_MAX; index++)
		if (keeper->slot[index])
			slot_replace_device(keeper, keeper->slot[index]);
}

void manager_message(struct keeper *keeper)
{
	struct {
		struct keeper_message message;
		char text[KEEPER_TEXT_MAX + 1];
	} in;
	int fds[SEQPACKET_FDS_MAX];
	unsigned fd_count;
	struct pollfd ready = {.fd = keeper->manager, .events = POLLIN};

	/* The event may be of a connection that another has replaced since: its socket must not be waited for. */
	if (poll(&ready, 1, 0) <= 0)
		return;
	ssize_t got = seqpacket_receive(keeper->manager, &in, sizeof(in) - 1, false, fds, &fd_count);

	for (unsigned i = 0; i < fd_count; i++)
		close(fds[i]);
	if (got < (ssize_t)sizeof(in.message)) {
		log_info("vgpud is gone; going on without it");
		dismiss(keeper);
		return;
	}
	((char *)&in)[got] = '\0';
	switch (in.message.op) {
	case KEEPER_MANAGE:
		tell_everything(keeper);
		break;
	case KEEPER_REPLACE_DEVICE:
		replace_devices(keeper, in.text);
		break;
	case KEEPER_STOP:
		log_info("stopped by vgpud");
		keeper->stopping = true;
		break;
	default:
		log_error("vgpud sent an unknown message %u", in.message.op);
	}
}
