/* SPDX-License-Identifier: MIT */
/*
 * The builder: a process that has opened the device and warmed the compiler up, from which a process is forked for each build.
 *
 * Theory of operation. A compiler is vendor code fed with a guest's source, so what comes out is worth what went in: a source that takes
 * its compiler over must not have a say in what another process's source becomes. So each build has a process of its own, that has read
 * nothing else, can write into a folder of its own only, and ends. Forking one that is warm makes that cheap: PoCL 3.1 needs
 * 0.5 to 0.9 s for the first build of a process and 0.1 s for the next. The builder itself is fed with nothing of a guest's. Not every
 * driver survives a fork; so the builder begins with a trial, and where that fails there is no builder, and engines build by themselves.
 *
 *   server ──job, its input (memfd), its result (pipe)──> builder ──fork──> build: jail_enter_build, build_program, reply into the pipe
 *          <──READY; ENDED with the build's wait status──
 */
#ifndef VGPU_MDEV_ENGINE_COMPILER_BUILDER_H
#define VGPU_MDEV_ENGINE_COMPILER_BUILDER_H

#include <stdint.h>
#include <sys/types.h>

#include "mdev/engine/compute/jail.h"

#define BUILDER_JOBS_MAX 4u		/* at a time */

struct builder_settings {
	const struct jail_settings *jail;	/* the helper's, entered: its scratch folder is the working directory */
	const char *platform;
	uint32_t device_index;
	uint32_t cpu_limit_s;		/* processor time of one build */
	uint32_t wall_limit_ms;		/* how long it may take; long, as a frozen vGPU's clock goes on */
};

struct builder_job {
	uint32_t number;		/* the server's name for it */
	uint32_t kind;			/* enum compile_kind */
	uint32_t part_count;
	uint32_t reserved;
	uint64_t bytes;			/* of the input */
};

enum builder_word_op {
	BUILDER_READY = 1,
	BUILDER_ENDED = 2,
};
struct builder_word {
	uint32_t op;
	uint32_t number;
	int32_t status;			/* wait status of the build; what it wrote is in the pipe by then */
	uint32_t reserved;
};

/* What a build writes into its pipe, then `bytes` of reply. Anything else is no result. */
#define BUILDER_RESULT_MAGIC 0x42475056u
struct builder_result {
	uint32_t magic;
	int32_t error;			/* of OpenCL, with no reply: there is no program */
	uint64_t bytes;
};

/* Forks it, with one end of a socket for jobs; the other is the caller's. 0 or -errno. The end of the socket ends it and its builds. */
int builder_start(const struct builder_settings *settings, pid_t *ret_pid, int *ret_socket);
#endif
