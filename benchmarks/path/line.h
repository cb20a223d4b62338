/* SPDX-License-Identifier: MIT */
/* Reads back the lines that side_run prints. */
#ifndef BENCHMARKS_PATH_LINE_H
#define BENCHMARKS_PATH_LINE_H

#include "benchmarks/path/samples.h"

#define LINE_NAME_MAX 48
#define LINE_TEXT_MAX 192

enum line_kind {
	LINE_DEVICE,
	LINE_SAMPLES,
	LINE_SKIPPED,
};

struct device_facts {
	char platform[LINE_TEXT_MAX];
	char platform_version[LINE_TEXT_MAX];
	char device[LINE_TEXT_MAX];
	char device_version[LINE_TEXT_MAX];
	char driver_version[LINE_TEXT_MAX];
};

struct line {
	enum line_kind kind;
	struct device_facts device;	/* LINE_DEVICE */
	char name[LINE_NAME_MAX];	/* the other kinds */
	char skipped[LINE_TEXT_MAX];	/* LINE_SKIPPED: why */
	char unit[LINE_NAME_MAX];	/* LINE_SAMPLES, and below */
	bool higher_is_better;
	struct samples samples;		/* at least one */
};

/*
 * Takes exactly what side_run writes, keys in its order; anything else is -EINVAL and leaves
 * *ret_line alone. -ENOMEM. On success line_finish releases the samples.
 */
int line_parse(const char *text, struct line *ret_line);
void line_finish(struct line *line);

#endif
