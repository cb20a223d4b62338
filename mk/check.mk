# SPDX-License-Identifier: MIT
# Checks of the sources: layers, static analysis.
