/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For what must run on glibc 2.28 although a newer one is here: our own names for functions that
 * got a new symbol version when libpthread and libdl moved into libc (2.34). Hidden, so that our
 * objects and the archives linked with them find these first, and nobody else does. Suite
 * `package` names what is missing here.
 */

/* The caller's address stays on the stack: dlopen() and dlsym() look at it to know who asks. */
#define OLD(name, version)                                                                         \
	__asm__(".pushsection .text\n"                                                             \
		".globl " #name "\n"                                                               \
		".hidden " #name "\n"                                                              \
		".type " #name ", @function\n" #name ":\n"                                         \
		"\tendbr64\n"                                                                      \
		"\tjmp *old_" #name "@GOTPCREL(%rip)\n"                                            \
		".size " #name ", . - " #name "\n"                                                 \
		".popsection\n"                                                                    \
		".symver old_" #name ", " #name "@GLIBC_" version "\n")

OLD(dlerror, "2.2.5");
OLD(pthread_create, "2.2.5");
OLD(pthread_once, "2.2.5");
OLD(pthread_sigmask, "2.2.5");

#ifdef COMMAND
OLD(dlclose, "2.2.5");
OLD(dlopen, "2.2.5");
OLD(dlsym, "2.2.5");
OLD(exp, "2.2.5"); /* the mathematical ones: 2.29, without errno by SVID's rules */
OLD(log, "2.2.5");
OLD(pow, "2.2.5");
OLD(pthread_condattr_setclock, "2.3.3");
OLD(pthread_join, "2.2.5");
OLD(pthread_mutex_trylock, "2.2.5");
OLD(pthread_mutexattr_destroy, "2.2.5");
OLD(pthread_mutexattr_init, "2.2.5");
OLD(pthread_mutexattr_settype, "2.2.5");
OLD(pthread_rwlock_destroy, "2.2.5");
OLD(pthread_rwlock_init, "2.2.5");
OLD(pthread_rwlock_rdlock, "2.2.5");
OLD(pthread_rwlock_tryrdlock, "2.2.5");
OLD(pthread_rwlock_unlock, "2.2.5");
OLD(pthread_rwlock_wrlock, "2.2.5");
#else
OLD(dladdr, "2.2.5");
OLD(dlvsym, "2.2.5");
OLD(pthread_attr_getstack, "2.2.5");
OLD(pthread_attr_setstacksize, "2.2.5");
OLD(pthread_getattr_np, "2.2.5");
OLD(pthread_key_create, "2.2.5");
OLD(pthread_setname_np, "2.12");
OLD(pthread_setspecific, "2.2.5");
#endif

#ifdef COMMAND
#define HIDDEN __attribute__((visibility("hidden")))

typedef int main_function(int argc, char **argv, char **envp);
typedef void start_function(int argc, char **argv, char **envp);

extern start_function *__init_array_start[] HIDDEN, *__init_array_end[] HIDDEN;

/*
 * Since 2.34 a program's start leaves its constructors to the C library; an older one wants to
 * be handed a function that calls them. A newer one, handed one, calls it instead.
 */
static void call_constructors(int argc, char **argv, char **envp)
{
	for (start_function **f = __init_array_start; f < __init_array_end; f++)
		(*f)(argc, argv, envp);
}

int old_start_main(main_function *run, int argc, char **argv, start_function *init,
		   void (*fini)(void), void (*loader_fini)(void), void *stack_end);
__asm__(".symver old_start_main, __libc_start_main@GLIBC_2.2.5");

/* What crt1.o calls. */
HIDDEN int __libc_start_main(main_function *run, int argc, char **argv, start_function *init,
			     void (*fini)(void), void (*loader_fini)(void), void *stack_end);
HIDDEN int __libc_start_main(main_function *run, int argc, char **argv, start_function *init,
			     void (*fini)(void), void (*loader_fini)(void), void *stack_end)
{
	return old_start_main(run, argc, argv, init ? init : call_constructors, fini, loader_fini,
			      stack_end);
}
#endif
