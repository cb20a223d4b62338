/* SPDX-License-Identifier: MIT */
/* One QEMU process that cannot outlive vgpu-run, and what it says. */
#ifndef VGPU_LAUNCHER_VM_H
#define VGPU_LAUNCHER_VM_H

#include "vgpu-qemu/launcher/args.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The last bytes of a stream, for a message when things go wrong. */
struct tail {
	size_t count;
	char bytes[4096];
};

void tail_append(struct tail *tail, const void *bytes, size_t count);
/* True when @text is in it. */
bool tail_has(const struct tail *tail, const char *text);

/* All descriptors are non-blocking and -1 once closed. */
struct vm {
	pid_t pid;
	int pid_fd;     /* readable once QEMU ended */
	int console_fd; /* the guest's serial console */
	int channel_fd; /* the guest's frames; -1 without a channel */
	int errors_fd;  /* QEMU's stderr and stdout */
	struct tail console;
	struct tail errors;
};

/*
 * Starts QEMU with @args. Takes no descriptor: @initrd_fd (or -1) stays the caller's. The process is killed
 * when the calling thread ends, however it ends. Returns 0 or -errno.
 */
int vm_start(struct vm *vm, const struct args *args, bool channel, int initrd_fd);

/*
 * Ends QEMU: waits up to @grace_ms for it to end by itself, then asks it, then kills it. Closes everything.
 * Returns its wait status.
 */
int vm_stop(struct vm *vm, int grace_ms);

/* Reads what is there from @fd (one of the above); closes it and makes it -1 at its end. Returns bytes or 0. */
size_t vm_read(int *fd, void *bytes, size_t size);

uint64_t clock_ms(void);

#endif
