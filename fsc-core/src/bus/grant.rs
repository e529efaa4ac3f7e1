//! Grants: who may do what with which object, and for how long.
//!
//! A handle is a grant. It belongs to one principal, says what that principal may do with the object behind it, and
//! ends with its lease unless it is used. A handle of somebody else's and one that never was give the same answer.
//!
//! # What is let go, and when
//!
//! The reference's clients never release anything, so a node must forget by itself, without pulling the rug from
//! under a script that runs:
//!
//! * A grant that was not used for a lease is gone. Using it, or passing it as an argument, renews it.
//! * A principal has so many handles. When it needs one more, the one that it has not used for longest is let go.
//! * A principal has so many bytes, uploads and results together. When a new one does not fit, those results go first
//!   that were not used for longest; handles to objects that hold no bytes stay, for letting them go would not help.
//! * Uploads are never let go to make room, for nobody could compute them anew: they end by lease or release. When
//!   there are too many of them, or their bytes leave no room, the next one is refused (429), and so is a result.
//! * Calls in flight have bounds of their own, by number and by the bytes of their arguments. These are refused (429).
//! * A principal without grants and calls takes no memory; the number of those with any is bounded (503).
//!
//! So memory has a bound, whatever clients do: per principal `handles + uploads` grants, and twice `bytes`.
//!
//! This is plain data: the time comes in as an argument, nothing waits, and nothing is locked. Objects that are let go
//! are handed out by [`Grants::take_debris`], so that the caller can drop them when it holds no lock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::{Failure, Principal};
use crate::clock::Time;
use crate::object::Object;
use crate::value::Handle;

/// How much one principal may occupy, and how many principals there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Handles of a principal, uploads not counted. The one unused for longest makes room for the next.
    pub handles: usize,
    /// Uploads of a principal.
    pub uploads: usize,
    /// Bytes of a principal's uploads and results together, and as many again for the arguments of its calls in flight.
    pub bytes: usize,
    /// Calls of a principal in flight.
    pub calls: usize,
    /// Steps of a chain.
    pub steps: usize,
    /// How long a grant lasts after its last use.
    pub lease: Duration,
    /// Principals with a grant or a call in flight.
    pub principals: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            handles: 65_536,
            uploads: 16_384,
            bytes: 1 << 30,
            calls: 1_024,
            steps: 64,
            lease: Duration::from_mins(10),
            principals: 1_024,
        }
    }
}

/// What the owner of a handle may do with the object behind it, beyond holding it and reading attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Call it.
    pub call: bool,
    /// Download its content, or pass it on to an object that might give it back.
    pub download: bool,
    /// Release the handle before its lease ends.
    pub release: bool,
}

impl Rights {
    /// Everything.
    pub const ALL: Self = Self { call: true, download: true, release: true };

    /// The rights that both have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            call: self.call && other.call,
            download: self.download && other.download,
            release: self.release && other.release,
        }
    }
}

/// What a grant is for, which decides how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An object that the node made or has anyway: it may be let go to make room.
    Result,
    /// An object that the client stored: it ends by lease or release only.
    Upload,
}

/// What to grant.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The object.
    pub object: Arc<dyn Object>,
    /// What its owner may do with it.
    pub rights: Rights,
    /// How the grant may end.
    pub kind: Kind,
    /// How many bytes the object keeps for its owner.
    pub bytes: usize,
}

/// What a handle stands for.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The object.
    pub object: Arc<dyn Object>,
    /// What its owner may do with it.
    pub rights: Rights,
}

/// What a principal occupies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Handles, uploads not counted.
    pub handles: usize,
    /// Bytes of results.
    pub result_bytes: usize,
    /// Uploads.
    pub uploads: usize,
    /// Bytes of uploads.
    pub upload_bytes: usize,
    /// Calls in flight.
    pub calls: usize,
    /// Bytes of the arguments of calls in flight.
    pub call_bytes: usize,
}

/// Where the randomness of handles comes from.
pub type HandleSource = Box<dyn FnMut() -> [u8; 16] + Send>;

/// All grants of a node.
pub struct Grants {
    quotas: Quotas,
    source: HandleSource,
    by_handle: HashMap<Handle, Grant>,
    /// All leases are equally long, so the order of last use is the order of expiry.
    by_use: BTreeMap<Tick, Handle>,
    accounts: HashMap<Principal, Account>,
    tick: Tick,
    debris: Vec<Arc<dyn Object>>,
}

/// Counts uses: the smaller, the longer ago.
type Tick = u64;

struct Grant {
    owner: Principal,
    offer: Offer,
    used: Time,
    tick: Tick,
}

#[derive(Default)]
struct Account {
    usage: Usage,
    /// What may be let go, by last use.
    results: BTreeSet<Tick>,
    /// Those of them that hold bytes.
    heavy: BTreeSet<Tick>,
}

impl Grants {
    /// No grants yet; handles will be made of what `source` gives, which must be unpredictable outside of tests.
    pub fn new(quotas: Quotas, source: HandleSource) -> Self {
        Self {
            quotas,
            source,
            by_handle: HashMap::new(),
            by_use: BTreeMap::new(),
            accounts: HashMap::new(),
            tick: 0,
            debris: Vec::new(),
        }
    }

    /// Grants an object to `owner`.
    pub fn grant(&mut self, now: Time, owner: &Principal, offer: Offer) -> Result<Handle, GrantError> {
        self.sweep(now);
        self.admit(owner)?;
        self.make_room(owner, offer.kind, offer.bytes)?;
        let handle = self.unused_handle();
        let grant = Grant { owner: owner.clone(), offer, used: now, tick: self.next_tick() };
        self.by_use.insert(grant.tick, handle);
        self.accounts.entry(owner.clone()).or_default().enter(&grant);
        self.by_handle.insert(handle, grant);
        Ok(handle)
    }

    /// What `handle` stands for, and renews its lease.
    pub fn access(&mut self, now: Time, principal: &Principal, handle: Handle) -> Result<Granted, GrantError> {
        self.sweep(now);
        let tick = self.next_tick();
        let grant = self.by_handle.get_mut(&handle).filter(|grant| grant.owner == *principal);
        let (Some(grant), Some(account)) = (grant, self.accounts.get_mut(principal)) else {
            return Err(GrantError::Unknown);
        };
        account.leave(grant);
        self.by_use.remove(&grant.tick);
        grant.tick = tick;
        grant.used = now;
        self.by_use.insert(tick, handle);
        account.enter(grant);
        Ok(Granted { object: grant.offer.object.clone(), rights: grant.offer.rights })
    }

    /// Ends a grant.
    pub fn release(&mut self, now: Time, principal: &Principal, handle: Handle) -> Result<(), GrantError> {
        self.sweep(now);
        let grant = self.by_handle.get(&handle).filter(|grant| grant.owner == *principal).ok_or(GrantError::Unknown)?;
        if !grant.offer.rights.release {
            return Err(GrantError::NoRight { to: "release" });
        }
        self.end(handle);
        Ok(())
    }

    /// Counts a call with so many bytes of arguments as in flight, until [`Grants::end_call`] with the same numbers.
    pub fn begin_call(&mut self, now: Time, principal: &Principal, bytes: usize) -> Result<(), GrantError> {
        self.sweep(now);
        self.admit(principal)?;
        let usage = self.usage(principal);
        if usage.calls >= self.quotas.calls {
            return Err(GrantError::TooManyCalls { at_most: self.quotas.calls });
        }
        if bytes > self.quotas.bytes.saturating_sub(usage.call_bytes) {
            return Err(GrantError::ArgumentsTooLarge { at_most: self.quotas.bytes });
        }
        let usage = &mut self.accounts.entry(principal.clone()).or_default().usage;
        usage.calls += 1;
        usage.call_bytes += bytes;
        Ok(())
    }

    /// The call is over.
    pub fn end_call(&mut self, principal: &Principal, bytes: usize) {
        if let Some(account) = self.accounts.get_mut(principal) {
            account.usage.calls -= 1;
            account.usage.call_bytes -= bytes;
        }
        self.forget_idle(principal);
    }

    /// Ends every grant whose lease is over, and says when the next one will be.
    ///
    /// Everything else here does so first, so nothing ever sees an expired grant; a node that nobody asks anything
    /// calls this to get its memory back. Each grant is swept once, so the cost is that of having granted it.
    pub fn sweep(&mut self, now: Time) -> Option<Time> {
        while let Some((_, &handle)) = self.by_use.first_key_value() {
            let expiry = self.by_handle.get(&handle).map(|grant| grant.used + self.quotas.lease);
            if let Some(later) = expiry.filter(|expiry| *expiry > now) {
                return Some(later);
            }
            self.end(handle);
        }
        None
    }

    /// The objects that were let go since the last time. To be dropped without holding a lock: dropping an object may
    /// do anything.
    #[must_use]
    pub fn take_debris(&mut self) -> Vec<Arc<dyn Object>> {
        mem::take(&mut self.debris)
    }

    /// What a principal occupies.
    pub fn usage(&self, principal: &Principal) -> Usage {
        self.accounts.get(principal).map(|account| account.usage).unwrap_or_default()
    }

    /// How many principals have a grant or a call in flight.
    pub fn principals(&self) -> usize {
        self.accounts.len()
    }

    fn admit(&self, principal: &Principal) -> Result<(), GrantError> {
        if self.accounts.len() >= self.quotas.principals && !self.accounts.contains_key(principal) {
            return Err(GrantError::TooManyPrincipals);
        }
        Ok(())
    }

    /// Lets results go until one more grant fits. Nothing is let go if that would not do.
    fn make_room(&mut self, owner: &Principal, kind: Kind, bytes: usize) -> Result<(), GrantError> {
        let usage = self.usage(owner);
        let free = self.quotas.bytes.saturating_sub(usage.upload_bytes);
        match kind {
            _ if bytes > free => return Err(GrantError::TooManyBytes { at_most: self.quotas.bytes }),
            Kind::Upload if usage.uploads >= self.quotas.uploads => {
                return Err(GrantError::TooManyUploads { at_most: self.quotas.uploads });
            }
            Kind::Result if self.quotas.handles == 0 => return Err(GrantError::TooManyHandles { at_most: 0 }),
            Kind::Result if usage.handles >= self.quotas.handles => self.end_oldest(owner, |account| &account.results),
            Kind::Result | Kind::Upload => {}
        }
        while self.usage(owner).result_bytes > free - bytes {
            self.end_oldest(owner, |account| &account.heavy);
        }
        Ok(())
    }

    fn end_oldest(&mut self, owner: &Principal, of: fn(&Account) -> &BTreeSet<Tick>) {
        let oldest = self.accounts.get(owner).and_then(|account| of(account).first());
        if let Some(&handle) = oldest.and_then(|tick| self.by_use.get(tick)) {
            self.end(handle);
        }
    }

    fn end(&mut self, handle: Handle) {
        let Some(grant) = self.by_handle.remove(&handle) else { return };
        self.by_use.remove(&grant.tick);
        if let Some(account) = self.accounts.get_mut(&grant.owner) {
            account.leave(&grant);
        }
        self.forget_idle(&grant.owner);
        self.debris.push(grant.offer.object);
    }

    fn forget_idle(&mut self, principal: &Principal) {
        if self.accounts.get(principal).is_some_and(|account| account.usage == Usage::default()) {
            self.accounts.remove(principal);
        }
    }

    fn unused_handle(&mut self) -> Handle {
        loop {
            let handle = Handle::from_random((self.source)());
            if !self.by_handle.contains_key(&handle) {
                return handle;
            }
        }
    }

    fn next_tick(&mut self) -> Tick {
        self.tick += 1;
        self.tick
    }
}

impl Account {
    fn enter(&mut self, grant: &Grant) {
        let bytes = grant.offer.bytes;
        match grant.offer.kind {
            Kind::Upload => {
                self.usage.uploads += 1;
                self.usage.upload_bytes += bytes;
            }
            Kind::Result => {
                self.usage.handles += 1;
                self.usage.result_bytes += bytes;
                self.results.insert(grant.tick);
                if bytes > 0 {
                    self.heavy.insert(grant.tick);
                }
            }
        }
    }

    fn leave(&mut self, grant: &Grant) {
        let bytes = grant.offer.bytes;
        match grant.offer.kind {
            Kind::Upload => {
                self.usage.uploads -= 1;
                self.usage.upload_bytes -= bytes;
            }
            Kind::Result => {
                self.usage.handles -= 1;
                self.usage.result_bytes -= bytes;
                self.results.remove(&grant.tick);
                self.heavy.remove(&grant.tick);
            }
        }
    }
}

/// Why something was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The principal has no such handle. Whether somebody else has is not said.
    #[error("representation not available: unknown, released or expired")]
    Unknown,
    /// The handle does not allow it.
    #[error("this handle does not grant the right to {to}")]
    NoRight {
        /// What it does not allow.
        to: &'static str,
    },
    /// No handles at all are to be had.
    #[error("limit reached: at most {at_most} handles")]
    TooManyHandles {
        /// The quota.
        at_most: usize,
    },
    /// Too many uploads.
    #[error("limit reached: at most {at_most} uploads at a time; release some, or let their leases end")]
    TooManyUploads {
        /// The quota.
        at_most: usize,
    },
    /// Too many bytes in uploads for one more upload, or a result, of this size.
    #[error("limit reached: at most {at_most} bytes of uploads and results; release some, or let their leases end")]
    TooManyBytes {
        /// The quota.
        at_most: usize,
    },
    /// Too many calls in flight.
    #[error("limit reached: at most {at_most} calls at a time; wait until some are answered")]
    TooManyCalls {
        /// The quota.
        at_most: usize,
    },
    /// Too many bytes in the arguments of calls in flight.
    #[error("limit reached: at most {at_most} bytes in the arguments of calls at a time")]
    ArgumentsTooLarge {
        /// The quota.
        at_most: usize,
    },
    /// Too many principals use the node.
    #[error("this node serves too many clients at present")]
    TooManyPrincipals,
}

impl From<GrantError> for Failure {
    fn from(error: GrantError) -> Self {
        let code = match error {
            GrantError::Unknown => 404,
            GrantError::NoRight { .. } => 403,
            GrantError::TooManyHandles { .. }
            | GrantError::TooManyUploads { .. }
            | GrantError::TooManyBytes { .. }
            | GrantError::TooManyCalls { .. }
            | GrantError::ArgumentsTooLarge { .. } => 429,
            GrantError::TooManyPrincipals => 503,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Stored;
    use crate::value::Value;

    const NOW: Time = Time::START;

    fn grants(quotas: Quotas) -> Grants {
        let mut drawn = 0_u8;
        Grants::new(
            quotas,
            Box::new(move || {
                drawn += 1;
                [drawn; 16]
            }),
        )
    }

    fn offer(kind: Kind, bytes: usize) -> Offer {
        Offer { object: Arc::new(Stored(Value::Null)), rights: Rights::ALL, kind, bytes }
    }

    fn alice() -> Principal {
        Principal::new("alice")
    }

    fn has(grants: &mut Grants, handle: Handle) -> bool {
        grants.access(NOW, &alice(), handle).is_ok()
    }

    #[test]
    fn handles_without_bytes_stay_when_bytes_are_needed() {
        let mut grants = grants(Quotas { bytes: 10, ..Quotas::default() });
        let light = grants.grant(NOW, &alice(), offer(Kind::Result, 0)).unwrap();
        let heavy = grants.grant(NOW, &alice(), offer(Kind::Result, 10)).unwrap();
        let last = grants.grant(NOW, &alice(), offer(Kind::Result, 10)).unwrap();
        assert_eq!([light, heavy, last].map(|handle| has(&mut grants, handle)), [true, false, true]);
    }

    #[test]
    fn nothing_is_let_go_for_what_does_not_fit_anyway() {
        let mut grants = grants(Quotas { bytes: 10, handles: 1, ..Quotas::default() });
        let result = grants.grant(NOW, &alice(), offer(Kind::Result, 10)).unwrap();
        for kind in [Kind::Result, Kind::Upload] {
            let error = grants.grant(NOW, &alice(), offer(kind, 11)).unwrap_err();
            assert_eq!(error, GrantError::TooManyBytes { at_most: 10 });
        }
        assert!(has(&mut grants, result));
    }

    #[test]
    fn a_quota_of_no_handles_grants_none() {
        let mut grants = grants(Quotas { handles: 0, ..Quotas::default() });
        let error = grants.grant(NOW, &alice(), offer(Kind::Result, 0)).unwrap_err();
        assert_eq!(error, GrantError::TooManyHandles { at_most: 0 });
    }

    #[test]
    fn sweeping_says_when_the_next_lease_ends() {
        let mut grants = grants(Quotas { lease: Duration::from_secs(10), ..Quotas::default() });
        let at = |seconds| Time::from_start(Duration::from_secs(seconds));
        let first = grants.grant(at(0), &alice(), offer(Kind::Result, 0)).unwrap();
        grants.grant(at(1), &alice(), offer(Kind::Upload, 0)).unwrap();
        grants.access(at(5), &alice(), first).unwrap();
        assert_eq!(grants.sweep(at(10)), Some(at(11)));
        assert_eq!(grants.sweep(at(11)), Some(at(15)));
        assert_eq!(grants.sweep(at(15)), None);
        assert_eq!(grants.take_debris().len(), 2);
    }

    #[test]
    fn a_principal_that_holds_nothing_takes_no_memory() {
        let mut grants = grants(Quotas::default());
        let handle = grants.grant(NOW, &alice(), offer(Kind::Upload, 5)).unwrap();
        grants.begin_call(NOW, &alice(), 5).unwrap();
        grants.release(NOW, &alice(), handle).unwrap();
        assert_eq!(grants.principals(), 1);
        grants.end_call(&alice(), 5);
        assert_eq!(grants.principals(), 0);
        assert!(grants.by_handle.is_empty() && grants.by_use.is_empty());
    }

    #[test]
    fn a_refused_grant_leaves_nothing_behind() {
        let mut grants = grants(Quotas { bytes: 10, calls: 0, ..Quotas::default() });
        assert!(grants.grant(NOW, &alice(), offer(Kind::Upload, 11)).is_err());
        assert!(grants.begin_call(NOW, &alice(), 0).is_err());
        assert_eq!(grants.principals(), 0);
    }

    #[test]
    fn a_handle_that_is_drawn_twice_is_drawn_again() {
        let mut draws = [1, 1, 2].into_iter();
        let source = Box::new(move || [draws.next().expect("no more than three draws"); 16]);
        let mut grants = Grants::new(Quotas::default(), source);
        let first = grants.grant(NOW, &alice(), offer(Kind::Result, 0)).unwrap();
        let second = grants.grant(NOW, &alice(), offer(Kind::Result, 0)).unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn a_hundred_thousand_grants_without_release_stay_within_the_quota() {
        let mut grants = grants_at_random(Quotas { handles: 100, ..Quotas::default() });
        for _ in 0..100_000 {
            grants.grant(NOW, &alice(), offer(Kind::Result, 1)).unwrap();
            drop(grants.take_debris());
        }
        assert_eq!(grants.by_handle.len(), 100);
        assert_eq!(grants.by_use.len(), 100);
        assert_eq!(grants.usage(&alice()), Usage { handles: 100, result_bytes: 100, ..Usage::default() });
    }

    fn grants_at_random(quotas: Quotas) -> Grants {
        Grants::new(quotas, Box::new(crate::clock::random))
    }
}
