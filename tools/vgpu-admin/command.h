/* SPDX-License-Identifier: MIT */
/* A command of vgpu-admin: its words, what it takes, what runs it. */
#ifndef VGPU_TOOLS_VGPU_ADMIN_COMMAND_H
#define VGPU_TOOLS_VGPU_ADMIN_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3,
	EXIT_PERMISSION = 4,
	EXIT_CONFLICT = 5,
	EXIT_NO_CAPACITY = 6,
	EXIT_UNREACHABLE = 7,
	EXIT_TIMED_OUT = 8,
};

enum output { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON, OUTPUT_CSV };

/* Options a command may know beside those that all know; bits of command.options. */
enum {
	OPT_PROFILE = 1 << 0,
	OPT_NAME = 1 << 1,
	OPT_GPU = 1 << 2,
	OPT_VRAM = 1 << 3,
	OPT_CONTEXTS = 1 << 4,
	OPT_WEIGHT = 1 << 5,
	OPT_YES = 1 << 6,
	OPT_FORCE = 1 << 7,
	OPT_QEMU_ARGS = 1 << 8,
	OPT_PROGRAM = 1 << 9,
	OPT_FOLLOW = 1 << 10,
	OPT_AFTER = 1 << 11,
	OPT_VGPUS = 1 << 12,
	OPT_SECONDS = 1 << 13,
	OPT_FORMAT = 1 << 14,
	OPT_FILE = 1 << 15,
};

/* Everything the command line said. Strings are argv's. */
struct arguments {
	const char *socket;
	enum output output;
	bool no_headings;
	bool bytes;		/* sizes as plain numbers */
	bool quiet;		/* ids only */
	const char *id;		/* the one positional argument, or NULL */
	unsigned given;		/* OPT_* bits */
	const char *profile, *name, *gpu, *program;
	uint64_t vram_bytes, max_contexts, weight, after;
	const char *format, *file;
	uint64_t seconds;
};

struct command {
	const char *noun;	/* "vgpu" */
	const char *verb;	/* "create"; NULL: the noun is all */
	const char *id_name;	/* what the positional argument is called in the usage; NULL: none is taken */
	unsigned options;	/* OPT_* it knows */
	unsigned required;	/* of these, the ones it cannot do without */
	const char *summary;
	enum exit_code (*run)(const struct arguments *arguments);
};

extern const struct command commands[];	/* ends with noun NULL */

enum exit_code command_ping(const struct arguments *arguments);
enum exit_code command_events(const struct arguments *arguments);
enum exit_code command_service_stop(const struct arguments *arguments);
enum exit_code command_gpu_list(const struct arguments *arguments);
enum exit_code command_gpu_show(const struct arguments *arguments);
enum exit_code command_profile_list(const struct arguments *arguments);
enum exit_code command_profile_show(const struct arguments *arguments);
enum exit_code command_profile_create(const struct arguments *arguments);
enum exit_code command_profile_delete(const struct arguments *arguments);
enum exit_code command_vgpu_list(const struct arguments *arguments);
enum exit_code command_vgpu_show(const struct arguments *arguments);
enum exit_code command_vgpu_create(const struct arguments *arguments);
enum exit_code command_vgpu_delete(const struct arguments *arguments);
enum exit_code command_vgpu_replace_device(const struct arguments *arguments);
enum exit_code command_trace(const struct arguments *arguments);

/* "vgpu-admin: ..." on stderr; returns code, so that callers can `return complain(...)`. */
enum exit_code complain(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
