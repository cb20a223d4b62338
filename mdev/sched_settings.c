/* SPDX-License-Identifier: MIT */
#include "mdev/sched_settings.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "scheduler/admission.h"

/* A value of a struct of settings, and the key it has in JSON. */
struct field {
	const char *key;
	size_t at;
	size_t bytes;			/* 4 or 8 */
	uint64_t least, most;
	const char *const *words;	/* not NULL: a string, one of these in the order of the enum */
};

static const char *const class_words[] = {"normal", "realtime", "idle", NULL};
static const char *const policy_words[] = {"best-effort", "equal-share", "fixed-share", "adaptive", NULL};

#define FIELD(type, member) offsetof(type, member), sizeof(((type *)0)->member)
#define ENTITY(member) FIELD(struct sched_settings, entity.member)
#define QUEUE(member) FIELD(struct run_queue_settings, member)

enum { FIELD_WEIGHT, FIELD_CLASS, FIELD_CAP, FIELD_RESERVATION, FIELD_BURST, FIELD_BUDGET, FIELD_PERIOD, FIELD_SLICE, FIELD_HANG_TIMEOUT };

/* The bounds here are of one number whatever the others say; sched_settings_check knows the rest. */
static const struct field vgpu_fields[] = {
	[FIELD_WEIGHT] = {"weight", ENTITY(weight), ENTITY_WEIGHT_MIN, ENTITY_WEIGHT_MAX, NULL},
	[FIELD_CLASS] = {"class", ENTITY(class), 0, 0, class_words},
	[FIELD_CAP] = {"cap_ppm", ENTITY(cap_ppm), ENTITY_CAP_PPM_MIN, ENTITY_WHOLE_PPM, NULL},
	[FIELD_RESERVATION] = {"reservation_ppm", ENTITY(reservation_ppm), 0, ENTITY_WHOLE_PPM, NULL},
	[FIELD_BURST] = {"burst_ns", ENTITY(burst_ns), ENTITY_BURST_NS_MIN, ENTITY_BURST_NS_MAX, NULL},
	[FIELD_BUDGET] = {"budget_ns", ENTITY(budget_ns), 0, ENTITY_PERIOD_NS_MAX, NULL},
	[FIELD_PERIOD] = {"period_ns", ENTITY(period_ns), 0, ENTITY_PERIOD_NS_MAX, NULL},
	[FIELD_SLICE] = {"slice_ns", ENTITY(slice_ns), 0, ENTITY_SLICE_NS_MAX, NULL},
	[FIELD_HANG_TIMEOUT] = {"hang_timeout_ms", FIELD(struct sched_settings, hang_timeout_ms), 0, HANG_TIMEOUT_MS_MAX, NULL},
};
#define VGPU_FIELDS (sizeof(vgpu_fields) / sizeof(vgpu_fields[0]))

static const struct field queue_fields[] = {
	{"policy", QUEUE(policy), 0, 0, policy_words},
	{"leases", QUEUE(leases), 1, RUN_QUEUE_LEASES_MAX, NULL},
	{"slots", QUEUE(slots), 1, RUN_QUEUE_SLOTS_MAX, NULL},
	{"averaging", QUEUE(averaging), 1, RUN_QUEUE_AVERAGING_MAX, NULL},
	{"slice_ns", QUEUE(slice_ns), 0, ENTITY_SLICE_NS_MAX, NULL},
	{"target_latency_ns", QUEUE(target_latency_ns), ENTITY_SLICE_NS_MIN, RUN_QUEUE_TARGET_LATENCY_NS_MAX, NULL},
	{"slice_max_ns", QUEUE(slice_max_ns), ENTITY_SLICE_NS_MIN, ENTITY_SLICE_NS_MAX, NULL},
};
#define QUEUE_FIELDS (sizeof(queue_fields) / sizeof(queue_fields[0]))

/* ---- any of them ------------------------------------------------------------------------------------ */

static uint64_t get(const struct field *field, const void *settings)
{
	const char *at = (const char *)settings + field->at;
	uint64_t wide;
	uint32_t narrow;

	if (field->bytes == sizeof(narrow)) {
		memcpy(&narrow, at, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, at, sizeof(wide));
	return wide;
}

static void set(const struct field *field, void *settings, uint64_t value)
{
	char *at = (char *)settings + field->at;
	uint32_t narrow = (uint32_t)value;

	if (field->bytes == sizeof(narrow))
		memcpy(at, &narrow, sizeof(narrow));
	else
		memcpy(at, &value, sizeof(value));
}

static unsigned read_fields(struct json_reader *reader, const struct field *fields, size_t count, void *ret_settings)
{
	unsigned given = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t value = 0;
		bool is_there = fields[i].words ? json_reader_word(reader, fields[i].key, fields[i].words, &value)
						: json_reader_number(reader, fields[i].key, fields[i].least, fields[i].most, &value);
		if (!is_there)
			continue;
		set(&fields[i], ret_settings, value);
		given |= 1u << i;
	}
	return given;
}

static void copy_fields(const struct field *fields, size_t count, unsigned given, const void *from, void *to)
{
	for (size_t i = 0; i < count; i++)
		if (given & 1u << i)
			set(&fields[i], to, get(&fields[i], from));
}

static int write_fields(const struct field *fields, size_t count, unsigned wanted, const void *settings, json_t *object)
{
	int failed = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t value = get(&fields[i], settings);
		if (wanted & 1u << i)
			failed |= json_object_set_new(object, fields[i].key, fields[i].words ? json_string(fields[i].words[value])
											     : json_integer((json_int_t)value));
	}
	return failed ? -ENOMEM : 0;
}

/* ---- of a vGPU --------------------------------------------------------------------------------------- */

struct sched_settings sched_settings_defaults(void)
{
	return (struct sched_settings){.entity = entity_defaults()};
}

void sched_edit_read(struct json_reader *reader, struct sched_edit *ret_edit)
{
	*ret_edit = (struct sched_edit){0};
	ret_edit->given = read_fields(reader, vgpu_fields, VGPU_FIELDS, &ret_edit->values);
}

void sched_edit_apply(const struct sched_edit *edit, struct sched_settings *settings)
{
	const unsigned budget = 1u << FIELD_BUDGET | 1u << FIELD_PERIOD;

	copy_fields(vgpu_fields, VGPU_FIELDS, edit->given, &edit->values, settings);
	if ((edit->given & 1u << FIELD_CLASS) && settings->entity.class != ENTITY_REALTIME && !(edit->given & budget))
		settings->entity.budget_ns = settings->entity.period_ns = 0;
}

int sched_settings_check(const struct sched_settings *settings, char ret_why[ADMISSION_WHY_BYTES])
{
	if (settings->hang_timeout_ms && (settings->hang_timeout_ms < HANG_TIMEOUT_MS_MIN || settings->hang_timeout_ms > HANG_TIMEOUT_MS_MAX)) {
		snprintf(ret_why, ADMISSION_WHY_BYTES, "a hang timeout of %u ms; it must be from %u ms to %u s, or 0 for none", settings->hang_timeout_ms,
			 HANG_TIMEOUT_MS_MIN, HANG_TIMEOUT_MS_MAX / 1000);
		return -EINVAL;
	}
	return admission_check_range(&settings->entity, ret_why);
}

int sched_settings_show(const struct sched_settings *settings, json_t *object)
{
	return write_fields(vgpu_fields, VGPU_FIELDS, ~0u, settings, object);
}

int sched_settings_store(const struct sched_settings *settings, json_t *object)
{
	struct sched_settings defaults = sched_settings_defaults();
	unsigned wanted = 1u << FIELD_WEIGHT;	/* which older ones require */

	for (size_t i = 0; i < VGPU_FIELDS; i++)
		if (get(&vgpu_fields[i], settings) != get(&vgpu_fields[i], &defaults))
			wanted |= 1u << i;
	return write_fields(vgpu_fields, VGPU_FIELDS, wanted, settings, object);
}

const char *sched_settings_keys(void)
{
	return "weight, class, cap_ppm, reservation_ppm, burst_ns, budget_ns, period_ns, slice_ns, hang_timeout_ms";
}

/* ---- of a GPU ---------------------------------------------------------------------------------------- */

void queue_edit_read(struct json_reader *reader, struct queue_edit *ret_edit)
{
	*ret_edit = (struct queue_edit){0};
	ret_edit->given = read_fields(reader, queue_fields, QUEUE_FIELDS, &ret_edit->values);
}

void queue_edit_merge(struct queue_edit *edit, const struct queue_edit *later)
{
	copy_fields(queue_fields, QUEUE_FIELDS, later->given, &later->values, &edit->values);
	edit->given |= later->given;
}

void queue_edit_apply(const struct queue_edit *edit, struct run_queue_settings *settings)
{
	copy_fields(queue_fields, QUEUE_FIELDS, edit->given, &edit->values, settings);
	if (settings->slice_min_ns > settings->slice_max_ns)
		settings->slice_min_ns = settings->slice_max_ns;
}

int queue_edit_store(const struct queue_edit *edit, json_t *object)
{
	return write_fields(queue_fields, QUEUE_FIELDS, edit->given, &edit->values, object);
}

int queue_settings_show(const struct run_queue_settings *settings, json_t *object)
{
	return write_fields(queue_fields, QUEUE_FIELDS, ~0u, settings, object);
}

const char *queue_settings_keys(void)
{
	return "policy, leases, slots, averaging, slice_ns, target_latency_ns, slice_max_ns";
}
