//! Who a node knows, and the ways there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fsc_core::clock::Time;
use fsc_core::identity::NodeId;
use fsc_core::transport::Address;

/// How long a node is remembered that a client has named by its key.
const ACQUAINTED_FOR: Duration = Duration::from_hours(1);

/// How many of them are, at a time.
const MOST_ACQUAINTANCES: usize = 1024;

/// A node that the operator lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its id.
    pub id: NodeId,
    /// How its mail gets there.
    pub way: Way,
    /// Whether mail from it, and to it, is forwarded here: between any two for whom it is.
    pub forward: bool,
}

impl Peer {
    /// A node at an address, for which nothing is forwarded.
    pub fn at(id: NodeId, address: Address) -> Self {
        Self { id, way: Way::At(address), forward: false }
    }
}

/// How mail gets to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It listens there.
    At(Address),
    /// This other node forwards it.
    By(NodeId),
    /// It collects its mail here.
    Collected,
}

/// All nodes that this one knows by their keys: those that the operator lists, and those that its clients have named lately.
#[derive(Debug, Default)]
pub struct Peers {
    listed: Mutex<HashMap<NodeId, Peer>>,
    acquainted: Mutex<HashMap<NodeId, (Time, Address)>>,
    only_listed: AtomicBool,
}

impl Peers {
    /// Nodes that the operator lists. With `only_listed`, clients can't compute with any others.
    pub fn new(listed: impl IntoIterator<Item = Peer>, only_listed: bool) -> Self {
        let listed = listed.into_iter().map(|peer| (peer.id, peer)).collect();
        Self { listed: Mutex::new(listed), acquainted: Mutex::default(), only_listed: only_listed.into() }
    }

    /// Lists one more, or another way to one.
    pub fn list(&self, peer: Peer) {
        self.listed().insert(peer.id, peer);
    }

    /// From now on, clients can't compute with nodes that are not listed.
    pub fn only_listed(&self) {
        self.only_listed.store(true, Ordering::Relaxed);
    }

    /// The nodes that the operator lists, in order of their ids.
    pub fn all(&self) -> Vec<Peer> {
        let mut all: Vec<_> = self.listed().values().cloned().collect();
        all.sort_by_key(|peer| peer.id);
        all
    }

    /// Which node is meant by an address.
    pub(super) fn at(&self, address: &Address) -> Option<NodeId> {
        let is_there = |peer: &&Peer| matches!(&peer.way, Way::At(there) if there.place() == address.place());
        address.id().or_else(|| Some(self.listed().values().find(is_there)?.id))
    }

    /// Whether clients may compute with a node.
    pub(super) fn may_be_named(&self, id: NodeId) -> bool {
        !self.are_all_listed() || self.listed().contains_key(&id)
    }

    /// Remembers a node that a client has named.
    pub(super) fn acquaint(&self, address: &Address, now: Time) {
        let (Some(id), Some(place)) = (address.id(), address.place()) else { return };
        if self.are_all_listed() {
            return;
        }
        let mut acquainted = self.acquainted();
        if acquainted.len() >= MOST_ACQUAINTANCES && !acquainted.contains_key(&id) {
            acquainted.retain(|_, (named, _)| now.since(*named) < ACQUAINTED_FOR);
            let oldest = acquainted.iter().min_by_key(|(_, (named, _))| *named).map(|(id, _)| *id);
            if acquainted.len() >= MOST_ACQUAINTANCES
                && let Some(oldest) = oldest
            {
                acquainted.remove(&oldest);
            }
        }
        acquainted.insert(id, (now, place));
    }

    /// Whether mail from a node is taken.
    pub(super) fn knows(&self, id: NodeId, now: Time) -> Knowledge {
        let is_acquainted = || self.acquainted().get(&id).is_some_and(|(named, _)| now.since(*named) < ACQUAINTED_FOR);
        if self.listed().contains_key(&id) || is_acquainted() {
            Knowledge::Known
        } else if self.are_all_listed() {
            Knowledge::Never
        } else {
            Knowledge::NotYet
        }
    }

    /// The way to a node, where one is known.
    pub(super) fn way(&self, id: NodeId) -> Option<Way> {
        let listed = self.listed().get(&id).map(|peer| peer.way.clone());
        listed.or_else(|| Some(Way::At(self.acquainted().get(&id)?.1.clone())))
    }

    /// Whether mail is forwarded from one node to another.
    pub(super) fn forwards(&self, from: NodeId, to: NodeId) -> bool {
        let listed = self.listed();
        [from, to].iter().all(|id| listed.get(id).is_some_and(|peer| peer.forward)) && from != to
    }

    fn are_all_listed(&self) -> bool {
        self.only_listed.load(Ordering::Relaxed)
    }

    fn listed(&self) -> MutexGuard<'_, HashMap<NodeId, Peer>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn acquainted(&self) -> MutexGuard<'_, HashMap<NodeId, (Time, Address)>> {
        self.acquainted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a node is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knowledge {
    Known,
    /// A client may still name it.
    NotYet,
    Never,
}

#[cfg(test)]
mod tests {
    use fsc_core::identity::NodeKey;

    use super::*;

    fn id(seed: u8) -> NodeId {
        NodeKey::from_bytes(&[seed; 32]).id()
    }

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn listed_addresses_stand_for_nodes() {
        let peers = Peers::new([Peer::at(id(1), address("http://a:1"))], false);
        assert_eq!(peers.at(&address("http://A:1/")), Some(id(1)));
        assert_eq!(peers.at(&address("http://a:2")), None);
        assert_eq!(peers.at(&format!("http://a:1#{}", id(2)).parse().unwrap()), Some(id(2)), "the client insists");
        assert_eq!(peers.at(&Address::of(id(3))), Some(id(3)));
    }

    #[test]
    fn named_nodes_are_known_for_a_while() {
        let peers = Peers::new([], false);
        assert_eq!(peers.knows(id(1), Time::START), Knowledge::NotYet);
        peers.acquaint(&format!("http://a#{}", id(1)).parse().unwrap(), Time::START);
        assert_eq!(peers.knows(id(1), Time::START), Knowledge::Known);
        assert_eq!(peers.way(id(1)), Some(Way::At(address("http://a"))));
        assert_eq!(peers.knows(id(1), Time::START + ACQUAINTED_FOR), Knowledge::NotYet);
    }

    #[test]
    fn with_only_listed_nodes_naming_is_of_no_avail() {
        let peers = Peers::new([Peer::at(id(2), address("http://b"))], true);
        peers.acquaint(&format!("http://a#{}", id(1)).parse().unwrap(), Time::START);
        assert_eq!(peers.knows(id(1), Time::START), Knowledge::Never);
        assert!(!peers.may_be_named(id(1)) && peers.may_be_named(id(2)));
    }

    #[test]
    fn acquaintances_are_bounded() {
        let peers = Peers::new([], false);
        for n in 0..=MOST_ACQUAINTANCES {
            let id = NodeId::from_bytes([n.to_le_bytes(), [9; 8], [9; 8], [9; 8]].concat().try_into().unwrap());
            peers.acquaint(&format!("http://a#{id}").parse().unwrap(), Time::START + Duration::from_secs(n as u64));
        }
        assert_eq!(peers.acquainted().len(), MOST_ACQUAINTANCES);
    }

    #[test]
    fn mail_is_forwarded_between_those_for_whom_it_is() {
        let forwarded = |seed| Peer { forward: true, ..Peer::at(id(seed), address("http://a")) };
        let peers = Peers::new([forwarded(1), forwarded(2), Peer::at(id(3), address("http://c"))], false);
        assert!(peers.forwards(id(1), id(2)));
        assert!(!peers.forwards(id(1), id(3)) && !peers.forwards(id(3), id(1)) && !peers.forwards(id(1), id(1)));
    }
}
