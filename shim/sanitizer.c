/* SPDX-License-Identifier: Apache-2.0 */
/* What checkers ask of whoever is in the process. */

__attribute__((visibility("default"))) const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);

/*
 * A shared AddressSanitizer runtime ends the program if any library comes before it, as what is
 * preloaded does. It need not for our sake: of what it intercepts we define only dlopen() and
 * dlclose(), which pass on to it, and _exit(), where it does nothing but repeat that leaks were found. A
 * program's own definition of this comes first; ASAN_OPTIONS=verify_asan_link_order=0 says the same.
 */
const char *__asan_default_options(void)
{
	return "verify_asan_link_order=0";
}

/*
 * ThreadSanitizer sees our calls of memcpy() and its like, but not the atomics by which what they
 * write changes hands. Asked by its shared runtime only.
 */
const char *__tsan_default_suppressions(void)
{
	return "called_from_lib:libcutrace.so\n";
}
