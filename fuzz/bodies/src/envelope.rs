//! Batches of envelopes.

use bytes::Bytes;
use fsc_core::envelope::{Envelope, MOST_IN_A_BATCH};
use fsc_core::transport::Batch;

/// Any bytes are a batch or an error, and every batch has one encoding.
pub fn envelope(data: &[u8]) {
    let Ok(envelopes) = Envelope::decode_all(Bytes::copy_from_slice(data)) else { return };
    assert!(envelopes.len() <= MOST_IN_A_BATCH);
    let mut batch = Batch::default();
    for envelope in &envelopes {
        let before = batch.len();
        envelope.encode_into(&mut batch);
        assert_eq!(batch.len() - before, envelope.encoded_len());
    }
    assert!(batch.pieces.concat() == data, "an accepted batch has another encoding");
}
