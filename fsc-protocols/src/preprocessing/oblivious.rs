//! Bit triples by oblivious transfer between every two parties: the default.
//!
//! With a = Σ aᵢ and b = Σ bⱼ, a·b is the sum of the aᵢ·bᵢ, which party i computes alone, and of the aᵢ·bⱼ for i ≠ j, each
//! shared by one OT: j has random m_0 and m_1, i gets m_{aᵢ} = m_0 ⊕ aᵢ·(m_0 ⊕ m_1). (Goldreich, Micali and Wigderson, STOC
//! 1987; Goldreich, "Foundations of cryptography" II, 2004, section 7.3.3; from random OT: Asharov, Lindell, Schneider and Zohner, "More efficient oblivious transfer and extensions for faster
//! secure computation", CCS 2013, section 5.1.) A string of w bits per OT makes w products with the same a.
//!
//! * Two parties: bⱼ is m_0 ⊕ m_1, and nothing is to be corrected.
//! * More: bⱼ is the same to all, so j sends each i the corrections m_0 ⊕ m_1 ⊕ bⱼ, and i adds them where aᵢ is one.
//!
//! # Security
//!
//! Semi-honest adversary, any n − 1 parties corrupt: a term that two honest parties share is masked by an m_0 that nobody else
//! has. What a party receives, choices masked by a stream and corrections masked by the hash that it did not choose, is
//! pseudorandom to any coalition that lacks its sender.
//!
//! # Leakage
//!
//! None.
//!
//! # Wire
//!
//! For ℓ triples of w products, each party sends each other 64 · ⌈ℓ/8⌉ bytes in one round; for more than two parties, then
//! another w · ⌈ℓ/8⌉ in a second one. In batches of 2^17 triples, less if w > 64, so that no message is longer than 1 MiB
//! (but one of 128 triples of more than 2^16 products).
//!
//! # Differences from the reference
//!
//! The reference has nothing like it: where it needs products or comparisons it shows intermediate values around.

use bytes::Bytes;
use fsc_core::party::{PIECE, Party};
use fsc_core::protocol::{Adversary, Corruptions, Cost, ProtocolError, Security, Setup};
use rand::Rng;

use crate::algebra::bits::Bits;
use crate::ot::softspoken::{GROUPS, message_length};
use crate::ot::{Pairs, bad, malformed};
use crate::preprocessing::{BitTriples, Preprocessing};

/// One party's part in it.
pub struct Oblivious {
    pairs: Pairs,
}

impl Oblivious {
    /// My part. Parties that have not met yet send what [`Pairs::meeting_cost`] says, others nothing.
    pub async fn connect(party: &mut Party) -> Result<Self, ProtocolError> {
        Ok(Self { pairs: Pairs::connect(party).await? })
    }

    /// The OTs that triples are made of, for other uses.
    pub fn pairs(&mut self) -> &mut Pairs {
        &mut self.pairs
    }

    /// Has my a as choices in OTs from everybody.
    fn choose(&mut self, party: &mut Party, triples: &mut BitTriples) {
        for other in party.others() {
            let (message, chosen) = self.pairs.with(other).receiver.bits(&triples.a, triples.b.len());
            party.send(other, message);
            add(&mut triples.c, &chosen);
        }
    }

    /// Of two parties: answers the other's choices, and takes for b what comes out.
    async fn answer(&mut self, party: &mut Party, triples: &mut BitTriples) -> Result<(), ProtocolError> {
        for other in party.others() {
            let message = party.recv(other).await?;
            let [zero, one] = self.offer(other, &message, triples)?;
            add(&mut triples.c, &zero);
            triples.b = zero;
            add(&mut triples.b, &one);
        }
        Ok(())
    }

    /// Of more: answers another's choices with corrections to my b.
    fn correct(
        &mut self,
        party: &mut Party,
        other: usize,
        message: &Bytes,
        triples: &mut BitTriples,
    ) -> Result<(), ProtocolError> {
        let [zero, mut correction] = self.offer(other, message, triples)?;
        add(&mut triples.c, &zero);
        add(&mut correction, &zero);
        add(&mut correction, &triples.b);
        party.send(other, correction.iter().flat_map(Bits::to_bytes).collect());
        Ok(())
    }

    fn offer(&mut self, to: usize, message: &[u8], triples: &BitTriples) -> Result<[Vec<Bits>; 2], ProtocolError> {
        let sender = &mut self.pairs.with(to).sender;
        sender.bits(message, triples.len(), triples.b.len()).map_err(|error| bad(to, error))
    }

    async fn correct_all(&mut self, party: &mut Party, batches: &mut [BitTriples]) -> Result<(), ProtocolError> {
        let mut heard = Vec::with_capacity(batches.len());
        for _ in 0..batches.len() {
            heard.push(party.recv_each(party.others()).await?);
        }
        // All have been heard before anybody is answered, so that all corrections leave in one round.
        for (triples, messages) in batches.iter_mut().zip(heard) {
            for other in party.others() {
                self.correct(party, other, &messages[other], triples)?;
            }
        }
        for triples in batches {
            let corrections = party.recv_each(party.others()).await?;
            party.others().try_for_each(|other| corrected(other, &corrections[other], triples))?;
        }
        Ok(())
    }
}

impl Preprocessing for Oblivious {
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: &[],
        paper: "Goldreich, Micali, Wigderson, How to play any mental game, STOC 1987 (Goldreich, Foundations of \
                cryptography II, 2004, sections 7.3.3 and 7.5.2); Roy, SoftSpokenOT, Crypto 2022, figure 7; Asharov et al., \
                More efficient oblivious transfer and extensions for faster secure computation, CCS 2013, section 5.1",
    };

    async fn bit_triples(
        &mut self,
        party: &mut Party,
        length: usize,
        width: usize,
    ) -> Result<BitTriples, ProtocolError> {
        let mut batches: Vec<_> = batches(length, width).map(|length| draw(party, length, width)).collect();
        for triples in &mut batches {
            self.choose(party, triples);
        }
        if party.parties() == 2 {
            for triples in &mut batches {
                self.answer(party, triples).await?;
            }
        } else {
            self.correct_all(party, &mut batches).await?;
        }
        let empty = || (0..width).map(|_| Bits::default()).collect();
        let mut all = BitTriples { a: Bits::default(), b: empty(), c: empty() };
        for mut triples in batches {
            let mine: Vec<Bits> = triples.b.iter().map(|b| triples.a.and(b)).collect();
            add(&mut triples.c, &mine);
            all.append(triples);
        }
        Ok(all)
    }

    fn bit_triples_cost(parties: usize, length: usize, width: usize) -> Cost {
        let corrections = usize::from(parties > 2);
        let others = parties as u64 - 1;
        batches(length, width).fold(Cost::default(), |cost, length| {
            let bytes = message_length(length) + corrections * width * length.div_ceil(8);
            Cost {
                rounds: 1 + corrections as u32,
                messages: cost.messages + others * (1 + corrections as u64),
                bytes: cost.bytes + others * bytes as u64,
            }
        })
    }
}

/// The sizes of batches: whole words of triples, but for the last.
fn batches(length: usize, width: usize) -> impl Iterator<Item = usize> + use<> {
    let most = (8 * PIECE / width.max(GROUPS)).next_multiple_of(128);
    (0..length).step_by(most).map(move |start| most.min(length - start))
}

/// What one party draws alone; of two, b comes out of the OTs.
fn draw(party: &mut Party, length: usize, width: usize) -> BitTriples {
    let two = party.parties() == 2;
    let mut random = || {
        let mut words = vec![0_u64; length.div_ceil(64)];
        party.rng().fill_bytes(bytemuck::cast_slice_mut(&mut words));
        Bits::from_words(words, length)
    };
    let a = random();
    let b = (0..width).map(|_| if two { Bits::zeros(length) } else { random() }).collect();
    BitTriples { a, b, c: vec![Bits::zeros(length); width] }
}

/// Adds another's corrections where a is one.
fn corrected(other: usize, message: &[u8], triples: &mut BitTriples) -> Result<(), ProtocolError> {
    let length = triples.len();
    let wrong = || malformed(other, "its corrections of bit triples have another length than agreed");
    if message.len() != triples.b.len() * length.div_ceil(8) {
        return Err(wrong());
    }
    for (c, correction) in triples.c.iter_mut().zip(message.chunks(length.div_ceil(8))) {
        c.xor_assign(&Bits::from_bytes(correction, length).ok_or_else(wrong)?.and(&triples.a));
    }
    Ok(())
}

fn add(sums: &mut [Bits], terms: &[Bits]) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| sum.xor_assign(term));
}

#[cfg(test)]
mod tests;
