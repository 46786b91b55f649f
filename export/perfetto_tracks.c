/* SPDX-License-Identifier: Apache-2.0 */
/* The tracks of a Perfetto trace: what they are called, and in which of them there is room. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/device.h"
#include "analyze/identity.h"
#include "export/perfetto_int.h"

enum { TRACK_DESCRIPTOR = 60 }; /* TracePacket */
enum { UUID = 1, NAME = 2, PROCESS = 3, THREAD = 4, PARENT_UUID = 5, COUNTER = 8 };
enum { PROCESS_PID = 1, PROCESS_NAME = 6 };
enum { THREAD_PID = 1, THREAD_TID = 2, THREAD_NAME = 5 };
enum { UNIT = 3, UNIT_COUNT = 2, UNIT_SIZE_BYTES = 3 }; /* CounterDescriptor */

/* Mixes as splitmix64 does (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators). */
static uint64_t mix(uint64_t value)
{
	value += 0x9e3779b97f4a7c15u;
	value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
	value = (value ^ value >> 27) * 0x94d049bb133111ebu;
	return value ^ value >> 31;
}

uint64_t ct_pf_id(uint64_t process, uint64_t kind, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t id = mix(mix(mix(mix(mix(process) ^ kind) ^ a) ^ b) ^ c);

	return id ? id : 1; /* 0 is no id */
}

static uint64_t uuid_of(const struct ct_pf_track *track, size_t lane)
{
	return ct_pf_id(track->key.process, track->key.kind, track->key.a, track->key.b, lane);
}

static void put_process(struct ct_pf *pf)
{
	const struct ct_file_header *header = pf->model->header;
	struct ct_identity id = ct_identity_of(pf->model);
	size_t mark = ct_proto_begin(&pf->packet, PROCESS);
	char name[384], rank[32] = "";

	if (id.rank != CT_NONE)
		snprintf(rank, sizeof(rank), "rank %u: ", id.rank);
	snprintf(name, sizeof(name), "%s%.*s%s%.256s", rank, (int)sizeof(header->program),
		 header->program, *id.host ? " on " : "", id.host);
	ct_proto_varint(&pf->packet, PROCESS_PID, pf->pid);
	ct_proto_text(&pf->packet, PROCESS_NAME, name);
	ct_proto_end(&pf->packet, mark);
}

static void put_thread(struct ct_pf *pf, uint32_t tid)
{
	size_t mark = ct_proto_begin(&pf->packet, THREAD);

	ct_proto_varint(&pf->packet, THREAD_PID, pf->pid);
	ct_proto_varint(&pf->packet, THREAD_TID, tid);
	for (size_t i = 0; i < pf->model->threads.count; i++)
		if (pf->model->threads.at[i].tid == tid && *pf->model->threads.at[i].name)
			ct_proto_text(&pf->packet, THREAD_NAME, pf->model->threads.at[i].name);
	ct_proto_end(&pf->packet, mark);
}

static void put_counter(struct ct_pf *pf, unsigned unit)
{
	size_t mark = ct_proto_begin(&pf->packet, COUNTER);

	ct_proto_varint(&pf->packet, UNIT, unit);
	ct_proto_end(&pf->packet, mark);
}

static void name_track(const struct ct_pf *pf, const struct ct_pf_track *track, char *ret,
		       size_t size)
{
	uint32_t a = track->key.a, b = track->key.b;

	switch ((enum ct_pf_kind)track->key.kind) {
	case CT_PF_STREAM:
		snprintf(ret, size, pf->model->contexts.count > 1 ? "stream %u of context %u"
								   : "stream %u", b, a);
		break;
	case CT_PF_MEMORY:
		snprintf(ret, size, b == CT_NONE ? "%s memory" : "%s memory on device %u",
			 ct_export_memory((uint8_t)a), b);
		break;
	case CT_PF_RUNNING:
		snprintf(ret, size, "operations running on device %u", a);
		break;
	case CT_PF_POLLS:
		snprintf(ret, size, "polling by thread %u", a);
		break;
	case CT_PF_RANGES:
		snprintf(ret, size, "NVTX ranges of thread %u", a);
		break;
	case CT_PF_DEVICE:
		snprintf(ret, size, "device %u", a);
		break;
	case CT_PF_UNSEEN:
		snprintf(ret, size, "NOT SEEN");
		break;
	case CT_PF_THREAD: /* of calls that overlap, which only a damaged trace has */
		snprintf(ret, size, "thread %u", a);
		break;
	default:
		*ret = '\0';
	}
}

static uint32_t device_of(const struct ct_pf *pf, const struct ct_pf_track *track)
{
	switch ((enum ct_pf_kind)track->key.kind) {
	case CT_PF_STREAM:
		return ct_device_of_context(pf->model, track->key.a);
	case CT_PF_MEMORY:
		return track->key.b;
	case CT_PF_RUNNING:
		return track->key.a;
	default:
		return CT_NONE;
	}
}

/* The process, or, where there are several devices, that which the track belongs to. */
static uint64_t parent_of(struct ct_pf *pf, const struct ct_pf_track *track)
{
	uint32_t device = ct_devices_several(pf->model) ? device_of(pf, track) : CT_NONE;

	return device == CT_NONE ? ct_pf_id(track->key.process, CT_PF_PROCESS, 0, 0, 0)
				 : ct_pf_track(pf, CT_PF_DEVICE, device, 0);
}

static void describe(struct ct_pf *pf, const struct ct_pf_track *track, size_t lane)
{
	enum ct_pf_kind kind = (enum ct_pf_kind)track->key.kind;
	uint64_t parent = parent_of(pf, track); /* described first, in a packet of its own */
	char name[96];
	size_t mark;

	ct_pf_begin_packet(pf);
	mark = ct_proto_begin(&pf->packet, TRACK_DESCRIPTOR);
	ct_proto_varint(&pf->packet, UUID, uuid_of(track, lane));
	if (kind != CT_PF_PROCESS)
		ct_proto_varint(&pf->packet, PARENT_UUID, parent);
	name_track(pf, track, name, sizeof(name));
	if (kind == CT_PF_PROCESS)
		put_process(pf);
	else if (kind == CT_PF_THREAD && !lane)
		put_thread(pf, track->key.a);
	else
		ct_proto_text(&pf->packet, NAME, name);
	if (kind == CT_PF_MEMORY || kind == CT_PF_RUNNING)
		put_counter(pf, kind == CT_PF_MEMORY ? UNIT_SIZE_BYTES : UNIT_COUNT);
	ct_proto_end(&pf->packet, mark);
	ct_pf_end_packet(pf);
}

static int add_lane(struct ct_pf *pf, struct ct_pf_track *track)
{
	if (CT_PUSH(&track->lane_ends_ns, 0) < 0)
		return -1;
	describe(pf, track, track->lane_ends_ns.count - 1);
	return 0;
}

static struct ct_pf_track *add_track(struct ct_pf *pf, const struct ct_pf_track *like)
{
	struct ct_pf_track *track = calloc(1, sizeof(*track));

	if (!track)
		return NULL;
	track->key = like->key;
	if (ct_lookup_add(&pf->tracks, track, &track->key, sizeof(track->key)) < 0) {
		free(track);
		return NULL;
	}
	return add_lane(pf, track) < 0 ? NULL : track;
}

static struct ct_pf_track *find(struct ct_pf *pf, enum ct_pf_kind kind, uint32_t a, uint32_t b)
{
	const struct ct_pf_track like = { .key = { pf->process->index, kind, a, b } };
	struct ct_pf_track *track = ct_lookup_find(&pf->tracks, &like.key, sizeof(like.key));

	if (!track)
		track = add_track(pf, &like);
	pf->no_memory |= !track;
	return track;
}

uint64_t ct_pf_track(struct ct_pf *pf, enum ct_pf_kind kind, uint32_t a, uint32_t b)
{
	const struct ct_pf_track *track = find(pf, kind, a, b);

	return track ? uuid_of(track, 0) : 0;
}

uint64_t ct_pf_lane(struct ct_pf *pf, enum ct_pf_kind kind, uint32_t a, uint32_t b,
		    uint64_t start_ns, uint64_t end_ns)
{
	struct ct_pf_track *track = find(pf, kind, a, b);
	size_t lane = 0;

	if (!track)
		return 0;
	while (lane < track->lane_ends_ns.count && track->lane_ends_ns.at[lane] > start_ns)
		lane++;
	if (lane == track->lane_ends_ns.count && add_lane(pf, track) < 0) {
		pf->no_memory = true;
		return 0;
	}
	track->lane_ends_ns.at[lane] = end_ns;
	return uuid_of(track, lane);
}
