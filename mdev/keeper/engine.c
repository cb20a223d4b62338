/* SPDX-License-Identifier: MIT */
/*
 * Engines: started on a device's word, killed on its word, watched.
 *
 * An engine gets the descriptors of mdev/engine/engine_protocol.h and nothing else, and a PID namespace where the
 * host allows one, so that killing it kills whatever it forked: "dead" here means that nothing maps the guest's
 * memory any more.
 *
 * The checkpoint outlives an engine: the next one of the same context goes on from it. It is the context's, so the device drops it,
 * and a context's first engine never finds another's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mdev/engine/engine_protocol.h"
#include "mdev/ipc/seqpacket.h"
#include "mdev/keeper/keeper.h"
#include "mdev/keeper/process.h"
#include "mdev/log/log.h"
#include "mdev/process_note.h"
#include "scheduler/lease.h"

static const enum keeper_tag_kind engine_kinds[] = {
	KEEPER_FD_ENGINE_CHANNEL,
	KEEPER_FD_ENGINE_DOORBELL,
	KEEPER_FD_ENGINE_COMPLETION,
	KEEPER_FD_ENGINE_STATUS,
};

static void note_name(char name[32], uint32_t slot, uint32_t context)
{
	snprintf(name, 32, "engine-%u-%u.pid", slot, context);
}

static void tell_device(struct slot *slot, const struct keeper_message *message, const int *fds, unsigned fd_count)
{
	if (slot->device_socket >= 0)
		seqpacket_send(slot->device_socket, message, sizeof(*message), fds, fd_count);
}

static void tell_started(struct slot *slot, uint32_t context)
{
	struct keeper_message message = {
		.op = KEEPER_ENGINE_STARTED,
		.slot = slot->index,
		.context = context,
		.value = slot->engine[context].pid,
		.tag_count = 4,
	};
	int fds[5];

	for (unsigned i = 0; i < 4; i++) {
		message.tags[i] = KEEPER_TAG(engine_kinds[i], context);
		fds[i] = store_get(&slot->store, message.tags[i]);
	}
	/* None, if an older build's keeper started it. */
	uint32_t tag = KEEPER_TAG(KEEPER_FD_ENGINE_CHECKPOINT, context);
	if (store_get(&slot->store, tag) >= 0) {
		message.tags[message.tag_count] = tag;
		fds[message.tag_count++] = store_get(&slot->store, tag);
	}
	tell_device(slot, &message, fds, message.tag_count);
}

static void tell_died(struct slot *slot, uint32_t context, int status)
{
	struct keeper_message message = {
		.op = KEEPER_ENGINE_DIED, .slot = slot->index, .context = context, .value = status};

	tell_device(slot, &message, NULL, 0);
}

/* The grant page as an engine may have it: opened anew, for reading. */
static int grant_for_reading(const struct keeper *keeper)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", keeper->grant_fd);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

struct engine_fds {
	int ours[4];	/* in the order of engine_kinds */
	int theirs[9];	/* descriptors 3..11 of the engine; the last may be missing */
};

static void close_some(int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int make_file(const char *name, uint64_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0600) || ftruncate(fd, (off_t)bytes) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

/* Borrowed from the store, or -errno. */
static int checkpoint_fd(struct slot *slot, uint32_t context, bool again)
{
	uint32_t tag = KEEPER_TAG(KEEPER_FD_ENGINE_CHECKPOINT, context);
	int fd = again ? store_get(&slot->store, tag) : make_file("vgpu-checkpoint", ENGINE_CHECKPOINT_BYTES);

	if (again)
		return fd < 0 ? -ENOENT : fd;
	int error = fd < 0 ? fd : store_put(&slot->store, tag, fd);
	return error ? error : fd;
}

static int make_fds(const struct keeper *keeper, struct slot *slot, uint32_t context, bool again, struct engine_fds *ret_fds)
{
	struct engine_fds fds = {.ours = {-1, -1, -1, -1}, .theirs = {-1, -1, -1, -1, -1, -1, -1, -1, -1}};
	int pair[2], error = seqpacket_pair(pair);

	if (error)
		return error;
	fds.ours[0] = pair[0];
	fds.theirs[0] = pair[1];
	fds.ours[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fds.ours[2] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fds.ours[1] < 0 || fds.ours[2] < 0) {
		error = -errno;
		goto out_close;
	}
	fds.ours[3] = make_file("vgpu-lease-status", LEASE_STATUS_BYTES);
	fds.theirs[7] = checkpoint_fd(slot, context, again);
	if (fds.ours[3] < 0 || fds.theirs[7] < 0) {
		error = fds.ours[3] < 0 ? fds.ours[3] : fds.theirs[7];
		goto out_close;
	}
	fds.theirs[1] = fds.ours[1];
	fds.theirs[2] = fds.ours[2];
	fds.theirs[3] = grant_for_reading(keeper);
	if (fds.theirs[3] < 0) {
		error = fds.theirs[3];
		goto out_close;
	}
	fds.theirs[4] = fds.ours[3];
	fds.theirs[5] = keeper->want_fd;
	fds.theirs[6] = store_get(&slot->store, KEEPER_TAG(KEEPER_FD_APERTURE, 0));
	*ret_fds = fds;
	return 0;
out_close:
	close_some(fds.ours, 4);
	close(pair[1]);
	return error;
}

static int spawn(struct keeper *keeper, const struct slot *slot, uint32_t context, bool again, const struct engine_fds *fds,
		 struct keeper_engine *engine)
{
	char slot_number[16], context_number[16];
	struct process_environment environment;
	char *argv[] = {keeper->config.compute_program, (char *)"--dir", (char *)keeper->dir, (char *)"--slot", slot_number,
			(char *)"--context",
			context_number, again ? (char *)"--rebuild" : NULL, NULL};
	bool namespaced = false;

	snprintf(slot_number, sizeof(slot_number), "%u", slot->index);
	snprintf(context_number, sizeof(context_number), "%u", context);
	process_environment_make(&environment);
	struct process_spec spec = {
		.path = keeper->config.compute_program,
		.argv = argv,
		.environment = environment.entries,
		.fds = fds->theirs,
		.fd_count = fds->theirs[8] < 0 ? 8 : 9,
		.own_pid_namespace = true,
	};
	int error = process_start(&spec, &engine->pid, &engine->pidfd, &namespaced);
	if (!error && !namespaced && !keeper->namespaces_refused_said) {
		log_warning("engines run without a PID namespace: this host refuses one");
		keeper->namespaces_refused_said = true;
	}
	return error;
}

void engine_start(struct keeper *keeper, struct slot *slot, uint32_t context, bool again)
{
	struct engine_fds fds;
	char name[32];
	int error;

	if (context >= KEEPER_CONTEXT_MAX)
		return;
	struct keeper_engine *engine = &slot->engine[context];
	if (engine->life == ENGINE_ALIVE) {
		tell_started(slot, context);
		return;
	}
	error = slot->ending ? -ESHUTDOWN : make_fds(keeper, slot, context, again, &fds);
	if (!error) {
		fds.theirs[8] = compiler_connect(keeper, slot, context);
		error = spawn(keeper, slot, context, again, &fds, engine);
		close(fds.theirs[0]);
		close(fds.theirs[3]);
		close_some(&fds.theirs[8], 1);
		if (error)
			close_some(fds.ours, 4);
	}
	if (error) {
		log_error("slot %u: the engine of context %u cannot be started: %s", slot->index, context, strerror(-error));
		engine->life = ENGINE_DEAD;
		engine->status = error;
		tell_died(slot, context, error);
		return;
	}
	for (unsigned i = 0; i < 4; i++)
		store_put(&slot->store, KEEPER_TAG(engine_kinds[i], context), fds.ours[i]);
	engine->life = ENGINE_ALIVE;
	note_name(name, slot->index, context);
	process_note_write(keeper->dir, name, engine->pid);
	keeper_watch(keeper, engine->pidfd, KEEPER_EVENT_DATA(EVENT_ENGINE_EXIT, slot->index, context));
	log_debug("slot %u: engine %d serves context %u", slot->index, (int)engine->pid, context);
	tell_started(slot, context);
	manager_engine_started(keeper, slot, context);
	compiler_look(keeper);
}

void engine_kill(struct keeper *keeper, struct slot *slot, uint32_t context)
{
	(void)keeper;
	if (context >= KEEPER_CONTEXT_MAX)
		return;
	/*
	 * Of a death every device process has been told by the time it asks: when it happened, or when the process began.
	 * Told again, the second word could meet the engine of another context, which got the slot after the first.
	 */
	if (slot->engine[context].life == ENGINE_ALIVE)
		process_kill(slot->engine[context].pidfd);
	else if (slot->engine[context].life == ENGINE_NONE)
		tell_died(slot, context, 0);
}

void engine_exited(struct keeper *keeper, struct slot *slot, uint32_t context)
{
	struct keeper_engine *engine = &slot->engine[context];
	char name[32];

	if (engine->life != ENGINE_ALIVE)
		return;
	int status = process_reap(engine->pidfd);
	keeper_close_watched(keeper, &engine->pidfd);
	engine->life = ENGINE_DEAD;
	engine->status = status < 0 ? 0 : status;
	note_name(name, slot->index, context);
	process_note_remove(keeper->dir, name);
	for (unsigned i = 1; i < 4; i++)
		store_drop(&slot->store, KEEPER_TAG(engine_kinds[i], context));
	tell_died(slot, context, engine->status);
	manager_engine_gone(keeper, slot, context, engine->status);
	compiler_look(keeper);
	slot_close_if_over(keeper, slot);
}

void engine_rejoin(struct keeper *keeper, struct slot *slot, uint32_t context, pid_t pid, int pidfd)
{
	if (context >= KEEPER_CONTEXT_MAX || slot->engine[context].life == ENGINE_ALIVE) {
		if (pidfd >= 0)
			close(pidfd);
		return;
	}
	if (pidfd < 0)
		pidfd = pidfd_open(pid, 0);
	struct keeper_engine *engine = &slot->engine[context];
	engine->pid = pid;
	if (pidfd < 0) {
		engine->life = ENGINE_DEAD;
		engine->status = 0;
		tell_died(slot, context, 0);
		return;
	}
	fcntl(pidfd, F_SETFD, FD_CLOEXEC);
	engine->pidfd = pidfd;
	engine->life = ENGINE_ALIVE;
	keeper_watch(keeper, pidfd, KEEPER_EVENT_DATA(EVENT_ENGINE_EXIT, slot->index, context));
	manager_engine_started(keeper, slot, context);
}

void engine_kill_orphans(struct keeper *keeper)
{
	/* By what the folder has: asking for every name that there could be took longer than all else at a keeper's start. */
	DIR *dir = opendir(keeper->dir);
	const struct dirent *entry;

	if (!dir) {
		log_error("cannot look for engines of a former keeper in %s: %s", keeper->dir, strerror(errno));
		return;
	}
	while ((entry = readdir(dir))) {
		unsigned s, context;
		char name[32];

		if (sscanf(entry->d_name, "engine-%u-%u.pid", &s, &context) != 2 || s >= KEEPER_SLOT_MAX ||
		    context >= KEEPER_CONTEXT_MAX)
			continue;
		if (keeper->slot[s] && keeper->slot[s]->engine[context].life == ENGINE_ALIVE)
			continue;
		note_name(name, s, context);
		pid_t pid = process_note_read(keeper->dir, name);
		int pidfd = pid ? pidfd_open(pid, 0) : -1;
		if (pidfd >= 0) {
			log_warning("slot %u: engine %d of a former keeper belongs to nobody: killed", s, (int)pid);
			process_kill(pidfd);
			close(pidfd);
		}
		process_note_remove(keeper->dir, name);
	}
	closedir(dir);
}

void engine_tell_device(struct keeper *keeper, struct slot *slot)
{
	(void)keeper;
	for (uint32_t context = 0; context < KEEPER_CONTEXT_MAX; context++) {
		if (slot->engine[context].life == ENGINE_ALIVE)
			tell_started(slot, context);
		else if (slot->engine[context].life == ENGINE_DEAD)
			tell_died(slot, context, slot->engine[context].status);
	}
}
