/* SPDX-License-Identifier: MIT */
/*
 * vgpu-device --dir DIR --slot N: serves one client of a vGPU over vfio-user.
 *
 * Started by vgpu-keeper with descriptor 3 = the socket to it, 0 = /dev/null, 1 and 2 = the log. Everything else comes
 * through that socket. It links no GPU driver, runs no guest code and needs no privilege:
 *
 *   keeper ──SEQPACKET──> descriptors: connection, state page, aperture, pipe, pages
 *   client ──vfio-user──> requests: logged in the state page, executed, answered
 *   guest  ──virtqueues─> handled by virtio_gpu/, which talks to engines through the aperture and their channels
 *
 * It may be killed at any instant; another process, of this or the next build, goes on from the state page.
 *
 * Sandbox, as far as a process can do it for itself and hand on to the keeper it may have to start: no new privileges,
 * no core files (they would hold guest memory), not dumpable (so not traceable by others of its user), a bounded number
 * of descriptors.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mdev/log/log.h"
#include "vgpu-qemu/device.h"

#define KEEPER_SOCKET 3
#define DESCRIPTORS_MAX 4096u

static void sandbox(void)
{
	struct rlimit core = {0, 0};
	struct rlimit files;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		log_warning("no_new_privs is not available: %s", strerror(errno));
	if (setrlimit(RLIMIT_CORE, &core))
		log_warning("core files could not be switched off: %s", strerror(errno));
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		log_warning("tracing could not be switched off: %s", strerror(errno));
	/* The soft limit only: a keeper started from here raises it again for itself. */
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max < DESCRIPTORS_MAX ? files.rlim_max : DESCRIPTORS_MAX;
		if (setrlimit(RLIMIT_NOFILE, &files))
			log_warning("the number of descriptors could not be set: %s", strerror(errno));
	}
}

/* Returns the parsed file or NULL after a line in the log. */
static json_t *load_config(const char *dir)
{
	char path[512];
	json_error_t error;
	json_t *config;

	if (snprintf(path, sizeof(path), "%s/config.json", dir) >= (int)sizeof(path)) {
		log_error("--dir %s is too long", dir);
		return NULL;
	}
	config = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!config)
		log_error("%s: %s (line %d)", path, error.text, error.line);
	return config;
}

static int parse_config(const json_t *config, struct device_options *options, const char **ret_name)
{
	json_int_t schema, max_contexts, slack_bytes, engine_idle_ms = 0;
	const char *name = NULL, *keeper = NULL;
	json_error_t error;

	if (json_unpack_ex((json_t *)config, &error, 0, "{s:I, s?s, s:I, s:I, s?I, s?{s?s}}", "schema", &schema, "name", &name,
			   "max_contexts", &max_contexts, "slack_bytes", &slack_bytes, "engine_idle_ms", &engine_idle_ms, "programs",
			   "keeper", &keeper)) {
		log_error("config.json: %s", error.text);
		return -EINVAL;
	}
	if (schema != 1) {
		log_error("config.json has schema %lld, this build (%s) reads 1", (long long)schema, VGPU_VERSION);
		return -EINVAL;
	}
	if (max_contexts < 1 || max_contexts > KEEPER_CONTEXT_MAX || slack_bytes < 0) {
		log_error("config.json: max_contexts is %lld (1 to %u are right), slack_bytes %lld (0 or more is right)",
			  (long long)max_contexts, KEEPER_CONTEXT_MAX, (long long)slack_bytes);
		return -EINVAL;
	}
	if (engine_idle_ms < 0 || engine_idle_ms > UINT32_MAX) {
		log_error("config.json: engine_idle_ms is %lld; 0 to %u are right", (long long)engine_idle_ms, UINT32_MAX);
		return -EINVAL;
	}
	if (!keeper)
		log_warning("config.json names no programs.keeper: if the keeper dies, this process cannot start another");
	options->max_contexts = (uint32_t)max_contexts;
	options->slack_bytes = (uint64_t)slack_bytes;
	options->engine_idle_ms = (uint64_t)engine_idle_ms;
	options->keeper_program = keeper;
	*ret_name = name;
	return 0;
}

static int parse_arguments(int argc, char **argv, struct device_options *options)
{
	static const struct option known[] = {
		{"dir", required_argument, NULL, 'd'},
		{"slot", required_argument, NULL, 's'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	bool have_slot = false;
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		char *end;
		unsigned long value;

		switch (c) {
		case 'd':
			options->dir = optarg;
			break;
		case 's':
			errno = 0;
			value = strtoul(optarg, &end, 10);
			if (errno || *end || end == optarg || value >= KEEPER_SLOT_MAX) {
				fprintf(stderr, "vgpu-device: --slot %s is not a number from 0 to %u\n", optarg,
					KEEPER_SLOT_MAX - 1);
				return -EINVAL;
			}
			options->slot = (uint32_t)value;
			have_slot = true;
			break;
		case 'V':
			printf("vgpu-device %s, state page version %u\n", VGPU_VERSION, STATE_PAGE_VERSION);
			exit(0);
		default:
			return -EINVAL;
		}
	}
	if (!options->dir || !have_slot || optind < argc) {
		fprintf(stderr, "usage: vgpu-device --dir DIR --slot N   (started by vgpu-keeper)\n");
		return -EINVAL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct device_options options = {0};
	const char *name = NULL;
	json_t *config;
	int result;

	if (parse_arguments(argc, argv, &options))
		return DEVICE_EXIT_USAGE;
	log_init("vgpu-device", NULL);
	config = load_config(options.dir);
	if (!config)
		return DEVICE_EXIT_USAGE;
	if (parse_config(config, &options, &name)) {
		json_decref(config);
		return DEVICE_EXIT_USAGE;
	}
	log_init("vgpu-device", name);
	signal(SIGPIPE, SIG_IGN);
	sandbox();
	result = device_run(&options, KEEPER_SOCKET);
	json_decref(config);
	return result;
}
