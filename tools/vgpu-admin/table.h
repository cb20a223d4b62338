/* SPDX-License-Identifier: MIT */
/* Prints JSON objects as people and scripts want them: table, wide table, CSV, JSON, ids. */
#ifndef VGPU_TOOLS_VGPU_ADMIN_TABLE_H
#define VGPU_TOOLS_VGPU_ADMIN_TABLE_H

#include "tools/vgpu-admin/command.h"

enum column_kind {
	COLUMN_TEXT,
	COLUMN_COUNT,
	COLUMN_BYTES,
	COLUMN_TIME_NS,		/* used so far, in seconds */
	COLUMN_SPAN_NS,		/* set, exactly: "16.667ms" */
	COLUMN_SPAN_MS,
	COLUMN_PERCENT,		/* of millionths */
	COLUMN_LIST,
};

#define FOR_SHOW 2

struct column {
	const char *heading;	/* NULL ends a list of columns */
	const char *key;	/* of the object; "a.b" looks inside */
	enum column_kind kind;
	int is_wide;		/* true: only with -o wide, csv, and in show; FOR_SHOW: only in the last two */
};

/* Prints list, the array in answer under name. The first column is what -q prints. Takes answer. */
enum exit_code table_print_list(const struct arguments *arguments, const struct column *columns, const char *name, json_t *answer);
/* Prints one object, a line for each column. Takes it. */
enum exit_code table_print_object(const struct arguments *arguments, const struct column *columns, json_t *object);

#endif
