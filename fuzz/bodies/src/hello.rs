//! Hellos, and how they differ.

use std::collections::BTreeMap;

use bytes::Bytes;
use fsc_core::joining::{Hello, MOST_PARTIES, Spec};
use fsc_core::protocol::{Announced, Protocol};
use fsc_core::value::{Value, from_value};
use fsc_protocols::frequency::StatisticsFrequency;
use fsc_protocols::linear::matrix::Matrix;
use fsc_protocols::matrix_product::SecureMatrixMultiplication;
use fsc_protocols::ols::{Local, StatisticsRegressionOLSVertical};
use fsc_protocols::tally::{Params, Records};

/// Any bytes are a hello or an error. What a hello says comes back from its own encoding, and how it differs from mine
/// can be said in bounded words. What it announces, every function that hears announcements takes or refuses at once.
pub fn hello(data: &[u8]) {
    let Ok(hello) = Hello::decode(Bytes::copy_from_slice(data)) else { return };
    assert!(hello.spec.parties.len() <= MOST_PARTIES);
    let mine = Hello::new(hello.nonce, hello.key, hello.spec.clone(), hello.announced.clone(), hello.held.clone());
    let again = Hello::decode(mine.encoded).expect("a node reads its own hellos");
    assert_eq!((again.nonce, again.key, &again.spec), (hello.nonce, hello.key, &hello.spec));
    assert_eq!(again.mark(), hello.mark());
    assert_eq!(hello.spec.difference(&again.spec, 1), None);
    hear(&hello.announced);
    for spec in wishes(&hello.spec) {
        for text in [spec.difference(&hello.spec, 1), hello.spec.difference(&spec, 1)].into_iter().flatten() {
            assert!(!text.is_empty() && text.len() < 20_000, "{} bytes to say how hellos differ", text.len());
        }
    }
}

/// Works out what a run would send in which the other party announced this, which is the first that is made of it.
fn hear(theirs: &Value) {
    let all = |mine: Value| Announced::new(0, vec![mine, theirs.clone()]);
    let column = |rows: usize| Matrix::new(rows, 1, (1..=rows).map(|row| row as f64).collect());
    let params = from_value(Value::Map(BTreeMap::new())).expect("all have defaults");
    let mine = Local::new(Some(&column(3)), None, false).expect("a column");
    let mine = StatisticsRegressionOLSVertical::announce(&params, &mine);
    StatisticsRegressionOLSVertical::cost(&params, &all(mine));
    let params = from_value(Value::Map(BTreeMap::new())).expect("all have defaults");
    let mine = SecureMatrixMultiplication::announce(&params, &Some(column(1)));
    SecureMatrixMultiplication::cost(&params, &all(mine));
    let params = Params::new(None);
    let mine = StatisticsFrequency::announce(&params, &Records { counts: BTreeMap::new(), omitted: 0 });
    StatisticsFrequency::cost(&params, &all(mine));
}

/// What this node may want instead: other parameters, another version, other parties, another function.
fn wishes(theirs: &Spec) -> Vec<Spec> {
    let params = Value::map([("type", Value::from("int64")), ("shape", Value::Null)]);
    let mine = Spec { params, ..theirs.clone() };
    let parties = theirs.parties.iter().rev().cloned().collect();
    vec![
        Spec { version: theirs.version ^ 1, ..mine.clone() },
        Spec { parties, ..mine.clone() },
        Spec { function: "SecureSum".to_owned(), parties: Vec::new(), ..mine.clone() },
        mine,
    ]
}
