/* The peer over wolfSSL: DTLS 1.2 and 1.3 with pre-shared keys, certificates and raw public keys, Connection IDs and
 * resumption. wolfSSL is under the GPL; it is built into this program, which no other is linked with. */
#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/error-ssl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "peer.h"

static WOLFSSL_CTX *context;
static WOLFSSL *ssl;
static WOLFSSL_SESSION *session;
/* What the application's last write or the library's timer is waiting for. */
static long long deadline_ms;

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void check(const char *what, int outcome)
{
    if (outcome != WOLFSSL_SUCCESS) {
        char text[WOLFSSL_MAX_ERROR_SZ];
        wolfSSL_ERR_error_string_n((unsigned long) outcome, text, sizeof text);
        fail(what, text);
    }
}

static int say_why(const char *what, int error)
{
    char text[WOLFSSL_MAX_ERROR_SZ];
    wolfSSL_ERR_error_string_n((unsigned long) error, text, sizeof text);
    printf("failed %s: %s\n", what, text);
    return -2;
}

static int send_datagram(WOLFSSL *of, char *bytes, int length, void *unused)
{
    (void) of, (void) unused;
    int sent = link_send(bytes, (size_t) length);
    /* A port that is closed for now is a datagram lost. */
    return sent < 0 ? length : sent;
}

/* Never waits: the loops below know the timer. */
static int receive_datagram(WOLFSSL *of, char *bytes, int room, void *unused)
{
    (void) of, (void) unused;
    int got = link_receive(bytes, (size_t) room, 0);
    return got == 0 ? WOLFSSL_CBIO_ERR_WANT_READ : got;
}

static unsigned client_psk(WOLFSSL *of, const char *hint, char *identity, unsigned room, unsigned char *key, unsigned key_room)
{
    (void) of, (void) hint;
    if (task.psk_length > key_room) {
        return 0;
    }
    snprintf(identity, room, "%s", task.identity);
    memcpy(key, task.psk, task.psk_length);
    return (unsigned) task.psk_length;
}

static unsigned server_psk(WOLFSSL *of, const char *identity, unsigned char *key, unsigned room)
{
    (void) of;
    if (identity == NULL || strcmp(identity, task.identity) != 0 || task.psk_length > room) {
        return 0;
    }
    memcpy(key, task.psk, task.psk_length);
    return (unsigned) task.psk_length;
}

/* wolfSSL binds an external key to one suite of DTLS 1.3, by the name of its own. */
static const char *psk_suite(void)
{
    static const char *const names[][2] = {
        { "TLS_AES_128_CCM_8_SHA256", "TLS13-AES128-CCM-8-SHA256" },
        { "TLS_AES_128_CCM_SHA256", "TLS13-AES128-CCM-SHA256" },
        { "TLS_AES_128_GCM_SHA256", "TLS13-AES128-GCM-SHA256" },
    };
    for (size_t at = 0; task.suite != NULL && at < sizeof names / sizeof *names; at++) {
        if (strcmp(task.suite, names[at][0]) == 0) {
            return names[at][1];
        }
    }
    return names[0][1];
}

static unsigned client_psk_13(WOLFSSL *of, const char *hint, char *identity, unsigned room, unsigned char *key,
                              unsigned key_room, const char **suite)
{
    *suite = psk_suite();
    return client_psk(of, hint, identity, room, key, key_room);
}

static unsigned server_psk_13(WOLFSSL *of, const char *identity, unsigned char *key, unsigned room, const char **suite)
{
    *suite = psk_suite();
    return server_psk(of, identity, key, room);
}

static const char *suites(void)
{
    if (task.suite != NULL) {
        return task.suite;
    }
    if (task.version == 13) {
        return "TLS_AES_128_CCM_8_SHA256:TLS_AES_128_CCM_SHA256:TLS_AES_128_GCM_SHA256";
    }
    if (task.auth == AUTH_PSK) {
        return "TLS_PSK_WITH_AES_128_CCM_8:TLS_PSK_WITH_AES_128_CCM";
    }
    return "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8:TLS_ECDHE_ECDSA_WITH_AES_128_CCM:"
           "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
}

static void use_psk(void)
{
    wolfSSL_CTX_set_psk_client_callback(context, client_psk);
    wolfSSL_CTX_set_psk_server_callback(context, server_psk);
    if (task.version == 13) {
        wolfSSL_CTX_set_psk_client_tls13_callback(context, client_psk_13);
        wolfSSL_CTX_set_psk_server_tls13_callback(context, server_psk_13);
        check("psk mode", task.ephemeral ? wolfSSL_CTX_only_dhe_psk(context) == 0 : wolfSSL_CTX_no_dhe_psk(context) == 0);
    }
}

static void use_raw_keys(void)
{
    char types[] = { WOLFSSL_CERT_TYPE_RPK };
    unsigned char key[MAX_FILE];
    check("client type", wolfSSL_CTX_set_client_cert_type(context, types, sizeof types));
    check("server type", wolfSSL_CTX_set_server_cert_type(context, types, sizeof types));
    if (task.cert != NULL) {
        size_t length = read_pem(task.cert, key, sizeof key);
        check("raw key", wolfSSL_CTX_use_certificate_buffer(context, key, (long) length, WOLFSSL_FILETYPE_ASN1));
    }
    if (task.peer_key != NULL) {
        size_t length = read_pem(task.peer_key, key, sizeof key);
        check("peer's key", wolfSSL_CTX_set_expected_rpk(context, key, (unsigned) length));
    }
}

static void use_keys(void)
{
    int believes = task.ca != NULL || task.peer_key != NULL;
    if (task.auth == AUTH_RPK) {
        use_raw_keys();
    } else if (task.cert != NULL) {
        check("certificate", wolfSSL_CTX_use_certificate_chain_file(context, task.cert));
    }
    if (task.key != NULL) {
        check("key", wolfSSL_CTX_use_PrivateKey_file(context, task.key, WOLFSSL_FILETYPE_PEM));
    }
    if (task.ca != NULL) {
        check("authority", wolfSSL_CTX_load_verify_locations(context, task.ca, NULL));
    }
    wolfSSL_CTX_set_verify(context, believes ? WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT
                                             : WOLFSSL_VERIFY_NONE, NULL);
}

void library_prepare(void)
{
    check("library", wolfSSL_Init());
    WOLFSSL_METHOD *method;
    if (task.version == 13) {
        method = task.server ? wolfDTLSv1_3_server_method() : wolfDTLSv1_3_client_method();
    } else {
        method = task.server ? wolfDTLSv1_2_server_method() : wolfDTLSv1_2_client_method();
    }
    context = wolfSSL_CTX_new(method);
    if (context == NULL) {
        fail("context", "no memory");
    }
    check("suite", wolfSSL_CTX_set_cipher_list(context, suites()));
    if (task.auth == AUTH_PSK) {
        use_psk();
    } else {
        use_keys();
    }
    if (task.resume == RESUME_TICKET) {
        check("tickets", wolfSSL_CTX_UseSessionTicket(context));
    } else if (task.version == 13) {
        wolfSSL_CTX_no_ticket_TLSv13(context);
    } else {
        wolfSSL_CTX_NoTicketTLSv12(context);
    }
    if (task.resume == RESUME_NEVER) {
        wolfSSL_CTX_set_session_cache_mode(context, WOLFSSL_SESS_CACHE_OFF);
    }
    wolfSSL_SetIOSend(context, send_datagram);
    wolfSSL_SetIORecv(context, receive_datagram);
}

static void choose_groups(void)
{
    int x25519_first = task.group == GROUP_X25519;
    int groups[] = { x25519_first ? WOLFSSL_ECC_X25519 : WOLFSSL_ECC_SECP256R1,
                     x25519_first ? WOLFSSL_ECC_SECP256R1 : WOLFSSL_ECC_X25519 };
    /* In DTLS 1.2 a client's list is also that of the curves that certificates may have: P-256 has to be in it. */
    int both = task.group == GROUP_BOTH || (x25519_first && task.version == 12 && !task.server);
    int no_exchange = task.version == 13 && task.auth == AUTH_PSK && !task.ephemeral;
    if (task.group != GROUP_ANY && !no_exchange) {
        check("group", wolfSSL_set_groups(ssl, groups, both ? 2 : 1));
        if (task.version == 13 && !task.server) {
            check("share", wolfSSL_UseKeyShare(ssl, (word16) groups[0]));
        }
    }
}

static void start(void)
{
    ssl = wolfSSL_new(context);
    if (ssl == NULL) {
        fail("connection", "cannot be made");
    }
    wolfSSL_dtls_set_using_nonblock(ssl, 1);
    choose_groups();
    if (task.name != NULL) {
        check("name", wolfSSL_check_domain_name(ssl, task.name));
    }
    if (task.version == 13 && task.server) {
        check("cookie", wolfSSL_send_hrr_cookie(ssl, NULL, 0));
    }
    if (task.use_cid) {
        check("cid", wolfSSL_dtls_cid_use(ssl));
        check("cid", wolfSSL_dtls_cid_set(ssl, task.cid, (unsigned) task.cid_length));
    }
    if (task.mtu > 0) {
        check("mtu", wolfSSL_dtls_set_mtu(ssl, (unsigned short) task.mtu));
    }
    if (session != NULL) {
        check("session", wolfSSL_set_session(ssl, session));
    }
}

static void report(void)
{
    const char *group = wolfSSL_get_curve_name(ssl);
    int number = wolfSSL_get_current_cipher_suite(ssl);
    const char *suite = wolfSSL_get_cipher_name_iana_from_suite((unsigned char) (number >> 8), (unsigned char) number);
    unsigned char cid[255];
    unsigned cid_length = 0;
    int uses_cid = wolfSSL_dtls_cid_is_enabled(ssl);
    if (uses_cid && wolfSSL_dtls_cid_get_tx_size(ssl, &cid_length) == WOLFSSL_SUCCESS && cid_length > 0) {
        wolfSSL_dtls_cid_get_tx(ssl, cid, sizeof cid);
    }
    if (group == NULL || strncmp(suite, "TLS_PSK_", 8) == 0
        || (task.version == 13 && task.auth == AUTH_PSK && !task.ephemeral)) {
        group = "none";
    } else if (strcmp(group, "SECP256R1") == 0) {
        group = "p256";
    } else if (strcmp(group, "X25519") == 0) {
        group = "x25519";
    }
    print_connected(suite, group, uses_cid ? cid : NULL, cid_length, wolfSSL_session_reused(ssl));
}

/* Its timer counts whole seconds: a quarter of each is long enough on this machine. */
int library_wait(void)
{
    long long left = deadline_ms - now_ms();
    return left < 0 ? 0 : (int) left;
}

static void rewind_timer(void) { deadline_ms = now_ms() + wolfSSL_dtls_get_current_timeout(ssl) * 250; }

void library_tick(void)
{
    if (wolfSSL_dtls_got_timeout(ssl) != WOLFSSL_SUCCESS && !wolfSSL_is_init_finished(ssl)) {
        say_why("time-out", wolfSSL_get_error(ssl, 0));
    }
    rewind_timer();
}

int library_handshake(void)
{
    long long give_up = 0;
    start();
    rewind_timer();
    for (;;) {
        int outcome = task.server ? wolfSSL_accept(ssl) : wolfSSL_connect(ssl);
        if (outcome == WOLFSSL_SUCCESS) {
            report();
            rewind_timer();
            return 0;
        }
        int error = wolfSSL_get_error(ssl, outcome);
        if (error != WOLFSSL_ERROR_WANT_READ && error != WOLFSSL_ERROR_WANT_WRITE) {
            return say_why("handshake", error);
        }
        if (!task.server || link_.remote_known) {
            give_up = give_up == 0 ? now_ms() + 60000 : give_up;
            if (now_ms() > give_up) {
                return say_why("handshake", error);
            }
        }
        if (!link_wait(task.server && !link_.remote_known ? -1 : library_wait())) {
            library_tick();
        }
    }
}

int library_read(unsigned char *bytes, size_t room)
{
    int got = wolfSSL_read(ssl, bytes, (int) room);
    if (got > 0) {
        return got;
    }
    int error = wolfSSL_get_error(ssl, got);
    if (error == WOLFSSL_ERROR_ZERO_RETURN) {
        return -1;
    }
    if (error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE) {
        return 0;
    }
    return say_why("read", error);
}

int library_pending(void) { return wolfSSL_pending(ssl); }

int library_write(const unsigned char *bytes, size_t length)
{
    int sent = wolfSSL_write(ssl, bytes, (int) length);
    return sent <= 0 ? say_why("write", wolfSSL_get_error(ssl, sent)) : sent;
}

int library_rekey(void)
{
    int outcome = wolfSSL_update_keys(ssl);
    return outcome == WOLFSSL_SUCCESS ? 0 : -1;
}

void library_close(void)
{
    if (!task.server && task.resume != RESUME_NEVER) {
        wolfSSL_SESSION_free(session);
        session = wolfSSL_get1_session(ssl);
    }
    wolfSSL_shutdown(ssl);
}

void library_end(void)
{
    wolfSSL_free(ssl);
    ssl = NULL;
}
