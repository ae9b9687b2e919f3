/* Preloaded into every server that is measured: while it is switched on, it counts the system calls that wait for,
 * receive and send datagrams, and the CPU time that passes in them. What is left of the server's CPU time passes in its
 * own code. Off, it only passes calls on.
 *
 * The counters are in the file that SEDGE_BENCH_METER names, where the benchmark reads them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct meter {
    atomic_ulong on, calls, received, sent, nanoseconds;
} none, *meter = &none;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("SEDGE_BENCH_METER");
    int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *shared = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED)
        meter = shared;
    close(file);
}

static unsigned long cpu_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000ul + now.tv_nsec;
}

static long metered(atomic_ulong *datagrams, int batch, long number, long a, long b, long c, long d, long e, long f) {
    if (!meter->on)
        return syscall(number, a, b, c, d, e, f);
    unsigned long start = cpu_time();
    long result = syscall(number, a, b, c, d, e, f);
    meter->nanoseconds += cpu_time() - start;
    meter->calls++;
    if (datagrams && result >= 0)
        *datagrams += batch ? result : 1;
    return result;
}

#define METERED(datagrams, batch, number, a, b, c, d, e, f) \
    metered(datagrams, batch, SYS_##number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout) {
    return METERED(&meter->received, 1, recvmmsg, fd, messages, count, flags, timeout, 0);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
    return METERED(&meter->sent, 1, sendmmsg, fd, messages, count, flags, 0, 0);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    return METERED(&meter->received, 0, recvmsg, fd, message, flags, 0, 0, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    return METERED(&meter->sent, 0, sendmsg, fd, message, flags, 0, 0, 0);
}

ssize_t recvfrom(int fd, void *restrict buffer, size_t size, int flags, __SOCKADDR_ARG from, socklen_t *restrict len) {
    return METERED(&meter->received, 0, recvfrom, fd, buffer, size, flags, from.__sockaddr__, len);
}

ssize_t sendto(int fd, const void *buffer, size_t size, int flags, __CONST_SOCKADDR_ARG to, socklen_t len) {
    return METERED(&meter->sent, 0, sendto, fd, buffer, size, flags, to.__sockaddr__, len);
}

int poll(struct pollfd *files, nfds_t count, int timeout) {
    return METERED(NULL, 0, poll, files, count, timeout, 0, 0, 0);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout) {
    return METERED(NULL, 0, epoll_wait, epoll, events, most, timeout, 0, 0);
}
