# SPDX-License-Identifier: MIT
include tests/shim/sources.mk
