/* SPDX-License-Identifier: MIT */
#include "mdev/gpu/mediated.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mdev/child.h"
#include "mdev/gpu/capset.h"
#include "mdev/gpu/probe.h"
#include "mdev/refusal.h"
#include "mdev/vgpu_spec.h"
#include "shim/wire/wire.h"

#define VENDORS_DIR "/etc/OpenCL/vendors"
#define OWN_ICD "libvgpu-opencl.so"
#define ICDS_MAX 64u

struct mediated {
	struct parent parent;
	struct parent_facts facts;
	struct probe_device device;
	const struct parent_settings *settings;
};

static struct mediated *mediated_of(const struct parent *parent)
{
	return (struct mediated *)((char *)(uintptr_t)parent - offsetof(struct mediated, parent));
}

/* ---- discovery: one probe per ICD, all at once, results taken in the order of the ICDs ---------------- */

struct discovery;

struct source {
	struct discovery *discovery;
	char icd[256];
	json_t *devices;
	char *trouble;
};

struct discovery {
	const struct parent_settings *settings;
	struct source *sources;
	unsigned source_count;
	unsigned pending;
	void (*found)(struct parent *parent, void *data);
	void (*trouble)(const char *text, void *data);
	void (*done)(void *data);
	void *data;
};

static void discovery_destroy(struct discovery *discovery)
{
	for (unsigned i = 0; i < discovery->source_count; i++) {
		json_decref(discovery->sources[i].devices);
		free(discovery->sources[i].trouble);
	}
	free(discovery->sources);
	free(discovery);
}

/* The guest's own library must never be offered as a device of the host: it would stand on itself. */
static bool is_own_icd(const char *path)
{
	char text[512];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return false;
	ssize_t got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	return strstr(text, OWN_ICD);
}

static int is_icd(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 4 && !strcmp(entry->d_name + length - 4, ".icd");
}

static int list_sources(struct discovery *discovery, char ret_why[256])
{
	const char *const *given = discovery->settings->icds;
	struct dirent **entries = NULL;
	int count = 0;

	discovery->sources = calloc(ICDS_MAX, sizeof(*discovery->sources));
	if (!discovery->sources)
		return -ENOMEM;
	for (; *given && discovery->source_count < ICDS_MAX; given++)
		snprintf(discovery->sources[discovery->source_count++].icd, sizeof(discovery->sources[0].icd), "%s", *given);
	if (discovery->source_count)
		return 0;
	count = scandir(VENDORS_DIR, &entries, is_icd, alphasort);
	if (count < 0 && errno != ENOENT) {
		int error = -errno;
		snprintf(ret_why, 256, "cannot list %s: %s", VENDORS_DIR, strerror(-error));
		return error;
	}
	for (int i = 0; i < count; i++) {
		struct source *source = &discovery->sources[discovery->source_count];
		if (discovery->source_count < ICDS_MAX) {
			snprintf(source->icd, sizeof(source->icd), "%s/%.200s", VENDORS_DIR, entries[i]->d_name);
			discovery->source_count += !is_own_icd(source->icd);
		}
		free(entries[i]);
	}
	free(entries);
	return 0;
}

static struct parent *make_parent(const struct discovery *discovery, const struct source *source, const struct probe_device *device)
{
	struct mediated *mediated = calloc(1, sizeof(*mediated));

	if (!mediated)
		return NULL;
	mediated->parent.ops = &mediated_parent_ops;
	mediated->device = *device;
	mediated->settings = discovery->settings;
	struct parent_facts *facts = &mediated->facts;
	snprintf(facts->key, sizeof(facts->key), "opencl|%.200s|%.120s|%llu|%.120s", source->icd, device->platform,
		 (unsigned long long)device->device_index, device->device);
	snprintf(facts->name, sizeof(facts->name), "%s", device->device);
	snprintf(facts->vendor, sizeof(facts->vendor), "%s", device->vendor);
	snprintf(facts->driver, sizeof(facts->driver), "%.80s %.40s", device->platform, device->driver_version);
	snprintf(facts->type, sizeof(facts->type), "%s", device->type);
	snprintf(facts->icd, sizeof(facts->icd), "%s", source->icd);
	facts->memory_bytes = device->global_mem_bytes;
	/* A unified device's memory is the host's: a quarter stays for the host. Others keep a sixteenth for what drivers take. */
	facts->vram_bytes = device->global_mem_bytes - device->global_mem_bytes / (device->unified ? 4 : 16);
	facts->vram_bytes &= ~(uint64_t)(PROFILE_VRAM_STEP - 1);
	facts->compute_units = (uint32_t)device->compute_units;
	facts->unified = device->unified;
	return &mediated->parent;
}

static void report_source(struct discovery *discovery, const struct source *source)
{
	const json_t *entry;
	size_t index;

	if (source->trouble)
		discovery->trouble(source->trouble, discovery->data);
	json_array_foreach(source->devices, index, entry) {
		struct probe_device device;
		char why[256], text[600];
		if (!probe_parse_device(entry, &device, why)) {
			struct parent *parent = make_parent(discovery, source, &device);
			if (parent)
				discovery->found(parent, discovery->data);
			else
				free(device.info);
			continue;
		}
		snprintf(text, sizeof(text), "device %zu of %.200s is not used: the probe's answer is wrong: %s", index, source->icd, why);
		discovery->trouble(text, discovery->data);
	}
}

static void source_done(struct discovery *discovery)
{
	if (--discovery->pending)
		return;
	for (unsigned i = 0; i < discovery->source_count; i++)
		report_source(discovery, &discovery->sources[i]);
	void (*done)(void *data) = discovery->done;
	void *data = discovery->data;
	discovery_destroy(discovery);
	done(data);
}

static void on_probe(const json_t *devices, const char *why, void *data)
{
	struct source *source = data;

	source->devices = devices ? json_deep_copy(devices) : NULL;
	source->trouble = why ? strdup(why) : NULL;
	source_done(source->discovery);
}

static int on_begin(sd_event_source *event_source, void *data)
{
	sd_event_source_unref(event_source);
	source_done(data);
	return 0;
}

static int mediated_discover(sd_event *loop, const struct parent_settings *settings,
			     void (*found)(struct parent *parent, void *data), void (*trouble)(const char *text, void *data),
			     void (*done)(void *data), void *data, char ret_why[256])
{
	struct discovery *discovery = calloc(1, sizeof(*discovery));
	sd_event_source *begin = NULL;
	char program[PATH_MAX];

	if (!discovery)
		return -ENOMEM;
	*discovery = (struct discovery){.settings = settings, .found = found, .trouble = trouble, .done = done, .data = data};
	int error = list_sources(discovery, ret_why);
	if (!error && (error = sd_event_add_defer(loop, &begin, on_begin, discovery)) < 0)
		snprintf(ret_why, 256, "cannot begin discovery: %s", strerror(-error));
	if (error < 0) {
		discovery_destroy(discovery);
		return error;
	}
	discovery->pending = 1;		/* on_begin: so that done is never called from in here */
	snprintf(program, sizeof(program), "%s/vgpu-compute", settings->libexec_dir);
	for (unsigned i = 0; i < discovery->source_count; i++) {
		struct source *source = &discovery->sources[i];
		char why[256] = "out of memory";
		source->discovery = discovery;
		if (probe_start(loop, program, source->icd, settings->environment, settings->probe_timeout_ms, on_probe, source, why))
			source->trouble = strdup(why);
		else
			discovery->pending++;
	}
	return 0;
}

/* ---- a vGPU on it -------------------------------------------------------------------------------------- */

static const struct parent_facts *mediated_facts(const struct parent *parent)
{
	return &mediated_of(parent)->facts;
}

/* Runtime files need no fsync: a power cut takes /run with it. The rename keeps a reader from half a file. */
static int write_file(int dir_fd, const char *name, const void *bytes, size_t count, char ret_why[256])
{
	char temporary[64];
	int error = 0;

	snprintf(temporary, sizeof(temporary), ".%s.new", name);
	int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		error = -errno;
	} else {
		ssize_t written = write(fd, bytes, count);
		if (written != (ssize_t)count)
			error = written < 0 ? -errno : -ENOSPC;
		close(fd);
		if (!error && renameat(dir_fd, temporary, dir_fd, name))
			error = -errno;
	}
	if (error) {
		snprintf(ret_why, 256, "cannot write %s into the vGPU's runtime folder: %s; %s", name, strerror(-error),
			 refusal_disk_hint(error));
		unlinkat(dir_fd, temporary, 0);
	}
	return error;
}

static json_t *program_json(const struct mediated *mediated, const char *name)
{
	return json_sprintf("%s/%s", mediated->settings->libexec_dir, name);
}

static json_t *config_json(const struct mediated *mediated, const struct vgpu_spec *spec)
{
	json_t *environment = json_object();

	for (const char *const *pair = mediated->settings->environment; *pair; pair++) {
		const char *equals = strchr(*pair, '=');
		char name[256];
		snprintf(name, sizeof(name), "%.*s", (int)(equals - *pair), *pair);
		json_object_set_new(environment, name, json_string(equals + 1));
	}
	/* The lease of a CPU parent is for all its processors: PoCL's threads, stopped and let go on together, keep one each, and are not found two
	 * on one processor until the kernel notices (make bench-fairness: 4 to 10 % of a vGPU's work). */
	if (!strcmp(mediated->facts.type, "cpu") && mediated->facts.compute_units >= (uint32_t)sysconf(_SC_NPROCESSORS_ONLN) &&
	    !json_object_get(environment, "POCL_AFFINITY"))
		json_object_set_new(environment, "POCL_AFFINITY", json_string("1"));
	return json_pack("{si ss ss ss sI si si sI s{so so so} s{ss so ss sI sI sI ss sb sb}}",
			 "schema", 1, "uuid", spec->uuid, "name", spec->name, "profile", spec->profile,
			 "vram_bytes", (json_int_t)spec->vram_bytes, "max_contexts", (int)spec->max_contexts,
			 "max_direct_clients", VGPU_DIRECT_CLIENTS, "slack_bytes", (json_int_t)VGPU_SLACK_BYTES,
			 "programs", "device", program_json(mediated, "vgpu-device"), "compute",
			 program_json(mediated, "vgpu-compute"), "keeper", program_json(mediated, "vgpu-keeper"),
			 "engine", "icd", mediated->facts.icd, "environment", environment, "platform", mediated->device.platform,
			 "platform_index", (json_int_t)mediated->device.platform_index,
			 "device_index", (json_int_t)mediated->device.device_index, "memory_limit_bytes", (json_int_t)0,
			 "cache_dir", mediated->settings->cache_dir, "unified", (int)mediated->device.unified, "svm",
			 (int)(mediated->device.unified && mediated->device.svm));
}

static int mediated_prepare(struct parent *parent, const struct vgpu_spec *spec, int dir_fd, char ret_why[256])
{
	struct mediated *mediated = mediated_of(parent);
	uint8_t capset[WIRE_CAPSET_MAX_BYTES];
	size_t capset_bytes = capset_compose(&mediated->device, spec, capset);
	json_t *config = config_json(mediated, spec);
	char *text = config ? json_dumps(config, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;
	int error;

	json_decref(config);
	if (!text) {
		snprintf(ret_why, 256, "out of memory");
		return -ENOMEM;
	}
	error = write_file(dir_fd, "capset", capset, capset_bytes, ret_why);
	if (!error)
		error = write_file(dir_fd, "config.json", text, strlen(text), ret_why);
	free(text);
	return error;
}

static int mediated_start(struct parent *parent, const struct vgpu_spec *spec, const char *dir, pid_t *ret_pid, int *ret_pidfd,
			  char ret_why[256])
{
	char program[PATH_MAX];
	char *argv[] = {program, (char *)"--dir", (char *)dir, NULL};

	snprintf(program, sizeof(program), "%s/vgpu-keeper", mediated_of(parent)->settings->libexec_dir);
	int error = child_start(program, argv, NULL, -1, ret_pid, ret_pidfd);
	if (error)
		snprintf(ret_why, 256, "cannot start %.120s for vGPU %.63s: %s", program, spec->name, strerror(-error));
	return error;
}

static void mediated_destroy(struct parent *parent)
{
	if (!parent)
		return;
	struct mediated *mediated = mediated_of(parent);
	free(mediated->device.info);
	free(mediated);
}

const struct parent_ops mediated_parent_ops = {
	.kind = "mediated",
	.discover = mediated_discover,
	.facts = mediated_facts,
	.prepare = mediated_prepare,
	.start = mediated_start,
	.destroy = mediated_destroy,
};
