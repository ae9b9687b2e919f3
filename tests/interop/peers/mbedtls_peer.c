/* A DTLS 1.2 PSK peer with Connection ID over Mbed TLS, behind the same line protocol as the Rust peers.
 *
 *   mbedtls-peer client|server ADDRESS PORT IDENTITY KEY_HEX [--cid HEX] [--no-cid] [--suite ccm|ccm8]
 *                [--mtu BYTES] [--any-suite]
 *
 * What it prints, one event a line: `listening ADDRESS` (server), `connected suite=NAME cid=HEX|none`
 * (the CID that this end writes into what it sends, so the one the peer asked for), `data HEX`, `moved PORT`
 * (an authenticated record came from another port), `closed`, `failed WHY`. What it reads, one command a
 * line: hexadecimal digits are application data to send, `rebind` goes on from another source port, `close`
 * says goodbye and ends, as does the end of the input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mbedtls/build_info.h"
#include "mbedtls/ctr_drbg.h"
#include "mbedtls/entropy.h"
#include "mbedtls/error.h"
#include "mbedtls/ssl.h"
#include "mbedtls/ssl_ciphersuites.h"
#include "mbedtls/ssl_cookie.h"
#include "mbedtls/timing.h"

enum { MAX_DATAGRAM = 65535 };

struct link {
    int socket;
    int remote_known;
    struct sockaddr_storage remote, sender;
    socklen_t remote_length, sender_length;
};

static struct {
    int server;
    const char *address, *port, *identity;
    unsigned char key[64], cid[MBEDTLS_SSL_CID_IN_LEN_MAX];
    size_t key_length, cid_length;
    int use_cid, suite[3], mtu;
} task = { .use_cid = 1, .suite = { MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, 0 } };

static void fail(const char *what, int code)
{
    char text[160] = "";
    if (code != 0) {
        mbedtls_strerror(code, text, sizeof text);
    }
    printf("failed %s: %s (%d)\n", what, code != 0 ? text : strerror(errno), code);
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

static int send_datagram(void *context, const unsigned char *bytes, size_t length)
{
    struct link *link = context;
    ssize_t sent = sendto(link->socket, bytes, length, 0, (struct sockaddr *) &link->remote, link->remote_length);
    return sent < 0 ? MBEDTLS_ERR_SSL_WANT_WRITE : (int) sent;
}

static int receive_datagram(void *context, unsigned char *bytes, size_t room, uint32_t timeout_ms)
{
    struct link *link = context;
    struct pollfd waiting = { .fd = link->socket, .events = POLLIN };
    int ready = poll(&waiting, 1, timeout_ms == 0 ? -1 : (int) timeout_ms);
    if (ready == 0) {
        return MBEDTLS_ERR_SSL_TIMEOUT;
    }
    link->sender_length = sizeof link->sender;
    ssize_t got = recvfrom(link->socket, bytes, room, 0, (struct sockaddr *) &link->sender, &link->sender_length);
    if (got < 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    if (!link->remote_known) {
        link->remote = link->sender;
        link->remote_length = link->sender_length;
        link->remote_known = 1;
    }
    return (int) got;
}

static unsigned port_of(const struct sockaddr_storage *address)
{
    return ntohs(address->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *) address)->sin6_port
                                                : ((const struct sockaddr_in *) address)->sin_port);
}

static void resolve(struct sockaddr_storage *into, socklen_t *length)
{
    struct sockaddr_in *four = (struct sockaddr_in *) into;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *) into;
    memset(into, 0, sizeof *into);
    if (inet_pton(AF_INET, task.address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t) atoi(task.port));
        *length = sizeof *four;
    } else if (inet_pton(AF_INET6, task.address, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t) atoi(task.port));
        *length = sizeof *six;
    } else {
        fail("address", 0);
    }
}

/* If the newest record came from elsewhere and was authentic, its sender's address is the peer's now. */
static void follow(struct link *link)
{
    if (link->sender_length != 0
        && (link->sender_length != link->remote_length || memcmp(&link->sender, &link->remote, link->remote_length) != 0)) {
        link->remote = link->sender;
        link->remote_length = link->sender_length;
        printf("moved %u\n", port_of(&link->remote));
    }
}

static void rebind(struct link *link)
{
    int fresh = socket(link->remote.ss_family, SOCK_DGRAM, 0);
    if (fresh < 0 || dup2(fresh, link->socket) < 0) {
        fail("rebind", 0);
    }
    close(fresh);
}

static void handshake(mbedtls_ssl_context *ssl, struct link *link)
{
    for (;;) {
        int outcome = mbedtls_ssl_handshake(ssl);
        if (outcome == 0) {
            return;
        }
        if (outcome == MBEDTLS_ERR_SSL_HELLO_VERIFY_REQUIRED) {
            mbedtls_ssl_session_reset(ssl);
            link->remote_known = 0;
            static const unsigned char any_client[] = "one client";
            mbedtls_ssl_set_client_transport_id(ssl, any_client, sizeof any_client);
        } else if (outcome != MBEDTLS_ERR_SSL_WANT_READ && outcome != MBEDTLS_ERR_SSL_WANT_WRITE) {
            fail("handshake", outcome);
        }
    }
}

static void talk(mbedtls_ssl_context *ssl, struct link *link)
{
    static char line[2 * MAX_DATAGRAM + 2];
    static unsigned char bytes[MAX_DATAGRAM];
    for (;;) {
        struct pollfd inputs[2] = { { .fd = link->socket, .events = POLLIN }, { .fd = 0, .events = POLLIN } };
        if (mbedtls_ssl_check_pending(ssl) == 0) {
            (void) poll(inputs, 2, -1);
        }
        if (mbedtls_ssl_check_pending(ssl) != 0 || (inputs[0].revents & POLLIN) != 0) {
            int got = mbedtls_ssl_read(ssl, bytes, sizeof bytes);
            if (got > 0) {
                follow(link);
                printf("data ");
                print_hex(bytes, (size_t) got);
                printf("\n");
            } else if (got == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
                printf("closed\n");
                return;
            } else if (got != MBEDTLS_ERR_SSL_WANT_READ && got != MBEDTLS_ERR_SSL_TIMEOUT
                       && got != MBEDTLS_ERR_SSL_WANT_WRITE && got != 0) {
                fail("read", got);
            }
        }
        if ((inputs[1].revents & (POLLIN | POLLHUP)) != 0) {
            size_t length = 0;
            if (fgets(line, sizeof line, stdin) == NULL) {
                mbedtls_ssl_close_notify(ssl);
                return;
            }
            line[strcspn(line, "\r\n")] = '\0';
            if (strcmp(line, "rebind") == 0) {
                rebind(link);
            } else if (strcmp(line, "close") == 0) {
                mbedtls_ssl_close_notify(ssl);
                return;
            } else if (unhex(line, bytes, sizeof bytes, &length) == 0 && length != 0) {
                int sent = mbedtls_ssl_write(ssl, bytes, length);
                if (sent < 0) {
                    fail("write", sent);
                }
            }
        }
    }
}

static int parse(int count, char **words)
{
    if (count < 6 || (strcmp(words[1], "client") != 0 && strcmp(words[1], "server") != 0)) {
        return -1;
    }
    task.server = strcmp(words[1], "server") == 0;
    task.address = words[2];
    task.port = words[3];
    task.identity = words[4];
    if (unhex(words[5], task.key, sizeof task.key, &task.key_length) != 0) {
        return -1;
    }
    for (int at = 6; at < count; at++) {
        const char *value = at + 1 < count ? words[at + 1] : "";
        if (strcmp(words[at], "--no-cid") == 0) {
            task.use_cid = 0;
        } else if (strcmp(words[at], "--any-suite") == 0) {
            task.suite[0] = MBEDTLS_TLS_PSK_WITH_AES_128_CCM;
            task.suite[1] = MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8;
        } else if (strcmp(words[at], "--cid") == 0 && unhex(value, task.cid, sizeof task.cid, &task.cid_length) == 0) {
            at++;
        } else if (strcmp(words[at], "--suite") == 0) {
            task.suite[0] = strcmp(value, "ccm") == 0 ? MBEDTLS_TLS_PSK_WITH_AES_128_CCM
                                                      : MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8;
            at++;
        } else if (strcmp(words[at], "--mtu") == 0) {
            task.mtu = atoi(value);
            at++;
        } else {
            return -1;
        }
    }
    return 0;
}

int main(int count, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    setvbuf(stdin, NULL, _IONBF, 0); /* So that poll() tells the truth about the next line. */
    if (parse(count, words) != 0) {
        fprintf(stderr, "usage: mbedtls-peer client|server ADDRESS PORT IDENTITY KEY_HEX [--cid HEX] [--no-cid]"
                        " [--suite ccm|ccm8] [--any-suite] [--mtu BYTES]\n");
        return 2;
    }

    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_cookie_ctx cookies;
    mbedtls_timing_delay_context timer;
    memset(&timer, 0, sizeof timer);
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_init(&ssl);
    mbedtls_ssl_cookie_init(&cookies);
    int code = mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0);
    if (code != 0) {
        fail("random", code);
    }
    code = mbedtls_ssl_config_defaults(&config, task.server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                       MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT);
    if (code != 0) {
        fail("defaults", code);
    }
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    mbedtls_ssl_conf_max_tls_version(&config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_ciphersuites(&config, task.suite);
    mbedtls_ssl_conf_read_timeout(&config, 0);
    code = mbedtls_ssl_conf_psk(&config, task.key, task.key_length, (const unsigned char *) task.identity,
                                strlen(task.identity));
    if (code != 0) {
        fail("psk", code);
    }
    if (task.use_cid && (code = mbedtls_ssl_conf_cid(&config, task.cid_length, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE)) != 0) {
        fail("cid length", code);
    }
    if (task.server) {
        if ((code = mbedtls_ssl_cookie_setup(&cookies, mbedtls_ctr_drbg_random, &random)) != 0) {
            fail("cookies", code);
        }
        mbedtls_ssl_conf_dtls_cookies(&config, mbedtls_ssl_cookie_write, mbedtls_ssl_cookie_check, &cookies);
    }
    if ((code = mbedtls_ssl_setup(&ssl, &config)) != 0) {
        fail("set-up", code);
    }

    struct link link = { 0 };
    resolve(&link.remote, &link.remote_length);
    link.socket = socket(link.remote.ss_family, SOCK_DGRAM, 0);
    if (link.socket < 0) {
        fail("socket", 0);
    }
    if (task.server) {
        struct sockaddr_storage bound;
        socklen_t length = sizeof bound;
        if (bind(link.socket, (struct sockaddr *) &link.remote, link.remote_length) != 0
            || getsockname(link.socket, (struct sockaddr *) &bound, &length) != 0) {
            fail("bind", 0);
        }
        printf("listening %s%s%s:%u\n", strchr(task.address, ':') ? "[" : "", task.address,
               strchr(task.address, ':') ? "]" : "", port_of(&bound));
        static const unsigned char any_client[] = "one client";
        mbedtls_ssl_set_client_transport_id(&ssl, any_client, sizeof any_client);
    } else {
        link.remote_known = 1;
    }
    mbedtls_ssl_set_bio(&ssl, &link, send_datagram, NULL, receive_datagram);
    mbedtls_ssl_set_timer_cb(&ssl, &timer, mbedtls_timing_set_delay, mbedtls_timing_get_delay);
    if (task.mtu > 0) {
        mbedtls_ssl_set_mtu(&ssl, (uint16_t) task.mtu);
    }
    if (task.use_cid && (code = mbedtls_ssl_set_cid(&ssl, MBEDTLS_SSL_CID_ENABLED, task.cid, task.cid_length)) != 0) {
        fail("cid", code);
    }

    handshake(&ssl, &link);
    unsigned char peer_cid[MBEDTLS_SSL_CID_OUT_LEN_MAX];
    size_t peer_cid_length = 0;
    int cid_in_use = MBEDTLS_SSL_CID_DISABLED;
    mbedtls_ssl_get_peer_cid(&ssl, &cid_in_use, peer_cid, &peer_cid_length);
    printf("connected suite=%s cid=", mbedtls_ssl_get_ciphersuite(&ssl));
    if (cid_in_use == MBEDTLS_SSL_CID_ENABLED) {
        print_hex(peer_cid, peer_cid_length);
    } else {
        printf("none");
    }
    printf("\n");
    talk(&ssl, &link);
    return 0;
}
