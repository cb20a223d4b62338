/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/jail.h"
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

void jail_leave_nothing(const char *scratch)
{
	nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

int jail_enter(const struct jail_settings *settings)
{
	jail_leave_nothing(settings->scratch);
	return mkdir(settings->scratch, 0700) ? -errno : 0;
}
