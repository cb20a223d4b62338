/* SPDX-License-Identifier: MIT */
/* One client process: opens its device, says that it is ready, waits for the word, is the load, writes what came of it. */
#ifndef BENCHMARKS_FAIRNESS_CLIENT_H
#define BENCHMARKS_FAIRNESS_CLIENT_H

#include "benchmarks/fairness/client_options.h"

/*
 * The result, at options->out_path and whole once it is there: lines "KEY VALUE", among them cpu_ns, then the progress.
 * 0; -EIO after a failed OpenCL call or file, told on stderr.
 */
int client_run(const struct client_options *options);

#endif
