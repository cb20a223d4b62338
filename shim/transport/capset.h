/* SPDX-License-Identifier: MIT */
/*
 * The capset's one parser (shim/wire/wire.h), for both transports.
 */
#ifndef VGPU_SHIM_TRANSPORT_CAPSET_H
#define VGPU_SHIM_TRANSPORT_CAPSET_H

#include <stddef.h>

#include "shim/wire/wire.h"

/* Checks `bytes` of what a vGPU calls its capset: magic, versions, lengths, terminated names, device information that
 * can be walked. 0 with a copy of exactly its length, which the caller frees; -EPROTO or -ENOMEM with a sentence. */
int capset_check(const void *data, size_t bytes, struct wire_capset **ret_capset, char ret_why[256]);

#endif
