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
        let anybody = StaticSecret::from([1; 32]);
        !anybody.diffie_hellman(&PublicKey::from(self.0)).was_contributory()
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
        let mut one = [0; 32];
        one[0] = 1;
        for id in [[0; 32], one].map(NodeId::from_bytes) {
            assert!(id.is_degenerate());
            assert_eq!(id.to_string().parse::<NodeId>(), Err(NotAnId));
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
