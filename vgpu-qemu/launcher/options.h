/* SPDX-License-Identifier: MIT */
/* The command line of vgpu-run. */
#ifndef VGPU_LAUNCHER_OPTIONS_H
#define VGPU_LAUNCHER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum accel_wish { ACCEL_WISH_AUTO, ACCEL_WISH_KVM, ACCEL_WISH_TCG };

enum options_action { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_PROBE };

/* Strings that were given several times, in their order; they belong to argv. */
struct string_list {
	const char **items;
	size_t count;
};

/* NULL and 0 mean "not given" where no default is named. All strings belong to argv. */
struct options {
	enum options_action action;
	struct string_list vgpus;      /* --vgpu */
	struct string_list vfio_users; /* --vfio-user */
	struct string_list initrds;    /* --initrd */
	struct string_list files;      /* --file, each checked to be SRC:DST with an absolute DST */
	const char *socket;
	const char *qemu;
	const char *kernel;
	const char *qmp;
	const char *name; /* default "vgpu-run" */
	const char *log;
	uint64_t memory_bytes;      /* default 512 MiB */
	unsigned int cpus;          /* default 1 */
	unsigned int timeout_s;     /* 0: none */
	unsigned int boot_timeout_s; /* default 120 */
	enum accel_wish accel;
	bool verbose;
	char **command; /* ended by NULL; at least one unless the action says otherwise */
};

/*
 * Reads argv. On success fills @ret_options, which options_finish() frees. On failure writes one sentence
 * to @error and returns -EINVAL or -ENOMEM.
 */
int options_parse(int argc, char **argv, struct options *ret_options, char *error, size_t error_size);
void options_finish(struct options *options);
void options_print_help(FILE *to);

/* "512M", "2G", "1073741824" into bytes. Returns 0, -EINVAL or -ERANGE. */
int parse_memory(const char *text, uint64_t *ret_bytes);

#endif
