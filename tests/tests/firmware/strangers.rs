//! Whoever else sends something to a device.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::board::Board;
use crate::guest::Orders;
use crate::on_each_board;
use crate::site::{Site, pause};

on_each_board!(strangers_are_dropped_and_counted);

/// The port that the device sends from.
const PORT: u16 = 49_152;

fn strangers_are_dropped_and_counted(board: Board) {
    let Some(mut site) = Site::new("strangers", board, |_| {}) else { return };
    site.publish("t/order", b"wait");
    let door = Door::open(site.address());
    let [own, other] = [free_port(), free_port()];
    let steps = "connect 30 publish t/temp 1 await t/order go count close";
    let orders = Orders {
        port: door.address.port(),
        key: &site.device,
        steps,
        forwarded: &[(own, PORT), (other, 5_683)],
    };
    let mut guest = site.guest_with(&orders);
    guest.expect("await: subscribed");
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let junk = |at: usize| [&[0, 22, 23, 25, 48, 64, 255][at % 7..][..1], &[at as u8; 60]].concat();
    for at in 0..40 {
        for port in [own, other] {
            stranger.send_to(&junk(at), ("127.0.0.1", port)).expect("sent");
        }
        pause(5);
    }
    for at in 0..20 {
        // A record as if it came from the broker.
        let forged = [&[23, 254, 253, 0, 1, 0, 0, 0, 0, 1, at, 0, 40][..], &[at; 40]].concat();
        door.front.send_to(&forged, ("127.0.0.1", own)).expect("sent");
        pause(5);
    }
    pause(300);
    site.publish("t/order", b"go");
    guest.expect("value: go");
    let counted = guest.expect("count: ");
    let ended = guest.end(crate::SOON);
    assert_eq!(counted, "80 at the gate, 20 by the client", "{}", ended.said);
    assert!(ended.said.contains("all steps done"), "{}", ended.said);
    // Nobody got an answer.
    let mut buffer = [0; 64];
    stranger.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
    assert!(stranger.recv_from(&mut buffer).is_err(), "an answer");
    assert_eq!(ended.capture.handshakes(), 1);
    assert_eq!(site.read("t/temp"), "1");
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a socket").port()
}

/// What stands in front of the broker and can speak in its name.
struct Door {
    address: SocketAddr,
    front: Arc<UdpSocket>,
    closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    fn open(broker: SocketAddr) -> Self {
        let front = Arc::new(UdpSocket::bind("127.0.0.1:0").expect("a socket"));
        let back = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        front.set_nonblocking(true).expect("set");
        back.set_read_timeout(Some(Duration::from_millis(1))).expect("set");
        let address = front.local_addr().expect("bound");
        let closed = Arc::new(AtomicBool::new(false));
        let (inside, over) = (Arc::clone(&front), Arc::clone(&closed));
        let thread = std::thread::spawn(move || {
            let (mut device, mut buffer) = (None, [0; 2_048]);
            while !over.load(Ordering::Relaxed) {
                while let Ok((len, from)) = inside.recv_from(&mut buffer) {
                    device = Some(from);
                    let _sent = back.send_to(&buffer[..len], broker);
                }
                if let (Ok((len, _)), Some(device)) = (back.recv_from(&mut buffer), device) {
                    let _sent = inside.send_to(&buffer[..len], device);
                }
            }
        });
        Self { address, front, closed, thread: Some(thread) }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}
