/* SPDX-License-Identifier: MIT */
/*
 * What engines say to the compile helper of their vGPU, and what the keeper says to it (docs/ARCHITECTURE.md, "Builds").
 *
 * The helper is `vgpu-compute --compiler --dir DIR`, started by the keeper with the first engine, ended when there has been none for a
 * while. Its descriptors: 0 /dev/null, 1 and 2 the log, 3 the keeper's socket, 4 the memfd of the cache. The keeper says one thing, a
 * struct compile_client with an engine's connection; the end of the socket ends the helper.
 *
 * An engine's connection (its descriptor ENGINE_FD_COMPILER) is a stream: request, answer, request ... never two requests at once. An engine
 * is untrusted: what cannot be a request ends its connection, and it can plant nothing, for it is answered what the helper
 * made of the very bytes that the answer is kept under. It is not to send descriptors: the helper takes none, so the
 * kernel closes them. The end of the connection: build without the helper.
 */
#ifndef VGPU_MDEV_ENGINE_COMPILE_PROTOCOL_H
#define VGPU_MDEV_ENGINE_COMPILE_PROTOCOL_H

#include <assert.h>
#include <stdint.h>

#define COMPILE_FD_KEEPER 3
#define COMPILE_FD_CACHE 4

#define COMPILE_CACHE_BYTES (32u << 20)		/* of the memfd; its pages come as they are used */
#define COMPILE_REQUEST_MAX_BYTES (16u << 20)	/* longer ones are built by the engine that has them */
#define COMPILE_REPLY_MAX_BYTES (8u << 20)
#define COMPILE_PARTS_MAX 256u

struct compile_client {
	uint32_t slot;		/* for the log */
	uint32_t context;
};
static_assert(sizeof(struct compile_client) == 8, "spoken between builds");

/* What is to be made of the parts. Kinds are named in the key, so none is ever answered with another's result. */
enum compile_kind {
	COMPILE_BUILD = 1,	/* parts: options, source; the reply is PROGRAM_BUILD's (shim/wire/wire.h) */
};

#define COMPILE_MAGIC 0x43475056u
struct compile_request {
	uint32_t magic;
	uint32_t kind;
	uint32_t part_count;	/* <= COMPILE_PARTS_MAX */
	uint32_t reserved;
	uint64_t bytes;		/* that follow: per part, its length in 8 bytes and itself */
};
static_assert(sizeof(struct compile_request) == 24, "spoken between builds");

enum compile_status {
	COMPILE_DONE = 0,	/* the reply follows, of a failed build too */
	COMPILE_UNAVAILABLE = 1, /* nothing follows: the engine is to build by itself */
};
struct compile_answer {
	uint32_t magic;
	uint32_t status;	/* enum compile_status */
	uint32_t from_cache;
	uint32_t builds;	/* that the helper has started since it was */
	uint64_t bytes;		/* of the reply */
};
static_assert(sizeof(struct compile_answer) == 24, "spoken between builds");

#endif
