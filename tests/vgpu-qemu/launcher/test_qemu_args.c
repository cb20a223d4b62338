/* SPDX-License-Identifier: MIT */
/* QEMU's command line, and what vgpu-admin may add to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "vgpu-qemu/launcher/qemu_args.h"
#include "vgpu-qemu/launcher/vgpu_query.h"

static struct qemu_config config_base(void)
{
	return (struct qemu_config){
		.qemu = "qemu", .kernel = "/k", .name = "vm", .memory_bytes = 512ULL << 20, .cpus = 2, .channel = true, .initrd = true,
	};
}

/* True when @option is there with @value behind it. */
static bool has(const struct args *args, const char *option, const char *value)
{
	for (size_t i = 0; i + 1 < args->count; i++)
		if (strcmp(args->items[i], option) == 0 && strcmp(args->items[i + 1], value) == 0)
			return true;
	return false;
}

static const char *value_of(const struct args *args, const char *option)
{
	for (size_t i = 0; i + 1 < args->count; i++)
		if (strcmp(args->items[i], option) == 0)
			return args->items[i + 1];
	fail_msg("no %s", option);
	return NULL;
}

static void guest_memory_is_a_shared_memfd(void **state)
{
	struct qemu_config config = config_base();
	struct args args;

	(void)state;
	args_init(&args);
	qemu_args_build(&config, &args);
	assert_false(args.failed);
	assert_string_equal(args.items[0], "qemu");
	assert_null(args.items[args.count]);
	assert_true(has(&args, "-object", "memory-backend-memfd,id=m0,size=536870912,share=on"));
	assert_true(has(&args, "-machine", "q35,memory-backend=m0"));
	assert_true(has(&args, "-m", "512M"));
	assert_true(has(&args, "-smp", "2"));
	assert_true(has(&args, "-initrd", "/proc/self/fd/5"));
	assert_true(has(&args, "-chardev", "socket,id=channel,fd=4"));
	args_finish(&args);
}

static void mitigations_stay_on_under_kvm(void **state)
{
	struct qemu_config config = config_base();
	struct args kvm, tcg;

	(void)state;
	args_init(&kvm);
	args_init(&tcg);
	qemu_args_build(&config, &tcg);
	config.kvm = true;
	qemu_args_build(&config, &kvm);
	assert_true(has(&tcg, "-accel", "tcg") && has(&tcg, "-cpu", "max"));
	assert_true(has(&kvm, "-accel", "kvm") && has(&kvm, "-cpu", "host"));
	assert_non_null(strstr(value_of(&tcg, "-append"), "mitigations=off"));
	assert_null(strstr(value_of(&kvm, "-append"), "mitigations"));
	args_finish(&kvm);
	args_finish(&tcg);
}

static void a_probe_has_no_devices(void **state)
{
	struct qemu_config config = config_base();
	struct args args;

	(void)state;
	config.channel = config.initrd = false;
	args_init(&args);
	qemu_args_build(&config, &args);
	for (size_t i = 0; i < args.count; i++) {
		assert_string_not_equal(args.items[i], "-device");
		assert_string_not_equal(args.items[i], "-initrd");
	}
	args_finish(&args);
}

static void paths_and_names_are_escaped(void **state)
{
	const char *const sockets[] = { "/run/a \"b\"\\c\n,d.sock", "/run/2" };
	struct qemu_config config = config_base();
	struct args args;

	(void)state;
	config.name = "a,debug-threads=on";
	config.qmp = "/tmp/q,server=off";
	config.vfio_users = sockets;
	config.vfio_user_count = 2;
	args_init(&args);
	qemu_args_build(&config, &args);
	assert_true(has(&args, "-name", "guest=a,,debug-threads=on"));
	assert_true(has(&args, "-qmp", "unix:/tmp/q,,server=off,server=on,wait=off"));
	assert_true(has(&args, "-device",
			"{\"driver\":\"vfio-user-pci\",\"id\":\"vfiouser0\",\"rombar\":0,\"x-msg-timeout\":60000,"
			"\"socket\":{\"path\":\"/run/a \\\"b\\\"\\\\c\\u000a,d.sock\",\"type\":\"unix\"}}"));
	assert_true(has(&args, "-device",
			"{\"driver\":\"vfio-user-pci\",\"id\":\"vfiouser1\",\"rombar\":0,\"x-msg-timeout\":60000,"
			"\"socket\":{\"path\":\"/run/2\",\"type\":\"unix\"}}"));
	args_finish(&args);
}

static void what_vgpu_admin_says_comes_last(void **state)
{
	struct qemu_config config = config_base();
	struct args args, vgpu;
	char answer[] = "-device\n{\"driver\":\"vfio-user-pci\"}\n";

	(void)state;
	args_init(&args);
	args_init(&vgpu);
	assert_int_equal(vgpu_query_parse(answer, &vgpu), 0);
	config.vgpu_args = &vgpu;
	qemu_args_build(&config, &args);
	assert_string_equal(args.items[args.count - 2], "-device");
	assert_string_equal(args.items[args.count - 1], "{\"driver\":\"vfio-user-pci\"}");
	args_finish(&args);
	args_finish(&vgpu);
}

static void answers_of_another_form_are_refused(void **state)
{
	static const char *const answers[] = { "", "\n\n", "-device\n", "{\"driver\":1}\n-device\n", "vgpu vm1 is stopped\nx\n",
					       "-device\n-device\n" };
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct args args;

		args_init(&args);
		strcpy(text, answers[i]);
		assert_int_equal(vgpu_query_parse(text, &args), -EPROTO);
		args_finish(&args);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(guest_memory_is_a_shared_memfd),
		cmocka_unit_test(mitigations_stay_on_under_kvm),
		cmocka_unit_test(a_probe_has_no_devices),
		cmocka_unit_test(paths_and_names_are_escaped),
		cmocka_unit_test(what_vgpu_admin_says_comes_last),
		cmocka_unit_test(answers_of_another_form_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
