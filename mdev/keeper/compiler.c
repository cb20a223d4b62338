/* SPDX-License-Identifier: MIT */
/*
 * The compile helper of the vGPU: started with the first engine, ended when there has been none for a while.
 *
 * Engines never meet it but by the connection that is made here for each. What it keeps lies in a file that the keeper holds, so it lasts as long
 * as the keeper. A helper that dies is replaced when the next engine is started; engines of the former one build by themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/engine/compile_protocol.h"
#include "mdev/ipc/seqpacket.h"
#include "mdev/keeper/keeper.h"
#include "mdev/keeper/process.h"
#include "mdev/log/log.h"
#include "mdev/process_note.h"

#define IDLE_NS 10000000000ull
#define FAILURES_MAX 3u		/* then there is no use in it: a program of another build, or a host without room */
#define END_TIMEOUT_MS 2000
#define NOTE "compiler.pid"

static int make_cache(void)
{
	int fd = memfd_create("vgpu-build-cache", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0600) || ftruncate(fd, COMPILE_CACHE_BYTES) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

static int spawn(struct keeper *keeper, int theirs)
{
	struct process_environment environment;
	char *argv[] = {keeper->config.compute_program, (char *)"--compiler", (char *)"--dir", (char *)keeper->dir, NULL};
	const int fds[2] = {theirs, keeper->compiler.cache_fd};
	bool namespaced = false;

	process_environment_make(&environment);
	struct process_spec spec = {
		.path = keeper->config.compute_program,
		.argv = argv,
		.environment = environment.entries,
		.fds = fds,
		.fd_count = 2,
		.own_pid_namespace = true,
	};
	return process_start(&spec, &keeper->compiler.pid, &keeper->compiler.pidfd, &namespaced);
}

/* Reaps one that has ended or is ending. */
static void wait_for_end(struct keeper *keeper)
{
	struct keeper_compiler *compiler = &keeper->compiler;
	struct pollfd ended = {.fd = compiler->pidfd, .events = POLLIN};

	process_kill(compiler->pidfd);
	if (poll(&ended, 1, END_TIMEOUT_MS) <= 0)
		log_warning("compile helper %d does not end", (int)compiler->pid);
	process_reap(compiler->pidfd);
	keeper_close_watched(keeper, &compiler->pidfd);
	process_note_remove(keeper->dir, NOTE);
}

static int start(struct keeper *keeper)
{
	struct keeper_compiler *compiler = &keeper->compiler;
	int pair[2], error = 0;

	if (compiler->failures >= FAILURES_MAX)
		return -ENOTSUP;
	if (compiler->pidfd >= 0)
		wait_for_end(keeper);
	if (compiler->cache_fd < 0) {
		compiler->cache_fd = make_cache();
		if (compiler->cache_fd < 0)
			return compiler->cache_fd;
	}
	error = seqpacket_pair(pair);
	if (error)
		return error;
	error = spawn(keeper, pair[1]);
	close(pair[1]);
	if (error) {
		close(pair[0]);
		compiler->pidfd = -1;
		return error;
	}
	/* It never holds a keeper up: an engine whose connection does not fit builds by itself. */
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	compiler->socket = pair[0];
	process_note_write(keeper->dir, NOTE, compiler->pid);
	keeper_watch(keeper, compiler->pidfd, KEEPER_EVENT_DATA(EVENT_COMPILER_EXIT, 0, 0));
	log_debug("compile helper %d serves the engines", (int)compiler->pid);
	return 0;
}

int compiler_connect(struct keeper *keeper, const struct slot *slot, uint32_t context)
{
	const struct compile_client client = {.slot = slot->index, .context = context};
	int pair[2], error = keeper->compiler.socket < 0 ? start(keeper) : 0;

	if (!error && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		error = -errno;
	if (!error) {
		error = seqpacket_send(keeper->compiler.socket, &client, sizeof(client), &pair[1], 1);
		close(pair[1]);
		if (!error)
			return pair[0];
		close(pair[0]);
	}
	if (error != -ENOTSUP)
		log_warning("slot %u: the engine of context %u builds without a compile helper: %s", slot->index, context, strerror(-error));
	return -1;
}

void compiler_exited(struct keeper *keeper)
{
	struct keeper_compiler *compiler = &keeper->compiler;

	if (compiler->pidfd < 0)
		return;
	bool was_told = compiler->socket < 0;
	int status = process_reap(compiler->pidfd);
	keeper_close_watched(keeper, &compiler->pidfd);
	process_note_remove(keeper->dir, NOTE);
	if (compiler->socket >= 0)
		close(compiler->socket);
	compiler->socket = -1;
	if (was_told && !status) {
		compiler->failures = 0;
		return;
	}
	if (status >= 0 && WIFEXITED(status) && ++compiler->failures == FAILURES_MAX)
		log_error("%s --compiler ends at once (status %d): engines build by themselves", keeper->config.compute_program,
			  WEXITSTATUS(status));
	else
		log_warning("compile helper %d has died (status %#x): its engines build by themselves", (int)compiler->pid, (unsigned)status);
}

void compiler_kill_orphan(struct keeper *keeper)
{
	pid_t pid = process_note_read(keeper->dir, NOTE);
	int pidfd = pid && keeper->compiler.pidfd < 0 ? pidfd_open(pid, 0) : -1;

	if (pidfd >= 0) {
		process_kill(pidfd);
		close(pidfd);
	}
	process_note_remove(keeper->dir, NOTE);
}

static bool any_engine_lives(const struct keeper *keeper)
{
	for (uint32_t index = 0; index < KEEPER_SLOT_MAX; index++)
		for (uint32_t context = 0; keeper->slot[index] && context < KEEPER_CONTEXT_MAX; context++)
			if (keeper->slot[index]->engine[context].life == ENGINE_ALIVE)
				return true;
	return false;
}

void compiler_look(struct keeper *keeper)
{
	struct keeper_compiler *compiler = &keeper->compiler;
	uint64_t now_ns = keeper_now_ns();

	if (compiler->socket < 0 || any_engine_lives(keeper)) {
		compiler->end_at_ns = 0;
		return;
	}
	if (!compiler->end_at_ns)
		compiler->end_at_ns = now_ns + IDLE_NS;
	if (now_ns >= compiler->end_at_ns) {
		close(compiler->socket);	/* the word to end */
		compiler->socket = -1;
		compiler->end_at_ns = 0;
	}
	keeper_arm_timer(keeper);
}

void compiler_finish(struct keeper *keeper)
{
	struct keeper_compiler *compiler = &keeper->compiler;

	if (compiler->socket >= 0)
		close(compiler->socket);
	compiler->socket = -1;
	if (compiler->pidfd >= 0)
		wait_for_end(keeper);
	if (compiler->cache_fd >= 0)
		close(compiler->cache_fd);
	compiler->cache_fd = -1;
}
