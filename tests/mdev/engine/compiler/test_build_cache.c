/* SPDX-License-Identifier: MIT */
/* The cache of build results and the hash that names them: pure parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mdev/engine/compiler/build_cache.h"
#include "mdev/engine/compiler/sha256.h"

#define CACHE_BYTES (1u << 20)

static void digest_is(const void *bytes, size_t count, size_t piece, const char *expected)
{
	struct sha256 sha;
	uint8_t digest[SHA256_BYTES];
	char text[2 * SHA256_BYTES + 1];

	sha256_begin(&sha);
	for (size_t at = 0; at < count; at += piece)
		sha256_add(&sha, (const char *)bytes + at, count - at < piece ? count - at : piece);
	sha256_end(&sha, digest);
	for (unsigned i = 0; i < SHA256_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(text, expected);
}

/* FIPS 180-4's examples (abc, 448 bits, a million a), and the empty message. */
static void hashes_are_those_of_the_standard(void **state)
{
	static char a_million[1000000];

	(void)state;
	digest_is("abc", 3, 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_is("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_is("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 56,
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	memset(a_million, 'a', sizeof(a_million));
	digest_is(a_million, sizeof(a_million), sizeof(a_million), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	digest_is(a_million, sizeof(a_million), 997, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void key_of(unsigned number, uint8_t key[SHA256_BYTES])
{
	struct sha256 sha;

	sha256_begin(&sha);
	sha256_add(&sha, &number, sizeof(number));
	sha256_end(&sha, key);
}

static void fill(uint8_t *value, unsigned number, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes; i++)
		value[i] = (uint8_t)(number * 131 + i * 7);
}

static void keep(struct build_cache *cache, unsigned number, uint32_t bytes)
{
	uint8_t key[SHA256_BYTES], *value = malloc(bytes);

	assert_non_null(value);
	fill(value, number, bytes);
	key_of(number, key);
	build_cache_keep(cache, key, value, bytes);
	free(value);
}

static bool has(struct build_cache *cache, unsigned number, uint32_t bytes)
{
	uint8_t key[SHA256_BYTES], *value = malloc(bytes);
	uint32_t found_bytes = 0;

	assert_non_null(value);
	key_of(number, key);
	fill(value, number, bytes);
	const void *found = build_cache_find(cache, key, &found_bytes);
	if (found) {
		assert_int_equal(found_bytes, bytes);
		assert_memory_equal(found, value, bytes);
	}
	free(value);
	return found;
}

static void what_was_not_used_for_longest_goes_first(void **state)
{
	void *memory = calloc(1, CACHE_BYTES);
	struct build_cache *cache;

	(void)state;
	assert_int_equal(build_cache_open(memory, CACHE_BYTES, &cache), 0);
	assert_false(has(cache, 1, 10));
	for (unsigned i = 0; i < 8; i++)
		keep(cache, i, 100000);
	assert_true(has(cache, 0, 100000));	/* used again: 1 is the oldest now */
	keep(cache, 8, 200000);
	assert_true(has(cache, 0, 100000));
	assert_false(has(cache, 1, 100000));
	for (unsigned i = 3; i < 8; i++)
		assert_true(has(cache, i, 100000));
	assert_true(has(cache, 8, 200000));
	keep(cache, 8, 300);			/* in the old one's place */
	assert_true(has(cache, 8, 300));
	keep(cache, 9, CACHE_BYTES / 2);	/* too much for one */
	assert_false(has(cache, 9, CACHE_BYTES / 2));
	build_cache_close(cache);
	free(memory);
}

static void it_never_grows_beyond_its_memory(void **state)
{
	void *memory = calloc(1, CACHE_BYTES + 64);
	struct build_cache *cache;
	unsigned seed = 5, found = 0;

	(void)state;
	memset((char *)memory + CACHE_BYTES, 0x5a, 64);
	assert_int_equal(build_cache_open(memory, CACHE_BYTES, &cache), 0);
	for (unsigned i = 0; i < 5000; i++) {
		seed = seed * 1664525 + 1013904223;
		uint32_t bytes = 1 + (seed >> 12) % 30000;
		keep(cache, i % 700, bytes);
		assert_true(has(cache, i % 700, bytes));
		assert_true(build_cache_used(cache) <= CACHE_BYTES);
	}
	for (unsigned i = 0; i < BUILD_CACHE_ENTRIES + 100; i++)
		keep(cache, 10000 + i, 1);
	for (unsigned i = 0; i < BUILD_CACHE_ENTRIES + 100; i++)
		found += has(cache, 10000 + i, 1);
	assert_int_equal(found, BUILD_CACHE_ENTRIES);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(((uint8_t *)memory)[CACHE_BYTES + i], 0x5a);
	build_cache_close(cache);
	free(memory);
}

static void a_successor_goes_on_unless_a_change_was_cut_short(void **state)
{
	void *memory = calloc(1, CACHE_BYTES);
	uint32_t *words = memory;
	struct build_cache *cache;

	(void)state;
	assert_int_equal(build_cache_open(memory, CACHE_BYTES, &cache), 0);
	keep(cache, 1, 1000);
	build_cache_close(cache);
	assert_int_equal(build_cache_open(memory, CACHE_BYTES, &cache), 0);
	assert_true(has(cache, 1, 1000));
	build_cache_close(cache);
	/* Any word of the header that a cut or damage could leave: nothing outside the memory is ever touched. */
	for (unsigned i = 0; i < 24; i++) {
		uint32_t before = words[i];
		words[i] = 0xffffffffu;
		assert_int_equal(build_cache_open(memory, CACHE_BYTES, &cache), 0);
		keep(cache, 2, 100);
		assert_true(has(cache, 2, 100));
		build_cache_close(cache);
		words[i] = before;
	}
	memset(memory, 0, CACHE_BYTES);
	assert_int_equal(build_cache_open(memory, CACHE_BYTES, &cache), 0);
	keep(cache, 1, 1000);
	words[2] = 1;	/* changing */
	build_cache_close(cache);
	assert_int_equal(build_cache_open(memory, CACHE_BYTES, &cache), 0);
	assert_false(has(cache, 1, 1000));
	build_cache_close(cache);
	assert_true(build_cache_open(memory, 4096, &cache) < 0);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hashes_are_those_of_the_standard),
		cmocka_unit_test(what_was_not_used_for_longest_goes_first),
		cmocka_unit_test(it_never_grows_beyond_its_memory),
		cmocka_unit_test(a_successor_goes_on_unless_a_change_was_cut_short),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
