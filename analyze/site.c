/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/blocking.h"
#include "analyze/lookup.h"
#include "analyze/serialize.h"

/* Does the text of a site say a line, as in "file:12 function"? */
static bool says_line(const char *where)
{
	for (const char *colon = strchr(where, ':'); colon; colon = strchr(colon + 1, ':')) {
		size_t digits = strspn(colon + 1, "0123456789");

		if (digits && (colon[1 + digits] == ' ' || !colon[1 + digits]))
			return true;
	}
	return false;
}

/* A site by what makes it one: neither text has copies. */
struct site_key {
	struct ct_link link;
	struct {
		const char *where, *name;
	} key;
	uint32_t site;
};

uint32_t ct_sites_find(struct ct_sites *sites, const struct ct_site *like)
{
	const struct site_key want = { .key = { like->where, like->name } };
	struct site_key *one = ct_lookup_find(&sites->keys, &want.key, sizeof(want.key));

	if (one)
		return one->site;
	one = calloc(1, sizeof(*one));
	if (!one)
		return CT_NONE;
	*one = want;
	one->site = (uint32_t)sites->all.count;
	if (ct_lookup_add(&sites->keys, one, &one->key, sizeof(one->key)) < 0) {
		free(one);
		return CT_NONE;
	}
	return CT_PUSH(&sites->all, *like) < 0 ? CT_NONE : one->site;
}

/* Where the calls of one stack and api went last: most calls find their site here. */
struct shortcut {
	uint64_t key; /* stack and api */
	uint32_t site;
};

#define SHORTCUTS 4096

static uint32_t find_site(const struct ct_model *model, struct ct_sites *sites,
			  const struct ct_host_call *call)
{
	struct ct_site fresh = {
		.where = ct_places_of(model, sites->places, call->raw.stack),
		.name = call->name,
		.effects = call->effects,
		.stack = call->raw.stack,
		.worst = CT_PART_DRIVER_WORK,
		.worst_wait = CT_NONE,
		.edge = CT_EDGES,
	};

	size_t before = sites->all.count;
	uint32_t found;

	fresh.line = says_line(fresh.where);
	for (int part = 0; part < CT_PART_COUNT; part++)
		fresh.longest[part] = CT_NONE;
	found = ct_sites_find(sites, &fresh);
	if (found == before)
		sites->all.at[found].known = ct_known_find(model, sites->places, fresh.stack, fresh.effects);
	return found;
}

static uint32_t site_of(const struct ct_model *model, struct ct_sites *sites,
			struct shortcut *shortcuts, const struct ct_host_call *call)
{
	uint64_t key = (uint64_t)call->raw.stack << 32 | (uint32_t)call->api;
	struct shortcut *one = &shortcuts[(call->raw.stack * 31 + (uint32_t)call->api) % SHORTCUTS];

	if (one->site == CT_NONE || one->key != key)
		*one = (struct shortcut){ key, find_site(model, sites, call) };
	return one->site;
}

static void add_call(const struct ct_model *model, struct ct_site *site,
		     const struct ct_host_call *call)
{
	site->calls++;
	site->total_ns += call->raw.leave_ns - call->raw.enter_ns;
	site->blocked_ns += ct_blocking_blocked(call);
	site->chances += call->chance;
	site->waited += call->chance && call->parts[CT_PART_DEVICE_WAIT] > 0;
	site->pageable |= call->pageable;
	for (int part = 0; part < CT_PART_COUNT; part++)
		site->parts[part] += call->parts[part];
	for (uint32_t i = call->first_wait; i < call->first_wait + call->wait_count; i++) {
		const struct ct_wait *wait = &model->waits.at[i], *best;

		best = site->longest[wait->part] == CT_NONE
			       ? NULL
			       : &model->waits.at[site->longest[wait->part]];
		if (!best || wait->end_ns - wait->start_ns > best->end_ns - best->start_ns)
			site->longest[wait->part] = i;
	}
}

void ct_sites_find_worst(struct ct_sites *sites)
{
	for (size_t i = 0; i < sites->all.count; i++) {
		struct ct_site *site = &sites->all.at[i];
		uint64_t most = 0;

		for (int part = 0; part < CT_PART_COUNT; part++)
			if (part != CT_PART_DRIVER_WORK && part != CT_PART_TOOL &&
			    site->parts[part] > most) {
				most = site->parts[part];
				site->worst = (enum ct_part)part;
			}
		site->worst_wait = site->longest[site->worst];
	}
}

void ct_sites_share_idle(struct ct_sites *sites, const struct ct_model *model,
			 const struct ct_idle *idle)
{
	for (size_t i = 0; i < idle->gaps.count; i++) {
		const struct ct_gap *gap = &idle->gaps.at[i];
		struct ct_idle_share *share;

		if (gap->device != CT_NONE || gap->call == CT_NONE ||
		    model->calls.at[gap->call].left_out)
			continue;
		share = &sites->all.at[sites->of_call[gap->call]].idle[gap->cause];
		share->ns += gap->end_ns - gap->start_ns;
		share->gaps++;
	}
}

/* As a site is before its first call, but for what is known of the place. */
static void empty(struct ct_site *site)
{
	site->left_out = site->calls;
	site->calls = site->chances = site->waited = 0;
	site->total_ns = site->blocked_ns = 0;
	site->pageable = false;
	memset(site->parts, 0, sizeof(site->parts));
	for (int part = 0; part < CT_PART_COUNT; part++)
		site->longest[part] = CT_NONE;
	site->worst = CT_PART_DRIVER_WORK;
	site->worst_wait = CT_NONE;
}

void ct_sites_narrow(const struct ct_model *model, struct ct_sites *sites,
		     const struct ct_serialization *serialization)
{
	for (size_t i = 0; i < sites->all.count; i++)
		empty(&sites->all.at[i]);
	for (uint32_t i = model->core.first_call; i < model->core.end_call; i++)
		if (!model->calls.at[i].left_out)
			add_call(model, &sites->all.at[sites->of_call[i]], &model->calls.at[i]);
	for (size_t i = 0; i < sites->all.count; i++)
		sites->all.at[i].left_out -= sites->all.at[i].calls;
	for (size_t i = 0; i < serialization->pairs.count; i++) {
		const struct ct_pair *pair = &serialization->pairs.at[i];

		if (!model->calls.at[pair->culprit].left_out)
			sites->all.at[sites->of_call[pair->culprit]].shown_lost_ns += pair->lost_ns;
	}
	ct_sites_find_worst(sites);
}

int ct_sites_settle(struct ct_sites *sites)
{
	for (size_t i = 0; i < sites->all.count; i++) {
		struct ct_site *site = &sites->all.at[i];

		if (!site->left_out)
			continue;
		site->lost_ns = site->shown_lost_ns;
		site->evaluated = site->shown_lost_ns > 0;
	}
	return ct_sites_rank(sites);
}

static int group(const struct ct_model *model, struct ct_sites *sites)
{
	struct shortcut *shortcuts = malloc(SHORTCUTS * sizeof(*shortcuts));
	int r = shortcuts ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < SHORTCUTS; i++)
		shortcuts[i].site = CT_NONE;
	for (uint32_t i = 0; r == 0 && i < model->calls.count; i++) {
		const struct ct_host_call *call = &model->calls.at[i];
		uint32_t site = site_of(model, sites, shortcuts, call);

		sites->of_call[i] = site;
		if (site == CT_NONE)
			r = -ENOMEM;
		else if (ct_model_in_core(model, i))
			add_call(model, &sites->all.at[site], call);
	}
	if (r == 0)
		ct_sites_find_worst(sites);
	free(shortcuts);
	return r;
}

int ct_sites_create_at(const struct ct_model *model, struct ct_places *places,
		       struct ct_sites **ret)
{
	struct ct_sites *sites = calloc(1, sizeof(*sites));
	int r;

	if (!sites)
		return -ENOMEM;
	sites->places = places;
	sites->of_call = calloc(model->calls.count + 1, sizeof(*sites->of_call));
	r = sites->of_call ? group(model, sites) : -ENOMEM;
	if (r == 0 && ct_places_failed(places))
		r = -ENOMEM;
	if (r == 0)
		r = ct_sites_rank(sites);
	if (r < 0) {
		ct_sites_destroy(sites);
		return r;
	}
	*ret = sites;
	return 0;
}

int ct_sites_create(const struct ct_model *model, struct ct_sites **ret)
{
	struct ct_places *places;
	int r = ct_places_create(model, &places);

	if (r < 0)
		return r;
	r = ct_sites_create_at(model, places, ret);
	if (r < 0)
		ct_places_destroy(places);
	else
		(*ret)->owns_places = true;
	return r;
}

void ct_sites_destroy(struct ct_sites *sites)
{
	if (!sites)
		return;
	ct_lookup_free(&sites->keys);
	if (sites->owns_places)
		ct_places_destroy(sites->places);
	free(sites->of_call);
	free(sites->ranked);
	free(sites->all.at);
	free(sites);
}

struct ranking {
	const struct ct_site *all;
	uint64_t least_lost_ns; /* less is not worth standing first */
};

static int by_cost(const void *a, const void *b, void *arg)
{
	const struct ranking *r = arg;
	const struct ct_site *x = &r->all[*(const uint32_t *)a], *y = &r->all[*(const uint32_t *)b];
	uint64_t x_lost_ns = x->lost_ns < r->least_lost_ns ? 0 : x->lost_ns;
	uint64_t y_lost_ns = y->lost_ns < r->least_lost_ns ? 0 : y->lost_ns;

	if (x_lost_ns != y_lost_ns)
		return x_lost_ns > y_lost_ns ? -1 : 1;
	if (x->blocked_ns != y->blocked_ns)
		return x->blocked_ns > y->blocked_ns ? -1 : 1;
	if (x->total_ns != y->total_ns)
		return x->total_ns > y->total_ns ? -1 : 1;
	return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

/* The most that a site has lost, or was blocked without having been asked to wait. */
static uint64_t most_cost(const struct ct_sites *sites)
{
	uint64_t most_ns = 0;

	for (size_t i = 0; i < sites->all.count; i++) {
		const struct ct_site *site = &sites->all.at[i];

		if (site->lost_ns > most_ns)
			most_ns = site->lost_ns;
		if (!(site->effects & CT_SYNC) && site->blocked_ns > most_ns)
			most_ns = site->blocked_ns;
	}
	return most_ns;
}

int ct_sites_rank(struct ct_sites *sites)
{
	uint32_t *ranked = reallocarray(sites->ranked, sites->all.count + 1, sizeof(*ranked));
	struct ranking ranking = { sites->all.at, most_cost(sites) / CT_SITE_TRIFLE };

	if (!ranked)
		return -ENOMEM;
	sites->ranked = ranked;
	for (size_t i = 0; i < sites->all.count; i++)
		sites->ranked[i] = (uint32_t)i;
	qsort_r(sites->ranked, sites->all.count, sizeof(*sites->ranked), by_cost, &ranking);
	return 0;
}
