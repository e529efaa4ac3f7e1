//! Shares of a product X·Y, where one party knows X and another one Y.
//!
//! By oblivious transfer, it is [`ot::product`](crate::ot::product). By a dealer, it is Beaver's way with both operands known (Beaver, "Efficient multiparty protocols using circuit
//! randomization", CRYPTO 1991): the left party holds a pad A and a share C_l of AB, the right one B and C_r, all of them
//! random; the two tell each other U = X − A and V = Y − B, and X·V + C_l and U·B + C_r add up to X·Y.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use fsc_core::party::{PIECE, Party, pieces, pieces_of};
use fsc_core::protocol::{Cost, ProtocolError};
use futures_util::future::join_all;
use rand::Rng;

use crate::algebra::ring::{self, Ring};
use crate::ot::Pairs;
use crate::ot::product::product as transferred;
pub use crate::ot::product::{Factor, Product};
use crate::preprocessing::Source;
use crate::sharing::keystream::Keystream;

/// The messages and bytes that a party sends for a product in each of its roles.
fn sent<R: Ring>(product: &Product, source: Source, me: usize) -> Vec<(u64, u64)> {
    let dealer = match source {
        Source::Oblivious => {
            let cost = product.cost::<R>(me);
            return vec![(cost.messages, cost.bytes)];
        }
        Source::Dealer(dealer) => dealer,
    };
    let one = |elements: usize| (pieces_of(elements * R::WIDTH) as u64, (elements * R::WIDTH) as u64);
    let left = (me == product.left).then(|| one(product.rows * product.inner));
    let right = (me == product.right).then(|| one(product.inner * product.columns));
    let dealt = (me == dealer && me != product.right).then(|| one(product.rows * product.columns));
    [left, right, dealt].into_iter().flatten().collect()
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
            Source::Oblivious => transferred(&mut Pairs::connect(fork).await?, fork, product, &factor).await,
            Source::Dealer(dealer) => dealt(fork, dealer, product, factor).await,
        }
    });
    join_all(tasks).await.into_iter().collect()
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
    let mut heard = pin!(join_all(channels.iter_mut().map(|(place, channel)| channel.recv(*place))));
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
        for (messages, bytes) in sent::<R>(product, source, me) {
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
    let most =
        |side: fn(&Product) -> usize| products.iter().filter(|product| side(product) == me).map(Product::rounds).max();
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
        if dealer == right { dealt = Some(rest) } else { say(party, right, rest) }
    }
    match (factor, left_pads, right_pad) {
        (Factor::Left(x), Some((a, mut share)), _) => {
            let x: Vec<R> = x.into_iter().map(R::of).collect();
            say(party, right, difference(&x, &a));
            let v = hear(party, right, inner * columns).await?;
            ring::add_assign(&mut share, &multiply(&x, &v, inner, columns));
            Ok(Some(share))
        }
        (Factor::Right(y), _, Some(b)) => {
            say(party, left, difference(&y, &b));
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

/// The ring elements that a key expands to.
fn expanded<R: Ring>(key: &[u8; 32], length: usize) -> Vec<R> {
    let mut blocks = vec![0_u128; (length * R::WIDTH).div_ceil(16)];
    Keystream::new(key).fill(0, &mut blocks);
    for block in &mut blocks {
        *block = block.to_le();
    }
    ring::decode(&bytemuck::cast_slice(&blocks)[..length * R::WIDTH], length).expect("as many bytes as elements take")
}

fn difference<R: Ring>(one: &[R], other: &[R]) -> Vec<R> {
    one.iter().zip(other).map(|(a, b)| a.minus(*b)).collect()
}

/// Says a vector, in pieces that any transport carries.
fn say<R: Ring>(party: &mut Party, to: usize, vector: Vec<R>) {
    for piece in pieces(&ring::encode(vector)) {
        party.send(to, piece);
    }
}

async fn hear<R: Ring>(party: &mut Party, from: usize, length: usize) -> Result<Vec<R>, ProtocolError> {
    let mut vector = Vec::with_capacity(length);
    for _ in 0..pieces_of(length * R::WIDTH) {
        let wire = party.recv(from).await?;
        let expected = (length - vector.len()).min(PIECE / R::WIDTH);
        let piece = ring::decode::<R>(&wire, expected);
        vector.extend(piece.map_err(|_| ProtocolError::Malformed { party: from, why: "a factor of another size" })?);
    }
    Ok(vector)
}
