/* SPDX-License-Identifier: MIT */
/*
 * Plays vgpu-device, vgpu-keeper, the arbiter and the shim around one real vgpu-compute, for tests.
 *
 * It makes the descriptors an engine is started with, starts the program that was built next to the test,
 * and gives the test the raw ends: the ring's bytes, the channel, the lease pages.
 */
#ifndef VGPU_TESTS_MDEV_ENGINE_ENGINE_HARNESS_H
#define VGPU_TESTS_MDEV_ENGINE_ENGINE_HARNESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mdev/engine/engine_protocol.h"
#include "scheduler/lease.h"
#include "shim/wire/wire.h"

#define HARNESS_MEMORY_OFFSET 0x200000u		/* of the memory blob in the aperture */
#define HARNESS_MEMORY_BYTES (64u << 20)
#define HARNESS_RING_BLOB WIRE_BLOB_ID(WIRE_BLOB_KIND_RING, 1)
#define HARNESS_MEMORY_BLOB WIRE_BLOB_ID(WIRE_BLOB_KIND_MEMORY, 1)
#define HARNESS_QUEUE 1u
#define HARNESS_TOLD_MAX 64u

struct harness_options {
	const char *devices;		/* POCL_DEVICES; NULL: "pthread" */
	const char *strategy;		/* VGPU_ENGINE_COMPLETION; NULL: by trial */
	const char *spin_ns;		/* VGPU_ENGINE_SPIN_NS; NULL: default */
	const char *preempt;		/* VGPU_ENGINE_PREEMPT; NULL: as the grant says */
	bool discrete;			/* "unified": false */
	bool no_svm;			/* "svm": false */
	bool no_lease;			/* start without a grant */
	int compiler_fd;		/* the engine's connection to a compile helper; borrowed. 0: none */
};

struct harness {
	char dir[64];
	pid_t pid;			/* 0: reaped */
	int wait_status;
	int channel;
	int doorbell;
	int completion;
	int want;
	int aperture_fd;
	uint8_t *aperture;
	struct lease_grant *grant;
	struct lease_status *status;
	struct wire_shim_page *shim_page;
	struct wire_engine_page *engine_page;
	struct wire_slot *slots;
	uint8_t *records;
	uint8_t *memory;		/* HARNESS_MEMORY_BYTES of the memory blob */
	uint32_t tail;
	uint64_t sequence;
	uint32_t next_slot;
	bool same_host;			/* TEST_SAME_HOST is set: bell and wake-ups by futex, as the shim's over `direct` */
	/* What the engine may map, and who answers when it asks; as vgpu-qemu/virtio_gpu/map_guard.c does. */
	pthread_t map_guard;
	int listener;			/* -1: it has sent none yet */
	pthread_mutex_t lock;		/* of the ranges below */
	struct {
		uint64_t blob_id, offset, bytes;
	} told[HARNESS_TOLD_MAX];
	unsigned told_count;
	unsigned refused_maps;
};

/* Every function that checks fails the running cmocka test. */

/* build/bin/NAME of the build that this test is of. */
void harness_program(const char *name, char path[4096]);

/* Starts the engine, maps the ring and one memory blob, waits for READY, makes queue HARNESS_QUEUE. */
void harness_start(struct harness *h, const struct harness_options *options);
/* The same without RING and all after it. */
void harness_start_bare(struct harness *h, const struct harness_options *options);
/* Closes the channel, reaps the engine (killing it after 5 s fails the test), checks that nothing is left. */
void harness_stop(struct harness *h);

void harness_tell(struct harness *h, uint32_t op, uint64_t blob_id, uint64_t offset, uint64_t bytes, uint64_t value);
/* The next message with this op within timeout_ms; false if there is none. Others are passed over. */
bool harness_heard(struct harness *h, uint32_t op, struct engine_message *ret_message, int timeout_ms);

/* A grant with these flags and a new epoch. */
void harness_grant(struct harness *h, uint32_t flags, uint64_t deadline_ns);

/* Writes a record: header filled in but for the opcode, NOP at the ring's end, tail published; rings the bell if the engine
 * sleeps. Returns its sequence. */
uint64_t harness_put(struct harness *h, uint16_t opcode, void *record, uint32_t bytes);
uint32_t harness_slot(struct harness *h);
/* As the shim does: polls a little, then sleeps on the completion eventfd. The slot's status; fails after timeout_ms. */
int32_t harness_wait(struct harness *h, uint32_t slot, uint64_t sequence, int timeout_ms);
bool harness_is_done(struct harness *h, uint32_t slot, uint64_t sequence);
/* Waits for the process's end; its wait status. */
int harness_died(struct harness *h, int timeout_ms);
void harness_ring_bell(struct harness *h);
uint64_t harness_now_ns(void);

/* Records, each with a slot, waited for: their status. */
int32_t harness_queue(struct harness *h, uint32_t queue, uint64_t properties);
int32_t harness_buffer(struct harness *h, uint32_t buffer, uint64_t offset, uint64_t bytes);
int32_t harness_destroy(struct harness *h, uint16_t opcode, uint32_t id);
/* Builds from the memory blob's last 2 MiB; the reply stays at the returned address. */
int32_t harness_build(struct harness *h, uint32_t program, const char *source, const char *options,
		      const struct wire_build_reply **ret_reply);
int32_t harness_kernel(struct harness *h, uint32_t kernel, uint32_t program, const char *name);

/* An NDRANGE record under construction. */
struct harness_launch {
	_Alignas(8) uint8_t bytes[4096];
	uint32_t used;
};
void harness_launch_begin(struct harness_launch *l, uint32_t queue, uint32_t kernel, uint32_t slot, uint64_t global,
			  uint64_t local);
void harness_launch_wait(struct harness_launch *l, uint32_t slot, uint64_t sequence);	/* before any argument */
void harness_launch_buffer(struct harness_launch *l, uint32_t buffer);
void harness_launch_value(struct harness_launch *l, const void *value, uint32_t bytes);
void harness_launch_local(struct harness_launch *l, uint32_t bytes);
void harness_launch_address(struct harness_launch *l, uint64_t address);
uint64_t harness_launch_put(struct harness *h, struct harness_launch *l);
#endif
