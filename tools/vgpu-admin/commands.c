/* SPDX-License-Identifier: MIT */
/* What the commands do: one request each, printed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/vgpu-admin/client.h"
#include "tools/vgpu-admin/scheduling.h"
#include "tools/vgpu-admin/table.h"

#define FOLLOW_WAIT_S 30

const struct command commands[] = {
	{"ping", NULL, NULL, 0, 0, "says whether the service answers, and its version", command_ping},
	{"gpu", "list", NULL, 0, 0, "the GPUs that vGPUs are cut from", command_gpu_list},
	{"gpu", "show", "GPU", 0, 0, "one of them", command_gpu_show},
	{"gpu", "set", "GPU", OPT_GPU_SCHEDULING, 0, "how its time is shared, from the next lease on; it is kept", command_gpu_set},
	{"profile", "list", NULL, 0, 0, "the profiles, and how many vGPUs of each still fit", command_profile_list},
	{"profile", "show", "NAME", 0, 0, "one of them", command_profile_show},
	{"profile", "create", "NAME", OPT_VRAM | OPT_CONTEXTS | OPT_VGPU_SCHEDULING, OPT_VRAM, "a profile of your own; it is kept",
	 command_profile_create},
	{"profile", "delete", "NAME", 0, 0, "one of your own that no vGPU uses", command_profile_delete},
	{"vgpu", "list", NULL, 0, 0, "the vGPUs", command_vgpu_list},
	{"vgpu", "show", "ID", OPT_QEMU_ARGS, 0, "one of them, or what QEMU is to be given for it", command_vgpu_show},
	{"vgpu", "create", NULL, OPT_PROFILE | OPT_NAME | OPT_GPU | OPT_VGPU_SCHEDULING, OPT_PROFILE, "defines and starts one; prints its UUID",
	 command_vgpu_create},
	{"vgpu", "set", "ID", OPT_VGPU_SCHEDULING, 0, "what of the GPU's time it gets, from its next lease on; it is kept", command_vgpu_set},
	{"vgpu", "delete", "ID", OPT_YES | OPT_FORCE, 0, "stops it and removes its definition", command_vgpu_delete},
	{"vgpu", "replace-device", "ID", OPT_PROGRAM, OPT_PROGRAM, "runs its device processes from another build, under the guest",
	 command_vgpu_replace_device},
	{"events", NULL, NULL, OPT_FOLLOW | OPT_AFTER, 0, "what happened lately, or as it happens", command_events},
	{"service", "stop", NULL, OPT_VGPUS | OPT_YES, 0, "ends vgpud; the vGPUs run on unless --vgpus is given", command_service_stop},
	{"trace", NULL, "GPU", OPT_SECONDS | OPT_AFTER | OPT_FORMAT | OPT_FILE, 0, "what its scheduler did: to be looked at, or to be simulated again",
	 command_trace},
	/* Other words for the commonest. */
	{"list", NULL, NULL, 0, 0, "vgpu list", command_vgpu_list},
	{"types", NULL, NULL, 0, 0, "profile list", command_profile_list},
	{0},
};

static const struct column gpu_columns[] = {
	{"ID", "id", COLUMN_TEXT, false},
	{"NAME", "name", COLUMN_TEXT, false},
	{"TYPE", "type", COLUMN_TEXT, false},
	{"VRAM", "vram_bytes", COLUMN_BYTES, false},
	{"FREE", "vram_free_bytes", COLUMN_BYTES, false},
	{"VGPUS", "vgpus", COLUMN_COUNT, false},
	{"POLICY", "policy", COLUMN_TEXT, false},
	{"STATE", "state", COLUMN_TEXT, false},
	{"PROMISED", "promised_ppm", COLUMN_PERCENT, true},
	{"LEASES", "leases", COLUMN_COUNT, true},
	{"SLOTS", "slots", COLUMN_COUNT, FOR_SHOW},
	{"AVERAGING", "averaging", COLUMN_COUNT, FOR_SHOW},
	{"SLICE", "slice_ns", COLUMN_SPAN_NS, FOR_SHOW},
	{"TARGET LATENCY", "target_latency_ns", COLUMN_SPAN_NS, FOR_SHOW},
	{"SLICE MAX", "slice_max_ns", COLUMN_SPAN_NS, FOR_SHOW},
	{"UNITS", "compute_units", COLUMN_COUNT, true},
	{"MEMORY", "memory_bytes", COLUMN_BYTES, true},
	{"UNIFIED", "unified", COLUMN_TEXT, true},
	{"KIND", "kind", COLUMN_TEXT, true},
	{"VENDOR", "vendor", COLUMN_TEXT, true},
	{"DRIVER", "driver", COLUMN_TEXT, true},
	{"ICD", "icd", COLUMN_TEXT, true},
	{0},
};

static const struct column profile_columns[] = {
	{"NAME", "name", COLUMN_TEXT, false},
	{"VRAM", "vram_bytes", COLUMN_BYTES, false},
	{"CONTEXTS", "max_contexts", COLUMN_COUNT, false},
	{"WEIGHT", "weight", COLUMN_COUNT, false},
	{"AVAILABLE", "available", COLUMN_COUNT, false},
	{"VGPUS", "vgpus", COLUMN_COUNT, false},
	{"BUILT-IN", "builtin", COLUMN_TEXT, false},
	{"CREATED", "created", COLUMN_TEXT, true},
	{"CAP", "cap_ppm", COLUMN_PERCENT, true},
	{"RESERVATION", "reservation_ppm", COLUMN_PERCENT, true},
	{"CLASS", "class", COLUMN_TEXT, true},
	{"BURST", "burst_ns", COLUMN_SPAN_NS, FOR_SHOW},
	{"BUDGET", "budget_ns", COLUMN_SPAN_NS, FOR_SHOW},
	{"PERIOD", "period_ns", COLUMN_SPAN_NS, FOR_SHOW},
	{"SLICE", "slice_ns", COLUMN_SPAN_NS, FOR_SHOW},
	{"HANG TIMEOUT", "hang_timeout_ms", COLUMN_SPAN_MS, FOR_SHOW},
	{0},
};

static const struct column vgpu_columns[] = {
	{"UUID", "uuid", COLUMN_TEXT, false},
	{"NAME", "name", COLUMN_TEXT, false},
	{"PROFILE", "profile", COLUMN_TEXT, false},
	{"GPU", "gpu", COLUMN_TEXT, false},
	{"STATE", "state", COLUMN_TEXT, false},
	{"VRAM", "vram_bytes", COLUMN_BYTES, false},
	{"USED", "vram_used_bytes", COLUMN_BYTES, false},
	{"CONTEXTS", "contexts", COLUMN_COUNT, false},
	{"GPU TIME", "gpu_time_ns", COLUMN_TIME_NS, false},
	{"WHY", "why", COLUMN_TEXT, true},
	{"ENGINES", "engines", COLUMN_COUNT, true},
	{"RESOURCES", "resources", COLUMN_COUNT, true},
	{"BACKING", "backing_bytes", COLUMN_BYTES, true},
	{"SLOTS", "slots", COLUMN_COUNT, true},
	{"GRANTS", "grants", COLUMN_COUNT, true},
	{"OVERRUNS", "overruns", COLUMN_COUNT, true},
	{"UNLEASED", "unleased_ns", COLUMN_TIME_NS, true},
	{"STRIKES", "strikes", COLUMN_COUNT, true},
	{"WEIGHT", "weight", COLUMN_COUNT, true},
	{"CAP", "cap_ppm", COLUMN_PERCENT, true},
	{"RESERVATION", "reservation_ppm", COLUMN_PERCENT, true},
	{"CLASS", "class", COLUMN_TEXT, true},
	{"BURST", "burst_ns", COLUMN_SPAN_NS, FOR_SHOW},
	{"BUDGET", "budget_ns", COLUMN_SPAN_NS, FOR_SHOW},
	{"PERIOD", "period_ns", COLUMN_SPAN_NS, FOR_SHOW},
	{"SLICE", "slice_ns", COLUMN_SPAN_NS, FOR_SHOW},
	{"HANG TIMEOUT", "hang_timeout_ms", COLUMN_SPAN_MS, FOR_SHOW},
	{"KEEPER", "keeper_pid", COLUMN_COUNT, true},
	{"DEVICES", "devices", COLUMN_LIST, true},
	{"CREATED", "created", COLUMN_TEXT, true},
	{"VFIO-USER", "sockets.vfio_user", COLUMN_TEXT, true},
	{"DIRECT", "sockets.direct", COLUMN_TEXT, true},
	{0},
};

static const struct column event_columns[] = {
	{"N", "sequence", COLUMN_COUNT, true},
	{"TIME", "time", COLUMN_TEXT, false},
	{"KIND", "kind", COLUMN_TEXT, false},
	{"SUBJECT", "subject", COLUMN_TEXT, true},
	{"TEXT", "text", COLUMN_TEXT, false},
	{0},
};

static const struct column ping_columns[] = {
	{"VERSION", "version", COLUMN_TEXT, false},
	{"API", "api", COLUMN_COUNT, false},
	{0},
};

static enum exit_code print_list(const struct arguments *arguments, const struct column *columns, const char *path, const char *name)
{
	json_t *answer;
	enum exit_code code = client_call(arguments, "GET", path, NULL, &answer);

	return code ? code : table_print_list(arguments, columns, name, answer);
}

static enum exit_code print_one(const struct arguments *arguments, const struct column *columns, const char *path)
{
	json_t *answer;
	char buffer[1024];
	enum exit_code code = client_call(arguments, "GET", client_path(buffer, path, arguments->id ? arguments->id : "", ""), NULL, &answer);

	return code ? code : table_print_object(arguments, columns, answer);
}

enum exit_code command_ping(const struct arguments *arguments)
{
	return print_one(arguments, ping_columns, "/v1/ping");
}

enum exit_code command_gpu_list(const struct arguments *arguments)
{
	return print_list(arguments, gpu_columns, "/v1/gpus", "gpus");
}

enum exit_code command_gpu_show(const struct arguments *arguments)
{
	return print_one(arguments, gpu_columns, "/v1/gpus/");
}

/* Sets what was given; prints nothing but JSON, if that is wanted. */
static enum exit_code set(const struct arguments *arguments, const struct column *columns, const char *path)
{
	json_t *answer, *body = json_object();
	char buffer[1024];

	if (!scheduling_add(arguments, body)) {
		json_decref(body);
		return complain(EXIT_USAGE, "a class or policy is a word in UTF-8");
	}
	enum exit_code code = client_call(arguments, "PATCH", client_path(buffer, path, arguments->id, ""), body, &answer);
	if (code)
		return code;
	if (arguments->output == OUTPUT_JSON)
		return table_print_object(arguments, columns, answer);
	json_decref(answer);
	return EXIT_OK;
}

enum exit_code command_gpu_set(const struct arguments *arguments)
{
	if (!arguments->given)
		return complain(EXIT_USAGE, "nothing is to be set; give one or more of --policy, --slots, --averaging, --slice, --target-latency, "
				"--slice-max, --leases");
	return set(arguments, gpu_columns, "/v1/gpus/");
}

enum exit_code command_profile_list(const struct arguments *arguments)
{
	return print_list(arguments, profile_columns, "/v1/profiles", "profiles");
}

enum exit_code command_profile_show(const struct arguments *arguments)
{
	return print_one(arguments, profile_columns, "/v1/profiles/");
}

enum exit_code command_profile_create(const struct arguments *arguments)
{
	json_t *answer, *body = json_pack("{ss sI}", "name", arguments->id, "vram_bytes", (json_int_t)arguments->vram_bytes);

	if (!body)
		return complain(EXIT_USAGE, "the profile's name is not UTF-8");
	if (arguments->given & OPT_CONTEXTS)
		json_object_set_new(body, "max_contexts", json_integer((json_int_t)arguments->max_contexts));
	if (!scheduling_add(arguments, body)) {
		json_decref(body);
		return complain(EXIT_USAGE, "the class is not UTF-8");
	}
	enum exit_code code = client_call(arguments, "POST", "/v1/profiles", body, &answer);
	if (code)
		return code;
	if (arguments->output == OUTPUT_JSON)
		return table_print_object(arguments, profile_columns, answer);
	puts(arguments->id);
	json_decref(answer);
	return EXIT_OK;
}

enum exit_code command_profile_delete(const struct arguments *arguments)
{
	json_t *answer;
	char path[1024];

	return client_call(arguments, "DELETE", client_path(path, "/v1/profiles/", arguments->id, ""), NULL, &answer);
}

enum exit_code command_vgpu_list(const struct arguments *arguments)
{
	return print_list(arguments, vgpu_columns, "/v1/vgpus", "vgpus");
}

/* What QEMU is to be given, one argument a line. */
static enum exit_code print_qemu_args(const json_t *vgpu)
{
	const char *uuid = json_string_value(json_object_get(vgpu, "uuid"));
	const char *path = json_string_value(json_object_get(json_object_get(vgpu, "sockets"), "vfio_user"));
	json_t *device = uuid && path ? json_pack("{ss so si sI s{ss ss}}", "driver", "vfio-user-pci", "id", json_sprintf("vgpu-%.8s", uuid),
						  "rombar", 0, "x-msg-timeout", (json_int_t)60000, "socket", "path", path, "type", "unix")
				      : NULL;

	if (!device)
		return complain(EXIT_FAILED, "the service's answer names no socket");
	puts("-device");
	json_dumpf(device, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(device);
	/* For who looks at it; what a program reads it for, vgpu-run's VMs for one, has it already. */
	if (isatty(STDOUT_FILENO))
		fputs("vgpu-admin: the VM's memory must be shared with the device, as in: -object memory-backend-memfd,id=mem,size=2G,share=on "
		      "-machine q35,memory-backend=mem\n", stderr);
	return EXIT_OK;
}

enum exit_code command_vgpu_show(const struct arguments *arguments)
{
	json_t *answer;
	char path[1024];

	if (!(arguments->given & OPT_QEMU_ARGS))
		return print_one(arguments, vgpu_columns, "/v1/vgpus/");
	enum exit_code code = client_call(arguments, "GET", client_path(path, "/v1/vgpus/", arguments->id, ""), NULL, &answer);
	if (code)
		return code;
	code = print_qemu_args(answer);
	json_decref(answer);
	return code;
}

enum exit_code command_vgpu_create(const struct arguments *arguments)
{
	json_t *answer, *body = json_pack("{ss}", "profile", arguments->profile);

	if (body && arguments->name)
		json_object_set_new(body, "name", json_string(arguments->name));
	if (body && arguments->gpu)
		json_object_set_new(body, "gpu", json_string(arguments->gpu));
	if (!body || (arguments->name && !json_object_get(body, "name")) || (arguments->gpu && !json_object_get(body, "gpu")) ||
	    !scheduling_add(arguments, body)) {
		json_decref(body);
		return complain(EXIT_USAGE, "profile, name, GPU and class must be UTF-8");
	}
	enum exit_code code = client_call(arguments, "POST", "/v1/vgpus", body, &answer);
	if (code)
		return code;
	if (arguments->output == OUTPUT_JSON)
		return table_print_object(arguments, vgpu_columns, answer);
	puts(json_string_value(json_object_get(answer, "uuid")));
	json_decref(answer);
	return EXIT_OK;
}

enum exit_code command_vgpu_set(const struct arguments *arguments)
{
	if (!arguments->given)
		return complain(EXIT_USAGE, "nothing is to be set; give one or more of --weight, --cap, --burst, --reservation, --class, --budget, "
				"--period, --slice, --hang-timeout");
	return set(arguments, vgpu_columns, "/v1/vgpus/");
}

/* Asks on a terminal; without one nobody can be asked, and the service refuses what is in use. */
static bool is_confirmed(const struct arguments *arguments, const char *question)
{
	char line[16];

	if ((arguments->given & OPT_YES) || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return true;
	fprintf(stderr, "%s%s%s? [y/N] ", question, arguments->id ? " " : "", arguments->id ? arguments->id : "");
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

enum exit_code command_vgpu_delete(const struct arguments *arguments)
{
	json_t *answer;
	char path[1024];

	if (!is_confirmed(arguments, "Delete vGPU"))
		return complain(EXIT_FAILED, "nothing was deleted");
	return client_call(arguments, "DELETE",
			   client_path(path, "/v1/vgpus/", arguments->id, arguments->given & OPT_FORCE ? "?force=true" : ""), NULL, &answer);
}

enum exit_code command_vgpu_replace_device(const struct arguments *arguments)
{
	json_t *answer, *body;
	char path[1024], *program = realpath(arguments->program, NULL);

	if (!program)
		return complain(EXIT_USAGE, "there is no program %s: %s", arguments->program, strerror(errno));
	body = json_pack("{ss}", "program", program);
	free(program);
	if (!body)
		return complain(EXIT_USAGE, "the program's path is not UTF-8");
	return client_call(arguments, "POST", client_path(path, "/v1/vgpus/", arguments->id, "/replace-device"), body, &answer);
}

static enum exit_code follow_events(const struct arguments *arguments, uint64_t after)
{
	for (;;) {
		char path[128];
		json_t *answer;
		const json_t *event;
		size_t index;
		snprintf(path, sizeof(path), "/v1/events?after=%llu&wait_s=%d", (unsigned long long)after, FOLLOW_WAIT_S);
		enum exit_code code = client_call(arguments, "GET", path, NULL, &answer);
		if (code)
			return code;
		json_array_foreach(json_object_get(answer, "events"), index, event) {
			if (arguments->output == OUTPUT_JSON) {
				json_dumpf(event, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
				putchar('\n');
			} else {
				printf("%s %s %s\n", json_string_value(json_object_get(event, "time")),
				       json_string_value(json_object_get(event, "kind")), json_string_value(json_object_get(event, "text")));
			}
		}
		after = (uint64_t)json_integer_value(json_object_get(answer, "last"));
		json_decref(answer);
		if (fflush(stdout))
			return complain(EXIT_FAILED, "cannot write the output");
	}
}

enum exit_code command_events(const struct arguments *arguments)
{
	char path[128];

	if (arguments->given & OPT_FOLLOW)
		return follow_events(arguments, arguments->after);
	snprintf(path, sizeof(path), "/v1/events?after=%llu", (unsigned long long)arguments->after);
	return print_list(arguments, event_columns, path, "events");
}

enum exit_code command_service_stop(const struct arguments *arguments)
{
	json_t *answer, *body;

	if ((arguments->given & OPT_VGPUS) && !is_confirmed(arguments, "Stop vgpud and every vGPU"))
		return complain(EXIT_FAILED, "nothing was stopped");
	body = json_object();
	if (arguments->given & OPT_VGPUS)
		json_object_set_new(body, "vgpus", json_true());
	return client_call(arguments, "POST", "/v1/service/stop", body, &answer);
}
