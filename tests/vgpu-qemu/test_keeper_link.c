/* SPDX-License-Identifier: MIT */
/* The keeper dies: the device goes on serving, starts another, and hands it everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "mdev/ipc/seqpacket.h"
#include "mdev/keeper/keeper_protocol.h"
#include "tests/vgpu-qemu/fake_gpu.h"
#include "tests/vgpu-qemu/rig.h"

#define SLOT 0u

static int listen_as_keeper(const struct rig *rig)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%.60s/keeper.sock", rig->dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* Reads up to REJOINED; counts the descriptors by kind. */
static void read_rejoin(int socket, unsigned kinds[64], unsigned *ret_stored)
{
	bool began = false;

	memset(kinds, 0, 64 * sizeof(kinds[0]));
	*ret_stored = 0;
	for (;;) {
		struct keeper_message message = {0};
		struct pollfd p = {.fd = socket, .events = POLLIN};
		int fds[SEQPACKET_FDS_MAX];
		unsigned count;

		assert_int_equal(poll(&p, 1, 3000), 1);
		assert_int_equal(seqpacket_receive(socket, &message, sizeof(message), false, fds, &count), sizeof(message));
		assert_int_equal(message.slot, SLOT);
		if (message.op == KEEPER_REJOINED)
			break;
		if (message.op == KEEPER_REJOIN) {
			assert_true(message.value > 1);
			began = true;
			continue;
		}
		assert_true(began);
		assert_int_equal(message.op, KEEPER_STORE);
		assert_int_equal(message.tag_count, count);
		for (unsigned i = 0; i < count; i++) {
			assert_true(KEEPER_TAG_KIND(message.tags[i]) < 64);
			kinds[KEEPER_TAG_KIND(message.tags[i])]++;
			(*ret_stored)++;
			close(fds[i]);
		}
	}
}

static void new_keeper_gets_every_descriptor(void **state)
{
	struct rig *rig = rig_create();
	unsigned kinds[64], stored, before;
	int listener, joined;

	(void)state;
	rig_start(rig);
	rig_version(rig);
	rig_map_ram(rig);
	rig_driver_start(rig);
	before = rig->store_count;
	for (unsigned round = 0; round < 3; round++) {
		char path[128];

		close(rig->keeper);
		rig->keeper = -1;
		/* Nobody listens yet: the guest notices nothing. */
		rig_submit(rig, 0, FAKE_GPU_ECHO);
		rig_doorbell(rig);
		assert_int_equal(rig_wait_used(rig, (uint16_t)(round + 1)), round + 1);
		usleep(50000);
		listener = listen_as_keeper(rig);
		joined = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		assert_true(joined >= 0);
		read_rejoin(joined, kinds, &stored);
		assert_int_equal(stored, before);
		assert_int_equal(kinds[KEEPER_FD_CONNECTION], 1);
		assert_int_equal(kinds[KEEPER_FD_STATE], 1);
		assert_int_equal(kinds[KEEPER_FD_DMA], 1);
		assert_int_equal(kinds[KEEPER_FD_PENDING], 0);
		rig->keeper = joined;
		close(listener);
		snprintf(path, sizeof(path), "%s/keeper.sock", rig->dir);
		unlink(path);
	}
	/* The link works as before: the end of the connection is reported to the new keeper. */
	close(rig->client);
	rig->client = -1;
	assert_true(rig_wait_exit(rig));
	assert_true(rig->finished);
	assert_int_equal(rig->exit_status, 0);
	rig_destroy(rig);
}

/* What the keeper says next; only that op is let through. */
static bool hear(int socket, uint32_t op, struct keeper_message *ret_message)
{
	for (;;) {
		struct pollfd p = {.fd = socket, .events = POLLIN};
		int fds[SEQPACKET_FDS_MAX];
		unsigned count;

		if (poll(&p, 1, 2000) != 1 ||
		    seqpacket_receive(socket, ret_message, sizeof(*ret_message), false, fds, &count) < (ssize_t)sizeof(*ret_message))
			return false;
		for (unsigned i = 0; i < count; i++)
			close(fds[i]);
		if (ret_message->op == op)
			return true;
	}
}

/* A keeper that takes every device and dismisses it at once is not overrun. */
static void a_link_that_does_not_last_is_made_ever_less_often(void **state)
{
	struct rig *rig = rig_create();
	unsigned kinds[64], stored, joins = 0;
	struct timespec began, now;
	int listener;

	(void)state;
	rig_start(rig);
	rig_version(rig);
	listener = listen_as_keeper(rig);
	close(rig->keeper);
	rig->keeper = -1;
	clock_gettime(CLOCK_MONOTONIC, &began);
	do {
		struct pollfd p = {.fd = listener, .events = POLLIN};

		if (poll(&p, 1, 100) == 1) {
			int joined = accept(listener, NULL, NULL);

			assert_true(joined >= 0);
			read_rejoin(joined, kinds, &stored);
			close(joined);
			joins++;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000 < 1500);
	/* 1, 1, 20, 40, 80, 160 ms and then 200 each: a dozen. */
	assert_in_range(joins, 4, 14);
	/* And it is not given up: one that lasts is heard. */
	rig->keeper = accept(listener, NULL, NULL);
	assert_true(rig->keeper >= 0);
	read_rejoin(rig->keeper, kinds, &stored);
	assert_true(stored > 0);
	close(listener);
	rig_destroy(rig);
}

static void an_engines_death_is_acknowledged(void **state)
{
	struct rig *rig = rig_create();
	struct keeper_message message = {.op = KEEPER_ENGINE_DIED, .context = 2, .value = 9};

	(void)state;
	rig_start(rig);
	rig_version(rig);
	assert_int_equal(seqpacket_send(rig->keeper, &message, sizeof(message), NULL, 0), 0);
	assert_true(hear(rig->keeper, KEEPER_DROP, &message));
	assert_int_equal(message.tag_count, 1);
	assert_int_equal(message.tags[0], KEEPER_TAG(KEEPER_FD_ENGINE_CHANNEL, 2));
	rig_destroy(rig);
}

/* programs.keeper is a script that notes which descriptors it was given. */
static void new_keeper_is_started_without_descriptors(void **state)
{
	struct rig *rig = rig_create();
	char path[128], script[128], note[128], text[512] = {0};
	FILE *file;

	(void)state;
	snprintf(script, sizeof(script), "%s/keeper", rig->dir);
	snprintf(note, sizeof(note), "%s/note", rig->dir);
	file = fopen(script, "w");
	assert_non_null(file);
	/* No pipe and no file of the script's own may be among them; several may run, as none of them serves. */
	fprintf(file, "#!/bin/sh\nfor f in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$f ] && readlink /proc/$$/fd/$f >>%s.$$; done\n"
		      "echo \"args $*\" >>%s.$$\n[ -e %s ] && rm %s.$$ || mv %s.$$ %s\n", note, note, note, note, note, note);
	fclose(file);
	assert_int_equal(chmod(script, 0755), 0);
	snprintf(path, sizeof(path), "%s/config.json", rig->dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "{\"schema\":1,\"name\":\"rig\",\"max_contexts\":4,\"slack_bytes\":0,\"programs\":{\"keeper\":\"%s\"}}", script);
	fclose(file);
	rig_start(rig);
	rig_version(rig);
	close(rig->keeper);
	rig->keeper = -1;
	for (unsigned i = 0; i < 300 && access(note, F_OK); i++)
		usleep(10000);
	file = fopen(note, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	snprintf(path, sizeof(path), "args --dir %s\n", rig->dir);
	assert_string_equal(text, path);
	unlink(note);
	unlink(script);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_keeper_gets_every_descriptor),
		cmocka_unit_test(new_keeper_is_started_without_descriptors),
		cmocka_unit_test(a_link_that_does_not_last_is_made_ever_less_often),
		cmocka_unit_test(an_engines_death_is_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
