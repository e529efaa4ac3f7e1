//! What two nodes keep from one run for the next: in memory, per peer, and no longer than the node's ephemeral key.
//!
//! A protocol that sets something up with each of the others, base OTs for instance, hands it to [`Party::keep`] and
//! asks for it with [`Party::kept`] in later runs. Both nodes must still have it, so each hello lists what its sender
//! holds, by ids that say nothing; where the two lists agree, both parties get their halves, and where they do not,
//! neither does. No message is spent on it.
//!
//! [`Party::keep`]: crate::party::Party::keep
//! [`Party::kept`]: crate::party::Party::kept

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::transport::Address;

/// The most peers that a node keeps something for; beyond it, something is forgotten.
const MOST_PEERS: usize = 256;

/// One node's half of what it and a peer keep.
pub type Half = Arc<dyn Any + Send + Sync>;

/// The name of a keepsake, which is the same at both nodes, and known to both only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeepsakeId(pub [u8; 8]);

impl KeepsakeId {
    /// Nothing is held.
    pub const NONE: Self = Self([0; 8]);
}

/// All that a node keeps.
#[derive(Default)]
pub struct Keepsakes(Mutex<HashMap<Address, Keepsake>>);

struct Keepsake {
    id: KeepsakeId,
    /// The key that the peer had when it was made. With another one it is another node, or has forgotten.
    peer: [u8; 32],
    half: Half,
}

impl Keepsakes {
    /// What is held for the node at an address, by name.
    pub fn id(&self, of: &Address) -> KeepsakeId {
        self.lock().get(of).map_or(KeepsakeId::NONE, |kept| kept.id)
    }

    /// My half, if it still is the one of that name, made with the owner of that key.
    pub fn half(&self, of: &Address, id: KeepsakeId, peer: [u8; 32]) -> Option<Half> {
        let kept = self.lock();
        kept.get(of).filter(|kept| kept.id == id && kept.peer == peer).map(|kept| Arc::clone(&kept.half))
    }

    /// Keeps my half. Two runs may make one at a time; the smaller id stays, so that both nodes keep the same.
    pub fn keep(&self, of: Address, id: KeepsakeId, peer: [u8; 32], half: Half) {
        let mut kept = self.lock();
        if kept.get(&of).is_some_and(|kept| kept.peer == peer && kept.id <= id) {
            return;
        }
        if kept.len() >= MOST_PEERS && !kept.contains_key(&of) {
            kept.clear();
        }
        kept.insert(of, Keepsake { id, peer, half });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Address, Keepsake>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().expect("an address")
    }

    #[test]
    fn a_half_is_given_to_its_peer_under_its_name_only() {
        let (kept, peer, id) = (Keepsakes::default(), address("sim:1"), KeepsakeId([1; 8]));
        kept.keep(peer.clone(), id, [7; 32], Arc::new(5_u8));
        assert_eq!(kept.id(&peer), id);
        assert!(kept.half(&peer, id, [7; 32]).is_some());
        assert!(kept.half(&peer, id, [8; 32]).is_none(), "the peer has another key now");
        assert!(kept.half(&peer, KeepsakeId([2; 8]), [7; 32]).is_none());
        assert!(kept.half(&address("sim:2"), id, [7; 32]).is_none());
        assert_eq!(kept.id(&address("sim:2")), KeepsakeId::NONE);
    }

    #[test]
    fn of_two_made_at_once_both_nodes_keep_the_same() {
        let peer = address("sim:1");
        let (one, other) = (Keepsakes::default(), Keepsakes::default());
        let ids = [KeepsakeId([1; 8]), KeepsakeId([2; 8])];
        for (kept, ids) in [(&one, ids), (&other, [ids[1], ids[0]])] {
            for id in ids {
                kept.keep(peer.clone(), id, [7; 32], Arc::new(()));
            }
        }
        assert_eq!(one.id(&peer), other.id(&peer));
    }

    #[test]
    fn a_peer_with_a_new_key_displaces_the_old() {
        let (kept, peer) = (Keepsakes::default(), address("sim:1"));
        kept.keep(peer.clone(), KeepsakeId([1; 8]), [7; 32], Arc::new(()));
        kept.keep(peer.clone(), KeepsakeId([2; 8]), [8; 32], Arc::new(()));
        assert_eq!(kept.id(&peer), KeepsakeId([2; 8]));
    }

    #[test]
    fn peers_are_bounded() {
        let kept = Keepsakes::default();
        for place in 0..2 * MOST_PEERS {
            kept.keep(address(&format!("sim:{place}")), KeepsakeId([1; 8]), [7; 32], Arc::new(()));
        }
        assert!(kept.lock().len() <= MOST_PEERS);
    }
}
