/* SPDX-License-Identifier: MIT */
/* SHA-256 of one block on the CPU (FIPS 180-4 §6.2.2). */
#ifndef BENCHMARKS_KERNELS_SHA256_REFERENCE_H
#define BENCHMARKS_KERNELS_SHA256_REFERENCE_H

#include <stdint.h>

/* Digest of a message that, padded, is the single block `words`. */
void sha256_block(const uint32_t words[16], uint32_t ret_digest[8]);

#endif
