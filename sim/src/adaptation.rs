//! 6LoWPAN: IPv6 packets in frames of 127 bytes.
//!
//! Headers shrink by IPHC and the UDP header compression ([`iphc`], RFC 6282); what still does not fit one frame
//! goes in fragments: a router either puts them together (RFC 4944), or sends them on one by one (RFC 8930), and then the
//! two ends may also recover those that are lost ([`recovery`], RFC 8931).

pub mod fragment;
pub mod iphc;
mod reassembly;
pub mod recovery;
mod virtual_buffer;

pub(crate) use reassembly::{Reassembly, Taken};
pub(crate) use virtual_buffer::VirtualBuffers;

use sedge_time::Duration;

/// How packets become frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adaptation {
    /// What a router does with fragments that are not for itself.
    pub forwarding: Forwarding,
    /// How many packets a node puts together at a time; the border router has eight times as many.
    pub reassemblies: usize,
    /// How long fragments wait for the others (RFC 4944 allows up to 60 s).
    pub reassembly_timeout: Duration,
    /// How many packets' fragments a router sends on at a time.
    pub virtual_buffers: usize,
    /// Pause between the fragments of a packet that a router may send on one by one, so that they do not meet those before
    /// them on the channel ([RFC 8930 section 7](https://www.rfc-editor.org/rfc/rfc8930#section-7)).
    pub gap: Duration,
    /// Of packets whose fragments are recovered: how many of them are sent before the receiver is asked what has come.
    pub window: usize,
    /// How long a sender waits for that answer.
    pub patience: Duration,
    /// How often it asks again, and how often it begins anew when the way is lost.
    pub repetitions: u8,
    /// The longest packet.
    pub mtu: usize,
}

impl Default for Adaptation {
    fn default() -> Self {
        Self {
            forwarding: Forwarding::default(),
            reassemblies: 4,
            reassembly_timeout: Duration::from_secs(5),
            virtual_buffers: 16,
            gap: Duration::from_millis(20),
            window: 8,
            patience: Duration::from_millis(400),
            repetitions: 4,
            mtu: 1_280,
        }
    }
}

/// What a router does with fragments that are not for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwarding {
    /// It puts the packet together, and fragments it again.
    #[default]
    Reassemble,
    /// It sends each on as it comes, and remembers where the others go
    /// ([RFC 8930](https://www.rfc-editor.org/rfc/rfc8930)).
    Fragments,
    /// As [`Fragments`](Self::Fragments), and the sender repeats those that did not reach the end
    /// ([RFC 8931](https://www.rfc-editor.org/rfc/rfc8931)).
    Recover,
}
