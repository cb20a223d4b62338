/* SPDX-License-Identifier: MIT */
#include "mdev/lock_holder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

/* Device numbers of /proc/locks are not everywhere those of stat(2) (btrfs, overlayfs); what a process has open is certain. */
static bool has_open(pid_t pid, const struct stat *file)
{
	char path[64];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		struct stat at;
		if (!fstatat(dirfd(dir), entry->d_name, &at, 0))
			found = at.st_dev == file->st_dev && at.st_ino == file->st_ino;
	}
	closedir(dir);
	return found;
}

pid_t lock_holder(int fd)
{
	struct stat file;
	char line[256];
	pid_t found = 0;
	FILE *locks;

	if (fstat(fd, &file))
		return 0;
	locks = fopen("/proc/locks", "re");
	if (!locks)
		return 0;
	/* proc_locks(5): "1: FLOCK ADVISORY WRITE 4711 08:01:12345 0 EOF"; one that waits has "->" before FLOCK. */
	while (!found && fgets(line, sizeof(line), locks)) {
		unsigned long long inode;
		int pid;
		if (sscanf(line, "%*s FLOCK %*s %*s %d %*x:%*x:%llu", &pid, &inode) == 2 && pid > 0 && inode == file.st_ino &&
		    has_open(pid, &file))
			found = pid;
	}
	fclose(locks);
	return found;
}
