/* SPDX-License-Identifier: MIT */
/*
 * Puts the VM's initramfs together in a memfd.
 *
 * The kernel unpacks archives that lie one behind the other with zeros between them, each on a boundary
 * of 4 bytes (Documentation/driver-api/early-userspace/buffer-format.rst); the last one is "newc" cpio,
 * written here. In the guest /bin, /lib and their like are links into /usr, and a folder of that name in
 * an archive would replace the link: destinations are rewritten to what the links point to.
 */
#include "vgpu-qemu/launcher/initrd.h"

#include "vgpu-qemu/launcher/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A writer whose first error sticks. */
struct writer {
	int fd;
	int error; /* 0 or -errno */
	uint64_t written_bytes;
	unsigned int entry_count;
};

static void put(struct writer *writer, const void *bytes, size_t count)
{
	const char *next = bytes;

	while (count > 0 && writer->error == 0) {
		ssize_t n = write(writer->fd, next, count);

		if (n < 0 && errno != EINTR)
			writer->error = -errno;
		if (n > 0) {
			next += n;
			count -= (size_t)n;
			writer->written_bytes += (uint64_t)n;
		}
	}
}

static void pad4(struct writer *writer)
{
	put(writer, "\0\0\0", (4 - writer->written_bytes % 4) % 4);
}

static void put_header(struct writer *writer, const char *path, mode_t mode, size_t size_bytes)
{
	char header[111];

	snprintf(header, sizeof(header), "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ++writer->entry_count,
		 (unsigned int)mode, 0, 0, 1, 0, (unsigned int)size_bytes, 0, 0, 0, 0, (unsigned int)strlen(path) + 1, 0);
	put(writer, header, 110);
	put(writer, path, strlen(path) + 1);
	pad4(writer);
}

/* The folders above @path. */
static void put_parents(struct writer *writer, const char *path)
{
	char folder[512];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
		put_header(writer, folder, S_IFDIR | 0755, 0);
	}
}

/* Copies a file's bytes; its size must still be @size_bytes. */
static void put_file_bytes(struct writer *writer, int fd, uint64_t size_bytes)
{
	static char bytes[65536];
	uint64_t copied = 0;
	ssize_t n;

	while (writer->error == 0 && (n = read(fd, bytes, sizeof(bytes))) != 0) {
		if (n < 0) {
			writer->error = -errno;
			return;
		}
		put(writer, bytes, (size_t)n);
		copied += (uint64_t)n;
	}
	if (writer->error == 0 && copied != size_bytes)
		writer->error = -ESTALE;
	pad4(writer);
}

/* Opens a regular file of at most 4 GiB. */
static int open_regular(const char *path, struct stat *ret_stat)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, ret_stat) < 0)
		r = -errno;
	else if (S_ISDIR(ret_stat->st_mode))
		r = -EISDIR;
	else if (!S_ISREG(ret_stat->st_mode))
		r = -EINVAL;
	else if (ret_stat->st_size > UINT32_MAX)
		r = -EFBIG;
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

static int put_archive(struct writer *writer, const char *path)
{
	struct stat st;
	int fd = open_regular(path, &st);

	if (fd < 0)
		return fd;
	put_file_bytes(writer, fd, (uint64_t)st.st_size);
	close(fd);
	return writer->error;
}

/* Where @destination lies in the guest, without the first slash. */
static int guest_path(const char *destination, char *path, size_t size)
{
	static const struct {
		const char *from, *to;
	} links[] = {
		{ "/bin/", "usr/bin/" }, { "/sbin/", "usr/bin/" }, { "/usr/sbin/", "usr/bin/" },
		{ "/lib/", "usr/lib/" }, { "/lib64/", "usr/lib64/" },
	};
	int n = -1;

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]) && n < 0; i++)
		if (strncmp(destination, links[i].from, strlen(links[i].from)) == 0)
			n = snprintf(path, size, "%s%s", links[i].to, destination + strlen(links[i].from));
	if (n < 0)
		n = snprintf(path, size, "%s", destination + 1);
	return (size_t)n < size ? 0 : -ENAMETOOLONG;
}

static int put_user_file(struct writer *writer, const char *pair, char *source, size_t source_size)
{
	const char *colon = strchr(pair, ':');
	char path[512];
	struct stat st;
	int fd, r;

	if ((size_t)(colon - pair) >= source_size)
		return -ENAMETOOLONG;
	snprintf(source, source_size, "%.*s", (int)(colon - pair), pair);
	r = guest_path(colon + 1, path, sizeof(path));
	if (r < 0)
		return r;
	fd = open_regular(source, &st);
	if (fd < 0)
		return fd;
	put_parents(writer, path);
	put_header(writer, path, S_IFREG | (st.st_mode & 0777), (size_t)st.st_size);
	put_file_bytes(writer, fd, (uint64_t)st.st_size);
	close(fd);
	return writer->error;
}

static int put_command(struct writer *writer, char **command)
{
	size_t size_bytes = 0;

	for (char **argument = command; *argument; argument++)
		size_bytes += strlen(*argument) + 1;
	put_parents(writer, &GUEST_COMMAND_PATH[1]);
	put_header(writer, &GUEST_COMMAND_PATH[1], S_IFREG | 0444, size_bytes);
	for (char **argument = command; *argument; argument++)
		put(writer, *argument, strlen(*argument) + 1);
	pad4(writer);
	put_header(writer, "TRAILER!!!", 0, 0);
	return writer->error;
}

static int __attribute__((format(printf, 4, 5))) fail(int r, char *error, size_t error_size, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(error, error_size, format, args);
	va_end(args);
	if (n >= 0 && (size_t)n < error_size)
		snprintf(error + n, error_size - (size_t)n, ": %s", r == -ESTALE ? "it changed while it was read" : strerror(-r));
	return r;
}

int initrd_create(const struct string_list *archives, const struct string_list *files, char **command, char *error,
		  size_t error_size)
{
	struct writer writer = { .fd = memfd_create("initrd", MFD_CLOEXEC) };
	char source[4096];
	int r;

	if (writer.fd < 0)
		return fail(-errno, error, error_size, "cannot make a memfd for the guest's initramfs");
	for (size_t i = 0; i < archives->count; i++) {
		r = put_archive(&writer, archives->items[i]);
		if (r < 0) {
			fail(r, error, error_size, "cannot read the guest's archive '%s'", archives->items[i]);
			goto err_close;
		}
	}
	for (size_t i = 0; i < files->count; i++) {
		r = put_user_file(&writer, files->items[i], source, sizeof(source));
		if (r < 0) {
			fail(r, error, error_size, "cannot put --file '%s' into the guest", files->items[i]);
			goto err_close;
		}
	}
	r = put_command(&writer, command);
	if (r < 0) {
		fail(r, error, error_size, "cannot write the guest's initramfs");
		goto err_close;
	}
	return writer.fd;
err_close:
	close(writer.fd);
	return r;
}
