/* SPDX-License-Identifier: MIT */
/*
 * Who has connected to keeper.sock: vgpud, or a device process that lost its keeper.
 *
 * A keeper that starts anew expects every device process noted in its folder to come back with its descriptors
 * before it opens the doors to clients: the lease and the vGPU's page are among them, and a second set would
 * split the vGPU in two.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "mdev/ipc/seqpacket.h"
#include "mdev/keeper/keeper.h"
#include "mdev/log/log.h"
#include "mdev/process_note.h"

void peer_message(struct keeper *keeper, unsigned index)
{
	struct {
		struct keeper_message message;
		char text[KEEPER_TEXT_MAX + 1];
	} in;
	int fds[SEQPACKET_FDS_MAX], socket = keeper->peer[index];
	struct timeval patience = {.tv_sec = 2};
	unsigned fd_count;
	ssize_t got = seqpacket_receive(socket, &in, sizeof(in) - 1, false, fds, &fd_count);

	for (unsigned i = 0; i < fd_count; i++)
		close(fds[i]);
	keeper->peer[index] = -1;
	keeper_unwatch(keeper, socket);
	if (got < (ssize_t)sizeof(in.message)) {
		close(socket);
		return;
	}
	if (in.message.op == KEEPER_MANAGE) {
		manager_welcome(keeper, socket);
		return;
	}
	if (in.message.op == KEEPER_REJOIN && in.message.slot < KEEPER_SLOT_MAX) {
		setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		struct slot *slot = slot_rejoin(keeper, in.message.slot, (pid_t)in.message.value, socket);
		if (slot) {
			slot->rejoining = true;
			keeper_watch(keeper, socket, KEEPER_EVENT_DATA(EVENT_DEVICE, slot->index, 0));
			if (keeper->stopping)
				slot_end(keeper, slot);	/* too late for the end of all slots */
			return;
		}
	}
	log_warning("a peer began with message %u, which starts nothing", in.message.op);
	close(socket);
}

/* The first slot to come back brings what all share. */
static void adopt_shared(struct keeper *keeper, const struct slot *slot)
{
	int page = store_get(&slot->store, KEEPER_TAG(KEEPER_FD_VGPU_PAGE, 0));
	int grant = store_get(&slot->store, KEEPER_TAG(KEEPER_FD_GRANT, 0));
	int want = store_get(&slot->store, KEEPER_TAG(KEEPER_FD_WANT, 0));

	if (keeper->vgpu_page_fd >= 0 || page < 0 || grant < 0 || want < 0)
		return;
	keeper->vgpu_page_fd = dup(page);
	keeper->grant_fd = dup(grant);
	keeper->want_fd = dup(want);
}

static bool same_file(int one, int other)
{
	struct stat a, b;

	return !fstat(one, &a) && !fstat(other, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool peer_slot_shares(const struct keeper *keeper, const struct slot *slot)
{
	return keeper->vgpu_page_fd < 0 ||
	       (same_file(keeper->vgpu_page_fd, store_get(&slot->store, KEEPER_TAG(KEEPER_FD_VGPU_PAGE, 0))) &&
		same_file(keeper->grant_fd, store_get(&slot->store, KEEPER_TAG(KEEPER_FD_GRANT, 0))));
}

bool peer_expect_devices(struct keeper *keeper)
{
	bool expected = false;

	for (uint32_t index = 0; index < KEEPER_SLOT_MAX; index++) {
		char name[32];
		snprintf(name, sizeof(name), "slot-%u.pid", index);
		pid_t pid = process_note_read(keeper->dir, name);
		if (!pid)
			process_note_remove(keeper->dir, name);
		expected = expected || pid;
	}
	return expected;
}

/* A device noted in the folder, alive, and not back yet? */
static bool somebody_missing(struct keeper *keeper)
{
	for (uint32_t index = 0; index < KEEPER_SLOT_MAX; index++) {
		struct slot *slot = keeper->slot[index];
		char name[32];
		snprintf(name, sizeof(name), "slot-%u.pid", index);
		if (slot && !slot->rejoining)
			continue;
		if (slot || process_note_read(keeper->dir, name))
			return true;
	}
	return false;
}

void peer_open_when_ready(struct keeper *keeper)
{
	for (uint32_t index = 0; index < KEEPER_SLOT_MAX; index++)
		if (keeper->slot[index] && !keeper->slot[index]->rejoining)
			adopt_shared(keeper, keeper->slot[index]);
	if (keeper->open || keeper->stopping)
		return;
	if (somebody_missing(keeper)) {
		if (keeper_now_ns() < keeper->open_at_ns) {
			keeper->look_at_ns = keeper_now_ns() + 10000000;
			keeper_arm_timer(keeper);
			return;
		}
		log_error("not every device process of vGPU %s came back in time; opening without them", keeper->config.name);
	}
	if (keeper_open(keeper))
		keeper->stopping = true;
}
