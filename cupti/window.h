/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of CUPTI's records are stored where not all is recorded all the time: those of calls
 * made in windows. Its kinds stay enabled once they are (ct_activity_switch()), and records come
 * late, so a window's calls are known by their correlation ids, which count up and wrap.
 */
#ifndef CT_CUPTI_WINDOW_H
#define CT_CUPTI_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/apis.h"

/* When the records of a kind are stored; kinds.def says of which. */
enum ct_when {
	CT_WHEN_ALWAYS,
	CT_WHEN_LIGHT, /* in the light mode and in full */
	CT_WHEN_FULL
};

/* Begin in this mode, before CUPTI hands over anything and tells of any call. */
void ct_windows_begin(enum ct_mode mode);

/* From now on this mode holds. By one thread at a time. */
void ct_windows_switch(enum ct_mode mode, uint64_t now_ns);

/* A call with this correlation id was seen to begin: it belongs to the windows that are open. */
void ct_windows_called(uint32_t correlation);

/* Is a record of this kind of no window's call? Of calls of the last few windows it is known. */
bool ct_windows_drop(enum ct_when when, uint32_t correlation);

/* It is; but may it be of a window before those, and have come too late? */
bool ct_windows_forgot(enum ct_when when, uint32_t correlation);

/* As ct_windows_drop(), for a record of the light mode that knows no call, by its time. */
bool ct_windows_drop_time(uint64_t start_ns, uint64_t end_ns);

/*
 * Is it known which calls the window was of that has ended? Not at once where everything was
 * recorded from the start, without a look at ids: the next call that is seen tells.
 */
bool ct_windows_settled(void);

#endif
