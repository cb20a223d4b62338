/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compiler/server.h"

#include <CL/cl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/engine/compile_protocol.h"
#include "mdev/engine/compiler/build_cache.h"
#include "mdev/engine/compute/device.h"
#include "mdev/ipc/seqpacket.h"
#include "mdev/log/log.h"
#include "shim/wire/wire.h"

#define CLIENTS_MAX 1024u
#define HELD_MAX_BYTES (96u << 20)	/* requests and answers of all clients */
#define BUILDER_DEATHS_MAX 3u

enum client_state {
	CLIENT_READS,		/* a request, or nothing yet */
	CLIENT_WAITS,		/* its request is whole */
	CLIENT_ANSWERED,	/* an answer is being sent */
};
struct client {
	int fd;			/* -1: gone, to be forgotten */
	struct compile_client name;
	enum client_state state;
	struct compile_request request;
	size_t header_used;
	uint8_t *input;		/* of the request; NULL and skipping: too much is held, its bytes are thrown away */
	size_t input_used;
	bool skipping;
	uint8_t key[SHA256_BYTES];
	uint8_t *answer;
	size_t answer_bytes, answer_sent;
	uint64_t arrival;	/* order among those that wait */
};

struct job {
	uint32_t number;	/* 0: this place is free */
	int pipe;
	uint8_t key[SHA256_BYTES];
	uint8_t *bytes;		/* what the build has written so far */
	size_t used, capacity;
	bool too_long;
};

struct server {
	const struct server_settings *settings;
	struct build_cache *cache;
	struct client *clients;
	unsigned client_count;
	size_t held_bytes;
	uint64_t arrivals;
	pid_t builder_pid;	/* 0: none runs */
	int builder_socket;
	bool builder_ready;
	unsigned builder_deaths;
	bool unusable;		/* no builder can be had: what is not kept is not available */
	uint64_t last_build_ns;
	uint32_t builds, last_number;
	struct job jobs[BUILDER_JOBS_MAX];
};

/* ---- clients ------------------------------------------------------------------------------------------ */

static void release(struct server *server, uint8_t **bytes, size_t count)
{
	if (*bytes)
		server->held_bytes -= count;
	free(*bytes);
	*bytes = NULL;
}

static void client_end(struct server *server, struct client *client)
{
	release(server, &client->input, (size_t)client->request.bytes);
	release(server, &client->answer, client->answer_bytes);
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

static void client_send(struct server *server, struct client *client)
{
	while (client->answer_sent < client->answer_bytes) {
		ssize_t sent = send(client->fd, client->answer + client->answer_sent, client->answer_bytes - client->answer_sent,
				    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (sent <= 0) {
			client_end(server, client);
			return;
		}
		client->answer_sent += (size_t)sent;
	}
	release(server, &client->answer, client->answer_bytes);
	client->state = CLIENT_READS;
	client->header_used = client->input_used = 0;
	client->skipping = false;
}

static void client_answer(struct server *server, struct client *client, uint32_t status, const void *reply, size_t bytes, bool from_cache)
{
	const struct compile_answer answer = {
		.magic = COMPILE_MAGIC, .status = status, .from_cache = from_cache, .builds = server->builds, .bytes = bytes};

	release(server, &client->input, (size_t)client->request.bytes);
	client->answer = malloc(sizeof(answer) + bytes);
	if (!client->answer) {
		client_end(server, client);
		return;
	}
	client->answer_bytes = sizeof(answer) + bytes;
	client->answer_sent = 0;
	server->held_bytes += client->answer_bytes;
	memcpy(client->answer, &answer, sizeof(answer));
	if (bytes)
		memcpy(client->answer + sizeof(answer), reply, bytes);
	client->state = CLIENT_ANSWERED;
	client_send(server, client);
}

static void name_build(const struct server *server, struct client *client)
{
	const uint64_t identity_bytes = server->settings->identity_bytes;
	const uint32_t how[2] = {client->request.kind, client->request.part_count};
	struct sha256 sha;

	sha256_begin(&sha);
	sha256_add(&sha, &identity_bytes, sizeof(identity_bytes));
	sha256_add(&sha, server->settings->identity, identity_bytes);
	sha256_add(&sha, how, sizeof(how));
	sha256_add(&sha, client->input, (size_t)client->request.bytes);
	sha256_end(&sha, client->key);
}

/* True if the request was answered. */
static bool answer_from_cache(struct server *server, struct client *client)
{
	uint32_t bytes;
	const void *reply = build_cache_find(server->cache, client->key, &bytes);

	if (reply)
		client_answer(server, client, COMPILE_DONE, reply, bytes, true);
	return reply;
}

static void request_whole(struct server *server, struct client *client)
{
	if (client->skipping) {
		client_answer(server, client, COMPILE_UNAVAILABLE, NULL, 0, false);
		return;
	}
	name_build(server, client);
	if (answer_from_cache(server, client))
		return;
	client->state = CLIENT_WAITS;
	client->arrival = ++server->arrivals;
}

/* False: no request. */
static bool header_whole(struct server *server, struct client *client)
{
	const struct compile_request *r = &client->request;

	if (r->magic != COMPILE_MAGIC || r->reserved || !r->bytes || r->bytes > COMPILE_REQUEST_MAX_BYTES || r->part_count > COMPILE_PARTS_MAX)
		return false;
	client->skipping = server->held_bytes + r->bytes > HELD_MAX_BYTES;
	if (!client->skipping) {
		client->input = malloc((size_t)r->bytes);
		client->skipping = !client->input;
		server->held_bytes += client->input ? (size_t)r->bytes : 0;
	}
	return true;
}

/* One read. recv, not recvmsg with room for them: descriptors that an engine sends are closed by the kernel. */
static void client_read(struct server *server, struct client *client)
{
	uint8_t skipped[65536], *to = (uint8_t *)&client->request + client->header_used;
	size_t left = sizeof(client->request) - client->header_used;
	bool in_header = left;

	if (!in_header) {
		left = (size_t)client->request.bytes - client->input_used;
		to = client->skipping ? skipped : client->input + client->input_used;
		if (client->skipping && left > sizeof(skipped))
			left = sizeof(skipped);
	}
	ssize_t got = recv(client->fd, to, left, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		client_end(server, client);
		return;
	}
	if (in_header) {
		client->header_used += (size_t)got;
		if (client->header_used == sizeof(client->request) && !header_whole(server, client)) {
			log_warning("slot %u context %u: what its engine sent is no request; its connection ends", client->name.slot,
				    client->name.context);
			client_end(server, client);
		}
		return;
	}
	client->input_used += (size_t)got;
	if (client->input_used == client->request.bytes)
		request_whole(server, client);
}

/* ---- jobs --------------------------------------------------------------------------------------------- */

static struct job *job_of_key(struct server *server, const uint8_t key[SHA256_BYTES])
{
	for (struct job *job = server->jobs; job < server->jobs + BUILDER_JOBS_MAX; job++)
		if (job->number && !memcmp(job->key, key, SHA256_BYTES))
			return job;
	return NULL;
}

static void job_free(struct job *job)
{
	if (job->pipe >= 0)
		close(job->pipe);
	free(job->bytes);
	*job = (struct job){.pipe = -1};
}

static void answer_all(struct server *server, const uint8_t *key, uint32_t status, const void *reply, size_t bytes)
{
	for (unsigned i = 0; i < server->client_count; i++) {
		struct client *client = &server->clients[i];
		if (client->fd >= 0 && client->state == CLIENT_WAITS && (!key || !memcmp(client->key, key, SHA256_BYTES)))
			client_answer(server, client, status, reply, bytes, false);
	}
}

/* Not kept: another attempt may do better. */
static void job_failed(struct server *server, const struct job *job, int status)
{
	struct {
		struct wire_build_reply reply;
		char log[256];
	} failure = {.reply = {.error = CL_BUILD_PROGRAM_FAILURE, .build_status = CL_BUILD_ERROR}};

	if (job->too_long)
		snprintf(failure.log, sizeof(failure.log), "vGPU: what this build has to say is longer than %u bytes", COMPILE_REPLY_MAX_BYTES);
	else if (status > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		snprintf(failure.log, sizeof(failure.log), "vGPU: the compiler was stopped; it may take %u s of processor time",
			 server->settings->builder.cpu_limit_s);
	else if (status > 0 && WIFSIGNALED(status))
		snprintf(failure.log, sizeof(failure.log), "vGPU: the compiler ended by signal %d", WTERMSIG(status));
	else
		snprintf(failure.log, sizeof(failure.log), "vGPU: the compiler ended without a result");
	log_warning("%s", failure.log);
	failure.reply.log_bytes = (uint32_t)strlen(failure.log);
	answer_all(server, job->key, COMPILE_DONE, &failure, sizeof(failure.reply) + ((failure.reply.log_bytes + 7) & ~7u));
}

static void job_read(struct job *job)
{
	const size_t most = sizeof(struct builder_result) + COMPILE_REPLY_MAX_BYTES;

	for (;;) {
		if (job->used == job->capacity) {
			size_t capacity = job->capacity ? job->capacity * 2 : 65536;
			uint8_t *grown = job->capacity >= most ? NULL : realloc(job->bytes, capacity);
			if (!grown) {	/* its next write ends it */
				job->too_long = true;
				close(job->pipe);
				job->pipe = -1;
				return;
			}
			job->bytes = grown;
			job->capacity = capacity;
		}
		ssize_t got = read(job->pipe, job->bytes + job->used, job->capacity - job->used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			if (!got || errno != EAGAIN) {
				close(job->pipe);
				job->pipe = -1;
			}
			return;
		}
		job->used += (size_t)got;
	}
}

static void job_ended(struct server *server, uint32_t number, int status)
{
	struct job *job = server->jobs;
	struct builder_result result;

	while (job < server->jobs + BUILDER_JOBS_MAX && (!number || job->number != number))
		job++;
	if (job == server->jobs + BUILDER_JOBS_MAX)
		return;
	if (job->pipe >= 0)
		job_read(job);
	server->last_build_ns = clock_now_ns();
	if (!status && !job->too_long && job->used >= sizeof(result)) {
		memcpy(&result, job->bytes, sizeof(result));
		const uint8_t *reply = job->bytes + sizeof(result);
		if (result.magic != BUILDER_RESULT_MAGIC || result.bytes != job->used - sizeof(result) || result.bytes > COMPILE_REPLY_MAX_BYTES ||
		    (!result.error && result.bytes < sizeof(struct wire_build_reply))) {
			job_failed(server, job, -1);
		} else if (result.error) {
			answer_all(server, job->key, COMPILE_UNAVAILABLE, NULL, 0);
		} else {
			log_debug("build %u: %llu bytes of reply are kept", number, (unsigned long long)result.bytes);
			build_cache_keep(server->cache, job->key, reply, (uint32_t)result.bytes);
			answer_all(server, job->key, COMPILE_DONE, reply, (size_t)result.bytes);
		}
	} else {
		job_failed(server, job, status);
	}
	job_free(job);
}

/* ---- the builder ----------------------------------------------------------------------------------------- */

static void builder_need(struct server *server)
{
	int r;

	if (server->builder_pid || server->unusable)
		return;
	r = builder_start(&server->settings->builder, &server->builder_pid, &server->builder_socket);
	if (r) {
		log_warning("the builder cannot be started: %s", strerror(-r));
		server->builder_pid = 0;
		server->unusable = true;
		return;
	}
	server->builder_ready = false;
	server->last_build_ns = clock_now_ns();
}

/* It has died, or is sent away. */
static void builder_gone(struct server *server, bool died)
{
	close(server->builder_socket);
	server->builder_socket = -1;
	server->builder_pid = 0;
	if (died && (!server->builder_ready || ++server->builder_deaths == BUILDER_DEATHS_MAX)) {
		log_warning("engines of this vGPU build by themselves from now on: %s", server->builder_ready ? "the builder died again and again" :
				    "there is no builder");
		server->unusable = true;
	}
	server->builder_ready = false;
	for (struct job *job = server->jobs; job < server->jobs + BUILDER_JOBS_MAX; job++) {
		if (job->number) {
			job_failed(server, job, -1);
			job_free(job);
		}
	}
}

static void builder_heard(struct server *server)
{
	struct builder_word word;
	int fds[SEQPACKET_FDS_MAX];
	unsigned fd_count;
	ssize_t got = seqpacket_receive(server->builder_socket, &word, sizeof(word), false, fds, &fd_count);

	for (unsigned i = 0; i < fd_count; i++)
		close(fds[i]);
	if (got == sizeof(word) && word.op == BUILDER_READY)
		server->builder_ready = true;
	else if (got == sizeof(word) && word.op == BUILDER_ENDED)
		job_ended(server, word.number, word.status);
	else if (got <= 0 && got != -EAGAIN)
		builder_gone(server, true);
}

static bool write_input(int fd, const struct client *client)
{
	size_t done = 0;

	while (done < client->request.bytes) {
		ssize_t written = write(fd, client->input + done, (size_t)client->request.bytes - done);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		done += (size_t)written;
	}
	return true;
}

static int job_start(struct server *server, struct job *job, const struct client *client)
{
	const struct builder_job message = {.number = server->last_number + 1 ? server->last_number + 1 : 1, .kind = client->request.kind,
					    .part_count = client->request.part_count, .bytes = client->request.bytes};
	int ends[2], input = memfd_create("vgpu-build", MFD_CLOEXEC), r;

	if (input < 0)
		return -errno;
	if (!write_input(input, client) || pipe2(ends, O_CLOEXEC)) {
		r = -errno;
		close(input);
		return r;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	r = seqpacket_send(server->builder_socket, &message, sizeof(message), (const int[]){input, ends[1]}, 2);
	close(input);
	close(ends[1]);
	if (r) {
		close(ends[0]);
		return r;
	}
	server->last_number = message.number;
	server->builds++;
	*job = (struct job){.number = message.number, .pipe = ends[0]};
	memcpy(job->key, client->key, SHA256_BYTES);
	return 0;
}

static struct client *longest_waiting(struct server *server)
{
	struct client *first = NULL;

	for (unsigned i = 0; i < server->client_count; i++) {
		struct client *client = &server->clients[i];
		if (client->fd >= 0 && client->state == CLIENT_WAITS && !job_of_key(server, client->key) &&
		    (!first || client->arrival < first->arrival))
			first = client;
	}
	return first;
}

/* As many of those that wait as may be built at once, in the order they came. */
static void start_jobs(struct server *server)
{
	struct client *client;

	while ((client = longest_waiting(server))) {
		struct job *job = server->jobs;
		builder_need(server);
		if (server->unusable) {
			answer_all(server, NULL, COMPILE_UNAVAILABLE, NULL, 0);
			return;
		}
		while (job < server->jobs + BUILDER_JOBS_MAX && job->number)
			job++;
		if (!server->builder_ready || job == server->jobs + BUILDER_JOBS_MAX)
			return;
		if (job_start(server, job, client))
			client_answer(server, client, COMPILE_UNAVAILABLE, NULL, 0, false);
	}
}

static bool is_building(const struct server *server)
{
	for (const struct job *job = server->jobs; job < server->jobs + BUILDER_JOBS_MAX; job++)
		if (job->number)
			return true;
	return false;
}

/* ---- the loop ----------------------------------------------------------------------------------------------- */

/* False: the keeper is gone. */
static bool keeper_heard(struct server *server)
{
	struct compile_client name;
	int fds[SEQPACKET_FDS_MAX];
	unsigned fd_count;
	ssize_t got = seqpacket_receive(server->settings->keeper_fd, &name, sizeof(name), false, fds, &fd_count);
	bool is_good = got == sizeof(name) && fd_count == 1 && server->client_count < CLIENTS_MAX;

	if (is_good) {
		struct client *grown = realloc(server->clients, (server->client_count + 1) * sizeof(*grown));
		is_good = grown;
		if (grown) {
			server->clients = grown;
			server->clients[server->client_count++] = (struct client){.fd = fds[0], .name = name};
		}
	}
	for (unsigned i = is_good; i < fd_count; i++)
		close(fds[i]);
	return got > 0 || got == -EAGAIN || got == -EMSGSIZE;
}

static void forget_ended(struct server *server)
{
	for (unsigned i = 0; i < server->client_count;) {
		if (server->clients[i].fd < 0)
			server->clients[i] = server->clients[--server->client_count];
		else
			i++;
	}
}

/* Jobs, then builder and keeper, then clients, whose number may grow meanwhile. */
static unsigned fill_polled(const struct server *server, struct pollfd *polled)
{
	unsigned count = 0;

	for (unsigned i = 0; i < BUILDER_JOBS_MAX; i++)
		polled[count++] = (struct pollfd){.fd = server->jobs[i].pipe, .events = POLLIN};
	polled[count++] = (struct pollfd){.fd = server->builder_socket, .events = POLLIN};
	polled[count++] = (struct pollfd){.fd = server->settings->keeper_fd, .events = POLLIN};
	for (unsigned i = 0; i < server->client_count; i++) {
		static const short events[] = {[CLIENT_READS] = POLLIN, [CLIENT_WAITS] = 0, [CLIENT_ANSWERED] = POLLOUT};
		polled[count++] = (struct pollfd){.fd = server->clients[i].fd, .events = events[server->clients[i].state]};
	}
	return count;
}

static void attend_client(struct server *server, unsigned index, short revents)
{
	struct client *client = &server->clients[index];

	if (client->fd < 0 || !revents)
		return;
	if (client->state == CLIENT_WAITS)	/* nothing is asked of it: it hung up */
		client_end(server, client);
	else if (client->state == CLIENT_ANSWERED)
		client_send(server, client);
	else
		client_read(server, client);
}

static bool turn(struct server *server, struct pollfd *polled)
{
	unsigned client_count = server->client_count, count = fill_polled(server, polled);
	bool goes_on = true;

	poll(polled, count, server->builder_pid ? 1000 : -1);
	for (unsigned i = 0; i < BUILDER_JOBS_MAX; i++)
		if (polled[i].revents && server->jobs[i].pipe >= 0)
			job_read(&server->jobs[i]);
	if (polled[BUILDER_JOBS_MAX].revents)
		builder_heard(server);
	if (polled[BUILDER_JOBS_MAX + 1].revents)
		goes_on = keeper_heard(server);
	for (unsigned i = 0; i < client_count; i++)
		attend_client(server, i, polled[BUILDER_JOBS_MAX + 2 + i].revents);
	forget_ended(server);
	start_jobs(server);
	if (server->builder_ready && !is_building(server) && clock_now_ns() - server->last_build_ns > server->settings->idle_ms * 1000000ull)
		builder_gone(server, false);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return goes_on;
}

int server_run(const struct server_settings *settings)
{
	struct server *server = calloc(1, sizeof(*server));
	struct pollfd *polled = calloc(BUILDER_JOBS_MAX + 2 + CLIENTS_MAX, sizeof(*polled));
	int r = server && polled ? 0 : -ENOMEM;

	if (!r) {
		server->settings = settings;
		server->builder_socket = -1;
		for (unsigned i = 0; i < BUILDER_JOBS_MAX; i++)
			server->jobs[i].pipe = -1;
		r = build_cache_open(settings->cache, settings->cache_bytes, &server->cache);
	}
	if (!r) {
		log_debug("the compile helper serves, %zu bytes of results are kept", build_cache_used(server->cache));
		while (turn(server, polled))
			;
		if (server->builder_pid)
			builder_gone(server, false);
		for (unsigned i = 0; i < server->client_count; i++)
			client_end(server, &server->clients[i]);
		free(server->clients);
		build_cache_close(server->cache);
	}
	free(polled);
	free(server);
	return r;
}
