/* SPDX-License-Identifier: MIT */
/*
 * The scheduler's settings of a vGPU and of a GPU as JSON: the one place that knows their keys, words and units.
 *
 * The same keys are read from profiles, creates, PATCH bodies and state files, and shown in answers. An edit is what of them was given; what
 * was not keeps its value. State files hold only what differs from the defaults, so that those without such settings are the same as
 * before there were any, and an older vgpud reads them.
 */
#ifndef VGPU_MDEV_SCHED_SETTINGS_H
#define VGPU_MDEV_SCHED_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "mdev/json/json_reader.h"
#include "scheduler/entity.h"
#include "scheduler/run_queue.h"

#define HANG_TIMEOUT_MS_MIN 10u
#define HANG_TIMEOUT_MS_MAX 3600000u

/* Of a vGPU. */
struct sched_settings {
	struct entity_settings entity;
	uint32_t hang_timeout_ms;	/* how long one command may have the lease before its engine is killed; 0 = for ever */
};

struct sched_edit {
	unsigned given;			/* bits: which of the values were given */
	struct sched_settings values;
};

struct sched_settings sched_settings_defaults(void);
/* Takes the keys that are there; between json_reader_init and json_reader_finish. */
void sched_edit_read(struct json_reader *reader, struct sched_edit *ret_edit);
/* Puts what was given over *settings. A class other than realtime takes a budget along that nobody speaks of. */
void sched_edit_apply(const struct sched_edit *edit, struct sched_settings *settings);
/* Whether they can be kept, each by itself. 0, or -EINVAL with a sentence. */
int sched_settings_check(const struct sched_settings *settings, char ret_why[ADMISSION_WHY_BYTES]);
/* All keys; -ENOMEM if one is lacking then. */
int sched_settings_show(const struct sched_settings *settings, json_t *object);
/* For a state file: the weight, and what differs from the defaults. */
int sched_settings_store(const struct sched_settings *settings, json_t *object);
/* The keys, for "give one of": "weight, class, ...". */
const char *sched_settings_keys(void);

/* Of a GPU's run queue: only what an administrator set, the rest follows from the GPU. */
struct queue_edit {
	unsigned given;
	struct run_queue_settings values;
};

void queue_edit_read(struct json_reader *reader, struct queue_edit *ret_edit);
/* Puts what `later` was given over *edit. */
void queue_edit_merge(struct queue_edit *edit, const struct queue_edit *later);
/* Puts what was given over *settings; a longest slice below the shortest takes that down with it. */
void queue_edit_apply(const struct queue_edit *edit, struct run_queue_settings *settings);
/* For a state file: what was given. 0 or -ENOMEM. */
int queue_edit_store(const struct queue_edit *edit, json_t *object);
int queue_settings_show(const struct run_queue_settings *settings, json_t *object);
const char *queue_settings_keys(void);

#endif
