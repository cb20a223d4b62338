/* SPDX-License-Identifier: MIT */
/* The ledger over two slots, the aperture's pages, the audit, ten thousand blobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/vgpu-qemu/virtio_gpu/fakes.h"

#define MEMORY(id) WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, id)
#define MIB (1ull << 20)
#define OK VIRTIO_GPU_RESP_OK_NODATA
#define MAPPED VIRTIO_GPU_RESP_OK_MAP_INFO

static uint64_t now_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void run_for(struct rig *rig, uint64_t ms)
{
	uint64_t end = now_ms(CLOCK_MONOTONIC) + ms;

	while (now_ms(CLOCK_MONOTONIC) < end)
		rig_run(rig, 20);
}

static void the_limit_holds_over_two_slots(void **state)
{
	struct rig *one = malloc(sizeof(*one));
	struct rig *two = malloc(sizeof(*two));

	(void)state;
	rig_begin(one, NULL, 0, 16 * MIB, 4);
	rig_begin(two, one->vgpu_page, 5, 0, 4);
	assert_int_equal(rig_context_create(one, 1), OK);
	assert_int_equal(rig_context_create(two, 1), OK);
	assert_int_equal(rig_blob_create(one, 1, 1, MEMORY(1), 10 * MIB), OK);
	assert_int_equal(rig_blob_create(two, 1, 1, MEMORY(1), 7 * MIB), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_int_equal(rig_charged(two), 0);
	assert_int_equal(rig_blob_create(two, 1, 1, MEMORY(1), 6 * MIB), OK);
	assert_int_equal(rig_blob_create(one, 1, 2, MEMORY(2), 4096), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	/* A refused one left nothing, also not for the next process. */
	rig_take_over(one);
	rig_take_over(two);
	assert_int_equal(rig_charged(one), 10 * MIB);
	assert_int_equal(rig_charged(two), 6 * MIB);
	assert_int_equal(rig_unref(two, 0, 1), OK);
	assert_int_equal(rig_blob_create(one, 1, 2, MEMORY(2), 6 * MIB), OK);
	/* The limit may be lowered while they stand: nothing breaks, nothing more is given. */
	one->vgpu_page->vram_limit_bytes = 4 * MIB;
	assert_int_equal(rig_blob_create(two, 1, 1, MEMORY(1), 4096), VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	assert_int_equal(rig_unref(one, 0, 1), OK);
	assert_int_equal(rig_unref(one, 0, 2), OK);
	assert_int_equal(rig_blob_create(two, 1, 1, MEMORY(1), 4 * MIB), OK);
	rig_end(two);
	rig_end(one);
	free(two);
	free(one);
}

static int begin(void **state)
{
	struct rig *rig = malloc(sizeof(*rig));

	rig_begin(rig, NULL, 0, 48 * MIB, 4);
	*state = rig;
	return 0;
}

static int end(void **state)
{
	rig_end(*state);
	free(*state);
	return 0;
}

static void a_range_handed_on_reads_zero(void **state)
{
	struct rig *rig = *state;
	uint8_t *aperture = rig_aperture_map(rig);

	assert_int_equal(rig_context_create(rig, 1), OK);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), 2 * MIB), OK);
		assert_int_equal(rig_map(rig, 0, 1, MIB), MAPPED);
		for (uint64_t i = 0; i < 2 * MIB; i++)
			if (aperture[MIB + i])
				fail_msg("byte %llu of round %u is not zero", (unsigned long long)i, round);
		memset(aperture + MIB, 0x11 + round, 2 * MIB);
		if (round)
			assert_int_equal(rig_unmap(rig, 1), OK);
		assert_int_equal(rig_unref(rig, 0, 1), OK);
		assert_int_equal(rig_blocks(rig), 0);
		/* What the guest leaves where it has no blob is not in the next blob either. */
		memset(aperture + MIB, 0x99, 4096);
	}
	rig_aperture_unmap(aperture);
}

static void pages_outside_blobs_are_taken_back_and_cost_a_strike(void **state)
{
	struct rig *rig = *state;
	uint8_t *aperture = rig_aperture_map(rig);

	assert_int_equal(rig_context_create(rig, 1), OK);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(rig_blob_create(rig, 1, 1 + i, MEMORY(1 + i), MIB), OK);
		assert_int_equal(rig_map(rig, 0, 1 + i, (2 + 4 * i) * MIB), MAPPED);
		memset(aperture + (2 + 4 * i) * MIB, 0x77, MIB);
	}
	run_for(rig, 400);
	assert_int_equal(rig->keeper.strikes, 0);
	assert_int_equal(rig->vgpu_page->slot[0].backing_bytes, 4 * MIB);
	/* Every page of the aperture. */
	for (uint64_t i = 0; i < RIG_APERTURE_BYTES; i += 4096)
		aperture[i] |= 1;
	assert_int_equal(rig_blocks(rig), RIG_APERTURE_BYTES);
	run_for(rig, 2500);	/* the longest that the audit sleeps, and a little */
	assert_int_equal(rig_blocks(rig), 4 * MIB);
	assert_int_equal(rig->keeper.strikes, 1);
	assert_non_null(strstr(rig->keeper.strike, "61440 KiB"));
	assert_int_equal(rig->vgpu_page->slot[0].punched_bytes, RIG_APERTURE_BYTES - 4 * MIB);
	assert_int_equal(rig->vgpu_page->slot[0].backing_bytes, 4 * MIB);
	for (uint32_t i = 0; i < 4; i++)	/* blobs are not touched */
		assert_int_equal(aperture[(3 + 4 * i) * MIB - 1], 0x77);
	/* On and on: strikes at most one a second. */
	for (unsigned round = 0; round < 15; round++) {
		memset(aperture + 40 * MIB, 1, 64 * 4096);
		run_for(rig, 100);
	}
	run_for(rig, 1200);
	assert_in_range(rig->keeper.strikes, 2, 4);
	assert_int_equal(rig_blocks(rig), 4 * MIB);
	rig_aperture_unmap(aperture);
}

/* The device's, in place of the C library's: a guest that writes while its pages are being taken. */
static struct {
	uint8_t *page;		/* touched after each punch */
	unsigned times;
} while_punching;

int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
	int status = (int)syscall(SYS_fallocate, fd, mode, offset, bytes);

	if (while_punching.times) {
		while_punching.times--;
		*(volatile uint8_t *)while_punching.page = 1;
	}
	return status;
}

static void pages_touched_behind_the_audit_are_taken_back_too(void **state)
{
	struct rig *rig = *state;
	uint8_t *aperture = rig_aperture_map(rig);

	for (unsigned i = 0; i < 8; i++)
		aperture[(4 + i) * MIB] = 1;
	while_punching.page = aperture;
	while_punching.times = 8;
	run_for(rig, 2500);
	assert_int_equal(while_punching.times, 0);
	assert_int_equal(rig_blocks(rig), 0);
	assert_int_equal(rig->vgpu_page->slot[0].backing_bytes, 0);
	assert_int_equal(rig->vgpu_page->slot[0].punched_bytes, 9 * 4096);
	rig_aperture_unmap(aperture);
}

static void strays_that_take_the_place_of_a_blob_are_found(void **state)
{
	struct rig *rig = *state;
	uint8_t *aperture = rig_aperture_map(rig);

	assert_int_equal(rig_context_create(rig, 1), OK);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), MIB), OK);
	assert_int_equal(rig_map(rig, 0, 1, MIB), MAPPED);
	memset(aperture + MIB, 1, MIB);
	run_for(rig, 600);
	assert_int_equal(rig->vgpu_page->slot[0].backing_bytes, MIB);
	/* As many pages as before, but none is paid for. */
	assert_int_equal(rig_unref(rig, 0, 1), OK);
	memset(aperture + 8 * MIB, 1, MIB);
	assert_int_equal(rig_charged(rig), 0);
	assert_int_equal(rig_blocks(rig), MIB);
	run_for(rig, 2500);
	assert_int_equal(rig_blocks(rig), 0);
	assert_int_equal(rig->keeper.strikes, 1);
	rig_aperture_unmap(aperture);
}

static void an_idle_device_costs_no_cpu(void **state)
{
	struct rig *rig = *state;
	unsigned events = 0;
	uint64_t end_ms;
	uint64_t cpu_ms;

	assert_int_equal(rig_context_create(rig, 1), OK);
	assert_int_equal(rig_blob_create(rig, 1, 1, MEMORY(1), MIB), OK);
	assert_int_equal(rig_map(rig, 0, 1, 0), MAPPED);
	run_for(rig, 4000);	/* into the longest interval */
	cpu_ms = now_ms(CLOCK_PROCESS_CPUTIME_ID);
	end_ms = now_ms(CLOCK_MONOTONIC) + 4000;
	while (now_ms(CLOCK_MONOTONIC) < end_ms) {
		struct epoll_event event;

		if (epoll_wait(rig->wiring.epoll_fd, &event, 1, 500) == 1) {
			events++;
			virtio_gpu_event(rig->gpu, event.data.u64, event.events);
		}
	}
	assert_in_range(events, 1, 3);
	assert_true(now_ms(CLOCK_PROCESS_CPUTIME_ID) - cpu_ms < 20);
}

static void ten_thousand_blobs_leave_nothing(void **state)
{
	struct rig *rig = *state;
	uint8_t *aperture = rig_aperture_map(rig);
	uint32_t alive = 0;

	assert_int_equal(rig_context_create(rig, 1), OK);
	/* All at once, in an order that is not the aperture's. */
	for (uint32_t i = 0; i < 10000; i++) {
		uint64_t at = (i * 7919u % 10000u) * 4096ull;

		assert_int_equal(rig_blob_create(rig, 1, 1 + i * 3, MEMORY(i), 4096), OK);
		assert_int_equal(rig_map(rig, 0, 1 + i * 3, at), MAPPED);
		aperture[at + i % 4096] = 1;
		alive++;
	}
	assert_int_equal(rig_charged(rig), alive * 4096);
	assert_int_equal(rig_blocks(rig), alive * 4096);
	run_for(rig, 600);
	assert_int_equal(rig->keeper.strikes, 0);
	rig_take_over(rig);
	assert_int_equal(rig_charged(rig), alive * 4096);
	assert_int_equal(rig->vgpu_page->slot[0].resources, alive);
	for (uint32_t i = 0; i < 10000; i++) {
		if (i % 2)
			assert_int_equal(rig_unmap(rig, 1 + i * 3), OK);
		assert_int_equal(rig_unref(rig, 0, 1 + i * 3), OK);
	}
	assert_int_equal(rig_charged(rig), 0);
	assert_int_equal(rig_blocks(rig), 0);
	assert_int_equal(rig->vgpu_page->slot[0].resources, 0);
	/* Again and again: slots and ids come back. */
	for (uint32_t i = 0; i < 10000; i++) {
		assert_int_equal(rig_blob_create(rig, 1, 100000 + i, MEMORY(i), MIB), OK);
		assert_int_equal(rig_map(rig, 0, 100000 + i, i % 40 * MIB), MAPPED);
		aperture[i % 40 * MIB] = 1;
		assert_int_equal(rig_unref(rig, 0, 100000 + i), OK);
	}
	assert_int_equal(rig_charged(rig), 0);
	assert_int_equal(rig_blocks(rig), 0);
	assert_int_equal(rig_context_destroy(rig, 1), OK);
	assert_true(virtio_gpu_idle(rig->gpu));
	rig_aperture_unmap(aperture);
}

static void the_table_of_resources_ends_and_recovers(void **state)
{
	struct rig *rig = *state;
	uint32_t made = 0;

	rig->vgpu_page->vram_limit_bytes = UINT64_MAX;
	assert_int_equal(rig_context_create(rig, 1), OK);
	while (rig_blob_create(rig, 1, 1 + made, MEMORY(made), 4096) == OK)
		made++;
	assert_int_equal(made, GPU_RESOURCE_MAX);
	assert_int_equal(rig_charged(rig), made * 4096ull);
	assert_int_equal(rig_unref(rig, 0, 77), OK);
	assert_int_equal(rig_blob_create(rig, 1, 1 + made, MEMORY(made), 4096), OK);
	rig_take_over(rig);
	virtio_gpu_reset(rig->gpu);
	assert_true(virtio_gpu_idle(rig->gpu));
	assert_int_equal(rig_charged(rig), 0);
}

static void rings_without_a_context_are_bounded(void **state)
{
	struct rig *rig = *state;
	uint32_t rings = 0;

	/* A guest that destroys contexts and keeps their rings. */
	for (uint32_t i = 1; i < 100; i++) {
		assert_int_equal(rig_context_create(rig, i), OK);
		rings += rig_blob_create(rig, i, i, WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1), WIRE_RING_BLOB_BYTES) == OK;
		assert_int_equal(rig_context_destroy(rig, i), OK);
	}
	assert_int_equal(rings, 4 + (4 << 20) / 2 / WIRE_RING_BLOB_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_limit_holds_over_two_slots),
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
		T(a_range_handed_on_reads_zero),
		T(pages_outside_blobs_are_taken_back_and_cost_a_strike),
		T(pages_touched_behind_the_audit_are_taken_back_too),
		T(strays_that_take_the_place_of_a_blob_are_found),
		T(an_idle_device_costs_no_cpu),
		T(ten_thousand_blobs_leave_nothing),
		T(the_table_of_resources_ends_and_recovers),
		T(rings_without_a_context_are_bounded),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
