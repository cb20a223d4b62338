/* SPDX-License-Identifier: MIT */
#include "shim/copy.h"

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>

#define LINE_BYTES 64u

/* Whole lines to an aligned destination, past the caches. */
static void stream_lines(uint8_t *destination, const uint8_t *source, size_t lines)
{
	for (; lines; lines--, destination += LINE_BYTES, source += LINE_BYTES) {
		__m128i *to = (__m128i *)(void *)destination;
		const __m128i_u *from = (const __m128i_u *)(const void *)source;
		__m128i a = _mm_loadu_si128(from), b = _mm_loadu_si128(from + 1);
		__m128i c = _mm_loadu_si128(from + 2), d = _mm_loadu_si128(from + 3);

		_mm_stream_si128(to, a);
		_mm_stream_si128(to + 1, b);
		_mm_stream_si128(to + 2, c);
		_mm_stream_si128(to + 3, d);
	}
	/* Streaming stores are ordered by nothing else; whoever is told of this copy must see it. */
	_mm_sfence();
}

void copy_bytes(void *restrict destination, const void *restrict source, size_t bytes)
{
	uint8_t *to = destination;
	const uint8_t *from = source;

	if (bytes < COPY_STREAM_BYTES) {
		memcpy(to, from, bytes);
		return;
	}
	size_t head = -(uintptr_t)to % LINE_BYTES;
	size_t lines = (bytes - head) / LINE_BYTES, done = head + lines * LINE_BYTES;

	memcpy(to, from, head);
	stream_lines(to + head, from + head, lines);
	memcpy(to + done, from + done, bytes - done);
}
#else
void copy_bytes(void *restrict destination, const void *restrict source, size_t bytes)
{
	memcpy(destination, source, bytes);
}
#endif
