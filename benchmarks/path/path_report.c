// SPDX-License-Identifier: MIT
/* The table has a line per measure and a column per figure; the JSON a row per figure. */
#include "benchmarks/path/path_report.h"

#include "benchmarks/json.h"
#include "benchmarks/option_reader.h"
#include "benchmarks/path/machine.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

static const char *const columns[] = { "native", "vgpu", "ratio", "control", "best", "spread", "difference" };
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const struct row *find(const struct rows *rows, const char *measure, const char *figure)
{
	for (unsigned i = 0; i < rows->count; i++)
		if (!strcmp(rows->row[i].measure, measure) && !strcmp(rows->row[i].figure, figure))
			return &rows->row[i];
	return NULL;
}

static void print_value(FILE *out, const struct row *row)
{
	if (!row)
		fprintf(out, " %10s", "");
	else if (isnan(row->value))
		fprintf(out, " %10s", "-");
	else if (!strcmp(row->unit, "ratio"))
		fprintf(out, " %10.3f", row->value);
	else
		fprintf(out, " %10.*f", fabs(row->value) < 100 ? 2 : 0, row->value);
}

static void print_aim(FILE *out, const struct row *row)
{
	bool met;

	if (aim_met(row->aim, row->value, &met))
		fprintf(out, "  %s %s: not measured", row->figure, row->aim);
	else
		fprintf(out, "  %s %s: %s", row->figure, row->aim, met ? "met" : "NOT met");
}

static void print_measure(FILE *out, const struct rows *rows, const char *measure)
{
	const struct row *native = find(rows, measure, "native");

	fprintf(out, "%-26s %-9s", measure, native ? native->unit : "");
	for (size_t i = 0; i < COLUMNS; i++)
		print_value(out, find(rows, measure, columns[i]));
	for (size_t i = 0; i < COLUMNS; i++) {
		const struct row *row = find(rows, measure, columns[i]);

		if (row && row->aim)
			print_aim(out, row);
	}
	fputc('\n', out);
}

int path_report_table(FILE *out, const struct side_results sides[SIDES], const struct rows *rows)
{
	const struct device_facts *native = &sides[SIDE_NATIVE].device, *vgpu = &sides[SIDE_VGPU].device;

	fprintf(out, "native: %s | %s | driver %s\n", native->platform, native->device, native->driver_version);
	fprintf(out, "vgpu:   %s | %s | driver %s\n", vgpu->platform, vgpu->device, vgpu->driver_version);
	fputs("medians over launches; ratio and control (native again) are performance relative to native, "
		"1 is equal; spread of native in %\n\n", out);
	fprintf(out, "%-26s %-9s", "measure", "unit");
	for (size_t i = 0; i < COLUMNS; i++)
		fprintf(out, " %10s", columns[i]);
	fputs("  aim\n", out);
	for (unsigned i = 0; i < rows->count; i++) {
		bool seen = false;

		for (unsigned j = 0; j < i && !seen; j++)
			seen = !strcmp(rows->row[j].measure, rows->row[i].measure);
		if (!seen)
			print_measure(out, rows, rows->row[i].measure);
	}
	return fflush(out) || ferror(out) ? -EIO : 0;
}

static void json_device(struct json *json, const char *key, const struct device_facts *device)
{
	json_object(json, key);
	json_string(json, "platform", device->platform);
	json_string(json, "platform_version", device->platform_version);
	json_string(json, "device", device->device);
	json_string(json, "device_version", device->device_version);
	json_string(json, "driver_version", device->driver_version);
	json_end(json);
}

static void json_environment(struct json *json, const char *key, const struct environment *environment)
{
	json_array(json, key);
	for (unsigned i = 0; i < environment->count; i++)
		json_string(json, NULL, environment->entry[i]);
	json_end(json);
}

static void json_machine(struct json *json, const struct side_results sides[SIDES])
{
	struct machine machine;

	machine_describe(&machine);
	json_object(json, "machine");
	json_string(json, "cpu_model", machine.cpu_model);
	json_string(json, "architecture", machine.architecture);
	json_uint(json, "cores", machine.cores);
	json_uint(json, "memory_bytes", machine.memory_bytes);
	json_string(json, "kernel", machine.kernel);
	json_device(json, "native", &sides[SIDE_NATIVE].device);
	json_device(json, "vgpu", &sides[SIDE_VGPU].device);
	json_end(json);
}

static void json_run(struct json *json, const struct compare_options *options)
{
	json_object(json, "run");
	json_string(json, "version", VGPU_VERSION);
	json_uint(json, "launches", options->launches);
	json_string(json, "size", bench_size_names[options->side.size]);
	json_uint(json, "repeat", options->side.repeat);
	json_environment(json, "native_env", &options->native);
	json_environment(json, "vgpu_env", &options->vgpu);
	json_environment(json, "vgpu_basic_env", &options->vgpu_basic);
	json_end(json);
}

static void json_row(struct json *json, const struct row *row)
{
	char name[LINE_NAME_MAX + 16];
	bool met;

	snprintf(name, sizeof(name), "%s.%s", row->measure, row->figure);
	json_object(json, NULL);
	json_string(json, "name", name);
	json_number(json, "value", row->value);
	json_string(json, "unit", row->unit);
	json_string(json, "aim", row->aim);
	if (aim_met(row->aim, row->value, &met))
		json_null(json, "met");
	else
		json_bool(json, "met", met);
	json_end(json);
}

static int make_folders(const char *path)
{
	char folder[4096];

	if ((size_t)snprintf(folder, sizeof(folder), "%s", path) >= sizeof(folder))
		return -ENAMETOOLONG;
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, 0777) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

int path_report_write(const struct compare_options *options, const struct side_results sides[SIDES],
	const struct rows *rows)
{
	int err = make_folders(options->out_path);
	struct json json;
	FILE *file;

	if (err)
		return err;
	file = fopen(options->out_path, "we");
	if (!file)
		return -errno;
	json_init(&json, file, true);
	json_object(&json, NULL);
	json_machine(&json, sides);
	json_run(&json, options);
	json_array(&json, "rows");
	for (unsigned i = 0; i < rows->count; i++)
		json_row(&json, &rows->row[i]);
	json_end(&json);
	json_end(&json);
	err = json_finish(&json);
	if (fclose(file) && !err)
		err = -errno;
	return err;
}
