/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation. The link is a table of descriptors by tag, and wishes: tags to drop, engines to start or kill,
 * strikes to report, FINISHED. What the keeper does not know yet is marked unsent; one function, flush, sends what is
 * unsent until the socket is full, and runs again when it is writable. A message in the socket is safe: the keeper reads
 * all of it before it starts another device process.
 *
 * When the keeper dies (end of stream), everything becomes unsent again, a new keeper is started (its flock decides if
 * other devices did the same), and a connection is tried at once, then with pauses (keeper_retry.h). On success flush says
 * REJOIN, the whole table, the engines, REJOINED, and then goes on as before.
 *
 * Trusts the keeper; yet a malformed message is logged and ignored, as it may be of another build.
 */
#include "vgpu-qemu/keeper_link.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/keeper_link_parts.h"

#define RECEIVE_TIMEOUT_MS 10000
#define ABANDONED_MS 10000

uint64_t keeper_link_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int keeper_link_fd(const struct keeper_link *link, uint32_t tag)
{
	return keeper_table_fd(&link->table, tag);
}

/* ---- start-up ---------------------------------------------------------------------------------------- */

int keeper_link_receive_all(struct keeper_link *link)
{
	uint64_t give_up_ms = keeper_link_now_ms() + RECEIVE_TIMEOUT_MS;

	for (;;) {
		struct pollfd p = {.fd = link->socket, .events = POLLIN};
		int result = keeper_link_receive_one(link);

		if (result == 1)
			return 0;
		if (result == -EPIPE) {
			log_error("the keeper ended before it had given all descriptors");
			return -EPROTO;
		}
		if (keeper_link_now_ms() >= give_up_ms) {
			log_error("the keeper has not given its descriptors within %d ms", RECEIVE_TIMEOUT_MS);
			return -ETIMEDOUT;
		}
		if (result == -EAGAIN)
			poll(&p, 1, 100);
	}
}

/* ---- the loop's side ------------------------------------------------------------------------------------- */

int keeper_link_create(const struct keeper_link_wiring *wiring, struct keeper_link **ret_link)
{
	struct keeper_link *link = calloc(1, sizeof(*link));
	int error;

	if (!link) {
		close(wiring->socket);
		return -ENOMEM;
	}
	link->wiring = *wiring;
	link->socket = wiring->socket;
	link->state = LINK_JOINED;
	keeper_retry_joined(&link->retry, keeper_link_now_ms());
	link->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (link->timer < 0 || fcntl(link->socket, F_SETFD, FD_CLOEXEC) || fcntl(link->socket, F_SETFL, O_NONBLOCK)) {
		error = -errno;
		keeper_link_destroy(link);
		return error;
	}
	*ret_link = link;
	return 0;
}

void keeper_link_destroy(struct keeper_link *link)
{
	if (!link)
		return;
	keeper_table_finish(&link->table);
	if (link->socket >= 0)
		close(link->socket);
	if (link->timer >= 0)
		close(link->timer);
	free(link);
}

int keeper_link_begin(struct keeper_link *link)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = KEEPER_LINK_EVENT_RETRY};

	if (epoll_ctl(link->wiring.epoll_fd, EPOLL_CTL_ADD, link->timer, &event))
		return -errno;
	if (link->state == LINK_LOST)
		return 0;
	event.data.u64 = KEEPER_LINK_EVENT_SOCKET;
	return epoll_ctl(link->wiring.epoll_fd, EPOLL_CTL_ADD, link->socket, &event) ? -errno : 0;
}

void keeper_link_event(struct keeper_link *link, uint64_t data)
{
	if (data == KEEPER_LINK_EVENT_RETRY) {
		uint64_t expirations;

		if (read(link->timer, &expirations, sizeof(expirations)) > 0 && link->state == LINK_LOST)
			keeper_link_join(link);
		return;
	}
	while (link->state != LINK_LOST) {
		int result = keeper_link_receive_one(link);

		if (result == -EAGAIN)
			break;
		if (result == -EPIPE)
			keeper_link_lose(link);
	}
	keeper_link_flush(link, false);
}

bool keeper_link_finished(struct keeper_link *link)
{
	link->finished = true;
	keeper_link_flush(link, true);
	/* Client and keeper both gone for long: nobody is left to tell, and nothing to keep. */
	if (link->state == LINK_LOST && keeper_link_now_ms() - link->lost_at_ms > ABANDONED_MS)
		return true;
	return link->finished_sent && link->state == LINK_JOINED;
}

void keeper_link_store(struct keeper_link *link, uint32_t tag, int fd)
{
	keeper_table_put(&link->table, tag, fd, true);
	keeper_link_flush(link, true);
}

void keeper_link_drop(struct keeper_link *link, uint32_t tag)
{
	if (!keeper_table_remove(&link->table, tag) || link->state == LINK_LOST)
		return;
	keeper_table_drop(&link->table, tag);
	keeper_link_flush(link, false);
}

static void wish(struct keeper_link *link, uint32_t context, enum wish what)
{
	struct engine *engine;

	assert(context < KEEPER_CONTEXT_MAX);
	engine = &link->engine[context];
	engine->wish = what;
	engine->wish_sent = false;
	keeper_link_flush(link, false);
}

void keeper_link_engine_start(struct keeper_link *link, uint32_t context, bool again)
{
	wish(link, context, again ? WISH_START_AGAIN : WISH_START);
}

void keeper_link_engine_kill(struct keeper_link *link, uint32_t context)
{
	wish(link, context, WISH_KILL);
}

void keeper_link_strike(struct keeper_link *link, const char *format, ...)
{
	va_list arguments;

	if (link->strike_count == KEEPER_LINK_STRIKES_KEPT) {
		link->strikes_lost++;
		return;
	}
	va_start(arguments, format);
	vsnprintf(link->strike[link->strike_count], KEEPER_TEXT_MAX, format, arguments);
	va_end(arguments);
	log_warning("strike: %s", link->strike[link->strike_count]);
	link->strike_count++;
	keeper_link_flush(link, false);
}
