/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/channel.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mdev/engine/compute/blobs.h"
#include "mdev/engine/compute/ring.h"
#include "mdev/engine/compute/sanitizer.h"
#include "mdev/engine/engine_protocol.h"
#include "mdev/ipc/seqpacket.h"
#include "mdev/log/log.h"

#define STOP_TIMEOUT_MS 100
#define CATCH_UP_TRIES 10000u
#define CATCH_UP_PAUSE_US 50

struct channel {
	struct channel_settings settings;
	struct blobs *blobs;
	struct ring *ring;
	uint64_t ring_blob_id;
	bool ring_ending;		/* its blob is wanted back, a command still runs */
	pthread_mutex_t handling;	/* held from taking a message until it has been acted on */
	pthread_mutex_t lock;		/* of the charge below */
	pthread_cond_t answered;
	uint64_t wanted_bytes, granted_bytes;
	uint32_t answers_due;
};

static void tell(uint32_t op, uint64_t blob_id, uint64_t offset, uint64_t value)
{
	struct engine_message message = {.op = op, .blob_id = blob_id, .offset = offset, .value = value};
	int r = seqpacket_send(ENGINE_FD_CHANNEL, &message, sizeof(message), NULL, 0);

	if (r && r != -EPIPE)
		log_warning("message %u to vgpu-device is lost: %s", op, strerror(-r));
}

void channel_fault(uint32_t reason)
{
	tell(ENGINE_FAULT, 0, 0, reason);
}

int channel_give_listener(int listener)
{
	const struct engine_message message = {.op = ENGINE_LISTENER};
	int r = seqpacket_send(ENGINE_FD_CHANNEL, &message, sizeof(message), &listener, 1);

	/* Ours too: whoever holds it could answer in the device's stead. */
	close(listener);
	return r;
}

/* blobs_released_fn */
static void released(void *data, uint64_t blob_id, uint64_t offset, uint64_t unmap_number)
{
	(void)data;
	tell(ENGINE_RELEASED, blob_id, offset, unmap_number);
}

/* The ring thread found damage: say so and end. Nothing is torn down: commands may be running. */
static void ring_fault(void *data, uint32_t reason)
{
	(void)data;
	channel_fault(reason);
	_exit(EXIT_FAILURE);
}

/* On the ring thread. Every CHARGE is answered in order, so the answer to the last one decides. */
static bool ring_charge(void *data, uint64_t total_bytes)
{
	struct channel *channel = data;

	pthread_mutex_lock(&channel->lock);
	bool less = total_bytes <= channel->wanted_bytes;
	uint64_t before_bytes = channel->wanted_bytes;
	channel->wanted_bytes = total_bytes;
	channel->answers_due++;
	tell(ENGINE_CHARGE, 0, 0, total_bytes);
	while (!less && channel->answers_due)
		pthread_cond_wait(&channel->answered, &channel->lock);
	bool granted = less || channel->granted_bytes >= total_bytes;
	if (!granted)
		channel->wanted_bytes = before_bytes;
	pthread_mutex_unlock(&channel->lock);
	return granted;
}

/* On the ring thread. A message is received and acted on under `handling`, so an empty socket seen under it means that all is known. */
static void ring_catch_up(void *data)
{
	struct channel *channel = data;
	struct pollfd readable = {.fd = ENGINE_FD_CHANNEL, .events = POLLIN};

	/* Bounded, and never waiting for the lock: the channel thread may be waiting for the ring thread to end. */
	for (unsigned tries = 0; tries < CATCH_UP_TRIES; tries++) {
		if (!pthread_mutex_trylock(&channel->handling)) {
			bool known = poll(&readable, 1, 0) <= 0;
			pthread_mutex_unlock(&channel->handling);
			if (known)
				return;
		}
		usleep(CATCH_UP_PAUSE_US);
	}
}

static void charged(struct channel *channel, uint64_t granted_bytes)
{
	pthread_mutex_lock(&channel->lock);
	channel->granted_bytes = granted_bytes;
	if (channel->answers_due)
		channel->answers_due--;
	pthread_cond_broadcast(&channel->answered);
	pthread_mutex_unlock(&channel->lock);
}

static void resync(struct channel *channel, uint64_t version)
{
	if (version != ENGINE_PROTOCOL_VERSION)
		log_warning("vgpu-device speaks version %llu of the engine protocol, this engine %u; going on",
			    (unsigned long long)version, ENGINE_PROTOCOL_VERSION);
	if (channel->ring)
		tell(ENGINE_READY, channel->ring_blob_id, 0, ENGINE_PROTOCOL_VERSION);
	pthread_mutex_lock(&channel->lock);
	/* Answers of the device process before this one were received before this message, or never come. */
	channel->answers_due = 0;
	if (channel->wanted_bytes || channel->granted_bytes) {
		channel->answers_due = 1;
		tell(ENGINE_CHARGE, 0, 0, channel->wanted_bytes);
	}
	pthread_mutex_unlock(&channel->lock);
}

static void start_ring(struct channel *channel, const struct engine_message *message)
{
	const struct wire_range whole = {.blob_id = message->blob_id, .bytes = WIRE_RING_BLOB_BYTES};
	char why[256] = "";

	if (channel->ring) {
		if (channel->ring_blob_id == message->blob_id)
			tell(ENGINE_READY, channel->ring_blob_id, 0, ENGINE_PROTOCOL_VERSION);
		else
			log_warning("a second ring is refused: a context has one");
		return;
	}
	if (message->value < WIRE_VERSION_MIN || message->value > WIRE_VERSION) {
		log_error("the shim chose wire version %llu, this engine speaks %u to %u",
			  (unsigned long long)message->value, WIRE_VERSION_MIN, WIRE_VERSION);
		goto fault;
	}
	void *ring_blob = blobs_pin(channel->blobs, &whole);
	if (!ring_blob) {
		log_error("the ring's blob is not mapped, or shorter than %u bytes", WIRE_RING_BLOB_BYTES);
		goto fault;
	}
	const struct ring_settings settings = {
		.device = channel->settings.device,
		.blobs = channel->blobs,
		.ring_blob = ring_blob,
		.version = (uint32_t)message->value,
		.doorbell_fd = ENGINE_FD_DOORBELL,
		.completion_fd = ENGINE_FD_COMPLETION,
		.want_fd = ENGINE_FD_WANT,
		.grant = channel->settings.grant,
		.status = channel->settings.status,
		.unified = channel->settings.unified,
		.svm = channel->settings.svm,
		.max_alloc_bytes = channel->settings.max_alloc_bytes,
		.spin_ns = channel->settings.spin_ns,
		.strategy = channel->settings.strategy,
		.preempt = channel->settings.preempt,
		.compiler_fd = channel->settings.compiler_fd,
		.fault = ring_fault,
		.charge = ring_charge,
		.catch_up = ring_catch_up,
		.data = channel,
	};
	if (ring_start(&settings, &channel->ring, why)) {
		log_error("the ring cannot be served: %s", why);
		goto fault;
	}
	channel->ring_blob_id = message->blob_id;
	tell(ENGINE_READY, channel->ring_blob_id, 0, ENGINE_PROTOCOL_VERSION);
	return;

fault:
	channel_fault(WIRE_LOST_START);
	_exit(EXIT_FAILURE);
}

/* The end of the ring thread and of all that is on the device: true if that came in time. */
static bool stop_ring(struct channel *channel)
{
	if (channel->ring && !ring_stop(channel->ring, STOP_TIMEOUT_MS))
		return false;
	if (channel->ring)
		blobs_unpin(channel->blobs, channel->ring_blob_id);
	channel->ring = NULL;
	return true;
}

static void unmap(struct channel *channel, const struct engine_message *message)
{
	if (!blobs_unmap(channel->blobs, message->blob_id, message->value)) {
		tell(ENGINE_RELEASED, message->blob_id, message->offset, message->value);
		return;
	}
	if (channel->ring && message->blob_id == channel->ring_blob_id) {
		/* The context is over. RELEASED comes with the end of what runs; whoever cannot wait kills. */
		channel->ring_ending = !stop_ring(channel);
		return;
	}
	if (channel->ring)
		ring_kick(channel->ring);
}

static void handle(struct channel *channel, const struct engine_message *message)
{
	int r;

	switch (message->op) {
	case ENGINE_RESYNC:
		resync(channel, message->value);
		break;
	case ENGINE_MAP:
		r = blobs_map(channel->blobs, message->blob_id, message->offset, message->bytes);
		if (r == -EPERM)	/* let go of since it was told: UNMAP is on its way */
			log_debug("blob %llx is not to be mapped any more", (unsigned long long)message->blob_id);
		else if (r)
			log_warning("blob %llx cannot be mapped at %llu, %llu bytes: %s", (unsigned long long)message->blob_id,
				    (unsigned long long)message->offset, (unsigned long long)message->bytes, strerror(-r));
		break;
	case ENGINE_UNMAP:
		unmap(channel, message);
		break;
	case ENGINE_RING:
		start_ring(channel, message);
		break;
	case ENGINE_CHARGED:
		charged(channel, message->value);
		break;
	default:
		log_warning("message %u of vgpu-device is unknown to this engine; it is of a newer build", message->op);
	}
}

int channel_serve(const struct channel_settings *settings)
{
	struct channel channel = {.settings = *settings};
	struct engine_message message;
	int fds[SEQPACKET_FDS_MAX];
	unsigned fd_count;
	ssize_t got;

	int r = blobs_create(settings->aperture_fd, released, &channel, &channel.blobs);
	if (r) {
		log_error("no memory for the table of blobs");
		return EXIT_FAILURE;
	}
	pthread_mutex_init(&channel.lock, NULL);
	pthread_mutex_init(&channel.handling, NULL);
	pthread_cond_init(&channel.answered, NULL);
	for (;;) {
		struct pollfd readable = {.fd = ENGINE_FD_CHANNEL, .events = POLLIN};
		if (!poll(&readable, 1, channel.ring_ending ? STOP_TIMEOUT_MS : -1)) {
			channel.ring_ending = !stop_ring(&channel);
			continue;
		}
		pthread_mutex_lock(&channel.handling);
		got = seqpacket_receive(ENGINE_FD_CHANNEL, &message, sizeof(message), false, fds, &fd_count);
		for (unsigned i = 0; i < fd_count; i++)
			close(fds[i]);
		if (got == sizeof(message))
			handle(&channel, &message);
		else if (got > 0)
			log_warning("a message of %zd bytes on the channel is passed over; %zu are expected", got, sizeof(message));
		pthread_mutex_unlock(&channel.handling);
		if (got <= 0 && got != -EAGAIN)
			break;
	}
	if (!stop_ring(&channel))
		return EXIT_SUCCESS;	/* a command runs: only the process's end stops it */
	blobs_destroy(channel.blobs);
	pthread_cond_destroy(&channel.answered);
	pthread_mutex_destroy(&channel.lock);
	pthread_mutex_destroy(&channel.handling);
	return sanitizer_finds_leaks() ? EXIT_FAILURE : EXIT_SUCCESS;
}
