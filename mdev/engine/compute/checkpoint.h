/* SPDX-License-Identifier: MIT */
/*
 * What an engine leaves behind for the next one of its context: where it stood in the ring, and records that make its objects again.
 *
 * Lies in a memfd of ENGINE_CHECKPOINT_BYTES that the keeper holds (engine_protocol.h). Written whole by an engine that retires,
 * read by the one that goes on; in between nobody maps it. The writer has run the guest's kernels, so the reader believes
 * nothing: lengths and checksum here, and each record as if it came from the ring (parse.h).
 *
 *   struct checkpoint, then record_bytes of records, then slot_count struct checkpoint_slot
 *
 * The records are the wire protocol's object records, to be acted on in order: QUEUE_CREATE, BUFFER_CREATE, KERNEL_CREATE,
 * PROGRAM_DESTROY (of a program whose kernels live on), and PROGRAM_BUILD as struct checkpoint_program, with its text
 * inside, since a shim frees the ranges it was in.
 *
 * Pure: no OpenCL, no system call.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_CHECKPOINT_H
#define VGPU_MDEV_ENGINE_COMPUTE_CHECKPOINT_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shim/wire/wire.h"

#define CHECKPOINT_MAGIC 0x504b4843u	/* "CHKP" */
#define CHECKPOINT_VERSION 1u

struct checkpoint_state {
	uint32_t head;			/* free-running, in the ring */
	uint32_t reserved;
	uint64_t sequence;		/* of the last record taken */
	uint64_t device_now_ns;		/* device time base, as published */
	uint64_t clock_now_ns;		/* CLOCK_MONOTONIC, at the same time */
	uint64_t counted[WIRE_QUEUE_COUNT];	/* what queue_done was last set to */
	uint32_t refused[WIRE_QUEUE_COUNT];	/* records without a slot, modulo 65536 */
};

struct checkpoint {
	uint32_t magic;			/* stored last */
	uint32_t version;
	uint32_t record_bytes;		/* a multiple of 8 */
	uint32_t slot_count;
	uint64_t checksum;		/* over all that follows this field */
	struct checkpoint_state state;
};
static_assert(sizeof(struct checkpoint) == 24 + 32 + 12 * WIRE_QUEUE_COUNT, "spoken between builds");

/* A record that failed, whose slot may still be waited for by later ones. One that does not appear counts as done (wire.h). */
struct checkpoint_slot {
	uint64_t sequence;
	uint32_t slot;
	int32_t status;			/* negative */
};

struct checkpoint_program {
	struct wire_header h;		/* PROGRAM_BUILD; bytes: all of it, may be longer than a record of the ring */
	uint32_t slot;			/* WIRE_NO_SLOT */
	uint32_t program;
	uint64_t source_bytes;		/* text follows, padded to 8; then the options', likewise */
	uint64_t options_bytes;
};

/* ---- writing ------------------------------------------------------------------------------------- */

struct checkpoint_writer {
	uint8_t *memory;		/* borrowed */
	size_t capacity;
	size_t used;
	uint32_t slot_count;
	size_t record_end;		/* 0 while records may be put */
	bool full;			/* sticks */
};

/* Makes what lay there worthless. memory: of `capacity` bytes, aligned to 8. */
void checkpoint_begin(struct checkpoint_writer *writer, void *memory, size_t capacity);
/* A record of `bytes`, header included; padded to 8. */
void checkpoint_put(struct checkpoint_writer *writer, const void *record, size_t bytes);
void checkpoint_put_program(struct checkpoint_writer *writer, uint32_t program, const void *source, size_t source_bytes,
			    const void *options, size_t options_bytes);
/* After the records. */
void checkpoint_put_slot(struct checkpoint_writer *writer, uint64_t sequence, uint32_t slot, int32_t status);
/* False: it did not fit, and there is no checkpoint. */
bool checkpoint_commit(struct checkpoint_writer *writer, const struct checkpoint_state *state);
/* What a record of so many bytes takes. */
size_t checkpoint_cost(size_t bytes);
size_t checkpoint_program_cost(size_t source_bytes, size_t options_bytes);
/* There is no checkpoint any more. */
void checkpoint_void(void *memory);

/* ---- reading ------------------------------------------------------------------------------------- */

/* How long the whole of it says it is; judge it before reading so much. */
uint64_t checkpoint_bytes(const struct checkpoint *head);
/* Checks lengths and checksum of a copy that nobody else can write. 0, -ENODATA: there is none, -EPROTO: of another build's
 * version, -EBADMSG: damaged. */
int checkpoint_check(const void *memory, size_t bytes);

struct checkpoint_reader {
	const uint8_t *at;
	size_t left;
};
/* Of a checked one; borrows it. */
struct checkpoint_reader checkpoint_records(const struct checkpoint *checkpoint);
/* The next record; aligned to 8, header.bytes of it are there. NULL: the end. *ret_damaged is set, never cleared. */
const struct wire_header *checkpoint_next(struct checkpoint_reader *reader, bool *ret_damaged);
/* A record that checkpoint_next returned. False: its lengths make no sense. */
bool checkpoint_program_text(const struct wire_header *record, const struct checkpoint_program **ret_program, const void **ret_source,
			     const void **ret_options);
/* slot_count of them; sequence, slot and status are as they were found. */
const struct checkpoint_slot *checkpoint_slots(const struct checkpoint *checkpoint);
#endif
