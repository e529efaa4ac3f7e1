//! The union of all parties' keys and how often each occurs, without showing who has which: a building block.
//!
//! Each party writes its keys and counts into an invertible Bloom lookup table (Goodrich and Mitzenmacher, "Invertible Bloom
//! lookup tables", Allerton 2011), multiplied by random elements of GF(2^128) of its own; the tables are masked pairwise, as
//! in [`SecureSum`](crate::sum), and their sum is opened and taken apart. The construction is ours.
//!
//! ```text
//!   party i, key k        r_ik uniform in GF(2^128);  into each of its cells h_1(k)…h_g(k) goes
//!                         (r_ik, r_ik · name(k), r_ik · content(k); c_ik)
//!   opened, per cell      (R_k, R_k · name(k), R_k · content(k); c_k)  summed over the keys k of that cell,
//!                         where R_k = Σ_i r_ik in GF(2^128) and c_k = Σ_i c_ik in Z/2^128
//! ```
//!
//! A cell of one key is known by it: dividing by R_k gives the content, whose hash is the name (garbage passes with
//! probability 2^-128). The key is written down, taken out of its other cells, and so on until nothing is left. Parties with the
//! same key can't cancel: the sum of their random elements is another random element, zero with probability 2^-128.
//!
//! A key of any length is a chain of *blocks* of 64 bytes, and what the table holds are blocks: a block's content is its
//! bytes and the name of the next one, its name is the hash of its content, and only the first has a count. The bytes are
//! the key, 0x80, and zeros.
//!
//! **Size.** g cells per block lie in g parts of b cells each, so that the table of n blocks has g · b cells. Taking apart
//! fails only if, for some s ≥ 2 of the blocks, no cell holds exactly one of them, so with probability at most
//!
//! ```text
//!   Σ_{s=2}^n (n choose s) · q(s, b)^g,   q(s, b) = s!/b^s · [x^s] (e^x − x)^b
//! ```
//!
//! over the hash, a random oracle; q is the probability that s balls in b bins leave no bin with exactly one. For the g and b
//! in use this is below 2^-40 (a test computes it). Then all parties get an error, and nothing more is shown than below.
//!
//! **Runs.** Names and places are those of a hash that is keyed with the [run's id](Party::run), so in each run they are others. Who
//! chooses keys, of which two could otherwise be made to collide in all their cells (a birthday search over b^g places), does so
//! before that is known: the bound holds for any keys, in each run anew, and where one fails, another one helps.
//!
//! n is public: the parties announce how many blocks they have, rounded up to a power of two, with their hellos; or it is in
//! the public parameters.
//!
//! # Security
//!
//! Semi-honest adversary, any n − 1 parties corrupt, no trusted third party. **Simulator.** Let K be the keys of the honest
//! parties together, c_k their counts. What a coalition sees are the honest parties' masked tables: uniform, but for their
//! sum T. T is computed from K, the c_k, the run's id, which is public, and uniform R_k that are independent of all else,
//! since an honest party with k adds a uniform r_ik of its own. So the simulator needs K and c_k only, and has them from the
//! output: c_k is the key's count less the coalition's, and k is in K if that is not zero. It draws the R_k, makes T, and
//! splits it at random. The simulation is perfect up to the masks (AES), whether or not the table can be taken apart.
//!
//! It is essential that the counts are part of the output: by the union alone a coalition can tell whether honest parties
//! have one of *its* keys too. A corrupt party that deviates can make all parties fail (among other ways, by trying nonces for
//! its hello, if that is the last, until keys that it knows collide), or add keys and counts that it does not have; it learns
//! nothing about the honest ones that way but what a changed input would show.
//!
//! # Leakage
//!
//! Beyond the union and the counts: the number of blocks of each party, rounded up to a power of two, unless the public
//! parameters bound it for all parties together. At least [`LEAST`] is announced.
//!
//! # Wire
//!
//! One round. Each party sends every other one the table, 128 bytes a cell: between 1.8 (many keys) and 3.5 (a hundred)
//! cells a block, at least 100.
//!
//! # Differences from the reference
//!
//! The reference broadcasts each party's keys.

use std::collections::BTreeMap;

use fsc_core::envelope::RunId;
use fsc_core::party::{Party, pieces_of};
use fsc_core::protocol::{Announced, Cost, ProtocolError};
use fsc_core::secret::Secret;

mod block;
mod table;

use table::Table;

/// How often which key occurs.
pub type Counts = BTreeMap<Vec<u8>, u64>;

/// The longest key, in bytes.
pub const LONGEST: usize = 1 << 16;

/// The most blocks that a table has room for.
pub const MOST: usize = 1 << 18;

/// The fewest blocks that a table has room for.
pub const LEAST: usize = 8;

/// How many blocks a table has room for: a power of two between [`LEAST`] and [`MOST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity(usize);

impl Capacity {
    /// Room for so many blocks at least; `None` if there are more than [`MOST`].
    pub fn of(blocks: usize) -> Option<Self> {
        (blocks <= MOST).then(|| Self(blocks.max(LEAST).next_power_of_two()))
    }

    /// Room for what one party has: what it announces.
    pub fn of_counts(counts: &Counts) -> Option<Self> {
        Self::of(counts.keys().map(|key| block::count(key)).sum())
    }

    /// Room for what all parties announced.
    pub fn of_all(announced: &Announced) -> Result<Self, ProtocolError> {
        let mut blocks = 0;
        for place in 0..announced.parties() {
            let capacity = usize::try_from(announced.of::<u64>(place)?).ok().and_then(Self::of);
            blocks += capacity.ok_or(ProtocolError::Malformed { party: place, why: "it announced too many keys" })?.0;
        }
        Self::of(blocks).ok_or(ProtocolError::NoResult { why: "all parties together may have too many distinct keys" })
    }

    /// The number of blocks.
    pub fn blocks(self) -> usize {
        self.0
    }
}

/// The union and the counts. All parties give the same capacity.
pub async fn union(party: &mut Party, capacity: Capacity, mine: Secret<Counts>) -> Result<Counts, ProtocolError> {
    let mut table = Table::new(capacity, party.run());
    for (key, count) in mine.expose() {
        table.insert_key(key, *count, party.rng());
    }
    let share = table.mask(party);
    let opened = party.open(share).await?;
    read(Table::of(opened, capacity, party.run()), capacity)
}

/// What [`union`] sends, at one party.
pub fn cost(parties: usize, capacity: Capacity) -> Cost {
    let (others, bytes) = (parties as u64 - 1, Table::wire_size(capacity));
    Cost { rounds: 1, messages: others * pieces_of(bytes) as u64, bytes: others * bytes as u64 }
}

/// What a table says that was opened in that run, from the bytes of its cells; none if these are no table that can be taken apart.
pub fn decode(wire: &[u8], capacity: Capacity, run: RunId) -> Option<Counts> {
    read(Table::from_wire(wire, capacity, run)?, capacity).ok()
}

fn read(table: Table, capacity: Capacity) -> Result<Counts, ProtocolError> {
    let blocks = table.take_apart().ok_or(ProtocolError::NoResult {
        why: "the keys can't be told apart: there are more than were announced or allowed, or they collide, which happens once in a \
              trillion runs; if so, another run helps",
    })?;
    if blocks.iter().any(|(_, count)| u64::try_from(*count).is_err()) {
        return Err(ProtocolError::NoResult { why: "a count is out of range" });
    }
    let why = "what the parties wrote into the table of keys are no keys, or more than there is room for";
    block::assemble(&blocks, capacity).ok_or(ProtocolError::NoResult { why })
}

#[cfg(test)]
mod tests;
