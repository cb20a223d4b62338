/* SPDX-License-Identifier: MIT */
/* The figures of a run, read from lines and told as a table and as JSON. */
#ifndef BENCHMARKS_FAIRNESS_FIGURES_H
#define BENCHMARKS_FAIRNESS_FIGURES_H

#include <stddef.h>
#include <stdio.h>

#define FIGURES_MAX 1024
#define FIGURE_TEXT_MAX 64

struct figure {
	char name[FIGURE_TEXT_MAX];
	double value;			/* NAN: not measured */
	char unit[FIGURE_TEXT_MAX];
	char aim[FIGURE_TEXT_MAX];	/* ">= 0.97"; empty: none */
};

struct figures {
	struct figure figure[FIGURES_MAX];
	unsigned count;
};

/* Lines of NAME, VALUE, UNIT and AIM with tabs between; a VALUE or AIM of "-" is none. 0, or -EINVAL with a sentence that
 * names the line. */
int figures_read(FILE *in, struct figures *ret_figures, char *reason, size_t reason_size);

void figures_print(const struct figures *figures, FILE *out);
/* With facts about the machine. `settings`: "NAME=VALUE" strings about the run. 0 or -errno. */
int figures_write(const struct figures *figures, char *const *settings, unsigned setting_count, const char *path);

#endif
