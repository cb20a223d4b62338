/* SPDX-License-Identifier: MIT */
/* A profile: what a vGPU made of it gets (an mdev type). Built-in ones follow from the GPUs' sizes, the others are made by users. */
#ifndef VGPU_MDEV_PROFILE_H
#define VGPU_MDEV_PROFILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "mdev/sched_settings.h"

#define PROFILE_NAME_BYTES 33		/* 32 characters and NUL */
#define PROFILE_SCHEMA 1
#define PROFILE_VRAM_STEP (1ull << 20)
#define PROFILE_VRAM_LEAST (16ull << 20)
#define PROFILE_CONTEXTS_DEFAULT 16
#define VGPU_SLACK_BYTES (32ull << 20)		/* aperture pages a guest may touch outside blobs before they are punched */
#define VGPU_BAR_BYTES (8ull << 30)		/* address space of the aperture BAR; the file behind it must fit */
#define VGPU_DIRECT_CLIENTS 16

struct profile {
	char name[PROFILE_NAME_BYTES];
	uint64_t vram_bytes;
	uint32_t max_contexts;		/* guest contexts of one connection at a time */
	struct sched_settings sched;	/* what its vGPUs begin with */
	bool builtin;
	int64_t created_s;		/* 0 for built-in ones */
	struct profile *next;
};

/* A name of 1..most characters [A-Za-z0-9._-], beginning with a letter or digit. 0, or -EINVAL with a sentence. */
int name_check(const char *what, const char *name, size_t most, char ret_why[256]);

/* Reads a profile from an API body or a state file, with defaults. is_stored: with "schema" and "created". The result is
 * valid by construction. 0, or -EINVAL with a sentence. */
int profile_parse(const json_t *object, bool is_stored, struct profile *ret_profile, char ret_why[256]);
json_t *profile_store_json(const struct profile *profile);

/* The largest VRAM whose aperture fits the BAR with that many contexts. */
uint64_t profile_vram_most(uint32_t max_contexts);

/* Adds the built-in ones for a GPU with that capacity to *list (heap; names already there are left out). 0 or -ENOMEM. */
int profile_add_builtin(struct profile **list, uint64_t capacity_bytes);
void profile_list_destroy(struct profile *list);
struct profile *profile_find(struct profile *list, const char *name);

#endif
