/* SPDX-License-Identifier: MIT */
/* What a keeper must know of its vGPU: the part of config.json (docs/CONFIG_JSON.md) it acts on. */
#ifndef VGPU_MDEV_KEEPER_CONFIG_H
#define VGPU_MDEV_KEEPER_CONFIG_H

#include <stdint.h>

struct keeper_config {
	char uuid[40];
	char name[64];
	uint64_t vram_bytes;
	uint64_t slack_bytes;
	uint32_t max_contexts;		/* of one slot, <= KEEPER_CONTEXT_MAX */
	uint32_t max_direct_clients;	/* < KEEPER_SLOT_MAX */
	char *device_program;		/* owned */
	char *compute_program;		/* owned */
};

/* Reads DIR/config.json. 0, or -errno with a sentence in ret_why; ret_config is untouched then. */
int keeper_config_load(const char *dir, struct keeper_config *ret_config, char ret_why[256]);
void keeper_config_finish(struct keeper_config *config);

/* Length of a slot's aperture file: VRAM, rings and slack, in whole 2 MiB. Only this much host memory can a
 * connection's guest ever touch, whatever the size of the BAR's address. */
uint64_t keeper_config_aperture_bytes(const struct keeper_config *config);

#endif
