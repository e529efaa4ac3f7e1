//! What the fuzzer does with its bytes: calls the functions that read JSON as a C program would, and looks that nothing but errors comes of
//! it. It is here because calling them is unsafe.

use std::ffi::{CString, c_char};
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use crate::client::{Client, fsc_client_create};
use crate::fault::{Error, fsc_error_free, fsc_error_message, fsc_error_status};
use crate::node::{Format, Node, fsc_node_client, fsc_node_free, fsc_node_new, fsc_node_start};
use crate::object::{Object, fsc_object_attribute, fsc_object_call, fsc_object_free};
use crate::status::Status;
use crate::value::{
    Value, ValueKind, fsc_value_as_f64, fsc_value_as_i64, fsc_value_boolean, fsc_value_free, fsc_value_from_json,
    fsc_value_integer, fsc_value_item, fsc_value_key, fsc_value_kind, fsc_value_length, fsc_value_number,
    fsc_value_shape, fsc_value_text, fsc_value_to_json,
};

/// Whatever the bytes are, there is a value, a node, an answer, or an error that says something; and a value that was written down reads
/// as the same value. The first byte chooses the function.
pub fn entry_points(data: &[u8]) {
    let Some((choice, text)) = data.split_first() else { return };
    match choice % 4 {
        0 => value(text),
        1 => config(text, Format::Json),
        2 => config(text, Format::Toml),
        _ => call(text),
    }
}

fn value(text: &[u8]) {
    let Some(value) = parse(text) else { return };
    visit(value, 0);
    let once = written(value);
    let again = parse(once.as_bytes()).expect("what is written can be read");
    assert_eq!(once, written(again));
    free(value);
    free(again);
}

fn config(text: &[u8], format: Format) {
    let (mut node, mut error) = (Node::default(), Error::default());
    // SAFETY: All pointers are to what is here.
    let status = unsafe {
        fsc_node_new(null(), text.as_ptr().cast(), text.len(), format as i32, null(), &raw mut node, &raw mut error)
    };
    check(status, error);
    assert_eq!(fsc_node_free(node), Status::Ok);
}

/// Creates by a description, or calls a method with arguments.
fn call(text: &[u8]) {
    let (description, arguments) = text.split_at(text.iter().position(|byte| *byte == 0).unwrap_or(text.len()));
    if let Some(description) = parse(description) {
        let (mut object, mut error) = (Object::default(), Error::default());
        // SAFETY: All pointers are to what is here.
        let status = unsafe { fsc_client_create(client(), description, null(), &raw mut object, &raw mut error) };
        check(status, error);
        assert_eq!(fsc_object_free(object), Status::Ok);
        free(description);
    }
    let Some(arguments) = arguments.get(1..).and_then(parse) else { return };
    let mut error = Error::default();
    for (args, kwargs) in [(arguments, Value::default()), (Value::default(), arguments)] {
        let mut answer = Object::default();
        // SAFETY: All pointers are to what is here.
        let status = unsafe { fsc_object_call(create(), args, kwargs, null(), &raw mut answer, &raw mut error) };
        check(status, error);
        assert_eq!(fsc_object_free(answer), Status::Ok);
    }
    free(arguments);
}

fn parse(text: &[u8]) -> Option<Value> {
    let (mut value, mut error) = (Value::default(), Error::default());
    // SAFETY: All pointers are to what is here.
    let status = unsafe { fsc_value_from_json(text.as_ptr().cast(), text.len(), &raw mut value, &raw mut error) };
    check(status, error);
    (status == Status::Ok).then_some(value)
}

fn written(value: Value) -> String {
    let (mut text, mut length, mut error) = (null::<c_char>(), 0_usize, Error::default());
    // SAFETY: All pointers are to what is here.
    let status = unsafe { fsc_value_to_json(value, &raw mut text, &raw mut length, &raw mut error) };
    check(status, error);
    // SAFETY: The text is as long as that, until the value is freed.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Reads a value by every function, and what is in it.
fn visit(value: Value, depth: usize) {
    let (mut pointer, mut length) = (null::<c_char>(), 0_usize);
    let (mut number, mut integer, mut truth) = (0.0_f64, 0_i64, 0_i32);
    let (mut floats, mut integers, mut shape) = (null::<f64>(), null::<i64>(), null::<usize>());
    // SAFETY: All pointers are to what is here, and nobody else has the value.
    let outcomes = unsafe {
        [
            fsc_value_text(value, &raw mut pointer, &raw mut length, null_mut()),
            fsc_value_number(value, &raw mut number, null_mut()),
            fsc_value_integer(value, &raw mut integer, null_mut()),
            fsc_value_boolean(value, &raw mut truth, null_mut()),
            fsc_value_as_f64(value, &raw mut floats, &raw mut length, null_mut()),
            fsc_value_as_i64(value, &raw mut integers, &raw mut length, null_mut()),
            fsc_value_shape(value, &raw mut shape, &raw mut length, null_mut()),
            fsc_value_key(value, 0, &raw mut pointer, &raw mut length, null_mut()),
        ]
    };
    assert!(outcomes.iter().all(|status| matches!(status, Status::Ok | Status::WrongType | Status::InvalidArgument)));
    let has_items =
        matches!(fsc_value_kind(value), ValueKind::List | ValueKind::Map | ValueKind::Integers | ValueKind::Floats);
    let count = if has_items { fsc_value_length(value) } else { 0 };
    for index in 0..count.min(8) {
        let mut item = Value::default();
        // SAFETY: All pointers are to what is here.
        let status = unsafe { fsc_value_item(value, index, &raw mut item, null_mut()) };
        assert_eq!(status, Status::Ok, "an item at depth {depth}");
        visit(item, depth + 1);
        free(item);
    }
}

fn free(value: Value) {
    assert_eq!(fsc_value_free(value), Status::Ok);
}

/// Errors say something, and none of them is the library's own.
fn check(status: Status, error: Error) {
    assert_ne!(status, Status::Internal);
    assert_eq!(fsc_error_status(error), status);
    if status != Status::Ok {
        // SAFETY: The text is there until the error is freed.
        let message = unsafe { std::ffi::CStr::from_ptr(fsc_error_message(error)) };
        assert!(!message.is_empty());
    }
    assert_eq!(fsc_error_free(error), Status::Ok);
}

/// A client of a node that is kept for all inputs.
fn client() -> Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    *CLIENT.get_or_init(|| {
        let (mut node, mut client, mut error) = (Node::default(), Client::default(), Error::default());
        // SAFETY: All pointers are to what is here.
        let started = unsafe {
            [
                fsc_node_new(null(), null(), 0, Format::Toml as i32, null(), &raw mut node, &raw mut error),
                fsc_node_start(node, null(), &raw mut error),
                fsc_node_client(node, null(), &raw mut client, &raw mut error),
            ]
        };
        assert_eq!(started, [Status::Ok; 3]);
        client
    })
}

/// The method of the node's service for storages that makes one.
fn create() -> Object {
    static CREATE: OnceLock<Object> = OnceLock::new();
    *CREATE.get_or_init(|| {
        let description = parse(b"{\"microservice\": \"KeyValueStorage\"}").expect("JSON");
        let (mut service, mut create) = (Object::default(), Object::default());
        let name = CString::new("create").expect("a name");
        // SAFETY: All pointers are to what is here.
        let made = unsafe {
            [
                fsc_client_create(client(), description, null(), &raw mut service, null_mut()),
                fsc_object_attribute(service, name.as_ptr(), null(), &raw mut create, null_mut()),
            ]
        };
        assert_eq!(made, [Status::Ok; 2]);
        create
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_but_errors_comes_of_it() {
        for text in [
            &b"\x00{\"a\": [1, 2.5, [true, null, \"\\u0000\"]], \"b\": 170141183460469231731687303715884105728}"[..],
            b"\x00[[1,2],[3,4]]",
            b"\x00\xff",
            b"\x01{\"listen\": \"127.0.0.1:0\"}",
            b"\x01{\"limits\": {\"threads\": 0}}",
            b"\x02listen = 7",
            b"\x03{\"protocol\": \"Simon\"}\x00[1]",
            b"\x03[]\x00{\"no\": 1}",
        ] {
            super::entry_points(text);
        }
    }
}
