/* SPDX-License-Identifier: MIT */
#include "mdev/keeper/store.h"

#include <errno.h>
#include <unistd.h>

#include "mdev/ipc/seqpacket.h"

static unsigned find(const struct store *store, uint32_t tag)
{
	unsigned i = 0;

	while (i < store->count && store->entry[i].tag != tag)
		i++;
	return i;
}

int store_put(struct store *store, uint32_t tag, int fd)
{
	unsigned i = find(store, tag);

	if (i < store->count) {
		close(store->entry[i].fd);
		store->entry[i].fd = fd;
		return 0;
	}
	if (store->count == STORE_CAPACITY) {
		close(fd);
		return -ENOSPC;
	}
	store->entry[i].tag = tag;
	store->entry[i].fd = fd;
	store->count++;
	return 0;
}

int store_get(const struct store *store, uint32_t tag)
{
	unsigned i = find(store, tag);

	return i < store->count ? store->entry[i].fd : -1;
}

void store_drop(struct store *store, uint32_t tag)
{
	unsigned i = find(store, tag);

	if (i == store->count)
		return;
	close(store->entry[i].fd);
	store->entry[i] = store->entry[--store->count];
}

void store_finish(struct store *store)
{
	while (store->count)
		close(store->entry[--store->count].fd);
}

int store_give_all(const struct store *store, int socket, uint32_t slot)
{
	struct keeper_message message = {.op = KEEPER_HELLO, .slot = slot, .value = store->count};
	int fds[SEQPACKET_FDS_MAX];
	int error = seqpacket_send(socket, &message, sizeof(message), NULL, 0);

	message.op = KEEPER_GIVE;
	for (unsigned i = 0; i < store->count && !error;) {
		message.tag_count = 0;
		while (i < store->count && message.tag_count < SEQPACKET_FDS_MAX) {
			fds[message.tag_count] = store->entry[i].fd;
			message.tags[message.tag_count++] = store->entry[i++].tag;
		}
		error = seqpacket_send(socket, &message, sizeof(message), fds, message.tag_count);
	}
	if (!error) {
		message = (struct keeper_message){.op = KEEPER_GIVEN, .slot = slot};
		error = seqpacket_send(socket, &message, sizeof(message), NULL, 0);
	}
	return error;
}
