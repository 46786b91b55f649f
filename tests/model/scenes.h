/* SPDX-License-Identifier: Apache-2.0 */
/* What the threads of each scene do, and how to know its records again. */
#ifndef CT_TESTS_MODEL_SCENES_H
#define CT_TESTS_MODEL_SCENES_H

#include <stdbool.h>
#include <stdint.h>

/* Records have numbers, which also are their times: of each thread 20. */
#define SCENE_NUMBER(tid, count) ((tid) * 20 + (count))
#define SCENE_TID(number) ((number) / 20)
#define SCENE_NUMBERS 100

/* The fields that each record of a number holds; a long one ends in it, too. */
#define SCENE_ADDR(number) (~(uint64_t)(number))
#define SCENE_BYTES(number) ((uint64_t)(number) * 3)

struct model_scene {
	const char *name;
	void (*begin)(void);     /* runs alone, before the threads */
	void (*threads[3])(void);
	int count, preemptions;
	bool live;               /* may be read while it is written: nothing is used again */
};

extern const struct model_scene model_scenes[];
extern const int model_scene_count;

#endif
