/*
 * Makes a fleet of foundation cells to measure on, the same one every time.
 *
 *   fleet make DIR N       N cells in DIR, which must not exist yet
 *   fleet refresh DIR N    gives the healthy cells of that fleet the present time again
 *
 * Of every hundred cells 90 are healthy, 5 stale (silent for a day), 3 incomplete (logs, artifacts
 * or worktree missing) and 2 uninitialized (no heartbeat). Which is which follows from the number
 * of the cell alone.
 * Both commands print how many there are of each, as walker does.
 *
 * A heartbeat counts as fresh for 180 s: measure soon after `make` or `refresh`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *const subdirs[] = {"meta", "config", "state", "logs", "artifacts", "worktree"};
enum { SUBDIRS = sizeof subdirs / sizeof *subdirs };

/* 2026-01-01T00:00:00Z: when every mission of the fleet began. */
#define CREATED 1767225600L
#define DAY 86400.0

enum class { HEALTHY, STALE, INCOMPLETE, UNINITIALIZED, CLASSES };

/* 37 and 100 have no common factor: every hundred cells have all hundred ranks, well mixed. */
static enum class class_of(unsigned long i)
{
    unsigned rank = (unsigned)(i * 37 % 100);
    return rank < 90 ? HEALTHY : rank < 95 ? STALE : rank < 98 ? INCOMPLETE : UNINITIALIZED;
}

static void die(const char *what, const char *object)
{
    fprintf(stderr, "fleet: cannot %s %s: %s\n", what, object, strerror(errno));
    exit(74);
}

static void make_dir(int at, const char *path)
{
    if (mkdirat(at, path, 0755) != 0)
        die("make directory", path);
}

static void write_file(int at, const char *path, const char *text, int len)
{
    int fd = openat(at, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        die("create", path);
    if (write(fd, text, (size_t)len) != len)
        die("write", path);
    if (close(fd) != 0)
        die("close", path);
}

static void heartbeat(int cell, const char *id, unsigned long i, double timestamp)
{
    char text[512];
    int len = snprintf(text, sizeof text,
                       "{\"mission_id\": \"%s\", \"timestamp\": %.6f, \"status\": \"thinking\", "
                       "\"pid\": %lu, \"cycle\": %lu, \"model\": \"local/reference-model-%lu\"}\n",
                       id, timestamp, 2 + i % 30000, i % 977, i % 7);
    write_file(cell, "state/heartbeat.json", text, len);
}

static void name_of(char *name, size_t size, unsigned long i)
{
    snprintf(name, size, "mission-%06lu", i);
}

static void make_cell(int root, unsigned long i, double now)
{
    char id[64], text[512];
    int len;
    enum class class = class_of(i);
    /* One of the last three, in turn: the first three hold files of this fleet. */
    unsigned missing = class == INCOMPLETE ? 3 + (unsigned)(i % 3) : SUBDIRS;

    name_of(id, sizeof id, i);
    make_dir(root, id);
    int cell = openat(root, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cell < 0)
        die("open", id);
    for (unsigned d = 0; d < SUBDIRS; d++)
        if (d != missing)
            make_dir(cell, subdirs[d]);

    len = snprintf(text, sizeof text,
                   "{\"mission_id\": \"%s\", \"created_at\": %ld, \"status\": \"bootstrapped\"}\n",
                   id, CREATED + (long)i);
    write_file(cell, "meta/mission.json", text, len);
    len = snprintf(text, sizeof text,
                   "{\"mission_id\": \"%s\", \"worktree\": \"worktree\", \"artifacts\": \"artifacts\", "
                   "\"heartbeat_file\": \"state/heartbeat.json\"}\n",
                   id);
    write_file(cell, "config/cell.json", text, len);
    if (strcmp(missing < SUBDIRS ? subdirs[missing] : "", "logs") != 0)
        write_file(cell, "logs/daemon.log", "", 0);
    if (class != UNINITIALIZED)
        heartbeat(cell, id, i, class == STALE ? now - DAY : now);
    close(cell);
}

static void refresh_cell(int root, unsigned long i, double now)
{
    char id[64];
    if (class_of(i) != HEALTHY)
        return;
    name_of(id, sizeof id, i);
    int cell = openat(root, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cell < 0)
        die("open", id);
    heartbeat(cell, id, i, now);
    close(cell);
}

int main(int argc, char **argv)
{
    char *end;
    unsigned long n, count[CLASSES] = {0};
    int make = argc == 4 && strcmp(argv[1], "make") == 0;

    if (argc != 4 || (!make && strcmp(argv[1], "refresh") != 0)) {
        fprintf(stderr, "usage: fleet make|refresh DIR N\n");
        return 64;
    }
    errno = 0;
    n = strtoul(argv[3], &end, 10);
    if (errno != 0 || *end != '\0' || n == 0 || n > 1000000) {
        fprintf(stderr, "fleet: %s: a number from 1 to 1000000 is needed\n", argv[3]);
        return 64;
    }
    umask(022);
    if (make)
        make_dir(AT_FDCWD, argv[2]);
    int root = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        die("open", argv[2]);

    for (unsigned long i = 0; i < n; i++) {
        /* The time of each cell's own write: of a large fleet the first must not be old already. */
        double now = (double)time(NULL);
        if (make)
            make_cell(root, i, now);
        else
            refresh_cell(root, i, now);
        count[class_of(i)]++;
    }
    printf("cells=%lu healthy=%lu stale=%lu incomplete=%lu uninitialized=%lu\n", n, count[HEALTHY],
           count[STALE], count[INCOMPLETE], count[UNINITIALIZED]);
    return 0;
}
