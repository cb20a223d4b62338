/* SPDX-License-Identifier: MIT */
/*
 * A hostile guest, by modes: each does its worst on connections of its own and says whether the service reacted as it must,
 * as far as a client can see. What the host must show (memory, strikes, logs, leaks) is for the test that starts this.
 */
#ifndef VGPU_TESTS_E2E_HOSTILE_HOSTILE_H
#define VGPU_TESTS_E2E_HOSTILE_HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

#include "shim/transport/transport.h"
#include "tests/direct/raw_client.h"

struct hostile {
	const char *path;	/* the vGPU's direct.sock */
	const char *mode;
	unsigned seconds;	/* how long what has no end of its own goes on */
	uint64_t random;
	unsigned failures;
};

/* Says PASS or FAIL with the sentence and counts. Returns good. */
bool hostile_check(struct hostile *hostile, bool good, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Says what was seen, without judgement. */
void hostile_note(const struct hostile *hostile, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t hostile_random(struct hostile *hostile);
void hostile_random_bytes(struct hostile *hostile, void *buffer, size_t bytes);
uint64_t hostile_now_ms(void);

/*
 * A well-behaved client beside the hostile one. A bystander is there before and must notice nothing; a newcomer comes after
 * and must be served.
 */
struct bystander {
	struct transport *transport;
	struct transport_blob blob;
	uint64_t worst_ms;	/* of its calls so far */
};
bool bystander_begin(struct hostile *hostile, struct bystander *bystander);
/* One round of calls: its bytes are still its own, a blob comes and goes, a doorbell is taken. */
bool bystander_works(struct hostile *hostile, struct bystander *bystander);
/* The last round, with its verdict. */
void bystander_end(struct hostile *hostile, struct bystander *bystander);
bool newcomer_works(struct hostile *hostile, const char *after);

/* The modes. */
void hostile_touch_all(struct hostile *hostile);
void hostile_truncate(struct hostile *hostile);
void hostile_doorbell_flood(struct hostile *hostile);
void hostile_garbage_socket(struct hostile *hostile);
void hostile_bad_commands(struct hostile *hostile);
void hostile_garbage_ring(struct hostile *hostile);
void hostile_bad_records(struct hostile *hostile);
void hostile_vanish(struct hostile *hostile);
void hostile_crash(struct hostile *hostile);	/* needs vgpu-device-fragile; not one of `all` */

#endif
