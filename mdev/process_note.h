/* SPDX-License-Identifier: MIT */
/*
 * A process's name in a file: "pid starttime", so that it can be believed after the pid was used again.
 *
 * The keeper notes its device and engine processes in the vGPU's runtime folder; a keeper that starts anew, and vgpud, read
 * them. Any thread.
 */
#ifndef VGPU_MDEV_PROCESS_NOTE_H
#define VGPU_MDEV_PROCESS_NOTE_H

#include <sys/types.h>

/* Writes dir/name for a living process. 0 or -errno. */
int process_note_write(const char *dir, const char *name, pid_t pid);
/* The pid if that very process lives, else 0: also where there is no such file. */
pid_t process_note_read(const char *dir, const char *name);
void process_note_remove(const char *dir, const char *name);

#endif
