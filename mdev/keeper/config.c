/* SPDX-License-Identifier: MIT */
#include "mdev/keeper/config.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mdev/keeper/keeper_protocol.h"
#include "shim/wire/wire.h"

/* A cursor over the file whose first error sticks. */
struct reader {
	const json_t *root;
	char *why;
	int error;
};

static void reader_fail(struct reader *reader, const char *key, const char *wanted)
{
	if (reader->error)
		return;
	reader->error = -EINVAL;
	snprintf(reader->why, 256, "config.json: '%s' must be %s", key, wanted);
}

static uint64_t read_count(struct reader *reader, const char *key, uint64_t least, uint64_t most)
{
	const json_t *value = json_object_get(reader->root, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (uint64_t)json_integer_value(value) < least || (uint64_t)json_integer_value(value) > most) {
		char wanted[96];
		snprintf(wanted, sizeof(wanted), "a whole number from %llu to %llu", (unsigned long long)least,
			 (unsigned long long)most);
		reader_fail(reader, key, wanted);
		return least;
	}
	return (uint64_t)json_integer_value(value);
}

static void read_text(struct reader *reader, const char *key, char *ret_text, size_t capacity)
{
	const char *value = json_string_value(json_object_get(reader->root, key));

	if (!value || strlen(value) >= capacity) {
		reader_fail(reader, key, "a short string");
		return;
	}
	strcpy(ret_text, value);
}

static char *read_program(struct reader *reader, const char *key)
{
	const char *value = json_string_value(json_object_get(json_object_get(reader->root, "programs"), key));
	char *copy = value && value[0] == '/' ? strdup(value) : NULL;

	if (!copy)
		reader_fail(reader, key, "the absolute path of a program (under 'programs')");
	return copy;
}

int keeper_config_load(const char *dir, struct keeper_config *ret_config, char ret_why[256])
{
	struct keeper_config config = {0};
	struct reader reader = {.why = ret_why};
	json_error_t error;
	char path[4096];

	snprintf(path, sizeof(path), "%s/config.json", dir);
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		snprintf(ret_why, 256, "cannot read %.100s: %.120s (line %d)", path, error.text, error.line);
		return -EINVAL;
	}
	reader.root = root;
	if (json_integer_value(json_object_get(root, "schema")) != 1)
		reader_fail(&reader, "schema", "1");
	read_text(&reader, "uuid", config.uuid, sizeof(config.uuid));
	read_text(&reader, "name", config.name, sizeof(config.name));
	config.vram_bytes = read_count(&reader, "vram_bytes", 1u << 20, 1ull << 40);
	config.slack_bytes = read_count(&reader, "slack_bytes", 0, 1ull << 32);
	config.max_contexts = (uint32_t)read_count(&reader, "max_contexts", 1, KEEPER_CONTEXT_MAX);
	config.max_direct_clients = (uint32_t)read_count(&reader, "max_direct_clients", 0, KEEPER_SLOT_MAX - 1);
	config.device_program = read_program(&reader, "device");
	config.compute_program = read_program(&reader, "compute");
	json_decref(root);
	if (reader.error) {
		keeper_config_finish(&config);
		return reader.error;
	}
	*ret_config = config;
	return 0;
}

void keeper_config_finish(struct keeper_config *config)
{
	free(config->device_program);
	free(config->compute_program);
	config->device_program = config->compute_program = NULL;
}

uint64_t keeper_config_aperture_bytes(const struct keeper_config *config)
{
	const uint64_t step = 2u << 20;
	uint64_t bytes = config->vram_bytes + (uint64_t)config->max_contexts * WIRE_RING_BLOB_BYTES + config->slack_bytes;

	return (bytes + step - 1) / step * step;
}
