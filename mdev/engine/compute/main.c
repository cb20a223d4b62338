/* SPDX-License-Identifier: MIT */
/*
 * vgpu-compute: the engine of one guest context, and (--probe) the one who looks at OpenCL devices.
 *
 * It loads vendor code and runs what a guest compiled, on a CPU device as native code in this process; so
 * everybody distrusts it, and it may be killed at any instant. Its life:
 *
 *   main thread    arguments, config.json -> an environment from nothing -> the jail -> the host's device
 *                  -> the channel (channel.h) until its end
 *   ring thread    records of the guest's ring -> parsed -> acted on under the lease (ring.h)
 *   late builds    of what the guest has been told about already (late_build.h)
 *   completions    by the driver's workers, by waiter threads, or by the ring thread itself (complete.h)
 *
 * With --compiler it is the vGPU's compile helper instead (compiler/server.h), which runs no kernel.
 *
 * Descriptors and arguments: mdev/engine/engine_protocol.h. Exit: 0 at the end of the channel, 1 for a
 * fault, which is in the log and on the channel, 2 for wrong arguments.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mdev/engine/compiler/helper.h"
#include "mdev/engine/compute/channel.h"
#include "mdev/engine/compute/engine_config.h"
#include "mdev/engine/compute/environment.h"
#include "mdev/engine/compute/jail.h"
#include "mdev/engine/compute/probe.h"
#include "mdev/engine/engine_protocol.h"
#include "mdev/log/log.h"
#include "shim/wire/wire.h"

#define SPIN_NS_DEFAULT 50000u	/* covers the 20 to 25 us that a guest thread takes to wake */

struct arguments {
	const char *dir;
	long slot;
	long context;
	bool probe;
	bool compiler;
	struct engine_config config;	/* of --icd and --environment */
};

static int usage(void)
{
	fputs("usage: vgpu-compute --dir DIR --slot N --context N   (started by vgpu-keeper)\n"
	      "       vgpu-compute --compiler --dir DIR               (started by vgpu-keeper)\n"
	      "       vgpu-compute --probe --icd FILE [--environment NAME=VALUE]...\n",
	      stderr);
	return 2;
}

static int take_number(const char *text, long *ret)
{
	char *end;

	errno = 0;
	long value = strtol(text, &end, 10);
	if (errno || *end || end == text || value < 0 || value > 65535)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int take_variable(struct engine_config *config, const char *text)
{
	const char *equals = strchr(text, '=');
	char name[128];

	if (!equals || (size_t)(equals - text) >= sizeof(name))
		return -EINVAL;
	memcpy(name, text, (size_t)(equals - text));
	name[equals - text] = 0;
	return engine_config_add_variable(config, name, equals + 1);
}

static int take_arguments(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{"dir", required_argument, NULL, 'd'},	   {"slot", required_argument, NULL, 's'},
		{"context", required_argument, NULL, 'c'}, {"probe", no_argument, NULL, 'p'},
		{"icd", required_argument, NULL, 'i'},	   {"environment", required_argument, NULL, 'e'},
		{"compiler", no_argument, NULL, 'C'},
		{0},
	};
	int option, r = 0;

	while (!r && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			a->dir = optarg;
			break;
		case 's':
			r = take_number(optarg, &a->slot);
			break;
		case 'c':
			r = take_number(optarg, &a->context);
			break;
		case 'p':
			a->probe = true;
			break;
		case 'C':
			a->compiler = true;
			break;
		case 'i':
			free(a->config.icd);
			a->config.icd = strdup(optarg);
			break;
		case 'e':
			r = take_variable(&a->config, optarg);
			break;
		default:
			r = -EINVAL;
		}
	}
	if (r || optind != argc || (a->probe ? !a->config.icd : !a->dir || (!a->compiler && (a->slot < 0 || a->context < 0))))
		return -EINVAL;
	return 0;
}

/* A page of a descriptor; NULL if it cannot be mapped. */
static void *map_page(int fd, int protection, size_t bytes)
{
	struct stat file;

	if (fstat(fd, &file) || (size_t)file.st_size < bytes)
		return NULL;
	void *page = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
	return page == MAP_FAILED ? NULL : page;
}

static uint32_t spin_ns(const struct engine_config *config)
{
	const char *text = engine_config_variable(config, "VGPU_ENGINE_SPIN_NS");

	return text ? (uint32_t)strtoul(text, NULL, 10) : SPIN_NS_DEFAULT;
}

static int serve(const struct engine_config *config, int aperture_fd, int compiler_fd)
{
	struct device device;
	char why[256];

	const struct lease_grant *grant = map_page(ENGINE_FD_GRANT, PROT_READ, LEASE_GRANT_BYTES);
	struct lease_status *status = map_page(ENGINE_FD_STATUS, PROT_READ | PROT_WRITE, LEASE_STATUS_BYTES);
	/* A kernel's native code could open a descriptor again, writable, through /proc/self/fd; a mapping it cannot. */
	close(ENGINE_FD_GRANT);
	close(ENGINE_FD_STATUS);
	if (!grant || !status) {
		log_error("the lease pages cannot be mapped: descriptors %d and %d must be memfds of %u bytes",
			  ENGINE_FD_GRANT, ENGINE_FD_STATUS, LEASE_GRANT_BYTES);
		goto fault;
	}
	if (device_open(config->platform, config->device_index, &device, why)) {
		log_error("the GPU cannot be opened: %s", why);
		goto fault;
	}
	const struct channel_settings settings = {
		.device = &device,
		.aperture_fd = aperture_fd,
		.grant = grant,
		.status = status,
		.unified = config->unified,
		.svm = config->svm,
		.max_alloc_bytes = config->vram_bytes && config->vram_bytes < device.max_alloc_bytes ? config->vram_bytes :
												       device.max_alloc_bytes,
		.spin_ns = spin_ns(config),
		.strategy = engine_config_variable(config, "VGPU_ENGINE_COMPLETION"),
		.preempt = engine_config_variable(config, "VGPU_ENGINE_PREEMPT"),
		.compiler_fd = compiler_fd,
	};
	int status_code = channel_serve(&settings);
	return status_code;

fault:
	channel_fault(WIRE_LOST_START);
	return EXIT_FAILURE;
}

/* A kernel's printf writes there, as much as it likes: nowhere, until a program that prints opens its way (output.h). */
static int silence_output(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int r = fd < 0 || dup2(fd, STDOUT_FILENO) < 0 ? -errno : 0;

	if (fd > STDOUT_FILENO)
		close(fd);
	return r;
}

static int run_engine(struct arguments *a, char **argv)
{
	static const int fds[] = {ENGINE_FD_CHANNEL, ENGINE_FD_DOORBELL, ENGINE_FD_COMPLETION, ENGINE_FD_GRANT,
				  ENGINE_FD_STATUS,  ENGINE_FD_WANT,	 ENGINE_FD_APERTURE, ENGINE_FD_COMPILER};
	struct engine_config config;
	struct stat compiler;
	char scratch[PATH_MAX], why[256];
	struct jail_guard guard;
	/* An older keeper gives none; nothing else has that number yet. */
	int compiler_fd = fstat(ENGINE_FD_COMPILER, &compiler) || !S_ISSOCK(compiler.st_mode) ? -1 : ENGINE_FD_COMPILER;

	int r = engine_config_read(a->dir, &config, why);
	if (r) {
		log_error("%s", why);
		channel_fault(WIRE_LOST_START);
		return EXIT_FAILURE;
	}
	r = environment_establish(&config, argv);
	snprintf(scratch, sizeof(scratch), "%s/engine-%s-%ld-%ld", config.cache_dir ? config.cache_dir : a->dir, config.uuid,
		 a->slot, a->context);
	const struct jail_settings jail = {
		.icd = config.icd,
		.scratch = scratch,
		.memory_limit_bytes = config.memory_limit_bytes,
		.keep_fds = fds,
		.keep_fd_count = sizeof(fds) / sizeof(fds[0]),
		.guarded_fd = ENGINE_FD_APERTURE,
	};
	if (!r)
		r = silence_output();
	if (!r)
		r = jail_enter(&jail, &guard);
	if (!r && guard.listener >= 0)
		r = channel_give_listener(guard.listener);
	if (!r)
		r = environment_set_scratch(scratch);
	if (r) {
		log_error("the engine cannot be jailed with scratch folder %s: %s", scratch, strerror(-r));
		channel_fault(WIRE_LOST_START);
		return EXIT_FAILURE;
	}
	int status = serve(&config, guard.fd, compiler_fd);
	jail_leave_nothing(scratch);
	engine_config_finish(&config);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments a = {.slot = -1, .context = -1};
	char subject[64];
	int status = 2;

	if (take_arguments(argc, argv, &a)) {
		usage();
	} else if (a.probe) {
		log_init("vgpu-compute", "probe");
		status = probe_run(&a.config, argv);
	} else if (a.compiler) {
		log_init("vgpu-compute", "compiler");
		status = helper_run(a.dir, argv);
	} else {
		snprintf(subject, sizeof(subject), "slot %ld context %ld", a.slot, a.context);
		log_init("vgpu-compute", subject);
		status = run_engine(&a, argv);
	}
	engine_config_finish(&a.config);
	fflush(stdout);
	/* Not exit(): a driver's destructors would wait for a kernel that never ends. */
	_exit(status);
}
