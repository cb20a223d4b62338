/* SPDX-License-Identifier: MIT */
/* One command's life in one VM: from QEMU's start to the command's exit status. */
#ifndef VGPU_LAUNCHER_SESSION_H
#define VGPU_LAUNCHER_SESSION_H

#include "vgpu-qemu/launcher/args.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum session_end {
	SESSION_EXITED,      /* the command ended; status says how */
	SESSION_DIED,        /* the VM ended, or broke its protocol, before the command did */
	SESSION_NOT_BOOTED,  /* the VM did not get to the command */
	SESSION_TIMED_OUT,
	SESSION_SIGNALLED,   /* vgpu-run got signal number status */
	SESSION_OUTPUT_GONE, /* nobody reads the command's output any more */
};

struct session_config {
	const struct args *qemu_args;
	int initrd_fd;
	int output_fd;            /* where the command's output goes */
	int log_fd;               /* the console and QEMU's messages; -1: none */
	int signals_fd;           /* a signalfd */
	unsigned int timeout_s;   /* 0: none */
	unsigned int boot_timeout_s;
};

struct session_result {
	enum session_end end;
	int status;
	uint64_t boot_ms; /* until the command started; 0: it did not */
	uint64_t total_ms;
	char reason[512]; /* a sentence, for every end but SESSION_EXITED */
};

/*
 * Runs the VM to its end; nothing of it is left afterwards. Borrows every descriptor. Returns 0 and fills
 * @ret_result, or -errno when QEMU could not be started.
 */
int session_run(const struct session_config *config, struct session_result *ret_result);

#endif
