/* SPDX-License-Identifier: Apache-2.0 */
#include "export/diff_json.h"

#include <math.h>

#include "analyze/report_diff.h"
#include "export/json.h"

static void put_moments(struct ct_json *json, const char *key, const struct ct_moments *m)
{
	ct_json_begin(json, key);
	ct_json_real(json, "mean", m->mean);
	ct_json_real(json, "stddev", m->count > 1 ? sqrt(m->variance) : NAN);
	ct_json_end(json);
}

static void put_figure(struct ct_json *json, const char *key, const struct ct_diff_figure *figure)
{
	if (!figure->known) {
		ct_json_null(json, key);
		return;
	}
	ct_json_begin(json, key);
	put_moments(json, "before", &figure->side[CT_BEFORE]);
	put_moments(json, "after", &figure->side[CT_AFTER]);
	ct_json_real(json, "change_percent", ct_diff_percent(figure));
	ct_json_real(json, "p", figure->p);
	ct_json_text(json, "verdict", ct_report_verdict(figure));
	ct_json_end(json);
}

static void put_side(struct ct_json *json, const char *key, const struct ct_diff_side *side)
{
	ct_json_begin(json, key);
	ct_json_text(json, "name", side->name);
	ct_json_number(json, "runs", side->runs.count);
	ct_json_begin_list(json, "processes");
	for (size_t i = 0; i < side->processes.count; i++) {
		const struct ct_process *p = &side->processes.at[i];

		ct_json_begin_item(json);
		ct_json_text(json, "directory", p->directory);
		ct_json_text(json, "program", p->program);
		ct_json_text(json, "gpus", p->gpus);
		ct_json_id(json, "rank", p->rank);
		ct_json_bool(json, "incomplete", ct_diff_incomplete(p));
		ct_json_number(json, "things_not_seen", ct_report_count_unseen(p));
		ct_json_end(json);
	}
	ct_json_end_list(json);
	ct_json_end(json);
}

static void put_place(struct ct_json *json, const char *key, const char *where)
{
	if (where)
		ct_json_text(json, key, where);
	else
		ct_json_null(json, key);
}

static void put_site(struct ct_json *json, const struct ct_diff_site *site)
{
	ct_json_begin_item(json);
	ct_json_text(json, "call", site->call);
	put_place(json, "before", site->where[CT_BEFORE]);
	put_place(json, "after", site->where[CT_AFTER]);
	ct_json_text(json, "match", ct_report_match(site->match));
	ct_json_number(json, "places_before", site->places[CT_BEFORE]);
	ct_json_number(json, "places_after", site->places[CT_AFTER]);
	for (int what = CT_DIFF_BLOCKED; what < CT_DIFF_FIGURES; what++)
		put_figure(json, ct_diff_name((enum ct_diff_what)what), &site->figures[what]);
	ct_json_end(json);
}

static void put_classes(struct ct_json *json, const struct ct_diff *diff)
{
	ct_json_begin(json, "classes");
	for (int class = 0; class < CT_PART_COUNT; class++) {
		ct_json_begin(json, ct_part_names[class]);
		put_figure(json, "total", &diff->classes[class].ns);
		put_figure(json, "calls", &diff->classes[class].calls);
		ct_json_end(json);
	}
	ct_json_end(json);
}

void ct_diff_json(const struct ct_diff *diff, FILE *to)
{
	struct ct_json json = { .to = to };
	char text[512];

	ct_json_begin(&json, NULL);
	put_side(&json, "before", &diff->sides[CT_BEFORE]);
	put_side(&json, "after", &diff->sides[CT_AFTER]);
	ct_json_begin_list(&json, "unlike");
	for (unsigned bit = 1; bit <= CT_DIFF_UNLIKE_LAST; bit <<= 1)
		if (diff->unlike & bit)
			ct_json_text_item(&json, ct_report_unlike((enum ct_diff_unlike)bit));
	ct_json_end_list(&json);
	ct_json_real(&json, "percent", diff->percent);
	ct_json_bool(&json, "tested", diff->tested);
	ct_report_diff_test(diff, text, sizeof(text));
	ct_json_text(&json, "test", text);
	ct_report_diff_result(diff, text, sizeof(text));
	ct_json_text(&json, "result", text);
	ct_json_bool(&json, "regressed", ct_diff_regressed(diff));
	ct_json_begin(&json, "run");
	for (int what = 0; what < CT_DIFF_PARTS; what++)
		put_figure(&json, ct_diff_name((enum ct_diff_what)what), &diff->run[what]);
	ct_json_end(&json);
	put_classes(&json, diff);
	ct_json_begin_list(&json, "call_sites");
	for (size_t i = 0; !(diff->unlike & CT_DIFF_RECORDING) && i < diff->sites.count; i++)
		put_site(&json, &diff->sites.at[i]);
	ct_json_end_list(&json);
	ct_json_end_line(&json);
}
