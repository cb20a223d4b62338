/* SPDX-License-Identifier: MIT */
/*
 * What the files of the keeper link share: keeper_link.c (the theory, and what the device calls), keeper_table.c (descriptors
 * by tag), keeper_link_send.c (what the keeper does not know yet, on its way), keeper_link_receive.c (what it says),
 * keeper_link_join.c (another keeper, found or started), keeper_retry.c (when). Nobody else includes this.
 */
#ifndef VGPU_QEMU_KEEPER_LINK_PARTS_H
#define VGPU_QEMU_KEEPER_LINK_PARTS_H

#include "mdev/keeper/keeper_protocol.h"
#include "vgpu-qemu/keeper_link.h"
#include "vgpu-qemu/keeper_retry.h"
#include "vgpu-qemu/keeper_table.h"

#define KEEPER_LINK_STRIKES_KEPT 4u

enum link_state {
	LINK_JOINED,
	LINK_LOST,		/* no connection */
	LINK_REJOINING,		/* connected, the table is on its way */
};

enum wish {
	WISH_NONE = 0,
	WISH_START,
	WISH_START_AGAIN,	/* from a checkpoint */
	WISH_KILL,
};

struct engine {
	enum wish wish;		/* until it is answered */
	bool wish_sent;
	bool alive;		/* STARTED, not DIED */
	bool is_unsent;		/* ENGINE_IS is to be said while rejoining */
	int64_t pid;
};

struct keeper_link {
	struct keeper_link_wiring wiring;
	enum link_state state;
	int socket;
	int timer;
	struct keeper_table table;
	struct keeper_retry retry;
	struct engine engine[KEEPER_CONTEXT_MAX];
	char strike[KEEPER_LINK_STRIKES_KEPT][KEEPER_TEXT_MAX];
	unsigned strike_count, strikes_lost;
	bool rejoin_unsent, rejoined_unsent;
	bool finished, finished_sent;
	bool watching_out;
	uint64_t last_spawn_ms;
	uint64_t lost_at_ms;
};

uint64_t keeper_link_now_ms(void);	/* CLOCK_MONOTONIC */

/* keeper_link_send.c: sends what is unsent. wait: returns only when all of it is in the socket, or the keeper is given up. */
void keeper_link_flush(struct keeper_link *link, bool wait);

/* keeper_link_receive.c: peeks, acts, consumes. 0: one was handled. 1: GIVEN. -EAGAIN: none there. -EPIPE: the keeper is
 * gone. */
int keeper_link_receive_one(struct keeper_link *link);

/* keeper_link_join.c */
/* The keeper is gone: from here on everything is unsent and another is sought. */
void keeper_link_lose(struct keeper_link *link);
/* Tries to connect; if nobody listens, again later. Only while the link is LOST. */
void keeper_link_join(struct keeper_link *link);

#endif
