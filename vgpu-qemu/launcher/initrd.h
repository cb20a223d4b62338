/* SPDX-License-Identifier: MIT */
/* The initramfs of one VM: the guest's archives and a last one with the command and the user's files. */
#ifndef VGPU_LAUNCHER_INITRD_H
#define VGPU_LAUNCHER_INITRD_H

#include "vgpu-qemu/launcher/options.h"

#include <stddef.h>

/*
 * Writes everything into a new memfd, so that nothing is left behind on any way out. @archives are files;
 * @files are SRC:DST pairs; @command is ended by NULL. Returns the descriptor, which the caller closes, or
 * -errno with a sentence in @error.
 */
int initrd_create(const struct string_list *archives, const struct string_list *files, char **command, char *error,
		  size_t error_size);

#endif
