/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/bell.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* futex_waitv(2), Linux 5.16: struct and number are the same on all architectures; older headers lack them. */
#define CALL_FUTEX_WAITV 449
#define WAIT_32 0x02u
#define WAIT_PRIVATE 0x80u
struct wait_entry {
	uint64_t value;
	uint64_t address;
	uint32_t flags;
	uint32_t reserved;
};

bool bell_can_futex(void)
{
	/* No entries are no call: EINVAL from a kernel that knows it, ENOSYS or EPERM from one, or a container, that does not. */
	return syscall(CALL_FUTEX_WAITV, NULL, 0u, 0u, NULL, 0) < 0 && errno == EINVAL;
}

void bell_init(struct bell *bell, int fd, uint32_t *shared)
{
	bell->fd = fd;
	bell->shared = shared;
	atomic_init(&bell->own, 0);
}

struct bell_look bell_look(const struct bell *bell)
{
	struct bell_look look = {.own = atomic_load(&bell->own)};

	if (bell->shared)
		look.shared = __atomic_load_n(bell->shared, __ATOMIC_SEQ_CST);
	return look;
}

/* Rounded up: who wakes too early would only sleep again. */
static int left_ms(uint64_t until_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	uint64_t left = until_ns > now_ns ? (until_ns - now_ns + 999999u) / 1000000u : 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

bool bell_sleep(struct bell *bell, const struct bell_look *look, uint64_t until_ns)
{
	const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u), .tv_nsec = (long)(until_ns % 1000000000u)};
	struct pollfd ready = {.fd = bell->fd, .events = POLLIN};
	uint64_t count;

	if (bell->shared) {
		const struct wait_entry words[2] = {
			{.value = look->shared, .address = (uintptr_t)bell->shared, .flags = WAIT_32},
			{.value = look->own, .address = (uintptr_t)&bell->own, .flags = WAIT_32 | WAIT_PRIVATE},
		};
		return syscall(CALL_FUTEX_WAITV, words, 2u, 0u, until_ns ? &until : NULL, CLOCK_MONOTONIC) >= 0 || errno != ETIMEDOUT;
	}
	int r = poll(&ready, 1, until_ns ? left_ms(until_ns) : -1);
	if (r > 0) {
		ssize_t got = read(bell->fd, &count, sizeof(count));
		(void)got;	/* non-blocking or not, it was readable */
	}
	return r != 0;
}

void bell_ring(struct bell *bell)
{
	uint64_t one = 1;

	if (bell->shared) {
		atomic_fetch_add(&bell->own, 1);
		syscall(SYS_futex, &bell->own, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	} else {
		ssize_t written = write(bell->fd, &one, sizeof(one));
		(void)written;	/* full: it rings already */
	}
}
