/* SPDX-License-Identifier: MIT */
/* A growing argument vector for execve. */
#ifndef VGPU_LAUNCHER_ARGS_H
#define VGPU_LAUNCHER_ARGS_H

#include <stdbool.h>
#include <stddef.h>

/* Memory that runs out is remembered in @failed and checked once, before the vector is used. */
struct args {
	char **items; /* @count strings and a NULL behind them */
	size_t count;
	bool failed;
};

void args_init(struct args *args);
void args_finish(struct args *args);

/* Appends a copy of @text. */
void args_add(struct args *args, const char *text);
void args_addf(struct args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
