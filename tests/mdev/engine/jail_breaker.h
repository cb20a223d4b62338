/* SPDX-License-Identifier: MIT */
/* What a test and the program jail_breaker say to each other, in a page that both map. */
#ifndef VGPU_TESTS_MDEV_ENGINE_JAIL_BREAKER_H
#define VGPU_TESTS_MDEV_ENGINE_JAIL_BREAKER_H

#include <stdatomic.h>
#include <stdint.h>

#define BREAKER_FD_PAGE 4	/* besides ENGINE_FD_CHANNEL and ENGINE_FD_APERTURE */
#define BREAKER_ALL_FAILED 1000	/* result of a command that tries several calls; else the number of the first that worked */

enum breaker_command {
	BREAKER_START = 1,		/* done by itself; result 1 with a listener, 0 without */
	BREAKER_MAP,			/* result 0 or -errno; the mapping's first word becomes value, which is then read back */
	BREAKER_MAP_HIGH,		/* the same with bits above the 32 of a descriptor */
	BREAKER_MAP_IN_CHILD,		/* after fork */
	BREAKER_GROW,			/* mremap of the last mapping to bytes */
	BREAKER_USE,			/* every other call that takes a descriptor */
	BREAKER_COPY,			/* every way to a second descriptor that maps, then maps that */
	BREAKER_REOPEN,			/* /proc/self/fd */
	BREAKER_REPLACE,		/* a filter or listener of one's own */
	BREAKER_SEND,			/* the descriptor, to the device; result of sendmsg */
};

struct breaker_page {
	_Atomic uint32_t command;	/* written by the test, last */
	_Atomic uint32_t done;		/* = command, with the result there; the test then writes 0 to both */
	int32_t result;
	uint32_t protection;
	uint32_t flags;
	uint32_t value;
	uint64_t offset;
	uint64_t bytes;
};
#endif
