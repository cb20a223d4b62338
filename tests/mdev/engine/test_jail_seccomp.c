/* SPDX-License-Identifier: MIT */
/*
 * The jail's filter, from inside: what an engine may not do to the eventfds that it shares with processes that must not wait
 * for it, and that everything else about them still works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/engine/compute/jail_stages.h"
#include "mdev/engine/engine_protocol.h"

static const int events[] = {ENGINE_FD_DOORBELL, ENGINE_FD_COMPLETION, ENGINE_FD_WANT};

/* The number of the first thing that is not as it must be, 0 if all is. */
static int try_everything(int fd)
{
	uint64_t one = 1;
	int off = 0;

#define REFUSED(n, call) do { \
	errno = 0; \
	if ((call) != -1 || errno != EPERM) \
		return n; \
} while (0)
	REFUSED(1, fcntl(fd, F_SETFL, 0));
	REFUSED(2, fcntl(fd, F_SETFL, O_NONBLOCK));
	REFUSED(3, ioctl(fd, FIONBIO, &off));
	REFUSED(4, dup(fd));
	REFUSED(5, dup2(fd, 50));
	REFUSED(6, dup3(fd, 50, O_CLOEXEC));
	REFUSED(7, fcntl(fd, F_DUPFD, 50));
	REFUSED(8, fcntl(fd, F_DUPFD_CLOEXEC, 50));
#undef REFUSED
	if (!(fcntl(fd, F_GETFL) & O_NONBLOCK))
		return 9;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC))
		return 10;
	if (write(fd, &one, sizeof(one)) != sizeof(one) || read(fd, &one, sizeof(one)) != sizeof(one))
		return 11;
	return 0;
}

static int in_the_jail(void)
{
	char path[64];
	int failed, listener;

	for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		int fd = eventfd(0, EFD_NONBLOCK);
		if (fd != events[i] && (dup2(fd, events[i]) < 0 || close(fd)))
			return 100;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 101;
	if (jail_seccomp_enter(-1, &listener))
		return 102;
	for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		failed = try_everything(events[i]);
		if (failed)
			return 10 * (int)i + failed;
		/* Nor a new open file of the same eventfd, with flags of its own. */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", events[i]);
		if (open(path, O_RDWR) >= 0)
			return 103;
	}
	/* Others are an engine's own affair. */
	int pair[2];
	if (pipe(pair) || fcntl(pair[0], F_SETFL, O_NONBLOCK) || fcntl(pair[0], F_SETFL, 0) || dup(pair[0]) < 0)
		return 104;
	return 0;
}

static void shared_eventfds_keep_their_flags(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid)
		_exit(in_the_jail());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_eventfds_keep_their_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
