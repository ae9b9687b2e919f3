/* DTLS 1.2 and 1.3 clients on wolfSSL, to load servers with. wolfSSL is under the GPL: this is a program of its own. */
#include "load.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/error-ssl.h>

static WOLFSSL_CTX *context;
static struct task settings;

static void must(const char *what, int outcome) {
    if (outcome != WOLFSSL_SUCCESS)
        failed("wolfSSL: %s: %d", what, outcome);
}

static int send_datagram(WOLFSSL *ssl, char *bytes, int len, void *unused) {
    (void)ssl, (void)unused;
    load_send(bytes, len);
    return len;
}

static int receive_datagram(WOLFSSL *ssl, char *bytes, int room, void *unused) {
    (void)ssl, (void)unused;
    if (incoming == NULL)
        return WOLFSSL_CBIO_ERR_WANT_READ;
    int n = incoming_len < room ? incoming_len : room;
    memcpy(bytes, incoming, n);
    incoming = NULL;
    return n;
}

static unsigned psk(WOLFSSL *ssl, const char *hint, char *identity, unsigned room, unsigned char *key, unsigned max) {
    (void)ssl, (void)hint;
    if (room <= sizeof PSK_IDENTITY || max < sizeof psk_key)
        return 0;
    strcpy(identity, PSK_IDENTITY);
    memcpy(key, psk_key, sizeof psk_key);
    return sizeof psk_key;
}

static unsigned psk13(WOLFSSL *ssl, const char *hint, char *identity, unsigned room, unsigned char *key, unsigned max,
                      const char **suite) {
    *suite = "TLS13-AES128-CCM-8-SHA256";
    return psk(ssl, hint, identity, room, key, max);
}

static void set_up(const struct task *task) {
    settings = *task;
    wolfSSL_Init();
    context = wolfSSL_CTX_new(task->version == 13 ? wolfDTLSv1_3_client_method() : wolfDTLSv1_2_client_method());
    wolfSSL_CTX_SetIORecv(context, receive_datagram);
    wolfSSL_CTX_SetIOSend(context, send_datagram);
    must("suites", wolfSSL_CTX_set_cipher_list(
                       context, task->version == 13 ? "TLS13-AES128-CCM-8-SHA256:TLS13-AES128-GCM-SHA256"
                                : task->psk         ? "PSK-AES128-CCM-8"
                                                    : "ECDHE-ECDSA-AES128-CCM-8:ECDHE-ECDSA-AES128-GCM-SHA256"));
    if (task->psk) {
        wolfSSL_CTX_set_psk_client_callback(context, psk);
        if (task->version == 13) {
            wolfSSL_CTX_set_psk_client_tls13_callback(context, psk13);
            wolfSSL_CTX_no_dhe_psk(context);
        }
    } else {
        must("CA", wolfSSL_CTX_load_verify_locations(context, task->ca, NULL));
        wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER, NULL);
    }
    if (task->mutual) {
        must("certificate", wolfSSL_CTX_use_certificate_file(context, task->certificate, WOLFSSL_FILETYPE_PEM));
        must("key", wolfSSL_CTX_use_PrivateKey_file(context, task->key, WOLFSSL_FILETYPE_PEM));
    }
    wolfSSL_CTX_UseSessionTicket(context);
}

static void *client_new(void *session) {
    WOLFSSL *ssl = wolfSSL_new(context);
    wolfSSL_dtls_set_using_nonblock(ssl, 1);
    must("MTU", wolfSSL_dtls_set_mtu(ssl, 1200));
    wolfSSL_dtls_set_peer(ssl, &server, sizeof server);
    if (settings.version == 13 && !settings.psk) {
        must("curve", wolfSSL_UseSupportedCurve(ssl, WOLFSSL_ECC_SECP256R1));
        must("share", wolfSSL_UseKeyShare(ssl, WOLFSSL_ECC_SECP256R1));
    }
    if (session)
        must("session", wolfSSL_set_session(ssl, session));
    return ssl;
}

static int client_step(void *client) {
    char ignored[DATAGRAM];
    int connected = wolfSSL_is_init_finished(client);
    int n = connected ? wolfSSL_read(client, ignored, sizeof ignored) : wolfSSL_connect(client);
    if (n > 0)
        return 1;
    int error = wolfSSL_get_error(client, n);
    if (error == WOLFSSL_ERROR_WANT_READ || error == APP_DATA_READY)
        return connected;
    fprintf(stderr, "wolfSSL: %d\n", error);
    return -1;
}

static int client_resumed(void *client) { return wolfSSL_session_reused(client); }

static void *client_session(void *client) { return wolfSSL_get1_session(client); }

static void client_expire(void *client) {
    if (settings.version == 13 && wolfSSL_dtls13_use_quick_timeout(client))
        return;
    wolfSSL_dtls_got_timeout(client);
}

static void client_end(void *client, int connected) {
    if (connected)
        wolfSSL_shutdown(client);
    wolfSSL_free(client);
}

static void session_free(void *session) { wolfSSL_SESSION_free(session); }
