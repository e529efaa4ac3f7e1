//! Who a node is: an X25519 key pair, whose public half is the node's id.
//!
//! # Text
//!
//! An id is printed as 56 characters: base32 (RFC 4648, lower case, no padding) of the 32 bytes of the public key and 3 bytes of
//! checksum, the first of BLAKE3 in `derive_key` mode with the context `fsc v1 node id` over the key. A letter that was mistyped is noticed but for one in
//! 16 million times. Reading ignores case.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD_NOCASE;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::clock;

const CHECKSUM: usize = 3;

/// A node's id: its public X25519 key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId([u8; 32]);

impl NodeId {
    /// The characters of an id.
    pub const CHARACTERS: usize = (32 + CHECKSUM) * 8 / 5;

    /// The id of a node with this public key.
    pub const fn from_bytes(public: [u8; 32]) -> Self {
        Self(public)
    }

    /// The public key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether the key is one of the few with which everybody agrees on the same secret (RFC 7748, section 6.1). No node has one.
    pub fn is_degenerate(&self) -> bool {
        let mut key = self.0;
        // The top bit of a key is ignored (RFC 7748, section 5).
        key[31] &= 0x7f;
        DEGENERATE.contains(&key)
    }

    fn checksum(&self) -> [u8; CHECKSUM] {
        crate::envelope::truncated(blake3::Hasher::new_derive_key("fsc v1 node id").update(&self.0))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.0[..], &self.checksum()].concat();
        f.write_str(&BASE32_NOPAD_NOCASE.encode(&bytes).to_ascii_lowercase())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The points of small order: 0, 1 and -1, also as they are written with p added, and two of order 8.
const DEGENERATE: [[u8; 32]; 7] = [
    [0; 32],
    small(1),
    below_p(0xec),
    below_p(0xed),
    below_p(0xee),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
];

const fn small(number: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = number;
    bytes
}

/// 2^255 - 256 plus a byte; p is 2^255 - 19, whose last byte is 0xed.
const fn below_p(last: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = last;
    bytes[31] = 0x7f;
    bytes
}

/// The text is not a node's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a node's id: expected the {} letters and digits that `fsc id` prints, without a slip", NodeId::CHARACTERS)]
pub struct NotAnId;

impl FromStr for NodeId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let bytes = BASE32_NOPAD_NOCASE.decode(text.as_bytes()).map_err(|_| NotAnId)?;
        let (public, checksum) = bytes.split_first_chunk::<32>().ok_or(NotAnId)?;
        let id = Self(*public);
        if id.checksum() == *checksum && !id.is_degenerate() { Ok(id) } else { Err(NotAnId) }
    }
}

/// A node's key pair. It has no `Debug`, no `Display` and no `Serialize`, and is wiped from memory when it is dropped.
///
/// ```compile_fail
/// println!("{:?}", fsc_core::identity::NodeKey::generate());
/// ```
#[derive(Clone)]
pub struct NodeKey {
    secret: StaticSecret,
    id: NodeId,
}

impl NodeKey {
    /// A key from the operating system's randomness.
    pub fn generate() -> Self {
        Self::from_bytes(&Zeroizing::new(clock::random()))
    }

    /// The key with this secret half.
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        let secret = StaticSecret::from(*secret);
        let id = NodeId(PublicKey::from(&secret).to_bytes());
        Self { secret, id }
    }

    /// The secret half, for the file that keeps it and for the handshake that needs it.
    pub fn expose(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.secret.to_bytes())
    }

    /// The public half.
    pub const fn id(&self) -> NodeId {
        self.id
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_is_the_documented_one() {
        // By the `cryptography` and `base64` modules of Python.
        let id = NodeKey::from_bytes(&[7; 32]).id();
        let text = id.to_string();
        assert_eq!(text.len(), NodeId::CHARACTERS);
        assert_eq!(&text[..51], "co7e72xk6icmp7jtld6jyadsdca5c5bhqeuce7wgotzx677jpnw");
        assert_eq!(text.to_uppercase().parse(), Ok(id));
    }

    #[test]
    fn keys_of_small_order_are_no_ids() {
        let anybody = StaticSecret::from([1; 32]);
        for mut key in DEGENERATE {
            for top in [0, 0x80] {
                key[31] |= top;
                assert!(!anybody.diffie_hellman(&PublicKey::from(key)).was_contributory());
                assert!(NodeId::from_bytes(key).is_degenerate());
                assert_eq!(NodeId::from_bytes(key).to_string().parse::<NodeId>(), Err(NotAnId));
            }
        }
    }

    proptest! {
        #[test]
        fn ids_come_back_as_they_were(bytes: [u8; 32]) {
            let id = NodeId::from_bytes(bytes);
            prop_assume!(!id.is_degenerate());
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn a_wrong_letter_is_noticed(bytes: [u8; 32], at in 0..NodeId::CHARACTERS, letter in b'a'..=b'z') {
            let text = NodeId::from_bytes(bytes).to_string();
            let mut wrong = text.clone().into_bytes();
            wrong[at] = letter;
            prop_assume!(wrong != text.as_bytes());
            prop_assert_eq!(std::str::from_utf8(&wrong).unwrap().parse::<NodeId>(), Err(NotAnId));
        }

        #[test]
        fn any_text_is_an_id_or_an_error(text: String) {
            let _ = text.parse::<NodeId>();
        }
    }
}
