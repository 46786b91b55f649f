/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library that exports what an interpreter does and is none. PRETENDED_VERSION is its
 * version; PRETENDED_STATE what the thread state looks like:
 *   null      the thread has none
 *   unused    the same, and the interpreter was not started
 *   empty     no frame
 *   ending    the interpreter shuts down
 *   unmapped  pointers lead where nothing is
 *   odd       pointers are not aligned
 *   garbage   pointers lead to bytes of no meaning
 *   ring      the memory is full of pointers to itself
 *   code      as ring, and each is taken for a code object, but has no strings
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define WORDS 512

#ifdef PRETEND_PYPY

EXPORT const char *PyPy_GetVersion(void);
EXPORT const char *PyPy_GetVersion(void)
{
	return "3.11.0";
}

#else

EXPORT uint64_t PyCode_Type[64], PyUnicode_Type[64], PyBytes_Type[64], _PyRuntime[128];
uint64_t PyCode_Type[64], PyUnicode_Type[64], PyBytes_Type[64], _PyRuntime[128];

EXPORT const char *Py_GetVersion(void);
EXPORT const char *Py_GetVersion(void)
{
	return getenv("PRETENDED_VERSION");
}

EXPORT int _Py_IsFinalizing(void);
EXPORT int _Py_IsFinalizing(void)
{
	return strcmp(getenv("PRETENDED_STATE"), "ending") == 0;
}

EXPORT int Py_IsInitialized(void);
EXPORT int Py_IsInitialized(void)
{
	return strcmp(getenv("PRETENDED_STATE"), "unused") != 0;
}

EXPORT void _PyEval_EvalFrameDefault(void);
EXPORT void _PyEval_EvalFrameDefault(void)
{
}

static uint64_t filling(const uint64_t *self)
{
	const char *state = getenv("PRETENDED_STATE");

	if (strcmp(state, "unmapped") == 0)
		return 0x0000123456789000;
	if (strcmp(state, "odd") == 0)
		return (uint64_t)(uintptr_t)self + 3;
	if (strcmp(state, "garbage") == 0)
		return 0xdeadbeefdeadbee8;
	return strcmp(state, "empty") == 0 ? 0 : (uint64_t)(uintptr_t)self;
}

EXPORT void *PyGILState_GetThisThreadState(void);
EXPORT void *PyGILState_GetThisThreadState(void)
{
	static uint64_t memory[WORDS];

	if (strcmp(getenv("PRETENDED_STATE"), "null") == 0 || !Py_IsInitialized())
		return NULL;
	for (int i = 0; i < WORDS; i++)
		memory[i] = filling(memory);
	if (strcmp(getenv("PRETENDED_STATE"), "code") == 0)
		memory[1] = (uint64_t)(uintptr_t)PyCode_Type;
	return memory;
}

#endif
