/* SPDX-License-Identifier: MIT */
/*
 * Another keeper for a device whose own is gone: started, found, told.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/keeper_link_parts.h"

#define SPAWN_INTERVAL_MS 100		/* a keeper that dies at once is not started in a tight loop */

/* The grandchild is nobody's child here, so that it needs no reaping and outlives this process. */
static void spawn_keeper(struct keeper_link *link)
{
	const char *program = link->wiring.keeper_program;
	pid_t child;

	link->last_spawn_ms = keeper_link_now_ms();
	if (!program)
		return;
	child = fork();
	if (child < 0) {
		log_warning("starting %s failed: %s; trying again", program, strerror(errno));
		return;
	}
	if (child) {
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
		return;
	}
	setsid();
	if (fork())
		_exit(0);
	/* Everything of ours is CLOEXEC; this also covers what a library might have opened. */
	syscall(SYS_close_range, 3u, ~0u, 0u);
	signal(SIGBUS, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	char *arguments[] = {(char *)program, (char *)"--dir", (char *)link->wiring.dir, NULL};
	execv(program, arguments);
	_exit(127);
}

static void arm_retry(struct keeper_link *link, unsigned delay_ms)
{
	struct itimerspec when = {.it_value = {.tv_sec = delay_ms / 1000, .tv_nsec = (long)(delay_ms % 1000) * 1000000}};

	timerfd_settime(link->timer, 0, &when, NULL);
}

void keeper_link_lose(struct keeper_link *link)
{
	if (link->socket >= 0) {
		epoll_ctl(link->wiring.epoll_fd, EPOLL_CTL_DEL, link->socket, NULL);
		close(link->socket);
		link->socket = -1;
	}
	if (link->state == LINK_JOINED) {
		link->lost_at_ms = keeper_link_now_ms();
		log_warning("the keeper is gone: starting another");
	}
	link->state = LINK_LOST;
	link->watching_out = false;
	link->table.drop_count = 0;	/* the new keeper never had them */
	if (!link->last_spawn_ms || keeper_link_now_ms() - link->last_spawn_ms >= SPAWN_INTERVAL_MS)
		spawn_keeper(link);
	arm_retry(link, keeper_retry_lost(&link->retry, keeper_link_now_ms()));
}

void keeper_link_join(struct keeper_link *link)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = KEEPER_LINK_EVENT_SOCKET};
	int fd;

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/keeper.sock", link->wiring.dir) >=
	    (int)sizeof(address.sun_path)) {
		log_error("%s/keeper.sock is too long for a socket address", link->wiring.dir);
		return;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    epoll_ctl(link->wiring.epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		if (fd >= 0)
			close(fd);
		if (keeper_link_now_ms() - link->last_spawn_ms >= SPAWN_INTERVAL_MS)
			spawn_keeper(link);
		arm_retry(link, keeper_retry_refused(&link->retry));
		return;
	}
	link->socket = fd;
	link->state = LINK_REJOINING;
	link->rejoin_unsent = true;
	link->rejoined_unsent = true;
	link->finished_sent = false;
	keeper_table_unsent_all(&link->table);
	for (unsigned c = 0; c < KEEPER_CONTEXT_MAX; c++) {
		link->engine[c].is_unsent = link->engine[c].alive;
		link->engine[c].wish_sent = false;
	}
	keeper_link_flush(link, false);
}
