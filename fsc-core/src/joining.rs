//! How parties find one another and agree on what to run: hellos, run ids and pairwise keys.
//!
//! Every party sends every other a hello: what it wants to run, readable, and a fresh nonce. The run id is the digest of all hellos, so a run
//! is fresh, a replay belongs to no run, and parties that were told different things end in different runs and notice it
//! with their first message. While links are not sealed, the hello also carries an X25519 key, and every two parties
//! derive a key that nobody else on the way has: against passive listeners only, since nothing authenticates the hello.
//!
//! # Wire
//!
//! A hello's body is a CBOR map:
//!
//! ```text
//! {"nonce": 32 bytes, "key": 32 bytes, "spec": {"function": text, "version": int, "params": any, "parties": [text, …]},
//!  "announced": any, what the protocol lets the others know of the input; absent where that is nothing,
//!  "held": 8 bytes per party, in order of place: the names of keepsakes; absent where nothing is held}
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::clock;
use crate::envelope::{Mark, RunId, Topic};
use crate::keepsake::{KeepsakeId, Keepsakes};
use crate::transport::Address;
use crate::value::{Limits, Value, cbor, json};

/// The most parties that may run a protocol together.
pub const MOST_PARTIES: usize = 64;

/// The most bytes of a hello.
pub const MOST_HELLO_BYTES: usize = 1 << 20;

/// The most bytes of what a hello announces.
pub const MOST_ANNOUNCED_BYTES: usize = 1 << 16;

/// How many agreed secrets are kept for peers that come again.
const MOST_SECRETS: usize = 1024;

/// What all parties must agree on.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// The function's name.
    pub function: String,
    /// The protocol's version.
    pub version: u16,
    /// The public parameters.
    pub params: Value,
    /// The parties' addresses, in order of place.
    pub parties: Vec<Address>,
}

impl Spec {
    /// How `theirs`, which `party` sent, differs from mine, in the asker's words.
    pub fn difference(&self, theirs: &Self, party: usize) -> Option<String> {
        if self == theirs {
            return None;
        }
        let (they, we) = (theirs.parties.len(), self.parties.len());
        Some(if theirs.function != self.function || they != we {
            format!(
                "party {party} asked for {} over {they} nodes, you asked for {} over {we}",
                printable(&theirs.function),
                self.function
            )
        } else if theirs.version != self.version {
            format!(
                "party {party} runs version {} of {}, this node version {}: update the older one",
                theirs.version, self.function, self.version
            )
        } else if let Some(place) = (0..we).find(|place| theirs.parties[*place] != self.parties[*place]) {
            format!(
                "party {party} takes {} for node {place}, you take {}",
                printable(theirs.parties[place].as_str()),
                self.parties[place]
            )
        } else {
            format!("party {party} has other parameters: {}", differing_parameters(&self.params, &theirs.params))
        })
    }

    fn to_value(&self) -> Value {
        let parties = self.parties.iter().map(|address| Value::Text(address.to_string())).collect();
        Value::Map(BTreeMap::from([
            ("function".to_owned(), Value::Text(self.function.clone())),
            ("version".to_owned(), Value::Int(self.version.into())),
            ("params".to_owned(), self.params.clone()),
            ("parties".to_owned(), Value::List(parties)),
        ]))
    }

    fn from_value(value: Value) -> Result<Self, BadHello> {
        let Value::Map(mut entries) = value else { return Err(BadHello("its spec is no map")) };
        let mut entry = |name| entries.remove(name).ok_or(BadHello("its spec lacks an entry"));
        let (Value::Text(function), Value::Int(version), params, Value::List(parties)) =
            (entry("function")?, entry("version")?, entry("params")?, entry("parties")?)
        else {
            return Err(BadHello("its spec has an entry of the wrong type"));
        };
        if parties.len() > MOST_PARTIES {
            return Err(BadHello("it names too many parties"));
        }
        let address = |value: Value| match value {
            Value::Text(text) => text.parse().map_err(|_| BadHello("it names a party by something that is no address")),
            _ => Err(BadHello("it names a party by something that is no text")),
        };
        Ok(Self {
            function,
            version: version.try_into().map_err(|_| BadHello("its version is out of range"))?,
            params,
            parties: parties.into_iter().map(address).collect::<Result<_, _>>()?,
        })
    }
}

/// What a party says to join a run.
#[derive(Clone, Debug)]
pub struct Hello {
    /// Drawn for this run and no other.
    pub nonce: [u8; 32],
    /// The node's X25519 key.
    pub key: [u8; 32],
    /// What the party wants to run.
    pub spec: Spec,
    /// What the others may know of the party's input.
    pub announced: Value,
    /// What the party holds from earlier runs, for each party; empty if nothing at all.
    pub held: Vec<KeepsakeId>,
    /// The bytes as they travel, and as they enter the run id.
    pub encoded: Bytes,
}

impl Hello {
    /// A hello of mine.
    pub fn new(nonce: [u8; 32], key: [u8; 32], spec: Spec, announced: Value, held: Vec<KeepsakeId>) -> Self {
        let bytes = |bytes: &[u8]| Value::Bytes(Bytes::copy_from_slice(bytes));
        let mut body = BTreeMap::from([
            ("nonce".to_owned(), bytes(&nonce)),
            ("key".to_owned(), bytes(&key)),
            ("spec".to_owned(), spec.to_value()),
        ]);
        if announced != Value::Null {
            body.insert("announced".to_owned(), announced.clone());
        }
        if !held.is_empty() {
            body.insert("held".to_owned(), bytes(&held.iter().flat_map(|id| id.0).collect::<Vec<_>>()));
        }
        Self { nonce, key, spec, announced, held, encoded: cbor::to_vec(&Value::Map(body)).into() }
    }

    /// What the party holds for the party at `place`.
    pub fn held_for(&self, place: usize) -> KeepsakeId {
        self.held.get(place).copied().unwrap_or_default()
    }

    /// Reads a peer's hello.
    pub fn decode(encoded: Bytes) -> Result<Self, BadHello> {
        if encoded.len() > MOST_HELLO_BYTES {
            return Err(BadHello("it is too long"));
        }
        let limits = Limits { depth: 32, nodes: 100_000 };
        let value = cbor::parse(&encoded, &limits).map_err(|_| BadHello("it is no CBOR"))?;
        let Value::Map(mut entries) = value else { return Err(BadHello("it is no map")) };
        let mut bytes = |name| match entries.remove(name) {
            Some(Value::Bytes(bytes)) => {
                <[u8; 32]>::try_from(bytes.as_ref()).map_err(|_| BadHello("a field has the wrong length"))
            }
            _ => Err(BadHello("it lacks an entry")),
        };
        let (nonce, key) = (bytes("nonce")?, bytes("key")?);
        let spec = Spec::from_value(entries.remove("spec").ok_or(BadHello("it lacks an entry"))?)?;
        let held = match entries.remove("held") {
            None => Vec::new(),
            Some(Value::Bytes(held)) => match held.as_chunks() {
                (held, []) if held.len() == spec.parties.len() => held.iter().copied().map(KeepsakeId).collect(),
                _ => return Err(BadHello("it holds something for more or fewer than all parties")),
            },
            Some(_) => return Err(BadHello("what it holds are no bytes")),
        };
        let announced = entries.remove("announced").unwrap_or_default();
        if cbor::to_vec(&announced).len() > MOST_ANNOUNCED_BYTES {
            return Err(BadHello("it announces too much"));
        }
        Ok(Self { nonce, key, spec, announced, held, encoded })
    }

    /// The mark by which envelopes name this hello.
    pub fn mark(&self) -> Mark {
        let mut mark = [0; 8];
        mark.copy_from_slice(&self.nonce[..8]);
        Mark(mark)
    }

    /// The mark of mail from the party that sent this hello to the one that sent `to`.
    pub fn pair_mark(&self, to: &Self) -> Mark {
        let mut hasher = blake3::Hasher::new_derive_key("fsc v1 pair mark");
        hasher.update(&self.nonce).update(&to.nonce);
        Mark(crate::envelope::truncated(&hasher))
    }
}

/// A peer's hello that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed hello: {0}")]
pub struct BadHello(&'static str);

impl BadHello {
    pub(crate) const fn new(why: &'static str) -> Self {
        Self(why)
    }
}

/// A run's full identity, from which its keys derive.
#[derive(Clone)]
pub(crate) struct Joined {
    digest: [u8; 32],
}

impl Joined {
    /// The run of these hellos, in order of place.
    pub(crate) fn new<'a>(topic: Topic, hellos: impl Iterator<Item = &'a Hello>) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("fsc v1 run");
        hasher.update(&topic.0);
        for hello in hellos {
            hasher.update(blake3::hash(&hello.encoded).as_bytes());
        }
        Self { digest: *hasher.finalize().as_bytes() }
    }

    /// The truncated id that mail carries.
    pub(crate) fn run(&self) -> RunId {
        let mut id = [0; 16];
        id.copy_from_slice(&self.digest[..16]);
        RunId(id)
    }

    /// The key of the parties at places `a` and `b` in this run, for `purpose`.
    pub(crate) fn pair_key(&self, secret: &PairSecret, purpose: &str, a: usize, b: usize) -> Zeroizing<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_keyed(secret.bytes());
        hasher.update(&self.digest).update(purpose.as_bytes());
        hasher.update(&(a as u64).to_le_bytes()).update(&(b as u64).to_le_bytes());
        Zeroizing::new(*hasher.finalize().as_bytes())
    }
}

/// The key of a stop from the party of `from` to the party of `to`, which need not have joined.
pub(crate) fn stop_key(secret: &PairSecret, from: &Hello, to: &Hello) -> Zeroizing<[u8; 32]> {
    let mut hasher = blake3::Hasher::new_keyed(secret.bytes());
    hasher.update(b"stop").update(&from.nonce).update(&to.nonce);
    Zeroizing::new(*hasher.finalize().as_bytes())
}

/// What two nodes agreed on; one secret serves many runs, whose keys derive from it and from the run id.
pub struct PairSecret(Zeroizing<[u8; 32]>);

impl PairSecret {
    fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A node's ephemeral X25519 key, and the secrets agreed under it.
///
/// It lives in memory only. A node draws a new one when it starts and from time to time; what was agreed under an
/// old one is forgotten with it. Keeping it for a while saves the exponentiations of every run after the first.
pub struct Keys {
    secret: StaticSecret,
    public: [u8; 32],
    agreed: Mutex<HashMap<[u8; 32], Arc<PairSecret>>>,
    /// What later runs with the same peers find.
    keepsakes: Keepsakes,
}

impl Keys {
    /// A key from the operating system's randomness.
    pub fn generate() -> Self {
        Self::from_seed(&clock::random())
    }

    /// The key that a seed determines, for tests.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let secret = StaticSecret::from(*seed);
        let public = PublicKey::from(&secret).to_bytes();
        Self { secret, public, agreed: Mutex::default(), keepsakes: Keepsakes::default() }
    }

    /// What was kept under this key.
    pub fn keepsakes(&self) -> &Keepsakes {
        &self.keepsakes
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// What this node and the owner of `theirs` agree on; `None` for a key that makes everybody agree on the same
    /// (an all-zero result, RFC 7748, section 6.1).
    pub fn agree(&self, theirs: [u8; 32]) -> Option<Arc<PairSecret>> {
        let mut agreed = self.agreed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secret) = agreed.get(&theirs) {
            return Some(Arc::clone(secret));
        }
        let shared = self.secret.diffie_hellman(&PublicKey::from(theirs));
        if !shared.was_contributory() {
            return None;
        }
        // Both public keys enter the key, so a secret belongs to this pair of keys and not only to their product.
        let (low, high) = if self.public < theirs { (self.public, theirs) } else { (theirs, self.public) };
        let mut hasher = blake3::Hasher::new_derive_key("fsc v1 pair secret");
        hasher.update(shared.as_bytes()).update(&low).update(&high);
        let secret = Arc::new(PairSecret(Zeroizing::new(*hasher.finalize().as_bytes())));
        if agreed.len() >= MOST_SECRETS {
            agreed.clear();
        }
        agreed.insert(theirs, Arc::clone(&secret));
        Some(secret)
    }
}

#[cfg(feature = "sim")]
impl Keys {
    /// Has agreed on this with the owner of `theirs`, as if the exchange of keys were a random function.
    pub(crate) fn plant(&self, theirs: [u8; 32], secret: [u8; 32]) {
        let mut agreed = self.agreed.lock().unwrap_or_else(PoisonError::into_inner);
        agreed.insert(theirs, Arc::new(PairSecret(Zeroizing::new(secret))));
    }
}

/// A peer's text as it may stand in an error: short, and without control characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// Names the parameters that differ. They are public, so short values are shown.
fn differing_parameters(mine: &Value, theirs: &Value) -> String {
    let show = |value: Option<&Value>| match value.map(json::to_vec) {
        None => "nothing".to_owned(),
        Some(text) if text.len() > 60 => "something long".to_owned(),
        Some(text) => printable(&String::from_utf8_lossy(&text)),
    };
    let (Value::Map(mine), Value::Map(theirs)) = (mine, theirs) else {
        return format!("it has {}, you have {}", show(Some(theirs)), show(Some(mine)));
    };
    let names: std::collections::BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
    let differing = names.into_iter().filter(|name| mine.get(*name) != theirs.get(*name)).take(5);
    let shown = differing.map(|name| {
        format!("for {} it has {}, you have {}", printable(name), show(theirs.get(name)), show(mine.get(name)))
    });
    shown.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(function: &str, parties: usize) -> Spec {
        let parties = (0..parties).map(|place| format!("http://127.0.0.1:{}", 1000 + place).parse().unwrap());
        Spec {
            function: function.to_owned(),
            version: 1,
            params: Value::Map(BTreeMap::from([("shape".to_owned(), Value::Int(3))])),
            parties: parties.collect(),
        }
    }

    #[test]
    fn hello_comes_back_as_it_was() {
        let held = vec![KeepsakeId([1; 8]), KeepsakeId::NONE, KeepsakeId([3; 8])];
        for (announced, held) in [(Value::Null, vec![]), (Value::Int(10), held)] {
            let hello = Hello::new([1; 32], [2; 32], spec("SecureSum", 3), announced, held);
            let back = Hello::decode(hello.encoded.clone()).unwrap();
            assert_eq!(
                (back.nonce, back.key, back.spec, back.announced, back.held, back.encoded),
                (hello.nonce, hello.key, hello.spec, hello.announced, hello.held, hello.encoded)
            );
        }
    }

    #[test]
    fn difference_is_told_in_the_askers_words() {
        let mine = spec("StatisticsUnivariate", 2);
        assert_eq!(mine.difference(&mine.clone(), 1), None);
        assert_eq!(
            mine.difference(&spec("SecureSum", 3), 1).unwrap(),
            "party 1 asked for SecureSum over 3 nodes, you asked for StatisticsUnivariate over 2"
        );
        let mut theirs = mine.clone();
        theirs.params = Value::Map(BTreeMap::from([("shape".to_owned(), Value::Int(4))]));
        assert_eq!(
            mine.difference(&theirs, 1).unwrap(),
            "party 1 has other parameters: for shape it has 4, you have 3"
        );
    }

    #[test]
    fn both_ends_agree_and_others_do_not() {
        let [a, b, c] = [1, 2, 3].map(|seed| Keys::from_seed(&[seed; 32]));
        let ab = a.agree(b.public()).unwrap();
        assert_eq!(ab.bytes(), b.agree(a.public()).unwrap().bytes());
        assert_ne!(ab.bytes(), a.agree(c.public()).unwrap().bytes());
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        let keys = Keys::from_seed(&[1; 32]);
        assert!(keys.agree([0; 32]).is_none());
        let mut one = [0; 32];
        one[0] = 1;
        assert!(keys.agree(one).is_none());
    }

    #[test]
    fn pair_keys_differ_by_run_place_and_purpose() {
        let keys = Keys::from_seed(&[1; 32]);
        let secret = keys.agree(Keys::from_seed(&[2; 32]).public()).unwrap();
        let runs = [[1; 32], [2; 32]].map(|nonce| {
            Joined::new(Topic::of("u"), [Hello::new(nonce, [0; 32], spec("SecureSum", 2), Value::Null, vec![])].iter())
        });
        let all = [
            runs[0].pair_key(&secret, "mask", 0, 1),
            runs[1].pair_key(&secret, "mask", 0, 1),
            runs[0].pair_key(&secret, "mask", 1, 0),
            runs[0].pair_key(&secret, "mail", 0, 1),
        ];
        for (index, key) in all.iter().enumerate() {
            assert!(all[..index].iter().all(|other| other != key));
        }
    }
}
