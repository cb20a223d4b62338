/* SPDX-License-Identifier: MIT */
/*
 * One valid record of every opcode, shared by the parser's unit test (which spoils one field at a time)
 * and its fuzz target (which starts from them).
 */
#ifndef VGPU_TESTS_MDEV_ENGINE_WIRE_RECORDS_H
#define VGPU_TESTS_MDEV_ENGINE_WIRE_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "mdev/engine/compute/parse.h"

#define RECORDS_BLOB WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 3)
#define RECORDS_BLOB_BYTES 65536u

/* One blob of RECORDS_BLOB_BYTES is mapped; alignment 128, largest allocation 32768. */
struct parse_limits records_limits(bool unified);

/* Writes a valid record of this opcode with sequence 10 into record (WIRE_RECORD_MAX_BYTES, aligned to 8): its length. */
size_t records_valid(uint16_t opcode, bool unified, void *record);
#endif
