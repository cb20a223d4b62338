# SPDX-License-Identifier: MIT
# What is run: demo, test, benchmarks, fresh-check.
