/* A DTLS 1.2 server on OpenSSL, for benchmarks: many sessions on one UDP socket, echo of application data.
 *
 * It is what a user of OpenSSL would write who wants it fast: no socket per peer, and stateless cookies
 * (DTLSv1_listen) before anything is kept. */
#include "batch.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

static unsigned char secret[16];

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
    batch_send(buffer, len);
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
    struct peer **place = find();
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
        add(place, listener);
        listener = NULL;
    }
    SSL *ssl = (*place)->connection;
    int n;
    while ((n = SSL_read(ssl, buffer, sizeof buffer)) > 0)
        SSL_write(ssl, buffer, n);
    int error = SSL_get_error(ssl, n);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        forget(place);
        SSL_free(ssl);
        ERR_clear_error();
    }
}

static void must(int outcome) {
    if (outcome != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
}

static void set_up(const struct task *task) {
    RAND_bytes(secret, sizeof secret);
    context = SSL_CTX_new(DTLS_server_method());
    SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION);
    SSL_CTX_set_security_level(context, 0);
    if (task->psk) {
        must(SSL_CTX_set_cipher_list(context, "PSK-AES128-CCM8"));
        SSL_CTX_set_psk_server_callback(context, psk);
    } else {
        must(SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-CCM8"));
        must(SSL_CTX_set1_groups_list(context, "P-256"));
        must(SSL_CTX_use_certificate_file(context, task->certificate, SSL_FILETYPE_PEM));
        must(SSL_CTX_use_PrivateKey_file(context, task->key, SSL_FILETYPE_PEM));
    }
    if (task->mutual) {
        must(SSL_CTX_load_verify_locations(context, task->ca, NULL));
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        must(SSL_CTX_set_session_id_context(context, (const unsigned char *)"b", 1));
    }
    SSL_CTX_set_cookie_generate_cb(context, make_cookie);
    SSL_CTX_set_cookie_verify_cb(context, verify_cookie);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_COOKIE_EXCHANGE | SSL_OP_NO_QUERY_MTU);
    if (!task->resume)
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    /* Memory of an idle session counts, too. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "batch");
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    BIO_meth_set_create(method, bio_create);
}
