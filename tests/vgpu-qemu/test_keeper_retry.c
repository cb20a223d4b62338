/* SPDX-License-Identifier: MIT */
/* The pauses between a device's tries to reach a keeper, on a virtual clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vgpu-qemu/keeper_retry.h"

static void a_link_that_had_settled_is_sought_at_once(void **state)
{
	struct keeper_retry retry = {0};
	uint64_t now_ms = 1000;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		keeper_retry_joined(&retry, now_ms);
		now_ms += KEEPER_RETRY_SETTLED_MS;
		assert_int_equal(keeper_retry_lost(&retry, now_ms), KEEPER_RETRY_FIRST_MS);
	}
}

static void a_link_lost_again_and_again_is_sought_ever_less_often(void **state)
{
	static const unsigned expected_ms[] = {1, 1, 1, 20, 40, 80, 160, 200, 200, 200};
	struct keeper_retry retry = {0};
	uint64_t now_ms = 5;

	(void)state;
	for (unsigned i = 0; i < sizeof(expected_ms) / sizeof(expected_ms[0]); i++) {
		keeper_retry_joined(&retry, now_ms);
		now_ms += KEEPER_RETRY_SETTLED_MS - 1;
		unsigned pause_ms = keeper_retry_lost(&retry, now_ms);
		assert_int_equal(pause_ms, expected_ms[i]);
		now_ms += pause_ms;
	}
	/* One that lives ends the row. */
	keeper_retry_joined(&retry, now_ms);
	assert_int_equal(keeper_retry_lost(&retry, now_ms + KEEPER_RETRY_SETTLED_MS), KEEPER_RETRY_FIRST_MS);
}

/* A connection that breaks before REJOINED has not lived, however long ago the last one did. */
static void a_link_that_never_stood_does_not_end_the_row(void **state)
{
	struct keeper_retry retry = {0};
	unsigned last_ms = 0;

	(void)state;
	keeper_retry_joined(&retry, 10);
	for (unsigned i = 0; i < 10; i++)
		last_ms = keeper_retry_lost(&retry, 5000u * (i + 1));
	assert_int_equal(last_ms, KEEPER_RETRY_MOST_MS);
}

static void a_keeper_that_does_not_listen_yet_is_tried_often_for_a_second(void **state)
{
	struct keeper_retry retry = {0};
	unsigned waited_ms = 0, pause_ms;

	(void)state;
	keeper_retry_joined(&retry, 0);
	keeper_retry_lost(&retry, 100000);
	while ((pause_ms = keeper_retry_refused(&retry)) == KEEPER_RETRY_MS)
		waited_ms += pause_ms;
	assert_int_equal(waited_ms, 1000);
	assert_int_equal(pause_ms, KEEPER_RETRY_MOST_MS);
	assert_int_equal(keeper_retry_refused(&retry), KEEPER_RETRY_MOST_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_that_had_settled_is_sought_at_once),
		cmocka_unit_test(a_link_lost_again_and_again_is_sought_ever_less_often),
		cmocka_unit_test(a_link_that_never_stood_does_not_end_the_row),
		cmocka_unit_test(a_keeper_that_does_not_listen_yet_is_tried_often_for_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
