/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mdev/engine/compute/jail_stages.h"
#include "mdev/engine/compute/landlock_abi.h"

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE                                                                                                          \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |               \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM |                      \
	 LANDLOCK_ACCESS_FS_REFER | LANDLOCK_ACCESS_FS_TRUNCATE)
#define NEVER                                                                                                          \
	(LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SOCK |                  \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO)
/* What may be said of a path that is no folder. */
#define OF_FILES                                                                                                       \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |                    \
	 LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)

struct rules {
	int fd;
	uint64_t handled;
	int error;
};

/* Allows under path; a path that is not there is nothing. The first error sticks. */
static void allow(struct rules *rules, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};
	struct stat there;

	if (rule.parent_fd < 0)
		return;
	if (!fstat(rule.parent_fd, &there)) {
		rule.allowed_access = access & rules->handled & (S_ISDIR(there.st_mode) ? ~0ull : OF_FILES);
		if (rule.allowed_access && syscall(SYS_landlock_add_rule, rules->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) &&
		    !rules->error)
			rules->error = -errno;
	}
	close(rule.parent_fd);
}

/* The program loader that the linker's first bytes name: executing one opens the other. */
static void allow_linker(struct rules *rules)
{
	static const char *const programs[] = {"/usr/bin/ld", "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"};

	for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		allow(rules, programs[i], LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE);
}

static void allow_all(struct rules *rules, const struct jail_settings *settings)
{
	char path[4096];

	for (unsigned i = 0; i < jail_place_count; i++)
		allow(rules, jail_places[i].path,
		      READ | (jail_places[i].device ? LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_IOCTL_DEV : 0));
	/* Of /proc what describes the machine and this process; not the other ones. */
	snprintf(path, sizeof(path), "/proc/%d", (int)getpid());
	allow(rules, path, READ);
	allow(rules, "/proc/cpuinfo", READ);
	allow(rules, "/proc/meminfo", READ);
	snprintf(path, sizeof(path), "%s", settings->icd);
	*strrchr(path, '/') = 0;
	allow(rules, path, READ);
	if (jail_icd_library_folder(settings->icd, path))
		allow(rules, path, READ);
	allow(rules, settings->scratch, READ | WRITE);
	allow_linker(rules);
}

int jail_landlock_enter(const struct jail_settings *settings, int *ret_abi)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 0)
		return -errno;
	struct landlock_ruleset_v6 set = {.handled_access_fs = READ | WRITE | NEVER | LANDLOCK_ACCESS_FS_EXECUTE};
	size_t bytes = sizeof(uint64_t);
	if (abi < 2)
		set.handled_access_fs &= ~LANDLOCK_ACCESS_FS_REFER;
	if (abi < 3)
		set.handled_access_fs &= ~LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 4) {
		set.handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP;
		bytes = 2 * sizeof(uint64_t);
	}
	if (abi >= 5)
		set.handled_access_fs |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
	if (abi >= 6) {
		set.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL;
		bytes = sizeof(set);
	}
	struct rules rules = {.handled = set.handled_access_fs};
	rules.fd = (int)syscall(SYS_landlock_create_ruleset, &set, bytes, 0);
	if (rules.fd < 0)
		return -errno;
	allow_all(&rules, settings);
	if (!rules.error && syscall(SYS_landlock_restrict_self, rules.fd, 0))
		rules.error = -errno;
	close(rules.fd);
	*ret_abi = (int)abi;
	return rules.error;
}
