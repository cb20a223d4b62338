/* SPDX-License-Identifier: MIT */
#include "mdev/engine/compute/environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARK "VGPU_ENGINE_ENVIRONMENT=built"

extern char **environ;

/* Variables of the starter that are about this program's own diagnosis. A sanitizer's are only read by such a build. */
static const char *const kept[] = {
	"VGPU_LOG",
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS",
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(undefined_behavior_sanitizer)
	"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS",
#endif
#endif
};
#define KEPT_COUNT (sizeof(kept) / sizeof(kept[0]))

struct environment {
	char *variables[ENGINE_CONFIG_VARIABLES_MAX + KEPT_COUNT + 8];
	size_t count;
	bool bad;
};

static void add(struct environment *environment, const char *name, const char *value)
{
	char *text = NULL;

	if (asprintf(&text, "%s=%s", name, value) < 0)
		environment->bad = true;
	else
		environment->variables[environment->count++] = text;
}

static bool is_established(const struct environment *wanted)
{
	size_t i = 0;

	for (; environ[i] && i < wanted->count; i++)
		if (strcmp(environ[i], wanted->variables[i]))
			return false;
	return i == wanted->count && !environ[i];
}

int environment_establish(const struct engine_config *config, char *const *argv)
{
	struct environment wanted = {0};
	int r = 0;

	add(&wanted, "PATH", "/usr/bin:/bin");
	add(&wanted, "LC_ALL", "C");
	add(&wanted, "OCL_ICD_VENDORS", config->icd);
	for (size_t i = 0; i < KEPT_COUNT; i++)
		if (getenv(kept[i]))
			add(&wanted, kept[i], getenv(kept[i]));
	for (uint32_t i = 0; i < config->variable_count; i++)
		add(&wanted, config->variables[i].name, config->variables[i].value);
	wanted.variables[wanted.count++] = strdup(MARK);
	if (wanted.bad || !wanted.variables[wanted.count - 1]) {
		r = -ENOMEM;
	} else if (!is_established(&wanted)) {
		bool second_time = getenv("VGPU_ENGINE_ENVIRONMENT") != NULL;
		if (!second_time)
			execve("/proc/self/exe", argv, wanted.variables);
		/* No /proc, or something adds variables at every start: then at least nobody reads the old ones. */
		clearenv();
		for (size_t i = 0; i < wanted.count; i++) {
			if (putenv(wanted.variables[i]))
				r = -ENOMEM;
			wanted.variables[i] = NULL;	/* environ's now */
		}
	}
	for (size_t i = 0; i < wanted.count; i++)
		free(wanted.variables[i]);
	return r;
}

int environment_set_scratch(const char *folder)
{
	const char *const names[] = {"POCL_CACHE_DIR", "XDG_CACHE_HOME", "TMPDIR"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (setenv(names[i], folder, 1))
			return -errno;
	return 0;
}
