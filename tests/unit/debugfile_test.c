/* SPDX-License-Identifier: Apache-2.0 */
/* analyze/debugfile.c: which files are opened for debug information, and which never. */
#include "analyze/debugfile.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyze/symbol.h"
#include "tests/unit/unit.h"

#define BIAS 0x10000000u

static char directory[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/cutrace-debugfile-XXXXXX");
	alarm(60); /* nothing that lies about may be waited for */
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	alarm(0);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return system(command);
}

/* Run a shell command in the directory. */
static void shell(const char *form, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *form, ...)
{
	char command[8192];
	int n = snprintf(command, sizeof(command), "cd %s && ", directory);
	va_list arguments;

	va_start(arguments, form);
	vsnprintf(command + n, sizeof(command) - (size_t)n, form, arguments);
	va_end(arguments);
	assert_int_equal(system(command), 0);
}

/* The ELF address and, if wanted, the line of a function of a library. */
static uint64_t address_of(const char *library, const char *function, int *ret_line)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	const int *line;
	uint64_t address;
	Dl_info info;

	assert_non_null(handle);
	assert_int_not_equal(dladdr(dlsym(handle, function), &info), 0);
	address = (uint64_t)((char *)info.dli_saddr - (char *)info.dli_fbase);
	line = dlsym(handle, "linked_line");
	if (ret_line)
		*ret_line = *line;
	dlclose(handle);
	return address;
}

/* The build id of a file, which is to have one. */
static uint32_t id_of(const char *path, uint8_t *ret)
{
	char command[PATH_MAX + 64], text[128] = "";
	uint32_t n = 0;
	FILE *from;

	snprintf(command, sizeof(command), "readelf -n '%s' | sed -n 's/.*Build ID: //p'", path);
	from = popen(command, "r");
	assert_non_null(from);
	assert_non_null(fgets(text, sizeof(text), from));
	pclose(from);
	while (n < 32 && sscanf(text + 2 * n, "%2hhx", &ret[n]) == 1)
		n++;
	return n;
}

/* Symbols with one module, of the name in the directory. */
static struct ct_symbols *symbols_of(const char *name, const char *with_id_of)
{
	char path[PATH_MAX];
	struct ct_symbols *symbols;
	bool beside = access(name, F_OK) < 0; /* not the working directory */
	uint32_t length = 0;
	uint8_t id[32];

	if (with_id_of)
		length = id_of(with_id_of, id);
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(ct_symbols_create(&symbols), 0);
	assert_int_equal(ct_symbols_module(symbols, beside ? path : name, BIAS, BIAS, BIAS + 0x100000, id,
					   length), 0);
	return symbols;
}

/* linked() in the module `name` has a line, or none; its name is known at any rate. */
static void expect_line(const char *name, bool line)
{
	struct ct_symbols *symbols = symbols_of(name, LINKED_LIBRARY);
	const struct ct_frame *f;
	int expected;
	uint64_t pc = BIAS + address_of(LINKED_LIBRARY, "linked", &expected) + 1;

	assert_int_equal(ct_symbols_resolve(symbols, pc, &f), 1);
	assert_non_null(f->function);
	assert_string_equal(f->function, "linked");
	assert_int_equal(f->line, line ? expected : 0);
	assert_int_equal(ct_symbols_missing(symbols) + ct_symbols_mismatched(symbols), 0);
	assert_int_equal(ct_symbols_unverified(symbols) + ct_symbols_outside(symbols), 0);
	ct_symbols_destroy(symbols);
}

/* A module without debug information, which is in m.debug. */
static void split_off(void)
{
	shell("%s --only-keep-debug %s m.debug && %s --strip-debug --add-gnu-debuglink=m.debug %s m.so",
	      OBJCOPY, LINKED_LIBRARY, OBJCOPY, LINKED_LIBRARY);
}

static void test_debuglink(void **state)
{
	(void)state;
	split_off();
	expect_line("m.so", true);
	shell("mkdir .debug && mv m.debug .debug");
	expect_line("m.so", true);
	shell("mv .debug/m.debug elsewhere");
	expect_line("m.so", false);
}

/* What lies where it should be, but is another file: of no build id, of another, no ELF file. */
static void test_debuglink_wrong(void **state)
{
	(void)state;
	split_off();
	shell("%s --remove-section .note.gnu.build-id m.debug", OBJCOPY);
	expect_line("m.so", false);
	shell("cp /bin/sh m.debug");
	expect_line("m.so", false);
	shell("echo nothing > m.debug");
	expect_line("m.so", false);
	shell("rm m.debug && mkdir m.debug");
	expect_line("m.so", false);
	shell("rmdir m.debug && mkfifo m.debug");
	expect_line("m.so", false);
	shell("mkdir .debug && %s --only-keep-debug %s .debug/m.debug", OBJCOPY, LINKED_LIBRARY);
	expect_line("m.so", true); /* the wrong one is passed by */
}

/* A link is a name, not a path, and of no length that does not fit. */
static void test_debuglink_hostile(void **state)
{
	char back[PATH_MAX];

	(void)state;
	split_off();
	shell("mkdir sub && mv m.debug sub");
	shell("%s --remove-section .gnu_debuglink m.so", OBJCOPY);
	shell("printf 'sub/m.debug\\0crc.' > link && %s --add-section .gnu_debuglink=link m.so", OBJCOPY);
	expect_line("m.so", false);
	shell("%s --remove-section .gnu_debuglink m.so", OBJCOPY);
	shell("printf '%%05000d\\0\\0\\0\\0crc.' 0 > link && %s --add-section .gnu_debuglink=link m.so", OBJCOPY);
	expect_line("m.so", false);
	assert_non_null(getcwd(back, sizeof(back)));
	split_off();
	assert_int_equal(chdir(directory), 0);
	expect_line("m.so", false); /* beside what, a path without a folder does not say */
	assert_int_equal(chdir(back), 0);
}

/* Who has no build id cannot say which file is its own. */
static void test_no_build_id(void **state)
{
	uint64_t pc = BIAS + address_of(LINKED_LIBRARY, "linked", NULL) + 1;
	const struct ct_frame *f;
	struct ct_symbols *symbols;

	(void)state;
	split_off();
	shell("%s --remove-section .note.gnu.build-id m.so", OBJCOPY);
	symbols = symbols_of("m.so", NULL);
	assert_int_equal(ct_symbols_resolve(symbols, pc, &f), 1);
	assert_string_equal(f->function, "linked");
	assert_int_equal(f->line, 0);
	assert_int_equal(ct_symbols_unverified(symbols), 1); /* who asks is told */
	ct_symbols_destroy(symbols);
	shell("cp %s m.so", LINKED_LIBRARY);
	symbols = symbols_of("m.so", NULL);
	assert_int_equal(ct_symbols_resolve(symbols, pc, &f), 1);
	assert_null(f->function); /* it has one now: another file */
	assert_int_equal(ct_symbols_mismatched(symbols), 1);
	assert_int_equal(ct_symbols_unverified(symbols), 0);
	ct_symbols_destroy(symbols);
	shell("%s --remove-section .note.gnu.build-id m.so", OBJCOPY);
	symbols = symbols_of("m.so", LINKED_LIBRARY);
	assert_int_equal(ct_symbols_resolve(symbols, pc, &f), 1);
	assert_null(f->function); /* it had one */
	assert_int_equal(ct_symbols_mismatched(symbols), 1);
	ct_symbols_destroy(symbols);
}

/* Debug information that names further files: none is opened, the symbol table still says something. */
static void expect_unopened(const char *library, const char *function, const char *other, int line)
{
	struct ct_symbols *symbols;
	const struct ct_frame *f;
	uint64_t pc = BIAS + address_of(library, function, NULL) + 1;

	shell("cp %s m.so && mkfifo %s", library, other);
	symbols = symbols_of("m.so", NULL);
	for (uint64_t i = 0; i < 2; i++) {
		assert_int_equal(ct_symbols_resolve(symbols, pc + i, &f), 1);
		assert_string_equal(f->function, function);
		assert_int_equal(f->line, line);
	}
	assert_int_equal(ct_symbols_outside(symbols), 1); /* modules, not questions */
	assert_int_equal(ct_symbols_missing(symbols) + ct_symbols_mismatched(symbols), 0);
	ct_symbols_destroy(symbols);
}

static void test_alternate(void **state)
{
	(void)state;
	expect_unopened(HOSTILE_LIBRARY, "hostile", "shared.debug", 0);
}

/* gcc -gsplit-dwarf: lines are in the module itself. */
static void test_split(void **state)
{
	int line;

	(void)state;
	address_of(SPLIT_LIBRARY, "linked", &line);
	expect_unopened(SPLIT_LIBRARY, "linked", "linked.dwo", line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_debuglink, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_debuglink_wrong, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_debuglink_hostile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_build_id, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_alternate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_split, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
