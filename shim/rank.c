/* SPDX-License-Identifier: Apache-2.0 */
#include "shim/rank.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

struct launcher {
	const char *marker; /* counts only where this is set too; NULL = always */
	const char *rank, *local_rank, *size;
};

/*
 * torchrun comes first because it may have been started by one of the others, once a
 * node: then their variables, which its workers inherit, are the same in all workers.
 * TORCHELASTIC_RUN_ID is what it sets for its workers and nobody else does. The same goes
 * for other launchers (deepspeed, scripts) that set all three of RANK, LOCAL_RANK and
 * WORLD_SIZE; MPI's own are set by mpirun alone. PMIx has no variables for local rank and size; where Slurm started its processes, Slurm's say it.
 */
static const struct launcher launchers[] = {
	{ "TORCHELASTIC_RUN_ID", "RANK", "LOCAL_RANK", "WORLD_SIZE" },
	{ NULL, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_SIZE" },
	{ "LOCAL_RANK", "RANK", "LOCAL_RANK", "WORLD_SIZE" },
	{ NULL, "PMI_RANK", "MPI_LOCALRANKID", "PMI_SIZE" },
	{ NULL, "PMIX_RANK", "SLURM_LOCALID", "SLURM_NTASKS" },
	{ NULL, "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS" },
	{ NULL, "RANK", "LOCAL_RANK", "WORLD_SIZE" },
};

/* Digits and nothing else, up to nine of them: what no launcher writes is no rank. */
static bool read_number(const char *variable, uint32_t *ret)
{
	const char *text = secure_getenv(variable);
	uint32_t value = 0;
	size_t n;

	if (!text)
		return false;
	for (n = 0; text[n] >= '0' && text[n] <= '9' && n < 9; n++)
		value = value * 10 + (uint32_t)(text[n] - '0');
	if (n == 0 || text[n])
		return false;
	*ret = value;
	return true;
}

static void read_rest(const struct launcher *launcher, struct ct_rank *ret)
{
	uint32_t size;

	if (read_number(launcher->local_rank, &ret->local_rank))
		ret->local_rank_from = launcher->local_rank;
	if (read_number(launcher->size, &size) && size > ret->rank) {
		ret->size = size;
		ret->size_from = launcher->size;
	}
}

void ct_rank_read(struct ct_rank *ret)
{
	*ret = (struct ct_rank){ CT_RANK_UNKNOWN, CT_RANK_UNKNOWN, CT_RANK_UNKNOWN,
				 NULL, NULL, NULL };
	for (size_t i = 0; i < sizeof(launchers) / sizeof(launchers[0]); i++) {
		const struct launcher *launcher = &launchers[i];

		if (launcher->marker && !secure_getenv(launcher->marker))
			continue;
		if (!read_number(launcher->rank, &ret->rank))
			continue;
		ret->rank_from = launcher->rank;
		read_rest(launcher, ret);
		return;
	}
}
