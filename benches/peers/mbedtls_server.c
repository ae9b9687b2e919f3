/* A DTLS 1.2 PSK server on Mbed TLS, for benchmarks: many sessions on one UDP socket, echo of application data.
 *
 * Stateless cookies before anything is kept, and buffers of 1 kB, which is what made it the fastest and smallest
 * of the peers. Prints "ready ADDRESS" and ends with its standard input. */
#include "batch.h"

#include "mbedtls/ctr_drbg.h"
#include "mbedtls/entropy.h"
#include "mbedtls/ssl.h"
#include "mbedtls/ssl_ciphersuites.h"
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

static void set_up(void) {
    static const int suites[] = {MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8, 0};
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_cookie_init(&cookies);
    must(mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0));
    must(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_DATAGRAM,
                                     MBEDTLS_SSL_PRESET_DEFAULT));
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &drbg);
    mbedtls_ssl_conf_max_tls_version(&config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_ciphersuites(&config, suites);
    mbedtls_ssl_conf_psk_cb(&config, psk, NULL);
    must(mbedtls_ssl_cookie_setup(&cookies, mbedtls_ctr_drbg_random, &drbg));
    mbedtls_ssl_conf_dtls_cookies(&config, mbedtls_ssl_cookie_write, mbedtls_ssl_cookie_check, &cookies);
}
