// SPDX-License-Identifier: MIT
/* The word is a file, because clients must begin together and a script is what starts them. */
#include "benchmarks/fairness/client.h"

#include "benchmarks/clock.h"
#include "benchmarks/fairness/load.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define POLL_NS 2000000u
#define PATH_BYTES 4096

static int complain(const char *what, const char *path, int err)
{
	fprintf(stderr, "vgpu-bench-fairness: %s %s: %s\n", what, path, strerror(-err));
	return -EIO;
}

static int say_ready(const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file || fclose(file))
		return complain("cannot make", path, -errno);
	return 0;
}

/* The file comes whole: whoever writes it renames it to this name. */
static int wait_for_go(const char *path, uint64_t *ret_begin_ns, uint64_t *ret_end_ns)
{
	FILE *file;
	int fields;

	while (!(file = fopen(path, "re"))) {
		if (errno != ENOENT)
			return complain("cannot read", path, -errno);
		clock_sleep_until(clock_now_ns() + POLL_NS);
	}
	fields = fscanf(file, "%" SCNu64 " %" SCNu64, ret_begin_ns, ret_end_ns);
	fclose(file);
	return fields == 2 ? 0 : complain("no 'BEGIN_NS END_NS' in", path, -EINVAL);
}

static int run_load(struct client *client)
{
	const struct client_options *options = client->options;
	uint64_t begin_ns, end_ns;
	int err = say_ready(options->ready_path);

	if (!err)
		err = wait_for_go(options->go_path, &begin_ns, &end_ns);
	if (err)
		return err;
	err = progress_init(&client->progress, begin_ns, end_ns);
	if (err)
		return complain("no usable window in", options->go_path, err);
	options->load->run(client);
	fprintf(client->out, "cpu_ns %" PRIu64 "\n", client->cpu_end_ns - client->cpu_begin_ns);
	progress_write(&client->progress, client->out);
	progress_finish(&client->progress);
	return 0;
}

static int run_opened(struct client *client)
{
	struct session *cl = &client->spin.cl;
	int err;

	if (!client->options->load->endless && !client->options->load->without_gpu) {
		/* So that compiling is over before the window. */
		spin_time_ns(&client->spin, 2);
		spin_set_loops(&client->spin, client->options->loops);
	}
	err = cl->failed ? 0 : run_load(client);
	if (cl->failed) {
		fprintf(stderr, "vgpu-bench-fairness: the client '%s' failed: %s\n", client->options->load->name, cl->failure);
		err = -EIO;
	}
	return err;
}

int client_run(const struct client_options *options)
{
	struct client client = { .options = options };
	char partial[PATH_BYTES];
	int err;

	if ((size_t)snprintf(partial, sizeof(partial), "%s.partial", options->out_path) >= sizeof(partial))
		return complain("cannot write", options->out_path, -ENAMETOOLONG);
	client.out = fopen(partial, "we");
	if (!client.out)
		return complain("cannot write", partial, -errno);
	if (!options->load->without_gpu)
		spin_open(&client.spin, options->platform, options->load->endless);
	err = run_opened(&client);
	if (!options->load->without_gpu)
		spin_close(&client.spin);
	if (fclose(client.out) && !err)
		err = complain("cannot write", partial, -errno);
	if (!err && rename(partial, options->out_path))
		err = complain("cannot write", options->out_path, -errno);
	return err;
}
