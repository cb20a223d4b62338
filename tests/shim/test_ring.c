/* SPDX-License-Identifier: MIT */
/* The ring's doorbell, on memory that plays the engine's side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "shim/ring.h"

static unsigned bells;

static int blob_create(struct transport *transport, uint64_t blob_id, size_t bytes, struct transport_blob *ret_blob)
{
	(void)transport;
	ret_blob->blob_id = blob_id;
	ret_blob->bytes = bytes;
	ret_blob->address = aligned_alloc(4096, bytes);
	memset(ret_blob->address, 0, bytes);
	return 0;
}

static void blob_destroy(struct transport *transport, struct transport_blob *blob)
{
	(void)transport;
	free(blob->address);
}

static int submit(struct transport *transport, const struct wire_submit *what)
{
	(void)transport;
	bells += what->op == WIRE_SUBMIT_DOORBELL;
	return 0;
}

static const struct transport_ops ops = {.blob_create = blob_create, .blob_destroy = blob_destroy, .submit = submit};

/* No process sleeps on the bell of an engine that has retired: the host is told, and once. */
static void a_retired_engine_is_called_by_submission(void **state)
{
	static struct wire_capset capset = {.version_max = WIRE_VERSION};
	struct transport transport = {.ops = &ops, .capset = &capset, .same_host = true};
	struct ring *ring;

	(void)state;
	assert_int_equal(ring_create(&transport, &ring), 0);
	bells = 0;
	ring->engine->features = WIRE_FEATURE_BELL | WIRE_FEATURE_FUTEX;
	ring->engine->engine_state = WIRE_ENGINE_SLEEPING;
	ring->shim->tail = 64;
	ring_flush(ring);
	assert_int_equal(bells, 0);
	assert_int_equal(ring->engine->bell, 1);
	ring->engine->head = 64;
	ring->engine->engine_state = WIRE_ENGINE_RETIRED;
	ring_flush(ring);		/* nothing is wanted */
	assert_int_equal(bells, 0);
	ring->shim->tail = 128;
	ring_flush(ring);
	ring_flush(ring);
	assert_int_equal(bells, 1);
	assert_int_equal(ring->engine->bell, 1);
	assert_false(ring_is_lost(ring));
	ring_destroy(ring);
}

/* An engine that slept, was belled, and was then kept awake for gigabytes of records is belled when it sleeps again. */
static void a_bell_of_long_ago_is_no_bell(void **state)
{
	static struct wire_capset capset = {.version_max = WIRE_VERSION};
	struct transport transport = {.ops = &ops, .capset = &capset};
	struct ring *ring;

	(void)state;
	assert_int_equal(ring_create(&transport, &ring), 0);
	ring->engine->engine_state = WIRE_ENGINE_SLEEPING;
	ring->shim->tail = 64;
	ring_flush(ring);
	assert_int_equal(bells, 1);
	ring_flush(ring);		/* not answered yet: the one bell covers this too */
	assert_int_equal(bells, 1);
	for (uint32_t gigabytes = 1; gigabytes < 8; gigabytes++) {
		unsigned before = bells;

		ring->engine->head = gigabytes << 30;
		ring->shim->tail = ring->engine->head + 128;
		ring_flush(ring);
		assert_int_equal(bells, before + 1);
		ring_flush(ring);
		assert_int_equal(bells, before + 1);
		ring->engine->engine_state = WIRE_ENGINE_AWAKE;
		ring_flush(ring);
		ring->engine->engine_state = WIRE_ENGINE_SLEEPING;
	}
	/* The same count, one lap of 4 GiB later, after an engine was seen awake. */
	ring->engine->head = (7u << 30) + 64;
	ring_flush(ring);
	assert_int_equal(bells, 9);
	ring_destroy(ring);
}

static void a_bell_half_a_lap_ago_is_no_bell(void **state)
{
	static struct wire_capset capset = {.version_max = WIRE_VERSION};
	struct transport transport = {.ops = &ops, .capset = &capset};
	struct ring *ring;

	(void)state;
	assert_int_equal(ring_create(&transport, &ring), 0);
	bells = 0;
	ring->engine->engine_state = WIRE_ENGINE_SLEEPING;
	ring->shim->tail = 64;
	ring_flush(ring);
	ring->engine->head = 0x80000080u;
	ring->shim->tail = 0x80000100u;
	ring_flush(ring);
	assert_int_equal(bells, 2);
	ring_destroy(ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bell_of_long_ago_is_no_bell),
		cmocka_unit_test(a_bell_half_a_lap_ago_is_no_bell),
		cmocka_unit_test(a_retired_engine_is_called_by_submission),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
