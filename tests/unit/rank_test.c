/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the launchers' variables count, and which do not. */
#include "shim/rank.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

static const char *const variables[] = {
	"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_SIZE",
	"PMI_RANK", "MPI_LOCALRANKID", "PMI_SIZE", "PMIX_RANK",
	"SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS",
	"RANK", "LOCAL_RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID",
};

static int forget_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	return 0;
}

static void set(const char *variable, const char *value)
{
	assert_int_equal(setenv(variable, value, 1), 0);
}

static void expect(uint32_t rank, const char *from, uint32_t local_rank, uint32_t size)
{
	struct ct_rank found;

	ct_rank_read(&found);
	assert_int_equal(found.rank, rank);
	if (from)
		assert_string_equal(found.rank_from, from);
	else
		assert_null(found.rank_from);
	assert_int_equal(found.local_rank, local_rank);
	assert_int_equal(found.local_rank_from == NULL, local_rank == CT_RANK_UNKNOWN);
	assert_int_equal(found.size, size);
	assert_int_equal(found.size_from == NULL, size == CT_RANK_UNKNOWN);
}

static void expect_none(void)
{
	expect(CT_RANK_UNKNOWN, NULL, CT_RANK_UNKNOWN, CT_RANK_UNKNOWN);
}

static void test_none(void **state)
{
	(void)state;
	expect_none();
	set("WORLD_SIZE", "8"); /* without a rank it says nothing about this process */
	set("LOCAL_RANK", "2");
	expect_none();
}

static void test_each(void **state)
{
	(void)state;
	set("RANK", "3");
	expect(3, "RANK", CT_RANK_UNKNOWN, CT_RANK_UNKNOWN);
	set("WORLD_SIZE", "8");
	set("LOCAL_RANK", "1");
	expect(3, "RANK", 1, 8);
	unsetenv("LOCAL_RANK");
	set("SLURM_PROCID", "4");
	set("SLURM_NTASKS", "16");
	expect(4, "SLURM_PROCID", CT_RANK_UNKNOWN, 16);
	set("PMIX_RANK", "5");
	set("SLURM_LOCALID", "0");
	expect(5, "PMIX_RANK", 0, 16);
	set("PMI_RANK", "6"); /* launchers do not mix: this one says no size */
	expect(6, "PMI_RANK", CT_RANK_UNKNOWN, CT_RANK_UNKNOWN);
	set("PMI_SIZE", "9");
	set("MPI_LOCALRANKID", "2");
	expect(6, "PMI_RANK", 2, 9);
	set("OMPI_COMM_WORLD_RANK", "7");
	set("OMPI_COMM_WORLD_LOCAL_RANK", "3");
	set("OMPI_COMM_WORLD_SIZE", "32");
	expect(7, "OMPI_COMM_WORLD_RANK", 3, 32);
}

/* A launcher that srun started once a node: each worker inherits the rank of its node. */
static void test_nested(void **state)
{
	(void)state;
	set("SLURM_PROCID", "1");
	set("SLURM_NTASKS", "2");
	set("RANK", "11");
	set("WORLD_SIZE", "16");
	expect(1, "SLURM_PROCID", CT_RANK_UNKNOWN, 2);
	set("LOCAL_RANK", "3");
	expect(11, "RANK", 3, 16);
	unsetenv("LOCAL_RANK");
	set("TORCHELASTIC_RUN_ID", "none");
	expect(11, "RANK", CT_RANK_UNKNOWN, 16);
}

static void test_invalid(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "1x", "0x1", "one", "1.0",
					   "1000000000", "99999999999999999999" };

	(void)state;
	set("SLURM_PROCID", "2");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		set("PMI_RANK", bad[i]);
		expect(2, "SLURM_PROCID", CT_RANK_UNKNOWN, CT_RANK_UNKNOWN);
	}
	set("PMI_RANK", "999999999");
	expect(999999999, "PMI_RANK", CT_RANK_UNKNOWN, CT_RANK_UNKNOWN);
	set("PMI_RANK", "007");
	set("MPI_LOCALRANKID", "x");
	set("PMI_SIZE", "-2");
	expect(7, "PMI_RANK", CT_RANK_UNKNOWN, CT_RANK_UNKNOWN);
}

/* A size that the rank does not fit into is of something else. */
static void test_size(void **state)
{
	(void)state;
	set("RANK", "4");
	set("WORLD_SIZE", "4");
	expect(4, "RANK", CT_RANK_UNKNOWN, CT_RANK_UNKNOWN);
	set("WORLD_SIZE", "5");
	expect(4, "RANK", CT_RANK_UNKNOWN, 5);
	set("WORLD_SIZE", "0");
	expect(4, "RANK", CT_RANK_UNKNOWN, CT_RANK_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_none, forget_all),
		cmocka_unit_test_setup(test_each, forget_all),
		cmocka_unit_test_setup(test_nested, forget_all),
		cmocka_unit_test_setup(test_invalid, forget_all),
		cmocka_unit_test_setup(test_size, forget_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
