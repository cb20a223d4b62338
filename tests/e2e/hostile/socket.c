/* SPDX-License-Identifier: MIT */
/* Games with the socket: doorbells without end, and bytes that mean nothing. */
#include "tests/e2e/hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---- doorbell-flood -------------------------------------------------------------------------------- */

/* As many notifies as the socket takes, reading replies only to make room. Returns how many were sent. */
static uint64_t flood_without_waiting(struct raw_client *raw, unsigned milliseconds)
{
	const struct {
		struct vfio_user_header header;
		struct vfio_user_region_access access;
		uint16_t queue;
	} __attribute__((packed)) notify = {
		.header = {.id = 7, .command = VFIO_USER_REGION_WRITE, .bytes = sizeof(notify)},
		.access = {.offset = raw->notify, .region = raw->device.layout.notify.bar, .count = 2},
	};
	int socket = *vfio_user_client_socket(raw->client);
	uint64_t sent = 0, until_ms = hostile_now_ms() + milliseconds;
	uint8_t replies[65536];
	size_t at = 0;

	while (hostile_now_ms() < until_ms) {
		long n = raw_socket_send(socket, (const uint8_t *)&notify + at, sizeof(notify) - at, NULL, 0);

		if (n == -EAGAIN) {
			if (raw_socket_receive(socket, replies, sizeof(replies), 100) == 0)
				break;
			continue;
		}
		if (n < 0)
			break;
		at += (size_t)n;
		if (at == sizeof(notify)) {
			at = 0;
			sent++;
		}
	}
	return sent;
}

void hostile_doorbell_flood(struct hostile *hostile)
{
	struct bystander bystander;
	struct raw_client *raw, *blind;
	uint64_t rung = 0, sent = 0, until_ms = hostile_now_ms() + 1000ull * hostile->seconds;
	int err = raw_client_open(hostile->path, RAW_RUNNING, &raw);

	if (!hostile_check(hostile, !err, "a connection of its own (%s)", err ? strerror(-err) : "ok"))
		return;
	err = raw_client_open(hostile->path, RAW_RUNNING, &blind);
	if (!hostile_check(hostile, !err, "a second one (%s)", err ? strerror(-err) : "ok") || !bystander_begin(hostile, &bystander)) {
		raw_client_close(raw);
		return;
	}
	while (hostile_now_ms() < until_ms) {
		for (unsigned i = 0; i < 2000 && !err; i++, rung++)
			err = raw_client_kick(raw);
		sent += flood_without_waiting(blind, 100);
		if (!bystander_works(hostile, &bystander))
			break;
	}
	hostile_note(hostile, "%llu doorbells rung one by one, %llu more without waiting for replies%s", (unsigned long long)rung,
		     (unsigned long long)sent, err ? "; then the service hung up" : "");
	hostile_check(hostile, rung + sent > 1000, "it was a flood");
	bystander_end(hostile, &bystander);
	raw_client_close(blind);
	raw_client_close(raw);
}

/* ---- garbage-socket -------------------------------------------------------------------------------- */

/* Sends a message, with what descriptors it likes, and reads what comes back for a moment. */
static void say(int socket, const void *bytes, size_t count, unsigned fd_count)
{
	uint8_t reply[4096];
	int fds[20], null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (unsigned i = 0; i < fd_count; i++)
		fds[i] = null;
	(void)raw_socket_send(socket, bytes, count, fds, null < 0 ? 0 : fd_count);
	(void)raw_socket_receive(socket, reply, sizeof(reply), 2);
	if (null >= 0)
		close(null);
}

static void pure_noise(struct hostile *hostile, int socket)
{
	uint8_t bytes[2048];

	hostile_random_bytes(hostile, bytes, sizeof(bytes));
	say(socket, bytes, 1 + hostile_random(hostile) % sizeof(bytes), 0);
}

/* A VERSION as it must be, so that what follows gets further. */
static void say_version(int socket)
{
	const struct {
		struct vfio_user_header header;
		struct vfio_user_version version;
		char json[4];
	} message = {
		.header = {.command = VFIO_USER_VERSION, .bytes = 16 + 4 + 3},
		.json = "{}",
	};

	say(socket, &message, message.header.bytes, 0);
}

/* A header that is right, a payload whose fields are drawn from values that hurt. */
static void likely_message(struct hostile *hostile, int socket)
{
	static const uint64_t values[] = {0, 1, 2, 3, 7, 8, 16, 32, 64, 4095, 4096, 0x2000, 0x3000, 0x3fff, 0x4000, 1u << 20,
					  0x7fffffff, 0x80000000, 0xffffffff, 1ull << 33, UINT64_MAX, UINT64_MAX - 4095};
	struct {
		struct vfio_user_header header;
		uint32_t payload[64];
	} message = {
		.header = {
			.id = (uint16_t)hostile_random(hostile),
			.command = (uint16_t)(hostile_random(hostile) % 18),
			.flags = hostile_random(hostile) % 8 ? 0 : (uint32_t)hostile_random(hostile) & 0x3f,
		},
	};
	static const uint32_t proper[] = {0, 7, 32, 24, 16, 32, 24, 16, 24, 16, 24, 16, 24, 0, 0, 16, 0, 0};
	uint32_t bytes = proper[message.header.command];

	if (hostile_random(hostile) % 4 == 0)
		bytes = (uint32_t)(hostile_random(hostile) % sizeof(message.payload));
	for (unsigned i = 0; i < 64; i++)
		message.payload[i] = (uint32_t)values[hostile_random(hostile) % (sizeof(values) / sizeof(values[0]))];
	if (hostile_random(hostile) % 2)
		message.payload[0] = bytes;	/* argsz */
	message.header.bytes = (uint32_t)sizeof(message.header) + bytes;
	size_t sent = message.header.bytes;
	switch (hostile_random(hostile) % 10) {
	case 0: message.header.bytes = (uint32_t)values[hostile_random(hostile) % 22]; break;	/* a length that lies */
	case 1: sent = 1 + hostile_random(hostile) % sent; break;				/* a message that stops */
	}
	say(socket, &message, sent, hostile_random(hostile) % 4 ? 0 : (unsigned)(hostile_random(hostile) % 18));
}

void hostile_garbage_socket(struct hostile *hostile)
{
	enum { CONNECTIONS = 150 };
	unsigned made = 0, refused = 0;
	uint64_t messages = 0;

	for (unsigned i = 0; i < CONNECTIONS; i++) {
		int socket = raw_socket_connect(hostile->path);

		/* A service may turn away one who comes too often; not for good. */
		if (socket < 0) {
			refused++;
			usleep(20000);
			continue;
		}
		made++;
		switch (i % 3) {
		case 0:
			pure_noise(hostile, socket);
			break;
		case 1:
			say_version(socket);
			pure_noise(hostile, socket);
			break;
		default:
			say_version(socket);
			for (unsigned n = 0; n < 40; n++, messages++)
				likely_message(hostile, socket);
		}
		close(socket);
		if (i % 50 == 49 && !newcomer_works(hostile, "between garbage"))
			return;
	}
	hostile_note(hostile, "%u connections (%u turned away), %llu likely messages", made, refused, (unsigned long long)messages);
	hostile_check(hostile, made > CONNECTIONS / 2, "most connections were accepted");
	/* Many at once that say nothing. Some may be turned away; when they are gone, all is as before. */
	int silent[40];
	unsigned held = 0;
	for (unsigned i = 0; i < 40; i++) {
		silent[i] = raw_socket_connect(hostile->path);
		held += silent[i] >= 0;
	}
	usleep(200000);
	for (unsigned i = 0; i < 40; i++)
		if (silent[i] >= 0)
			close(silent[i]);
	hostile_note(hostile, "%u silent connections at once", held);
	usleep(500000);
	newcomer_works(hostile, "after 40 silent connections");
}
