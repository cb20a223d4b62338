/* SPDX-License-Identifier: MIT */
/* Games with memory: the aperture's pages, and the memory shown to the device. */
#include "tests/e2e/hostile/hostile.h"

#include <errno.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
#define HANG_SECONDS 300u	/* ends the test of a service that never takes anything back */

static uint64_t pages_still_written(const struct raw_client *raw)
{
	uint64_t count = 0;

	for (uint64_t at = 0; at < raw->aperture_bytes; at += PAGE)
		count += *(volatile uint8_t *)(raw->aperture + at) == 0xee;
	return count;
}

/* Which pages of the file have memory behind them; unlike reading it, asking takes none. */
static uint64_t pages_backed(const struct raw_client *raw)
{
	uint64_t count = 0;
	off_t at = 0, end = (off_t)raw->aperture_bytes;

	while (at < end) {
		off_t data = lseek(raw->aperture_fd, at, SEEK_DATA);
		off_t hole = data < 0 ? -1 : lseek(raw->aperture_fd, data, SEEK_HOLE);

		if (data < 0 || hole < 0 || data >= end)
			break;
		count += (uint64_t)(hole - data) / PAGE;
		at = hole;
	}
	return count;
}

/* The service takes back what no blob holds, in its own time, and there is no blob here: in the end, all. */
static uint64_t touch_and_wait(const struct raw_client *raw)
{
	const uint64_t give_up_ms = hostile_now_ms() + 1000ull * HANG_SECONDS;
	uint64_t left;

	for (uint64_t at = 0; at < raw->aperture_bytes; at += PAGE)
		*(volatile uint8_t *)(raw->aperture + at) = 0xee;
	while ((left = pages_backed(raw)) && hostile_now_ms() < give_up_ms)
		usleep(20000);
	return left;
}

/* Its connection stays open until standard input ends: somebody may want to look from outside. */
static void hold_still(void)
{
	char byte;

	while (!isatty(STDIN_FILENO) && read(STDIN_FILENO, &byte, 1) > 0)
		;
}

void hostile_touch_all(struct hostile *hostile)
{
	struct raw_client *raw;
	int err = raw_client_open(hostile->path, RAW_RUNNING, &raw);
	uint64_t end_ms = hostile_now_ms() + 1000ull * hostile->seconds, pages, left;
	unsigned rounds = 0;

	if (!hostile_check(hostile, !err, "a connection of its own (%s)", strerror(-err)))
		return;
	pages = raw->aperture_bytes / PAGE;
	do {
		left = touch_and_wait(raw);
		rounds++;
	} while (!left && hostile_now_ms() < end_ms);
	hostile_check(hostile, !left, "%llu pages (%llu MiB) were touched %u times; all but %llu of them were taken back every time",
		      (unsigned long long)pages, (unsigned long long)(raw->aperture_bytes >> 20), rounds, (unsigned long long)left);
	hold_still();
	left = pages_still_written(raw);
	hostile_check(hostile, !left, "all but %llu of them read zero now", (unsigned long long)left);
	raw_client_close(raw);
}

/* Rings, and accepts any answer that is one: the reply, an error, or the end of the connection. */
static void ring_and_expect_an_answer(struct hostile *hostile, struct raw_client *raw, const char *what)
{
	uint64_t began_ms = hostile_now_ms();
	int err = raw_client_kick(raw);

	hostile_check(hostile, hostile_now_ms() - began_ms < RAW_TIMEOUT_MS - 1000, "%s: the doorbell was answered (%s)", what,
		      err ? strerror(-err) : "ok");
}

static void truncate_to(struct hostile *hostile, size_t bytes, const char *what)
{
	const struct virtio_gpu_get_capset_info out = {.hdr = {.type = VIRTIO_GPU_CMD_GET_CAPSET_INFO}};
	struct raw_client *raw;
	int err = raw_client_open(hostile->path, RAW_RUNNING, &raw);

	if (!err && raw_gpu_context_create(raw, 1) != VIRTIO_GPU_RESP_OK_NODATA)
		err = -EPROTO;
	if (!err)
		err = raw_client_post(raw, &out, sizeof(out), 64);
	if (!err)
		err = raw_client_truncate(raw, bytes);
	if (!hostile_check(hostile, !err, "%s: set up (%s)", what, err ? strerror(-err) : "ok"))
		return;
	ring_and_expect_an_answer(hostile, raw, what);
	/* And again, now that it knows. */
	ring_and_expect_an_answer(hostile, raw, what);
	/* Memory that comes back is as good as new; the device may have asked for a reset meanwhile. */
	err = raw_client_truncate(raw, RAW_MEMORY_BYTES);
	if (!err && bytes >= RAW_OFFSET_OUT) {
		uint32_t head, written;

		ring_and_expect_an_answer(hostile, raw, what);
		err = raw_client_used(raw, 1000, &head, &written);
		hostile_note(hostile, "%s: the element was %s", what, err ? strerror(-err) : "completed");
	}
	raw_client_close(raw);
	newcomer_works(hostile, what);
}

static void map_badly(struct hostile *hostile)
{
	struct raw_client *raw;
	int fd = memfd_create("short", MFD_CLOEXEC);
	int err = raw_client_open(hostile->path, RAW_CONNECTED, &raw);

	if (!hostile_check(hostile, !err && fd >= 0 && !ftruncate(fd, PAGE), "a connection for bad maps"))
		return;
	const struct {
		const char *what;
		uint64_t address, bytes, offset;
		int fd;
	} maps[] = {
		{"longer than its file", 0x10000000, 1 << 30, 0, fd},
		{"wrapping round the address space", UINT64_MAX - 4095, 8192, 0, fd},
		{"of no bytes", 0xb0000000, 0, 0, fd},
		{"not at a page", 0xc0000123, 77, 3, fd},
		{"with an offset beyond its file", 0x90000000, PAGE, 1ull << 40, fd},
		{"with an offset that overflows", 0x90000000, PAGE, UINT64_MAX - 4095, fd},
		{"of standard input", 0xa0000000, PAGE, 0, 0},
	};
	for (unsigned i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		err = vfio_user_client_dma_map(raw->client, maps[i].address, maps[i].bytes, maps[i].fd, maps[i].offset);
		hostile_note(hostile, "DMA_MAP %s: %s", maps[i].what, err ? strerror(-err) : "accepted");
		if (err == -ENODEV) {	/* it hung up, which is an answer too */
			raw_client_close(raw);
			if (raw_client_open(hostile->path, RAW_CONNECTED, &raw))
				break;
		}
	}
	close(fd);
	raw_client_close(raw);
	newcomer_works(hostile, "after bad DMA_MAPs");
}

void hostile_truncate(struct hostile *hostile)
{
	truncate_to(hostile, 0, "all memory truncated");
	truncate_to(hostile, RAW_OFFSET_USED, "the used ring truncated");
	truncate_to(hostile, RAW_OFFSET_OUT, "requests and responses truncated");
	truncate_to(hostile, RAW_OFFSET_IN, "responses truncated");
	map_badly(hostile);
}
