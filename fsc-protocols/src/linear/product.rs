//! Shares of a product X·Y, where one party knows X and another one Y.
//!
//! By oblivious transfer, it is [`rows`]. By a dealer, it is Beaver's way with both operands known (Beaver, "Efficient multiparty protocols using circuit
//! randomization", CRYPTO 1991): the left party holds a pad A and a share C_l of AB, the right one B and C_r, all of them
//! random; the two tell each other U = X − A and V = Y − B, and X·V + C_l and U·B + C_r add up to X·Y.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use bytes::Bytes;
use fsc_core::party::Party;
use fsc_core::protocol::{Cost, ProtocolError};
use rand::Rng;

use crate::algebra::ring::{self, Ring};
use crate::ot::Pairs;
use crate::ot::rows::{self, Sizes};
use crate::preprocessing::Source;

/// Which product: X has `rows`×`inner` elements, Y has `inner`×`columns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// The party that knows X.
    pub left: usize,
    /// The party that knows Y.
    pub right: usize,
    /// The rows of X.
    pub rows: usize,
    /// The columns of X, which are the rows of Y.
    pub inner: usize,
    /// The columns of Y.
    pub columns: usize,
    /// How many bits an element of X has in two's complement, 128 at most.
    pub bits: u32,
}

impl Product {
    fn sizes(&self) -> Sizes {
        Sizes { rows: self.rows, inner: self.inner, columns: self.columns, bits: self.bits }
    }

    /// The messages and bytes that a party sends in each of its roles.
    fn sent<R: Ring>(&self, source: Source, me: usize) -> Vec<(u64, u64)> {
        let one = |elements: usize| (1, (elements * R::WIDTH) as u64);
        let (dealer, left, right) = match source {
            Source::Oblivious => (None, self.sizes().of_left(), self.sizes().of_right::<R>()),
            Source::Dealer(dealer) => (Some(dealer), one(self.rows * self.inner), one(self.inner * self.columns)),
        };
        let dealt = (dealer == Some(me) && me != self.right).then(|| one(self.rows * self.columns));
        let roles = [(me == self.left).then_some(left), (me == self.right).then_some(right), dealt];
        roles.into_iter().flatten().collect()
    }
}

/// What this party knows of a product, row by row.
pub enum Factor<R> {
    /// X.
    Left(Vec<i128>),
    /// Y.
    Right(Vec<R>),
    /// Nothing.
    Neither,
}

/// My shares of several products, computed at the same time; none of a product that I have no part in. All parties call this
/// with the same products.
pub async fn products<R: Ring>(
    party: &mut Party,
    source: Source,
    tasks: Vec<(Product, Factor<R>)>,
) -> Result<Vec<Option<Vec<R>>>, ProtocolError> {
    if source == Source::Oblivious {
        // Strangers meet once, and not in each fork.
        Pairs::connect(party).await?;
    }
    let mut forks: Vec<_> = tasks.iter().map(|_| party.fork("product")).collect();
    let tasks = forks.iter_mut().zip(tasks).map(|(fork, (product, factor))| async move {
        match source {
            Source::Oblivious => transferred(fork, product, factor).await,
            Source::Dealer(dealer) => dealt(fork, dealer, product, factor).await,
        }
    });
    together(tasks).await.into_iter().collect()
}

/// Does the `work`, and meanwhile waits for all others to say that they are done, on a channel of its own. Where only some
/// parties exchange messages, a party would otherwise blame one that is itself waiting for a third. Two parties need none of this.
pub async fn attended<T>(
    mut channel: Party,
    work: impl Future<Output = Result<T, ProtocolError>>,
) -> Result<T, ProtocolError> {
    if channel.parties() == 2 {
        return work.await;
    }
    // Of each party's own, so that it can speak on it while others are heard.
    let mut channels: Vec<(usize, Party)> = (0..channel.parties()).map(|place| (place, channel.fork("done"))).collect();
    let (me, mut mine) = channels.remove(channel.me());
    let mut heard = pin!(together(channels.iter_mut().map(|(place, channel)| channel.recv(*place))));
    let mut work = pin!(work);
    let (mut all_done, mut output) = (false, None);
    std::future::poll_fn(|context| {
        if output.is_none()
            && let Poll::Ready(ready) = work.as_mut().poll(context)
        {
            output = Some(ready?);
            (0..mine.parties()).filter(|to| *to != me).for_each(|to| mine.send(to, Bytes::new()));
        }
        all_done = all_done || heard.as_mut().poll(context).is_ready();
        if all_done { output.take().map_or(Poll::Pending, |output| Poll::Ready(Ok(output))) } else { Poll::Pending }
    })
    .await
}

/// What [`attended`] sends besides the work, at one party: at once, if that waits for nothing after it has sent its last.
pub fn attendance(parties: usize, at_once: bool) -> Cost {
    if parties == 2 {
        return Cost::default();
    }
    Cost { rounds: u32::from(!at_once), messages: parties as u64 - 1, bytes: 0 }
}

/// What several products at the same time send, at one party.
pub fn cost<R: Ring>(source: Source, me: usize, products: &[Product]) -> Cost {
    let mut cost = Cost::default();
    for product in products {
        for (messages, bytes) in product.sent::<R>(source, me) {
            cost.messages += messages;
            cost.bytes += bytes;
        }
    }
    cost.rounds = match source {
        Source::Oblivious => rounds(me, products).iter().sum(),
        Source::Dealer(_) => u32::from(cost.messages > 0),
    };
    cost
}

/// What is sent in all by a party that makes products and then goes on. If the last that it sends for them needs no answer,
/// as a dealer's only message, it goes on in the same round.
pub fn then(source: Source, me: usize, products: &[Product], making: Cost, next: Cost) -> Cost {
    let [left, right] = rounds(me, products);
    let waits_for_nobody = left + right == 0 && making.rounds > 0;
    let answers_last = source == Source::Oblivious && right > left;
    let at_once = next.rounds > 0 && (waits_for_nobody || answers_last);
    let both = making + next;
    Cost { rounds: both.rounds - u32::from(at_once), ..both }
}

/// How often a party sends for the products by oblivious transfer that it is left in, and right in.
pub fn rounds(me: usize, products: &[Product]) -> [u32; 2] {
    let most = |side: fn(&Product) -> usize| {
        products.iter().filter(|product| side(product) == me).map(|product| product.sizes().rounds()).max()
    };
    [most(|product| product.left), most(|product| product.right)].map(Option::unwrap_or_default)
}

/// These parties, in order of place, and a dealer.
pub fn with_dealer(source: Source, parties: &[usize]) -> Vec<usize> {
    let dealer = match source {
        Source::Oblivious => None,
        Source::Dealer(dealer) => Some(dealer),
    };
    let mut all: Vec<usize> = parties.iter().copied().chain(dealer).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The product of two matrices, row by row.
pub fn multiply<R: Ring>(left: &[R], right: &[R], inner: usize, columns: usize) -> Vec<R> {
    let mut product = Vec::with_capacity(left.len() / inner.max(1) * columns);
    for row in left.chunks_exact(inner) {
        for column in 0..columns {
            let terms = row.iter().zip(right.iter().skip(column).step_by(columns));
            product.push(terms.fold(R::ZERO, |sum, (a, b)| sum.plus(a.times(*b))));
        }
    }
    product
}

/// My share of a vector of zeros among some parties: pads that cancel, one per pair. Nothing is sent.
pub fn zeros<R: Ring>(party: &mut Party, among: &[usize], length: usize) -> Vec<R> {
    let me = party.me();
    let mut share = vec![R::ZERO; length];
    if !among.contains(&me) {
        return share;
    }
    for other in among.iter().copied().filter(|other| *other != me) {
        let pad = expanded(&party.mask_key(other), length);
        if me < other { ring::add_assign(&mut share, &pad) } else { ring::sub_assign(&mut share, &pad) }
    }
    share
}

/// Runs futures side by side, and has the results in their order.
pub async fn together<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, output) in futures.iter_mut().zip(&mut outputs).filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(ready) = Pin::new(future).poll(context) {
                *output = Some(ready);
            }
        }
        if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

async fn dealt<R: Ring>(
    party: &mut Party,
    dealer: usize,
    product: Product,
    factor: Factor<R>,
) -> Result<Option<Vec<R>>, ProtocolError> {
    let Product { left, right, rows, inner, columns, .. } = product;
    let left_pads = pad_key(party, dealer, left).map(|key| {
        let mut pads: Vec<R> = expanded(&key, rows * (inner + columns));
        let share = pads.split_off(rows * inner);
        (pads, share)
    });
    let right_pad: Option<Vec<R>> = pad_key(party, dealer, right).map(|key| expanded(&key, inner * columns));
    let mut dealt = None;
    if let (Some((a, share)), Some(b), true) = (&left_pads, &right_pad, party.me() == dealer) {
        let mut rest = multiply(a, b, inner, columns);
        ring::sub_assign(&mut rest, share);
        if dealer == right { dealt = Some(rest) } else { party.send(right, ring::encode(rest)) }
    }
    match (factor, left_pads, right_pad) {
        (Factor::Left(x), Some((a, mut share)), _) => {
            let x: Vec<R> = x.into_iter().map(R::of).collect();
            party.send(right, ring::encode(difference(&x, &a)));
            let v = hear(party, right, inner * columns).await?;
            ring::add_assign(&mut share, &multiply(&x, &v, inner, columns));
            Ok(Some(share))
        }
        (Factor::Right(y), _, Some(b)) => {
            party.send(left, ring::encode(difference(&y, &b)));
            let mut share = match dealt {
                Some(share) => share,
                None => hear(party, dealer, rows * columns).await?,
            };
            let u = hear(party, left, rows * inner).await?;
            ring::add_assign(&mut share, &multiply(&u, &b, inner, columns));
            Ok(Some(share))
        }
        _ => Ok(None),
    }
}

async fn transferred<R: Ring>(
    party: &mut Party,
    product: Product,
    factor: Factor<R>,
) -> Result<Option<Vec<R>>, ProtocolError> {
    let mut pairs = Pairs::connect(party).await?;
    match factor {
        Factor::Left(x) => rows::left(party, &mut pairs, product.right, product.sizes(), &x).await.map(Some),
        Factor::Right(y) => rows::right(party, &mut pairs, product.left, product.sizes(), &y).await.map(Some),
        Factor::Neither => Ok(None),
    }
}

/// The key of pads that the dealer shares with another party, or with itself; none for the rest.
fn pad_key(party: &mut Party, dealer: usize, holder: usize) -> Option<[u8; 32]> {
    let me = party.me();
    if me == dealer && me == holder {
        let mut key = [0; 32];
        party.rng().fill_bytes(&mut key);
        Some(key)
    } else if me == dealer {
        Some(*party.mask_key(holder))
    } else if me == holder {
        Some(*party.mask_key(dealer))
    } else {
        None
    }
}

/// A stream of ring elements: AES-128 in counter mode under half of the key.
fn expanded<R: Ring>(key: &[u8; 32], length: usize) -> Vec<R> {
    let (key, _) = key.split_at(16);
    let cipher = Aes128::new_from_slice(key).expect("half of 32 bytes is a key");
    let mut stream = vec![0; (length * R::WIDTH).next_multiple_of(16)];
    let (blocks, _) = stream.as_chunks_mut::<16>();
    for (counter, block) in (0_u128..).zip(blocks.iter_mut()) {
        *block = counter.to_le_bytes();
    }
    cipher.encrypt_blocks(aes::Block::cast_slice_from_core_mut(blocks));
    ring::decode(&stream[..length * R::WIDTH], length).expect("as many bytes as elements take")
}

fn difference<R: Ring>(one: &[R], other: &[R]) -> Vec<R> {
    one.iter().zip(other).map(|(a, b)| a.minus(*b)).collect()
}

async fn hear<R: Ring>(party: &mut Party, from: usize, length: usize) -> Result<Vec<R>, ProtocolError> {
    let wire = party.recv(from).await?;
    ring::decode(&wire, length).map_err(|_| ProtocolError::Malformed { party: from, why: "a factor of another size" })
}
