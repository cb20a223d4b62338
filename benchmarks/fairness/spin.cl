// SPDX-License-Identifier: MIT
/* Work that depends on no memory, so that its length is the loop count's and nobody's caches matter. */

#define LOOK 64		/* loops from count to count */

/* Each work item adds its loops to its counter as it goes on. */
kernel void spin(uint loops, global uint *counter)
{
	uint id = (uint)get_global_id(0), x = id + 1;

	for (uint begun = 0; begun < loops; begun += LOOK) {
		uint some = min(loops - begun, (uint)LOOK);

		for (uint i = 0; i < some; i++) {
			x ^= x << 13;
			x ^= x >> 17;
			x ^= x << 5;
		}
		/* xorshift never reaches 0: x is there for the compiler only. */
		counter[id] += x == 0 ? 0 : some;
	}
}

/* Ends when the word changes, and nobody changes it. */
kernel void endless(uint loops, global volatile uint *word)
{
	while (*word == 0)
		;
}
