//! The code of an invitation: where to join, and the token that lets one in.
//!
//! # Text
//!
//! `ADDRESS/TOKEN`, where `http://` may be left out. A token has 16 characters, base32 (RFC 4648, lower case) of 80 random bits, and two
//! check characters, in groups of four. With t the values of the 16 characters and α = 2 in GF(2^5) modulo x^5 + x^2 + 1, the check
//! characters are Σ t_i α^i and Σ t_i α^2i, each plus 5 bits of the digest of the address: any two slips in a token are noticed,
//! and others, also in the address, but for one in a thousand. Reading ignores case, hyphens and spaces.
//!
//! # Derived
//!
//! What is derived from a token comes from BLAKE3 in `derive_key` mode over its ten bytes: by `fsc v1 invitation lookup` the 8 bytes
//! that name the invitation, by `fsc v1 invitation psk` the key of its handshake.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD_NOCASE;
use fsc_core::clock;
use fsc_core::transport::Address;
use zeroize::Zeroizing;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Characters of a token without the check.
const CHARACTERS: usize = 16;

const CHECKS: usize = 2;

/// What one needs to join: the address of the node that invites, and a token. It has no `Debug`; who prints it means to.
#[derive(Clone)]
pub struct Code {
    address: Address,
    token: Zeroizing<[u8; 10]>,
}

/// Which invitation: derived from its token, which it does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lookup(pub(super) [u8; 8]);

/// The key of an invitation's handshake, derived from its token. It has no `Debug`, and is wiped when it is dropped.
#[derive(Clone)]
pub struct Psk(pub(super) Zeroizing<[u8; 32]>);

/// The text is not the code of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotACode {
    /// It does not look like one.
    #[error("not a code of `fsc invite`: expected something like host:8001/abcd-efgh-ijkl-mnop-qr")]
    Form,
    /// The check characters differ.
    #[error("there is a slip in the code: compare it with the one that `fsc invite` shows at the other side")]
    Slip,
}

impl Code {
    /// Draws a token for the node at `address`, which names no id.
    pub fn draw(address: &Address) -> Result<Self, NotACode> {
        let address = address.place().filter(|place| place == address).ok_or(NotACode::Form)?;
        Ok(Self { address, token: Zeroizing::new(clock::random()) })
    }

    /// Where to join.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Which invitation.
    pub fn lookup(&self) -> Lookup {
        let mut lookup = [0; 8];
        self.derived("fsc v1 invitation lookup").finalize_xof().fill(&mut lookup);
        Lookup(lookup)
    }

    /// The key of its handshake.
    pub fn psk(&self) -> Psk {
        Psk(Zeroizing::new(*self.derived("fsc v1 invitation psk").finalize().as_bytes()))
    }

    fn derived(&self, context: &str) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(&self.token[..]);
        hasher
    }

    /// The two check characters' values.
    fn checks(&self, token: &[u8]) -> [u8; CHECKS] {
        let mut sums = blake3::derive_key("fsc v1 invitation check", self.address.as_str().as_bytes());
        let mut power = 1;
        for symbol in token {
            sums[0] ^= multiply(*symbol, power);
            sums[1] ^= multiply(*symbol, multiply(power, power));
            power = multiply(power, 2);
        }
        [sums[0] & 31, sums[1] & 31]
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Zeroizing::new(BASE32_NOPAD_NOCASE.encode(&self.token[..]).to_ascii_lowercase());
        let symbols: Zeroizing<Vec<u8>> = Zeroizing::new(text.chars().filter_map(symbol).collect());
        text.extend(self.checks(&symbols).map(|check| char::from(ALPHABET[usize::from(check)])));
        let address = self.address.as_str();
        f.write_str(address.strip_prefix("http://").unwrap_or(address))?;
        for (at, character) in text.chars().enumerate() {
            write!(
                f,
                "{}{character}",
                if at == 0 {
                    "/"
                } else if at % 4 == 0 {
                    "-"
                } else {
                    ""
                }
            )?;
        }
        Ok(())
    }
}

impl FromStr for Code {
    type Err = NotACode;

    fn from_str(text: &str) -> Result<Self, NotACode> {
        let (address, token) = text.trim().rsplit_once('/').ok_or(NotACode::Form)?;
        let address = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let address: Address = address.parse().map_err(|_| NotACode::Form)?;
        let token: Zeroizing<String> = Zeroizing::new(token.chars().filter(|c| !matches!(c, '-' | ' ')).collect());
        let symbols = token.chars().map(symbol).collect::<Option<Vec<u8>>>().map(Zeroizing::new);
        let symbols = symbols.filter(|symbols| symbols.len() == CHARACTERS + CHECKS).ok_or(NotACode::Form)?;
        let bytes = BASE32_NOPAD_NOCASE.decode(&token.as_bytes()[..CHARACTERS]).map_err(|_| NotACode::Form)?;
        let mut code = Self::draw(&address)?;
        code.token.copy_from_slice(&Zeroizing::new(bytes));
        let (token, checks) = symbols.split_at(CHARACTERS);
        if code.checks(token) == *checks { Ok(code) } else { Err(NotACode::Slip) }
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD_NOCASE.encode(&self.0).to_ascii_lowercase())
    }
}

impl Psk {
    /// The key with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the file that keeps them as long as the invitation is open.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The value of a character.
fn symbol(character: char) -> Option<u8> {
    let at = ALPHABET.iter().position(|letter| char::from(*letter) == character.to_ascii_lowercase())?;
    Some(at as u8)
}

/// The product in GF(2^5).
fn multiply(a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in (0..5).rev() {
        product = (product << 1) ^ if product & 0x10 == 0 { 0 } else { 0b10_0101 };
        product ^= if b >> bit & 1 == 0 { 0 } else { a };
    }
    product
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code(token: [u8; 10], address: &str) -> Code {
        Code { address: address.parse().unwrap(), token: Zeroizing::new(token) }
    }

    #[test]
    fn the_text_can_be_dictated() {
        let text = code([0; 10], "http://b.example.org:8001").to_string();
        assert_eq!(text.strip_prefix("b.example.org:8001/").unwrap().len(), 22);
        assert!(text.starts_with("b.example.org:8001/aaaa-aaaa-aaaa-aaaa-"), "{text}");
        let shouted = format!(" HTTP://{} ", text.to_uppercase().replace('-', " "));
        assert!(shouted.parse::<Code>().is_ok_and(|code| code.to_string() == text));
    }

    #[test]
    fn the_field_is_one() {
        let powers: Vec<u8> = (0..31).scan(1, |power, _| Some(std::mem::replace(power, multiply(*power, 2)))).collect();
        let different: std::collections::HashSet<_> = powers.iter().collect();
        assert_eq!((different.len(), multiply(powers[30], 2)), (31, 1), "2 generates all that are not zero");
    }

    #[test]
    fn what_names_a_node_by_its_id_is_no_place_to_join() {
        let id = fsc_core::identity::NodeKey::from_bytes(&[1; 32]).id();
        let named = format!("http://a:1#{id}");
        assert_eq!(Code::draw(&named.parse().unwrap()).err(), Some(NotACode::Form));
        assert_eq!(Code::draw(&Address::of(id)).err(), Some(NotACode::Form));
    }

    fn any_address() -> impl Strategy<Value = String> {
        "(http|https|serial)://[a-z0-9.]{1,20}(:[0-9]{1,5})?(/[a-z]{1,5})?"
    }

    proptest! {
        #[test]
        fn codes_come_back_as_they_were(token: [u8; 10], address in any_address()) {
            let code = code(token, &address);
            let read: Code = code.to_string().parse().map_err(|error| TestCaseError::fail(format!("{error}")))?;
            prop_assert!(read.token == code.token && read.address == code.address);
            prop_assert!(read.lookup() == code.lookup() && read.psk().expose() == code.psk().expose());
        }

        #[test]
        fn one_or_two_slips_are_noticed(
            token: [u8; 10],
            slips in proptest::collection::vec((0usize..CHARACTERS + CHECKS, 0usize..32), 1..=2),
        ) {
            let right = code(token, "http://a:1").to_string();
            let mut wrong = right.clone().into_bytes();
            let start = right.find('/').unwrap() + 1;
            for (at, letter) in slips {
                wrong[start + at + at / 4] = ALPHABET[letter];
            }
            let wrong = String::from_utf8(wrong).unwrap();
            prop_assume!(wrong != right);
            prop_assert_eq!(wrong.parse::<Code>().err(), Some(NotACode::Slip));
        }

        #[test]
        fn characters_that_changed_places_are_noticed(token: [u8; 10], at in 0..CHARACTERS + CHECKS - 1) {
            let right = code(token, "http://a:1").to_string();
            let mut characters: Vec<char> = right.split_once('/').unwrap().1.replace('-', "").chars().collect();
            prop_assume!(characters[at] != characters[at + 1]);
            characters.swap(at, at + 1);
            let wrong = format!("a:1/{}", characters.into_iter().collect::<String>());
            prop_assert_eq!(wrong.parse::<Code>().err(), Some(NotACode::Slip));
        }

        #[test]
        fn any_text_is_a_code_or_an_error(text: String, token in "[a-z2-7-]{0,30}") {
            let _ = text.parse::<Code>();
            let _ = format!("{text}/{token}").parse::<Code>();
        }
    }

    #[test]
    fn slips_in_the_address_are_noticed_but_for_few() {
        let text = code([5; 10], "http://a:8001").to_string();
        let unnoticed = (0..9000u32)
            .filter(|port| *port != 8001 && text.replacen("8001", &port.to_string(), 1).parse::<Code>().is_ok());
        assert!(unnoticed.count() < 40, "nine are to be expected");
    }
}
