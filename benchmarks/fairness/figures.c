// SPDX-License-Identifier: MIT
/* Rows in, rows out; aims are judged as in vgpu-bench-path. */
#include "benchmarks/fairness/figures.h"

#include "benchmarks/json.h"
#include "benchmarks/path/machine.h"
#include "benchmarks/path/rows.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS 4

static int take_text(const char *text, char *ret_text)
{
	if (strlen(text) >= FIGURE_TEXT_MAX)
		return -EINVAL;
	strcpy(ret_text, text);
	return 0;
}

static int parse_line(char *line, struct figure *ret_figure)
{
	char *field[FIELDS], *rest = line, *end;
	struct figure figure = { .value = NAN };

	line[strcspn(line, "\n")] = '\0';
	for (unsigned i = 0; i < FIELDS; i++) {
		field[i] = strsep(&rest, "\t");
		if (!field[i] || !*field[i])
			return -EINVAL;
	}
	if (rest || take_text(field[0], figure.name) || take_text(field[2], figure.unit) ||
	    take_text(strcmp(field[3], "-") ? field[3] : "", figure.aim))
		return -EINVAL;
	if (strcmp(field[1], "-")) {
		bool met;

		figure.value = strtod(field[1], &end);
		if (*end)
			return -EINVAL;
		if (*figure.aim && aim_met(figure.aim, 0, &met))
			return -EINVAL;
	}
	*ret_figure = figure;
	return 0;
}

int figures_read(FILE *in, struct figures *ret_figures, char *reason, size_t reason_size)
{
	unsigned number = 0;
	char line[512];

	ret_figures->count = 0;
	while (fgets(line, sizeof(line), in)) {
		number++;
		if (ret_figures->count == FIGURES_MAX) {
			snprintf(reason, reason_size, "there are more than %d figures", FIGURES_MAX);
			return -EINVAL;
		}
		if (parse_line(line, &ret_figures->figure[ret_figures->count])) {
			snprintf(reason, reason_size, "line %u is not NAME, VALUE, UNIT and AIM with tabs between, each up to %d "
				"characters: '%.200s'", number, FIGURE_TEXT_MAX - 1, line);
			return -EINVAL;
		}
		ret_figures->count++;
	}
	return 0;
}

/* "met", "NOT met", or what there is to say without an aim or a value. */
static const char *verdict(const struct figure *figure)
{
	bool met;

	if (!*figure->aim)
		return "";
	if (aim_met(figure->aim, figure->value, &met))
		return "not measured";
	return met ? "met" : "NOT met";
}

void figures_print(const struct figures *figures, FILE *out)
{
	fprintf(out, "%-46s %12s %-8s  %-9s %s\n", "figure", "value", "unit", "aim", "");
	for (unsigned i = 0; i < figures->count; i++) {
		const struct figure *figure = &figures->figure[i];

		fprintf(out, "%-46s ", figure->name);
		if (isnan(figure->value))
			fprintf(out, "%12s", "-");
		else
			fprintf(out, "%12.*f", fabs(figure->value) < 10 ? 4 : 1, figure->value);
		fprintf(out, " %-8s  %-9s %s\n", figure->unit, figure->aim, verdict(figure));
	}
}

static void write_machine(struct json *json)
{
	struct machine machine;

	machine_describe(&machine);
	json_object(json, "machine");
	json_string(json, "cpu_model", machine.cpu_model);
	json_string(json, "architecture", machine.architecture);
	json_uint(json, "cores", machine.cores);
	json_uint(json, "memory_bytes", machine.memory_bytes);
	json_string(json, "kernel", machine.kernel);
	json_end(json);
}

static void write_settings(struct json *json, char *const *settings, unsigned count)
{
	json_object(json, "run");
	json_string(json, "version", VGPU_VERSION);
	for (unsigned i = 0; i < count; i++) {
		char name[FIGURE_TEXT_MAX];
		const char *equals = strchr(settings[i], '=');

		if (!equals || (size_t)(equals - settings[i]) >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(equals - settings[i]), settings[i]);
		json_string(json, name, equals + 1);
	}
	json_end(json);
}

static void write_figure(struct json *json, const struct figure *figure)
{
	bool met;

	json_object(json, NULL);
	json_string(json, "name", figure->name);
	json_number(json, "value", figure->value);
	json_string(json, "unit", figure->unit);
	json_string(json, "aim", *figure->aim ? figure->aim : NULL);
	if (!*figure->aim || aim_met(figure->aim, figure->value, &met))
		json_null(json, "met");
	else
		json_bool(json, "met", met);
	json_end(json);
}

int figures_write(const struct figures *figures, char *const *settings, unsigned setting_count, const char *path)
{
	FILE *file = fopen(path, "we");
	struct json json;
	int err;

	if (!file)
		return -errno;
	json_init(&json, file, true);
	json_object(&json, NULL);
	write_machine(&json);
	write_settings(&json, settings, setting_count);
	json_array(&json, "rows");
	for (unsigned i = 0; i < figures->count; i++)
		write_figure(&json, &figures->figure[i]);
	json_end(&json);
	json_end(&json);
	err = json_finish(&json);
	if (fclose(file) && !err)
		err = -errno;
	return err;
}
