//! `StatisticsContingency`: how often each pair of categories occurs among all parties' records.
//!
//! The data of a party is a list of pairs `[row, column]` of [keys](crate::key). `parameters.categories` is a list of two
//! lists, the keys of rows and of columns; parameters are otherwise those of
//! [`StatisticsFrequency`](crate::frequency), and so is how pairs are counted.
//!
//! The result has `table`, the counts by row and column as texts, for every row with every column, zeros too, unless different
//! keys of rows, or of columns, are the same text; `cells`, a list of `[[row, column], count]`, likewise; `row_totals` and
//! `column_totals`, lists of `[key, total]`; `mode`, a pair; `samples`, `suppressed` and `omitted`. Totals and `samples` are sums
//! of the counts that are shown. If the rows and columns that occur would make a table of more than 2^20 cells, there is no
//! `table`, and `cells` are those that occur. Where there is no mode or no table, `notes` has the reason.
//!
//! # Security
//!
//! As [`StatisticsFrequency`](crate::frequency): semi-honest adversary, any n − 1 parties corrupt, no trusted third party
//! unless `preprocessing` names one.
//!
//! # Leakage
//!
//! As [`StatisticsFrequency`](crate::frequency), of pairs instead of keys.
//!
//! # Wire
//!
//! As [`StatisticsFrequency`](crate::frequency): m is the number of rows times that of columns with a code book, otherwise the
//! number of distinct pairs at all parties; a pair takes four bytes more than the encodings of both keys.
//!
//! # Differences from the reference
//!
//! The reference broadcasts each party's pairs, and joins the names of both categories, so that different cells overwrite each
//! other.

use std::collections::{BTreeMap, BTreeSet};

use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{
    Adversary, Announced, Corruptions, Cost, Protocol, ProtocolError, Security, Setup, Submission,
};
use fsc_core::secret::Secret;
use fsc_core::value::{ConvertError, Value};
use serde::{Deserialize, Serialize};

use crate::frequency::{LEAKAGE, PAPER, keys};
use crate::key::Key;
use crate::tally::{self, Category, MOST_CELLS, Params, Records, Tally, tally, written, wrong, wrong_parameters};

/// The protocol; see the module's documentation.
pub struct StatisticsContingency;

/// A row's key and a column's.
pub type Pair = (Key, Key);

/// The categories of rows and of columns.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// Those of rows, in order.
    pub rows: Vec<Key>,
    /// Those of columns, in order.
    pub columns: Vec<Key>,
}

impl Protocol for StatisticsContingency {
    const NAME: &'static str = "StatisticsContingency";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: LEAKAGE,
        paper: PAPER,
    };

    type Params = Params<Book>;
    type Input = Records<Pair>;
    type Output = Tally<Pair>;

    fn admit(submission: Submission) -> Result<(Self::Params, Records<Pair>), ObjectError> {
        tally::admit(submission)
    }

    fn announce(params: &Self::Params, records: &Records<Pair>) -> Value {
        tally::announce(params, records)
    }

    fn cost(params: &Self::Params, all: &Announced) -> Cost {
        tally::cost::<Pair>(params, all)
    }

    fn present(output: Tally<Pair>) -> Result<Value, ConvertError> {
        let sides = Book::of(&output.cells);
        let (output, is_full) = sides.fill(output);
        let mut results = output.results(to_value);
        let too_large = Err("it would have more than 2^20 cells: see cells");
        results.offer("table", if is_full { sides.table(&output.cells) } else { too_large });
        results.insert("row_totals", totals(&output.cells, |(row, _)| row));
        results.insert("column_totals", totals(&output.cells, |(_, column)| column));
        Ok(results.finish())
    }

    fn setup(params: &Self::Params) -> Setup {
        params.preprocessing.setup()
    }

    async fn run(
        party: &mut Party,
        params: Self::Params,
        records: Secret<Records<Pair>>,
    ) -> Result<Tally<Pair>, ProtocolError> {
        tally(party, &params, records).await
    }
}

impl Book {
    /// The rows and columns that occur.
    fn of(cells: &[(Pair, Option<u64>)]) -> Self {
        let rows: BTreeSet<&Key> = cells.iter().map(|((row, _), _)| row).collect();
        let columns: BTreeSet<&Key> = cells.iter().map(|((_, column), _)| column).collect();
        Self { rows: rows.into_iter().cloned().collect(), columns: columns.into_iter().cloned().collect() }
    }

    fn pairs(&self) -> impl Iterator<Item = Pair> {
        self.rows.iter().flat_map(|row| self.columns.iter().map(|column| (row.clone(), column.clone())))
    }

    /// Adds what does not occur, and says whether the table is full then.
    fn fill(&self, tally: Tally<Pair>) -> (Tally<Pair>, bool) {
        if <Pair as Category>::book_size(self) > MOST_CELLS {
            return (tally, false);
        }
        let mut counts: BTreeMap<Pair, Option<u64>> = self.pairs().map(|pair| (pair, Some(0))).collect();
        counts.extend(tally.cells);
        (Tally { cells: counts.into_iter().collect(), omitted: tally.omitted }, true)
    }

    /// The counts by row and column as texts, if these differ. The cells are all pairs, in order.
    fn table(&self, cells: &[(Pair, Option<u64>)]) -> Result<Value, &'static str> {
        let texts = |keys: &[Key]| keys.iter().map(Key::to_text).collect::<BTreeSet<_>>().len();
        if texts(&self.rows) < self.rows.len() || texts(&self.columns) < self.columns.len() {
            return Err("different rows, or columns, are the same text, as 1 and \"1\" are: see cells");
        }
        let row = |cells: &[(Pair, Option<u64>)]| {
            Value::map(cells.iter().map(|((_, column), count)| (column.to_text(), written(*count))))
        };
        let rows = cells.chunks(self.columns.len().max(1)).zip(&self.rows);
        Ok(Value::map(rows.map(|(cells, key)| (key.to_text(), row(cells)))))
    }
}

impl Category for Pair {
    type Book = Book;

    fn read(position: usize, record: &Value) -> Result<Option<Self>, ObjectError> {
        let (row, column) = match record {
            Value::Null => return Ok(None),
            Value::List(pair) => match &pair[..] {
                [row, column] => (row.clone(), column.clone()),
                _ => return Err(not_a_pair(position)),
            },
            Value::Array(pair) if pair.shape() == [2] => {
                pair.get(0).zip(pair.get(1)).ok_or_else(|| not_a_pair(position))?
            }
            _ => return Err(not_a_pair(position)),
        };
        Ok(Key::read(position, &row)?.zip(Key::read(position, &column)?))
    }

    fn read_book(categories: Value) -> Result<Book, ObjectError> {
        let sides: Vec<Value> = match categories {
            Value::List(sides) => sides,
            Value::Array(array) => array.items().collect(),
            _ => Vec::new(),
        };
        let [rows, columns] = <[Value; 2]>::try_from(sides)
            .map_err(|_| wrong_parameters("categories must be a list of two lists: of rows and of columns"))?;
        Ok(Book { rows: keys(rows)?, columns: keys(columns)? })
    }

    fn book_size(book: &Book) -> usize {
        book.rows.len().saturating_mul(book.columns.len())
    }

    fn cells(book: &Book) -> Vec<Self> {
        book.pairs().collect()
    }

    /// The length of the row's encoding, then both.
    fn encode(&self) -> Vec<u8> {
        let (row, column) = (self.0.encode(), self.1.encode());
        [&(row.len() as u32).to_be_bytes()[..], &row, &column].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (length, keys) = bytes.split_first_chunk()?;
        let (row, column) = keys.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        Key::decode(row).zip(Key::decode(column))
    }
}

fn not_a_pair(position: usize) -> ObjectError {
    wrong(format!("at position {position} there is no pair [row, column]"))
}

fn to_value((row, column): &Pair) -> Value {
    Value::List(vec![row.to_value(), column.to_value()])
}

/// The sums of the counts that are shown, by one side of the pairs.
fn totals(cells: &[(Pair, Option<u64>)], side: fn(&Pair) -> &Key) -> Value {
    let mut totals = BTreeMap::<&Key, u64>::new();
    for (pair, count) in cells {
        *totals.entry(side(pair)).or_default() += count.unwrap_or_default();
    }
    let total = |(key, total): (&Key, u64)| Value::List(vec![key.to_value(), written(Some(total))]);
    Value::List(totals.into_iter().map(total).collect())
}

#[cfg(test)]
mod tests;
