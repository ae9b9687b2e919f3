/* The command line, the socket and the line protocol of the peers over C libraries. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct task task;
struct link link_ = { .socket = -1 };
static int established;

void fail(const char *what, const char *why)
{
    printf("failed %s: %s\n", what, why);
    exit(1);
}

static int unhex(const char *text, unsigned char *into, size_t room, size_t *length)
{
    size_t digits = strlen(text);
    if (digits % 2 != 0 || digits / 2 > room) {
        return -1;
    }
    for (size_t at = 0; at < digits; at += 2) {
        unsigned value;
        if (sscanf(text + at, "%2x", &value) != 1) {
            return -1;
        }
        into[at / 2] = (unsigned char) value;
    }
    *length = digits / 2;
    return 0;
}

static void print_hex(const unsigned char *bytes, size_t length)
{
    for (size_t at = 0; at < length; at++) {
        printf("%02x", bytes[at]);
    }
}

size_t read_file(const char *path, unsigned char *into, size_t room)
{
    FILE *file = path == NULL ? NULL : fopen(path, "rb");
    if (file == NULL) {
        fail("file", path == NULL ? "not given" : path);
    }
    size_t length = fread(into, 1, room - 1, file);
    fclose(file);
    into[length] = '\0';
    return length;
}

size_t read_pem(const char *path, unsigned char *into, size_t room)
{
    unsigned char text[MAX_FILE];
    read_file(path, text, sizeof text);
    const char *at = strchr((const char *) text, '\n');
    const char *end = strstr((const char *) text, "-----END");
    size_t length = 0;
    unsigned bits = 0, have = 0;
    for (; at != NULL && end != NULL && at < end; at++) {
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *digit = *at == '\n' || *at == '=' ? NULL : strchr(digits, *at);
        if (digit == NULL) {
            continue;
        }
        bits = bits << 6 | (unsigned) (digit - digits);
        have += 6;
        if (have >= 8 && length < room) {
            have -= 8;
            into[length++] = (unsigned char) (bits >> have);
        }
    }
    if (length == 0) {
        fail("PEM", path);
    }
    return length;
}

void print_connected(const char *suite, const char *group, const unsigned char *cid, size_t cid_length, int resumed)
{
    established = 1;
    printf("connected version=1.%d suite=%s group=%s cid=", task.version - 10, suite, group);
    if (cid != NULL) {
        print_hex(cid, cid_length);
    } else {
        printf("none");
    }
    printf(" resumed=%s\n", resumed ? "yes" : "no");
}

static unsigned port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *) address)->sin6_port
                                                : ((const struct sockaddr_in *) address)->sin_port);
}

static int is_from_remote(void)
{
    return link_.sender_length == link_.remote_length
        && memcmp(&link_.sender, &link_.remote, link_.remote_length) == 0;
}

int link_send(const void *bytes, size_t length)
{
    return (int) sendto(link_.socket, bytes, length, 0, (struct sockaddr *) &link_.remote, link_.remote_length);
}

int link_wait(int timeout_ms)
{
    struct pollfd waiting[2] = { { .fd = link_.socket, .events = POLLIN }, { .fd = 0, .events = 0 } };
    if (poll(waiting, 2, timeout_ms) == 0) {
        return 0;
    }
    if ((waiting[1].revents & POLLHUP) != 0 && !established) {
        exit(0); /* Nobody is listening any more. */
    }
    return (waiting[0].revents & POLLIN) != 0;
}

int link_receive(void *bytes, size_t room, int timeout_ms)
{
    while (link_wait(timeout_ms)) {
        link_.sender_length = sizeof link_.sender;
        ssize_t got = recvfrom(link_.socket, bytes, room, 0, (struct sockaddr *) &link_.sender, &link_.sender_length);
        if (got < 0) {
            continue; /* The other end's port was closed; it may come back. */
        }
        if (!link_.remote_known) {
            link_.remote = link_.sender;
            link_.remote_length = link_.sender_length;
            link_.remote_known = 1;
        } else if (!established && !is_from_remote()) {
            continue;
        }
        return (int) got;
    }
    return 0;
}

static void resolve(void)
{
    struct sockaddr_in *four = (struct sockaddr_in *) &link_.remote;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *) &link_.remote;
    memset(&link_.remote, 0, sizeof link_.remote);
    if (inet_pton(AF_INET, task.address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t) atoi(task.port));
        link_.remote_length = sizeof *four;
    } else if (inet_pton(AF_INET6, task.address, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t) atoi(task.port));
        link_.remote_length = sizeof *six;
    } else {
        fail("address", task.address);
    }
}

static void open_socket(void)
{
    resolve();
    int fresh = socket(link_.remote.ss_family, SOCK_DGRAM, 0);
    if (fresh < 0) {
        fail("socket", strerror(errno));
    }
    if (link_.socket >= 0) {
        close(link_.socket);
    }
    link_.socket = fresh;
    link_.remote_known = !task.server;
}

static void listen_on_it(void)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    if (bind(link_.socket, (struct sockaddr *) &link_.remote, link_.remote_length) != 0
        || getsockname(link_.socket, (struct sockaddr *) &bound, &length) != 0) {
        fail("bind", strerror(errno));
    }
    int six = strchr(task.address, ':') != NULL;
    printf("listening %s%s%s:%u\n", six ? "[" : "", task.address, six ? "]" : "", port_of(&bound));
}

/* If the newest record came from elsewhere and was authentic, its sender's address is the peer's now. */
static void follow(void)
{
    if (link_.sender_length != 0 && !is_from_remote()) {
        link_.remote = link_.sender;
        link_.remote_length = link_.sender_length;
        printf("moved %u\n", port_of(&link_.remote));
    }
}

static void rebind(void)
{
    int fresh = socket(link_.remote.ss_family, SOCK_DGRAM, 0);
    if (fresh < 0 || dup2(fresh, link_.socket) < 0) {
        fail("rebind", strerror(errno));
    }
    close(fresh);
}

/* Whether the datagram that waits is the first of another client. */
static int another_client(void)
{
    unsigned char start[14];
    struct sockaddr_storage sender;
    socklen_t length = sizeof sender;
    ssize_t got =
        recvfrom(link_.socket, start, sizeof start, MSG_PEEK | MSG_DONTWAIT, (struct sockaddr *) &sender, &length);
    int elsewhere = length != link_.remote_length || memcmp(&sender, &link_.remote, length) != 0;
    return got == sizeof start && elsewhere && start[0] == 22 && start[3] == 0 && start[4] == 0 && start[13] == 1;
}

enum next { NEXT_CLIENT, CONNECT_AGAIN, THE_END };

static enum next obey(char *line)
{
    static unsigned char bytes[MAX_DATAGRAM];
    size_t length = 0;
    line[strcspn(line, "\r\n")] = '\0';
    if (strcmp(line, "rebind") == 0) {
        rebind();
    } else if (strcmp(line, "rekey") == 0) {
        if (library_rekey() < 0) {
            fail("rekey", "refused");
        }
    } else if (strcmp(line, "again") == 0) {
        library_close();
        return CONNECT_AGAIN;
    } else if (strcmp(line, "close") == 0) {
        library_close();
        return THE_END;
    } else if (unhex(line, bytes, sizeof bytes, &length) == 0 && length != 0 && library_write(bytes, length) < 0) {
        fail("write", "refused");
    }
    return NEXT_CLIENT;
}

/* Bytes from the standard input, up to whole lines: `poll` must not miss what a buffer of stdio holds. */
static int next_line(char *line, size_t room)
{
    static char waiting[4 * MAX_DATAGRAM];
    static size_t held;
    for (;;) {
        char *end = memchr(waiting, '\n', held);
        if (end != NULL) {
            size_t length = (size_t) (end - waiting) + 1;
            memcpy(line, waiting, length < room ? length : room);
            line[(length < room ? length : room) - 1] = '\0';
            memmove(waiting, end + 1, held -= length);
            return 1;
        }
        struct pollfd input = { .fd = 0, .events = POLLIN };
        if (poll(&input, 1, 0) <= 0) {
            return 0;
        }
        ssize_t got = read(0, waiting + held, sizeof waiting - held);
        if (got <= 0) {
            return -1;
        }
        held += (size_t) got;
    }
}

static enum next talk(void)
{
    static char line[2 * MAX_DATAGRAM + 2];
    static unsigned char bytes[MAX_DATAGRAM];
    for (;;) {
        struct pollfd inputs[2] = { { .fd = link_.socket, .events = POLLIN }, { .fd = 0, .events = POLLIN } };
        int waiting = library_pending() ? 1 : poll(inputs, 2, library_wait());
        if (waiting == 0) {
            library_tick();
            continue;
        }
        if (task.server && another_client()) {
            return NEXT_CLIENT;
        }
        if (library_pending() || (inputs[0].revents & POLLIN) != 0) {
            int got = library_read(bytes, sizeof bytes);
            if (got > 0) {
                follow();
                printf("data ");
                print_hex(bytes, (size_t) got);
                printf("\n");
                if (task.echo && library_write(bytes, (size_t) got) < 0) {
                    fail("write", "refused");
                }
            } else if (got < 0) {
                if (got == -1) {
                    printf("closed\n");
                }
                return task.server ? NEXT_CLIENT : THE_END;
            }
        }
        if ((inputs[1].revents & (POLLIN | POLLHUP)) != 0) {
            int lines;
            while ((lines = next_line(line, sizeof line)) > 0) {
                enum next next = obey(line);
                if (next != NEXT_CLIENT) {
                    return next;
                }
            }
            if (lines < 0) {
                library_close();
                return THE_END;
            }
        }
    }
}

static int choose(const char *value, const char *const *words, int *choice)
{
    for (int at = 0; words[at] != NULL; at++) {
        if (strcmp(words[at], value) == 0) {
            *choice = at;
            return 0;
        }
    }
    return -1;
}

static int option(const char *flag, const char *value)
{
    static const char *const auths[] = { "psk", "rpk", "cert", NULL }, *const groups[] = { "any", "p256", "x25519", "both", NULL },
                             *const resumes[] = { "never", "ticket", "id", NULL };
    const struct {
        const char *flag;
        const char **text;
    } texts[] = { { "--suite", &task.suite }, { "--identity", &task.identity }, { "--cert", &task.cert },
                  { "--key", &task.key },     { "--ca", &task.ca },             { "--peer-key", &task.peer_key },
                  { "--name", &task.name } };
    for (size_t at = 0; at < sizeof texts / sizeof *texts; at++) {
        if (strcmp(flag, texts[at].flag) == 0) {
            *texts[at].text = value;
            return 0;
        }
    }
    int choice = 0;
    if (strcmp(flag, "--auth") == 0 && choose(value, auths, &choice) == 0) {
        task.auth = (enum auth) choice;
    } else if (strcmp(flag, "--group") == 0 && choose(value, groups, &choice) == 0) {
        task.group = (enum group) choice;
    } else if (strcmp(flag, "--resume") == 0 && choose(value, resumes, &choice) == 0) {
        task.resume = (enum resume) choice;
    } else if (strcmp(flag, "--version") == 0 && strncmp(value, "1.", 2) == 0) {
        task.version = 10 + atoi(value + 2);
    } else if (strcmp(flag, "--psk") == 0) {
        return unhex(value, task.psk, sizeof task.psk, &task.psk_length);
    } else if (strcmp(flag, "--cid") == 0) {
        task.use_cid = 1;
        return unhex(value, task.cid, sizeof task.cid, &task.cid_length);
    } else if (strcmp(flag, "--psk-mode") == 0) {
        task.ephemeral = strcmp(value, "dhe") == 0;
    } else if (strcmp(flag, "--mtu") == 0) {
        task.mtu = atoi(value);
    } else {
        return -1;
    }
    return 0;
}

static int parse(int count, char **words)
{
    const char *colon = count < 3 ? NULL : strrchr(words[2], ':');
    if (colon == NULL || (strcmp(words[1], "client") != 0 && strcmp(words[1], "server") != 0)) {
        return -1;
    }
    task.version = 12;
    task.server = strcmp(words[1], "server") == 0;
    int bracket = words[2][0] == '[';
    snprintf(task.port, sizeof task.port, "%s", colon + 1);
    snprintf(task.address, sizeof task.address, "%.*s", (int) (colon - words[2]) - 2 * bracket, words[2] + bracket);
    for (int at = 3; at < count; at++) {
        if (strcmp(words[at], "--echo") == 0) {
            task.echo = 1;
        } else if (at + 1 == count || option(words[at], words[at + 1]) != 0) {
            fprintf(stderr, "not understood: %s\n", words[at]);
            return -1;
        } else {
            at++;
        }
    }
    return 0;
}

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (parse(count, words) != 0) {
        fprintf(stderr, "usage: %s client|server ADDRESS:PORT [OPTION...]; see README.md\n", words[0]);
        return 2;
    }
    library_prepare();
    open_socket();
    if (task.server) {
        listen_on_it();
    }
    for (;;) {
        established = 0;
        enum next next = task.server ? NEXT_CLIENT : THE_END;
        if (library_handshake() == 0) {
            next = talk();
        } else if (!task.server) {
            return 1;
        }
        library_end();
        if (next == THE_END) {
            return 0;
        }
        if (next == CONNECT_AGAIN) {
            open_socket();
        }
        link_.remote_known = !task.server;
    }
}
