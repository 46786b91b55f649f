/* SPDX-License-Identifier: Apache-2.0 */
/* Linked to finder_library, which does not know of the driver, and to the driver. */
extern int finder_own(void);
extern int cuInit(unsigned int flags);

int finder_family(void);

int finder_family(void)
{
	return finder_own() + cuInit(0);
}
