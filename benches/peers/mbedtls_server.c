/* A DTLS 1.2 server on Mbed TLS, for benchmarks: many sessions on one UDP socket, echo of application data.
 *
 * Stateless cookies before anything is kept, and buffers of 1 kB, which is what made it the fastest and smallest
 * of the peers. */
#include "batch.h"

#include "mbedtls/ctr_drbg.h"
#include "mbedtls/entropy.h"
#include "mbedtls/ssl.h"
#include "mbedtls/ssl_ciphersuites.h"
#include "mbedtls/ssl_ticket.h"
#include "mbedtls/ssl_cookie.h"
#include "mbedtls/timing.h"

struct connection {
    mbedtls_ssl_context ssl;
    mbedtls_timing_delay_context timer;
};

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;
static mbedtls_ssl_config config;
static mbedtls_ssl_cookie_ctx cookies;
static mbedtls_ssl_ticket_context tickets;
static mbedtls_x509_crt certificate, ca;
static mbedtls_pk_context private_key;
static struct connection *listener;

static void must(int code) {
    if (code != 0) {
        fprintf(stderr, "mbedtls: -0x%04x\n", (unsigned)-code);
        exit(1);
    }
}

static int send_datagram(void *context, const unsigned char *bytes, size_t len) {
    (void)context;
    batch_send(bytes, (int)len);
    return (int)len;
}

static int receive_datagram(void *context, unsigned char *buffer, size_t room) {
    (void)context;
    if (incoming == NULL)
        return MBEDTLS_ERR_SSL_WANT_READ;
    int n = incoming_len < (int)room ? incoming_len : (int)room;
    memcpy(buffer, incoming, n);
    incoming = NULL;
    return n;
}

static int psk(void *context, mbedtls_ssl_context *ssl, const unsigned char *identity, size_t len) {
    (void)context;
    (void)identity;
    (void)len;
    return mbedtls_ssl_set_hs_psk(ssl, key, sizeof key);
}

static struct connection *new_connection(void) {
    struct connection *connection = calloc(1, sizeof *connection);
    mbedtls_ssl_init(&connection->ssl);
    must(mbedtls_ssl_setup(&connection->ssl, &config));
    mbedtls_ssl_set_bio(&connection->ssl, NULL, send_datagram, receive_datagram, NULL);
    mbedtls_ssl_set_timer_cb(&connection->ssl, &connection->timer, mbedtls_timing_set_delay,
                             mbedtls_timing_get_delay);
    return connection;
}

static void datagram(void) {
    unsigned char buffer[DATAGRAM];
    struct peer **place = find();
    int outcome;
    if (*place == NULL) {
        if (listener == NULL)
            listener = new_connection();
        unsigned char address[6];
        memcpy(address, &current.sin_addr, 4);
        memcpy(address + 4, &current.sin_port, 2);
        must(mbedtls_ssl_set_client_transport_id(&listener->ssl, address, sizeof address));
        outcome = mbedtls_ssl_handshake(&listener->ssl);
        if (outcome != MBEDTLS_ERR_SSL_WANT_READ) {
            /* A cookie was asked for, or it was no ClientHello. */
            must(mbedtls_ssl_session_reset(&listener->ssl));
            return;
        }
        /* The listener becomes the connection. */
        add(place, listener);
        listener = NULL;
        return;
    }
    struct connection *connection = (*place)->connection;
    while ((outcome = mbedtls_ssl_read(&connection->ssl, buffer, sizeof buffer)) > 0)
        mbedtls_ssl_write(&connection->ssl, buffer, outcome);
    if (outcome != MBEDTLS_ERR_SSL_WANT_READ && outcome != MBEDTLS_ERR_SSL_WANT_WRITE) {
        forget(place);
        mbedtls_ssl_free(&connection->ssl);
        free(connection);
    }
}

static void set_up(const struct task *task) {
    static const int psk_suites[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, 0};
    static const int cert_suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, 0};
    static const uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, 0};
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_cookie_init(&cookies);
    must(mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0));
    must(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_DATAGRAM,
                                     MBEDTLS_SSL_PRESET_DEFAULT));
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &drbg);
    mbedtls_ssl_conf_max_tls_version(&config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_ciphersuites(&config, task->psk ? psk_suites : cert_suites);
    if (task->psk) {
        mbedtls_ssl_conf_psk_cb(&config, psk, NULL);
    } else {
        mbedtls_x509_crt_init(&certificate);
        mbedtls_pk_init(&private_key);
        must(mbedtls_x509_crt_parse_file(&certificate, task->certificate));
        must(mbedtls_pk_parse_keyfile(&private_key, task->key, NULL, mbedtls_ctr_drbg_random, &drbg));
        must(mbedtls_ssl_conf_own_cert(&config, &certificate, &private_key));
        mbedtls_ssl_conf_groups(&config, groups);
    }
    if (task->mutual) {
        mbedtls_x509_crt_init(&ca);
        must(mbedtls_x509_crt_parse_file(&ca, task->ca));
        mbedtls_ssl_conf_ca_chain(&config, &ca, NULL);
        mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    }
    if (task->resume) {
        mbedtls_ssl_ticket_init(&tickets);
        must(mbedtls_ssl_ticket_setup(&tickets, mbedtls_ctr_drbg_random, &drbg, MBEDTLS_CIPHER_AES_128_GCM, 86400));
        mbedtls_ssl_conf_session_tickets_cb(&config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &tickets);
    }
    must(mbedtls_ssl_cookie_setup(&cookies, mbedtls_ctr_drbg_random, &drbg));
    mbedtls_ssl_conf_dtls_cookies(&config, mbedtls_ssl_cookie_write, mbedtls_ssl_cookie_check, &cookies);
}
