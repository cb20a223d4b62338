/* SPDX-License-Identifier: MIT */
/*
 * The stages, in order. Each is tried for itself; a host that refuses one still gets the others.
 *
 *   1. descriptors   all but 0, 1, 2 and the engine's own are closed
 *   2. identity      root becomes a user of its own (IDENTITY_BASE + pid: no living process shares it),
 *                    with the groups that own the GPUs' device nodes
 *   3. namespaces    own user, mount, network, IPC, UTS namespace; a root of read-only bind mounts, with a private
 *                    tmpfs as scratch folder (jail_namespaces.c). Refused: a folder on the host
 *   4. limits        no core dump, files, processes, file size, private memory
 *   5. capabilities  none left, none to be had
 *   6. no_new_privs, not dumpable
 *   7. Landlock      reads where drivers read, writes in scratch, executes the linker only; no TCP, no
 *                    signal and no abstract socket outwards (jail_landlock.c)
 *   8. seccomp       no sockets, ptrace, mounts, bpf, io_uring, keys, kexec, perf, userfaultfd, signals to
 *                    others ... (jail_seccomp.c). mprotect stays: compilers change pages W to X. And the aperture's
 *                    descriptor is for asking for a mapping only
 *
 * Not a stage: a PID namespace. It would need a process in between, and the keeper watches this one.
 */
#include "mdev/engine/compute/jail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mdev/engine/compute/jail_stages.h"
#include "mdev/engine/compute/sanitizer.h"
#include "mdev/log/log.h"

#define IDENTITY_BASE 0x40000000u	/* above what useradd, systemd and containers hand out; pids are below 2^22 */
#define IDENTITY_NOBODY 65534u
#define GROUPS_MAX 16
#define FILES_MAX 4096u
#define PROCESSES_MAX 1024u
#define FILE_BYTES_MAX (1ull << 30)
#define LANDLOCK_ABI_COMPLETE 6		/* signals scoped; from here on nothing we ask for is missing */

const struct jail_place jail_places[] = {
	{"/usr", false},	    {"/lib", false},		{"/lib64", false},	    {"/lib32", false},
	{"/bin", false},	    {"/opt", false},		{"/etc/ld.so.cache", false}, {"/etc/OpenCL", false},
	{"/etc/alternatives", false}, {"/etc/os-release", false}, {"/etc/debian_version", false}, {"/sys", false},
	{"/dev/null", true},	    {"/dev/zero", true},	{"/dev/urandom", true},	    {"/dev/dri", true},
	{"/dev/kfd", true},	    {"/dev/nvidiactl", true},	{"/dev/nvidia0", true},	    {"/dev/nvidia1", true},
	{"/dev/nvidia2", true},	    {"/dev/nvidia3", true},	{"/dev/nvidia-uvm", true},
};
const unsigned jail_place_count = sizeof(jail_places) / sizeof(jail_places[0]);

/* What is missing, for one line of the log. */
struct missing {
	char text[512];
	size_t used;
};

static void miss(struct missing *missing, const char *what, int r)
{
	int more = snprintf(missing->text + missing->used, sizeof(missing->text) - missing->used, "%s%s (%s)",
			    missing->used ? ", " : "", what, strerror(-r));

	if (more > 0 && missing->used + (size_t)more < sizeof(missing->text))
		missing->used += (size_t)more;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

void jail_leave_nothing(const char *scratch)
{
	nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

bool jail_icd_library_folder(const char *icd, char path[4096])
{
	char line[PATH_MAX] = "", real[PATH_MAX];
	FILE *file = fopen(icd, "re");

	if (!file)
		return false;
	char *got = fgets(line, sizeof(line), file);
	fclose(file);
	if (!got || line[0] != '/')
		return false;
	line[strcspn(line, "\r\n")] = 0;
	if (!realpath(line, real) || !strrchr(real, '/'))
		return false;
	*strrchr(real, '/') = 0;
	if (!real[0])
		return false;
	snprintf(path, 4096, "%.4095s", real);
	return true;
}

/* ---- 1. descriptors ------------------------------------------------------------------------------ */

static void close_others(const struct jail_settings *settings)
{
	unsigned from = 3;

	for (unsigned i = 0; i < settings->keep_fd_count; i++) {
		unsigned keep = (unsigned)settings->keep_fds[i];
		if (keep > from)
			close_range(from, keep - 1, 0);
		from = keep + 1;
	}
	close_range(from, ~0u, 0);
	for (unsigned i = 0; i < settings->keep_fd_count; i++)
		fcntl(settings->keep_fds[i], F_SETFD, FD_CLOEXEC);	/* not for the linker */
}

/* ---- 2. identity --------------------------------------------------------------------------------- */

/* The groups that own device nodes of GPUs, without root's. */
static size_t device_groups(gid_t groups[GROUPS_MAX])
{
	static const char *const nodes[] = {"/dev/kfd", "/dev/nvidiactl"};
	struct stat node;
	size_t count = 0;

	DIR *dri = opendir("/dev/dri");
	for (const struct dirent *e; dri && (e = readdir(dri)) && count < GROUPS_MAX;)
		if (!strncmp(e->d_name, "renderD", 7) && !fstatat(dirfd(dri), e->d_name, &node, 0) && node.st_gid)
			groups[count++] = node.st_gid;
	if (dri)
		closedir(dri);
	for (unsigned i = 0; i < sizeof(nodes) / sizeof(nodes[0]) && count < GROUPS_MAX; i++)
		if (!stat(nodes[i], &node) && node.st_gid)
			groups[count++] = node.st_gid;
	return count;
}

/* Root becomes somebody else, and the scratch folder on the host (NULL: there is none) becomes theirs. */
static int drop_root(const char *scratch)
{
	const uid_t choices[] = {IDENTITY_BASE + (uid_t)getpid(), IDENTITY_NOBODY};
	gid_t groups[GROUPS_MAX];
	size_t count = device_groups(groups);
	int r = -EPERM;

	/* In a container only part of the ids exist: nobody is the second best. */
	for (unsigned i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		uid_t id = choices[i];
		if ((!scratch || !chown(scratch, id, id)) && !setgroups(count, groups) && !setresgid(id, id, id) &&
		    !setresuid(id, id, id))
			return 0;
		r = -errno;
		/* Back to where it began, so that the engine can go on as it is. */
		if (setresgid(0, 0, 0) || (scratch && chown(scratch, 0, 0)))
			return r;
	}
	return r;
}

/* ---- 4., 5., 6. ------------------------------------------------------------------------------------ */

static int limit(int what, rlim_t most)
{
	struct rlimit now;

	if (getrlimit(what, &now))
		return -errno;
	if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most)
		most = now.rlim_max;
	return setrlimit(what, &(struct rlimit){most, most}) ? -errno : 0;
}

/*
 * Moves the guarded descriptor to a number at which no other can ever be made, here or in a program executed from here:
 * the limit of descriptors, which is lowered to that number once the descriptor stands there.
 */
static int guard_descriptor(int fd, int *ret_fd)
{
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now))
		return -errno;
	rlim_t number = now.rlim_max > FILES_MAX ? FILES_MAX : now.rlim_max - 1;
	if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){number + 1, now.rlim_max}))
		return -errno;
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, (int)number);
	if (moved < 0)
		return -errno;
	*ret_fd = moved;
	close(fd);
	return limit(RLIMIT_NOFILE, number);
}

static int set_limits(const struct jail_settings *settings, bool own_identity)
{
	int r = limit(RLIMIT_CORE, 0), one;

	if (settings->guarded_fd < 0 && (one = limit(RLIMIT_NOFILE, FILES_MAX)))
		r = one;
	if ((one = limit(RLIMIT_FSIZE, FILE_BYTES_MAX)))
		r = one;
	/* Counted per user: with a shared one it would count the processes of others. */
	if (own_identity && (one = limit(RLIMIT_NPROC, PROCESSES_MAX)))
		r = one;
	if (settings->memory_limit_bytes && (one = limit(RLIMIT_DATA, settings->memory_limit_bytes)))
		r = one;
	return r;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {0};

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int i = 0; i <= 63; i++)
		prctl(PR_CAPBSET_DROP, i, 0, 0, 0);	/* fails where there is nothing to lose */
	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

/* A folder on the host, for an engine without a mount namespace. Left-overs of a killed one are removed. */
static int make_scratch(const struct jail_settings *settings)
{
	jail_leave_nothing(settings->scratch);
	return mkdir(settings->scratch, 0700) && errno != EEXIST ? -errno : 0;
}

/*
 * A child that stays outside, with the privileges of now: it removes the scratch folder on the host again once
 * told that the private one stands. Its pipe's end is the other answer.
 */
static int start_remover(const char *scratch, pid_t *ret_child)
{
	int ends[2];
	char told;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	*ret_child = fork();
	if (!*ret_child) {
		close(ends[1]);
		if (read(ends[0], &told, 1) == 1)
			jail_leave_nothing(scratch);
		_exit(0);
	}
	close(ends[0]);
	return ends[1];
}

static void end_remover(int pipe_end, pid_t child, bool remove_it)
{
	if (remove_it && pipe_end >= 0 && write(pipe_end, "r", 1) < 0)
		log_debug("the scratch folder on the host stays: %s", strerror(errno));
	if (pipe_end >= 0)
		close(pipe_end);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Stages 2 and 3, in the order that this process's privileges allow. */
static int enter_namespaces(const struct jail_settings *settings, struct missing *missing, bool *ret_own_identity)
{
	bool root = geteuid() == 0, with_user = jail_user_namespaces_work(), entered = false, dropped = false;
	int r;

	/* Made while we may, used if the private root does not come about. As root it is handed over below. */
	int scratch_made = make_scratch(settings);
	pid_t remover = -1;
	int remover_pipe = scratch_made ? -1 : start_remover(settings->scratch, &remover);
	if (root && with_user) {
		r = drop_root(scratch_made ? NULL : settings->scratch);
		dropped = !r;
		if (r)
			miss(missing, "a user of its own", r);
		/* Changing the user made /proc/self root's; uid_map must be writable until stage 6. */
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	}
	if (with_user || root) {
		r = jail_namespaces_enter(settings, with_user, &entered);
		if (r)
			miss(missing, entered ? "a root of its own" : "namespaces", r);
	} else {
		miss(missing, "namespaces", -EPERM);
		r = -EPERM;
	}
	bool private_scratch = !r;
	end_remover(remover_pipe, remover, private_scratch);
	if (root && !with_user) {
		int d = drop_root(private_scratch || !scratch_made ? settings->scratch : NULL);
		dropped = !d;
		if (d)
			miss(missing, "a user of its own", d);
	}
	*ret_own_identity = dropped || (entered && with_user);
	return private_scratch ? 0 : scratch_made;
}

int jail_enter(const struct jail_settings *settings, struct jail_guard *ret_guard)
{
	struct missing missing = {.used = 0};
	struct jail_guard guard = {.fd = settings->guarded_fd, .listener = -1};
	bool own_identity = false;
	int landlock_abi = 0, r;

	close_others(settings);
	int scratch = enter_namespaces(settings, &missing, &own_identity);
	if (scratch)
		return scratch;
	if (access(settings->scratch, R_OK | W_OK | X_OK))
		return -errno;
	if ((r = set_limits(settings, own_identity)))
		miss(&missing, "limits", r);
	if (guard.fd >= 0 && (r = guard_descriptor(settings->guarded_fd, &guard.fd)))
		miss(&missing, "a descriptor number of the aperture's own", r);
	if ((r = drop_capabilities()))
		miss(&missing, "dropping capabilities", r);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (!ENGINE_HAS_SANITIZER)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if ((r = jail_landlock_enter(settings, &landlock_abi)))
		miss(&missing, "Landlock", r);
	else if (landlock_abi < LANDLOCK_ABI_COMPLETE)
		log_debug("Landlock of this host is version %d: signals are left to seccomp", landlock_abi);
	if (!settings->seccomp_later && (r = jail_seccomp_enter(guard.fd, &guard.listener)))
		miss(&missing, "seccomp", r);
	if (missing.used)
		log_warning("this host does not allow all of the engine's jail; missing: %s", missing.text);
	if (guard.fd >= 0 && guard.listener < 0)
		log_warning("no seccomp listener can be had here (Linux 5.7, and no other listener around this service): contexts of one guest are not isolated from each other against native code");
	if (ret_guard)
		*ret_guard = guard;
	return 0;
}

int jail_enter_build(const struct jail_settings *settings)
{
	int abi = 0, none, r = jail_landlock_enter(settings, &abi);

	return r ? r : jail_seccomp_enter(-1, &none);
}
