/* SPDX-License-Identifier: MIT */
/* Folders of the file system: made with their parents, removed with all they hold. */
#ifndef VGPU_MDEV_FOLDER_H
#define VGPU_MDEV_FOLDER_H

/* Removes the folder and everything under it, following no link. 0 (also if it is not there) or -errno. */
int folder_remove(const char *path);
/* Makes path and what lacks above it, mode as mkdir's. 0 or -errno. */
int folder_make(const char *path, unsigned mode);

#endif
