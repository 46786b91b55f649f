/* SPDX-License-Identifier: Apache-2.0 */
/* analyze/symbol.c asked about this very program. */
#include "analyze/symbol.h"

#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyze/debugfile.h"
#include "tests/unit/unit.h"

static volatile int sink;

static __attribute__((noinline)) uint64_t here(void)
{
	return (uint64_t)(uintptr_t)__builtin_return_address(0);
}

enum { LINE_EXPANDED = __LINE__ + 3 }; /* of the call in expanded() */
static inline __attribute__((always_inline)) uint64_t expanded(void)
{
	uint64_t pc = here();

	sink++;
	return pc;
}

enum { LINE_OUTER = __LINE__ + 3 };
static __attribute__((noinline)) uint64_t outer(void)
{
	uint64_t pc = expanded();

	sink++;
	return pc;
}

/* Within each other, and one that is over by then. */
static inline __attribute__((always_inline)) uint64_t third(void)
{
	uint64_t pc = here();

	sink++;
	return pc;
}

/* Not here() again: compilers keep what that has returned. */
static __attribute__((noinline)) uint64_t there(void)
{
	sink++;
	return (uint64_t)(uintptr_t)__builtin_return_address(0);
}

static inline __attribute__((always_inline)) void over(void)
{
	sink = 3 * sink + 1;
}

static inline __attribute__((always_inline)) uint64_t second(uint64_t *ret_deeper)
{
	uint64_t pc;

	*ret_deeper = third();
	over();
	pc = there();
	sink++;
	return pc;
}

static __attribute__((noinline)) uint64_t first(uint64_t *ret_deeper)
{
	uint64_t pc = second(ret_deeper);

	sink++;
	return pc;
}

#ifndef __clang__ /* has no functions within functions; what OpenMP makes of a loop is one, too */
static __attribute__((noipa)) uint64_t around_another(void)
{
	__attribute__((noipa)) uint64_t within(void)
	{
		uint64_t pc = expanded();

		sink++;
		return pc;
	}

	return within();
}
#endif

struct self {
	char path[PATH_MAX];
	uint64_t bias, start, end;
	uint8_t build_id[32];
	uint32_t build_id_length;
};

static void find_build_id(struct self *self, const uint8_t *note, const uint8_t *end)
{
	while (note + sizeof(ElfW(Nhdr)) < end) {
		const ElfW(Nhdr) *head = (const void *)note;
		size_t name = (head->n_namesz + 3u) & ~3u;

		if (head->n_type == NT_GNU_BUILD_ID) {
			self->build_id_length = head->n_descsz;
			memcpy(self->build_id, note + sizeof(*head) + name, head->n_descsz);
		}
		note += sizeof(*head) + name + ((head->n_descsz + 3u) & ~3u);
	}
}

static int describe(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct self *self = arg;

	(void)size;
	self->bias = info->dlpi_addr;
	self->start = UINT64_MAX;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uint64_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_NOTE)
			find_build_id(self, (const uint8_t *)at, (const uint8_t *)at + p->p_memsz);
		if (p->p_type != PT_LOAD)
			continue;
		self->start = at < self->start ? at : self->start;
		self->end = at + p->p_memsz > self->end ? at + p->p_memsz : self->end;
	}
	return 1; /* the first is the program itself */
}

static struct self look_at_self(void)
{
	struct self self = { .path = "" };

	assert_true(readlink("/proc/self/exe", self.path, sizeof(self.path) - 1) > 0);
	dl_iterate_phdr(describe, &self);
	assert_true(self.build_id_length > 0);
	return self;
}

static int tell(struct ct_symbols *symbols, const struct self *self)
{
	return ct_symbols_module(symbols, self->path, self->bias, self->start, self->end,
				 self->build_id, self->build_id_length);
}

static void test_inlined(void **state)
{
	struct self self = look_at_self();
	const struct ct_frame *f;
	struct ct_symbols *symbols;

	(void)state;
	assert_int_equal(ct_symbols_create(&symbols), 0);
	assert_int_equal(tell(symbols, &self), 0);
	assert_int_equal(ct_symbols_resolve(symbols, outer(), &f), 2);
	assert_string_equal(f[0].function, "expanded");
	assert_true(f[0].inlined);
	assert_string_equal(f[0].file, "symbol_test.c");
	assert_int_equal(f[0].line, LINE_EXPANDED);
	assert_string_equal(f[1].function, "outer");
	assert_string_equal(f[1].symbol, "outer");
	assert_false(f[1].inlined);
	assert_string_equal(f[1].file, "symbol_test.c");
	assert_int_equal(f[1].line, LINE_OUTER);
	assert_string_equal(f[1].module, strrchr(self.path, '/') + 1);
	assert_int_equal(ct_symbols_missing(symbols), 0);
	assert_int_equal(ct_symbols_mismatched(symbols), 0);
	ct_symbols_destroy(symbols);
}

static void expect_functions(struct ct_symbols *symbols, uint64_t pc, int count, const char *const *names)
{
	const struct ct_frame *f;

	assert_int_equal(ct_symbols_resolve(symbols, pc, &f), count);
	for (int i = 0; i < count; i++) {
		assert_string_equal(f[i].function, names[i]);
		assert_int_equal(f[i].inlined, i < count - 1);
	}
}

static void test_within_each_other(void **state)
{
	static const char *const names[] = { "third", "second", "first" };
	struct self self = look_at_self();
	struct ct_symbols *symbols;
	uint64_t deeper, pc = first(&deeper);

	(void)state;
	assert_int_equal(ct_symbols_create(&symbols), 0);
	assert_int_equal(tell(symbols, &self), 0);
	expect_functions(symbols, deeper, 3, names);
	expect_functions(symbols, pc, 2, names + 1);
	ct_symbols_destroy(symbols);
}

static void test_within_a_function(void **state)
{
#ifdef __clang__
	(void)state;
	skip();
#else
	static const char *const names[] = { "expanded", "within" };
	struct self self = look_at_self();
	struct ct_symbols *symbols;

	(void)state;
	assert_int_equal(ct_symbols_create(&symbols), 0);
	assert_int_equal(tell(symbols, &self), 0);
	expect_functions(symbols, around_another(), 2, names);
	ct_symbols_destroy(symbols);
#endif
}

static void test_cached(void **state)
{
	struct self self = look_at_self();
	const struct ct_frame *first, *again;
	struct ct_symbols *symbols;
	uint64_t pc = outer();

	(void)state;
	assert_int_equal(ct_symbols_create(&symbols), 0);
	assert_int_equal(tell(symbols, &self), 0);
	assert_int_equal(ct_symbols_resolve(symbols, pc, &first), 2);
	assert_int_equal(tell(symbols, &self), 0); /* the same again changes nothing */
	assert_int_equal(ct_symbols_resolve(symbols, pc, &again), 2);
	assert_ptr_equal(first, again);
	ct_symbols_destroy(symbols);
}

static void test_wrong_build_id(void **state)
{
	struct self self = look_at_self();
	const struct ct_frame *f;
	struct ct_symbols *symbols;

	(void)state;
	self.build_id[0] ^= 1;
	assert_int_equal(ct_symbols_create(&symbols), 0);
	assert_int_equal(tell(symbols, &self), 0);
	assert_int_equal(ct_symbols_mismatched(symbols), 0); /* files are opened late */
	assert_int_equal(ct_symbols_resolve(symbols, outer(), &f), 1);
	assert_null(f->function);
	assert_null(f->symbol);
	assert_null(f->file);
	assert_string_equal(f->module, strrchr(self.path, '/') + 1);
	assert_int_equal(ct_symbols_resolve(symbols, outer() + 1, &f), 1);
	assert_int_equal(ct_symbols_mismatched(symbols), 1);
	assert_int_equal(ct_symbols_missing(symbols), 0);
	ct_symbols_destroy(symbols);
}

static void test_later_module_replaces(void **state)
{
	struct self self = look_at_self(), wrong = self;
	const struct ct_frame *before, *after;
	struct ct_symbols *symbols;
	uint64_t pc = outer();

	(void)state;
	wrong.build_id[0] ^= 1;
	assert_int_equal(ct_symbols_create(&symbols), 0);
	assert_int_equal(tell(symbols, &wrong), 0);
	assert_int_equal(ct_symbols_resolve(symbols, pc, &before), 1);
	self.start++; /* overlaps, though it is not the same range */
	assert_int_equal(tell(symbols, &self), 0);
	assert_int_equal(ct_symbols_resolve(symbols, pc, &after), 2);
	assert_string_equal(after[1].function, "outer");
	assert_null(before->function); /* what was given out stays as it was */
	assert_int_equal(ct_symbols_resolve(symbols, self.start, &after), 1);
	assert_string_equal(after->module, "?"); /* the replaced one is gone as a whole */
	ct_symbols_destroy(symbols);
}

static void expect_missing(const char *path, const char *module)
{
	const struct ct_frame *f;
	struct ct_symbols *symbols;

	assert_int_equal(ct_symbols_create(&symbols), 0);
	assert_int_equal(ct_symbols_module(symbols, path, 0, 0x1000, 0x2000, NULL, 0), 0);
	assert_int_equal(ct_symbols_resolve(symbols, 0x1800, &f), 1);
	assert_null(f->function);
	assert_string_equal(f->module, module);
	assert_int_equal(ct_symbols_missing(symbols), 1);
	ct_symbols_destroy(symbols);
}

static void test_missing(void **state)
{
	char dir[] = "/tmp/cutrace-symbol-XXXXXX", fifo[64];
	Dwfl_Module *module;
	Dwfl *dwfl;

	(void)state;
	expect_missing("/no/such/file.so", "file.so");
	expect_missing("/", "?");
	expect_missing("", "?");
	expect_missing("/etc/passwd", "passwd"); /* not ELF */
	assert_non_null(mkdtemp(dir));
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	alarm(10); /* opening it must not wait */
	expect_missing(fifo, "fifo");
	assert_int_equal(ct_debugfile_open(fifo, 0, NULL, 0, &dwfl, &module), -EINVAL);
	assert_int_equal(ct_debugfile_open(dir, 0, NULL, 0, &dwfl, &module), -EINVAL);
	alarm(0);
	unlink(fifo);
	rmdir(dir);
}

static void test_unknown_address(void **state)
{
	static const uint8_t id[33];
	const struct ct_frame *f;
	struct ct_symbols *symbols;

	(void)state;
	assert_int_equal(ct_symbols_create(&symbols), 0);
	assert_int_equal(ct_symbols_module(symbols, "/x", 0, 0x2000, 0x1000, NULL, 0), -EINVAL);
	assert_int_equal(ct_symbols_module(symbols, "/x", 0, 0x1000, 0x2000, id, 33), -EINVAL);
	for (uint64_t pc = 0; pc < 3; pc++) {
		assert_int_equal(ct_symbols_resolve(symbols, pc ? UINT64_MAX - pc : 0, &f), 1);
		assert_string_equal(f->module, "?");
		assert_null(f->function);
	}
	/* the last instruction of a module belongs to it: its return address is the end */
	assert_int_equal(ct_symbols_module(symbols, "/x", 0, 0x1000, 0x2000, NULL, 0), 0);
	assert_int_equal(ct_symbols_resolve(symbols, 0x2000, &f), 1);
	assert_string_equal(f->module, "x");
	assert_int_equal(ct_symbols_resolve(symbols, 0x1000, &f), 1);
	assert_string_equal(f->module, "?");
	ct_symbols_destroy(symbols);
	ct_symbols_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inlined),
		cmocka_unit_test(test_within_each_other),
		cmocka_unit_test(test_within_a_function),
		cmocka_unit_test(test_cached),
		cmocka_unit_test(test_wrong_build_id),
		cmocka_unit_test(test_later_module_replaces),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_unknown_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
