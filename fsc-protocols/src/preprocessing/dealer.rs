//! A dealer: one of the parties, which all others trust.
//!
//! It shares a key with each of the others, so that both can expand that party's shares, and takes what is left to be the
//! product as its own share (Beaver, "Commodity-based cryptography", STOC 1997: here the one who deals also takes part).
//! Nothing is sent.
//!
//! The dealer can work out everybody's inputs from what is opened: this is for tests, and for devices that can't do
//! oblivious transfer among parties that trust one of them anyway. It is never chosen unasked.

use fsc_core::party::Party;
use fsc_core::protocol::{Adversary, Corruptions, Cost, ProtocolError, Security, Setup};
use rand::Rng;

use crate::algebra::bits::Bits;
use crate::preprocessing::{BitTriples, Preprocessing};
use crate::sharing::binary::BitStream;

/// One party's part in it.
pub struct Dealer {
    role: Role,
}

enum Role {
    /// I deal, with one stream for each of the others.
    Dealer(Vec<BitStream>),
    /// The dealer knows my stream.
    Client(BitStream),
}

impl Dealer {
    /// My part, if the party at `place` deals. Nothing is sent.
    pub fn new(party: &mut Party, place: usize) -> Self {
        let stream = |party: &mut Party, other| BitStream::new(&party.mask_key(other));
        let role = if party.me() == place {
            Role::Dealer(party.others().map(|other| stream(party, other)).collect())
        } else {
            Role::Client(stream(party, place))
        };
        Self { role }
    }
}

impl Preprocessing for Dealer {
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::TrustedDealer,
        leakage: &["everything, to the dealer"],
        paper: "Beaver, Commodity-based cryptography, STOC 1997",
    };

    async fn bit_triples(
        &mut self,
        party: &mut Party,
        length: usize,
        width: usize,
    ) -> Result<BitTriples, ProtocolError> {
        Ok(match &mut self.role {
            Role::Client(stream) => dealt(stream, length, width),
            Role::Dealer(streams) => rest(party, streams, length, width),
        })
    }

    fn bit_triples_cost(_: usize, _: usize, _: usize) -> Cost {
        Cost::default()
    }
}

/// A client's shares.
fn dealt(stream: &mut BitStream, length: usize, width: usize) -> BitTriples {
    let a = stream.take(length);
    let mut vectors = || (0..width).map(|_| stream.take(length)).collect();
    BitTriples { a, b: vectors(), c: vectors() }
}

/// The dealer's shares: random ones of the factors, and of the products what the others' do not make up.
fn rest(party: &mut Party, streams: &mut [BitStream], length: usize, width: usize) -> BitTriples {
    let mut random = || {
        let mut words = vec![0_u64; length.div_ceil(64)];
        party.rng().fill_bytes(bytemuck::cast_slice_mut(&mut words));
        Bits::from_words(words, length)
    };
    let mut mine = BitTriples { a: random(), b: (0..width).map(|_| random()).collect(), c: Vec::new() };
    let (mut a, mut b) = (mine.a.clone(), mine.b.clone());
    let clients: Vec<BitTriples> = streams.iter_mut().map(|stream| dealt(stream, length, width)).collect();
    for client in &clients {
        a.xor_assign(&client.a);
        b.iter_mut().zip(&client.b).for_each(|(b, theirs)| b.xor_assign(theirs));
    }
    mine.c = b.iter().map(|b| a.and(b)).collect();
    for client in &clients {
        mine.c.iter_mut().zip(&client.c).for_each(|(c, theirs)| c.xor_assign(theirs));
    }
    mine
}
