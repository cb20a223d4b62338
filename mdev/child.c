/* SPDX-License-Identifier: MIT */
#include "mdev/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int on_sigchld(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	(void)source;
	(void)info;
	(void)data;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return 0;
}

int child_reap_all(sd_event *loop)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	int r = sd_event_add_signal(loop, NULL, SIGCHLD, on_sigchld, NULL);
	return r < 0 ? r : 0;
}

int child_open(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

bool child_has_ended(int pidfd)
{
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

void child_kill(int pidfd, int signal)
{
	syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

/* In the child: nothing that allocates. error_fd is CLOEXEC and gets errno if the program cannot be executed. */
static _Noreturn void become(const char *path, char *const *argv, char *const *environment, int stdout_fd, int error_fd)
{
	sigset_t none;
	int null = open("/dev/null", O_RDWR);

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(stdout_fd < 0 ? 2 : stdout_fd, 1) < 0)
		goto fail;
	/* Parked at 3, so that all above can be closed at once. */
	if (error_fd != 3 && dup3(error_fd, 3, O_CLOEXEC) < 0)
		goto fail;
	error_fd = 3;
	if (syscall(SYS_close_range, 4u, ~0u, 0u))
		goto fail;
	execve(path, argv, environment);
fail:;
	int error = errno;
	ssize_t written = write(error_fd, &error, sizeof(error));
	(void)written;
	_exit(127);
}

int child_start(const char *path, char *const *argv, char *const *environment, int stdout_fd, pid_t *ret_pid, int *ret_pidfd)
{
	int error_pipe[2], error = 0;

	if (pipe2(error_pipe, O_CLOEXEC))
		return -errno;
	pid_t pid = fork();
	if (pid < 0) {
		error = errno;
		close(error_pipe[0]);
		close(error_pipe[1]);
		return -error;
	}
	if (!pid)
		become(path, argv, environment ? environment : environ, stdout_fd, error_pipe[1]);
	close(error_pipe[1]);
	/* Ends at exec, or with the errno of what failed before it. */
	ssize_t got = read(error_pipe[0], &error, sizeof(error));
	close(error_pipe[0]);
	if (got == sizeof(error)) {
		waitpid(pid, NULL, 0);
		return -error;
	}
	int pidfd = child_open(pid);	/* not reaped before we return to the loop: it is this very process */
	if (pidfd < 0)
		return pidfd;
	*ret_pid = pid;
	*ret_pidfd = pidfd;
	return 0;
}
