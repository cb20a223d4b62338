/* SPDX-License-Identifier: MIT */
/* The real vgpu-keeper with a fake device program (fake_device.c) and /bin/sleep as engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/ipc/seqpacket.h"
#include "mdev/keeper/keeper_protocol.h"
#include "mdev/keeper/process.h"

struct fixture {
	char dir[64];
	char build[512];	/* where the programs are */
	pid_t keeper;
};

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void start_keeper(struct fixture *fixture)
{
	char program[600];

	snprintf(program, sizeof(program), "%s/bin/vgpu-keeper", fixture->build);
	fixture->keeper = fork();
	if (!fixture->keeper) {
		execl(program, program, "--dir", fixture->dir, (char *)NULL);
		_exit(127);
	}
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char text[4096], self[512] = {0};

	prctl(PR_SET_CHILD_SUBREAPER, 1);	/* device processes of killed keepers become ours to reap */
	strcpy(fixture->dir, "/tmp/vgpu-keeper-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	strcpy(fixture->build, dirname(dirname(self)));
	write_file(fixture->dir, "capset", "x");
	/* The engine: any program that lives until it is killed. */
	char link[600];
	snprintf(link, sizeof(link), "%s/engine", fixture->dir);
	snprintf(text, sizeof(text), "#!/bin/sh\necho \"$*\" >>%s/started\n[ -S /proc/self/fd/10 ] && echo with a helper >>%s/started\nexec sleep 1000\n",
		 fixture->dir, fixture->dir);
	write_file(fixture->dir, "engine", text);
	chmod(link, 0755);
	snprintf(text, sizeof(text),
		 "{\"schema\":1,\"uuid\":\"0001\",\"name\":\"t\",\"vram_bytes\":67108864,\"slack_bytes\":1048576,"
		 "\"max_contexts\":8,\"max_direct_clients\":2,\"programs\":{\"device\":\"%s/tests/fake_device\","
		 "\"compute\":\"%s\"}}",
		 fixture->build, link);
	write_file(fixture->dir, "config.json", text);
	start_keeper(fixture);
	*state = fixture;
	return 0;
}

static int connect_to(const struct fixture *fixture, const char *name, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", fixture->dir, name);
	for (int tries = 0; tries < 500; tries++) {
		int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
		if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
			return fd;
		close(fd);
		usleep(10000);
	}
	fail_msg("nobody listens on %s", address.sun_path);
	return -1;
}

/* Sends a command to the fake device and returns its line. */
static const char *ask(int connection, char command, char line[64])
{
	struct pollfd ready = {.fd = connection, .events = POLLIN};
	size_t used = 0;

	assert_int_equal(write(connection, &command, 1), 1);
	while (used < 63) {
		assert_int_equal(poll(&ready, 1, 10000), 1);
		ssize_t got = read(connection, line + used, 1);
		assert_int_equal(got, 1);
		if (line[used] == '\n')
			break;
		used++;
	}
	line[used] = '\0';
	return line;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	char command[128];
	struct keeper_message stop = {.op = KEEPER_MANAGE};
	int manager = connect_to(fixture, "keeper.sock", SOCK_SEQPACKET);

	seqpacket_send(manager, &stop, sizeof(stop), NULL, 0);
	stop.op = KEEPER_STOP;
	seqpacket_send(manager, &stop, sizeof(stop), NULL, 0);
	/* Everything a test started ends: the keeper, and as subreaper all that it left. */
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	close(manager);
	snprintf(command, sizeof(command), "rm -r %s", fixture->dir);
	assert_int_equal(system(command), 0);
	free(fixture);
	return 0;
}

static void a_killed_device_is_replaced_and_keeps_its_connection_and_memory(void **state)
{
	char line[64];
	int connection = connect_to(*state, "vfio-user.sock", SOCK_STREAM);

	assert_string_equal(ask(connection, 's', line), "0");
	for (int round = 1; round <= 20; round++) {
		pid_t pid = atoi(ask(connection, 'p', line));
		unsigned held = (unsigned)atoi(ask(connection, 'c', line));
		usleep(60000);	/* a device that is killed at once again and again is given up by design */
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(atoi(ask(connection, 's', line)), round);
		assert_int_not_equal(atoi(ask(connection, 'p', line)), pid);
		assert_int_equal(atoi(ask(connection, 'c', line)), held);
	}
	close(connection);
}

static void a_device_that_cannot_live_is_given_up(void **state)
{
	char line[64];
	struct pollfd ended;
	int connection = connect_to(*state, "vfio-user.sock", SOCK_STREAM);

	ask(connection, 'p', line);
	/* Every byte kills the process that reads it. Many: on a busy machine some live too long to count. */
	for (int i = 0; i < 200; i++)
		if (send(connection, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
			break;
	ended = (struct pollfd){.fd = connection, .events = POLLIN};
	assert_int_equal(poll(&ended, 1, 30000), 1);
	assert_true(read(connection, line, 1) <= 0);
	close(connection);
	/* And the next connection is served. */
	connection = connect_to(*state, "vfio-user.sock", SOCK_STREAM);
	assert_string_equal(ask(connection, 's', line), "0");
	close(connection);
}

static void slots_have_memory_of_their_own(void **state)
{
	char line[64];
	int vm = connect_to(*state, "vfio-user.sock", SOCK_STREAM);
	int direct = connect_to(*state, "direct.sock", SOCK_STREAM);

	assert_string_equal(ask(vm, 's', line), "0");
	assert_string_equal(ask(vm, 's', line), "1");
	assert_string_equal(ask(direct, 's', line), "0");
	close(vm);
	close(direct);
}

static void a_second_vm_and_too_many_clients_are_turned_away(void **state)
{
	char line[64];
	int vm = connect_to(*state, "vfio-user.sock", SOCK_STREAM);
	ask(vm, 'p', line);
	int second = connect_to(*state, "vfio-user.sock", SOCK_STREAM);
	struct pollfd ended = {.fd = second, .events = POLLIN};

	assert_int_equal(poll(&ended, 1, 5000), 1);
	assert_int_equal(read(second, line, 1), 0);
	int clients[3];
	for (int i = 0; i < 3; i++)
		clients[i] = connect_to(*state, "direct.sock", SOCK_STREAM);
	ask(clients[0], 'p', line);
	ask(clients[1], 'p', line);
	ended.fd = clients[2];
	assert_int_equal(poll(&ended, 1, 5000), 1);
	assert_int_equal(read(clients[2], line, 1), 0);
	ask(vm, 'p', line);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
	close(vm);
	close(second);
}

static void an_engine_is_started_once_and_its_death_is_told(void **state)
{
	char line[64];
	int op, pid, again, connection = connect_to(*state, "vfio-user.sock", SOCK_STREAM);

	assert_int_equal(sscanf(ask(connection, 'e', line), "%d %d", &op, &pid), 2);
	assert_int_equal(op, KEEPER_ENGINE_STARTED);
	assert_int_equal(sscanf(ask(connection, 'e', line), "%d %d", &op, &again), 2);
	assert_int_equal(again, pid);
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(sscanf(ask(connection, 'k', line), "%d %d", &op, &again), 2);
	assert_int_equal(op, KEEPER_ENGINE_DIED);
	assert_int_equal(again, SIGKILL);
	assert_int_equal(kill(pid, 0), -1);
	close(connection);
}

/* How many lines of what the engine program noted contain text. */
static int started(const struct fixture *fixture, const char *text)
{
	char path[600], line[300];
	int count = 0;

	snprintf(path, sizeof(path), "%s/started", fixture->dir);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		count += strstr(line, text) != NULL;
	if (file)
		fclose(file);
	return count;
}

static void await_started(const struct fixture *fixture, const char *text, int count)
{
	for (int tries = 0; tries < 1000 && started(fixture, text) != count; tries++)
		usleep(10000);
	assert_int_equal(started(fixture, text), count);
}

static pid_t noted_helper(const struct fixture *fixture)
{
	char path[600];
	int pid = 0;

	snprintf(path, sizeof(path), "%s/compiler.pid", fixture->dir);
	FILE *file = fopen(path, "r");
	if (file && fscanf(file, "%d", &pid) != 1)
		pid = 0;
	if (file)
		fclose(file);
	return pid;
}

static void engines_share_a_compile_helper_and_one_that_died_is_replaced(void **state)
{
	const struct fixture *fixture = *state;
	char line[64];
	int op, pid, connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);

	sscanf(ask(connection, 'e', line), "%d %d", &op, &pid);
	assert_int_equal(op, KEEPER_ENGINE_STARTED);
	await_started(fixture, "--compiler --dir", 1);
	await_started(fixture, "with a helper", 1);
	int other = connect_to(fixture, "direct.sock", SOCK_STREAM);
	sscanf(ask(other, 'e', line), "%d %d", &op, &pid);
	await_started(fixture, "with a helper", 2);
	assert_int_equal(started(fixture, "--compiler --dir"), 1);
	pid_t helper = noted_helper(fixture);
	assert_true(helper > 0);
	kill(helper, SIGKILL);
	for (int tries = 0; tries < 1000 && noted_helper(fixture); tries++)
		usleep(10000);
	/* Nobody needs one until an engine is started again. */
	assert_int_equal(noted_helper(fixture), 0);
	sscanf(ask(other, 'k', line), "%d %d", &op, &pid);
	close(other);
	other = connect_to(fixture, "direct.sock", SOCK_STREAM);
	sscanf(ask(other, 'e', line), "%d %d", &op, &pid);
	assert_int_equal(op, KEEPER_ENGINE_STARTED);
	await_started(fixture, "--compiler --dir", 2);
	await_started(fixture, "with a helper", 3);
	close(other);
	close(connection);
}

/* A program of an older build knows no --compiler: after three attempts the keeper leaves it, and engines are as they were. */
static void a_program_that_is_no_helper_is_not_tried_for_ever(void **state)
{
	const struct fixture *fixture = *state;
	char line[64], text[600];
	int op, pid;

	snprintf(text, sizeof(text), "#!/bin/sh\necho \"$*\" >>%s/started\n[ \"$1\" = --compiler ] && exit 2\nexec sleep 1000\n", fixture->dir);
	write_file(fixture->dir, "engine", text);
	for (int i = 0; i < 5; i++) {
		int connection = connect_to(fixture, "direct.sock", SOCK_STREAM);
		sscanf(ask(connection, 'e', line), "%d %d", &op, &pid);
		assert_int_equal(op, KEEPER_ENGINE_STARTED);
		await_started(fixture, "--slot", i + 1);
		for (int tries = 0; tries < 1000 && noted_helper(fixture); tries++)
			usleep(10000);
		assert_int_equal(noted_helper(fixture), 0);
		close(connection);
		usleep(100000);
	}
	assert_int_equal(started(fixture, "--compiler"), 3);
}

static void an_engine_survives_its_device_and_ends_with_the_connection(void **state)
{
	char line[64];
	int op, engine, device, connection = connect_to(*state, "vfio-user.sock", SOCK_STREAM);

	sscanf(ask(connection, 'e', line), "%d %d", &op, &engine);
	device = atoi(ask(connection, 'p', line));
	usleep(60000);
	kill(device, SIGKILL);
	ask(connection, 's', line);
	assert_int_equal(kill(engine, 0), 0);
	close(connection);
	for (int tries = 0; tries < 500 && kill(engine, 0) == 0; tries++)
		usleep(10000);
	assert_int_equal(kill(engine, 0), -1);
}

static void a_killed_keeper_is_rebuilt_from_its_device(void **state)
{
	struct fixture *fixture = *state;
	char line[64];
	int op, engine, device, connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);

	ask(connection, 's', line);
	sscanf(ask(connection, 'e', line), "%d %d", &op, &engine);
	device = atoi(ask(connection, 'p', line));
	for (int round = 1; round <= 10; round++) {
		kill(fixture->keeper, SIGKILL);
		waitpid(fixture->keeper, NULL, 0);
		start_keeper(fixture);
		assert_int_equal(atoi(ask(connection, 's', line)), round);
		assert_int_equal(atoi(ask(connection, 'p', line)), device);
	}
	/* The new keeper holds everything: it can replace the device, and knows the engine. */
	usleep(100000);
	kill(device, SIGKILL);
	assert_int_equal(atoi(ask(connection, 's', line)), 11);
	assert_int_not_equal(atoi(ask(connection, 'p', line)), device);
	int again;
	assert_int_equal(sscanf(ask(connection, 'e', line), "%d %d", &op, &again), 2);
	assert_int_equal(again, engine);
	assert_int_equal(sscanf(ask(connection, 'k', line), "%d %d", &op, &again), 2);
	assert_int_equal(op, KEEPER_ENGINE_DIED);
	close(connection);
}

static void two_keepers_are_one(void **state)
{
	struct fixture *fixture = *state;
	pid_t first = fixture->keeper;
	int status;
	char line[64];
	int connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);

	ask(connection, 'p', line);
	start_keeper(fixture);
	assert_int_equal(waitpid(fixture->keeper, &status, 0), fixture->keeper);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	fixture->keeper = first;
	ask(connection, 'p', line);
	close(connection);
}

static void the_manager_learns_of_everything(void **state)
{
	struct fixture *fixture = *state;
	char line[64];
	int connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);
	struct {
		struct keeper_message message;
		char text[KEEPER_TEXT_MAX];
	} in;
	struct keeper_message manage = {.op = KEEPER_MANAGE};
	unsigned fd_count, seen = 0;
	int fds[SEQPACKET_FDS_MAX];

	ask(connection, 'e', line);
	int manager = connect_to(fixture, "keeper.sock", SOCK_SEQPACKET);
	seqpacket_send(manager, &manage, sizeof(manage), NULL, 0);
	do {
		assert_true(seqpacket_receive(manager, &in, sizeof(in), false, fds, &fd_count) > 0);
		if (in.message.op == KEEPER_IS) {
			assert_int_equal(in.message.value, fixture->keeper);
			struct vgpu_page *page = mmap(NULL, VGPU_PAGE_BYTES, PROT_READ, MAP_SHARED, fds[0], 0);
			assert_true(page != MAP_FAILED);
			assert_int_equal(page->vram_limit_bytes, 67108864);
			munmap(page, VGPU_PAGE_BYTES);
			seen |= 1;
		} else if (in.message.op == KEEPER_LEASE) {
			assert_int_equal(fd_count, 2);
			seen |= 2;
		} else if (in.message.op == KEEPER_ENGINE) {
			assert_int_equal(in.message.context, 3);
			assert_int_equal(fd_count, 1);
			seen |= 4;
		} else if (in.message.op == KEEPER_SLOT) {
			assert_int_equal(in.message.value, 1);
			seen |= 8;
		}
		for (unsigned i = 0; i < fd_count; i++)
			close(fds[i]);
	} while (in.message.op != KEEPER_MANAGED);
	assert_int_equal(seen, 15);
	ask(connection, 'r', line);
	assert_true(seqpacket_receive(manager, &in, sizeof(in), false, fds, &fd_count) > 0);
	assert_int_equal(in.message.op, KEEPER_EVENT);
	assert_int_equal(in.message.value, 1);
	in.text[in.message.bytes] = '\0';
	assert_string_equal(in.text, "touched what it may not");
	close(manager);
	close(connection);
}

/* Connects as vgpud does, names another program, and waits until another process serves. */
static int replace_device(const struct fixture *fixture, int connection, const char *program)
{
	char line[64];
	int pid = atoi(ask(connection, 'p', line));
	struct {
		struct keeper_message message;
		char text[256];
	} out = {.message = {.op = KEEPER_MANAGE}};
	int manager = connect_to(fixture, "keeper.sock", SOCK_SEQPACKET);

	seqpacket_send(manager, &out, sizeof(out.message), NULL, 0);
	out.message.op = KEEPER_REPLACE_DEVICE;
	snprintf(out.text, sizeof(out.text), "%s", program);
	out.message.bytes = (uint32_t)strlen(out.text);
	seqpacket_send(manager, &out, sizeof(out.message) + out.message.bytes, NULL, 0);
	usleep(100000);	/* what a process has read when it is killed is not answered */
	for (int tries = 0; tries < 500 && atoi(ask(connection, 'p', line)) == pid; tries++)
		usleep(10000);
	assert_int_not_equal(atoi(ask(connection, 'p', line)), pid);
	return manager;
}

static void a_replacement_that_cannot_live_is_undone(void **state)
{
	struct fixture *fixture = *state;
	char line[64];
	int connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);

	ask(connection, 's', line);
	int manager = replace_device(fixture, connection, "/bin/false");
	assert_string_equal(ask(connection, 's', line), "1");
	close(manager);
	close(connection);
}

static void a_replacement_too_old_for_the_state_is_undone_after_one_try(void **state)
{
	struct fixture *fixture = *state;
	char line[64], program[128], text[256];
	int connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);

	ask(connection, 's', line);
	snprintf(program, sizeof(program), "%s/older", fixture->dir);
	snprintf(text, sizeof(text), "#!/bin/sh\necho started >>%s/tries\nexit %d\n", fixture->dir, DEVICE_EXIT_STATE_NEWER);
	write_file(fixture->dir, "older", text);
	chmod(program, 0755);
	int manager = replace_device(fixture, connection, program);
	assert_string_equal(ask(connection, 's', line), "1");
	snprintf(program, sizeof(program), "%s/tries", fixture->dir);
	FILE *file = fopen(program, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	assert_null(fgets(text, sizeof(text), file));
	fclose(file);
	close(manager);
	close(connection);
}

static void a_damaged_state_costs_the_connection_at_once(void **state)
{
	char line[64];
	int connection = connect_to(*state, "vfio-user.sock", SOCK_STREAM);
	struct pollfd ended = {.fd = connection, .events = POLLIN};

	ask(connection, 'p', line);
	assert_int_equal(write(connection, "d", 1), 1);
	assert_int_equal(poll(&ended, 1, 5000), 1);
	assert_true(read(connection, line, 1) <= 0);
	close(connection);
}

static void a_replacement_outlives_the_keeper(void **state)
{
	struct fixture *fixture = *state;
	char line[64], program[128], fake[600], path[64], text[256] = {0};
	int connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);

	ask(connection, 's', line);
	snprintf(program, sizeof(program), "%s/newer", fixture->dir);
	snprintf(fake, sizeof(fake), "%s/tests/fake_device", fixture->build);
	assert_int_equal(symlink(fake, program), 0);
	int manager = replace_device(fixture, connection, program);
	ask(connection, 's', line);
	kill(fixture->keeper, SIGKILL);
	waitpid(fixture->keeper, NULL, 0);
	start_keeper(fixture);
	close(connect_to(fixture, "vfio-user.sock", SOCK_STREAM));	/* it serves: the device has rejoined */
	kill(atoi(ask(connection, 'p', line)), SIGKILL);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", atoi(ask(connection, 'p', line)));
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_string_equal(text, program);
	close(manager);
	close(connection);
}

/* Copies of all pidfds of the keeper, as a child of its between fork and exec has them. */
static unsigned copy_pidfds(const struct fixture *fixture, int copies[16])
{
	char path[64], target[64];
	int pidfd = (int)syscall(SYS_pidfd_open, fixture->keeper, 0u);
	unsigned count = 0;

	assert_true(pidfd >= 0);
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)fixture->keeper);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		ssize_t bytes = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (bytes <= 0)
			continue;
		target[bytes] = '\0';
		/* "anon_inode:[pidfd]", or "pidfd:[N]" since Linux 6.9 */
		if (!strstr(target, "pidfd"))
			continue;
		assert_in_range(count, 0, 15);
		copies[count] = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(entry->d_name), 0u);
		assert_true(copies[count] >= 0);
		count++;
	}
	closedir(dir);
	close(pidfd);
	return count;
}

static void wait_for_note(const struct fixture *fixture, const char *name, bool there)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", fixture->dir, name);
	for (int tries = 0; tries < 1000 && !access(path, F_OK) != there; tries++)
		usleep(10000);
	assert_int_equal(!access(path, F_OK), there);
}

static void an_end_is_believed_once_whoever_has_copies_of_its_descriptor(void **state)
{
	struct fixture *fixture = *state;
	int copies[16];
	char line[64];
	int connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);

	ask(connection, 'p', line);
	unsigned count = copy_pidfds(fixture, copies);
	assert_int_equal(count, 1);
	assert_int_equal(write(connection, "f", 1), 1);
	close(connection);
	wait_for_note(fixture, "slot-0.pid", false);
	/* What is left of that pidfd is readable for good; it says nothing about the slot's next connection. */
	connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);
	int device = atoi(ask(connection, 'p', line));
	for (int round = 0; round < 20; round++) {
		assert_int_equal(atoi(ask(connection, 's', line)), round);
		assert_int_equal(atoi(ask(connection, 'p', line)), device);
		usleep(2000);
	}
	close(connection);
	while (count)
		close(copies[--count]);
}

static void a_second_device_for_a_slot_is_killed(void **state)
{
	struct fixture *fixture = *state;
	char line[64];
	int status, connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);
	int device = atoi(ask(connection, 'p', line));
	pid_t second = fork();

	if (!second) {
		struct keeper_message rejoin = {.op = KEEPER_REJOIN, .slot = 0, .value = getpid()};
		int socket = connect_to(fixture, "keeper.sock", SOCK_SEQPACKET);
		seqpacket_send(socket, &rejoin, sizeof(rejoin), NULL, 0);
		usleep(20000000);
		_exit(0);
	}
	assert_int_equal(waitpid(second, &status, 0), second);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(atoi(ask(connection, 's', line)), 0);
	assert_int_equal(atoi(ask(connection, 'p', line)), device);
	close(connection);
}

static void a_connection_that_cannot_be_noted_is_refused(void **state)
{
	struct fixture *fixture = *state;
	char path[128], byte;

	snprintf(path, sizeof(path), "%s/slot-0.pid", fixture->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	int connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);
	assert_int_equal(read(connection, &byte, 1), 0);
	close(connection);
	assert_int_equal(rmdir(path), 0);
	/* And is served when there is room again; the refused one may still be on its way out. */
	for (int tries = 0;; tries++) {
		connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);
		struct pollfd ready = {.fd = connection, .events = POLLIN};
		assert_int_equal(write(connection, "p", 1), 1);
		assert_int_equal(poll(&ready, 1, 10000), 1);
		if (read(connection, &byte, 1) == 1)
			break;
		close(connection);
		assert_in_range(tries, 0, 99);
		usleep(10000);
	}
	close(connection);
}

static void a_device_that_comes_back_too_late_loses_its_connection(void **state)
{
	struct fixture *fixture = *state;
	char line[64], note[128], byte;
	int connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);
	pid_t device = atoi(ask(connection, 'p', line));

	/* The keeper that starts anew does not know of it, and opens its doors with pages of its own. */
	kill(device, SIGSTOP);
	snprintf(note, sizeof(note), "%s/slot-0.pid", fixture->dir);
	assert_int_equal(unlink(note), 0);
	kill(fixture->keeper, SIGKILL);
	waitpid(fixture->keeper, NULL, 0);
	start_keeper(fixture);
	int other = connect_to(fixture, "direct.sock", SOCK_STREAM);
	ask(other, 'p', line);
	kill(device, SIGCONT);
	struct pollfd ready = {.fd = connection, .events = POLLIN};
	assert_int_equal(poll(&ready, 1, 20000), 1);
	assert_int_equal(read(connection, &byte, 1), 0);
	assert_int_equal(atoi(ask(other, 's', line)), 0);
	close(other);
	close(connection);
}

/* The keeper's table of descriptors is full for a moment, at the one when its device dies. */
static void lacks(struct fixture *fixture, unsigned descriptors)
{
	struct rlimit former, low;
	char line[64];
	int connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);
	struct pollfd ended = {.fd = connection, .events = POLLIN};
	pid_t device = atoi(ask(connection, 'p', line));

	assert_string_equal(ask(connection, 's', line), "0");
	assert_int_equal(prlimit(fixture->keeper, RLIMIT_NOFILE, NULL, &former), 0);
	low = former;
	low.rlim_cur = descriptors;
	assert_int_equal(prlimit(fixture->keeper, RLIMIT_NOFILE, &low, NULL), 0);
	assert_int_equal(kill(device, SIGKILL), 0);
	/* Longer than twenty tries without a pause would take. */
	assert_int_equal(poll(&ended, 1, 700), 0);
	assert_int_equal(prlimit(fixture->keeper, RLIMIT_NOFILE, &former, NULL), 0);
	assert_string_equal(ask(connection, 's', line), "1");
	assert_int_not_equal(atoi(ask(connection, 'p', line)), device);
	/* The next death is one as any other. */
	usleep(60000);
	kill(atoi(line), SIGKILL);
	assert_string_equal(ask(connection, 's', line), "2");
	close(connection);
}

static void a_shortage_of_descriptors_does_not_cost_the_connection(void **state)
{
	lacks(*state, 3);
}

/* The keeper has as many as it needs, but its child does not (process.c). */
static void a_shortage_in_the_child_does_not_cost_the_connection(void **state)
{
	lacks(*state, 64);
}

static void a_slot_without_a_device_process_can_be_stopped(void **state)
{
	struct fixture *fixture = *state;
	struct rlimit former, low;
	char line[64];
	int connection = connect_to(fixture, "vfio-user.sock", SOCK_STREAM);
	int manager = connect_to(fixture, "keeper.sock", SOCK_SEQPACKET);
	struct keeper_message message = {.op = KEEPER_MANAGE};
	pid_t device = atoi(ask(connection, 'p', line));

	seqpacket_send(manager, &message, sizeof(message), NULL, 0);
	assert_int_equal(prlimit(fixture->keeper, RLIMIT_NOFILE, NULL, &former), 0);
	low = former;
	low.rlim_cur = 3;
	assert_int_equal(prlimit(fixture->keeper, RLIMIT_NOFILE, &low, NULL), 0);
	assert_int_equal(kill(device, SIGKILL), 0);
	usleep(50000);
	message.op = KEEPER_STOP;
	seqpacket_send(manager, &message, sizeof(message), NULL, 0);
	assert_int_equal(waitpid(fixture->keeper, NULL, 0), fixture->keeper);
	close(manager);
	close(connection);
	start_keeper(fixture);	/* for the teardown */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_killed_device_is_replaced_and_keeps_its_connection_and_memory),
		TEST(a_device_that_cannot_live_is_given_up),
		TEST(slots_have_memory_of_their_own),
		TEST(a_second_vm_and_too_many_clients_are_turned_away),
		TEST(an_engine_is_started_once_and_its_death_is_told),
		TEST(engines_share_a_compile_helper_and_one_that_died_is_replaced),
		TEST(a_program_that_is_no_helper_is_not_tried_for_ever),
		TEST(an_engine_survives_its_device_and_ends_with_the_connection),
		TEST(a_killed_keeper_is_rebuilt_from_its_device),
		TEST(two_keepers_are_one),
		TEST(an_end_is_believed_once_whoever_has_copies_of_its_descriptor),
		TEST(a_second_device_for_a_slot_is_killed),
		TEST(a_connection_that_cannot_be_noted_is_refused),
		TEST(a_device_that_comes_back_too_late_loses_its_connection),
		TEST(a_shortage_of_descriptors_does_not_cost_the_connection),
		TEST(a_shortage_in_the_child_does_not_cost_the_connection),
		TEST(a_slot_without_a_device_process_can_be_stopped),
		TEST(the_manager_learns_of_everything),
		TEST(a_replacement_that_cannot_live_is_undone),
		TEST(a_replacement_too_old_for_the_state_is_undone_after_one_try),
		TEST(a_damaged_state_costs_the_connection_at_once),
		TEST(a_replacement_outlives_the_keeper),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
