/* SPDX-License-Identifier: MIT */
/*
 * Seeded pseudo-random data by position: word i of a stream is a function of (seed, stream, i).
 *
 * Because nothing is kept between calls, a verifier can produce the inputs again instead of storing
 * them, which is what lets the suite run in a virtual machine with little memory. The mixing is
 * splitmix64's finalizer; good enough for test data and nothing else.
 */
#ifndef BENCHMARKS_PRNG_H
#define BENCHMARKS_PRNG_H

#include <stdint.h>

static inline uint64_t prng_mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* `stream` tells one input of a kernel from another (a from b). */
static inline uint32_t prng_u32(uint64_t seed, uint32_t stream, uint64_t index)
{
	return (uint32_t)(prng_mix(prng_mix(seed ^ ((uint64_t)stream << 32)) + index) >> 32);
}

/* In [-1, 1), a multiple of 2^-23: exact in a float. */
static inline float prng_float(uint64_t seed, uint32_t stream, uint64_t index)
{
	return (float)((int32_t)(prng_u32(seed, stream, index) >> 8) - (1 << 23)) / (float)(1 << 23);
}

#endif
