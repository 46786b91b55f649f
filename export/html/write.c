/* SPDX-License-Identifier: Apache-2.0 */
/* The data of a page as JSON: columns of numbers, in which times are given as differences. */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "export/html/page.h"
#include "trace/tame.h"

#define LEVEL_BUCKETS 32 /* a level with fewer than so many buckets is the last */

/*
 * A text as JSON that stands in an HTML page: '<' is escaped, so nothing can end the script
 * element around it; bytes that are not UTF-8 become U+FFFD.
 */
static void put_text(FILE *to, const char *value)
{
	fputc('"', to);
	while (*value) {
		unsigned char c = (unsigned char)*value;
		unsigned length = ct_utf8_length(value);

		if (!length)
			fputs("\\ufffd", to);
		else if (c < ' ' || c == 127 || c == '"' || c == '\\' || c == '<')
			fprintf(to, "\\u%04x", c);
		else
			fwrite(value, 1, length, to);
		value += length ? length : 1;
	}
	fputc('"', to);
}

/* "key":value, with a comma before it. */
static void number(FILE *to, const char *key, uint64_t value)
{
	fputc(',', to);
	fprintf(to, "\"%s\":", key);
	fprintf(to, "%" PRIu64, value);
}

static void text(FILE *to, const char *key, const char *value)
{
	fputc(',', to);
	fprintf(to, "\"%s\":", key);
	put_text(to, value ? value : "");
}

/* What stands before the next of a list. */
static const char *separate(bool *any)
{
	const char *before = *any ? "," : "";

	*any = true;
	return before;
}

/* An index; -1 for none. */
static void index_of(FILE *to, uint32_t index)
{
	if (index == CT_NONE)
		fputs("-1", to);
	else
		fprintf(to, "%u", index);
}

/* A column: "key":[...], of value(of, i) for each i. */
static void column(FILE *to, const char *key, size_t count, const void *of,
		   void (*value)(FILE *to, const void *of, size_t i))
{
	fprintf(to, "\"%s\":[", key);
	for (size_t i = 0; i < count; i++) {
		if (i)
			fputc(',', to);
		value(to, of, i);
	}
	fputc(']', to);
}

/* A column of a member of an array's items; i is the item's index. */
#define NUMBER(function, type, expression)                                                         \
	static void function(FILE *to, const void *of, size_t i)                                   \
	{                                                                                          \
		const type *at = (const type *)of + i;                                             \
		fprintf(to, "%" PRIu64, (uint64_t)(expression));                                   \
	}
#define INDEX(function, type, expression)                                                          \
	static void function(FILE *to, const void *of, size_t i)                                   \
	{                                                                                          \
		const type *at = (const type *)of + i;                                             \
		index_of(to, expression);                                                          \
	}

typedef struct ct_html_item item_type;

INDEX(item_lane, item_type, at->lane)
/* From the one before it in its lane; the first of a lane from 0. */
NUMBER(item_start, item_type, i && at[-1].lane == at->lane ? at->start_ns - at[-1].start_ns
							   : at->start_ns)
NUMBER(item_duration, item_type, at->end_ns - at->start_ns)
INDEX(item_name, item_type, at->name)
INDEX(item_site, item_type, at->site)
INDEX(item_copies, item_type, at->copies_lane)
INDEX(item_by, item_type, at->by_lane)
NUMBER(item_bytes, item_type, at->bytes)
NUMBER(item_tool, item_type, at->tool_ns)
NUMBER(item_queued, item_type, at->submit_ns && at->submit_ns < at->start_ns ?
			       at->start_ns - at->submit_ns : 0)
NUMBER(item_waits, item_type, at->wait_count)
INDEX(item_range, item_type, at->range)
static void item_error(FILE *to, const void *of, size_t i)
{
	fprintf(to, "%d", ((const item_type *)of)[i].error);
}

/* Without ranges, there is none around any. */
static void write_items(const struct ct_html_items *items, bool ranges, FILE *to)
{
	static const struct {
		const char *key;
		void (*value)(FILE *to, const void *of, size_t i);
	} columns[] = {
		{ "lane", item_lane }, { "start", item_start }, { "ns", item_duration },
		{ "name", item_name }, { "site", item_site }, { "copies", item_copies },
		{ "by", item_by }, { "bytes", item_bytes }, { "tool", item_tool },
		{ "queued", item_queued }, { "waits", item_waits }, { "error", item_error },
	};

	fputs(",\"items\":{", to);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		if (i)
			fputc(',', to);
		column(to, columns[i].key, items->all.count, items->all.at, columns[i].value);
	}
	fputc(',', to);
	column(to, "range", ranges ? items->all.count : 0, items->all.at, item_range);
	fprintf(to, "},\"droppedWaits\":%" PRIu64, items->dropped_waits);
}

/* Waits are in the order of their items. */
static void write_waits(const struct ct_html_items *items, FILE *to)
{
	bool any = false;

	fputs(",\"waits\":[", to);
	for (size_t i = 0; i < items->all.count; i++) {
		const struct ct_html_item *item = &items->all.at[i];

		for (uint32_t w = 0; w < item->wait_count; w++) {
			const struct ct_html_wait *wait = &items->waits.at[item->first_wait + w];

			fputs(separate(&any), to);
			fprintf(to, "%u,%" PRId64 ",%" PRIu64 ",", wait->part,
				(int64_t)(wait->start_ns - item->start_ns),
				wait->end_ns - wait->start_ns);
			index_of(to, wait->other_lane);
			fprintf(to, ",%" PRId64 ",%" PRIu64 ",%u,%u",
				wait->other_lane == CT_NONE ? 0 :
				(int64_t)(wait->other_start_ns - item->start_ns),
				wait->other_end_ns - wait->other_start_ns, wait->name, wait->why);
		}
	}
	fputc(']', to);
}

/* Of a bucket, in thousandths of its width; what there is of something is never 0. */
static uint64_t share(uint64_t ns, unsigned shift)
{
	double part = (double)ns / (double)((uint64_t)1 << shift) * 1000;

	return part >= 1000 ? 1000 : (uint64_t)part + (ns > 0 && part < 1000);
}

static const struct ct_lane_vote *winner(const struct ct_lane_bucket *bucket)
{
	const struct ct_lane_vote *most = &bucket->names[0];

	for (int i = 1; i < CT_LANE_NAMES; i++)
		if (bucket->names[i].weight_ns > most->weight_ns)
			most = &bucket->names[i];
	return most;
}

/* What a page is told of a bucket. */
struct told {
	uint32_t count, busy, blocked;
	int name, part;
};

static struct told tell(const struct ct_lane_bucket *bucket, unsigned shift)
{
	const struct ct_lane_vote *most = winner(bucket);

	return (struct told){
		.count = bucket->count,
		.busy = (uint32_t)share(bucket->busy_ns, shift),
		.blocked = (uint32_t)share(bucket->blocked_ns, shift),
		.name = most->weight_ns ? (int)most->key : -1,
		.part = bucket->part.weight_ns ? (int)bucket->part.key : -1,
	};
}

/* How many buckets from here on are the same, in the middle of something long; 1: it alone. */
static size_t run_of(const struct ct_lane *lane, size_t first, unsigned shift)
{
	const struct told one = tell(&lane->buckets[first], shift);
	size_t end = first + 1;

	while (!one.count && end < lane->count) {
		const struct told next = tell(&lane->buckets[end], shift);

		if (memcmp(&next, &one, sizeof(one)) != 0)
			break;
		end++;
	}
	return end - first;
}

/*
 * The buckets of a lane that hold something, four or six numbers each: how many further
 * than the last one before; how many items begin in it or, negative, how many such buckets
 * follow each other in which none begins; busy; what fills most of it; of threads also
 * blocked and by what.
 */
static void write_buckets(const struct ct_lane *lane, unsigned shift, FILE *to)
{
	bool any = false;
	size_t last = 0;

	fputc('[', to);
	for (size_t i = 0; i < lane->count; i++) {
		const struct told told = tell(&lane->buckets[i], shift);
		size_t run;

		if (!told.count && !told.busy)
			continue;
		run = run_of(lane, i, shift);
		fputs(separate(&any), to);
		fprintf(to, "%zu,%" PRId64 ",%u,%d", i - last,
			told.count ? (int64_t)told.count : -(int64_t)run, told.busy, told.name);
		if (lane->key.kind == CT_LANE_THREAD)
			fprintf(to, ",%u,%d", told.blocked, told.part);
		last = i += run - 1;
	}
	fputc(']', to);
}

static bool long_enough(const struct ct_lanes *lanes)
{
	for (size_t i = 0; i < lanes->all.count; i++)
		if (lanes->all.at[i]->count > LEVEL_BUCKETS)
			return true;
	return false;
}

/* Finest level first; each has buckets twice as wide as the one before. */
static void write_levels(struct ct_lanes *lanes, FILE *to)
{
	fputs(",\"levels\":[", to);
	for (;;) {
		fprintf(to, "{\"shift\":%u,\"lanes\":[", lanes->shift);
		for (size_t i = 0; i < lanes->all.count; i++) {
			if (i)
				fputc(',', to);
			write_buckets(lanes->all.at[i], lanes->shift, to);
		}
		fputs("]}", to);
		if (!long_enough(lanes))
			break;
		ct_lanes_fold(lanes);
		fputc(',', to);
	}
	fputc(']', to);
}

static void write_lanes(const struct ct_lanes *lanes, FILE *to)
{
	static const char *const kinds[] = { [CT_LANE_THREAD] = "thread",
					     [CT_LANE_STREAM] = "stream",
					     [CT_LANE_COPIES] = "copies",
					     [CT_LANE_RANGES] = "ranges" };

	fputs(",\"lanes\":[", to);
	for (size_t i = 0; i < lanes->all.count; i++) {
		const struct ct_lane *lane = lanes->all.at[i];

		fprintf(to, "%s{\"process\":%u", i ? "," : "", lane->key.process);
		text(to, "kind", kinds[lane->key.kind]);
		text(to, "name", lane->name);
		number(to, "id", lane->key.id);
		if (lane->key.kind == CT_LANE_RANGES)
			number(to, "thread", lane->key.group);
		if (lane->device != CT_NONE)
			number(to, "device", lane->device);
		number(to, "items", lane->items);
		number(to, "busyNs", lane->busy_ns);
		number(to, "blockedNs", lane->blocked_ns);
		fputc('}', to);
	}
	fprintf(to, "],\"sharedLanes\":%" PRIu64, lanes->shared);
}

static void write_names(const struct ct_html_names *names, FILE *to)
{
	fputs(",\"names\":[", to);
	for (size_t i = 0; i < names->all.count; i++) {
		if (i)
			fputc(',', to);
		put_text(to, names->all.at[i]->text);
	}
	fprintf(to, "],\"droppedNames\":%" PRIu64, names->dropped);
}

static void write_site(const struct ct_html_site *site, FILE *to)
{
	fprintf(to, "{\"id\":%u", site->index);
	number(to, "process", site->key.process);
	number(to, "name", site->key.name);
	number(to, "calls", site->calls);
	number(to, "totalNs", site->total_ns);
	number(to, "blockedNs", site->blocked_ns);
	number(to, "lostNs", site->lost_ns);
	number(to, "asked", site->asked);
	number(to, "judged", site->judged);
	number(to, "idleNs", site->idle_ns);
	number(to, "worst", site->worst);
	number(to, "range", site->range);
	text(to, "where", site->where);
	text(to, "waitedFor", site->waited_for);
	text(to, "remedy", site->remedy);
	text(to, "stack", site->stack);
	text(to, "certainty", site->certainty);
	if (site->longest_lane != CT_NONE) {
		number(to, "longestLane", site->longest_lane);
		number(to, "longestNs", site->longest_ns);
	}
	fputc('}', to);
}

static void write_sites(const struct ct_html *html, FILE *to)
{
	fputs(",\"sites\":[", to);
	for (size_t i = 0; i < html->rows.count; i++) {
		if (i)
			fputc(',', to);
		write_site(html->sites.at[html->rows.at[i]], to);
	}
	fputc(']', to);
}

/* Ten numbers each. */
static void write_pairs(const struct ct_html *html, FILE *to)
{
	fputs(",\"pairs\":[", to);
	for (size_t i = 0; i < html->pairs.count; i++) {
		const struct ct_html_pair *pair = &html->pairs.at[i];

		fprintf(to, "%s%u,%u,%" PRIu64 ",%" PRIu64 ",%u,%" PRIu64 ",%" PRIu64 ",%u,%" PRIu64
			",%" PRIu64, i ? "," : "", pair->site, pair->culprit_lane,
			pair->culprit_start_ns, pair->culprit_end_ns - pair->culprit_start_ns,
			pair->victim_lane, pair->victim_start_ns,
			pair->victim_end_ns - pair->victim_start_ns, pair->victim_name,
			pair->delay_ns, pair->lost_ns);
	}
	fputc(']', to);
}

static void write_memory(const struct ct_html_memory *memory, FILE *to)
{
	fprintf(to, ",\"memory\":{\"shift\":%u", memory->shift);
	number(to, "allocations", memory->allocations);
	number(to, "sizeless", memory->sizeless);
	number(to, "unknownFrees", ct_memory_unknown(memory->map));
	fprintf(to, ",\"mostBytes\":[%" PRIu64 ",%" PRIu64 "],\"pools\":[",
		memory->most_bytes[CT_HTML_DEVICE], memory->most_bytes[CT_HTML_HOST]);
	for (int pool = 0; pool < CT_HTML_POOLS; pool++) {
		uint64_t last = 0;

		fputs(pool ? ",[" : "[", to);
		for (size_t i = 0; i < memory->levels[pool].count; i++) {
			const struct ct_html_level *level = &memory->levels[pool].at[i];

			fprintf(to, "%s%" PRIu64 ",%" PRIu64 ",%" PRIu64, i ? "," : "",
				level->bucket - last, level->most_bytes, level->last_bytes);
			last = level->bucket;
		}
		fputc(']', to);
	}
	fputs("]}", to);
}

static void write_losses(const struct ct_html_process *process, FILE *to)
{
	fputs(",\"losses\":[", to);
	for (size_t i = 0; i < process->losses.count; i++) {
		fprintf(to, "%s[%" PRIu64 ",", i ? "," : "", process->losses.at[i].count);
		put_text(to, process->losses.at[i].text);
		fputc(']', to);
	}
	fputc(']', to);
}

/* Ten numbers each. */
static void write_range_sums(const struct ct_html_process *process, FILE *to)
{
	fputs(",\"ranges\":[", to);
	for (size_t i = 0; i < process->range_sums.count; i++) {
		const struct ct_html_range_sum *sum = &process->range_sums.at[i];

		fputs(i ? "," : "", to);
		index_of(to, sum->name);
		fprintf(to, ",%d,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
			",%" PRIu64 ",%" PRIu64, sum->part == CT_PART_COUNT ? -1 : (int)sum->part,
			sum->ranges, sum->calls, sum->total_ns, sum->blocked_ns, sum->lost_ns,
			sum->all_calls, sum->all_blocked_ns, sum->all_lost_ns);
	}
	fputc(']', to);
	number(to, "rangeNames", process->range_names);
}

static void write_process(const struct ct_html_process *process, FILE *to)
{
	fputs("\"label\":", to);
	put_text(to, process->label);
	text(to, "coverage", process->coverage);
	text(to, "report", process->report);
	number(to, "beginNs", process->begin_ns);
	number(to, "endNs", process->end_ns);
	number(to, "calls", process->totals.calls);
	number(to, "ops", process->totals.ops);
	number(to, "callNs", process->totals.call_ns);
	number(to, "blockedNs", process->totals.blocked_ns);
	number(to, "lostNs", process->lost_ns);
	number(to, "deviceBusyNs", process->device_busy_ns);
	number(to, "deviceIdleNs", process->device_idle_ns);
	number(to, "sites", process->sites);
	write_range_sums(process, to);
	write_losses(process, to);
	write_memory(&process->memory, to);
}

static void write_parts(FILE *to)
{
	static const char *const texts[] = {
#define X(id, name, text) text,
		CT_PARTS(X)
#undef X
	};

	fputs(",\"parts\":[", to);
	for (int i = 0; i < CT_PART_COUNT; i++) {
		fprintf(to, "[\"%s\",", ct_part_names[i]);
		put_text(to, texts[i]);
		fputs("],", to);
	}
	fputs("[\"polling\",\"asked again and again whether work was done\"]]", to);
}

void ct_html_write(struct ct_html *html, FILE *to)
{
	fprintf(to, "{\"format\":1,\"version\":\"%s\"", CT_VERSION);
	number(to, "leftOut", html->export->left_out);
	number(to, "itemLimit", CT_HTML_ITEMS);
	write_parts(to);
	fputs(",\"processes\":[", to);
	for (size_t i = 0; i < html->processes.count; i++) {
		fputs(i ? ",{" : "{", to);
		write_process(&html->processes.at[i], to);
		fputc('}', to);
	}
	fputc(']', to);
	write_lanes(&html->lanes, to);
	write_sites(html, to);
	write_pairs(html, to);
	write_items(&html->items, html->ranges.all.count > 0, to);
	write_waits(&html->items, to);
	write_levels(&html->lanes, to);
	write_names(&html->names, to);
	fputc('}', to);
}
