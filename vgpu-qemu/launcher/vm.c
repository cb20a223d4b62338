/* SPDX-License-Identifier: MIT */
/*
 * Starts and ends one QEMU.
 *
 * Theory of operation: QEMU finds its console, the guest's channel and the initramfs on descriptors with
 * fixed numbers (qemu_args.h), so there are no paths to race for or to leave behind. It gets SIGKILL from the
 * kernel when vgpu-run ends for any reason (PR_SET_PDEATHSIG; the wrapper script that qemu.sh writes execs,
 * so it stays the same process). It leads a process group of its own: Ctrl-C reaches vgpu-run alone, which
 * then ends the VM in its own order.
 */
#include "vgpu-qemu/launcher/vm.h"

#include "vgpu-qemu/launcher/qemu_args.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long QEMU may take to end after it was asked. */
#define ASK_MS 2000

uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void tail_append(struct tail *tail, const void *bytes, size_t count)
{
	const size_t size = sizeof(tail->bytes);
	const char *from = bytes;

	if (count > size) {
		from += count - size;
		count = size;
	}
	if (tail->count + count > size) {
		size_t drop = tail->count + count - size;

		memmove(tail->bytes, tail->bytes + drop, tail->count - drop);
		tail->count -= drop;
	}
	memcpy(tail->bytes + tail->count, from, count);
	tail->count += count;
}

bool tail_has(const struct tail *tail, const char *text)
{
	return memmem(tail->bytes, tail->count, text, strlen(text)) != NULL;
}

/* Moves @fd away from the numbers that QEMU's descriptors will get. */
static int lift(int fd)
{
	return fd < 0 ? fd : fcntl(fd, F_DUPFD, QEMU_FD_INITRD + 1);
}

static void __attribute__((noreturn)) become_qemu(const struct args *args, pid_t parent, int console_fd, int channel_fd,
						  int errors_fd, int initrd_fd)
{
	int null_fd = open("/dev/null", O_RDONLY);
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(125); /* it ended before the line above */
	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);

	null_fd = lift(null_fd);
	console_fd = lift(console_fd);
	channel_fd = lift(channel_fd);
	errors_fd = lift(errors_fd);
	initrd_fd = lift(initrd_fd);
	dup2(null_fd, 0);
	dup2(errors_fd, 1);
	dup2(errors_fd, 2);
	dup2(console_fd, QEMU_FD_CONSOLE);
	if (channel_fd >= 0)
		dup2(channel_fd, QEMU_FD_CHANNEL);
	if (initrd_fd >= 0)
		dup2(initrd_fd, QEMU_FD_INITRD);
	/* The copies, and whatever else vgpu-run had open. */
	syscall(SYS_close_range, QEMU_FD_INITRD + 1, ~0U, 0);
	execvp(args->items[0], args->items);
	dprintf(2, "cannot start %s: %s\n", args->items[0], strerror(errno));
	_exit(125);
}

static void close_if_open(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int vm_start(struct vm *vm, const struct args *args, bool channel, int initrd_fd)
{
	int console[2] = { -1, -1 }, frames[2] = { -1, -1 }, errors[2] = { -1, -1 };
	pid_t parent = getpid(), pid;
	int pid_fd, r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, console) < 0 ||
	    (channel && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, frames) < 0) || pipe2(errors, O_CLOEXEC) < 0) {
		r = -errno;
		goto err_close;
	}
	fcntl(console[0], F_SETFL, O_NONBLOCK);
	fcntl(errors[0], F_SETFL, O_NONBLOCK);
	if (channel)
		fcntl(frames[0], F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid < 0) {
		r = -errno;
		goto err_close;
	}
	if (pid == 0)
		become_qemu(args, parent, console[1], frames[1], errors[1], initrd_fd);
	pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pid_fd < 0) {
		r = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		goto err_close;
	}
	fcntl(pid_fd, F_SETFD, FD_CLOEXEC);
	close(console[1]);
	close_if_open(&frames[1]);
	close(errors[1]);
	vm->pid = pid;
	vm->pid_fd = pid_fd;
	vm->console_fd = console[0];
	vm->channel_fd = frames[0];
	vm->errors_fd = errors[0];
	vm->console.count = 0;
	vm->errors.count = 0;
	return 0;
err_close:
	for (int i = 0; i < 2; i++) {
		close_if_open(&console[i]);
		close_if_open(&frames[i]);
		close_if_open(&errors[i]);
	}
	return r;
}

static bool ended_within(const struct vm *vm, int wait_ms)
{
	struct pollfd poll_fd = { .fd = vm->pid_fd, .events = POLLIN };
	uint64_t deadline = clock_ms() + (uint64_t)wait_ms;
	int n, left_ms = wait_ms;

	while ((n = poll(&poll_fd, 1, left_ms)) < 0 && errno == EINTR) {
		uint64_t now = clock_ms();

		left_ms = now < deadline ? (int)(deadline - now) : 0;
	}
	return n > 0;
}

int vm_stop(struct vm *vm, int grace_ms)
{
	int status = 0;

	if (!ended_within(vm, grace_ms)) {
		kill(vm->pid, SIGTERM);
		if (!ended_within(vm, ASK_MS))
			kill(vm->pid, SIGKILL);
	}
	while (waitpid(vm->pid, &status, 0) < 0 && errno == EINTR)
		;
	close_if_open(&vm->pid_fd);
	close_if_open(&vm->console_fd);
	close_if_open(&vm->channel_fd);
	close_if_open(&vm->errors_fd);
	return status;
}

size_t vm_read(int *fd, void *bytes, size_t size)
{
	ssize_t n;

	if (*fd < 0)
		return 0;
	n = read(*fd, bytes, size);
	if (n > 0)
		return (size_t)n;
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_if_open(fd);
	return 0;
}
