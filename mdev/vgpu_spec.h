/* SPDX-License-Identifier: MIT */
/* What a vGPU is to be: its persistent definition, with the profile resolved, so that a profile may change without it. */
#ifndef VGPU_MDEV_VGPU_SPEC_H
#define VGPU_MDEV_VGPU_SPEC_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "mdev/profile.h"

#define VGPU_SPEC_SCHEMA 1
#define VGPU_NAME_BYTES 64	/* 63 characters and NUL, as config.json's readers have it */
#define VGPU_UUID_BYTES 37
#define GPU_ID_BYTES 32

struct vgpu_spec {
	char uuid[VGPU_UUID_BYTES];
	char name[VGPU_NAME_BYTES];
	char profile[PROFILE_NAME_BYTES];
	char gpu[GPU_ID_BYTES];
	uint64_t vram_bytes;
	uint32_t max_contexts;
	struct sched_settings sched;	/* the profile's at first; edited while it runs */
	int64_t created_s;
	bool deleting;		/* a delete was begun: finish it */
};

/* A state file's object. 0, or -EINVAL with a sentence; ret_spec is untouched then. */
int vgpu_spec_parse(const json_t *object, struct vgpu_spec *ret_spec, char ret_why[256]);
json_t *vgpu_spec_store_json(const struct vgpu_spec *spec);

/* A random UUID (RFC 4122 version 4), lower case. */
void vgpu_uuid_make(char ret_uuid[VGPU_UUID_BYTES]);
bool vgpu_uuid_is_valid(const char *text);

#endif
