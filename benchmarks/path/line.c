// SPDX-License-Identifier: MIT
/*
 * A strict parser for one line of a side's output. The writer is this very program, but it ran in an
 * environment and on drivers we do not know, which may have written to its standard output as well: so
 * what is not exactly such a line is refused. The reader's error sticks.
 */
#include "benchmarks/path/line.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	const char *at;
	bool failed;
};

/* True: `literal` was there and is consumed. */
static bool accept(struct reader *reader, const char *literal)
{
	size_t length = strlen(literal);

	if (reader->failed || strncmp(reader->at, literal, length))
		return false;
	reader->at += length;
	return true;
}

static void expect(struct reader *reader, const char *literal)
{
	if (!accept(reader, literal))
		reader->failed = true;
}

/* The value of an escape after its backslash; '?' for what is not ASCII. */
static char escape(struct reader *reader)
{
	static const char hex[] = "0123456789abcdef";
	unsigned value = 0;

	switch (*reader->at++) {
	case '"':
		return '"';
	case '\\':
		return '\\';
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'u':
		for (int i = 0; i < 4; i++) {
			const char *digit = *reader->at ? strchr(hex, *reader->at) : NULL;

			if (!digit)
				break;
			value = value * 16 + (unsigned)(digit - hex);
			reader->at++;
			if (i == 3)
				return value > 0 && value < 0x80 ? (char)value : '?';
		}
	}
	reader->failed = true;
	return '?';
}

/* Cuts what does not fit. */
static void read_string(struct reader *reader, char *text, size_t size)
{
	size_t length = 0;

	expect(reader, "\"");
	while (!reader->failed && *reader->at != '"') {
		char c;

		if (*reader->at == '\0') {
			reader->failed = true;
			break;
		}
		c = *reader->at++;
		if (c == '\\')
			c = escape(reader);
		if (length + 1 < size)
			text[length++] = c;
	}
	text[length] = '\0';
	expect(reader, "\"");
}

static void read_samples(struct reader *reader, struct samples *samples)
{
	expect(reader, "[");
	do {
		char *end;
		double value;

		if (reader->failed || !(isdigit((unsigned char)*reader->at) || *reader->at == '-')) {
			reader->failed = true;
			return;
		}
		value = strtod(reader->at, &end);
		if (end == reader->at || !isfinite(value)) {
			reader->failed = true;
			return;
		}
		reader->at = end;
		samples_add(samples, value);
	} while (accept(reader, ","));
	expect(reader, "]");
}

static void read_device(struct reader *reader, struct device_facts *device)
{
	read_string(reader, device->platform, sizeof(device->platform));
	expect(reader, ",\"platform_version\":");
	read_string(reader, device->platform_version, sizeof(device->platform_version));
	expect(reader, ",\"device\":");
	read_string(reader, device->device, sizeof(device->device));
	expect(reader, ",\"device_version\":");
	read_string(reader, device->device_version, sizeof(device->device_version));
	expect(reader, ",\"driver_version\":");
	read_string(reader, device->driver_version, sizeof(device->driver_version));
}

static void read_measurement(struct reader *reader, struct line *line)
{
	expect(reader, "{\"name\":");
	read_string(reader, line->name, sizeof(line->name));
	if (accept(reader, ",\"skipped\":")) {
		line->kind = LINE_SKIPPED;
		read_string(reader, line->skipped, sizeof(line->skipped));
		return;
	}
	line->kind = LINE_SAMPLES;
	expect(reader, ",\"unit\":");
	read_string(reader, line->unit, sizeof(line->unit));
	expect(reader, ",\"higher_is_better\":");
	line->higher_is_better = accept(reader, "true");
	if (!line->higher_is_better)
		expect(reader, "false");
	expect(reader, ",\"samples\":");
	read_samples(reader, &line->samples);
}

int line_parse(const char *text, struct line *ret_line)
{
	struct reader reader = { .at = text };
	struct line line = { 0 };
	int err = 0;

	if (accept(&reader, "{\"platform\":")) {
		line.kind = LINE_DEVICE;
		read_device(&reader, &line.device);
	} else {
		read_measurement(&reader, &line);
	}
	expect(&reader, "}");
	accept(&reader, "\n");
	if (reader.failed || *reader.at)
		err = -EINVAL;
	else if (line.samples.short_of_memory)
		err = -ENOMEM;
	if (err)
		line_finish(&line);
	else
		*ret_line = line;
	return err;
}

void line_finish(struct line *line)
{
	samples_finish(&line->samples);
}
