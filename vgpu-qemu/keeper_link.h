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

#include <stdint.h>

struct keeper_link;

/* Stores fd under tag with the keeper and in this process's table; takes fd. A former one under the tag is closed. */
void keeper_link_store(struct keeper_link *link, uint32_t tag, int fd);
/* The descriptor under tag, borrowed, or -1. */
int keeper_link_fd(const struct keeper_link *link, uint32_t tag);
/* Forgets tag here and there, closing the descriptor. */
void keeper_link_drop(struct keeper_link *link, uint32_t tag);

void keeper_link_engine_start(struct keeper_link *link, uint32_t context);
void keeper_link_engine_kill(struct keeper_link *link, uint32_t context);
/* Names a misdeed of the guest in the service's log. */
void keeper_link_strike(struct keeper_link *link, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
