//! CoAP as a device speaks it, message by message, over DTLS or plain.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use sedge_coap::{Code, Message, OptionNumber, Token, Type, Writer};

use crate::dtls::{Connection, Identity, SOON, receive, socket_towards};

/// A message, taken out of its datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received(pub Vec<u8>);

impl Received {
    /// What it says.
    ///
    /// # Panics
    /// If it is not CoAP.
    pub fn message(&self) -> Message<'_> {
        Message::parse(&self.0).unwrap_or_else(|error| panic!("{error:?}: {:02x?}", self.0))
    }

    /// Its code.
    pub fn code(&self) -> Code {
        self.message().code()
    }

    /// Its payload.
    pub fn payload(&self) -> &[u8] {
        self.message().payload()
    }

    /// The payload, if it is text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.payload()).into_owned()
    }
}

/// How messages travel.
#[derive(Debug)]
pub enum Carrier {
    /// Over DTLS.
    Secure(Box<Connection>),
    /// Over nothing.
    Plain(UdpSocket, SocketAddr),
}

/// A CoAP endpoint in the test's hands.
#[derive(Debug)]
pub struct Device {
    /// How its messages travel.
    pub carrier: Carrier,
    /// The next Message ID.
    pub next_id: u16,
    /// Whether it acknowledges confirmable messages by itself.
    pub acknowledges: bool,
    waiting: Vec<Received>,
}

/// A message as bytes: options in ascending order.
///
/// # Panics
/// If it does not fit 1,152 bytes.
pub fn message(
    kind: Type,
    code: Code,
    id: u16,
    token: &[u8],
    options: &[(OptionNumber, &[u8])],
    payload: &[u8],
) -> Vec<u8> {
    let mut buffer = vec![0; 65_536];
    let mut writer = Writer::new(&mut buffer, kind, code, id, Token::new(token).expect("at most 8 bytes"));
    for (number, value) in options {
        writer.option(*number, value);
    }
    if !payload.is_empty() {
        writer.payload(payload);
    }
    let length = writer.finish().expect("well-formed");
    buffer.truncate(length);
    buffer
}

/// The Uri-Path options of a path without its first slash.
pub fn path(text: &str) -> Vec<(OptionNumber, &[u8])> {
    text.split('/').map(|segment| (OptionNumber::URI_PATH, segment.as_bytes())).collect()
}

impl Device {
    /// Connects over DTLS.
    ///
    /// # Panics
    /// If the handshake fails.
    pub fn connect(server: SocketAddr, identity: &Identity) -> Self {
        let connection = Connection::connect(server, identity);
        Self::over(connection.unwrap_or_else(|failure| panic!("{failure}")))
    }

    /// Goes on over this connection.
    pub fn over(connection: Connection) -> Self {
        Self {
            carrier: Carrier::Secure(Box::new(connection)),
            next_id: 1,
            acknowledges: true,
            waiting: Vec::new(),
        }
    }

    /// Speaks plain CoAP.
    pub fn plain(server: SocketAddr) -> Self {
        let carrier = Carrier::Plain(socket_towards(server), server);
        Self { carrier, next_id: 1, acknowledges: true, waiting: Vec::new() }
    }

    /// The DTLS connection.
    ///
    /// # Panics
    /// If it speaks plain CoAP.
    pub fn connection(&mut self) -> &mut Connection {
        match &mut self.carrier {
            Carrier::Secure(connection) => connection,
            Carrier::Plain(..) => panic!("plain CoAP has no connection"),
        }
    }

    /// Sends these bytes as one message.
    ///
    /// # Panics
    /// If the socket breaks.
    pub fn send(&mut self, message: &[u8]) {
        match &mut self.carrier {
            Carrier::Secure(connection) => connection.send(message),
            Carrier::Plain(socket, server) => {
                socket.send_to(message, *server).expect("sent");
            }
        }
    }

    /// The next message, if one comes in time; it is acknowledged if it asks for that.
    pub fn receive(&mut self, within: Duration) -> Option<Received> {
        if !self.waiting.is_empty() {
            return Some(self.waiting.remove(0));
        }
        self.receive_new(within)
    }

    fn receive_new(&mut self, within: Duration) -> Option<Received> {
        let bytes = match &mut self.carrier {
            Carrier::Secure(connection) => connection.receive(within)?,
            Carrier::Plain(socket, server) => loop {
                let (bytes, from) = receive(socket, within)?;
                if from == *server {
                    break bytes;
                }
            },
        };
        let received = Received(bytes);
        let message = received.message();
        if self.acknowledges && message.kind() == Type::Con {
            let acknowledgement = sedge_coap::empty_message(Type::Ack, message.message_id());
            self.send(&acknowledgement);
        }
        Some(received)
    }

    /// A Message ID that was not used yet.
    pub fn id(&mut self) -> u16 {
        self.next_id += 1;
        self.next_id
    }

    /// Sends a confirmable request and waits for its response; what else comes meanwhile waits for
    /// [`Self::receive`].
    ///
    /// # Panics
    /// If there is no response in time.
    pub fn request(&mut self, code: Code, options: &[(OptionNumber, &[u8])], payload: &[u8]) -> Received {
        let id = self.id();
        let token = id.to_be_bytes();
        self.request_with_token(code, &token, options, payload)
    }

    /// Like [`Self::request`], with a token of the test's choice.
    ///
    /// # Panics
    /// If there is no response in time.
    pub fn request_with_token(
        &mut self,
        code: Code,
        token: &[u8],
        options: &[(OptionNumber, &[u8])],
        payload: &[u8],
    ) -> Received {
        let id = self.id();
        let request = message(Type::Con, code, id, token, options, payload);
        let deadline = Instant::now() + SOON;
        loop {
            self.send(&request);
            let patience = Instant::now() + Duration::from_secs(2);
            while let Some(received) = self.receive_new(patience.saturating_duration_since(Instant::now())) {
                let message = received.message();
                let answers = message.token().as_bytes() == token && message.code().is_response();
                let own = message.kind() != Type::Ack || message.message_id() == id;
                let notification = message.observe().is_some() && message.kind() != Type::Ack;
                if answers && own && !notification {
                    return received;
                }
                if message.code().is_response() {
                    self.waiting.push(received);
                }
            }
            assert!(Instant::now() < deadline, "no response to {request:02x?}");
        }
    }

    /// Publishes text to a topic and returns the code of the answer.
    pub fn publish(&mut self, topic: &str, text: &str) -> Code {
        let mut options = path("d");
        options.extend(path(topic));
        options.push((OptionNumber::CONTENT_FORMAT, &[]));
        self.request(Code::PUT, &options, text.as_bytes()).code()
    }

    /// Reads a topic.
    pub fn read(&mut self, topic: &str) -> Received {
        let mut options = path("d");
        options.extend(path(topic));
        self.request(Code::GET, &options, &[])
    }

    /// Observes a topic; returns the first answer.
    pub fn observe(&mut self, topic: &str, token: &[u8]) -> Received {
        let mut options: Vec<(OptionNumber, &[u8])> = vec![(OptionNumber::OBSERVE, &[])];
        options.extend(path("d"));
        options.extend(path(topic));
        self.request_with_token(Code::GET, token, &options, &[])
    }

    /// Waits for the next notification of this observation.
    ///
    /// # Panics
    /// If none comes in time.
    pub fn notification(&mut self, token: &[u8]) -> Received {
        let waiting = self.waiting.iter().position(|received| received.message().token().as_bytes() == token);
        if let Some(at) = waiting {
            return self.waiting.remove(at);
        }
        let deadline = Instant::now() + SOON;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let received = self.receive_new(left).expect("a notification");
            if received.message().token().as_bytes() == token {
                return received;
            }
            self.waiting.push(received);
        }
    }
}
