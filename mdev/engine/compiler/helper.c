/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compiler/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mdev/engine/compile_protocol.h"
#include "mdev/engine/compiler/server.h"
#include "mdev/engine/compute/engine_config.h"
#include "mdev/engine/compute/environment.h"
#include "mdev/engine/compute/sanitizer.h"
#include "mdev/log/log.h"

#define CPU_LIMIT_S 300u
#define WALL_LIMIT_FACTOR 4u		/* a vGPU that builds beside busy ones has its share only */
#define IDLE_MS 20000u

static uint32_t number_of(const struct engine_config *config, const char *name, uint32_t otherwise)
{
	const char *text = engine_config_variable(config, name);
	long value = text ? strtol(text, NULL, 10) : 0;

	return value > 0 && value < 1000000 ? (uint32_t)value : otherwise;
}

/*
 * What a result depends on beside its input, as text: the same for two helpers of a vGPU unless the driver on disk was replaced between them.
 * Looked at before the jail; the caller frees it.
 */
static char *make_identity(const struct engine_config *config)
{
	char line[PATH_MAX] = "", *text = NULL;
	struct stat library = {0};
	size_t bytes = 0;

	FILE *icd = fopen(config->icd, "re"), *stream = open_memstream(&text, &bytes);
	if (icd) {
		if (fgets(line, sizeof(line), icd))
			line[strcspn(line, "\r\n")] = 0;
		fclose(icd);
	}
	if (!stream)
		return NULL;
	if (line[0] == '/')
		stat(line, &library);
	fprintf(stream, "%s|%s|%s|%llu.%llu.%lld.%lld|%s|%u", VGPU_VERSION, config->icd, line, (unsigned long long)library.st_dev,
		(unsigned long long)library.st_ino, (long long)library.st_size, (long long)library.st_mtime,
		config->platform ? config->platform : "", config->device_index);
	for (uint32_t i = 0; i < config->variable_count; i++)
		fprintf(stream, "|%s=%s", config->variables[i].name, config->variables[i].value);
	return fclose(stream) ? NULL : text;
}

/* Not for children to have: a build could read, and change, what others are answered. */
static void *map_cache(size_t *ret_bytes)
{
	struct stat file;

	if (fstat(COMPILE_FD_CACHE, &file) || file.st_size <= 0)
		return NULL;
	void *cache = mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, COMPILE_FD_CACHE, 0);
	close(COMPILE_FD_CACHE);
	if (cache == MAP_FAILED)
		return NULL;
	if (madvise(cache, (size_t)file.st_size, MADV_DONTFORK)) {
		munmap(cache, (size_t)file.st_size);
		return NULL;
	}
	*ret_bytes = (size_t)file.st_size;
	return cache;
}

static int serve(const struct engine_config *config, const struct jail_settings *jail, const char *identity)
{
	struct server_settings settings = {
		.builder = {
			.jail = jail,
			.platform = config->platform,
			.device_index = config->device_index,
			.cpu_limit_s = number_of(config, "VGPU_COMPILER_CPU_S", CPU_LIMIT_S),
		},
		.identity = identity,
		.identity_bytes = strlen(identity),
		.keeper_fd = COMPILE_FD_KEEPER,
		.idle_ms = number_of(config, "VGPU_COMPILER_IDLE_MS", IDLE_MS),
	};

	settings.builder.wall_limit_ms = settings.builder.cpu_limit_s * WALL_LIMIT_FACTOR * 1000u;
	settings.cache = map_cache(&settings.cache_bytes);
	if (!settings.cache) {
		log_error("the cache of build results cannot be mapped: descriptor %d must be a memfd", COMPILE_FD_CACHE);
		return -EINVAL;
	}
	return server_run(&settings);
}

int helper_run(const char *dir, char *const *argv)
{
	static const int fds[] = {COMPILE_FD_KEEPER, COMPILE_FD_CACHE};
	struct engine_config config;
	char scratch[PATH_MAX], why[256];

	int r = engine_config_read(dir, &config, why);
	if (r) {
		log_error("%s", why);
		return EXIT_FAILURE;
	}
	r = environment_establish(&config, argv);
	char *identity = make_identity(&config);
	snprintf(scratch, sizeof(scratch), "%s/compiler-%s", config.cache_dir ? config.cache_dir : dir, config.uuid);
	const struct jail_settings jail = {
		.icd = config.icd,
		.scratch = scratch,
		.memory_limit_bytes = config.memory_limit_bytes,
		.keep_fds = fds,
		.keep_fd_count = sizeof(fds) / sizeof(fds[0]),
		.seccomp_later = true,
		.guarded_fd = -1,
	};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (!r && (!identity || null < 0 || dup2(null, STDOUT_FILENO) < 0))
		r = -ENOMEM;
	if (!r)
		r = jail_enter(&jail, NULL);
	/* Caches are named from the working directory, which is each build's own. */
	if (!r && chdir(scratch))
		r = -errno;
	if (!r)
		r = environment_set_scratch("./");
	if (!r)
		r = serve(&config, &jail, identity);
	if (r)
		log_error("the compile helper cannot serve: %s", strerror(-r));
	jail_leave_nothing(scratch);
	free(identity);
	engine_config_finish(&config);
	return r || sanitizer_finds_leaks() ? EXIT_FAILURE : EXIT_SUCCESS;
}
