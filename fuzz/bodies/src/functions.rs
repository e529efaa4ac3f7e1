//! Every function, with a party that announces and sends what it likes.
//!
//! Its tags are genuine, so only the functions' own checks stand between these bytes and the honest parties. It has the code of
//! an honest party, whose messages pass unchanged, changed, or not at all; and where that has nothing more to say, because it
//! was answered nonsense for nonsense, it still may send whatever the others wait for.

use std::panic;
use std::sync::{Mutex, PoisonError};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use fsc_core::envelope::{Content, Envelope};
use fsc_core::protocol::{Prepared, Submission};
use fsc_core::session::{Deadlines, RunError};
use fsc_core::sim;
use fsc_core::value::{Limits, Value, json};

use crate::federation::{Federation, acquainted, protocol};

/// The longest way of any example to its end, and more.
const MOST_TURNS: usize = 1_000;

/// The most messages of its own making that the hostile party sends.
const MOST_ANSWERS: usize = 64;

/// What an announcement may make an honest party send. More would take its time, as it does with honest parties.
const MOST_BYTES: u64 = 1 << 20;

/// Whatever one party announces and sends, all others end, with a value or with an error that does not blame them; none of them
/// panics, waits for longer than for one deadline, or sends more than is stated.
pub fn functions(data: &[u8]) {
    let mut input = Unstructured::new(data);
    // Where the input ends, the hostile party is an honest one from there on.
    let _ = World::read(&mut input).and_then(|mut world| world.run(&mut input));
}

/// A function, its parameters, and the data of two or three parties. New ones come last, as inputs have their numbers.
type Example = (&'static str, &'static str, &'static [&'static str]);

#[rustfmt::skip]
const EXAMPLES: &[Example] = &[
    ("SecureSum", r#"{"elementwise": true, "missing": "omit"}"#, &["[1.5, null]", "[2, 3]", "[0.25, 1e3]"]),
    ("MinimumMaximum", "null", &["[5, 5.5]", "[-2]"]),
    ("MinimumMaximum", r#"{"missing": "omit"}"#, &["[5, null]", "[-2]", "[7]"]),
    ("MinimumMaximum", r#"{"preprocessing": {"dealer": 2}}"#, &["[5, 5.5]", "[-2]", "[7]"]),
    ("KthElement", r#"{"type": "int64"}"#, &[
        r#"{"array": [3, 9], "rank": 2, "lower_bound": 0, "upper_bound": 15}"#,
        r#"{"array": [1], "rank": 2, "lower_bound": 0, "upper_bound": 15}"#,
    ]),
    ("KthElement", r#"{"type": "int64", "missing": "omit"}"#, &[
        r#"{"array": [3, null], "rank": 2, "lower_bound": 0, "upper_bound": 15}"#,
        r#"{"array": [1], "rank": 2, "lower_bound": 0, "upper_bound": 15}"#,
        r#"{"array": [9], "rank": 2, "lower_bound": 0, "upper_bound": 15}"#,
    ]),
    ("KthElement", r#"{"type": "int64"}"#, &[
        r#"{"array": [3, 9], "rank": 2147483646, "lower_bound": 0, "upper_bound": 15}"#,
        r#"{"array": [1], "rank": 2147483646, "lower_bound": 0, "upper_bound": 15}"#,
    ]),
    ("SecureMedian", "null", &["[1, 100.25, -3]", "[2, -5]"]),
    ("StatisticsUnivariate", "null", &["[1, 0.1]", "[3.5, 7]"]),
    ("StatisticsUnivariate", r#"{"missing": "omit"}"#, &["[-2, 7, null]", "[1, 0.1]", "[3.5]"]),
    ("StatisticsBivariate", "null", &["[[5, 0], [-5, 0]]", "[[10, 20]]"]),
    ("StatisticsBivariate", r#"{"missing": "omit"}"#, &["[[5, 0], [-5, null]]", "[[10, 20]]", "[[-7, 1e300]]"]),
    ("StatisticsFrequency", "null", &[r#"["flu", 5]"#, r#"["flu", "cold"]"#]),
    ("StatisticsFrequency", r#"{"maximum_distinct": 8, "missing": "omit"}"#, &[r#"["flu", null]"#, r#"["flu"]"#, r#"["cold"]"#]),
    ("StatisticsFrequency", r#"{"categories": ["flu", "cold"]}"#, &[r#"["flu"]"#, r#"["flu", "cold"]"#]),
    ("StatisticsFrequency", r#"{"categories": ["flu", "cold"], "minimum_count": 2}"#, &[r#"["flu"]"#, r#"["flu", "cold"]"#]),
    ("StatisticsFrequency", r#"{"categories": ["flu", "cold"], "minimum_count": 2, "missing": "omit"}"#,
        &[r#"["flu"]"#, r#"["flu", "cold"]"#, "[null]"]),
    ("StatisticsContingency", "null", &[r#"[["f", "x"], ["f", "y"]]"#, r#"[["f", "y"]]"#, r#"[["m", 1]]"#]),
    ("StatisticsContingency", r#"{"categories": [["f", "m"], ["x"]]}"#, &[r#"[["f", "x"]]"#, r#"[["m", "x"]]"#]),
    ("SecureMatrixMultiplication", "null", &["[[[3, 2]]]", "[[[1], [-1]]]"]),
    ("SecureMatrixMultiplication", "null", &["[[[1, -1]]]", "[]", "[[[3], [2]]]"]),
    ("SecureMatrixMultiplication", r#"{"preprocessing": {"dealer": 2}}"#, &["[[[1, -1]]]", "[[[3], [2]]]", "[]"]),
    ("StatisticsRegressionOLSVertical", r#"{"intercept": true, "details": true, "allow_few_rows": true}"#,
        &["[[[1], [0], [1], [0]]]", "[[1, 1, 0.5, 0]]"]),
    ("StatisticsRegressionOLSVertical", "null", &["[[[1], [0], [1]]]", "[[1, 1, 0.5]]", "[]"]),
    ("StatisticsRegressionOLSVertical", r#"{"condition": 1, "allow_few_rows": true, "details": true, "intercept": true}"#,
        &["[[[1], [1], [0], [0]], [1, 0.5, 0, 0.25]]", "[[[1], [0], [1], [0]]]"]),
    ("StatisticsRegressionOLSVertical", r#"{"condition": 1, "allow_few_rows": true}"#,
        &["[[[1], [1], [0]]]", "[[[1], [-1], [0]]]", "[[1, 0.5, 0]]"]),
    ("StatisticsRegressionOLSVertical", r#"{"condition": 1, "allow_few_rows": true, "preprocessing": {"dealer": 2}}"#,
        &["[[[1], [1], [0]], [1, 0.5, 0]]", "[[[1], [-1], [0]]]", "[]"]),
    ("StatisticsRegressionOLSVertical", r#"{"allow_few_rows": true}"#, &["[[[1], [0]], [1, 2]]", "[]"]),
];

/// One run, in which all parties but one follow the protocol.
struct World {
    federation: Federation,
    hostile: usize,
    /// Whether the hostile party announced something else than is true.
    lies: bool,
    /// How many of its messages pass unchanged.
    unchanged: u8,
    answers: usize,
}

impl World {
    fn read(input: &mut Unstructured<'_>) -> Result<Self> {
        let (function, parameters, data) = EXAMPLES[input.int_in_range(0..=EXAMPLES.len() - 1)?];
        let parties = data.len();
        let hostile = input.int_in_range(0..=parties - 1)?;
        // Meeting takes more time than all the rest.
        let strangers = input.arbitrary::<u8>()? == u8::MAX;
        let mut prepared: Vec<_> = (0..parties).map(|me| prepare(function, parameters, data, me)).collect();
        let told = announcement(input, &prepared[hostile].announcement)?;
        let lies = told.is_some();
        if let Some(told) = told {
            prepared[hostile].announcement = told;
        }
        let federation = if strangers {
            Federation::new(prepared, &sim::keys(parties, 2))
        } else {
            Federation::new(prepared, acquainted(parties))
        };
        Ok(Self { federation, hostile, lies, unchanged: 0, answers: 0 })
    }

    fn run(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        self.federation.join();
        self.check();
        let too_much = |place: usize| self.federation.sessions[place].progress().expected.bytes > MOST_BYTES;
        if self.lies && self.honest().any(too_much) {
            return Ok(());
        }
        for _ in 0..MOST_TURNS {
            self.take_turns(input)?;
            if self.honest().all(|place| self.federation.outcome(place).is_some()) {
                self.check();
                return Ok(());
            }
            if !self.federation.deliver() && !self.answer(input)? {
                self.federation.let_time_pass();
            }
        }
        panic!("the run does not end");
    }

    fn honest(&self) -> impl Iterator<Item = usize> + use<> {
        let hostile = self.hostile;
        (0..self.federation.sessions.len()).filter(move |place| *place != hostile)
    }

    /// Polls all parties and sends what they say.
    fn take_turns(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        for place in self.honest() {
            for envelope in self.federation.poll(place) {
                self.federation.post(&envelope);
            }
        }
        let said = if self.lies {
            without_alarm(|| self.federation.poll(self.hostile))
        } else {
            self.federation.poll(self.hostile)
        };
        for envelope in said {
            if let Some(envelope) = self.changed(input, envelope)? {
                self.federation.post(&envelope);
            }
        }
        Ok(())
    }

    /// What the hostile party sends in place of what it had to say; that it gets on, or gives up, is not for others to know.
    fn changed(&mut self, input: &mut Unstructured<'_>, envelope: Envelope) -> Result<Option<Envelope>> {
        let to = usize::from(envelope.route.to);
        let mail = match envelope.content {
            Content::Mail(mail) => mail,
            Content::Hello(_) => return Ok(Some(envelope)),
            Content::Beat { .. } | Content::Stop { .. } => return Ok(None),
        };
        if let Some(left) = self.unchanged.checked_sub(1) {
            self.unchanged = left;
        } else {
            let Some(payload) = self.payload(input, &mail.payload)? else { return Ok(None) };
            return Ok(self.federation.sessions[self.hostile].letter(to, mail.channel, mail.sequence, payload));
        }
        Ok(Some(Envelope { content: Content::Mail(mail), ..envelope }))
    }

    fn payload(&mut self, input: &mut Unstructured<'_>, honest: &Bytes) -> Result<Option<Bytes>> {
        let mut bytes = honest.to_vec();
        let length = bytes.len();
        match input.int_in_range(0..=6_u8)? {
            0 => self.unchanged = input.arbitrary()?,
            1 => return Ok(None),
            // One byte, or every so manyth from there on.
            2 => {
                let (start, stride, flips): (u16, u8, u8) = input.arbitrary()?;
                let start = usize::from(start).checked_rem(length).unwrap_or_default();
                every(&mut bytes, start, stride).for_each(|byte| *byte ^= flips);
            }
            // Likewise with elements of the ring that most sums are in.
            3 => {
                let (start, stride, bit): (u8, u8, u8) = input.arbitrary()?;
                for element in every(bytes.as_chunks_mut::<16>().0, start.into(), stride) {
                    *element = u128::from_le_bytes(*element).wrapping_add(1 << (bit % 128)).to_le_bytes();
                }
            }
            4 => bytes.truncate(usize::from(input.arbitrary::<u16>()?) % (length + 1)),
            5 => {
                let more = input.arbitrary::<u8>()?.into();
                bytes.extend(filler(input, more)?);
            }
            _ => bytes = filler(input, length)?,
        }
        Ok(Some(bytes.into()))
    }

    /// Sends an honest party some bytes for each message that it waits for; whether there are any.
    fn answer(&mut self, input: &mut Unstructured<'_>) -> Result<bool> {
        let mut answered = false;
        for to in self.honest() {
            for (channel, sequence) in self.federation.sessions[to].awaits(self.hostile) {
                if self.answers == MOST_ANSWERS || input.is_empty() {
                    return Ok(answered);
                }
                let length = input.arbitrary::<u16>()?.into();
                let payload = filler(input, length)?.into();
                if let Some(letter) = self.federation.sessions[self.hostile].letter(to, channel, sequence, payload) {
                    self.federation.post(&letter);
                }
                self.answers += 1;
                answered = true;
            }
        }
        Ok(answered)
    }

    fn check(&self) {
        // Those who wait for the hostile party give up at the same time, and the others hear of it.
        assert!(self.federation.took() <= Deadlines::default().silence, "the others wait one for another");
        // It is answered as if it had sent what it did not: to its code, the others are those that deviate.
        let broken = matches!(self.federation.outcome(self.hostile), Some(Err(RunError::Broken(_))));
        assert!(self.lies || !broken, "it trips over answers to what it never said");
        for place in self.honest() {
            self.federation.check(place);
            if let Some(Err(error)) = self.federation.outcome(place) {
                let is_malformed = error.code() == 502;
                assert!(!is_malformed || error.culprits() == [self.hostile], "an honest party is blamed: {error}");
            }
        }
    }
}

/// A party's part in an example.
fn prepare(function: &str, parameters: &str, data: &[&str], me: usize) -> Prepared {
    let value = |text: &str| json::parse(text.as_bytes(), &LIMITS).expect("examples are JSON");
    let submission = Submission { data: value(data[me]), parameters: value(parameters), parties: data.len(), me };
    let protocol = protocol(function).expect("examples are of functions that there are");
    protocol.prepare(submission).expect("examples are admitted")
}

const LIMITS: Limits = Limits { depth: 16, nodes: 256 };

/// What is announced in place of the truth, if anything is: that with other numbers, or something else.
fn announcement(input: &mut Unstructured<'_>, truth: &Value) -> Result<Option<Value>> {
    Ok(match input.int_in_range(0..=3_u8)? {
        0 | 1 => None,
        2 => Some(renumbered(input, truth)?),
        _ => {
            let length = usize::from(input.arbitrary::<u8>()?).min(input.len());
            json::parse(input.bytes(length)?, &LIMITS).ok()
        }
    })
}

fn renumbered(input: &mut Unstructured<'_>, value: &Value) -> Result<Value> {
    Ok(match value {
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| Ok((key.clone(), renumbered(input, value)?)));
            Value::Map(entries.collect::<Result<_>>()?)
        }
        Value::Int(number) => match input.int_in_range(0..=3_u8)? {
            0 => Value::Int(*number),
            1 => Value::Int(input.arbitrary::<i16>()?.into()),
            // Next to a power of two.
            _ => {
                let power = 1_i128 << input.int_in_range(0..=66_u8)?;
                let number = power + i128::from(input.int_in_range(-1..=1_i8)?);
                Value::Int(if input.arbitrary()? { -number } else { number })
            }
        },
        other => other.clone(),
    })
}

/// That one, or every so manyth from there on.
fn every<T>(all: &mut [T], start: usize, stride: u8) -> impl Iterator<Item = &mut T> {
    let step = if stride == 0 { all.len().max(1) } else { stride.into() };
    all.iter_mut().skip(start).step_by(step)
}

fn filler(input: &mut Unstructured<'_>, length: usize) -> Result<Vec<u8>> {
    Ok(input.arbitrary::<[u8; 8]>()?.into_iter().cycle().take(length).collect())
}

/// Does what may trip over its own lies: a session catches that, but the fuzzer would take it for a finding.
fn without_alarm<T>(action: impl FnOnce() -> T) -> T {
    static HOOK: Mutex<()> = Mutex::new(());
    let _one_at_a_time = HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let result = action();
    panic::set_hook(hook);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(data: &[u8]) -> World {
        let mut input = Unstructured::new(data);
        let mut world = World::read(&mut input).unwrap();
        world.run(&mut input).unwrap();
        world
    }

    #[test]
    fn every_function_has_an_example() {
        for name in fsc_protocols::PROTOCOLS {
            assert!(EXAMPLES.iter().any(|(function, ..)| function == name), "{name}");
        }
    }

    #[test]
    fn a_party_that_deviates_from_nothing_spoils_nothing() {
        for (number, (function, _, data)) in EXAMPLES.iter().enumerate() {
            for hostile in 0..data.len() {
                let world = ended(&[number as u8, hostile as u8]);
                for outcome in world.honest().map(|place| world.federation.outcome(place).unwrap()) {
                    let no_such_rank =
                        |error: &RunError| *function == "KthElement" && error.to_string().contains("rank is greater");
                    assert!(
                        outcome.as_ref().err().is_none_or(no_such_rank),
                        "{function}: {:?}",
                        outcome.as_ref().err()
                    );
                }
            }
        }
    }

    #[test]
    fn what_the_others_wait_for_can_be_answered() {
        let answer = [48, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        let world = ended(&[&[0, 2, 0, 0, 1, 1][..], &answer, &answer].concat());
        let waited_in_vain = |place| matches!(world.federation.outcome(place), Some(Err(error)) if error.code() == 504);
        assert!(world.answers == 2 && !world.honest().any(waited_in_vain));
    }

    #[test]
    #[should_panic(expected = "an honest party is blamed")]
    fn blame_of_an_honest_party_is_noticed() {
        let mut world = ended(&[2, 2, 0, 0, 4, 0, 0]);
        world.hostile = 1;
        world.check();
    }
}
