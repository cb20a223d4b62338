/* SPDX-License-Identifier: MIT */
/* Finds out whether a VM really boots under KVM on this machine. */
#ifndef VGPU_LAUNCHER_ACCEL_H
#define VGPU_LAUNCHER_ACCEL_H

#include <stdbool.h>
#include <stddef.h>

/* Where this machine says what it is; tests give others. */
struct accel_host {
	const char *kvm_path;     /* /dev/kvm */
	const char *modules_path; /* /sys/module */
	const char *cache_path;   /* a folder for the verdict; NULL: none is kept */
	const char *boot_id_path; /* /proc/sys/kernel/random/boot_id */
	int signals_fd;           /* a signalfd that ends a probe when it is readable; -1: none */
};

struct accel_verdict {
	bool kvm_works;
	bool probed; /* found by trying, just now */
	char reason[256]; /* one sentence */
};

/*
 * True when the machine itself says that KVM will not do: no /dev/kvm to open, or a PVM host, under which
 * a stock kernel does not boot. Then @verdict says which.
 */
bool accel_refused(const struct accel_host *host, struct accel_verdict *verdict);

/*
 * Boots @kernel under KVM, without devices, until it says its first line. Returns 0, -EINTR when a signal
 * came, or -errno when QEMU could not be started.
 */
int accel_probe(const struct accel_host *host, const char *qemu, const char *kernel, int timeout_ms,
		struct accel_verdict *verdict);

/* accel_refused(), else the verdict kept for this boot, QEMU and kernel, else accel_probe(), which is kept. */
int accel_decide(const struct accel_host *host, const char *qemu, const char *kernel, struct accel_verdict *verdict);

#endif
