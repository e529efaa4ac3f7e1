//! Hellos, and how they differ.

use bytes::Bytes;
use fsc_core::joining::{Hello, MOST_PARTIES, Spec};
use fsc_core::value::Value;

/// Any bytes are a hello or an error. What a hello says comes back from its own encoding, and how it differs from mine
/// can be said in bounded words.
pub fn hello(data: &[u8]) {
    let Ok(hello) = Hello::decode(Bytes::copy_from_slice(data)) else { return };
    assert!(hello.spec.parties.len() <= MOST_PARTIES);
    let mine = Hello::new(hello.nonce, hello.key, hello.spec.clone(), hello.announced.clone(), hello.held.clone());
    let again = Hello::decode(mine.encoded).expect("a node reads its own hellos");
    assert_eq!((again.nonce, again.key, &again.spec), (hello.nonce, hello.key, &hello.spec));
    assert_eq!(again.mark(), hello.mark());
    assert_eq!(hello.spec.difference(&again.spec, 1), None);
    for spec in wishes(&hello.spec) {
        for text in [spec.difference(&hello.spec, 1), hello.spec.difference(&spec, 1)].into_iter().flatten() {
            assert!(!text.is_empty() && text.len() < 20_000, "{} bytes to say how hellos differ", text.len());
        }
    }
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
