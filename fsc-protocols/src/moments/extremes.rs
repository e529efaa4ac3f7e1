//! Pooled extremes.

use bytes::{BufMut, Bytes, BytesMut};
use fsc_core::party::Party;
use fsc_core::protocol::{Cost, ProtocolError};

/// A stand-in that shows what each party has.
pub(crate) async fn extremes(
    party: &mut Party,
    own: &[Option<(u64, u64)>],
) -> Result<Vec<Option<(u64, u64)>>, ProtocolError> {
    let mut mine = BytesMut::new();
    for column in own {
        let (least, greatest) = column.unwrap_or((u64::MAX, 0));
        mine.put_u64_le(least);
        mine.put_u64_le(greatest);
    }
    let all: Vec<Bytes> = party.exchange(mine.freeze()).await?;
    let mut pooled = vec![(u64::MAX, 0); own.len()];
    for (party, theirs) in all.iter().enumerate() {
        let (codes, _) = theirs.as_chunks::<16>();
        if codes.len() != own.len() {
            return Err(ProtocolError::Malformed { party, why: "its extremes are of another number of columns" });
        }
        for ((least, greatest), code) in pooled.iter_mut().zip(codes) {
            let code = u128::from_le_bytes(*code);
            *least = (*least).min(code as u64);
            *greatest = (*greatest).max((code >> 64) as u64);
        }
    }
    Ok(pooled.into_iter().map(|(least, greatest)| (least <= greatest).then_some((least, greatest))).collect())
}

pub(crate) fn cost(parties: usize, columns: usize) -> Cost {
    let others = parties as u64 - 1;
    Cost { rounds: 1, messages: others, bytes: 16 * others * columns as u64 }
}

pub(crate) fn code(number: f64) -> u64 {
    let bits = number.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

pub(crate) fn number(code: u64) -> f64 {
    f64::from_bits(if code >> 63 == 1 { code ^ 1 << 63 } else { !code })
}
