/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/control.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull
#define SILENT_NS (3 * SECOND_NS) /* the process looks once a second */
#define PATIENCE_NS (20 * SECOND_NS)
#define POLL_NS 5000000

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* as the traced process does: the header has no other */
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static int check_file(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid())
		return -EPERM;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return st.st_size < CT_HEADER_BYTES ? -EBADMSG : 0;
}

static int check_header(const struct ct_file_header *header)
{
	if (memcmp(header->magic, CT_MAGIC, sizeof(header->magic)) != 0)
		return -EBADMSG;
	if (header->version != CT_TRACE_VERSION || header->byte_order != CT_BYTE_ORDER)
		return -EPROTONOSUPPORT;
	return 0;
}

int ct_control_open(const char *directory, struct ct_file_header **ret_header)
{
	char path[PATH_MAX];
	void *mapped;
	int fd, r;

	if (snprintf(path, sizeof(path), "%s/trace.cutrace", directory) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = check_file(fd);
	mapped = r < 0 ? MAP_FAILED
		       : mmap(NULL, CT_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (r == 0 && mapped == MAP_FAILED)
		r = -errno;
	close(fd);
	if (r < 0)
		return r;
	r = check_header(mapped);
	if (r < 0)
		munmap(mapped, CT_HEADER_BYTES);
	else
		*ret_header = mapped;
	return r;
}

void ct_control_close(struct ct_file_header *header)
{
	munmap(header, CT_HEADER_BYTES);
}

/*
 * Is it no process of ours? A zombie is none: it has ended, and nobody has asked how. (Where only
 * the first of its threads has, there are others.)
 */
static bool gone(uint32_t pid)
{
	char path[64], line[512] = "", *name_end;
	struct stat tasks; /* it has two links more than threads */
	FILE *file;

	if (pid > INT_MAX || (kill((pid_t)pid, 0) < 0 && errno == ESRCH))
		return true;
	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	name_end = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	return name_end && strncmp(name_end, ") Z", 3) == 0 && stat(path, &tasks) == 0 &&
	       tasks.st_nlink <= 3;
}

/* Its pid may be one of another namespace, so only both together tell that it is gone. */
enum ct_life_sign ct_control_sign(const struct ct_file_header *header, uint64_t *ret_silence_ns)
{
	uint64_t beat_ns = __atomic_load_n(&header->control.beat_ns, __ATOMIC_ACQUIRE);
	uint64_t now = now_ns();

	*ret_silence_ns = now > beat_ns ? now - beat_ns : 0;
	if (__atomic_load_n(&header->finish_ns, __ATOMIC_ACQUIRE))
		return CT_SIGN_ENDED;
	if (!beat_ns)
		return CT_SIGN_DEAF;
	if (*ret_silence_ns < SILENT_NS)
		return CT_SIGN_ALIVE;
	return gone(header->pid) ? CT_SIGN_DIED : CT_SIGN_SILENT;
}

enum ct_life_sign ct_control_sure_sign(const struct ct_file_header *header,
				       uint64_t *ret_silence_ns)
{
	uint64_t beat_ns = __atomic_load_n(&header->control.beat_ns, __ATOMIC_ACQUIRE);
	const struct timespec poll = { .tv_nsec = POLL_NS };
	enum ct_life_sign sign;

	while ((sign = ct_control_sign(header, ret_silence_ns)) == CT_SIGN_ALIVE &&
	       gone(header->pid) &&
	       __atomic_load_n(&header->control.beat_ns, __ATOMIC_ACQUIRE) == beat_ns)
		nanosleep(&poll, NULL);
	return sign;
}

/* Serial numbers wrap. */
static bool answered(const struct ct_file_header *header, uint32_t ask)
{
	uint32_t answer = __atomic_load_n(&header->control.answer, __ATOMIC_ACQUIRE);

	return ((CT_ASK_SERIAL(answer) - CT_ASK_SERIAL(ask)) & 0xffffff) < 0x800000;
}

/* Place an ask, if none is pending. */
static bool place(struct ct_file_header *header, enum ct_ask what, uint32_t *ret_ask)
{
	uint32_t answer = __atomic_load_n(&header->control.answer, __ATOMIC_ACQUIRE), ask = answer;

	*ret_ask = CT_ASK(CT_ASK_SERIAL(answer) + 1, what);
	return __atomic_compare_exchange_n(&header->control.ask, &ask, *ret_ask, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

int ct_control_ask(struct ct_file_header *header, enum ct_ask what)
{
	const struct timespec poll = { .tv_nsec = POLL_NS };
	uint64_t deadline_ns = now_ns() + PATIENCE_NS, silence_ns;
	bool placed = false;
	uint32_t ask;

	while (!placed || !answered(header, ask)) {
		enum ct_life_sign sign = ct_control_sign(header, &silence_ns);

		if (sign == CT_SIGN_ENDED || sign == CT_SIGN_DIED)
			return -ESRCH;
		if (sign == CT_SIGN_DEAF)
			return -EOPNOTSUPP;
		if (now_ns() > deadline_ns)
			return -ETIMEDOUT;
		if (!placed)
			placed = place(header, what, &ask);
		nanosleep(&poll, NULL);
	}
	return __atomic_load_n(&header->control.result, __ATOMIC_RELAXED);
}
