/* SPDX-License-Identifier: MIT */
/* The direct transport against a device of the test's own (fake_device.h). */
#include "shim/transport/direct/direct.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/shim/transport/fake_device.h"

#define MIB (1ull << 20)
#define RING_ID WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1)
#define MEMORY_ID(n) WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, n)

static struct wire_capset capset = {
	.magic = WIRE_CAPSET_MAGIC,
	.version_min = 1,
	.version_max = 1,
	.bytes = sizeof(capset),
	.vram_bytes = 64 * MIB,
	.max_alloc_bytes = 64 * MIB,
	.mem_align_bytes = 128,
	.vgpu_name = "test",
	.vgpu_uuid = "0",
	.host_version = "0",
};

static struct fake_config usual(void)
{
	return (struct fake_config){
		.capset = &capset,
		.capset_bytes = sizeof(capset),
		.aperture_bytes = 80 * MIB,
		.vram_bytes = 64 * MIB,
		.queue_size = 256,
		.context_max = 250,
	};
}

static struct fake_device *start(struct fake_config config)
{
	struct fake_device *device;

	assert_int_equal(fake_device_start(&config, &device), 0);
	return device;
}

/* Ends the test's device: whatever the driver did, it did by the book and left nothing. */
static void stop(struct fake_device *device)
{
	struct fake_counts counts = {.connections = 1};

	for (unsigned i = 0; i < 2000 && counts.connections; i++) {
		counts = fake_device_counts(device);
		if (counts.connections)
			usleep(1000);
	}
	if (counts.complaints)
		print_error("device: %s\n", counts.complaint);
	assert_int_equal(counts.complaints, 0);
	assert_int_equal(counts.connections, 0);
	assert_int_equal(counts.contexts, 0);
	assert_int_equal(counts.resources, 0);
	assert_int_equal(counts.vram_charged, 0);
	assert_int_equal(counts.held_wakes, 0);
	fake_device_stop(device);
}

static struct transport *open_context(struct fake_device *device)
{
	struct transport *transport = NULL;
	char why[256] = "";
	int err = direct_open(fake_device_path(device), 0, &transport, why);

	if (err)
		print_error("%s\n", why);
	assert_int_equal(err, 0);
	return transport;
}

static bool readable_within(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static const struct wire_submit doorbell = {.op = WIRE_SUBMIT_DOORBELL, .version = WIRE_VERSION};
static const struct wire_submit setup = {.op = WIRE_SUBMIT_SETUP, .version = WIRE_VERSION, .arg = RING_ID};

/* Waits until the device has seen `count` submissions of op. */
static void expect_submissions(struct fake_device *device, unsigned op, unsigned count)
{
	for (unsigned i = 0; i < 5000 && fake_device_counts(device).submissions[op] < count; i++)
		usleep(1000);
	assert_int_equal(fake_device_counts(device).submissions[op], count);
}

static void a_context_has_the_capset_blobs_and_a_ring(void **state)
{
	struct fake_device *device = start(usual());
	struct transport *transport = open_context(device);
	struct transport_blob ring, memory;

	(void)state;
	assert_string_equal(transport->ops->name, "direct");
	assert_string_equal(transport->capset->vgpu_name, "test");
	assert_int_equal(transport->ops->blob_create(transport, RING_ID, WIRE_RING_BLOB_BYTES, &ring), 0);
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(1), 5000, &memory), 0);
	assert_int_equal(memory.bytes, 8192);
	assert_int_equal(((uintptr_t)ring.address | (uintptr_t)memory.address) % 4096, 0);
	memset(ring.address, 1, ring.bytes);
	memset(memory.address, 2, memory.bytes);
	assert_int_equal(((uint8_t *)ring.address)[ring.bytes - 1], 1);
	assert_int_equal(((uint8_t *)memory.address)[0], 2);
	assert_int_equal(transport->ops->submit(transport, &setup), 0);
	assert_int_equal(transport->ops->submit(transport, &doorbell), 0);
	expect_submissions(device, WIRE_SUBMIT_DOORBELL, 1);
	assert_int_equal(fake_device_counts(device).resources, 2);
	transport->ops->blob_destroy(transport, &memory);
	transport->ops->blob_destroy(transport, &ring);
	transport->ops->close(transport);
	stop(device);
}

static void a_blob_moves_to_an_address_and_ends_there(void **state)
{
	uint8_t *place = (uint8_t *)(uintptr_t)WIRE_SVM_WINDOW_FIRST + 5 * MIB, *before;
	struct fake_device *device = start(usual());
	struct transport *transport = open_context(device);
	struct transport_blob blob, left;
	unsigned char resident;

	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(1), MIB, &blob), 0);
		before = blob.address;
		before[4097] = 55;
		assert_ptr_equal(mmap(place, MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), place);
		assert_int_equal(transport->ops->blob_move(transport, &blob, place), 0);
		assert_ptr_equal(blob.address, place);
		assert_int_equal(place[4097], 55);
		place[MIB - 1] = 1;
		assert_int_equal(mincore(before, 4096, &resident), -1);	/* nothing is left there */
		assert_int_equal(errno, ENOMEM);
		transport->ops->blob_destroy(transport, &blob);
		assert_int_equal(mincore(place, 4096, &resident), -1);
		assert_int_equal(errno, ENOMEM);
	}
	/* One that its transport ends under: still memory, where it is, and nobody else's. */
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(2), MIB, &left), 0);
	assert_int_equal(transport->ops->blob_move(transport, &left, place), 0);
	place[0] = 7;
	transport->ops->close(transport);
	assert_int_equal(place[0], 0);
	place[0] = 7;
	munmap(place, MIB);
	stop(device);
}

static void contexts_of_a_process_share_one_connection(void **state)
{
	struct fake_device *device = start(usual());
	struct transport *transports[20];

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		transports[i] = open_context(device);
	assert_int_equal(fake_device_counts(device).connections_ever, 1);
	assert_int_equal(fake_device_counts(device).contexts, 20);
	for (unsigned i = 0; i < 20; i++)
		transports[i]->ops->close(transports[i]);
	stop(device);
}

static void a_refused_allocation_leaves_nothing_behind(void **state)
{
	struct fake_device *device = start(usual());
	struct transport *transport = open_context(device);
	struct transport_blob blob = {.handle = 12345};

	(void)state;
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(i), 65 * MIB, &blob), -ENOMEM);
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(1), 1ull << 40, &blob), -ENOMEM);
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(1), 0, &blob), -EINVAL);
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(1), SIZE_MAX, &blob), -EINVAL);
	assert_int_equal(blob.handle, 12345);
	assert_int_equal(fake_device_counts(device).resources, 0);
	/* All of the address space is still there, again and again. */
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(i), 64 * MIB, &blob), 0);
		transport->ops->blob_destroy(transport, &blob);
	}
	transport->ops->close(transport);
	stop(device);
}

static void *release_soon(void *device)
{
	usleep(50000);
	fake_device_release(device);
	return NULL;
}

static void an_allocation_waits_for_a_drop_on_its_way(void **state)
{
	struct fake_config config = usual();
	struct fake_device *device;
	struct transport *transport;
	struct transport_blob blob;
	pthread_t thread;

	(void)state;
	config.hold_unref = true;
	device = start(config);
	transport = open_context(device);
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(1), 64 * MIB, &blob), 0);
	transport->ops->blob_destroy(transport, &blob);
	assert_int_equal(fake_device_counts(device).vram_charged, 64 * MIB);
	pthread_create(&thread, NULL, release_soon, device);
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(2), 64 * MIB, &blob), 0);
	pthread_join(thread, NULL);
	transport->ops->close(transport);
	stop(device);
}

/* Also while the drop is not answered, its range is not used again: the fake device complains of overlaps. */
static void a_range_is_reused_only_after_its_release(void **state)
{
	struct fake_config config = usual();
	struct fake_device *device;
	struct transport *transport;
	struct transport_blob first, second;

	(void)state;
	config.hold_unref = true;
	device = start(config);
	transport = open_context(device);
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(1), MIB, &first), 0);
	transport->ops->blob_destroy(transport, &first);
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(2), MIB, &second), 0);
	fake_device_release(device);
	transport->ops->close(transport);
	stop(device);
}

static void submissions_wrap_the_queue(struct fake_config config, unsigned count)
{
	struct fake_device *device = start(config);
	struct transport *transport = open_context(device);

	for (unsigned i = 0; i < count; i++)
		assert_int_equal(transport->ops->submit(transport, &doorbell), 0);
	expect_submissions(device, WIRE_SUBMIT_DOORBELL, count);
	transport->ops->close(transport);
	stop(device);
}

static void a_small_queue_wraps_around(void **state)
{
	struct fake_config config = usual();

	(void)state;
	config.queue_size = 16;
	submissions_wrap_the_queue(config, 3000);
}

static void a_large_queue_wraps_past_16_bits_of_index(void **state)
{
	(void)state;
	submissions_wrap_the_queue(usual(), 70000);
}

static void a_device_without_indirect_descriptors_will_do(void **state)
{
	struct fake_config config = usual();

	(void)state;
	config.no_indirect = true;
	config.queue_size = 32;
	submissions_wrap_the_queue(config, 1000);
}

/* Many WAKE fences under way at once, and room for commands beside them. */
static void many_fences_are_outstanding_at_once(void **state)
{
	enum { COUNT = 240 };
	struct fake_device *device = start(usual());
	struct transport *transport[COUNT];
	struct transport_blob blob;
	int fence[COUNT];

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		transport[i] = open_context(device);
		assert_int_equal(transport[i]->ops->submit_wake(transport[i], &fence[i]), 0);
	}
	expect_submissions(device, WIRE_SUBMIT_WAKE, COUNT);
	assert_int_equal(fake_device_counts(device).held_wakes, COUNT);
	assert_int_equal(transport[0]->ops->blob_create(transport[0], MEMORY_ID(1), MIB, &blob), 0);
	for (unsigned i = 0; i < COUNT; i++)
		assert_false(readable_within(fence[i], 0));
	fake_device_wake_all(device);
	for (unsigned i = 0; i < COUNT; i++) {
		assert_true(readable_within(fence[i], 5000));
		close(fence[i]);
		transport[i]->ops->close(transport[i]);
	}
	stop(device);
}

static void a_newer_wake_releases_the_older(void **state)
{
	struct fake_device *device = start(usual());
	struct transport *transport = open_context(device);
	int fence[2];

	(void)state;
	assert_int_equal(transport->ops->submit_wake(transport, &fence[0]), 0);
	assert_false(readable_within(fence[0], 30));
	assert_int_equal(transport->ops->submit_wake(transport, &fence[1]), 0);
	assert_true(readable_within(fence[0], 5000));
	assert_false(readable_within(fence[1], 30));
	/* A fence that is closed by its owner before it comes harms nobody. */
	close(fence[1]);
	fake_device_wake_all(device);
	close(fence[0]);
	transport->ops->close(transport);
	stop(device);
}

static void closing_wakes_and_leaves_memory_valid(void **state)
{
	struct fake_device *device = start(usual());
	struct transport *transport = open_context(device), *other = open_context(device);
	struct transport_blob blob, others;
	int fence;

	(void)state;
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(1), MIB, &blob), 0);
	memset(blob.address, 0x55, MIB);
	assert_int_equal(transport->ops->submit_wake(transport, &fence), 0);
	transport->ops->close(transport);
	assert_true(readable_within(fence, 0));
	close(fence);
	assert_int_equal(other->ops->blob_create(other, MEMORY_ID(1), MIB, &others), 0);
	memset(blob.address, 0x66, MIB);
	assert_int_not_equal(((uint8_t *)others.address)[0], 0x66);
	munmap(blob.address, MIB);
	other->ops->close(other);
	munmap(others.address, MIB);
	stop(device);
}

struct worker {
	struct fake_device *device;
	struct transport *shared;
	unsigned number;
	atomic_uint *failures;
};

static void *work(void *data)
{
	struct worker *worker = data;
	char why[256];

	for (unsigned i = 0; i < 60; i++) {
		struct transport *transport = worker->shared;
		struct transport_blob blob;
		int fence;

		if (i % 3 == 0 && direct_open(fake_device_path(worker->device), 0, &transport, why)) {
			atomic_fetch_add(worker->failures, 1);
			continue;
		}
		if (transport->ops->blob_create(transport, MEMORY_ID(1000 * worker->number + i), 64 * 1024, &blob)) {
			atomic_fetch_add(worker->failures, 1);
		} else {
			memset(blob.address, (int)worker->number, blob.bytes);
			for (unsigned n = 0; n < 10; n++)
				if (transport->ops->submit(transport, &doorbell))
					atomic_fetch_add(worker->failures, 1);
			for (size_t n = 0; n < blob.bytes; n++)
				if (((uint8_t *)blob.address)[n] != worker->number)
					atomic_fetch_add(worker->failures, 1);
			transport->ops->blob_destroy(transport, &blob);
		}
		if (transport->ops->submit_wake(transport, &fence))
			atomic_fetch_add(worker->failures, 1);
		else
			close(fence);
		if (transport != worker->shared)
			transport->ops->close(transport);
	}
	return NULL;
}

static void many_threads_share_it(void **state)
{
	enum { THREADS = 8 };
	struct fake_device *device = start(usual());
	struct transport *shared = open_context(device);
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	atomic_uint failures = 0;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){device, shared, i + 1, &failures};
		pthread_create(&threads[i], NULL, work, &workers[i]);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(failures, 0);
	expect_submissions(device, WIRE_SUBMIT_DOORBELL, THREADS * 600);
	shared->ops->close(shared);
	stop(device);
}

static void *ring_doorbells(void *transport_)
{
	struct transport *transport = transport_;

	for (unsigned i = 0; i < 100; i++)
		(void)transport->ops->submit(transport, &doorbell);
	return NULL;
}

/* While one notify is on its way, entries of other threads need at most one more. */
static void notifies_are_shared(void **state)
{
	enum { THREADS = 8 };
	struct fake_config config = usual();
	struct fake_device *device;
	struct transport *transport;
	pthread_t threads[THREADS];

	(void)state;
	config.reverse = true;	/* and completions out of order */
	device = start(config);
	transport = open_context(device);
	uint64_t before = direct_notify_count(transport);
	fake_device_slow_notify(device, 200);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, ring_doorbells, transport);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	fake_device_slow_notify(device, 0);
	expect_submissions(device, WIRE_SUBMIT_DOORBELL, THREADS * 100);
	assert_true(direct_notify_count(transport) - before < THREADS * 100 / 2);
	transport->ops->close(transport);
	stop(device);
}

static void creating_a_blob_costs_one_notify(void **state)
{
	struct fake_device *device = start(usual());
	struct transport *transport = open_context(device);
	struct transport_blob blob;

	(void)state;
	uint64_t before = direct_notify_count(transport);
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(1), MIB, &blob), 0);
	assert_int_equal(direct_notify_count(transport) - before, 1);
	transport->ops->blob_destroy(transport, &blob);
	assert_int_equal(direct_notify_count(transport) - before, 2);
	transport->ops->close(transport);
	stop(device);
}

static void expect_lost(struct transport *transport)
{
	struct transport_blob blob;
	uint64_t before = now_ms();
	int fence;

	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(9), MIB, &blob), -ENODEV);
	assert_int_equal(transport->ops->submit(transport, &doorbell), -ENODEV);
	assert_int_equal(transport->ops->submit(transport, &setup), -ENODEV);
	assert_int_equal(transport->ops->submit_wake(transport, &fence), -ENODEV);
	assert_true(now_ms() - before < 2000);
}

static void a_dead_service_ends_everything_and_hangs_nothing(void **state)
{
	struct fake_device *device = start(usual());
	struct transport *transport = open_context(device), *other = open_context(device), *fresh;
	struct transport_blob ring, memory;
	struct wire_engine_page *page;
	int fence;

	(void)state;
	assert_int_equal(transport->ops->blob_create(transport, RING_ID, WIRE_RING_BLOB_BYTES, &ring), 0);
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(1), MIB, &memory), 0);
	page = (struct wire_engine_page *)((uint8_t *)ring.address + WIRE_OFFSET_ENGINE_PAGE);
	assert_int_equal(transport->ops->submit_wake(transport, &fence), 0);
	fake_device_drop(device);
	assert_true(readable_within(fence, 5000));
	assert_int_equal(__atomic_load_n(&page->engine_state, __ATOMIC_SEQ_CST), WIRE_ENGINE_LOST);
	close(fence);
	expect_lost(transport);
	expect_lost(other);
	memset(memory.address, 1, memory.bytes);
	/* A new context gets a connection of its own. */
	fresh = open_context(device);
	assert_int_equal(fresh->ops->submit(fresh, &setup), 0);
	transport->ops->blob_destroy(transport, &memory);
	transport->ops->blob_destroy(transport, &ring);
	transport->ops->close(transport);
	other->ops->close(other);
	fresh->ops->close(fresh);
	stop(device);
}

static void a_silent_service_is_given_up(void **state)
{
	struct fake_device *device = start(usual());
	struct transport *transport;
	struct transport_blob blob;
	char why[256];
	uint64_t before;

	(void)state;
	assert_int_equal(direct_open(fake_device_path(device), 300, &transport, why), 0);
	fake_device_freeze(device);
	before = now_ms();
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(1), MIB, &blob), -ENODEV);
	assert_true(now_ms() - before < 3000);
	expect_lost(transport);
	transport->ops->close(transport);
	fake_device_drop(device);
	stop(device);
}

static void a_device_that_breaks_its_ring_is_given_up(void **state)
{
	struct fake_device *device = start(usual());
	struct transport *transport = open_context(device);
	int fence;

	(void)state;
	assert_int_equal(transport->ops->submit_wake(transport, &fence), 0);
	fake_device_break_ring(device);
	assert_true(readable_within(fence, 5000));
	close(fence);
	expect_lost(transport);
	transport->ops->close(transport);
	/* Its own complaint about head 77 is not wanted here. */
	fake_device_stop(device);
}

static int child_of_fork(struct fake_device *device, struct transport *transport, struct transport_blob *blob, int ready)
{
	const struct wire_submit any = {.op = WIRE_SUBMIT_DOORBELL, .version = 1};
	struct transport_blob another;
	struct transport *own;
	char why[256];
	int fence;

	if (transport->ops->blob_create(transport, MEMORY_ID(3), MIB, &another) != -ENODEV ||
	    transport->ops->submit(transport, &any) != -ENODEV || transport->ops->submit_wake(transport, &fence) != -ENODEV)
		return 10;
	transport->ops->blob_destroy(transport, blob);
	transport->ops->close(transport);
	/* A child may use the vGPU, by a connection of its own. */
	if (direct_open(fake_device_path(device), 0, &own, why) || own->ops->submit(own, &any))
		return 11;
	own->ops->close(own);
	/* Stay, so that the parent can see that nothing of its is kept open here. */
	char go;
	return read(ready, &go, 1) == 1 ? 0 : 12;
}

static void a_child_of_fork_has_nothing_of_it(void **state)
{
	struct fake_device *device = start(usual());
	struct transport *transport = open_context(device);
	struct transport_blob blob;
	int ready[2], fence, status;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(transport->ops->blob_create(transport, MEMORY_ID(1), MIB, &blob), 0);
	assert_int_equal(transport->ops->submit_wake(transport, &fence), 0);
	pid_t child = fork();
	if (!child)
		_exit(child_of_fork(device, transport, &blob, ready[0]));
	for (unsigned i = 0; i < 5000 && fake_device_counts(device).connections_ever < 2; i++)
		usleep(1000);
	/* The parent's goes on. */
	memset(blob.address, 3, blob.bytes);
	assert_int_equal(transport->ops->submit(transport, &doorbell), 0);
	fake_device_wake_all(device);
	assert_true(readable_within(fence, 5000));
	close(fence);
	transport->ops->close(transport);
	for (unsigned i = 0; i < 5000 && fake_device_counts(device).connections; i++)
		usleep(1000);
	assert_int_equal(fake_device_counts(device).connections, 0);
	assert_int_equal(write(ready[1], "g", 1), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(ready[0]);
	close(ready[1]);
	munmap(blob.address, MIB);
	stop(device);
}

static void expect_refusal(struct fake_config config, const char *words)
{
	struct fake_device *device = start(config);
	struct transport *transport;
	char why[256] = "";

	assert_true(direct_open(fake_device_path(device), 0, &transport, why) < 0);
	if (!strstr(why, words))
		print_error("said: %s\n", why);
	assert_non_null(strstr(why, words));
	stop(device);
}

static void what_does_not_fit_is_said(void **state)
{
	struct fake_config config = usual();
	struct wire_capset broken = capset;
	struct transport *transport;
	char why[256] = "";

	(void)state;
	config.no_context_init = true;
	expect_refusal(config, "features");
	config = usual();
	config.no_msix = true;
	expect_refusal(config, "MSI-X");
	config = usual();
	config.context_max = 0;
	expect_refusal(config, "'test' gives no further context");
	config = usual();
	broken.version_min = 7;
	broken.version_max = 7;
	config.capset = &broken;
	expect_refusal(config, "7 to 7");
	config = usual();
	config.capset_bytes = 20;
	expect_refusal(config, "20 bytes");
	assert_int_equal(direct_open("/nonexistent/direct.sock", 0, &transport, why), -ENOENT);
	assert_non_null(strstr(why, "/nonexistent/direct.sock"));
}

static void the_environment_names_the_vgpus(void **state)
{
	struct fake_device *first = start(usual()), *second = start(usual());
	struct wire_capset **capsets;
	struct transport *transport;
	char sockets[512], why[256];

	(void)state;
	snprintf(sockets, sizeof(sockets), "%s:/nonexistent/direct.sock:%s", fake_device_path(first), fake_device_path(second));
	setenv("VGPU_SOCKET", sockets, 1);
	assert_int_equal(transport_enumerate(&capsets), 2);
	assert_string_equal(capsets[1]->vgpu_name, "test");
	free(capsets[0]);
	free(capsets[1]);
	free(capsets);
	assert_int_equal(transport_open(1, &transport, why), 0);
	assert_int_equal(fake_device_counts(second).contexts, 1);
	assert_int_equal(fake_device_counts(first).contexts, 0);
	transport->ops->close(transport);
	assert_int_equal(transport_open(2, &transport, why), -ENODEV);
	assert_int_equal(transport_open(7, &transport, why), -ENODEV);
	assert_non_null(strstr(why, "number 7"));
	setenv("VGPU_SOCKET", "/nonexistent/direct.sock", 1);
	assert_int_equal(transport_enumerate(&capsets), 0);
	free(capsets);
	assert_true(transport_open(0, &transport, why) < 0);
	assert_non_null(strstr(why, "cannot connect to /nonexistent/direct.sock"));
	unsetenv("VGPU_SOCKET");
	stop(first);
	stop(second);
}

static void a_look_and_the_context_after_it_share_a_connection(void **state)
{
	struct fake_device *device = start(usual());
	struct wire_capset **capsets;
	struct transport *transport;
	char why[256];

	(void)state;
	setenv("VGPU_SOCKET", fake_device_path(device), 1);
	assert_int_equal(transport_enumerate(&capsets), 1);
	free(capsets[0]);
	free(capsets);
	assert_int_equal(fake_device_counts(device).connections, 1);
	assert_int_equal(transport_open(0, &transport, why), 0);
	assert_int_equal(fake_device_counts(device).connections_ever, 1);
	/* It is the context's now: it ends with it, at once. */
	transport->ops->close(transport);
	for (unsigned i = 0; i < 500 && fake_device_counts(device).connections; i++)
		usleep(1000);
	assert_int_equal(fake_device_counts(device).connections, 0);

	/* Who only looks is disconnected soon; stop() waits for that. */
	assert_int_equal(transport_enumerate(&capsets), 1);
	free(capsets[0]);
	free(capsets);
	assert_int_equal(fake_device_counts(device).connections_ever, 2);
	unsetenv("VGPU_SOCKET");
	stop(device);
}

static void a_service_that_goes_leaves_no_kept_connection(void **state)
{
	struct fake_device *device = start(usual());
	struct wire_capset *kept;
	char why[256];

	(void)state;
	assert_int_equal(direct_capset(fake_device_path(device), &kept, why), 0);
	free(kept);
	fake_device_drop(device);
	stop(device);
}

struct absence {
	const char *path;
	char away[512];
};

static void *come_back(void *data)
{
	struct absence *absence = data;

	usleep(300000);
	assert_int_equal(rename(absence->away, absence->path), 0);
	return NULL;
}

/* As while a keeper is replaced. */
static void a_socket_that_is_away_for_a_moment_is_waited_for(void **state)
{
	struct fake_device *device = start(usual());
	struct absence absence = {.path = fake_device_path(device)};
	struct transport *transport;
	pthread_t thread;
	char why[256];

	(void)state;
	snprintf(absence.away, sizeof(absence.away), "%s.away", absence.path);
	assert_int_equal(rename(absence.path, absence.away), 0);
	assert_int_equal(pthread_create(&thread, NULL, come_back, &absence), 0);
	assert_int_equal(direct_open(absence.path, 0, &transport, why), 0);
	pthread_join(thread, NULL);
	transport->ops->close(transport);
	stop(device);
}

/* The child of a fork makes a connection, so a thread: ThreadSanitizer refuses that unless told. */
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER
#endif
#endif
#if defined(THREAD_SANITIZER) || defined(__SANITIZE_THREAD__)
const char *__tsan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_context_has_the_capset_blobs_and_a_ring),
		cmocka_unit_test(a_blob_moves_to_an_address_and_ends_there),
		cmocka_unit_test(contexts_of_a_process_share_one_connection),
		cmocka_unit_test(a_refused_allocation_leaves_nothing_behind),
		cmocka_unit_test(an_allocation_waits_for_a_drop_on_its_way),
		cmocka_unit_test(a_range_is_reused_only_after_its_release),
		cmocka_unit_test(a_small_queue_wraps_around),
		cmocka_unit_test(a_large_queue_wraps_past_16_bits_of_index),
		cmocka_unit_test(a_device_without_indirect_descriptors_will_do),
		cmocka_unit_test(many_fences_are_outstanding_at_once),
		cmocka_unit_test(a_newer_wake_releases_the_older),
		cmocka_unit_test(closing_wakes_and_leaves_memory_valid),
		cmocka_unit_test(many_threads_share_it),
		cmocka_unit_test(notifies_are_shared),
		cmocka_unit_test(creating_a_blob_costs_one_notify),
		cmocka_unit_test(a_dead_service_ends_everything_and_hangs_nothing),
		cmocka_unit_test(a_silent_service_is_given_up),
		cmocka_unit_test(a_device_that_breaks_its_ring_is_given_up),
		cmocka_unit_test(a_child_of_fork_has_nothing_of_it),
		cmocka_unit_test(what_does_not_fit_is_said),
		cmocka_unit_test(the_environment_names_the_vgpus),
		cmocka_unit_test(a_look_and_the_context_after_it_share_a_connection),
		cmocka_unit_test(a_service_that_goes_leaves_no_kept_connection),
		cmocka_unit_test(a_socket_that_is_away_for_a_moment_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
