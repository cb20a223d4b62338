/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation. The link is a table of descriptors by tag, and wishes: tags to drop, engines to start or kill,
 * strikes to report, FINISHED. What the keeper does not know yet is marked unsent; one function, flush, sends what is
 * unsent until the socket is full, and runs again when it is writable. A message in the socket is safe: the keeper reads
 * all of it before it starts another device process.
 *
 * When the keeper dies (end of stream), everything becomes unsent again, a new keeper is started (its flock decides if
 * other devices did the same), and every 20 ms a connection is tried. On success flush says REJOIN, the whole table,
 * the engines, REJOINED, and then goes on as before.
 *
 * Trusts the keeper; yet a malformed message is logged and ignored, as it may be of another build.
 */
#include "vgpu-qemu/keeper_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mdev/ipc/seqpacket.h"
#include "mdev/keeper/keeper_protocol.h"
#include "mdev/log/log.h"

#define RETRY_MS 20
#define SPAWN_INTERVAL_MS 100		/* a keeper that dies at once is not started in a tight loop */
#define STORE_TIMEOUT_MS 5000
#define RECEIVE_TIMEOUT_MS 10000
#define ABANDONED_MS 10000
#define STRIKES_KEPT 4u

enum link_state {
	LINK_JOINED,
	LINK_LOST,		/* no connection */
	LINK_REJOINING,		/* connected, the table is on its way */
};

struct entry {
	uint32_t tag;
	int fd;
	bool unsent;
};

enum wish {
	WISH_NONE = 0,
	WISH_START,
	WISH_KILL,
};

struct engine {
	enum wish wish;		/* until it is answered */
	bool wish_sent;
	bool alive;		/* STARTED, not DIED */
	bool is_unsent;		/* ENGINE_IS is to be said while rejoining */
	int64_t pid;
};

struct keeper_link {
	struct keeper_link_wiring wiring;
	enum link_state state;
	int socket;
	int timer;
	struct entry *entry;
	unsigned entry_count, entry_room;
	uint32_t *drop;
	unsigned drop_count, drop_room;
	struct engine engine[KEEPER_CONTEXT_MAX];
	char strike[STRIKES_KEPT][KEEPER_TEXT_MAX];
	unsigned strike_count, strikes_lost;
	bool rejoin_unsent, rejoined_unsent;
	bool finished, finished_sent;
	bool watching_out;
	uint64_t last_spawn_ms;
	uint64_t lost_at_ms;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the table ------------------------------------------------------------------------------------- */

static struct entry *find(const struct keeper_link *link, uint32_t tag)
{
	for (unsigned i = 0; i < link->entry_count; i++)
		if (link->entry[i].tag == tag)
			return &link->entry[i];
	return NULL;
}

static void table_put(struct keeper_link *link, uint32_t tag, int fd, bool unsent)
{
	struct entry *entry = find(link, tag);

	if (!entry) {
		if (link->entry_count == link->entry_room) {
			unsigned room = link->entry_room ? 2 * link->entry_room : 64;
			struct entry *grown = realloc(link->entry, room * sizeof(*grown));
			if (!grown) {
				log_error("no memory for a descriptor table of %u entries", room);
				abort();
			}
			link->entry = grown;
			link->entry_room = room;
		}
		entry = &link->entry[link->entry_count++];
		entry->tag = tag;
		entry->fd = -1;
	}
	if (entry->fd >= 0)
		close(entry->fd);
	entry->fd = fd;
	entry->unsent = unsent;
}

static bool table_remove(struct keeper_link *link, uint32_t tag)
{
	struct entry *entry = find(link, tag);

	if (!entry)
		return false;
	close(entry->fd);
	*entry = link->entry[--link->entry_count];
	return true;
}

static void drop_forget(struct keeper_link *link, uint32_t tag)
{
	for (unsigned i = 0; i < link->drop_count; i++)
		if (link->drop[i] == tag)
			link->drop[i--] = link->drop[--link->drop_count];
}

static void drop_note(struct keeper_link *link, uint32_t tag)
{
	drop_forget(link, tag);
	if (link->drop_count == link->drop_room) {
		unsigned room = link->drop_room ? 2 * link->drop_room : 64;
		uint32_t *grown = realloc(link->drop, room * sizeof(*grown));
		if (!grown)
			return; /* the keeper keeps a descriptor too many: harmless, the slot's end drops it */
		link->drop = grown;
		link->drop_room = room;
	}
	link->drop[link->drop_count++] = tag;
}

int keeper_link_fd(const struct keeper_link *link, uint32_t tag)
{
	const struct entry *entry = find(link, tag);

	return entry ? entry->fd : -1;
}

/* Engines' descriptors travel in ENGINE_IS; the keeper made them, so it never needs a STORE for them. */
static bool is_engine_tag(uint32_t tag)
{
	return KEEPER_TAG_KIND(tag) >= KEEPER_FD_ENGINE_CHANNEL && KEEPER_TAG_KIND(tag) <= KEEPER_FD_ENGINE_PIDFD;
}

/* ---- sending ----------------------------------------------------------------------------------------- */

static void watch(struct keeper_link *link, bool out)
{
	struct epoll_event event = {.events = EPOLLIN | (out ? EPOLLOUT : 0u), .data.u64 = KEEPER_LINK_EVENT_SOCKET};

	if (link->socket < 0 || link->watching_out == out)
		return;
	if (!epoll_ctl(link->wiring.epoll_fd, EPOLL_CTL_MOD, link->socket, &event))
		link->watching_out = out;
}

static int send_message(struct keeper_link *link, struct keeper_message *message, const char *text, const int *fds,
			unsigned fd_count)
{
	uint8_t bytes[sizeof(*message) + KEEPER_TEXT_MAX];

	message->slot = link->wiring.slot;
	message->bytes = text ? (uint32_t)strnlen(text, KEEPER_TEXT_MAX) : 0;
	memcpy(bytes, message, sizeof(*message));
	if (text)
		memcpy(bytes + sizeof(*message), text, message->bytes);
	return seqpacket_send(link->socket, bytes, sizeof(*message) + message->bytes, fds, fd_count);
}

static int send_op(struct keeper_link *link, enum keeper_op op, uint32_t context, int64_t value)
{
	struct keeper_message message = {.op = op, .context = context, .value = value};

	return send_message(link, &message, NULL, NULL, 0);
}

static int flush_drops(struct keeper_link *link)
{
	while (link->drop_count) {
		struct keeper_message message = {.op = KEEPER_DROP};

		while (message.tag_count < KEEPER_TAGS_PER_MESSAGE && message.tag_count < link->drop_count) {
			message.tags[message.tag_count] = link->drop[link->drop_count - 1 - message.tag_count];
			message.tag_count++;
		}
		int error = send_message(link, &message, NULL, NULL, 0);
		if (error)
			return error;
		link->drop_count -= message.tag_count;
	}
	return 0;
}

static int flush_entries(struct keeper_link *link)
{
	unsigned next = 0;

	while (next < link->entry_count) {
		struct keeper_message message = {.op = KEEPER_STORE};
		struct entry *sent[SEQPACKET_FDS_MAX];
		int fds[SEQPACKET_FDS_MAX];
		unsigned count = 0;

		for (; next < link->entry_count && count < SEQPACKET_FDS_MAX; next++) {
			struct entry *entry = &link->entry[next];
			if (!entry->unsent || is_engine_tag(entry->tag))
				continue;
			message.tags[count] = entry->tag;
			fds[count] = entry->fd;
			sent[count++] = entry;
		}
		if (!count)
			break;
		message.tag_count = count;
		int error = send_message(link, &message, NULL, fds, count);
		if (error)
			return error;
		while (count)
			sent[--count]->unsent = false;
	}
	return 0;
}

static int flush_engines_are(struct keeper_link *link)
{
	static const uint32_t kinds[] = {KEEPER_FD_ENGINE_CHANNEL, KEEPER_FD_ENGINE_DOORBELL, KEEPER_FD_ENGINE_COMPLETION,
					 KEEPER_FD_ENGINE_STATUS, KEEPER_FD_ENGINE_PIDFD};

	for (uint32_t c = 0; c < KEEPER_CONTEXT_MAX; c++) {
		struct engine *engine = &link->engine[c];
		struct keeper_message message = {.op = KEEPER_ENGINE_IS, .context = c, .value = engine->pid};
		int fds[5];

		if (!engine->is_unsent)
			continue;
		for (unsigned k = 0; k < 5; k++) {
			int fd = keeper_link_fd(link, KEEPER_TAG(kinds[k], c));
			if (fd < 0)
				continue;
			message.tags[message.tag_count] = KEEPER_TAG(kinds[k], c);
			fds[message.tag_count++] = fd;
		}
		int error = send_message(link, &message, NULL, fds, message.tag_count);
		if (error)
			return error;
		engine->is_unsent = false;
	}
	return 0;
}

static int flush_wishes(struct keeper_link *link)
{
	int error;

	for (uint32_t c = 0; c < KEEPER_CONTEXT_MAX; c++) {
		struct engine *engine = &link->engine[c];

		if (engine->wish == WISH_NONE || engine->wish_sent)
			continue;
		error = send_op(link, engine->wish == WISH_START ? KEEPER_ENGINE_START : KEEPER_ENGINE_KILL, c, 0);
		if (error)
			return error;
		engine->wish_sent = true;
	}
	while (link->strike_count) {
		struct keeper_message message = {.op = KEEPER_STRIKE, .value = link->strikes_lost};

		error = send_message(link, &message, link->strike[link->strike_count - 1], NULL, 0);
		if (error)
			return error;
		link->strike_count--;
		link->strikes_lost = 0;
	}
	if (link->finished && !link->finished_sent) {
		error = send_op(link, KEEPER_FINISHED, 0, 0);
		if (error)
			return error;
		link->finished_sent = true;
	}
	return 0;
}

static int flush_all(struct keeper_link *link)
{
	int error;

	if (link->rejoin_unsent) {
		error = send_op(link, KEEPER_REJOIN, 0, getpid());
		if (error)
			return error;
		link->rejoin_unsent = false;
	}
	error = flush_drops(link);
	if (!error)
		error = flush_entries(link);
	if (!error)
		error = flush_engines_are(link);
	if (error)
		return error;
	if (link->rejoined_unsent) {
		error = send_op(link, KEEPER_REJOINED, 0, 0);
		if (error)
			return error;
		link->rejoined_unsent = false;
		link->state = LINK_JOINED;
		log_info("rejoined a new keeper after %llu ms", (unsigned long long)(now_ms() - link->lost_at_ms));
	}
	return flush_wishes(link);
}

static void lose(struct keeper_link *link);

/* Sends what is unsent. wait: return only when all of it is in the socket, or the keeper is given up. */
static void flush(struct keeper_link *link, bool wait)
{
	uint64_t give_up_ms = now_ms() + STORE_TIMEOUT_MS;

	while (link->state != LINK_LOST) {
		int error = flush_all(link);

		if (!error) {
			watch(link, false);
			return;
		}
		if (error != -EAGAIN) {
			lose(link);
			return;
		}
		if (!wait || link->state == LINK_REJOINING) {
			watch(link, true);
			return;
		}
		struct pollfd p = {.fd = link->socket, .events = POLLOUT};
		if (now_ms() >= give_up_ms) {
			log_error("the keeper has not read its messages for %d ms: taken as dead", STORE_TIMEOUT_MS);
			lose(link);
			return;
		}
		poll(&p, 1, 100);
	}
}

/* ---- a new keeper --------------------------------------------------------------------------------------- */

/* The grandchild is nobody's child here, so that it needs no reaping and outlives this process. */
static void spawn_keeper(struct keeper_link *link)
{
	const char *program = link->wiring.keeper_program;
	pid_t child;

	link->last_spawn_ms = now_ms();
	if (!program)
		return;
	child = fork();
	if (child < 0) {
		log_warning("starting %s failed: %s; trying again", program, strerror(errno));
		return;
	}
	if (child) {
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
		return;
	}
	setsid();
	if (fork())
		_exit(0);
	/* Everything of ours is CLOEXEC; this also covers what a library might have opened. */
	syscall(SYS_close_range, 3u, ~0u, 0u);
	signal(SIGBUS, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	char *arguments[] = {(char *)program, (char *)"--dir", (char *)link->wiring.dir, NULL};
	execv(program, arguments);
	_exit(127);
}

static void arm_retry(struct keeper_link *link, long delay_ms)
{
	struct itimerspec when = {.it_value = {.tv_sec = delay_ms / 1000, .tv_nsec = delay_ms % 1000 * 1000000}};

	timerfd_settime(link->timer, 0, &when, NULL);
}

static void lose(struct keeper_link *link)
{
	if (link->socket >= 0) {
		epoll_ctl(link->wiring.epoll_fd, EPOLL_CTL_DEL, link->socket, NULL);
		close(link->socket);
		link->socket = -1;
	}
	if (link->state == LINK_JOINED) {
		link->lost_at_ms = now_ms();
		log_warning("the keeper is gone: starting another");
	}
	link->state = LINK_LOST;
	link->watching_out = false;
	link->drop_count = 0;	/* the new keeper never had them */
	if (!link->last_spawn_ms || now_ms() - link->last_spawn_ms >= SPAWN_INTERVAL_MS)
		spawn_keeper(link);
	arm_retry(link, 1);
}

static void join(struct keeper_link *link)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = KEEPER_LINK_EVENT_SOCKET};
	int fd;

	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/keeper.sock", link->wiring.dir) >=
	    (int)sizeof(address.sun_path)) {
		log_error("%s/keeper.sock is too long for a socket address", link->wiring.dir);
		return;
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    epoll_ctl(link->wiring.epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		if (fd >= 0)
			close(fd);
		if (now_ms() - link->last_spawn_ms >= SPAWN_INTERVAL_MS)
			spawn_keeper(link);
		arm_retry(link, RETRY_MS);
		return;
	}
	link->socket = fd;
	link->state = LINK_REJOINING;
	link->rejoin_unsent = true;
	link->rejoined_unsent = true;
	link->finished_sent = false;
	for (unsigned i = 0; i < link->entry_count; i++)
		link->entry[i].unsent = true;
	for (unsigned c = 0; c < KEEPER_CONTEXT_MAX; c++) {
		link->engine[c].is_unsent = link->engine[c].alive;
		link->engine[c].wish_sent = false;
	}
	flush(link, false);
}

/* ---- receiving ---------------------------------------------------------------------------------------- */

/* Puts what came along into the table; takes all fds. */
static void take_given(struct keeper_link *link, const struct keeper_message *message, const int *fds, unsigned fd_count)
{
	for (unsigned i = 0; i < fd_count; i++) {
		if (i < message->tag_count && i < KEEPER_TAGS_PER_MESSAGE) {
			drop_forget(link, message->tags[i]);
			table_put(link, message->tags[i], fds[i], false);
		} else {
			close(fds[i]);
		}
	}
}

static void engine_started(struct keeper_link *link, const struct keeper_message *message)
{
	struct engine *engine = &link->engine[message->context];
	uint32_t pidfd_tag = KEEPER_TAG(KEEPER_FD_ENGINE_PIDFD, message->context);

	engine->alive = true;
	engine->pid = message->value;
	if (engine->wish == WISH_START)
		engine->wish = WISH_NONE;
	/* Opened while the keeper, its parent, has not reaped it: the number cannot be another process's. */
	if (keeper_link_fd(link, pidfd_tag) < 0 && message->value > 0) {
		int fd = (int)syscall(SYS_pidfd_open, (pid_t)message->value, 0u);
		if (fd >= 0)
			table_put(link, pidfd_tag, fd, false);
	}
	link->wiring.engine_started(link->wiring.data, message->context, message->value);
}

static void engine_died(struct keeper_link *link, const struct keeper_message *message)
{
	struct engine *engine = &link->engine[message->context];
	/* The wish a DIED answers: a START that failed or a KILL. An order given after this DIED was sent is
	 * given again by whoever gave it, upon the call below. */
	engine->alive = false;
	engine->wish = WISH_NONE;
	for (uint32_t kind = KEEPER_FD_ENGINE_CHANNEL; kind <= KEEPER_FD_ENGINE_PIDFD; kind++)
		table_remove(link, KEEPER_TAG(kind, message->context));
	/* The acknowledgement: from here on a takeover is not told of this death again, nor given its channel. Goes out before
	 * any order that the call below gives for the context's next engine. */
	if (link->state != LINK_LOST)
		drop_note(link, KEEPER_TAG(KEEPER_FD_ENGINE_CHANNEL, message->context));
	link->wiring.engine_died(link->wiring.data, message->context, message->value);
	/* In the socket before this process serves its guest again. */
	flush(link, true);
}

/* Peeks, acts, consumes. 0: one was handled. 1: GIVEN. -EAGAIN: none there. -EPIPE: the keeper is gone. */
static int receive_one(struct keeper_link *link)
{
	struct {
		struct keeper_message message;
		char text[KEEPER_TEXT_MAX];
	} in, consumed;
	int fds[SEQPACKET_FDS_MAX];
	unsigned fd_count;
	int socket = link->socket;
	bool given = false;
	ssize_t got = seqpacket_receive(socket, &in, sizeof(in), true, fds, &fd_count);

	if (got == -EAGAIN)
		return -EAGAIN;
	if (got == -EMSGSIZE) {
		log_warning("the keeper sent a message longer than %zu bytes: ignored", sizeof(in));
		goto consume;
	}
	if (got <= 0)
		return -EPIPE;
	if ((size_t)got < sizeof(in.message) || in.message.context >= KEEPER_CONTEXT_MAX) {
		log_warning("the keeper sent a malformed message of %zd bytes: ignored", got);
		for (unsigned i = 0; i < fd_count; i++)
			close(fds[i]);
		goto consume;
	}
	take_given(link, &in.message, fds, fd_count);
	switch (in.message.op) {
	case KEEPER_HELLO:
	case KEEPER_GIVE:
		break;
	case KEEPER_GIVEN:
		given = true;
		break;
	case KEEPER_ENGINE_STARTED:
		engine_started(link, &in.message);
		break;
	case KEEPER_ENGINE_DIED:
		engine_died(link, &in.message);
		break;
	default:
		log_warning("the keeper sent message %u, which this build does not know: ignored", in.message.op);
	}
consume:
	/* Acting may have found the keeper dead: then its socket is gone, and the message with it. */
	if (link->socket == socket)
		(void)!recv(socket, &consumed, sizeof(consumed), MSG_DONTWAIT);
	return given;
}

int keeper_link_receive_all(struct keeper_link *link)
{
	uint64_t give_up_ms = now_ms() + RECEIVE_TIMEOUT_MS;

	for (;;) {
		struct pollfd p = {.fd = link->socket, .events = POLLIN};
		int result = receive_one(link);

		if (result == 1)
			return 0;
		if (result == -EPIPE) {
			log_error("the keeper ended before it had given all descriptors");
			return -EPROTO;
		}
		if (now_ms() >= give_up_ms) {
			log_error("the keeper has not given its descriptors within %d ms", RECEIVE_TIMEOUT_MS);
			return -ETIMEDOUT;
		}
		if (result == -EAGAIN)
			poll(&p, 1, 100);
	}
}

/* ---- the loop's side ------------------------------------------------------------------------------------- */

int keeper_link_create(const struct keeper_link_wiring *wiring, struct keeper_link **ret_link)
{
	struct keeper_link *link = calloc(1, sizeof(*link));
	int error;

	if (!link) {
		close(wiring->socket);
		return -ENOMEM;
	}
	link->wiring = *wiring;
	link->socket = wiring->socket;
	link->state = LINK_JOINED;
	link->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (link->timer < 0 || fcntl(link->socket, F_SETFD, FD_CLOEXEC) || fcntl(link->socket, F_SETFL, O_NONBLOCK)) {
		error = -errno;
		keeper_link_destroy(link);
		return error;
	}
	*ret_link = link;
	return 0;
}

void keeper_link_destroy(struct keeper_link *link)
{
	if (!link)
		return;
	for (unsigned i = 0; i < link->entry_count; i++)
		close(link->entry[i].fd);
	if (link->socket >= 0)
		close(link->socket);
	if (link->timer >= 0)
		close(link->timer);
	free(link->entry);
	free(link->drop);
	free(link);
}

int keeper_link_begin(struct keeper_link *link)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = KEEPER_LINK_EVENT_RETRY};

	if (epoll_ctl(link->wiring.epoll_fd, EPOLL_CTL_ADD, link->timer, &event))
		return -errno;
	if (link->state == LINK_LOST)
		return 0;
	event.data.u64 = KEEPER_LINK_EVENT_SOCKET;
	return epoll_ctl(link->wiring.epoll_fd, EPOLL_CTL_ADD, link->socket, &event) ? -errno : 0;
}

void keeper_link_event(struct keeper_link *link, uint64_t data)
{
	if (data == KEEPER_LINK_EVENT_RETRY) {
		uint64_t expirations;

		if (read(link->timer, &expirations, sizeof(expirations)) > 0 && link->state == LINK_LOST)
			join(link);
		return;
	}
	while (link->state != LINK_LOST) {
		int result = receive_one(link);

		if (result == -EAGAIN)
			break;
		if (result == -EPIPE)
			lose(link);
	}
	flush(link, false);
}

bool keeper_link_finished(struct keeper_link *link)
{
	link->finished = true;
	flush(link, true);
	/* Client and keeper both gone for long: nobody is left to tell, and nothing to keep. */
	if (link->state == LINK_LOST && now_ms() - link->lost_at_ms > ABANDONED_MS)
		return true;
	return link->finished_sent && link->state == LINK_JOINED;
}

void keeper_link_store(struct keeper_link *link, uint32_t tag, int fd)
{
	drop_forget(link, tag);
	table_put(link, tag, fd, true);
	flush(link, true);
}

void keeper_link_drop(struct keeper_link *link, uint32_t tag)
{
	if (!table_remove(link, tag) || link->state == LINK_LOST)
		return;
	drop_note(link, tag);
	flush(link, false);
}

static void wish(struct keeper_link *link, uint32_t context, enum wish what)
{
	struct engine *engine;

	assert(context < KEEPER_CONTEXT_MAX);
	engine = &link->engine[context];
	engine->wish = what;
	engine->wish_sent = false;
	flush(link, false);
}

void keeper_link_engine_start(struct keeper_link *link, uint32_t context)
{
	wish(link, context, WISH_START);
}

void keeper_link_engine_kill(struct keeper_link *link, uint32_t context)
{
	wish(link, context, WISH_KILL);
}

void keeper_link_strike(struct keeper_link *link, const char *format, ...)
{
	va_list arguments;

	if (link->strike_count == STRIKES_KEPT) {
		link->strikes_lost++;
		return;
	}
	va_start(arguments, format);
	vsnprintf(link->strike[link->strike_count], KEEPER_TEXT_MAX, format, arguments);
	va_end(arguments);
	log_warning("strike: %s", link->strike[link->strike_count]);
	link->strike_count++;
	flush(link, false);
}
