//! The products of what two parties know that everything is made of, and the two factors of each.

use fsc_core::party::Party;
use fsc_core::protocol::ProtocolError;

use super::masked::{Masks, Rounding};
use super::panel::Panel;
use super::{Block, ENTRY, Errors, FRACTION, MEANS, System, low_half};
use crate::algebra::ring::{Ring, U256};
use crate::linear::product::{self, Factor, Product};

/// How many bytes come back for products that are made at the same time, if a single one does not take more.
const BATCH: usize = 1 << 26;

impl System {
    /// All parties with each other, both ways.
    pub(super) fn pairs(&self) -> impl Iterator<Item = [usize; 2]> {
        let with_others = |one: &usize| {
            let one = *one;
            self.among.iter().filter(move |other| **other != one).map(move |other| [one, *other])
        };
        self.among.iter().flat_map(with_others)
    }

    /// The products of panels: the narrower one is on the left, since it costs by the bit.
    pub(super) fn products_of_entries(&self) -> Vec<Product> {
        let pairs = self.pairs().filter(|[one, other]| one < other && self.width(*one) * self.width(*other) > 0);
        let product = |[one, other]: [usize; 2]| {
            let [left, right] = if self.width(one) <= self.width(other) { [one, other] } else { [other, one] };
            let (rows, columns) = (self.width(left), self.width(right));
            Product { left, right, rows, inner: self.rows, columns, bits: ENTRY + 2 }
        };
        pairs.map(product).collect()
    }

    /// The products of a step: E of one party with R of another one, and with its E where that is to the right.
    pub(super) fn products_of_step(&self) -> Vec<Product> {
        let k = self.columns();
        let bits = self.term_bits(Rounding { shift: 0, limit: FRACTION + 1 });
        let product = |[left, right]: [usize; 2]| {
            let columns = self.sides() + if left < right { k } else { 0 };
            Product { left, right, rows: k, inner: k, columns, bits }
        };
        self.pairs().map(product).collect()
    }

    /// The products for v and w, of a party's own forms with what others have of its rows of R.
    pub(super) fn products_of_forms(&self) -> Vec<Product> {
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
    pub(super) fn products_of_fit(&self) -> Vec<Product> {
        let bits = self.term_bits(Rounding { shift: 0, limit: FRACTION + 1 });
        let product =
            |[left, right]: [usize; 2]| Product { left, right, rows: 1, inner: self.columns(), columns: 1, bits };
        self.pairs().map(product).collect()
    }

    /// The products of S with v and w.
    pub(super) fn products_of_variances(&self) -> Vec<Product> {
        let bits = self.term_bits(Rounding { shift: 0, limit: FRACTION + 2 });
        let columns = self.columns() + usize::from(self.errors == Errors::Intercept);
        self.pairs().map(|[left, right]| Product { left, right, rows: 1, inner: 1, columns, bits }).collect()
    }

    /// The products of 1/T with S.
    pub(super) fn products_of_part(&self) -> Vec<Product> {
        let pairs = self.pairs().filter(|[left, _]| *left == self.owner);
        pairs.map(|[left, right]| Product { left, right, rows: 1, inner: 1, columns: 1, bits: ENTRY + 4 }).collect()
    }

    /// All products, in the order in which they are used.
    pub(super) fn products(&self) -> Vec<Product> {
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
    pub(super) fn batches(&self) -> Vec<Vec<Product>> {
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
    pub(super) fn factors(&self, me: usize, panel: &Panel<'_>, masks: &[Masks]) -> Vec<Factor<U256>> {
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
    pub(super) async fn multiply_in_pairs(
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

    /// The columns that a party has for products with others': its basis, and then y.
    fn width(&self, place: usize) -> usize {
        self.block(place).map_or(0, |block| block.columns) + usize::from(place == self.owner)
    }
}

fn integers(numbers: &[U256]) -> Vec<i128> {
    numbers.iter().map(|number| low_half(*number).cast_signed()).collect()
}
