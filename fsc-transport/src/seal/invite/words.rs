//! The words that two people compare.

use std::fmt;

/// 64 bits as four words of five letters that can be spoken: consonant, vowel, consonant, vowel, consonant of 16, 4, 16, 4, 16 (in
/// the manner of Wilkerson, A Proposal for Proquints: Identifiers that are Readable, Spellable, and Pronounceable, arXiv:0901.4016, 2009).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words(pub(super) [u8; 8]);

const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
const VOWELS: &[u8; 4] = b"aiou";

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, pair) in self.0.as_chunks::<2>().0.iter().enumerate() {
            let bits = usize::from(u16::from_be_bytes(*pair));
            let word = [
                CONSONANTS[bits >> 12],
                VOWELS[bits >> 10 & 3],
                CONSONANTS[bits >> 6 & 15],
                VOWELS[bits >> 4 & 3],
                CONSONANTS[bits & 15],
            ];
            write!(f, "{}{}", if at == 0 { "" } else { " " }, word.map(char::from).iter().collect::<String>())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_proposal() {
        // The proposal's own examples: 127.0.0.1 and 63.84.220.193.
        assert_eq!(Words([127, 0, 0, 1, 63, 84, 220, 193]).to_string(), "lusab babad gutih tugad");
        assert_eq!(Words([0xff; 8]).to_string(), "zuzuz zuzuz zuzuz zuzuz");
    }
}
