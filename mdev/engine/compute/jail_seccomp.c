/* SPDX-License-Identifier: MIT */
/*
 * System calls an engine never needs, refused with EPERM. A list of what is denied, not of what is allowed:
 * vendor drivers are many and change; what a kernel's native code gains from the rest is bounded by the
 * other stages.
 *
 * One descriptor is guarded: the aperture's, in which other guest processes' blobs lie beside this engine's own. A call
 * that names it is refused, but for mmap, which waits until vgpu-device, holding the listener, has judged it
 * (vgpu-qemu/virtio_gpu/map_guard.c), and the harmless fstat and close. For that to hold:
 *   - no second number for the file: dup and fcntl refused; no asynchronous I/O, whose descriptors are in memory; no
 *     sockets to pass it through (what arrives on the channel, vgpu-device throws away; the compile helper takes none); no execveat. Opening it
 *     again under /proc is refused by the file's mode, where the engine has a user of its own
 *   - no second file under the number: it is the limit of descriptors itself (jail.c), so no call yields it, not even
 *     in a program executed from here, which inherits this filter but not the descriptor
 *   - no mapping outgrows what was granted: no mremap, no remap_file_pages
 *   - no filter above this one, which could answer in the listener's stead: seccomp refused
 * A filter sees registers whole, the kernel takes descriptors as 32 bits of them: so only those are compared.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "mdev/engine/compute/jail_stages.h"
#include "mdev/engine/compute/sanitizer.h"
#include "mdev/engine/engine_protocol.h"

#ifndef F_SETOWN_EX
#define F_SETOWN_EX 15
#endif
#ifndef F_SETSIG
#define F_SETSIG 10
#endif

static const int denied[] = {
	/* other hosts and processes */
#if !ENGINE_HAS_SANITIZER	/* sanitizer.c */
	SCMP_SYS(ptrace),
#endif
	SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(kcmp), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal), SCMP_SYS(tkill),
	SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(process_madvise), SCMP_SYS(move_pages),
	SCMP_SYS(migrate_pages), SCMP_SYS(setpriority), SCMP_SYS(ioprio_set), SCMP_SYS(sched_setscheduler),
	SCMP_SYS(sched_setparam), SCMP_SYS(sched_setattr), SCMP_SYS(msgget), SCMP_SYS(semget), SCMP_SYS(shmget),
	SCMP_SYS(mq_open), SCMP_SYS(vmsplice),
	/* ways around the guarded descriptor */
	SCMP_SYS(seccomp), SCMP_SYS(mremap), SCMP_SYS(remap_file_pages), SCMP_SYS(execveat), SCMP_SYS(io_setup),
	SCMP_SYS(io_submit),
	/* out of a build's process group, by which it is ended (compiler/builder.c) */
	SCMP_SYS(setsid), SCMP_SYS(setpgid),
	/* file systems and namespaces */
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(open_tree),
	SCMP_SYS(move_mount), SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick),
	SCMP_SYS(mount_setattr), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(name_to_handle_at),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(fanotify_init), SCMP_SYS(quotactl), SCMP_SYS(mknodat),
#ifdef __NR_mknod
	SCMP_SYS(mknod),
#endif
	/* the kernel's large or rarely used doors */
	SCMP_SYS(bpf), SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
	SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(init_module), SCMP_SYS(finit_module),
	SCMP_SYS(delete_module), SCMP_SYS(reboot), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(acct),
	SCMP_SYS(syslog), SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime), SCMP_SYS(adjtimex),
	SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(vhangup), SCMP_SYS(lookup_dcookie),
};

/* Calls that name a descriptor, and which of their arguments does. */
static const struct {
	int call;
	unsigned argument;
} guarded[] = {
	{SCMP_SYS(dup), 0},	      {SCMP_SYS(dup3), 0},	{SCMP_SYS(fcntl), 0},	       {SCMP_SYS(ioctl), 0},
	{SCMP_SYS(read), 0},	      {SCMP_SYS(readv), 0},	{SCMP_SYS(pread64), 0},	       {SCMP_SYS(preadv), 0},
	{SCMP_SYS(preadv2), 0},	      {SCMP_SYS(write), 0},	{SCMP_SYS(writev), 0},	       {SCMP_SYS(pwrite64), 0},
	{SCMP_SYS(pwritev), 0},	      {SCMP_SYS(pwritev2), 0},	{SCMP_SYS(sendfile), 0},       {SCMP_SYS(sendfile), 1},
	{SCMP_SYS(splice), 0},	      {SCMP_SYS(splice), 2},	{SCMP_SYS(tee), 0},	       {SCMP_SYS(tee), 1},
	{SCMP_SYS(copy_file_range), 0}, {SCMP_SYS(copy_file_range), 2}, {SCMP_SYS(lseek), 0},  {SCMP_SYS(fallocate), 0},
	{SCMP_SYS(ftruncate), 0},     {SCMP_SYS(fadvise64), 0}, {SCMP_SYS(readahead), 0},      {SCMP_SYS(sync_file_range), 0},
	{SCMP_SYS(fchmod), 0},	      {SCMP_SYS(fchown), 0},	{SCMP_SYS(fchownat), 0},       {SCMP_SYS(utimensat), 0},
	{SCMP_SYS(fsetxattr), 0},     {SCMP_SYS(fremovexattr), 0}, {SCMP_SYS(flock), 0},       {SCMP_SYS(openat), 0},
	{SCMP_SYS(openat2), 0},	      {SCMP_SYS(linkat), 0},
#ifdef __NR_dup2
	{SCMP_SYS(dup2), 0},
#endif
};

/* Calls that stay, but not with everything: refused if argument `index`'s lower half compares so. */
static int deny_if(scmp_filter_ctx filter, int call, unsigned index, enum scmp_compare how, uint32_t value)
{
	/* The upper half is not the kernel's business for these arguments; whoever sets it is not let through. */
	const struct scmp_arg_cmp condition = {
		.arg = index,
		.op = how == SCMP_CMP_EQ ? SCMP_CMP_MASKED_EQ : how,
		.datum_a = how == SCMP_CMP_EQ ? UINT32_MAX : value,
		.datum_b = how == SCMP_CMP_EQ ? value : 0,
	};

	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1, condition);
}

/* Refused with these two first arguments. */
static int deny_pair(scmp_filter_ctx filter, int call, uint32_t first, uint32_t second)
{
	const struct scmp_arg_cmp conditions[] = {
		{.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = UINT32_MAX, .datum_b = first},
		{.arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = UINT32_MAX, .datum_b = second},
	};

	return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), call, 2, conditions);
}

static int add_conditions(scmp_filter_ctx filter)
{
	static const uint64_t new_namespaces[] = {CLONE_NEWNS,	CLONE_NEWUSER, CLONE_NEWNET,   CLONE_NEWPID,
						  CLONE_NEWIPC, CLONE_NEWUTS,  CLONE_NEWCGROUP};
	static const uint32_t owners[] = {F_SETOWN, F_SETOWN_EX, F_SETSIG};
	static const uint32_t shared_events[] = {ENGINE_FD_DOORBELL, ENGINE_FD_COMPLETION, ENGINE_FD_WANT};
	static const uint32_t changes[] = {F_SETFL, F_DUPFD, F_DUPFD_CLOEXEC};
	static const int whole_calls[] = {SCMP_SYS(ioctl), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3)};
	uint32_t self = (uint32_t)getpid();
	int r;

	/* abort() and raise() signal the own process; nobody else's. */
	if ((r = deny_if(filter, SCMP_SYS(kill), 0, SCMP_CMP_NE, self)) ||
	    (r = deny_if(filter, SCMP_SYS(tgkill), 0, SCMP_CMP_NE, self)) ||
	    (r = deny_if(filter, SCMP_SYS(prlimit64), 0, SCMP_CMP_NE, 0)) ||
	    (r = deny_if(filter, SCMP_SYS(ioctl), 1, SCMP_CMP_EQ, TIOCSTI)) ||
	    (r = deny_if(filter, SCMP_SYS(prctl), 0, SCMP_CMP_EQ, PR_SET_SECCOMP)) ||
	    (r = deny_if(filter, SCMP_SYS(prctl), 0, SCMP_CMP_EQ, PR_SET_DUMPABLE)))
		return r;
	for (unsigned i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
		if ((r = deny_if(filter, SCMP_SYS(fcntl), 1, SCMP_CMP_EQ, owners[i])))
			return r;
	/*
	 * Flags belong to the open file, not to the descriptor: an engine that clears O_NONBLOCK of an eventfd it shares with
	 * vgpu-device or vgpud, and fills its counter, would make their write wait. So nobody here changes these, or makes
	 * another descriptor of them; an eventfd cannot be opened anew by its path, and no call that passes descriptors to a
	 * process is left but to vgpu-device, which closes them.
	 */
	for (unsigned i = 0; i < sizeof(shared_events) / sizeof(shared_events[0]); i++) {
		for (unsigned k = 0; k < sizeof(changes) / sizeof(changes[0]); k++)
			if ((r = deny_pair(filter, SCMP_SYS(fcntl), shared_events[i], changes[k])))
				return r;
		for (unsigned k = 0; k < sizeof(whole_calls) / sizeof(whole_calls[0]); k++) {
			r = deny_if(filter, whole_calls[k], 0, SCMP_CMP_EQ, shared_events[i]);
			if (r && r != -EDOM)	/* not a call of this architecture */
				return r;
		}
	}
	for (unsigned i = 0; i < sizeof(new_namespaces) / sizeof(new_namespaces[0]); i++) {
		const struct scmp_arg_cmp asked = {
			.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = new_namespaces[i], .datum_b = new_namespaces[i]};
		if ((r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, asked)))
			return r;
	}
	/* clone3's flags are in memory, out of a filter's sight. ENOSYS makes C libraries use clone. */
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int add_guard(scmp_filter_ctx filter, int fd, bool with_listener)
{
	const struct scmp_arg_cmp is_it = {
		.arg = 4, .op = SCMP_CMP_MASKED_EQ, .datum_a = UINT32_MAX, .datum_b = (scmp_datum_t)fd};

	for (unsigned i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++) {
		int r = deny_if(filter, guarded[i].call, guarded[i].argument, SCMP_CMP_EQ, (uint32_t)fd);
		if (r && r != -EDOM)
			return r;
	}
	return with_listener ? seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(mmap), 1, is_it) : 0;
}

static int load(int guarded_fd, bool with_listener, int *ret_listener)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? 0 : -ENOMEM;

	for (unsigned i = 0; !r && i < sizeof(denied) / sizeof(denied[0]); i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
		if (r == -EDOM)		/* not a call of this architecture */
			r = 0;
	}
	if (!r)
		r = add_conditions(filter);
	if (!r && guarded_fd >= 0)
		r = add_guard(filter, guarded_fd, with_listener);
	if (!r)
		r = seccomp_load(filter);
	if (!r && with_listener) {
		*ret_listener = seccomp_notify_fd(filter);
		r = *ret_listener < 0 ? *ret_listener : 0;
	}
	if (filter)
		seccomp_release(filter);
	return r;
}

int jail_seccomp_enter(int guarded_fd, int *ret_listener)
{
	/* Level 6 is Linux 5.7. Listeners are older, but from 5.5 on one may let a call go on. */
	bool possible = guarded_fd >= 0 && seccomp_api_get() >= 6;

	*ret_listener = -1;
	/* Refused with EBUSY where a container's supervisor listens already; nothing has been loaded then. */
	if (possible && !load(guarded_fd, true, ret_listener))
		return 0;
	*ret_listener = -1;
	return load(guarded_fd, false, ret_listener);
}
