/* SPDX-License-Identifier: MIT */
/* Clients that die in the middle of something. */
#include "tests/e2e/hostile/hostile.h"

#include <errno.h>
#include <linux/virtio_gpu.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/transport/direct/direct.h"

#define TURNS 3		/* of each phase */
#define RING_ID WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1)
#define MEMORY_ID WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 1)

/* Each gets as far as its name says and returns 0; the child then dies. */

static int at_stage(const char *path, enum raw_stage stage)
{
	struct raw_client *raw;

	return raw_client_open(path, stage, &raw);
}

static int connected(const char *path) { return raw_socket_connect(path) < 0; }
static int agreed(const char *path) { return at_stage(path, RAW_CONNECTED); }
static int described(const char *path) { return at_stage(path, RAW_DESCRIBED); }
static int memory_shown(const char *path) { return at_stage(path, RAW_MEMORY_SHOWN); }
static int features(const char *path) { return at_stage(path, RAW_FEATURES); }
static int queue(const char *path) { return at_stage(path, RAW_QUEUE); }
static int running(const char *path) { return at_stage(path, RAW_RUNNING); }

static int half_a_header(const char *path)
{
	const struct vfio_user_header header = {.command = VFIO_USER_VERSION, .bytes = 23};
	int socket = raw_socket_connect(path);

	return socket < 0 || raw_socket_send(socket, &header, 9, NULL, 0) != 9;
}

static int half_a_message(const char *path)
{
	const struct {
		struct vfio_user_header header;
		uint8_t payload[100];
	} message = {.header = {.command = VFIO_USER_VERSION, .bytes = sizeof(message)}};
	int socket = raw_socket_connect(path);

	return socket < 0 || raw_socket_send(socket, &message, 50, NULL, 0) != 50;
}

static int half_a_doorbell(const char *path)
{
	struct raw_client *raw;
	const struct vfio_user_header header = {.id = 3, .command = VFIO_USER_REGION_WRITE, .bytes = 34};

	return raw_client_open(path, RAW_RUNNING, &raw) ||
	       raw_socket_send(*vfio_user_client_socket(raw->client), &header, sizeof(header), NULL, 0) != sizeof(header);
}

static int unread_reply(const char *path)
{
	struct raw_client *raw;
	const struct vfio_user_header header = {.id = 3, .command = VFIO_USER_DEVICE_RESET, .bytes = sizeof(header)};

	return raw_client_open(path, RAW_RUNNING, &raw) ||
	       raw_socket_send(*vfio_user_client_socket(raw->client), &header, sizeof(header), NULL, 0) != sizeof(header);
}

static int with_commands_under_way(const char *path)
{
	struct virtio_gpu_resource_create_blob blob = {
		.hdr = {.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, .ctx_id = 1},
		.blob_mem = 2,
		.blob_flags = 1,
		.size = 4096,
	};
	struct raw_client *raw;
	int err = raw_client_open(path, RAW_RUNNING, &raw);

	if (err || raw_gpu_context_create(raw, 1) != VIRTIO_GPU_RESP_OK_NODATA)
		return -1;
	for (uint32_t i = 1; i <= 100 && !err; i++) {
		blob.resource_id = i;
		blob.blob_id = WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, i);
		err = raw_client_post(raw, &blob, sizeof(blob), 24);
	}
	return err ? err : raw_client_kick(raw);
}

static int with_commands_untold(const char *path)
{
	struct virtio_gpu_ctx_create context = {.hdr = {.type = VIRTIO_GPU_CMD_CTX_CREATE, .ctx_id = 1}, .context_init = WIRE_CAPSET_ID};
	struct raw_client *raw;

	return raw_client_open(path, RAW_RUNNING, &raw) || raw_client_post(raw, &context, sizeof(context), 24);
}

static int with_context_and_blobs(const char *path, bool ring, bool wake, bool record)
{
	const struct wire_submit setup = {.op = WIRE_SUBMIT_SETUP, .version = WIRE_VERSION, .arg = RING_ID};
	const struct wire_submit doorbell = {.op = WIRE_SUBMIT_DOORBELL, .version = WIRE_VERSION};
	struct transport *transport;
	struct transport_blob blob;
	char why[256];
	int fence;

	if (direct_open(path, 0, &transport, why))
		return -1;
	const struct transport_ops *ops = transport->ops;
	if (ops->blob_create(transport, MEMORY_ID, 1 << 20, &blob))
		return -2;
	memset(blob.address, 0x77, blob.bytes);
	if (ring && (ops->blob_create(transport, RING_ID, WIRE_RING_BLOB_BYTES, &blob) || ops->submit(transport, &setup)))
		return -3;
	if (record) {
		struct raw_ring at = {.base = blob.address};
		struct wire_queue_create create = {.h = {.opcode = WIRE_QUEUE_CREATE, .bytes = sizeof(create)}, .queue = 1};

		raw_ring_put_next(&at, &create, sizeof(create));
		raw_ring_shim_page(&at)->tail += 512;	/* and more is promised than was written */
		if (ops->submit(transport, &doorbell))
			return -4;
	}
	return wake ? ops->submit_wake(transport, &fence) : 0;
}

static int with_blob(const char *path) { return with_context_and_blobs(path, false, false, false); }
static int with_ring(const char *path) { return with_context_and_blobs(path, true, false, false); }
static int with_wake(const char *path) { return with_context_and_blobs(path, true, true, false); }
static int with_record(const char *path) { return with_context_and_blobs(path, true, true, true); }

static const struct phase {
	const char *what;
	int (*reach)(const char *path);
} phases[] = {
	{"connected", connected},
	{"within a header", half_a_header},
	{"within a message", half_a_message},
	{"after VERSION", agreed},
	{"with the aperture mapped", described},
	{"after DMA_MAP", memory_shown},
	{"after FEATURES_OK", features},
	{"with a queue", queue},
	{"after DRIVER_OK", running},
	{"within a doorbell", half_a_doorbell},
	{"with a reply on its way", unread_reply},
	{"with a command nobody was told of", with_commands_untold},
	{"with 100 commands under way", with_commands_under_way},
	{"with a context and a blob", with_blob},
	{"while the engine starts", with_ring},
	{"with a wake fence out", with_wake},
	{"within a record", with_record},
};

/* A child reaches the phase and dies: by _exit, or by SIGKILL. True if it got there. */
static bool vanish_in(struct hostile *hostile, const struct phase *phase, bool killed)
{
	int status;
	/* What is buffered would be written twice. */
	fflush(stdout);
	pid_t child = fork();

	if (!child) {
		if (phase->reach(hostile->path))
			_exit(1);
		if (killed)
			raise(SIGKILL);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return false;
	return killed ? WIFSIGNALED(status) : WIFEXITED(status) && !WEXITSTATUS(status);
}

void hostile_vanish(struct hostile *hostile)
{
	for (unsigned i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		unsigned reached = 0;

		for (unsigned turn = 0; turn < TURNS; turn++)
			reached += vanish_in(hostile, &phases[i], turn % 2);
		hostile_check(hostile, reached == TURNS, "%s: %u of %u clients got there and vanished", phases[i].what, reached, TURNS);
		if (!newcomer_works(hostile, phases[i].what))
			return;
	}
}
