/* SPDX-License-Identifier: MIT */
/* Guest memory: bounds, overlaps, ranges that meet, files that shrink, takeover. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vgpu-qemu/dma.h"

#define RW (DMA_SLOT_READ | DMA_SLOT_WRITE)

struct fixture {
	struct dma_slot table[DMA_SLOT_MAX];
	struct guest_memory *memory;
	int fd;
};
static struct fixture fixture;

static int set_up(void **state)
{
	memset(&fixture, 0, sizeof(fixture));
	fixture.fd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fixture.fd, 0x10000), 0);
	assert_int_equal(guest_memory_create(fixture.table, NULL, &fixture.memory), 0);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	guest_memory_unmap_all(f->memory);
	guest_memory_destroy(f->memory);
	close(f->fd);
	return 0;
}

static int map(struct fixture *f, uint64_t address, uint64_t bytes, uint64_t offset, uint32_t access)
{
	return guest_memory_map(f->memory, (struct guest_range){address, bytes}, offset, access, f->fd);
}

static void reaches_exactly_what_is_mapped(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[32] = {1, 2, 3};

	assert_int_equal(map(f, 0x4000, 0x2000, 0, RW), 0);
	assert_int_equal(guest_memory_write(f->memory, 0x4000, bytes, 32), 0);
	assert_int_equal(guest_memory_write(f->memory, 0x5fe0, bytes, 32), 0);
	assert_int_equal(guest_memory_write(f->memory, 0x5fe1, bytes, 32), -EFAULT);
	assert_int_equal(guest_memory_write(f->memory, 0x3fff, bytes, 1), -EFAULT);
	assert_int_equal(guest_memory_read(f->memory, UINT64_MAX - 3, bytes, 8), -EFAULT);
	assert_int_equal(guest_memory_read(f->memory, 0x6000, bytes, 1), -EFAULT);
	assert_true(guest_memory_covers(f->memory, (struct guest_range){0x4000, 0x2000}, true));
	assert_false(guest_memory_covers(f->memory, (struct guest_range){0x4000, 0x2001}, true));
	assert_false(guest_memory_covers(f->memory, (struct guest_range){UINT64_MAX, 2}, false));
}

static void access_continues_where_ranges_meet(void **state)
{
	struct fixture *f = *state;
	uint8_t out[64], in[64];

	assert_int_equal(map(f, 0x1000, 0x1000, 0x3000, RW), 0);
	assert_int_equal(map(f, 0x2000, 0x1000, 0x0000, RW), 0);
	for (unsigned i = 0; i < 64; i++)
		out[i] = (uint8_t)i;
	assert_int_equal(guest_memory_write(f->memory, 0x1fe0, out, 64), 0);
	assert_int_equal(guest_memory_read(f->memory, 0x1fe0, in, 64), 0);
	assert_memory_equal(in, out, 64);
	assert_int_equal(pread(f->fd, in, 32, 0x0), 32);
	assert_memory_equal(in, out + 32, 32);
}

static void refuses_what_makes_no_sense(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(map(f, 0x4000, 0x2000, 0, RW), 0);
	assert_int_equal(map(f, 0x5000, 0x2000, 0, RW), -EEXIST);
	assert_int_equal(map(f, 0x3000, 0x2000, 0, RW), -EEXIST);
	assert_int_equal(map(f, 0x4000, 0x1000, 0, RW), -EEXIST);
	assert_int_equal(map(f, 0x8000, 0, 0, RW), -EINVAL);
	assert_int_equal(map(f, 0x8001, 0x1000, 0, RW), -EINVAL);
	assert_int_equal(map(f, 0x8000, 0x1001, 0, RW), -EINVAL);
	assert_int_equal(map(f, 0x8000, 0x1000, 0x10, RW), -EINVAL);
	assert_int_equal(map(f, UINT64_MAX - 0xfff, 0x2000, 0, RW), -EINVAL);
	assert_int_equal(map(f, 0x8000, 0x1000, (uint64_t)INT64_MAX - 0xfff + 0x1000, RW), -EINVAL);
	assert_int_equal(map(f, 0x8000, 0x1000, 0, 4), -EINVAL);
	/* Repeated, as after a kill: nothing more happens. */
	assert_int_equal(map(f, 0x4000, 0x2000, 0, RW), 0);
	assert_int_equal(guest_memory_unmap(f->memory, (struct guest_range){0x4000, 0x1000}), -ENOENT);
	assert_int_equal(guest_memory_unmap(f->memory, (struct guest_range){0x9000, 0x1000}), -ENOENT);
	assert_int_equal(guest_memory_unmap(f->memory, (struct guest_range){0x0000, 0x10000}), 0);
	assert_false(guest_memory_covers(f->memory, (struct guest_range){0x4000, 1}, false));
}

static void honours_access_rights(void **state)
{
	struct fixture *f = *state;
	uint8_t byte = 0;

	assert_int_equal(map(f, 0x4000, 0x1000, 0, DMA_SLOT_READ), 0);
	assert_int_equal(guest_memory_read(f->memory, 0x4000, &byte, 1), 0);
	assert_int_equal(guest_memory_write(f->memory, 0x4000, &byte, 1), -EACCES);
	assert_int_equal(guest_memory_store_u16(f->memory, 0x4000, 1), -EACCES);
	assert_false(guest_memory_covers(f->memory, (struct guest_range){0x4000, 1}, true));
}

static void survives_a_truncated_file(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[0x2000];
	uint16_t value;

	/* Again, because cmocka has put its own SIGBUS handler in place since set_up. */
	guest_memory_destroy(f->memory);
	assert_int_equal(guest_memory_create(f->table, NULL, &f->memory), 0);
	assert_int_equal(map(f, 0x4000, 0x8000, 0, RW), 0);
	assert_int_equal(ftruncate(f->fd, 0x1000), 0);
	assert_int_equal(guest_memory_read(f->memory, 0x4000, bytes, 0x1000), 0);
	assert_int_equal(guest_memory_read(f->memory, 0x4800, bytes, sizeof(bytes)), -EFAULT);
	assert_int_equal(guest_memory_write(f->memory, 0x9000, bytes, 16), -EFAULT);
	assert_int_equal(guest_memory_load_u16(f->memory, 0xa000, &value), -EFAULT);
	assert_int_equal(guest_memory_store_u16(f->memory, 0xb000, 1), -EFAULT);
	assert_int_equal(guest_memory_read(f->memory, 0x4000, bytes, 0x1000), 0);
}

static void ranges_without_descriptor_are_known_but_dead(void **state)
{
	struct fixture *f = *state;
	uint8_t byte;

	assert_int_equal(guest_memory_map(f->memory, (struct guest_range){0xc0000, 0x20000}, 0, RW, -1), 0);
	assert_int_equal(guest_memory_read(f->memory, 0xc0000, &byte, 1), -EFAULT);
	assert_true(guest_memory_lacks_descriptor(f->memory, 0xc0000));
	assert_int_equal(guest_memory_unmap(f->memory, (struct guest_range){0xc0000, 0x20000}), 0);
	assert_false(guest_memory_lacks_descriptor(f->memory, 0xc0000));
	/* RAM begins at 0: here a missing descriptor is a missing memory backend. */
	assert_int_equal(guest_memory_map(f->memory, (struct guest_range){0, 0x20000}, 0, RW, -1), -EINVAL);
	assert_true(guest_memory_lacks_descriptor(f->memory, 0x1000));
}

static void table_is_bounded(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < DMA_SLOT_MAX; i++)
		assert_int_equal(map(f, 0x100000ull + i * 0x2000, 0x1000, 0, RW), 0);
	assert_int_equal(map(f, 0x10000000, 0x1000, 0, RW), -ENOSPC);
	guest_memory_unmap_all(f->memory);
	assert_int_equal(map(f, 0x10000000, 0x1000, 0, RW), 0);
}

static void next_process_maps_the_same(void **state)
{
	struct fixture *f = *state;
	struct guest_memory *next;
	uint16_t value = 0;

	assert_int_equal(map(f, 0x4000, 0x1000, 0x2000, RW), 0);
	assert_int_equal(guest_memory_store_u16(f->memory, 0x4010, 0x1234), 0);
	assert_int_equal(guest_memory_create(f->table, NULL, &next), 0);
	assert_int_equal(guest_memory_load_u16(next, 0x4010, &value), 0);
	assert_int_equal(value, 0x1234);
	guest_memory_destroy(next);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(reaches_exactly_what_is_mapped),
		TEST(access_continues_where_ranges_meet),
		TEST(refuses_what_makes_no_sense),
		TEST(honours_access_rights),
		TEST(survives_a_truncated_file),
		TEST(ranges_without_descriptor_are_known_but_dead),
		TEST(table_is_bounded),
		TEST(next_process_maps_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
