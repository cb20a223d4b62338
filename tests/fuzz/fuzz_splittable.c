/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target of the judge of kernels. Input: a byte that chooses one of the unit test's texts, the build options, a NUL, and what is put
 * in front of that text. Whatever that is, a kernel that must not be split for what stands in its own body stays so, unless
 * the text before it turns that into a comment, a string or a macro's; so only that judging ends and touches nothing else is held.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mdev/engine/compute/splittable.h"
#include "tests/mdev/engine/splittable_sources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void hold(bool promise)
{
	if (!promise)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (bytes < 2)
		return 0;
	const struct splittable_source *t = &splittable_sources[data[0] % splittable_source_count];
	const char *options = (const char *)data + 1, *options_end = memchr(options, 0, bytes - 1);
	if (!options_end)
		return 0;
	size_t before = (size_t)((const char *)data + bytes - (options_end + 1)), after = strlen(t->source);
	char *text = malloc(before + after + 1);	/* of its exact length but for one, so that a sanitizer sees each byte */
	if (!text)
		return 0;
	memcpy(text, options_end + 1, before);
	memcpy(text + before, t->source, after);
	struct splittable *s = splittable_read(text, before + after, options);
	bool is = splittable_kernel(s, "f");
	splittable_kernel(s, "");
	hold(splittable_kernel(s, "f") == is);
	/* With nothing in front and its own options, it is the table's verdict. */
	if (!before && !strcmp(options, t->options ? t->options : ""))
		hold(is == t->is_splittable);
	splittable_destroy(s);
	free(text);
	return 0;
}
