/* SPDX-License-Identifier: MIT */
/* Runs vgpu-admin and reads QEMU's arguments from it. Trusts it no further than their form. */
#include "vgpu-qemu/launcher/vgpu_query.h"

#include "vgpu-qemu/launcher/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX_BYTES 16384

int vgpu_query_parse(char *text, struct args *args)
{
	size_t count = 0;
	char *save, *line;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		/* An option, then its value. */
		if (count++ % 2 == 0 ? line[0] != '-' : line[0] == '-')
			return -EPROTO;
		args_add(args, line);
	}
	if (count == 0 || count % 2 != 0)
		return -EPROTO;
	return args->failed ? -ENOMEM : 0;
}

static void __attribute__((noreturn)) become_admin(const char *admin, const char *socket, const char *vgpu, pid_t parent,
						   int answer_fd)
{
	const char *arguments[8];
	size_t n = 0;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(125);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(answer_fd, 1);
	arguments[n++] = admin;
	if (socket) {
		arguments[n++] = "--socket";
		arguments[n++] = socket;
	}
	arguments[n++] = "vgpu";
	arguments[n++] = "show";
	arguments[n++] = vgpu;
	arguments[n++] = "--qemu-args";
	arguments[n] = NULL;
	execvp(admin, (char **)arguments);
	dprintf(2, "cannot start %s: %s\n", admin, strerror(errno));
	_exit(125);
}

/* Reads to the end of @fd. Returns the length, or -errno. */
static int read_answer(int fd, char *text, size_t size, int timeout_ms)
{
	uint64_t deadline = clock_ms() + (uint64_t)timeout_ms;
	size_t used = 0;

	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		uint64_t now = clock_ms();
		ssize_t n;

		if (now >= deadline || poll(&poll_fd, 1, (int)(deadline - now)) == 0)
			return -ETIMEDOUT;
		n = read(fd, text + used, size - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
		if (used == size - 1)
			return -EFBIG;
	}
	text[used] = '\0';
	return (int)used;
}

int vgpu_query(const char *admin, const char *socket, const char *vgpu, int timeout_ms, struct args *args, char *error,
	       size_t error_size)
{
	char text[ANSWER_MAX_BYTES];
	pid_t parent = getpid(), pid;
	int pipe_fds[2], status = 0, r;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		become_admin(admin, socket, vgpu, parent, pipe_fds[1]);
	close(pipe_fds[1]);
	if (pid < 0) {
		r = -errno;
		close(pipe_fds[0]);
		snprintf(error, error_size, "cannot start %s: %s", admin, strerror(-r));
		return r;
	}
	r = read_answer(pipe_fds[0], text, sizeof(text), timeout_ms);
	close(pipe_fds[0]);
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0) {
		snprintf(error, error_size, "%s did not answer for vGPU '%s': %s", admin, vgpu, strerror(-r));
		return r;
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		snprintf(error, error_size, "%s knows no way to plug vGPU '%s' in (its message is above)", admin, vgpu);
		return -EREMOTEIO;
	}
	r = vgpu_query_parse(text, args);
	if (r < 0)
		snprintf(error, error_size, "%s gave no QEMU arguments for vGPU '%s'; is it of another version?", admin, vgpu);
	return r;
}
