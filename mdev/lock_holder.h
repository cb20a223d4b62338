/* SPDX-License-Identifier: MIT */
/* Who holds a flock(2) that is not ours, as the kernel says. */
#ifndef VGPU_MDEV_LOCK_HOLDER_H
#define VGPU_MDEV_LOCK_HOLDER_H

#include <sys/types.h>

/* The process that locked the file open as fd (borrowed) and has it open still; 0 if there is none that can be told. */
pid_t lock_holder(int fd);

#endif
