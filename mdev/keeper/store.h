/* SPDX-License-Identifier: MIT */
/* A store of descriptors by tag (keeper_protocol.h): the thing a keeper is for. */
#ifndef VGPU_MDEV_KEEPER_STORE_H
#define VGPU_MDEV_KEEPER_STORE_H

#include <stdint.h>

#include "mdev/keeper/keeper_protocol.h"

/* Fixed ones, 128 guest RAM sections, vectors, a request's descriptors, six per engine. */
#define STORE_CAPACITY 704u

struct store {
	unsigned count;
	struct {
		uint32_t tag;
		int fd;
	} entry[STORE_CAPACITY];
};

/* Takes fd, closing a former one under the tag. -ENOSPC: full; fd is closed. */
int store_put(struct store *store, uint32_t tag, int fd);
/* Borrowed, or -1. */
int store_get(const struct store *store, uint32_t tag);
/* Closes and forgets; an unknown tag is no error. */
void store_drop(struct store *store, uint32_t tag);
void store_finish(struct store *store);

/* Sends all of it: HELLO with the number, GIVE messages, GIVEN. 0 or -errno. */
int store_give_all(const struct store *store, int socket, uint32_t slot);

#endif
