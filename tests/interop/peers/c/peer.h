/* What the peers over C libraries share: the command line, the socket, the line protocol.
 * README.md beside this folder describes the last; each library fills in the functions at the end. */
#ifndef SEDGE_PEER_H
#define SEDGE_PEER_H

#include <stddef.h>
#include <sys/socket.h>

enum { MAX_DATAGRAM = 65535, MAX_FILE = 16384 };

enum auth { AUTH_PSK, AUTH_RPK, AUTH_CERT };
enum group { GROUP_ANY, GROUP_P256, GROUP_X25519, GROUP_BOTH };
enum resume { RESUME_NEVER, RESUME_TICKET, RESUME_ID };

/* What the command line said. Texts that it did not give are NULL. */
extern struct task {
    int server, version; /* version is 12 or 13 */
    char address[64], port[8];
    enum auth auth;
    const char *suite, *identity, *cert, *key, *ca, *peer_key, *name;
    unsigned char psk[64], cid[255];
    size_t psk_length, cid_length;
    int use_cid, ephemeral, mtu, echo;
    enum group group;
    enum resume resume;
} task;

/* The socket and the other end. The first datagram names the client of a server that has none. */
extern struct link {
    int socket, remote_known;
    struct sockaddr_storage remote, sender;
    socklen_t remote_length, sender_length;
} link_;

/* Sends to the other end; less than zero if that failed. */
int link_send(const void *bytes, size_t length);
/* Waits for a datagram from the other end (or from anybody, once connected); its length, 0 if none came. */
int link_receive(void *bytes, size_t room, int timeout_ms);

/* Waits for a datagram; zero if none came. */
int link_wait(int timeout_ms);

/* Reads a whole file, with a zero byte behind it. */
size_t read_file(const char *path, unsigned char *into, size_t room);
/* The DER inside a PEM file. */
size_t read_pem(const char *path, unsigned char *into, size_t room);
/* Prints `failed WHAT: WHY` and ends. */
void fail(const char *what, const char *why) __attribute__((noreturn));
/* Prints `connected ...`; `cid` is what this end writes into what it sends, NULL if Connection IDs are off. */
void print_connected(const char *suite, const char *group, const unsigned char *cid, size_t cid_length, int resumed);

/* What each library does. Outcomes below zero are errors that it has already printed. */
void library_prepare(void);
int library_handshake(void);                          /* a new connection: 0 once it is complete */
int library_read(unsigned char *bytes, size_t room);  /* application data; 0: none yet; -1: closed; -2: failed */
int library_pending(void);                            /* whether a read needs no new datagram */
int library_write(const unsigned char *bytes, size_t length);
int library_rekey(void);                              /* below zero if it cannot */
int library_wait(void);                               /* how long a read may wait, in milliseconds */
void library_tick(void);                              /* that time has passed */
void library_close(void);                             /* says goodbye */
void library_end(void);                               /* frees the connection; a client keeps what resumes it */

#endif
