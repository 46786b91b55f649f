/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace for Perfetto (ui.perfetto.dev, trace_processor): a track for each thread, stream
 * and counter, and flows from calls to what they submitted and from what ended to who
 * waited for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/report.h"
#include "export/perfetto_int.h"

#define SEQUENCE 1 /* all packets are of one writer */

enum { PACKET = 1 }; /* Trace */
enum { CLOCK_SNAPSHOT = 6, TIMESTAMP = 8, SEQUENCE_ID = 10, TRACK_EVENT = 11, INTERNED_DATA = 12,
       SEQUENCE_FLAGS = 13 }; /* TracePacket */
enum { CLEARED = 1, NEEDS_STATE = 2 }; /* SequenceFlags */
enum { CATEGORY_IIDS = 3, DEBUG_ANNOTATIONS = 4, TYPE = 9, NAME_IID = 10, TRACK_UUID = 11,
       COUNTER_VALUE = 30, FLOW_IDS = 47, TERMINATING_FLOW_IDS = 48 }; /* TrackEvent */
enum { SLICE_BEGIN = 1, SLICE_END = 2, COUNTER = 4 }; /* Type */
enum { ANNOTATION_NAME_IID = 1, UINT_VALUE = 3, INT_VALUE = 4, STRING_VALUE_IID = 17 };
enum { IID = 1, TEXT = 2 }; /* EventCategory, EventName, DebugAnnotationName, InternedString */
enum { CLOCKS = 1, CLOCK_ID = 1, CLOCK_TIMESTAMP = 2, REALTIME = 1, BOOTTIME = 6 };

static const unsigned interned_fields[CT_PF_TEXTS] = {
	[CT_PF_CATEGORIES] = 1, [CT_PF_NAMES] = 2, [CT_PF_ANNOTATIONS] = 3, [CT_PF_VALUES] = 29,
};

struct text {
	struct ct_link link; /* by text */
	uint64_t iid;
	char text[];
};

static struct text *add_text(struct ct_pf *pf, enum ct_pf_texts kind, const char *text)
{
	size_t length = strlen(text), mark;
	struct text *fresh = calloc(1, sizeof(*fresh) + length + 1);

	if (!fresh)
		return NULL;
	memcpy(fresh->text, text, length);
	if (ct_lookup_add(&pf->texts[kind].texts, fresh, fresh->text, length) < 0) {
		free(fresh);
		return NULL;
	}
	fresh->iid = ++pf->texts[kind].last;
	mark = ct_proto_begin(&pf->interned, interned_fields[kind]);
	ct_proto_varint(&pf->interned, IID, fresh->iid);
	ct_proto_text(&pf->interned, TEXT, text);
	ct_proto_end(&pf->interned, mark);
	return fresh;
}

static uint64_t iid_of(struct ct_pf *pf, enum ct_pf_texts kind, const char *text)
{
	struct text *one = ct_lookup_find(&pf->texts[kind].texts, text, strlen(text));

	if (!one)
		one = add_text(pf, kind, text);
	pf->no_memory |= !one;
	return one ? one->iid : 0;
}

void ct_pf_begin_packet(struct ct_pf *pf)
{
	ct_proto_clear(&pf->packet);
	pf->packet_mark = ct_proto_begin(&pf->packet, PACKET);
	ct_proto_varint(&pf->packet, SEQUENCE_ID, SEQUENCE);
	ct_proto_varint(&pf->packet, SEQUENCE_FLAGS, pf->begun ? NEEDS_STATE : CLEARED);
	pf->begun = true;
}

void ct_pf_end_packet(struct ct_pf *pf)
{
	if (pf->interned.count)
		ct_proto_bytes(&pf->packet, INTERNED_DATA, pf->interned.at, pf->interned.count);
	ct_proto_clear(&pf->interned);
	ct_proto_end(&pf->packet, pf->packet_mark);
	if (pf->packet.no_memory || pf->interned.no_memory)
		pf->no_memory = true;
	else
		fwrite_unlocked(pf->packet.at, 1, pf->packet.count, pf->export->to);
}

uint64_t ct_pf_time(const struct ct_model *model, uint64_t ns)
{
	return model->header->start_realtime_ns + ns - model->header->start_ns;
}

static void begin_event(struct ct_pf *pf, uint64_t track, uint64_t ns, unsigned type)
{
	ct_pf_begin_packet(pf);
	ct_proto_varint(&pf->packet, TIMESTAMP, ct_pf_time(pf->model, ns));
	pf->event_mark = ct_proto_begin(&pf->packet, TRACK_EVENT);
	ct_proto_varint(&pf->packet, TYPE, type);
	ct_proto_varint(&pf->packet, TRACK_UUID, track);
}

void ct_pf_end_event(struct ct_pf *pf)
{
	ct_proto_end(&pf->packet, pf->event_mark);
	ct_pf_end_packet(pf);
}

void ct_pf_begin_slice(struct ct_pf *pf, uint64_t track, uint64_t ns, const char *category,
		       const char *name)
{
	begin_event(pf, track, ns, SLICE_BEGIN);
	ct_proto_varint(&pf->packet, CATEGORY_IIDS, iid_of(pf, CT_PF_CATEGORIES, category));
	ct_proto_varint(&pf->packet, NAME_IID, iid_of(pf, CT_PF_NAMES, name));
}

void ct_pf_end_slice(struct ct_pf *pf, uint64_t track, uint64_t ns)
{
	begin_event(pf, track, ns, SLICE_END);
}

void ct_pf_counter(struct ct_pf *pf, uint64_t track, uint64_t ns, uint64_t value)
{
	begin_event(pf, track, ns, COUNTER);
	ct_proto_varint(&pf->packet, COUNTER_VALUE, value);
	ct_pf_end_event(pf);
}

static void annotate(struct ct_pf *pf, const char *key, unsigned field, uint64_t value)
{
	size_t mark = ct_proto_begin(&pf->packet, DEBUG_ANNOTATIONS);

	ct_proto_varint(&pf->packet, ANNOTATION_NAME_IID, iid_of(pf, CT_PF_ANNOTATIONS, key));
	ct_proto_varint(&pf->packet, field, value);
	ct_proto_end(&pf->packet, mark);
}

void ct_pf_number(struct ct_pf *pf, const char *key, uint64_t value)
{
	annotate(pf, key, UINT_VALUE, value);
}

void ct_pf_signed(struct ct_pf *pf, const char *key, int64_t value)
{
	annotate(pf, key, INT_VALUE, (uint64_t)value);
}

void ct_pf_text(struct ct_pf *pf, const char *key, const char *value)
{
	annotate(pf, key, STRING_VALUE_IID, iid_of(pf, CT_PF_VALUES, value));
}

void ct_pf_flow(struct ct_pf *pf, uint64_t flow)
{
	ct_proto_fixed64(&pf->packet, FLOW_IDS, flow);
}

void ct_pf_last_flow(struct ct_pf *pf, uint64_t flow)
{
	ct_proto_fixed64(&pf->packet, TERMINATING_FLOW_IDS, flow);
}

/* Perfetto's clock is CLOCK_BOOTTIME unless said otherwise; ours is the time of day. */
static void write_clock(struct ct_pf *pf)
{
	static const unsigned clocks[] = { BOOTTIME, REALTIME };
	size_t snapshot, clock;

	ct_pf_begin_packet(pf);
	snapshot = ct_proto_begin(&pf->packet, CLOCK_SNAPSHOT);
	for (int i = 0; i < 2; i++) {
		clock = ct_proto_begin(&pf->packet, CLOCKS);
		ct_proto_varint(&pf->packet, CLOCK_ID, clocks[i]);
		ct_proto_varint(&pf->packet, CLOCK_TIMESTAMP, pf->export->begin_ns);
		ct_proto_end(&pf->packet, clock);
	}
	ct_proto_end(&pf->packet, snapshot);
	ct_pf_end_packet(pf);
}

static int open_perfetto(const struct ct_export *export, void **ret)
{
	struct ct_pf *pf = calloc(1, sizeof(*pf));

	if (!pf)
		return -ENOMEM;
	pf->export = export;
	*ret = pf;
	write_clock(pf);
	return 0;
}

struct used_pid {
	struct ct_link link; /* by pid */
	uint32_t pid;
};

/* Processes of two hosts may have the same pid, which to Perfetto are one process. */
static int choose_pid(struct ct_pf *pf, uint32_t pid)
{
	struct used_pid *fresh;

	if (ct_lookup_find(&pf->pids, &pid, sizeof(pid)))
		pid = 0x40000000 + pf->process->index; /* more than any pid may be */
	pf->pid = pid;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	fresh->pid = pid;
	if (ct_lookup_add(&pf->pids, fresh, &fresh->pid, sizeof(fresh->pid)) == 0)
		return 0;
	free(fresh);
	return -ENOMEM;
}

static int begin_process(void *writer, const struct ct_export_process *process,
			 const struct ct_model *model)
{
	struct ct_pf *pf = writer;
	int r;

	pf->process = process;
	pf->model = model;
	pf->running.count = 0;
	r = choose_pid(pf, model->header->pid);
	if (r == 0)
		ct_pf_track(pf, CT_PF_PROCESS, 0, 0);
	return r < 0 ? r : ct_memory_create(&pf->memory);
}

static int write_part(void *writer, const struct ct_export_process *process,
		      const struct ct_analysis *part)
{
	struct ct_pf *pf = writer;

	(void)process;
	pf->model = part->model;
	return ct_pf_part(pf, part);
}

/* A slice over the whole run: whoever looks at any of it sees what is missing. */
static int write_loss(void *arg, uint64_t count, const char *text)
{
	struct ct_pf *pf = arg;
	uint64_t track = ct_pf_track(pf, CT_PF_UNSEEN, 0, 0);
	char things[CT_THINGS_BYTES];

	ct_pf_begin_slice(pf, track, pf->model->begin_ns, "loss",
			  count ? ct_report_things(count, text, things) : text);
	ct_pf_end_event(pf);
	ct_pf_end_slice(pf, track, pf->model->end_ns);
	ct_pf_end_event(pf);
	return pf->no_memory ? -ENOMEM : 0;
}

static int end_process(void *writer, const struct ct_export_process *process,
		       const struct ct_analysis *analysis)
{
	struct ct_pf *pf = writer;
	uint64_t unknown;
	int r;

	pf->model = analysis->model;
	r = ct_pf_end_counters(pf);
	unknown = ct_memory_unknown(pf->memory);
	if (r == 0)
		r = ct_export_losses(analysis, write_loss, pf);
	if (r == 0 && unknown)
		r = write_loss(pf, unknown, CT_MEMORY_UNKNOWN_TEXT);
	if (r == 0 && pf->export->left_out && process->index + 1 == pf->export->processes)
		r = write_loss(pf, pf->export->left_out, "traces that could not be used");
	ct_memory_destroy(pf->memory);
	pf->memory = NULL;
	pf->model = NULL;
	return r;
}

static void free_tracks(struct ct_lookup *tracks)
{
	struct ct_link *link, *next;

	HASH_ITER(hh, tracks->first, link, next)
		free(((struct ct_pf_track *)link)->lane_ends_ns.at);
	ct_lookup_free(tracks);
}

static void destroy(void *writer)
{
	struct ct_pf *pf = writer;

	if (!pf)
		return;
	for (int i = 0; i < CT_PF_TEXTS; i++)
		ct_lookup_free(&pf->texts[i].texts);
	free_tracks(&pf->tracks);
	ct_lookup_free(&pf->pids);
	for (size_t i = 0; i < pf->running.count; i++)
		free(pf->running.at[i].ends_ns.at);
	free(pf->running.at);
	ct_memory_destroy(pf->memory);
	ct_proto_free(&pf->packet);
	ct_proto_free(&pf->interned);
	free(pf);
}

const struct ct_export_format ct_export_perfetto = {
	.binary = true,
	.open = open_perfetto,
	.begin_process = begin_process,
	.part = write_part,
	.end_process = end_process,
	.destroy = destroy,
};
