/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of an SQLite export that are about a process's whole run. */
#include "analyze/report.h"
#include "export/sqlite_int.h"

static void write_pair(struct ct_sqlite *s, const struct ct_analysis *a, const struct ct_pair *pair)
{
	const struct ct_model *model = a->model;
	const struct ct_host_call *culprit = &model->calls.at[pair->culprit];
	const struct ct_device_op *victim = &model->ops.at[pair->victim].raw;
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_SERIALIZED);

	ct_row_number(&row, ct_sqlite_pid(s, model));
	ct_row_string(&row, culprit->name);
	ct_row_number(&row, ct_sqlite_time(s, model, culprit->raw.enter_ns));
	ct_row_number(&row, ct_sqlite_tid(s, model, culprit->tid));
	ct_row_string(&row, ct_export_site(a, pair->culprit));
	ct_row_string(&row, ct_export_op_name(model, pair->victim));
	ct_row_number(&row, victim->stream);
	ct_row_number(&row, ct_sqlite_time(s, model, victim->start_ns));
	ct_row_number(&row, victim->correlation);
	ct_row_number(&row, (int64_t)pair->delay_ns);
	ct_row_number(&row, (int64_t)pair->lost_ns);
	ct_row_string(&row, ct_export_evidence(pair));
	ct_row_number(&row, victim->device);
	ct_row_end(&row);
}

static void write_site(struct ct_sqlite *s, const struct ct_analysis *a, const struct ct_site *site)
{
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_SITES);

	ct_row_number(&row, ct_sqlite_pid(s, a->model));
	ct_row_string(&row, site->where);
	ct_row_string(&row, site->name);
	ct_row_number(&row, site->calls);
	ct_row_number(&row, (int64_t)site->total_ns);
	ct_row_number(&row, (int64_t)site->blocked_ns);
	ct_row_string(&row, ct_part_names[site->worst]);
	ct_row_text(&row, ct_site_certainty(a->model, site));
	ct_row_number(&row, (int64_t)site->lost_ns);
	ct_row_number(&row, (int64_t)site->idle[CT_IDLE_CALL].ns);
	ct_row_string(&row, ct_site_remedy(a->model, site));
	if (site->stack)
		ct_row_number(&row, ct_sqlite_chain(s, site->stack));
	ct_row_end(&row);
}

static void write_gap(struct ct_sqlite *s, const struct ct_analysis *a, const struct ct_gap *gap)
{
	const char *call = gap->call == CT_NONE ? NULL : a->model->calls.at[gap->call].name;
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_IDLE);

	ct_row_number(&row, ct_sqlite_time(s, a->model, gap->start_ns));
	ct_row_number(&row, ct_sqlite_time(s, a->model, gap->end_ns));
	ct_row_number(&row, ct_sqlite_pid(s, a->model));
	ct_row_text(&row, ct_export_idle(gap->cause));
	ct_row_string(&row, call);
	ct_row_string(&row, call ? ct_export_site(a, gap->call) : NULL);
	ct_row_id(&row, ct_idle_device(a->model, gap));
	ct_row_end(&row);
}

static void write_stream(struct ct_sqlite *s, const struct ct_model *model,
			 const struct ct_stream_info *stream)
{
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_STREAMS);

	ct_row_number(&row, stream->id);
	ct_row_number(&row, model->header->pid);
	ct_row_number(&row, stream->context);
	if (stream->flag) {
		ct_row_number(&row, stream->priority);
		ct_row_number(&row, stream->flag);
	} else { /* not known */
		ct_row_null(&row);
		ct_row_null(&row);
	}
	ct_row_number(&row, ct_sqlite_pid(s, model));
	ct_row_number(&row, stream->core_ops);
	ct_row_number(&row, (int64_t)stream->work_ns);
	ct_row_end(&row);
}

struct chain {
	struct ct_sqlite *s;
	uint32_t stack, depth;
};

static bool write_frame(void *arg, const char *frame)
{
	struct chain *chain = arg;
	struct ct_row row = ct_row_begin(&chain->s->sql, CT_SQL_CHAINS);

	ct_row_number(&row, ct_sqlite_chain(chain->s, chain->stack));
	ct_row_string(&row, frame);
	ct_row_number(&row, chain->depth++);
	return ct_row_end(&row) == 0;
}

static void write_chains(struct ct_sqlite *s, const struct ct_analysis *a)
{
	for (uint32_t stack = 1; stack < a->model->stacks.count; stack++) {
		struct chain chain = { s, stack, 0 };

		ct_places_frames(a->model, a->sites->places, stack, write_frame, &chain);
	}
}

struct lossy {
	struct ct_sqlite *s;
	int64_t pid;
};

static int write_loss(void *arg, uint64_t count, const char *text)
{
	const struct lossy *lossy = arg;
	struct ct_row row = ct_row_begin(&lossy->s->sql, CT_SQL_LOSSES);

	ct_row_number(&row, lossy->pid);
	if (count)
		ct_row_number(&row, (int64_t)count);
	else
		ct_row_null(&row);
	ct_row_text(&row, text);
	return ct_row_end(&row);
}

static int write_losses(struct ct_sqlite *s, const struct ct_analysis *a)
{
	struct lossy lossy = { s, ct_sqlite_pid(s, a->model) };
	uint64_t unknown = ct_memory_unknown(s->memory);
	int r = ct_export_losses(a, write_loss, &lossy);

	return r < 0 || !unknown ? r : write_loss(&lossy, unknown, CT_MEMORY_UNKNOWN_TEXT);
}

static int write_totals(struct ct_sqlite *s, const struct ct_analysis *a)
{
	struct ct_row row = ct_row_begin(&s->sql, CT_SQL_TOTALS);

	ct_row_number(&row, ct_sqlite_pid(s, a->model));
	ct_row_number(&row, (int64_t)a->totals.calls);
	ct_row_number(&row, (int64_t)a->totals.ops);
	ct_row_number(&row, (int64_t)a->totals.blocked_ns);
	ct_row_number(&row, (int64_t)a->serialization->lost_ns);
	return ct_row_end(&row);
}

int ct_sqlite_sums(struct ct_sqlite *s, const struct ct_analysis *a)
{
	int r;

	for (size_t i = 0; i < a->serialization->pairs.count; i++)
		write_pair(s, a, &a->serialization->pairs.at[i]);
	for (size_t i = 0; i < a->sites->all.count; i++)
		write_site(s, a, &a->sites->all.at[a->sites->ranked[i]]);
	for (size_t i = 0; i < a->idle->gaps.count; i++)
		write_gap(s, a, &a->idle->gaps.at[i]);
	for (size_t i = 0; i < a->model->streams.count; i++)
		write_stream(s, a->model, &a->model->streams.at[i]);
	write_chains(s, a);
	r = write_losses(s, a);
	return r < 0 ? r : write_totals(s, a);
}
