//! Whether columns of different parties are independent enough: one bit, from the trace of E.

use fsc_core::party::Party;
use fsc_core::protocol::ProtocolError;

use super::FRACTION;
use super::schedule::TRACE;
use crate::algebra::ring::{U256, shifted_right};
use crate::circuit::sign::Masks;
use crate::circuit::{Gmw, Size};
use crate::preprocessing::Source;

/// Bits behind the point of the traces that are compared.
const TRACE_FRACTION: u32 = 40;

/// Traces are below 2^(this − TRACE_FRACTION) in magnitude: that of a matrix of 32 rows, whose eigenvalues are 1 at most.
const TRACE_BITS: usize = 48;

/// What is made ahead for one comparison, which all parties of the run take part in.
pub struct Condition {
    gmw: Gmw,
    masks: Masks,
}

impl Condition {
    /// Makes it.
    pub async fn prepare(party: &mut Party, source: Source) -> Result<Self, ProtocolError> {
        let mut gmw = Gmw::connect(party, source, Self::size(party.parties())).await?;
        let masks = Masks::prepare(&mut gmw, party, TRACE_BITS, 1).await?;
        Ok(Self { gmw, masks })
    }

    /// Opens whether the trace is below 2^-[`TRACE`]; from my term of it, with f bits behind the point.
    ///
    /// Terms are integers, so that bits are taken off each of them by itself; 2^-TRACE is subtracted at the `first` party.
    pub async fn holds(&mut self, party: &mut Party, term: U256, first: bool) -> Result<bool, ProtocolError> {
        let bound = if first { 1 << (TRACE_FRACTION - TRACE) } else { 0 };
        let term = shifted_right(term, FRACTION - TRACE_FRACTION)[0].cast_signed().wrapping_sub(bound);
        let negative = self.masks.negative(&mut self.gmw, party, &[term]).await?;
        Ok(self.gmw.open(party, &negative).await?.get(0))
    }

    /// What all of it takes.
    pub fn size(parties: usize) -> Size {
        Masks::prepare_size(parties, TRACE_BITS, 1) + Self::size_of_holds()
    }

    /// What [`Condition::holds`] takes.
    pub fn size_of_holds() -> Size {
        Masks::negative_size(TRACE_BITS, 1) + Size::opening(1)
    }
}
