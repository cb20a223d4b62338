/* SPDX-License-Identifier: MIT */
#include "tools/vgpu-admin/table.h"

#include <libsmartcols.h>
#include <stdio.h>
#include <string.h>

#include "mdev/quantity.h"

#define CELL_BYTES 1024

static const json_t *look_up(const json_t *object, const char *key)
{
	char part[64];
	size_t length;

	for (;;) {
		length = strcspn(key, ".");
		snprintf(part, sizeof(part), "%.*s", (int)length, key);
		object = json_object_get(object, part);
		if (!key[length] || !object)
			return object;
		key += length + 1;
	}
}

static void write_list(const json_t *array, char *cell)
{
	const json_t *entry;
	size_t index, used = 0;

	cell[0] = '\0';
	json_array_foreach(array, index, entry)
		if (json_is_integer(entry) && used < CELL_BYTES - 32)
			used += (size_t)snprintf(cell + used, CELL_BYTES - used, "%s%lld", index ? " " : "",
						 (long long)json_integer_value(entry));
	if (!used)
		snprintf(cell, CELL_BYTES, "-");
}

/* plain: for programs, so without units. Unknown is N/A for people, empty for programs. */
static void write_cell(const json_t *object, const struct column *column, bool plain, char *cell)
{
	const json_t *value = look_up(object, column->key);

	if (json_is_string(value)) {
		snprintf(cell, CELL_BYTES, "%s", json_string_value(value));
	} else if (json_is_boolean(value)) {
		snprintf(cell, CELL_BYTES, "%s", json_is_true(value) ? "yes" : "no");
	} else if (json_is_array(value)) {
		write_list(value, cell);
	} else if (json_is_integer(value)) {
		uint64_t count = (uint64_t)json_integer_value(value);
		if (column->kind == COLUMN_BYTES && !plain)
			quantity_format_bytes(count, cell, CELL_BYTES);
		else if (column->kind == COLUMN_TIME_NS && !plain)
			snprintf(cell, CELL_BYTES, "%llu.%03llu s", (unsigned long long)(count / 1000000000u),
				 (unsigned long long)(count / 1000000u % 1000u));
		else if (column->kind == COLUMN_SPAN_NS && !plain)
			quantity_format_time(count, cell, CELL_BYTES);
		else if (column->kind == COLUMN_SPAN_MS && !plain)
			quantity_format_time(count * 1000000u, cell, CELL_BYTES);
		else if (column->kind == COLUMN_PERCENT && !plain)
			quantity_format_percent(count, cell, CELL_BYTES);
		else
			snprintf(cell, CELL_BYTES, "%llu", (unsigned long long)count);
	} else {
		snprintf(cell, CELL_BYTES, "%s", plain ? "" : "N/A");
	}
}

static enum exit_code print_json(json_t *value)
{
	int failed = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	putchar('\n');
	json_decref(value);
	return failed || fflush(stdout) ? complain(EXIT_FAILED, "cannot write the output") : EXIT_OK;
}

static enum exit_code print_csv_cell(const char *text, bool is_last)
{
	bool needs_quotes = strpbrk(text, ",\"\n\r");

	if (needs_quotes)
		putchar('"');
	for (; *text; text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	if (needs_quotes)
		putchar('"');
	fputs(is_last ? "\r\n" : ",", stdout);	/* RFC 4180 */
	return EXIT_OK;
}

static void print_csv(const struct arguments *arguments, const struct column *columns, const json_t *list)
{
	char cell[CELL_BYTES];
	const json_t *object;
	size_t index;

	if (!arguments->no_headings)
		for (const struct column *column = columns; column->heading; column++)
			print_csv_cell(column->key, !column[1].heading);
	json_array_foreach(list, index, object) {
		for (const struct column *column = columns; column->heading; column++) {
			write_cell(object, column, true, cell);
			print_csv_cell(cell, !column[1].heading);
		}
	}
}

static bool is_listed(const struct arguments *arguments, const struct column *column)
{
	return !column->is_wide || (column->is_wide != FOR_SHOW && arguments->output == OUTPUT_WIDE);
}

static enum exit_code print_table(const struct arguments *arguments, const struct column *columns, const json_t *list)
{
	struct libscols_table *table = scols_new_table();
	char cell[CELL_BYTES];
	const json_t *object;
	size_t index;
	int failed = !table;

	if (table) {
		scols_table_enable_noheadings(table, arguments->no_headings);
		for (const struct column *column = columns; column->heading; column++)
			if (is_listed(arguments, column))
				failed |= !scols_table_new_column(table, column->heading, 0, column->kind == COLUMN_TEXT ? 0 : SCOLS_FL_RIGHT);
	}
	json_array_foreach(list, index, object) {
		struct libscols_line *line = failed ? NULL : scols_table_new_line(table, NULL);
		size_t at = 0;
		for (const struct column *column = columns; line && column->heading; column++) {
			if (!is_listed(arguments, column))
				continue;
			write_cell(object, column, arguments->bytes, cell);
			failed |= scols_line_set_data(line, at++, cell) != 0;
		}
		failed |= !line;
	}
	if (!failed)
		failed = scols_print_table(table);
	scols_unref_table(table);
	return failed ? complain(EXIT_FAILED, "cannot write the table") : EXIT_OK;
}

enum exit_code table_print_list(const struct arguments *arguments, const struct column *columns, const char *name, json_t *answer)
{
	const json_t *list = json_object_get(answer, name), *object;
	enum exit_code code = EXIT_OK;
	char cell[CELL_BYTES];
	size_t index;

	if (arguments->quiet) {
		json_array_foreach(list, index, object) {
			write_cell(object, columns, true, cell);
			puts(cell);
		}
	} else if (arguments->output == OUTPUT_JSON) {
		return print_json(answer);
	} else if (arguments->output == OUTPUT_CSV) {
		print_csv(arguments, columns, list);
	} else if (json_array_size(list) || !arguments->no_headings) {
		code = print_table(arguments, columns, list);
	}
	json_decref(answer);
	return code;
}

enum exit_code table_print_object(const struct arguments *arguments, const struct column *columns, json_t *object)
{
	char cell[CELL_BYTES];

	if (arguments->output == OUTPUT_JSON)
		return print_json(object);
	if (arguments->quiet) {
		write_cell(object, columns, true, cell);
		puts(cell);
	} else if (arguments->output == OUTPUT_CSV) {
		json_t *list = json_pack("[O]", object);
		print_csv(arguments, columns, list);
		json_decref(list);
	} else {
		for (const struct column *column = columns; column->heading; column++) {
			write_cell(object, column, arguments->bytes, cell);
			if (arguments->no_headings)
				puts(cell);
			else
				printf("%-18s %s\n", column->key, cell);
		}
	}
	json_decref(object);
	return EXIT_OK;
}
