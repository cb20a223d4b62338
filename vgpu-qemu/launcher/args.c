/* SPDX-License-Identifier: MIT */
/* A growing argument vector whose lack of memory sticks. Owns its strings. */
#include "vgpu-qemu/launcher/args.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void args_init(struct args *args)
{
	*args = (struct args){ 0 };
}

void args_finish(struct args *args)
{
	for (size_t i = 0; i < args->count; i++)
		free(args->items[i]);
	free(args->items);
	args_init(args);
}

/* Takes @text, which may be NULL for no memory. */
static void add_owned(struct args *args, char *text)
{
	char **items = text ? realloc(args->items, (args->count + 2) * sizeof(*items)) : NULL;

	if (!items) {
		free(text);
		args->failed = true;
		return;
	}
	items[args->count++] = text;
	items[args->count] = NULL;
	args->items = items;
}

void args_add(struct args *args, const char *text)
{
	add_owned(args, strdup(text));
}

void args_addf(struct args *args, const char *format, ...)
{
	char *text = NULL;
	va_list list;

	va_start(list, format);
	if (vasprintf(&text, format, list) < 0)
		text = NULL;
	va_end(list);
	add_owned(args, text);
}
