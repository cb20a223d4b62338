/* SPDX-License-Identifier: MIT */
/* Engines that end for want of work: believed as far as that goes, succeeded when the guest wants something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/vgpu-qemu/virtio_gpu/fakes.h"

#define MEMORY(id) WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, id)
#define LIMIT (32ull << 20)
#define AT (8ull << 20)
#define BYTES (1ull << 20)
#define OK VIRTIO_GPU_RESP_OK_NODATA
#define DEFERRED 0u
#define IDLE_MS 50u
#define PAST_NS 10000000000ull
#define CHECKPOINT(slot) KEEPER_TAG(KEEPER_FD_ENGINE_CHECKPOINT, slot)

static int begin(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));

	rig_begin(rig, NULL, 0, LIMIT, 8);
	rig->wiring.limits.engine_idle_ms = IDLE_MS;
	rig_take_over(rig);
	*state = rig;
	return 0;
}

static int end(void **state)
{
	rig_end(*state);
	free(*state);
	return 0;
}

static struct gpu_context *context_of(struct rig *rig, uint32_t slot)
{
	return &rig->wiring.state->context[slot];
}

static void give_checkpoint(struct rig *rig, uint32_t slot)
{
	keeper_link_store(&rig->keeper, CHECKPOINT(slot), memfd_create("checkpoint", MFD_CLOEXEC));
}

/* A running engine that has been told after how long it may retire, and has lived longer. */
static uint32_t running(struct rig *rig)
{
	uint32_t slot = rig_context_running(rig, 1, 0);
	struct engine_message message;
	bool told = false;

	/* The keeper's STARTED brings it along; here it comes late, so the engine is attached anew. */
	give_checkpoint(rig, slot);
	rig_take_over(rig);
	while (rig_engine_receive(rig, slot, &message))
		told |= message.op == ENGINE_RETIRE_AFTER && message.value == IDLE_MS;
	assert_true(told);
	context_of(rig, slot)->engine_since_ns -= PAST_NS;
	return slot;
}

static void move_tail(struct rig *rig, uint32_t tail)
{
	assert_int_equal(pwrite(rig->wiring.aperture_fd, &tail, sizeof(tail), WIRE_OFFSET_SHIM_PAGE), sizeof(tail));
}

static uint32_t engine_state(struct rig *rig)
{
	struct wire_engine_page page;

	assert_int_equal(pread(rig->wiring.aperture_fd, &page, sizeof(page), WIRE_OFFSET_ENGINE_PAGE), sizeof(page));
	return page.engine_state;
}

static void say_retire(struct rig *rig, uint32_t slot)
{
	rig_engine_send(rig, slot, ENGINE_RETIRE, 0, 0, 0);
	rig_run(rig, 0);
}

static uint32_t retired(struct rig *rig)
{
	uint32_t slot = running(rig);

	say_retire(rig, slot);
	assert_int_equal(context_of(rig, slot)->engine, GPU_ENGINE_RETIRING);
	rig_engine_die(rig, slot, 0);
	assert_int_equal(context_of(rig, slot)->engine, GPU_ENGINE_RETIRED);
	return slot;
}

/* The tick comes with the loop. */
static void tick(struct rig *rig)
{
	rig_run(rig, 400);
}

static void an_engine_that_retires_sees_its_end_and_is_no_loss(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = running(rig);
	struct engine_message message;
	char byte;

	say_retire(rig, slot);
	/* Not killed: its channel ends, and it goes by itself. */
	assert_false(rig->keeper.kill_wanted[slot]);
	while (rig_engine_receive(rig, slot, &message))
		;
	assert_int_equal(recv(rig->keeper.engine[slot].channel, &byte, 1, MSG_DONTWAIT), 0);
	rig_engine_die(rig, slot, 0);
	tick(rig);
	assert_int_equal(context_of(rig, slot)->engine, GPU_ENGINE_RETIRED);
	assert_int_not_equal(engine_state(rig), WIRE_ENGINE_LOST);
	assert_int_equal(rig->keeper.strikes, 0);
	assert_int_equal(rig->keeper.starts, 1);
	assert_true(keeper_link_fd(&rig->keeper, CHECKPOINT(slot)) >= 0);
	/* Nothing can come by itself: whoever waits looks again. */
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), OK);
}

static void a_doorbell_starts_a_successor_if_there_is_work(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = retired(rig);
	struct engine_message message;
	bool mapped = false, ringed = false;

	assert_int_equal(rig_blob_create(rig, 1, 2, MEMORY(2), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 2, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_DOORBELL, 0, 0), OK);
	assert_int_equal(rig->keeper.starts, 1);	/* the ring is empty */
	move_tail(rig, 64);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_DOORBELL, 0, 0), OK);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_DOORBELL, 0, 0), OK);
	assert_int_equal(rig->keeper.starts, 2);
	assert_true(rig->keeper.start_again[slot]);
	assert_int_equal(rig_submit(rig, 3, 1, WIRE_SUBMIT_WAKE, 0, 0), DEFERRED);
	rig_engine_start(rig, slot);
	while (rig_engine_receive(rig, slot, &message)) {
		mapped |= message.op == ENGINE_MAP && message.blob_id == MEMORY(2);
		ringed |= message.op == ENGINE_RING;
	}
	assert_true(mapped && ringed);
	assert_int_equal(context_of(rig, slot)->engine, GPU_ENGINE_RUNNING);
	rig_engine_complete(rig, slot);
	rig_run(rig, 0);
	assert_int_equal(rig->control.completions[3], 1);
	/* One that crashes is a loss as any. */
	rig_engine_die(rig, slot, SIGSEGV);
	assert_int_equal(engine_state(rig), WIRE_ENGINE_LOST);
	assert_int_equal(keeper_link_fd(&rig->keeper, CHECKPOINT(slot)), -1);
	move_tail(rig, 128);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_DOORBELL, 0, 0), OK);
	tick(rig);
	assert_int_equal(rig->keeper.starts, 2);
}

static void a_doorbell_that_reached_nobody_is_made_good(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = running(rig);

	say_retire(rig, slot);
	move_tail(rig, 64);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_DOORBELL, 0, 0), OK);
	assert_int_equal(rig->keeper.starts, 1);
	rig_engine_die(rig, slot, 0);
	/* Not before the keeper knows that the death has been acted on. */
	assert_int_equal(rig->keeper.starts, 1);
	tick(rig);
	assert_int_equal(rig->keeper.starts, 2);
	assert_true(rig->keeper.start_again[slot]);
	/* Asked for again by the next process, in the same way. */
	rig->keeper.start_again[slot] = false;
	rig_take_over(rig);
	assert_int_equal(rig->keeper.starts, 3);
	assert_true(rig->keeper.start_again[slot]);
}

static void who_retires_before_its_time_is_lost(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = running(rig);

	context_of(rig, slot)->engine_since_ns += PAST_NS;	/* it has just begun */
	say_retire(rig, slot);
	assert_int_equal(rig->keeper.strikes, 1);
	assert_true(rig->keeper.kill_wanted[slot]);
	rig_engine_die(rig, slot, SIGKILL);
	assert_int_equal(engine_state(rig), WIRE_ENGINE_LOST);
}

static void nobody_retires_who_may_not(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = rig_context_running(rig, 1, 0);	/* no checkpoint is kept */
	struct engine_message message;

	while (rig_engine_receive(rig, slot, &message))
		assert_int_not_equal(message.op, ENGINE_RETIRE_AFTER);
	context_of(rig, slot)->engine_since_ns -= PAST_NS;
	say_retire(rig, slot);
	assert_true(rig->keeper.kill_wanted[slot]);
	rig_engine_die(rig, slot, SIGKILL);
	assert_int_equal(engine_state(rig), WIRE_ENGINE_LOST);
}

static void a_shim_of_version_1_keeps_its_engine(void **state)
{
	struct rig *rig = *state;
	struct engine_message message;

	assert_int_equal(rig_context_create(rig, 1), OK);
	assert_int_equal(rig_blob_create(rig, 1, 1, WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1), WIRE_RING_BLOB_BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 1, 0), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_SETUP, 1, WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1)), OK);
	uint32_t slot = rig_slot_of(rig, 1);
	give_checkpoint(rig, slot);
	rig_engine_start(rig, slot);
	while (rig_engine_receive(rig, slot, &message))
		assert_int_not_equal(message.op, ENGINE_RETIRE_AFTER);
}

static void who_says_so_and_stays_is_killed(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = running(rig);

	say_retire(rig, slot);
	tick(rig);
	assert_false(rig->keeper.kill_wanted[slot]);
	context_of(rig, slot)->engine_since_ns -= PAST_NS;
	tick(rig);
	assert_true(rig->keeper.kill_wanted[slot]);
	rig_engine_die(rig, slot, SIGKILL);
	assert_int_equal(context_of(rig, slot)->engine, GPU_ENGINE_RETIRED);
}

static void a_takeover_finds_it_on_its_way(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = running(rig);

	/* RETIRE was said while nobody listened. */
	rig_engine_send(rig, slot, ENGINE_RETIRE, 0, 0, 0);
	rig_take_over(rig);
	rig_run(rig, 0);
	assert_int_equal(context_of(rig, slot)->engine, GPU_ENGINE_RETIRING);
	rig_take_over(rig);
	assert_true(rig->keeper.kill_wanted[slot]);
	move_tail(rig, 64);
	/* Its death was acted on by a process that did not live to say so: told again, it is not taken for a successor's. */
	context_of(rig, slot)->engine = GPU_ENGINE_RETIRED;
	context_of(rig, slot)->is_rebuilt = 1;
	rig_take_over(rig);
	tick(rig);
	assert_int_equal(rig_submit(rig, 0, 1, WIRE_SUBMIT_DOORBELL, 0, 0), OK);
	assert_int_equal(rig->keeper.starts, 1);
	rig_engine_die(rig, slot, 0);
	tick(rig);
	assert_int_equal(rig->keeper.starts, 2);
	assert_int_equal(context_of(rig, slot)->engine, GPU_ENGINE_STARTING);
}

static void what_is_dropped_meanwhile_is_gone_at_once(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = running(rig);

	assert_int_equal(rig_blob_create(rig, 1, 2, MEMORY(2), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 2, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	/* Wanted back from an engine that retires: when that is dead. */
	say_retire(rig, slot);
	assert_int_equal(rig_unref(rig, 7, 2), DEFERRED);
	assert_int_equal(rig_charged(rig), BYTES);
	rig_engine_die(rig, slot, 0);
	assert_int_equal(rig->control.completions[7], 1);
	assert_int_equal(rig_charged(rig), 0);
	assert_int_equal(rig_blob_create(rig, 1, 3, MEMORY(3), BYTES), OK);
	assert_int_equal(rig_map(rig, 0, 3, AT), VIRTIO_GPU_RESP_OK_MAP_INFO);
	assert_int_equal(rig_unref(rig, 8, 3), OK);
	assert_int_equal(rig_charged(rig), 0);
}

/* The next context in that slot must not find another's. */
static void a_context_without_an_engine_takes_its_checkpoint_along(void **state)
{
	struct rig *rig = *state;
	uint32_t slot = retired(rig);

	assert_int_equal(rig_context_destroy(rig, 1), OK);
	assert_int_equal(context_of(rig, slot)->use, GPU_CONTEXT_FREE);
	assert_int_equal(keeper_link_fd(&rig->keeper, CHECKPOINT(slot)), -1);
	assert_int_equal(rig_unref(rig, 7, 1001), OK);
	assert_true(virtio_gpu_idle(rig->gpu));
	assert_int_equal(rig_context_running(rig, 2, AT), slot);
	assert_false(rig->keeper.start_again[slot]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
		T(an_engine_that_retires_sees_its_end_and_is_no_loss),
		T(a_doorbell_starts_a_successor_if_there_is_work),
		T(a_doorbell_that_reached_nobody_is_made_good),
		T(who_retires_before_its_time_is_lost),
		T(nobody_retires_who_may_not),
		T(a_shim_of_version_1_keeps_its_engine),
		T(who_says_so_and_stays_is_killed),
		T(a_takeover_finds_it_on_its_way),
		T(what_is_dropped_meanwhile_is_gone_at_once),
		T(a_context_without_an_engine_takes_its_checkpoint_along),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
