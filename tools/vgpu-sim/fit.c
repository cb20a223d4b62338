/* SPDX-License-Identifier: MIT */
#include "tools/vgpu-sim/fit.h"

#include <errno.h>
#include <string.h>

static bool is_user(const char *member, const char *user)
{
	size_t length = strlen(user);

	return !strncmp(member, user, length) && (!member[length] || (member[length] == '-' && strspn(member + length + 1, "0123456789") ==
												       strlen(member + length + 1)));
}

/* Measures the worst of the users; says in answer->limit what is not met. */
static bool meets(const struct scenario *scenario, const struct summary *summary, const struct fit_targets *targets,
		  struct fit_answer *answer)
{
	answer->share = 1e9;
	answer->wait_p99_ms = 0;
	answer->missed_percent = 0;
	for (size_t i = 0; i < summary->member_count; i++) {
		const struct summary_member *member = &summary->members[i];
		if (!is_user(scenario->members[i].name, targets->user))
			continue;
		double missed = member->frames ? (double)member->missed * 100 / (double)member->frames : 0;
		answer->share = member->of_ideal < answer->share ? member->of_ideal : answer->share;
		answer->wait_p99_ms = member->wait_p99_ms > answer->wait_p99_ms ? member->wait_p99_ms : answer->wait_p99_ms;
		answer->missed_percent = missed > answer->missed_percent ? missed : answer->missed_percent;
	}
	if (answer->share < targets->share)
		snprintf(answer->limit, sizeof(answer->limit), "a share of %.3f of the ideal, below %.3f", answer->share, targets->share);
	else if (targets->wait_p99_ms > 0 && answer->wait_p99_ms > targets->wait_p99_ms)
		snprintf(answer->limit, sizeof(answer->limit), "a P99 wait of %.3f ms, above %.3f ms", answer->wait_p99_ms, targets->wait_p99_ms);
	else if (targets->missed_percent >= 0 && answer->missed_percent > targets->missed_percent)
		snprintf(answer->limit, sizeof(answer->limit), "%.2f %% of frames missed, above %.2f %%", answer->missed_percent,
			 targets->missed_percent);
	else
		return true;
	return false;
}

/* 1 = meets, 0 = does not, or -errno. */
static int try_count(const char *path, const struct rule_ops *ops, const struct fit_targets *targets, uint32_t count,
		     struct fit_answer *ret_answer, char ret_why[SCENARIO_WHY_BYTES])
{
	const struct scenario_count other = {.name = targets->user, .count = count};
	struct scenario *scenario;
	struct summary *summary;
	char why[ADMISSION_WHY_BYTES] = "no memory";
	bool found = false;
	int error = scenario_read(path, &other, &scenario, ret_why);

	if (error == -EINVAL && count > 1) {	/* the run queue does not admit so many */
		snprintf(ret_answer->limit, sizeof(ret_answer->limit), "%s", ret_why);
		return 0;
	}
	if (error)
		return error;
	for (size_t i = 0; i < scenario->member_count; i++)
		found |= is_user(scenario->members[i].name, targets->user);
	if (!found) {
		snprintf(ret_why, SCENARIO_WHY_BYTES, "there is no vGPU '%.100s' in 'vgpus'", targets->user);
		scenario_destroy(scenario);
		return -ENOENT;
	}
	error = summary_run(scenario, ops, &summary, why);
	if (error) {
		snprintf(ret_why, SCENARIO_WHY_BYTES, "%s", why);
	} else {
		error = meets(scenario, summary, targets, ret_answer);
		summary_destroy(summary);
	}
	scenario_destroy(scenario);
	return error;
}

int fit(const char *path, const struct rule_ops *ops, const struct fit_targets *targets, struct fit_answer *ret_answer,
	char ret_why[SCENARIO_WHY_BYTES])
{
	struct fit_answer best = {0}, tried = {0};
	uint32_t low = 0, high = 0;	/* low meets; high, once not 0, does not */

	while (!high || high - low > 1) {
		uint32_t count = high ? low + (high - low) / 2 : low ? low * 2 : 1;
		if (count > targets->most)
			count = targets->most;
		int met = try_count(path, ops, targets, count, &tried, ret_why);
		if (met < 0)
			return met;
		if (met) {
			low = count;
			best = tried;
		} else {
			high = count;
			snprintf(best.limit, sizeof(best.limit), "%s", tried.limit);
		}
		if (low == targets->most) {
			best.is_most = true;
			break;
		}
		snprintf(tried.limit, sizeof(tried.limit), "%s", best.limit);
	}
	best.count = low;
	snprintf(best.limit, sizeof(best.limit), "%s", tried.limit);
	*ret_answer = best;
	return 0;
}
