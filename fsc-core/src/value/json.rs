//! JSON in and out (RFC 8259), numbers exactly.
//!
//! Integers are exact to 128 bits and floats are the nearest binary64; a float is written with the fewest digits that
//! read back as itself, and always with a point or an exponent, so that it stays a float. NaN and infinities are
//! refused, and so are numbers too large for a binary64. A list of numbers is read into an [`Array`] directly.

use std::collections::{BTreeMap, btree_map};
use std::ops::Range;
use std::vec;

use bytes::Bytes;
use jiter::{Jiter, JiterError, JiterErrorType, JsonErrorType, NumberAny, NumberInt, Peek};
use serde_json::ser::{CompactFormatter, Formatter};

use super::array::{Array, Items, Numbers};
use super::parse::{Budget, map_or_handle};
use super::{HANDLE_KEY, Limits, ParseError, Value};

/// Why writing can't fail.
const VEC: &str = "a vector takes every byte";

/// Reads one document.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Value, ParseError> {
    let mut parser = Parser { json: Jiter::new(bytes), budget: limits.budget() };
    parser.budget.spend(1)?;
    let first = parser.json.peek()?;
    let value = parser.value(first)?;
    parser.json.finish()?;
    Ok(value)
}

/// Appends the document of `value` to `out`.
pub fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(true) => out.extend(b"true"),
        Value::Bool(false) => out.extend(b"false"),
        Value::Int(number) => CompactFormatter.write_i128(out, *number).expect(VEC),
        Value::Uint(number) => CompactFormatter.write_u128(out, *number).expect(VEC),
        Value::Float(number) => write_float(*number, out),
        Value::Text(text) => write_text(text, out),
        Value::Bytes(bytes) => {
            out.push(b'"');
            write_base64url(bytes, out);
            out.push(b'"');
        }
        Value::Handle(handle) => {
            out.extend(b"{\"");
            out.extend(HANDLE_KEY.as_bytes());
            out.extend(b"\":");
            write_text(&handle.to_string(), out);
            out.push(b'}');
        }
        Value::Array(array) if array.is_empty() => out.extend(b"[]"),
        Value::Array(array) => write_numbers(array, 0..array.len(), out),
        Value::List(items) => write_list(items, out),
        Value::Map(entries) => write_map(entries, out),
    }
}

/// The document of `value`.
pub fn to_vec(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

/// The document of a value in pieces of about 64 KiB, written as they are asked for.
///
/// The pieces together are what [`write()`] writes. A key of a map is never split.
pub struct Chunks {
    /// What is still to be written, the next on top.
    open: Vec<Open>,
    piece: Vec<u8>,
}

/// A part of a value that is not yet written to its end.
enum Open {
    Value(Value),
    /// The closing bracket is still to come. The flag says whether an item was written.
    List(vec::IntoIter<Value>, bool),
    /// The closing brace is still to come. The flag says whether an entry was written.
    Map(btree_map::IntoIter<String, Value>, bool),
    /// Written up to a position in bytes.
    Text(String, usize),
    Bytes(Bytes),
    /// Written up to a position in row-major order.
    Numbers(Array, usize),
}

impl Chunks {
    /// A piece is done when it has this many bytes.
    const PIECE: usize = 64 * 1024;
    /// What is appended at once: at most six times that many bytes for a text, 25 for a number.
    const TEXT: usize = 4 * 1024;
    const BYTES: usize = 3 * 4 * 1024;
    const NUMBERS: usize = 1024;

    /// The pieces of the document of `value`.
    pub fn new(value: Value) -> Self {
        Self { open: vec![Open::Value(value)], piece: Vec::new() }
    }

    fn step(&mut self, open: Open) {
        match open {
            Open::Value(value) => self.begin(value),
            Open::List(items, some) => self.list(items, some),
            Open::Map(entries, some) => self.map(entries, some),
            Open::Text(text, at) => self.text(text, at),
            Open::Bytes(bytes) => self.bytes(bytes),
            Open::Numbers(array, at) => self.numbers(array, at),
        }
    }

    fn begin(&mut self, value: Value) {
        match value {
            Value::List(items) => {
                self.piece.push(b'[');
                self.open.push(Open::List(items.into_iter(), false));
            }
            Value::Map(entries) => {
                self.piece.push(b'{');
                self.open.push(Open::Map(entries.into_iter(), false));
            }
            Value::Text(text) => {
                self.piece.push(b'"');
                self.open.push(Open::Text(text, 0));
            }
            Value::Bytes(bytes) => {
                self.piece.push(b'"');
                self.open.push(Open::Bytes(bytes));
            }
            Value::Array(array) if !array.is_empty() => self.open.push(Open::Numbers(array, 0)),
            small => write(&small, &mut self.piece),
        }
    }

    fn list(&mut self, mut items: vec::IntoIter<Value>, some: bool) {
        let Some(item) = items.next() else { return self.piece.push(b']') };
        if some {
            self.piece.push(b',');
        }
        self.open.push(Open::List(items, true));
        self.open.push(Open::Value(item));
    }

    fn map(&mut self, mut entries: btree_map::IntoIter<String, Value>, some: bool) {
        let Some((key, value)) = entries.next() else { return self.piece.push(b'}') };
        if some {
            self.piece.push(b',');
        }
        write_text(&key, &mut self.piece);
        self.piece.push(b':');
        self.open.push(Open::Map(entries, true));
        self.open.push(Open::Value(value));
    }

    fn text(&mut self, text: String, at: usize) {
        let end = text.floor_char_boundary(at + Self::TEXT);
        write_escaped(text.get(at..end).unwrap_or_default(), &mut self.piece);
        if end < text.len() {
            self.open.push(Open::Text(text, end));
        } else {
            self.piece.push(b'"');
        }
    }

    fn bytes(&mut self, mut bytes: Bytes) {
        // A multiple of three bytes, so that no group of four letters is split.
        let first = bytes.split_to(bytes.len().min(Self::BYTES));
        write_base64url(&first, &mut self.piece);
        if bytes.is_empty() {
            self.piece.push(b'"');
        } else {
            self.open.push(Open::Bytes(bytes));
        }
    }

    fn numbers(&mut self, array: Array, at: usize) {
        let end = array.len().min(at + Self::NUMBERS);
        write_numbers(&array, at..end, &mut self.piece);
        if end < array.len() {
            self.open.push(Open::Numbers(array, end));
        }
    }
}

impl Iterator for Chunks {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while self.piece.len() < Self::PIECE
            && let Some(open) = self.open.pop()
        {
            self.step(open);
        }
        if self.piece.is_empty() {
            return None;
        }
        // Only a document that takes more than one piece is worth reserving for.
        let room = if self.open.is_empty() { 0 } else { Self::PIECE + Self::PIECE / 2 };
        Some(std::mem::replace(&mut self.piece, Vec::with_capacity(room)).into())
    }
}

struct Parser<'a> {
    json: Jiter<'a>,
    budget: Budget,
}

impl Parser<'_> {
    /// Reads the value that begins with `first`. The caller has paid for it.
    #[inline]
    fn value(&mut self, first: Peek) -> Result<Value, ParseError> {
        match first {
            Peek::Null => self.json.known_null().map(|()| Value::Null).map_err(Into::into),
            Peek::True | Peek::False => self.json.known_bool(first).map(Value::Bool).map_err(Into::into),
            Peek::String => self.json.known_str().map(Value::from).map_err(Into::into),
            Peek::Array => self.list(),
            Peek::Object => self.map(),
            _ => self.number(first),
        }
    }

    #[inline]
    fn number(&mut self, first: Peek) -> Result<Value, ParseError> {
        let position = self.json.current_index();
        match self.json.known_number(first) {
            Ok(NumberAny::Int(NumberInt::Int(number))) => Ok(Value::from(number)),
            Ok(NumberAny::Float(number)) if number.is_finite() => Ok(Value::Float(number)),
            Ok(NumberAny::Float(_)) => Err(ParseError::NotFinite { position }),
            Err(JiterError { error_type: JiterErrorType::JsonError(JsonErrorType::NumberOutOfRange), .. }) => {
                self.wide_integer(first)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads an integer of more than 64 bits.
    fn wide_integer(&mut self, first: Peek) -> Result<Value, ParseError> {
        let position = self.json.current_index();
        let digits = self.json.known_number_bytes(first)?;
        let digits = str::from_utf8(digits).unwrap_or_default();
        let unsigned = || digits.parse::<u128>().map(Value::from);
        digits.parse().map(Value::Int).or_else(|_| unsigned()).map_err(|_| ParseError::IntegerTooLarge { position })
    }

    fn list(&mut self) -> Result<Value, ParseError> {
        self.budget.enter()?;
        let mut items = Items::new();
        let mut next = self.json.known_array()?;
        while let Some(first) = next {
            match self.value(first) {
                Ok(number) if items.take(&number) => {}
                item => items.push(item?, |nodes| self.budget.spend(nodes))?,
            }
            next = self.json.array_step()?;
        }
        self.budget.leave();
        Ok(items.finish())
    }

    fn map(&mut self) -> Result<Value, ParseError> {
        self.budget.enter()?;
        let position = self.json.current_index();
        let mut entries = BTreeMap::new();
        let mut next = self.json.known_object()?.map(str::to_owned);
        while let Some(key) = next {
            let position = self.json.current_index();
            self.budget.spend(1)?;
            let first = self.json.peek()?;
            let value = self.value(first)?;
            if entries.insert(key, value).is_some() {
                return Err(ParseError::DuplicateKey { position });
            }
            next = self.json.next_key()?.map(str::to_owned);
        }
        self.budget.leave();
        map_or_handle(entries).map_err(|_| ParseError::NotAHandle { position })
    }
}

impl From<JiterError> for ParseError {
    fn from(error: JiterError) -> Self {
        use JsonErrorType as J;

        let position = error.index;
        let JiterErrorType::JsonError(kind) = error.error_type else {
            return Self::Malformed { position, what: "expected value" };
        };
        let what = match kind {
            J::EofWhileParsingList | J::EofWhileParsingObject | J::EofWhileParsingString | J::EofWhileParsingValue => {
                return Self::CutOff { position };
            }
            J::TrailingCharacters => return Self::Trailing { position },
            J::InvalidUnicodeCodePoint | J::LoneLeadingSurrogateInHexEscape => return Self::NotUnicode { position },
            J::NumberOutOfRange => return Self::IntegerTooLarge { position },
            J::ExpectedColon => "expected a colon",
            J::ExpectedListCommaOrEnd => "expected a comma or the end of the list",
            J::ExpectedObjectCommaOrEnd => "expected a comma or the end of the object",
            J::ExpectedSomeIdent => "expected true, false or null",
            J::InvalidEscape | J::UnexpectedEndOfHexEscape => "invalid escape",
            J::InvalidNumber => "invalid number",
            J::ControlCharacterWhileParsingString => "control character in a text",
            J::KeyMustBeAString => "a key must be a text",
            J::TrailingComma => "a comma at the end",
            _ => "expected a value",
        };
        Self::Malformed { position, what }
    }
}

fn write_list(items: &[Value], out: &mut Vec<u8>) {
    out.push(b'[');
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

fn write_map(entries: &BTreeMap<String, Value>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (position, (key, value)) in entries.iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_text(key, out);
        out.push(b':');
        write(value, out);
    }
    out.push(b'}');
}

/// Writes the numbers in `range`, with the brackets and commas before and between them, and those that close with
/// the last. The array is not empty.
fn write_numbers(array: &Array, range: Range<usize>, out: &mut Vec<u8>) {
    match array.numbers() {
        Numbers::Float(numbers) => write_rows(array.shape(), range, out, |range, out| {
            separated(numbers.get(range).unwrap_or_default(), out, |number, out| write_float(*number, out));
        }),
        Numbers::Int(numbers) => write_rows(array.shape(), range, out, |range, out| {
            let write_int = |number: &i64, out: &mut Vec<u8>| CompactFormatter.write_i64(out, *number).expect(VEC);
            separated(numbers.get(range).unwrap_or_default(), out, write_int);
        }),
        Numbers::Mixed(numbers) => write_rows(array.shape(), range, out, |range, out| {
            separated(range.filter_map(|position| numbers.get(position)), out, |number, out| write(&number, out));
        }),
    }
}

/// Cuts `range` where rows end, and writes each part by `write_part` between the brackets and commas due there.
fn write_rows(
    shape: &[usize],
    range: Range<usize>,
    out: &mut Vec<u8>,
    write_part: impl Fn(Range<usize>, &mut Vec<u8>),
) {
    // How many numbers a bracket encloses at each level, innermost first.
    let blocks = || {
        shape.iter().rev().scan(1, |size, extent| {
            *size *= extent;
            Some(*size)
        })
    };
    let brackets_at = |position| blocks().take_while(|size| position % size == 0).count();
    let row = shape.last().copied().unwrap_or(1).max(1);
    let mut at = range.start;
    while at < range.end {
        let end = range.end.min((at / row + 1) * row);
        if at > 0 {
            out.push(b',');
        }
        out.extend(std::iter::repeat_n(b'[', brackets_at(at)));
        write_part(at..end, out);
        out.extend(std::iter::repeat_n(b']', brackets_at(end)));
        at = end;
    }
}

/// Writes `items` by `write_one`, with commas between them.
fn separated<T>(items: impl IntoIterator<Item = T>, out: &mut Vec<u8>, mut write_one: impl FnMut(T, &mut Vec<u8>)) {
    for (position, item) in items.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        write_one(item, out);
    }
}

fn write_float(number: f64, out: &mut Vec<u8>) {
    debug_assert!(number.is_finite(), "`Value::float` and `Array::from_f64` refuse what is not");
    if number.is_finite() {
        CompactFormatter.write_f64(out, number).expect(VEC);
    } else {
        out.extend(b"null");
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    write_escaped(text, out);
    out.push(b'"');
}

/// Writes `text` with escapes for what JSON does not allow in a string: quotes, backslashes and control characters.
fn write_escaped(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";

    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(special) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, tail)) = tail.split_first() else { break };
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            // Below 0x20: two hexadecimal digits.
            _ => out.extend([b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
}

/// Writes base64url without padding (RFC 4648, section 5).
fn write_base64url(bytes: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(group.get(at).copied().unwrap_or_default()));
        // One letter more than there are bytes; each is an index of six bits.
        out.extend((0..=group.len()).map(|letter| ALPHABET[(bits >> (18 - 6 * letter) & 63) as usize]));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{bits, leaf, mutated, value};
    use super::*;

    fn read(text: &str) -> Result<Value, ParseError> {
        parse(text.as_bytes(), &Limits::default())
    }

    fn written(value: &Value) -> String {
        String::from_utf8(to_vec(value)).unwrap()
    }

    #[test]
    fn a_list_of_numbers_is_an_array_and_comes_back_as_written() {
        for text in ["[1.5,2]", "[2,1.5]", "[1,2,3]", "[0.1,-0.0,1e-300]", "[[1,2],[3.5,4]]", "[9007199254740992,0.5]"]
        {
            let value = read(text).unwrap();
            assert!(matches!(value, Value::Array(_) | Value::List(_)));
            assert_eq!(written(&value), text);
        }
        assert!(matches!(read("[1.5,2]"), Ok(Value::Array(array)) if matches!(array.numbers(), Numbers::Mixed(_))));
        assert!(matches!(read("[1,2]"), Ok(Value::Array(array)) if array.numbers() == Numbers::Int(&[1, 2])));
    }

    #[test]
    fn what_no_array_holds_is_a_list() {
        for text in [
            "[]",
            "[1,\"x\",2.5]",
            "[1.5,9007199254740993]",
            "[9007199254740993,1.5]",
            "[1,9223372036854775808]",
            "[0.5,null]",
            "[true]",
        ] {
            let value = read(text).unwrap();
            assert!(matches!(value, Value::List(_)), "{text}");
            assert_eq!(written(&value), text);
        }
    }

    #[test]
    fn integers_are_exact_to_128_bits() {
        for text in [
            "0",
            "-1",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "18446744073709551615",
            "18446744073709551616",
            "170141183460469231731687303715884105727",
            "-170141183460469231731687303715884105728",
            "170141183460469231731687303715884105728",
            "340282366920938463463374607431768211455",
        ] {
            assert_eq!(written(&read(text).unwrap()), text);
        }
        let one_more = ["340282366920938463463374607431768211456", "-170141183460469231731687303715884105729"];
        for text in one_more.map(str::to_owned).into_iter().chain(["9".repeat(5000)]) {
            assert!(matches!(read(&text), Err(ParseError::IntegerTooLarge { .. })), "{text}");
        }
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        for text in ["1e400", "-1e400", "[1.0,1e309]", "1e99999999999999999999"] {
            assert!(matches!(read(text), Err(ParseError::NotFinite { .. })), "{text}");
        }
        for text in ["NaN", "Infinity", "-Infinity", "[NaN]", "nan", "inf"] {
            assert!(matches!(read(text), Err(ParseError::Malformed { .. })), "{text}");
        }
    }

    #[test]
    fn malformed_documents_are_refused() {
        for text in [
            "",
            " ",
            "{",
            "[",
            "[1,",
            "[1,]",
            "[1 2]",
            "{\"a\":1,}",
            "{\"a\"}",
            "{a:1}",
            "{1:2}",
            "'a'",
            "tru",
            "nul",
            "01",
            "+1",
            "1.",
            ".5",
            "-",
            "1e",
            "0x10",
            "\"\\q\"",
            "\"\\ud800\"",
            "\"\n\"",
            "\"a",
            "[1]]",
            "1 2",
            "{\"a\":1}{}",
            "\u{feff}1",
            "// c\n1",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
        for bytes in [&b"\"\xff\""[..], b"\"\xed\xa0\x80\"", b"{\"\xc3\":1}"] {
            assert!(parse(bytes, &Limits::default()).is_err());
        }
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(read("[1.5, x]"), Err(ParseError::Malformed { position: 6, what: "expected a value" }));
        assert_eq!(read("[1, 2"), Err(ParseError::CutOff { position: 5 }));
        assert_eq!(read("{} {}"), Err(ParseError::Trailing { position: 3 }));
        assert!(matches!(read("{\"a\":1,\"a\":2}"), Err(ParseError::DuplicateKey { .. })));
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(read(&deep(64)).is_ok());
        assert_eq!(read(&deep(65)), Err(ParseError::TooDeep { limit: 64 }));
        assert_eq!(read(&"[".repeat(200_000)), Err(ParseError::TooDeep { limit: 64 }));
        assert_eq!(read(&"{\"a\":".repeat(200_000)), Err(ParseError::TooDeep { limit: 64 }));
        let lavish = Limits { depth: usize::MAX, nodes: usize::MAX };
        let refused = parse(deep(200_000).as_bytes(), &lavish);
        assert_eq!(refused, Err(ParseError::TooDeep { limit: Limits::DEEPEST }));
    }

    #[test]
    fn only_what_is_not_dense_counts_as_values() {
        let limits = Limits { nodes: 10, ..Limits::default() };
        let read = |text: &str| parse(text.as_bytes(), &limits);
        let numbers = vec!["1"; 1000].join(",");
        assert!(read(&format!("[{numbers}]")).is_ok());
        assert_eq!(read(&format!("[{numbers},null]")), Err(ParseError::TooMany { limit: 10 }));
        assert_eq!(read("[[],[],[],[],[],[],[],[],[],[]]"), Err(ParseError::TooMany { limit: 10 }));
        assert!(read("[[],[],[],[],[],[],[],[],[]]").is_ok());
    }

    #[test]
    fn a_map_of_a_representation_uuid_is_a_handle() {
        let text = "{\"representation_uuid\":\"67e55044-10b1-426f-9247-bb680e5fe0c8\"}";
        let value = read(text).unwrap();
        assert!(matches!(value, Value::Handle(_)));
        assert_eq!(written(&value), text);
        assert!(matches!(read("{\"representation_uuid\":\"x\"}"), Err(ParseError::NotAHandle { .. })));
        assert!(matches!(read("{\"representation_uuid\":1}"), Ok(Value::Map(_))));
        assert!(matches!(read("{\"representation_uuid\":\"x\",\"a\":1}"), Ok(Value::Map(_))));
    }

    #[test]
    fn bytes_are_base64url_without_padding() {
        // The examples of RFC 4648, section 10.
        let examples =
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in examples {
            assert_eq!(written(&Value::Bytes(bytes.into())), format!("\"{text}\""));
        }
        assert_eq!(written(&Value::Bytes(Bytes::from_static(&[0xfb, 0xff]))), "\"-_8\"");
    }

    #[test]
    fn arrays_are_nested_by_their_shape() {
        let array = |shape: &[usize]| {
            let numbers = (0..shape.iter().product::<usize>() as i64).collect();
            Value::Array(Array::from_i64(numbers).reshape(shape.to_vec()).unwrap())
        };
        assert_eq!(written(&array(&[2, 3])), "[[0,1,2],[3,4,5]]");
        assert_eq!(written(&array(&[2, 2, 1])), "[[[0],[1]],[[2],[3]]]");
        assert_eq!(written(&array(&[1, 1, 2])), "[[[0,1]]]");
        assert_eq!(written(&array(&[0, 3])), "[]");
    }

    #[test]
    fn large_values_come_in_bounded_pieces() {
        let value = Value::List(vec![
            Value::Array(Array::from_f64((0..100_000).map(|i| f64::from(i) / 7.0).collect()).unwrap()),
            Value::Array(Array::from_i64((0..60_000).collect()).reshape(vec![20, 30, 100]).unwrap()),
            Value::Text("\u{1}\u{20ac}\"".repeat(50_000)),
            Value::Bytes(vec![0xa5; 100_001].into()),
            Value::map((0..5000).map(|i| (i.to_string(), Value::Null))),
        ]);
        let pieces: Vec<Bytes> = Chunks::new(value.clone()).collect();
        assert!(pieces.iter().all(|piece| piece.len() <= 96 * 1024));
        assert!(pieces.len() > 10);
        assert_eq!(pieces.concat(), to_vec(&value));
    }

    proptest! {
        #[test]
        fn values_round_trip(value in value(leaf())) {
            prop_assert_eq!(parse(&to_vec(&value), &Limits::default()), Ok(value));
        }

        #[test]
        fn floats_round_trip_bit_exactly(bits in bits()) {
            let number = f64::from_bits(bits);
            let short = to_vec(&Value::Float(number));
            for text in [String::from_utf8(short).unwrap(), format!("{number:.16e}"), format!("{number:.30e}")] {
                let Ok(Value::Float(again)) = read(&text) else { panic!("{text} is a float") };
                prop_assert_eq!(again.to_bits(), bits);
                let Ok(Value::Array(array)) = read(&format!("[{text}]")) else { panic!("{text} is a float") };
                prop_assert_eq!(array.into_f64().unwrap()[0].to_bits(), bits);
            }
        }

        #[test]
        fn pieces_are_what_is_written(value in value(leaf())) {
            prop_assert_eq!(Chunks::new(value.clone()).collect::<Vec<_>>().concat(), to_vec(&value));
        }

        #[test]
        fn serde_json_reads_texts_the_same(text: String) {
            let document = to_vec(&Value::map([(text.as_str(), text.as_str())]));
            let theirs: std::collections::HashMap<String, String> = serde_json::from_slice(&document).unwrap();
            prop_assert_eq!(theirs.get(&text), Some(&text));
        }

        #[test]
        fn numbers_are_what_rust_reads(text in "-?[0-9]{0,20}[.]?[0-9]{0,20}([eE][+-]?[0-9]{0,4})?") {
            match read(&text) {
                Ok(Value::Float(number)) => prop_assert_eq!(number.to_bits(), text.parse::<f64>().unwrap().to_bits()),
                Ok(Value::Int(number)) => prop_assert_eq!(number, text.parse::<i128>().unwrap()),
                Ok(_) => prop_assert!(text.parse::<u128>().is_ok()),
                Err(ParseError::IntegerTooLarge { .. }) => prop_assert!(text.parse::<i128>().is_err()),
                Err(_) => prop_assert!(serde_json::from_str::<f64>(&text).is_err()),
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, &Limits::default());
        }

        #[test]
        fn what_is_accepted_comes_back(bytes in mutated(value(leaf()).prop_map(|value| to_vec(&value)))) {
            if let Ok(value) = parse(&bytes, &Limits::default()) {
                prop_assert_eq!(parse(&to_vec(&value), &Limits::default()), Ok(value));
            }
        }
    }
}
