//! Counting categories over all parties: what `StatisticsFrequency` and `StatisticsContingency` have in common.
//!
//! Categories are known to all (`parameters.categories`, a code book), and their counts are summed as in
//! [`SecureSum`](crate::sum), zeros included; or they are not, and [`union`](mod@crate::union) finds them.
//!
//! With `parameters.minimum_count` k > 1 the counts stay shared until it is known which of them are at least k. That bit is
//! opened for each cell, from the [sign](crate::circuit::sign) of Σ c_i − k; then the parties sum their counts again, with
//! zeros for the cells that did not pass. So what is opened of a suppressed cell is that it is below k, and nothing else that
//! is opened depends on it: no combination of other numbers gives it away. A union would show rare categories by their
//! presence, so k > 1 takes a code book.

use std::collections::{BTreeMap, BTreeSet};

use fsc_core::object::ObjectError;
use fsc_core::party::{Party, pieces_of};
use fsc_core::protocol::{Announced, Cost, ProtocolError, Submission};
use fsc_core::secret::Secret;
use fsc_core::value::{Value, from_value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::circuit::sign::Signs;
use crate::data::Missing;
use crate::moments::results::Results;
use crate::preprocessing::Source;
use crate::sharing::masks;
use crate::union::{self, Capacity, Counts, union};

/// The most cells of a code book, and of a table that is written out with its zeros.
pub const MOST_CELLS: usize = 1 << 20;

/// The most cells of a code book of which each is compared with a minimum.
pub const MOST_COMPARED: usize = 1 << 16;

/// log₂ of how many records all parties together may have, and of the largest minimum.
const RECORDS: usize = 40;

/// How the number of missing records is called in a union; no category is.
const OMITTED: &[u8] = &[];

/// What is counted: a key, or a pair of keys.
pub trait Category: Clone + Ord + Serialize + Send + Sync + 'static {
    /// All categories, known to everybody.
    type Book: Clone + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The category of the record at that position; `None` if it is missing.
    fn read(position: usize, record: &Value) -> Result<Option<Self>, ObjectError>;

    /// The code book that a client wrote.
    fn read_book(categories: Value) -> Result<Self::Book, ObjectError>;

    /// How many categories a code book has.
    fn book_size(book: &Self::Book) -> usize;

    /// The categories of a code book, in order.
    fn cells(book: &Self::Book) -> Vec<Self>;

    /// The category as bytes, at least one.
    fn encode(&self) -> Vec<u8>;

    /// The category that was encoded; `None` if these are no category's bytes.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// What all parties must agree on; `B` is the code book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params<B> {
    /// The categories that there are; none if they are to be found.
    pub categories: Option<B>,
    /// Counts below this are not shown; 1 shows all.
    pub minimum_count: u64,
    /// How many blocks of keys there are at all parties together, at most; none if the parties are to announce theirs.
    pub maximum_distinct: Option<u64>,
    /// What becomes of missing records.
    pub missing: Missing,
    /// Where the randomness for comparing counts with the minimum comes from.
    pub preprocessing: Source,
}

/// One party's records, counted.
#[derive(Clone, Default)]
pub struct Records<C> {
    /// How often each category occurs.
    pub counts: BTreeMap<C, u64>,
    /// How many records are missing.
    pub omitted: u64,
}

/// All parties' records, counted.
#[derive(Clone, Serialize)]
pub struct Tally<C> {
    /// Every category, in order, and its count; `None` where that is suppressed.
    pub cells: Vec<(C, Option<u64>)>,
    /// How many records were missing, if they are left out.
    pub omitted: Option<u64>,
}

/// Parameters and records of what a client submitted.
pub(crate) fn admit<C: Category>(submission: Submission) -> Result<(Params<C::Book>, Records<C>), ObjectError> {
    let options = Options::read(submission.parameters)?;
    let params = options.params::<C>(submission.parties)?;
    let cells = params.categories.as_ref().map(|book| C::cells(book).into_iter().collect::<BTreeSet<_>>());
    let records = Records::read(submission.data, params.missing, cells.as_ref())?;
    if records.counts.values().sum::<u64>() + records.omitted > (1 << RECORDS) / submission.parties as u64 {
        return Err(wrong("there are too many records"));
    }
    if cells.is_none() {
        params.check_room(&records)?;
    }
    Ok((params, records))
}

/// What the others may know of a party's records: how many blocks of keys there are, rounded up, where that decides on the
/// size of messages.
pub(crate) fn announce<C: Category>(params: &Params<C::Book>, records: &Records<C>) -> Value {
    if params.categories.is_some() || params.maximum_distinct.is_some() {
        return Value::Null;
    }
    Capacity::of_counts(&records.encoded()).map_or(Value::Null, |capacity| capacity.blocks().into())
}

/// What a party sends.
pub(crate) fn cost<C: Category>(params: &Params<C::Book>, all: &Announced) -> Cost {
    let parties = all.parties();
    let Some(book) = &params.categories else {
        // Where the announcements fit no table, nothing is sent.
        return params.capacity(all).map_or(Cost::default(), |capacity| union::cost(parties, capacity));
    };
    let (others, cells) = (parties as u64 - 1, C::book_size(book));
    let bytes = 16 * (cells + usize::from(params.missing == Missing::Omit));
    let sum = Cost { rounds: 1, messages: others * pieces_of(bytes) as u64, bytes: others * bytes as u64 };
    if params.minimum_count > 1 {
        let source = params.preprocessing;
        source.meeting_cost(all) + Signs::cost(source, parties, all.me(), RECORDS + 1, &[cells]) + sum
    } else {
        sum
    }
}

/// Counts all parties' records.
pub(crate) async fn tally<C: Category>(
    party: &mut Party,
    params: &Params<C::Book>,
    records: Secret<Records<C>>,
) -> Result<Tally<C>, ProtocolError> {
    let tally = match &params.categories {
        Some(book) => of_known(party, params, C::cells(book), &records).await,
        None => of_unknown(party, params, &records).await,
    };
    tally?.checked()
}

/// One sum over the code book, of the cells that are to be shown.
async fn of_known<C: Category, B>(
    party: &mut Party,
    params: &Params<B>,
    cells: Vec<C>,
    records: &Secret<Records<C>>,
) -> Result<Tally<C>, ProtocolError> {
    let Records { counts, omitted } = records.expose();
    let mut terms: Vec<u64> = cells.iter().map(|cell| counts.get(cell).copied().unwrap_or_default()).collect();
    let shown = if params.minimum_count > 1 {
        at_least(party, params.preprocessing, params.minimum_count, &terms).await?
    } else {
        vec![true; terms.len()]
    };
    for (term, _) in terms.iter_mut().zip(&shown).filter(|(_, shown)| !**shown) {
        *term = 0;
    }
    let omits = params.missing == Missing::Omit;
    let terms = terms.into_iter().chain(omits.then_some(*omitted)).map(u128::from).collect();
    let share = masks::share_of_sum(party, Secret::new(terms));
    let sums = party.open(share).await?.into_iter().map(u64::try_from).collect::<Result<Vec<_>, _>>();
    let mut sums = sums.map_err(|_| ProtocolError::NoResult { why: "a count is out of range" })?;
    let omitted = if omits { sums.pop() } else { None };
    let counts = sums.into_iter().zip(shown).map(|(sum, shown)| shown.then_some(sum));
    Ok(Tally { cells: cells.into_iter().zip(counts).collect(), omitted })
}

/// Which of the sums are at least `minimum`, which is all that is opened.
async fn at_least(party: &mut Party, source: Source, minimum: u64, terms: &[u64]) -> Result<Vec<bool>, ProtocolError> {
    let count = terms.len();
    let mut signs = Signs::prepare(party, source, RECORDS + 1, count).await?;
    let less = if party.me() == 0 { minimum as i64 } else { 0 };
    let terms: Vec<i64> = terms.iter().map(|term| *term as i64 - less).collect();
    let below = signs.open(party, &terms).await?;
    Ok((0..count).map(|index| !below.get(index)).collect())
}

/// The union of all parties' categories.
async fn of_unknown<C: Category, B>(
    party: &mut Party,
    params: &Params<B>,
    records: &Secret<Records<C>>,
) -> Result<Tally<C>, ProtocolError> {
    let capacity = params.capacity(party.announced())?;
    let mut counts = union(party, capacity, Secret::new(records.expose().encoded())).await?;
    let omitted = counts.remove(OMITTED).unwrap_or_default();
    let cells = counts.into_iter().map(|(category, count)| Some((C::decode(&category)?, Some(count))));
    let cells: Option<BTreeMap<C, Option<u64>>> = cells.collect();
    let cells = cells.ok_or(ProtocolError::NoResult { why: "what a party wrote into the table is no category" })?;
    Ok(Tally { cells: cells.into_iter().collect(), omitted: (params.missing == Missing::Omit).then_some(omitted) })
}

impl<B> Params<B> {
    /// Parameters of counting categories that are to be found, or of a code book, without a minimum.
    pub fn new(categories: Option<B>) -> Self {
        Self {
            categories,
            minimum_count: 1,
            maximum_distinct: None,
            missing: Missing::Error,
            preprocessing: Source::default(),
        }
    }

    /// The size of the table in which categories are found.
    fn capacity(&self, all: &Announced) -> Result<Capacity, ProtocolError> {
        let Some(blocks) = self.maximum_distinct else { return Capacity::of_all(all) };
        let capacity = usize::try_from(blocks).ok().and_then(Capacity::of);
        capacity.ok_or(ProtocolError::NoResult { why: "parameters.maximum_distinct is too large" })
    }

    /// Whether one party's categories fit into the table.
    fn check_room<C: Category>(&self, records: &Records<C>) -> Result<(), ObjectError> {
        let counts = records.encoded();
        if counts.keys().any(|key| key.len() > union::LONGEST) {
            return Err(wrong(format!("a category has more than {} bytes", union::LONGEST)));
        }
        let needed = Capacity::of_counts(&counts).ok_or_else(|| wrong("there are too many distinct categories"))?;
        match self.maximum_distinct.and_then(|blocks| Capacity::of(usize::try_from(blocks).ok()?)) {
            Some(room) if needed.blocks() > room.blocks() => {
                Err(wrong("there are more distinct categories than parameters.maximum_distinct"))
            }
            _ => Ok(()),
        }
    }
}

impl<C: Category> Records<C> {
    /// Counts the records of one party: a list, or a single one. If `cells` are given, there must be no others.
    fn read(data: Value, missing: Missing, cells: Option<&BTreeSet<C>>) -> Result<Self, ObjectError> {
        let mut records = Self { counts: BTreeMap::new(), omitted: 0 };
        match data {
            Value::List(items) => {
                items
                    .iter()
                    .enumerate()
                    .try_for_each(|(position, item)| records.add(position, item, missing, cells))?;
            }
            Value::Array(array) => {
                let mut items = array.items().enumerate();
                items.try_for_each(|(position, item)| records.add(position, &item, missing, cells))?;
            }
            item => records.add(0, &item, missing, cells)?,
        }
        Ok(records)
    }

    fn add(
        &mut self,
        position: usize,
        record: &Value,
        missing: Missing,
        cells: Option<&BTreeSet<C>>,
    ) -> Result<(), ObjectError> {
        match C::read(position, record)? {
            None => {
                missing.pass(position)?;
                self.omitted += 1;
            }
            Some(category) if cells.is_some_and(|cells| !cells.contains(&category)) => {
                return Err(wrong(format!("what is at position {position} is not among parameters.categories")));
            }
            Some(category) => *self.counts.entry(category).or_default() += 1,
        }
        Ok(())
    }

    /// As a union takes them.
    fn encoded(&self) -> Counts {
        let omitted = (self.omitted > 0).then(|| (OMITTED.to_vec(), self.omitted));
        self.counts.iter().map(|(category, count)| (category.encode(), *count)).chain(omitted).collect()
    }
}

impl<C: Category> Tally<C> {
    /// This, if all parties together may have so many records. Whoever adds what nobody can have gets an error, and so do all.
    fn checked(self) -> Result<Self, ProtocolError> {
        let counts = self.cells.iter().filter_map(|(_, count)| *count).chain(self.omitted);
        if counts.map(u128::from).sum::<u128>() > 1 << RECORDS {
            return Err(ProtocolError::NoResult { why: "there are more records than all parties together may have" });
        }
        Ok(self)
    }

    /// The sum of the counts that are shown.
    pub fn samples(&self) -> u64 {
        self.cells.iter().filter_map(|(_, count)| *count).sum()
    }

    /// The category with the highest count, the first in order of several; none without records.
    pub fn mode(&self) -> Option<&C> {
        let counted =
            self.cells.iter().filter_map(|(category, count)| Some((category, count.filter(|count| *count > 0)?)));
        let highest = counted.reduce(|best, next| if next.1 > best.1 { next } else { best });
        highest.map(|(category, _)| category)
    }

    /// The results that all functions have; `to_value` writes a category.
    pub(crate) fn results(&self, to_value: fn(&C) -> Value) -> Results {
        let mut results = Results::default();
        let cell = |(category, count): &(C, Option<u64>)| Value::List(vec![to_value(category), written(*count)]);
        let suppressed = self.cells.iter().filter(|(_, count)| count.is_none()).count() as u64;
        results.insert("cells", Value::List(self.cells.iter().map(cell).collect()));
        let mode = match self.mode() {
            Some(category) => to_value(category),
            None if suppressed > 0 => results.note("mode", "no count above zero is shown"),
            None => results.note("mode", "there are no records"),
        };
        results.insert("mode", mode);
        results.insert("samples", written(Some(self.samples())));
        results.count("omitted", self.omitted);
        results.count("suppressed", Some(suppressed).filter(|suppressed| *suppressed > 0));
        results
    }
}

/// A count as the reference writes it, and null for one that is suppressed.
pub(crate) fn written(count: Option<u64>) -> Value {
    count.map_or(Value::Null, |count| Value::Float(count as f64))
}

/// An error about the data.
pub(crate) fn wrong(why: impl Into<String>) -> ObjectError {
    ObjectError::argument("data", why)
}

/// An error about the parameters.
pub(crate) fn wrong_parameters(why: impl Into<String>) -> ObjectError {
    ObjectError::argument("parameters", why)
}

/// `parameters`, as clients write them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    categories: Option<Value>,
    minimum_count: Option<u64>,
    maximum_distinct: Option<u64>,
    #[serde(default)]
    missing: Missing,
    #[serde(default)]
    preprocessing: Source,
}

impl Options {
    fn read(parameters: Value) -> Result<Self, ObjectError> {
        let parameters = if parameters == Value::Null { Value::Map([].into()) } else { parameters };
        from_value(parameters).map_err(|error| wrong_parameters(error.to_string()))
    }

    fn params<C: Category>(self, parties: usize) -> Result<Params<C::Book>, ObjectError> {
        let categories = self.categories.map(C::read_book).transpose()?;
        let minimum_count = self.minimum_count.unwrap_or(1).max(1);
        let most = if minimum_count > 1 { MOST_COMPARED } else { MOST_CELLS };
        match &categories {
            None if minimum_count > 1 => {
                return Err(wrong_parameters("minimum_count needs categories: a union would show rare ones"));
            }
            Some(_) if self.maximum_distinct.is_some() => {
                return Err(wrong_parameters("categories and maximum_distinct exclude each other"));
            }
            Some(book) if C::book_size(book) > most => {
                return Err(wrong_parameters(format!("categories has more than {most} cells")));
            }
            _ => {}
        }
        if minimum_count > 1 << RECORDS {
            return Err(wrong_parameters("minimum_count is out of range"));
        }
        if self.maximum_distinct.is_some_and(|blocks| blocks > union::MOST as u64) {
            return Err(wrong_parameters(format!("maximum_distinct is more than {}", union::MOST)));
        }
        let Self { maximum_distinct, missing, preprocessing, .. } = self;
        let preprocessing = preprocessing.check(parties)?;
        Ok(Params { categories, minimum_count, maximum_distinct, missing, preprocessing })
    }
}
