/* SPDX-License-Identifier: MIT */
/* The state page: begun, opened again, refused when damaged or newer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vgpu-qemu/state_page.h"
#include "vgpu-qemu/virtio_gpu/virtio_gpu.h"

void virtio_gpu_state_init(struct gpu_state *state)
{
	memset(state, 0, 64);
}

static int fd;

static int set_up(void **state)
{
	(void)state;
	fd = memfd_create("state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0;
}

static int tear_down(void **state)
{
	(void)state;
	return close(fd);
}

static int open_page(struct state_page **ret_page, uint64_t *ret_generation, int *ret_fresh)
{
	return state_page_open(fd, ret_page, ret_generation, ret_fresh);
}

static void blank_file_begins_and_is_found_again(void **state)
{
	struct state_page *page = NULL;
	uint64_t generation = 0;
	int fresh = 0;
	struct stat st;

	(void)state;
	assert_int_equal(open_page(&page, &generation, &fresh), 0);
	assert_true(fresh);
	assert_int_equal(generation, 1);
	page->device.virtio.driver_features = 0x1234;
	state_page_close(page);
	assert_int_equal(open_page(&page, &generation, &fresh), 0);
	assert_false(fresh);
	assert_int_equal(generation, 2);
	assert_int_equal(page->device.virtio.driver_features, 0x1234);
	state_page_close(page);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, STATE_PAGE_FILE_BYTES);
	assert_int_equal(ftruncate(fd, 0), -1); /* sealed */
	assert_true(st.st_blocks * 512 < 256 * 1024); /* an address range, not memory */
}

static void small_sealed_file_is_refused(void **state)
{
	struct state_page *page = NULL;
	uint64_t generation;
	int fresh;

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
	assert_int_equal(open_page(&page, &generation, &fresh), -EMSGSIZE);
	assert_null(page);
}

/* Each writes one wrong value into a good page; the open must say no and leave its outputs alone. */
static void damaged_pages_are_refused(void **state)
{
	for (unsigned which = 0; which < 15; which++) {
		struct state_page *page = NULL, *again = NULL;
		uint64_t generation = 0, untouched = 77;
		int fresh, expected = -EBADMSG;

		if (which) {
			tear_down(state);
			set_up(state);
		}
		assert_int_equal(open_page(&page, &generation, &fresh), 0);
		struct state_header *header = (struct state_header *)((uint8_t *)page - STATE_PAGE_HEADER_BYTES);
		struct request_log *request = &page->connection.request;
		switch (which) {
		case 0: page->version = STATE_PAGE_VERSION + 1; expected = -EPROTO; break;
		case 1: header->layout = STATE_PAGE_LAYOUT + 1; expected = -EPROTO; break;
		case 2: page->version = 0; break;
		case 3: page->magic++; break;
		case 4: page->bytes++; break;
		case 5: header->active = 2; break;
		case 6: header->active = 1; break;
		case 7: header->magic++; break;
		case 8: request->phase = REQUEST_PHASE_COUNT; break;
		case 9: request->message_bytes = REQUEST_MAX_BYTES + 1; break;
		case 10: request->reply_bytes = REPLY_MAX_BYTES + 1; break;
		case 11: request->fd_count = REQUEST_FDS_MAX + 1; break;
		case 12: page->device.virtio.queue[1].size = 257; break;
		case 13: page->device.virtio.queue[0].taken.head = 256; break;
		case 14: page->connection.dma[3] = (struct dma_slot){UINT64_MAX, 2, 0, DMA_SLOT_MEMORY, 3}; break;
		}
		if (open_page(&again, &untouched, &fresh) != expected)
			fail_msg("damage %u was not refused as expected", which);
		assert_null(again);
		assert_int_equal(untouched, 77);
		munmap(header, STATE_PAGE_FILE_BYTES);
	}
}

/* Random bytes all over the part this module knows never crash it. */
static void random_damage_is_survived(void **state)
{
	(void)state;
	srand(3);
	for (unsigned round = 0; round < 300; round++) {
		struct state_page *page = NULL, *again = NULL;
		uint64_t generation;
		int fresh;

		tear_down(state);
		set_up(state);
		assert_int_equal(open_page(&page, &generation, &fresh), 0);
		for (unsigned i = 0; i < 20; i++)
			((uint8_t *)page)[(unsigned)rand() % offsetof(struct state_page, device.gpu)] = (uint8_t)rand();
		if (!open_page(&again, &generation, &fresh)) {
			assert_true(state_page_sane(again));
			state_page_close(again);
		}
		munmap((uint8_t *)page - STATE_PAGE_HEADER_BYTES, STATE_PAGE_FILE_BYTES);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(blank_file_begins_and_is_found_again),
		TEST(small_sealed_file_is_refused),
		TEST(damaged_pages_are_refused),
		TEST(random_damage_is_survived),
	};

	setenv("VGPU_LOG", "error", 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
