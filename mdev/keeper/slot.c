/* SPDX-License-Identifier: MIT */
/*
 * A slot: one connection's memory and device process.
 *
 * The memory is made here, once, and given to every device process that serves the slot, one after another. A device
 * that dies is drained (what it had said before it died still counts), reaped and replaced at once; only one
 * that cannot live at all, many times in a row, costs the slot.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/ipc/seqpacket.h"
#include "mdev/keeper/keeper.h"
#include "mdev/keeper/process.h"
#include "mdev/log/log.h"
#include "mdev/process_note.h"

/* A state page is smaller; a device of a newer build may grow it within this. Untouched pages cost nothing. */
#define STATE_FILE_BYTES (16u << 20)
#define QUICK_DEATH_NS 50000000ull	/* a device that lived shorter has not done anything useful */
#define QUICK_DEATHS_MAX 20u

static void note_name(char name[32], uint32_t slot)
{
	snprintf(name, 32, "slot-%u.pid", slot);
}

static int make_memory(const char *name, uint64_t bytes, unsigned seals)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	/* A memfd is born open to everybody who finds it under /proc: no engine is to open it a second time. */
	if (fchmod(fd, 0600) || ftruncate(fd, (off_t)bytes) || (seals && fcntl(fd, F_ADD_SEALS, seals))) {
		int error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

/* Takes fd, or passes an error on. */
static int put(struct slot *slot, enum keeper_tag_kind kind, int fd)
{
	return fd < 0 ? fd : store_put(&slot->store, KEEPER_TAG(kind, 0), fd);
}

static int duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return copy < 0 ? -errno : copy;
}

static int fill_store(struct keeper *keeper, struct slot *slot, int connection)
{
	int pipe_fds[2], error;
	char path[4096];

	error = put(slot, KEEPER_FD_CONNECTION, connection);
	if (!error)
		error = put(slot, KEEPER_FD_STATE, make_memory("vgpu-state", STATE_FILE_BYTES, F_SEAL_SHRINK | F_SEAL_GROW));
	/* Sealed against resizing, so that no peer can make an access of ours fault; punching stays possible. */
	if (!error)
		error = put(slot, KEEPER_FD_APERTURE, make_memory("vgpu-aperture", keeper_config_aperture_bytes(&keeper->config),
								  F_SEAL_SHRINK | F_SEAL_GROW));
	if (!error && pipe2(pipe_fds, O_CLOEXEC))
		error = -errno;
	if (!error) {
		error = put(slot, KEEPER_FD_REPLY_READ, pipe_fds[0]);
		if (!error)
			error = put(slot, KEEPER_FD_REPLY_WRITE, pipe_fds[1]);
		else
			close(pipe_fds[1]);
	}
	if (!error)
		error = put(slot, KEEPER_FD_VGPU_PAGE, duplicate(keeper->vgpu_page_fd));
	if (!error)
		error = put(slot, KEEPER_FD_GRANT, duplicate(keeper->grant_fd));
	if (!error)
		error = put(slot, KEEPER_FD_WANT, duplicate(keeper->want_fd));
	if (!error) {
		snprintf(path, sizeof(path), "%s/capset", keeper->dir);
		int capset = open(path, O_RDONLY | O_CLOEXEC);
		error = put(slot, KEEPER_FD_CAPSET, capset < 0 ? -errno : capset);
	}
	return error;
}

static struct slot *slot_new(uint32_t index)
{
	struct slot *slot = calloc(1, sizeof(*slot));

	if (!slot)
		return NULL;
	slot->index = index;
	slot->device_pidfd = slot->device_socket = -1;
	for (unsigned i = 0; i < KEEPER_CONTEXT_MAX; i++)
		slot->engine[i].pidfd = -1;
	return slot;
}

int slot_open(struct keeper *keeper, uint32_t index, int connection, const char *peer)
{
	struct slot *slot = slot_new(index);
	int error;

	if (!slot) {
		close(connection);
		return -ENOMEM;
	}
	keeper->slot[index] = slot;
	error = fill_store(keeper, slot, connection);
	if (!error)
		error = slot_start_device(keeper, slot);
	if (error) {
		log_error("connection of %s refused: its device process cannot be started: %s", peer, strerror(-error));
		slot->ending = true;
		slot_close_if_over(keeper, slot);
		return error;
	}
	log_info("slot %u opened by %s", index, peer);
	manager_slot(keeper, slot, true, peer);
	return 0;
}

struct slot *slot_rejoin(struct keeper *keeper, uint32_t index, pid_t device_pid, int socket)
{
	struct slot *slot = keeper->slot[index];

	if (slot && slot->device_pidfd >= 0 && slot->device_pid != device_pid) {
		int pidfd = pidfd_open(device_pid, 0);

		log_error("slot %u: device process %d wants it, but process %d serves it: the newcomer is killed", index,
			  (int)device_pid, (int)slot->device_pid);
		if (pidfd >= 0) {
			process_kill(pidfd);
			close(pidfd);
		}
		return NULL;
	}
	if (!slot)
		slot = slot_new(index);
	if (!slot)
		return NULL;
	if (slot->device_pidfd < 0) {
		slot->device_pidfd = pidfd_open(device_pid, 0);
		if (slot->device_pidfd < 0) {
			/* Dead already. A slot that is empty would stand in the next client's way for ever. */
			if (!keeper->slot[index])
				free(slot);
			return NULL;
		}
		keeper_watch(keeper, slot->device_pidfd, KEEPER_EVENT_DATA(EVENT_DEVICE_EXIT, index, 0));
	}
	keeper->slot[index] = slot;
	keeper_close_watched(keeper, &slot->device_socket);
	slot->device_pid = device_pid;
	slot->device_socket = socket;
	slot->device_started_ns = keeper_now_ns();
	return slot;
}

int slot_start_device(struct keeper *keeper, struct slot *slot)
{
	char number[16], name[32];
	char *argv[] = {keeper->config.device_program, (char *)"--dir", (char *)keeper->dir, (char *)"--slot", number, NULL};
	struct process_environment environment;
	struct timeval patience = {.tv_sec = 2};
	bool namespaced;
	int pair[2], error;

	snprintf(number, sizeof(number), "%u", slot->index);
	note_name(name, slot->index);
	process_environment_make(&environment);
	error = seqpacket_pair(pair);
	if (error)
		return error;
	struct process_spec spec = {
		.path = keeper->config.device_program,
		.argv = argv,
		.environment = environment.entries,
		.fds = &pair[1],
		.fd_count = 1,
	};
	error = process_start(&spec, &slot->device_pid, &slot->device_pidfd, &namespaced);
	close(pair[1]);
	if (error) {
		close(pair[0]);
		return error;
	}
	setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	slot->device_socket = pair[0];
	slot->device_started_ns = keeper_now_ns();
	keeper_watch(keeper, slot->device_pidfd, KEEPER_EVENT_DATA(EVENT_DEVICE_EXIT, slot->index, 0));
	keeper_watch(keeper, slot->device_socket, KEEPER_EVENT_DATA(EVENT_DEVICE, slot->index, 0));
	error = process_note_write(keeper->dir, name, slot->device_pid);
	if (error) {
		log_error("cannot note device process %d in %s/%s: %s; is the disk of the runtime folder full?", (int)slot->device_pid,
			  keeper->dir, name, strerror(-error));
		/* A new connection is better refused: the next keeper would not wait for it. One that has state goes on. */
		if (!slot->restarts) {
			process_kill(slot->device_pidfd);
			return error;
		}
	}
	/* A process that dies while it is given things is seen by its pidfd. */
	if (!store_give_all(&slot->store, slot->device_socket, slot->index))
		engine_tell_device(keeper, slot);
	return 0;
}

void slot_replace_device(struct keeper *keeper, struct slot *slot)
{
	(void)keeper;
	slot->quick_deaths = 0;
	if (slot->device_pidfd >= 0)
		process_kill(slot->device_pidfd);
}

static void take_strike(struct keeper *keeper, struct slot *slot, const char *text)
{
	uint64_t strikes = keeper->page ? atomic_fetch_add(&keeper->page->strikes, 1) + 1 : 1;

	log_warning("strike %llu against vGPU %s (%s), slot %u: %s", (unsigned long long)strikes, keeper->config.name,
		    keeper->config.uuid, slot->index, text);
	manager_event(keeper, strikes, text);
}

void slot_take(struct keeper *keeper, struct slot *slot, const struct keeper_message *message, const char *text,
	       int *fds, unsigned fd_count)
{
	unsigned used = 0;

	switch (message->op) {
	case KEEPER_STORE:
	case KEEPER_ENGINE_IS:
		for (; used < fd_count && used < message->tag_count && used < KEEPER_TAGS_PER_MESSAGE; used++) {
			if (KEEPER_TAG_KIND(message->tags[used]) == KEEPER_FD_ENGINE_PIDFD) {
				engine_rejoin(keeper, slot, message->context, (pid_t)message->value, fds[used]);
				continue;
			}
			if (store_put(&slot->store, message->tags[used], fds[used]))
				log_error("slot %u: no room for descriptor %#x", slot->index, message->tags[used]);
		}
		/* Without a pidfd from the device, one of our own. */
		if (message->op == KEEPER_ENGINE_IS && message->context < KEEPER_CONTEXT_MAX &&
		    slot->engine[message->context].life != ENGINE_ALIVE)
			engine_rejoin(keeper, slot, message->context, (pid_t)message->value, -1);
		break;
	case KEEPER_DROP:
		for (unsigned i = 0; i < message->tag_count && i < KEEPER_TAGS_PER_MESSAGE; i++) {
			uint32_t tag = message->tags[i], context = KEEPER_TAG_INDEX(tag);
			bool is_engines = KEEPER_TAG_KIND(tag) >= KEEPER_FD_ENGINE_CHANNEL && context < KEEPER_CONTEXT_MAX;
			/* A living engine's descriptors are the next device's way to it, whatever an earlier death led to say. */
			if (is_engines && slot->engine[context].life == ENGINE_ALIVE)
				continue;
			store_drop(&slot->store, tag);
			if (KEEPER_TAG_KIND(tag) == KEEPER_FD_ENGINE_CHANNEL && is_engines)
				slot->engine[context].life = ENGINE_NONE;
		}
		break;
	case KEEPER_ENGINE_START:
		engine_start(keeper, slot, message->context, message->value == 1);
		break;
	case KEEPER_ENGINE_KILL:
		engine_kill(keeper, slot, message->context);
		break;
	case KEEPER_STRIKE:
		take_strike(keeper, slot, text);
		break;
	case KEEPER_FINISHED:
		slot->finished = true;
		break;
	case KEEPER_REJOINED:
		slot->rejoining = false;
		if (!peer_slot_shares(keeper, slot)) {
			log_error("slot %u: device process %d came back after the doors were opened without it, with another ledger and "
				  "lease: its connection ends", slot->index, (int)slot->device_pid);
			slot_end(keeper, slot);
			break;
		}
		log_info("slot %u: device process %d has given back what it holds (%u descriptors)", slot->index,
			 (int)slot->device_pid, slot->store.count);
		manager_slot(keeper, slot, true, "rejoined");
		break;
	default:
		log_error("slot %u: its device sent an unknown message %u", slot->index, message->op);
	}
	for (unsigned i = used; i < fd_count; i++)
		close(fds[i]);
}

/* One message; false when there is none. */
static bool take_one(struct keeper *keeper, struct slot *slot)
{
	struct {
		struct keeper_message message;
		char text[KEEPER_TEXT_MAX + 1];
	} in;
	int fds[SEQPACKET_FDS_MAX];
	unsigned fd_count;
	struct pollfd ready = {.fd = slot->device_socket, .events = POLLIN};
	ssize_t got;

	if (slot->device_socket < 0 || poll(&ready, 1, 0) <= 0)
		return false;
	got = seqpacket_receive(slot->device_socket, &in, sizeof(in) - 1, false, fds, &fd_count);
	if (got < (ssize_t)sizeof(in.message)) {
		for (unsigned i = 0; i < fd_count; i++)
			close(fds[i]);
		/* The end; the pidfd tells what became of the process. */
		keeper_close_watched(keeper, &slot->device_socket);
		return false;
	}
	((char *)&in)[got] = '\0';
	slot_take(keeper, slot, &in.message, in.text, fds, fd_count);
	return true;
}

void slot_device_message(struct keeper *keeper, struct slot *slot)
{
	for (unsigned i = 0; i < 64 && take_one(keeper, slot); i++)
		;
}

static bool lived_too_short(struct slot *slot)
{
	slot->quick_deaths = keeper_now_ns() - slot->device_started_ns < QUICK_DEATH_NS ? slot->quick_deaths + 1 : 0;
	return slot->quick_deaths > QUICK_DEATHS_MAX;
}

/* What its end says about the program. True: there is no use in starting another. */
static bool is_hopeless(struct keeper *keeper, const struct slot *slot, int status)
{
	int code = status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 0;

	if (code == DEVICE_EXIT_STATE_DAMAGED) {
		log_error("slot %u: its state page is damaged: the connection cannot be saved", slot->index);
		return true;
	}
	if (code == DEVICE_EXIT_STATE_NEWER && !program_fall_back(keeper, "is older than the state it was to take over")) {
		log_error("slot %u: its state is of a newer build than %s, and no other program is known: the connection cannot be "
			  "saved", slot->index, keeper->config.device_program);
		return true;
	}
	/* A program given by REPLACE_DEVICE that cannot live here must not cost a guest its device. */
	if (code != DEVICE_EXIT_STATE_NEWER && slot->quick_deaths >= 3)
		program_fall_back(keeper, "died again and again at its start");
	return false;
}

void slot_device_exited(struct keeper *keeper, struct slot *slot)
{
	pid_t pid = slot->device_pid;
	char name[32], how[64], former[96];
	int status;

	while (take_one(keeper, slot))
		;
	status = process_reap(slot->device_pidfd);
	keeper_close_watched(keeper, &slot->device_pidfd);
	keeper_close_watched(keeper, &slot->device_socket);
	note_name(name, slot->index);
	process_note_remove(keeper->dir, name);
	if (status < 0)
		snprintf(how, sizeof(how), "is gone");
	else if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "was killed by signal %d", WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "exited with status %d", WEXITSTATUS(status));
	if (slot->finished || slot->ending) {
		slot_end(keeper, slot);
		return;
	}
	if (slot->rejoining) {
		log_error("slot %u: device process %d %s while it gave back what a former keeper held: the connection is lost",
			  slot->index, (int)pid, how);
		slot_end(keeper, slot);
		return;
	}
	slot->restarts++;
	/* It has not lived: what a full descriptor table does to the keeper it does to a child of it. */
	if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == PROCESS_EXIT_NO_ROOM) {
		restart_failed(keeper, slot, -EMFILE);
		return;
	}
	slot->restart_since_ns = 0;
	if (lived_too_short(slot)) {
		log_error("slot %u: device process %d %s, as %u before it did at once: giving the connection up", slot->index,
			  (int)pid, how, slot->quick_deaths - 1);
		slot_end(keeper, slot);
		return;
	}
	if (is_hopeless(keeper, slot, status)) {
		slot_end(keeper, slot);
		return;
	}
	snprintf(former, sizeof(former), "device process %d %s", (int)pid, how);
	restart_device(keeper, slot, former);
}

void slot_end(struct keeper *keeper, struct slot *slot)
{
	slot->ending = true;
	if (slot->device_pidfd >= 0)
		process_kill(slot->device_pidfd);
	for (uint32_t context = 0; context < KEEPER_CONTEXT_MAX; context++)
		if (slot->engine[context].life == ENGINE_ALIVE)
			process_kill(slot->engine[context].pidfd);
	slot_close_if_over(keeper, slot);
}

void slot_close_if_over(struct keeper *keeper, struct slot *slot)
{
	uint32_t index = slot->index;

	if (!slot->ending || slot->device_pidfd >= 0)
		return;
	for (uint32_t context = 0; context < KEEPER_CONTEXT_MAX; context++)
		if (slot->engine[context].life == ENGINE_ALIVE)
			return;
	store_finish(&slot->store);
	keeper_close_watched(keeper, &slot->device_socket);
	if (keeper->page)
		memset(&keeper->page->slot[index], 0, sizeof(keeper->page->slot[index]));
	log_info("slot %u closed", index);
	manager_slot(keeper, slot, false, "");
	keeper->slot[index] = NULL;
	free(slot);
}
