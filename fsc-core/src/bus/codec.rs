//! The bodies of the client contract, as values: the same for JSON, CBOR and in-process.
//!
//! ```text
//! arguments   {"args": [...], "kwargs": {...}}
//! chain       {"chain": [{"create": {...}}, {"upload": value}, {"use": uuid}, {"attribute": name},
//!                        {"call": arguments}, {"download": null}, {"release": null}]}
//! answer      {"type": "list", "list": [...]}   {"type": "uuid", "uuid": uuid}
//!             {"type": "object", "object": value}   {"type": "none"}
//! failure     {"code": int, "message": text, "culprits": [int, ...]}, without culprits if there are none
//! ```

use std::collections::BTreeMap;

use super::request::{Failure, Step};
use crate::transport::Answer;
use crate::value::{Arguments, Handle, Value};

/// More positional arguments than any call takes; each costs a value, even if the body was dense.
const MAX_ARGUMENTS: usize = 1024;

/// The arguments that a request body stands for.
///
/// Tolerant where clients differ: a body, `args` or `kwargs` may be missing or null, `args` may be one argument that is
/// no list, and an empty list or map may stand for the other (R does not tell them apart).
pub fn arguments(body: Value) -> Result<Arguments, Failure> {
    let entries = match body {
        Value::Null => BTreeMap::new(),
        Value::Map(entries) => entries,
        _ => return Err(bad("the body must be a map of args and kwargs")),
    };
    let mut arguments = Arguments::default();
    for (key, value) in entries {
        match key.as_str() {
            "args" => arguments.args = positional(value)?,
            "kwargs" => arguments.kwargs = named(value)?,
            _ => return Err(bad("the body has entries other than args and kwargs")),
        }
    }
    Ok(arguments)
}

/// The body that stands for `arguments`.
pub fn arguments_to_value(arguments: &Arguments) -> Value {
    Value::map([("args", Value::List(arguments.args.clone())), ("kwargs", Value::Map(arguments.kwargs.clone()))])
}

/// The steps that the body of `POST /chain` stands for.
pub fn chain(body: Value) -> Result<Vec<Step>, Failure> {
    match single(body) {
        Some((key, Value::List(steps))) if key == "chain" => {
            steps.into_iter().enumerate().map(|(position, value)| step(position, value)).collect()
        }
        _ => Err(bad("the body must be a map of chain alone, a list of steps")),
    }
}

/// The body of `POST /chain` for `steps`.
pub fn chain_to_value(steps: &[Step]) -> Value {
    Value::map([("chain", steps.iter().map(step_to_value).collect::<Vec<_>>())])
}

/// The body that answers a request.
pub fn answer_to_value(answer: &Answer) -> Value {
    let (kind, content) = match answer {
        Answer::List(list) => ("list", Value::List(list.clone())),
        Answer::Handle(handle) => ("uuid", Value::Text(handle.to_string())),
        Answer::None => return Value::map([("type", "none")]),
        Answer::Object(object) => ("object", object.clone()),
    };
    Value::map([("type", Value::from(kind)), (kind, content)])
}

/// The answer that a body stands for; the error says what is wrong with it.
pub fn answer(body: Value) -> Result<Answer, String> {
    let Value::Map(mut entries) = body else { return Err("the answer is not a map".to_owned()) };
    let Some(Value::Text(kind)) = entries.remove("type") else { return Err("the answer has no type".to_owned()) };
    match (kind.as_str(), entries.remove(&kind)) {
        ("none", _) => Ok(Answer::None),
        ("object", Some(object)) => Ok(Answer::Object(object)),
        ("list", Some(Value::List(list))) => Ok(Answer::List(list)),
        ("uuid", Some(Value::Text(uuid))) => {
            uuid.parse().map(Answer::Handle).map_err(|_| "the answer's uuid is not one".to_owned())
        }
        ("object" | "list" | "uuid", _) => Err("the answer lacks its content".to_owned()),
        _ => Err("the answer is of an unknown type".to_owned()),
    }
}

/// The body of a failure.
pub fn failure_to_value(failure: &Failure) -> Value {
    let mut entries = BTreeMap::from([
        ("code".to_owned(), Value::Int(failure.code.into())),
        ("message".to_owned(), Value::from(failure.message.as_str())),
    ]);
    if !failure.culprits.is_empty() {
        let culprits = failure.culprits.iter().map(|culprit| Value::from(*culprit)).collect();
        entries.insert("culprits".to_owned(), Value::List(culprits));
    }
    Value::Map(entries)
}

/// The failure that a body stands for; the error says what is wrong with it.
pub fn failure(body: Value) -> Result<Failure, String> {
    let Value::Map(mut entries) = body else { return Err("the failure is not a map".to_owned()) };
    let code = entries.get("code").and_then(Value::as_usize).and_then(|code| u16::try_from(code).ok());
    let (Some(code), Some(Value::Text(message))) = (code, entries.remove("message")) else {
        return Err("the failure lacks its code or its message".to_owned());
    };
    let culprits = match entries.remove("culprits").unwrap_or_default() {
        Value::Null => Some(Vec::new()),
        Value::Array(places) => places.iter().map(|place| place.as_usize()).collect(),
        Value::List(places) => places.iter().map(Value::as_usize).collect(),
        _ => None,
    };
    let culprits = culprits.ok_or("the failure's culprits are not places")?;
    Ok(Failure { culprits, ..Failure::new(code, message) })
}

fn positional(args: Value) -> Result<Vec<Value>, Failure> {
    let many = || bad(format!("more than {MAX_ARGUMENTS} arguments"));
    match args {
        Value::Null => Ok(Vec::new()),
        Value::Map(entries) if entries.is_empty() => Ok(Vec::new()),
        Value::Array(numbers) if numbers.count() > MAX_ARGUMENTS => Err(many()),
        Value::List(items) if items.len() > MAX_ARGUMENTS => Err(many()),
        Value::Array(numbers) => Ok(numbers.items().collect()),
        Value::List(items) => Ok(items),
        one => Ok(vec![one]),
    }
}

fn named(kwargs: Value) -> Result<BTreeMap<String, Value>, Failure> {
    match kwargs {
        Value::Null => Ok(BTreeMap::new()),
        Value::Map(entries) => Ok(entries),
        Value::List(items) if items.is_empty() => Ok(BTreeMap::new()),
        _ => Err(bad("kwargs must be a map")),
    }
}

fn step(position: usize, value: Value) -> Result<Step, Failure> {
    let bad = |what: &str| bad(format!("step {position} of the chain: {what}"));
    let (name, value) = single(value).ok_or_else(|| bad("must be a map of one entry"))?;
    match (name.as_str(), value) {
        ("create", value) => named(value).map(Step::Create),
        ("upload", value) => Ok(Step::Upload(value)),
        ("use", value) => handle(&value).map(Step::Use).ok_or_else(|| bad("use takes a UUID")),
        ("attribute", Value::Text(name)) => Ok(Step::Attribute(name)),
        ("attribute", _) => Err(bad("attribute takes a name")),
        ("call", value) => arguments(value).map(Step::Call),
        ("download", Value::Null) => Ok(Step::Download),
        ("release", Value::Null) => Ok(Step::Release),
        ("download" | "release", _) => Err(bad("download and release take null")),
        _ => Err(bad("must be create, upload, use, attribute, call, download or release")),
    }
}

fn step_to_value(step: &Step) -> Value {
    let (name, value) = match step {
        Step::Create(entries) => ("create", Value::Map(entries.clone())),
        Step::Upload(value) => ("upload", value.clone()),
        Step::Use(handle) => ("use", Value::Text(handle.to_string())),
        Step::Attribute(name) => ("attribute", Value::from(name.as_str())),
        Step::Call(arguments) => ("call", arguments_to_value(arguments)),
        Step::Download => ("download", Value::Null),
        Step::Release => ("release", Value::Null),
    };
    Value::map([(name, value)])
}

/// The one entry of a map that has no other.
fn single(value: Value) -> Option<(String, Value)> {
    match value {
        Value::Map(mut entries) if entries.len() == 1 => entries.pop_first(),
        _ => None,
    }
}

fn handle(value: &Value) -> Option<Handle> {
    match value {
        Value::Handle(handle) => Some(*handle),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn bad(message: impl Into<String>) -> Failure {
    Failure::new(400, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Array, Limits, json};

    const UUID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

    fn body(text: &str) -> Value {
        json::parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    fn text(value: &Value) -> String {
        String::from_utf8(json::to_vec(value)).unwrap()
    }

    #[test]
    fn no_arguments_have_many_spellings() {
        for nothing in [
            "null",
            "{}",
            "{\"args\":null,\"kwargs\":null}",
            "{\"args\":[],\"kwargs\":{}}",
            "{\"args\":{},\"kwargs\":[]}",
            "{\"kwargs\":{}}",
        ] {
            assert_eq!(arguments(body(nothing)), Ok(Arguments::default()), "{nothing}");
        }
    }

    #[test]
    fn a_list_of_numbers_is_one_argument_each() {
        let numbers = arguments(body("{\"args\":[1,2.5,3]}")).unwrap();
        assert_eq!(numbers.args, [Value::Int(1), Value::Float(2.5), Value::Int(3)]);
        let list = arguments(body("{\"args\":[[1,2,3]]}")).unwrap();
        assert_eq!(list.args, [Value::Array(Array::from_i64(vec![1, 2, 3]))]);
    }

    #[test]
    fn a_scalar_is_one_argument() {
        assert_eq!(arguments(body("{\"args\":\"a\"}")).unwrap().args, [Value::from("a")]);
        assert_eq!(arguments(body("{\"args\":{\"a\":1}}")).unwrap().args, [body("{\"a\":1}")]);
    }

    #[test]
    fn handles_are_arguments_in_both_places() {
        let handle = format!("{{\"representation_uuid\":\"{UUID}\"}}");
        let arguments = arguments(body(&format!("{{\"args\":[{handle}],\"kwargs\":{{\"data\":{handle}}}}}"))).unwrap();
        assert!(matches!(arguments.args[..], [Value::Handle(_)]));
        assert!(matches!(arguments.kwargs["data"], Value::Handle(_)));
    }

    #[test]
    fn bad_bodies_are_400() {
        let numbers = vec!["0"; MAX_ARGUMENTS + 1].join(",");
        let many = format!("{{\"args\":[{numbers}]}}");
        for bad in ["[]", "1", "\"a\"", "{\"arg\":[]}", "{\"kwargs\":1}", "{\"kwargs\":[1]}", &many] {
            assert_eq!(arguments(body(bad)).unwrap_err().code, 400, "{bad}");
        }
    }

    #[test]
    fn chains_round_trip() {
        let written = format!(
            "{{\"chain\":[{{\"create\":{{\"protocol\":\"Simon\"}}}},{{\"upload\":[1,2.5]}},{{\"use\":\"{UUID}\"}},\
             {{\"attribute\":\"compute\"}},{{\"call\":{{\"args\":[],\"kwargs\":{{\"a\":null}}}}}},\
             {{\"download\":null}},{{\"release\":null}}]}}"
        );
        let steps = chain(body(&written)).unwrap();
        assert_eq!(steps.len(), 7);
        assert_eq!(text(&chain_to_value(&steps)), written);
    }

    #[test]
    fn bad_steps_are_400_and_named() {
        for bad in [
            "{\"jump\":null}",
            "{}",
            "1.5",
            "{\"download\":1}",
            "{\"use\":\"x\"}",
            "{\"attribute\":1}",
            "{\"download\":null,\"release\":null}",
            "{\"create\":1}",
        ] {
            let failure = chain(body(&format!("{{\"chain\":[{{\"upload\":null}},{bad}]}}"))).unwrap_err();
            assert_eq!(failure.code, 400, "{bad}");
        }
        let failure = chain(body("{\"chain\":[{\"upload\":null},{\"jump\":null}]}")).unwrap_err();
        assert!(failure.message.starts_with("step 1 "), "{failure}");
        for bad in ["{}", "[]", "{\"chain\":1}", "{\"chain\":[1,2]}", "{\"chain\":[],\"more\":1}"] {
            assert_eq!(chain(body(bad)).unwrap_err().code, 400, "{bad}");
        }
    }

    #[test]
    fn answers_are_as_the_contract_has_them_and_round_trip() {
        let answers = [
            (Answer::None, "{\"type\":\"none\"}".to_owned()),
            (Answer::Handle(UUID.parse().unwrap()), format!("{{\"type\":\"uuid\",\"uuid\":\"{UUID}\"}}")),
            (Answer::List(vec![Value::Null]), "{\"list\":[null],\"type\":\"list\"}".to_owned()),
            (Answer::Object(Value::Int(1)), "{\"object\":1,\"type\":\"object\"}".to_owned()),
        ];
        for (expected, written) in answers {
            assert_eq!(text(&answer_to_value(&expected)), written);
            assert_eq!(answer(body(&written)), Ok(expected));
        }
        for bad in ["1", "{}", "{\"type\":\"uuid\"}", "{\"type\":\"uuid\",\"uuid\":\"x\"}", "{\"type\":\"x\"}"] {
            assert!(answer(body(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn failures_name_culprits_only_if_there_are_any() {
        let plain = Failure::new(404, "not found");
        assert_eq!(text(&failure_to_value(&plain)), "{\"code\":404,\"message\":\"not found\"}");
        let blaming = Failure { culprits: vec![0, 2], ..Failure::new(504, "late") };
        let written = text(&failure_to_value(&blaming));
        assert_eq!(written, "{\"code\":504,\"culprits\":[0,2],\"message\":\"late\"}");
        for expected in [plain, blaming] {
            assert_eq!(failure(body(&text(&failure_to_value(&expected)))), Ok(expected));
        }
        for bad in ["{\"code\":1e3,\"message\":\"\"}", "{\"code\":70000,\"message\":\"\"}", "{\"code\":400}", "[]"] {
            assert!(failure(body(bad)).is_err(), "{bad}");
        }
    }
}
