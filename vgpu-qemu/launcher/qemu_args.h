/* SPDX-License-Identifier: MIT */
/* QEMU's command line for one VM of vgpu-run. */
#ifndef VGPU_LAUNCHER_QEMU_ARGS_H
#define VGPU_LAUNCHER_QEMU_ARGS_H

#include "vgpu-qemu/launcher/args.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The descriptors QEMU finds open, put there by vm_start(). */
enum { QEMU_FD_CONSOLE = 3, QEMU_FD_CHANNEL = 4, QEMU_FD_INITRD = 5 };

struct qemu_config {
	const char *qemu;   /* the program */
	const char *kernel;
	const char *name;
	const char *qmp; /* NULL: none */
	uint64_t memory_bytes;
	unsigned int cpus;
	bool kvm;        /* else TCG */
	bool channel;    /* a virtio-serial port on QEMU_FD_CHANNEL */
	bool initrd;     /* an initramfs on QEMU_FD_INITRD */
	const char *const *vfio_users; /* socket paths */
	size_t vfio_user_count;
	const struct args *vgpu_args;  /* what vgpu-admin said, appended as it is; may be NULL */
};

/* Appends the whole command line, the program first, to @args. */
void qemu_args_build(const struct qemu_config *config, struct args *args);

#endif
