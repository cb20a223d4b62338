/* SPDX-License-Identifier: MIT */
/*
 * Leases with real threads as engines over lease.c: never two vGPUs on the device, no wake-up lost, the service's lease
 * side torn down and made anew in between, as a killed vgpud would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "mdev/leases.h"

#define VGPUS 3
#define ENGINES 2	/* of each */
#define RUN_MS 1500

struct engine {
	struct world *world;
	unsigned vgpu;
	int status_fd;
	struct lease_status *status;
	pthread_t thread;
	uint64_t turns;
	uint64_t longest_wait_ns;
	unsigned seed;
};

struct world {
	struct leases *leases;
	int grant_fd[VGPUS], want_fd[VGPUS];
	struct lease_grant *grant[VGPUS];
	struct leases_vgpu *vgpu[VGPUS];
	struct engine engine[VGPUS][ENGINES];
	_Atomic uint32_t on_device[VGPUS];	/* engines of each that are on the device right now */
	_Atomic uint32_t violations;
	_Atomic bool ending;
};

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int make_page(void **ret_page)
{
	int fd = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	*ret_page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(*ret_page, MAP_FAILED);
	return fd;
}

static void look_for_others(struct world *world, unsigned self)
{
	for (unsigned i = 0; i < VGPUS; i++)
		if (i != self && atomic_load(&world->on_device[i]))
			atomic_fetch_add(&world->violations, 1);
}

static void pause_us(unsigned us)
{
	nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}

static void *engine_thread(void *data)
{
	struct engine *engine = data;
	struct world *world = engine->world;
	struct lease_holder holder;

	if (lease_holder_init(&holder, world->grant[engine->vgpu], engine->status, world->want_fd[engine->vgpu])) {
		atomic_fetch_add(&world->violations, 1000000);
		return NULL;
	}
	while (!atomic_load(&world->ending)) {
		uint64_t from_ns = monotonic_ns();
		if (lease_take(&holder, 10000)) {
			atomic_fetch_add(&world->violations, 1000);	/* a lost wake-up */
			break;
		}
		uint64_t waited_ns = monotonic_ns() - from_ns;
		engine->longest_wait_ns = waited_ns > engine->longest_wait_ns ? waited_ns : engine->longest_wait_ns;
		atomic_fetch_add(&world->on_device[engine->vgpu], 1);
		do {
			look_for_others(world, engine->vgpu);
			pause_us(20 + rand_r(&engine->seed) % 300);
			look_for_others(world, engine->vgpu);
		} while (!lease_must_stop(&holder, monotonic_ns()) && rand_r(&engine->seed) % 4);
		engine->turns++;
		atomic_fetch_sub(&world->on_device[engine->vgpu], 1);
		bool want_more = rand_r(&engine->seed) % 2;
		lease_release(&holder, want_more);
		if (!want_more)
			pause_us(rand_r(&engine->seed) % 500);
	}
	lease_release(&holder, false);
	return NULL;
}

static void connect_all(struct world *world)
{
	assert_int_equal(leases_create(1000000, false, &world->leases), 0);
	for (unsigned i = 0; i < VGPUS; i++) {
		assert_int_equal(leases_add(world->leases, "gpu0", "test", NULL, dup(world->grant_fd[i]), dup(world->want_fd[i]), &world->vgpu[i]), 0);
		for (unsigned k = 0; k < ENGINES; k++)
			assert_int_equal(leases_engine_add(world->leases, world->vgpu[i], 0, k, 0, dup(world->engine[i][k].status_fd)), 0);
	}
	leases_settle(world->leases);
}

static void run(unsigned restarts)
{
	static struct world world;	/* too large for a stack under sanitizers */
	void *page;

	memset(&world, 0, sizeof(world));
	for (unsigned i = 0; i < VGPUS; i++) {
		world.grant_fd[i] = make_page(&page);
		world.grant[i] = page;
		world.grant[i]->magic = LEASE_MAGIC;
		world.grant[i]->version = LEASE_VERSION;
		world.want_fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		for (unsigned k = 0; k < ENGINES; k++) {
			struct engine *engine = &world.engine[i][k];
			*engine = (struct engine){.world = &world, .vgpu = i, .seed = i * 10 + k};
			engine->status_fd = make_page(&page);
			engine->status = page;
		}
	}
	connect_all(&world);
	for (unsigned i = 0; i < VGPUS; i++)
		for (unsigned k = 0; k < ENGINES; k++)
			assert_int_equal(pthread_create(&world.engine[i][k].thread, NULL, engine_thread, &world.engine[i][k]), 0);
	for (unsigned n = 0; n <= restarts; n++) {
		pause_us(RUN_MS * 1000 / (restarts + 1) % 1000000);
		if (n < restarts) {
			leases_destroy(world.leases);	/* leaves every page as it is */
			pause_us(2000);
			connect_all(&world);
		}
	}
	atomic_store(&world.ending, true);
	uint64_t turns_least = UINT64_MAX, used_ns = 0;
	for (unsigned i = 0; i < VGPUS; i++) {
		uint64_t turns = 0;
		for (unsigned k = 0; k < ENGINES; k++) {
			pthread_join(world.engine[i][k].thread, NULL);
			turns += world.engine[i][k].turns;
			assert_true(world.engine[i][k].longest_wait_ns < 2000000000u);
		}
		turns_least = turns < turns_least ? turns : turns_least;
		struct arbiter_usage usage;
		leases_usage(world.leases, world.vgpu[i], &usage);
		used_ns += usage.gpu_time_ns;
	}
	assert_int_equal(world.violations, 0);
	assert_true(turns_least > 20);
	assert_true(used_ns < 20000000000u);
	for (unsigned i = 0; i < VGPUS; i++)
		leases_remove(world.leases, world.vgpu[i]);
	leases_destroy(world.leases);
	for (unsigned i = 0; i < VGPUS; i++) {
		munmap(world.grant[i], 4096);
		close(world.grant_fd[i]);
		close(world.want_fd[i]);
		for (unsigned k = 0; k < ENGINES; k++) {
			munmap(world.engine[i][k].status, 4096);
			close(world.engine[i][k].status_fd);
		}
	}
}

static void never_two_vgpus_on_the_device_and_no_wakeup_lost(void **state)
{
	(void)state;
	run(0);
}

static void the_same_while_the_service_is_restarted(void **state)
{
	(void)state;
	run(12);
}

static void a_status_page_that_could_be_truncated_is_refused(void **state)
{
	struct leases *leases;
	struct leases_vgpu *vgpu;
	void *page;
	int grant_fd = make_page(&page);
	struct lease_grant *grant = page;

	(void)state;
	grant->magic = LEASE_MAGIC;
	grant->version = LEASE_VERSION;
	assert_int_equal(leases_create(0, false, &leases), 0);
	assert_int_equal(leases_add(leases, "gpu0", "test", NULL, grant_fd, eventfd(0, 0), &vgpu), 0);
	int unsealable = memfd_create("page", MFD_CLOEXEC);
	assert_int_equal(ftruncate(unsealable, 4096), 0);
	assert_int_equal(leases_engine_add(leases, vgpu, 0, 0, 0, unsealable), -EPERM);
	int small = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(leases_engine_add(leases, vgpu, 0, 0, 0, small), -EPROTO);
	leases_remove(leases, vgpu);
	leases_destroy(leases);
	munmap(page, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_two_vgpus_on_the_device_and_no_wakeup_lost),
		cmocka_unit_test(the_same_while_the_service_is_restarted),
		cmocka_unit_test(a_status_page_that_could_be_truncated_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
