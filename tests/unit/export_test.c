/* SPDX-License-Identifier: Apache-2.0 */
/* Symbols of every loaded module, compared with what the loader finds. */
#include "shim/export.h"

#include <dlfcn.h>
#include <string.h>

#include "tests/unit/unit.h"

static const char *const names[] = { "printf", "malloc", "dl_iterate_phdr", "environ",
				     "_cmocka_run_group_tests", "sysv_only", "no_such_symbol", "" };

static int compare(struct dl_phdr_info *info, size_t size, void *seen)
{
	void *lib = *info->dlpi_name ? dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD) : NULL;

	(void)size;
	for (size_t i = 0; lib && i < sizeof(names) / sizeof(names[0]); i++) {
		struct ct_export found = { 0 };
		struct link_map *map;
		Dl_info where;
		void *symbol = dlsym(lib, names[i]);
		bool here = symbol && dladdr(symbol, &where) &&
			    dlinfo(lib, RTLD_DI_LINKMAP, &map) == 0 &&
			    strcmp(where.dli_fname, map->l_name) == 0;

		if (here) {
			assert_true(ct_export_find(info, names[i], &found));
			if (strcmp(names[i], "environ") != 0) /* copied into the program */
				assert_ptr_equal(found.address, symbol);
			*(unsigned *)seen |= 1u << i;
		} else if (!symbol) {
			assert_false(ct_export_find(info, names[i], &found));
			assert_null(found.address);
		}
	}
	if (lib)
		dlclose(lib);
	return 0;
}

static void test_as_the_loader(void **state)
{
	unsigned seen = 0;

	(void)state;
	assert_non_null(dlopen(SYSV_LIBRARY, RTLD_NOW | RTLD_LOCAL));
	dl_iterate_phdr(compare, &seen);
	assert_int_equal(seen & 0x37, 0x37); /* "environ" may be ours by now */
}

static int measure(struct dl_phdr_info *info, size_t size, void *ret)
{
	(void)size;
	return ct_export_find(info, "sysv_only", ret);
}

static void test_size(void **state)
{
	struct ct_export found = { 0 };

	(void)state;
	assert_int_equal(dl_iterate_phdr(measure, &found), 1);
	assert_int_equal(found.bytes, 400);
	assert_int_equal(((const int *)found.address)[99], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_the_loader), cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
