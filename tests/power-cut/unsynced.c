/* A disk that loses what was not synced.
 *
 * Preloaded into a process, this layer keeps a second copy of one folder: what would be on the disk if the power went
 * now. The process itself works on the folder as ever; what it does there reaches the copy
 *
 *     data of a file         with fsync or fdatasync of that file; by chance earlier, sector by sector in any order
 *     names and truncations  in the order in which they were made, as a journalling file system keeps them: with the
 *                            next fsync, with an fdatasync that needs one of them, or by chance earlier
 *
 * so that a power cut is: SIGKILL, then the copy takes the folder's place. The copy is a possible state of a disk at
 * every instant: a call that promises something returns only when the copy holds it, and a kill in the middle of
 * that is a torn sync. After a clean exit the copy is complete, as after a clean shutdown.
 *
 *     UNSYNCED_FOLDER   the folder, absolute
 *     UNSYNCED_DURABLE  the copy; equal to the folder when the process starts
 *     UNSYNCED_SEED     decides what reaches the copy early, and how long a sync takes
 *
 * It interposes the calls that the node, its vote log and RocksDB make (found with strace). A call that writes and is
 * not here would leave the copy incomplete after a clean exit, which the test of this layer compares byte by byte. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* What a disk writes whole or not at all. */
#define SECTOR 512
/* The most sectors that reach the copy or stay away together. */
#define MAX_CHUNK 32
/* The longest that a sync waits between its two halves. */
#define MAX_SYNC_MICROSECONDS 1500
/* One in so many writes reaches the copy in part at once; one in so many calls commits some names early. */
#define EARLY_DATA 4
#define EARLY_NAMES 8

struct file {
    dev_t device;
    ino_t inode;
    /* The process's file, held open so that its number is not given away, and the copy's: -1 until it is created. */
    int real, durable;
    /* Names and truncations of this file that have not reached the copy. */
    int queued;
    /* One bit for each sector that the copy lacks. */
    uint8_t *dirty;
    size_t dirty_bytes;
    struct file *next;
};

enum kind { CREATE, TRUNCATE, RENAME, UNLINK, MKDIR, RMDIR };

struct change {
    enum kind kind;
    struct file *file;
    off_t length;
    char *path, *to;
    struct change *next;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *folder, *durable_folder;
static size_t folder_length;
static uint64_t random_state;
static struct file *files;
static struct change *journal, **journal_end = &journal;

static void start(void) {
    const char *seed = getenv("UNSYNCED_SEED");
    folder = getenv("UNSYNCED_FOLDER");
    durable_folder = getenv("UNSYNCED_DURABLE");
    if (!folder || !durable_folder || !seed) abort();
    folder_length = strlen(folder);
    random_state = strtoull(seed, NULL, 10) * 0x9E3779B97F4A7C15u + 1;
}

static void lock(void) {
    pthread_once(&once, start);
    pthread_mutex_lock(&mutex);
}

static void unlock(void) { pthread_mutex_unlock(&mutex); }

/* The layer itself failed: better no result than a wrong one. */
static void die(const char *what, const char *path) {
    dprintf(2, "unsynced: cannot %s %s: %s\n", what, path, strerror(errno));
    abort();
}

/* xorshift64*: below `bound`. */
static uint32_t draw(uint32_t bound) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (uint32_t)((random_state * 0x2545F4914F6CDD1Du) >> 33) % bound;
}

/* The path within the folder, or NULL for one that is elsewhere. `out` holds PATH_MAX bytes. */
static const char *inside(int directory, const char *path, char *out) {
    pthread_once(&once, start);
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
    } else {
        char link[64], base[PATH_MAX];
        if (directory == AT_FDCWD) snprintf(link, sizeof link, "/proc/self/cwd");
        else snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0) return NULL;
        base[length] = 0;
        if ((size_t)snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return NULL;
    }
    if (strncmp(out, folder, folder_length) != 0 || out[folder_length] != '/') return NULL;
    return out + folder_length + 1;
}

static char *durable_path(const char *path, char *out) {
    snprintf(out, PATH_MAX, "%s/%s", durable_folder, path);
    return out;
}

static off_t size_of(int descriptor) {
    struct stat status;
    return fstat(descriptor, &status) == 0 ? status.st_size : 0;
}

/* The known file behind a descriptor, whichever way the process came by it. */
static struct file *find(int descriptor) {
    struct stat status;
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return NULL;
    struct file *file = files;
    while (file && (file->inode != status.st_ino || file->device != status.st_dev)) file = file->next;
    return file;
}

static void mark(struct file *file, off_t from, size_t length) {
    if (length == 0) return;
    size_t last = (size_t)(from + (off_t)length - 1) / SECTOR;
    if (last / 8 >= file->dirty_bytes) {
        size_t bytes = (last / 8 + 1) * 2;
        file->dirty = realloc(file->dirty, bytes);
        if (!file->dirty) die("remember", "a write");
        memset(file->dirty + file->dirty_bytes, 0, bytes - file->dirty_bytes);
        file->dirty_bytes = bytes;
    }
    for (size_t at = (size_t)from / SECTOR; at <= last; at++) file->dirty[at / 8] |= (uint8_t)(1 << at % 8);
}

static bool is_dirty(struct file *file, size_t at) {
    return at / 8 < file->dirty_bytes && (file->dirty[at / 8] >> at % 8 & 1);
}

/* Lets dirty sectors reach the copy, in chunks of drawn length: all of them, or each chunk with even odds. */
static void write_back(struct file *file, bool all) {
    char buffer[MAX_CHUNK * SECTOR];
    for (size_t at = 0; at < file->dirty_bytes * 8; at++) {
        if (at % 8 == 0 && file->dirty[at / 8] == 0) {
            at += 7;
            continue;
        }
        if (!is_dirty(file, at)) continue;
        size_t length = 1, most = 1 + draw(MAX_CHUNK);
        while (length < most && is_dirty(file, at + length)) length++;
        if (all || draw(2)) {
            off_t from = (off_t)at * SECTOR;
            ssize_t got = pread(file->real, buffer, length * SECTOR, from);
            if (got < 0 || syscall(SYS_pwrite64, file->durable, buffer, got, from) != got) die("copy", "sectors");
            for (size_t i = at; i < at + length; i++) file->dirty[i / 8] &= (uint8_t) ~(1 << i % 8);
        }
        at += length - 1;
    }
}

static void queue(enum kind kind, struct file *file, off_t length, const char *path, const char *to) {
    struct change *change = malloc(sizeof *change);
    if (!change) die("remember", path);
    *change = (struct change){kind, file, length, strdup(path), to ? strdup(to) : NULL, NULL};
    if (file) file->queued++;
    *journal_end = change;
    journal_end = &change->next;
}

static int apply(struct change *change) {
    char path[PATH_MAX], to[PATH_MAX];
    durable_path(change->path, path);
    switch (change->kind) {
    case CREATE:
        change->file->durable = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        return change->file->durable;
    case TRUNCATE:
        if (size_of(change->file->durable) <= change->length) return 0;
        return (int)syscall(SYS_ftruncate, change->file->durable, change->length);
    case RENAME: return (int)syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, durable_path(change->to, to), 0);
    case UNLINK: return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    case MKDIR: return (int)syscall(SYS_mkdirat, AT_FDCWD, path, 0755);
    case RMDIR: return (int)syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
    }
    return -1;
}

/* Forgets files that have no name any more and whose changes have all reached the copy. */
static void forget_unlinked(void) {
    for (struct file **link = &files; *link;) {
        struct file *file = *link;
        struct stat status;
        if (file->queued == 0 && fstat(file->real, &status) == 0 && status.st_nlink == 0) {
            *link = file->next;
            close(file->real);
            close(file->durable);
            free(file->dirty);
            free(file);
        } else {
            link = &file->next;
        }
    }
}

/* Lets the oldest `count` names and truncations reach the copy. */
static void commit(size_t count) {
    bool unlinked = false;
    for (; journal && count > 0; count--) {
        struct change *change = journal;
        if (apply(change) < 0) die("repeat a change of", change->path);
        unlinked |= change->kind == UNLINK || change->kind == RENAME;
        if (change->file) change->file->queued--;
        journal = change->next;
        if (!journal) journal_end = &journal;
        free(change->path);
        free(change->to);
        free(change);
    }
    if (unlinked) forget_unlinked();
}

static void commit_by_chance(void) {
    if (draw(EARLY_NAMES) == 0) commit(1 + draw(3));
}

static struct file *adopt(int descriptor, const char *whole, const char *path, bool created) {
    struct file *file = find(descriptor);
    if (file) return file;
    struct stat status;
    file = calloc(1, sizeof *file);
    if (!file || fstat(descriptor, &status) != 0) die("remember", path);
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->durable = -1;
    file->real = (int)syscall(SYS_openat, AT_FDCWD, whole, O_RDONLY | O_CLOEXEC);
    if (file->real < 0) die("open", whole);
    file->next = files;
    files = file;
    if (created) {
        queue(CREATE, file, 0, path, NULL);
    } else {
        char durable[PATH_MAX];
        /* It may have its name from a change that has not reached the copy. */
        commit(SIZE_MAX);
        file->durable = (int)syscall(SYS_openat, AT_FDCWD, durable_path(path, durable), O_RDWR | O_CLOEXEC);
        if (file->durable < 0) die("open", durable);
    }
    return file;
}

static int open_file(int directory, const char *given, int flags, mode_t mode) {
    char whole[PATH_MAX];
    const char *path = inside(directory, given, whole);
    bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
    if (!path || !writes) return (int)syscall(SYS_openat, directory, given, flags, mode);
    lock();
    bool existed = faccessat(AT_FDCWD, whole, F_OK, 0) == 0;
    /* Truncated by hand, so that a file that is adopted just now is compared with what it was. */
    int descriptor = (int)syscall(SYS_openat, directory, given, flags & ~O_TRUNC, mode);
    if (descriptor >= 0) {
        struct file *file = adopt(descriptor, whole, path, !existed);
        if (existed && (flags & O_TRUNC)) {
            syscall(SYS_ftruncate, descriptor, 0);
            queue(TRUNCATE, file, 0, path, NULL);
        }
        commit_by_chance();
    }
    int error = errno;
    unlock();
    errno = error;
    return descriptor;
}

#define MODE_OF(flags)                                                                                                 \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & O_CREAT) {                                                                             \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        mode = va_arg(list, mode_t);                                                                                   \
        va_end(list);                                                                                                  \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_file(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_file(AT_FDCWD, path, flags, mode);
}
int openat(int directory, const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_file(directory, path, flags, mode);
}
int openat64(int directory, const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_file(directory, path, flags, mode);
}
int creat(const char *path, mode_t mode) { return open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }

/* `written` bytes that end at `end`, or at the descriptor's position when that is negative. */
static ssize_t wrote(int descriptor, ssize_t written, off_t end) {
    int error = errno;
    struct stat status;
    if (written > 0 && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
        lock();
        struct file *file = find(descriptor);
        if (file) {
            if (end < 0) end = lseek(descriptor, 0, SEEK_CUR);
            mark(file, end - written, (size_t)written);
            if (file->queued == 0 && draw(EARLY_DATA) == 0) write_back(file, false);
            commit_by_chance();
        }
        unlock();
    }
    errno = error;
    return written;
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
    return wrote(descriptor, syscall(SYS_write, descriptor, bytes, length), -1);
}
ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    return wrote(descriptor, syscall(SYS_writev, descriptor, parts, count), -1);
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off64_t offset) {
    ssize_t written = syscall(SYS_pwrite64, descriptor, bytes, length, offset);
    return wrote(descriptor, written, written < 0 ? 0 : offset + written);
}
ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset) {
    return pwrite64(descriptor, bytes, length, offset);
}

int ftruncate64(int descriptor, off64_t length) {
    lock();
    off_t before = size_of(descriptor);
    int result = (int)syscall(SYS_ftruncate, descriptor, length);
    int error = errno;
    struct file *file = result == 0 ? find(descriptor) : NULL;
    /* A file that grew has its size in the copy with its next sync. */
    if (file && length < before) queue(TRUNCATE, file, length, "a file", NULL);
    unlock();
    errno = error;
    return result;
}
int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

/* A sync: in two halves, with time between them in which the power may go. */
static int sync_file(int descriptor, bool data_only, long call) {
    char link[64], whole[PATH_MAX];
    lock();
    struct file *file = find(descriptor);
    if (!file) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
        ssize_t length = readlink(link, whole, sizeof whole - 1);
        whole[length < 0 ? 0 : length] = 0;
        bool ours = strncmp(whole, folder, folder_length) == 0 && strchr("/", whole[folder_length]);
        if (ours) commit(SIZE_MAX);
        unlock();
        return ours ? 0 : (int)syscall(call, descriptor);
    }
    off_t size = size_of(descriptor);
    if (!data_only || file->queued > 0 || size_of(file->durable) < size) commit(SIZE_MAX);
    /* Looked for again each time: a commit forgets a file that has lost its name, and it needs no sync. */
    if ((file = find(descriptor))) write_back(file, false);
    useconds_t pause = draw(MAX_SYNC_MICROSECONDS);
    unlock();
    usleep(pause);
    lock();
    /* Truncated in the meantime: that goes first. */
    if ((file = find(descriptor)) && file->queued > 0) commit(SIZE_MAX);
    if ((file = find(descriptor))) {
        write_back(file, true);
        if (size_of(file->durable) < size && size_of(descriptor) >= size) syscall(SYS_ftruncate, file->durable, size);
    }
    unlock();
    return 0;
}

int fsync(int descriptor) { return sync_file(descriptor, false, SYS_fsync); }
int fdatasync(int descriptor) { return sync_file(descriptor, true, SYS_fdatasync); }
/* It promises nothing about a power cut; what it starts is among what happens early by chance. */
int sync_file_range(int descriptor, off64_t from, off64_t length, unsigned flags) {
    (void)descriptor, (void)from, (void)length, (void)flags;
    return 0;
}

int rename(const char *from, const char *to) {
    char whole_from[PATH_MAX], whole_to[PATH_MAX];
    const char *inner = inside(AT_FDCWD, from, whole_from), *inner_to = inside(AT_FDCWD, to, whole_to);
    if (!inner && !inner_to) return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (!inner || !inner_to) die("follow a rename across the folder's edge of", from);
    lock();
    int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    int error = errno;
    if (result == 0) {
        queue(RENAME, NULL, 0, inner, inner_to);
        commit_by_chance();
    }
    unlock();
    errno = error;
    return result;
}

/* Makes or removes a name. */
static int change_name(enum kind kind, int directory, const char *given, int argument) {
    char whole[PATH_MAX];
    const char *path = inside(directory, given, whole);
    lock();
    int result = (int)syscall(kind == MKDIR ? SYS_mkdirat : SYS_unlinkat, directory, given, argument);
    int error = errno;
    if (path && result == 0) {
        queue(kind, NULL, 0, path, NULL);
        commit_by_chance();
    }
    unlock();
    errno = error;
    return result;
}

int unlink(const char *path) { return change_name(UNLINK, AT_FDCWD, path, 0); }
int rmdir(const char *path) { return change_name(RMDIR, AT_FDCWD, path, AT_REMOVEDIR); }
int mkdir(const char *path, mode_t mode) { return change_name(MKDIR, AT_FDCWD, path, (int)mode); }
int unlinkat(int directory, const char *path, int flags) {
    return change_name(flags & AT_REMOVEDIR ? RMDIR : UNLINK, directory, path, flags);
}

/* A clean exit: the system writes everything back in its time. */
__attribute__((destructor)) static void write_everything(void) {
    lock();
    commit(SIZE_MAX);
    for (struct file *file = files; file; file = file->next) {
        write_back(file, true);
        if (size_of(file->durable) < size_of(file->real)) syscall(SYS_ftruncate, file->durable, size_of(file->real));
    }
    unlock();
}
