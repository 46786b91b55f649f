/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the Perfetto export share. Field numbers are those of Perfetto's
 * protos/perfetto/trace (trace_packet.proto, track_event/, interned_data/).
 */
#ifndef CT_EXPORT_PERFETTO_INT_H
#define CT_EXPORT_PERFETTO_INT_H

#include "analyze/lookup.h"
#include "export/events.h"
#include "export/export.h"
#include "export/memory.h"
#include "export/proto.h"

/* Texts that are written once and then known by number: fields of InternedData. */
enum ct_pf_texts {
	CT_PF_CATEGORIES,
	CT_PF_NAMES,       /* of slices */
	CT_PF_ANNOTATIONS, /* their keys */
	CT_PF_VALUES,      /* of annotations */
	CT_PF_TEXTS
};

struct ct_pf_interned {
	struct ct_lookup texts;
	uint64_t last;
};

/* What a track is of; `a` and `b` say which of them. */
enum ct_pf_kind {
	CT_PF_PROCESS = 1,
	CT_PF_THREAD,  /* a: thread id */
	CT_PF_POLLS,   /* a: thread id */
	CT_PF_STREAM,  /* a: context, b: stream */
	CT_PF_MEMORY,  /* a: enum ct_memory, b: device or CT_NONE */
	CT_PF_RUNNING, /* a: device */
	CT_PF_DEVICE,  /* a: device; parent of its tracks, in a run with several */
	CT_PF_UNSEEN,
	CT_PF_RANGES,  /* a: thread id; of NVTX, a lane for each level */
};

/* Slices of a track nest. Where some do not, the track has several lanes of the same name. */
struct ct_pf_track {
	struct ct_link link; /* by key */
	struct {
		uint32_t process, kind, a, b;
	} key;
	CT_ARRAY(uint64_t) lane_ends_ns;
};

/* The operations that are running on a device: when they will have ended, soonest first. */
struct ct_pf_running {
	uint32_t device;
	CT_ARRAY(uint64_t) ends_ns;
};

struct ct_pf {
	const struct ct_export *export;
	const struct ct_export_process *process; /* at hand */
	const struct ct_model *model;            /* of it, or of its part at hand */
	uint32_t pid;                            /* in the export, where no two have the same */
	struct ct_proto packet, interned;
	size_t packet_mark, event_mark;
	struct ct_pf_interned texts[CT_PF_TEXTS];
	struct ct_lookup tracks, pids;
	CT_ARRAY(struct ct_pf_running) running; /* of the process at hand, by device */
	struct ct_memory_map *memory;           /* of it */
	bool begun;
	bool no_memory;
};

/* A packet with an event on a track at a time; what is put in between is of the event. */
void ct_pf_begin_slice(struct ct_pf *pf, uint64_t track, uint64_t ns, const char *category,
		       const char *name);
void ct_pf_end_slice(struct ct_pf *pf, uint64_t track, uint64_t ns);
void ct_pf_counter(struct ct_pf *pf, uint64_t track, uint64_t ns, uint64_t value);
void ct_pf_end_event(struct ct_pf *pf);

/* Of an event: annotations, and the flows that it is part of, or ends. */
void ct_pf_number(struct ct_pf *pf, const char *key, uint64_t value);
void ct_pf_signed(struct ct_pf *pf, const char *key, int64_t value);
void ct_pf_text(struct ct_pf *pf, const char *key, const char *value);
void ct_pf_flow(struct ct_pf *pf, uint64_t flow);
void ct_pf_last_flow(struct ct_pf *pf, uint64_t flow);

/* A packet of its own: begin it, write a field of TracePacket, end it. */
void ct_pf_begin_packet(struct ct_pf *pf);
void ct_pf_end_packet(struct ct_pf *pf);

/* A time of the model, as a time of day. */
uint64_t ct_pf_time(const struct ct_model *model, uint64_t ns);

/*
 * The track of this kind, of the process at hand, which is described when it is first asked
 * for; and its lane that a slice fits into, by number, which is then taken up to end_ns. The
 * lane's id is that of ct_pf_lane(). 0 without memory.
 */
uint64_t ct_pf_track(struct ct_pf *pf, enum ct_pf_kind kind, uint32_t a, uint32_t b);
uint64_t ct_pf_lane(struct ct_pf *pf, enum ct_pf_kind kind, uint32_t a, uint32_t b,
		    uint64_t start_ns, uint64_t end_ns);

/* A number that nothing else has, made of what it is for (64 bits: none will meet another). */
uint64_t ct_pf_id(uint64_t process, uint64_t kind, uint64_t a, uint64_t b, uint64_t c);

/* Write a part of the process at hand; end it: its counters go back to 0. 0 or -errno. */
int ct_pf_part(struct ct_pf *pf, const struct ct_analysis *part);
int ct_pf_end_counters(struct ct_pf *pf);

#endif
