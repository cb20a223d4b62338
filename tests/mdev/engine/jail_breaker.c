/* SPDX-License-Identifier: MIT */
/*
 * Native code in an engine's jail that tries to get at more of the aperture than the device grants.
 *
 * Enters the jail as vgpu-compute does, hands the listener over, and then does what jail_breaker.h's page asks.
 */
#include "tests/mdev/engine/jail_breaker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/engine/compute/jail.h"
#include "mdev/engine/engine_protocol.h"
#include "mdev/ipc/seqpacket.h"
#include "mdev/log/log.h"

static struct breaker_page *page;
static struct jail_guard guard;
static void *mapped = MAP_FAILED;

static int map(uint64_t fd)
{
	void *at = (void *)syscall(SYS_mmap, NULL, page->bytes, page->protection, page->flags, fd, page->offset);

	if (at == MAP_FAILED)
		return -errno;
	mapped = at;
	if (page->protection & PROT_WRITE)
		*(volatile uint32_t *)at = page->value;
	page->value = *(volatile uint32_t *)at;
	return 0;
}

static int map_in_child(void)
{
	int status;
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (!child)
		_exit(-map((uint64_t)guard.fd));
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

static int grow(void)
{
	void *at = mremap(mapped, 4096, page->bytes, MREMAP_MAYMOVE);
	int r = at == MAP_FAILED ? -errno : 0;

	if (r && !remap_file_pages(mapped, 4096, 0, 1, 0))
		r = 1;
	return r;
}

/* The number of the first of these that was not refused. */
static int use(void)
{
	static char bytes[4096];
	struct iovec iov = {.iov_base = bytes, .iov_len = 8};
	int fd = guard.fd, number = 0;
	loff_t in = 0, out = 0;

#define REFUSED(call)                                                                                                  \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		number++;                                                                                              \
		if ((call) != -1 || errno != EPERM)                                                                    \
			return number;                                                                                 \
	} while (0)
	REFUSED(read(fd, bytes, 8));
	REFUSED(pread(fd, bytes, 8, 0));
	REFUSED(readv(fd, &iov, 1));
	REFUSED(preadv(fd, &iov, 1, 0));
	REFUSED(preadv2(fd, &iov, 1, 0, 0));
	REFUSED(write(fd, bytes, 8));
	REFUSED(pwrite(fd, bytes, 8, 0));
	REFUSED(writev(fd, &iov, 1));
	REFUSED(pwritev(fd, &iov, 1, 0));
	REFUSED(pwritev2(fd, &iov, 1, 0, 0));
	REFUSED(syscall(SYS_sendfile, ENGINE_FD_CHANNEL, fd, NULL, 8));
	REFUSED(syscall(SYS_sendfile, fd, BREAKER_FD_PAGE, NULL, 8));
	REFUSED(splice(fd, &in, 1, NULL, 8, 0));
	REFUSED(splice(0, NULL, fd, &out, 8, 0));
	REFUSED(tee(fd, 1, 8, 0));
	REFUSED(vmsplice(1, &iov, 1, 0));
	REFUSED(copy_file_range(fd, &in, BREAKER_FD_PAGE, &out, 8, 0));
	REFUSED(copy_file_range(BREAKER_FD_PAGE, &in, fd, &out, 8, 0));
	REFUSED(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
	REFUSED(ftruncate(fd, 4096));
	REFUSED(lseek(fd, 0, SEEK_DATA));
	REFUSED(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	REFUSED(fchmod(fd, 0777));
	REFUSED(syscall(SYS_io_uring_setup, 4, bytes));
	REFUSED(syscall(SYS_execveat, fd, "", NULL, NULL, AT_EMPTY_PATH));
	REFUSED(syscall(SYS_ioctl, fd, 0, 0));
	REFUSED(syscall(SYS_pread64, (uint64_t)(unsigned)fd | 1ull << 40, bytes, 8, 0));

	aio_context_t aio = 0;
	struct iocb request = {.aio_fildes = (uint32_t)fd, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_buf = (uintptr_t)bytes, .aio_nbytes = 8};
	struct iocb *requests[] = {&request};
	REFUSED(syscall(SYS_io_setup, 1, &aio));
	REFUSED(syscall(SYS_io_submit, aio, 1, requests));
	return BREAKER_ALL_FAILED;
}

static int copy(void)
{
	int fd = guard.fd, number = 0;

	REFUSED(dup(fd));
	REFUSED(dup2(fd, 20));
	REFUSED(dup3(fd, 20, O_CLOEXEC));
	REFUSED(fcntl(fd, F_DUPFD, 20));
	REFUSED(fcntl(fd, F_DUPFD_CLOEXEC, 20));
	REFUSED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, (int[2]){0, 0}));
	REFUSED(socket(AF_UNIX, SOCK_STREAM, 0));
	REFUSED(syscall(SYS_pidfd_open, getpid(), 0));
	REFUSED(syscall(SYS_pidfd_getfd, 0, fd, 0));
	REFUSED(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
	/* No number can be given to another file that the filter would take for the guarded one. */
	number++;
	if (dup2(0, fd) >= 0 || fcntl(0, F_DUPFD, fd) >= 0)
		return number;
	return BREAKER_ALL_FAILED;
}

static int reopen(void)
{
	static const char *const folders[] = {"/proc/self/fd", "/proc/thread-self/fd"};
	char path[64];

	for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%d", folders[i], guard.fd);
		if (open(path, O_RDWR) >= 0 || open(path, O_RDONLY) >= 0)
			return (int)i + 1;
	}
	/* By the mapping: /proc/self/map_files needs capabilities that are gone. */
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", (unsigned long)mapped, (unsigned long)mapped + 4096);
	if (open(path, O_RDONLY) >= 0)
		return 3;
	return BREAKER_ALL_FAILED;
}

static int replace(void)
{
	struct sock_filter notify = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	struct sock_fprog program = {.len = 1, .filter = &notify};
	int number = 0;

	REFUSED(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
	REFUSED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
	REFUSED(prctl(PR_SET_DUMPABLE, 1));
	return BREAKER_ALL_FAILED;
}

static int act(uint32_t command)
{
	struct engine_message message = {.op = ENGINE_READY, .value = ENGINE_PROTOCOL_VERSION};

	switch (command) {
	case BREAKER_MAP:
		return map((uint64_t)guard.fd);
	case BREAKER_MAP_HIGH:
		return map((uint64_t)guard.fd | 1ull << 32);
	case BREAKER_MAP_IN_CHILD:
		return map_in_child();
	case BREAKER_GROW:
		return grow();
	case BREAKER_USE:
		return use();
	case BREAKER_COPY:
		return copy();
	case BREAKER_REOPEN:
		return reopen();
	case BREAKER_REPLACE:
		return replace();
	case BREAKER_SEND:
		return seqpacket_send(ENGINE_FD_CHANNEL, &message, sizeof(message), &guard.fd, 1);
	default:
		return -ENOSYS;
	}
}

int main(int argc, char **argv)
{
	static const int fds[] = {ENGINE_FD_CHANNEL, BREAKER_FD_PAGE, ENGINE_FD_APERTURE};
	struct engine_message message = {.op = ENGINE_LISTENER};

	if (argc != 2)
		return 2;
	log_init("jail_breaker", "test");
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, BREAKER_FD_PAGE, 0);
	if (page == MAP_FAILED)
		return 3;
	const struct jail_settings settings = {
		.icd = "/etc/OpenCL/vendors/pocl.icd",
		.scratch = argv[1],
		.keep_fds = fds,
		.keep_fd_count = 3,
		.guarded_fd = ENGINE_FD_APERTURE,
	};
	if (jail_enter(&settings, &guard))
		return 4;
	if (guard.listener >= 0 &&
	    seqpacket_send(ENGINE_FD_CHANNEL, &message, sizeof(message), &guard.listener, 1))
		return 5;
	page->result = guard.listener >= 0;
	if (guard.listener >= 0)
		close(guard.listener);
	atomic_store(&page->done, BREAKER_START);
	for (;;) {
		uint32_t command = atomic_load(&page->command);
		if (command && !atomic_load(&page->done)) {
			page->result = act(command);
			atomic_store(&page->done, command);
		}
		usleep(500);
	}
}
