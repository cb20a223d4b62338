/* SPDX-License-Identifier: MIT */
/*
 * vgpu-run: boots a VM with vGPUs and runs one command in it.
 *
 * One process, one thread, one child (QEMU; before it, one after the other, vgpu-admin and a KVM probe).
 *
 *   options      what the user wants
 *   vgpu_query   asks vgpu-admin how a vGPU is plugged in
 *   accel        KVM or TCG, by what really boots
 *   initrd       the guest's initramfs with the command in it
 *   qemu_args    QEMU's command line
 *   session, vm  QEMU's process, the guest's console and frames, clocks, signals
 *   frame        what the guest's init says (vgpu-qemu/launcher/guest_init.c)
 *
 * Nothing is left behind on any way out: the initramfs is a memfd, the VM's lines are socket pairs, QEMU is
 * killed by the kernel when this process ends.
 */
#include "vgpu-qemu/launcher/accel.h"
#include "vgpu-qemu/launcher/args.h"
#include "vgpu-qemu/launcher/initrd.h"
#include "vgpu-qemu/launcher/options.h"
#include "vgpu-qemu/launcher/qemu_args.h"
#include "vgpu-qemu/launcher/session.h"
#include "vgpu-qemu/launcher/vgpu_query.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS_NO_VM = 123, STATUS_TIMEOUT = 124, STATUS_FAILED = 125 };

#define VGPU_QUERY_TIMEOUT_MS 15000
#define PROBE_TIMEOUT_MS 8000

/* Paths found, each absolute or searched by execvp. */
struct places {
	char qemu[PATH_MAX];
	char admin[PATH_MAX];
	char kernel[PATH_MAX];     /* the stock image */
	char kernel_tcg[PATH_MAX]; /* the same, already unpacked where that is there */
	char initrds[2][PATH_MAX];
	char cache[PATH_MAX]; /* "": none */
};

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
	va_list args;

	fputs("vgpu-run: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* The folder of the program itself: the build folder's bin/, or where it is installed. */
static void own_folder(char *folder, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", folder, size - 1);
	char *slash;

	folder[n > 0 ? n : 0] = '\0';
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
}

/* The path with this name beside the program or above it, if it is there. */
static bool near_program(char *path, size_t size, const char *own, const char *name)
{
	int n = snprintf(path, size, "%s/%s", own, name);

	if (n > 0 && (size_t)n < size && access(path, F_OK) == 0)
		return true;
	path[0] = '\0';
	return false;
}

/* Where the verdict on KVM is kept; makes the folder. */
static void find_cache(char *path, size_t size)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n = -1;

	if (cache && cache[0] == '/')
		n = snprintf(path, size, "%s", cache);
	else if (home && home[0] == '/')
		n = snprintf(path, size, "%s/.cache", home);
	if (n > 0 && (size_t)n + sizeof("/vgpu-run") < size) {
		mkdir(path, 0700);
		strcat(path, "/vgpu-run");
		mkdir(path, 0700);
		if (access(path, W_OK) == 0)
			return;
	}
	path[0] = '\0';
}

/* Returns 0, or -ENOENT after saying what is missing. */
static int find_places(const struct options *options, struct places *places)
{
	const char *qemu = options->qemu ? options->qemu : getenv("VGPU_QEMU");
	const char *admin = getenv("VGPU_ADMIN");
	char own[PATH_MAX];

	own_folder(own, sizeof(own));
	if (qemu)
		snprintf(places->qemu, sizeof(places->qemu), "%s", qemu);
	else if (!near_program(places->qemu, sizeof(places->qemu), own, "../qemu/run"))
		strcpy(places->qemu, "qemu-system-x86_64");
	if (admin)
		snprintf(places->admin, sizeof(places->admin), "%s", admin);
	else if (!near_program(places->admin, sizeof(places->admin), own, "vgpu-admin"))
		strcpy(places->admin, "vgpu-admin");
	if (options->kernel) {
		snprintf(places->kernel, sizeof(places->kernel), "%s", options->kernel);
		strcpy(places->kernel_tcg, places->kernel);
	} else if (!near_program(places->kernel, sizeof(places->kernel), own, "../guest/vmlinuz")) {
		say("there is no guest kernel at %s/../guest/vmlinuz; make one with 'make guest' or give --kernel and --initrd", own);
		return -ENOENT;
	} else if (!near_program(places->kernel_tcg, sizeof(places->kernel_tcg), own, "../guest/vmlinux")) {
		strcpy(places->kernel_tcg, places->kernel);
	}
	near_program(places->initrds[0], sizeof(places->initrds[0]), own, "../guest/initrd.img");
	near_program(places->initrds[1], sizeof(places->initrds[1]), own, "../guest/overlay.img");
	if (options->initrds.count == 0 && (!places->initrds[0][0] || !places->initrds[1][0])) {
		say("the guest in %s/../guest is not complete; run 'make guest' or give --kernel and --initrd", own);
		return -ENOENT;
	}
	find_cache(places->cache, sizeof(places->cache));
	return 0;
}

/* Signals that end vgpu-run are read from a descriptor. A signal that was ignored stays ignored (nohup). */
static int open_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&set, numbers[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Dies of @number, as the shell that started us expects. */
static int die_of(int number)
{
	sigset_t set;

	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + number;
}

static struct accel_host this_host(const struct places *places, int signals_fd)
{
	return (struct accel_host){
		.kvm_path = "/dev/kvm",
		.modules_path = "/sys/module",
		.cache_path = places->cache[0] ? places->cache : NULL,
		.boot_id_path = "/proc/sys/kernel/random/boot_id",
		.signals_fd = signals_fd,
	};
}

/* Returns 0, -EINTR, or -errno after saying why. */
static int choose_accel(const struct options *options, const struct places *places, int signals_fd, bool *ret_kvm)
{
	struct accel_host host = this_host(places, signals_fd);
	struct accel_verdict verdict;
	int r;

	if (options->accel != ACCEL_WISH_AUTO) {
		*ret_kvm = options->accel == ACCEL_WISH_KVM;
		return 0;
	}
	r = accel_decide(&host, places->qemu, places->kernel, &verdict);
	if (r == -EINTR)
		return r;
	if (r < 0) {
		say("cannot try KVM with %s: %s", places->qemu, strerror(-r));
		return r;
	}
	if (options->verbose || (!verdict.kvm_works && verdict.probed))
		say("%s: %s", verdict.kvm_works ? "using KVM" : "using TCG, which is slower", verdict.reason);
	*ret_kvm = verdict.kvm_works;
	return 0;
}

/* --probe: tries whatever the machine says of itself or said before. */
static int probe(const struct places *places, int signals_fd)
{
	struct accel_host host = this_host(places, signals_fd);
	struct accel_verdict verdict;
	int r = accel_probe(&host, places->qemu, places->kernel, PROBE_TIMEOUT_MS, &verdict);

	if (r < 0) {
		say("cannot try KVM with %s: %s", places->qemu, strerror(-r));
		return STATUS_FAILED;
	}
	printf("%s: %s\n", verdict.kvm_works ? "kvm" : "tcg", verdict.reason);
	return 0;
}

/* Everything between the options and the VM's start. Returns an exit status. */
static int run(const struct options *options, const struct places *places, int signals_fd)
{
	const char *default_initrds[] = { places->initrds[0], places->initrds[1] };
	struct string_list initrds = options->initrds.count > 0 ? options->initrds :
				     (struct string_list){ .items = default_initrds, .count = 2 };
	struct args vgpu_args, qemu_args;
	struct session_config session = {
		.qemu_args = &qemu_args, .initrd_fd = -1, .output_fd = STDOUT_FILENO, .log_fd = -1, .signals_fd = signals_fd,
		.timeout_s = options->timeout_s, .boot_timeout_s = options->boot_timeout_s,
	};
	struct qemu_config config = {
		.qemu = places->qemu, .name = options->name, .qmp = options->qmp, .memory_bytes = options->memory_bytes,
		.cpus = options->cpus, .channel = true, .initrd = true, .vfio_users = options->vfio_users.items,
		.vfio_user_count = options->vfio_users.count,
	};
	struct session_result result;
	int r, status = STATUS_FAILED;
	char error[512];

	args_init(&vgpu_args);
	args_init(&qemu_args);
	for (size_t i = 0; i < options->vgpus.count; i++) {
		r = vgpu_query(places->admin, options->socket, options->vgpus.items[i], VGPU_QUERY_TIMEOUT_MS, &vgpu_args, error,
			       sizeof(error));
		if (r < 0) {
			say("%s", error);
			goto out;
		}
	}
	r = choose_accel(options, places, signals_fd, &config.kvm);
	if (r < 0) {
		struct signalfd_siginfo info;

		if (r == -EINTR && read(signals_fd, &info, sizeof(info)) == sizeof(info))
			status = die_of((int)info.ssi_signo);
		goto out;
	}
	session.initrd_fd = initrd_create(&initrds, &options->files, options->command, error, sizeof(error));
	if (session.initrd_fd < 0) {
		say("%s", error);
		goto out;
	}
	if (options->log) {
		session.log_fd = open(options->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
		if (session.log_fd < 0) {
			say("cannot write the log '%s': %s", options->log, strerror(errno));
			goto out;
		}
	}
	config.kernel = config.kvm ? places->kernel : places->kernel_tcg;
	config.vgpu_args = &vgpu_args;
	qemu_args_build(&config, &qemu_args);
	r = qemu_args.failed ? -ENOMEM : session_run(&session, &result);
	if (r < 0) {
		say("cannot start the VM: %s", strerror(-r));
		goto out;
	}
	if (options->qmp)
		unlink(options->qmp); /* QEMU does it, unless it was killed */
	if (options->verbose && result.boot_ms > 0)
		say("%s: %.1f s to the command, %.1f s in all", config.kvm ? "KVM" : "TCG", (double)result.boot_ms / 1000,
		    (double)result.total_ms / 1000);
	if (result.end != SESSION_EXITED && result.end != SESSION_SIGNALLED)
		say("%s", result.reason);
	switch (result.end) {
	case SESSION_EXITED: status = result.status; break;
	case SESSION_DIED:
	case SESSION_NOT_BOOTED: status = STATUS_NO_VM; break;
	case SESSION_TIMED_OUT: status = STATUS_TIMEOUT; break;
	case SESSION_SIGNALLED: status = die_of(result.status); break;
	case SESSION_OUTPUT_GONE: status = STATUS_FAILED; break;
	}
out:
	if (session.initrd_fd >= 0)
		close(session.initrd_fd);
	if (session.log_fd >= 0)
		close(session.log_fd);
	args_finish(&qemu_args);
	args_finish(&vgpu_args);
	return status;
}

int main(int argc, char **argv)
{
	static struct places places;
	struct options options;
	int signals_fd, status = STATUS_FAILED;
	char error[512];

	if (options_parse(argc, argv, &options, error, sizeof(error)) < 0) {
		say("%s", error);
		return STATUS_FAILED;
	}
	signals_fd = open_signals();
	if (signals_fd < 0)
		say("cannot watch for signals: %s", strerror(errno));
	else if (options.action == OPTIONS_HELP || options.action == OPTIONS_VERSION)
		status = 0;
	else if (find_places(&options, &places) == 0)
		status = options.action == OPTIONS_PROBE ? probe(&places, signals_fd) : run(&options, &places, signals_fd);
	if (options.action == OPTIONS_HELP)
		options_print_help(stdout);
	if (options.action == OPTIONS_VERSION)
		puts("vgpu-run " VGPU_VERSION);
	if (signals_fd >= 0)
		close(signals_fd);
	options_finish(&options);
	return status;
}
