/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/demangle.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

static void expect(const char *symbol, const char *text)
{
	char *memory;

	assert_string_equal(ct_demangle(symbol, &memory), text);
	free(memory);
}

static void test_demangle(void **state)
{
	(void)state;
	expect("_Z3foov", "foo()");
	expect("_ZN2at6native4copyIfEEvPT_i", "void at::native::copy<float>(float*, int)");
	expect("main", "main");
	expect("i", "i"); /* would be the type int */
	expect("", "");
	expect("_Z", "_Z");
	expect("_ZZZZ", "_ZZZZ");
}

/* A symbol that begins as given and goes on for `length` characters in all. */
static void expect_long(const char *begin, size_t length, const char *text)
{
	char *symbol = malloc(length + 1), *memory;
	const char *result;

	memset(symbol, 'i', length);
	symbol[length] = '\0';
	memcpy(symbol, begin, strlen(begin));
	result = ct_demangle(symbol, &memory);
	if (text)
		assert_string_equal(result, text);
	else
		assert_ptr_equal(result, symbol);
	free(memory);
	free(symbol);
}

static void test_too_long(void **state)
{
	static const size_t lengths[] = { 1200, CT_DEMANGLE_MAX, CT_DEMANGLE_MAX + 1, 20000 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		expect_long("_ZN7cutlass6KernelI", lengths[i], "cutlass::Kernel<...>");
		expect_long("_ZN12_GLOBAL__N_16KernelIiE", lengths[i],
			    "(anonymous namespace)::Kernel<...>");
		expect_long("_ZNKSt6vectorI", lengths[i], "std::vector<...>");
		expect_long("_Z3fooI", lengths[i], "foo<...>");
		expect_long("_Z3foo", lengths[i], "foo");
		expect_long("_ZN1a1bE", lengths[i], "a::b");
		expect_long("_ZN1aC1", lengths[i], "a...");
		expect_long("_Z", lengths[i], NULL);
		expect_long("_ZN99999999999999999999", lengths[i], NULL);
		expect_long("_ZNSt", lengths[i], "std...");
		expect_long("not_mangled", lengths[i], NULL);
	}
	expect_long("_ZN7cutlass6KernelI", 1024, NULL); /* invalid, not too long */
}

static void expect_short(const char *text, size_t width, const char *result)
{
	char buf[256];
	size_t n = ct_demangle_short(text, buf, sizeof(buf), width);

	assert_string_equal(buf, result);
	assert_int_equal(n, strlen(result));
	assert_true(n <= width);
}

static void test_parameters(void **state)
{
	(void)state;
	expect_short("void at::native::copy<float>(float*, int)", 80, "at::native::copy<float>");
	expect_short("Foo::bar(void (*)(int)) const", 80, "Foo::bar");
	expect_short("foo(int) [clone .part.0]", 80, "foo");
	expect_short("foo(int) [clone .cold] [clone .isra.0]", 80, "foo");
	expect_short("Foo::operator()(int) const", 80, "Foo::operator()");
	expect_short("operator()", 80, "operator()");
	expect_short("(anonymous namespace)::f(int)", 80, "(anonymous namespace)::f");
	expect_short("f()::{lambda(int)#1}::operator()(int) const", 80,
		     "f()::{lambda(int)#1}::operator()");
	expect_short("plain_c_name", 80, "plain_c_name");
	expect_short("void", 80, "void");
	expect_short("", 80, "");
	expect_short("()", 80, "()");
	expect_short(")", 80, ")");
	expect_short("a]", 80, "a]");
}

static void test_templates(void **state)
{
	(void)state;
	expect_short("f<A<B<int>>, C>(int)", 16, "f<A<B<int>>, C>");
	expect_short("f<A<B<int>>, C>(int)", 14, "f<A<...>, C>");
	expect_short("f<A<B<int>>, C>(int)", 11, "f<...>");
	expect_short("f<A<B<int> >, C>::g<D>(int)", 14, "f<...>::g<...>");
	expect_short("S::operator<< <long long long>(int)", 20, "S::operator<< <...>");
	expect_short("S::operator->()", 80, "S::operator->");
	expect_short("f<(1>2), int_long_name>(int)", 10, "f<...>");
	expect_short("f<unbalanced", 8, "f<...");
	expect_short("a>b>c>d>e", 9, "a>b>c>d>e");
}

static void test_cut(void **state)
{
	char buf[8];

	(void)state;
	expect_short("abcdefghijklmnopqrstuvwxyz", 26, "abcdefghijklmnopqrstuvwxyz");
	expect_short("abcdefghijklmnopqrstuvwxyz", 10, "abcd...xyz");
	expect_short("abcdefghijklmnopqrstuvwxyz", 5, "a...z");
	expect_short("abcdefghijklmnopqrstuvwxyz", 4, "abcd");
	expect_short("abcdefghijklmnopqrstuvwxyz", 0, "");
	expect_short("abcdefghij<klmnop>qrstuvwxyz()", 11, "abcd...wxyz");
	/* the buffer counts where it is smaller than the width */
	assert_int_equal(ct_demangle_short("abcdefghijklmnop", buf, sizeof(buf), 80), 7);
	assert_string_equal(buf, "ab...op");
	assert_int_equal(ct_demangle_short("abcdefghijklmnop", buf, 1, 80), 0);
	assert_string_equal(buf, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_demangle),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
