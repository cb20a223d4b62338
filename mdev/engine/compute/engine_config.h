/* SPDX-License-Identifier: MIT */
/*
 * The "engine" object of a vGPU's config.json (docs/CONFIG_JSON.md), parsed.
 *
 * The file is vgpud's, so its author is trusted, but a damaged one gets a sentence, not a crash. Read
 * before the engine enters its jail: afterwards the folder is out of reach.
 */
#ifndef VGPU_MDEV_ENGINE_COMPUTE_ENGINE_CONFIG_H
#define VGPU_MDEV_ENGINE_COMPUTE_ENGINE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#define ENGINE_CONFIG_VARIABLES_MAX 32u

struct engine_variable {
	char *name;
	char *value;
};

struct engine_config {
	char *icd;			/* the one ICD file of the loader */
	char *platform;			/* CL_PLATFORM_NAME, NULL = the first */
	uint32_t device_index;		/* among all devices of that platform */
	bool unified;			/* kernels use aperture memory in place */
	bool svm;			/* the driver takes raw pointers, as the probe has seen; only with unified */
	uint64_t memory_limit_bytes;	/* beside the mapped blobs; 0 = none */
	uint64_t vram_bytes;
	char *uuid;			/* of the vGPU; letters, digits and dashes */
	char *cache_dir;		/* where scratch folders may be made; NULL = the vGPU's runtime folder */
	uint32_t variable_count;
	struct engine_variable variables[ENGINE_CONFIG_VARIABLES_MAX];
};

/* Reads dir/config.json. 0, or -errno with a sentence in why. */
int engine_config_read(const char *dir, struct engine_config *ret_config, char why[256]);

/* Adds one variable, copied; also for `--environment NAME=VALUE`. 0, or -EINVAL for a bad name, -ENOSPC, -ENOMEM. */
int engine_config_add_variable(struct engine_config *config, const char *name, const char *value);

/* The value of a variable of the configuration, or NULL. Borrowed. */
const char *engine_config_variable(const struct engine_config *config, const char *name);

void engine_config_finish(struct engine_config *config);
#endif
