/* SPDX-License-Identifier: MIT */
#include "mdev/store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mdev/json/json_reader.h"
#include "mdev/refusal.h"

#define SUFFIX ".json"
#define OBJECT_MAX_BYTES (1u << 20)

struct store {
	int dir_fd;
	char path[PATH_MAX];
};

static int make_folder(int at_fd, const char *path, char ret_why[256])
{
	if (mkdirat(at_fd, path, 0700) && errno != EEXIST) {
		int error = -errno;
		snprintf(ret_why, 256, "cannot make the folder %.120s: %s; %s", path, strerror(-error), refusal_disk_hint(error));
		return error;
	}
	return 0;
}

int store_open(const char *dir, const char *const *kinds, struct store **ret_store, char ret_why[256])
{
	struct store *store;
	int error = make_folder(AT_FDCWD, dir, ret_why);

	if (error)
		return error;
	store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	snprintf(store->path, sizeof(store->path), "%s", dir);
	store->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dir_fd < 0) {
		error = -errno;
		snprintf(ret_why, 256, "cannot open the state folder %.150s: %s", dir, strerror(-error));
		goto free_store;
	}
	for (; *kinds && !error; kinds++)
		error = make_folder(store->dir_fd, *kinds, ret_why);
	if (error)
		goto close_dir;
	fsync(store->dir_fd);
	*ret_store = store;
	return 0;
close_dir:
	close(store->dir_fd);
free_store:
	free(store);
	return error;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	close(store->dir_fd);
	free(store);
}

static int open_kind(struct store *store, const char *kind, char ret_why[256])
{
	int fd = openat(store->dir_fd, kind, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		int error = -errno;
		snprintf(ret_why, 256, "cannot open %.120s/%s: %s", store->path, kind, strerror(-error));
		return error;
	}
	return fd;
}

int store_check_writable(struct store *store, const char *const *kinds, char ret_why[256])
{
	for (; *kinds; kinds++) {
		if (!faccessat(store->dir_fd, *kinds, W_OK | X_OK, AT_EACCESS))
			continue;
		int error = -errno;
		snprintf(ret_why, 256, "nothing can be written into %.120s/%s: %s", store->path, *kinds, strerror(-error));
		return error;
	}
	return 0;
}

static int write_all(int fd, const char *text, size_t bytes)
{
	while (bytes) {
		ssize_t written = write(fd, text, bytes);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		text += written;
		bytes -= (size_t)written;
	}
	return 0;
}

int store_write(struct store *store, const char *kind, const char *name, const json_t *object, char ret_why[256])
{
	char final[NAME_MAX + 1], temporary[NAME_MAX + 1];
	char *text = json_dumps(object, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	int error, fd, kind_fd;

	if (!text)
		return -ENOMEM;
	kind_fd = open_kind(store, kind, ret_why);
	if (kind_fd < 0) {
		free(text);
		return kind_fd;
	}
	snprintf(final, sizeof(final), "%.200s" SUFFIX, name);
	snprintf(temporary, sizeof(temporary), ".%.200s.new", name);
	fd = openat(kind_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		error = -errno;
		goto fail;
	}
	error = write_all(fd, text, strlen(text));
	if (!error)
		error = write_all(fd, "\n", 1);
	if (!error && fsync(fd))
		error = -errno;
	if (close(fd) && !error)
		error = -errno;
	if (!error && renameat(kind_fd, temporary, kind_fd, final))
		error = -errno;
	if (error) {
		unlinkat(kind_fd, temporary, 0);
		goto fail;
	}
	if (fsync(kind_fd))
		error = -errno;
fail:
	if (error)
		snprintf(ret_why, 256, "cannot write %.120s/%s/%.80s: %s", store->path, kind, final, strerror(-error));
	close(kind_fd);
	free(text);
	return error;
}

int store_remove(struct store *store, const char *kind, const char *name, char ret_why[256])
{
	char final[NAME_MAX + 1];
	int error = 0, kind_fd = open_kind(store, kind, ret_why);

	if (kind_fd < 0)
		return kind_fd;
	snprintf(final, sizeof(final), "%.200s" SUFFIX, name);
	if (unlinkat(kind_fd, final, 0) && errno != ENOENT)
		error = -errno;
	else if (fsync(kind_fd))
		error = -errno;
	if (error)
		snprintf(ret_why, 256, "cannot remove %.120s/%s/%.80s: %s", store->path, kind, final, strerror(-error));
	close(kind_fd);
	return error;
}

static json_t *read_object(int kind_fd, const char *file, char ret_why[256])
{
	struct stat status;
	json_t *object = NULL;
	int fd = openat(kind_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &status)) {
		snprintf(ret_why, 256, "cannot be read: %s", strerror(errno));
	} else if (!S_ISREG(status.st_mode) || status.st_size > OBJECT_MAX_BYTES) {
		snprintf(ret_why, 256, "is not a regular file of at most %u bytes", OBJECT_MAX_BYTES);
	} else {
		size_t bytes = (size_t)status.st_size;
		char *text = malloc(bytes + 1);
		ssize_t got = text ? read(fd, text, bytes) : -1;
		if (got < 0)
			snprintf(ret_why, 256, "cannot be read: %s", strerror(errno));
		else
			object = json_parse_strictly(text, (size_t)got, ret_why);
		free(text);
	}
	if (fd >= 0)
		close(fd);
	return object;
}

static void set_aside(int kind_fd, const char *kind, const char *file, const char *why,
		      void (*aside)(const char *file, const char *why, void *data), void *data)
{
	char where[2 * NAME_MAX];

	for (unsigned n = 0; n < 1000; n++) {
		char to[NAME_MAX + 32];
		snprintf(to, sizeof(to), "%s.corrupt-%u", file, n);
		if (renameat2(kind_fd, file, kind_fd, to, RENAME_NOREPLACE)) {
			if (errno == EEXIST)
				continue;
			snprintf(where, sizeof(where), "%s/%s", kind, file);
		} else {
			snprintf(where, sizeof(where), "%s/%s", kind, to);
		}
		aside(where, why, data);
		return;
	}
	aside(file, why, data);
}

static int is_object_file(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > strlen(SUFFIX) && !strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX);
}

int store_load(struct store *store, const char *kind, int (*found)(const char *name, const json_t *object, void *data, char ret_why[256]),
	       void (*aside)(const char *file, const char *why, void *data), void *data, char ret_why[256])
{
	struct dirent **entries;
	int count, kind_fd = open_kind(store, kind, ret_why);

	if (kind_fd < 0)
		return kind_fd;
	count = scandirat(kind_fd, ".", &entries, is_object_file, alphasort);
	if (count < 0) {
		int error = -errno;
		snprintf(ret_why, 256, "cannot list %.120s/%s: %s", store->path, kind, strerror(-error));
		close(kind_fd);
		return error;
	}
	for (int i = 0; i < count; i++) {
		char name[NAME_MAX + 1], why[256] = "";
		const char *file = entries[i]->d_name;
		snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(SUFFIX)), file);
		json_t *object = read_object(kind_fd, file, why);
		if (!object || found(name, object, data, why))
			set_aside(kind_fd, kind, file, why, aside, data);
		json_decref(object);
		free(entries[i]);
	}
	free(entries);
	close(kind_fd);
	return 0;
}
