//! What clients submit, to every function.

use fsc_core::object::ObjectError;
use fsc_core::protocol::{Prepared, Submission};
use fsc_core::session::Progress;
use fsc_core::value::{Limits, Value, json};

use crate::federation::{Federation, acquainted, protocol};

const LIMITS: Limits = Limits { depth: 64, nodes: 4096 };

/// The most parties that compute; of more, only one prepares what it submits.
const MOST_PARTIES: usize = 3;

/// What a run may send to be worth its time.
const MOST_BYTES: u64 = 1 << 19;

/// What clients submit is refused as their mistake, or makes a run that ends with one result at all parties, or with errors that
/// blame nobody. JSON, as `{"function": …, "data": …, "others": […], "parameters": …, "parties": …}`: the data of the first party,
/// and of the others where it is not the same.
pub fn submission(data: &[u8]) {
    let Ok(body) = json::parse(data, &LIMITS) else { return };
    // A node admits submissions for 2 to 64 parties only.
    let parties = body.entry("parties").and_then(Value::as_usize).unwrap_or(2).clamp(2, 64);
    let prepared = (0..if parties <= MOST_PARTIES { parties } else { 1 }).map(|me| prepare(&body, parties, me));
    let Some(prepared) = prepared.collect::<Option<Vec<_>>>() else { return };
    if prepared.len() == parties {
        run(Federation::new(prepared, acquainted(parties)));
    }
}

fn prepare(body: &Value, parties: usize, me: usize) -> Option<Prepared> {
    let entry = |name| body.entry(name).cloned().unwrap_or_default();
    let others = match entry("others") {
        Value::List(others) => others,
        Value::Array(others) => others.items().collect(),
        _ => Vec::new(),
    };
    let data = me.checked_sub(1).and_then(|other| others.get(other).cloned()).unwrap_or_else(|| entry("data"));
    let function = body.entry("function").map_or(Some("SecureSum"), Value::as_text)?;
    let prepared = protocol(function)?.prepare(Submission { data, parameters: entry("parameters"), parties, me });
    let is_theirs = |error: &ObjectError| matches!(error, ObjectError::InvalidArgument { .. });
    assert!(prepared.as_ref().err().is_none_or(is_theirs), "it is no mistake of the client's");
    prepared.ok()
}

/// Nobody deviates, so nobody is to blame.
fn run(mut federation: Federation) {
    let parties = federation.sessions.len();
    // Parameters, and what is announced, may be too much for a hello.
    if federation.sessions.iter().any(|session| session.introduces_itself().is_err()) {
        return;
    }
    federation.join();
    if federation.sessions.iter().any(|session| session.progress().expected.bytes > MOST_BYTES) {
        return;
    }
    let mut goes_on = true;
    while goes_on {
        for place in 0..parties {
            for envelope in federation.poll(place) {
                federation.post(&envelope);
            }
        }
        goes_on = federation.deliver();
    }
    for (place, session) in federation.sessions.iter().enumerate() {
        federation.check(place);
        match session.outcome().expect("nobody waits for what nobody sends") {
            Err(error) => assert_eq!(error.code(), 409, "{error}"),
            ended => {
                assert!(Some(ended) == federation.outcome(0), "parties {place} and 0 have different results");
                let Progress { sent, expected, .. } = session.progress();
                assert_eq!(sent, expected, "party {place} sends something else than stated");
            }
        }
    }
}
