//! All parties of one run, session by session, and the letters between them.

use std::sync::{Arc, LazyLock};
use std::task::{Context, Waker};
use std::time::Duration;

use fsc_core::clock::Time;
use fsc_core::envelope::Envelope;
use fsc_core::joining::Keys;
use fsc_core::protocol::{Catalogue, ErasedProtocol, Prepared};
use fsc_core::session::{Outcome, RunError, Session, Setup};
use fsc_core::sim::{self, encode, setup};
use fsc_protocols::ot;

use crate::network::Letter;

/// Parties whose letters all arrive, in order, and after no time.
pub(crate) struct Federation {
    pub(crate) sessions: Vec<Session>,
    wire: Vec<Letter>,
    now: Time,
}

impl Federation {
    /// Parties that want to run what was prepared for each, at nodes with these keys.
    pub(crate) fn new(prepared: Vec<Prepared>, keys: &[Arc<Keys>]) -> Self {
        let parties = prepared.len();
        let session = |(me, prepared)| {
            let keys = Arc::clone(&keys[me]);
            Session::new(Setup { keys, ..setup(me, parties, prepared, 1) }, Time::START)
        };
        let sessions = prepared.into_iter().enumerate().map(session).collect();
        Self { sessions, wire: Vec::new(), now: Time::START }
    }

    /// All hear of one another, and nothing is computed yet but what the run is to cost.
    pub(crate) fn join(&mut self) {
        for place in 0..self.sessions.len() {
            while let Some(hello) = self.sessions[place].poll_transmit() {
                self.post(&hello);
            }
        }
        self.deliver();
        self.sessions.iter_mut().for_each(Session::join_if_complete);
    }

    /// Has a party go on, and returns what it has to say.
    pub(crate) fn poll(&mut self, place: usize) -> Vec<Envelope> {
        let session = &mut self.sessions[place];
        let polled = session.poll(&mut Context::from_waker(Waker::noop()), self.now);
        assert_eq!(polled.is_ready(), session.outcome().is_some());
        std::iter::from_fn(|| session.poll_transmit()).collect()
    }

    pub(crate) fn post(&mut self, envelope: &Envelope) {
        self.wire.push(Letter { to: usize::from(envelope.route.to), bytes: encode(envelope) });
    }

    /// Delivers all that was posted; whether that was anything.
    pub(crate) fn deliver(&mut self) -> bool {
        let letters = std::mem::take(&mut self.wire);
        let any = !letters.is_empty();
        for Letter { to, bytes } in letters {
            for envelope in Envelope::decode_all(bytes.into()).expect("what is written can be read") {
                let _ = self.sessions[to].handle(envelope);
            }
        }
        any
    }

    /// The next deadline passes.
    pub(crate) fn let_time_pass(&mut self) {
        let deadlines = self.sessions.iter_mut().filter_map(|session| session.poll_timeout(self.now));
        self.now = deadlines.min().unwrap_or(self.now).max(self.now);
    }

    /// How much time has passed.
    pub(crate) fn took(&self) -> Duration {
        self.now.since_start()
    }

    pub(crate) fn outcome(&self, place: usize) -> Option<&Outcome> {
        self.sessions[place].outcome()
    }

    /// What must hold of a party that follows the protocol, whatever it was told.
    pub(crate) fn check(&self, place: usize) {
        let progress = self.sessions[place].progress();
        assert!(progress.sent.messages <= progress.expected.messages, "party {place} sends more than stated");
        assert!(progress.sent.bytes <= progress.expected.bytes, "party {place} sends more than stated");
        let Some(Err(error)) = self.outcome(place) else { return };
        assert!(!matches!(error, RunError::Broken(_)), "party {place}: {error}");
        assert!(error.culprits().iter().all(|culprit| *culprit < self.sessions.len() && *culprit != place), "{error}");
        assert!(error.to_string().len() < 1_000 && (400..600).contains(&error.code()), "{error}");
    }
}

/// The function of that name.
pub(crate) fn protocol(name: &str) -> Option<&'static dyn ErasedProtocol> {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
        fsc_protocols::link();
        Catalogue::discover().expect("it is linked")
    });
    CATALOGUE.find(name)
}

/// The keys of two or three nodes that have met.
pub(crate) fn acquainted(parties: usize) -> &'static [Arc<Keys>] {
    static KEYS: LazyLock<Vec<Arc<Keys>>> = LazyLock::new(|| {
        let keys = sim::keys(3, 1);
        ot::acquaint(&keys);
        keys
    });
    &KEYS[..parties]
}
