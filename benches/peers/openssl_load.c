/* DTLS 1.2 clients on OpenSSL, to load servers with. */
#include "load.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL_CTX *context;
static BIO_METHOD *method;

static int bio_read(BIO *bio, char *buffer, int len) {
    BIO_clear_retry_flags(bio);
    if (incoming == NULL) {
        BIO_set_retry_read(bio);
        return -1;
    }
    int n = incoming_len < len ? incoming_len : len;
    memcpy(buffer, incoming, n);
    incoming = NULL;
    return n;
}

static int bio_write(BIO *bio, const char *buffer, int len) {
    BIO_clear_retry_flags(bio);
    load_send(buffer, len);
    return len;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

static unsigned psk(SSL *ssl, const char *hint, char *identity, unsigned room, unsigned char *key, unsigned max) {
    (void)ssl, (void)hint;
    if (room <= sizeof PSK_IDENTITY || max < sizeof psk_key)
        return 0;
    strcpy(identity, PSK_IDENTITY);
    memcpy(key, psk_key, sizeof psk_key);
    return sizeof psk_key;
}

static void must(int outcome) {
    if (outcome != 1)
        failed("OpenSSL: %s", ERR_error_string(ERR_get_error(), NULL));
}

static void set_up(const struct task *task) {
    context = SSL_CTX_new(DTLS_client_method());
    must(SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION));
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU);
    must(SSL_CTX_set1_groups_list(context, "P-256"));
    if (task->psk) {
        must(SSL_CTX_set_cipher_list(context, "PSK-AES128-CCM8"));
        SSL_CTX_set_psk_client_callback(context, psk);
    } else {
        /* The short tag where the server has it. */
        must(SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-GCM-SHA256"));
        must(SSL_CTX_set1_sigalgs_list(context, "ECDSA+SHA256"));
        must(SSL_CTX_load_verify_locations(context, task->ca, NULL));
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    }
    if (task->mutual) {
        must(SSL_CTX_use_certificate_file(context, task->certificate, SSL_FILETYPE_PEM));
        must(SSL_CTX_use_PrivateKey_file(context, task->key, SSL_FILETYPE_PEM));
    }
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "load");
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    BIO_meth_set_create(method, bio_create);
}

static void *client_new(void *session) {
    SSL *ssl = SSL_new(context);
    BIO *bio = BIO_new(method);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_mtu(ssl, 1200);
    SSL_set_connect_state(ssl);
    if (session)
        must(SSL_set_session(ssl, session));
    return ssl;
}

static int client_step(void *client) {
    char ignored[DATAGRAM];
    int connected = SSL_is_init_finished(client);
    int n = connected ? SSL_read(client, ignored, sizeof ignored) : SSL_do_handshake(client);
    if (n > 0)
        return 1;
    int error = SSL_get_error(client, n);
    if (error == SSL_ERROR_WANT_READ)
        return connected;
    fprintf(stderr, "OpenSSL: %s\n", ERR_error_string(ERR_get_error(), NULL));
    return -1;
}

static int client_resumed(void *client) { return SSL_session_reused(client); }

static void *client_session(void *client) { return SSL_get1_session(client); }

static void client_expire(void *client) { DTLSv1_handle_timeout(client); }

static void client_end(void *client, int connected) {
    if (connected)
        SSL_shutdown(client);
    SSL_free(client);
}

static void session_free(void *session) { SSL_SESSION_free(session); }
