/* SPDX-License-Identifier: MIT */
/*
 * A test rig around a real vgpu-device process: it is the keeper (stores descriptors, starts the process again whenever
 * it dies) and the vfio-user client with a little guest memory.
 */
#ifndef TESTS_VGPU_QEMU_RIG_H
#define TESTS_VGPU_QEMU_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RIG_RAM_ADDRESS 0x100000ull
#define RIG_RAM_BYTES 0x100000u
#define RIG_APERTURE_BYTES (2u << 20)
#define RIG_STORE_MAX 512u

/* Guest addresses of the control queue's parts and of the buffers, inside RAM. */
#define RIG_DESCRIPTORS (RIG_RAM_ADDRESS + 0x0)
#define RIG_AVAILABLE (RIG_RAM_ADDRESS + 0x2000)
#define RIG_USED (RIG_RAM_ADDRESS + 0x3000)
#define RIG_BUFFERS (RIG_RAM_ADDRESS + 0x10000)

struct rig {
	char dir[64];
	char program[512];		/* what is started next */
	int client;			/* the client's end of the vfio-user connection */
	int device_end;			/* the other one, in the store */
	int keeper;			/* the keeper's end; -1: the keeper plays dead */
	pid_t device;
	uint8_t *ram;
	int ram_fd;
	struct {
		uint32_t tag;
		int fd;
	} store[RIG_STORE_MAX];
	unsigned store_count;
	unsigned starts;		/* of the process, the first included */
	const char *kill_at;		/* VGPU_TEST_KILL for the coming kill_starts starts */
	unsigned kill_starts;
	bool finished;			/* KEEPER_FINISHED came */
	int exit_status;		/* of the last process that exited by itself; -1 none */
	uint16_t next_id;
	uint16_t available_index;	/* as the driver counts */
	unsigned strikes;
};

struct rig *rig_create(void);
void rig_destroy(struct rig *rig);
/* program: a name in build/test-programs. */
void rig_use_program(struct rig *rig, const char *name);
void rig_start(struct rig *rig);
/* Kills the process, if it runs, and starts it again. */
void rig_kill(struct rig *rig);
/* Acts on what the device says, restarts it if it died. */
void rig_pump(struct rig *rig);
/* Pumps until the process has exited by itself (not by a signal) or 5 s are over. */
bool rig_wait_exit(struct rig *rig);
int rig_stored(const struct rig *rig, uint32_t tag);

struct rig_reply {
	uint32_t error;
	uint32_t bytes;
	uint8_t payload[4096];
	int fd;				/* -1: none; the caller closes it */
};
/* Sends a command and waits for its reply, through any number of restarts. False after 5 s without one. The id of the
 * reply is checked. */
bool rig_request(struct rig *rig, uint16_t command, const void *payload, uint32_t bytes, const int *fds, unsigned fd_count,
		 struct rig_reply *ret_reply);
/* Only sends. */
void rig_send(struct rig *rig, uint16_t command, uint32_t flags, const void *payload, uint32_t bytes, const int *fds,
	      unsigned fd_count);
bool rig_receive(struct rig *rig, uint16_t id, struct rig_reply *ret_reply);
/* True if nothing more comes: no reply was sent twice. */
bool rig_quiet(struct rig *rig);

/* The usual steps; each asserts that it succeeded. */
void rig_version(struct rig *rig);
void rig_map_ram(struct rig *rig);
void rig_write(struct rig *rig, uint32_t region, uint64_t offset, uint64_t value, uint32_t bytes);
uint64_t rig_read(struct rig *rig, uint32_t region, uint64_t offset, uint32_t bytes);
/* Feature negotiation, control queue of 64, DRIVER_OK. */
void rig_driver_start(struct rig *rig);
/* Puts a 16-byte request of this kind into slot (head 2 * slot) and makes it available. */
void rig_submit(struct rig *rig, unsigned slot, uint8_t kind);
void rig_doorbell(struct rig *rig);
/* Waits until the used index is index; returns it, whatever it is after 5 s. */
uint16_t rig_wait_used(struct rig *rig, uint16_t index);
/* The response in slot. */
const void *rig_response(struct rig *rig, unsigned slot);
uint64_t rig_now_us(void);

#endif
