//! Statistics by name, and why some of them are undefined.

use std::collections::BTreeMap;

use fsc_core::value::Value;

/// Results, in the making.
#[derive(Default)]
pub(crate) struct Results {
    entries: BTreeMap<String, Value>,
    notes: BTreeMap<String, Value>,
}

/// A statistic, or why there is none.
pub(crate) type Statistic = Result<f64, &'static str>;

impl Results {
    /// Adds a statistic: `null` with a note if it is undefined, or larger than binary64 can hold.
    pub(crate) fn put(&mut self, name: &str, statistic: Statistic) {
        let value = match statistic {
            Ok(number) if number.is_finite() => Value::Float(number),
            Ok(_) => self.note(name, "the value is too large for a 64-bit float"),
            Err(why) => self.note(name, why),
        };
        self.entries.insert(name.to_owned(), value);
    }

    /// Adds what is no statistic.
    pub(crate) fn insert(&mut self, name: &str, value: Value) {
        self.entries.insert(name.to_owned(), value);
    }

    /// Adds what is no statistic, or says why it is not there.
    pub(crate) fn offer(&mut self, name: &str, value: Result<Value, &'static str>) {
        match value {
            Ok(value) => self.insert(name, value),
            Err(why) => self.notes.extend([(name.to_owned(), why.into())]),
        }
    }

    /// Adds a count, if there is one.
    pub(crate) fn count(&mut self, name: &str, count: Option<u64>) {
        self.entries.extend(count.map(|count| (name.to_owned(), count.into())));
    }

    /// All of it; `notes` are there if something is undefined.
    pub(crate) fn finish(mut self) -> Value {
        if !self.notes.is_empty() {
            self.entries.insert("notes".to_owned(), Value::Map(self.notes));
        }
        Value::Map(self.entries)
    }

    /// The null of something that is there, and why it is.
    pub(crate) fn note(&mut self, name: &str, why: &str) -> Value {
        self.notes.insert(name.to_owned(), why.into());
        Value::Null
    }
}

/// The statistic if `defined`.
pub(crate) fn only_if(defined: bool, why: &'static str, statistic: impl FnOnce() -> f64) -> Statistic {
    if defined { Ok(statistic()) } else { Err(why) }
}
