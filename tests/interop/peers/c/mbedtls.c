/* The peer over Mbed TLS: DTLS 1.2 with pre-shared keys and certificates, Connection IDs (RFC 9146) and resumption. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mbedtls/build_info.h"
#include "mbedtls/ctr_drbg.h"
#include "mbedtls/entropy.h"
#include "mbedtls/error.h"
#include "mbedtls/ssl.h"
#include "mbedtls/ssl_cache.h"
#include "mbedtls/ssl_ciphersuites.h"
#include "mbedtls/ssl_cookie.h"
#include "mbedtls/ssl_ticket.h"
#include "mbedtls/timing.h"

#include "peer.h"

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context rng;
static mbedtls_ssl_config config;
static mbedtls_ssl_context ssl;
static mbedtls_ssl_cookie_ctx cookies;
static mbedtls_ssl_ticket_context tickets;
static mbedtls_ssl_cache_context cache;
static mbedtls_timing_delay_context timer;
static mbedtls_x509_crt own, authority;
static mbedtls_pk_context own_key;
static mbedtls_ssl_session session;
static int have_session, reading;
/* The master secret of this connection and of the one before: a connection that was resumed has the same. */
static unsigned char master[48], master_before[48];

static int suites[4];
static uint16_t groups[4];

static void check(const char *what, int code)
{
    if (code != 0) {
        char text[160];
        mbedtls_strerror(code, text, sizeof text);
        fail(what, text);
    }
}

static int say_why(const char *what, int code)
{
    char text[160];
    mbedtls_strerror(code, text, sizeof text);
    printf("failed %s: %s\n", what, text);
    return -1;
}

static int send_datagram(void *context, const unsigned char *bytes, size_t length)
{
    (void) context;
    int sent = link_send(bytes, length);
    /* A port that is closed for now is a datagram lost. */
    return sent < 0 ? (int) length : sent;
}

/* Waits as long as a handshake wants, for the first datagram of one for ever, and for data not at all: a read that finds
 * only a part of a handshake that was sent again must come back to the user. */
static int receive_datagram(void *context, unsigned char *bytes, size_t room, uint32_t timeout_ms)
{
    (void) context;
    int got = link_receive(bytes, room, reading ? 0 : timeout_ms == 0 ? -1 : (int) timeout_ms);
    return got == 0 ? MBEDTLS_ERR_SSL_TIMEOUT : got;
}

static void learn_secrets(void *context, mbedtls_ssl_key_export_type type, const unsigned char *secret, size_t length,
                          const unsigned char client_random[32], const unsigned char server_random[32],
                          mbedtls_tls_prf_types prf)
{
    (void) context, (void) client_random, (void) server_random, (void) prf;
    if (type == MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET && length == sizeof master) {
        memcpy(master, secret, length);
    }
}

/* Mbed TLS writes the registry's names with hyphens. */
static int suite_number(const char *name)
{
    char theirs[64];
    snprintf(theirs, sizeof theirs, "%s", name);
    for (char *at = theirs; *at != '\0'; at++) {
        *at = *at == '_' ? '-' : *at;
    }
    int number = mbedtls_ssl_get_ciphersuite_id(theirs);
    if (number == 0) {
        fail("suite", "unknown to Mbed TLS");
    }
    return number;
}

static void choose_suites(void)
{
    size_t count = 0;
    if (task.suite != NULL) {
        suites[count++] = suite_number(task.suite);
    } else if (task.auth == AUTH_PSK) {
        suites[count++] = MBEDTLS_TLS_PSK_WITH_AES_128_CCM;
        suites[count++] = MBEDTLS_TLS_PSK_WITH_AES_128_CCM_8;
    } else {
        suites[count++] = MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8;
        suites[count++] = MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM;
        suites[count++] = MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    }
    mbedtls_ssl_conf_ciphersuites(&config, suites);
    if (task.group != GROUP_ANY) {
        /* The list is also that of the curves that certificates may have: P-256 has to be in it. */
        size_t at = 0;
        if (task.group == GROUP_X25519) {
            groups[at++] = MBEDTLS_SSL_IANA_TLS_GROUP_X25519;
        }
        groups[at++] = MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1;
        groups[at] = task.group == GROUP_BOTH ? MBEDTLS_SSL_IANA_TLS_GROUP_X25519 : 0;
        mbedtls_ssl_conf_groups(&config, groups);
    }
}

static void load_credentials(void)
{
    if (task.psk_length != 0) {
        check("psk", mbedtls_ssl_conf_psk(&config, task.psk, task.psk_length, (const unsigned char *) task.identity,
                                          strlen(task.identity)));
    }
    if (task.cert != NULL) {
        check("certificate", mbedtls_x509_crt_parse_file(&own, task.cert));
        check("key", mbedtls_pk_parse_keyfile(&own_key, task.key, NULL, mbedtls_ctr_drbg_random, &rng));
        check("own certificate", mbedtls_ssl_conf_own_cert(&config, &own, &own_key));
    }
    mbedtls_ssl_conf_authmode(&config, task.ca == NULL ? MBEDTLS_SSL_VERIFY_NONE : MBEDTLS_SSL_VERIFY_REQUIRED);
    if (task.ca != NULL) {
        check("authority", mbedtls_x509_crt_parse_file(&authority, task.ca));
        mbedtls_ssl_conf_ca_chain(&config, &authority, NULL);
    }
}

static void prepare_resumption(void)
{
    mbedtls_ssl_conf_session_tickets(&config, task.resume == RESUME_TICKET ? MBEDTLS_SSL_SESSION_TICKETS_ENABLED
                                                                           : MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    if (task.server && task.resume == RESUME_TICKET) {
        check("tickets", mbedtls_ssl_ticket_setup(&tickets, mbedtls_ctr_drbg_random, &rng, MBEDTLS_CIPHER_AES_256_GCM,
                                                  3600));
        mbedtls_ssl_conf_session_tickets_cb(&config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &tickets);
    } else if (task.server && task.resume == RESUME_ID) {
        mbedtls_ssl_conf_session_cache(&config, &cache, mbedtls_ssl_cache_get, mbedtls_ssl_cache_set);
    }
}

void library_prepare(void)
{
    if (task.version != 12) {
        fail("version", "Mbed TLS has DTLS 1.2 only");
    }
    if (task.auth == AUTH_RPK) {
        fail("auth", "Mbed TLS has no raw public keys");
    }
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&rng);
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_cookie_init(&cookies);
    mbedtls_ssl_ticket_init(&tickets);
    mbedtls_ssl_cache_init(&cache);
    mbedtls_ssl_session_init(&session);
    mbedtls_x509_crt_init(&own);
    mbedtls_x509_crt_init(&authority);
    mbedtls_pk_init(&own_key);
    check("random numbers", mbedtls_ctr_drbg_seed(&rng, mbedtls_entropy_func, &entropy, NULL, 0));
    check("configuration",
          mbedtls_ssl_config_defaults(&config, task.server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                                      MBEDTLS_SSL_TRANSPORT_DATAGRAM, MBEDTLS_SSL_PRESET_DEFAULT));
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &rng);
    mbedtls_ssl_conf_handshake_timeout(&config, 300, 5000);
    choose_suites();
    load_credentials();
    prepare_resumption();
    if (task.use_cid) {
        check("cid length", mbedtls_ssl_conf_cid(&config, task.cid_length, MBEDTLS_SSL_UNEXPECTED_CID_IGNORE));
    }
    if (task.server) {
        check("cookies", mbedtls_ssl_cookie_setup(&cookies, mbedtls_ctr_drbg_random, &rng));
        mbedtls_ssl_conf_dtls_cookies(&config, mbedtls_ssl_cookie_write, mbedtls_ssl_cookie_check, &cookies);
    }
}

static void name_client(void)
{
    static const unsigned char any_client[] = "one client";
    if (task.server) {
        check("client", mbedtls_ssl_set_client_transport_id(&ssl, any_client, sizeof any_client));
    }
}

static void start(void)
{
    mbedtls_ssl_init(&ssl);
    check("set-up", mbedtls_ssl_setup(&ssl, &config));
    mbedtls_ssl_set_bio(&ssl, NULL, send_datagram, NULL, receive_datagram);
    mbedtls_ssl_set_timer_cb(&ssl, &timer, mbedtls_timing_set_delay, mbedtls_timing_get_delay);
    mbedtls_ssl_set_export_keys_cb(&ssl, learn_secrets, NULL);
    check("name", mbedtls_ssl_set_hostname(&ssl, task.server ? NULL : task.name));
    if (task.mtu > 0) {
        mbedtls_ssl_set_mtu(&ssl, (uint16_t) task.mtu);
    }
    if (task.use_cid) {
        check("cid", mbedtls_ssl_set_cid(&ssl, MBEDTLS_SSL_CID_ENABLED, task.cid, task.cid_length));
    }
    if (have_session) {
        check("session", mbedtls_ssl_set_session(&ssl, &session));
    }
    name_client();
}

static void report(void)
{
    char suite[64];
    snprintf(suite, sizeof suite, "%s", mbedtls_ssl_get_ciphersuite(&ssl));
    for (char *at = suite; *at != '\0'; at++) {
        *at = *at == '-' ? '_' : *at;
    }
    unsigned char cid[MBEDTLS_SSL_CID_OUT_LEN_MAX];
    size_t cid_length = 0;
    int cid_in_use = MBEDTLS_SSL_CID_DISABLED;
    mbedtls_ssl_get_peer_cid(&ssl, &cid_in_use, cid, &cid_length);
    int resumed = memcmp(master, master_before, sizeof master) == 0;
    memcpy(master_before, master, sizeof master);
    print_connected(suite, "-", cid_in_use == MBEDTLS_SSL_CID_ENABLED ? cid : NULL, cid_length, resumed);
}

int library_handshake(void)
{
    start();
    for (;;) {
        int outcome = mbedtls_ssl_handshake(&ssl);
        if (outcome == 0) {
            break;
        }
        if (outcome == MBEDTLS_ERR_SSL_HELLO_VERIFY_REQUIRED) {
            mbedtls_ssl_session_reset(&ssl);
            link_.remote_known = 0;
            name_client();
        } else if (outcome != MBEDTLS_ERR_SSL_WANT_READ && outcome != MBEDTLS_ERR_SSL_WANT_WRITE) {
            return say_why("handshake", outcome);
        }
    }
    report();
    if (!task.server && task.resume != RESUME_NEVER) {
        mbedtls_ssl_session_free(&session);
        mbedtls_ssl_session_init(&session);
        check("session", mbedtls_ssl_get_session(&ssl, &session));
        have_session = 1;
    }
    return 0;
}

int library_read(unsigned char *bytes, size_t room)
{
    reading = 1;
    int got = mbedtls_ssl_read(&ssl, bytes, room);
    reading = 0;
    if (got >= 0) {
        return got;
    }
    if (got == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        return -1;
    }
    if (got == MBEDTLS_ERR_SSL_WANT_READ || got == MBEDTLS_ERR_SSL_WANT_WRITE || got == MBEDTLS_ERR_SSL_TIMEOUT) {
        return 0;
    }
    say_why("read", got);
    return -2;
}

int library_pending(void) { return mbedtls_ssl_check_pending(&ssl); }

int library_write(const unsigned char *bytes, size_t length)
{
    int sent = mbedtls_ssl_write(&ssl, bytes, length);
    return sent < 0 ? say_why("write", sent) : sent;
}

int library_rekey(void) { return -1; /* DTLS 1.2 has no KeyUpdate. */ }

int library_wait(void) { return -1; }

void library_tick(void) {}

void library_close(void) { mbedtls_ssl_close_notify(&ssl); }

void library_end(void) { mbedtls_ssl_free(&ssl); }
