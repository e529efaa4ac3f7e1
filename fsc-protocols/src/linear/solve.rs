//! Regression of a vector on columns of several parties, on shares.
//!
//! Party j has an orthonormal basis Q_j of what its columns span, and one party has y, of length 1 at most. With M the matrix of
//! blocks Q_i'Q_j, whose diagonal blocks are I, and r that of blocks Q_j'y, party j is to learn its block of g = M^-1·r.
//!
//! # The iteration
//!
//! The eigenvalues of M are in (0, b], b being the number of blocks. For α = 2^-⌈log₂ b⌉, those of E = I − αM are in [0, 1). With
//! any public a from 1 to 2,
//!
//! ```text
//!   R ← a·(R + E·R),   E ← a·E² − (a − 1)·I         from R = α·(r | …)
//! ```
//!
//! leaves M·R = (I − E)·(r | …) as it is, and E in [−1, 1]. With a = 1, E is squared; with a = 2/(2 − u²), where eigenvalues are in
//! [−u, u], it becomes a Chebyshev polynomial, and half as many steps are enough (Pan and Schreiber, "An improved Newton iteration
//! for the generalized inverse of a matrix, with applications", SIAM J. Sci. Stat. Comput. 12, 1991): about ½·log₂ c + 7, where c
//! is the largest accepted condition, so that eigenvalues of M are to be 1/c at least ([`schedule`]).
//!
//! # On shares
//!
//! Numbers have f = 60 bits behind the point, in Z/2^256. Blocks of M and r are products of what two parties know
//! ([`product`]). After each step bits are taken off by opening numbers under masks ([`masked`]); what is left is public but for
//! terms that one party each knows. So the next step needs products of those random terms only, which do not depend on any
//! input: all of them are made before the first step, and a step is one opening. Masks of N opened numbers in all are
//! ⌈log₂ N⌉ bits longer than it takes for 2^-40 each: together they are at distance 2^-40 from what a simulator opens.
//!
//! # Whether there is a solution
//!
//! Three steps before the end one bit is opened: whether the trace of E is below 2^-9 ([`condition`]). If all eigenvalues of M are
//! 1/c at least, it is; if it is, they are 1/(2c) at least, and the last steps leave nothing of E. Else nothing else is opened.
//!
//! # Errors
//!
//! For standard errors, R has more columns: α·I, which becomes N = M^-1, and with an intercept α·u, where u_j = R_j^-T·x̄_j, for
//! the means x̄_j of party j's columns. With ρ the row of R_j^-1 that belongs to a coefficient, T = y'y and S = T − r'g,
//!
//! ```text
//!   v = ρ'N_jj·ρ / ρ'ρ     opened to j: v·S          the variance of the coefficient is ρ'ρ·v·S/(n − p)
//!   w = 1/n + u'N·u        opened to all: w·S        that of the intercept is w·S/(n − p)
//!                          opened to all: S/T        1 − R²
//! ```
//!
//! Each is what the output says, times what its reader knows. Forms in N are products of what one party knows with numbers that
//! are public but for terms of one party each: these, too, are made ahead. It takes two more openings under masks.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use fsc_core::party::Party;
use fsc_core::protocol::{Cost, ProtocolError};

use super::product;
use crate::algebra::ring::U256;
use crate::preprocessing::Source;

pub mod condition;
pub mod masked;
mod panel;
mod products;
mod run;
pub mod schedule;

use condition::Condition;
use masked::{Masked, Masks, Rounding};
pub use panel::Panel;
use run::Run;
use schedule::{SCALE, Schedule};

/// f, the bits behind the point.
const FRACTION: u32 = 60;

/// λ: what is opened under masks, all together, is at distance 2^-λ from uniform.
const STATISTICAL: u32 = 40;

/// Bits behind the point of the bases and of y, as they enter products.
const ENTRY: u32 = 62;

/// |u_j| is below 2^MEANS.
const MEANS: u32 = 20;

/// S/T where y is zero, which no part of a whole is.
pub const NOTHING_TO_EXPLAIN: f64 = 2.0;

/// What is public about a regression.
#[derive(Clone, Debug)]
pub struct System {
    /// Who takes part, in order of place.
    pub among: Vec<usize>,
    /// The columns of each party that has some; two parties or more.
    pub blocks: Vec<Block>,
    /// The party that has y.
    pub owner: usize,
    /// The number of rows.
    pub rows: usize,
    /// c: the largest accepted condition.
    pub condition: u32,
    /// Which errors are asked for.
    pub errors: Errors,
    /// Where products come from.
    pub source: Source,
}

/// Which errors are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errors {
    /// None.
    None,
    /// Those of the columns.
    Columns,
    /// Those of the columns and of an intercept.
    Intercept,
}

/// The columns of one party.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// The party.
    pub place: usize,
    /// The number of its first column among all.
    pub start: usize,
    /// How many columns it has.
    pub columns: usize,
}

/// What one party learns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Solution {
    /// My block of g.
    pub g: Vec<f64>,
    /// v·S for each of my columns.
    pub variances: Vec<f64>,
    /// S/T.
    pub unexplained: Option<f64>,
    /// w·S.
    pub intercept: Option<f64>,
}

impl System {
    /// Whether all numbers fit into the ring.
    pub fn is_feasible(&self) -> bool {
        let parties = self.among.len().next_power_of_two().trailing_zeros();
        let widest = self.roundings().into_iter().flatten().map(|by| by.mask_bits(self.statistical())).max();
        widest.is_some_and(|bits| bits + parties < 256)
    }

    /// What I am to learn. All parties of the run call this, those without data, too.
    pub async fn solve(&self, party: &mut Party, panel: &Panel<'_>) -> Result<Solution, ProtocolError> {
        let masks: Vec<_> =
            self.roundings().into_iter().map(|all| Masks::draw(party, all, self.statistical())).collect();
        let products = self.multiply_in_pairs(party, panel, &masks).await?;
        let member = self.among.contains(&party.me());
        let first = self.among.first() == Some(&party.me());
        let mut run = Run { system: self, panel, masks, products: products.into_iter(), member, first };
        let mut circuit = party.fork("condition");
        let iteration = run.iterate(party);
        let ((begun, mut state), mut condition) =
            both(iteration, Condition::prepare(&mut circuit, self.source)).await?;
        if !condition.holds(&mut circuit, run.trace(&state), first).await? {
            let why = "columns of different parties are too nearly dependent; see parameters.condition";
            return Err(ProtocolError::NoResult { why });
        }
        let schedule = self.schedule();
        for step in schedule.steps_before_check()..schedule.steps() {
            state = run.step(party, &state, step).await?;
        }
        let errors = match self.errors {
            Errors::None => Masked::default(),
            _ => run.errors(party, &begun, &state).await?,
        };
        run.open(party, &state, &errors).await
    }

    /// What [`System::solve`] sends, at one party of so many.
    pub fn cost(&self, me: usize, parties: usize) -> Cost {
        let batches = self.batches();
        let making = batches.iter().map(|batch| product::cost::<U256>(self.source, me, batch));
        let making = making.fold(Cost::default(), |sum, cost| sum + cost);
        let circuit = Condition::size(parties).cost(self.source, parties);
        if !self.among.contains(&me) {
            return making + circuit;
        }
        let others = self.among.len() as u64 - 1;
        let mut rest = Cost { rounds: self.exchanges(parties), ..circuit };
        for roundings in self.roundings() {
            rest.messages += others;
            rest.bytes += others * 32 * roundings.len() as u64;
        }
        for block in self.blocks.iter().filter(|block| block.place != me) {
            rest.messages += 1;
            rest.bytes += 16 * self.opened_to(block) as u64;
        }
        if self.opened_to_all() > 0 {
            rest.messages += parties as u64 - 1;
            rest.bytes += 16 * (parties as u64 - 1) * self.opened_to_all() as u64;
        }
        rest.rounds += 1;
        product::then(self.source, me, &batches[0], making, rest)
    }

    /// The rounds of two parties that alternate, with `further` exchanges after [`System::solve`]. Where one of them answers more
    /// often than it asks in making products, it goes on with the last answer; the other one can complete that exchange and begin
    /// the next at once, and so on: each message is part of two exchanges.
    pub fn rounds_of_two(&self, me: usize, parties: usize, further: u32) -> Option<u32> {
        let batches = self.batches();
        let [asks, answers] = product::rounds(me, batches.first()?);
        if parties > 2 || self.source != Source::Oblivious || asks == answers {
            return None;
        }
        let exchanges = 2 * (batches.len() as u32 - 1) + self.exchanges(parties) + 1 + further;
        let later = if asks > answers { exchanges } else { exchanges - 1 };
        Some(asks + answers + later.div_ceil(2))
    }

    /// The exchanges after products and before the last openings. The first openings and what the condition takes ahead are made
    /// side by side.
    fn exchanges(&self, parties: usize) -> u32 {
        let schedule = self.schedule();
        let online = Condition::size_of_holds().rounds;
        let ahead = Condition::size(parties).cost(self.source, parties).rounds - online;
        let first = 1 + schedule.steps_before_check();
        let openings = self.roundings().len();
        ahead.max(first as u32) + online + (openings - first) as u32
    }

    fn schedule(&self) -> Schedule {
        Schedule::new(self.columns(), self.halvings(), self.condition)
    }

    /// k, the number of all columns.
    fn columns(&self) -> usize {
        self.blocks.iter().map(|block| block.columns).sum()
    }

    /// The number of a symmetric matrix' entries on and above the diagonal.
    fn triangle(&self) -> usize {
        self.columns() * (self.columns() + 1) / 2
    }

    /// −log₂ α.
    fn halvings(&self) -> u32 {
        self.blocks.len().next_power_of_two().trailing_zeros()
    }

    /// The columns of R: of r, of I, and of u.
    fn sides(&self) -> usize {
        match self.errors {
            Errors::None => 1,
            Errors::Columns => 1 + self.columns(),
            Errors::Intercept => 2 + self.columns(),
        }
    }

    /// The numbers that are rounded at each opening: E's triangle and R, before the first step and after each; v of all columns, w
    /// and S; S times these, and S/T.
    fn roundings(&self) -> Vec<Vec<Rounding>> {
        let schedule = self.schedule();
        let begin = 2 * ENTRY + self.halvings() - FRACTION;
        let mut all: Vec<Vec<Rounding>> = Vec::with_capacity(schedule.growth.len() + 2);
        for (step, growth) in schedule.growth.iter().enumerate() {
            let shift = if step == 0 { begin } else { FRACTION + SCALE };
            let of = |limit: u32| Rounding { shift, limit: FRACTION + 1 + limit };
            let of_means = (self.errors == Errors::Intercept).then(|| of(growth + MEANS + self.halvings()));
            let row = [of(*growth)].into_iter().cycle().take(1 + self.sides_of_inverse()).chain(of_means);
            let r = (0..self.columns()).flat_map(|_| row.clone());
            all.push(std::iter::repeat_n(of(0), self.triangle()).chain(r).collect());
        }
        if self.errors != Errors::None {
            // Now the eigenvalues of N are known to be 2c at most, and |u|² is below b·2^(2·MEANS).
            let inverse = 32 - self.condition.leading_zeros() + 1;
            let limits = [FRACTION + 1 + inverse, FRACTION + 1 + inverse + 2 * MEANS + self.halvings()];
            let of = |shift: u32| {
                let columns = std::iter::repeat_n(Rounding { shift, limit: limits[0] }, self.columns());
                columns.chain((self.errors == Errors::Intercept).then_some(Rounding { shift, limit: limits[1] }))
            };
            let part = |shift: u32| Rounding { shift, limit: FRACTION + 2 };
            all.push(of(ENTRY).chain([part(FRACTION)]).collect());
            all.push(of(FRACTION).chain([part(ENTRY)]).collect());
        }
        all
    }

    /// The columns of R that become N.
    fn sides_of_inverse(&self) -> usize {
        if self.errors == Errors::None { 0 } else { self.columns() }
    }

    /// λ, and the bits that it takes for all opened numbers together.
    fn statistical(&self) -> u32 {
        let opened: usize = self.roundings().iter().map(Vec::len).sum();
        STATISTICAL + opened.next_power_of_two().trailing_zeros()
    }

    /// The bits of a party's term of a number of that rounding, with its sign.
    fn term_bits(&self, by: Rounding) -> u32 {
        by.limit + 2 + self.statistical()
    }

    fn block(&self, place: usize) -> Option<Block> {
        self.blocks.iter().copied().find(|block| block.place == place)
    }

    /// How many numbers are opened to the owner of a block at the end, and how many to all.
    fn opened_to(&self, block: &Block) -> usize {
        block.columns * if self.errors == Errors::None { 1 } else { 2 }
    }

    fn opened_to_all(&self) -> usize {
        match self.errors {
            Errors::None => 0,
            Errors::Columns => 1,
            Errors::Intercept => 2,
        }
    }

    /// The number among all of a column of a party's panel; none for y.
    fn column_of(&self, place: usize, index: usize) -> Option<usize> {
        self.block(place).filter(|block| index < block.columns).map(|block| block.start + index)
    }

    /// E, row by row, of a state, which is its triangle and R.
    fn e<T: Copy>(&self, state: &[T]) -> Vec<T> {
        let k = self.columns();
        (0..k * k).map(|index| state[in_triangle(k, index / k, index % k)]).collect()
    }

    /// (E | R), row by row.
    fn e_and_r(&self, state: &[U256]) -> Vec<U256> {
        let (e, r) = (self.e(state), &state[self.triangle()..]);
        e.chunks(self.columns()).zip(r.chunks(self.sides())).flat_map(|(e, r)| [e, r].concat()).collect()
    }

    /// One column of R.
    fn side(&self, state: &[U256], side: usize) -> Vec<U256> {
        state[self.triangle()..].chunks(self.sides()).map(|row| row[side]).collect()
    }

    /// A party's rows of R, but for r, in its own columns of N, and in that of u.
    fn rows_of_inverse(&self, state: &[U256], block: &Block) -> Vec<U256> {
        let rows = state[self.triangle()..].chunks(self.sides()).skip(block.start).take(block.columns);
        let own = 1 + block.start..1 + block.start + block.columns;
        rows.flat_map(|row| [&row[own.clone()], &row[1 + self.columns()..]].concat()).collect()
    }
}

/// Two computations side by side.
async fn both<A, B>(
    one: impl Future<Output = Result<A, ProtocolError>>,
    other: impl Future<Output = Result<B, ProtocolError>>,
) -> Result<(A, B), ProtocolError> {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|context| {
        if first.is_none()
            && let Poll::Ready(ready) = one.as_mut().poll(context)
        {
            first = Some(ready?);
        }
        if second.is_none()
            && let Poll::Ready(ready) = other.as_mut().poll(context)
        {
            second = Some(ready?);
        }
        match (first.take(), second.take()) {
            (Some(a), Some(b)) => Poll::Ready(Ok((a, b))),
            unfinished => {
                (first, second) = unfinished;
                Poll::Pending
            }
        }
    })
    .await
}

/// Where the entry of a symmetric matrix of `k` rows is in its triangle, which is row by row.
fn in_triangle(k: usize, row: usize, column: usize) -> usize {
    let (row, column) = (row.min(column), row.max(column));
    row * (2 * k - row + 1) / 2 + column - row
}

fn low_half(number: U256) -> u128 {
    u128::from(number[0]) | u128::from(number[1]) << 64
}

#[cfg(test)]
mod tests;
