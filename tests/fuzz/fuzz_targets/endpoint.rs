//! An endpoint that serves plain CoAP and DTLS, any datagrams from a few paths, and time that passes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sedge_coap::{Code, Token};
use sedge_crypto::RustCrypto;
use sedge_dtls::{Credentials, PskOnly};
use sedge_endpoint::memory::{PagedMemory, Path};
use sedge_endpoint::{
    CidLayout, Config, Endpoint, Event, Host, Incoming, Notification, Request, SessionId, Ticket,
};
use sedge_fuzz::{IDENTITY, Repeatable, Steps, psk};
use sedge_time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place(u8);

impl Path for Place {
    fn cookie_bytes(&self, out: &mut [u8; 32]) -> usize {
        out[0] = self.0;
        1
    }
}

struct Sink;

impl Host<RustCrypto> for Sink {
    type Path = Place;

    fn transmit(&mut self, _: &Place, fill: impl FnOnce(&mut [u8]) -> usize) -> bool {
        assert!(fill(&mut [0; 1_152]) <= 1_152);
        true
    }

    fn credentials(&mut self, _: SessionId) -> impl Credentials<RustCrypto> {
        |identity: &[u8]| (identity == IDENTITY).then(|| (psk(), 7))
    }
}

type Memory = PagedMemory<Place, PskOnly<RustCrypto>, Repeatable>;

fuzz_target!(|input: &[u8]| {
    let mut steps = Steps(input);
    let mut now = Instant::from_micros(1);
    let config = Config {
        cid: CidLayout::new(5, 4, 0, 12).expect("a layout"),
        accept: true,
        idle_timeout: Duration::from_secs(300),
        ..Config::default()
    };
    let mut endpoint =
        Endpoint::<Memory>::new(now, config, RustCrypto, Repeatable(3), PagedMemory::parts(8, 2, 8));
    let mut waiting: Vec<Ticket> = Vec::new();
    let mut sessions: Vec<SessionId> = Vec::new();
    while steps.more() {
        let action = steps.byte();
        let place = Place(action >> 6);
        match action & 7 {
            0 => now += Duration::from_millis(u64::from(steps.number())),
            1 => {
                if let Some(session) = sessions.pop() {
                    let token = Token::new(&[9]).expect("short");
                    let notification = Notification {
                        key: u64::from(steps.byte()),
                        token,
                        code: Code::CONTENT,
                        confirmable: action & 8 != 0,
                    };
                    let _ = endpoint.notify(now, session, notification, &mut Sink, |_| {});
                }
            }
            2 => {
                if let Some(session) = sessions.last() {
                    let _ =
                        endpoint.request(now, *session, Request::confirmable(Code::GET), &mut Sink, |_| {});
                }
            }
            3 => {
                if let Some(ticket) = waiting.pop() {
                    let _ = endpoint.respond(now, ticket, &mut Sink, Code::CONTENT, |writer| {
                        writer.payload(b"late");
                    });
                }
            }
            _ => {
                let mut datagram = steps.bytes().to_vec();
                // Plain CoAP and DTLS come in on different paths, as they do on different sockets.
                let mut incoming = if place.0 & 1 == 0 {
                    Incoming::plain(place, &mut datagram)
                } else {
                    Incoming::new(place, &mut datagram)
                };
                while let Some(event) = endpoint.receive(now, &mut incoming, &mut Sink) {
                    if let Event::Request { ticket, message } = event {
                        sessions.push(ticket.session());
                        let payload = message.payload().len();
                        if payload % 2 == 1 {
                            waiting.push(ticket);
                        } else {
                            let _ = endpoint.respond(now, ticket, &mut Sink, Code::CHANGED, |_| {});
                        }
                    }
                }
            }
        }
        let mut rounds = 0;
        while endpoint.deadline().is_some_and(|deadline| deadline <= now) {
            if let Some(Event::Render { notification, .. }) = endpoint.expire(now, &mut Sink) {
                let _ = endpoint.renotify(now, notification, true, &mut Sink, Code::CONTENT, |_| {});
            }
            rounds += 1;
            assert!(rounds < 10_000, "what has expired stays expired");
        }
    }
    assert!(endpoint.session_count() <= 8);
});
