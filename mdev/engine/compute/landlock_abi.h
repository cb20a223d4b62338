/* SPDX-License-Identifier: MIT */
/*
 * Landlock's system calls and constants as of version 6, for C libraries and kernel headers that do not have them
 * all: Debian 12's linux-libc-dev (6.1) knows version 2. Values: Linux, include/uapi/linux/landlock.h.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_LANDLOCK_ABI_H
#define VGPU_MDEV_ENGINE_COMPUTE_LANDLOCK_ABI_H

#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)		/* version 2 */
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)	/* version 3 */
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0)	/* version 4 */
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)	/* version 5 */
#endif
#ifndef LANDLOCK_SCOPE_SIGNAL
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)	/* version 6 */
#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#endif

/* struct landlock_ruleset_attr of version 6; a kernel takes a shorter one by its size. */
struct landlock_ruleset_v6 {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};
#endif
