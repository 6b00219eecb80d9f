/*
 * Runs one command and appends one line about it to a file:
 *
 *   measure -o FILE COMMAND [ARG...]
 *
 *   wall user sys maxrss exit     microseconds, microseconds, microseconds, KiB, exit status
 *
 * The command keeps this program's streams, and its exit status is passed on (128 + n for a
 * signal). Peak memory is the kernel's figure for this one child (wait4), not a sample. This
 * program is small on purpose: the kernel counts what a child was before its exec.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long micros(struct timeval t)
{
    return t.tv_sec * 1000000LL + t.tv_usec;
}

int main(int argc, char **argv)
{
    struct timespec before, after;
    struct rusage usage;
    pid_t pid;
    int status, err;

    if (argc < 4 || strcmp(argv[1], "-o") != 0) {
        fprintf(stderr, "usage: measure -o FILE COMMAND [ARG...]\n");
        return 64;
    }
    clock_gettime(CLOCK_MONOTONIC, &before);
    err = posix_spawnp(&pid, argv[3], NULL, NULL, argv + 3, environ);
    if (err != 0) {
        fprintf(stderr, "measure: %s: %s\n", argv[3], strerror(err));
        return 127;
    }
    while (wait4(pid, &status, 0, &usage) < 0)
        if (errno != EINTR) {
            perror("measure: wait4");
            return 70;
        }
    clock_gettime(CLOCK_MONOTONIC, &after);

    long long wall = (after.tv_sec - before.tv_sec) * 1000000LL + (after.tv_nsec - before.tv_nsec) / 1000;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    FILE *out = fopen(argv[2], "a");
    if (out == NULL ||
        fprintf(out, "%lld %lld %lld %ld %d\n", wall, micros(usage.ru_utime),
                micros(usage.ru_stime), usage.ru_maxrss, code) < 0 ||
        fclose(out) != 0) {
        fprintf(stderr, "measure: %s: %s\n", argv[2], strerror(errno));
        return 74;
    }
    return code;
}
