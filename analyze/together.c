/* SPDX-License-Identifier: Apache-2.0 */
#include "analyze/together.h"

#include <pthread.h>
#include <stdatomic.h>

struct crew {
	size_t count;
	atomic_size_t next;
	void (*work)(void *arg, size_t i);
	void *arg;
};

unsigned ct_together_width(size_t count, unsigned threads)
{
	unsigned width = threads < CT_TOGETHER_MAX ? threads : CT_TOGETHER_MAX;

	if (width > count)
		width = (unsigned)count;
	return width ? width : 1;
}

static void *work(void *arg)
{
	struct crew *c = arg;
	size_t i;

	while ((i = atomic_fetch_add(&c->next, 1)) < c->count)
		c->work(c->arg, i);
	return NULL;
}

void ct_together(size_t count, unsigned width, void (*work_on)(void *arg, size_t i), void *arg)
{
	struct crew c = { .count = count, .work = work_on, .arg = arg };
	pthread_t others[CT_TOGETHER_MAX];
	unsigned started = 0;

	while (started + 1 < width && started < CT_TOGETHER_MAX &&
	       pthread_create(&others[started], NULL, work, &c) == 0)
		started++;
	work(&c);
	for (unsigned i = 0; i < started; i++)
		pthread_join(others[i], NULL);
}
