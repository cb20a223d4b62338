/* SPDX-License-Identifier: MIT */
/*
 * Whether KVM works here: by what the machine says, by what was seen before, by trying.
 *
 * That /dev/kvm opens says little: under some hypervisors the vCPU stops in the kernel's loader and QEMU
 * sits there. So a kernel is booted with no devices until it prints its banner, which takes well under a
 * second where KVM works, and a vGPU is never plugged into a VM that cannot start. The verdict holds until
 * the machine's next boot, for the same QEMU and kernel.
 */
#include "vgpu-qemu/launcher/accel.h"

#include "vgpu-qemu/launcher/args.h"
#include "vgpu-qemu/launcher/qemu_args.h"
#include "vgpu-qemu/launcher/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBE_TIMEOUT_MS 8000

bool accel_refused(const struct accel_host *host, struct accel_verdict *verdict)
{
	char path[512];
	int fd = open(host->kvm_path, O_RDWR | O_CLOEXEC);

	*verdict = (struct accel_verdict){ 0 };
	if (fd < 0) {
		snprintf(verdict->reason, sizeof(verdict->reason), "cannot open %s: %s", host->kvm_path, strerror(errno));
		return true;
	}
	close(fd);
	snprintf(path, sizeof(path), "%s/kvm_pvm", host->modules_path);
	if (access(path, F_OK) == 0) {
		snprintf(verdict->reason, sizeof(verdict->reason),
			 "this machine's KVM is kvm_pvm, under which no stock kernel boots");
		return true;
	}
	return false;
}

/* Reads QEMU's streams once; true when the verdict is known. */
static bool look(struct vm *vm, struct accel_verdict *verdict)
{
	char bytes[4096];
	size_t n;

	while ((n = vm_read(&vm->console_fd, bytes, sizeof(bytes))) > 0)
		tail_append(&vm->console, bytes, n);
	while ((n = vm_read(&vm->errors_fd, bytes, sizeof(bytes))) > 0)
		tail_append(&vm->errors, bytes, n);
	if (tail_has(&vm->console, "Linux version")) {
		verdict->kvm_works = true;
		snprintf(verdict->reason, sizeof(verdict->reason), "a kernel boots under KVM");
		return true;
	}
	if (tail_has(&vm->errors, "KVM internal error")) {
		snprintf(verdict->reason, sizeof(verdict->reason), "a kernel under KVM stops with an internal error of KVM");
		return true;
	}
	return false;
}

/* Watches until the verdict is known. Returns 0 or -EINTR. */
static int watch(struct vm *vm, const struct accel_host *host, int timeout_ms, struct accel_verdict *verdict)
{
	uint64_t deadline = clock_ms() + (uint64_t)timeout_ms;

	while (!look(vm, verdict)) {
		struct pollfd fds[] = {
			{ .fd = vm->console_fd, .events = POLLIN },
			{ .fd = vm->errors_fd, .events = POLLIN },
			{ .fd = vm->pid_fd, .events = POLLIN },
			{ .fd = host->signals_fd, .events = POLLIN },
		};
		uint64_t now = clock_ms();

		if (now >= deadline) {
			snprintf(verdict->reason, sizeof(verdict->reason),
				 "a kernel under KVM shows no sign of life within %d.%d s", timeout_ms / 1000,
				 timeout_ms % 1000 / 100);
			return 0;
		}
		if (poll(fds, 4, (int)(deadline - now)) < 0 && errno != EINTR)
			return -errno;
		if (fds[3].revents)
			return -EINTR;
		if (fds[2].revents && !look(vm, verdict)) {
			const char *end = memchr(vm->errors.bytes, '\n', vm->errors.count);

			snprintf(verdict->reason, sizeof(verdict->reason), "QEMU ended at once under KVM: %.*s",
				 (int)(end ? end - vm->errors.bytes : (ptrdiff_t)vm->errors.count), vm->errors.bytes);
			return 0;
		}
	}
	return 0;
}

int accel_probe(const struct accel_host *host, const char *qemu, const char *kernel, int timeout_ms,
		struct accel_verdict *verdict)
{
	struct qemu_config config = {
		.qemu = qemu, .kernel = kernel, .name = "kvm-probe", .memory_bytes = 256ULL << 20, .cpus = 1, .kvm = true,
	};
	struct args args;
	struct vm vm;
	int r;

	*verdict = (struct accel_verdict){ .probed = true };
	args_init(&args);
	qemu_args_build(&config, &args);
	r = args.failed ? -ENOMEM : vm_start(&vm, &args, false, -1);
	args_finish(&args);
	if (r < 0)
		return r;
	r = watch(&vm, host, timeout_ms, verdict);
	kill(vm.pid, SIGKILL); /* there is nothing in it to end in order */
	vm_stop(&vm, 1000);
	return r;
}

/* What a verdict holds for. Returns 0, or -errno where the machine does not say. */
static int cache_key(const struct accel_host *host, const char *qemu, const char *kernel, char *key, size_t size)
{
	struct stat qemu_stat, kernel_stat;
	char boot_id[64] = "";
	int fd = open(host->boot_id_path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, boot_id, sizeof(boot_id) - 1);
	close(fd);
	if (n <= 0 || stat(qemu, &qemu_stat) < 0 || stat(kernel, &kernel_stat) < 0)
		return -ENOENT;
	boot_id[strcspn(boot_id, "\n")] = '\0';
	n = snprintf(key, size, "1 %s %" PRIuMAX ".%" PRIdMAX " %" PRIuMAX ".%" PRIdMAX, boot_id, (uintmax_t)qemu_stat.st_ino,
		     (intmax_t)qemu_stat.st_mtime, (uintmax_t)kernel_stat.st_ino, (intmax_t)kernel_stat.st_mtime);
	return (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static bool cache_load(const char *folder, const char *key, struct accel_verdict *verdict)
{
	char path[4096], line[512];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/kvm", folder);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fgets(line, sizeof(line), file) && strcmp(line, "") != 0) {
		line[strcspn(line, "\n")] = '\0';
		found = strcmp(line, key) == 0 && fgets(line, sizeof(line), file);
	}
	fclose(file);
	if (!found || (strncmp(line, "yes ", 4) != 0 && strncmp(line, "no ", 3) != 0))
		return false;
	line[strcspn(line, "\n")] = '\0';
	*verdict = (struct accel_verdict){ .kvm_works = line[0] == 'y' };
	snprintf(verdict->reason, sizeof(verdict->reason), "%s", strchr(line, ' ') + 1);
	return true;
}

/* A verdict that cannot be kept is found again next time; so no error is reported. */
static void cache_store(const char *folder, const char *key, const struct accel_verdict *verdict)
{
	char path[4096], new_path[4096];
	FILE *file;
	int n = snprintf(new_path, sizeof(new_path), "%s/kvm.%d", folder, (int)getpid());

	if ((size_t)n >= sizeof(new_path))
		return;
	snprintf(path, sizeof(path), "%s/kvm", folder);
	file = fopen(new_path, "we");
	if (!file)
		return;
	fprintf(file, "%s\n%s %s\n", key, verdict->kvm_works ? "yes" : "no", verdict->reason);
	if (fclose(file) != 0 || rename(new_path, path) < 0)
		unlink(new_path);
}

int accel_decide(const struct accel_host *host, const char *qemu, const char *kernel, struct accel_verdict *verdict)
{
	char key[256];
	bool keep;
	int r;

	if (accel_refused(host, verdict))
		return 0;
	keep = host->cache_path && cache_key(host, qemu, kernel, key, sizeof(key)) == 0;
	if (keep && cache_load(host->cache_path, key, verdict))
		return 0;
	r = accel_probe(host, qemu, kernel, PROBE_TIMEOUT_MS, verdict);
	if (r == 0 && keep)
		cache_store(host->cache_path, key, verdict);
	return r;
}
