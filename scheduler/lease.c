/* SPDX-License-Identifier: MIT */
/* The engine's side of the lease protocol; lease.h has the theory. */
#include "scheduler/lease.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PASSED_LOOK_NS 1000000u

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the futex word is the lower half of grant.word");

int lease_holder_init(struct lease_holder *holder, const struct lease_grant *grant, struct lease_status *status,
		      int want_eventfd)
{
	if (grant->magic != LEASE_MAGIC || grant->version != LEASE_VERSION)
		return -EPROTO;
	*holder = (struct lease_holder){.grant = grant, .status = status, .want_eventfd = want_eventfd};
	status->magic = LEASE_MAGIC;
	status->version = LEASE_VERSION;
	atomic_store(&status->state, LEASE_IDLE);
	return 0;
}

static void tell_arbiter(const struct lease_holder *holder)
{
	uint64_t one = 1;
	/* An eventfd's write fails only when its counter is full: then the arbiter is told already. */
	ssize_t written = write(holder->want_eventfd, &one, sizeof(one));
	(void)written;
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Enters RUN under the word just read; false if the arbiter took it back meanwhile. */
static bool enter(struct lease_holder *holder, uint64_t word)
{
	atomic_store_explicit(&holder->status->run_epoch, lease_word_epoch(word), memory_order_relaxed);
	atomic_store(&holder->status->state, LEASE_RUN);	/* Dekker: pairs with the arbiter's word store */
	uint64_t again = atomic_load(&holder->grant->word);
	if (lease_word_epoch(again) == lease_word_epoch(word) && (again & LEASE_GRANTED) && !(again & LEASE_REVOKE)) {
		holder->epoch = lease_word_epoch(word);
		holder->held = true;
		if (holder->passed) {
			holder->passed = 0;
			atomic_store_explicit(&holder->status->passed, 0, memory_order_relaxed);
		}
		if (again & LEASE_CONTENDED)
			atomic_store_explicit(&holder->status->run_at_ns, monotonic_ns(), memory_order_relaxed);
		return true;
	}
	atomic_store(&holder->status->state, LEASE_WANT);
	tell_arbiter(holder);	/* it may be waiting for the RUN it saw to end */
	return false;
}

/* One that passed its turn waits for the next grant, or until nobody waits for it to end. */
static bool may_enter(const struct lease_holder *holder, uint64_t word)
{
	if (!(word & LEASE_GRANTED) || (word & LEASE_REVOKE))
		return false;
	return !(word & LEASE_CONTENDED) || holder->passed != (uint64_t)lease_word_epoch(word) + 1;
}

static struct timespec after_now(uint64_t ns)
{
	uint64_t at_ns = monotonic_ns() + ns;

	return (struct timespec){.tv_sec = (time_t)(at_ns / 1000000000u), .tv_nsec = (long)(at_ns % 1000000000u)};
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

int lease_take(struct lease_holder *holder, int timeout_ms)
{
	struct timespec until = {0};
	bool told = false;

	if (holder->held)
		return 0;
	if (timeout_ms >= 0)
		until = after_now((uint64_t)timeout_ms * 1000000u);
	atomic_store(&holder->status->state, LEASE_WANT);
	while (!atomic_load(&holder->status->heard)) {
		long r = syscall(SYS_futex, &holder->status->heard, FUTEX_WAIT_BITSET, 0, timeout_ms >= 0 ? &until : NULL, NULL,
				 FUTEX_BITSET_MATCH_ANY);
		if (r && errno == ETIMEDOUT)
			return -ETIMEDOUT;
	}
	for (;;) {
		uint64_t word = atomic_load(&holder->grant->word);
		if (may_enter(holder, word)) {
			if (enter(holder, word))
				return 0;
			told = true;
			continue;
		}
		if (!told) {
			tell_arbiter(holder);
			told = true;
			continue;
		}
		/* The flags of a grant that was passed may be those of the next, which the futex cannot tell apart, and nobody wakes when
		 * they change otherwise. */
		bool passed = word & LEASE_GRANTED && !(word & LEASE_REVOKE);
		struct timespec moment = passed ? after_now(PASSED_LOOK_NS) : (struct timespec){0};
		if (passed && timeout_ms >= 0 && is_later(&moment, &until))
			passed = false;
		/* FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time. The word may change between
		 * the load and here; then it returns at once. */
		long r = syscall(SYS_futex, (const uint32_t *)(const void *)&holder->grant->word, FUTEX_WAIT_BITSET, lease_word_flags(word),
				 passed ? &moment : timeout_ms >= 0 ? &until : NULL, NULL, FUTEX_BITSET_MATCH_ANY);
		if (r && errno == ETIMEDOUT && !passed)
			return -ETIMEDOUT;
	}
}

bool lease_must_stop(const struct lease_holder *holder, uint64_t now_ns)
{
	uint64_t word = atomic_load_explicit(&holder->grant->word, memory_order_acquire);

	if (!holder->held || lease_word_epoch(word) != holder->epoch || (word & LEASE_REVOKE) || !(word & LEASE_GRANTED))
		return true;
	if (!(word & LEASE_CONTENDED) || (word & LEASE_FREEZES))
		return false;
	uint64_t deadline_ns = atomic_load_explicit(&holder->grant->deadline_ns, memory_order_relaxed);
	return deadline_ns && now_ns >= deadline_ns;
}

bool lease_may_stay(const struct lease_holder *holder)
{
	uint64_t word = atomic_load_explicit(&holder->grant->word, memory_order_acquire);

	if (!(word & LEASE_GRANTED) || (word & LEASE_REVOKE))
		return false;
	return !(word & LEASE_CONTENDED) || ((word & LEASE_FREEZES) && holder->held && lease_word_epoch(word) == holder->epoch);
}

void lease_release(struct lease_holder *holder, bool want_more)
{
	atomic_store(&holder->status->state, want_more ? LEASE_WANT : LEASE_IDLE);
	uint64_t word = atomic_load(&holder->grant->word);
	bool waited_for = !holder->held || lease_word_epoch(word) != holder->epoch ||
			  (word & (LEASE_CONTENDED | LEASE_REVOKE)) || !(word & LEASE_GRANTED);
	holder->held = false;
	if (waited_for)
		tell_arbiter(holder);
}

void lease_pass(struct lease_holder *holder)
{
	holder->passed = holder->held ? (uint64_t)holder->epoch + 1 : 0;
	atomic_store(&holder->status->passed, holder->passed);	/* before the WANT that it explains */
	lease_release(holder, true);
}
