//! One party's part in a regression, once all products are made.

use std::ops::Range;

use fsc_core::party::Party;
use fsc_core::protocol::ProtocolError;
use futures_util::future::join_all;

use super::masked::{Masked, Masks, power_of_two};
use super::panel::Panel;
use super::schedule::SCALE;
use super::{Block, ENTRY, Errors, FRACTION, NOTHING_TO_EXPLAIN, Solution, System, in_triangle, low_half};
use crate::algebra::ring::{self, Ring, U256};
use crate::linear::matrix::dot;
use crate::linear::product::{self, zeros};
use crate::linear::scaling;
use crate::sharing::additive::Additive;

/// One party's evaluation.
pub(super) struct Run<'a> {
    pub(super) system: &'a System,
    pub(super) panel: &'a Panel<'a>,
    pub(super) masks: Vec<Masks>,
    /// My shares of products that are still to be used.
    pub(super) products: std::vec::IntoIter<Vec<U256>>,
    /// Whether I take part.
    pub(super) member: bool,
    /// Whether I am the first of those who do.
    pub(super) first: bool,
}

impl Run<'_> {
    /// E and R, before the first step, and when E is to be looked at; nothing at a party that has no part in it.
    pub(super) async fn iterate(&mut self, party: &mut Party) -> Result<(Masked, Masked), ProtocolError> {
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
                    let known = scaling::integers(&[dot(column, y)], 2 * ENTRY as i32);
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
    pub(super) async fn step(
        &mut self,
        party: &mut Party,
        state: &Masked,
        step: usize,
    ) -> Result<Masked, ProtocolError> {
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
        for number in &mut share {
            *number = number.times(scale);
        }
        if self.first {
            let excess = scale.minus(power_of_two(SCALE)).times(power_of_two(2 * FRACTION));
            (0..k).map(|row| in_triangle(k, row, row)).for_each(|place| share[place] = share[place].minus(excess));
        }
        self.round(party, step + 1, share).await
    }

    /// My term of the trace of E; what is public belongs to the first party's.
    pub(super) fn trace(&self, state: &Masked) -> U256 {
        if !self.member {
            return U256::ZERO;
        }
        let k = self.system.columns();
        let share = state.part(0..self.system.triangle()).share(self.first);
        (0..k).fold(U256::ZERO, |sum, row| sum.plus(share[in_triangle(k, row, row)]))
    }

    /// v·S of all columns, w·S if there is an intercept, and S/T.
    pub(super) async fn errors(
        &mut self,
        party: &mut Party,
        begun: &Masked,
        done: &Masked,
    ) -> Result<Masked, ProtocolError> {
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
    pub(super) async fn open(
        &self,
        party: &mut Party,
        state: &Masked,
        errors: &Masked,
    ) -> Result<Solution, ProtocolError> {
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
        let opened: Vec<Option<Vec<f64>>> = join_all(openings).await.into_iter().collect::<Result<_, _>>()?;
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
