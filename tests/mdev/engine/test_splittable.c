/* SPDX-License-Identifier: MIT */
/* Which kernels may be split, by a table of texts (splittable_sources.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mdev/engine/compute/splittable.h"
#include "tests/mdev/engine/splittable_sources.h"

static bool is_splittable(const char *source, size_t bytes, const char *options)
{
	struct splittable *s = splittable_read(source, bytes, options);
	bool is = splittable_kernel(s, "f");

	assert_int_equal(splittable_kernel(s, "f"), is);	/* asking changes nothing */
	splittable_destroy(s);
	return is;
}

static void each_text_has_its_verdict(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (unsigned i = 0; i < splittable_source_count; i++) {
		const struct splittable_source *t = &splittable_sources[i];
		if (is_splittable(t->source, strlen(t->source), t->options) == t->is_splittable)
			continue;
		wrong++;
		fprintf(stderr, "should %sbe splittable: %s\n", t->is_splittable ? "" : "not ", t->why);
	}
	assert_int_equal(wrong, 0);
}

/* Cut anywhere, or with a byte changed, a text is judged without harm; a cut one of these has lost its last bracket. */
static void damaged_texts_are_judged_without_harm(void **state)
{
	unsigned splittable_cut = 0;

	(void)state;
	for (unsigned i = 0; i < splittable_source_count; i++) {
		const struct splittable_source *t = &splittable_sources[i];
		size_t bytes = strlen(t->source);
		char *copy = malloc(bytes + 1);
		assert_non_null(copy);
		bool any = false;
		for (size_t cut = 0; cut < bytes; cut++) {
			memcpy(copy, t->source, bytes);
			any |= is_splittable(copy, cut, t->options) && t->is_splittable;
			for (unsigned j = 0; j < 4; j++) {
				copy[cut] = "{#(\0"[j];
				is_splittable(copy, bytes, t->options);
			}
		}
		free(copy);
		splittable_cut += any;
	}
	/* They end with the kernel: cut, it has no end. */
	assert_int_equal(splittable_cut, 0);
}

static void a_program_that_is_not_text_is_not_splittable(void **state)
{
	(void)state;
	assert_null(splittable_read("kernel void f(void) {}\0", 24, NULL));
	assert_null(splittable_read("\x7f" "ELF", 4, NULL));
	assert_false(splittable_kernel(NULL, "f"));
}

static void macros_that_lead_in_circles_end(void **state)
{
	char text[8192] = "#define a0 b\n";
	size_t used = strlen(text);

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		used += (size_t)sprintf(text + used, "#define m%u m%u\n#define m%u m%u m%u\n", i, i + 1, i, (i + 7) % 60, (i + 1) % 60);
	used += (size_t)sprintf(text + used, "#define loop pool\n#define pool loop\nkernel void f(global int *a) { a[m0(0)] = x m0 loop (1); }");
	assert_false(is_splittable(text, used, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_text_has_its_verdict),
		cmocka_unit_test(damaged_texts_are_judged_without_harm),
		cmocka_unit_test(a_program_that_is_not_text_is_not_splittable),
		cmocka_unit_test(macros_that_lead_in_circles_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
