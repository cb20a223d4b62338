/* SPDX-License-Identifier: MIT */
/*
 * System calls an engine never needs, refused with EPERM. A list of what is denied, not of what is allowed:
 * vendor drivers are many and change; what a kernel's native code gains from the rest is bounded by the
 * other stages.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mdev/engine/compute/jail_stages.h"

#ifndef F_SETOWN_EX
#define F_SETOWN_EX 15
#endif
#ifndef F_SETSIG
#define F_SETSIG 10
#endif

static const int denied[] = {
	/* other hosts and processes */
	SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(kcmp), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal), SCMP_SYS(tkill),
	SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(process_madvise), SCMP_SYS(move_pages),
	SCMP_SYS(migrate_pages), SCMP_SYS(setpriority), SCMP_SYS(ioprio_set), SCMP_SYS(sched_setscheduler),
	SCMP_SYS(sched_setparam), SCMP_SYS(sched_setattr), SCMP_SYS(msgget), SCMP_SYS(semget), SCMP_SYS(shmget),
	SCMP_SYS(mq_open), SCMP_SYS(vmsplice),
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

static int deny_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1, condition);
}

/* Calls that stay, but not with everything. */
static int add_conditions(scmp_filter_ctx filter)
{
	static const unsigned long new_namespaces[] = {CLONE_NEWNS,  CLONE_NEWUSER, CLONE_NEWNET,   CLONE_NEWPID,
						       CLONE_NEWIPC, CLONE_NEWUTS,  CLONE_NEWCGROUP};
	pid_t self = getpid();
	int r = 0;

	/* abort() and raise() signal the own process; nobody else's. */
	if (!r)
		r = deny_if(filter, SCMP_SYS(kill), SCMP_A0_32(SCMP_CMP_NE, (unsigned)self));
	if (!r)
		r = deny_if(filter, SCMP_SYS(tgkill), SCMP_A0_32(SCMP_CMP_NE, (unsigned)self));
	if (!r)
		r = deny_if(filter, SCMP_SYS(prlimit64), SCMP_A0_32(SCMP_CMP_NE, 0));
	if (!r)
		r = deny_if(filter, SCMP_SYS(fcntl), SCMP_A1_32(SCMP_CMP_EQ, F_SETOWN));
	if (!r)
		r = deny_if(filter, SCMP_SYS(fcntl), SCMP_A1_32(SCMP_CMP_EQ, F_SETOWN_EX));
	if (!r)
		r = deny_if(filter, SCMP_SYS(fcntl), SCMP_A1_32(SCMP_CMP_EQ, F_SETSIG));
	if (!r)
		r = deny_if(filter, SCMP_SYS(ioctl), SCMP_A1_32(SCMP_CMP_EQ, TIOCSTI));
	for (unsigned i = 0; !r && i < sizeof(new_namespaces) / sizeof(new_namespaces[0]); i++)
		r = deny_if(filter, SCMP_SYS(clone),
			    SCMP_A0(SCMP_CMP_MASKED_EQ, new_namespaces[i], new_namespaces[i]));
	/* clone3's flags are in memory, out of a filter's sight. ENOSYS makes C libraries use clone. */
	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r;
}

int jail_seccomp_enter(void)
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
	if (!r)
		r = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return r;
}
