// SPDX-License-Identifier: MIT
/* Work that touches no memory, so that its length is the loop count's and nobody's caches matter. */

kernel void spin(uint loops, global uint *sink)
{
	uint x = (uint)get_global_id(0) + 1;

	for (uint i = 0; i < loops; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
	}
	/* xorshift never reaches 0: the store is there for the compiler only. */
	if (x == 0)
		*sink = x;
}

/* Ends when the word changes, and nobody changes it. */
kernel void endless(uint loops, global volatile uint *sink)
{
	while (*sink == 0)
		;
}
