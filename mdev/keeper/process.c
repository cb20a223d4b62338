/* SPDX-License-Identifier: MIT */
#include "mdev/keeper/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define CHILD_DESCRIPTORS 1024u	/* soft limit */

/* Between fork and exec: only async-signal-safe calls. */
static void __attribute__((noreturn)) become(const struct process_spec *spec)
{
	int high[PROCESS_FDS_MAX];
	const int base = 64;	/* above every target, so that no dup2 overwrites a source */
	struct rlimit files;
	sigset_t none;

	for (unsigned i = 0; i < spec->fd_count; i++) {
		high[i] = fcntl(spec->fds[i], F_DUPFD, base);
		if (high[i] < 0)
			_exit(PROCESS_EXIT_NO_ROOM);
	}
	int null = open("/dev/null", O_RDONLY);
	if (null < 0 || dup2(null, 0) < 0)
		_exit(PROCESS_EXIT_NO_ROOM);
	for (unsigned i = 0; i < spec->fd_count; i++)
		if (dup2(high[i], 3 + (int)i) < 0)
			_exit(PROCESS_EXIT_NO_ROOM);
	if (syscall(SYS_close_range, 3 + spec->fd_count, ~0u, 0))
		for (int fd = 3 + (int)spec->fd_count; fd < 4096; fd++)
			close(fd);
	/* Not the keeper's own: select(2) in some library of an engine ends at 1024, and closing loops take their time. */
	if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur > CHILD_DESCRIPTORS) {
		files.rlim_cur = CHILD_DESCRIPTORS;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execve(spec->path, spec->argv, spec->environment);
	_exit(127);
}

static pid_t start_with(uint64_t namespace_flags, int *ret_pidfd)
{
	struct clone_args arguments = {
		.flags = CLONE_PIDFD | namespace_flags,
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
	};
	return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

void process_environment_make(struct process_environment *environment)
{
	static const char *const passed[PROCESS_SETTINGS] = {"VGPU_LOG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"};
	unsigned count = 0;

	*environment = (struct process_environment){0};
	environment->entries[count++] = (char *)"PATH=/usr/bin:/bin";
	for (unsigned i = 0; i < PROCESS_SETTINGS; i++) {
		const char *value = getenv(passed[i]);
		if (!value)
			continue;
		snprintf(environment->setting[i], sizeof(environment->setting[i]), "%s=%s", passed[i], value);
		environment->entries[count++] = environment->setting[i];
	}
}

int process_start(const struct process_spec *spec, pid_t *ret_pid, int *ret_pidfd, bool *ret_namespaced)
{
	int pidfd = -1;
	pid_t pid = -1;

	if (spec->fd_count > PROCESS_FDS_MAX)
		return -EINVAL;
	*ret_namespaced = false;
	if (spec->own_pid_namespace) {
		/* A user who is not root gets a PID namespace only inside a user namespace of its own. */
		pid = start_with(CLONE_NEWPID | (geteuid() ? CLONE_NEWUSER : 0), &pidfd);
		*ret_namespaced = pid >= 0;
	}
	if (pid < 0)
		pid = start_with(0, &pidfd);
	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(spec);
	fcntl(pidfd, F_SETFD, FD_CLOEXEC);
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}

int process_reap(int pidfd)
{
	siginfo_t info = {0};

	if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG))
		return -errno;
	if (info.si_code == CLD_EXITED)
		return (info.si_status & 0xff) << 8;
	return info.si_status & 0x7f;
}

void process_kill(int pidfd)
{
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}
