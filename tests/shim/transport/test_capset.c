/* SPDX-License-Identifier: MIT */
/* The capset's parser against good, truncated, damaged and hostile capsets. */
#include "shim/transport/capset.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sample {
	struct wire_capset head;
	struct wire_info info;
	uint64_t value;
	struct wire_info odd;
	char text[5];
	uint8_t pad[3];
};

static struct sample good(void)
{
	struct sample sample = {
		.head = {
			.magic = WIRE_CAPSET_MAGIC,
			.version_min = WIRE_VERSION,
			.version_max = WIRE_VERSION + 3,
			.bytes = sizeof(sample),
			.vram_bytes = 1 << 30,
			.max_alloc_bytes = 1 << 28,
			.mem_align_bytes = 128,
			.info_bytes = sizeof(sample) - sizeof(struct wire_capset),
			.vgpu_name = "c1g",
			.vgpu_uuid = "5c9f0000-0000-0000-0000-000000000000",
			.host_version = "0.1",
		},
		.info = {0x1002, 8},
		.odd = {0x102b, 5},
		.text = "PoCL",
	};

	return sample;
}

static int check(const void *data, size_t bytes)
{
	struct wire_capset *capset = NULL;
	char why[256] = "";
	int err = capset_check(data, bytes, &capset, why);

	if (err) {
		assert_null(capset);
		assert_true(strlen(why) > 20);
	} else {
		assert_non_null(capset);
		free(capset);
	}
	return err;
}

static void a_good_capset_is_copied_whole(void **state)
{
	struct sample sample = good();
	struct wire_capset *capset;
	char why[256];

	(void)state;
	assert_int_equal(capset_check(&sample, sizeof(sample), &capset, why), 0);
	assert_memory_equal(capset, &sample, sizeof(sample));
	free(capset);
	/* Zeros after it, as the kernel leaves them, do no harm. */
	uint8_t padded[WIRE_CAPSET_MAX_BYTES] = {0};
	memcpy(padded, &sample, sizeof(sample));
	assert_int_equal(check(padded, sizeof(padded)), 0);
}

static void every_truncation_is_refused(void **state)
{
	struct sample sample = good();

	(void)state;
	for (size_t bytes = 0; bytes < sizeof(sample); bytes++) {
		/* On the heap and exactly as long, so that a sanitizer sees a byte too far. */
		void *data = malloc(bytes ? bytes : 1);
		memcpy(data, &sample, bytes);
		assert_int_equal(check(data, bytes), -EPROTO);
		free(data);
	}
}

static void lengths_that_lie_are_refused(void **state)
{
	static const uint32_t lies[] = {0, 1, 7, 8, 167, 169, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};

	(void)state;
	for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct sample sample = good();

		sample.head.bytes = lies[i];
		assert_int_equal(check(&sample, sizeof(sample)), -EPROTO);
		sample = good();
		sample.head.info_bytes = lies[i];
		assert_int_equal(check(&sample, sizeof(sample)), -EPROTO);
	}
	for (unsigned i = 4; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct sample sample = good();

		sample.info.bytes = lies[i];
		assert_int_equal(check(&sample, sizeof(sample)), -EPROTO);
	}
}

static void versions_without_overlap_name_the_older_side(void **state)
{
	struct sample sample = good();
	struct wire_capset *capset;
	char why[256];

	(void)state;
	sample.head.version_min = WIRE_VERSION + 1;
	assert_int_equal(capset_check(&sample, sizeof(sample), &capset, why), -EPROTO);
	assert_non_null(strstr(why, "(the library)"));
	sample = good();
	sample.head.version_min = sample.head.version_max = 0;
	assert_int_equal(capset_check(&sample, sizeof(sample), &capset, why), -EPROTO);
	assert_non_null(strstr(why, "(the service)"));
}

static void names_without_end_and_odd_figures_are_refused(void **state)
{
	struct sample sample = good();

	(void)state;
	memset(sample.head.vgpu_name, 'x', sizeof(sample.head.vgpu_name));
	assert_int_equal(check(&sample, sizeof(sample)), -EPROTO);
	sample = good();
	memset(sample.head.host_version, 'x', sizeof(sample.head.host_version));
	assert_int_equal(check(&sample, sizeof(sample)), -EPROTO);
	sample = good();
	sample.head.mem_align_bytes = 0;
	assert_int_equal(check(&sample, sizeof(sample)), -EPROTO);
	sample.head.mem_align_bytes = 96;
	assert_int_equal(check(&sample, sizeof(sample)), -EPROTO);
	sample = good();
	sample.head.max_alloc_bytes = sample.head.vram_bytes + 1;
	assert_int_equal(check(&sample, sizeof(sample)), -EPROTO);
	sample = good();
	sample.head.magic = 0;
	assert_int_equal(check(&sample, sizeof(sample)), -EPROTO);
}

static void random_damage_never_crashes(void **state)
{
	(void)state;
	srandom(1);
	for (unsigned i = 0; i < 20000; i++) {
		struct sample sample = good();
		uint8_t *bytes = (uint8_t *)&sample;

		for (unsigned n = 0; n < 3; n++)
			bytes[random() % sizeof(sample)] = (uint8_t)random();
		(void)check(&sample, sizeof(sample) - (size_t)(random() % 16));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_capset_is_copied_whole),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(lengths_that_lie_are_refused),
		cmocka_unit_test(versions_without_overlap_name_the_older_side),
		cmocka_unit_test(names_without_end_and_odd_figures_are_refused),
		cmocka_unit_test(random_damage_never_crashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
