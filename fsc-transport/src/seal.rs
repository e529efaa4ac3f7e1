//! Sealed mail: what nodes say to one another can be read, and written, by nobody on the way, whatever the way is.
//!
//! ```text
//!   Runs ──deliver──▶ Seal ── session ── packet ──▶ any Transport ─ ─ ▶ any server ──▶ Arrivals ──mail──▶ Runs
//!                      │         ▲ handshake                                            │ opens, once
//!                      └─ ways: at an address, by another node, collected              └─ or forwards
//! ```
//!
//! * [`Seal`]: a transport that seals what another one carries, and the listener that opens it.
//! * [`Peers`], [`Peer`], [`Way`]: who is known, by which key, and how mail gets there.
//!
//! # Security
//!
//! Two nodes make a session by `Noise_IK_25519_AESGCM_SHA256` (The Noise Protocol Framework, revision 34), whose static keys
//! are the nodes' ids. Mail is sealed in the session only after both messages, so it is secret and authentic for both, also if
//! both static keys become known later. Sessions are renewed after 8 minutes, seal for 10, open for 15, and are then forgotten. The
//! responder seals nothing before it has opened something. A recorded first message is told from a new one by its ephemeral key, among the
//! newest 8,192; each known node begins 16 handshakes at once and 8 a second, and what strangers send costs an exponentiation or two, 4,000 times a second at most.
//! Each packet is opened once; a window of 16,384 numbers tells. Packets are not padded.
//!
//! Who carries or forwards packets sees from whom they are and to whom, their sizes and times; it can lose, delay and refuse them, and can make a run
//! fail by that, with an error that names it. What it answers (which life of a node took the mail, and why not) is not
//! authenticated: who answers that there is no such session makes the sender seal its mail once more in a new one. So mail may come twice, as it may without seals,
//! and envelopes are made for that.
//!
//! # Wire
//!
//! All numbers are little-endian. A packet takes the place of a batch of envelopes, whose first byte is 1.
//!
//! ```text
//! offset  size  field
//!      0     1  version, 2
//!      1     1  kind: 1 first and 2 second message of a handshake, 3 sealed mail, 4 to 9 of an invitation, 10 hail, 11 its answer
//!      2     4  index of the session: in a first message the sender's, else the receiver's
//!      6     6  number of the packet in its session and direction, from 0; zero in other kinds than 3, 8 and 9
//!     12        kind 1: 32 bytes, the receiver's id; 96 bytes, Noise's first message with an empty payload
//!     12        kind 2: 52 bytes, Noise's second message; its payload is the sender's index
//!     12        kind 3: chunks of 65,519 bytes, the last one shorter, each followed by its tag of 16 bytes
//! ```
//!
//! Noise's prologue is `fsc v1 seal`, the header of the first message, and the receiver's id. The nonce of a chunk is its place in the
//! packet, plus 2^16 times the packet's number, plus 2^62 if it is the last one. What is sealed is a *parcel*:
//!
//! ```text
//! 1  envelopes                                    mail; none asks whether the receiver is there
//! 2  id 32  packet                                forward this to that node
//! 3  id 32  packet                                this comes from that node
//! 4  id 32  index 4  number 8  outcome            what became of the packet that I forwarded to that node
//! 5  id 32  text                                  that node, to which I forward your mail, is gone, and why
//! 6  life 16  from 8  (number 8  outcome)*        give me my mail; I have all before `from`, and took the numbered ones as said
//!
//! outcome: code 2; if it is 0, the receiver's life 16 (in 4 only); if it is 1, nothing: not known yet; else length 2  text
//! ```
//!
//! The answer to 6 is a sequence of `number 8  length 4  packet`. Who asks for its mail and has no session sends the first message
//! of a handshake in place of 6, and gets the second one with the number 2^64 - 1.
//!
//! ## Invitations
//!
//! Packets of even kinds are asked as mail is, those of odd kinds answer them. The index is drawn by the guest (in 4, 5, 7, 9) or by the
//! host (in 6 and 8). Noise's pattern is `Noise_XXpsk0_25519_AESGCM_SHA256`, its prologue `fsc v1 invitation`, the header of 4, and the lookup. What
//! follows the handshake is sealed under its keys, with the packet's number as nonce. What is derived by a context comes
//! from BLAKE3 in `derive_key` mode; lookup and psk come from the token as [the code](invite::Code) says.
//!
//! ```text
//! kind  bytes after the header
//!    4  lookup 8  Noise's first message 48, empty
//!    5  Noise's second message 132: index of the host 4, commitment 32 (`fsc v1 invitation commitment` over a nonce of 32 bytes)
//!    6  Noise's third message 96 and more: nonce of the guest 32, its address in UTF-8, at most 512, empty if it has none
//!    7  sealed 48, number 0: nonce of the host 32
//!    8  sealed 17, numbers 1, 2, 3 …, none twice: 1 if the guest's person agrees, 0 if not
//!    9  sealed 17, number of the question: 0 somebody does not agree, 1 both agree and the host lists the guest, 2 not known yet
//!
//! words: 8 bytes by `fsc v1 invitation words` over Noise's handshake hash and the nonce of the host; as text, 16 bits a word
//! ```
//!
//! ## Hails
//!
//! ```text
//! kind  bytes after the header
//!   10  the receiver's id 32; Noise's first message 97 or 129, as that of kind 1 with the prologue `fsc v1 hail`. Its payload:
//!       flags 1: 1 try to reach me, 2 and that node; with 2, its id 32
//!   11  Noise's second message, with the index of the question in its header. Its payload:
//!       milliseconds since 1970, 8; what became of me, and of that node; version, text, at most 64 bytes
//!
//! what became: 0 not asked; 1 reached in microseconds 4; 2 code 2  length 2  text
//! ```

mod arrivals;
mod counts;
mod forward;
pub mod hail;
mod handshake;
pub mod invite;
mod office;
mod packet;
mod parcel;
mod peers;
mod primitives;
mod session;
#[cfg(test)]
mod tests;
mod window;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use fsc_core::bus::{Failure, Request};
use fsc_core::clock::Runtime;
use fsc_core::identity::{NodeId, NodeKey};
use fsc_core::transport::{Address, Answer, Assurance, Batch, Handler, Life, Transport, TransportError};

use arrivals::Arrivals;
use forward::Forwarding;
use hail::{Itself, Lookout};
use invite::{Invitations, Reception};
use office::Office;

pub use counts::Counts;
pub use forward::ForwardLimits;
pub use peers::{Peer, Peers, Way};

/// A [`Transport`] that seals mail to nodes that are known by their keys, and has another one carry it. Mail to others, and
/// within this process, goes as it is.
///
/// [`Seal::open`] is the listener that belongs to it: hand that to the servers, in place of the node itself.
#[derive(Clone)]
pub struct Seal(Arc<Office>);

impl Seal {
    /// Seals in the name of the node with this key.
    pub fn new(
        key: NodeKey,
        peers: Arc<Peers>,
        carrier: impl Transport,
        runtime: impl Runtime,
        limits: ForwardLimits,
    ) -> Self {
        Self(Office::new(key, peers, Arc::new(carrier), Arc::new(runtime), Forwarding::new(limits)))
    }

    /// What takes in mail for `node`: it opens what is sealed, and forwards what is for others.
    pub fn open(&self, node: Arc<dyn Handler>) -> Arc<dyn Handler> {
        Arc::new(Arrivals { office: Arc::clone(&self.0), node })
    }

    /// What lets in who was invited, and hands everything else to `inner`, which comes from [`Seal::open`].
    pub fn receive(&self, invitations: Arc<dyn Invitations>, inner: Arc<dyn Handler>) -> Arc<dyn Handler> {
        Arc::new(Reception::new(Arc::clone(&self.0), invitations, inner))
    }

    /// What answers hails, and hands everything else to `inner`, which comes from [`Seal::open`].
    pub fn answer(&self, itself: Itself, inner: Arc<dyn Handler>) -> Arc<dyn Handler> {
        Arc::new(Lookout::new(Arc::clone(&self.0), itself, inner))
    }

    /// Collects the mail that the node `at` keeps for `node`, for as long as it is polled. It ends with an error that does not
    /// pass.
    pub async fn collect(&self, at: NodeId, node: Arc<dyn Handler>) -> TransportError {
        forward::collect(&self.0, at, &Arrivals { office: Arc::clone(&self.0), node }).await
    }

    /// Who is known.
    pub fn peers(&self) -> &Arc<Peers> {
        &self.0.peers
    }

    /// What was refused so far.
    pub fn counts(&self) -> Counts {
        self.0.counters.read()
    }

    /// Lets go of sessions that are over. A node calls this from time to time.
    pub fn sweep(&self) {
        self.0.sweep();
    }

    fn is_here(&self, to: &Address) -> bool {
        to.place().is_some_and(|place| self.0.carrier.assurance(&place) == Assurance::InProcess)
    }
}

/// An error about the address that the caller has named, where it has named one.
fn as_asked(error: TransportError, to: &Address) -> TransportError {
    if to.place().is_some() { error.at(to) } else { error }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("id", &self.0.key.id()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Transport for Seal {
    async fn request(&self, to: &Address, request: Request) -> Result<Answer, TransportError> {
        let place = to.place().unwrap_or_else(|| to.clone());
        self.0.carrier.request(&place, request).await.map_err(|error| as_asked(error, to))
    }

    async fn deliver(&self, to: &Address, batch: Batch) -> Result<Life, TransportError> {
        let office = &self.0;
        match (office.peers.at(to), to.place()) {
            (Some(id), place) if place.is_none() || !self.is_here(to) => {
                if !office.peers.may_be_named(id) {
                    let failure = Failure::new(403, "that node is not listed here under [[nodes]]");
                    return Err(TransportError::Refused { to: to.clone(), failure });
                }
                office.peers.acquaint(to, office.runtime.now());
                office.post(id, parcel::mail(batch), 0).await.map_err(|error| as_asked(error, to))
            }
            (_, place) => office.carrier.deliver(&place.unwrap_or_else(|| to.clone()), batch).await,
        }
    }

    async fn lost(&self, to: &Address, life: Life) -> TransportError {
        match (self.0.peers.at(to), to.place()) {
            (Some(id), place) if place.is_none() || !self.is_here(to) => as_asked(self.0.lost(id, life, 0).await, to),
            (_, place) => self.0.carrier.lost(&place.unwrap_or_else(|| to.clone()), life).await,
        }
    }

    async fn collect(&self, to: &Address, asking: Bytes) -> Result<Bytes, TransportError> {
        self.0.carrier.collect(to, asking).await
    }

    fn assurance(&self, to: &Address) -> Assurance {
        match (self.0.peers.at(to), to.place()) {
            _ if self.is_here(to) => Assurance::InProcess,
            (Some(id), _) if self.0.peers.may_be_named(id) => Assurance::Sealed,
            (Some(_), _) | (None, None) => Assurance::None,
            (None, Some(place)) => self.0.carrier.assurance(&place),
        }
    }

    fn identity(&self) -> Option<NodeId> {
        Some(self.0.key.id())
    }

    fn peer(&self, to: &Address) -> Option<NodeId> {
        self.0.peers.at(to)
    }
}
