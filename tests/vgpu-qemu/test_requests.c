/* SPDX-License-Identifier: MIT */
/* vfio-user requests against the real device process: every row of the dispatch table, bad framing, garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mdev/keeper/keeper_protocol.h"
#include "tests/vgpu-qemu/fake_gpu.h"
#include "tests/vgpu-qemu/rig.h"
#include "vgpu-qemu/vfio_user/protocol.h"

static int set_up(void **state)
{
	struct rig *rig = rig_create();

	rig_start(rig);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	rig_destroy(*state);
	return 0;
}

static uint32_t error_of(struct rig *rig, uint16_t command, const void *payload, uint32_t bytes, const int *fds, unsigned count)
{
	struct rig_reply reply;

	if (!rig_request(rig, command, payload, bytes, fds, count, &reply))
		fail_msg("command %u with %u bytes and %u descriptors was not answered", command, bytes, count);
	assert_true(reply.fd < 0);
	return reply.error;
}

static void every_command_refuses_wrong_sizes_and_descriptors(void **state)
{
	static const struct {
		uint16_t command;
		uint32_t min, max;
		unsigned fds;
	} rows[] = {
		{VFIO_USER_VERSION, 4, 4096, 0},	       {VFIO_USER_DMA_MAP, 32, 32, 1},
		{VFIO_USER_DMA_UNMAP, 24, 24, 0},	       {VFIO_USER_DEVICE_GET_INFO, 16, 16, 0},
		{VFIO_USER_DEVICE_GET_REGION_INFO, 32, 4096, 0}, {VFIO_USER_DEVICE_GET_IRQ_INFO, 16, 16, 0},
		{VFIO_USER_DEVICE_SET_IRQS, 20, 23, 3},	       {VFIO_USER_REGION_READ, 16, 16, 0},
		{VFIO_USER_REGION_WRITE, 17, 16 + 2048, 0},    {VFIO_USER_DEVICE_RESET, 0, 0, 0},
	};
	struct rig *rig = *state;
	uint8_t payload[8000] = {0};
	int fds[17];

	for (unsigned i = 0; i < 17; i++)
		fds[i] = rig->ram_fd;
	rig_version(rig);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].min)
			assert_int_equal(error_of(rig, rows[i].command, payload, rows[i].min - 1, NULL, 0), EINVAL);
		assert_int_equal(error_of(rig, rows[i].command, payload, rows[i].max + 1, NULL, 0), EINVAL);
		assert_int_equal(error_of(rig, rows[i].command, payload, rows[i].max, fds, rows[i].fds + 1), EINVAL);
		assert_int_equal(error_of(rig, rows[i].command, payload, rows[i].max, fds, 17), EINVAL);
	}
	assert_true(rig_quiet(rig));
	assert_int_equal(rig->starts, 1);
	for (unsigned i = 0; i < 17; i++)
		assert_int_equal(rig_stored(rig, KEEPER_TAG(KEEPER_FD_PENDING, i)), -1);
}

static void unknown_commands_are_answered(void **state)
{
	struct rig *rig = *state;

	rig_version(rig);
	for (uint16_t command = 14; command < 40; command++)
		assert_int_equal(error_of(rig, command, "abcd", 4, NULL, 0), ENOSYS);
	assert_int_equal(error_of(rig, 0, NULL, 0, NULL, 0), ENOSYS);
	assert_int_equal(error_of(rig, VFIO_USER_DEVICE_GET_REGION_IO_FDS, "abcd", 4, NULL, 0), ENOSYS);
	assert_int_equal(error_of(rig, VFIO_USER_DMA_READ, "abcd", 4, NULL, 0), ENOSYS);
	assert_int_equal(error_of(rig, 0xffff, NULL, 0, NULL, 0), ENOSYS);
}

static void version_comes_first(void **state)
{
	struct rig *rig = *state;
	struct vfio_user_device_info info = {16, 0, 0, 0};
	struct vfio_user_version bad = {1, 0};

	assert_int_equal(error_of(rig, VFIO_USER_DEVICE_GET_INFO, &info, sizeof(info), NULL, 0), EINVAL);
	assert_int_equal(error_of(rig, VFIO_USER_VERSION, &bad, sizeof(bad), NULL, 0), EINVAL);
	assert_int_equal(error_of(rig, VFIO_USER_VERSION, "\0\0\0\0{no end}", 12, NULL, 0), EINVAL);
	rig_version(rig);
	assert_int_equal(error_of(rig, VFIO_USER_DEVICE_GET_INFO, &info, sizeof(info), NULL, 0), 0);
}

static void aperture_is_offered_in_two_steps(void **state)
{
	struct rig *rig = *state;
	struct vfio_user_region_info info = {.argsz = 32, .index = 2};
	struct vfio_user_sparse_mmap sparse;
	struct rig_reply reply;
	struct stat here, there;

	rig_version(rig);
	assert_true(rig_request(rig, VFIO_USER_DEVICE_GET_REGION_INFO, &info, sizeof(info), NULL, 0, &reply));
	assert_int_equal(reply.error, 0);
	assert_int_equal(reply.bytes, 32);
	assert_true(reply.fd < 0);
	memcpy(&info, reply.payload, sizeof(info));
	assert_int_equal(info.argsz, 64);
	assert_int_equal(info.cap_offset, 32);
	assert_int_equal(info.size, 8ull << 30);
	assert_true(rig_request(rig, VFIO_USER_DEVICE_GET_REGION_INFO, &info, sizeof(info), NULL, 0, &reply));
	assert_int_equal(reply.bytes, 64);
	memcpy(&sparse, reply.payload + 32, sizeof(sparse));
	assert_int_equal(sparse.id, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	assert_int_equal(sparse.area_offset, 0);
	assert_int_equal(sparse.area_size, RIG_APERTURE_BYTES);
	assert_true(reply.fd >= 0);
	assert_int_equal(fstat(reply.fd, &here), 0);
	assert_int_equal(fstat(rig_stored(rig, KEEPER_TAG(KEEPER_FD_APERTURE, 0)), &there), 0);
	assert_int_equal(here.st_ino, there.st_ino);
	close(reply.fd);
	info = (struct vfio_user_region_info){.argsz = 31, .index = 2};
	assert_int_equal(error_of(rig, VFIO_USER_DEVICE_GET_REGION_INFO, &info, sizeof(info), NULL, 0), EINVAL);
	info = (struct vfio_user_region_info){.argsz = 32, .index = 9};
	assert_int_equal(error_of(rig, VFIO_USER_DEVICE_GET_REGION_INFO, &info, sizeof(info), NULL, 0), EINVAL);
}

static void region_accesses_are_bounded(void **state)
{
	static const struct {
		struct vfio_user_region_access access;
		uint32_t error;
	} reads[] = {
		{{0x3ffc, 0, 4}, 0},	       {{0x3ffd, 0, 4}, EINVAL},      {{UINT64_MAX, 0, 4}, EINVAL},
		{{0, 0, 0}, EINVAL},	       {{0, 0, 2048}, 0},	      {{0, 0, 2049}, EINVAL},
		{{0, 0, UINT32_MAX}, EINVAL},  {{0, 3, 4}, EINVAL},	      {{0, 6, 4}, EINVAL},
		{{0, 7, 256}, 0},	       {{0, 7, 257}, EINVAL},	      {{0, 9, 4}, EINVAL},
		{{0, UINT32_MAX, 4}, EINVAL},  {{(8ull << 30) - 4, 2, 4}, 0}, {{(8ull << 30) - 3, 2, 4}, EINVAL},
		{{0xffc, 1, 4}, 0},	       {{0x1000, 1, 4}, EINVAL},
	};
	struct rig *rig = *state;
	struct {
		struct vfio_user_region_access access;
		uint64_t value;
	} write = {{0, 0, 4}, 0};

	rig_version(rig);
	for (unsigned i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
		if (error_of(rig, VFIO_USER_REGION_READ, &reads[i].access, 16, NULL, 0) != reads[i].error)
			fail_msg("read %u: not answered with %u", i, reads[i].error);
	/* count and data disagree */
	assert_int_equal(error_of(rig, VFIO_USER_REGION_WRITE, &write, 16 + 8, NULL, 0), EINVAL);
	assert_int_equal(error_of(rig, VFIO_USER_REGION_WRITE, &write, 16 + 2, NULL, 0), EINVAL);
	/* The aperture without mmap: inside its backing it is memory, beyond it zeroes. */
	rig_write(rig, 2, 0x1000, 0x1122334455667788, 8);
	assert_int_equal(rig_read(rig, 2, 0x1000, 8), 0x1122334455667788);
	rig_write(rig, 2, RIG_APERTURE_BYTES - 4, 0x1122334455667788, 8);
	assert_int_equal(rig_read(rig, 2, RIG_APERTURE_BYTES - 4, 8), 0x55667788);
	rig_write(rig, 2, 1ull << 32, 1, 8);
	assert_int_equal(rig_read(rig, 2, 1ull << 32, 8), 0);
}

static void interrupts_follow_set_irqs(void **state)
{
	struct rig *rig = *state;
	struct {
		struct vfio_user_irq_set set;
		uint8_t data[3];
	} __attribute__((packed)) r = {{20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 2, 0, 3}, {0}};
	int fds[3];
	uint64_t count = 0;

	rig_version(rig);
	for (unsigned i = 0; i < 3; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(error_of(rig, VFIO_USER_DEVICE_SET_IRQS, &r, 20, fds, 2), EINVAL);
	assert_int_equal(error_of(rig, VFIO_USER_DEVICE_SET_IRQS, &r, 20, fds, 3), 0);
	assert_true(rig_stored(rig, KEEPER_TAG(KEEPER_FD_IRQ, 2)) >= 0);
	r.set.flags = VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER;
	r.data[1] = 1;
	assert_int_equal(error_of(rig, VFIO_USER_DEVICE_SET_IRQS, &r, 23, NULL, 0), 0);
	assert_int_equal(read(fds[1], &count, 8), 8);
	assert_int_equal(read(fds[0], &count, 8), -1);
	assert_int_equal(error_of(rig, VFIO_USER_DEVICE_SET_IRQS, &r, 22, NULL, 0), EINVAL);
	/* Detached: noted as pending, told when an eventfd comes back. */
	r.set = (struct vfio_user_irq_set){20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 2, 1, 1};
	assert_int_equal(error_of(rig, VFIO_USER_DEVICE_SET_IRQS, &r, 20, NULL, 0), 0);
	assert_int_equal(rig_stored(rig, KEEPER_TAG(KEEPER_FD_IRQ, 1)), -1);
	r.set.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER;
	assert_int_equal(error_of(rig, VFIO_USER_DEVICE_SET_IRQS, &r, 20, NULL, 0), 0);
	assert_int_equal(read(fds[1], &count, 8), -1);
	r.set.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	assert_int_equal(error_of(rig, VFIO_USER_DEVICE_SET_IRQS, &r, 20, &fds[1], 1), 0);
	assert_int_equal(read(fds[1], &count, 8), 8);

	static const struct vfio_user_irq_set bad[] = {
		{20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 2, 0, 4},
		{20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 2, UINT32_MAX, 2},
		{20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 2, 3, UINT32_MAX},
		{20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 5, 0, 0},
		{20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, 1},
		{20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_MASK, 2, 0, 1},
		{20, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER, 2, 0, 1},
		{20, 0xffffffff, 2, 0, 1},
		{19, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 2, 0, 1},
	};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(error_of(rig, VFIO_USER_DEVICE_SET_IRQS, &bad[i], 20, NULL, 0), EINVAL);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
}

static void dma_maps_are_checked(void **state)
{
	struct rig *rig = *state;
	struct vfio_user_dma_map map = {32, 3, 0, RIG_RAM_ADDRESS + 0x1000, 0x1000};
	struct vfio_user_dma_unmap unmap = {24, 0, RIG_RAM_ADDRESS, RIG_RAM_BYTES};
	int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	rig_version(rig);
	rig_map_ram(rig);
	assert_int_equal(error_of(rig, VFIO_USER_DMA_MAP, &map, sizeof(map), &rig->ram_fd, 1), EEXIST);
	map.address = 0x40000000;
	assert_true(error_of(rig, VFIO_USER_DMA_MAP, &map, sizeof(map), &directory, 1));
	map.flags = 8;
	assert_int_equal(error_of(rig, VFIO_USER_DMA_MAP, &map, sizeof(map), &rig->ram_fd, 1), EINVAL);
	unmap.flags = VFIO_USER_DMA_UNMAP_DIRTY_PAGES;
	assert_int_equal(error_of(rig, VFIO_USER_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0), EINVAL);
	unmap.flags = VFIO_USER_DMA_UNMAP_ALL;
	assert_int_equal(error_of(rig, VFIO_USER_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0), EINVAL);
	assert_true(rig_stored(rig, KEEPER_TAG(KEEPER_FD_DMA, 0)) >= 0);
	unmap.address = unmap.size = 0;
	assert_int_equal(error_of(rig, VFIO_USER_DMA_UNMAP, &unmap, sizeof(unmap), NULL, 0), 0);
	assert_int_equal(rig_stored(rig, KEEPER_TAG(KEEPER_FD_DMA, 0)), -1);
	rig_map_ram(rig);
	close(directory);
}

/* Maps and unmaps sent without waiting, as QEMU does: each descriptor stays with its own message. */
static void pipelined_requests_keep_their_descriptors(void **state)
{
	struct rig *rig = *state;
	struct rig_reply reply;
	uint16_t first = (uint16_t)(rig->next_id + 1);

	rig_version(rig);
	for (unsigned i = 0; i < 20; i++) {
		struct vfio_user_dma_map map = {32, 3, 0, RIG_RAM_ADDRESS, 0x1000};
		struct vfio_user_dma_unmap unmap = {24, 0, RIG_RAM_ADDRESS, 0x1000};

		rig_send(rig, VFIO_USER_DMA_MAP, 0, &map, sizeof(map), &rig->ram_fd, 1);
		rig_send(rig, VFIO_USER_DMA_UNMAP, 0, &unmap, sizeof(unmap), NULL, 0);
	}
	for (unsigned i = 0; i < 40; i++) {
		assert_true(rig_receive(rig, (uint16_t)(first + i), &reply));
		assert_int_equal(reply.error, 0);
	}
	assert_true(rig_quiet(rig));
}

static void no_reply_is_honoured(void **state)
{
	struct rig *rig = *state;
	struct {
		struct vfio_user_region_access access;
		uint32_t value;
	} __attribute__((packed)) write = {{0x100, 2, 4}, 0xabcd};

	rig_version(rig);
	rig_send(rig, VFIO_USER_REGION_WRITE, VFIO_USER_FLAGS_NO_REPLY, &write, sizeof(write), NULL, 0);
	rig_send(rig, 77, VFIO_USER_FLAGS_NO_REPLY, NULL, 0, NULL, 0);
	assert_int_equal(rig_read(rig, 2, 0x100, 4), 0xabcd);
	assert_true(rig_quiet(rig));
}

static void isr_is_cleared_by_reading_it(void **state)
{
	struct rig *rig = *state;

	rig_version(rig);
	rig_map_ram(rig);
	rig_driver_start(rig);
	rig_submit(rig, 0, FAKE_GPU_ECHO);
	rig_doorbell(rig);
	assert_int_equal(rig_wait_used(rig, 1), 1);
	assert_int_equal(rig_read(rig, 0, 0x1000, 1), 1);
	assert_int_equal(rig_read(rig, 0, 0x1000, 1), 0);
}

static void bad_driver_gets_needs_reset_and_recovers(void **state)
{
	struct rig *rig = *state;

	rig_version(rig);
	rig_map_ram(rig);
	rig_driver_start(rig);
	rig_write(rig, 0, 0x16, 1, 2);
	rig_write(rig, 0, 0x20, 0xdead0000, 8);
	rig_write(rig, 0, 0x1c, 1, 2);
	assert_int_equal(rig_read(rig, 0, 0x14, 1), 15 | 64);
	rig_write(rig, 0, 0x14, 0, 1);
	assert_int_equal(rig_read(rig, 0, 0x14, 1), 0);
	rig_driver_start(rig);
	/* Features that were not offered are not accepted. */
	rig_write(rig, 0, 0x14, 0, 1);
	rig_write(rig, 0, 0x08, 0, 4);
	rig_write(rig, 0, 0x0c, 0xffffffff, 4);
	rig_write(rig, 0, 0x14, 11, 1);
	assert_int_equal(rig_read(rig, 0, 0x14, 1), 3);
}

static void window_reaches_the_bar(void **state)
{
	struct rig *rig = *state;
	unsigned cap = 0x84;

	rig_version(rig);
	assert_int_equal(rig_read(rig, 7, cap + 3, 1), 5);
	rig_write(rig, 7, cap + 4, 0, 1);
	rig_write(rig, 7, cap + 8, 0x14, 4);
	rig_write(rig, 7, cap + 12, 1, 4);
	rig_write(rig, 7, cap + 16, 1, 1);
	assert_int_equal(rig_read(rig, 0, 0x14, 1), 1);
	assert_int_equal(rig_read(rig, 7, cap + 16, 1), 1);
	/* Outside the BAR: nothing happens. */
	rig_write(rig, 7, cap + 8, 0xfffffff0, 4);
	rig_write(rig, 7, cap + 16, 1, 1);
	rig_write(rig, 7, cap + 4, 7, 1);
	rig_write(rig, 7, cap + 16, 1, 1);
	assert_int_equal(rig->starts, 1);
}

/* ---- framing -------------------------------------------------------------------------------------------- */

static void expect_end(struct rig *rig)
{
	uint8_t buffer[256];

	assert_true(rig_wait_exit(rig));
	assert_int_equal(rig->exit_status, 0);
	assert_true(rig->finished);
	assert_int_equal(rig->starts, 1);
	/* The end of the stream, after whatever was answered before. */
	while (recv(rig->client, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
		;
}

static void impossible_lengths_end_the_connection(void **state)
{
	static const uint32_t lengths[] = {0, 15, 8193, 1u << 20, UINT32_MAX};

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct rig *rig = *state;
		struct vfio_user_header header = {1, 1, lengths[i], 0, 0};

		assert_int_equal(send(rig->client, &header, sizeof(header), 0), sizeof(header));
		expect_end(rig);
		assert_int_equal(rig->strikes, 1);
		tear_down(state);
		set_up(state);
	}
}

static void replies_and_unknown_types_are_refused(void **state)
{
	struct rig *rig = *state;
	struct rig_reply reply;

	rig_version(rig);
	for (uint32_t type = 1; type < 16; type++) {
		uint16_t id = rig->next_id;
		rig_send(rig, VFIO_USER_DEVICE_RESET, type, NULL, 0, NULL, 0);
		assert_true(rig_receive(rig, id, &reply));
		assert_int_equal(reply.error, EINVAL);
	}
	assert_true(rig_quiet(rig));
}

static void message_in_small_pieces_is_understood(void **state)
{
	struct rig *rig = *state;
	struct vfio_user_header header = {rig->next_id, VFIO_USER_VERSION, 20, 0, 0};
	uint8_t bytes[20] = {0};
	struct rig_reply reply;

	memcpy(bytes, &header, sizeof(header));
	for (unsigned i = 0; i < sizeof(bytes); i++) {
		assert_int_equal(send(rig->client, bytes + i, 1, 0), 1);
		usleep(500);
	}
	assert_true(rig_receive(rig, rig->next_id++, &reply));
	assert_int_equal(reply.error, 0);
	assert_int_equal(rig_read(rig, 7, 0, 4), 0x10501af4);
}

static void client_that_vanishes_leaves_nothing(void **state)
{
	struct rig *rig = *state;
	struct vfio_user_header header = {9, VFIO_USER_REGION_WRITE, 100, 0, 0};

	rig_version(rig);
	rig_map_ram(rig);
	rig_driver_start(rig);
	assert_int_equal(send(rig->client, &header, sizeof(header), 0), sizeof(header));
	close(rig->client);
	rig->client = -1;
	expect_end(rig);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(rig_stored(rig, KEEPER_TAG(KEEPER_FD_DMA, i)), -1);
}

static void garbage_ends_the_connection_and_nothing_else(void **state)
{
	srand(1);
	for (unsigned round = 0; round < 30; round++) {
		struct rig *rig = *state;
		uint8_t garbage[4096];

		for (unsigned i = 0; i < sizeof(garbage); i++)
			garbage[i] = (uint8_t)rand();
		if (round % 2)
			rig_version(rig);
		if (round % 3 == 0)
			garbage[4] = 64, garbage[5] = garbage[6] = garbage[7] = 0; /* plausible framing, wild content */
		send(rig->client, garbage, sizeof(garbage), MSG_NOSIGNAL);
		shutdown(rig->client, SHUT_WR);
		expect_end(rig);
		tear_down(state);
		set_up(state);
	}
}

/* Well-framed messages of every command with random content. */
static void random_requests_are_all_answered(void **state)
{
	struct rig *rig = *state;

	srand(2);
	rig_version(rig);
	rig_map_ram(rig);
	rig_driver_start(rig);
	for (unsigned i = 0; i < 3000; i++) {
		uint8_t payload[64];
		uint16_t command = (uint16_t)(rand() % 15);
		struct rig_reply reply;

		for (unsigned b = 0; b < sizeof(payload); b++)
			payload[b] = rand() % 3 ? 0 : (uint8_t)rand();
		if (!rig_request(rig, command, payload, (uint32_t)(rand() % 65), &rig->ram_fd, rand() % 8 == 0, &reply))
			fail_msg("request %u (command %u) was not answered", i, command);
		if (reply.fd >= 0)
			close(reply.fd);
	}
	assert_int_equal(rig->starts, 1);
}

static void unread_replies_do_not_block_the_device(void **state)
{
	struct rig *rig = *state;
	struct vfio_user_region_access access = {0, 0, 2048};
	struct rig_reply reply;
	unsigned sent = 0;
	uint16_t first;
	int size = 4096;

	rig_version(rig);
	setsockopt(rig_stored(rig, KEEPER_TAG(KEEPER_FD_CONNECTION, 0)), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	first = rig->next_id;
	for (; sent < 64; sent++)
		rig_send(rig, VFIO_USER_REGION_READ, 0, &access, sizeof(access), NULL, 0);
	usleep(20000);
	rig_kill(rig);	/* and a fresh process goes on with the reply that is stuck */
	for (unsigned i = 0; i < sent; i++) {
		assert_true(rig_receive(rig, (uint16_t)(first + i), &reply));
		assert_int_equal(reply.error, 0);
	}
	assert_true(rig_quiet(rig));
}

static void idle_device_uses_no_processor(void **state)
{
	struct rig *rig = *state;
	struct timespec before, after;
	clockid_t clock;

	rig_version(rig);
	rig_map_ram(rig);
	rig_driver_start(rig);
	rig_submit(rig, 0, FAKE_GPU_ECHO);
	rig_doorbell(rig);
	assert_int_equal(rig_wait_used(rig, 1), 1);
	usleep(20000);
	assert_int_equal(clock_getcpuclockid(rig->device, &clock), 0);
	assert_int_equal(clock_gettime(clock, &before), 0);
	usleep(300000);
	assert_int_equal(clock_gettime(clock, &after), 0);
	assert_true((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec < 200000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(every_command_refuses_wrong_sizes_and_descriptors),
		TEST(unknown_commands_are_answered),
		TEST(version_comes_first),
		TEST(aperture_is_offered_in_two_steps),
		TEST(region_accesses_are_bounded),
		TEST(interrupts_follow_set_irqs),
		TEST(dma_maps_are_checked),
		TEST(pipelined_requests_keep_their_descriptors),
		TEST(no_reply_is_honoured),
		TEST(isr_is_cleared_by_reading_it),
		TEST(bad_driver_gets_needs_reset_and_recovers),
		TEST(window_reaches_the_bar),
		TEST(impossible_lengths_end_the_connection),
		TEST(replies_and_unknown_types_are_refused),
		TEST(message_in_small_pieces_is_understood),
		TEST(client_that_vanishes_leaves_nothing),
		TEST(garbage_ends_the_connection_and_nothing_else),
		TEST(random_requests_are_all_answered),
		TEST(unread_replies_do_not_block_the_device),
		TEST(idle_device_uses_no_processor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
