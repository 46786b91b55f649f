/* SPDX-License-Identifier: Apache-2.0 */
/* What lies at an address: as elfutils has it, which reads all symbols for each. */
#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/symtab.h"
#include "tests/unit/unit.h"

#define LOOKUPS 1000

/* 32 bytes, of which 16 are two others'; then a label without a size. */
__asm__(".pushsection .text\n"
	".weak symtab_alias\n"
	".type symtab_alias, @function\n"
	"symtab_alias:\n"
	".globl symtab_outer\n"
	".type symtab_outer, @function\n"
	"symtab_outer: .skip 8\n"
	".globl symtab_first\n"
	".type symtab_first, @function\n"
	"symtab_first: .skip 8\n"
	".size symtab_first, 8\n"
	".globl symtab_second\n"
	".type symtab_second, @function\n"
	"symtab_second: .skip 8\n"
	".size symtab_second, 8\n"
	".skip 8\n"
	".size symtab_outer, 32\n"
	".size symtab_alias, 32\n"
	"symtab_label: .skip 8\n"
	".popsection\n");

struct opened {
	Dwfl *dwfl;
	Dwfl_Module *module;
	struct ct_symtab *symtab;
	GElf_Addr start, end;
};

static void open_file(const char *path, struct opened *ret)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
	};

	ret->dwfl = dwfl_begin(&callbacks);
	dwfl_report_begin(ret->dwfl);
	ret->module = dwfl_report_elf(ret->dwfl, path, path, -1, 0, true);
	dwfl_report_end(ret->dwfl, NULL, NULL);
	assert_non_null(ret->module);
	dwfl_module_info(ret->module, NULL, &ret->start, &ret->end, NULL, NULL, NULL, NULL);
	assert_int_equal(ct_symtab_create(ret->module, &ret->symtab), 0);
}

static void close_file(struct opened *opened)
{
	ct_symtab_destroy(opened->symtab);
	dwfl_end(opened->dwfl);
}

/* Where a symbol with a size is: elfutils also takes labels that belong to no section. */
static size_t compare(const struct opened *opened)
{
	uint64_t random = 1;
	size_t found = 0;

	for (int i = 0; i < LOOKUPS; i++) {
		GElf_Off offset;
		GElf_Sym symbol;
		const char *name;

		random = random * 6364136223846793005u + 1442695040888963407u; /* Knuth, TAOCP 2, 3.3.4 */
		uint64_t at = opened->start + (random >> 16) % (opened->end - opened->start);

		name = dwfl_module_addrinfo(opened->module, at, &offset, &symbol, NULL, NULL, NULL);
		if (!name || offset >= symbol.st_size || GELF_ST_TYPE(symbol.st_info) != STT_FUNC)
			continue;
		assert_string_equal(ct_symtab_find(opened->symtab, at), name);
		found++;
	}
	return found;
}

static void test_as_elfutils(void **state)
{
	struct opened opened;
	Dl_info libc;

	(void)state;
	open_file("/proc/self/exe", &opened);
	assert_true(compare(&opened) > 10);
	close_file(&opened);
	assert_true(dladdr(dlsym(RTLD_DEFAULT, "printf"), &libc)); /* it has names by the dozen for one place */
	open_file(libc.dli_fname, &opened);
	assert_true(compare(&opened) > 10);
	close_file(&opened);
}

static void test_nested(void **state)
{
	static const char *const names[] = {
		"symtab_outer", "symtab_first", "symtab_second", "symtab_outer", "symtab_label",
	};
	struct opened opened;
	int count;

	(void)state;
	open_file("/proc/self/exe", &opened);
	count = dwfl_module_getsymtab(opened.module);
	for (int i = 1; i < count; i++) {
		GElf_Sym symbol;
		GElf_Addr at;
		const char *name = dwfl_module_getsym_info(opened.module, i, &symbol, &at, NULL, NULL, NULL);

		if (!name || strcmp(name, "symtab_outer"))
			continue;
		for (uint64_t n = 0; n < 40; n++)
			assert_string_equal(ct_symtab_find(opened.symtab, at + n), names[n / 8]);
		close_file(&opened);
		return;
	}
	fail_msg("no symbols");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_elfutils),
		cmocka_unit_test(test_nested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
