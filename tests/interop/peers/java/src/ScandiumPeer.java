import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

import org.eclipse.californium.elements.AddressEndpointContext;
import org.eclipse.californium.elements.DtlsEndpointContext;
import org.eclipse.californium.elements.EndpointContext;
import org.eclipse.californium.elements.EndpointContextMatcher;
import org.eclipse.californium.elements.MapBasedEndpointContext;
import org.eclipse.californium.elements.RawData;
import org.eclipse.californium.elements.auth.RawPublicKeyIdentity;
import org.eclipse.californium.elements.config.CertificateAuthenticationMode;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.util.DatagramReader;
import org.eclipse.californium.elements.util.StringUtil;
import org.eclipse.californium.scandium.DTLSConnector;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConfig.DtlsRole;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.californium.scandium.dtls.AlertMessage.AlertDescription;
import org.eclipse.californium.scandium.dtls.CertificateType;
import org.eclipse.californium.scandium.dtls.ConnectionId;
import org.eclipse.californium.scandium.dtls.ConnectionIdGenerator;
import org.eclipse.californium.scandium.dtls.DTLSContext;
import org.eclipse.californium.scandium.dtls.Handshaker;
import org.eclipse.californium.scandium.dtls.SessionListener;
import org.eclipse.californium.scandium.dtls.cipher.CipherSuite;
import org.eclipse.californium.scandium.dtls.cipher.XECDHECryptography.SupportedGroup;
import org.eclipse.californium.scandium.dtls.pskstore.AdvancedSinglePskStore;
import org.eclipse.californium.scandium.dtls.x509.SingleCertificateProvider;
import org.eclipse.californium.scandium.dtls.x509.StaticNewAdvancedCertificateVerifier;

/**
 * The peer over Scandium: DTLS 1.2 with pre-shared keys, raw public keys and certificates, Connection IDs and session
 * ids. README.md in the folder above describes the command line and the line protocol.
 */
public final class ScandiumPeer {

    private final Map<String, String> options = new HashMap<>();
    private final boolean server;
    private final InetSocketAddress address;
    private final LinkedBlockingQueue<String> events = new LinkedBlockingQueue<>();
    private DTLSConnector connector;
    private volatile EndpointContext latest;

    private ScandiumPeer(String[] words) {
        server = words[0].equals("server");
        int colon = words[1].lastIndexOf(':');
        address = new InetSocketAddress(words[1].substring(0, colon), Integer.parseInt(words[1].substring(colon + 1)));
        for (int at = 2; at < words.length; at++) {
            options.put(words[at], words[at].equals("--echo") ? "" : words[++at]);
        }
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    /** The DER inside a PEM file. */
    private static byte[] pem(String path) throws Exception {
        String text = new String(Files.readAllBytes(Path.of(path)), StandardCharsets.US_ASCII);
        return Base64.getMimeDecoder().decode(text.replaceAll("-----[^-]*-----", ""));
    }

    private static X509Certificate[] certificates(String path) throws Exception {
        try (var file = Files.newInputStream(Path.of(path))) {
            return CertificateFactory.getInstance("X.509").generateCertificates(file).toArray(new X509Certificate[0]);
        }
    }

    private static PublicKey publicKey(String path) throws Exception {
        return KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(pem(path)));
    }

    private void useKeys(DtlsConnectorConfig.Builder config) throws Exception {
        boolean raw = options.get("--auth").equals("rpk");
        if (options.containsKey("--cert")) {
            PrivateKey key =
                    KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(pem(options.get("--key"))));
            config.setCertificateIdentityProvider(raw
                    ? new SingleCertificateProvider(key, publicKey(options.get("--cert")))
                    : new SingleCertificateProvider(key, certificates(options.get("--cert")), CertificateType.X_509));
        }
        var believed = StaticNewAdvancedCertificateVerifier.builder();
        if (options.containsKey("--ca")) {
            believed.setTrustedCertificates(certificates(options.get("--ca")));
        } else if (options.containsKey("--peer-key")) {
            believed.setTrustedRPKs(new RawPublicKeyIdentity(publicKey(options.get("--peer-key"))));
        }
        if (believed.hasTrusts()) {
            config.setAdvancedCertificateVerifier(believed.build());
        }
        if (server) {
            config.set(DtlsConfig.DTLS_CLIENT_AUTHENTICATION_MODE, believed.hasTrusts()
                    ? CertificateAuthenticationMode.NEEDED : CertificateAuthenticationMode.NONE);
        }
    }

    private DtlsConnectorConfig config() throws Exception {
        DtlsConfig.register();
        var config = DtlsConnectorConfig.builder(new Configuration());
        config.setAddress(server ? address : new InetSocketAddress(0));
        config.set(DtlsConfig.DTLS_ROLE, server ? DtlsRole.SERVER_ONLY : DtlsRole.CLIENT_ONLY);
        config.set(DtlsConfig.DTLS_RETRANSMISSION_TIMEOUT, 300, TimeUnit.MILLISECONDS);
        config.set(DtlsConfig.DTLS_ADDITIONAL_ECC_TIMEOUT, 0, TimeUnit.MILLISECONDS);
        config.set(DtlsConfig.DTLS_MAX_RETRANSMISSIONS, 8);
        config.set(DtlsConfig.DTLS_RECEIVER_THREAD_COUNT, 1);
        config.set(DtlsConfig.DTLS_CONNECTOR_THREAD_COUNT, 1);
        config.set(DtlsConfig.DTLS_USE_SERVER_NAME_INDICATION, options.containsKey("--name"));
        config.set(DtlsConfig.DTLS_RECOMMENDED_CIPHER_SUITES_ONLY, false);
        config.set(DtlsConfig.DTLS_SERVER_USE_SESSION_ID, options.getOrDefault("--resume", "").equals("id"));
        if (options.containsKey("--suite")) {
            CipherSuite suite = CipherSuite.getTypeByName(options.get("--suite"));
            if (suite == null) {
                throw new IllegalArgumentException("Scandium has no such suite");
            }
            config.setAsList(DtlsConfig.DTLS_CIPHER_SUITES, suite);
        } else if (options.get("--auth").equals("psk")) {
            config.setAsList(DtlsConfig.DTLS_CIPHER_SUITES, CipherSuite.TLS_PSK_WITH_AES_128_CCM_8,
                    CipherSuite.TLS_PSK_WITH_AES_128_CCM);
        } else {
            config.setAsList(DtlsConfig.DTLS_CIPHER_SUITES, CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
                    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256);
        }
        if (options.getOrDefault("--group", "any").equals("p256")) {
            config.setAsList(DtlsConfig.DTLS_CURVES, SupportedGroup.secp256r1);
        } else if (options.getOrDefault("--group", "any").equals("x25519")) {
            // The list is also that of the curves that certificates may have: P-256 has to be in it.
            config.setAsList(DtlsConfig.DTLS_CURVES, SupportedGroup.X25519, SupportedGroup.secp256r1);
        }
        if (options.containsKey("--mtu")) {
            config.set(DtlsConfig.DTLS_MAX_TRANSMISSION_UNIT, Integer.parseInt(options.get("--mtu")));
        }
        if (options.containsKey("--psk")) {
            config.setAdvancedPskStore(
                    new AdvancedSinglePskStore(options.get("--identity"), StringUtil.hex2ByteArray(options.get("--psk"))));
        }
        if (!options.get("--auth").equals("psk")) {
            useKeys(config);
        }
        if (options.containsKey("--cid")) {
            config.setConnectionIdGenerator(new CountedConnectionIds(StringUtil.hex2ByteArray(options.get("--cid"))));
        }
        config.setSessionListener(new Reporter());
        return config.build();
    }

    /** The Connection ID that was asked for, and then the numbers after it. */
    private static final class CountedConnectionIds implements ConnectionIdGenerator {
        private final byte[] next;

        CountedConnectionIds(byte[] first) {
            next = first;
        }

        @Override
        public boolean useConnectionId() {
            return next.length > 0;
        }

        @Override
        public synchronized ConnectionId createConnectionId() {
            if (next.length == 0) {
                return null;
            }
            ConnectionId id = new ConnectionId(next.clone());
            next[next.length - 1]++;
            return id;
        }

        @Override
        public ConnectionId read(DatagramReader reader) {
            return next.length == 0 ? null : new ConnectionId(reader.readBytes(next.length));
        }
    }

    /** Says what was negotiated. */
    private final class Reporter implements SessionListener {
        @Override
        public void handshakeStarted(Handshaker handshaker) {
        }

        @Override
        public void contextEstablished(Handshaker handshaker, DTLSContext context) {
            var session = context.getSession();
            ConnectionId cid = context.getWriteConnectionId();
            SupportedGroup group = session.getEcGroup();
            boolean resumed = !handshaker.isFullHandshake();
            say("connected version=1.2 suite=" + session.getCipherSuite().name() + " group="
                    + (group == null || resumed ? "none" : group == SupportedGroup.secp256r1 ? "p256" : group.name().toLowerCase())
                    + " cid=" + (cid == null ? "none" : StringUtil.byteArray2Hex(cid.getBytes()).toLowerCase())
                    + " resumed=" + (resumed ? "yes" : "no"));
        }

        @Override
        public void handshakeCompleted(Handshaker handshaker) {
        }

        @Override
        public void handshakeFailed(Handshaker handshaker, Throwable why) {
            say("failed handshake: " + String.valueOf(why.getMessage()).replace('\n', ' '));
            if (!server) {
                System.exit(1);
            }
        }

        @Override
        public void handshakeFlightRetransmitted(Handshaker handshaker, int flight) {
        }
    }

    /** Lets nothing pass of the message that only starts a handshake. */
    private static final class Matcher implements EndpointContextMatcher {
        @Override
        public String getName() {
            return "opening";
        }

        @Override
        public Object getEndpointIdentity(EndpointContext context) {
            return context.getPeerAddress();
        }

        @Override
        public boolean isResponseRelatedToRequest(EndpointContext request, EndpointContext response) {
            return true;
        }

        @Override
        public boolean isToBeSent(EndpointContext message, EndpointContext connection) {
            return connection == null || !DtlsEndpointContext.HANDSHAKE_MODE_FORCE
                    .equals(message.getString(DtlsEndpointContext.KEY_HANDSHAKE_MODE));
        }

        @Override
        public String toRelevantState(EndpointContext context) {
            return "";
        }
    }

    private void open() {
        EndpointContext forced = MapBasedEndpointContext.addEntries(latest,
                DtlsEndpointContext.ATTRIBUTE_HANDSHAKE_MODE_FORCE);
        connector.send(RawData.outbound(new byte[] { 0 }, forced, null, false));
    }

    private void run() throws Exception {
        if (!options.getOrDefault("--version", "1.2").equals("1.2")) {
            throw new IllegalArgumentException("Scandium has DTLS 1.2 only");
        }
        connector = new DTLSConnector(config());
        connector.setEndpointContextMatcher(new Matcher());
        connector.setAlertHandler((peer, alert) -> {
            if (alert.getDescription() == AlertDescription.CLOSE_NOTIFY) {
                say("closed");
            }
        });
        connector.setRawDataReceiver(data -> {
            if (server) {
                latest = new AddressEndpointContext(data.getInetSocketAddress());
            }
            say("data " + StringUtil.byteArray2Hex(data.getBytes()).toLowerCase());
            if (options.containsKey("--echo")) {
                connector.send(RawData.outbound(data.getBytes(), latest, null, false));
            }
        });
        connector.start();
        if (server) {
            say("listening " + address.getAddress().getHostAddress() + ":" + connector.getAddress().getPort());
        } else {
            latest = new AddressEndpointContext(address, options.get("--name"), null);
            open();
        }
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = input.readLine(); line != null && !line.equals("close"); line = input.readLine()) {
            if (line.equals("again")) {
                connector.close(address);
                open();
            } else if (!line.isEmpty()) {
                connector.send(RawData.outbound(StringUtil.hex2ByteArray(line), latest, null, false));
            }
        }
        if (latest != null) {
            connector.close(latest.getPeerAddress());
            Thread.sleep(2000); // Another thread sends it. Nobody waits for this one.
        }
        System.exit(0);
    }

    public static void main(String[] words) {
        if (words.length < 2 || !(words[0].equals("client") || words[0].equals("server"))) {
            System.err.println("usage: ScandiumPeer client|server ADDRESS:PORT [OPTION...]; see README.md");
            System.exit(2);
        }
        try {
            new ScandiumPeer(words).run();
        } catch (Exception why) {
            say("failed " + String.valueOf(why.getMessage()).replace('\n', ' '));
            System.exit(1);
        }
    }
}
