/* SPDX-License-Identifier: MIT */
#include "shim/opencl/output.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOM_BYTES 0x40000u
#define ROOM_LEAST_BYTES 0x1000u	/* where VRAM is all but used up */

/* All of it, also to a pipe that does not block; if it cannot be written it is gone, as a driver's own would be. */
static void text_write(const char *text, size_t bytes)
{
	while (bytes) {
		ssize_t written = write(STDOUT_FILENO, text, bytes);

		if (written > 0) {
			text += written;
			bytes -= (size_t)written;
		} else if (written < 0 && errno == EAGAIN) {
			struct pollfd writable = { .fd = STDOUT_FILENO, .events = POLLOUT };

			if (poll(&writable, 1, -1) < 0 && errno != EINTR)
				return;
		} else if (written == 0 || errno != EINTR) {
			return;
		}
	}
}

/* One answer of the engine's. False: it has no more, or cannot be asked. */
static bool part_show(struct session *session, const struct memory_range *room)
{
	struct ring_completion completion = { .slot = WIRE_NO_SLOT };
	struct wire_output_read *record = ring_begin(session->ring, WIRE_OUTPUT_READ, sizeof(*record), &completion);
	struct wire_output head;

	if (!record)
		return false;
	record->reserved = 0;
	record->range = memory_wire_range(room);
	ring_commit(session->ring);
	if (ring_wait_completion(session->ring, &completion, RING_SPIN_NS) < 0 || completion.status != CL_SUCCESS)
		return false;
	memcpy(&head, room->address, sizeof(head));
	if (head.text_bytes > room->bytes - sizeof(head))
		return false;
	text_write((const char *)room->address + sizeof(head), head.text_bytes);
	if (head.lost_bytes)
		fprintf(stderr, "vgpu-opencl: %llu bytes that kernels printed are lost: there was no room for them\n",
			(unsigned long long)head.lost_bytes);
	return head.left_bytes && head.text_bytes;
}

void output_show(struct session *session)
{
	struct memory_range room;
	uint64_t bytes;
	int r;

	/* Who finds somebody at it waits: the text is to be there before that completion is told, too. */
	pthread_mutex_lock(&session->output_lock);
	bytes = __atomic_load_n(&session->ring->engine->output_bytes, __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&session->ring->lost, __ATOMIC_ACQUIRE) || bytes == session->output_seen)
		goto unlock;
	r = memory_alloc(session->memory, ROOM_BYTES, &room);
	if (r == -ENOMEM)
		r = memory_alloc(session->memory, ROOM_LEAST_BYTES, &room);
	if (r < 0)	/* the engine keeps it: the next look tries again */
		goto unlock;
	while (part_show(session, &room))
		;
	memory_release(session->memory, &room);
	__atomic_store_n(&session->output_seen, bytes, __ATOMIC_RELEASE);
unlock:
	pthread_mutex_unlock(&session->output_lock);
}
