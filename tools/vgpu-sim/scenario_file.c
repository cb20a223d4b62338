/* SPDX-License-Identifier: MIT */
/* Reads scenarios; scenario_write.c writes them. What is read is distrusted: each field has a type, bounds and one place. */
#include "tools/vgpu-sim/scenario_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "mdev/json/json_reader.h"
#include "scheduler/sim/rule.h"
#include "tools/vgpu-sim/recorded_file.h"

#define FILE_BYTES_MAX (64u << 20)
#define MEMBERS_MAX 4096u
#define EDITS_MAX 4096u
#define HOUR_US 3600000000ull

struct reading {
	struct scenario *scenario;
	const struct scenario_count *other;
	const char *folder;
	struct recorded_file *recorded;
	char *why;
	int error;
};

static __attribute__((format(printf, 2, 3))) void fail(struct reading *reading, const char *format, ...)
{
	va_list arguments;

	if (reading->error)
		return;
	reading->error = -EINVAL;
	va_start(arguments, format);
	vsnprintf(reading->why, SCENARIO_WHY_BYTES, format, arguments);
	va_end(arguments);
}

/* Ends an object; the first error of it becomes the file's. */
static void finish(struct reading *reading, struct json_reader *reader, const char *where)
{
	if (json_reader_finish(reader))
		fail(reading, "%s: %s", where, reader->why);
}

static uint64_t count_of(struct json_reader *reader, const char *name, uint64_t otherwise, uint64_t least, uint64_t most)
{
	uint64_t count = otherwise;

	json_reader_count(reader, name, true, least, most, &count);
	return count;
}

static uint64_t us_of(struct json_reader *reader, const char *name, uint64_t otherwise_ns, uint64_t least_us, uint64_t most_us)
{
	uint64_t us = UINT64_MAX;

	json_reader_count(reader, name, true, least_us, most_us, &us);
	return us == UINT64_MAX ? otherwise_ns : us * 1000;
}

/* Takes a field that is an object or array of its own; NULL if absent. */
static const json_t *part_of(struct json_reader *reader, const char *name)
{
	if (reader->seen_count < JSON_READER_FIELDS_MAX)
		reader->seen[reader->seen_count++] = name;
	return json_object_get(reader->object, name);
}

/* One of a list of words; the index of it. */
static unsigned word_of(struct reading *reading, struct json_reader *reader, const char *where, const char *name, const char *const *words)
{
	char text[32] = "", all[160] = "";
	unsigned index = 0;

	json_reader_text(reader, name, words[0], text, sizeof(text));
	if (reader->error)
		return 0;
	for (; words[index]; index++) {
		if (!strcmp(words[index], text))
			return index;
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", index ? ", " : "", words[index]);
	}
	const char *near = nearest_word(text, words);
	fail(reading, "%s: '%s' is '%s'; it must be one of: %s%s%s%s", where, name, text, all, near ? " (did you mean " : "", near ? near : "",
	     near ? "?)" : "");
	return 0;
}

static const char *const spread_words[] = {"fixed", "uniform", "log-uniform", "exponential", NULL};
static const char *const arrival_words[] = {"backlogged", "periodic", "random", "think", "trace", NULL};
static const char *const class_words[] = {"normal", "realtime", "idle", NULL};
static const char *const policy_words[] = {"best-effort", "equal-share", "fixed-share", "adaptive", NULL};
static const char *const preemption_words[] = {"none", "chunks", "freeze", NULL};

static struct spread_ns spread_of(struct reading *reading, const json_t *value, const char *where)
{
	struct spread_ns spread = {0};
	struct json_reader reader;

	if (json_is_integer(value)) {
		json_int_t us = json_integer_value(value);
		if (us < 1 || (uint64_t)us > HOUR_US)
			fail(reading, "%s is %lld us; it must be from 1 to %llu", where, (long long)us, HOUR_US);
		spread.a_ns = (uint64_t)us * 1000;
		return spread;
	}
	if (!json_is_object(value)) {
		fail(reading, "%s: a length is missing or of no use; give microseconds as a whole number, or an object as "
			      "{\"kind\": \"uniform\", \"from_us\": 100, \"to_us\": 500}", where);
		return spread;
	}
	json_reader_init(&reader, value);
	spread.kind = (enum spread)word_of(reading, &reader, where, "kind", spread_words);
	if (spread.kind == SPREAD_FIXED) {
		spread.a_ns = us_of(&reader, "us", 1000, 1, HOUR_US);
	} else if (spread.kind == SPREAD_EXPONENTIAL) {
		spread.a_ns = us_of(&reader, "mean_us", 1000, 1, HOUR_US);
		spread.b_ns = us_of(&reader, "most_us", 0, 1, HOUR_US);
	} else {
		spread.a_ns = us_of(&reader, "from_us", 1000, 1, HOUR_US);
		spread.b_ns = us_of(&reader, "to_us", spread.a_ns, 1, HOUR_US);
		if (!reader.error && spread.b_ns < spread.a_ns)
			fail(reading, "%s: 'to_us' is %llu, below 'from_us', %llu; swap them", where, (unsigned long long)spread.b_ns / 1000,
			     (unsigned long long)spread.a_ns / 1000);
	}
	finish(reading, &reader, where);
	return spread;
}

/* One kernel of a list: [when it came, its number, how long it takes]. */
static bool record_of(const json_t *value, uint64_t least_at_ns, struct recorded *ret_record)
{
	const json_t *at = json_array_get(value, 0), *kernel = json_array_get(value, 1), *length = json_array_get(value, 2);

	if (json_array_size(value) != 3 || !json_is_integer(at) || !json_is_integer(kernel) || !json_is_integer(length))
		return false;
	json_int_t at_ns = json_integer_value(at), length_ns = json_integer_value(length);
	if (at_ns < 0 || (uint64_t)at_ns < least_at_ns || (uint64_t)at_ns > HOUR_US * 1000 || length_ns < 1 || (uint64_t)length_ns > HOUR_US * 1000 ||
	    json_integer_value(kernel) < 0)
		return false;
	*ret_record = (struct recorded){.at_ns = (uint64_t)at_ns, .kernel_id = (uint64_t)json_integer_value(kernel), .length_ns = (uint64_t)length_ns};
	return true;
}

/* Work that lies in the scenario itself. */
static void records_of(struct reading *reading, const json_t *list, const char *vgpu, const char *where)
{
	const struct recorded *before;
	uint64_t at_ns = 0;
	const json_t *value;
	size_t index;

	if (!list)
		return;
	if (!json_is_array(list))
		fail(reading, "%s: 'records_ns' must be a list of [at, kernel, length]", where);
	else if (recorded_of(reading->recorded, vgpu, &before))
		fail(reading, "%s: there is recorded work of '%s' already; leave one of the two out", where, vgpu);
	json_array_foreach(list, index, value) {
		struct recorded record;
		if (reading->error)
			return;
		if (!record_of(value, at_ns, &record)) {
			fail(reading, "%s: records_ns[%zu] must be [at, kernel, length] in whole nanoseconds, at not before that of the one before, "
				      "at and length at most an hour, length at least 1", where, index);
			return;
		}
		at_ns = record.at_ns;
		if (recorded_add(&reading->recorded, vgpu, &record, 1))
			fail(reading, "no memory");
	}
}

static void arrival_of(struct reading *reading, const json_t *value, struct load *load, const char *vgpu, const char *where)
{
	struct json_reader reader;

	if (!value)
		return;		/* backlogged */
	json_reader_init(&reader, value);
	load->arrival = (enum arrival)word_of(reading, &reader, where, "kind", arrival_words);
	if (load->arrival == ARRIVAL_PERIODIC) {
		load->gap.a_ns = us_of(&reader, "gap_us", 16667000, 100, HOUR_US);
		load->jitter_ns = us_of(&reader, "jitter_us", 0, 0, load->gap.a_ns / 1000 - 1);
	} else if (load->arrival == ARRIVAL_RANDOM || load->arrival == ARRIVAL_THINK) {
		load->gap = spread_of(reading, part_of(&reader, "gap"), where);
		load->burst = (uint32_t)count_of(&reader, "burst", 1, 1, 100000);
	} else if (load->arrival == ARRIVAL_TRACE && !reader.error && !reading->error) {
		records_of(reading, part_of(&reader, "records_ns"), vgpu, where);
	}
	finish(reading, &reader, where);
}

static void settings_of(struct reading *reading, struct json_reader *reader, struct entity_settings *settings, const char *where)
{
	char why[ADMISSION_WHY_BYTES];

	settings->weight = (uint32_t)count_of(reader, "weight", settings->weight, ENTITY_WEIGHT_MIN, ENTITY_WEIGHT_MAX);
	settings->cap_ppm = (uint32_t)count_of(reader, "cap_permille", settings->cap_ppm / 1000, 1, 1000) * 1000;
	settings->reservation_ppm = (uint32_t)count_of(reader, "reservation_permille", settings->reservation_ppm / 1000, 0, 1000) * 1000;
	settings->burst_ns = us_of(reader, "burst_us", settings->burst_ns, 1, HOUR_US);
	settings->slice_ns = us_of(reader, "slice_us", settings->slice_ns, 0, HOUR_US);
	settings->class = word_of(reading, reader, where, "class", class_words);
	settings->budget_ns = us_of(reader, "budget_us", 0, 0, HOUR_US);
	settings->period_ns = us_of(reader, "period_us", 0, 0, HOUR_US);
	if (!reader->error && !reading->error && admission_check_range(settings, why))
		fail(reading, "%s: %s", where, why);
}

static void member_of(struct reading *reading, const json_t *value, size_t index)
{
	struct scenario *scenario = reading->scenario;
	struct member member = {.settings = entity_defaults(), .load = {.burst = 1}};
	struct json_reader reader;
	char where[96];

	snprintf(where, sizeof(where), "vgpus[%zu]", index);
	json_reader_init(&reader, value);
	json_reader_text(&reader, "name", NULL, member.name, 32);
	uint64_t count = count_of(&reader, "count", 1, 1, MEMBERS_MAX);
	if (!reader.error && reading->other && reading->other->name && !strcmp(reading->other->name, member.name))
		count = reading->other->count;
	settings_of(reading, &reader, &member.settings, where);
	snprintf(where, sizeof(where), "vgpus[%zu] arrival", index);
	arrival_of(reading, part_of(&reader, "arrival"), &member.load, member.name, where);
	const json_t *kernel = part_of(&reader, "kernel");
	snprintf(where, sizeof(where), "vgpus[%zu] kernel", index);
	if (member.load.arrival != ARRIVAL_TRACE)
		member.load.kernel = spread_of(reading, kernel, where);
	else if (kernel)
		fail(reading, "%s: its work comes from the trace; leave 'kernel' out", where);
	json_reader_bool(&reader, "whole", &member.load.is_whole);
	member.load.begin_ns = us_of(&reader, "begin_us", 0, 0, HOUR_US);
	uint64_t stagger_ns = us_of(&reader, "stagger_us", 0, 0, HOUR_US);
	snprintf(where, sizeof(where), "vgpus[%zu]", index);
	finish(reading, &reader, where);
	if (reading->error)
		return;
	if (member.load.arrival == ARRIVAL_TRACE) {
		member.load.record_count = recorded_of(reading->recorded, member.name, &member.load.records);
		if (!member.load.record_count)
			fail(reading, "%s: there is no recorded work of '%s'; name a file in 'trace' that has some, or give 'records_ns'", where,
			     member.name);
	}
	if (scenario->member_count + count > MEMBERS_MAX) {
		fail(reading, "%s: more than %u vGPUs; lower 'count'", where, MEMBERS_MAX);
		return;
	}
	char base[32];
	memcpy(base, member.name, sizeof(base));	/* the reader took care that it ends within */
	for (uint64_t i = 0; i < count; i++) {
		if (count > 1)
			snprintf(member.name, sizeof(member.name), "%.31s-%u", base, (unsigned)i);
		for (size_t k = 0; k < scenario->member_count; k++)
			if (!strcmp(scenario->members[k].name, member.name))
				fail(reading, "%s: there is a vGPU '%s' already; choose another name", where, member.name);
		scenario->members[scenario->member_count++] = member;
		member.load.begin_ns += stagger_ns;
	}
}

static void edit_of(struct reading *reading, const json_t *value, size_t index)
{
	struct scenario *scenario = reading->scenario;
	struct edit edit = {0};
	struct json_reader reader;
	char where[64], name[48] = "";

	snprintf(where, sizeof(where), "edits[%zu]", index);
	json_reader_init(&reader, value);
	edit.at_ns = us_of(&reader, "at_us", 0, 0, HOUR_US);
	json_reader_text(&reader, "vgpu", NULL, name, sizeof(name));
	for (edit.member = 0; edit.member < scenario->member_count; edit.member++)
		if (!strcmp(scenario->members[edit.member].name, name))
			break;
	if (!reader.error && edit.member == scenario->member_count) {
		fail(reading, "%s: there is no vGPU '%s' in 'vgpus'", where, name);
		return;
	}
	edit.settings = entity_defaults();
	settings_of(reading, &reader, &edit.settings, where);
	finish(reading, &reader, where);
	if (scenario->edit_count && scenario->edits[scenario->edit_count - 1].at_ns > edit.at_ns)
		fail(reading, "%s: 'at_us' goes back; put edits in the order of their times", where);
	scenario->edits[scenario->edit_count++] = edit;
}

static void gpu_of(struct reading *reading, const json_t *value)
{
	struct scenario *scenario = reading->scenario;
	struct run_queue_settings *queue = &scenario->queue;
	struct json_reader reader;

	if (!value)
		return;
	json_reader_init(&reader, value);
	queue->policy = word_of(reading, &reader, "gpu", "policy", policy_words);
	scenario->preemption = (enum preemption)word_of(reading, &reader, "gpu", "preemption", preemption_words);
	queue->leases = (uint32_t)count_of(&reader, "leases", queue->leases, 1, RUN_QUEUE_LEASES_MAX);
	queue->slots = (uint32_t)count_of(&reader, "slots", queue->slots, 1, RUN_QUEUE_SLOTS_MAX);
	queue->averaging = (uint32_t)count_of(&reader, "averaging", queue->averaging, 1, RUN_QUEUE_AVERAGING_MAX);
	queue->slice_ns = us_of(&reader, "slice_us", queue->slice_ns, 0, HOUR_US);
	queue->slice_min_ns = us_of(&reader, "slice_min_us", queue->slice_min_ns, 1, HOUR_US);
	queue->slice_max_ns = us_of(&reader, "slice_max_us", queue->slice_max_ns, 1, HOUR_US);
	queue->target_latency_ns = us_of(&reader, "target_latency_us", queue->target_latency_ns, 1, HOUR_US);
	queue->switch_ppm = (uint32_t)count_of(&reader, "switch_ppm", queue->switch_ppm, 0, ENTITY_WHOLE_PPM);
	queue->chunk_ns = us_of(&reader, "chunk_us", queue->chunk_ns, 0, HOUR_US);
	scenario->switch_ns = us_of(&reader, "switch_us", scenario->switch_ns, 0, 10000);
	queue->switch_cost_ns = scenario->switch_ns;
	scenario->chunk_cost_ns = us_of(&reader, "chunk_cost_us", scenario->chunk_cost_ns, 0, 10000);
	scenario->freeze_ns = us_of(&reader, "freeze_us", scenario->freeze_ns, 0, 1000000);
	finish(reading, &reader, "gpu");
}

static const json_t *array_of(struct reading *reading, struct json_reader *reader, const char *name, size_t least, size_t most)
{
	const json_t *array = part_of(reader, name);

	if (reader->error || (!array && !least))
		return NULL;
	if (!json_is_array(array) || json_array_size(array) < least || json_array_size(array) > most) {
		fail(reading, "'%s' must be an array of %zu to %zu objects", name, least, most);
		return NULL;
	}
	return array;
}

static void scenario_of(struct reading *reading, const json_t *value)
{
	struct scenario *scenario = reading->scenario;
	struct json_reader reader;
	char trace[256];

	json_reader_init(&reader, value);
	json_reader_text(&reader, "title", "without title", scenario->title, sizeof(scenario->title));
	scenario->duration_ns = us_of(&reader, "duration_us", 10000000000u, 1000, HOUR_US);
	scenario->seed = count_of(&reader, "seed", 1, 0, INT64_MAX);
	scenario->seeds = (uint32_t)count_of(&reader, "seeds", 1, 1, 1000);
	json_reader_text(&reader, "trace", "-", trace, sizeof(trace));
	if (!reader.error && strcmp(trace, "-"))
		reading->error = recorded_read(reading->folder, trace, &reading->recorded, reading->why);
	gpu_of(reading, part_of(&reader, "gpu"));
	const json_t *vgpus = array_of(reading, &reader, "vgpus", 1, MEMBERS_MAX);
	for (size_t i = 0; i < json_array_size(vgpus) && !reading->error; i++)
		member_of(reading, json_array_get(vgpus, i), i);
	const json_t *edits = array_of(reading, &reader, "edits", 0, EDITS_MAX);
	for (size_t i = 0; i < json_array_size(edits) && !reading->error; i++)
		edit_of(reading, json_array_get(edits, i), i);
	finish(reading, &reader, "the scenario");
}

/* What the run queue would refuse is refused here, with its sentence. */
static void admit(struct reading *reading)
{
	char why[ADMISSION_WHY_BYTES] = "no memory";

	if (reading->error)
		return;
	void *rule = rule_vgpud.create(reading->scenario, why);
	if (!rule)
		fail(reading, "%s", why);
	rule_vgpud.destroy(rule);
}

int scenario_parse(const char *text, size_t bytes, const char *folder, const struct scenario_count *other,
		   struct scenario **ret_scenario, char ret_why[SCENARIO_WHY_BYTES])
{
	struct reading reading = {.other = other, .folder = folder, .why = ret_why};
	json_t *value = json_parse_strictly(text, bytes, ret_why);

	if (!value)
		return -EINVAL;
	struct scenario *scenario = calloc(1, sizeof(*scenario));
	if (scenario) {
		scenario->members = calloc(MEMBERS_MAX, sizeof(*scenario->members));
		scenario->edits = calloc(EDITS_MAX, sizeof(*scenario->edits));
	}
	if (!scenario || !scenario->members || !scenario->edits) {
		snprintf(ret_why, SCENARIO_WHY_BYTES, "no memory");
		scenario_destroy(scenario);
		json_decref(value);
		return -ENOMEM;
	}
	scenario->queue = run_queue_defaults();
	scenario->switch_ns = 15000;
	scenario->chunk_cost_ns = SCENARIO_CHUNK_COST_NS;
	scenario->freeze_ns = SCENARIO_FREEZE_NS;
	reading.scenario = scenario;
	scenario_of(&reading, value);
	json_decref(value);
	admit(&reading);
	scenario->recorded = reading.recorded;
	if (reading.error)
		scenario_destroy(scenario);
	else
		*ret_scenario = scenario;
	return reading.error;
}

int scenario_read(const char *path, const struct scenario_count *other, struct scenario **ret_scenario, char ret_why[SCENARIO_WHY_BYTES])
{
	char folder[1024] = ".";
	char *text = malloc(FILE_BYTES_MAX);
	FILE *file = text ? fopen(path, "r") : NULL;
	const char *slash = strrchr(path, '/');
	int error = -errno;

	if (slash && (size_t)(slash - path) < sizeof(folder))
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
	if (!file) {
		snprintf(ret_why, SCENARIO_WHY_BYTES, "cannot read: %s", strerror(-error));
		free(text);
		return error;
	}
	size_t bytes = fread(text, 1, FILE_BYTES_MAX, file);
	fclose(file);
	if (bytes == FILE_BYTES_MAX) {
		snprintf(ret_why, SCENARIO_WHY_BYTES, "longer than %u MiB; leave some of it out", FILE_BYTES_MAX >> 20);
		error = -EFBIG;
	} else {
		error = scenario_parse(text, bytes, folder, other, ret_scenario, ret_why);
	}
	free(text);
	return error;
}

void scenario_destroy(struct scenario *scenario)
{
	if (!scenario)
		return;
	recorded_destroy(scenario->recorded);
	free(scenario->members);
	free(scenario->edits);
	free(scenario);
}
