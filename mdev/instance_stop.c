/* SPDX-License-Identifier: MIT */
/*
 * The end of an instance: all its processes end, or are killed.
 *
 * Theory of operation. Devices and their keeper start each other anew, so killing one after another never ends. First
 * the keeper that serves is found, whoever started it, and asked to stop. Where none answers, keeper.lock tells: while it is ours no
 * keeper serves and none can begin, and then whatever the folder's notes name is killed. Before the lock is given back
 * config.json goes, so that a keeper which a device started a moment before its end finds nothing to serve.
 *
 * A keeper that holds the lock and neither listens nor ends is killed after STOP_PATIENCE_US, as is one that was asked and
 * does not end. Where it was never heard of (vgpud was started anew), the kernel knows who holds the lock.
 */
#include "mdev/instance_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "mdev/child.h"
#include "mdev/lock_holder.h"
#include "mdev/process_note.h"

#define STOP_EVERY_US 3000u
#define STOP_PATIENCE_US 3000000u	/* then SIGKILL */

static void await(pid_t pid, void *data)
{
	struct instance *instance = data;
	struct awaited *awaited = calloc(1, sizeof(*awaited));

	if (!awaited)
		return;
	awaited->pidfd = child_open(pid);
	if (awaited->pidfd < 0) {
		free(awaited);
		return;
	}
	awaited->next = instance->awaited;
	instance->awaited = awaited;
}

static void awaited_look(struct instance *instance, bool kill_them)
{
	for (struct awaited **at = &instance->awaited; *at;) {
		struct awaited *awaited = *at;
		if (!child_has_ended(awaited->pidfd)) {
			if (kill_them)
				child_kill(awaited->pidfd, SIGKILL);
			at = &awaited->next;
			continue;
		}
		*at = awaited->next;
		close(awaited->pidfd);
		free(awaited);
	}
}

/* Every device and engine that the folder names and that lives. */
static void await_noted(struct instance *instance)
{
	DIR *dir = opendir(instance->dir);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		const char *end = strrchr(entry->d_name, '.');
		pid_t pid = end && !strcmp(end, ".pid") ? process_note_read(instance->dir, entry->d_name) : 0;
		if (pid)
			await(pid, instance);
	}
	if (dir)
		closedir(dir);
}

/* True once no keeper serves and none can begin: the lock is ours, or there is nothing that could be locked. */
static bool no_keeper(struct instance *instance)
{
	char path[sizeof(instance->dir) + 16];

	if (instance->lock_fd >= 0)
		return true;
	snprintf(path, sizeof(path), "%s/keeper.lock", instance->dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno != EMFILE && errno != ENFILE && errno != ENOMEM;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return false;
	}
	instance->lock_fd = fd;
	return true;
}

/* The process that holds the lock, or 0. */
static pid_t holder(const struct instance *instance)
{
	char path[sizeof(instance->dir) + 16];
	pid_t pid;

	snprintf(path, sizeof(path), "%s/keeper.lock", instance->dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	pid = lock_holder(fd);
	close(fd);
	return pid == getpid() ? 0 : pid;
}

/* A keeper that does not end by itself is among those that are killed. */
static void await_late_keeper(struct instance *instance)
{
	pid_t pid = instance->keeper_pid ? instance->keeper_pid : holder(instance);

	if (pid == instance->late_keeper)
		return;
	instance->late_keeper = pid;
	if (!pid) {
		event_log_add(instance->around->events, "keeper.silent", instance->spec->uuid,
			      "a process that cannot be told holds %.200s/keeper.lock: vGPU %s is stopped once it is gone",
			      instance->dir, instance->spec->name);
		return;
	}
	event_log_add(instance->around->events, "keeper.silent", instance->spec->uuid,
		      "keeper %d of vGPU %s has not stopped within %u s: killed", (int)pid, instance->spec->name,
		      STOP_PATIENCE_US / 1000000);
	await(pid, instance);
}

/* The keeper that serves, if there is one, is asked once. */
static void ask(struct instance *instance)
{
	if (!instance->client)
		instance->stop_asked = false;
	if (instance->stop_asked || (!instance->client && instance_connect(instance)))
		return;
	instance->stop_asked = true;
	if (instance->keeper_pid)
		await(instance->keeper_pid, instance);
	if (!keeper_client_send(instance->client, KEEPER_STOP, NULL))
		return;
	keeper_client_close(instance->client);
	instance->client = NULL;
}

static void finish(struct instance *instance)
{
	char path[sizeof(instance->dir) + 16];

	instance_set_timer(instance, 0, NULL);
	/* Its end is known here before the loop tells of it; then it would be started again. */
	instance_watch_keeper(instance, 0, -1);
	keeper_client_close(instance->client);
	instance->client = NULL;
	while (instance->engines)
		instance_engine_gone(instance->engines);
	leases_remove(instance->around->leases, instance->lease);
	instance->lease = NULL;
	groups_remove(instance->around->groups, instance->spec->uuid);
	snprintf(path, sizeof(path), "%s/config.json", instance->dir);
	unlink(path);
	if (instance->lock_fd >= 0)
		close(instance->lock_fd);
	instance->lock_fd = -1;
	instance_enter_state(instance, INSTANCE_GONE, "");
}

static int on_stop_time(sd_event_source *source, uint64_t now_us, void *data)
{
	struct instance *instance = data;
	bool is_late = instance_now_us() - instance->since_us > STOP_PATIENCE_US, is_alone = false;

	(void)source;
	(void)now_us;
	if (instance->lock_fd < 0)
		ask(instance);
	/* One that was started and does not answer yet has the lock, or is about to find it taken. */
	if (!instance->client && no_keeper(instance)) {
		is_alone = true;
		if (!instance->awaited)
			await_noted(instance);
	} else if (is_late) {
		await_late_keeper(instance);
	}
	awaited_look(instance, is_late || is_alone);
	if (is_alone && !instance->awaited)
		finish(instance);
	else
		instance_set_timer(instance, STOP_EVERY_US, on_stop_time);
	return 0;
}

void instance_stop(struct instance *instance)
{
	if (instance->state == INSTANCE_STOPPING || instance->state == INSTANCE_GONE)
		return;
	instance_devices(instance, await, instance);
	for (const struct engine *engine = instance->engines; engine; engine = engine->next)
		await(engine->pid, instance);
	instance->since_us = instance_now_us();
	instance->stop_asked = false;
	instance->late_keeper = -1;
	instance_enter_state(instance, INSTANCE_STOPPING, "");
	instance_set_timer(instance, 0, on_stop_time);
}
