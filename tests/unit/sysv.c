/* SPDX-License-Identifier: Apache-2.0 */
/* A library with a DT_HASH table and no DT_GNU_HASH. */
extern int sysv_only[100];
int sysv_only[100];
