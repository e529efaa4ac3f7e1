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
use std::ops::Range;
use std::pin::pin;
use std::task::Poll;

use fsc_core::party::Party;
use fsc_core::protocol::{Cost, ProtocolError};

use super::product::{self, Factor, Product, zeros};
use super::scaling;
use crate::algebra::ring::{self, Ring, U256};
use crate::preprocessing::Source;
use crate::sharing::additive::Additive;

pub mod condition;
pub mod masked;
pub mod schedule;

use condition::Condition;
use masked::{Masked, Masks, Rounding, power_of_two};
use schedule::{SCALE, Schedule};

/// f, the bits behind the point.
const FRACTION: u32 = 60;

/// λ: what is opened under masks, all together, is at distance 2^-λ from uniform.
const STATISTICAL: u32 = 40;

/// Bits behind the point of the bases and of y, as they enter products.
const ENTRY: u32 = 62;

/// |u_j| is below 2^MEANS.
const MEANS: u32 = 20;

/// How many bytes come back for products that are made at the same time, if a single one does not take more.
const BATCH: usize = 1 << 26;

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

/// What one party knows.
pub struct Panel<'a> {
    /// Q_j, column by column; empty for a party without columns.
    pub q: &'a [Vec<f64>],
    /// y, of length 1 at most, at its owner.
    pub y: Option<&'a [f64]>,
    /// The rows of R_j^-1, of length 1, for errors.
    pub directions: Vec<Vec<f64>>,
    /// u_j, for the error of an intercept.
    pub means: Vec<f64>,
}

impl Panel<'_> {
    /// Whether the means are so small that the error of an intercept can be computed.
    pub fn fits(&self) -> bool {
        super::matrix::norm(&self.means) < 2_f64.powi(MEANS as i32)
    }
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
        making + rest
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

    /// The columns that a party has for products with others': its basis, and then y.
    fn width(&self, place: usize) -> usize {
        self.block(place).map_or(0, |block| block.columns) + usize::from(place == self.owner)
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

    /// All parties with each other, both ways.
    fn pairs(&self) -> impl Iterator<Item = [usize; 2]> {
        let with_others = |one: &usize| {
            let one = *one;
            self.among.iter().filter(move |other| **other != one).map(move |other| [one, *other])
        };
        self.among.iter().flat_map(with_others)
    }

    /// The products of panels: the narrower one is on the left, since it costs by the bit.
    fn products_of_entries(&self) -> Vec<Product> {
        let pairs = self.pairs().filter(|[one, other]| one < other && self.width(*one) * self.width(*other) > 0);
        let product = |[one, other]: [usize; 2]| {
            let [left, right] = if self.width(one) <= self.width(other) { [one, other] } else { [other, one] };
            let (rows, columns) = (self.width(left), self.width(right));
            Product { left, right, rows, inner: self.rows, columns, bits: ENTRY + 2 }
        };
        pairs.map(product).collect()
    }

    /// The products of a step: E of one party with R of another one, and with its E where that is to the right.
    fn products_of_step(&self) -> Vec<Product> {
        let k = self.columns();
        let bits = self.term_bits(Rounding { shift: 0, limit: FRACTION + 1 });
        let product = |[left, right]: [usize; 2]| {
            let columns = self.sides() + if left < right { k } else { 0 };
            Product { left, right, rows: k, inner: k, columns, bits }
        };
        self.pairs().map(product).collect()
    }

    /// The products for v and w, of a party's own forms with what others have of its rows of R.
    fn products_of_forms(&self) -> Vec<Product> {
        let with_mean = usize::from(self.errors == Errors::Intercept);
        let pairs = self.pairs().filter_map(|[left, right]| Some((self.block(left)?, right)));
        let product = |(block, right): (Block, usize)| Product {
            left: block.place,
            right,
            rows: block.columns + with_mean,
            inner: block.columns * (block.columns + with_mean),
            columns: 1,
            bits: ENTRY + 2 + MEANS,
        };
        pairs.map(product).collect()
    }

    /// The products for S, of r with g.
    fn products_of_fit(&self) -> Vec<Product> {
        let bits = self.term_bits(Rounding { shift: 0, limit: FRACTION + 1 });
        let product =
            |[left, right]: [usize; 2]| Product { left, right, rows: 1, inner: self.columns(), columns: 1, bits };
        self.pairs().map(product).collect()
    }

    /// The products of S with v and w.
    fn products_of_variances(&self) -> Vec<Product> {
        let bits = self.term_bits(Rounding { shift: 0, limit: FRACTION + 2 });
        let columns = self.columns() + usize::from(self.errors == Errors::Intercept);
        self.pairs().map(|[left, right]| Product { left, right, rows: 1, inner: 1, columns, bits }).collect()
    }

    /// The products of 1/T with S.
    fn products_of_part(&self) -> Vec<Product> {
        let pairs = self.pairs().filter(|[left, _]| *left == self.owner);
        pairs.map(|[left, right]| Product { left, right, rows: 1, inner: 1, columns: 1, bits: ENTRY + 4 }).collect()
    }

    /// All products, in the order in which they are used.
    fn products(&self) -> Vec<Product> {
        let mut products = self.products_of_entries();
        (0..self.schedule().steps()).for_each(|_| products.extend(self.products_of_step()));
        if self.errors != Errors::None {
            products.extend(self.products_of_forms());
            products.extend(self.products_of_fit());
            products.extend(self.products_of_variances());
            products.extend(self.products_of_part());
        }
        products
    }

    /// Which are made at the same time.
    fn batches(&self) -> Vec<Vec<Product>> {
        let mut batches: Vec<Vec<Product>> = Vec::new();
        let mut bytes = usize::MAX;
        for product in self.products() {
            let answer = product.rows * product.inner * product.bits as usize * product.columns * U256::WIDTH;
            bytes = bytes.saturating_add(answer);
            match batches.last_mut() {
                Some(batch) if bytes <= BATCH => batch.push(product),
                _ => {
                    batches.push(vec![product]);
                    bytes = answer;
                }
            }
        }
        batches
    }

    /// My factors of all products.
    fn factors(&self, me: usize, panel: &Panel<'_>, masks: &[Masks]) -> Vec<Factor<U256>> {
        let steps = self.schedule().steps();
        let terms: Vec<Vec<U256>> = masks.iter().map(Masks::terms).collect();
        let mut factors = Vec::new();
        let mut add = |products: Vec<Product>, left: &dyn Fn() -> Vec<i128>, right: &dyn Fn(&Product) -> Vec<U256>| {
            factors.extend(products.into_iter().map(|product| match me {
                _ if me == product.left => Factor::Left(left()),
                _ if me == product.right => Factor::Right(right(&product)),
                _ => Factor::Neither,
            }));
        };
        let of_e = |terms: &[U256]| self.e(&integers(terms));
        add(self.products_of_entries(), &|| panel.rows(), &|_| panel.columns());
        for terms in &terms[..steps] {
            add(self.products_of_step(), &|| of_e(terms), &|product| {
                if product.left < me { self.e_and_r(terms) } else { terms[self.triangle()..].to_vec() }
            });
        }
        if self.errors != Errors::None {
            let [forms, begun, done] = [&terms[steps + 1], &terms[0], &terms[steps]];
            let s = forms.len() - 1;
            add(self.products_of_forms(), &|| panel.forms(self.errors), &|product| {
                self.block(product.left).map(|block| self.rows_of_inverse(done, &block)).unwrap_or_default()
            });
            add(self.products_of_fit(), &|| integers(&self.side(begun, 0)), &|_| self.side(done, 0));
            add(self.products_of_variances(), &|| integers(&forms[s..]), &|_| forms[..s].to_vec());
            add(self.products_of_part(), &|| vec![panel.reciprocal()], &|_| forms[s..].to_vec());
        }
        factors
    }

    /// My shares of all products, in their order; nothing but zeros of those that I have no part in.
    async fn multiply_in_pairs(
        &self,
        party: &mut Party,
        panel: &Panel<'_>,
        masks: &[Masks],
    ) -> Result<Vec<Vec<U256>>, ProtocolError> {
        let mut factors = self.factors(party.me(), panel, masks).into_iter();
        let mut all = Vec::new();
        for batch in self.batches() {
            let tasks = batch.iter().copied().zip(factors.by_ref()).collect();
            let shares = product::products(party, self.source, tasks).await?.into_iter().zip(batch);
            let or_zeros = |(share, product): (Option<Vec<U256>>, Product)| {
                share.unwrap_or_else(|| vec![U256::ZERO; product.rows * product.columns])
            };
            all.extend(shares.map(or_zeros));
        }
        Ok(all)
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

/// One party's evaluation.
struct Run<'a> {
    system: &'a System,
    panel: &'a Panel<'a>,
    masks: Vec<Masks>,
    /// My shares of products that are still to be used.
    products: std::vec::IntoIter<Vec<U256>>,
    /// Whether I take part.
    member: bool,
    /// Whether I am the first of those who do.
    first: bool,
}

impl Run<'_> {
    /// E and R, before the first step, and when E is to be looked at; nothing at a party that has no part in it.
    async fn iterate(&mut self, party: &mut Party) -> Result<(Masked, Masked), ProtocolError> {
        if !self.member {
            return Ok(<(Masked, Masked)>::default());
        }
        let share = self.begin(party);
        let begun = self.round(party, 0, share).await?;
        let mut state = begun.clone();
        for step in 0..self.system.schedule().steps_before_check() {
            state = self.step(party, &state, step).await?;
        }
        Ok((begun, state))
    }

    /// My share of E and R before the first step, with 2·ENTRY + halvings bits behind the point.
    fn begin(&mut self, party: &Party) -> Vec<U256> {
        let system = self.system;
        let (k, sides, triangle) = (system.columns(), system.sides(), system.triangle());
        let unit = power_of_two(2 * ENTRY);
        let mut share = vec![U256::ZERO; triangle + k * sides];
        if self.first {
            // (1 − α)·I and α·I, which are public.
            for row in 0..k {
                share[in_triangle(k, row, row)] = U256::of((1 << system.halvings()) - 1).times(unit);
                if system.errors != Errors::None {
                    share[triangle + row * sides + 1 + row] = unit;
                }
            }
        }
        if let Some(block) = system.block(party.me()) {
            for (row, column) in self.panel.q.iter().enumerate() {
                let place = triangle + (block.start + row) * sides;
                if let Some(y) = self.panel.y {
                    let known = scaling::integers(&[super::matrix::dot(column, y)], 2 * ENTRY as i32);
                    share[place] = U256::of(known[0]);
                }
                if system.errors == Errors::Intercept {
                    let mean = scaling::integers(&[self.panel.means[row]], ENTRY as i32);
                    share[place + sides - 1] = U256::of(mean[0]).times(power_of_two(ENTRY));
                }
            }
        }
        for product in system.products_of_entries() {
            for (index, entry) in self.next_product().into_iter().enumerate() {
                let row = system.column_of(product.left, index / product.columns);
                let column = system.column_of(product.right, index % product.columns);
                match (row, column) {
                    (Some(row), Some(column)) => share[in_triangle(k, row, column)] = entry.negated(),
                    (Some(row), None) | (None, Some(row)) => share[triangle + row * sides] = entry,
                    (None, None) => {}
                }
            }
        }
        share
    }

    /// E and R after one more step.
    async fn step(&mut self, party: &mut Party, state: &Masked, step: usize) -> Result<Masked, ProtocolError> {
        if !self.member {
            return Ok(Masked::default());
        }
        let system = self.system;
        let (k, sides) = (system.columns(), system.sides());
        let width = k + sides;
        let mut product =
            state.map(|state| system.e(state)).times(&state.map(|state| system.e_and_r(state)), k, width, self.first);
        for [left, right] in system.pairs() {
            let terms = self.next_product();
            for (index, term) in terms.into_iter().enumerate() {
                if left > right {
                    let sum = &mut product[index / sides * width + k + index % sides];
                    *sum = sum.plus(term);
                    continue;
                }
                let (row, column) = (index / width, index % width);
                // E_i·E_j and, of the other way, its transpose.
                let places = [Some((row, column)), (column < k).then_some((column, row))];
                for (row, column) in places.into_iter().flatten() {
                    product[row * width + column] = product[row * width + column].plus(term);
                }
            }
        }
        let scale = U256::of(i128::from(system.schedule().scales[step]));
        let r = state.part(system.triangle()..state.mine.len()).share(self.first);
        let mut share: Vec<U256> =
            (0..k).flat_map(|row| product[row * width + row..row * width + k].to_vec()).collect();
        let er = (0..k).flat_map(|row| product[row * width + k..(row + 1) * width].to_vec());
        share.extend(er.zip(r).map(|(er, r)| er.plus(r.times(power_of_two(FRACTION)))));
        share.iter_mut().for_each(|number| *number = number.times(scale));
        if self.first {
            let excess = scale.minus(power_of_two(SCALE)).times(power_of_two(2 * FRACTION));
            (0..k).map(|row| in_triangle(k, row, row)).for_each(|place| share[place] = share[place].minus(excess));
        }
        self.round(party, step + 1, share).await
    }

    /// My term of the trace of E; what is public belongs to the first party's.
    fn trace(&self, state: &Masked) -> U256 {
        if !self.member {
            return U256::ZERO;
        }
        let k = self.system.columns();
        let share = state.part(0..self.system.triangle()).share(self.first);
        (0..k).fold(U256::ZERO, |sum, row| sum.plus(share[in_triangle(k, row, row)]))
    }

    /// v·S of all columns, w·S if there is an intercept, and S/T.
    async fn errors(&mut self, party: &mut Party, begun: &Masked, done: &Masked) -> Result<Masked, ProtocolError> {
        if !self.member {
            return Ok(Masked::default());
        }
        let opening = self.masks.len() - 2;
        let mut share = self.forms(party, done);
        share.push(self.unexplained(begun, done));
        let forms = self.round(party, opening, share).await?;
        let (s, count) = (forms.part(forms.mine.len() - 1..forms.mine.len()), forms.mine.len() - 1);
        let mut share = s.times(&forms.part(0..count), 1, count, self.first);
        for _ in self.system.products_of_variances() {
            ring::add_assign(&mut share, &self.next_product());
        }
        share.push(self.part_of_whole(&s));
        self.round(party, opening + 1, share).await
    }

    /// My share of v and w, with FRACTION + ENTRY bits behind the point.
    fn forms(&mut self, party: &Party, done: &Masked) -> Vec<U256> {
        let system = self.system;
        let with_mean = usize::from(system.errors == Errors::Intercept);
        let mut share = vec![U256::ZERO; system.columns() + with_mean];
        let mut add = |block: &Block, values: Vec<U256>| {
            // The form in the means is the last one, and a term of w.
            let places = (block.start..block.start + block.columns).chain([system.columns()]);
            places.zip(values).for_each(|(place, value)| share[place] = share[place].plus(value));
        };
        if let Some(block) = system.block(party.me()) {
            let forms: Vec<U256> = self.panel.forms(system.errors).into_iter().map(U256::of).collect();
            let numbers = done.map(|state| system.rows_of_inverse(state, &block)).share(true);
            add(&block, product::multiply(&forms, &numbers, numbers.len(), 1));
        }
        for product in system.products_of_forms() {
            let values = self.next_product();
            system.block(product.left).into_iter().for_each(|block| add(&block, values.clone()));
        }
        if self.first && with_mean == 1 {
            let mean = scaling::integers(&[1.0 / system.rows as f64], (FRACTION + ENTRY) as i32);
            share[system.columns()] = share[system.columns()].plus(U256::of(mean[0]));
        }
        share
    }

    /// My share of S, with 2·FRACTION bits behind the point.
    fn unexplained(&mut self, begun: &Masked, done: &Masked) -> U256 {
        let system = self.system;
        let [r, g] = [begun, done].map(|state| state.map(|state| system.side(state, 0)));
        let mut fit = r.times(&g, system.columns(), 1, self.first)[0];
        for _ in system.products_of_fit() {
            fit = self.next_product().into_iter().fold(fit, Ring::plus);
        }
        // What is there of r is α·r.
        let whole = scaling::integers(&[self.panel.square()], 2 * FRACTION as i32);
        U256::of(whole[0]).minus(fit.times(power_of_two(system.halvings())))
    }

    /// My share of S/T, with FRACTION + ENTRY bits behind the point.
    fn part_of_whole(&mut self, s: &Masked) -> U256 {
        let mut share = U256::ZERO;
        if self.panel.y.is_some() {
            share = s.share(true)[0].times(U256::of(self.panel.reciprocal()));
            if self.panel.square() == 0.0 {
                share = U256::of(NOTHING_TO_EXPLAIN as i128).times(power_of_two(FRACTION + ENTRY));
            }
        }
        for _ in self.system.products_of_part() {
            share = self.next_product().into_iter().fold(share, Ring::plus);
        }
        share
    }

    /// Opens to each party its block of g, and its variances; to all, what is the same for all.
    async fn open(&self, party: &mut Party, state: &Masked, errors: &Masked) -> Result<Solution, ProtocolError> {
        let system = self.system;
        let k = system.columns();
        let everybody: Vec<usize> = (0..party.parties()).collect();
        let g = state.map(|state| if self.member { system.side(state, 0) } else { Vec::new() });
        let mut tasks: Vec<(Party, Masked, Vec<usize>, usize)> = Vec::new();
        let part =
            |numbers: &Masked, range: Range<usize>| if self.member { numbers.part(range) } else { Masked::default() };
        for block in &system.blocks {
            let range = block.start..block.start + block.columns;
            let mut numbers = part(&g, range.clone());
            if system.errors != Errors::None {
                numbers.append(part(errors, range));
            }
            tasks.push((party.fork("block"), numbers, vec![block.place], system.opened_to(block)));
        }
        if system.opened_to_all() > 0 {
            let numbers = part(errors, k..k + system.opened_to_all());
            tasks.push((party.fork("whole"), numbers, everybody, system.opened_to_all()));
        }
        let mut solution = Solution::default();
        let openings =
            tasks.iter_mut().map(|(party, numbers, readers, count)| self.reveal(party, numbers, readers, *count));
        let opened: Vec<Option<Vec<f64>>> = product::together(openings).await.into_iter().collect::<Result<_, _>>()?;
        let mut opened = opened.into_iter();
        for (block, numbers) in system.blocks.iter().zip(opened.by_ref()) {
            if let Some(mut numbers) = numbers {
                solution.variances = numbers.split_off(block.columns);
                solution.g = numbers;
            }
        }
        let mut whole = opened.flatten().flatten();
        if system.errors == Errors::Intercept {
            solution.intercept = whole.next();
        }
        solution.unexplained = whole.next();
        Ok(solution)
    }

    /// Opens numbers of FRACTION bits behind the point, which fit into 128 bits, to some.
    async fn reveal(
        &self,
        party: &mut Party,
        numbers: &Masked,
        readers: &[usize],
        count: usize,
    ) -> Result<Option<Vec<f64>>, ProtocolError> {
        let mut share = zeros::<u128>(party, &self.system.among, count);
        let first = numbers.share(self.first);
        share.iter_mut().zip(first).for_each(|(sum, number)| *sum = sum.wrapping_add(low_half(number)));
        let opened = party.reveal(Additive::new(share), &self.system.among, readers).await?;
        Ok(opened.map(|sums| sums.into_iter().map(|sum| sum.to_f64(FRACTION as i32)).collect()))
    }

    async fn round(&self, party: &mut Party, opening: usize, share: Vec<U256>) -> Result<Masked, ProtocolError> {
        self.masks[opening].round(party, &self.system.among, share).await
    }

    fn next_product(&mut self) -> Vec<U256> {
        self.products.next().expect("as many products as are used")
    }
}

impl Panel<'_> {
    fn vectors(&self) -> Vec<Vec<i128>> {
        let vectors = self.q.iter().map(Vec::as_slice).chain(self.y);
        vectors.map(|vector| scaling::integers(vector, ENTRY as i32)).collect()
    }

    /// The transposed panel, row by row.
    fn rows(&self) -> Vec<i128> {
        self.vectors().concat()
    }

    /// The panel, row by row.
    fn columns(&self) -> Vec<U256> {
        let vectors = self.vectors();
        let rows = vectors.first().map_or(0, Vec::len);
        (0..rows).flat_map(|row| vectors.iter().map(move |vector| U256::of(vector[row]))).collect()
    }

    /// My forms in my rows of (N | Nu), row by row, with ENTRY bits behind the point: ρρ' for each of my columns, and u_j.
    fn forms(&self, errors: Errors) -> Vec<i128> {
        let mean = (errors == Errors::Intercept).then_some(0);
        let mut forms = Vec::new();
        for direction in &self.directions {
            let direction = scaling::integers(direction, ENTRY as i32);
            let row = |a: i128| direction.iter().map(move |b| (a * b) >> ENTRY).chain(mean);
            forms.extend(direction.iter().copied().flat_map(row));
        }
        if errors == Errors::Intercept {
            for number in scaling::integers(&self.means, ENTRY as i32) {
                forms.extend(std::iter::repeat_n(0, self.directions.len()).chain([number]));
            }
        }
        forms
    }

    /// T; zero if I do not have y.
    fn square(&self) -> f64 {
        self.y.map_or(0.0, |y| super::matrix::dot(y, y))
    }

    /// 1/T, which is 4 at most, with ENTRY bits behind the point; zero for none.
    fn reciprocal(&self) -> i128 {
        let square = self.square();
        if square > 0.0 { scaling::integers(&[1.0 / square], ENTRY as i32)[0] } else { 0 }
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

fn integers(numbers: &[U256]) -> Vec<i128> {
    numbers.iter().map(|number| low_half(*number).cast_signed()).collect()
}

fn low_half(number: U256) -> u128 {
    u128::from(number[0]) | u128::from(number[1]) << 64
}

#[cfg(test)]
mod tests;
