/* SPDX-License-Identifier: Apache-2.0 */
/* A library loaded with RTLD_LOCAL: RTLD_DEFAULT and RTLD_NEXT are its own affair. */
#include "finder.h"

int finder_own(void);
void finder_driver(void);
void finder_look(void);

int finder_own(void)
{
	return 17;
}

/* Whether the driver is to be found in the scope we were loaded into. */
void finder_driver(void)
{
	printf("cuMemFree_v2 %s\n", dlsym(RTLD_DEFAULT, "cuMemFree_v2") ? "found" : "not found");
	printf("cuNoSuch %s\n", dlsym(RTLD_DEFAULT, "cuNoSuch") ? "found" : "not found");
}

void finder_look(void)
{
	finder_say("library default", RTLD_DEFAULT, "finder_own");
	finder_say("library next", RTLD_NEXT, "finder_own");
	finder_say("library next", RTLD_NEXT, "malloc");
	finder_say("library default", RTLD_DEFAULT, "cuMemFree_v2");
	finder_say("library default", RTLD_DEFAULT, "current");
}

int current; /* no function of ours begins like this, only the two letters */
