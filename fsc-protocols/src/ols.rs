//! `StatisticsRegressionOLSVertical`: ordinary least squares, where parties hold different columns of the same rows.
//!
//! Every party decomposes its own columns, X_j = Q_j·R_j. R_j stays there, and so does Q_j; with g the coefficients of y in the bases
//! Q_j, which party j alone learns its block of, β_j = R_j^-1·g_j, and that is published.
//!
//! * Columns at one party, y at another: g = Q'y, one product ([`linear::product`](crate::linear::product)), opened to the owner
//!   of the columns, who so learns Rβ. The owner of y leaves the lowest bits of its share out: of Q'y, that tells an interval of 2^-64, whose
//!   ends depend on the other share, and nothing else. For details the owner of the columns is told y'y, which follows from these.
//! * Columns at several parties, y at any: [`linear::solve`](crate::linear::solve).
//!
//! The data of a party is a list of what it has: `[X]`, `[y]`, `[X, y]`, or `[]` or null for nothing; X is a list of rows, y a list
//! of numbers. Rows correspond by position. All parties learn `mle`, the coefficients as a matrix of one column, in order of
//! place, after the intercept if there is one.
//!
//! `parameters`:
//! * `intercept`: whether a column of ones, which nobody gives, comes first. Columns are centred then by their owners. Default false.
//! * `details`: whether `standard_errors`, `t`, two-sided `p` and `r_squared` are returned, too, with n − p degrees of freedom; R² is
//!   of centred numbers with an intercept, uncentred without, as in R. Standard errors and R² are opened, the rest follows; the
//!   standard error of the residuals does not, and is not returned. With an intercept and columns at several parties, means must be below 2^20 · √n times the
//!   spread. Default false.
//! * `allow_few_rows`: whether there may be fewer than five rows more than coefficients. Then β nearly or entirely gives y away to who
//!   has the columns. Default false; but with no parameters at all, as the reference has it, true, and `notes` warns.
//! * `condition`: up to which condition c columns of different parties may depend on one another, 10^6 by default and 2^20 at most: the
//!   reciprocal of the smallest eigenvalue of the matrix of blocks Q_i'Q_j. What is beyond 2c is refused.
//! * `missing`: `"error"`, the default: null is an error that names row and column. It cannot be `"omit"`: an incomplete row would have
//!   to be left out at all parties, which would tell them which rows are incomplete. Parties that may know that leave them out
//!   themselves, at the same positions.
//! * `preprocessing`: `{"dealer": place}` for a dealer whom all trust, instead of oblivious transfer.
//!
//! The error of g, and of the variances and R² that errors are made of, is about 2^-60 times the condition times the length of y; that of
//! bases, R_j^-1 and y'y is that of floats. Standard errors are relative to what is unexplained: where that is a part of 10^-6,
//! they are exact to 10^-9 or so.
//!
//! # Security
//!
//! Semi-honest adversary, any n − 1 parties corrupt, no trusted third party, but with a dealer, whom all others trust. Masks of numbers
//! that are opened on the way hide them statistically: all of them together, in a run, at distance 2^-40.
//!
//! # Leakage
//!
//! The number of rows and of each party's columns, who has y, and the power of two next to the length of y (centred, with an
//! intercept). Beyond the output, with columns at one party: R·β to 64 bits behind the point, for columns and a y of length 1, where the
//! output has 53 bits of each coefficient, to their owner. With columns at several parties: the last bits of what is opened to a party of
//! its own coefficients and their errors, as far as they are rounding, depend on all data; and one bit, that a computation was refused
//! because columns of different parties are too nearly dependent.
//!
//! **The output may give y away, and not only with hardly more rows than coefficients.** Who knows all columns learns from β one weighted sum of
//! y for each, to some 53 bits (their owner to some 64). If y has few distinct values, that tells which y it is: of the 2^n vectors of
//! zeros and ones, 53 bits for each of p coefficients leave one as long as n is below 53·p or so, whatever
//! `allow_few_rows` says. For small n it is found by trial, otherwise by reducing lattices (Lagarias and Odlyzko, "Solving
//! low-density subset sum problems", J. ACM 32, 1985). It takes columns of many digits: where they are of few distinct values, too, many
//! y have the same sums.
//!
//! # Wire
//!
//! Columns at one party: three messages one after the other, between the two owners: choices, corrections with a share (and y'y), and the
//! coefficients.
//!
//! Columns at several: with s steps, 17 for two parties and the default condition, s + 1 openings of k(k + 1)/2 + k·m elements of 32 bytes
//! for k columns, m being 1, with details k + 1, with these and an intercept k + 2; details take two more, of k + 1 or k + 2 elements. What is
//! opened in the end takes 16 bytes each. The one bit takes a circuit, most of it beside the first openings, and 6 rounds. That is 28 rounds for
//! two parties, and 30 with details. Before the openings, in batches of 64 MiB, 2 rounds each (more where a product takes several
//! windows): oblivious transfer of about 3.7·k²·(k + 2m) KiB for each step and each pair, and 2 KiB for each row and each pair of columns
//! of two parties, y among them.
//!
//! # Differences from the reference
//!
//! The reference sends a projection of y to the owner of X, has two parties, X at the first and y at the second, and no
//! more than the coefficients.

use std::collections::BTreeMap;

use bytes::Bytes;
use fsc_core::object::ObjectError;
use fsc_core::party::{Party, pieces_of};
use fsc_core::protocol::{
    Adversary, Announced, Corruptions, Cost, Protocol, ProtocolError, Security, Setup, Submission,
};
use fsc_core::secret::Secret;
use fsc_core::value::{Array, ConvertError, Value, from_value, to_value};
use serde::{Deserialize, Serialize};

use crate::algebra::ring::{Ring, times_power_of_two};
use crate::data::Missing;
use crate::linear::matrix::dot;
use crate::linear::product::{self, Factor, Product, zeros};
use crate::linear::solve::{Block, Errors, NOTHING_TO_EXPLAIN, Solution, System};
use crate::linear::{scaling, student};
use crate::preprocessing::Source;
use crate::sharing::additive::Additive;

mod local;

pub use local::Local;

/// The protocol; see the module's documentation.
pub struct StatisticsRegressionOLSVertical;

/// What all parties must agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Whether there is an intercept.
    #[serde(default)]
    pub intercept: bool,
    /// Whether standard errors and what follows from them are returned.
    #[serde(default)]
    pub details: bool,
    /// Whether there may be hardly more rows than coefficients.
    #[serde(default)]
    pub allow_few_rows: bool,
    /// The largest accepted condition among columns of different parties.
    #[serde(default = "Params::default_condition")]
    pub condition: u32,
    /// What becomes of missing numbers; they cannot be omitted.
    #[serde(default)]
    pub missing: Missing,
    /// Where correlated randomness comes from.
    #[serde(default)]
    pub preprocessing: Source,
}

impl Params {
    const MOST_CONDITION: u32 = 1 << 20;

    fn default_condition() -> u32 {
        1_000_000
    }

    fn read(parameters: Value, parties: usize) -> Result<Self, ObjectError> {
        let wrong = |why: String| ObjectError::argument("parameters", why);
        let (parameters, compatible) = match parameters {
            Value::Null => (Value::Map([].into()), true),
            given => (given, false),
        };
        let mut params: Self = from_value(parameters).map_err(|error| wrong(error.to_string()))?;
        params.allow_few_rows |= compatible;
        if !(1..=Self::MOST_CONDITION).contains(&params.condition) {
            return Err(wrong(format!("condition must be from 1 to {}", Self::MOST_CONDITION)));
        }
        params.missing.refuse_to_omit()?;
        params.preprocessing.check(parties)?;
        Ok(params)
    }
}

/// What every party learns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Output {
    /// The coefficients.
    pub mle: Vec<f64>,
    /// Their errors and what follows, if asked for.
    pub details: Option<Details>,
    /// What to beware of, by key.
    pub notes: BTreeMap<&'static str, &'static str>,
}

/// How sure the coefficients are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Details {
    /// The number of rows.
    pub samples: usize,
    /// n − p.
    pub degrees_of_freedom: usize,
    /// The part of the sum of squares that is explained; none if there is nothing to explain.
    pub r_squared: Option<f64>,
    /// The standard errors of the coefficients; none without degrees of freedom, as what follows.
    pub standard_errors: Option<Vec<f64>>,
    /// The coefficients over their standard errors.
    pub t: Option<Vec<Option<f64>>>,
    /// The two-sided probabilities of such t.
    pub p: Option<Vec<Option<f64>>>,
}

impl Protocol for StatisticsRegressionOLSVertical {
    const NAME: &'static str = "StatisticsRegressionOLSVertical";
    const VERSION: u16 = 1;
    const SECURITY: Security = Security {
        adversary: Adversary::SemiHonest,
        corruptions: Corruptions::AllButOne,
        setup: Setup::PairwiseKeys,
        leakage: &[
            "the number of rows and of each party's columns, and who has the dependent variable",
            "the power of two next to the length of the dependent variable",
            "with hardly more rows than columns, the dependent variable follows from the coefficients; if it has few distinct values, \
             as 0 and 1, it does so up to about 53 rows for each column",
            "with columns at one party: to their owner, what coefficients are made of, to 64 bits behind the point",
            "with columns at several parties: the last bits of a party's own coefficients and variances before it publishes them, and one \
             bit, whether columns of different parties are too nearly dependent",
            "everything, to a dealer that the parameters name",
        ],
        paper: "the iteration: Pan and Schreiber, An improved Newton iteration for the generalized inverse of a \
                matrix, SIAM J. Sci. Stat. Comput. 12, 1991; numbers: Catrina and Saxena, Secure computation with \
                fixed-point numbers, FC 2010, protocol 3.1; products: Gilboa, Two party RSA key generation, CRYPTO 1999, \
                section 4.1",
    };

    type Params = Params;
    type Input = Local;
    type Output = Output;

    fn admit(submission: Submission) -> Result<(Params, Local), ObjectError> {
        let params = Params::read(submission.parameters, submission.parties)?;
        let local = Local::read(&submission.data, params.intercept)?;
        Ok((params, local))
    }

    fn present(output: Output) -> Result<Value, ConvertError> {
        let rows = output.mle.len();
        let column = Array::from_f64(output.mle).map_err(|_| ConvertError::NotFinite)?;
        let column = column.reshape(vec![rows, 1]).map_err(|error| ConvertError::Custom(error.to_string()))?;
        let mut result = BTreeMap::from([("mle".to_owned(), Value::Array(column))]);
        if let Some(details) = &output.details
            && let Value::Map(details) = to_value(details)?
        {
            result.extend(details);
        }
        if !output.notes.is_empty() {
            result.insert("notes".to_owned(), to_value(&output.notes)?);
        }
        Ok(Value::Map(result))
    }

    fn announce(_: &Params, input: &Local) -> Value {
        to_value(&Announcement::of(input)).expect("numbers are a value")
    }

    fn cost(params: &Params, all: &Announced) -> Cost {
        // Parties that can't agree send nothing.
        Plan::new(params, all).map_or(Cost::default(), |plan| {
            let meeting = match plan.way() {
                Way::Alone => Cost::default(),
                Way::Product(_) | Way::Solve => params.preprocessing.meeting_cost(all),
            };
            meeting + plan.cost(all.me(), all.parties())
        })
    }

    fn setup(params: &Params) -> Setup {
        params.preprocessing.setup()
    }

    async fn run(party: &mut Party, params: Params, input: Secret<Local>) -> Result<Output, ProtocolError> {
        let plan = Plan::new(&params, party.announced())?;
        let local = input.into_inner();
        let channel = party.fork("attendance");
        product::attended(channel, plan.run(party, &local)).await
    }
}

/// What the others may know of a party's data.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Announcement {
    rows: usize,
    columns: usize,
    /// The power of two above the length of y.
    exponent: Option<i32>,
}

impl Announcement {
    fn of(local: &Local) -> Self {
        let exponent = local.y.as_ref().map(|y| y.exponent);
        Self { rows: local.rows, columns: local.columns.len(), exponent }
    }

    /// Without rows, too, columns are bounded, so that whatever is added up or multiplied below is.
    fn is_plausible(self) -> bool {
        let size = self.columns.checked_add(1).and_then(|width| width.checked_mul(self.rows));
        size.is_some_and(|size| size.max(self.columns) <= local::MOST_ELEMENTS)
            && self.exponent.is_none_or(|exponent| (-2200..=2200).contains(&exponent))
    }
}

/// The most columns where several parties have some.
const MOST_SPREAD_COLUMNS: usize = 32;

/// How many more rows than coefficients there have to be, unless fewer are allowed.
const MARGIN: usize = 5;

/// What follows from the announcements.
struct Plan {
    params: Params,
    system: System,
    /// The power of two above the length of y.
    exponent: i32,
}

/// How the coefficients come about.
enum Way {
    /// One party has all.
    Alone,
    /// One party has all columns, another y.
    Product(Product),
    /// Several parties have columns.
    Solve,
}

impl Plan {
    fn new(params: &Params, all: &Announced) -> Result<Self, ProtocolError> {
        let no_result = |why| Err(ProtocolError::NoResult { why });
        let (mut blocks, mut owners, mut heights): (Vec<Block>, Vec<(usize, i32)>, Vec<usize>) = Default::default();
        let mut coefficients = 0;
        for place in 0..all.parties() {
            let announced: Announcement = all.of(place)?;
            if !announced.is_plausible() {
                return Err(ProtocolError::Malformed { party: place, why: "it announced an impossible shape" });
            }
            if announced.columns > 0 {
                blocks.push(Block { place, start: coefficients, columns: announced.columns });
                coefficients += announced.columns;
            }
            owners.extend(announced.exponent.map(|exponent| (place, exponent)));
            if announced.columns > 0 || announced.exponent.is_some() {
                heights.push(announced.rows);
            }
        }
        let [(owner, exponent)] = owners[..] else {
            return no_result("one party must have the dependent variable, and no other");
        };
        if blocks.is_empty() {
            return no_result("a party must have columns to regress on");
        }
        let rows = heights.first().copied().unwrap_or_default();
        if heights.iter().any(|height| *height != rows) {
            return no_result("all parties must have equally many rows");
        }
        let coefficients = coefficients + usize::from(params.intercept);
        if rows < coefficients {
            return no_result("there are fewer rows than coefficients");
        }
        if rows < coefficients + MARGIN && !params.allow_few_rows {
            return no_result(
                "with fewer than five rows more than coefficients, these nearly give the dependent variable away; \
                 see parameters.allow_few_rows",
            );
        }
        let mut data: Vec<usize> = blocks.iter().map(|block| block.place).collect();
        data.push(owner);
        let source = params.preprocessing;
        let among = product::with_dealer(source, &data);
        let errors = match (params.details, params.intercept) {
            (false, _) => Errors::None,
            (true, false) => Errors::Columns,
            (true, true) => Errors::Intercept,
        };
        let system = System { among, blocks, owner, rows, condition: params.condition, errors, source };
        let plan = Self { params: params.clone(), system, exponent };
        if plan.system.blocks.len() > 1 {
            if coefficients > MOST_SPREAD_COLUMNS {
                return no_result("there are too many columns for several parties: 32 at most");
            }
            if !plan.system.is_feasible() {
                return no_result(
                    "there are too many parties with columns for such a condition; see parameters.condition",
                );
            }
        }
        Ok(plan)
    }

    fn way(&self) -> Way {
        match self.system.blocks[..] {
            [block] if block.place == self.system.owner => Way::Alone,
            [block] => Way::Product(Product {
                left: block.place,
                right: self.system.owner,
                rows: block.columns,
                inner: self.system.rows,
                columns: 1,
                bits: ENTRY as u32 + 2,
            }),
            _ => Way::Solve,
        }
    }

    async fn run(&self, party: &mut Party, local: &Local) -> Result<Output, ProtocolError> {
        let solution = match self.way() {
            Way::Alone => local.own_projection().map(|(g, square)| self.solved(local, g, square)).unwrap_or_default(),
            Way::Product(product) => self.project(party, product, local).await?,
            Way::Solve => {
                let panel = local.panel(self.system.errors);
                if !panel.fits() {
                    let why = "the means are too large for the standard error of an intercept: subtract about as much"
                        .to_owned();
                    return Err(ProtocolError::Output { why });
                }
                self.system.solve(party, &panel).await?
            }
        };
        self.publish(party, local, &solution).await
    }

    fn cost(&self, me: usize, parties: usize) -> Cost {
        // Whose message is the last of all has nothing to wait for any more.
        let publishes_last = match self.way() {
            Way::Alone => self.system.among == [me],
            Way::Product(product) => product.left == me,
            Way::Solve => false,
        };
        let attendance = product::attendance(parties, publishes_last);
        let takes_part = self.system.among.contains(&me);
        let learns = self.system.blocks.iter().any(|block| block.place == me);
        let found = match self.way() {
            Way::Alone => Cost::default(),
            Way::Product(product) => self.cost_of_projection(me, product),
            Way::Solve => self.system.cost(me, parties),
        };
        if !takes_part {
            return found + attendance;
        }
        // Who learns nothing publishes in the round in which it opened what others learn.
        let waits = learns || found.rounds == 0 || self.is_opened_to_all();
        let (others, intercept) = (parties as u64 - 1, u64::from(self.params.intercept));
        let bytes = 8 * self.numbers_of(me) as u64 + 16 * intercept;
        let publishing = Cost { rounds: u32::from(waits), messages: others * (1 + intercept), bytes: others * bytes };
        let all = found + attendance + publishing;
        match self.way() {
            Way::Solve => Cost { rounds: self.system.rounds_of_two(me, parties, 1).unwrap_or(all.rounds), ..all },
            _ => all,
        }
    }

    fn cost_of_projection(&self, me: usize, product: Product) -> Cost {
        let mut share = Cost::default();
        if self.system.among.contains(&me) && me != product.left {
            let bytes = 16 * product.rows as u64;
            share = Cost { rounds: 1, messages: pieces_of(bytes as usize) as u64, bytes };
            if self.params.details && me == product.right {
                share = share + Cost { rounds: 0, messages: 1, bytes: 8 };
            }
        }
        let source = self.system.source;
        product::then(source, me, &[product], product::cost::<u128>(source, me, &[product]), share)
    }

    /// Opens Q'y to the owner of the columns, and tells it y'y if there are to be details, which it can work out from them.
    async fn project(&self, party: &mut Party, product: Product, local: &Local) -> Result<Solution, ProtocolError> {
        let integers = |vectors: &[&[f64]]| scaling::integers(&vectors.concat(), ENTRY);
        let factor = match (&local.qr, &local.y) {
            (Some(qr), _) if party.me() == product.left => {
                Factor::Left(integers(&qr.q.iter().map(Vec::as_slice).collect::<Vec<_>>()))
            }
            (_, Some(y)) if party.me() == product.right => {
                Factor::Right(integers(&[&y.numbers]).into_iter().map(u128::of).collect())
            }
            _ => Factor::Neither,
        };
        let shares = product::products(party, self.system.source, vec![(product, factor)]).await?;
        let mut share = shares.into_iter().flatten().next().unwrap_or_else(|| vec![0; product.rows]);
        if party.me() == product.right {
            // What is opened is less by as much, and says less of y: in which interval of that width, set by the other share, Q'y is.
            for element in &mut share {
                *element &= u128::MAX << UNUSED;
            }
        }
        let mut aside = party.fork("square");
        if let (Some(y), true) = (&local.y, self.params.details && party.me() == product.right) {
            aside.send(product.left, Bytes::copy_from_slice(&dot(&y.numbers, &y.numbers).to_le_bytes()));
        }
        let opened = party.reveal(Additive::new(share), &self.system.among, &[product.left]).await?;
        let Some(opened) = opened else { return Ok(Solution::default()) };
        let g = opened.into_iter().map(|sum| sum.to_f64(2 * ENTRY)).collect();
        if !self.params.details {
            return Ok(Solution { g, ..Solution::default() });
        }
        let bytes = aside.recv(product.right).await?;
        let square = f64_of(&bytes).filter(|square| (0.0..=1.0).contains(square));
        let square =
            square.ok_or(ProtocolError::Malformed { party: product.right, why: "it told no sum of squares" })?;
        Ok(self.solved(local, g, square))
    }

    /// What the owner of all columns learns.
    fn solved(&self, local: &Local, g: Vec<f64>, square: f64) -> Solution {
        if self.params.details {
            local.solution(g, square, self.params.intercept)
        } else {
            Solution { g, ..Solution::default() }
        }
    }

    /// Whether there are numbers that shares are opened of to all, and that nobody has to publish.
    fn is_opened_to_all(&self) -> bool {
        self.params.details && matches!(self.way(), Way::Solve)
    }

    /// Says what is the output, and hears it from all others.
    async fn publish(&self, party: &mut Party, local: &Local, solution: &Solution) -> Result<Output, ProtocolError> {
        let (me, among) = (party.me(), &self.system.among);
        let mut mine = local.coefficients(&solution.g);
        if self.params.details {
            mine.extend(local.standard_errors(&solution.variances, self.freedom()));
            if !self.is_opened_to_all() {
                mine.extend(solution.unexplained.into_iter().chain(solution.intercept));
            }
        }
        let bytes: Bytes = mine.iter().flat_map(|number| number.to_le_bytes()).collect();
        if among.contains(&me) {
            for other in party.others() {
                party.send(other, bytes.clone());
            }
        }
        let intercept = if self.params.intercept {
            // On a channel of its own: what was published above is heard below.
            Some(self.open_intercept(&mut party.fork("intercept"), local, &solution.g).await?)
        } else {
            None
        };
        let mut heard = party.recv_each(among.iter().copied().filter(|place| *place != me)).await?;
        heard[me] = bytes;
        let mut said = Vec::with_capacity(heard.len());
        for (place, bytes) in heard.iter().enumerate() {
            said.push(self.numbers(place, bytes)?);
        }
        self.output(intercept, said, solution)
    }

    /// ȳ − Σ x̄_j'β_j, of which every party knows a term, in units of 2^exponent.
    async fn open_intercept(&self, party: &mut Party, local: &Local, g: &[f64]) -> Result<f64, ProtocolError> {
        let among = &self.system.among;
        let term = local.intercept_term(g);
        if term.is_nan() || term.abs() >= 2_f64.powi(52) {
            return Err(ProtocolError::Output { why: "the means are too large for an intercept".to_owned() });
        }
        let mut share = zeros::<u128>(party, among, 1);
        share[0] = share[0].wrapping_add(scaling::integers(&[term], 64)[0] as u128);
        let all: Vec<usize> = (0..party.parties()).collect();
        let opened = party.reveal(Additive::new(share), among, &all).await?.unwrap_or_default();
        Ok(opened.first().map_or(0.0, |sum| sum.to_f64(64 - self.exponent)))
    }

    /// How many numbers a party says.
    fn numbers_of(&self, place: usize) -> usize {
        let Some(block) = self.system.blocks.iter().find(|block| block.place == place) else { return 0 };
        match (self.params.details, self.is_opened_to_all()) {
            (false, _) => block.columns,
            (true, true) => 2 * block.columns,
            (true, false) => 2 * block.columns + 1 + usize::from(self.params.intercept),
        }
    }

    fn numbers(&self, place: usize, bytes: &[u8]) -> Result<Vec<f64>, ProtocolError> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        if numbers.len() != self.numbers_of(place) || !rest.is_empty() {
            return Err(ProtocolError::Malformed { party: place, why: "it published another number of coefficients" });
        }
        Ok(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect())
    }

    /// n − p.
    fn freedom(&self) -> usize {
        let columns: usize = self.system.blocks.iter().map(|block| block.columns).sum();
        self.system.rows - columns - usize::from(self.params.intercept)
    }

    /// Of each block: its coefficients, its standard errors, and from the owner of all columns, what shares are opened of otherwise.
    fn output(
        &self,
        intercept: Option<f64>,
        said: Vec<Vec<f64>>,
        solution: &Solution,
    ) -> Result<Output, ProtocolError> {
        let (mut mle, mut errors) = (Vec::from_iter(intercept), Vec::new());
        let mut whole: Vec<f64> = solution.unexplained.into_iter().chain(solution.intercept).collect();
        let mut said = said;
        for block in &self.system.blocks {
            let mut numbers = std::mem::take(&mut said[block.place]).into_iter();
            mle.extend(numbers.by_ref().take(block.columns).map(|number| self.unscaled(number)));
            errors.extend(numbers.by_ref().take(block.columns).map(|number| self.unscaled(number)));
            if numbers.len() > 0 {
                whole = numbers.collect();
            }
        }
        if mle.iter().any(|coefficient| !coefficient.is_finite()) {
            return Err(ProtocolError::Output { why: "a coefficient is too large for a float".to_owned() });
        }
        let of_intercept = whole.get(1).map(|variance| self.unscaled(local::standard_error(*variance, self.freedom())));
        let errors: Vec<f64> = of_intercept.into_iter().chain(errors).collect();
        let details = whole.first().map(|unexplained| self.details(&mle, errors, *unexplained));
        let notes = self.notes(details.as_ref());
        Ok(Output { mle, details, notes })
    }

    /// What to beware of, and why something is null.
    fn notes(&self, details: Option<&Details>) -> BTreeMap<&'static str, &'static str> {
        let mut notes = BTreeMap::new();
        if self.freedom() < MARGIN {
            let why = "there are hardly more rows than coefficients: who has the columns learns the dependent variable from them";
            notes.insert("mle", why);
        }
        let Some(details) = details else { return notes };
        if details.standard_errors.is_none() {
            notes.extend(["standard_errors", "t", "p"].map(|key| (key, "there are as many coefficients as rows")));
        }
        if details.t.iter().flatten().any(Option::is_none) {
            notes.extend(["t", "p"].map(|key| (key, "a standard error is zero")));
        }
        if details.r_squared.is_none() {
            let why = if self.params.intercept {
                "the dependent variable is constant"
            } else {
                "the dependent variable is zero"
            };
            notes.insert("r_squared", why);
        }
        notes
    }

    /// A number in units of y's power of two.
    fn unscaled(&self, number: f64) -> f64 {
        times_power_of_two(number, self.exponent)
    }

    fn details(&self, mle: &[f64], errors: Vec<f64>, unexplained: f64) -> Details {
        let freedom = self.freedom();
        let standard_errors = Some(errors).filter(|_| freedom > 0);
        let t: Option<Vec<Option<f64>>> = standard_errors.as_ref().map(|errors| {
            mle.iter().zip(errors).map(|(number, error)| Some(number / error).filter(|t| t.is_finite())).collect()
        });
        let p = t.as_ref().map(|t| t.iter().map(|t| t.map(|t| student::two_sided(t, freedom as f64))).collect());
        Details {
            samples: self.system.rows,
            degrees_of_freedom: freedom,
            r_squared: (unexplained < NOTHING_TO_EXPLAIN - 0.5).then(|| 1.0 - unexplained.clamp(0.0, 1.0)),
            standard_errors,
            t,
            p,
        }
    }
}

fn f64_of(bytes: &[u8]) -> Option<f64> {
    Some(f64::from_le_bytes(bytes.try_into().ok()?))
}

/// Bits behind the point of Q and y, whose elements are 1 at most.
const ENTRY: i32 = 62;

/// The lowest bits of Q'y, which are not opened: 64 behind the point are more than coefficients need.
const UNUSED: i32 = 2 * ENTRY - 64;

#[cfg(test)]
mod tests;
