//! The listener's side: packets come in, are opened, and go to the node, or on to others.

use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use fsc_core::bus::{Failure, Principal, Request, Response};
use fsc_core::identity::NodeId;
use fsc_core::transport::{Handler, Life, Origin};
use fsc_core::value::Value;

use super::counts::Refusal;
use super::forward;
use super::handshake::Knock;
use super::office::Office;
use super::packet::{Kind, Packet, VERSION};
use super::parcel::{Collect, Parcel};
use super::peers::Knowledge;
use super::session::Session;

/// What a forwarder is told of a packet that belongs to a session which its sender and the receiver do not have any more.
pub(super) const INNER: u16 = 424;

/// A node behind its seal: takes sealed mail, and hands it on opened.
pub(super) struct Arrivals {
    pub(super) office: Arc<Office>,
    pub(super) node: Arc<dyn Handler>,
}

#[async_trait]
impl Handler for Arrivals {
    async fn request(&self, principal: &Principal, request: Request) -> Result<Response, Failure> {
        self.node.request(principal, request).await
    }

    /// Anybody may bring mail: what matters is by whom it was sealed.
    fn admits(&self, _: Origin) -> Result<(), Failure> {
        Ok(())
    }

    fn mail(&self, origin: Origin, batch: Bytes) -> Result<Life, Failure> {
        match batch.first() {
            None => self.life(),
            Some(&VERSION) => self.take(batch, None),
            Some(_) => {
                let taken = self.node.mail(origin, batch);
                if matches!(&taken, Err(failure) if failure.code == 403) {
                    self.office.counters.add(Refusal::Unsealed);
                }
                taken
            }
        }
    }

    fn life(&self) -> Result<Life, Failure> {
        self.node.life()
    }

    async fn collect(&self, _: Origin, asking: Bytes) -> Result<Bytes, Failure> {
        if asking.get(1) == Some(&1) {
            let (_, second) = self.answer_first(&self.decode(asking)?, None)?;
            return Ok(forward::second(&second));
        }
        let (session, packet, parcel) = self.open(asking)?;
        session.settle(packet.header.number, true);
        let Parcel::Collect(asked) = parcel else {
            return Err(self.office.refuse(Refusal::Malformed, 400, "that does not ask for mail"));
        };
        Ok(self.office.forwarding.collect(session.peer, asked, self.office.runtime.as_ref()).await)
    }

    fn list(&self) -> Arc<Vec<Value>> {
        self.node.list()
    }
}

impl Arrivals {
    /// Takes in a packet, which came as it is, or which `forwarder` says came from somebody.
    pub(super) fn take(&self, bytes: Bytes, forwarder: Option<(NodeId, NodeId)>) -> Result<Life, Failure> {
        match bytes.get(1) {
            Some(1) => self.hear_first(&self.decode(bytes)?, forwarder),
            Some(2) => self.office.hear_second(&self.decode(bytes)?).and_then(|()| self.life()),
            _ => {
                let (session, packet, parcel) = self.open(bytes)?;
                if forwarder.is_some_and(|(_, from)| from != session.peer) {
                    session.settle(packet.header.number, true);
                    let why = "it was forwarded in the name of another node than the one that has sealed it";
                    return Err(self.office.refuse(Refusal::Forged, 400, why));
                }
                let accepted = self.accept(session.peer, parcel, forwarder.is_some());
                // What was refused for want of room comes again.
                let comes_again = matches!(&accepted, Err(failure) if matches!(failure.code, 425 | 429 | 503));
                session.settle(packet.header.number, !comes_again);
                accepted
            }
        }
    }

    fn decode(&self, bytes: Bytes) -> Result<Packet, Failure> {
        Packet::decode(bytes).inspect_err(|_| self.office.counters.add(Refusal::Malformed))
    }

    /// Opens a packet, once.
    fn open(&self, bytes: Bytes) -> Result<(Arc<Session>, Packet, Parcel), Failure> {
        let office = &self.office;
        let packet = self.decode(bytes)?;
        if packet.header.kind != Kind::Sealed {
            return Err(office.refuse(Refusal::Malformed, 400, "a handshake where sealed mail was expected"));
        }
        let Some(session) = office.session_at(packet.header.index) else {
            let why = format!("node {} does not have that session (any more): begin another", office.key.id());
            return Err(office.refuse(Refusal::NoSession, 410, why));
        };
        let number = packet.header.number;
        if session.is_too_late(number) {
            let why =
                "that mail was overtaken by so much other mail that nobody can tell whether it has come: seal it anew";
            return Err(office.refuse(Refusal::Replayed, 410, why));
        }
        let come = || {
            if session.is_settled(number) {
                return office.refuse(Refusal::Replayed, 412, "that mail has come before");
            }
            Failure::new(503, "that mail is being taken in this moment; try again")
        };
        if session.has_come(number) {
            return Err(come());
        }
        let Some(opened) = session.open(&packet) else {
            return Err(office.refuse(Refusal::Forged, 400, "that mail was changed on the way, or forged"));
        };
        // Two copies may have been opened at once; one of them is the first.
        if !session.take(number) {
            return Err(come());
        }
        let parcel = Parcel::decode(opened).inspect_err(|_| {
            session.settle(number, true);
            office.counters.add(Refusal::Malformed);
        })?;
        Ok((session, packet, parcel))
    }

    /// Does what a parcel is for.
    fn accept(&self, from: NodeId, parcel: Parcel, was_forwarded: bool) -> Result<Life, Failure> {
        let office = &self.office;
        match parcel {
            Parcel::Mail(envelopes) => return self.node.mail(Origin::Sealed(from), envelopes),
            Parcel::Forward { to, packet } => office.forward(from, to, packet)?,
            Parcel::Forwarded { from: sender, packet } if !was_forwarded => {
                return match self.take(packet, Some((from, sender))) {
                    // Of the packet that came in, the forwarder would take these for answers to its own.
                    Err(failure) if failure.code == 410 => Err(Failure { code: INNER, ..failure }),
                    Err(failure) if failure.code == 412 => self.life(),
                    taken => taken,
                };
            }
            Parcel::Outcome { to, of, outcome } => office.hear_outcome(from, to, of, outcome),
            Parcel::Lost { id, why } => office.hear_lost(id, from, why),
            Parcel::Forwarded { .. } | Parcel::Collect(Collect { .. }) => {
                return Err(office.refuse(Refusal::Malformed, 400, "a parcel in the wrong place"));
            }
        }
        self.life()
    }

    /// Somebody begins a handshake.
    fn hear_first(&self, first: &Packet, forwarder: Option<(NodeId, NodeId)>) -> Result<Life, Failure> {
        match self.answer_first(first, forwarder) {
            Ok((peer, second)) => self.office.say_second(peer, second),
            // Its answer is on its way.
            Err(failure) if failure.code == 412 => {}
            Err(failure) => return Err(failure),
        }
        self.life()
    }

    fn answer_first(&self, first: &Packet, forwarder: Option<(NodeId, NodeId)>) -> Result<(NodeId, Bytes), Failure> {
        let office = &self.office;
        let now = office.runtime.now();
        // What costs no exponentiation comes first: anybody may send anything.
        Knock::is_for(&office.key, first).inspect_err(|failure| {
            office.counters.add(if failure.code == 421 { Refusal::Misdirected } else { Refusal::Malformed });
        })?;
        if office.firsts.lock().unwrap_or_else(PoisonError::into_inner).has(first) {
            return Err(office.refuse(Refusal::Replayed, 412, "that handshake was begun before"));
        }
        let hurried = || office.refuse(Refusal::Hurried, 429, "too many handshakes at a time; try again");
        if !office.knocks.lock().unwrap_or_else(PoisonError::into_inner).admit(now) {
            return Err(hurried());
        }
        let knock = Knock::read(&office.key, first).inspect_err(|_| office.counters.add(Refusal::Forged))?;
        let peer = knock.peer;
        if forwarder.is_some_and(|(_, from)| from != peer) {
            let why = "it was forwarded in the name of another node than the one that begins it";
            return Err(office.refuse(Refusal::Forged, 400, why));
        }
        office.admit(peer)?;
        if !office.admit_knock(peer) {
            return Err(hurried());
        }
        // Only now: what was refused may come again.
        office.firsts.lock().unwrap_or_else(PoisonError::into_inner).insert(first);
        if let Some((forwarder, _)) = forwarder {
            office.note_forwarder(peer, forwarder);
        }
        let (session, second) = knock.answer(office.free_index(), now)?;
        office.enter(session);
        Ok((peer, second))
    }
}

impl Office {
    /// Lets in those who are known here.
    pub(super) fn admit(&self, peer: NodeId) -> Result<(), Failure> {
        let code = match self.peers.knows(peer, self.runtime.now()) {
            Knowledge::Known => return Ok(()),
            Knowledge::NotYet => 425,
            Knowledge::Never => 403,
        };
        let me = self.key.id();
        let why = format!("node {me} does not know node {peer}: list its id there under [[nodes]]");
        self.warn_of(peer);
        Err(self.refuse(Refusal::Unknown, code, why))
    }
}
