/* A DTLS server on wolfSSL, for benchmarks: many sessions on one UDP socket, echo of application data. Stateless
 * cookies before anything is kept. wolfSSL is under the GPL: this is a program of its own. */
#include "batch.h"

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/ssl.h>
#include <wolfssl/error-ssl.h>

static WOLFSSL_CTX *context;
static WOLFSSL *listener;
static struct task settings;

static void must(int outcome) {
    if (outcome != WOLFSSL_SUCCESS) {
        fprintf(stderr, "wolfSSL: %d\n", outcome);
        exit(1);
    }
}

static int send_datagram(WOLFSSL *ssl, char *bytes, int len, void *unused) {
    (void)ssl, (void)unused;
    batch_send(bytes, len);
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

static unsigned psk(WOLFSSL *ssl, const char *identity, unsigned char *out, unsigned max) {
    (void)ssl, (void)identity;
    if (max < sizeof key)
        return 0;
    memcpy(out, key, sizeof key);
    return sizeof key;
}

static unsigned psk13(WOLFSSL *ssl, const char *identity, unsigned char *out, unsigned max, const char **suite) {
    *suite = "TLS13-AES128-CCM-8-SHA256";
    return psk(ssl, identity, out, max);
}

static int address(WOLFSSL *ssl, unsigned char *cookie, int room, void *unused);

static void set_up(const struct task *task) {
    settings = *task;
    wolfSSL_Init();
    context = wolfSSL_CTX_new(task->version == 13 ? wolfDTLSv1_3_server_method() : wolfDTLSv1_2_server_method());
    wolfSSL_CTX_SetIORecv(context, receive_datagram);
    wolfSSL_CTX_SetIOSend(context, send_datagram);
    must(wolfSSL_CTX_set_cipher_list(context, task->version == 13 ? "TLS13-AES128-CCM-8-SHA256"
                                              : task->psk         ? "PSK-AES128-CCM-8"
                                                                  : "ECDHE-ECDSA-AES128-CCM-8"));
    if (task->psk) {
        wolfSSL_CTX_set_psk_server_callback(context, psk);
        if (task->version == 13) {
            wolfSSL_CTX_set_psk_server_tls13_callback(context, psk13);
            wolfSSL_CTX_no_dhe_psk(context);
        }
    } else {
        must(wolfSSL_CTX_use_certificate_file(context, task->certificate, WOLFSSL_FILETYPE_PEM));
        must(wolfSSL_CTX_use_PrivateKey_file(context, task->key, WOLFSSL_FILETYPE_PEM));
    }
    if (task->mutual) {
        must(wolfSSL_CTX_load_verify_locations(context, task->ca, NULL));
        wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    } else {
        wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_NONE, NULL);
    }
    wolfSSL_CTX_SetGenCookie(context, address);
    wolfSSL_CTX_set_session_cache_mode(context, WOLFSSL_SESS_CACHE_OFF);
    if (!task->resume && task->version == 13)
        wolfSSL_CTX_no_ticket_TLSv13(context);
    if (!task->resume)
        wolfSSL_CTX_NoTicketTLSv12(context);
}

/* A cookie of DTLS 1.2 as the library's own would be: a MAC over the address. */
#include <wolfssl/wolfcrypt/hmac.h>
static int address(WOLFSSL *ssl, unsigned char *cookie, int room, void *unused) {
    (void)ssl, (void)unused;
    Hmac hmac;
    unsigned char mac[WC_SHA256_DIGEST_SIZE];
    wc_HmacInit(&hmac, NULL, INVALID_DEVID);
    wc_HmacSetKey(&hmac, WC_SHA256, key, sizeof key);
    wc_HmacUpdate(&hmac, (unsigned char *)&current.sin_addr, 4);
    wc_HmacUpdate(&hmac, (unsigned char *)&current.sin_port, 2);
    wc_HmacFinal(&hmac, mac);
    wc_HmacFree(&hmac);
    int n = room < (int)sizeof mac ? room : (int)sizeof mac;
    memcpy(cookie, mac, n);
    return n;
}

static WOLFSSL *new_ssl(void) {
    WOLFSSL *ssl = wolfSSL_new(context);
    if (ssl == NULL)
        exit(1);
    wolfSSL_dtls_set_using_nonblock(ssl, 1);
    must(wolfSSL_dtls_set_mtu(ssl, 1200));
    if (settings.version == 13)
        must(wolfSSL_send_hrr_cookie(ssl, key, sizeof key));
    if (!settings.psk && settings.version == 13)
        must(wolfSSL_UseSupportedCurve(ssl, WOLFSSL_ECC_SECP256R1));
    return ssl;
}

static void datagram(void) {
    unsigned char buffer[DATAGRAM];
    struct peer **place = find();
    if (*place == NULL) {
        if (listener == NULL)
            listener = new_ssl();
        /* The library binds the cookie to this address. */
        wolfSSL_dtls_set_peer(listener, &current, sizeof current);
        if (wolfDTLS_accept_stateless(listener) != WOLFSSL_SUCCESS)
            return;
        /* The listener becomes the connection. */
        add(place, listener);
        listener = NULL;
    }
    WOLFSSL *ssl = (*place)->connection;
    int n;
    while ((n = wolfSSL_read(ssl, buffer, sizeof buffer)) > 0)
        wolfSSL_write(ssl, buffer, n);
    int error = wolfSSL_get_error(ssl, n);
    if (error != WOLFSSL_ERROR_WANT_READ && error != WOLFSSL_ERROR_WANT_WRITE) {
        forget(place);
        wolfSSL_free(ssl);
    }
}
