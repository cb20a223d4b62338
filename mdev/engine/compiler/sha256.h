/* SPDX-License-Identifier: MIT */
/* SHA-256 (FIPS 180-4), for naming builds by what they are made of. Any thread. */
#ifndef VGPU_MDEV_ENGINE_COMPILER_SHA256_H
#define VGPU_MDEV_ENGINE_COMPILER_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32u

struct sha256 {
	uint32_t state[8];
	uint64_t bytes;		/* taken so far */
	uint8_t block[64];
};

void sha256_begin(struct sha256 *sha);
void sha256_add(struct sha256 *sha, const void *bytes, size_t count);
void sha256_end(struct sha256 *sha, uint8_t ret_digest[SHA256_BYTES]);
#endif
