//! What two nodes keep from one run for the next: in memory, per peer, and no longer than the node's ephemeral key.
//!
//! A protocol that sets something up with each of the others, base OTs for instance, hands it to [`Party::keep`] and
//! asks for it with [`Party::kept`] in later runs. Both nodes must still have it, so each hello lists by name what its sender
//! holds for every party; where the two names agree, both parties get their halves, and where they do not, neither does.
//! No message is spent on it. What a run gets is what was held when its hello was made, whatever happens meanwhile.
//!
//! Names are digests, and say nothing but who has computed with whom lately.
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

/// The name of a keepsake, the same at both nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeepsakeId(pub [u8; 8]);

impl KeepsakeId {
    /// Nothing is held.
    pub const NONE: Self = Self([0; 8]);
}

/// One node's half, and what makes it this one.
#[derive(Clone)]
pub struct Keepsake {
    /// Its name.
    pub id: KeepsakeId,
    /// The key that the peer had when it was made. With another one it is another node, or has forgotten.
    pub peer: [u8; 32],
    /// The half.
    pub half: Half,
}

/// All that a node keeps: one thing per peer.
#[derive(Default)]
pub struct Keepsakes(Mutex<HashMap<Address, Keepsake>>);

impl Keepsakes {
    /// What is held for the node at an address.
    pub fn held(&self, of: &Address) -> Option<Keepsake> {
        self.lock().get(of).cloned()
    }

    /// Keeps my half of something that a run has made, in whose hello `listed` stood.
    ///
    /// What was listed was of no use to the run, or nothing new would have been made, so it goes. What was kept since comes from a
    /// run beside this one: of two with the same peer the smaller name stays, so that both nodes keep the same.
    pub fn keep(&self, of: Address, keepsake: Keepsake, listed: KeepsakeId) {
        let mut kept = self.lock();
        let stays = |other: &Keepsake| other.id != listed && (other.peer != keepsake.peer || other.id <= keepsake.id);
        if kept.get(&of).is_some_and(stays) {
            return;
        }
        if kept.len() >= MOST_PEERS
            && !kept.contains_key(&of)
            && let Some(some) = kept.keys().next().cloned()
        {
            kept.remove(&some);
        }
        kept.insert(of, keepsake);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Address, Keepsake>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: KeepsakeId = KeepsakeId::NONE;

    fn address(text: &str) -> Address {
        text.parse().expect("an address")
    }

    fn named(id: u8, peer: u8) -> Keepsake {
        Keepsake { id: KeepsakeId([id; 8]), peer: [peer; 32], half: Arc::new(id) }
    }

    fn id(kept: &Keepsakes, of: &Address) -> KeepsakeId {
        kept.held(of).map_or(NONE, |kept| kept.id)
    }

    #[test]
    fn of_two_made_at_once_both_nodes_keep_the_same() {
        let peer = address("sim:1");
        let (one, other) = (Keepsakes::default(), Keepsakes::default());
        for (kept, ids) in [(&one, [1, 2]), (&other, [2, 1])] {
            for id in ids {
                kept.keep(peer.clone(), named(id, 7), NONE);
            }
        }
        assert_eq!(id(&one, &peer), KeepsakeId([1; 8]));
        assert_eq!(id(&one, &peer), id(&other, &peer));
    }

    #[test]
    fn what_was_listed_and_did_not_match_goes() {
        let (kept, peer) = (Keepsakes::default(), address("sim:1"));
        kept.keep(peer.clone(), named(1, 7), NONE);
        kept.keep(peer.clone(), named(9, 7), KeepsakeId([1; 8]));
        assert_eq!(id(&kept, &peer), KeepsakeId([9; 8]), "however small its name was");
    }

    #[test]
    fn a_late_run_with_a_peers_old_key_does_not_displace_the_new() {
        let (kept, peer) = (Keepsakes::default(), address("sim:1"));
        kept.keep(peer.clone(), named(5, 8), NONE);
        kept.keep(peer.clone(), named(1, 7), NONE);
        assert_eq!(id(&kept, &peer), KeepsakeId([5; 8]));
    }

    #[test]
    fn peers_are_bounded() {
        let kept = Keepsakes::default();
        for place in 0..2 * MOST_PEERS {
            kept.keep(address(&format!("sim:{place}")), named(1, 7), NONE);
        }
        assert_eq!(kept.lock().len(), MOST_PEERS);
    }
}
