//! A bad link between real UDP sockets.
//!
//! A [`Relay`] stands between clients and one server. Each client gets a socket of its own towards the server
//! and a pair of [`Link`]s, one each way, so what chance does to one client's datagrams depends on no other
//! client. [`Relay::rebind`] moves clients to another source port, as a NAT does when it forgets a binding.
//!
//! It runs in one thread. It decides fates deterministically; when a datagram really leaves is up to the host's
//! scheduler.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sedge_time::{Duration, Instant};

use crate::Random;
use crate::link::{Counters, Impairments, Link};

/// What a relay does, each way.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What happens on the way from a client to the server.
    pub up: Impairments,
    /// What happens on the way from the server to a client.
    pub down: Impairments,
    /// Names the sequence of chances.
    pub seed: u64,
}

/// What a relay has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many clients it has seen.
    pub clients: usize,
    /// From clients to the server.
    pub up: Counters,
    /// From the server to clients.
    pub down: Counters,
    /// How often a client was moved to another source port.
    pub rebound: u64,
}

/// A running relay; it ends when this is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    commands: Sender<Command>,
    bell: UnixDatagram,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Command {
    Rebind(Option<SocketAddr>, Sender<io::Result<usize>>),
    Report(Sender<Report>),
    Stop,
}

impl Relay {
    /// Listens on `listen` (port 0 for any) and passes on what clients send there to `server`, and back.
    ///
    /// # Errors
    /// If the listening socket cannot be made.
    pub fn start(listen: SocketAddr, server: SocketAddr, options: Options) -> io::Result<Self> {
        let front = UdpSocket::bind(listen)?;
        front.set_nonblocking(true)?;
        let address = front.local_addr()?;
        let (bell, rung) = UnixDatagram::pair()?;
        rung.set_nonblocking(true)?;
        let (commands, inbox) = channel();
        let mut worker = Worker {
            front,
            rung,
            inbox,
            server,
            options,
            clients: Vec::new(),
            by_address: HashMap::new(),
            rebound: 0,
            epoch: std::time::Instant::now(),
        };
        let thread = std::thread::Builder::new().name("relay".to_owned()).spawn(move || worker.run())?;
        Ok(Self { address, commands, bell, thread: Some(thread) })
    }

    /// Where clients reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Moves every client to another source port towards the server, and says how many there were. What is on
    /// the way to an old port is lost, as it would be behind a NAT.
    ///
    /// # Errors
    /// If a new socket cannot be made, or the relay has ended.
    pub fn rebind(&self) -> io::Result<usize> {
        self.ask(|reply| Command::Rebind(None, reply))?
    }

    /// Moves the client at this address to another source port; the number is 0 if there is no such client.
    ///
    /// # Errors
    /// If a new socket cannot be made, or the relay has ended.
    pub fn rebind_client(&self, client: SocketAddr) -> io::Result<usize> {
        self.ask(|reply| Command::Rebind(Some(client), reply))?
    }

    /// What it has done so far.
    ///
    /// # Errors
    /// If the relay has ended.
    pub fn report(&self) -> io::Result<Report> {
        self.ask(Command::Report)
    }

    fn ask<T>(&self, command: impl FnOnce(Sender<T>) -> Command) -> io::Result<T> {
        let ended = || io::Error::new(ErrorKind::BrokenPipe, "the relay has ended");
        let (reply, answer) = channel();
        self.commands.send(command(reply)).map_err(|_| ended())?;
        self.bell.send(&[1])?;
        answer.recv().map_err(|_| ended())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Neither can fail while the thread lives; if it has ended there is nothing to stop.
        let _ = self.commands.send(Command::Stop);
        let _ = self.bell.send(&[1]);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Worker {
    front: UdpSocket,
    rung: UnixDatagram,
    inbox: Receiver<Command>,
    server: SocketAddr,
    options: Options,
    clients: Vec<Client>,
    by_address: HashMap<SocketAddr, usize>,
    rebound: u64,
    epoch: std::time::Instant,
}

struct Client {
    address: SocketAddr,
    back: UdpSocket,
    up: Link<Vec<u8>>,
    down: Link<Vec<u8>>,
}

impl Worker {
    fn now(&self) -> Instant {
        Instant::EPOCH + Duration::from(self.epoch.elapsed())
    }

    fn run(&mut self) {
        let mut buffer = vec![0; 65_535];
        loop {
            let readable = self.wait();
            if !self.obey() {
                return;
            }
            self.take_in(&readable, &mut buffer);
            self.deliver();
        }
    }

    /// Carries out commands; `false` if one of them was to stop.
    fn obey(&mut self) -> bool {
        let mut ring = [0; 8];
        while self.rung.recv(&mut ring).is_ok() {}
        while let Ok(command) = self.inbox.try_recv() {
            // Whoever asked may have gone; then nobody misses the answer.
            match command {
                Command::Rebind(which, reply) => {
                    let outcome = self.rebind(which);
                    let _ = reply.send(outcome);
                }
                Command::Report(reply) => {
                    let _ = reply.send(self.report());
                }
                Command::Stop => return false,
            }
        }
        true
    }

    fn rebind(&mut self, which: Option<SocketAddr>) -> io::Result<usize> {
        let mut moved = 0;
        for client in &mut self.clients {
            if which.is_none_or(|address| address == client.address) {
                client.back = back_socket(self.server)?;
                moved += 1;
            }
        }
        self.rebound += moved as u64;
        Ok(moved)
    }

    fn report(&self) -> Report {
        let mut report = Report { clients: self.clients.len(), rebound: self.rebound, ..Report::default() };
        for client in &self.clients {
            report.up += client.up.counters();
            report.down += client.down.counters();
        }
        report
    }

    /// Reads what has come in from clients, and from the server to these clients.
    fn take_in(&mut self, readable: &[usize], buffer: &mut [u8]) {
        while let Some((length, from)) = receive(&self.front, buffer) {
            let now = self.now();
            let Some(index) = self.client(from) else { continue };
            let _ = self.clients[index].up.offer(now, buffer[..length].to_vec());
        }
        for &index in readable {
            while let Some((length, from)) = receive(&self.clients[index].back, buffer) {
                // Anyone can send to a port; only the server's datagrams belong here.
                if from == self.server {
                    let now = self.now();
                    let _ = self.clients[index].down.offer(now, buffer[..length].to_vec());
                }
            }
        }
    }

    /// The client at this address, new or known; `None` if no socket can be had for a new one.
    fn client(&mut self, address: SocketAddr) -> Option<usize> {
        if let Some(&index) = self.by_address.get(&address) {
            return Some(index);
        }
        let back = back_socket(self.server).ok()?;
        let index = self.clients.len();
        let part = |way| Random::for_part(self.options.seed, 2 * index as u64 + way);
        let up = Link::with_random(self.options.up.clone(), part(0));
        let down = Link::with_random(self.options.down.clone(), part(1));
        self.clients.push(Client { address, back, up, down });
        self.by_address.insert(address, index);
        Some(index)
    }

    /// Sends on what has arrived by now. A full socket buffer loses datagrams, as any network may.
    fn deliver(&mut self) {
        let now = self.now();
        for client in &mut self.clients {
            while let Some(datagram) = client.up.poll(now) {
                let _ = client.back.send_to(&datagram, self.server);
            }
            while let Some(datagram) = client.down.poll(now) {
                let _ = self.front.send_to(&datagram, client.address);
            }
        }
    }

    /// Waits for a datagram, a command or the next arrival; returns the clients to whom the server has sent.
    fn wait(&self) -> Vec<usize> {
        let next = self
            .clients
            .iter()
            .flat_map(|client| [client.up.deadline(), client.down.deadline()])
            .flatten()
            .min();
        let timeout = next.map_or(PollTimeout::NONE, |next| {
            // Rounded up: waking just before the arrival would only mean to wait again.
            let millis = next.saturating_since(self.now()).as_micros().div_ceil(1_000);
            PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
        });
        let mut sockets: Vec<PollFd<'_>> = [self.front.as_fd(), self.rung.as_fd()]
            .into_iter()
            .chain(self.clients.iter().map(|client| client.back.as_fd()))
            .map(|socket| PollFd::new(socket, PollFlags::POLLIN))
            .collect();
        if poll(&mut sockets, timeout).is_err() {
            // Interrupted: only a shorter wait.
            return Vec::new();
        }
        let backs = sockets.iter().skip(2).enumerate();
        backs.filter(|(_, socket)| socket.any() != Some(false)).map(|(index, _)| index).collect()
    }
}

fn back_socket(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// One datagram, if one waits. Errors that a socket reports about datagrams sent earlier are passed over.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    loop {
        match socket.recv_from(buffer) {
            Ok(received) => return Some(received),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionRefused) => {}
            Err(_) => return None,
        }
    }
}
