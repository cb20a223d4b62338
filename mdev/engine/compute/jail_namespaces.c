/* SPDX-License-Identifier: MIT */
/*
 * Own namespaces, and in the mount namespace a root that holds what drivers read, bound read-only, and nothing
 * else of the host: no home folders, no runtime folders, no other vGPU's files.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/engine/compute/jail_stages.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
#define SCRATCH_OPTIONS "mode=0700,size=512m,nr_inodes=65536"

bool jail_user_namespaces_work(void)
{
	int status;

	pid_t child = fork();
	if (child < 0)
		return false;
	if (!child)
		_exit(unshare(CLONE_NEWUSER | NAMESPACES) ? 1 : 0);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	int r = write(fd, text, strlen(text)) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* One id maps to itself: user_namespaces(7) allows that without privileges. */
static int map_ids(uid_t uid, gid_t gid)
{
	char line[64];
	int r;

	snprintf(line, sizeof(line), "%u %u 1", uid, uid);
	r = write_text("/proc/self/uid_map", line);
	if (r)
		return r;
	r = write_text("/proc/self/setgroups", "deny");
	if (r && r != -ENOENT)
		return r;
	snprintf(line, sizeof(line), "%u %u 1", gid, gid);
	return write_text("/proc/self/gid_map", line);
}

/* mkdir -p, inside the new root. */
static int make_folders(const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	for (char *at = part + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = 0;
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return mkdir(part, 0755) && errno != EEXIST ? -errno : 0;
}

static int make_file(const char *path)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = 0;
	int r = make_folders(folder);
	if (r)
		return r;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

/* Shows `path` of the host at the same place under root: 0 also if it does not exist. */
static int show(const char *root, const char *path, bool device)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOSUID | (device ? 0 : MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV)};
	char target[PATH_MAX], link[PATH_MAX];
	struct stat there;
	int r;

	if (lstat(path, &there))
		return 0;
	if (snprintf(target, sizeof(target), "%s%s", root, path) >= (int)sizeof(target))
		return -ENAMETOOLONG;
	if (S_ISLNK(there.st_mode)) {	/* /lib -> usr/lib */
		ssize_t length = readlink(path, link, sizeof(link) - 1);
		if (length < 0)
			return -errno;
		link[length] = 0;
		r = make_file(target);
		if (r)
			return r;
		unlink(target);
		return symlink(link, target) ? -errno : 0;
	}
	r = S_ISDIR(there.st_mode) ? make_folders(target) : make_file(target);
	if (r)
		return r;
	if (mount(path, target, NULL, MS_BIND | MS_REC, NULL))
		return -errno;
	return syscall(SYS_mount_setattr, AT_FDCWD, target, AT_RECURSIVE, &attributes, sizeof(attributes)) ? -errno : 0;
}

/* A folder to put the new root on, that hides nothing we still need. */
static const char *mount_point(const char *icd)
{
	static const char *const choices[] = {"/mnt", "/media", "/srv", "/tmp"};
	struct stat there;

	for (unsigned i = 0; i < sizeof(choices) / sizeof(choices[0]); i++)
		if (!stat(choices[i], &there) && S_ISDIR(there.st_mode) && strncmp(icd, choices[i], strlen(choices[i])))
			return choices[i];
	return NULL;
}

static int build_root(const struct jail_settings *settings, const char *root)
{
	char path[PATH_MAX], folder[4096];
	int r;

	for (unsigned i = 0; i < jail_place_count; i++)
		if ((r = show(root, jail_places[i].path, jail_places[i].device)))
			return r;
	if ((r = show(root, "/proc", false)))
		return r;
	/* An ICD elsewhere than /etc/OpenCL, and a library elsewhere than /usr. */
	snprintf(folder, sizeof(folder), "%s", settings->icd);
	*strrchr(folder, '/') = 0;
	if (folder[0] && strncmp(folder, "/etc/OpenCL", 11) && strncmp(folder, "/usr", 4) && (r = show(root, folder, false)))
		return r;
	if (jail_icd_library_folder(settings->icd, folder) && strncmp(folder, "/usr/", 5) && strncmp(folder, "/opt/", 5) &&
	    (r = show(root, folder, false)))
		return r;
	snprintf(path, sizeof(path), "%s%s", root, settings->scratch);
	if ((r = make_folders(path)))
		return r;
	return mount("scratch", path, "tmpfs", MS_NOSUID | MS_NODEV, SCRATCH_OPTIONS) ? -errno : 0;
}

static int enter_root(const char *root)
{
	if (chdir(root) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
		return -errno;
	return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) ? -errno : 0;
}

int jail_namespaces_enter(const struct jail_settings *settings, bool with_user, bool *ret_entered)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r;

	if (unshare(NAMESPACES | (with_user ? CLONE_NEWUSER : 0)))
		return -errno;
	*ret_entered = true;
	if (with_user && (r = map_ids(uid, gid)))
		return r;
	const char *root = mount_point(settings->icd);
	if (!root)
		return -ENOENT;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("root", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m"))
		return -errno;
	r = build_root(settings, root);
	if (!r)
		r = enter_root(root);
	if (r) {	/* the host's root stays ours, without what was put on it */
		if (chdir("/"))
			return -errno;
		umount2(root, MNT_DETACH);
	}
	return r;
}
