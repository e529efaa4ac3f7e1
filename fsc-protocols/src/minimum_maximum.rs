//! `MinimumMaximum`: the least and the greatest of all parties' numbers, and how many they are.
//!
//! Each party's own extremes enter XOR-shared, as codes of their order ([`crate::order`]), and play a tournament of ⌈log₂ n⌉
//! levels in which the smaller one of two is chosen by a circuit ([`crate::circuit::compare`]: Goldreich, Micali,
//! Wigderson, STOC 1987; between two parties [`crate::circuit::garbled`]: Yao, FOCS 1986); the greatest is the least of the complements, at the same time. A party without numbers enters
//! codes that lose to all others.
//!
//! The data of a party is a number, or a list of numbers or of records `{"minimum": …, "maximum": …}`.
//! `parameters.type` is `"float64"` (the default) or `"int64"`; `parameters.missing` and `parameters.preprocessing` are as
//! everywhere. The result is exact, for every finite float.
//!
//! # Security
//!
//! Semi-honest adversary, any n − 1 parties corrupt, no trusted third party, unless the parameters name a dealer. On links
//! that are not sealed this protects against passive listeners only.
//!
//! # Leakage
//!
//! Nothing beyond minimum, maximum and number of samples (and of omitted ones), and what follows from them: of two parties,
//! each can tell whose the extremes are; a coalition of n − 1 learns the same of the last party, and its number of samples.
//!
//! # Wire
//!
//! To each other party, after joining: one round of 16 bytes for the count (32 with omitted ones). Then:
//!
//! *Two parties*, a garbled circuit: a message of 8 · 128 bytes from the party at place 1, one back of 2 · 128 · 32, and 16 bytes
//! each, which open the result.
//!
//! *More*, or with a dealer: for each level of the tournament, with p pairs of parties and m = 2p pairs of numbers, seven
//! rounds of ⌈128m/8⌉, ⌈96m/8⌉, ⌈48m/8⌉, ⌈24m/8⌉, ⌈12m/8⌉, ⌈6m/8⌉ and ⌈2m/8⌉ bytes compare them, and one of ⌈88m/8⌉
//! chooses. One round of 16 bytes opens the result: 18 rounds for three or four parties. All triples, 149m a level, are
//! made at once before the tournament.
//!
//! # Differences from the reference
//!
//! The reference broadcasts every party's own minimum and maximum. Here only the pooled ones are opened.

use fsc_core::object::ObjectError;
use fsc_core::party::Party;
use fsc_core::protocol::{
    Adversary, Announced, Corruptions, Cost, Protocol, ProtocolError, Security, Setup, Submission,
};
use fsc_core::secret::Secret;
use fsc_core::value::{ConvertError, Value};
use serde::Serialize;

use crate::algebra::bits::Bits;
use crate::circuit::garbled::{self, Circuit, Garbled};
use crate::circuit::{Gmw, Size, compare};
use crate::data::{Column, Missing};
use crate::order::{self, MOST, Options};
use crate::preprocessing::Source;
use crate::sharing::masks;

/// The bits of a code.
const WIDTH: usize = 64;

/// The protocol; see the module's documentation.
pub struct MinimumMaximum;

/// What a party enters: its own extremes, if it has any numbers, and its counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    /// The codes of its least and its greatest number.
    pub extremes: Option<(u64, u64)>,
    /// How many samples it has.
    pub samples: u64,
    /// How many it left out.
    pub omitted: u64,
}

/// What every party learns.
#[derive(Clone, Debug, Serialize)]
pub struct Extremes {
    /// The least number.
    pub minimum: Value,
    /// The greatest one.
    pub maximum: Value,
    /// How many there are.
    pub samples: u64,
    /// How many were left out, where that was asked for.
    pub omitted: Option<u64>,
}

impl Protocol for MinimumMaximum {
    const NAME: &'static str = "MinimumMaximum";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: &[
            "the type of the numbers",
            "what follows from the result: for two parties, whose the extremes are and how many samples the other has",
            "everything, to a dealer that the parameters name",
        ],
        paper: "Goldreich, Micali, Wigderson, How to play any mental game, STOC 1987 (Goldreich, Foundations of \
                cryptography II, 2004, section 7.5.2); for two parties: Yao, How to generate and exchange secrets, FOCS \
                1986, with half gates: Zahur, Rosulek, Evans, Two halves make a whole, Eurocrypt 2015, figure 2",
    };

    type Params = Options;
    type Input = Own;
    type Output = Extremes;

    fn admit(submission: Submission) -> Result<(Options, Own), ObjectError> {
        let options = Options::read(submission.parameters, submission.parties)?;
        let own = own(options, submission.data)?;
        Ok((options, own))
    }

    fn cost(params: &Options, all: &Announced) -> Cost {
        let (source, parties, me) = (params.preprocessing, all.parties(), all.me());
        let counts = Size::round(16 * counts(*params)).cost(source, parties);
        let extremes = source.meeting_cost(all) + extremes_cost(source, parties, me, 1);
        counts + extremes + garbled::last_opening(source, parties, me)
    }

    fn present(output: Extremes) -> Result<Value, ConvertError> {
        let entries =
            [("minimum", output.minimum), ("maximum", output.maximum), ("samples", Value::from(output.samples))];
        let omitted = output.omitted.map(|omitted| ("omitted", Value::from(omitted)));
        Ok(Value::map(entries.into_iter().chain(omitted)))
    }

    fn setup(params: &Options) -> Setup {
        params.preprocessing.setup()
    }

    async fn run(party: &mut Party, params: Options, input: Secret<Own>) -> Result<Extremes, ProtocolError> {
        let counted = input.expose();
        let mut mine = vec![u128::from(counted.samples), u128::from(counted.omitted)];
        mine.truncate(counts(params));
        let share = masks::share_of_sum(party, Secret::new(mine));
        let opened = party.open(share).await?;
        let totals = opened.into_iter().map(|total| order::count(total, party.parties()));
        let mut totals = totals.collect::<Result<Vec<_>, _>>()?.into_iter();

        let pooled = extremes(party, params.preprocessing, &[input.expose().extremes]).await?;
        let [Some((least, greatest))] = pooled[..] else { return Err(NOTHING) };
        let number = |code| params.number(code).ok_or(NOTHING);
        Ok(Extremes {
            minimum: number(least)?,
            maximum: number(greatest)?,
            samples: totals.next().unwrap_or_default(),
            omitted: totals.next(),
        })
    }
}

/// The extremes of all parties' columns, from the codes of each party's own; none, where no party has any number.
///
/// Opens these, and nothing else.
pub async fn extremes(
    party: &mut Party,
    source: Source,
    own: &[Option<(u64, u64)>],
) -> Result<Vec<Option<(u64, u64)>>, ProtocolError> {
    if own.is_empty() {
        return Ok(Vec::new());
    }
    // The complement turns the order around. A code that no number has, or that makes no difference, loses to all.
    let least = own.iter().map(|own| own.map_or(u64::MAX, |(least, _)| least));
    let greatest = own.iter().map(|own| own.map_or(u64::MAX, |(_, greatest)| !greatest));
    let mine: Vec<u64> = least.chain(greatest).collect();
    let opened = if garbled::is_chosen(source, party.parties()) {
        let mut garbled = Garbled::connect(party).await?;
        garbled.open(party, Circuit::Smaller, &mine, WIDTH as u32).await?
    } else {
        smallest(party, source, &mine).await?
    };
    let opened = opened.values(WIDTH as u32);

    let (least, greatest) = opened.split_at(own.len());
    let pooled = least.iter().zip(greatest).map(|(least, complement)| (*least, !complement));
    // An empty column ends at the codes that lose, which are out of order.
    Ok(pooled.map(|(least, greatest)| (least <= greatest).then_some((least, greatest))).collect())
}

/// What the party at `me` sends for [`extremes`] of that many columns, before what comes next.
pub fn extremes_cost(source: Source, parties: usize, me: usize, columns: usize) -> Cost {
    if columns == 0 {
        return Cost::default();
    }
    if garbled::is_chosen(source, parties) {
        return Circuit::Smaller.opened_cost(me, 2 * columns, WIDTH as u32);
    }
    let opening = Size::opening(2 * columns * WIDTH);
    (tournament_size(parties, 2 * columns) + opening).cost(source, parties)
}

/// Opens the smallest of each of the numbers, of which every party has one.
async fn smallest(party: &mut Party, source: Source, mine: &[u64]) -> Result<Bits, ProtocolError> {
    let mut gmw = Gmw::connect(party, source, tournament_size(party.parties(), mine.len())).await?;
    let entered = Bits::positions(mine, WIDTH as u32);
    let of = |place| if place == party.me() { entered.clone() } else { Bits::zeros(entered.len()) };
    let numbers = (0..party.parties()).map(of).collect();
    let won = tournament(&mut gmw, party, numbers, mine.len()).await?;
    gmw.open(party, &won).await
}

/// The smallest of each of `count` numbers, of which every party entered one.
async fn tournament(
    gmw: &mut Gmw,
    party: &mut Party,
    mut numbers: Vec<Bits>,
    count: usize,
) -> Result<Bits, ProtocolError> {
    while numbers.len() > 1 {
        let (pairs, rest) = numbers.as_chunks::<2>();
        let [x, y] = [0, 1].map(|side| side_by_side(pairs, side, count));
        let greater = compare::greater(gmw, party, &x, &y, WIDTH).await?;
        let smaller = compare::choose(gmw, party, &greater, &y, &x).await?;
        let winner = |pair| apart(&smaller, pair, pairs.len(), count);
        numbers = (0..pairs.len()).map(winner).chain(rest.iter().cloned()).collect();
    }
    Ok(numbers.pop().unwrap_or_default())
}

fn tournament_size(parties: usize, count: usize) -> Size {
    let levels = std::iter::successors(Some(parties), |left| Some(left.div_ceil(2))).take_while(|left| *left > 1);
    let level = |left: usize| {
        let pairs = left / 2 * count;
        compare::greater_size(pairs, WIDTH) + compare::choose_size(pairs, WIDTH)
    };
    levels.map(level).sum()
}

/// One side of all pairs as one vector, position by position.
fn side_by_side(pairs: &[[Bits; 2]], side: usize, count: usize) -> Bits {
    let parts = (0..WIDTH).flat_map(|position| pairs.iter().map(move |pair| pair[side].slice(position * count, count)));
    Bits::concat(&parts.collect::<Vec<_>>())
}

/// The numbers of one pair out of the vector of all.
fn apart(all: &Bits, pair: usize, pairs: usize, count: usize) -> Bits {
    let parts = (0..WIDTH).map(|position| all.slice((position * pairs + pair) * count, count));
    Bits::concat(&parts.collect::<Vec<_>>())
}

const NOTHING: ProtocolError = ProtocolError::NoResult { why: "there are no numbers, so they have no extremes" };

/// How many counts are summed up.
fn counts(options: Options) -> usize {
    if options.missing == Missing::Omit { 2 } else { 1 }
}

/// A party's own extremes and counts.
fn own(options: Options, data: Value) -> Result<Own, ObjectError> {
    match data {
        Value::List(items) if items.iter().any(|item| matches!(item, Value::Map(_))) => of_records(options, items),
        record @ Value::Map(_) => of_records(options, vec![record]),
        data => {
            let Column { numbers, omitted } = options.codes(data)?;
            let extremes = numbers.iter().min().zip(numbers.iter().max()).map(|(least, greatest)| (*least, *greatest));
            Ok(Own { extremes, samples: numbers.len() as u64, omitted })
        }
    }
}

/// The extremes of records, of which each counts as a sample, and which may stand beside numbers.
fn of_records(options: Options, items: Vec<Value>) -> Result<Own, ObjectError> {
    let mut own = Own { extremes: None, samples: 0, omitted: 0 };
    if items.len() > MOST {
        return Err(wrong(format!("there are more than {MOST} records")));
    }
    for (position, item) in items.into_iter().enumerate() {
        let Some((least, greatest)) = of_record(options, position, item)? else {
            own.omitted += 1;
            continue;
        };
        own.extremes = Some(own.extremes.map_or((least, greatest), |(l, g)| (l.min(least), g.max(greatest))));
        own.samples += 1;
    }
    Ok(own)
}

/// A record's codes; nothing, if it is missing or incomplete, and that may be.
fn of_record(options: Options, position: usize, item: Value) -> Result<Option<(u64, u64)>, ObjectError> {
    let [minimum, maximum] = match item {
        Value::Map(mut entries) => {
            let both = [entries.remove("minimum"), entries.remove("maximum")];
            let [Some(minimum), Some(maximum)] = both else {
                return Err(wrong(format!("the record at position {position} lacks its minimum or its maximum")));
            };
            if let Some(key) = entries.keys().next() {
                return Err(wrong(format!("the record at position {position} has an unknown entry {key:?}")));
            }
            [minimum, maximum]
        }
        number => [number.clone(), number],
    };
    if [&minimum, &maximum].contains(&&Value::Null) {
        options.missing.pass(position)?;
        return Ok(None);
    }
    let at_position = |error| wrong(format!("in the record at position {position}: {error}"));
    let codes = (options.code(minimum).map_err(at_position)?, options.code(maximum).map_err(at_position)?);
    if codes.0 > codes.1 {
        return Err(wrong(format!("the record at position {position} has a minimum above its maximum")));
    }
    Ok(Some(codes))
}

fn wrong(why: impl Into<String>) -> ObjectError {
    ObjectError::argument("data", why)
}

#[cfg(test)]
mod tests;
