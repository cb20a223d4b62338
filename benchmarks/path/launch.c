// SPDX-License-Identifier: MIT
/*
 * fork, environment, exec of this very program; the parent reads a pipe until its end or a deadline.
 *
 * The side is distrusted in three ways: it may never end (deadline, kill), print what is not a line of
 * ours (refused), or fail (its exit status counts, whatever it printed).
 */
#include "benchmarks/path/launch.h"

#include "benchmarks/clock.h"
#include "benchmarks/option_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 16
#define OUTPUT_BYTES_MAX ((size_t)64 << 20)

struct text {
	char *bytes;
	size_t length, capacity;
};

/* Splits on the way, for setenv wants the two halves. Child only. */
static void set_variable(const char *entry)
{
	char *copy = strdup(entry), *equals = copy ? strchr(copy, '=') : NULL;

	if (!equals)
		_exit(126);
	*equals = '\0';
	if (setenv(copy, equals + 1, 1))
		_exit(126);
	free(copy);
}

static void run_child(const struct launch *launch, int out_fd)
{
	const struct side_options *options = launch->options;
	char repeat[32], max_bytes[32];
	const char *args[ARGS_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < launch->environment->count; i++)
		set_variable(launch->environment->entry[i]);
	if (launch->last_variable)
		set_variable(launch->last_variable);
	snprintf(repeat, sizeof(repeat), "%u", options->repeat);
	snprintf(max_bytes, sizeof(max_bytes), "%" PRIu64, options->max_bytes);
	args[count++] = "vgpu-bench-path";
	args[count++] = "side";
	args[count++] = "--size";
	args[count++] = bench_size_names[options->size];
	args[count++] = "--repeat";
	args[count++] = repeat;
	args[count++] = "--max-bytes";
	args[count++] = max_bytes;
	if (options->platform) {
		args[count++] = "--platform";
		args[count++] = options->platform;
	}
	if (options->device) {
		args[count++] = "--device";
		args[count++] = options->device;
	}
	if (options->only) {
		args[count++] = "--only";
		args[count++] = options->only;
	}
	args[count] = NULL;
	if (dup2(out_fd, STDOUT_FILENO) >= 0)
		execv("/proc/self/exe", (char **)args);
	_exit(127);
}

/* Milliseconds left, at least 0. */
static int left_ms(uint64_t deadline_ns)
{
	uint64_t now_ns = clock_now_ns();

	return now_ns >= deadline_ns ? 0 : (int)((deadline_ns - now_ns) / 1000000u) + 1;
}

/* One read, with room kept for a final zero. 1: more may come, 0: the end, -errno. */
static int read_some(int fd, struct text *text)
{
	ssize_t got;

	if (text->capacity - text->length < 2) {
		size_t capacity = text->capacity ? text->capacity * 2 : 65536;
		char *grown = capacity <= OUTPUT_BYTES_MAX ? realloc(text->bytes, capacity) : NULL;

		if (!grown)
			return -ENOMEM;
		text->bytes = grown;
		text->capacity = capacity;
	}
	got = read(fd, text->bytes + text->length, text->capacity - text->length - 1);
	if (got < 0)
		return errno == EINTR ? 1 : -errno;
	text->length += (size_t)got;
	text->bytes[text->length] = '\0';
	return got > 0;
}

/* 0, -ETIME or -errno. */
static int read_all(int fd, uint64_t deadline_ns, struct text *text)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		int ready = poll(&poll_fd, 1, left_ms(deadline_ns)), err;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0)
			return -errno;
		if (ready == 0)
			return -ETIME;
		err = read_some(fd, text);
		if (err <= 0)
			return err;
	}
}

static int take_lines(const struct launch *launch, char *text, struct side_results *results, char *reason,
	size_t reason_size)
{
	char *rest = NULL;

	for (char *at = strtok_r(text, "\n", &rest); at; at = strtok_r(NULL, "\n", &rest)) {
		struct line line;
		int err = line_parse(at, &line);

		if (err) {
			snprintf(reason, reason_size, "the %s side printed what is not a sample: %.80s",
				launch->name, at);
			return err;
		}
		err = results_add(results, &line);
		line_finish(&line);
		if (err) {
			snprintf(reason, reason_size, "the %s side's samples could not be kept: %s",
				launch->name, strerror(-err));
			return err;
		}
	}
	return 0;
}

static int explain_status(const struct launch *launch, int status, char *reason, size_t reason_size)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		snprintf(reason, reason_size, "the %s side was killed by signal %d (%s)", launch->name,
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(reason, reason_size, "the %s side failed with exit status %d; its message is above",
			launch->name, WEXITSTATUS(status));
	return -EIO;
}

int launch_side(const struct launch *launch, struct side_results *results, char *reason, size_t reason_size)
{
	uint64_t deadline_ns = clock_now_ns() + (uint64_t)launch->timeout_s * 1000000000u;
	struct text text = { 0 };
	int pipe_fds[2], status, err;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC)) {
		err = -errno;
		snprintf(reason, reason_size, "no pipe to the %s side: %s", launch->name, strerror(-err));
		return err;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		run_child(launch, pipe_fds[1]);
	err = pid < 0 ? -errno : 0;
	close(pipe_fds[1]);
	if (err) {
		snprintf(reason, reason_size, "no process for the %s side: %s", launch->name, strerror(-err));
		goto close_pipe;
	}
	err = read_all(pipe_fds[0], deadline_ns, &text);
	if (err) {
		kill(pid, SIGKILL);
		if (err == -ETIME)
			snprintf(reason, reason_size, "the %s side was not done after %u s; choose a smaller "
				"--size, or a longer --timeout-s", launch->name, launch->timeout_s);
		else
			snprintf(reason, reason_size, "the %s side's output could not be read: %s",
				launch->name, strerror(-err));
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!err)
		err = explain_status(launch, status, reason, reason_size);
	if (!err && text.bytes)
		err = take_lines(launch, text.bytes, results, reason, reason_size);
	free(text.bytes);
close_pipe:
	close(pipe_fds[0]);
	return err;
}
