/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of several processes: ranks.csv and ranks_callsites.csv. */
#include <string.h>

#include "analyze/csv.h"
#include "analyze/report.h"
#include "analyze/run.h"

static void known(struct ct_csv *csv, uint32_t value)
{
	if (value == CT_NONE)
		ct_csv_none(csv);
	else
		ct_csv_number(csv, value);
}

static void identity_fields(struct ct_csv *csv, const struct ct_process *p)
{
	known(csv, p->rank);
	ct_csv_text(csv, p->variable);
	known(csv, p->local_rank);
	known(csv, p->size);
	ct_csv_text(csv, p->host);
	ct_csv_number(csv, p->pid);
	known(csv, p->parent);
	ct_csv_text(csv, p->program);
	ct_csv_text(csv, p->directory);
}

static uint64_t losses(const struct ct_process *p)
{
	uint64_t sum = p->lost_otherwise;

	for (int i = 0; i < CT_LOSS_COUNT; i++)
		sum += p->lost[i];
	return sum;
}

/* What depends on device times is empty where there are none. */
static void device_field(struct ct_csv *csv, const struct ct_process *p, uint64_t value)
{
	if (p->has_device)
		ct_csv_number(csv, value);
	else
		ct_csv_none(csv);
}

static void write_ranks(const void *of, FILE *to)
{
	const struct ct_run *run = of;
	struct ct_csv csv = { .to = to };

	ct_csv_header(&csv, "Rank,Rank Variable,Local Rank,Size,Host,Pid,Parent Pid,Program,Directory,"
		      "Start (ns),Span (ns),Own (ns),Compared,Slowest,Blocked (ns),Device Wait (ns),"
		      "Lock Wait (ns),Queue Full (ns),Transfer (ns),First Use (ns),Tool (ns),"
		      "Driver Work (ns),Unexplained (ns),Device Busy (ns),Device Work (ns),"
		      "Communication Only (ns),Communication Wait (ns),Outside CUDA (ns),Lost (ns),Calls,Device Operations,"
		      "Records Lost,Things Not Seen");
	for (size_t i = 0; i < run->processes.count; i++) {
		const struct ct_process *p = &run->processes.at[i];

		identity_fields(&csv, p);
		ct_csv_number(&csv, p->begin_ns - run->begin_ns);
		ct_csv_number(&csv, p->end_ns - p->begin_ns);
		if (p->compared)
			ct_csv_number(&csv, p->own_ns);
		else
			ct_csv_none(&csv);
		ct_csv_number(&csv, p->compared);
		ct_csv_number(&csv, i == run->slowest.process);
		ct_csv_number(&csv, p->blocked_ns);
		for (int part = 0; part < CT_PART_COUNT; part++)
			ct_csv_number(&csv, p->parts[part]);
		device_field(&csv, p, p->busy_ns);
		device_field(&csv, p, p->work_ns);
		device_field(&csv, p, p->comm_ns);
		device_field(&csv, p, p->comm_wait_ns);
		ct_csv_number(&csv, ct_process_outside_ns(p));
		device_field(&csv, p, p->serialized_ns);
		ct_csv_number(&csv, p->calls);
		device_field(&csv, p, p->ops);
		ct_csv_number(&csv, losses(p));
		ct_csv_number(&csv, ct_report_count_unseen(p));
		ct_csv_end_row(&csv);
	}
}

static void write_callsites(const void *of, FILE *to)
{
	const struct ct_run *run = of;
	struct ct_csv csv = { .to = to };

	ct_csv_header(&csv, "Call Site,Call,Ranks,Calls,Total (ns),Blocked (ns),Min Blocked (ns),"
		      "Median Blocked (ns),Max Blocked (ns),Worst Rank,Class,Lost (ns),Remedy");
	for (size_t i = 0; i < run->sites.count; i++) {
		const struct ct_run_site *site = &run->sites.at[i];

		ct_csv_text(&csv, site->where);
		ct_csv_text(&csv, site->call);
		ct_csv_number(&csv, site->processes);
		ct_csv_number(&csv, site->calls);
		ct_csv_number(&csv, site->total_ns);
		ct_csv_number(&csv, site->blocked_ns);
		ct_csv_number(&csv, site->min_ns);
		ct_csv_number(&csv, site->median_ns);
		ct_csv_number(&csv, site->max_ns);
		ct_csv_text(&csv, run->processes.at[site->worst].label);
		ct_csv_text(&csv, ct_part_names[site->part]);
		ct_csv_number(&csv, site->lost_ns);
		ct_csv_text(&csv, site->remedy);
		ct_csv_end_row(&csv);
	}
}

int ct_report_run_write(const struct ct_run *run, const char *directory, const char **ret_file)
{
	int r;

	*ret_file = "ranks_shown.csv";
	r = run->filter ? ct_report_write_file(directory, *ret_file, ct_report_run_shown_csv, run)
			: ct_report_remove_file(directory, *ret_file);
	if (r < 0)
		return r;
	*ret_file = "ranks.csv"; /* is of the whole run */
	r = run->filter ? ct_report_remove_file(directory, *ret_file)
			: ct_report_write_file(directory, *ret_file, write_ranks, run);
	if (r < 0)
		return r;
	*ret_file = "ranks_callsites.csv";
	r = ct_report_write_file(directory, *ret_file, write_callsites, run);
	if (r < 0)
		return r;
	*ret_file = "ranks_nccl.csv";
	return run->meet.members.count && !run->filter ? ct_report_write_file(directory, *ret_file, ct_report_run_nccl_csv, run)
				       : ct_report_remove_file(directory, *ret_file);
}
