/* A DTLS 1.2 PSK server on OpenSSL, for benchmarks: many sessions on one UDP socket, echo of application data.
 *
 * It is what a user of OpenSSL would write who wants it fast: no socket per peer, stateless cookies
 * (DTLSv1_listen) before anything is kept, datagrams in and out by recvmmsg and sendmmsg as the contender has
 * it, sessions found in a hash table by address. Prints "ready ADDRESS" and ends with its standard input. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, DATAGRAM = 1500, BUCKETS = 1 << 18 };

struct peer {
    SSL *ssl;
    struct sockaddr_in address;
    struct peer *next;
};

static int udp;
static unsigned char secret[16];
static const unsigned char key[16] = "benchmarks only!";
static struct peer *buckets[BUCKETS];

/* The datagram that is being read, and whose it is. */
static unsigned char *incoming;
static int incoming_len;
static struct sockaddr_in current;

/* Datagrams to be sent together. */
static unsigned char out[BATCH][DATAGRAM];
static struct sockaddr_in out_to[BATCH];
static struct iovec out_iov[BATCH];
static struct mmsghdr out_msg[BATCH];
static int out_count;

static void flush(void) {
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

/* A BIO that reads the datagram at hand, and writes into the batch. */
static int bio_read(BIO *bio, char *buffer, int len) {
    BIO_clear_retry_flags(bio);
    if (incoming == NULL) {
        BIO_set_retry_read(bio);
        return -1;
    }
    int n = incoming_len < len ? incoming_len : len;
    memcpy(buffer, incoming, n);
    /* DTLSv1_listen peeks: it reads the same datagram again once it has seen the cookie. */
    if (BIO_get_data(bio) == NULL)
        incoming = NULL;
    return n;
}

static int bio_write(BIO *bio, const char *buffer, int len) {
    BIO_clear_retry_flags(bio);
    if (out_count == BATCH)
        flush();
    memcpy(out[out_count], buffer, len);
    out_iov[out_count].iov_len = len;
    out_to[out_count++] = current;
    return len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)pointer;
    switch (command) {
    case BIO_CTRL_DGRAM_SET_PEEK_MODE:
        BIO_set_data(bio, number ? bio : NULL);
        return 1;
    case BIO_CTRL_FLUSH:
        return 1;
    default:
        return 0;
    }
}

static int bio_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

static int make_cookie(SSL *ssl, unsigned char *cookie, unsigned int *len) {
    (void)ssl;
    unsigned char address[6];
    memcpy(address, &current.sin_addr, 4);
    memcpy(address + 4, &current.sin_port, 2);
    return HMAC(EVP_sha256(), secret, sizeof secret, address, sizeof address, cookie, len) != NULL;
}

static int verify_cookie(SSL *ssl, const unsigned char *cookie, unsigned int len) {
    unsigned char expected[EVP_MAX_MD_SIZE];
    unsigned int expected_len;
    return make_cookie(ssl, expected, &expected_len) && len == expected_len &&
           CRYPTO_memcmp(cookie, expected, len) == 0;
}

static unsigned int psk(SSL *ssl, const char *identity, unsigned char *out_key, unsigned int max) {
    (void)ssl;
    (void)identity;
    if (max < sizeof key)
        return 0;
    memcpy(out_key, key, sizeof key);
    return sizeof key;
}

static struct peer **find(const struct sockaddr_in *address) {
    unsigned int hash = (ntohl(address->sin_addr.s_addr) ^ (unsigned)ntohs(address->sin_port) << 16) * 2654435761u;
    struct peer **place = &buckets[hash % BUCKETS];
    while (*place && ((*place)->address.sin_addr.s_addr != address->sin_addr.s_addr ||
                      (*place)->address.sin_port != address->sin_port))
        place = &(*place)->next;
    return place;
}

static SSL_CTX *context;
static BIO_METHOD *method;
static SSL *listener;

static SSL *new_ssl(void) {
    SSL *ssl = SSL_new(context);
    BIO *bio = BIO_new(method);
    if (ssl == NULL || bio == NULL) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    SSL_set_mtu(ssl, 1200);
    return ssl;
}

static void datagram(void) {
    static BIO_ADDR *unused;
    unsigned char buffer[DATAGRAM];
    struct peer **place = find(&current);
    if (*place == NULL) {
        if (unused == NULL)
            unused = BIO_ADDR_new();
        if (listener == NULL)
            listener = new_ssl();
        if (DTLSv1_listen(listener, unused) <= 0) {
            ERR_clear_error();
            return;
        }
        /* The listener becomes the connection. */
        *place = calloc(1, sizeof **place);
        (*place)->ssl = listener;
        (*place)->address = current;
        listener = NULL;
    }
    struct peer *peer = *place;
    int n;
    while ((n = SSL_read(peer->ssl, buffer, sizeof buffer)) > 0)
        SSL_write(peer->ssl, buffer, n);
    int error = SSL_get_error(peer->ssl, n);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        *place = peer->next;
        SSL_free(peer->ssl);
        free(peer);
        ERR_clear_error();
    }
}

int main(void) {
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

    RAND_bytes(secret, sizeof secret);
    context = SSL_CTX_new(DTLS_server_method());
    SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION);
    SSL_CTX_set_security_level(context, 0);
    if (SSL_CTX_set_cipher_list(context, "PSK-AES128-CCM8") != 1) {
        ERR_print_errors_fp(stderr);
        return 1;
    }
    SSL_CTX_set_psk_server_callback(context, psk);
    SSL_CTX_set_cookie_generate_cb(context, make_cookie);
    SSL_CTX_set_cookie_verify_cb(context, verify_cookie);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_COOKIE_EXCHANGE | SSL_OP_NO_TICKET | SSL_OP_NO_QUERY_MTU);
    /* Memory of an idle session counts, too. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "batch");
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    BIO_meth_set_create(method, bio_create);

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
            msg[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &iov[i], .msg_iovlen = 1};
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
        flush();
    }
}
