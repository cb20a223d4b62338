/* SPDX-License-Identifier: MIT */
/*
 * The guest's init: mounts, loads virtio-gpu where there is a vGPU, runs one command, tells vgpu-run
 * what it wrote and how it ended, switches the VM off.
 *
 * It is process 1 of a VM made by vgpu-run and linked statically, so that it runs whatever C library
 * the machine that built it has. It trusts vgpu-run, which wrote the command into the guest's initramfs,
 * and it does not outlive the command. What it says goes through the virtio-serial port as frames
 * (frame.h, which is why it lives beside it); before that port is open, to the kernel's log.
 */
#include "vgpu-qemu/launcher/frame.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MODULES_LIST_PATH "/etc/vgpu-run/modules"
#define VIRTIO_ID_GPU 16 /* virtio 1.3 section 5.7.1 */
#define RENDER_NODE_WAIT_MS 20000
#define PORT_WAIT_MS 5000
/* What processes the command left behind may still write after it ended: a full pipe, within this time. */
#define DRAIN_MS 200
#define DRAIN_PIECES 64

static const char *const guest_environment[] = {
	"PATH=/usr/local/bin:/usr/bin:/usr/sbin", "HOME=/root", "TERM=dumb", "LANG=C.UTF-8", NULL,
};

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static int write_all(int fd, const void *bytes, size_t count)
{
	const char *next = bytes;

	while (count > 0) {
		ssize_t n = write(fd, next, count);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		next += n;
		count -= (size_t)n;
	}
	return 0;
}

static void frame_send(int port_fd, enum frame_type type, const void *payload, size_t payload_bytes)
{
	static uint8_t message[sizeof(struct frame_header) + FRAME_PAYLOAD_MAX_BYTES];
	struct frame_header header = { .type = (uint8_t)type, .length_le = htole32((uint32_t)payload_bytes) };

	/* One write each: the port hands a write to the host as it is. */
	memcpy(message, &header, sizeof(header));
	if (payload_bytes > 0)
		memcpy(message + sizeof(header), payload, payload_bytes);
	write_all(port_fd, message, sizeof(header) + payload_bytes);
}

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* Says why the command cannot run, then switches off. @port_fd may be -1. */
static void __attribute__((noreturn, format(printf, 2, 3))) give_up(int port_fd, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (port_fd >= 0) {
		frame_send(port_fd, FRAME_FAILED, text, strlen(text));
	} else {
		int log_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

		if (log_fd >= 0)
			dprintf(log_fd, "<2>vgpu-run's init: %s\n", text);
	}
	power_off();
	_exit(1);
}

/* Reads a small file into @text, ended by a zero and without the line's end. Returns its length or -errno. */
static ssize_t read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	return n;
}

static void mount_all(void)
{
	static const struct {
		const char *type, *at;
		unsigned long flags;
	} mounts[] = {
		{ "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC },
		{ "sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC },
		{ "devtmpfs", "/dev", MS_NOSUID },
		{ "tmpfs", "/tmp", MS_NOSUID | MS_NODEV },
		{ "tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV },
	};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].at, 0755);
		if (mount(mounts[i].type, mounts[i].at, mounts[i].type, mounts[i].flags, NULL) < 0)
			give_up(-1, "cannot mount %s on %s: %s", mounts[i].type, mounts[i].at, strerror(errno));
	}
	chmod("/tmp", 01777);
	chmod("/dev/shm", 01777);
}

/* The virtio-serial port of vgpu-run, found by its name; its driver is built into Debian's kernel. */
static int port_open(void)
{
	const char *class_path = "/sys/class/virtio-ports";

	for (int waited_ms = 0; waited_ms < PORT_WAIT_MS; waited_ms += 20) {
		DIR *dir = opendir(class_path);
		struct dirent *entry;

		while (dir && (entry = readdir(dir))) {
			char path[512], name[64];
			int fd;

			snprintf(path, sizeof(path), "%s/%s/name", class_path, entry->d_name);
			if (entry->d_name[0] == '.' || read_text(path, name, sizeof(name)) < 0 ||
			    strcmp(name, FRAME_PORT_NAME) != 0)
				continue;
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			fd = open(path, O_RDWR | O_CLOEXEC);
			if (fd >= 0) {
				closedir(dir);
				return fd;
			}
		}
		if (dir)
			closedir(dir);
		sleep_ms(20);
	}
	give_up(-1, "no virtio-serial port named %s; was this guest made by another build?", FRAME_PORT_NAME);
}

static unsigned int count_virtio_gpus(void)
{
	DIR *dir = opendir("/sys/bus/virtio/devices");
	struct dirent *entry;
	unsigned int count = 0;

	while (dir && (entry = readdir(dir))) {
		char path[512], id[32];

		snprintf(path, sizeof(path), "/sys/bus/virtio/devices/%s/device", entry->d_name);
		if (entry->d_name[0] != '.' && read_text(path, id, sizeof(id)) >= 0 &&
		    strtoul(id, NULL, 16) == VIRTIO_ID_GPU)
			count++;
	}
	if (dir)
		closedir(dir);
	return count;
}

static unsigned int count_render_nodes(void)
{
	DIR *dir = opendir("/dev/dri");
	struct dirent *entry;
	unsigned int count = 0;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, "renderD", 7) == 0)
			count++;
	if (dir)
		closedir(dir);
	return count;
}

/* Loads what /etc/vgpu-run/modules lists, one path per line, in its order. */
static void load_modules(int port_fd)
{
	FILE *list = fopen(MODULES_LIST_PATH, "re");
	char path[256];

	if (!list)
		give_up(port_fd, "the guest has no %s: %s", MODULES_LIST_PATH, strerror(errno));
	while (fgets(path, sizeof(path), list)) {
		int fd;

		path[strcspn(path, "\n")] = '\0';
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
			give_up(port_fd, "cannot load %s: %s", path, strerror(errno));
		close(fd);
	}
	fclose(list);
}

static void wait_for_vgpus(int port_fd)
{
	unsigned int want = count_virtio_gpus(), have;

	if (want == 0)
		return;
	load_modules(port_fd);
	for (int waited_ms = 0; (have = count_render_nodes()) < want; waited_ms += 10) {
		if (waited_ms >= RENDER_NODE_WAIT_MS)
			give_up(port_fd, "%u of %u vGPUs have a render node after %d s; the guest's kernel log says why",
				have, want, RENDER_NODE_WAIT_MS / 1000);
		sleep_ms(10);
	}
}

/* The command's arguments, from the file that vgpu-run put into the initramfs. */
static char **read_command(int port_fd)
{
	static char text[131072];
	size_t count = 0, used = 0;
	char **arguments;
	int fd = open(GUEST_COMMAND_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		give_up(port_fd, "the guest has no %s: %s", GUEST_COMMAND_PATH, strerror(errno));
	while ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	for (size_t i = 0; i < used; i++)
		count += text[i] == '\0';
	if (n < 0 || count == 0)
		give_up(port_fd, "%s is empty or too long", GUEST_COMMAND_PATH);
	arguments = calloc(count + 1, sizeof(*arguments));
	if (!arguments)
		give_up(port_fd, "out of memory");
	for (size_t i = 0, at = 0; i < count; i++, at += strlen(text + at) + 1)
		arguments[i] = text + at;
	return arguments;
}

static pid_t start_command(int port_fd, char **arguments, int output_fd)
{
	pid_t pid = fork();

	if (pid < 0)
		give_up(port_fd, "cannot start a process: %s", strerror(errno));
	if (pid == 0) {
		int null_fd = open("/dev/null", O_RDONLY);

		setsid();
		dup2(null_fd, 0);
		dup2(output_fd, 1);
		dup2(output_fd, 2);
		if (null_fd > 2)
			close(null_fd);
		if (chdir("/root") < 0)
			_exit(126);
		environ = (char **)guest_environment;
		execvp(arguments[0], arguments);
		dprintf(2, "%s: %s (in the guest)\n", arguments[0], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	return pid;
}

/* Passes one piece of the command's output on. False at its end or when nothing came in @timeout_ms. */
static bool forward_output(int port_fd, int output_fd, int timeout_ms)
{
	static uint8_t bytes[FRAME_PAYLOAD_MAX_BYTES];
	struct pollfd poll_fd = { .fd = output_fd, .events = POLLIN };
	ssize_t n;

	if (poll(&poll_fd, 1, timeout_ms) <= 0)
		return false;
	n = read(output_fd, bytes, sizeof(bytes));
	if (n <= 0)
		return false;
	frame_send(port_fd, FRAME_OUTPUT, bytes, (size_t)n);
	return true;
}

/* Reaps every child there is to reap; true when @pid was among them. */
static bool reap(pid_t pid, int *ret_status)
{
	bool ended = false;
	int status;
	pid_t found;

	while ((found = waitpid(-1, &status, WNOHANG)) > 0) {
		if (found == pid) {
			*ret_status = status;
			ended = true;
		}
	}
	return ended;
}

static int run_command(int port_fd, char **arguments)
{
	int pipe_fds[2], status = 0;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		give_up(port_fd, "cannot make a pipe: %s", strerror(errno));
	frame_send(port_fd, FRAME_READY, NULL, 0);
	pid = start_command(port_fd, arguments, pipe_fds[1]);
	close(pipe_fds[1]);
	/* A command that closed its output may still run, one that ended may have left writers behind. */
	while (!reap(pid, &status))
		if (!forward_output(port_fd, pipe_fds[0], 50))
			sleep_ms(2);
	for (int i = 0; i < DRAIN_PIECES && forward_output(port_fd, pipe_fds[0], i == 0 ? DRAIN_MS : 0); i++)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(void)
{
	uint8_t status;
	char **arguments;
	int port_fd;

	if (getpid() != 1) {
		fprintf(stderr, "vgpu-guest-init is the first process of a VM started by vgpu-run\n");
		return 2;
	}
	mount_all();
	port_fd = port_open();
	sethostname("vgpu-guest", 10);
	arguments = read_command(port_fd);
	wait_for_vgpus(port_fd);
	status = (uint8_t)run_command(port_fd, arguments);
	frame_send(port_fd, FRAME_EXIT, &status, 1);
	power_off();
	return 0;
}
