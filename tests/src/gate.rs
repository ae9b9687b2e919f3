//! A place between one client and one server where the test decides about every datagram.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// A running gate; it ends when this is dropped.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Gate {
    /// A gate to `server`. `decide` sees every datagram with its way and the number of those before it that went
    /// the same way, and returns what is passed on instead of it.
    ///
    /// # Panics
    /// If there are no sockets for it.
    pub fn new(
        server: SocketAddr,
        decide: impl FnMut(Way, usize, Vec<u8>) -> Vec<Vec<u8>> + Send + 'static,
    ) -> Self {
        let socket = || {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
            socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a time-out");
            Arc::new(socket)
        };
        let (front, back) = (socket(), socket());
        let address = front.local_addr().expect("an address");
        let stop = Arc::new(AtomicBool::new(false));
        let decide = Arc::new(std::sync::Mutex::new(decide));
        let client = Arc::new(std::sync::Mutex::new(None));
        let threads = [Way::Up, Way::Down].map(|way| {
            let (front, back, stop) = (front.clone(), back.clone(), stop.clone());
            let (decide, client) = (decide.clone(), client.clone());
            std::thread::spawn(move || {
                let (from, to) = if way == Way::Up { (front, back) } else { (back, front) };
                let mut buffer = vec![0; 65_535];
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    let Ok((length, source)) = from.recv_from(&mut buffer) else { continue };
                    let mut client = client.lock().expect("nobody panics with it");
                    let destination = match way {
                        Way::Up => {
                            *client = Some(source);
                            Some(server)
                        }
                        Way::Down => *client,
                    };
                    drop(client);
                    let passed = (decide.lock().expect("nobody panics with it"))(
                        way,
                        count,
                        buffer[..length].to_vec(),
                    );
                    count += 1;
                    for datagram in passed {
                        if let Some(destination) = destination {
                            let _ = to.send_to(&datagram, destination);
                        }
                    }
                }
            })
        });
        Self { address, stop, threads: threads.into() }
    }

    /// Where the client reaches it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
