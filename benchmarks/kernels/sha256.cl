// SPDX-License-Identifier: MIT
// Nonce search with SHA-256 (FIPS 180-4). A message is 32 bytes: PREFIX_WORDS fixed words and a nonce,
// big-endian. Item i tries the nonces i * rounds ... and leaves three words at output[1 + 3 * i]: the
// smallest first word of a digest, its nonce, and all words of all its digests xored together.
// output[0] counts the digests whose first word is below `target`.
#define PREFIX_WORDS 7

__constant uint round_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

__constant uint initial_hash[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static uint rotate_right(uint x, uint bits)
{
	return rotate(x, 32 - bits);
}

// Digest of the block whose words are `w`, which are used up.
static void compress(uint *w, uint *digest)
{
	uint h[8];

	for (int i = 0; i < 8; i++)
		h[i] = initial_hash[i];
#pragma unroll
	for (int t = 0; t < 64; t++) {
		uint word = w[t & 15], s0, s1, t1, t2;

		s1 = rotate_right(h[4], 6) ^ rotate_right(h[4], 11) ^ rotate_right(h[4], 25);
		t1 = h[7] + s1 + bitselect(h[6], h[5], h[4]) + round_constants[t] + word;
		s0 = rotate_right(h[0], 2) ^ rotate_right(h[0], 13) ^ rotate_right(h[0], 22);
		t2 = s0 + ((h[0] & h[1]) ^ (h[0] & h[2]) ^ (h[1] & h[2]));
		for (int i = 7; i > 0; i--)
			h[i] = h[i - 1];
		h[4] += t1;
		h[0] = t1 + t2;

		s0 = w[(t + 1) & 15];
		s0 = rotate_right(s0, 7) ^ rotate_right(s0, 18) ^ (s0 >> 3);
		s1 = w[(t + 14) & 15];
		s1 = rotate_right(s1, 17) ^ rotate_right(s1, 19) ^ (s1 >> 10);
		w[t & 15] = word + s0 + w[(t + 9) & 15] + s1;
	}
	for (int i = 0; i < 8; i++)
		digest[i] = h[i] + initial_hash[i];
}

__kernel void sha256(__constant uint *prefix, uint rounds, uint target, __global uint *output)
{
	uint item = get_global_id(0), first = item * rounds;
	uint smallest = 0xffffffff, smallest_nonce = first, folded = 0;

	for (uint nonce = first; nonce < first + rounds; nonce++) {
		uint w[16], digest[8];

		for (int i = 0; i < PREFIX_WORDS; i++)
			w[i] = prefix[i];
		w[PREFIX_WORDS] = nonce;
		w[8] = 0x80000000;
		for (int i = 9; i < 15; i++)
			w[i] = 0;
		w[15] = 32 * 8;
		compress(w, digest);

		for (int i = 0; i < 8; i++)
			folded ^= digest[i];
		if (digest[0] < smallest) {
			smallest = digest[0];
			smallest_nonce = nonce;
		}
		if (digest[0] < target)
			atomic_inc(&output[0]);
	}
	output[1 + 3 * item] = smallest;
	output[2 + 3 * item] = smallest_nonce;
	output[3 + 3 * item] = folded;
}
