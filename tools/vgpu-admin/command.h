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

/* Options a command may know beside those that all know; bits of command.options. 64 at most: enumerators would be ints. */
#define OPT_PROFILE (1ull << 0)
#define OPT_NAME (1ull << 1)
#define OPT_GPU (1ull << 2)
#define OPT_VRAM (1ull << 3)
#define OPT_CONTEXTS (1ull << 4)
#define OPT_YES (1ull << 5)
#define OPT_FORCE (1ull << 6)
#define OPT_QEMU_ARGS (1ull << 7)
#define OPT_PROGRAM (1ull << 8)
#define OPT_FOLLOW (1ull << 9)
#define OPT_AFTER (1ull << 10)
#define OPT_VGPUS (1ull << 11)
#define OPT_SECONDS (1ull << 12)
#define OPT_FORMAT (1ull << 13)
#define OPT_FILE (1ull << 14)
/* scheduling.h */
#define OPT_WEIGHT (1ull << 15)
#define OPT_CAP (1ull << 16)
#define OPT_BURST (1ull << 17)
#define OPT_RESERVATION (1ull << 18)
#define OPT_CLASS (1ull << 19)
#define OPT_BUDGET (1ull << 20)
#define OPT_PERIOD (1ull << 21)
#define OPT_SLICE (1ull << 22)
#define OPT_HANG_TIMEOUT (1ull << 23)
#define OPT_POLICY (1ull << 24)
#define OPT_SLOTS (1ull << 25)
#define OPT_AVERAGING (1ull << 26)
#define OPT_TARGET_LATENCY (1ull << 27)
#define OPT_SLICE_MAX (1ull << 28)
#define OPT_LEASES (1ull << 29)
#define OPT_SCHEDULING_FIRST 15
#define OPT_SCHEDULING_COUNT 15
/* Of a vGPU or a profile; of a GPU. */
#define OPT_VGPU_SCHEDULING \
	(OPT_WEIGHT | OPT_CAP | OPT_BURST | OPT_RESERVATION | OPT_CLASS | OPT_BUDGET | OPT_PERIOD | OPT_SLICE | OPT_HANG_TIMEOUT)
#define OPT_GPU_SCHEDULING (OPT_POLICY | OPT_SLOTS | OPT_AVERAGING | OPT_SLICE | OPT_TARGET_LATENCY | OPT_SLICE_MAX | OPT_LEASES)

/* Everything the command line said. Strings are argv's. */
struct arguments {
	const char *socket;
	enum output output;
	bool no_headings;
	bool bytes;		/* sizes as plain numbers */
	bool quiet;		/* ids only */
	const char *id;		/* the one positional argument, or NULL */
	uint64_t given;		/* OPT_* bits */
	const char *profile, *name, *gpu, *program;
	uint64_t vram_bytes, max_contexts, after;
	struct {
		const char *word;
		uint64_t number;
	} scheduling[OPT_SCHEDULING_COUNT];
	const char *format, *file;
	uint64_t seconds;
};

struct command {
	const char *noun;	/* "vgpu" */
	const char *verb;	/* "create"; NULL: the noun is all */
	const char *id_name;	/* what the positional argument is called in the usage; NULL: none is taken */
	uint64_t options;	/* OPT_* it knows */
	uint64_t required;	/* of these, the ones it cannot do without */
	const char *summary;
	enum exit_code (*run)(const struct arguments *arguments);
};

extern const struct command commands[];	/* ends with noun NULL */

enum exit_code command_ping(const struct arguments *arguments);
enum exit_code command_events(const struct arguments *arguments);
enum exit_code command_service_stop(const struct arguments *arguments);
enum exit_code command_gpu_list(const struct arguments *arguments);
enum exit_code command_gpu_show(const struct arguments *arguments);
enum exit_code command_gpu_set(const struct arguments *arguments);
enum exit_code command_profile_list(const struct arguments *arguments);
enum exit_code command_profile_show(const struct arguments *arguments);
enum exit_code command_profile_create(const struct arguments *arguments);
enum exit_code command_profile_delete(const struct arguments *arguments);
enum exit_code command_vgpu_list(const struct arguments *arguments);
enum exit_code command_vgpu_show(const struct arguments *arguments);
enum exit_code command_vgpu_create(const struct arguments *arguments);
enum exit_code command_vgpu_set(const struct arguments *arguments);
enum exit_code command_vgpu_delete(const struct arguments *arguments);
enum exit_code command_vgpu_replace_device(const struct arguments *arguments);
enum exit_code command_trace(const struct arguments *arguments);

/* "vgpu-admin: ..." on stderr; returns code, so that callers can `return complain(...)`. */
enum exit_code complain(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
