/* SPDX-License-Identifier: MIT */
/*
 * The device process is killed, at labelled instants and at random ones, and replaced, also by the next build:
 * no request is lost or answered twice, no virtqueue element is lost or counted twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/keeper/keeper_protocol.h"
#include "tests/vgpu-qemu/fake_gpu.h"
#include "tests/vgpu-qemu/rig.h"
#include "vgpu-qemu/device.h"
#include "vgpu-qemu/vfio_user/protocol.h"

/* Every instant that has a label, and how often a session passes it at least. */
static const char *const labels[] = {
	"stored",  "logged",	"consumed", "execute", "executed", "reply-logged", "piped",	"in-pipe",    "sent",
	"none",	   "sending-fd", "fd-sent",  "record",	"taken",    "handled",	    "done",	"published",  "done-freed",
	"reset",   "begun",	"recovered",
};

static void attach_interrupt(struct rig *rig, int event)
{
	struct vfio_user_irq_set set = {20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 2, 1, 1};
	struct rig_reply reply;

	assert_true(rig_request(rig, VFIO_USER_DEVICE_SET_IRQS, &set, sizeof(set), &event, 1, &reply));
	assert_int_equal(reply.error, 0);
}

static void get_aperture(struct rig *rig)
{
	struct vfio_user_region_info info = {.argsz = 64, .index = 2};
	struct rig_reply reply;

	assert_true(rig_request(rig, VFIO_USER_DEVICE_GET_REGION_INFO, &info, sizeof(info), NULL, 0, &reply));
	assert_int_equal(reply.error, 0);
	assert_true(reply.fd >= 0);
	close(reply.fd);
}

/* All a client does, with every result checked. elements: submitted one by one. */
static void session(struct rig *rig, unsigned elements)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct vfio_user_dma_unmap unmap = {24, 0, RIG_RAM_ADDRESS, RIG_RAM_BYTES};
	struct rig_reply reply;
	uint64_t count;

	rig_version(rig);
	get_aperture(rig);
	rig_map_ram(rig);
	assert_true(rig_request(rig, VFIO_USER_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0, &reply));
	assert_int_equal(reply.error, 0);
	rig_map_ram(rig);
	assert_true(rig_request(rig, VFIO_USER_DEVICE_RESET, NULL, 0, NULL, 0, &reply));
	assert_int_equal(reply.error, 0);
	rig_driver_start(rig);
	rig_write(rig, 0, 0x16, 0, 2);
	rig_write(rig, 0, 0x1a, 1, 2);
	attach_interrupt(rig, event);
	for (unsigned i = 0; i < elements; i++) {
		const struct fake_gpu_response *response = rig_response(rig, i % 8);
		unsigned slot = i % 8;
		struct pollfd p = {.fd = event, .events = POLLIN};

		rig_submit(rig, slot, FAKE_GPU_ECHO);
		rig_doorbell(rig);
		assert_int_equal(rig_wait_used(rig, (uint16_t)(i + 1)), (uint16_t)(i + 1));
		assert_int_equal(response->echo[0], FAKE_GPU_ECHO);
		assert_int_equal(response->handled, i + 1);
		assert_int_equal(response->last_attempt, 0);
		for (unsigned wait = 0; wait < 2000 && poll(&p, 1, 1) != 1; wait++)
			rig_pump(rig);
		assert_int_equal(read(event, &count, sizeof(count)), sizeof(count));
	}
	assert_true(rig_quiet(rig));
	close(event);
}

static void killed_at_every_label_nothing_is_lost(void **state)
{
	unsigned killed = 0;

	(void)state;
	for (unsigned l = 0; l < sizeof(labels) / sizeof(labels[0]); l++) {
		for (unsigned n = 1; n <= 29; n += n < 3 ? 1 : 13) {
			struct rig *rig = rig_create();
			char kill_at[64];

			snprintf(kill_at, sizeof(kill_at), "%s:%u", labels[l], n);
			rig->kill_at = kill_at;
			rig->kill_starts = 1;
			rig_start(rig);
			session(rig, 12);
			if (n == 1 && rig->starts != 2)
				fail_msg("the process was not killed at %s", kill_at);
			killed += rig->starts - 1;
			rig_destroy(rig);
		}
	}
	print_message("%u kills at %zu labels\n", killed, sizeof(labels) / sizeof(labels[0]));
}

/* The same instant hits every process that takes over: progress is made all the same, or the client told. */
static void killed_at_the_same_label_again(void **state)
{
	static const char *const early[] = {"stored", "logged", "consumed", "reply-logged", "piped", "in-pipe", "sent", "none"};

	(void)state;
	for (unsigned l = 0; l < sizeof(early) / sizeof(early[0]); l++) {
		struct rig *rig = rig_create();
		char kill_at[64];

		snprintf(kill_at, sizeof(kill_at), "%s:2", early[l]);
		rig->kill_at = kill_at;
		rig->kill_starts = 10;
		rig_start(rig);
		session(rig, 4);
		assert_int_equal(rig->starts, 11);
		rig_destroy(rig);
	}
}

static void killed_at_random_nothing_is_lost(void **state)
{
	struct rig *rig = rig_create();
	pid_t killer;
	int tell[2];
	uint64_t before_us;

	(void)state;
	/* A child kills whatever process it is told of, after a random time. */
	assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
	killer = fork();
	if (!killer) {
		pid_t victim = 0;

		close(tell[1]);
		srand(4);
		while (read(tell[0], &victim, sizeof(victim)) == (ssize_t)sizeof(victim)) {
			usleep((useconds_t)(rand() % 3000));
			kill(victim, SIGKILL);
		}
		_exit(0);
	}
	close(tell[0]);
	rig_start(rig);
	before_us = rig_now_us();
	rig_version(rig);
	rig_map_ram(rig);
	rig_driver_start(rig);
	pid_t told = 0;
	/* The kills come by the clock: on a quick machine it takes more elements to meet enough of them. */
	unsigned i;
	for (i = 0; i < 3000 || (rig->starts <= 50 && i < 60000); i++) {
		const struct fake_gpu_response *response = rig_response(rig, i % 8);

		if (told != rig->device) {
			told = rig->device;
			assert_int_equal(write(tell[1], &told, sizeof(told)), sizeof(told));
		}
		rig_submit(rig, i % 8, FAKE_GPU_ECHO);
		rig_doorbell(rig);
		assert_int_equal(rig_wait_used(rig, (uint16_t)(i + 1)), (uint16_t)(i + 1));
		if (response->last_attempt)
			fail_msg("element %u was given up though it killed nobody", i);
		assert_int_equal(response->handled, i + 1);
	}
	close(tell[1]);
	waitpid(killer, NULL, 0);
	assert_true(rig_quiet(rig));
	assert_true(rig->starts > 50);
	print_message("%u random kills, %u elements in %llu ms\n", rig->starts - 1, i,
		      (unsigned long long)(rig_now_us() - before_us) / 1000);
	rig_destroy(rig);
}

static void element_that_kills_twice_is_answered_with_an_error(void **state)
{
	struct rig *rig = rig_create();
	const struct fake_gpu_response *response;

	(void)state;
	rig_start(rig);
	rig_version(rig);
	rig_map_ram(rig);
	rig_driver_start(rig);
	rig_submit(rig, 0, FAKE_GPU_DIE);
	rig_submit(rig, 1, FAKE_GPU_ECHO);
	rig_doorbell(rig);
	assert_int_equal(rig_wait_used(rig, 2), 2);
	assert_int_equal(rig->starts, 3);
	response = rig_response(rig, 0);
	assert_int_equal(response->last_attempt, 1);
	response = rig_response(rig, 1);
	assert_int_equal(response->last_attempt, 0);
	assert_int_equal(response->handled, 2);
	rig_destroy(rig);
}

static void request_that_kills_twice_is_answered_with_an_error(void **state)
{
	struct rig *rig = rig_create();
	struct rig_reply reply;

	(void)state;
	rig->kill_at = "execute:1";
	rig->kill_starts = 2;
	rig_start(rig);
	assert_true(rig_request(rig, VFIO_USER_VERSION, "\0\0\0\0", 4, NULL, 0, &reply));
	assert_int_equal(reply.error, EIO);
	assert_int_equal(rig->starts, 3);
	rig_version(rig);
	assert_int_equal(rig->starts, 3);
	rig_destroy(rig);
}

static void deferred_element_outlives_its_process(void **state)
{
	struct rig *rig = rig_create();

	(void)state;
	rig_start(rig);
	rig_version(rig);
	rig_map_ram(rig);
	rig_driver_start(rig);
	rig_submit(rig, 0, FAKE_GPU_DEFER);
	rig_submit(rig, 1, FAKE_GPU_ECHO);
	rig_doorbell(rig);
	assert_int_equal(rig_wait_used(rig, 1), 1);
	rig_kill(rig);
	rig_submit(rig, 2, FAKE_GPU_RELEASE);
	rig_doorbell(rig);
	assert_int_equal(rig_wait_used(rig, 3), 3);
	rig_destroy(rig);
}

static void next_build_takes_over_and_the_older_one_refuses(void **state)
{
	struct rig *rig = rig_create();

	(void)state;
	rig_start(rig);
	session(rig, 5);
	rig_use_program(rig, "vgpu-device-fake-next");
	rig_kill(rig);
	assert_int_equal(rig_read(rig, 0, 0x14, 1), 15);
	for (unsigned i = 5; i < 10; i++) {
		const struct fake_gpu_response *response = rig_response(rig, i % 8);

		rig_submit(rig, i % 8, FAKE_GPU_ECHO);
		rig_doorbell(rig);
		assert_int_equal(rig_wait_used(rig, (uint16_t)(i + 1)), i + 1);
		assert_int_equal(response->handled, i + 1);
		rig_kill(rig);
	}
	rig_use_program(rig, "vgpu-device-fake");
	rig_kill(rig);
	assert_true(rig_wait_exit(rig));
	assert_int_equal(rig->exit_status, DEVICE_EXIT_STATE_NEWER);
	/* Back to the build that knows it: the client has noticed nothing. */
	rig_use_program(rig, "vgpu-device-fake-next");
	rig_start(rig);
	assert_int_equal(rig_read(rig, 0, 0x14, 1), 15);
	assert_true(rig_quiet(rig));
	rig_destroy(rig);
}

static void damaged_page_is_refused(void **state)
{
	struct rig *rig = rig_create();
	const uint64_t nonsense = ~0ull;

	(void)state;
	rig_start(rig);
	rig_version(rig);
	assert_int_equal(pwrite(rig_stored(rig, KEEPER_TAG(KEEPER_FD_STATE, 0)), &nonsense, 8, 0), 8);
	rig_kill(rig);
	assert_true(rig_wait_exit(rig));
	assert_int_equal(rig->exit_status, DEVICE_EXIT_STATE_DAMAGED);
	rig_destroy(rig);
}

static void client_gone_while_no_process_runs(void **state)
{
	struct rig *rig = rig_create();

	(void)state;
	rig_start(rig);
	session(rig, 2);
	close(rig->client);
	rig->client = -1;
	rig_kill(rig);
	assert_true(rig_wait_exit(rig));
	assert_int_equal(rig->exit_status, DEVICE_EXIT_FINISHED);
	assert_true(rig->finished);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_at_every_label_nothing_is_lost),
		cmocka_unit_test(killed_at_the_same_label_again),
		cmocka_unit_test(killed_at_random_nothing_is_lost),
		cmocka_unit_test(element_that_kills_twice_is_answered_with_an_error),
		cmocka_unit_test(request_that_kills_twice_is_answered_with_an_error),
		cmocka_unit_test(deferred_element_outlives_its_process),
		cmocka_unit_test(next_build_takes_over_and_the_older_one_refuses),
		cmocka_unit_test(damaged_page_is_refused),
		cmocka_unit_test(client_gone_while_no_process_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
