/* SPDX-License-Identifier: MIT */
/* What vgpud is told: its command line, and a configuration file with the same words. */
#ifndef VGPU_MDEV_DAEMON_OPTIONS_H
#define VGPU_MDEV_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define DAEMON_LIST_MOST 64

struct daemon_options {
	char *state_dir;	/* all owned, absolute */
	char *runtime_dir;
	char *socket;
	char *libexec_dir;
	char *cache_dir;
	char *icds[DAEMON_LIST_MOST + 1];
	char *environment[DAEMON_LIST_MOST + 1];	/* K=V */
	uint64_t slice_us;	/* 0 = default */
	uint64_t probe_timeout_ms;
	uint64_t engine_idle_ms;	/* 0 = engines are never retired */
	bool stop_vgpus_on_exit;
};

/*
 * Reads the command line; --config FILE is read where it stands, so what follows it wins. 0 to go on; 1: all is said (--help, --version),
 * exit with 0; -EINVAL: what is wrong has been said on stderr. ret_options is to be finished in any case.
 *
 * The file: lines `name = value` with the long options' names, '#' begins a comment line; flags take yes or no.
 */
int daemon_options_parse(int argc, char **argv, struct daemon_options *ret_options);
void daemon_options_finish(struct daemon_options *options);

#endif
