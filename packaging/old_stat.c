/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stat() and its like for what was compiled with a glibc of 2.33 or newer and shall run on an
 * older one, where they were no functions but calls of these, inlined. Part of what we link
 * ourselves (hidden there), and a small library for what others linked (old_needs.py).
 */
#undef _FILE_OFFSET_BITS /* at 64, stat() is another name of stat64() */

#include <sys/stat.h>

#define VERSION 1 /* of x86-64's struct stat, ever since: glibc's _STAT_VER_LINUX */

int old_xstat(int version, const char *path, struct stat *ret);
int old_fxstat(int version, int fd, struct stat *ret);
int old_lxstat(int version, const char *path, struct stat *ret);
__asm__(".symver old_xstat, __xstat@GLIBC_2.2.5");
__asm__(".symver old_fxstat, __fxstat@GLIBC_2.2.5");
__asm__(".symver old_lxstat, __lxstat@GLIBC_2.2.5");

int stat(const char *path, struct stat *ret)
{
	return old_xstat(VERSION, path, ret);
}

int fstat(int fd, struct stat *ret)
{
	return old_fxstat(VERSION, fd, ret);
}

int lstat(const char *path, struct stat *ret)
{
	return old_lxstat(VERSION, path, ret);
}

/* On x86-64 struct stat64 is struct stat. */
int stat64(const char *path, struct stat64 *ret)
{
	return old_xstat(VERSION, path, (struct stat *)ret);
}

int fstat64(int fd, struct stat64 *ret)
{
	return old_fxstat(VERSION, fd, (struct stat *)ret);
}

int lstat64(const char *path, struct stat64 *ret)
{
	return old_lxstat(VERSION, path, (struct stat *)ret);
}
