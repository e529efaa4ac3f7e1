//! What a protocol sees of the world: its place, its randomness, and its mail.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use crate::envelope::{Channel, RunId};
use crate::joining::Keys;
use crate::keepsake::{Half, Keepsake, KeepsakeId};
use crate::protocol::{Announced, ProtocolError};
use crate::transport::Address;

/// One party's view of a run. A protocol gets hold of nothing else.
///
/// Messages between two parties arrive in the order in which they were sent, on each channel; [`Party::fork`] opens
/// a channel of its own for a sub-protocol, so that sub-protocols may run beside one another.
pub struct Party {
    run: RunId,
    announced: Arc<Announced>,
    path: [u8; 32],
    channel: Channel,
    forks: u32,
    rng: ChaCha20Rng,
    /// One key per other party, shared with it and with nobody else; my own place holds zeros.
    pair_keys: Arc<Vec<Zeroizing<[u8; 32]>>>,
    mask_keys_drawn: Vec<u32>,
    memory: Arc<Memory>,
    sent: Vec<u32>,
    received: Vec<u32>,
    room: Arc<Mutex<Room>>,
}

impl Party {
    pub(crate) fn new(
        run: RunId,
        announced: &Arc<Announced>,
        seed: &[u8; 32],
        pair_keys: Arc<Vec<Zeroizing<[u8; 32]>>>,
        memory: Arc<Memory>,
        room: Arc<Mutex<Room>>,
    ) -> Self {
        Self::at(run, blake3::derive_key("fsc v1 root channel", &[]), announced, seed, pair_keys, memory, room)
    }

    fn at(
        run: RunId,
        path: [u8; 32],
        announced: &Arc<Announced>,
        seed: &[u8; 32],
        pair_keys: Arc<Vec<Zeroizing<[u8; 32]>>>,
        memory: Arc<Memory>,
        room: Arc<Mutex<Room>>,
    ) -> Self {
        let parties = pair_keys.len();
        let (channel, _) = path.split_first_chunk().expect("32 bytes are at least 8");
        Self {
            run,
            announced: Arc::clone(announced),
            path,
            channel: Channel(u64::from_le_bytes(*channel)),
            forks: 0,
            rng: ChaCha20Rng::from_seed(*blake3::keyed_hash(seed, &path).as_bytes()),
            pair_keys,
            mask_keys_drawn: vec![0; parties],
            memory,
            sent: vec![0; parties],
            received: vec![0; parties],
            room,
        }
    }

    /// My place among the parties, from 0.
    pub fn me(&self) -> usize {
        self.announced.me()
    }

    /// The number of parties.
    pub fn parties(&self) -> usize {
        self.pair_keys.len()
    }

    /// What all parties announced when they joined ([`Protocol::announce`](crate::protocol::Protocol::announce)).
    pub fn announced(&self) -> &Announced {
        &self.announced
    }

    /// What tells this run from all others: public, the same at all parties and in all forks, and known to nobody before the last
    /// party has said hello. It is a digest of all hellos, so a party that speaks last can choose among many.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The places of all other parties.
    pub fn others(&self) -> impl Iterator<Item = usize> + use<> {
        let me = self.me();
        (0..self.parties()).filter(move |place| *place != me)
    }

    /// Randomness that only this party has.
    pub fn rng(&mut self) -> &mut ChaCha20Rng {
        &mut self.rng
    }

    /// A party for a sub-protocol, with a channel and randomness of its own. All parties must fork in the same order.
    #[must_use]
    pub fn fork(&mut self, label: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("fsc v1 fork");
        hasher.update(&self.path).update(&self.forks.to_le_bytes()).update(label.as_bytes());
        self.forks += 1;
        let mut seed = [0; 32];
        rand::Rng::fill_bytes(&mut self.rng, &mut seed);
        let (pair_keys, memory) = (Arc::clone(&self.pair_keys), Arc::clone(&self.memory));
        let path = *hasher.finalize().as_bytes();
        Self::at(self.run, path, &self.announced, &seed, pair_keys, memory, Arc::clone(&self.room))
    }

    /// My half of what this node and that of `other` kept in an earlier run, or in this one. Either both have theirs, or
    /// neither has.
    ///
    /// Runs beside one another get the same half: what is drawn from it must be made fresh for each, by [`Party::mask_key`].
    pub fn kept<T: Any + Send + Sync>(&self, other: usize) -> Option<Arc<T>> {
        self.memory.half(other)?.downcast().ok()
    }

    /// Keeps my half of something for later runs with `other`, as long as the node keeps its ephemeral key. Both parties keep
    /// theirs at the same point of the protocol, once in a run; a node has room for one thing per peer.
    pub fn keep<T: Any + Send + Sync>(&self, other: usize, half: Arc<T>) {
        self.memory.keep(other, &self.path, half);
    }

    /// A fresh key that only this party and `other` know. Both must draw in the same order; no key is drawn twice.
    pub fn mask_key(&mut self, other: usize) -> Zeroizing<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_keyed(&self.pair_keys[other]);
        hasher.update(b"mask").update(&self.path).update(&self.mask_keys_drawn[other].to_le_bytes());
        self.mask_keys_drawn[other] += 1;
        Zeroizing::new(*hasher.finalize().as_bytes())
    }

    /// Sends a message. It leaves when the protocol next waits.
    ///
    /// For what is public, or masked already; shares leave through [`Party::open`] and [`Party::deal`].
    pub fn send(&mut self, to: usize, payload: Bytes) {
        let digest = digest(&payload);
        self.post(to, payload, digest);
    }

    /// The next message from `from`.
    pub async fn recv(&mut self, from: usize) -> Result<Bytes, ProtocolError> {
        Ok(self.receive(from).await)
    }

    /// The next message from each of these, in order of place, nothing in the places of others. It waits for all of them at
    /// once, so that none is blamed for waiting for another one.
    pub async fn recv_each(&mut self, from: impl IntoIterator<Item = usize>) -> Result<Vec<Bytes>, ProtocolError> {
        let mut all = vec![Bytes::new(); self.parties()];
        self.hear_each(from, 1, |from, _, theirs| {
            all[from] = theirs;
            Ok(())
        })
        .await?;
        Ok(all)
    }

    /// Says the same to all others, and hears one message from each; in order of place, mine in its place.
    pub async fn exchange(&mut self, mine: Bytes) -> Result<Vec<Bytes>, ProtocolError> {
        self.send_all(&mine);
        let mut all = self.recv_each(self.others()).await?;
        all[self.me()] = mine;
        Ok(all)
    }

    /// Reveals a shared vector to all parties.
    pub async fn open<S: Share>(&mut self, share: S) -> Result<Vec<S::Element>, ProtocolError> {
        let mut opened = Vec::new();
        self.open_with(share, |mut part| if opened.is_empty() { opened = part } else { opened.append(&mut part) })
            .await?;
        Ok(opened)
    }

    /// Reveals a shared vector to all parties, part by part, in order: a large one is never there whole.
    pub async fn open_with<S: Share>(
        &mut self,
        share: S,
        mut take: impl FnMut(Vec<S::Element>) + Send,
    ) -> Result<(), ProtocolError> {
        let mine = pieces(&share.into_wire(&Passage(())));
        for piece in &mine {
            self.send_all(piece);
        }
        let others = self.parties() - 1;
        // Sums that still lack somebody's piece. All parties' pieces come in order, so the first is the first to be complete.
        let mut sums: VecDeque<(Vec<S::Element>, usize)> = VecDeque::new();
        let mut complete = 0;
        self.hear_each(self.others(), mine.len(), |from, index, wire| {
            check_length(from, &wire, &mine[index])?;
            while complete + sums.len() <= index {
                sums.push_back((S::read(&mine[complete + sums.len()]), 0));
            }
            let (sum, heard) = &mut sums[index - complete];
            S::add(sum, &wire);
            *heard += 1;
            while let Some((sum, _)) = sums.pop_front_if(|(_, heard)| *heard == others) {
                complete += 1;
                take(sum);
            }
            Ok(())
        })
        .await
    }

    /// Reveals a shared vector to some: the `holders` send their shares, the `readers` add them up, nobody else learns anything.
    /// All parties call this with shares of the same length; that of a party which is no holder consists of zeros.
    pub async fn reveal<S: Share>(
        &mut self,
        share: S,
        holders: &[usize],
        readers: &[usize],
    ) -> Result<Option<Vec<S::Element>>, ProtocolError> {
        let me = self.me();
        let mine = pieces(&share.into_wire(&Passage(())));
        if holders.contains(&me) {
            for to in readers.iter().copied().filter(|to| *to != me) {
                for piece in &mine {
                    self.send(to, piece.clone());
                }
            }
        }
        if !readers.contains(&me) {
            return Ok(None);
        }
        let from: Vec<usize> = holders.iter().copied().filter(|from| *from != me).collect();
        let mut sums: Vec<_> = mine.iter().map(|piece| S::read(piece)).collect();
        self.hear_each(from, mine.len(), |from, index, wire| {
            check_length(from, &wire, &mine[index])?;
            S::add(&mut sums[index], &wire);
            Ok(())
        })
        .await?;
        Ok(Some(sums.into_iter().flatten().collect()))
    }

    /// Gives each party its share of my secret, and gets mine of theirs: in order of place.
    ///
    /// `shares` are those of my secret, one per party; all parties deal secrets of the same length.
    pub async fn deal<S: Share>(&mut self, shares: Vec<S>) -> Result<Vec<S>, ProtocolError> {
        assert_eq!(shares.len(), self.parties(), "one share per party");
        let mut wires: Vec<_> = shares.into_iter().map(|share| pieces(&share.into_wire(&Passage(())))).collect();
        for to in self.others() {
            for piece in std::mem::take(&mut wires[to]) {
                self.send(to, piece);
            }
        }
        let mine = std::mem::take(&mut wires[self.me()]);
        let mut held: Vec<Vec<S::Element>> = wires.iter().map(|_| Vec::new()).collect();
        held[self.me()] = mine.iter().flat_map(|piece| S::read(piece)).collect();
        self.hear_each(self.others(), mine.len(), |from, index, wire| {
            check_length(from, &wire, &mine[index])?;
            held[from].append(&mut S::read(&wire));
            Ok(())
        })
        .await?;
        Ok(held.into_iter().map(|elements| S::of(elements, &Passage(()))).collect())
    }

    fn send_all(&mut self, payload: &Bytes) {
        let digest = digest(payload);
        for to in self.others() {
            self.post(to, payload.clone(), digest);
        }
    }

    fn post(&mut self, to: usize, payload: Bytes, digest: [u8; 32]) {
        let sequence = self.sent[to];
        self.sent[to] += 1;
        lock(&self.room).outbox.push_back(Outgoing { to, channel: self.channel, sequence, payload, digest });
    }

    /// Hears `count` messages from each of these: each one's in order, and whoever's come first.
    async fn hear_each(
        &mut self,
        from: impl IntoIterator<Item = usize>,
        count: usize,
        mut hear: impl FnMut(usize, usize, Bytes) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        let mut heard = vec![0; self.parties()];
        let mut missing: Vec<Receive> = from.into_iter().map(|from| self.receive(from)).collect();
        while !missing.is_empty() {
            let (from, payload) = std::future::poll_fn(|context| first_of(&mut missing, context)).await;
            hear(from, heard[from], payload)?;
            heard[from] += 1;
            if heard[from] < count {
                missing.push(self.receive(from));
            }
        }
        Ok(())
    }

    fn receive(&mut self, from: usize) -> Receive {
        Receive { room: Arc::clone(&self.room), key: self.next_from(from) }
    }

    fn next_from(&mut self, from: usize) -> Key {
        let sequence = self.received[from];
        self.received[from] += 1;
        Key { from, channel: self.channel, sequence }
    }
}

/// One party's part of a shared vector. It is neither `Serialize` nor `Debug`, and reaches the wire only through
/// [`Party::open`] and [`Party::deal`].
pub trait Share: Sized + Send {
    /// An element of the vector.
    type Element: Send;

    /// The elements as bytes, all of one width that divides [`PIECE`]; only a party can ask for them.
    fn into_wire(self, passage: &Passage) -> Bytes;

    /// The share that consists of these elements; only a party, which got them dealt, can ask for it.
    fn of(elements: Vec<Self::Element>, passage: &Passage) -> Self;

    /// The elements in some of the bytes.
    fn read(wire: &[u8]) -> Vec<Self::Element>;

    /// Adds the elements in `wire`, which are as many, to `sum`.
    fn add(sum: &mut [Self::Element], wire: &[u8]);
}

/// The right to turn shares into bytes and back. Only a [`Party`] has one.
pub struct Passage(());

/// What a run finds of earlier ones, and leaves for later ones.
pub(crate) struct Memory {
    keys: Arc<Keys>,
    /// In order of place; none at my own.
    peers: Mutex<Vec<Option<Peer>>>,
}

/// Another party's node, as the memory knows it.
pub(crate) struct Peer {
    pub(crate) address: Address,
    pub(crate) key: [u8; 32],
    /// What gives a name to what this run keeps.
    pub(crate) naming: Zeroizing<[u8; 32]>,
    /// What my hello listed for the party.
    pub(crate) listed: KeepsakeId,
    /// What both nodes have.
    pub(crate) kept: Option<(KeepsakeId, Half)>,
}

impl Memory {
    pub(crate) fn new(keys: Arc<Keys>, peers: Vec<Option<Peer>>) -> Self {
        Self { keys, peers: Mutex::new(peers) }
    }

    /// How many others there are with whom nothing is kept.
    pub(crate) fn strangers(&self) -> usize {
        self.peers().iter().flatten().filter(|peer| peer.kept.is_none()).count()
    }

    fn half(&self, other: usize) -> Option<Half> {
        let peers = self.peers();
        let (_, half) = peers.get(other)?.as_ref()?.kept.as_ref()?;
        Some(Arc::clone(half))
    }

    fn keep(&self, other: usize, path: &[u8; 32], half: Half) {
        let mut peers = self.peers();
        let Some(Some(peer)) = peers.get_mut(other) else { return };
        let name = blake3::keyed_hash(&peer.naming, path);
        let (id, _) = name.as_bytes().split_first_chunk().expect("8 of 32 bytes");
        let id = KeepsakeId(*id);
        let keepsake = Keepsake { id, peer: peer.key, half: Arc::clone(&half) };
        self.keys.keepsakes().keep(peer.address.clone(), keepsake, peer.listed);
        peer.kept = Some((id, half));
    }

    fn peers(&self) -> MutexGuard<'_, Vec<Option<Peer>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the mail of one run waits, between its session and its parties.
#[derive(Default)]
pub(crate) struct Room {
    pub(crate) outbox: VecDeque<Outgoing>,
    inbox: HashMap<Key, Bytes>,
    inbox_bytes: usize,
    waiting: HashMap<Key, Waker>,
    /// How many messages of each sender and channel were taken out.
    taken: HashMap<(usize, Channel), u32>,
}

/// A message on its way out.
pub(crate) struct Outgoing {
    pub(crate) to: usize,
    pub(crate) channel: Channel,
    pub(crate) sequence: u32,
    pub(crate) payload: Bytes,
    /// The payload's digest, computed once for all receivers.
    pub(crate) digest: [u8; 32],
}

/// Which message.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) from: usize,
    pub(crate) channel: Channel,
    pub(crate) sequence: u32,
}

impl Room {
    /// Whether the message came before.
    pub(crate) fn knows(&self, key: &Key) -> bool {
        self.inbox.contains_key(key)
            || self.taken.get(&(key.from, key.channel)).is_some_and(|taken| key.sequence < *taken)
    }

    /// Puts a new message in, and wakes whoever waits for it, if anybody does.
    pub(crate) fn put(&mut self, key: Key, payload: Bytes) -> bool {
        self.inbox_bytes += payload.len();
        self.inbox.insert(key, payload);
        let waiting = self.waiting.remove(&key);
        let awaited = waiting.is_some();
        waiting.into_iter().for_each(Waker::wake);
        awaited
    }

    /// Messages and bytes that nobody has asked for yet.
    pub(crate) fn backlog(&self) -> (usize, usize) {
        (self.inbox.len(), self.inbox_bytes)
    }

    /// The parties that the protocol waits for.
    pub(crate) fn waits_for(&self) -> Vec<usize> {
        let mut places: Vec<usize> = self.waiting.keys().map(|key| key.from).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    fn take(&mut self, key: &Key) -> Option<Bytes> {
        let payload = self.inbox.remove(key)?;
        self.inbox_bytes -= payload.len();
        *self.taken.entry((key.from, key.channel)).or_default() += 1;
        Some(payload)
    }
}

/// A share travels in pieces of this many bytes, so that a large one is masked, sent and added up while it is on its way,
/// and never waits whole in memory. A multiple of every element's width.
pub const PIECE: usize = 1 << 20;

/// How many messages a share of so many bytes makes: at least one, even if it is empty.
pub const fn pieces_of(bytes: usize) -> usize {
    if bytes == 0 { 1 } else { bytes.div_ceil(PIECE) }
}

/// The messages of a share, or of anything else of that length; they share its memory.
pub fn pieces(wire: &Bytes) -> Vec<Bytes> {
    (0..pieces_of(wire.len())).map(|index| wire.slice(index * PIECE..wire.len().min((index + 1) * PIECE))).collect()
}

/// All parties' shares have the same length, so the pieces have, too.
fn check_length(party: usize, theirs: &Bytes, mine: &Bytes) -> Result<(), ProtocolError> {
    if theirs.len() == mine.len() {
        return Ok(());
    }
    Err(ProtocolError::Malformed { party, why: "its share has another length than agreed" })
}

/// The digest that a message's tag covers.
pub(crate) fn digest(payload: &[u8]) -> [u8; 32] {
    *blake3::hash(payload).as_bytes()
}

/// Locks a room. A panic elsewhere does not make its content wrong: every change is complete when the lock is released.
pub(crate) fn lock(room: &Mutex<Room>) -> MutexGuard<'_, Room> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Completes with one message. The waker is kept under the message's key: the session wakes exactly who waits for it.
struct Receive {
    room: Arc<Mutex<Room>>,
    key: Key,
}

impl Future for Receive {
    type Output = Bytes;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Bytes> {
        let mut room = lock(&self.room);
        if let Some(payload) = room.take(&self.key) {
            return Poll::Ready(payload);
        }
        room.waiting.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Receive {
    fn drop(&mut self) {
        lock(&self.room).waiting.remove(&self.key);
    }
}

/// The first of the missing messages that is there.
fn first_of(missing: &mut Vec<Receive>, context: &mut Context<'_>) -> Poll<(usize, Bytes)> {
    for index in 0..missing.len() {
        if let Poll::Ready(payload) = Pin::new(&mut missing[index]).poll(context) {
            return Poll::Ready((missing.swap_remove(index).key.from, payload));
        }
    }
    Poll::Pending
}
