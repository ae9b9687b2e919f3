/* A DTLS 1.2 server on GnuTLS, for benchmarks: many sessions on one UDP socket, echo of application data. Stateless
 * cookies before anything is kept. */
#include "batch.h"

#include <errno.h>

#include <gnutls/dtls.h>
#include <gnutls/gnutls.h>

static gnutls_datum_t cookie_key, ticket_key;
static gnutls_psk_server_credentials_t psk_credentials;
static gnutls_certificate_credentials_t certificate_credentials;
static gnutls_priority_t priorities;
static struct task settings;

static void must(int code) {
    if (code < 0) {
        fprintf(stderr, "gnutls: %s\n", gnutls_strerror(code));
        exit(1);
    }
}

static ssize_t push(gnutls_transport_ptr_t unused, const void *bytes, size_t len) {
    (void)unused;
    batch_send(bytes, (int)len);
    return len;
}

static ssize_t pull(gnutls_transport_ptr_t session, void *buffer, size_t room) {
    if (incoming == NULL) {
        gnutls_transport_set_errno(session, EAGAIN);
        return -1;
    }
    int n = incoming_len < (int)room ? incoming_len : (int)room;
    memcpy(buffer, incoming, n);
    incoming = NULL;
    return n;
}

static int pull_timeout(gnutls_transport_ptr_t unused, unsigned ms) {
    (void)unused, (void)ms;
    return incoming != NULL;
}

static int psk(gnutls_session_t session, const char *identity, gnutls_datum_t *out) {
    (void)session, (void)identity;
    out->data = gnutls_malloc(sizeof key);
    out->size = sizeof key;
    memcpy(out->data, key, sizeof key);
    return 0;
}

static void set_up(const struct task *task) {
    const char *error;
    settings = *task;
    must(gnutls_key_generate(&cookie_key, GNUTLS_COOKIE_KEY_SIZE));
    must(gnutls_session_ticket_key_generate(&ticket_key));
    must(gnutls_priority_init(&priorities,
                              task->psk ? "NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+PSK:-CIPHER-ALL:+AES-128-CCM-8"
                                        : "NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+ECDHE-ECDSA:-CIPHER-ALL:"
                                          "+AES-128-CCM-8:-GROUP-ALL:+GROUP-SECP256R1",
                              &error));
    if (task->psk) {
        must(gnutls_psk_allocate_server_credentials(&psk_credentials));
        gnutls_psk_set_server_credentials_function(psk_credentials, psk);
        return;
    }
    must(gnutls_certificate_allocate_credentials(&certificate_credentials));
    must(gnutls_certificate_set_x509_key_file(certificate_credentials, task->certificate, task->key,
                                              GNUTLS_X509_FMT_PEM));
    if (task->mutual)
        must(gnutls_certificate_set_x509_trust_file(certificate_credentials, task->ca, GNUTLS_X509_FMT_PEM));
}

static gnutls_session_t new_session(gnutls_dtls_prestate_st *prestate) {
    gnutls_session_t session;
    must(gnutls_init(&session, GNUTLS_SERVER | GNUTLS_DATAGRAM | GNUTLS_NONBLOCK));
    must(gnutls_priority_set(session, priorities));
    if (settings.psk)
        must(gnutls_credentials_set(session, GNUTLS_CRD_PSK, psk_credentials));
    else
        must(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, certificate_credentials));
    if (settings.mutual) {
        gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_cert(session, NULL, 0);
    }
    if (settings.resume)
        must(gnutls_session_ticket_enable_server(session, &ticket_key));
    gnutls_transport_set_push_function(session, push);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_transport_set_pull_timeout_function(session, pull_timeout);
    gnutls_transport_set_ptr(session, session);
    gnutls_dtls_set_mtu(session, 1200);
    gnutls_dtls_prestate_set(session, prestate);
    gnutls_handshake_set_timeout(session, 60000);
    return session;
}

static void datagram(void) {
    unsigned char buffer[DATAGRAM];
    struct peer **place = find();
    if (*place == NULL) {
        gnutls_dtls_prestate_st prestate = {0};
        unsigned char address[6];
        memcpy(address, &current.sin_addr, 4);
        memcpy(address + 4, &current.sin_port, 2);
        if (gnutls_dtls_cookie_verify(&cookie_key, address, sizeof address, incoming, incoming_len, &prestate) < 0) {
            gnutls_dtls_cookie_send(&cookie_key, address, sizeof address, &prestate, NULL, push);
            return;
        }
        add(place, new_session(&prestate));
    }
    gnutls_session_t session = (*place)->connection;
    int outcome = 0;
    /* The application's pointer tells whether the handshake is over. */
    if (gnutls_session_get_ptr(session) == NULL) {
        while ((outcome = gnutls_handshake(session)) < 0 && outcome != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(outcome))
            ;
        if (outcome == 0)
            gnutls_session_set_ptr(session, session);
    }
    if (outcome == 0)
        while ((outcome = gnutls_record_recv(session, buffer, sizeof buffer)) > 0)
            gnutls_record_send(session, buffer, outcome);
    if (outcome != GNUTLS_E_AGAIN && (outcome == 0 || gnutls_error_is_fatal(outcome))) {
        forget(place);
        gnutls_deinit(session);
    }
}
