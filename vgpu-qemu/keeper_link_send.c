/* SPDX-License-Identifier: MIT */
/*
 * The link's way out: what the keeper does not know yet is sent until its socket is full.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "mdev/ipc/seqpacket.h"
#include "mdev/log/log.h"
#include "vgpu-qemu/keeper_link_parts.h"

#define STORE_TIMEOUT_MS 5000

/* Engines' descriptors travel in ENGINE_IS; the keeper made them, so it never needs a STORE for them. */
static bool is_engine_tag(uint32_t tag)
{
	return KEEPER_TAG_KIND(tag) >= KEEPER_FD_ENGINE_CHANNEL && KEEPER_TAG_KIND(tag) <= KEEPER_FD_ENGINE_PIDFD;
}

static void watch(struct keeper_link *link, bool out)
{
	struct epoll_event event = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.u64 = KEEPER_LINK_EVENT_SOCKET};

	if (link->socket < 0 || link->watching_out == out)
		return;
	if (!epoll_ctl(link->wiring.epoll_fd, EPOLL_CTL_MOD, link->socket, &event))
		link->watching_out = out;
}

static int send_message(struct keeper_link *link, struct keeper_message *message, const char *text, const int *fds,
			unsigned fd_count)
{
	uint8_t bytes[sizeof(*message) + KEEPER_TEXT_MAX];

	message->slot = link->wiring.slot;
	message->bytes = text ? (uint32_t)strnlen(text, KEEPER_TEXT_MAX) : 0;
	memcpy(bytes, message, sizeof(*message));
	if (text)
		memcpy(bytes + sizeof(*message), text, message->bytes);
	return seqpacket_send(link->socket, bytes, sizeof(*message) + message->bytes, fds, fd_count);
}

static int send_op(struct keeper_link *link, enum keeper_op op, uint32_t context, int64_t value)
{
	struct keeper_message message = {.op = op, .context = context, .value = value};

	return send_message(link, &message, NULL, NULL, 0);
}

static int flush_drops(struct keeper_link *link)
{
	while (link->table.drop_count) {
		struct keeper_message message = {.op = KEEPER_DROP};

		while (message.tag_count < KEEPER_TAGS_PER_MESSAGE && message.tag_count < link->table.drop_count) {
			message.tags[message.tag_count] = link->table.drop[link->table.drop_count - 1 - message.tag_count];
			message.tag_count++;
		}
		int error = send_message(link, &message, NULL, NULL, 0);
		if (error)
			return error;
		link->table.drop_count -= message.tag_count;
	}
	return 0;
}

static int flush_entries(struct keeper_link *link)
{
	unsigned next = 0;

	while (next < link->table.entry_count) {
		struct keeper_message message = {.op = KEEPER_STORE};
		struct keeper_table_entry *sent[SEQPACKET_FDS_MAX];
		int fds[SEQPACKET_FDS_MAX];
		unsigned count = 0;

		for (; next < link->table.entry_count && count < SEQPACKET_FDS_MAX; next++) {
			struct keeper_table_entry *entry = &link->table.entry[next];
			if (!entry->unsent || is_engine_tag(entry->tag))
				continue;
			message.tags[count] = entry->tag;
			fds[count] = entry->fd;
			sent[count++] = entry;
		}
		if (!count)
			break;
		message.tag_count = count;
		int error = send_message(link, &message, NULL, fds, count);
		if (error)
			return error;
		while (count)
			sent[--count]->unsent = false;
	}
	return 0;
}

static int flush_engines_are(struct keeper_link *link)
{
	static const uint32_t kinds[] = {KEEPER_FD_ENGINE_CHANNEL, KEEPER_FD_ENGINE_DOORBELL, KEEPER_FD_ENGINE_COMPLETION,
					 KEEPER_FD_ENGINE_STATUS, KEEPER_FD_ENGINE_PIDFD};

	for (uint32_t c = 0; c < KEEPER_CONTEXT_MAX; c++) {
		struct engine *engine = &link->engine[c];
		struct keeper_message message = {.op = KEEPER_ENGINE_IS, .context = c, .value = engine->pid};
		int fds[5];

		if (!engine->is_unsent)
			continue;
		for (unsigned k = 0; k < 5; k++) {
			int fd = keeper_link_fd(link, KEEPER_TAG(kinds[k], c));
			if (fd < 0)
				continue;
			message.tags[message.tag_count] = KEEPER_TAG(kinds[k], c);
			fds[message.tag_count++] = fd;
		}
		int error = send_message(link, &message, NULL, fds, message.tag_count);
		if (error)
			return error;
		engine->is_unsent = false;
	}
	return 0;
}

static int flush_wishes(struct keeper_link *link)
{
	int error;

	for (uint32_t c = 0; c < KEEPER_CONTEXT_MAX; c++) {
		struct engine *engine = &link->engine[c];

		if (engine->wish == WISH_NONE || engine->wish_sent)
			continue;
		error = send_op(link, engine->wish == WISH_KILL ? KEEPER_ENGINE_KILL : KEEPER_ENGINE_START, c,
				engine->wish == WISH_START_AGAIN);
		if (error)
			return error;
		engine->wish_sent = true;
	}
	while (link->strike_count) {
		struct keeper_message message = {.op = KEEPER_STRIKE, .value = link->strikes_lost};

		error = send_message(link, &message, link->strike[link->strike_count - 1], NULL, 0);
		if (error)
			return error;
		link->strike_count--;
		link->strikes_lost = 0;
	}
	if (link->finished && !link->finished_sent) {
		error = send_op(link, KEEPER_FINISHED, 0, 0);
		if (error)
			return error;
		link->finished_sent = true;
	}
	return 0;
}

static int flush_all(struct keeper_link *link)
{
	int error;

	if (link->rejoin_unsent) {
		error = send_op(link, KEEPER_REJOIN, 0, getpid());
		if (error)
			return error;
		link->rejoin_unsent = false;
	}
	error = flush_drops(link);
	if (!error)
		error = flush_entries(link);
	if (!error)
		error = flush_engines_are(link);
	if (error)
		return error;
	if (link->rejoined_unsent) {
		error = send_op(link, KEEPER_REJOINED, 0, 0);
		if (error)
			return error;
		link->rejoined_unsent = false;
		link->state = LINK_JOINED;
		keeper_retry_joined(&link->retry, keeper_link_now_ms());
		log_info("rejoined a new keeper after %llu ms", (unsigned long long)(keeper_link_now_ms() - link->lost_at_ms));
	}
	return flush_wishes(link);
}

void keeper_link_flush(struct keeper_link *link, bool wait)
{
	uint64_t give_up_ms = keeper_link_now_ms() + STORE_TIMEOUT_MS;

	while (link->state != LINK_LOST) {
		int error = flush_all(link);

		if (!error) {
			watch(link, false);
			return;
		}
		if (error != -EAGAIN) {
			keeper_link_lose(link);
			return;
		}
		if (!wait || link->state == LINK_REJOINING) {
			watch(link, true);
			return;
		}
		struct pollfd p = {.fd = link->socket, .events = POLLOUT};
		if (keeper_link_now_ms() >= give_up_ms) {
			log_error("the keeper has not read its messages for %d ms: taken as dead", STORE_TIMEOUT_MS);
			keeper_link_lose(link);
			return;
		}
		poll(&p, 1, 100);
	}
}
