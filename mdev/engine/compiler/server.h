/* SPDX-License-Identifier: MIT */
/*
 * The compile helper: answers build requests of all engines of one vGPU from the cache, or has them built (builder.h).
 *
 * It reads frames and hashes bytes; it interprets no source and loads no vendor code itself, so what it keeps under a key is what one
 * fresh build made of that key's bytes. Requests of one key that come at the same time are one build. It may be killed at any
 * instant: the cache outlives it, and its engines build by themselves from then on.
 *
 * One thread. Everything an engine sends is hostile, in length above all: what the helper holds for all of them is bounded, beyond that it
 * answers UNAVAILABLE.
 */
#ifndef VGPU_MDEV_ENGINE_COMPILER_SERVER_H
#define VGPU_MDEV_ENGINE_COMPILER_SERVER_H

#include "mdev/engine/compiler/builder.h"

struct server_settings {
	struct builder_settings builder;
	const void *identity;		/* what else a result depends on: driver, device, environment */
	size_t identity_bytes;
	int keeper_fd;			/* COMPILE_FD_KEEPER */
	void *cache;			/* mapped, not inherited by children */
	size_t cache_bytes;
	uint32_t idle_ms;		/* after so long without a build the builder's memory goes back */
};

/* Serves until the keeper's socket ends. 0, or -errno if it cannot begin. */
int server_run(const struct server_settings *settings);
#endif
