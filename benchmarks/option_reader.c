// SPDX-License-Identifier: MIT
/* One walk over an option table, for both programs, so that a wrong line is answered in the same words. */
#include "benchmarks/option_reader.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *const bench_size_names[BENCH_SIZES] = { "small", "medium", "large" };

void option_begin(void)
{
	optind = 0;	/* glibc: start afresh */
	opterr = 0;
}

int option_next(int argc, char **argv, const struct option *table, int *ret_option, char *reason, size_t reason_size)
{
	int option = getopt_long(argc, argv, ":", table, NULL);

	if (option == ':') {
		snprintf(reason, reason_size, "%s needs a value; see --help", argv[optind - 1]);
		return -EINVAL;
	}
	if (option == '?') {
		snprintf(reason, reason_size, "there is no option '%s', or it takes no value; see --help", argv[optind - 1]);
		return -EINVAL;
	}
	if (option == OPTION_END && optind < argc) {
		snprintf(reason, reason_size, "'%s' is not an option; see --help", argv[optind]);
		return -EINVAL;
	}
	*ret_option = option;
	return 0;
}

const char *option_name(const struct option *table, int option)
{
	while (table->val != option)
		table++;
	return table->name;
}

int option_number(const char *text, const char *what, uint64_t min, uint64_t max,
	uint64_t *ret_value, char *reason, size_t reason_size)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || value < min || value > max) {
		snprintf(reason, reason_size, "%s is '%s', but must be a number from %" PRIu64 " to %" PRIu64,
			what, text, min, max);
		return -EINVAL;
	}
	*ret_value = value;
	return 0;
}

int option_count(const char *text, const char *what, unsigned min, unsigned max, unsigned *ret_count, char *reason,
	size_t reason_size)
{
	uint64_t value;
	int err = option_number(text, what, min, max, &value, reason, reason_size);

	if (!err)
		*ret_count = (unsigned)value;
	return err;
}

int option_size(const char *text, enum bench_size *ret_size, char *reason, size_t reason_size)
{
	for (unsigned i = 0; i < BENCH_SIZES; i++) {
		if (!strcmp(text, bench_size_names[i])) {
			*ret_size = (enum bench_size)i;
			return 0;
		}
	}
	snprintf(reason, reason_size, "--size is '%s', but must be small, medium or large", text);
	return -EINVAL;
}
