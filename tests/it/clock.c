/* A wall clock that is moved, for a program that is started with this in LD_PRELOAD. Only what is
 * asked of the wall clock is changed: the monotonic one, waiting, and the times of files stay true.
 *
 *   CLOCK_BY    so many seconds to either side
 *   CLOCK_RATE  from the program's start on, so many times as fast
 *   CLOCK_STEP  so many seconds more, or fewer, at each look
 *
 * Nothing is shared between programs and nothing is left behind: one that is killed spoils no later
 * one. A program that is started by the first goes by the same clock if it is given these variables. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000LL

static long long by, rate = 1, step, begun, looks;

static long long asked(const char *name, long long otherwise) {
    const char *value = getenv(name);
    return value ? atoll(value) : otherwise;
}

/* Past the C library, whose function is the one that is replaced here. */
static int true_time(clockid_t clock, struct timespec *at) {
    return (int)syscall(SYS_clock_gettime, clock, at);
}

__attribute__((constructor)) static void begin(void) {
    struct timespec now;
    true_time(CLOCK_REALTIME, &now);
    begun = now.tv_sec * SECOND + now.tv_nsec;
    by = asked("CLOCK_BY", 0);
    rate = asked("CLOCK_RATE", 1);
    step = asked("CLOCK_STEP", 0);
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    int answer = true_time(clock, at);
    if (answer != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
        return answer;
    if (rate != 1) {
        long long since = at->tv_sec * SECOND + at->tv_nsec - begun;
        long long moved = begun + since * rate;
        at->tv_sec = moved / SECOND;
        at->tv_nsec = moved % SECOND;
    }
    at->tv_sec += by;
    if (step != 0)
        at->tv_sec += step * __atomic_add_fetch(&looks, 1, __ATOMIC_RELAXED);
    return 0;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return (time_t)-1;
    if (at)
        *at = now.tv_sec;
    return now.tv_sec;
}
