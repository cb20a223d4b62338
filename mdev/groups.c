/* SPDX-License-Identifier: MIT */
#include "mdev/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REMOVE_TURNS 40u	/* of 5 ms: a group can be removed only when its last process is gone for the kernel, too */

struct groups {
	char base[600];
	char note[300];		/* the file in the runtime folder */
};

/* Where cgroup v2 is mounted: the fields of a line in mountinfo are before and after " - " (proc(5)). */
static int find_mount(char ret_mount[256])
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[1024];
	int error = -ENOENT;

	while (file && error && fgets(line, sizeof(line), file)) {
		const char *type = strstr(line, " - ");
		char root[256];
		if (!type || strncmp(type, " - cgroup2 ", 11))
			continue;
		if (sscanf(line, "%*s %*s %*s %255s %255s", root, ret_mount) == 2)
			error = 0;
	}
	if (file)
		fclose(file);
	return error;
}

static int find_own(char ret_path[256])
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[300];
	int error = -ENOENT;

	while (file && error && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::/", 4))
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(ret_path, 256, "%.255s", line + 3);
		error = 0;
	}
	if (file)
		fclose(file);
	return error;
}

static bool is_group(const char *path)
{
	char freeze[GROUPS_PATH_BYTES];

	snprintf(freeze, sizeof(freeze), "%s/cgroup.freeze", path);
	return !access(freeze, W_OK);
}

static bool read_note(struct groups *groups)
{
	FILE *file = fopen(groups->note, "re");
	bool is_good = file && fgets(groups->base, sizeof(groups->base), file);

	if (file)
		fclose(file);
	groups->base[strcspn(groups->base, "\n")] = 0;
	return is_good && groups->base[0] == '/' && is_group(groups->base);
}

static int write_note(const struct groups *groups)
{
	char temporary[320];
	int error = 0;

	snprintf(temporary, sizeof(temporary), "%s.new", groups->note);
	FILE *file = fopen(temporary, "we");
	if (!file)
		return -errno;
	if (fprintf(file, "%s\n", groups->base) < 0)
		error = -EIO;
	if (fclose(file) && !error)
		error = -errno;
	if (!error && rename(temporary, groups->note))
		error = -errno;
	if (error)
		unlink(temporary);
	return error;
}

/* A vgpud that was started by a process of a vGPU's group makes its own beside that, not within. */
static void strip_groups_of_ours(char *path)
{
	for (char *at = strstr(path, "/vgpud-"); at; at = strstr(at + 1, "/vgpud-")) {
		const char *rest = at + strlen("/vgpud-");
		size_t digits = strspn(rest, "0123456789");
		if (digits && rest[digits] == '/') {
			*at = 0;
			return;
		}
	}
}

static int make_base(struct groups *groups)
{
	char mount[256], own[256];
	int error = find_mount(mount);

	if (!error)
		error = find_own(own);
	if (error)
		return error;
	strip_groups_of_ours(own);
	snprintf(groups->base, sizeof(groups->base), "%s%s/vgpud-%d", mount, strcmp(own, "/") ? own : "", (int)getpid());
	if (mkdir(groups->base, 0755) && errno != EEXIST)
		return -errno;
	if (!is_group(groups->base)) {
		error = errno ? -errno : -ENOTSUP;
		rmdir(groups->base);
		return error;
	}
	error = write_note(groups);
	if (error)
		rmdir(groups->base);
	return error;
}

int groups_open(const char *runtime_dir, struct groups **ret_groups, char ret_why[256])
{
	struct groups *groups = calloc(1, sizeof(*groups));
	int error = groups ? 0 : -ENOMEM;

	if (groups) {
		snprintf(groups->note, sizeof(groups->note), "%.280s/cgroup", runtime_dir);
		if (!read_note(groups))
			error = make_base(groups);
	}
	if (error) {
		snprintf(ret_why, 256, "no cgroup v2 group can be made here (%s)", strerror(-error));
		free(groups);
		return error;
	}
	*ret_groups = groups;
	return 0;
}

void groups_close(struct groups *groups)
{
	if (!groups)
		return;
	if (!rmdir(groups->base) || errno == ENOENT)
		unlink(groups->note);
	free(groups);
}

int groups_make(const struct groups *groups, const char *uuid, char ret_path[GROUPS_PATH_BYTES])
{
	static const char *const parts[] = {"", "/" GROUPS_ENGINES, "/" GROUPS_SERVING};

	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(ret_path, GROUPS_PATH_BYTES, "%s/%s%s", groups->base, uuid, parts[i]);
		if (mkdir(ret_path, 0755) && errno != EEXIST)
			return -errno;
	}
	snprintf(ret_path, GROUPS_PATH_BYTES, "%s/%s", groups->base, uuid);
	return 0;
}

void groups_serve(const struct groups *groups, const char *uuid, pid_t pid)
{
	char path[GROUPS_PATH_BYTES], text[16];

	if (!groups || pid <= 0)
		return;
	snprintf(path, sizeof(path), "%s/%s/" GROUPS_SERVING "/cgroup.procs", groups->base, uuid);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	int length = snprintf(text, sizeof(text), "%d", (int)pid);
	ssize_t written = write(fd, text, (size_t)length);
	(void)written;	/* it has ended: who watches it sees that */
	close(fd);
}

void groups_thaw_serving(const struct groups *groups, const char *uuid)
{
	char path[GROUPS_PATH_BYTES];

	if (!groups)
		return;
	snprintf(path, sizeof(path), "%s/%s/" GROUPS_SERVING "/cgroup.freeze", groups->base, uuid);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;		/* it has no group */
	ssize_t written = write(fd, "0", 1);
	(void)written;	/* the keeper does not answer then, and is started anew */
	close(fd);
}

void groups_remove(const struct groups *groups, const char *uuid)
{
	static const char *const parts[] = {"/" GROUPS_ENGINES, "/" GROUPS_SERVING, ""};
	const struct timespec turn = {.tv_nsec = 5000000};
	char path[GROUPS_PATH_BYTES];

	for (unsigned i = 0; groups && i < sizeof(parts) / sizeof(parts[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s%s", groups->base, uuid, parts[i]);
		for (unsigned turns = 0; rmdir(path) && errno == EBUSY && turns < REMOVE_TURNS; turns++)
			nanosleep(&turn, NULL);
	}
}
