/* SPDX-License-Identifier: MIT */
/*
 * Looks at the OpenCL devices behind one ICD, in a child process with a time limit.
 *
 * Vendor code runs in the child only. What it prints is not trusted: probe_parse_device makes it into a struct that
 * is within bounds, or refuses it.
 */
#ifndef VGPU_MDEV_GPU_PROBE_H
#define VGPU_MDEV_GPU_PROBE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct probe_device {
	char platform[128];
	char device[128];
	char type[16];
	char vendor[64];
	char driver_version[128];
	char version[128];
	uint64_t platform_index;
	uint64_t device_index;		/* within its platform */
	uint64_t global_mem_bytes;
	uint64_t max_alloc_bytes;
	uint64_t compute_units;
	uint64_t mem_align_bytes;
	bool unified;
	bool native_kernel;
	bool svm;			/* a kernel of the probe's went by raw pointers */
	uint8_t *info;			/* heap: struct wire_info records, checked */
	size_t info_bytes;
};

struct probe;

/* Starts `program --probe --icd icd --environment K=V...`. done gets the array `devices` (borrowed), or NULL and a sentence; afterwards the
 * probe is gone. 0, or -errno with a sentence: then done is not called. */
int probe_start(sd_event *loop, const char *program, const char *icd, const char *const *environment, uint64_t timeout_ms,
		void (*done)(const json_t *devices, const char *why, void *data), void *data, char ret_why[256]);

/* One entry of the array. 0 with info on the heap, or -EINVAL with a sentence. */
int probe_parse_device(const json_t *entry, struct probe_device *ret_device, char ret_why[256]);

#endif
