//! Nodes that are learned while this one runs.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fsc_core::identity::NodeId;
use fsc_core::node::Node;
use fsc_transport::seal::Seal;
use fsc_transport::seal::invite::{Guest, Invitations, Lookup, Psk, Verdict};
use tokio::task::JoinSet;

use crate::annex::Annex;
use crate::config::{self, Config, ConfigError};
use crate::invitations::Book;
use crate::running;

/// How soon a running node notices that others were listed.
const NOTICED: Duration = Duration::from_secs(1);

/// Lists the nodes that join while this one runs, and lets them in.
pub(crate) struct Learner {
    annex: Annex,
    book: Book,
    /// Those of the configuration's own list, which counts before what is learned.
    own: HashSet<NodeId>,
    /// Whether clients may compute with listed nodes only as soon as there is one.
    closes: bool,
    seal: Seal,
    node: Arc<Node>,
    seen: Mutex<Seen>,
}

/// What was learned so far.
#[derive(Default)]
struct Seen {
    text: String,
    keepers: HashSet<NodeId>,
    /// End with the learner.
    chores: JoinSet<()>,
}

impl Learner {
    pub(crate) fn new(config: &Config, annex: Annex, seal: Seal, node: Arc<Node>) -> Self {
        let (own, closes, book) = (config.own(), config.closes(), annex.book());
        Self { annex, book, own, closes, seal, node, seen: Mutex::default() }
    }

    /// Looks for nodes again and again.
    pub(crate) async fn watch(self: Arc<Self>) {
        loop {
            self.refresh();
            tokio::time::sleep(NOTICED).await;
        }
    }

    /// Lets go of invitations that have expired.
    pub(crate) fn sweep(&self) {
        self.book.sweep();
    }

    /// Lists what is new. What is wrong with it is said once.
    pub(crate) fn refresh(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match self.annex.text() {
            Ok(text) if text == seen.text => return,
            Ok(text) => text,
            Err(error) => return tracing::warn!("nodes that have joined can't be read: {error}"),
        };
        seen.text = text;
        if let Err(error) = self.take(&mut seen) {
            tracing::error!("{error}");
        }
    }

    fn take(&self, seen: &mut Seen) -> Result<(), ConfigError> {
        for other in self.annex.parse(&seen.text)? {
            let listed = self.seal.peers().all();
            let peer = match other.peer().and_then(|peer| config::fits(&listed, &peer).map(|()| peer)) {
                Ok(peer) if self.own.contains(&peer.id) => continue,
                Ok(peer) => peer,
                Err(error) => {
                    tracing::error!("a node that has joined is not listed: {error}");
                    continue;
                }
            };
            if other.collect && seen.keepers.insert(peer.id) {
                seen.chores.spawn(running::collect(self.seal.clone(), peer.id, Arc::clone(&self.node)));
            }
            self.seal.peers().list(peer);
            if self.closes {
                self.seal.peers().only_listed();
            }
        }
        Ok(())
    }
}

impl Invitations for Learner {
    fn find(&self, lookup: Lookup) -> Option<Psk> {
        self.book.find(lookup)
    }

    fn revoke(&self, lookup: Lookup) {
        if let Err(error) = self.book.revoke(lookup) {
            tracing::error!("an invitation can't be made void: {error}");
        }
    }

    fn claim(&self, lookup: Lookup, guest: &Guest) -> bool {
        let claimed = self.book.claim(lookup, guest);
        claimed.inspect_err(|error| tracing::error!("who has joined can't be noted: {error}")).unwrap_or(false)
    }

    fn hear(&self, lookup: Lookup, agrees: bool) {
        if let Err(error) = self.book.hear(lookup, agrees) {
            tracing::error!("what was said of an invitation can't be noted: {error}");
        }
    }

    /// Once it is yes, the guest is listed here, whenever this node would have noticed.
    fn verdict(&self, lookup: Lookup) -> Option<Verdict> {
        let verdict = self.book.verdict(lookup);
        if verdict == Some(Verdict::Agreed) {
            self.refresh();
        }
        verdict
    }
}
