/* SPDX-License-Identifier: Apache-2.0 */
/* A traced process that runs can be told to do something, through the header of its trace. */
#ifndef CT_TRACE_CONTROL_H
#define CT_TRACE_CONTROL_H

#include <stdint.h>

/* What a running process can be asked for; see struct ct_control. */
enum ct_ask {
	CT_ASK_NOTHING = 0,
	CT_ASK_START = 1, /* begin a window: -EALREADY if there is one */
	CT_ASK_STOP = 2,  /* end it: -EALREADY if there is none */
	CT_ASK_FETCH = 3  /* have CUPTI hand over what it has finished */
};

/* An ask: what, and a number that makes it another one than the one before. */
#define CT_ASK(serial, what) ((uint32_t)(serial) << 8 | (uint32_t)(what))
#define CT_ASK_SERIAL(ask) ((ask) >> 8)
#define CT_ASK_WHAT(ask) ((ask) & 0xffu)

/*
 * How `cutrace ctl` and a traced process that runs talk: by words of the mapped file. Who asks
 * stores `ask` where it is equal to `answer`, by compare and exchange; the process looks about
 * once a second, and more often after an ask, does it, and stores `answer` last. All but `ask` are
 * the process's own: it reads none of them back, and an ask that means nothing is answered by
 * -EINVAL.
 */
struct ct_control {
	uint32_t ask;
	uint32_t answer;     /* the last ask that was carried out */
	int32_t result;      /* of it: 0 or -errno */
	uint32_t mode;       /* enum ct_mode now */
	uint64_t since_ns;   /* and since when */
	uint64_t windows;    /* that have begun; a process that records from the start is in its first */
	uint64_t beat_ns;    /* when the process last looked; 0 = nobody does */
	uint64_t fetched_ns; /* when CUPTI was last asked for what it has finished; 0 = never */
};

#endif
