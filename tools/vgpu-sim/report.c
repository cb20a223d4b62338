/* SPDX-License-Identifier: MIT */
#include "tools/vgpu-sim/report.h"

#include <jansson.h>

void report_table(FILE *file, const struct scenario *scenario, const char *rule, const struct summary *summary)
{
	fprintf(file, "%s: %s, %u x %g s\n", scenario->title, rule, summary->runs, summary->seconds);
	fprintf(file, "Jain's index %.4f   kernels %.2f %%   lost %.2f %%   switches %.0f/s   worst of ideal %.3f\n\n", summary->jain,
		summary->served * 100, summary->lost * 100, summary->switches, summary->least_of_ideal);
	fprintf(file, "%-20s %6s %8s %8s %9s %10s %10s %10s %10s\n", "vGPU", "weight", "share %", "of ideal", "gap ms/s", "P50 ms", "P99 ms",
		"max ms", "missed");
	for (size_t i = 0; i < summary->member_count; i++) {
		const struct summary_member *member = &summary->members[i];
		char missed[48] = "-";
		if (member->frames)
			snprintf(missed, sizeof(missed), "%.2f %%", (double)member->missed * 100 / (double)member->frames);
		fprintf(file, "%-20.20s %6u %8.3f %8.3f %9.2f %10.3f %10.3f %10.3f %10s\n", scenario->members[i].name,
			scenario->members[i].settings.weight, member->share * 100, member->of_ideal, member->window_gap_ms,
			member->wait_p50_ms, member->wait_p99_ms, member->wait_max_ms, missed);
	}
}

void report_json(FILE *file, const struct scenario *scenario, const char *rule, const struct summary *summary)
{
	json_t *vgpus = json_array();
	char hash[24];

	for (size_t i = 0; i < summary->member_count; i++) {
		const struct summary_member *member = &summary->members[i];
		json_array_append_new(vgpus, json_pack("{s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I}", "name", scenario->members[i].name,
			"weight", (int)scenario->members[i].settings.weight, "share", member->share, "of_ideal", member->of_ideal,
			"window_gap_ms", member->window_gap_ms, "wait_p50_ms", member->wait_p50_ms, "wait_p99_ms", member->wait_p99_ms,
			"wait_max_ms", member->wait_max_ms, "kernels", (json_int_t)member->kernels, "frames", (json_int_t)member->frames,
			"missed", (json_int_t)member->missed));
	}
	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)summary->hash);
	json_t *all = json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:f, s:s, s:o}", "title", scenario->title, "rule", rule, "runs",
				(int)summary->runs, "seconds", summary->seconds, "jain", summary->jain, "served", summary->served, "lost",
				summary->lost, "switches_per_s", summary->switches, "decisions", hash, "vgpus", vgpus);
	json_dumpf(all, file, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	fputc('\n', file);
	json_decref(all);
}

/* ---- the plot ------------------------------------------------------------------------------------------ */

#define WIDTH 960
#define LEFT 60
#define TOP 40
#define HIGH 300	/* of the curves */
#define ROW 18

static const char *colour(size_t i)
{
	static const char *const colours[] = {"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf"};

	return colours[i % (sizeof(colours) / sizeof(colours[0]))];
}

/* Text of a scenario file may hold what means something in XML. */
static void put_text(FILE *file, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			fputs("&lt;", file);
		else if (*text == '&')
			fputs("&amp;", file);
		else
			fputc(*text, file);
	}
}

static void put_curves(FILE *file, const struct summary *summary, double most)
{
	for (size_t i = 0; i < summary->member_count && summary->window_count > 1; i++) {
		fprintf(file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", colour(i));
		for (size_t w = 0; w < summary->window_count; w++) {
			double x = LEFT + (double)w * (WIDTH - LEFT - 20) / (double)(summary->window_count - 1);
			double y = TOP + HIGH - (double)summary->windows[i * summary->window_count + w] * HIGH / most;
			fprintf(file, "%.1f,%.1f ", x, y);
		}
		fputs("\"/>\n", file);
	}
	for (int tick = 0; tick <= 4; tick++)
		fprintf(file, "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%.1f %%</text>\n", LEFT - 6, TOP + HIGH - HIGH * tick / 4.0 + 4,
			most * 100 * tick / 4);
	fprintf(file, "<text x=\"%d\" y=\"%d\">0 s</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">%g s</text>\n", LEFT, TOP + HIGH + 16,
		WIDTH - 20, TOP + HIGH + 16, summary->seconds);
}

static void put_bars(FILE *file, const struct scenario *scenario, const struct summary *summary)
{
	for (size_t i = 0; i < summary->member_count; i++) {
		const struct summary_member *member = &summary->members[i];
		double y = TOP + HIGH + 40 + (double)i * ROW, unit = (WIDTH - 460) / 1.5;
		double of_ideal = member->of_ideal > 1.5 ? 1.5 : member->of_ideal;
		fprintf(file, "<text x=\"%d\" y=\"%.0f\" fill=\"%s\">", 20, y + 12, colour(i));
		put_text(file, scenario->members[i].name);
		fprintf(file, "</text><rect x=\"200\" y=\"%.0f\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>"
			      "<line x1=\"%.0f\" x2=\"%.0f\" y1=\"%.0f\" y2=\"%.0f\" stroke=\"black\"/>", y, of_ideal * unit, ROW - 4, colour(i),
			200 + unit, 200 + unit, y - 2, y + ROW - 2);
		fprintf(file, "<text x=\"%d\" y=\"%.0f\">%.3f of ideal, waits %.2f / %.2f ms</text>\n", WIDTH - 250, y + 12, member->of_ideal,
			member->wait_p50_ms, member->wait_p99_ms);
	}
}

void report_svg(FILE *file, const struct scenario *scenario, const char *rule, const struct summary *summary)
{
	double most = 0.01;
	int height = TOP + HIGH + 60 + (int)summary->member_count * ROW;

	for (size_t i = 0; i < summary->member_count * summary->window_count; i++)
		if ((double)summary->windows[i] > most)
			most = (double)summary->windows[i];
	fprintf(file, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"11\">\n"
		      "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n<text x=\"20\" y=\"20\" font-size=\"14\">", WIDTH, height);
	put_text(file, scenario->title);
	fprintf(file, " (%s): share in each second, P50 / P99 of waits</text>\n<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" "
		      "stroke=\"#999\"/>\n", rule, LEFT, TOP, WIDTH - LEFT - 20, HIGH);
	put_curves(file, summary, most);
	put_bars(file, scenario, summary);
	fputs("</svg>\n", file);
}
