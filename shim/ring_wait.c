/* SPDX-License-Identifier: MIT */
/*
 * How threads wait for the engine, without one system call while it is quick, and with one WAKE fence
 * for all of them while it is not.
 *
 * Theory of operation. Every sleeper is in the list `waits` with a predicate. At most one thread, the leader,
 * holds the fence: it sets wake_wanted (seq_cst), submits WAKE, looks at all predicates, and polls the fence.
 * The first sleeper leads; who comes later sleeps on a futex of its own and is woken by the leader exactly when its
 * predicate is true. A leader that is done promotes another sleeper. Waits with `notify` have no thread: the waiter
 * thread leads for them when nobody else does, and it alone calls notify, so no application thread runs another's
 * callback. The waiter thread is started by the first such wait.
 *
 * No wake-up is lost: a wait is put into the list before its predicate is checked, and the leader scans the list after
 * every consumption of wake_wanted; so a publication either precedes the check or follows an armed flag. The engine may
 * consume the flag before the host has taken the WAKE submission, hence the check of wake_wanted after it, and a
 * bound on each poll: should a fence be late, the price is FENCE_POLL_MS, not a hang.
 *
 * Where shim and engine share a host, the leader sleeps on wake_wanted itself and the engine wakes it: one cold wake-up
 * instead of three (device, completion thread, leader), and no submission. What only a fence tells, a lost engine or
 * connection, has FUTEX_SLEEP_MS: the leader then goes on by fence, whose cost is nothing against that.
 */
#include "shim/ring.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FENCE_POLL_MS 100
#define FUTEX_SLEEP_MS 100

#define LULL_MAX_NS 200000u	/* longest pause before the fence is armed again after a wake-up for nothing */

/* Bits of ring_wait.word. LEAD is only given to a wait in the list, DONE takes it out: so LEAD comes first. */
#define WORD_SLEEP 0u
#define WORD_DONE 1u
#define WORD_LEAD 2u

static void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static void futex_sleep(uint32_t *word, uint32_t while_value)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, while_value, NULL, NULL, 0);
}

static bool is_done(const struct ring_wait *wait)
{
	return __atomic_load_n(&wait->word, __ATOMIC_ACQUIRE) & WORD_DONE;
}

static bool wait_is_over(struct ring *ring, struct ring_wait *wait)
{
	return wait->done(ring, wait) || ring_is_lost(ring);
}

void ring_waits_init(struct ring *ring)
{
	pthread_mutex_init(&ring->wait_lock, NULL);
	pthread_cond_init(&ring->wait_kick, NULL);
}

/* Takes what is over out of the list: sleepers are woken, the others queued for the waiter thread. */
static void scan_locked(struct ring *ring)
{
	struct ring_wait **link = &ring->waits, *wait;

	while ((wait = *link)) {
		if (!wait_is_over(ring, wait)) {
			link = &wait->next;
			continue;
		}
		*link = wait->next;
		if (wait->notify) {
			struct ring_wait **end = &ring->ready;

			while (*end)
				end = &(*end)->next;
			wait->next = NULL;
			*end = wait;
			pthread_cond_signal(&ring->wait_kick);
		} else {
			/* Once DONE is stored the sleeper may return and its wait be gone; the wake-up of a
			 * stale address is harmless. */
			__atomic_fetch_or(&wait->word, WORD_DONE, __ATOMIC_RELEASE);
			futex_wake(&wait->word);
		}
	}
}

/* How long to leave the fence alone after a publication that ended no wait: an engine that completes a long batch would
 * else wake us for each of its commands. A sixteenth of the youngest wait's age, so no wait grows by more. */
static uint64_t lull_ns_locked(const struct ring *ring)
{
	uint64_t now_ns = ring_now_ns(), lull_ns = LULL_MAX_NS;

	for (const struct ring_wait *wait = ring->waits; wait; wait = wait->next)
		if ((now_ns - wait->since_ns) / 16 < lull_ns)
			lull_ns = (now_ns - wait->since_ns) / 16;
	return lull_ns;
}

/* How the leader sleeps until the engine has published something. */
struct alarm {
	bool by_futex;
	bool armed;
	int fence;
};

static bool futex_reaches_engine(const struct ring *ring)
{
	return ring->transport->same_host && (__atomic_load_n(&ring->engine->features, __ATOMIC_RELAXED) & WIRE_FEATURE_FUTEX);
}

static void alarm_arm(struct ring *ring, struct alarm *alarm)
{
	uint32_t how = alarm->by_futex ? WIRE_WAKE_FUTEX : WIRE_WAKE_FENCE;

	alarm->fence = -1;
	alarm->armed = true;
	__atomic_store_n(&ring->shim->wake_wanted, how, __ATOMIC_SEQ_CST);
	if (alarm->by_futex)
		return;
	int r = ring->transport->ops->submit_wake(ring->transport, &alarm->fence);
	if (r == -EINTR || r == -EAGAIN || r == -ENOMEM)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	else if (r < 0)
		__atomic_store_n(&ring->lost, 1, __ATOMIC_SEQ_CST);
	alarm->armed = alarm->fence >= 0;
}

static void alarm_sleep(struct ring *ring, struct alarm *alarm)
{
	const struct timespec limit = { .tv_nsec = FUTEX_SLEEP_MS * 1000000L };
	struct pollfd pollfd = { .fd = alarm->fence, .events = POLLIN };

	if (!alarm->by_futex)
		poll(&pollfd, 1, FENCE_POLL_MS);
	else if (syscall(SYS_futex, &ring->shim->wake_wanted, FUTEX_WAIT, WIRE_WAKE_FUTEX, &limit, NULL, 0) && errno == ETIMEDOUT)
		alarm->by_futex = false;
}

static void alarm_end(struct alarm *alarm)
{
	if (alarm->fence >= 0)
		close(alarm->fence);
}

/* Has the leader nothing to wait for any more? own NULL: it is the waiter thread. */
static bool lead_is_over_locked(const struct ring *ring, const struct ring_wait *own)
{
	return own ? is_done(own) : !ring->waits || ring->ready || ring->stop;
}

/* Leads until own (or, for the waiter thread with own NULL, anything it must notify, or the end of all waits). Entered
 * and left with wait_lock held and led set. */
static void lead_locked(struct ring *ring, struct ring_wait *own)
{
	struct alarm alarm = { .by_futex = futex_reaches_engine(ring) };

	for (scan_locked(ring); !lead_is_over_locked(ring, own); scan_locked(ring)) {
		uint64_t lull_ns;

		pthread_mutex_unlock(&ring->wait_lock);
		alarm_arm(ring, &alarm);
		pthread_mutex_lock(&ring->wait_lock);
		scan_locked(ring);
		if (alarm.armed && __atomic_load_n(&ring->shim->wake_wanted, __ATOMIC_SEQ_CST) != WIRE_WAKE_NONE &&
		    !lead_is_over_locked(ring, own)) {
			pthread_mutex_unlock(&ring->wait_lock);
			alarm_sleep(ring, &alarm);
			pthread_mutex_lock(&ring->wait_lock);
			scan_locked(ring);
			lull_ns = ring->waits && !ring->ready ? lull_ns_locked(ring) : 0;
			if (lull_ns >= LULL_MAX_NS / 8 && !(own && is_done(own)) && !ring->stop) {
				pthread_mutex_unlock(&ring->wait_lock);
				nanosleep(&(struct timespec){ .tv_nsec = (long)lull_ns }, NULL);
				pthread_mutex_lock(&ring->wait_lock);
			}
		}
		alarm_end(&alarm);
	}
}

/* Gives the lead to a sleeper, else to the waiter thread. */
static void lead_pass_locked(struct ring *ring)
{
	ring->led = false;
	for (struct ring_wait *wait = ring->waits; wait; wait = wait->next)
		if (!wait->notify) {
			ring->led = true;
			__atomic_fetch_or(&wait->word, WORD_LEAD, __ATOMIC_RELEASE);
			futex_wake(&wait->word);
			return;
		}
	if (ring->waits)
		pthread_cond_signal(&ring->wait_kick);
}

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

int ring_wait(struct ring *ring, struct ring_wait *wait, uint32_t spin_ns)
{
	uint32_t word;

	ring_flush(ring);
	if (wait->done(ring, wait))
		return __atomic_load_n(&ring->lost, __ATOMIC_ACQUIRE) ? -EIO : 0;
	if (spin_ns && ring->may_spin) {
		uint64_t until_ns = ring_now_ns() + spin_ns;

		do {
			for (int i = 0; i < 16; i++) {
				pause_briefly();
				if (wait->done(ring, wait))
					goto over;
			}
		} while (ring_now_ns() < until_ns);
	}
	__atomic_store_n(&wait->word, WORD_SLEEP, __ATOMIC_RELAXED);
	pthread_mutex_lock(&ring->wait_lock);
	wait->notify = NULL;
	wait->since_ns = ring_now_ns();
	wait->next = ring->waits;
	ring->waits = wait;
	/* Pairs with the engine's fence between its publication and its exchange of wake_wanted. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ring->led) {
		ring->led = true;
		lead_locked(ring, wait);
		lead_pass_locked(ring);
		pthread_mutex_unlock(&ring->wait_lock);
		goto over;
	}
	scan_locked(ring);
	pthread_mutex_unlock(&ring->wait_lock);
	for (;;) {
		word = __atomic_load_n(&wait->word, __ATOMIC_ACQUIRE);
		if (word == WORD_SLEEP) {
			futex_sleep(&wait->word, WORD_SLEEP);
			continue;
		}
		if (!(word & WORD_LEAD))
			break;
		pthread_mutex_lock(&ring->wait_lock);
		/* Somebody's scan may have ended this wait since it was promoted: then the lead is passed on at once. */
		if (!is_done(wait))
			lead_locked(ring, wait);
		lead_pass_locked(ring);
		pthread_mutex_unlock(&ring->wait_lock);
		break;
	}
over:
	if (__atomic_load_n(&ring->lost, __ATOMIC_ACQUIRE))
		return -EIO;
	/* A record that was answered before the engine died is no loss. */
	return wait->done(ring, wait) || !ring_is_lost(ring) ? 0 : -EIO;
}

/* ---- the waiter thread ------------------------------------------------------------------------ */

static void *waiter_main(void *argument)
{
	struct ring *ring = argument;

	pthread_setname_np(pthread_self(), "vgpu-waiter");
	pthread_mutex_lock(&ring->wait_lock);
	while (!ring->stop) {
		struct ring_wait *wait = ring->ready;

		if (wait) {
			ring->ready = wait->next;
			pthread_mutex_unlock(&ring->wait_lock);
			wait->notify(ring, wait);
			pthread_mutex_lock(&ring->wait_lock);
		} else if (ring->waits && !ring->led) {
			ring->led = true;
			lead_locked(ring, NULL);
			lead_pass_locked(ring);
		} else {
			pthread_cond_wait(&ring->wait_kick, &ring->wait_lock);
		}
	}
	pthread_mutex_unlock(&ring->wait_lock);
	return NULL;
}

bool ring_on_waiter_thread(struct ring *ring)
{
	bool on;

	pthread_mutex_lock(&ring->wait_lock);
	on = ring->thread_started && pthread_equal(ring->thread, pthread_self());
	pthread_mutex_unlock(&ring->wait_lock);
	return on;
}

int ring_wait_async(struct ring *ring, struct ring_wait *wait)
{
	int r = 0;

	pthread_mutex_lock(&ring->wait_lock);
	if (!ring->thread_started) {
		sigset_t all, before;

		/* The application's signals are handled on its own threads. */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		r = -pthread_create(&ring->thread, NULL, waiter_main, ring);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		ring->thread_started = r == 0;
	}
	if (r == 0) {
		struct ring_wait **end = &ring->waits;

		/* At the end: what becomes ready in one scan is notified in the order in which it was asked for. */
		while (*end)
			end = &(*end)->next;
		wait->word = WORD_SLEEP;
		wait->since_ns = ring_now_ns();
		wait->next = NULL;
		*end = wait;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		scan_locked(ring);
		if (!ring->led)
			pthread_cond_signal(&ring->wait_kick);
	}
	pthread_mutex_unlock(&ring->wait_lock);
	if (r == 0)
		ring_flush(ring);
	return r;
}

void ring_waits_wake_all(struct ring *ring)
{
	pthread_mutex_lock(&ring->wait_lock);
	scan_locked(ring);
	pthread_mutex_unlock(&ring->wait_lock);
}

void ring_waits_stop(struct ring *ring)
{
	bool started;

	pthread_mutex_lock(&ring->wait_lock);
	ring->stop = true;
	started = ring->thread_started;
	ring->thread_started = false;
	pthread_cond_broadcast(&ring->wait_kick);
	pthread_mutex_unlock(&ring->wait_lock);
	if (started)
		pthread_join(ring->thread, NULL);
}

void ring_waits_finish(struct ring *ring)
{
	ring_waits_stop(ring);
	pthread_cond_destroy(&ring->wait_kick);
	pthread_mutex_destroy(&ring->wait_lock);
}

/* ---- predicates -------------------------------------------------------------------------------- */

static bool completion_done(struct ring *ring, struct ring_wait *wait)
{
	return ring_poll(ring, wait->completion);
}

int ring_wait_completion(struct ring *ring, struct ring_completion *completion, uint32_t spin_ns)
{
	struct ring_wait wait = { .done = completion_done, .completion = completion };

	ring_wait(ring, &wait, spin_ns);
	return completion->status == RING_STATUS_LOST ? -EIO : 0;
}

static bool queue_done(struct ring *ring, struct ring_wait *wait)
{
	return ring_queue_done(ring, wait->index, wait->sequence);
}

int ring_wait_queue(struct ring *ring, uint32_t queue, uint64_t sequence, uint32_t spin_ns)
{
	struct ring_wait wait = { .done = queue_done, .index = queue, .sequence = sequence };
	int r = ring_wait(ring, &wait, spin_ns);

	return r < 0 || __atomic_load_n(&ring->engine->queue_done[queue], __ATOMIC_ACQUIRE) < sequence ? -EIO : 0;
}
