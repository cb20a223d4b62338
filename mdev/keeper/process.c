/* SPDX-License-Identifier: MIT */
#include "mdev/keeper/process.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
			_exit(126);
	}
	int null = open("/dev/null", O_RDONLY);
	if (null < 0 || dup2(null, 0) < 0)
		_exit(126);
	for (unsigned i = 0; i < spec->fd_count; i++)
		if (dup2(high[i], 3 + (int)i) < 0)
			_exit(126);
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

unsigned long long process_start_time(pid_t pid)
{
	char path[64], text[1024];
	unsigned long long start = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0)
		return 0;
	text[got] = '\0';
	/* proc(5): field 2 is the name in parentheses and may hold anything; field 3 is the state, 22 the start time. */
	char *field = strrchr(text, ')');
	if (!field || field[1] != ' ' || field[2] == 'Z')
		return 0;
	field++;
	for (int number = 3; field && number < 22; number++)
		field = strchr(field + 1, ' ');
	if (field)
		start = strtoull(field + 1, NULL, 10);
	return start;
}

int process_note(const char *dir, const char *name, pid_t pid)
{
	char path[4096], text[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int bytes = snprintf(text, sizeof(text), "%d %llu\n", (int)pid, process_start_time(pid));
	int result = write(fd, text, (size_t)bytes) == bytes ? 0 : -EIO;
	close(fd);
	return result;
}

pid_t process_noted(const char *dir, const char *name)
{
	char path[4096];
	unsigned long long start = 0;
	int pid = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	int fields = fscanf(file, "%d %llu", &pid, &start);
	fclose(file);
	if (fields != 2 || pid <= 0 || start == 0 || process_start_time(pid) != start)
		return 0;
	return pid;
}

void process_forget(const char *dir, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
}
