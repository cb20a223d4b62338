/* SPDX-License-Identifier: MIT */
/*
 * The loop of vgpu-run.
 *
 * Watches QEMU's process, the guest's console, the guest's frames, QEMU's messages, our signals and two
 * clocks. The guest is not trusted: its frames come parsed (frame.c), its output is passed on as it is, its
 * console goes to the log and, cleaned, into the message about a VM that failed. Output is held back, never
 * dropped: while whoever reads our stdout is slow, the guest's port is not read, and signals and timeouts
 * still count.
 */
#include "vgpu-qemu/launcher/session.h"

#include "vgpu-qemu/launcher/frame.h"
#include "vgpu-qemu/launcher/vm.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES 65536
/* How long a guest may take to switch off after its command ended. */
#define POWER_OFF_MS 5000

struct session {
	const struct session_config *config;
	struct session_result *result;
	struct vm vm;
	struct frame_reader reader;
	uint64_t start_ms;
	bool ended;
	/* Output not yet written: one read can finish a frame of an earlier one and bring more. */
	size_t output_at, output_count;
	uint8_t output[READ_BYTES + FRAME_PAYLOAD_MAX_BYTES];
};

static void __attribute__((format(printf, 4, 5))) session_finish(struct session *session, enum session_end end, int status,
								  const char *format, ...)
{
	struct session_result *result = session->result;
	va_list args;

	if (session->ended)
		return;
	session->ended = true;
	result->end = end;
	result->status = status;
	va_start(args, format);
	vsnprintf(result->reason, sizeof(result->reason), format, args);
	va_end(args);
}

/* The last line with something in it, without what could upset a terminal. */
static void last_line(const struct tail *tail, char *line, size_t size)
{
	size_t end = tail->count, start, n = 0;

	while (end > 0 && (tail->bytes[end - 1] == '\n' || tail->bytes[end - 1] == '\r' || tail->bytes[end - 1] == ' '))
		end--;
	for (start = end; start > 0 && tail->bytes[start - 1] != '\n'; start--)
		;
	for (; start < end && n + 1 < size; start++)
		line[n++] = tail->bytes[start] >= ' ' && tail->bytes[start] <= '~' ? tail->bytes[start] : '?';
	line[n] = '\0';
}

static void vm_ended(struct session *session, const char *what)
{
	bool booted = session->result->boot_ms > 0;
	char console[160], errors[160];

	last_line(&session->vm.console, console, sizeof(console));
	last_line(&session->vm.errors, errors, sizeof(errors));
	session_finish(session, booted ? SESSION_DIED : SESSION_NOT_BOOTED, 0, "%s%s%s%s%s", what,
		       errors[0] ? "; QEMU said: " : "", errors, console[0] ? "; the guest's last line: " : "", console);
}

static int on_frame(void *arg, const struct frame *frame)
{
	struct session *session = arg;
	char text[256];
	size_t n;

	switch (frame->type) {
	case FRAME_READY:
		session->result->boot_ms = clock_ms() - session->start_ms;
		return 0;
	case FRAME_OUTPUT:
		memcpy(session->output + session->output_count, frame->payload, frame->payload_bytes);
		session->output_count += frame->payload_bytes;
		return 0;
	case FRAME_EXIT:
		session_finish(session, SESSION_EXITED, frame->payload[0], "the command ended");
		return 1;
	case FRAME_FAILED:
		n = frame->payload_bytes < sizeof(text) - 1 ? frame->payload_bytes : sizeof(text) - 1;
		for (size_t i = 0; i < n; i++)
			text[i] = frame->payload[i] >= ' ' && frame->payload[i] <= '~' ? (char)frame->payload[i] : '?';
		text[n] = '\0';
		session_finish(session, SESSION_NOT_BOOTED, 0, "the guest cannot run the command: %s", text);
		return 1;
	}
	return -EPROTO;
}

static void read_channel(struct session *session)
{
	static uint8_t bytes[READ_BYTES];
	size_t n = vm_read(&session->vm.channel_fd, bytes, sizeof(bytes));

	if (n > 0 && frame_feed(&session->reader, bytes, n, on_frame, session) == -EPROTO)
		session_finish(session, SESSION_DIED, 0, "the guest sent what is no frame of vgpu-run's");
}

/* Passes on what there is from one of the streams for the log. */
static void read_to_log(struct session *session, int *fd, struct tail *tail)
{
	char bytes[4096];
	size_t n = vm_read(fd, bytes, sizeof(bytes));

	tail_append(tail, bytes, n);
	for (size_t at = 0; session->config->log_fd >= 0 && at < n;) {
		ssize_t written = write(session->config->log_fd, bytes + at, n - at);

		if (written < 0 && errno != EINTR)
			break; /* a full disk must not end the VM */
		at += written > 0 ? (size_t)written : 0;
	}
}

/* Writes some output; @most bounds what one call may block for. */
static void write_output(struct session *session, size_t most)
{
	size_t count = session->output_count - session->output_at;
	ssize_t n = write(session->config->output_fd, session->output + session->output_at, count < most ? count : most);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		session_finish(session, SESSION_OUTPUT_GONE, 0, "cannot write the command's output: %s", strerror(errno));
		session->output_at = session->output_count = 0;
		return;
	}
	session->output_at += (size_t)n;
	if (session->output_at == session->output_count)
		session->output_at = session->output_count = 0;
}

static void read_signal(struct session *session)
{
	struct signalfd_siginfo info;

	if (read(session->config->signals_fd, &info, sizeof(info)) == sizeof(info))
		session_finish(session, SESSION_SIGNALLED, (int)info.ssi_signo, "ended by %s", strsignal((int)info.ssi_signo));
}

/* Milliseconds until the next clock runs out, at most a minute; 0 when one did, which ends the session. */
static int next_wait_ms(struct session *session)
{
	uint64_t passed = clock_ms() - session->start_ms;
	uint64_t timeout = (uint64_t)session->config->timeout_s * 1000;
	uint64_t boot_timeout = (uint64_t)session->config->boot_timeout_s * 1000;
	uint64_t wait = 60000;

	if (timeout > 0) {
		if (passed >= timeout) {
			session->ended = false; /* as a signal does, below */
			session_finish(session, SESSION_TIMED_OUT, 0, "stopped after %u s", session->config->timeout_s);
			return 0;
		}
		wait = timeout - passed < wait ? timeout - passed : wait;
	}
	if (session->result->boot_ms == 0) {
		if (passed >= boot_timeout) {
			char text[64];

			snprintf(text, sizeof(text), "the command did not start within %u s", session->config->boot_timeout_s);
			vm_ended(session, text);
			return 0;
		}
		wait = boot_timeout - passed < wait ? boot_timeout - passed : wait;
	}
	return (int)wait;
}

static void watch(struct session *session)
{
	struct vm *vm = &session->vm;

	while (!session->ended || session->output_count > 0) {
		bool held_back = session->output_count > 0;
		struct pollfd fds[] = {
			{ .fd = vm->console_fd, .events = POLLIN },
			{ .fd = vm->errors_fd, .events = POLLIN },
			{ .fd = held_back || session->ended ? -1 : vm->channel_fd, .events = POLLIN },
			{ .fd = session->config->signals_fd, .events = POLLIN },
			{ .fd = held_back ? session->config->output_fd : -1, .events = POLLOUT },
			{ .fd = held_back || session->ended ? -1 : vm->pid_fd, .events = POLLIN },
		};
		int wait_ms = next_wait_ms(session);

		/* Whatever came to its end, held output is not waited for beyond the clocks and signals. */
		if (wait_ms == 0 || (session->ended && session->result->end != SESSION_EXITED))
			return;
		if (poll(fds, 6, wait_ms) < 0) {
			if (errno == EINTR)
				continue;
			session_finish(session, SESSION_DIED, 0, "poll: %s", strerror(errno));
			return;
		}
		if (fds[3].revents) {
			session->ended = false; /* a signal outranks a command whose output nobody takes */
			read_signal(session);
			return;
		}
		if (fds[0].revents)
			read_to_log(session, &vm->console_fd, &vm->console);
		if (fds[1].revents)
			read_to_log(session, &vm->errors_fd, &vm->errors);
		if (fds[4].revents)
			write_output(session, PIPE_BUF);
		if (fds[2].revents)
			read_channel(session);
		/* QEMU is gone: what it left in the streams comes first. */
		else if (fds[5].revents && !fds[0].revents && !fds[1].revents)
			vm_ended(session, "the VM ended before the command did");
	}
}

int session_run(const struct session_config *config, struct session_result *ret_result)
{
	struct session *session = calloc(1, sizeof(*session));
	int r, grace_ms;

	if (!session)
		return -ENOMEM;
	*ret_result = (struct session_result){ 0 };
	session->config = config;
	session->result = ret_result;
	session->start_ms = clock_ms();
	frame_reader_init(&session->reader);
	r = vm_start(&session->vm, config->qemu_args, true, config->initrd_fd);
	if (r == 0) {
		watch(session);
		grace_ms = ret_result->end == SESSION_EXITED ? POWER_OFF_MS : 0;
		vm_stop(&session->vm, grace_ms);
		ret_result->total_ms = clock_ms() - session->start_ms;
	}
	free(session);
	return r;
}
