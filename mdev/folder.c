/* SPDX-License-Identifier: MIT */
#include "mdev/folder.h"

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path) && errno != ENOENT ? -errno : 0;
}

int folder_remove(const char *path)
{
	int r = nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);

	if (r == -1)
		return errno == ENOENT ? 0 : -errno;
	return r;
}

int folder_make(const char *path, unsigned mode)
{
	char part[PATH_MAX];

	if (strlen(path) >= sizeof(part))
		return -ENAMETOOLONG;
	strcpy(part, path);
	for (char *at = part + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return mkdir(part, mode) && errno != EEXIST ? -errno : 0;
}
