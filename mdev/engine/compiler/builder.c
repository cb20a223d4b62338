/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compiler/builder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/engine/compile_protocol.h"
#include "mdev/engine/compiler/parts.h"
#include "mdev/engine/compute/build.h"
#include "mdev/ipc/seqpacket.h"
#include "mdev/log/log.h"

#define TRIAL_NUMBER 0u
/* Above those that the filter knows as an engine's (jail_seccomp.c): the driver is to get no number that means something else there. */
#define FD_INPUT 10
#define FD_RESULT 11
#define HIGH 16

struct build {
	pid_t pid;		/* 0: this place is free */
	int pidfd;
	uint32_t number;
	uint64_t folder;	/* its number; none is used twice */
	uint64_t started_ns;
};

struct builder {
	const struct builder_settings *settings;
	struct device device;
	int socket;
	uint64_t builds;	/* so far: names their folders */
	struct build running[BUILDER_JOBS_MAX];
};

/* ---- in the process of one build -------------------------------------------------------------------- */

static bool write_all(int fd, const void *bytes, size_t count)
{
	const uint8_t *at = bytes;

	while (count) {
		ssize_t written = write(fd, at, count);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		at += written;
		count -= (size_t)written;
	}
	return true;
}

static int build(const struct device *device, const struct builder_job *job, const uint8_t *input, struct program **ret_program)
{
	struct part parts[COMPILE_PARTS_MAX];

	if (job->part_count > COMPILE_PARTS_MAX || parts_split(input, (size_t)job->bytes, job->part_count, parts))
		return CL_INVALID_VALUE;
	switch (job->kind) {
	case COMPILE_BUILD:
		if (job->part_count != 2)
			return CL_INVALID_VALUE;
		return build_program(device, parts[1].bytes, parts[1].count, parts[0].bytes, parts[0].count, NULL, ret_program);
	default:
		return CL_INVALID_OPERATION;	/* an engine of a newer build */
	}
}

/* Exit: 0 with a result, 3 without the jail. */
static void __attribute__((noreturn)) be_build(const struct builder *builder, const struct builder_job *job, int input_fd, int result_fd)
{
	const struct builder_settings *settings = builder->settings;
	struct jail_settings jail = *settings->jail;
	const struct rlimit cpu = {settings->cpu_limit_s, settings->cpu_limit_s};
	char folder[PATH_MAX];
	struct program *program = NULL;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	int input_high = fcntl(input_fd, F_DUPFD, HIGH), result_high = fcntl(result_fd, F_DUPFD, HIGH);
	for (int fd = 3; fd < FD_INPUT; fd++)
		dup2(STDIN_FILENO, fd);
	if (dup2(input_high, FD_INPUT) < 0 || dup2(result_high, FD_RESULT) < 0 || close_range(FD_RESULT + 1, ~0u, 0))
		_exit(3);
	signal(SIGPIPE, SIG_DFL);
	snprintf(folder, sizeof(folder), "%.4000s/%llu", settings->jail->scratch, (unsigned long long)builder->builds);
	jail.scratch = folder;
	if (mkdir(folder, 0700) || chdir(folder) || setrlimit(RLIMIT_CPU, &cpu))
		_exit(3);
	int r = jail_enter_build(&jail);
	if (r) {
		log_error("a build cannot be jailed: %s", strerror(-r));
		_exit(3);
	}
	const uint8_t *input = mmap(NULL, job->bytes ? job->bytes : 1, PROT_READ, MAP_PRIVATE, FD_INPUT, 0);
	if (input == MAP_FAILED)
		_exit(3);
	struct builder_result result = {.magic = BUILDER_RESULT_MAGIC};
	result.error = build(&builder->device, job, input, &program);
	result.bytes = result.error ? 0 : program->reply_bytes;
	if (!write_all(FD_RESULT, &result, sizeof(result)) || (!result.error && !write_all(FD_RESULT, program->reply, program->reply_bytes)))
		_exit(3);
	_exit(0);
}

/* ---- in the builder ------------------------------------------------------------------------------------ */

static void remove_folder(const struct builder *builder, uint64_t build_number)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%.4000s/%llu", builder->settings->jail->scratch, (unsigned long long)build_number);
	jail_leave_nothing(folder);
}

/* Borrows the descriptors. 0 or -errno. */
static int start_build(struct builder *builder, const struct builder_job *job, int input_fd, int result_fd)
{
	struct build *b = builder->running;

	while (b < builder->running + BUILDER_JOBS_MAX && b->pid)
		b++;
	if (b == builder->running + BUILDER_JOBS_MAX)
		return -EBUSY;
	builder->builds++;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		be_build(builder, job, input_fd, result_fd);
	*b = (struct build){.pid = pid, .pidfd = pidfd_open(pid, 0), .number = job->number, .folder = builder->builds,
			    .started_ns = clock_now_ns()};
	fcntl(b->pidfd, F_SETFD, FD_CLOEXEC);
	return 0;
}

/* Of one that has ended. What it may have left running is its process group, which nothing there can leave (jail_seccomp.c). */
static int end_build(const struct builder *builder, struct build *b)
{
	int status = 0;

	kill(-b->pid, SIGKILL);
	while (waitpid(b->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (b->pidfd >= 0)
		close(b->pidfd);
	b->pid = 0;
	remove_folder(builder, b->folder);
	return status;
}

static void say(const struct builder *builder, uint32_t op, uint32_t number, int status)
{
	const struct builder_word word = {.op = op, .number = number, .status = status};

	seqpacket_send(builder->socket, &word, sizeof(word), NULL, 0);
}

static void take_job(struct builder *builder, const struct builder_job *job, const int *fds, unsigned fd_count)
{
	int r = fd_count == 2 ? start_build(builder, job, fds[0], fds[1]) : -EINVAL;

	if (r) {
		log_warning("a build cannot be started: %s", strerror(-r));
		say(builder, BUILDER_ENDED, job->number, -1);
	}
}

/* Those that have ended, and those that take too long. */
static void look_after_builds(struct builder *builder)
{
	for (struct build *b = builder->running; b < builder->running + BUILDER_JOBS_MAX; b++) {
		struct pollfd ended = {.fd = b->pidfd, .events = POLLIN};
		if (!b->pid)
			continue;
		if (clock_now_ns() - b->started_ns > builder->settings->wall_limit_ms * 1000000ull)
			kill(b->pid, SIGKILL);
		if (poll(&ended, 1, 0) <= 0)
			continue;
		say(builder, BUILDER_ENDED, b->number, end_build(builder, b));
	}
}

static const char warm_up[] = "kernel void warm_up(global float *a) { a[get_global_id(0)] = sqrt(a[0]); }\n";

/* The very way of every build, with a source of ours. */
static bool trial_succeeds(struct builder *builder)
{
	static const char text[] = "kernel void trial(global int *a) { a[0] = 1; }\n";
	const struct part parts[2] = {{"", 0}, {text, sizeof(text) - 1}};
	struct builder_result result = {0};
	bool is_good = false;
	int ends[2], input_fd;
	size_t bytes;

	uint8_t *input = parts_join(parts, 2, &bytes);
	const struct builder_job job = {.number = TRIAL_NUMBER, .kind = COMPILE_BUILD, .part_count = 2, .bytes = bytes};
	input_fd = memfd_create("trial", MFD_CLOEXEC);
	if (!input || input_fd < 0 || pipe2(ends, O_CLOEXEC))
		return false;
	if (write_all(input_fd, input, bytes) && !start_build(builder, &job, input_fd, ends[1])) {
		struct build *b = &builder->running[0];
		struct pollfd ended = {.fd = b->pidfd, .events = POLLIN};
		if (poll(&ended, 1, (int)builder->settings->wall_limit_ms) <= 0)
			kill(b->pid, SIGKILL);
		close(ends[1]);
		ends[1] = -1;
		is_good = end_build(builder, b) == 0 && read(ends[0], &result, sizeof(result)) == sizeof(result) &&
			  result.magic == BUILDER_RESULT_MAGIC && !result.error;
		struct wire_build_reply reply = {.build_status = CL_BUILD_ERROR};
		is_good = is_good && read(ends[0], &reply, sizeof(reply)) == sizeof(reply) && reply.build_status == CL_BUILD_SUCCESS;
	}
	close(ends[0]);
	if (ends[1] >= 0)
		close(ends[1]);
	close(input_fd);
	free(input);
	return is_good;
}

static bool become_warm(struct builder *builder)
{
	struct program *program = NULL;
	char why[256];

	if (device_open(builder->settings->platform, builder->settings->device_index, &builder->device, why)) {
		log_error("the compile helper cannot open the GPU: %s", why);
		return false;
	}
	int error = build_program(&builder->device, warm_up, sizeof(warm_up) - 1, "", 0, NULL, &program);
	if (error) {
		log_error("the compile helper cannot build anything (error %d)", error);
		return false;
	}
	program_destroy(program);
	if (!trial_succeeds(builder)) {
		log_warning("builds cannot be made in processes of their own with this driver on this host (a fork, Landlock and "
			    "seccomp are needed): each engine builds by itself, and results are not kept");
		return false;
	}
	return true;
}

static void __attribute__((noreturn)) be_builder(const struct builder_settings *settings, int socket)
{
	struct builder builder = {.settings = settings, .socket = socket};
	struct builder_job job;
	int fds[SEQPACKET_FDS_MAX];
	unsigned fd_count;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!become_warm(&builder))
		_exit(1);
	say(&builder, BUILDER_READY, 0, 0);
	for (;;) {
		struct pollfd polled[1 + BUILDER_JOBS_MAX] = {{.fd = socket, .events = POLLIN}};
		for (unsigned i = 0; i < BUILDER_JOBS_MAX; i++)
			polled[1 + i] = (struct pollfd){.fd = builder.running[i].pid ? builder.running[i].pidfd : -1, .events = POLLIN};
		poll(polled, 1 + BUILDER_JOBS_MAX, 1000);
		look_after_builds(&builder);
		if (!polled[0].revents)
			continue;
		ssize_t got = seqpacket_receive(socket, &job, sizeof(job), false, fds, &fd_count);
		if (got == sizeof(job))
			take_job(&builder, &job, fds, fd_count);
		for (unsigned i = 0; i < fd_count; i++)
			close(fds[i]);
		if (!got || (got < 0 && got != -EAGAIN && got != -EMSGSIZE))
			break;
	}
	for (unsigned i = 0; i < BUILDER_JOBS_MAX; i++) {
		if (builder.running[i].pid) {
			kill(builder.running[i].pid, SIGKILL);
			end_build(&builder, &builder.running[i]);
		}
	}
	_exit(0);
}

int builder_start(const struct builder_settings *settings, pid_t *ret_pid, int *ret_socket)
{
	int pair[2], r = seqpacket_pair(pair);

	if (r)
		return r;
	pid_t pid = fork();
	if (pid < 0) {
		r = -errno;
		close(pair[0]);
		close(pair[1]);
		return r;
	}
	if (!pid) {
		/* Engines' connections above all: nothing that runs a compiler may hold one. */
		int high = fcntl(pair[1], F_DUPFD, HIGH);
		if (high < 0 || dup2(high, 3) < 0 || close_range(4, ~0u, 0))
			_exit(1);
		be_builder(settings, 3);
	}
	close(pair[1]);
	*ret_pid = pid;
	*ret_socket = pair[0];
	return 0;
}
