/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a report about the devices of a run that has several. */
#include <inttypes.h>
#include <string.h>

#include "analyze/device.h"
#include "analyze/report.h"
#include "analyze/seen.h"

#define STREAMS_SHOWN 4 /* of each device, those with most work */

/* Has the process a context on a device, or work? CUPTI tells of all that it could have used. */
static bool used(const struct ct_model *model, uint32_t device)
{
	for (size_t i = 0; i < model->contexts.count; i++)
		if (model->contexts.at[i].device == device)
			return true;
	for (size_t i = 0; i < model->streams.count; i++) /* a context older than CUPTI has no record */
		if (model->streams.at[i].device == device && model->streams.at[i].core_ops)
			return true;
	return false;
}

/* The next GPU in use from `gpu` on, whose name is known; NULL: none. */
static const char *name_from(const struct ct_model *model, size_t *gpu)
{
	for (; *gpu < model->gpus.count; ++*gpu) {
		const struct ct_gpu *g = &model->gpus.at[*gpu];

		if (used(model, g->device) && g->name < model->strings.count && model->strings.at[g->name])
			return model->strings.at[g->name];
	}
	return NULL;
}

/* Which of several devices had work: all, unless it says something else. */
static void add_used(const struct ct_analysis *a, size_t named, char *ret, size_t size)
{
	size_t count = 0, one = 0;

	for (size_t i = 0; i < CT_DEVICES_MOST; i++)
		if (a->idle->devices[i].ops) {
			count++;
			one = i;
		}
	if (count == 1)
		snprintf(ret, size, "; only device %zu had work", one);
	else if (count && count < named)
		snprintf(ret, size, "; %zu of them had work", count);
}

/* Neighbours of one name are told as one; a device has one record, but in damaged traces. */
static size_t name_gpus(const struct ct_model *model, char *ret, size_t size)
{
	size_t used_bytes = 0, alike = 0, gpu = 0;
	const char *name = name_from(model, &gpu);

	while (name && used_bytes < size) {
		const char *next;
		char count[24] = "";

		gpu++;
		next = name_from(model, &gpu);
		alike++;
		if (!next || strcmp(name, next) != 0) {
			if (alike > 1 && (used_bytes || next)) /* of one name alone, they have been counted before */
				snprintf(count, sizeof(count), "%zu ", alike);
			used_bytes += (size_t)snprintf(ret + used_bytes, size - used_bytes, "%s%s%s",
						       used_bytes ? ", " : "", count, name);
			alike = 0;
		}
		name = next;
	}
	return used_bytes < size ? used_bytes : size - 1;
}

/* How many GPUs in use have a name; in *ret_one the last of them. */
static size_t count_named(const struct ct_model *model, size_t *ret_one)
{
	size_t count = 0;

	for (size_t gpu = 0; name_from(model, &gpu); gpu++) {
		count++;
		*ret_one = gpu;
	}
	return count;
}

void ct_report_gpus(const struct ct_analysis *a, char *ret, size_t size)
{
	const struct ct_model *model = a->model;
	size_t one = 0, named = count_named(model, &one), bytes;
	char count[48];

	*ret = '\0';
	if (!named)
		return;
	bytes = named == 1 ? (size_t)snprintf(ret, size, "; on ")
			   : (size_t)snprintf(ret, size, "; on %s: ", ct_report_count(named, "device", count));
	bytes += name_gpus(model, ret + bytes, size - bytes);
	if (named > 1)
		add_used(a, named, ret + bytes, size - bytes);
	else if (model->gpus.count > 1)
		snprintf(ret + bytes, size - bytes, " (device %u; 1 of %zu used)", model->gpus.at[one].device,
			 model->gpus.count);
}

static double times(uint64_t ns, uint64_t of_ns)
{
	return of_ns ? (double)ns / (double)of_ns : 0;
}

const char *ct_report_device(const struct ct_model *model, uint32_t device, char ret[32])
{
	*ret = '\0';
	if (ct_devices_several(model) && device != CT_NONE)
		snprintf(ret, 32, " of device %u", device);
	return ret;
}

uint32_t ct_report_wait_device(const struct ct_model *model, const struct ct_wait *wait)
{
	const struct ct_host_call *call = &model->calls.at[wait->call];

	if (wait->op != CT_NONE)
		return model->ops.at[wait->op].raw.device;
	return ct_seen_unrecorded(model, wait) ? call->device : CT_NONE;
}

/* The stream of a device with most work below a limit, or as much and a later place. CT_NONE: none. */
static uint32_t next_stream(const struct ct_model *model, uint32_t device, uint32_t last)
{
	uint32_t found = CT_NONE;

	for (uint32_t i = 0; i < model->streams.count; i++) {
		const struct ct_stream_info *s = &model->streams.at[i];
		const struct ct_stream_info *before = last == CT_NONE ? NULL : &model->streams.at[last];

		if (s->device != device || !s->core_ops ||
		    (before && (s->work_ns > before->work_ns ||
				(s->work_ns == before->work_ns && i <= last))))
			continue;
		if (found == CT_NONE || s->work_ns > model->streams.at[found].work_ns)
			found = i;
	}
	return found;
}

static void print_streams(const struct ct_model *model, uint32_t device, FILE *to)
{
	uint32_t stream = next_stream(model, device, CT_NONE), shown = 0, more = 0;
	char work[16], ops[48];

	for (; stream != CT_NONE; stream = next_stream(model, device, stream)) {
		const struct ct_stream_info *s = &model->streams.at[stream];

		if (shown++ < STREAMS_SHOWN)
			fprintf(to, "    stream %-6u %9s of work in %s\n", s->id,
				ct_report_time(s->work_ns, work),
				ct_report_count(s->core_ops, "operation", ops));
		else
			more++;
	}
	if (more)
		fprintf(to, "    and %s more (streams.csv)\n", ct_report_count(more, "stream", ops));
}

/* What a device waited for while it was idle, most first. */
static void print_idle(const struct ct_device_work *work, FILE *to)
{
	static const char *const causes[] = {
		[CT_IDLE_CALL] = "in CUDA calls",
		[CT_IDLE_HOST] = "in host code",
		[CT_IDLE_DEVICE] = "in the device itself",
		[CT_IDLE_OTHER] = "behind work of another device",
	};
	bool told[CT_IDLE_CAUSES] = { false };
	char time[16], text[CT_IDLE_CAUSES * 64] = "";
	size_t used = 0;

	for (int n = 0; n < CT_IDLE_CAUSES; n++) {
		int most = -1;

		for (int i = 0; i < CT_IDLE_CAUSES; i++)
			if (!told[i] && work->by_cause_ns[i] &&
			    (most < 0 || work->by_cause_ns[i] > work->by_cause_ns[most]))
				most = i;
		if (most < 0)
			break;
		told[most] = true;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s", n ? ", " : "",
					 ct_report_time(work->by_cause_ns[most], time), causes[most]);
	}
	ct_report_wrapped(to, "    ", "        ", "%-13s %9s: %s", "idle",
			  ct_report_time(work->idle_ns, time), text);
}

static void print_device(const struct ct_analysis *a, uint32_t device, bool streams, FILE *to)
{
	const struct ct_device_work *work = &a->idle->devices[device];
	char busy[16], ops[48];

	fprintf(to, "  device %-6u %9s busy, %.2f operations at a time, %s\n", device,
		ct_report_time(work->busy_ns, busy), times(work->work_ns, work->busy_ns),
		ct_report_count(work->ops, "operation", ops));
	if (work->idle_ns)
		print_idle(work, to);
	if (streams)
		print_streams(a->model, device, to);
}

void ct_report_devices(const struct ct_analysis *a, bool streams, FILE *to)
{
	const struct ct_device_work *unknown = &a->idle->devices[CT_DEVICES_MOST];
	uint64_t busy_ns = 0, used = 0;
	char count[48];

	for (size_t i = 0; i <= CT_DEVICES_MOST; i++) {
		busy_ns += a->idle->devices[i].busy_ns;
		used += a->idle->devices[i].ops > 0;
	}
	fprintf(to, "%s had work, and %.2f worked at a time:\n", ct_report_count(used, "device", count),
		times(busy_ns, a->idle->busy_ns));
	for (uint32_t i = 0; i < CT_DEVICES_MOST; i++)
		if (a->idle->devices[i].ops)
			print_device(a, i, streams, to);
	if (unknown->ops)
		fprintf(to, "  %s on devices whose numbers cannot be\n",
			ct_report_count(unknown->ops, "operation", count));
}
