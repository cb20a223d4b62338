/* SPDX-License-Identifier: MIT */
/*
 * vgpud: the control plane. One event loop (sd-event) for the API, the keepers and the state; one thread more for leases.
 *
 * It links no GPU library: OpenCL devices are looked at by a child. It may be killed at any time: what it has acknowledged is in the
 * state folder, what runs goes on, and the next vgpud finds it under the runtime folder. A lock on that folder keeps two
 * from running at once. SIGTERM and SIGINT end it; the vGPUs run on, unless --stop-vgpus-on-exit says otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "mdev/api/api.h"
#include "mdev/child.h"
#include "mdev/daemon_options.h"
#include "mdev/folder.h"
#include "mdev/log/log.h"
#include "mdev/refusal.h"
#include "mdev/service.h"

struct daemon {
	struct daemon_options options;
	sd_event *loop;
	struct service *service;
	struct api *api;
	int lock_fd;
	int listen_fd;
	bool is_activated;	/* the listening socket came from systemd, and stays there */
	bool is_ending;
	sd_event_source *end_deferred;
};

/* Makes the runtime folder and locks it. 0 or -errno, said. */
static int lock_runtime(struct daemon *daemon)
{
	char path[512];
	int error = folder_make(daemon->options.runtime_dir, 0755);

	if (error) {
		log_error("cannot make the folder %s: %s; %s", daemon->options.runtime_dir, strerror(-error), refusal_disk_hint(error));
		return error;
	}
	snprintf(path, sizeof(path), "%s/vgpud.lock", daemon->options.runtime_dir);
	daemon->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (daemon->lock_fd < 0) {
		error = -errno;
		log_error("cannot open %s: %s; %s", path, strerror(-error), refusal_disk_hint(error));
		return error;
	}
	if (flock(daemon->lock_fd, LOCK_EX | LOCK_NB)) {
		error = -errno;
		log_error("another vgpud runs in %s; end it first, or give this one another --runtime-dir and --state-dir",
			  daemon->options.runtime_dir);
		return error;
	}
	return 0;
}

/* The socket given by systemd, or one of our own: whoever connects before GPUs are known waits in its backlog. */
static int listen_api(struct daemon *daemon)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int error, given = sd_listen_fds(1);

	if (given > 0) {
		daemon->listen_fd = SD_LISTEN_FDS_START;
		daemon->is_activated = true;
		if (given == 1 && sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, NULL, 0) > 0)
			return 0;
		log_error("the socket unit must hand over one UNIX stream socket; it handed over %d descriptors", given);
		return -EINVAL;
	}
	strcpy(address.sun_path, daemon->options.socket);	/* its length was checked with the options */
	daemon->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (daemon->listen_fd < 0)
		goto fail;
	/* The lock is ours: a socket file there is of a vgpud that was killed. */
	if (unlink(address.sun_path) && errno != ENOENT)
		goto fail;
	mode_t former = umask(0117);
	int bound = bind(daemon->listen_fd, (struct sockaddr *)&address, sizeof(address));
	error = errno;
	umask(former);
	errno = error;
	if (!bound && !listen(daemon->listen_fd, 128))
		return 0;
fail:
	error = -errno;
	log_error("cannot listen on %s: %s", daemon->options.socket, strerror(-error));
	return error;
}

static void on_stopped(void *data)
{
	struct daemon *daemon = data;

	sd_event_exit(daemon->loop, 0);
}

static int on_end(sd_event_source *source, void *data)
{
	struct daemon *daemon = data;

	(void)source;
	sd_notify(0, "STOPPING=1");
	if (!daemon->options.stop_vgpus_on_exit)
		return sd_event_exit(daemon->loop, 0);
	log_info("stopping the vGPUs");
	service_stop_vgpus(daemon->service, on_stopped, daemon);
	return 0;
}

/* Later, from the loop: an API call in progress gets its answer first. */
static void end_soon(bool with_vgpus, void *data)
{
	struct daemon *daemon = data;

	if (with_vgpus)
		daemon->options.stop_vgpus_on_exit = true;
	if (daemon->is_ending)
		return;
	daemon->is_ending = true;
	if (sd_event_add_defer(daemon->loop, &daemon->end_deferred, on_end, daemon) < 0)
		sd_event_exit(daemon->loop, 1);
	else
		sd_event_source_set_priority(daemon->end_deferred, SD_EVENT_PRIORITY_IDLE);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	(void)source;
	log_info("signal %u: ending", info->ssi_signo);
	end_soon(false, data);
	return 0;
}

static void on_ready(void *data)
{
	struct daemon *daemon = data;
	char why[256];

	if (daemon->is_ending)
		return;
	if (api_create(daemon->loop, daemon->listen_fd, daemon->service, end_soon, daemon, &daemon->api, why)) {
		log_error("%s", why);
		sd_event_exit(daemon->loop, 1);
		return;
	}
	log_info("ready on %s", daemon->is_activated ? "the socket of its unit" : daemon->options.socket);
	sd_notify(0, "READY=1");
}

static int set_up_loop(struct daemon *daemon)
{
	sigset_t set;
	int r = sd_event_new(&daemon->loop);

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (r < 0 || sigprocmask(SIG_BLOCK, &set, NULL))
		return r < 0 ? r : -errno;
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_add_signal(daemon->loop, NULL, SIGTERM, on_signal, daemon);
	if (r >= 0)
		r = sd_event_add_signal(daemon->loop, NULL, SIGINT, on_signal, daemon);
	if (r >= 0)
		r = child_reap_all(daemon->loop);
	if (r >= 0)
		sd_event_set_watchdog(daemon->loop, 1);
	return r < 0 ? r : 0;
}

static int run(struct daemon *daemon)
{
	struct service_settings settings = {
		.state_dir = daemon->options.state_dir,
		.runtime_dir = daemon->options.runtime_dir,
		.slice_ns = daemon->options.slice_us * 1000,
		.parents = {
			.libexec_dir = daemon->options.libexec_dir,
			.cache_dir = daemon->options.cache_dir,
			.icds = (const char *const *)daemon->options.icds,
			.environment = (const char *const *)daemon->options.environment,
			.probe_timeout_ms = daemon->options.probe_timeout_ms,
			.engine_idle_ms = daemon->options.engine_idle_ms,
		},
	};
	char why[256];
	int error = lock_runtime(daemon);

	if (!error)
		error = listen_api(daemon);
	if (error)
		return error;
	/* Processes of a keeper that died become ours, so that they are reaped and can be waited for. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	error = set_up_loop(daemon);
	if (error) {
		log_error("no event loop: %s", strerror(-error));
		return error;
	}
	error = service_create(daemon->loop, &settings, on_ready, daemon, &daemon->service, why);
	if (error) {
		log_error("%s", why);
		return error;
	}
	return sd_event_loop(daemon->loop);
}

int main(int argc, char **argv)
{
	struct daemon daemon = {.lock_fd = -1, .listen_fd = -1};

	log_init("vgpud", NULL);
	int result = daemon_options_parse(argc, argv, &daemon.options);
	if (result) {
		daemon_options_finish(&daemon.options);
		return result > 0 ? 0 : 2;
	}
	result = run(&daemon);
	api_destroy(daemon.api);
	service_destroy(daemon.service);
	/* The socket file goes while the lock is held: a successor's would be another one. */
	if (daemon.listen_fd >= 0) {
		if (!daemon.is_activated)
			unlink(daemon.options.socket);
		close(daemon.listen_fd);
	}
	sd_event_source_disable_unref(daemon.end_deferred);
	sd_event_unref(daemon.loop);
	if (daemon.lock_fd >= 0)
		close(daemon.lock_fd);
	if (!result)
		log_info("ended%s", daemon.options.stop_vgpus_on_exit ? "" : "; vGPUs run on");
	daemon_options_finish(&daemon.options);
	return result ? 1 : 0;
}
