/* SPDX-License-Identifier: MIT */
/*
 * A real compile helper on PoCL: the test plays its keeper and engines, hostile ones too; then real engines with it, and with a helper that
 * the test plays. Nothing here asserts a time: builds are counted.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CL/cl.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/engine/compile_protocol.h"
#include "mdev/engine/compiler/parts.h"
#include "mdev/ipc/seqpacket.h"
#include "tests/mdev/engine/engine_harness.h"

#define TIMEOUT_MS 120000	/* of a build on a busy machine */

struct helper {
	char dir[64];
	pid_t pid;
	int keeper_fd;
	int cache_fd;
};

struct answer {
	struct compile_answer head;
	uint8_t *reply;
};

static void helper_start(struct helper *h, const char *variables)
{
	char path[4096], config[160];
	int pair[2];

	strcpy(h->dir, "/tmp/vgpu-compiler-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	assert_int_equal(chmod(h->dir, 0711), 0);
	snprintf(config, sizeof(config), "%s/config.json", h->dir);
	FILE *file = fopen(config, "w");
	assert_non_null(file);
	fprintf(file, "{\"schema\":1,\"uuid\":\"0c-test\",\"name\":\"t\",\"profile\":\"p\",\"vram_bytes\":67108864,\"engine\":{\"icd\":"
		"\"/etc/OpenCL/vendors/pocl.icd\",\"device_index\":0,\"memory_limit_bytes\":0,\"cache_dir\":\"%s\",\"unified\":true,"
		"\"environment\":{\"POCL_DEVICES\":\"pthread\"%s}}}\n", h->dir, variables ? variables : "");
	assert_int_equal(fclose(file), 0);
	assert_int_equal(seqpacket_pair(pair), 0);
	h->keeper_fd = pair[0];
	if (h->cache_fd <= 0) {
		h->cache_fd = memfd_create("cache", MFD_CLOEXEC);
		assert_int_equal(ftruncate(h->cache_fd, COMPILE_CACHE_BYTES), 0);
	}
	harness_program("vgpu-compute", path);
	h->pid = fork();
	assert_true(h->pid >= 0);
	if (!h->pid) {
		int keeper = fcntl(pair[1], F_DUPFD, 100), cache = fcntl(h->cache_fd, F_DUPFD, 100), null = open("/dev/null", O_RDONLY);
		dup2(null, 0);
		dup2(keeper, COMPILE_FD_KEEPER);
		dup2(cache, COMPILE_FD_CACHE);
		close_range(5, ~0u, 0);
		setenv("VGPU_LOG", getenv("VGPU_LOG") ? getenv("VGPU_LOG") : "error", 1);
		execl(path, path, "--compiler", "--dir", h->dir, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
}

static bool helper_died(struct helper *h, int *ret_status)
{
	for (int i = 0; i < TIMEOUT_MS / 10; i++) {
		if (waitpid(h->pid, ret_status, WNOHANG) == h->pid)
			return true;
		usleep(10000);
	}
	return false;
}

/* The end of the keeper's socket ends it, in order, and it leaves nothing. The cache stays. */
static void helper_stop(struct helper *h)
{
	char command[256];
	int status;

	close(h->keeper_fd);
	assert_true(helper_died(h, &status));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	snprintf(command, sizeof(command), "rm %s/config.json && rmdir %s", h->dir, h->dir);
	assert_int_equal(system(command), 0);
}

static int helper_connect(struct helper *h)
{
	const struct compile_client name = {.context = 1};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(seqpacket_send(h->keeper_fd, &name, sizeof(name), &pair[1], 1), 0);
	close(pair[1]);
	return pair[0];
}

static void send_all(int fd, const void *bytes, size_t count)
{
	assert_int_equal(send(fd, bytes, count, MSG_NOSIGNAL), count);
}

static bool receive_all(int fd, void *bytes, size_t count)
{
	for (size_t done = 0; done < count;) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		if (poll(&readable, 1, TIMEOUT_MS) <= 0)
			fail_msg("no answer");
		ssize_t got = recv(fd, (char *)bytes + done, count - done, 0);
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

static void ask(int fd, const char *source, const char *options)
{
	const struct part parts[2] = {{options, strlen(options)}, {source, strlen(source)}};
	size_t bytes;
	uint8_t *input = parts_join(parts, 2, &bytes);
	const struct compile_request request = {.magic = COMPILE_MAGIC, .kind = COMPILE_BUILD, .part_count = 2, .bytes = bytes};

	assert_non_null(input);
	send_all(fd, &request, sizeof(request));
	send_all(fd, input, bytes);
	free(input);
}

static struct answer hear(int fd)
{
	struct answer answer;

	assert_true(receive_all(fd, &answer.head, sizeof(answer.head)));
	assert_int_equal(answer.head.magic, COMPILE_MAGIC);
	answer.reply = malloc(answer.head.bytes + 1);
	assert_true(receive_all(fd, answer.reply, answer.head.bytes));
	answer.reply[answer.head.bytes] = 0;
	return answer;
}

static struct answer build(int fd, const char *source, const char *options)
{
	ask(fd, source, options);
	return hear(fd);
}

static const struct wire_build_reply *reply_of(const struct answer *answer)
{
	assert_int_equal(answer->head.status, COMPILE_DONE);
	assert_true(answer->head.bytes >= sizeof(struct wire_build_reply));
	return (const struct wire_build_reply *)(const void *)answer->reply;
}

static const char add_one[] = "kernel void add_one(global int *a) { a[get_global_id(0)] += ONE; }\n";

static void the_second_build_is_the_first_ones_answer(void **state)
{
	struct helper h = {0};

	(void)state;
	helper_start(&h, NULL);
	int one = helper_connect(&h), other = helper_connect(&h);
	struct answer first = build(one, add_one, "-DONE=1"), second = build(other, add_one, "-DONE=1"), third = build(one, add_one, "-DONE=2");
	assert_int_equal(reply_of(&first)->build_status, CL_BUILD_SUCCESS);
	assert_int_equal(reply_of(&first)->kernel_count, 1);
	assert_false(first.head.from_cache);
	assert_true(second.head.from_cache);
	assert_int_equal(second.head.builds, 1);
	assert_int_equal(second.head.bytes, first.head.bytes);
	assert_memory_equal(second.reply, first.reply, first.head.bytes);
	assert_false(third.head.from_cache);
	assert_int_equal(third.head.builds, 2);
	/* A failed build is a result too. */
	struct answer wrong = build(one, add_one, ""), wrong_again = build(other, add_one, "");
	assert_int_equal(reply_of(&wrong)->error, CL_BUILD_PROGRAM_FAILURE);
	assert_non_null(memmem(wrong.reply, wrong.head.bytes, "ONE", 3));
	assert_true(wrong_again.head.from_cache);
	assert_int_equal(wrong_again.head.builds, 3);
	free(first.reply);
	free(second.reply);
	free(third.reply);
	free(wrong.reply);
	free(wrong_again.reply);
	close(one);
	close(other);
	helper_stop(&h);
	close(h.cache_fd);
}

static void several_at_once_are_one_build(void **state)
{
	struct helper h = {0};
	int fds[6];

	(void)state;
	helper_start(&h, NULL);
	for (unsigned i = 0; i < 6; i++)
		ask(fds[i] = helper_connect(&h), add_one, i < 4 ? "-DONE=1" : "-DONE=5");
	for (unsigned i = 0; i < 6; i++) {
		struct answer answer = hear(fds[i]);
		assert_int_equal(reply_of(&answer)->build_status, CL_BUILD_SUCCESS);
		free(answer.reply);
	}
	struct answer last = build(fds[0], add_one, "-DONE=1");
	assert_true(last.head.from_cache);
	assert_int_equal(last.head.builds, 2);
	free(last.reply);
	for (unsigned i = 0; i < 6; i++)
		close(fds[i]);
	helper_stop(&h);
	close(h.cache_fd);
}

static void results_outlive_helpers_also_killed_ones(void **state)
{
	struct helper h = {0};
	char command[128];
	int status;

	(void)state;
	helper_start(&h, ",\"VGPU_COMPILER_IDLE_MS\":\"100\"");
	int fd = helper_connect(&h);
	struct answer answer = build(fd, add_one, "-DONE=1");
	free(answer.reply);
	usleep(1500000);	/* its builder goes meanwhile; another comes */
	answer = build(fd, add_one, "-DONE=2");
	assert_int_equal(reply_of(&answer)->build_status, CL_BUILD_SUCCESS);
	assert_int_equal(answer.head.builds, 2);
	free(answer.reply);
	kill(h.pid, SIGKILL);
	assert_true(helper_died(&h, &status));
	assert_int_equal(recv(fd, command, 1, 0), 0);
	close(fd);
	close(h.keeper_fd);
	snprintf(command, sizeof(command), "rm -rf %s", h.dir);
	assert_int_equal(system(command), 0);

	helper_start(&h, ",\"VGPU_COMPILER_IDLE_MS\":\"100\"");
	fd = helper_connect(&h);
	answer = build(fd, add_one, "-DONE=1");
	assert_true(answer.head.from_cache);
	assert_int_equal(answer.head.builds, 0);
	free(answer.reply);
	close(fd);
	helper_stop(&h);
	/* What the results depend on is part of their name. */
	helper_start(&h, ",\"OTHER\":\"1\"");
	fd = helper_connect(&h);
	answer = build(fd, add_one, "-DONE=1");
	assert_false(answer.head.from_cache);
	free(answer.reply);
	close(fd);
	helper_stop(&h);
	close(h.cache_fd);
}

/* Everything that an engine in a guest's hands could send, on one connection each; a good one goes on beside them. */
static void what_is_no_request_ends_its_connection_only(void **state)
{
	const struct compile_request bad[] = {
		{.magic = 1, .kind = COMPILE_BUILD, .part_count = 2, .bytes = 16},
		{.magic = COMPILE_MAGIC, .kind = COMPILE_BUILD, .part_count = 2, .bytes = COMPILE_REQUEST_MAX_BYTES + 1},
		{.magic = COMPILE_MAGIC, .kind = COMPILE_BUILD, .part_count = 2, .bytes = UINT64_MAX},
		{.magic = COMPILE_MAGIC, .kind = COMPILE_BUILD, .part_count = COMPILE_PARTS_MAX + 1, .bytes = 16},
		{.magic = COMPILE_MAGIC, .kind = COMPILE_BUILD, .part_count = 2, .bytes = 0},
		{.magic = COMPILE_MAGIC, .kind = COMPILE_BUILD, .part_count = 2, .reserved = 1, .bytes = 16},
	};
	const struct compile_request request = {.magic = COMPILE_MAGIC, .kind = COMPILE_BUILD, .part_count = 2, .bytes = 16};
	const uint64_t lies[2] = {0, UINT64_MAX - 8};
	struct helper h = {0};
	char byte;

	(void)state;
	helper_start(&h, NULL);
	int good = helper_connect(&h);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int fd = helper_connect(&h);
		send_all(fd, &bad[i], sizeof(bad[i]));
		assert_false(receive_all(fd, &byte, 1));
		close(fd);
	}
	/* Parts that reach beyond the input, and a kind that nobody knows: a process of their own looks at them. */
	int fd = helper_connect(&h);
	send_all(fd, &request, sizeof(request));
	send_all(fd, lies, sizeof(lies));
	struct answer answer = hear(fd);
	assert_int_equal(answer.head.status, COMPILE_UNAVAILABLE);
	free(answer.reply);
	struct compile_request unknown = request;
	unknown.kind = 77;
	send_all(fd, &unknown, sizeof(unknown));
	send_all(fd, lies, sizeof(lies));
	answer = hear(fd);
	assert_int_equal(answer.head.status, COMPILE_UNAVAILABLE);
	free(answer.reply);
	/* Two requests without waiting, half a request, a hang-up amid a build. */
	ask(fd, add_one, "-DONE=3");
	ask(fd, add_one, "-DONE=4");
	close(fd);
	fd = helper_connect(&h);
	send_all(fd, &request, 10);
	close(fd);
	/* Descriptors do not arrive. */
	fd = helper_connect(&h);
	int pipe_ends[2];
	assert_int_equal(pipe(pipe_ends), 0);
	assert_int_equal(seqpacket_send(fd, &request, sizeof(request), &pipe_ends[1], 1), 0);
	send_all(fd, lies, sizeof(lies));
	answer = hear(fd);
	free(answer.reply);
	close(pipe_ends[1]);
	struct pollfd hung_up = {.fd = pipe_ends[0], .events = POLLIN};
	assert_int_equal(poll(&hung_up, 1, TIMEOUT_MS), 1);
	assert_true(hung_up.revents & POLLHUP);
	close(pipe_ends[0]);
	close(fd);

	answer = build(good, add_one, "-DONE=1");
	assert_int_equal(reply_of(&answer)->build_status, CL_BUILD_SUCCESS);
	free(answer.reply);
	close(good);
	helper_stop(&h);
	close(h.cache_fd);
}

static void what_is_more_than_the_helper_holds_is_not_available(void **state)
{
	const struct compile_request whole = {.magic = COMPILE_MAGIC, .kind = COMPILE_BUILD, .part_count = 2, .bytes = COMPILE_REQUEST_MAX_BYTES};
	static uint8_t zeros[COMPILE_REQUEST_MAX_BYTES];
	struct helper h = {0};
	int fds[8];

	(void)state;
	helper_start(&h, NULL);
	/* Each has begun one of 16 MiB. */
	for (unsigned i = 0; i < 8; i++) {
		fds[i] = helper_connect(&h);
		send_all(fds[i], &whole, sizeof(whole));
		usleep(20000);
	}
	struct timeval patience = {.tv_sec = TIMEOUT_MS / 1000};
	setsockopt(fds[7], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	for (size_t sent = 0; sent < sizeof(zeros);) {
		ssize_t some = send(fds[7], zeros, sizeof(zeros) - sent, MSG_NOSIGNAL);
		assert_true(some > 0);
		sent += (size_t)some;
	}
	struct answer answer = hear(fds[7]);
	assert_int_equal(answer.head.status, COMPILE_UNAVAILABLE);
	assert_int_equal(answer.head.builds, 0);
	free(answer.reply);
	for (unsigned i = 0; i < 7; i++)
		close(fds[i]);
	usleep(100000);
	answer = build(fds[7], add_one, "-DONE=1");
	assert_int_equal(reply_of(&answer)->build_status, CL_BUILD_SUCCESS);
	free(answer.reply);
	close(fds[7]);
	helper_stop(&h);
	close(h.cache_fd);
}

/* 2^40 statements. */
static const char endless[] =
	"#define A(x) x x x x x x x x x x x x x x x x\n#define B(x) A(A(A(A(A(x)))))\n"
	"kernel void e(global int *a) { B(B(a[0]++;)) }\n";

static void a_compiler_that_takes_too_long_costs_its_build(void **state)
{
	struct helper h = {0};

	(void)state;
	helper_start(&h, ",\"VGPU_COMPILER_CPU_S\":\"2\"");
	int one = helper_connect(&h), other = helper_connect(&h);
	ask(one, endless, "");
	struct answer beside = build(other, add_one, "-DONE=1"), stopped = hear(one);
	assert_int_equal(reply_of(&beside)->build_status, CL_BUILD_SUCCESS);
	assert_int_equal(reply_of(&stopped)->error, CL_BUILD_PROGRAM_FAILURE);
	assert_non_null(strstr((const char *)(reply_of(&stopped) + 1), "2 s of processor time"));
	free(beside.reply);
	free(stopped.reply);
	/* It is no result to keep. */
	stopped = build(other, endless, "");
	assert_false(stopped.head.from_cache);
	free(stopped.reply);
	close(one);
	close(other);
	helper_stop(&h);
	close(h.cache_fd);
}

/* A source that names files: those of the service and of other processes are out of its reach. */
static void a_build_reads_no_file_of_the_service(void **state)
{
	struct helper h = {0};
	char source[256];

	(void)state;
	helper_start(&h, NULL);
	int fd = helper_connect(&h);
	const char *const names[] = {"config.json", "../../../../../etc/passwd"};
	for (unsigned i = 0; i < 2; i++) {
		snprintf(source, sizeof(source), "#if __has_include(\"%s/%s\")\n#error reachable\n#endif\n%s", h.dir, names[i], add_one);
		struct answer answer = build(fd, source, "-DONE=1");
		assert_int_equal(reply_of(&answer)->build_status, CL_BUILD_SUCCESS);
		free(answer.reply);
	}
	/* The test's own question is a good one: what it may read, it finds. */
	struct answer answer = build(fd, "#if __has_include(\"/etc/os-release\")\n#error reachable\n#endif\n", "");
	assert_int_equal(reply_of(&answer)->build_status, CL_BUILD_ERROR);
	free(answer.reply);
	close(fd);
	helper_stop(&h);
	close(h.cache_fd);
}

/* ---- engines ------------------------------------------------------------------------------------------ */

static int32_t run_add_one(struct harness *e, uint32_t kernel, int start)
{
	struct harness_launch l;
	int *a = (int *)(void *)e->memory;

	for (int i = 0; i < 64; i++)
		a[i] = start + i;
	assert_int_equal(harness_buffer(e, 1, 0, 4096), 0);
	harness_launch_begin(&l, HARNESS_QUEUE, kernel, harness_slot(e), 64, 8);
	harness_launch_buffer(&l, 1);
	const struct wire_ndrange *r = (const struct wire_ndrange *)(const void *)l.bytes;
	uint32_t slot = r->q.slot;
	int32_t status = harness_wait(e, slot, harness_launch_put(e, &l), TIMEOUT_MS);
	for (int i = 0; !status && i < 64; i++)
		assert_int_equal(a[i], start + i + 1);
	return status;
}

static void a_second_engine_gets_its_answer_from_the_cache_and_computes(void **state)
{
	struct helper h = {0};
	struct harness e;
	const struct wire_build_reply *reply;
	uint8_t first[4096];

	(void)state;
	helper_start(&h, NULL);
	for (unsigned i = 0; i < 2; i++) {
		int fd = helper_connect(&h);
		harness_start(&e, &(struct harness_options){.compiler_fd = fd});
		close(fd);
		assert_int_equal(harness_build(&e, 1, add_one, "-DONE=1", &reply), 0);
		assert_int_equal(reply->build_status, CL_BUILD_SUCCESS);
		assert_int_equal(reply->kernel_count, 1);
		if (!i)
			memcpy(first, reply, sizeof(first));
		else
			assert_memory_equal(first, reply, sizeof(first));
		assert_int_equal(harness_kernel(&e, 1, 1, "add_one"), 0);
		assert_int_equal(harness_kernel(&e, 2, 1, "no_such"), CL_INVALID_KERNEL_NAME);
		assert_int_equal(run_add_one(&e, 1, 100), 0);
		/* Programs that go while their own build is queued or under way, and one that failed. */
		assert_int_equal(harness_build(&e, 2, add_one, "-DONE=3", &reply), 0);
		assert_int_equal(harness_build(&e, 3, add_one, "-DONE=4", &reply), 0);
		assert_int_equal(harness_destroy(&e, WIRE_PROGRAM_DESTROY, 3), 0);
		assert_int_equal(harness_destroy(&e, WIRE_PROGRAM_DESTROY, 2), 0);
		assert_int_equal(harness_build(&e, 2, add_one, "", &reply), 0);
		assert_int_equal(reply->error, CL_BUILD_PROGRAM_FAILURE);
		assert_int_equal(harness_kernel(&e, 3, 2, "add_one"), CL_INVALID_PROGRAM_EXECUTABLE);
		harness_stop(&e);
	}
	int fd = helper_connect(&h);
	struct answer last = build(fd, add_one, "-DONE=1");
	assert_int_equal(last.head.builds, 4);	/* of the first engine alone */
	free(last.reply);
	close(fd);
	helper_stop(&h);
	close(h.cache_fd);
}

static void an_engine_whose_helper_dies_builds_by_itself(void **state)
{
	struct helper h = {0};
	struct harness e;
	const struct wire_build_reply *reply;
	char command[128];
	int status;

	(void)state;
	helper_start(&h, NULL);
	int fd = helper_connect(&h);
	harness_start(&e, &(struct harness_options){.compiler_fd = fd});
	close(fd);
	assert_int_equal(harness_build(&e, 1, add_one, "-DONE=1", &reply), 0);
	kill(h.pid, SIGKILL);
	assert_true(helper_died(&h, &status));
	assert_int_equal(harness_build(&e, 2, add_one, "-DONE=1 -DTWO=2", &reply), 0);
	assert_int_equal(reply->build_status, CL_BUILD_SUCCESS);
	assert_int_equal(harness_kernel(&e, 1, 1, "add_one"), 0);
	assert_int_equal(harness_kernel(&e, 2, 2, "add_one"), 0);
	assert_int_equal(run_add_one(&e, 2, 5), 0);
	harness_stop(&e);
	close(h.keeper_fd);
	close(h.cache_fd);
	snprintf(command, sizeof(command), "rm -rf %s", h.dir);
	assert_int_equal(system(command), 0);
}

/* A helper of the test's: reads one request and answers with these bytes, then hangs up. */
struct liar {
	int fd;
	struct compile_answer answer;
	uint8_t reply[512];
	size_t bytes;		/* of the reply that are really sent */
};

static void *lie(void *data)
{
	struct liar *liar = data;
	struct compile_request request;
	static uint8_t input[4096];

	if (receive_all(liar->fd, &request, sizeof(request)) && request.bytes <= sizeof(input) && receive_all(liar->fd, input, request.bytes)) {
		send(liar->fd, &liar->answer, sizeof(liar->answer), MSG_NOSIGNAL);
		send(liar->fd, liar->reply, liar->bytes, MSG_NOSIGNAL);
	}
	shutdown(liar->fd, SHUT_RDWR);
	return NULL;
}

static void engine_with_liar(struct harness *e, struct liar *liar, pthread_t *ret_thread)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	liar->fd = pair[0];
	harness_start(e, &(struct harness_options){.compiler_fd = pair[1]});
	close(pair[1]);
	assert_int_equal(pthread_create(ret_thread, NULL, lie, liar), 0);
}

/* What the helper has built, the engine cannot: commands fail, the context lives. */
static void a_late_build_that_fails_fails_the_commands(void **state)
{
	struct liar liar = {.answer = {.magic = COMPILE_MAGIC, .bytes = sizeof(struct wire_build_reply)}, .bytes = sizeof(struct wire_build_reply)};
	const struct wire_build_reply fine = {.build_status = CL_BUILD_SUCCESS}, *reply;
	struct harness e;
	pthread_t thread;

	(void)state;
	memcpy(liar.reply, &fine, sizeof(fine));
	engine_with_liar(&e, &liar, &thread);
	assert_int_equal(harness_build(&e, 1, "kernel void add_one(global int *a) { nonsense }", NULL, &reply), 0);
	assert_int_equal(reply->build_status, CL_BUILD_SUCCESS);
	assert_true(harness_kernel(&e, 1, 1, "add_one") < 0);
	assert_int_equal(run_add_one(&e, 1, 0), CL_INVALID_KERNEL);
	assert_int_equal(harness_build(&e, 2, add_one, "-DONE=1", &reply), 0);
	assert_int_equal(harness_kernel(&e, 2, 2, "add_one"), 0);
	harness_destroy(&e, WIRE_BUFFER_DESTROY, 1);
	assert_int_equal(run_add_one(&e, 2, 0), 0);
	harness_stop(&e);
	pthread_join(thread, NULL);
	close(liar.fd);
}

static void an_answer_that_makes_no_sense_is_no_answer(void **state)
{
	const struct compile_answer answers[] = {
		{.magic = 7},
		{.magic = COMPILE_MAGIC, .status = COMPILE_DONE, .bytes = 8},
		{.magic = COMPILE_MAGIC, .status = COMPILE_DONE, .bytes = UINT64_MAX},
		{.magic = COMPILE_MAGIC, .status = COMPILE_DONE, .bytes = 400},	/* 100 come */
		{.magic = COMPILE_MAGIC, .status = COMPILE_UNAVAILABLE},
	};
	const struct wire_build_reply *reply;
	struct harness e;
	pthread_t thread;

	(void)state;
	for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct liar liar = {.answer = answers[i], .bytes = i == 3 ? 100 : 0};
		engine_with_liar(&e, &liar, &thread);
		assert_int_equal(harness_build(&e, 1, add_one, "-DONE=1", &reply), 0);
		assert_int_equal(reply->build_status, CL_BUILD_SUCCESS);
		assert_int_equal(reply->kernel_count, 1);
		assert_int_equal(harness_kernel(&e, 1, 1, "add_one"), 0);
		harness_stop(&e);
		pthread_join(thread, NULL);
		close(liar.fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_second_build_is_the_first_ones_answer),
		cmocka_unit_test(several_at_once_are_one_build),
		cmocka_unit_test(results_outlive_helpers_also_killed_ones),
		cmocka_unit_test(what_is_no_request_ends_its_connection_only),
		cmocka_unit_test(what_is_more_than_the_helper_holds_is_not_available),
		cmocka_unit_test(a_compiler_that_takes_too_long_costs_its_build),
		cmocka_unit_test(a_build_reads_no_file_of_the_service),
		cmocka_unit_test(a_second_engine_gets_its_answer_from_the_cache_and_computes),
		cmocka_unit_test(an_engine_whose_helper_dies_builds_by_itself),
		cmocka_unit_test(a_late_build_that_fails_fails_the_commands),
		cmocka_unit_test(an_answer_that_makes_no_sense_is_no_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
