/* SPDX-License-Identifier: MIT */
#include "mdev/freezer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mdev/groups.h"
#include "mdev/keeper/keeper_protocol.h"

#define STOP_TURNS 400u		/* of STOP_TURN_NS: a stop that takes longer has failed */
#define STOP_TURN_NS 50000
#define ENGINES_MAX (KEEPER_SLOT_MAX * KEEPER_CONTEXT_MAX)

struct freezer {
	int engines_freeze_fd;		/* -1: no group */
	int serving_freeze_fd;
	int engines_procs_fd;
	int cpu_fd;
	enum freeze_depth depth;
	bool is_depth_known;		/* not after a freezer before this one, nor after an error */
	bool has_unknown;		/* an engine without a pid was added: it cannot be stopped by signals */
	pid_t *pids;			/* of the engines */
	size_t pid_count, pid_capacity;
};

static int open_in(const char *group, const char *name, int flags)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", group, name);
	return open(path, flags | O_CLOEXEC);
}

static void close_all(struct freezer *freezer)
{
	int *const fds[] = {&freezer->engines_freeze_fd, &freezer->serving_freeze_fd, &freezer->engines_procs_fd, &freezer->cpu_fd};

	for (unsigned i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

struct freezer *freezer_create(const char *group)
{
	struct freezer *freezer = calloc(1, sizeof(*freezer));

	if (!freezer)
		return NULL;
	freezer->engines_freeze_fd = freezer->serving_freeze_fd = freezer->engines_procs_fd = freezer->cpu_fd = -1;
	if (!group)
		return freezer;
	freezer->engines_freeze_fd = open_in(group, GROUPS_ENGINES "/cgroup.freeze", O_WRONLY);
	freezer->serving_freeze_fd = open_in(group, GROUPS_SERVING "/cgroup.freeze", O_WRONLY);
	freezer->engines_procs_fd = open_in(group, GROUPS_ENGINES "/cgroup.procs", O_WRONLY);
	freezer->cpu_fd = open_in(group, "cpu.stat", O_RDONLY);
	if (freezer->engines_freeze_fd < 0 || freezer->serving_freeze_fd < 0 || freezer->engines_procs_fd < 0 || freezer->cpu_fd < 0)
		close_all(freezer);
	return freezer;
}

void freezer_destroy(struct freezer *freezer)
{
	if (!freezer)
		return;
	close_all(freezer);
	free(freezer->pids);
	free(freezer);
}

bool freezer_is_quick(const struct freezer *freezer)
{
	return freezer->engines_freeze_fd >= 0;
}

void freezer_engine_add(struct freezer *freezer, pid_t pid)
{
	char text[16];

	freezer->has_unknown |= pid <= 0;
	if (pid <= 0)
		return;
	if (freezer->pid_count == freezer->pid_capacity && freezer->pid_capacity < ENGINES_MAX) {
		size_t capacity = freezer->pid_capacity ? freezer->pid_capacity * 2 : 4;
		pid_t *grown = reallocarray(freezer->pids, capacity, sizeof(*grown));
		if (grown) {
			freezer->pids = grown;
			freezer->pid_capacity = capacity;
		}
	}
	if (freezer->pid_count < freezer->pid_capacity)
		freezer->pids[freezer->pid_count++] = pid;
	if (freezer->engines_procs_fd < 0)
		return;
	int length = snprintf(text, sizeof(text), "%d", (int)pid);
	ssize_t written = pwrite(freezer->engines_procs_fd, text, (size_t)length, 0);
	(void)written;	/* it has ended: its pidfd says so */
}

void freezer_engine_remove(struct freezer *freezer, pid_t pid)
{
	for (size_t i = 0; i < freezer->pid_count; i++) {
		if (freezer->pids[i] != pid)
			continue;
		freezer->pids[i] = freezer->pids[--freezer->pid_count];
		return;
	}
}

/* ---- by group ----------------------------------------------------------------------------------- */

static int write_freeze(int fd, bool is_frozen)
{
	return pwrite(fd, is_frozen ? "1" : "0", 1, 0) == 1 ? 0 : -errno;
}

static int set_by_group(struct freezer *freezer, enum freeze_depth depth)
{
	int error = 0;

	/* The kernel has told every thread by the end of the write; none comes back from there to its own code. */
	if (!freezer->is_depth_known || (depth >= FREEZE_ENGINES) != (freezer->depth >= FREEZE_ENGINES))
		error = write_freeze(freezer->engines_freeze_fd, depth >= FREEZE_ENGINES);
	if (!error && (!freezer->is_depth_known || (depth == FREEZE_ALL) != (freezer->depth == FREEZE_ALL)))
		error = write_freeze(freezer->serving_freeze_fd, depth == FREEZE_ALL);
	return error;
}

/* ---- by signals ---------------------------------------------------------------------------------- */

static bool has_stopped(pid_t pid)
{
	char path[64], text[512];
	ssize_t got = -1;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (got <= 0)
		return true;	/* it has ended */
	text[got] = 0;
	const char *after = strrchr(text, ')');
	return !after || after[1] == 0 || strchr("TtZX", after[2]);
}

static int set_by_signals(struct freezer *freezer, enum freeze_depth depth)
{
	const struct timespec turn = {.tv_nsec = STOP_TURN_NS};

	if (freezer->has_unknown && depth != FREEZE_NOTHING)
		return -ENOTSUP;
	for (size_t i = 0; i < freezer->pid_count; i++)
		if (kill(freezer->pids[i], depth == FREEZE_NOTHING ? SIGCONT : SIGSTOP) && errno != ESRCH)
			return -errno;
	if (depth == FREEZE_NOTHING)
		return 0;
	for (unsigned turns = 0; turns < STOP_TURNS; turns++) {
		size_t stopped = 0;
		while (stopped < freezer->pid_count && has_stopped(freezer->pids[stopped]))
			stopped++;
		if (stopped == freezer->pid_count)
			return 0;
		nanosleep(&turn, NULL);
	}
	return -ETIMEDOUT;
}

int freezer_set(struct freezer *freezer, enum freeze_depth depth)
{
	int error = freezer_is_quick(freezer) ? set_by_group(freezer, depth) : set_by_signals(freezer, depth);

	freezer->is_depth_known = !error;
	if (!error)
		freezer->depth = depth;
	return error;
}

/* ---- processor time ------------------------------------------------------------------------------- */

static uint64_t group_cpu_ns(const struct freezer *freezer)
{
	char text[256];
	ssize_t got = pread(freezer->cpu_fd, text, sizeof(text) - 1, 0);
	const char *usage;

	if (got <= 0)
		return 0;
	text[got] = 0;
	usage = strstr(text, "usage_usec ");
	return usage ? strtoull(usage + strlen("usage_usec "), NULL, 10) * 1000 : 0;
}

uint64_t freezer_cpu_ns(const struct freezer *freezer)
{
	uint64_t sum_ns = 0;

	if (freezer_is_quick(freezer))
		return group_cpu_ns(freezer);
	for (size_t i = 0; i < freezer->pid_count; i++) {
		struct timespec used;
		clockid_t clock;
		if (!clock_getcpuclockid(freezer->pids[i], &clock) && !clock_gettime(clock, &used))
			sum_ns += (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
	}
	return sum_ns;
}
