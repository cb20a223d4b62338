// SPDX-License-Identifier: MIT
/* Text: "progress BEGIN_NS END_NS PER_KERNEL" and a number per bin, a line each. */
#include "benchmarks/fairness/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int progress_init(struct progress *progress, uint64_t begin_ns, uint64_t end_ns)
{
	uint64_t bins = end_ns > begin_ns ? (end_ns - begin_ns) / PROGRESS_BIN_NS : 0;

	if (bins < 1 || bins > PROGRESS_BINS_MAX)
		return -EINVAL;
	*progress = (struct progress){
		.begin_ns = begin_ns,
		.end_ns = begin_ns + bins * PROGRESS_BIN_NS,
		.bins = (uint32_t)bins,
		.per_kernel = 1,
		.bin = calloc(bins, sizeof(*progress->bin)),
	};
	return progress->bin ? 0 : -ENOMEM;
}

void progress_finish(struct progress *progress)
{
	free(progress->bin);
	progress->bin = NULL;
}

void progress_add(struct progress *progress, uint64_t now_ns, uint32_t units)
{
	if (now_ns >= progress->begin_ns && now_ns < progress->end_ns)
		progress->bin[(now_ns - progress->begin_ns) / PROGRESS_BIN_NS] += units;
}

uint64_t progress_total(const struct progress *progress)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < progress->bins; i++)
		total += progress->bin[i];
	return total;
}

void progress_write(const struct progress *progress, FILE *out)
{
	fprintf(out, "progress %" PRIu64 " %" PRIu64 " %" PRIu32 "\n", progress->begin_ns, progress->end_ns, progress->per_kernel);
	for (uint32_t i = 0; i < progress->bins; i++)
		fprintf(out, "%" PRIu32 "\n", progress->bin[i]);
}

int progress_read(FILE *in, struct progress *ret_progress)
{
	struct progress progress = { 0 };
	uint64_t begin_ns, end_ns;
	uint32_t per_kernel;
	char line[256];
	int err;

	do {
		if (!fgets(line, sizeof(line), in))
			return -EINVAL;
	} while (strncmp(line, "progress ", 9));
	if (sscanf(line, "progress %" SCNu64 " %" SCNu64 " %" SCNu32, &begin_ns, &end_ns, &per_kernel) != 3 || per_kernel == 0)
		return -EINVAL;
	err = progress_init(&progress, begin_ns, end_ns);
	progress.per_kernel = per_kernel;
	for (uint32_t i = 0; !err && i < progress.bins; i++) {
		char *end = line;
		unsigned long value = fgets(line, sizeof(line), in) ? strtoul(line, &end, 10) : 0;

		if (end == line || *end != '\n' || value > UINT32_MAX)
			err = -EINVAL;
		progress.bin[i] = (uint32_t)value;
	}
	if (err)
		progress_finish(&progress);
	else
		*ret_progress = progress;
	return err;
}
