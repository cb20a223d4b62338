/* SPDX-License-Identifier: MIT */
/*
 * The persistent state: one JSON file per object, STATE_DIR/KIND/NAME.json, each changed atomically.
 *
 * Theory of operation. A write goes to a temporary file in the same folder, which is synced, renamed over the old one, and the
 * folder synced; only then does store_write return, so what was acknowledged survives kill -9 and power loss, and a
 * reader finds the old object or the new one, never a torn one. Each object carries "schema"; newer ones than this build knows and files
 * that cannot be read are set aside as NAME.json.corrupt-N and named to the caller; they never stop the service.
 * Event loop thread only. Distrusts the files: people edit them, disks lose them.
 */
#ifndef VGPU_MDEV_STORE_STORE_H
#define VGPU_MDEV_STORE_STORE_H

#include <jansson.h>

struct store;

/* Opens, making dir and a folder per kind (NULL-terminated list of literals, borrowed) where they lack. 0, or -errno with a sentence. */
int store_open(const char *dir, const char *const *kinds, struct store **ret_store, char ret_why[256]);
void store_close(struct store *store);	/* accepts NULL */

/* 0 if objects can be written as far as one can tell without doing it, else -errno with a sentence. */
int store_check_writable(struct store *store, const char *const *kinds, char ret_why[256]);

/* Replaces or makes the object; borrows it. Durable on return. 0, or -errno with a sentence: the former object stands. */
int store_write(struct store *store, const char *kind, const char *name, const json_t *object, char ret_why[256]);
/* Removes it; durable on return. 0 also if it is not there. */
int store_remove(struct store *store, const char *kind, const char *name, char ret_why[256]);

/*
 * Calls found for every object of kind, in order of names; it borrows the object and returns 0, or -errno with a sentence: then, and for a
 * file that is no JSON object, the file is set aside and aside is called with the file's new name and why.
 */
int store_load(struct store *store, const char *kind, int (*found)(const char *name, const json_t *object, void *data, char ret_why[256]),
	       void (*aside)(const char *file, const char *why, void *data), void *data, char ret_why[256]);

#endif
