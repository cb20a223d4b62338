/* SPDX-License-Identifier: MIT */
/* What a build may do that its compiler was taken over by its source: nothing to other builds, nothing that outlives it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/engine/compute/jail.h"

#define NO_JAIL 77
#define NAME_BYTES 200

/* 0, or the error that this host answers. */
static int try_open(const char *folder, const char *name, int flags)
{
	char path[NAME_BYTES + 64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? errno : 0;
}

#define EXPECT(what, expected)                                                                                                     \
	do {                                                                                                                        \
		errno = 0;                                                                                                          \
		int answer = (what);                                                                                                \
		if (answer != (expected)) {                                                                                         \
			fprintf(stderr, "%s: %d, not %d\n", #what, answer, expected);                                               \
			_exit(1);                                                                                                   \
		}                                                                                                                   \
	} while (0)

static int error_of(long result)
{
	return result < 0 ? errno : 0;
}

static void __attribute__((noreturn)) be_build(const struct jail_settings *outer, const char *own, const char *other)
{
	struct jail_settings settings = *outer;
	char parent[32];

	settings.scratch = own;
	setpgid(0, 0);
	if (jail_enter_build(&settings))
		_exit(NO_JAIL);
	snprintf(parent, sizeof(parent), "/proc/%d", (int)getppid());
	EXPECT(try_open(own, "new", O_RDWR | O_CREAT), 0);
	EXPECT(try_open(other, "kept", O_RDONLY), EACCES);
	EXPECT(try_open(other, "kept", O_WRONLY), EACCES);
	EXPECT(try_open(other, "new", O_RDWR | O_CREAT), EACCES);
	EXPECT(try_open(outer->scratch, "new", O_RDWR | O_CREAT), EACCES);
	EXPECT(try_open(parent, "mem", O_RDWR), EACCES);
	EXPECT(error_of(setsid()), EPERM);
	EXPECT(error_of(setpgid(0, 0)), EPERM);
	EXPECT(error_of(kill(getppid(), SIGKILL)), EPERM);
	EXPECT(error_of(kill(getppid(), 0)), EPERM);
	EXPECT(error_of(socket(AF_UNIX, SOCK_STREAM, 0)), EPERM);
	EXPECT(error_of(execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL)), EACCES);
	/* Nor does what it starts get more. */
	pid_t child = fork();
	if (!child) {
		EXPECT(try_open(other, "kept", O_WRONLY), EACCES);
		EXPECT(error_of(setsid()), EPERM);
		_exit(0);
	}
	int status = 1;
	waitpid(child, &status, 0);
	_exit(status ? 1 : 0);
}

static int in_the_jail(const char *folder)
{
	char scratch[NAME_BYTES], own[NAME_BYTES + 8], other[NAME_BYTES + 8];
	int status = 0;

	snprintf(scratch, sizeof(scratch), "%s/scratch", folder);
	snprintf(own, sizeof(own), "%s/1", scratch);
	snprintf(other, sizeof(other), "%s/2", scratch);
	const struct jail_settings settings = {
		.icd = "/etc/OpenCL/vendors/pocl.icd", .scratch = scratch, .seccomp_later = true, .guarded_fd = -1};
	if (jail_enter(&settings, NULL) || mkdir(own, 0700) || mkdir(other, 0700) || try_open(other, "kept", O_RDWR | O_CREAT))
		return 2;
	pid_t build = fork();
	if (!build)
		be_build(&settings, own, other);
	waitpid(build, &status, 0);
	/* The helper itself keeps what it needs: it reads what a build made, and ends what that left. */
	if (WIFEXITED(status) && !WEXITSTATUS(status) && try_open(own, "new", O_RDONLY))
		return 3;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

static void a_build_reaches_no_other_and_leaves_nothing_running(void **state)
{
	char folder[] = "/tmp/vgpu-build-jail-XXXXXX", command[64];
	int status = 0;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0711), 0);
	pid_t helper = fork();
	assert_true(helper >= 0);
	if (!helper)
		_exit(in_the_jail(folder));
	assert_int_equal(waitpid(helper, &status, 0), helper);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_JAIL) {
		puts("cannot test here: the jail of builds because this host has no Landlock or no seccomp; then there are no helpers either");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_build_reaches_no_other_and_leaves_nothing_running),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
