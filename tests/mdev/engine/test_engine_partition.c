/* SPDX-License-Identifier: MIT */
/* Sub-devices at the engine: queues on them compute, wrong requests are refused, and a queue outlives its sub-device's id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <CL/cl.h>
#include <cmocka.h>

#include "tests/mdev/engine/engine_harness.h"

static int32_t partition(struct harness *h, uint32_t first, uint32_t count, uint32_t kind, uint32_t units)
{
	_Alignas(8) uint8_t bytes[sizeof(struct wire_partition) + 4 * WIRE_SUB_DEVICE_COUNT + 8] = {0};
	struct wire_partition *r = (void *)bytes;
	uint32_t slot = harness_slot(h);

	*r = (struct wire_partition){.slot = slot, .first = first, .count = count, .kind = kind};
	for (uint32_t i = 0; i < count; i++)
		memcpy(bytes + sizeof(*r) + 4 * i, &units, sizeof(units));
	return harness_wait(h, slot, harness_put(h, WIRE_PARTITION, r, (uint32_t)(sizeof(*r) + ((4 * count + 7) & ~7u))), 5000);
}

static int32_t queue_on(struct harness *h, uint32_t queue, uint32_t sub_device)
{
	struct wire_queue_create_on r = {.q = {.slot = harness_slot(h), .queue = queue}, .sub_device = sub_device};

	return harness_wait(h, r.q.slot, harness_put(h, WIRE_QUEUE_CREATE_ON, &r, sizeof(r)), 5000);
}

static void add_on(struct harness *h, uint32_t queue, int expected)
{
	struct harness_launch l;
	uint32_t slot = harness_slot(h);

	harness_launch_begin(&l, queue, 1, slot, 1024, 64);
	harness_launch_buffer(&l, 1);
	assert_int_equal(harness_wait(h, slot, harness_launch_put(h, &l), 20000), 0);
	for (int i = 0; i < 1024; i++)
		assert_int_equal(((int *)(void *)h->memory)[i], expected);
}

static void queues_on_sub_devices_compute_on(const struct harness_options *options)
{
	uint32_t units = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	const struct wire_build_reply *reply;
	struct harness h;

	harness_start(&h, options);
	assert_int_equal(harness_build(&h, 1, "kernel void more(global int *a) { a[get_global_id(0)]++; }", NULL, &reply), 0);
	assert_int_equal(harness_kernel(&h, 1, 1, "more"), 0);
	assert_int_equal(harness_buffer(&h, 1, 0, 4096), 0);
	assert_int_equal(queue_on(&h, 2, 1), CL_INVALID_DEVICE);	/* there is none yet */
	assert_int_equal(partition(&h, 1, units, WIRE_PARTITION_EQUALLY, 1), 0);
	assert_int_equal(partition(&h, units, 1, WIRE_PARTITION_BY_COUNTS, 1), CL_INVALID_DEVICE);	/* taken */
	assert_int_equal(partition(&h, 100, units + 1, WIRE_PARTITION_EQUALLY, 1), CL_DEVICE_PARTITION_FAILED);
	assert_int_equal(partition(&h, 100, 1, WIRE_PARTITION_BY_COUNTS, units + 1), CL_DEVICE_PARTITION_FAILED);
	assert_int_equal(partition(&h, 100, 2, WIRE_PARTITION_BY_COUNTS, 1), 0);
	assert_int_equal(queue_on(&h, 2, 1), 0);
	assert_int_equal(queue_on(&h, 3, units), 0);
	assert_int_equal(queue_on(&h, 4, 101), 0);
	assert_int_equal(queue_on(&h, 4, 101), CL_INVALID_COMMAND_QUEUE);
	for (uint32_t q = 1; q <= 4; q++)
		add_on(&h, q, (int)q);
	/* The id goes, the queue stays. */
	assert_int_equal(harness_destroy(&h, WIRE_SUB_DEVICE_DESTROY, 1), 0);
	assert_int_equal(harness_destroy(&h, WIRE_SUB_DEVICE_DESTROY, 1), CL_INVALID_DEVICE);
	assert_int_equal(queue_on(&h, 5, 1), CL_INVALID_DEVICE);
	add_on(&h, 2, 5);
	assert_int_equal(harness_destroy(&h, WIRE_QUEUE_DESTROY, 2), 0);
	assert_int_equal(partition(&h, 1, 1, WIRE_PARTITION_BY_COUNTS, 1), 0);
	assert_int_equal(queue_on(&h, 2, 1), 0);
	add_on(&h, 2, 6);
	harness_stop(&h);
}

static void queues_on_sub_devices_compute(void **state)
{
	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("cannot test here: sub-devices because there is one processor\n");
		return;
	}
	queues_on_sub_devices_compute_on(&(struct harness_options){.devices = "pthread"});
	queues_on_sub_devices_compute_on(&(struct harness_options){.devices = "pthread", .strategy = "native"});
	queues_on_sub_devices_compute_on(&(struct harness_options){.devices = "pthread", .strategy = "waiter"});
}

/* PoCL's basic device has one compute unit. */
static void a_device_that_does_not_divide_refuses(void **state)
{
	struct harness h;

	(void)state;
	harness_start(&h, &(struct harness_options){.devices = "basic"});
	assert_int_equal(partition(&h, 1, 2, WIRE_PARTITION_EQUALLY, 1), CL_DEVICE_PARTITION_FAILED);
	assert_int_equal(queue_on(&h, 2, 1), CL_INVALID_DEVICE);
	harness_stop(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_on_sub_devices_compute),
		cmocka_unit_test(a_device_that_does_not_divide_refuses),
	};

	return cmocka_run_group_tests_name("engine_partition", tests, NULL, NULL);
}
