/* SPDX-License-Identifier: MIT */
/*
 * What the guest's init tells vgpu-run over the VM's virtio-serial port: a stream of frames.
 *
 * Only the guest speaks. Its bytes come from inside the VM, so vgpu-run believes nothing but what
 * frame_feed() lets through. vgpu-run and the guest's init are of one build: the port's name carries
 * the version, and a guest of another build does not find its port and says so on its console.
 */
#ifndef VGPU_LAUNCHER_FRAME_H
#define VGPU_LAUNCHER_FRAME_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_PORT_NAME "vgpu-run.1"

/* Where vgpu-run puts the command inside the guest: its arguments, each ended by a zero byte. */
#define GUEST_COMMAND_PATH "/run/vgpu-run/command"

#define FRAME_PAYLOAD_MAX_BYTES 65536

enum frame_type {
	FRAME_READY = 'R',  /* the command starts now; no payload */
	FRAME_OUTPUT = 'O', /* bytes the command wrote */
	FRAME_FAILED = 'F', /* the guest cannot run the command; one sentence that says why */
	FRAME_EXIT = 'X',   /* the command ended; one byte, its exit status as a shell shows it */
};

/* Guest ABI. */
struct frame_header {
	uint8_t type;
	uint8_t reserved[3]; /* zero */
	uint32_t length_le;  /* payload bytes that follow */
};
static_assert(sizeof(struct frame_header) == 8, "guest ABI");

/* A checked frame. The payload is valid during the callback only. */
struct frame {
	enum frame_type type;
	const uint8_t *payload;
	size_t payload_bytes;
};

/* Called per frame; a value other than 0 ends frame_feed() with it. */
typedef int (*frame_fn)(void *arg, const struct frame *frame);

/* Puts a stream's pieces together. The caller's memory, about 64 KiB. */
struct frame_reader {
	size_t have_bytes;
	uint8_t bytes[sizeof(struct frame_header) + FRAME_PAYLOAD_MAX_BYTES];
};

void frame_reader_init(struct frame_reader *reader);

/*
 * Takes the next bytes of the stream and calls @fn for each frame that is whole. Returns 0, -EPROTO when
 * the bytes are not a frame of ours (the stream is of no use afterwards), or what @fn returned.
 */
int frame_feed(struct frame_reader *reader, const void *bytes, size_t count, frame_fn fn, void *arg);

#endif
