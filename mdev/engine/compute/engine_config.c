/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/engine_config.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_SCHEMA 1

/* Names the loader or the dynamic linker would act on: set here, never by a configuration. */
static bool name_is_reserved(const char *name)
{
	return !strncmp(name, "LD_", 3) || !strncmp(name, "OCL_ICD", 7) || !strcmp(name, "PATH") || !strcmp(name, "HOME") ||
	       !strcmp(name, "POCL_CACHE_DIR");
}

int engine_config_add_variable(struct engine_config *config, const char *name, const char *value)
{
	if (!*name || strchr(name, '=') || name_is_reserved(name))
		return -EINVAL;
	if (config->variable_count == ENGINE_CONFIG_VARIABLES_MAX)
		return -ENOSPC;
	char *name_copy = strdup(name), *value_copy = strdup(value);
	if (!name_copy || !value_copy) {
		free(name_copy);
		free(value_copy);
		return -ENOMEM;
	}
	config->variables[config->variable_count++] = (struct engine_variable){name_copy, value_copy};
	return 0;
}

const char *engine_config_variable(const struct engine_config *config, const char *name)
{
	for (uint32_t i = 0; i < config->variable_count; i++)
		if (!strcmp(config->variables[i].name, name))
			return config->variables[i].value;
	return NULL;
}

void engine_config_finish(struct engine_config *config)
{
	for (uint32_t i = 0; i < config->variable_count; i++) {
		free(config->variables[i].name);
		free(config->variables[i].value);
	}
	free(config->icd);
	free(config->platform);
	free(config->cache_dir);
	free(config->uuid);
	*config = (struct engine_config){0};
}

/* A string member copied into *ret; missing leaves it NULL. -EINVAL if it is of another type or empty. */
static int take_string(const json_t *object, const char *key, char **ret)
{
	const json_t *value = json_object_get(object, key);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value) || !json_string_length(value))
		return -EINVAL;
	*ret = strdup(json_string_value(value));
	return *ret ? 0 : -ENOMEM;
}

static int take_count(const json_t *object, const char *key, uint64_t max, uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > max)
		return -EINVAL;
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

static int take_environment(const json_t *engine, struct engine_config *config, char why[256])
{
	json_t *environment = json_object_get(engine, "environment");
	const char *name;
	json_t *value;

	if (!environment)
		return 0;
	if (!json_is_object(environment)) {
		snprintf(why, 256, "engine.environment must be an object of strings");
		return -EINVAL;
	}
	json_object_foreach(environment, name, value) {
		int r = json_is_string(value) ? engine_config_add_variable(config, name, json_string_value(value)) : -EINVAL;
		if (r) {
			snprintf(why, 256, "engine.environment.%s cannot be set: %s", name,
				 r == -EINVAL ? "it must be a string, and PATH, HOME, LD_*, OCL_ICD* and POCL_CACHE_DIR are the engine's own" :
						strerror(-r));
			return r;
		}
	}
	return 0;
}

static int take_engine(const json_t *root, struct engine_config *config, char why[256])
{
	const json_t *engine = json_object_get(root, "engine");
	const json_t *unified = json_object_get(engine, "unified"), *svm = json_object_get(engine, "svm");
	uint64_t device_index = 0;
	int r;

	if (!json_is_integer(json_object_get(root, "schema")) ||
	    json_integer_value(json_object_get(root, "schema")) != CONFIG_SCHEMA) {
		snprintf(why, 256, "its schema is not %d; vgpud and this engine are of different builds", CONFIG_SCHEMA);
		return -EPROTO;
	}
	if (!json_is_object(engine)) {
		snprintf(why, 256, "it has no object 'engine'");
		return -EINVAL;
	}
	if ((r = take_string(engine, "icd", &config->icd)) || (r = take_string(engine, "platform", &config->platform)) ||
	    (r = take_string(engine, "cache_dir", &config->cache_dir)) ||
	    (r = take_string(root, "uuid", &config->uuid)) ||
	    (r = take_count(engine, "device_index", UINT32_MAX, &device_index)) ||
	    (r = take_count(root, "vram_bytes", INT64_MAX, &config->vram_bytes)) ||
	    (r = take_count(engine, "memory_limit_bytes", INT64_MAX, &config->memory_limit_bytes)) ||
	    (unified && !json_is_boolean(unified) && (r = -EINVAL)) || (svm && !json_is_boolean(svm) && (r = -EINVAL))) {
		snprintf(why, 256, "a member of 'engine' has the wrong type or range; see docs/CONFIG_JSON.md");
		return r;
	}
	if (!config->icd || config->icd[0] != '/') {
		snprintf(why, 256, "engine.icd must be the absolute path of an OpenCL ICD file, such as /etc/OpenCL/vendors/pocl.icd");
		return -EINVAL;
	}
	if (!config->uuid || strspn(config->uuid, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") !=
				     strlen(config->uuid)) {
		snprintf(why, 256, "'uuid' must name the vGPU with letters, digits and dashes");
		return -EINVAL;
	}
	config->device_index = (uint32_t)device_index;
	config->unified = json_is_true(unified);
	config->svm = config->unified && json_is_true(svm);
	return take_environment(engine, config, why);
}

int engine_config_read(const char *dir, struct engine_config *ret_config, char why[256])
{
	struct engine_config config = {0};
	char path[PATH_MAX], reason[256] = "";
	json_error_t error;
	int r;

	if (snprintf(path, sizeof(path), "%s/config.json", dir) >= (int)sizeof(path)) {
		snprintf(why, 256, "the runtime folder's path is longer than %d bytes", PATH_MAX);
		return -ENAMETOOLONG;
	}
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		snprintf(why, 256, "%.120s cannot be read, line %d: %.100s", path, error.line, error.text);
		return -EINVAL;
	}
	r = take_engine(root, &config, reason);
	json_decref(root);
	if (r) {
		snprintf(why, 256, "%.80s: %.170s", path, reason);
		engine_config_finish(&config);
		return r;
	}
	*ret_config = config;
	return 0;
}
