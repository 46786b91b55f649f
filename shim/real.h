/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the functions behind the wrappers. */
#ifndef CT_SHIM_REAL_H
#define CT_SHIM_REAL_H

#include <stdbool.h>
#include <stdint.h>

struct ct_real_function {
	const char *symbol;
	uint8_t length; /* of the symbol */
	void *wrapper;  /* ours */
	void *function; /* the real one, or what takes its place; NULL: not found yet */
	void *replaced; /* the real one where something does; else NULL */
};

/* The functions of one library: the CUDA runtime, the driver, or CUPTI. */
struct ct_real_table {
	struct ct_real_function *functions; /* ends with a NULL symbol */
	const char *const *libraries;       /* where they may be; ends with NULL */
	uint32_t all_sought;
	uint32_t all_done; /* and that has come to its end */
	uint32_t kept; /* its library stays loaded */
};

extern struct ct_real_table ct_real_runtime; /* wrap.c */
extern struct ct_real_table ct_real_driver;  /* wrap_driver.c */
extern struct ct_real_table ct_real_cupti;   /* yield.c */

/*
 * The real function of a wrapper. caller is an address inside the code that called the
 * wrapper. In order: the next definition in the global scope; the library the caller is
 * linked to (a runtime loaded by dlopen is not in the global scope); any of the table's
 * libraries that is mapped. Never our own wrapper.
 *
 * The first time one is found, all are looked for: later calls then take no lock of the
 * loader, which another thread may hold while it waits for this one (a constructor that
 * joins a thread, say).
 *
 * Returns NULL if there is none.
 */
void *ct_real(struct ct_real_table *table, int slot, const void *caller);

/*
 * The same for the CUDA runtime, of which a process can have several, whose handles,
 * kernels and errors mean nothing to each other: a wrapper passes the call on to the
 * libcudart that the caller's object needs by name; where it needs none, as ct_real(). A
 * wrapper that another tool has in the global scope behind us comes before any runtime.
 */
void *ct_real_of_caller(struct ct_real_table *table, int slot, const void *caller);
#define CT_REAL_SLOTS_MAX 512 /* of that table */

/* A function of a library that is mapped, but not our own; NULL if there is none. */
void *ct_real_look_in(const char *library, const char *name);

/* A wrapper calls into the library of this function from now on: it must stay mapped. */
void ct_real_keep(const void *function);

/*
 * Somebody looks a function up and has found it. Returns our wrapper if that is the very
 * function it passes calls on to; else `found`, since our wrapper would call another.
 */
void *ct_real_swap(struct ct_real_table *table, void *found, const void *caller);

/*
 * The same where it must not go unnoticed whichever copy of the library it is in (CUPTI's:
 * the program's copy may not be the one that we loaded): the wrapper passes calls on to
 * `found` from now on.
 */
void *ct_real_adopt(struct ct_real_table *table, const char *symbol, void *found);

/*
 * From now on the wrapper of this function calls `by` in its place. `by` may call *ret_behind,
 * which is there before anybody calls `by`: the real function or, if it was replaced before,
 * what replaced it. ret_behind may be NULL. Returns false, and nothing is replaced, where there is
 * no such function. Not for two threads at a time.
 */
bool ct_real_replace(struct ct_real_table *table, const char *symbol, void *by, void **ret_behind);

/* The real function in whichever of the table's libraries is mapped; NULL if none is. */
void *ct_real_loaded(const struct ct_real_table *table, const char *name);

/* Our function of this name; NULL: there is none. */
void *ct_real_wrapper(const struct ct_real_table *table, const char *symbol);

/* Does the table have this symbol? */
int ct_real_knows(const struct ct_real_table *table, const char *symbol);

#endif
