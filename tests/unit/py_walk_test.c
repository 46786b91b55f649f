/* SPDX-License-Identifier: Apache-2.0 */
/* Strings and chains of frames in memory made by hand: whole, long, odd, and not there. */
#include "shim/py_walk.h"

#include <string.h>
#include <sys/mman.h>

#include "shim/py_text.h"
#include "tests/unit/unit.h"

#define PAGE 4096u
#define WORDS 64 /* of one object */

static uint64_t types[3];

static uint64_t at(const void *object)
{
	return (uint64_t)(uintptr_t)object;
}

static void put(void *object, uint32_t offset, const void *value, size_t bytes)
{
	memcpy((uint8_t *)object + offset, value, bytes);
}

static void put_pointer(void *object, uint32_t offset, uint64_t value)
{
	put(object, offset, &value, sizeof(value));
}

static struct ct_py_interpreter interpreter(unsigned minor)
{
	struct ct_py_interpreter py = { .layout = *ct_py_layout_of(minor), .code_type = at(&types[0]),
					.text_type = at(&types[1]), .bytes_type = at(&types[2]) };

	return py;
}

/* A compact str of `width` bytes a character. */
static void make_text(const struct ct_py_layout *l, uint64_t *object, uint64_t type, uint32_t width,
		      bool ascii, const void *data, uint64_t length)
{
	uint32_t state = width << 2 | 1 << 5 | (uint32_t)ascii << 6;

	memset(object, 0, WORDS * 8);
	put_pointer(object, 8, type);
	put_pointer(object, l->text_length, length);
	put(object, l->text_state, &state, sizeof(state));
	put(object, ascii ? l->text_ascii : l->text_wide, data, length * width);
}

static void expect_text(unsigned minor, uint32_t width, bool ascii, const void *data,
			uint64_t length, uint32_t characters, const char *expected)
{
	struct ct_py_interpreter py = interpreter(minor);
	uint64_t object[WORDS];
	char text[256];
	int n;

	make_text(&py.layout, object, py.text_type, width, ascii, data, length);
	n = ct_py_text(&py.layout, at(object), py.text_type, characters, text);
	assert_int_equal(n, strlen(expected));
	assert_memory_equal(text, expected, (size_t)n);
}

static void test_texts(void **state)
{
	static const uint8_t latin[] = { 'g', 0xf6, 0xdf, 'e' };
	static const uint16_t two[] = { 0x3bb, 'x', 0xdcff, 0xd800, 0xffff };
	static const uint32_t four[] = { 0x1d518, 0x10ffff, 0x110000, 0x7ff, 0x800 };

	(void)state;
	for (unsigned minor = 9; minor <= 13; minor++) {
		expect_text(minor, 1, true, "train.py", 8, 100, "train.py");
		expect_text(minor, 1, true, "train.py", 8, 3, ".py");
		expect_text(minor, 1, true, "", 0, 100, "");
		expect_text(minor, 1, false, latin, 4, 100, "g\xc3\xb6\xc3\x9f" "e");
		expect_text(minor, 2, false, two, 5, 100, "\xce\xbbx\xff?\xef\xbf\xbf");
		expect_text(minor, 4, false, four, 5, 100,
			    "\xf0\x9d\x94\x98\xf4\x8f\xbf\xbf?\xdf\xbf\xe0\xa0\x80");
	}
}

static void test_no_text(void **state)
{
	struct ct_py_interpreter py = interpreter(12);
	const struct ct_py_layout *l = &py.layout;
	uint64_t object[WORDS], huge = UINT64_MAX;
	char text[64];

	(void)state;
	make_text(l, object, at(&types[2]), 1, true, "a", 1);
	assert_int_equal(ct_py_text(l, at(object), py.text_type, 10, text), -1);
	make_text(l, object, py.text_type, 3, true, "abc", 1);
	assert_int_equal(ct_py_text(l, at(object), py.text_type, 10, text), -1);
	make_text(l, object, py.text_type, 1, true, "a", 1);
	assert_int_equal(ct_py_text(l, at(object) + 4, py.text_type, 10, text), -1);
	put(object, l->text_length, &huge, 8);
	assert_int_equal(ct_py_text(l, at(object), py.text_type, 10, text), -1);
	assert_int_equal(ct_py_text(l, 0, py.text_type, 10, text), -1);
	assert_int_equal(ct_py_text(l, 0x123456789000, py.text_type, 10, text), -1);
}

static void test_readable(void **state)
{
	uint8_t *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);

	(void)state;
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(mprotect(pages + PAGE, PAGE, PROT_NONE), 0);
	assert_true(ct_readable(at(pages), PAGE));
	assert_true(ct_readable(at(pages) + PAGE - 1, 1));
	assert_false(ct_readable(at(pages) + PAGE - 1, 2));
	assert_false(ct_readable(at(pages), 3 * PAGE));
	assert_false(ct_readable(at(pages) + 2 * PAGE - 1, 1));
	assert_true(ct_readable(at(pages) + 2 * PAGE, PAGE));
	assert_false(ct_readable(at(pages), 0));
	assert_false(ct_readable(UINT64_MAX - 3, 8));
	munmap(pages, 3 * PAGE);
}

/* A thread with a chain of frames, all of one code object. */
struct world {
	struct ct_py_interpreter py;
	uint64_t state[WORDS], cframe[WORDS], code[WORDS], file[WORDS], name[WORDS], table[WORDS];
	uint64_t frames[300][WORDS];
	struct ct_py_chain chain;
};

static struct world w;

static void put_frame(int i, int next, int index, uint8_t owner, uint8_t entry)
{
	const struct ct_py_layout *l = &w.py.layout;
	uint64_t instruction = at(w.code) + l->code_start + (uint64_t)(2 * index);
	int32_t old = l->minor == 9 ? 2 * index : index;

	put_pointer(w.frames[i], l->frame_code, at(w.code));
	put_pointer(w.frames[i], l->frame_previous, next < 0 ? 0 : at(w.frames[next]));
	if (l->minor < 11) {
		put(w.frames[i], l->frame_at, &old, sizeof(old));
		return;
	}
	put_pointer(w.frames[i], l->frame_at, instruction);
	put(w.frames[i], l->frame_owner, &owner, 1);
	if (l->frame_entry != CT_PY_ABSENT)
		put(w.frames[i], l->frame_entry, &entry, 1);
}

static void make_world(unsigned minor, int count)
{
	static const uint8_t lines[] = { 0x80, 0 };
	int32_t line = 5, begin = 1;
	const struct ct_py_layout *l;

	memset(&w, 0, sizeof(w));
	w.py = interpreter(minor);
	l = &w.py.layout;
	make_text(l, w.file, w.py.text_type, 1, true, "/home/user/train.py", 19);
	make_text(l, w.name, w.py.text_type, 1, true, "step", 4);
	put_pointer(w.table, 8, w.py.bytes_type);
	put_pointer(w.table, l->bytes_size, sizeof(lines));
	put(w.table, l->bytes_data, lines, sizeof(lines));
	put_pointer(w.code, 8, w.py.code_type);
	put_pointer(w.code, l->code_file, at(w.file));
	put_pointer(w.code, l->code_name, at(w.name));
	put_pointer(w.code, l->code_lines, at(w.table));
	put(w.code, l->code_line, &line, sizeof(line));
	if (l->code_begin != CT_PY_ABSENT)
		put(w.code, l->code_begin, &begin, sizeof(begin));
	for (int i = 0; i < count; i++)
		put_frame(i, i + 1 < count ? i + 1 : -1, i + 1, 0, i + 1 == count);
	if (l->cframe_frame != CT_PY_ABSENT) {
		put_pointer(w.state, l->state_frame, at(w.cframe));
		put_pointer(w.cframe, l->cframe_frame, count ? at(w.frames[0]) : 0);
	} else {
		put_pointer(w.state, l->state_frame, count ? at(w.frames[0]) : 0);
	}
}

static void walk(void)
{
	ct_py_walk(&w.py, at(w.state), &w.chain);
}

static void test_chain(void **state)
{
	uint64_t hash;

	(void)state;
	for (unsigned minor = 9; minor <= 13; minor++) {
		make_world(minor, 3);
		walk();
		assert_int_equal(w.chain.state, CT_SCRIPT_ALL);
		assert_int_equal(w.chain.count, 3);
		for (uint32_t i = 0; i < 3; i++) {
			assert_int_equal(w.chain.frames[i].code, at(w.code));
			assert_int_equal(w.chain.frames[i].offset, 2 * (i + 1));
		}
		hash = w.chain.hash;
		w.py.trusted = true;
		walk();
		assert_int_equal(w.chain.hash, hash);
		put_frame(1, 2, 9, 0, 0);
		walk();
		assert_int_not_equal(w.chain.hash, hash);
	}
}

/* New content at an old address is a new place. */
static void test_content_counts(void **state)
{
	(void)state;
	for (unsigned minor = 9; minor <= 13; minor++) {
		const struct ct_py_layout *l = ct_py_layout_of(minor);
		static const uint8_t changed[8] = { 1 };
		uint64_t first;
		int32_t line = 6;

		make_world(minor, 1);
		walk();
		first = w.chain.frames[0].key;
		make_text(l, w.file, w.py.text_type, 1, true, "/home/user/trail.py", 19);
		walk();
		assert_int_not_equal(w.chain.frames[0].key, first);
		make_world(minor, 1);
		make_text(l, w.name, w.py.text_type, 1, true, "stop", 4);
		walk();
		assert_int_not_equal(w.chain.frames[0].key, first);
		make_world(minor, 1);
		put(w.table, l->bytes_data + 1, changed, 1);
		walk();
		assert_int_not_equal(w.chain.frames[0].key, first);
		make_world(minor, 1);
		put(w.code, l->code_line, &line, sizeof(line));
		walk();
		assert_int_not_equal(w.chain.frames[0].key, first);
		make_world(minor, 1);
		put(w.table, l->bytes_data + 2, changed, 1); /* behind the table */
		walk();
		assert_int_equal(w.chain.frames[0].key, first);
	}
}

static void test_eval_loops(void **state)
{
	(void)state;
	make_world(10, 3); /* one each */
	walk();
	assert_true(w.chain.frames[0].last && w.chain.frames[1].last && w.chain.frames[2].last);
	make_world(11, 3);
	put_frame(1, 2, 5, 0, 1);
	walk();
	assert_false(w.chain.frames[0].last);
	assert_true(w.chain.frames[1].last && w.chain.frames[2].last);
	for (unsigned minor = 12; minor <= 13; minor++) {
		make_world(minor, 5);
		put_frame(0, 1, 0, 0, 0); /* not begun: not shown */
		put_frame(2, 3, 0, CT_PY_OWNER_CSTACK, 0);
		walk();
		assert_int_equal(w.chain.count, 3);
		assert_true(w.chain.frames[0].last);
		assert_false(w.chain.frames[1].last);
		put_frame(0, 1, 0, CT_PY_OWNER_GENERATOR, 0); /* always shown */
		walk();
		assert_int_equal(w.chain.count, 4);
	}
}

static void test_lengths(void **state)
{
	(void)state;
	for (unsigned minor = 9; minor <= 13; minor++) {
		make_world(minor, 0);
		walk();
		assert_int_equal(w.chain.state, CT_SCRIPT_NO_FRAMES);
		make_world(minor, CT_STACK_SCRIPTS_MAX);
		walk();
		assert_int_equal(w.chain.state, CT_SCRIPT_ALL);
		assert_int_equal(w.chain.count, CT_STACK_SCRIPTS_MAX);
		make_world(minor, CT_STACK_SCRIPTS_MAX + 1);
		walk();
		assert_int_equal(w.chain.state, CT_SCRIPT_CUT);
		assert_int_equal(w.chain.count, CT_STACK_SCRIPTS_MAX);
		make_world(minor, 4);
		put_frame(3, 1, 1, 0, 0); /* a ring */
		walk();
		assert_int_equal(w.chain.state, CT_SCRIPT_CUT);
	}
}

static void expect_unreadable(void)
{
	walk();
	assert_int_equal(w.chain.state, CT_SCRIPT_UNREADABLE);
	assert_int_equal(w.chain.count, 0);
}

static void test_wrong_worlds(void **state)
{
	static const uint64_t bad[] = { 0x123456789000, 0xdeadbeefdeadbee8, 4, 8, UINT64_MAX - 7 };

	(void)state;
	for (unsigned minor = 9; minor <= 13; minor++) {
		const struct ct_py_layout *l = ct_py_layout_of(minor);

		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			make_world(minor, 3);
			put_pointer(w.state, l->state_frame, bad[i]);
			expect_unreadable();
			make_world(minor, 3);
			put_pointer(w.frames[1], l->frame_previous, bad[i]);
			expect_unreadable();
			make_world(minor, 3);
			put_pointer(w.frames[2], l->frame_code, bad[i]);
			expect_unreadable();
			make_world(minor, 3);
			put_pointer(w.code, l->code_lines, bad[i]);
			expect_unreadable();
			make_world(minor, 3);
			put_pointer(w.code, l->code_file, bad[i]);
			expect_unreadable();
			make_world(minor, 3);
			put_pointer(w.code, 8, bad[i]);
			expect_unreadable();
		}
		make_world(minor, 3);
		put_frame(1, 2, -100, 0, 0);
		expect_unreadable();
	}
	ct_py_walk(&w.py, 0x123456789000, &w.chain);
	assert_int_equal(w.chain.state, CT_SCRIPT_UNREADABLE);
}

/* What 3.13 publishes: as its own headers say, and what must not be believed. */
static void test_published(void **state)
{
	const struct ct_py_layout *known = ct_py_layout_of(13);
	struct ct_py_layout layout = *known;
	uint64_t words[73] = { 0 };
	bool free_threaded = true;

	(void)state;
	assert_false(ct_py_layout_published(words, sizeof(words), &layout, &free_threaded));
	memcpy(words, "xdebugpy", 8);
	words[1] = 0x030d00f0;
	words[23] = 72, words[29] = 8, words[30] = 0, words[31] = 56, words[33] = 70;
	words[35] = 112, words[37] = 128, words[38] = 136, words[39] = 68, words[43] = 200;
	words[65] = 16, words[66] = 32, words[68] = 32, words[69] = 16, words[70] = 40;
	memset(&layout.state_frame, 0xff, sizeof(layout.state_frame));
	assert_true(ct_py_layout_published(words, sizeof(words), &layout, &free_threaded));
	assert_false(free_threaded);
	assert_memory_equal(&layout, known, sizeof(layout));
	assert_false(ct_py_layout_published(words, 100, &layout, &free_threaded));
	words[38] = 1u << 20;
	assert_false(ct_py_layout_published(words, sizeof(words), &layout, &free_threaded));
	words[38] = 136;
	words[1] = 0x030e00f0;
	assert_false(ct_py_layout_published(words, sizeof(words), &layout, &free_threaded));
	assert_null(ct_py_layout_of(8));
	assert_null(ct_py_layout_of(14));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts), cmocka_unit_test(test_no_text),
		cmocka_unit_test(test_readable), cmocka_unit_test(test_chain),
		cmocka_unit_test(test_content_counts), cmocka_unit_test(test_eval_loops),
		cmocka_unit_test(test_lengths), cmocka_unit_test(test_wrong_worlds),
		cmocka_unit_test(test_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
