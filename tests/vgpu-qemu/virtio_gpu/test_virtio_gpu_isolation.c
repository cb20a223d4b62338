/* SPDX-License-Identifier: MIT */
/*
 * Contexts of one guest against each other: the device's own code answers a hostile program in a real engine's jail
 * (tests/mdev/engine/jail_breaker.c), which holds the whole aperture's descriptor and wants another context's blob.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/keeper/keeper_protocol.h"
#include "tests/mdev/engine/jail_breaker.h"
#include "tests/vgpu-qemu/virtio_gpu/fakes.h"

#define MEMORY(id) WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, id)
#define LIMIT (32ull << 20)
#define RING_1 0ull
#define RING_2 (1ull << 20)
#define OWN (8ull << 20)
#define BYTES (1ull << 20)
#define OTHERS (OWN + BYTES)	/* right behind, so that growing reaches it */
#define UNUSED (24ull << 20)
#define SECRET 0x5ec2e7u
#define PATIENCE_MS 20000

struct cell {
	struct rig rig;
	uint32_t slot;			/* of context 1, the hostile one's */
	pid_t pid;
	struct breaker_page *page;
	uint8_t *aperture;
	char dir[64];
};

static void start_program(struct cell *cell, int page_fd)
{
	char path[PATH_MAX], scratch[96];
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 32);

	assert_true(length > 0);
	path[length] = 0;
	strcpy(strrchr(path, '/'), "/jail_breaker");
	snprintf(scratch, sizeof(scratch), "%s/scratch", cell->dir);
	cell->pid = fork();
	assert_true(cell->pid >= 0);
	if (cell->pid)
		return;
	const int from[3] = {cell->rig.keeper.engine[cell->slot].channel, page_fd, cell->rig.wiring.aperture_fd};
	const int to[3] = {ENGINE_FD_CHANNEL, BREAKER_FD_PAGE, ENGINE_FD_APERTURE};
	int high[3];
	for (int i = 0; i < 3; i++)
		high[i] = fcntl(from[i], F_DUPFD, 100);
	for (int i = 0; i < 3; i++)
		dup2(high[i], to[i]);
	execl(path, path, scratch, (char *)NULL);
	_exit(127);
}

static bool is_done(const struct cell *cell, uint32_t command)
{
	return atomic_load(&cell->page->done) == command;
}

/* The device serves until the command is done: its result. */
static int32_t finish(struct cell *cell, uint32_t command)
{
	for (int ms = 0; !is_done(cell, command); ms += 2) {
		if (ms > PATIENCE_MS || waitpid(cell->pid, NULL, WNOHANG))
			fail_msg("command %u is not done", command);
		rig_run(&cell->rig, 2);
	}
	int32_t result = cell->page->result;
	atomic_store(&cell->page->command, 0);
	atomic_store(&cell->page->done, 0);
	return result;
}

static void ask(struct cell *cell, uint32_t command)
{
	atomic_store(&cell->page->command, command);
}

static void ask_map(struct cell *cell, uint32_t command, uint64_t offset, uint64_t bytes, uint32_t flags)
{
	cell->page->offset = offset;
	cell->page->bytes = bytes;
	cell->page->flags = flags;
	cell->page->protection = PROT_READ | PROT_WRITE;
	cell->page->value = 42;
	ask(cell, command);
}

static int32_t map(struct cell *cell, uint64_t offset, uint64_t bytes, uint32_t flags)
{
	ask_map(cell, BREAKER_MAP, offset, bytes, flags);
	return finish(cell, BREAKER_MAP);
}

static uint32_t word_at(const struct cell *cell, uint64_t offset)
{
	uint32_t word;

	memcpy(&word, cell->aperture + offset, sizeof(word));
	return word;
}

static int begin(void **state)
{
	struct cell *cell = calloc(1, sizeof(*cell));
	struct rig *rig = &cell->rig;
	const uint32_t secret = SECRET;
	int page_fd = memfd_create("page", MFD_CLOEXEC);

	*state = cell;
	rig_begin(rig, NULL, 0, LIMIT, 8);
	/* As mdev/keeper/slot.c makes it. */
	assert_int_equal(fchmod(rig->wiring.aperture_fd, 0600), 0);
	cell->aperture = rig_aperture_map(rig);
	assert_int_equal(ftruncate(page_fd, 4096), 0);
	cell->page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
	strcpy(cell->dir, "/tmp/vgpu-isolation-XXXXXX");
	assert_non_null(mkdtemp(cell->dir));
	assert_int_equal(chmod(cell->dir, 0711), 0);
	cell->slot = rig_context_running(rig, 1, RING_1);
	rig_context_running(rig, 2, RING_2);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), BYTES), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_map(rig, 0, 1, OWN), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_blob_create(rig, 2, 2, MEMORY(1), BYTES), VIRTIO_GPU_RESP_OK_NODATA);
	assert_int_equal(rig_map(rig, 0, 2, OTHERS), VIRTIO_GPU_RESP_OK_MAP_INFO);
	memcpy(cell->aperture + OTHERS, &secret, sizeof(secret));
	start_program(cell, page_fd);
	close(page_fd);
	if (!finish(cell, BREAKER_START))
		fail_msg("this host has no seccomp listeners: contexts of one guest cannot be isolated here");
	return 0;
}

static int end(void **state)
{
	struct cell *cell = *state;
	char command[128];

	kill(cell->pid, SIGKILL);
	waitpid(cell->pid, NULL, 0);
	rig_aperture_unmap(cell->aperture);
	munmap(cell->page, 4096);
	rig_end(&cell->rig);
	snprintf(command, sizeof(command), "rm -rf %s", cell->dir);
	assert_int_equal(system(command), 0);
	free(cell);
	return 0;
}

static void its_own_blob_and_ring_map(void **state)
{
	struct cell *cell = *state;

	assert_int_equal(map(cell, OWN, BYTES, MAP_SHARED), 0);
	assert_int_equal(cell->page->value, 42);
	assert_int_equal(word_at(cell, OWN), 42);
	assert_int_equal(map(cell, RING_1, WIRE_RING_BLOB_BYTES, MAP_SHARED), 0);
	/* A fork's child asks the same device. */
	ask_map(cell, BREAKER_MAP_IN_CHILD, OWN, BYTES, MAP_SHARED);
	assert_int_equal(finish(cell, BREAKER_MAP_IN_CHILD), 0);
	assert_int_equal(cell->rig.keeper.strikes, 0);
}

static void anything_else_is_refused_and_a_strike(void **state)
{
	struct cell *cell = *state;
	static const struct {
		uint64_t offset, bytes;
		uint32_t flags;
	} wrong[] = {
		{OTHERS, BYTES, MAP_SHARED},		{OTHERS, BYTES, MAP_PRIVATE},
		{RING_2, WIRE_RING_BLOB_BYTES, MAP_SHARED}, {OWN, 2 * BYTES, MAP_SHARED},
		{OWN, BYTES + 1, MAP_SHARED},		{OWN, BYTES, MAP_PRIVATE},
		{OWN, 4096, MAP_SHARED},		{OWN + 4096, BYTES, MAP_SHARED},
		{0, RIG_APERTURE_BYTES, MAP_SHARED},	{UNUSED, BYTES, MAP_SHARED},
	};
	unsigned strikes = 0;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(map(cell, wrong[i].offset, wrong[i].bytes, wrong[i].flags), -EPERM);
		assert_int_equal(cell->rig.keeper.strikes, ++strikes);
	}
	assert_non_null(strstr(cell->rig.keeper.strike, "no blob of its own"));
	ask_map(cell, BREAKER_MAP_HIGH, OTHERS, BYTES, MAP_SHARED);
	assert_int_equal(finish(cell, BREAKER_MAP_HIGH), -EPERM);
	ask_map(cell, BREAKER_MAP_IN_CHILD, OTHERS, BYTES, MAP_SHARED);
	assert_int_equal(finish(cell, BREAKER_MAP_IN_CHILD), -EPERM);
	assert_int_equal(cell->rig.keeper.strikes, strikes + 2);
	assert_int_equal(word_at(cell, OTHERS), SECRET);
	/* It lives, and what is its own still maps. */
	assert_int_equal(map(cell, OWN, BYTES, MAP_SHARED), 0);
	assert_false(cell->rig.keeper.kill_wanted[cell->slot]);
	for (unsigned i = 0; i < 20; i++)
		if (!cell->rig.keeper.kill_wanted[cell->slot])
			assert_int_equal(map(cell, OTHERS, BYTES, MAP_SHARED), -EPERM);
	assert_true(cell->rig.keeper.kill_wanted[cell->slot]);
}

static void a_blob_that_is_to_be_let_go_does_not_map_any_more(void **state)
{
	struct cell *cell = *state;

	assert_int_equal(rig_unmap(&cell->rig, 1), VIRTIO_GPU_RESP_OK_NODATA);
	/* No strike: the engine may have been told of it before. */
	assert_int_equal(map(cell, OWN, BYTES, MAP_SHARED), -EPERM);
	assert_int_equal(cell->rig.keeper.strikes, 0);
}

static void a_mapping_does_not_grow(void **state)
{
	struct cell *cell = *state;

	assert_int_equal(map(cell, OWN, BYTES, MAP_SHARED), 0);
	cell->page->bytes = 2 * BYTES;
	ask(cell, BREAKER_GROW);
	assert_int_equal(finish(cell, BREAKER_GROW), -EPERM);
}

static void the_descriptor_serves_for_nothing_else(void **state)
{
	struct cell *cell = *state;

	static const uint32_t commands[] = {BREAKER_USE, BREAKER_COPY, BREAKER_REPLACE};

	assert_int_equal(map(cell, OWN, BYTES, MAP_SHARED), 0);
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		ask(cell, commands[i]);
		assert_int_equal(finish(cell, commands[i]), BREAKER_ALL_FAILED);
	}
	assert_int_equal(word_at(cell, OTHERS), SECRET);
}

static void it_cannot_be_opened_again_where_engines_have_users_of_their_own(void **state)
{
	struct cell *cell = *state;

	assert_int_equal(map(cell, OWN, BYTES, MAP_SHARED), 0);
	ask(cell, BREAKER_REOPEN);
	/* Without root the engine is the file's owner: docs/ARCHITECTURE.md names this gap, and this test its state. */
	assert_int_equal(finish(cell, BREAKER_REOPEN), geteuid() == 0 ? BREAKER_ALL_FAILED : 1);
}

static void sending_it_to_the_device_ends_the_engine(void **state)
{
	struct cell *cell = *state;

	ask(cell, BREAKER_SEND);
	assert_int_equal(finish(cell, BREAKER_SEND), 0);
	rig_run(&cell->rig, 100);
	assert_int_equal(cell->rig.keeper.strikes, 1);
	assert_true(cell->rig.keeper.kill_wanted[cell->slot]);
}

/* Nobody serves; the request is there for sure. */
static void wait_until_asked(struct cell *cell)
{
	struct pollfd asked = {
		.fd = keeper_link_fd(&cell->rig.keeper, KEEPER_TAG(KEEPER_FD_ENGINE_LISTENER, cell->slot)), .events = POLLIN};

	assert_int_equal(poll(&asked, 1, PATIENCE_MS), 1);
	assert_true(asked.revents & POLLIN);
	assert_false(is_done(cell, BREAKER_MAP));
}

static void a_request_waits_for_the_next_device(void **state)
{
	struct cell *cell = *state;

	for (unsigned round = 0; round < 3; round++) {
		ask_map(cell, BREAKER_MAP, OWN, BYTES, MAP_SHARED);
		wait_until_asked(cell);
		rig_take_over(&cell->rig);
		assert_int_equal(finish(cell, BREAKER_MAP), 0);
		ask_map(cell, BREAKER_MAP, OTHERS, BYTES, MAP_SHARED);
		wait_until_asked(cell);
		rig_take_over(&cell->rig);
		assert_int_equal(finish(cell, BREAKER_MAP), -EPERM);
	}
}

/* As if killed at each step between receiving and forgetting. */
static void a_request_that_a_dead_device_had_received_is_answered(void **state)
{
	struct cell *cell = *state;
	struct gpu_state *gpu = cell->rig.wiring.state;
	int listener = keeper_link_fd(&cell->rig.keeper, KEEPER_TAG(KEEPER_FD_ENGINE_LISTENER, cell->slot));

	for (unsigned round = 0; round < 4; round++) {
		bool right = round & 1, answered = round & 2;
		ask_map(cell, BREAKER_MAP, right ? OWN : OTHERS, BYTES, MAP_SHARED);
		wait_until_asked(cell);
		gpu->map_context = cell->slot;
		assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, gpu->map_request), 0);
		if (answered) {
			struct seccomp_notif asked;
			memcpy(&asked, gpu->map_request, sizeof(asked));
			struct seccomp_notif_resp response = {
				.id = asked.id,
				.error = right ? 0 : -EPERM,
				.flags = right ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0,
			};
			assert_int_equal(ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response), 0);
		}
		rig_take_over(&cell->rig);
		assert_int_equal(finish(cell, BREAKER_MAP), right ? 0 : -EPERM);
		assert_false(cell->rig.keeper.kill_wanted[cell->slot]);
	}
}

static void what_is_no_listener_is_not_taken_for_one(void **state)
{
	struct cell *cell = *state;
	struct engine_message message = {.op = ENGINE_LISTENER};

	/* Through context 2's fake engine; it then asks the one of context 1 for nothing. */
	uint32_t slot = rig_slot_of(&cell->rig, 2);
	rig_engine_send(&cell->rig, slot, message.op, 0, 0, 0);
	rig_run(&cell->rig, 100);
	assert_int_equal(cell->rig.keeper.strikes, 1);
	assert_true(cell->rig.keeper.kill_wanted[slot]);
	assert_int_equal(map(cell, OWN, BYTES, MAP_SHARED), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
		T(its_own_blob_and_ring_map),
		T(anything_else_is_refused_and_a_strike),
		T(a_blob_that_is_to_be_let_go_does_not_map_any_more),
		T(a_mapping_does_not_grow),
		T(the_descriptor_serves_for_nothing_else),
		T(it_cannot_be_opened_again_where_engines_have_users_of_their_own),
		T(sending_it_to_the_device_ends_the_engine),
		T(a_request_waits_for_the_next_device),
		T(a_request_that_a_dead_device_had_received_is_answered),
		T(what_is_no_listener_is_not_taken_for_one),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
