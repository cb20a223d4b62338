/* SPDX-License-Identifier: MIT */
/*
 * The device's side of its keeper: descriptors stored there, engines asked for, the keeper rebuilt when it dies.
 *
 * Device thread only. Messages are mdev/keeper/keeper_protocol.h's. While the keeper is gone the link keeps
 * the wishes (start, kill, drop) and repeats them after REJOIN; nothing here blocks on the keeper, except
 * keeper_link_store, which must not return before the descriptor is safe (a few microseconds).
 */
#ifndef VGPU_QEMU_KEEPER_LINK_H
#define VGPU_QEMU_KEEPER_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct keeper_link;

/* Stores fd under tag with the keeper and in this process's table; takes fd. A former one under the tag is closed. */
void keeper_link_store(struct keeper_link *link, uint32_t tag, int fd);
/* The descriptor under tag, borrowed, or -1. */
int keeper_link_fd(const struct keeper_link *link, uint32_t tag);
/* Forgets tag here and there, closing the descriptor. */
void keeper_link_drop(struct keeper_link *link, uint32_t tag);

/* again: one that goes on from its predecessor's checkpoint. */
void keeper_link_engine_start(struct keeper_link *link, uint32_t context, bool again);
void keeper_link_engine_kill(struct keeper_link *link, uint32_t context);
/* Names a misdeed of the guest in the service's log. */
void keeper_link_strike(struct keeper_link *link, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- for the event loop (device.c) alone ---------------------------------------------------------- */

struct keeper_link_wiring {
	int socket;			/* taken; descriptor 3 */
	uint32_t slot;
	const char *dir;		/* borrowed */
	const char *keeper_program;	/* borrowed; NULL: no new keeper is started */
	int epoll_fd;			/* borrowed; data.u64 = KEEPER_LINK_EVENT_* */
	void (*engine_started)(void *data, uint32_t context, int64_t pid);
	void (*engine_died)(void *data, uint32_t context, int64_t status);
	void *data;
};
#define KEEPER_LINK_EVENT_SOCKET 1u
#define KEEPER_LINK_EVENT_RETRY 2u

/* 0 or -errno (then the socket is closed). */
int keeper_link_create(const struct keeper_link_wiring *wiring, struct keeper_link **ret_link);
/* Closes everything. Accepts NULL. */
void keeper_link_destroy(struct keeper_link *link);
/* Start-up only: blocks for HELLO, GIVE and GIVEN. 0, -EPROTO, -ETIMEDOUT. */
int keeper_link_receive_all(struct keeper_link *link);
/* Registers with epoll; from here on nothing blocks. */
int keeper_link_begin(struct keeper_link *link);
void keeper_link_event(struct keeper_link *link, uint64_t data);
/* Says that the slot is clean. True once the keeper has it; until then call again after keeper_link_event. */
bool keeper_link_finished(struct keeper_link *link);

#endif
