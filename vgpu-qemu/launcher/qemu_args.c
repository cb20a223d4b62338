/* SPDX-License-Identifier: MIT */
/*
 * Builds QEMU's command line. A pure function of its configuration.
 *
 * Guest memory is a shared memfd: a vGPU's processes map it, and with share=off they would see stale
 * zeros. The vGPU's BAR2 must lie above 4 GiB; its size of 8 GiB sees to that.
 */
#include "vgpu-qemu/launcher/qemu_args.h"

#include "vgpu-qemu/launcher/frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * earlyprintk is the first sign of life; panic=-1 with -no-reboot ends a VM whose kernel gave up.
 */
#define KERNEL_COMMAND_LINE "console=ttyS0 earlyprintk=serial,ttyS0,115200 panic=-1 rdinit=/init"

/*
 * Under TCG the same kernel starts in 3.5 s instead of 5.5 s (6.12.117, QEMU 11.1.3) without what only
 * matters on a real processor (mitigations, patching for SMP) and without two self-tests of the crypto code.
 */
#define KERNEL_COMMAND_LINE_TCG \
	" nokaslr mitigations=off noreplace-smp cryptomgr.notests initcall_blacklist=jent_mod_init,crypto_kdf108_init"

/* A value inside QEMU's key=value syntax: a comma is written twice. NULL: no memory. */
static char *comma_escape(const char *text)
{
	char *escaped = malloc(2 * strlen(text) + 1), *to = escaped;

	if (!escaped)
		return NULL;
	for (; *text; text++) {
		*to++ = *text;
		if (*text == ',')
			*to++ = ',';
	}
	*to = '\0';
	return escaped;
}

/* A string inside JSON (RFC 8259 section 7), without its quotes. NULL: no memory. */
static char *json_escape(const char *text)
{
	char *escaped = malloc(6 * strlen(text) + 1), *to = escaped;

	if (!escaped)
		return NULL;
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20) {
			to += sprintf(to, "\\u%04x", c);
			continue;
		}
		if (c == '"' || c == '\\')
			*to++ = '\\';
		*to++ = (char)c;
	}
	*to = '\0';
	return escaped;
}

/* Appends @option and @text, escaped, between @before and @after. */
static void add_escaped(struct args *args, const char *option, const char *before, const char *text, const char *after)
{
	char *escaped = comma_escape(text);

	if (!escaped) {
		args->failed = true;
		return;
	}
	args_add(args, option);
	args_addf(args, "%s%s%s", before, escaped, after);
	free(escaped);
}

static void add_vfio_user(struct args *args, size_t index, const char *path)
{
	char *escaped = json_escape(path);

	if (!escaped) {
		args->failed = true;
		return;
	}
	/* rombar: there is none. x-msg-timeout: a device process being replaced may pause. */
	args_add(args, "-device");
	args_addf(args,
		  "{\"driver\":\"vfio-user-pci\",\"id\":\"vfiouser%zu\",\"rombar\":0,\"x-msg-timeout\":60000,"
		  "\"socket\":{\"path\":\"%s\",\"type\":\"unix\"}}",
		  index, escaped);
	free(escaped);
}

static void add_fixed(struct args *args, const char *const *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		args_add(args, items[i]);
}

void qemu_args_build(const struct qemu_config *config, struct args *args)
{
	static const char *const quiet_machine[] = { "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none" };

	args_add(args, config->qemu);
	add_fixed(args, quiet_machine, sizeof(quiet_machine) / sizeof(quiet_machine[0]));
	add_escaped(args, "-name", "guest=", config->name, "");
	args_add(args, "-object");
	args_addf(args, "memory-backend-memfd,id=m0,size=%" PRIu64 ",share=on", config->memory_bytes);
	args_add(args, "-machine");
	args_add(args, "q35,memory-backend=m0");
	args_add(args, "-m");
	args_addf(args, "%" PRIu64 "M", config->memory_bytes >> 20);
	args_add(args, "-smp");
	args_addf(args, "%u", config->cpus);
	args_add(args, "-accel");
	args_add(args, config->kvm ? "kvm" : "tcg");
	args_add(args, "-cpu");
	args_add(args, config->kvm ? "host" : "max");
	args_add(args, "-kernel");
	args_add(args, config->kernel);
	if (config->initrd) {
		args_add(args, "-initrd");
		args_addf(args, "/proc/self/fd/%d", QEMU_FD_INITRD);
	}
	args_add(args, "-append");
	args_addf(args, "%s%s", KERNEL_COMMAND_LINE, config->kvm ? "" : KERNEL_COMMAND_LINE_TCG);
	args_add(args, "-chardev");
	args_addf(args, "socket,id=console,fd=%d", QEMU_FD_CONSOLE);
	args_add(args, "-serial");
	args_add(args, "chardev:console");
	if (config->channel) {
		args_add(args, "-chardev");
		args_addf(args, "socket,id=channel,fd=%d", QEMU_FD_CHANNEL);
		args_add(args, "-device");
		args_add(args, "virtio-serial-pci");
		args_add(args, "-device");
		args_add(args, "virtserialport,chardev=channel,name=" FRAME_PORT_NAME);
	}
	if (config->qmp)
		add_escaped(args, "-qmp", "unix:", config->qmp, ",server=on,wait=off");
	for (size_t i = 0; i < config->vfio_user_count; i++)
		add_vfio_user(args, i, config->vfio_users[i]);
	for (size_t i = 0; config->vgpu_args && i < config->vgpu_args->count; i++)
		args_add(args, config->vgpu_args->items[i]);
	if (config->vgpu_args && config->vgpu_args->failed)
		args->failed = true;
}
