/* SPDX-License-Identifier: MIT */
/*
 * KVM or TCG, on machines made of a temporary folder and a QEMU that is a shell script: one whose kernel
 * speaks, one that stays silent, one that reports KVM's error, one that ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vgpu-qemu/launcher/accel.h"
#include "vgpu-qemu/launcher/vm.h"

struct machine {
	char folder[64], kvm[96], modules[96], cache[96], boot_id[96], qemu[96], kernel[96], calls[96];
	struct accel_host host;
};

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void set_qemu(struct machine *machine, const char *does)
{
	char script[512];

	snprintf(script, sizeof(script), "#!/bin/sh\necho called >>%s\n%s\n", machine->calls, does);
	write_file(machine->qemu, script, 0755);
}

static int set_up(void **state)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	assert_non_null(machine);
	strcpy(machine->folder, "/tmp/vgpu-test-accel-XXXXXX");
	assert_non_null(mkdtemp(machine->folder));
	snprintf(machine->kvm, sizeof(machine->kvm), "%s/dev-kvm", machine->folder);
	snprintf(machine->modules, sizeof(machine->modules), "%s/module", machine->folder);
	snprintf(machine->cache, sizeof(machine->cache), "%s/cache", machine->folder);
	snprintf(machine->boot_id, sizeof(machine->boot_id), "%s/boot_id", machine->folder);
	snprintf(machine->qemu, sizeof(machine->qemu), "%s/qemu", machine->folder);
	snprintf(machine->kernel, sizeof(machine->kernel), "%s/kernel", machine->folder);
	snprintf(machine->calls, sizeof(machine->calls), "%s/calls", machine->folder);
	write_file(machine->kvm, "", 0644);
	write_file(machine->boot_id, "3f1c\n", 0644);
	write_file(machine->kernel, "", 0644);
	assert_int_equal(mkdir(machine->modules, 0755), 0);
	assert_int_equal(mkdir(machine->cache, 0755), 0);
	machine->host = (struct accel_host){
		.kvm_path = machine->kvm, .modules_path = machine->modules, .cache_path = machine->cache,
		.boot_id_path = machine->boot_id, .signals_fd = -1,
	};
	*state = machine;
	return 0;
}

static int tear_down(void **state)
{
	struct machine *machine = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", machine->folder);
	assert_int_equal(system(command), 0);
	free(machine);
	return 0;
}

static int count_calls(const struct machine *machine)
{
	FILE *file = fopen(machine->calls, "r");
	char line[32];
	int count = 0;

	while (file && fgets(line, sizeof(line), file))
		count++;
	if (file)
		fclose(file);
	return count;
}

static void a_kernel_that_speaks_means_kvm(void **state)
{
	struct machine *machine = *state;
	struct accel_verdict verdict;

	set_qemu(machine, "printf 'early\\n[    0.000000] Linux version 6.12\\n' >&3; exec sleep 100");
	assert_int_equal(accel_probe(&machine->host, machine->qemu, machine->kernel, 5000, &verdict), 0);
	assert_true(verdict.kvm_works);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left */
	assert_int_equal(errno, ECHILD);
}

static void a_silent_kernel_means_tcg(void **state)
{
	struct machine *machine = *state;
	struct accel_verdict verdict;
	uint64_t start = clock_ms();

	/* What the firmware and the kernel's loader say is no sign of life. */
	set_qemu(machine, "echo 'Booting from ROM..' >&3; exec sleep 100");
	assert_int_equal(accel_probe(&machine->host, machine->qemu, machine->kernel, 300, &verdict), 0);
	assert_false(verdict.kvm_works);
	assert_non_null(strstr(verdict.reason, "no sign of life within 0.3 s"));
	assert_true(clock_ms() - start < 5000);
}

static void an_error_of_kvm_means_tcg_at_once(void **state)
{
	struct machine *machine = *state;
	struct accel_verdict verdict;
	uint64_t start = clock_ms();

	set_qemu(machine, "echo 'KVM internal error. Suberror: 1' >&2; exec sleep 100");
	assert_int_equal(accel_probe(&machine->host, machine->qemu, machine->kernel, 20000, &verdict), 0);
	assert_false(verdict.kvm_works);
	assert_non_null(strstr(verdict.reason, "internal error"));
	assert_true(clock_ms() - start < 10000);
}

static void a_qemu_that_ends_means_tcg_and_its_words(void **state)
{
	struct machine *machine = *state;
	struct accel_verdict verdict;

	set_qemu(machine, "echo 'failed to initialize kvm: Permission denied' >&2; exit 1");
	assert_int_equal(accel_probe(&machine->host, machine->qemu, machine->kernel, 20000, &verdict), 0);
	assert_false(verdict.kvm_works);
	assert_non_null(strstr(verdict.reason, "Permission denied"));
}

static void the_verdict_is_kept_until_something_changes(void **state)
{
	struct machine *machine = *state;
	struct accel_verdict verdict;

	set_qemu(machine, "echo 'KVM internal error. Suberror: 1' >&2; exec sleep 100");
	assert_int_equal(accel_decide(&machine->host, machine->qemu, machine->kernel, &verdict), 0);
	assert_true(verdict.probed);
	assert_int_equal(accel_decide(&machine->host, machine->qemu, machine->kernel, &verdict), 0);
	assert_false(verdict.probed);
	assert_false(verdict.kvm_works);
	assert_non_null(strstr(verdict.reason, "internal error"));
	assert_int_equal(count_calls(machine), 1);
	write_file(machine->boot_id, "77aa\n", 0644);
	assert_int_equal(accel_decide(&machine->host, machine->qemu, machine->kernel, &verdict), 0);
	assert_int_equal(count_calls(machine), 2);
}

static void a_damaged_verdict_is_found_again(void **state)
{
	struct machine *machine = *state;
	struct accel_verdict verdict;
	char path[128];

	set_qemu(machine, "echo 'Linux version' >&3; exec sleep 100");
	snprintf(path, sizeof(path), "%s/kvm", machine->cache);
	write_file(path, "1 3f1c\nperhaps", 0644);
	assert_int_equal(accel_decide(&machine->host, machine->qemu, machine->kernel, &verdict), 0);
	assert_true(verdict.kvm_works);
	assert_int_equal(count_calls(machine), 1);
}

static void a_machine_that_says_no_is_not_tried(void **state)
{
	struct machine *machine = *state;
	struct accel_verdict verdict;
	char path[128];

	set_qemu(machine, "echo 'Linux version' >&3; exec sleep 100");
	snprintf(path, sizeof(path), "%s/kvm_pvm", machine->modules);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(accel_decide(&machine->host, machine->qemu, machine->kernel, &verdict), 0);
	assert_false(verdict.kvm_works);
	assert_non_null(strstr(verdict.reason, "kvm_pvm"));
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(unlink(machine->kvm), 0);
	assert_int_equal(accel_decide(&machine->host, machine->qemu, machine->kernel, &verdict), 0);
	assert_non_null(strstr(verdict.reason, "cannot open"));
	assert_int_equal(count_calls(machine), 0);
}

static void a_signal_ends_the_probe(void **state)
{
	struct machine *machine = *state;
	struct accel_verdict verdict;
	int pipe_fds[2];

	set_qemu(machine, "exec sleep 100");
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	machine->host.signals_fd = pipe_fds[0];
	assert_int_equal(accel_probe(&machine->host, machine->qemu, machine->kernel, 20000, &verdict), -EINTR);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

#define ON_A_MACHINE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_MACHINE(a_kernel_that_speaks_means_kvm),
		ON_A_MACHINE(a_silent_kernel_means_tcg),
		ON_A_MACHINE(an_error_of_kvm_means_tcg_at_once),
		ON_A_MACHINE(a_qemu_that_ends_means_tcg_and_its_words),
		ON_A_MACHINE(the_verdict_is_kept_until_something_changes),
		ON_A_MACHINE(a_damaged_verdict_is_found_again),
		ON_A_MACHINE(a_machine_that_says_no_is_not_tried),
		ON_A_MACHINE(a_signal_ends_the_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
