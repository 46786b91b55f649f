/* SPDX-License-Identifier: Apache-2.0 */
/* Which frame of a stack is the place of a call, and how it is written. */
#include "analyze/place.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

/*
 * Modules, each with its bias. NAMED is there and has names, LINED has lines as well; the files
 * of the others are gone, so nothing is known but the module.
 */
enum { NAMED, LINED, GONE, RUNTIME, SYSTEM, MODULES };
static const char *const paths[MODULES] = {
	RUNTIME_LIBRARY, LINED_LIBRARY, "/gone/libgone.so", "/gone/libcudart.so.12", "/gone/libc.so.6",
};
#define BIAS(module) (((uint64_t)(module) + 1) << 32)
#define IN(module, offset) (BIAS(module) + (offset))
#define DEEPEST 8

static void *libraries[2];
static struct ct_module *modules[MODULES];
static char file[] = "/home/user/train.py", step[] = "step", nameless[] = "";
static struct ct_script_info scripts[3];
static struct ct_stack_info stacks[2]; /* the first is none */
static struct ct_model model;
static struct ct_places *places;

static int set_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < MODULES; i++) {
		struct ct_module *m = calloc(1, sizeof(*m) + strlen(paths[i]));

		assert_non_null(m);
		m->bias = m->start = BIAS(i);
		m->end = m->start + 0x100000;
		m->path_length = (uint32_t)strlen(paths[i]);
		memcpy(m->path, paths[i], m->path_length);
		modules[i] = m;
	}
	libraries[NAMED] = dlopen(RUNTIME_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	libraries[LINED] = dlopen(LINED_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	assert_true(libraries[NAMED] && libraries[LINED]);
	scripts[1] = (struct ct_script_info){ file, step, 12 };
	scripts[2] = (struct ct_script_info){ file, nameless, 0 };
	model.modules.at = modules;
	model.modules.count = MODULES;
	model.scripts.at = scripts;
	model.scripts.count = 3;
	model.stacks.at = stacks;
	model.stacks.count = 2;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < MODULES; i++)
		free(modules[i]);
	dlclose(libraries[NAMED]);
	dlclose(libraries[LINED]);
	return 0;
}

/* A return address in a function. */
static uint64_t in(int module, const char *function)
{
	Dl_info info;

	assert_int_not_equal(dladdr(dlsym(libraries[module], function), &info), 0);
	return BIAS(module) + (uint64_t)((char *)info.dli_saddr - (char *)info.dli_fbase) + 1;
}

/* The stack 1 of these addresses, innermost first, up to a 0. */
static void take(const uint64_t *pc)
{
	ct_places_destroy(places);
	stacks[1] = (struct ct_stack_info){ .pc = pc };
	while (stacks[1].count < DEEPEST && pc[stacks[1].count])
		stacks[1].count++;
	assert_int_equal(ct_places_create(&model, &places), 0);
}

#define PLACE(...)                                                                                 \
	(take((const uint64_t[DEEPEST]){ __VA_ARGS__ }), ct_places_of(&model, places, 1))

static const char *line_of_linked(const char *behind)
{
	static char text[200];

	snprintf(text, sizeof(text), "linked.c:%d linked%s",
		 *(const int *)dlsym(libraries[LINED], "linked_line"), behind);
	return text;
}

static void test_way_into_the_driver(void **state)
{
	(void)state;
	assert_string_equal(PLACE(IN(RUNTIME, 0x10), in(LINED, "linked")), line_of_linked(""));
	assert_string_equal(PLACE(in(NAMED, "cudaMallocX"), in(NAMED, "compute")),
			    "libruntime.so compute");
	assert_string_equal(PLACE(in(NAMED, "libcudart_static_0123"), in(NAMED, "__cudaRegisterX"),
				  in(NAMED, "_ZN6cudart5stuffEv"), in(NAMED, "compute")),
			    "libruntime.so compute");
	/* once in the program, its own functions may have any name */
	assert_string_equal(PLACE(in(NAMED, "compute"), in(NAMED, "cudaMallocX")),
			    "libruntime.so compute");
	assert_string_equal(PLACE(IN(RUNTIME, 0x10), IN(RUNTIME, 0x20)), "(unknown code)");
}

static void test_launch(void **state)
{
	const char *stub = "_Z22__device_stub__Z4spinxx", *kernel = "_Z4spinx";

	(void)state;
	assert_string_equal(PLACE(in(NAMED, "_ZL18__cudaLaunchKernelPKc"), in(NAMED, stub),
				  in(NAMED, kernel), in(NAMED, "compute")), "libruntime.so compute");
	/* the stub is inlined where another function follows, and a function of that name may be called */
	assert_string_equal(PLACE(in(NAMED, stub), in(NAMED, "_Z5otherx")), "libruntime.so other");
	assert_string_equal(PLACE(in(NAMED, kernel), in(NAMED, "compute")), "libruntime.so spin");
	assert_string_equal(PLACE(in(NAMED, stub), IN(GONE, 0x20)), "libgone.so+0x20");
}

/* A library's call is the program's, which has lines; what the library is comes behind. */
static void test_library(void **state)
{
	(void)state;
	assert_string_equal(PLACE(in(NAMED, "compute"), in(LINED, "linked")),
			    line_of_linked(", in libruntime.so compute"));
	assert_string_equal(PLACE(IN(GONE, 0x20), in(LINED, "linked")),
			    line_of_linked(", in libgone.so+0x20"));
	assert_string_equal(PLACE(IN(GONE, 0x20), IN(GONE, 0x30), in(LINED, "linked")),
			    line_of_linked(", in libgone.so+0x20 from +0x30"));
	/* behind main() and the C library comes nothing of the program */
	assert_string_equal(PLACE(in(NAMED, "compute"), in(NAMED, "main"), in(LINED, "linked")),
			    "libruntime.so compute");
	assert_string_equal(PLACE(in(NAMED, "main"), in(LINED, "linked")), "libruntime.so main");
	assert_string_equal(PLACE(in(NAMED, "compute"), IN(SYSTEM, 0x10), in(LINED, "linked")),
			    "libruntime.so compute");
}

static void test_nameless(void **state)
{
	(void)state;
	assert_string_equal(PLACE(IN(GONE, 0x20)), "libgone.so+0x20");
	assert_string_equal(PLACE(IN(GONE, 0x20), IN(GONE, 0x30)), "libgone.so+0x20 from +0x30");
	assert_string_equal(PLACE(IN(GONE, 0x20), IN(GONE, 0x30), IN(GONE, 0x40)),
			    "libgone.so+0x20 from +0x30");
	assert_string_equal(PLACE(IN(GONE, 0x20), in(NAMED, "compute")), "libgone.so+0x20");
	assert_string_equal(PLACE(0x20, in(NAMED, "compute")), "?+0x0");
	/* a static runtime's inner functions have no names: who called it in the same module has */
	assert_string_equal(PLACE(IN(NAMED, 0x90000), in(NAMED, "compute")), "libruntime.so compute");
	assert_string_equal(PLACE(IN(NAMED, 0x90000), in(LINED, "linked")),
			    line_of_linked(", in libruntime.so+0x90000"));
}

static void test_no_stack(void **state)
{
	(void)state;
	assert_string_equal(PLACE(0), "(no stack)");
	assert_string_equal(ct_places_of(&model, places, 0), "(no stack)");
	assert_string_equal(ct_places_of(&model, places, 2), "(no stack)");
	assert_string_equal(PLACE(CT_PC_SCRIPT(1)), "train.py:12 step");
	assert_string_equal(PLACE(in(NAMED, "compute"), CT_PC_SCRIPT(1)), "train.py:12 step");
}

/* The file that the line is of, not that of what it called; none without a line. */
static void test_source(void **state)
{
	const char *path;

	(void)state;
	(void)PLACE(in(NAMED, "compute"), in(LINED, "linked"));
	path = ct_places_source(&model, places, 1);
	assert_non_null(path);
	assert_string_equal(strrchr(path, '/'), "/linked.c");
	(void)PLACE(in(LINED, "linked"), in(NAMED, "compute"));
	assert_non_null(ct_places_source(&model, places, 1));
	(void)PLACE(in(NAMED, "compute"), CT_PC_SCRIPT(1));
	assert_string_equal(ct_places_source(&model, places, 1), file);
	(void)PLACE(CT_PC_SCRIPT(2));
	assert_null(ct_places_source(&model, places, 1));
	(void)PLACE(in(NAMED, "compute"), in(NAMED, "main"), in(LINED, "linked"));
	assert_null(ct_places_source(&model, places, 1));
	assert_null(ct_places_source(&model, places, 0));
	assert_null(ct_places_source(&model, places, 2));
}

static const char *stack_text(size_t size)
{
	static char text[400];

	memset(text, 'x', sizeof(text));
	ct_places_stack_text(&model, places, 1, text, size);
	return text;
}

static void test_stack_text(void **state)
{
	(void)state;
	take((const uint64_t[DEEPEST]){ IN(RUNTIME, 0x10), in(NAMED, "compute"), IN(GONE, 0x20),
					CT_PC_SCRIPT(1), CT_PC_SCRIPT(2), CT_PC_SCRIPT(7), 0 });
	assert_string_equal(stack_text(400), "libruntime.so compute < libgone.so+0x20 < train.py:12 step < "
					     "train.py  < (unknown Python code)");
	assert_int_equal(strlen(stack_text(40)), 39); /* cut, and ended */
	/* what started main() is the runtime's; Python is not, wherever its frames come to stand */
	take((const uint64_t[DEEPEST]){ in(NAMED, "compute"), in(NAMED, "main"), in(NAMED, "start_of_all"),
					CT_PC_SCRIPT(1), 0 });
	assert_string_equal(stack_text(400), "libruntime.so compute < libruntime.so main < train.py:12 step");
	take((const uint64_t[DEEPEST]){ 0 });
	assert_string_equal(stack_text(400), "");
	ct_places_stack_text(&model, places, 2, (char[1]){ 'x' }, 1);
}

static int forget(void **state)
{
	ct_places_destroy(places);
	places = NULL;
	return tear_down(state);
}

#define PLACE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, forget)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE_TEST(test_way_into_the_driver), PLACE_TEST(test_launch), PLACE_TEST(test_library),
		PLACE_TEST(test_nameless), PLACE_TEST(test_no_stack), PLACE_TEST(test_stack_text),
		PLACE_TEST(test_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
