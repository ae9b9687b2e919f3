// The peer over pion/dtls: DTLS 1.2 with pre-shared keys and certificates, Connection IDs and resumption.
// README.md in the folder above describes the command line and the line protocol.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
)

var suites = map[string]dtls.CipherSuiteID{
	"TLS_PSK_WITH_AES_128_CCM":                dtls.TLS_PSK_WITH_AES_128_CCM,
	"TLS_PSK_WITH_AES_128_CCM_8":              dtls.TLS_PSK_WITH_AES_128_CCM_8,
	"TLS_ECDHE_ECDSA_WITH_AES_128_CCM":        dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
	"TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8":      dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
	"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
}

type task struct {
	server                   bool
	address                  string
	version, suite, auth     string
	identity, psk            string
	cert, key, ca, name, cid string
	group, resume            string
	echo, usesCID            bool
	mtu                      int
	sessions                 *sessions
	masterSecrets            map[string]bool
}

var printing sync.Mutex

func say(format string, values ...any) {
	printing.Lock()
	defer printing.Unlock()
	fmt.Printf(format+"\n", values...)
}

func fail(what string, err error) {
	say("failed %s: %v", what, err)
	os.Exit(1)
}

// One set of sessions for all connections. A client finds the only one it has, wherever the server is.
type sessions struct {
	sync.Mutex
	client bool
	known  map[string]dtls.Session
}

func (s *sessions) name(key []byte) string {
	if s.client {
		return ""
	}
	return string(key)
}

func (s *sessions) Set(key []byte, session dtls.Session) error {
	s.Lock()
	defer s.Unlock()
	s.known[s.name(key)] = session
	return nil
}

func (s *sessions) Get(key []byte) (dtls.Session, error) {
	s.Lock()
	defer s.Unlock()
	return s.known[s.name(key)], nil
}

func (s *sessions) Del(key []byte) error {
	s.Lock()
	defer s.Unlock()
	delete(s.known, s.name(key))
	return nil
}

func parse() *task {
	t := &task{masterSecrets: map[string]bool{}}
	if len(os.Args) < 3 || (os.Args[1] != "client" && os.Args[1] != "server") {
		fmt.Fprintln(os.Stderr, "usage: pion-peer client|server ADDRESS:PORT [OPTION...]; see README.md")
		os.Exit(2)
	}
	t.server, t.address = os.Args[1] == "server", os.Args[2]
	flags := flag.NewFlagSet("pion-peer", flag.ExitOnError)
	for name, text := range map[string]*string{
		"version": &t.version, "suite": &t.suite, "auth": &t.auth, "identity": &t.identity, "psk": &t.psk,
		"cert": &t.cert, "key": &t.key, "ca": &t.ca, "name": &t.name, "group": &t.group, "resume": &t.resume,
		"cid": &t.cid,
	} {
		flags.StringVar(text, name, "", "")
	}
	flags.BoolVar(&t.echo, "echo", false, "")
	flags.IntVar(&t.mtu, "mtu", 0, "")
	if err := flags.Parse(os.Args[3:]); err != nil || flags.NArg() > 0 {
		os.Exit(2)
	}
	flags.Visit(func(f *flag.Flag) { t.usesCID = t.usesCID || f.Name == "cid" })
	if t.version != "" && t.version != "1.2" {
		fail("version", errors.New("pion has DTLS 1.2 only"))
	}
	if t.auth == "rpk" {
		fail("auth", errors.New("pion has no raw public keys"))
	}
	t.sessions = &sessions{client: !t.server, known: map[string]dtls.Session{}}
	return t
}

// What both roles are told.
func (t *task) options() []dtls.Option {
	options := []dtls.Option{
		dtls.WithFlightInterval(300 * time.Millisecond),
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
	}
	if suite, known := suites[t.suite]; known {
		options = append(options, dtls.WithCipherSuites(suite))
	} else if t.suite != "" {
		fail("suite", errors.New("unknown to pion"))
	} else if t.auth == "psk" {
		options = append(options, dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_CCM_8, dtls.TLS_PSK_WITH_AES_128_CCM))
	} else {
		options = append(options, dtls.WithCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
			dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256))
	}
	switch t.group {
	case "p256":
		options = append(options, dtls.WithEllipticCurves(elliptic.P256))
	case "x25519":
		// A client's list is also that of the curves that certificates may have: P-256 has to be in it.
		curves := []elliptic.Curve{elliptic.X25519}
		if !t.server {
			curves = append(curves, elliptic.P256)
		}
		options = append(options, dtls.WithEllipticCurves(curves...))
	}
	if t.psk != "" {
		key, err := hex.DecodeString(t.psk)
		if err != nil {
			fail("psk", err)
		}
		options = append(options, dtls.WithPSK(func(identity []byte) ([]byte, error) {
			if t.server && string(identity) != t.identity {
				return nil, errors.New("no such identity")
			}
			return key, nil
		}))
		if !t.server {
			options = append(options, dtls.WithPSKIdentityHint([]byte(t.identity)))
		}
	}
	if t.cert != "" {
		pair, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			fail("certificate", err)
		}
		options = append(options, dtls.WithCertificates(pair))
	}
	if t.usesCID {
		cid, err := hex.DecodeString(t.cid)
		if err != nil {
			fail("cid", err)
		}
		options = append(options, dtls.WithConnectionIDGenerator(func() []byte { return cid }))
	}
	if t.mtu > 0 {
		options = append(options, dtls.WithMTU(t.mtu))
	}
	if t.resume == "id" {
		options = append(options, dtls.WithSessionStore(t.sessions))
	} else if t.resume == "ticket" {
		fail("resume", errors.New("pion has no session tickets"))
	}
	return options
}

func (t *task) authorities() *x509.CertPool {
	pem, err := os.ReadFile(t.ca)
	if err != nil {
		fail("authority", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool
}

// Says what was negotiated. pion tells the Connection ID and the master secret only in the state that it saves.
func (t *task) report(connection *dtls.Conn) error {
	state, known := connection.ConnectionState()
	if !known {
		return errors.New("no state")
	}
	saved, err := state.MarshalBinary()
	if err != nil {
		return err
	}
	var details struct {
		MasterSecret       []byte
		RemoteConnectionID []byte
	}
	if err := gob.NewDecoder(bytes.NewReader(saved)).Decode(&details); err != nil {
		return err
	}
	cid, resumed := "none", "no"
	if len(details.RemoteConnectionID) > 0 {
		cid = hex.EncodeToString(details.RemoteConnectionID)
	}
	printing.Lock()
	if t.masterSecrets[string(details.MasterSecret)] {
		resumed = "yes"
	}
	t.masterSecrets[string(details.MasterSecret)] = true
	printing.Unlock()
	say("connected version=1.2 suite=%s group=- cid=%s resumed=%s", state.CipherSuiteID, cid, resumed)
	return nil
}

// Prints what arrives until the connection ends.
func (t *task) hear(connection *dtls.Conn) {
	buffer := make([]byte, 65535)
	for {
		length, err := connection.Read(buffer)
		if err != nil {
			if errors.Is(err, io.EOF) {
				say("closed")
			} else {
				say("failed read: %v", err)
			}
			return
		}
		say("data %x", buffer[:length])
		if t.echo {
			if _, err := connection.Write(buffer[:length]); err != nil {
				say("failed write: %v", err)
				return
			}
		}
	}
}

func (t *task) serve(commands <-chan string) {
	address, err := net.ResolveUDPAddr("udp", t.address)
	if err != nil {
		fail("address", err)
	}
	var options []dtls.ServerOption
	for _, option := range t.options() {
		options = append(options, option)
	}
	if t.ca != "" {
		options = append(options, dtls.WithClientAuth(dtls.RequireAndVerifyClientCert), dtls.WithClientCAs(t.authorities()))
	}
	listener, err := dtls.ListenWithOptions("udp", address, options...)
	if err != nil {
		fail("listen", err)
	}
	say("listening %s", listener.Addr())
	var latest *dtls.Conn
	go func() {
		for {
			accepted, err := listener.Accept()
			if err != nil {
				fail("accept", err)
			}
			connection := accepted.(*dtls.Conn)
			go func() {
				if err := connection.Handshake(); err != nil {
					say("failed handshake: %v", err)
				} else if err := t.report(connection); err != nil {
					say("failed report: %v", err)
				} else {
					printing.Lock()
					latest = connection
					printing.Unlock()
					t.hear(connection)
				}
				connection.Close()
			}()
		}
	}()
	for command := range commands {
		printing.Lock()
		connection := latest
		printing.Unlock()
		if data, err := hex.DecodeString(command); err == nil && connection != nil {
			connection.Write(data)
		} else if command == "close" {
			connection.Close()
			return
		}
	}
}

// A socket that can go on from another port.
type movingSocket struct {
	sync.Mutex
	net.PacketConn
}

func (s *movingSocket) current() net.PacketConn {
	s.Lock()
	defer s.Unlock()
	return s.PacketConn
}

func (s *movingSocket) ReadFrom(buffer []byte) (int, net.Addr, error) {
	for {
		socket := s.current()
		length, from, err := socket.ReadFrom(buffer)
		if err == nil || socket == s.current() {
			return length, from, err
		}
	}
}

func (s *movingSocket) WriteTo(data []byte, to net.Addr) (int, error) {
	return s.current().WriteTo(data, to)
}

func (s *movingSocket) rebind() {
	fresh, err := net.ListenPacket("udp", ":0")
	if err != nil {
		fail("rebind", err)
	}
	s.Lock()
	old := s.PacketConn
	s.PacketConn = fresh
	s.Unlock()
	old.Close()
}

func (t *task) connect(commands <-chan string) {
	remote, err := net.ResolveUDPAddr("udp", t.address)
	if err != nil {
		fail("address", err)
	}
	var options []dtls.ClientOption
	for _, option := range t.options() {
		options = append(options, option)
	}
	if t.ca != "" {
		options = append(options, dtls.WithRootCAs(t.authorities()), dtls.WithServerName(t.name))
	} else {
		options = append(options, dtls.WithInsecureSkipVerify(true))
	}
	for again := true; again; {
		packets, err := net.ListenPacket("udp", ":0")
		if err != nil {
			fail("socket", err)
		}
		socket := &movingSocket{PacketConn: packets}
		connection, err := dtls.ClientWithOptions(socket, remote, options...)
		if err == nil {
			err = connection.Handshake()
		}
		if err == nil {
			err = t.report(connection)
		}
		if err != nil {
			fail("handshake", err)
		}
		heard := make(chan struct{})
		go func() { t.hear(connection); close(heard) }()
		again = t.obey(connection, socket, commands, heard)
		connection.Close()
	}
}

// Carries out commands; true if the next is another connection.
func (t *task) obey(connection *dtls.Conn, socket *movingSocket, commands <-chan string, heard <-chan struct{}) bool {
	for {
		select {
		case <-heard:
			return false
		case command, open := <-commands:
			switch data, err := hex.DecodeString(command); {
			case !open || command == "close":
				return false
			case command == "again":
				return true
			case command == "rebind":
				socket.rebind()
			case err == nil && len(data) > 0:
				if _, err := connection.Write(data); err != nil {
					fail("write", err)
				}
			}
		}
	}
}

func main() {
	t := parse()
	commands := make(chan string)
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		lines.Buffer(nil, 1<<18)
		for lines.Scan() {
			commands <- lines.Text()
		}
		close(commands)
	}()
	if t.server {
		t.serve(commands)
	} else {
		t.connect(commands)
	}
}
