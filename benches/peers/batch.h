/* What the peers' servers have in common: one UDP socket, datagrams in and out by recvmmsg and sendmmsg as the
 * contender has it, peers found in a hash table by address. A server defines `datagram`, which is called with each
 * datagram, sets itself up in `set_up`, and sends with `batch_send`.
 *
 * Its command line: psk|cert|mutual full|resume 12|13 CERTIFICATE KEY CA. Without one it is psk full 12. It prints
 * "ready ADDRESS" and ends with its standard input. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, DATAGRAM = 1500, BUCKETS = 1 << 18 };

struct peer {
    void *connection;
    struct sockaddr_in address;
    struct peer *next;
};

static const unsigned char key[16] = "benchmarks only!";

/* How clients authenticate, whether sessions are resumed, and the version. The files are PEM. */
struct task {
    int psk, mutual, resume, version; /* 12 or 13 */
    const char *certificate, *key, *ca;
};

static void set_up(const struct task *task);
static void datagram(void);

static int udp;
static struct peer *buckets[BUCKETS];

/* The datagram that is being read (NULL once it has been), and whose it is. */
static unsigned char *incoming;
static int incoming_len;
static struct sockaddr_in current;

/* Datagrams to be sent together. */
static unsigned char out[BATCH][DATAGRAM];
static struct sockaddr_in out_to[BATCH];
static struct iovec out_iov[BATCH];
static struct mmsghdr out_msg[BATCH];
static int out_count;

static void batch_flush(void) {
    for (int sent = 0; sent < out_count;) {
        int n = sendmmsg(udp, out_msg + sent, out_count - sent, 0);
        if (n < 0) {
            perror("sendmmsg");
            exit(1);
        }
        sent += n;
    }
    out_count = 0;
}

/* Sends to whom the datagram at hand came from. */
static void batch_send(const void *bytes, int len) {
    if (out_count == BATCH)
        batch_flush();
    memcpy(out[out_count], bytes, len);
    out_iov[out_count].iov_len = len;
    out_to[out_count++] = current;
}

/* The place in the table where the current peer is, or would be. */
static struct peer **find(void) {
    unsigned hash = (ntohl(current.sin_addr.s_addr) ^ (unsigned)ntohs(current.sin_port) << 16) * 2654435761u;
    struct peer **place = &buckets[hash % BUCKETS];
    while (*place && ((*place)->address.sin_addr.s_addr != current.sin_addr.s_addr ||
                      (*place)->address.sin_port != current.sin_port))
        place = &(*place)->next;
    return place;
}

static struct peer *add(struct peer **place, void *connection) {
    *place = calloc(1, sizeof **place);
    (*place)->connection = connection;
    (*place)->address = current;
    return *place;
}

static void forget(struct peer **place) {
    struct peer *peer = *place;
    *place = peer->next;
    free(peer);
}

int main(int argc, char **argv) {
    struct task task = {.psk = 1, .version = 12};
    if (argc == 7)
        task = (struct task){.psk = strcmp(argv[1], "psk") == 0,
                             .mutual = strcmp(argv[1], "mutual") == 0,
                             .resume = strcmp(argv[2], "resume") == 0,
                             .version = atoi(argv[3]),
                             .certificate = argv[4],
                             .key = argv[5],
                             .ca = argv[6]};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_len = sizeof address;
    int size = 4 << 20;
    udp = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(udp, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (bind(udp, (struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(udp, (struct sockaddr *)&address, &address_len) != 0) {
        perror("bind");
        return 1;
    }
    for (int i = 0; i < BATCH; i++) {
        out_iov[i].iov_base = out[i];
        out_msg[i].msg_hdr.msg_iov = &out_iov[i];
        out_msg[i].msg_hdr.msg_iovlen = 1;
        out_msg[i].msg_hdr.msg_name = &out_to[i];
        out_msg[i].msg_hdr.msg_namelen = sizeof out_to[i];
    }
    set_up(&task);
    printf("ready 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);

    static unsigned char in[BATCH][DATAGRAM];
    static struct sockaddr_in from[BATCH];
    static struct iovec iov[BATCH];
    static struct mmsghdr msg[BATCH];
    for (;;) {
        struct pollfd wait[2] = {{.fd = udp, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        for (int i = 0; i < BATCH; i++) {
            iov[i] = (struct iovec){in[i], DATAGRAM};
            msg[i].msg_hdr = (struct msghdr){
                .msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &iov[i], .msg_iovlen = 1};
        }
        int n = recvmmsg(udp, msg, BATCH, MSG_DONTWAIT, NULL);
        if (n < 0) {
            char ignored[16];
            if (poll(wait, 2, -1) < 0 || (wait[1].revents && read(0, ignored, sizeof ignored) <= 0))
                return 0;
            continue;
        }
        for (int i = 0; i < n; i++) {
            incoming = in[i];
            incoming_len = msg[i].msg_len;
            current = from[i];
            datagram();
            incoming = NULL;
        }
        batch_flush();
    }
}
