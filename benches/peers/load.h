/* What the load generators have in common: thousands of DTLS clients behind one UDP socket, each with an address of
 * its own in 127.0.0.0/8 (IP_PKTINFO). A generator defines the functions below over some library.
 *
 * It reads one command a line: "full COUNT" connects so many more clients, "again COUNT" connects as many that resume
 * the sessions of the last full ones, "close" says goodbye for all. Each is answered with "done SENT RECEIVED", the UDP
 * payload bytes of the handshakes, or "failed WHY". It ends with its standard input. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DATAGRAM = 2048, WAVE = 128, QUEUE = 512, MOST = 1 << 20, FIRST = 127 << 24 | 64 << 16 | 1 };

/* What the command line says: ADDRESS PORT AUTH VERSION CERTIFICATE KEY CA. */
struct task {
    int mutual, psk, version; /* 12 or 13 */
    const char *certificate, *key, *ca;
};

static const unsigned char psk_key[16] = "benchmarks only!";
#define PSK_IDENTITY "bench"

/* What a generator defines. A session is what resumes: NULL for a full handshake. */
static void set_up(const struct task *task);
static void *client_new(void *session);
/* Takes in what `incoming` is, or just goes on: above zero once connected, below if it failed. */
static int client_step(void *client);
static int client_resumed(void *client);
static void *client_session(void *client);
static void client_expire(void *client);
/* Says goodbye if it got that far. */
static void client_end(void *client, int connected);
static void session_free(void *session);

static int udp;
static struct sockaddr_in server;
static unsigned long bytes_sent, bytes_received;

/* The datagram that is being read (NULL once it has been). */
static unsigned char *incoming;
static int incoming_len;
/* Whose turn it is. */
static unsigned current;

static struct client {
    void *connection;
    int connected;
} clients[MOST];
static unsigned first, end; /* those that live */
static void **sessions;
static unsigned session_count;

static void failed(const char *why, ...) {
    va_list arguments;
    va_start(arguments, why);
    printf("failed ");
    vprintf(why, arguments);
    printf("\n");
    exit(1);
}

/* Datagrams to be sent. They go out together once there is nothing left to read: what takes the clients' time is done
 * first, so that the server finds much at once and does not sleep in between, however fast it is. */
static struct outgoing {
    struct in_addr from;
    int len;
    unsigned char bytes[DATAGRAM];
} outgoing[QUEUE];
static int outgoing_count;

static void flush_outgoing(void) {
    for (int i = 0; i < outgoing_count; i++) {
        struct in_pktinfo info = {.ipi_spec_dst = outgoing[i].from};
        union {
            char room[CMSG_SPACE(sizeof info)];
            struct cmsghdr align;
        } control = {0};
        struct iovec slice = {outgoing[i].bytes, outgoing[i].len};
        struct msghdr message = {.msg_name = &server,
                                 .msg_namelen = sizeof server,
                                 .msg_iov = &slice,
                                 .msg_iovlen = 1,
                                 .msg_control = control.room,
                                 .msg_controllen = sizeof control.room};
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = IPPROTO_IP;
        header->cmsg_type = IP_PKTINFO;
        header->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(header), &info, sizeof info);
        if (sendmsg(udp, &message, 0) < 0)
            failed("sendmsg: %s", strerror(errno));
    }
    outgoing_count = 0;
}

/* Sends as the client whose turn it is. */
static void load_send(const void *bytes, int len) {
    if (outgoing_count == QUEUE)
        flush_outgoing();
    if (len > DATAGRAM)
        failed("a datagram of %d bytes", len);
    struct outgoing *next = &outgoing[outgoing_count++];
    next->from.s_addr = htonl(FIRST + current);
    next->len = len;
    memcpy(next->bytes, bytes, len);
    bytes_sent += len;
}

/* Waits for a datagram, and says whose it is; zero if none comes for so long. It looks again after a nap instead of
 * waiting in the kernel, so that no server pays for waking it. */
static int load_receive(int patience_ms) {
    static unsigned char in[DATAGRAM];
    char room[256];
    struct iovec slice = {in, sizeof in};
    for (int naps = 0;;) {
        struct msghdr message = {
            .msg_iov = &slice, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
        int n = recvmsg(udp, &message, MSG_DONTWAIT);
        if (n < 0) {
            flush_outgoing();
            if (naps++ >= patience_ms * 5)
                return 0;
            nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
            continue;
        }
        for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
            if (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
                struct in_pktinfo info;
                memcpy(&info, CMSG_DATA(header), sizeof info);
                current = ntohl(info.ipi_addr.s_addr) - FIRST;
            }
        incoming = in;
        incoming_len = n;
        bytes_received += n;
        return 1;
    }
}

static void connect_clients(unsigned count, int resume) {
    unsigned begin = end, goal = end + count, under_way = 0;
    if (goal > MOST || (resume && session_count < count))
        failed("too many clients, or too few sessions");
    for (unsigned quiet = 0;;) {
        for (; under_way < WAVE && end < goal; under_way++) {
            current = end++;
            incoming = NULL;
            clients[current].connection = client_new(resume ? sessions[current - begin] : NULL);
            if (client_step(clients[current].connection) < 0)
                failed("a client did not start");
        }
        if (!load_receive(under_way ? 500 : 20)) {
            /* What comes behind a handshake (tickets, acknowledgements) has been read by now. */
            if (!under_way)
                break;
            if (++quiet == 20)
                failed("%u handshakes stopped", under_way);
            for (current = begin; current < end; current++)
                if (!clients[current].connected)
                    client_expire(clients[current].connection);
            continue;
        }
        quiet = 0;
        if (current < first || current >= end)
            continue;
        struct client *client = &clients[current];
        int outcome = client_step(client->connection);
        if (outcome < 0)
            failed("handshake of client %u", current);
        if (outcome > 0 && !client->connected) {
            if (resume && !client_resumed(client->connection))
                failed("client %u did not resume", current);
            client->connected = 1;
            under_way--;
        }
    }
    if (!resume) {
        while (session_count > 0)
            session_free(sessions[--session_count]);
        sessions = realloc(sessions, count * sizeof *sessions);
        for (unsigned i = begin; i < end; i++)
            sessions[session_count++] = client_session(clients[i].connection);
    }
}

static void close_clients(void) {
    for (current = first; current < end; current++) {
        incoming = NULL;
        client_end(clients[current].connection, clients[current].connected);
        clients[current] = (struct client){0};
    }
    first = end;
    /* Addresses are used again once all have been. */
    if (end > MOST / 2)
        first = end = 0;
    while (load_receive(20))
        ;
}

int main(int argc, char **argv) {
    if (argc != 8)
        failed("usage: ADDRESS PORT psk|cert|mutual 12|13 CERTIFICATE KEY CA");
    struct task task = {.mutual = strcmp(argv[3], "mutual") == 0,
                        .psk = strcmp(argv[3], "psk") == 0,
                        .version = atoi(argv[4]),
                        .certificate = argv[5],
                        .key = argv[6],
                        .ca = argv[7]};
    int size = 4 << 20, yes = 1;
    struct sockaddr_in any = {.sin_family = AF_INET};
    server = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    inet_aton(argv[1], &server.sin_addr);
    udp = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(udp, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes);
    if (bind(udp, (struct sockaddr *)&any, sizeof any) != 0)
        failed("bind: %s", strerror(errno));
    set_up(&task);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        bytes_sent = bytes_received = 0;
        if (strncmp(line, "full ", 5) == 0)
            connect_clients(atoi(line + 5), 0);
        else if (strncmp(line, "again ", 6) == 0)
            connect_clients(atoi(line + 6), 1);
        else
            close_clients();
        printf("done %lu %lu\n", bytes_sent, bytes_received);
        fflush(stdout);
    }
    return 0;
}
