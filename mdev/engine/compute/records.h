/* SPDX-License-Identifier: MIT */
/*
 * The records that would make a context's living objects again: what an engine knows of them, kept from their creation to their end.
 *
 * A create record is noted once it has been acted on, with the program's text beside it; its object's end takes it away, but for
 * a program's whose kernels live on. So the list is always as long as there are objects. Written out in an order in
 * which it can be acted on (checkpoint.h). Ring thread only. All functions accept NULL: an engine that never is retired keeps none.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_RECORDS_H
#define VGPU_MDEV_ENGINE_COMPUTE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mdev/engine/compute/checkpoint.h"

struct records;

/* limit_bytes: what a checkpoint of them may take. NULL: out of memory. */
struct records *records_create(size_t limit_bytes);
void records_destroy(struct records *records);

/* A create record that succeeded: `bytes` of it, with its object's id. A kind that records.c does not know, or no memory for
 * it: from then on the context cannot be made again. */
void records_note(struct records *records, const void *record, size_t bytes, uint32_t id);
/* A program that exists now. is_stateful: it has memory of its own (program-scope variables), which no record makes again. */
void records_note_program(struct records *records, uint32_t id, const void *source, size_t source_bytes, const void *options,
			  size_t options_bytes, bool is_stateful);
/* create_opcode: of the record that made it. An unknown one is no error. */
void records_forget(struct records *records, uint16_t create_opcode, uint32_t id);

/* Whether the records make everything again. */
bool records_are_whole(const struct records *records);
void records_write(const struct records *records, struct checkpoint_writer *writer);

/* Living objects, for tests and logs. */
uint32_t records_count(const struct records *records);
#endif
