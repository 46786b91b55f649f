/* SPDX-License-Identifier: Apache-2.0 */
/* A page that shows a run: one file, which needs no network. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/html/page.h"

/* The page around its data, made by export/html/assemble.py; it ends with an empty text. */
extern const char *const ct_html_before[], *const ct_html_after[];

static int open_html(const struct ct_export *export, void **ret)
{
	struct ct_html *html = calloc(1, sizeof(*html));

	if (!html)
		return -ENOMEM;
	html->export = export;
	ct_lanes_init(&html->lanes);
	html->ranges.limit = CT_HTML_RANGES;
	*ret = html;
	return 0;
}

/* A process begins with its first part, or its end if it has none. */
static int reach_process(struct ct_html *html, uint32_t index, const struct ct_model *model)
{
	const struct ct_html_process fresh = { .memory.shift = CT_LANE_FIRST_SHIFT };
	int64_t begin_ns = ct_export_time(html->export, model, 0); /* of the trace's clock, on the page */
	int r = 0;

	while (r == 0 && html->processes.count <= index) {
		r = CT_PUSH(&html->processes, fresh);
		if (r == 0)
			r = ct_html_memory_begin(&html->processes.at[html->processes.count - 1].memory,
						 (uint64_t)-begin_ns);
	}
	return r;
}

static int add_part(void *writer, const struct ct_export_process *process,
		    const struct ct_analysis *part)
{
	int r = reach_process(writer, process->index, part->model);

	return r < 0 ? r : ct_html_gather(writer, process->index, part);
}

static int end_process(void *writer, const struct ct_export_process *process,
		       const struct ct_analysis *analysis)
{
	int r = reach_process(writer, process->index, analysis->model);

	return r < 0 ? r : ct_html_gather_end(writer, process->index, analysis);
}

static void write_texts(const char *const *texts, FILE *to)
{
	while (**texts)
		fputs(*texts++, to);
}

static int finish(void *writer)
{
	struct ct_html *html = writer;
	int r = ct_html_items_finish(&html->items);

	if (r == 0)
		r = ct_html_items_finish(&html->ranges);
	for (size_t i = 0; r == 0 && i < html->ranges.all.count; i++) /* their lanes are their own */
		r = CT_PUSH(&html->items.all, html->ranges.all.at[i]);
	if (r < 0)
		return r;
	write_texts(ct_html_before, html->export->to);
	ct_html_write(html, html->export->to);
	write_texts(ct_html_after, html->export->to);
	return 0;
}

static void free_process(struct ct_html_process *process)
{
	for (size_t i = 0; i < process->losses.count; i++)
		free(process->losses.at[i].text);
	free(process->losses.at);
	free(process->range_sums.at);
	free(process->coverage);
	free(process->report);
	ct_html_memory_free(&process->memory);
}

static void free_sites(struct ct_html *html)
{
	for (size_t i = 0; i < html->sites.count; i++) {
		free(html->sites.at[i]->where);
		free(html->sites.at[i]->waited_for);
		free(html->sites.at[i]->remedy);
		free(html->sites.at[i]->stack);
	}
	ct_lookup_free(&html->site_keys);
	free(html->sites.at);
	free(html->rows.at);
}

static void destroy(void *writer)
{
	struct ct_html *html = writer;

	if (!html)
		return;
	for (size_t i = 0; i < html->processes.count; i++)
		free_process(&html->processes.at[i]);
	free(html->processes.at);
	free_sites(html);
	free(html->pairs.at);
	ct_html_items_free(&html->items);
	ct_html_items_free(&html->ranges);
	ct_lanes_free(&html->lanes);
	ct_html_names_free(&html->names);
	free(html);
}

const struct ct_export_format ct_export_html = {
	.binary = true, /* a page is not to be read in a terminal */
	.open = open_html,
	.part = add_part,
	.end_process = end_process,
	.finish = finish,
	.destroy = destroy,
};
