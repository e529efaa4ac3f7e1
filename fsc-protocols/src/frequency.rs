//! `StatisticsFrequency`: how often each category occurs among all parties' records, and which occurs most often.
//!
//! The data of a party is a list of [keys](crate::key): texts, numbers, truth values. `parameters.categories` lists the keys
//! that there can be; then the counts are summed as in [`SecureSum`](crate::sum), and keys that nobody has are counted as
//! zero. Without it the keys are found as well: [`union`](mod@crate::union). Other parameters:
//!
//! * `minimum_count`: smaller counts are not shown, not even to the nodes ([`tally`](mod@crate::tally)); needs `categories`.
//! * `missing`: `"omit"` leaves `null` out and reports how many there were.
//! * `maximum_distinct`: a bound on the number of distinct keys of all parties together (a key of 63 bytes or more counts
//!   as several), so that no party has to announce how many it has.
//! * `preprocessing`: where the randomness for `minimum_count` comes from.
//!
//! The result has `cells`, a list of `[key, count]` in order of the keys, where the count of a suppressed cell is null;
//! `histogram`, the same as a mapping by text, unless different keys are the same text, as 1 and "1"; `mode`, the key with the
//! highest count, the smallest of several, null without records; `samples`, the sum of the counts that are shown;
//! `suppressed`, how many are not, if any; and `omitted`. Where there is no mode or no histogram, `notes` has the reason.
//!
//! # Security
//!
//! Semi-honest adversary, any n − 1 parties corrupt, no trusted third party, unless `preprocessing` names a dealer, who is
//! then trusted with the comparisons. The simulators: [`sum`](crate::sum) for code books; that of [`union`](mod@crate::union)
//! otherwise; with a minimum, the bits "at least k" and the counts that pass are the output, and what is opened to find them
//! is uniform ([`circuit`](crate::circuit)).
//!
//! # Leakage
//!
//! Beyond the result and what follows from it (for two parties, the other's counts): with a code book nothing. Without one, of
//! each party the number of its distinct keys, rounded up to a power of two of at least 8, unless `maximum_distinct` is given.
//! `omitted` is shown however small it is.
//!
//! # Wire
//!
//! n parties, m categories; to every other party: with a code book, one round, 16 · m bytes (and 16 for `omitted`). With a
//! minimum, before that, the comparisons of m sums of 41 bits, at the first meeting of two nodes with their base OTs. Without a
//! code book, one round and 128 bytes a cell of a table of 1.8 to 3.5 cells a key, at least 100: for at most 8, 16, 32, 128,
//! 1024 or 16384 keys 12,800, 16,128, 21,504, 56,320, 310,016 or 4,069,632 bytes.
//!
//! # Differences from the reference
//!
//! The reference broadcasts each party's keys, adds the counts with one message exchange for each, and turns keys into texts.
//! Its counts are floats, and so are ours. It has no code book, no minimum, and no `cells`.

use std::collections::BTreeMap;

use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{
    Adversary, Announced, Corruptions, Cost, Protocol, ProtocolError, Security, Setup, Submission,
};
use fsc_core::secret::Secret;
use fsc_core::value::{ConvertError, Value};

use crate::key::Key;
use crate::tally::{self, Category, Params, Records, Tally, tally, written, wrong, wrong_parameters};

/// The protocol; see the module's documentation.
pub struct StatisticsFrequency;

impl Protocol for StatisticsFrequency {
    const NAME: &'static str = "StatisticsFrequency";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: LEAKAGE,
        paper: PAPER,
    };

    type Params = Params<Vec<Key>>;
    type Input = Records<Key>;
    type Output = Tally<Key>;

    fn admit(submission: Submission) -> Result<(Self::Params, Records<Key>), ObjectError> {
        tally::admit(submission)
    }

    fn announce(params: &Self::Params, records: &Records<Key>) -> Value {
        tally::announce(params, records)
    }

    fn cost(params: &Self::Params, all: &Announced) -> Cost {
        tally::cost::<Key>(params, all)
    }

    fn present(output: Tally<Key>) -> Result<Value, ConvertError> {
        let mut results = output.results(Key::to_value);
        results.offer("histogram", histogram(&output.cells));
        Ok(results.finish())
    }

    fn setup(params: &Self::Params) -> Setup {
        params.preprocessing.setup()
    }

    async fn run(
        party: &mut Party,
        params: Self::Params,
        records: Secret<Records<Key>>,
    ) -> Result<Tally<Key>, ProtocolError> {
        tally(party, &params, records).await
    }
}

/// What counting categories shows beyond the result.
pub(crate) const LEAKAGE: &[&str] = &[
    "what follows from the counts: for two parties, the other's",
    "without categories or maximum_distinct: how many distinct keys each party has, rounded up to a power of two",
    "with a dealer for minimum_count: all counts, to the dealer",
];

/// What counting categories is made of.
pub(crate) const PAPER: &str = "Bonawitz et al., Practical secure aggregation for privacy-preserving machine learning, CCS 2017, section 4; \
     Goodrich and Mitzenmacher, Invertible Bloom lookup tables, Allerton 2011, in a composition of our own; with a \
     minimum, signs of sums: Damgård et al., Unconditionally secure constant-rounds multi-party computation, TCC 2006, \
     section 6, on Goldreich, Micali, Wigderson, How to play any mental game, STOC 1987 (Goldreich, Foundations of \
     cryptography II, 2004, section 7.5.2); for two parties: Yao, How to generate and exchange secrets, FOCS 1986, with \
     half gates: Zahur, Rosulek, Evans, Two halves make a whole, Eurocrypt 2015, figure 2";

impl Category for Key {
    type Book = Vec<Self>;

    fn read(position: usize, record: &Value) -> Result<Option<Self>, ObjectError> {
        match record {
            Value::Null => Ok(None),
            record => Self::of(record).map(Some).ok_or_else(|| not_a_key(position, record)),
        }
    }

    fn read_book(categories: Value) -> Result<Vec<Self>, ObjectError> {
        keys(categories)
    }

    fn book_size(book: &Vec<Self>) -> usize {
        book.len()
    }

    fn cells(book: &Vec<Self>) -> Vec<Self> {
        book.clone()
    }

    fn encode(&self) -> Vec<u8> {
        Self::encode(self)
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes)
    }
}

/// The keys of a code book, or of one dimension of it, in order.
pub(crate) fn keys(list: Value) -> Result<Vec<Key>, ObjectError> {
    let items: Vec<Value> = match list {
        Value::List(items) => items,
        Value::Array(array) => array.items().collect(),
        _ => return Err(wrong_parameters("categories must be a list")),
    };
    let keys: Option<Vec<Key>> = items.iter().map(Key::of).collect();
    let mut keys = keys.ok_or_else(|| wrong_parameters("categories must be texts, numbers or truth values"))?;
    keys.sort_unstable();
    if keys.is_empty() {
        return Err(wrong_parameters("categories is empty"));
    }
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(wrong_parameters("a category is listed twice"));
    }
    Ok(keys)
}

/// An error about something that is no key.
pub(crate) fn not_a_key(position: usize, item: &Value) -> ObjectError {
    wrong(format!(
        "there is {} at position {position}, where a text, a number or a truth value is expected",
        item.kind()
    ))
}

/// The counts by the keys as texts, if these differ.
fn histogram(cells: &[(Key, Option<u64>)]) -> Result<Value, &'static str> {
    let by_text: BTreeMap<String, Value> = cells.iter().map(|(key, count)| (key.to_text(), written(*count))).collect();
    let why = "different categories are the same text, as 1 and \"1\" are: see cells";
    if by_text.len() == cells.len() { Ok(Value::Map(by_text)) } else { Err(why) }
}

#[cfg(test)]
mod tests;
