/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/writer.h"

#include "trace/flight.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define RETRY_RECORDS 4096 /* after a failed chunk, records lost before trying again */
#define RETRY_FLIGHT 64    /* the same where other threads set chunks free all the time */

uint64_t ct_clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * posix_fallocate() that cannot kill the program: beyond RLIMIT_FSIZE it raises
 * SIGXFSZ, so that signal is blocked for this thread and a pending one consumed.
 * Allocating first matters: storing to a hole of a full disk would be SIGBUS.
 */
static int allocate(int fd, uint64_t offset, uint64_t bytes)
{
	struct timespec none = { 0 };
	sigset_t xfsz, old, before;
	int r;

	sigemptyset(&xfsz);
	sigaddset(&xfsz, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &xfsz, &old);
	sigpending(&before);
	do
		r = posix_fallocate(fd, (off_t)offset, (off_t)bytes);
	while (r == EINTR);
	if (r && !sigismember(&before, SIGXFSZ))
		while (sigtimedwait(&xfsz, NULL, &none) > 0 || errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -r;
}

/* Some file systems give up opening when a signal comes, whatever SA_RESTART says (signal(7)). */
static int open_file(const char *path, int flags)
{
	int fd;

	do
		fd = open(path, flags | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

static int open_again(const struct ct_file *file)
{
	struct stat st;
	int fd = open_file(file->path, 0);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || st.st_dev != file->device || st.st_ino != file->inode) {
		close(fd);
		return -ESTALE;
	}
	return fd;
}

static void fill_header(struct ct_file_header *h, const char *program)
{
	memcpy(h->magic, CT_MAGIC, sizeof(h->magic));
	h->version = CT_TRACE_VERSION;
	h->byte_order = CT_BYTE_ORDER;
	h->header_bytes = CT_HEADER_BYTES;
	h->slot_bytes = CT_SLOT_BYTES;
	h->chunk_unit = CT_CHUNK_UNIT;
	h->pid = (uint32_t)getpid();
	h->start_ns = ct_clock_ns(CLOCK_MONOTONIC);
	h->start_realtime_ns = ct_clock_ns(CLOCK_REALTIME);
	strncpy(h->program, program, sizeof(h->program) - 1);
	strncpy(h->tool_version, CT_VERSION, sizeof(h->tool_version) - 1);
	h->claimed_bytes = CT_CHUNK_UNIT; /* chunks are aligned to their unit */
	h->loss_count = CT_LOSS_COUNT;
}

int ct_file_create(struct ct_file *file, const char *path, const char *program)
{
	int saved = errno;
	struct stat st;
	void *page;
	int fd, r;

	memset(file, 0, sizeof(*file));
	if (strlen(path) >= sizeof(file->path))
		return -ENAMETOOLONG;
	strcpy(file->path, path);
	fd = r = open_file(path, O_CREAT | O_EXCL);
	if (fd < 0)
		goto out;
	r = allocate(fd, 0, CT_HEADER_BYTES);
	if (r < 0)
		goto out_unlink;
	page = fstat(fd, &st) < 0 ? MAP_FAILED
				  : mmap(NULL, CT_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
					 fd, 0);
	if (page == MAP_FAILED) {
		r = -errno;
		goto out_unlink;
	}
	file->device = st.st_dev;
	file->inode = st.st_ino;
	file->chunk_max = CT_CHUNK_MAX;
	fill_header(page, program);
	file->header = page;
	close(fd);
	r = 0;
	goto out;

out_unlink:
	unlink(path);
	close(fd);
out:
	errno = saved;
	return r;
}

void ct_file_lose(struct ct_file *file, enum ct_loss what, uint64_t n)
{
	if (file && file->header)
		__atomic_fetch_add(&file->header->lost[what], n, __ATOMIC_RELAXED);
}

void ct_writer_init(struct ct_writer *writer, struct ct_file *file, uint32_t tid)
{
	memset(writer, 0, sizeof(*writer));
	writer->file = file;
	writer->tid = tid;
}

/* Take the next `bytes` of the file's size; 0 if that is past its limit. */
static uint64_t claim_range(struct ct_file *file, uint32_t bytes)
{
	uint64_t *claimed = &file->header->claimed_bytes;
	uint64_t offset = __atomic_load_n(claimed, __ATOMIC_RELAXED);

	do
		if (file->limit_bytes && offset + bytes > file->limit_bytes)
			return 0;
	while (!__atomic_compare_exchange_n(claimed, &offset, offset + bytes, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return offset;
}

/*
 * Make every page writable now, in one go: MAP_POPULATE makes those of a shared file only
 * readable. Linux 5.14; without it each page is made writable when it is first written.
 */
static void prefault(void *map, uint32_t bytes)
{
#ifdef MADV_POPULATE_WRITE
	madvise(map, bytes, MADV_POPULATE_WRITE);
#else
	(void)map;
	(void)bytes;
#endif
}

/* There is no room behind the claim. Unless another has come behind it, it never was. */
static void unclaim_range(struct ct_file *file, uint64_t offset, uint32_t bytes)
{
	uint64_t behind = offset + bytes;

	__atomic_compare_exchange_n(&file->header->claimed_bytes, &behind, offset, false,
				    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* Map a part of the file, ready to be written, after giving it space if that is wanted. */
static void *map_range(const struct ct_file *file, uint64_t offset, uint32_t bytes, bool fresh)
{
	int fd = open_again(file);
	void *map = NULL;

	if (fd < 0)
		return NULL;
	if (!fresh || allocate(fd, offset, bytes) == 0)
		map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
			   (off_t)offset);
	close(fd);
	if (!map || map == MAP_FAILED)
		return NULL;
	prefault(map, bytes);
	return map;
}

void *ct_file_map(const struct ct_file *file, uint64_t offset, uint32_t bytes)
{
	return map_range(file, offset, bytes, false);
}

void *ct_file_claim(struct ct_file *file, uint32_t bytes)
{
	uint64_t offset = claim_range(file, bytes);
	struct ct_chunk_header *chunk;

	if (!offset)
		return ct_flight_recycle(file);
	chunk = map_range(file, offset, bytes, true);
	if (!chunk) {
		unclaim_range(file, offset, bytes);
		return ct_flight_recycle(file); /* the disk is full: keep to what there is */
	}
	chunk->bytes = bytes;
	chunk->offset = offset;
	chunk->sequence = __atomic_add_fetch(&file->sequence, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&chunk->magic, CT_CHUNK_MAGIC, __ATOMIC_RELEASE);
	return chunk;
}

/* First byte of a chunk that no committed record covers. */
static uint32_t first_free(const uint8_t *chunk, uint32_t bytes)
{
	uint32_t at = CT_SLOT_BYTES;

	while (at < bytes) {
		uint32_t word = *(const uint32_t *)(const void *)(chunk + at);

		if (!CT_COMMIT_SLOTS(word))
			break;
		at += CT_COMMIT_SLOTS(word) * CT_SLOT_BYTES;
	}
	return at < bytes ? at : bytes;
}

/* Take a chunk out of one of `count` places, or NULL. */
static uint8_t *take_from(void **places, int count)
{
	for (int i = 0; i < count; i++)
		if (__atomic_load_n(&places[i], __ATOMIC_RELAXED)) {
			uint8_t *chunk = __atomic_exchange_n(&places[i], NULL, __ATOMIC_ACQUIRE);

			if (chunk)
				return chunk;
		}
	return NULL;
}

/* Put a chunk into one of `count` places. Returns false if all are taken. */
static bool put_into(void **places, int count, void *chunk)
{
	for (int i = 0; i < count; i++) {
		void *empty = NULL;

		if (__atomic_compare_exchange_n(&places[i], &empty, chunk, false, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

/*
 * Give back the disk space of chunks that nobody has used, but for the page with their
 * header. The file keeps its size: who has it mapped to read would be killed by less.
 * Not so the rest of chunks that threads left: on ext4 each takes 2 to 4 ms.
 */
static void give_back_spares(struct ct_file *file)
{
	uint8_t *chunk;

	while ((chunk = take_from(file->spares, CT_SPARES))) {
		madvise(chunk + PAGE_BYTES, CT_CHUNK_MAX - PAGE_BYTES, MADV_REMOVE);
		munmap(chunk, CT_CHUNK_MAX);
	}
}

void ct_file_finish(struct ct_file *file, enum ct_finish how)
{
	int saved = errno;

	if (!file->header)
		return;
	__atomic_store_n(&file->header->finish, (uint32_t)how, __ATOMIC_RELAXED);
	__atomic_store_n(&file->header->finish_ns, ct_clock_ns(CLOCK_MONOTONIC), __ATOMIC_RELEASE);
	give_back_spares(file);
	errno = saved;
}

void ct_file_prepare(struct ct_file *file)
{
	void *chunk;

	if (!file->header || !__atomic_load_n(&file->spares_wanted, __ATOMIC_RELAXED))
		return;
	for (int i = 0; i < CT_SPARES; i++) {
		if (__atomic_load_n(&file->spares[i], __ATOMIC_RELAXED))
			continue;
		chunk = ct_file_claim(file, CT_CHUNK_MAX);
		if (!chunk)
			return;
		__atomic_store_n(&file->spares[i], chunk, __ATOMIC_RELEASE); /* nobody else puts any */
	}
}

/* A chunk of CT_CHUNK_MAX: one made beforehand, if there is any. */
static void *claim_large(struct ct_file *file)
{
	void *chunk = take_from(file->spares, CT_SPARES);

	__atomic_store_n(&file->spares_wanted, 1, __ATOMIC_RELAXED);
	if (file->ring)
		file->ring();
	return chunk ? chunk : ct_file_claim(file, CT_CHUNK_MAX);
}

void *ct_file_take_remnant(struct ct_file *file)
{
	return take_from(file->remnants, CT_REMNANTS);
}

/* Say whose records follow. The caller has made sure there is a slot for it. */
static void write_thread(struct ct_writer *writer)
{
	struct ct_thread_record *record = (void *)(writer->chunk + writer->used);

	writer->used += CT_SLOT_BYTES;
	record->tid = writer->tid;
	record->seen_ns = ct_clock_ns(CLOCK_MONOTONIC);
	memcpy(record->name, writer->name, sizeof(record->name));
	ct_writer_commit(record, CT_RECORD_THREAD, CT_SLOT_BYTES);
}

static bool adopt_remnant(struct ct_writer *writer)
{
	uint8_t *chunk = ct_file_take_remnant(writer->file);

	if (!chunk)
		return false;
	writer->chunk = chunk;
	writer->chunk_bytes = ((struct ct_chunk_header *)(void *)chunk)->bytes;
	writer->used = first_free(chunk, writer->chunk_bytes);
	/* a reservation that was never committed may have left its bytes */
	ct_writer_wipe(chunk + writer->used, writer->chunk_bytes - writer->used);
	writer->failed = false;
	return true;
}

/* Each new chunk of a busy thread is twice as large, so that mapping stays rare. */
static bool next_chunk(struct ct_writer *writer)
{
	uint32_t bytes = writer->chunk_bytes ? writer->chunk_bytes * 2 : CT_CHUNK_UNIT;

	if (writer->failed &&
	    ++writer->retry % (writer->file->flight.full ? RETRY_FLIGHT : RETRY_RECORDS))
		return false;
	if (writer->chunk)
		ct_flight_retire(writer->file, writer->chunk);
	else if (adopt_remnant(writer))
		return true;
	if (bytes > writer->file->chunk_max)
		bytes = writer->file->chunk_max;
	writer->chunk = bytes >= CT_CHUNK_MAX ? claim_large(writer->file)
					      : ct_file_claim(writer->file, bytes);
	if (!writer->chunk) /* the last of a limit or a disk may still hold a small one */
		writer->chunk = ct_file_claim(writer->file, CT_CHUNK_UNIT);
	if (!writer->chunk) /* and what was made beforehand holds any */
		writer->chunk = take_from(writer->file->spares, CT_SPARES);
	writer->failed = !writer->chunk;
	if (writer->failed)
		return false;
	writer->chunk_bytes = ((struct ct_chunk_header *)(void *)writer->chunk)->bytes;
	writer->used = CT_SLOT_BYTES;
	return true;
}

/* Room for a THREAD record and `bytes` more in the chunk to come. */
static bool refill(struct ct_writer *writer, uint32_t bytes)
{
	int saved = errno, cancel;
	bool got;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	do
		got = next_chunk(writer);
	while (got && writer->chunk_bytes - writer->used < bytes + CT_SLOT_BYTES);
	if (got)
		write_thread(writer);
	pthread_setcancelstate(cancel, NULL);
	errno = saved;
	return got;
}

void *ct_writer_reserve(struct ct_writer *writer, uint32_t bytes)
{
	void *record;

	if (!writer->file || !writer->file->header)
		return NULL;
	bytes = (bytes + CT_SLOT_BYTES - 1) / CT_SLOT_BYTES * CT_SLOT_BYTES;
	if (bytes > CT_CHUNK_UNIT - 2 * CT_SLOT_BYTES ||
	    ((!writer->chunk || writer->chunk_bytes - writer->used < bytes) &&
	     !refill(writer, bytes))) {
		ct_file_lose(writer->file, CT_LOSS_SPACE, 1);
		return NULL;
	}
	record = writer->chunk + writer->used;
	writer->used += bytes;
	return record;
}

void ct_writer_commit(void *record, enum ct_record_type type, uint32_t bytes)
{
	uint32_t slots = (bytes + CT_SLOT_BYTES - 1) / CT_SLOT_BYTES;

	__atomic_store_n((uint32_t *)record, CT_COMMIT(type, slots), __ATOMIC_RELEASE);
}

bool ct_writer_put_slowly(struct ct_writer *writer, enum ct_record_type type, const void *record)
{
	uint8_t *to = ct_writer_reserve(writer, CT_SLOT_BYTES);

	if (!to)
		return false;
	memcpy(to + sizeof(uint32_t), (const uint8_t *)record + sizeof(uint32_t),
	       CT_SLOT_BYTES - sizeof(uint32_t));
	ct_writer_commit(to, type, CT_SLOT_BYTES);
	return true;
}

void ct_writer_release(struct ct_writer *writer)
{
	uint8_t *chunk = writer->chunk;

	writer->chunk = NULL;
	if (!chunk)
		return;
	madvise(chunk, writer->chunk_bytes, MADV_DONTNEED); /* it stays in the file, not with us */
	if (!put_into(writer->file->remnants, CT_REMNANTS, chunk))
		ct_flight_retire(writer->file, chunk);
}
