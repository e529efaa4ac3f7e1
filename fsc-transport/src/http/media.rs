//! Media types: what a body is, and what the asker wants to read.

use std::fmt::Write;

use bytes::Bytes;
use fsc_core::bus::Failure;
use fsc_core::value::{self, Array, Numbers, ParseError, Value, cbor, json};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};

pub(super) const JSON: &str = "application/json";
pub(super) const CBOR: &str = "application/cbor";
pub(super) const ARRAY: &str = "application/vnd.fsc.array";
pub(super) const OCTETS: &str = "application/octet-stream";
pub(super) const YAML: &str = "application/yaml";

/// A format that carries every value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Cbor,
}

impl Format {
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Cbor => CBOR,
        }
    }

    pub(super) fn parse(self, body: &[u8], limits: &value::Limits) -> Result<Value, ParseError> {
        match self {
            Self::Json => json::parse(body, limits),
            Self::Cbor => cbor::parse(body, limits),
        }
    }

    pub(super) fn to_vec(self, value: &Value) -> Vec<u8> {
        match self {
            Self::Json => json::to_vec(value),
            Self::Cbor => cbor::to_vec(value),
        }
    }

    pub(super) fn write(self, value: &Value, out: &mut Vec<u8>) {
        match self {
            Self::Json => json::write(value, out),
            Self::Cbor => cbor::write(value, out),
        }
    }
}

/// What a body is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Media {
    Document(Format),
    Array(Layout),
    Octets,
}

impl Media {
    /// What the headers say the body is. Without a word it is JSON; so are the types that `curl -d` and pages that
    /// avoid a preflight send, since the reference's clients may.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Failure> {
        let Some(declared) = headers.get(CONTENT_TYPE) else { return Ok(Self::Document(Format::Json)) };
        let declared = declared.to_str().map_err(|_| unsupported())?;
        let (essence, parameters) = declared.split_once(';').unwrap_or((declared, ""));
        let essence = essence.trim();
        let is = |known: &str| essence.eq_ignore_ascii_case(known);
        if is(JSON) || is("text/plain") || is("application/x-www-form-urlencoded") || essence.is_empty() {
            Ok(Self::Document(Format::Json))
        } else if is(CBOR) {
            Ok(Self::Document(Format::Cbor))
        } else if is(ARRAY) {
            Layout::parse(parameters).map(Self::Array)
        } else if is(OCTETS) {
            Ok(Self::Octets)
        } else {
            Err(unsupported())
        }
    }
}

pub(super) fn unsupported() -> Failure {
    Failure::new(415, "unsupported content type here: see /openapi.yaml")
}

/// How the numbers of a raw array lie: the parameters of `application/vnd.fsc.array`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    integers: bool,
    shape: Option<Vec<usize>>,
}

impl Layout {
    /// Reads `dtype=f64; shape=1000x3`. The type may be left out and is `f64` then, the shape too.
    fn parse(parameters: &str) -> Result<Self, Failure> {
        let mut layout = Self { integers: false, shape: None };
        for parameter in parameters.split(';').map(str::trim).filter(|parameter| !parameter.is_empty()) {
            let (name, setting) = parameter.split_once('=').ok_or_else(unsupported)?;
            let setting = setting.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "dtype" => layout.integers = integers(setting)?,
                "shape" => layout.shape = Some(shape(setting)?),
                _ => return Err(Failure::new(415, "unknown parameter of an array's content type")),
            }
        }
        Ok(layout)
    }

    /// The array that `body` holds.
    pub(super) fn array(self, body: &[u8]) -> Result<Array, Failure> {
        let array = if self.integers { Array::from_le_i64(body) } else { Array::from_le_f64(body) };
        let array = array.map_err(|error| Failure::new(400, error.to_string()))?;
        match self.shape {
            Some(shape) => array.reshape(shape).map_err(|error| Failure::new(400, error.to_string())),
            None => Ok(array),
        }
    }
}

fn integers(dtype: &str) -> Result<bool, Failure> {
    match dtype {
        "f64" => Ok(false),
        "i64" => Ok(true),
        _ => Err(Failure::new(415, "unknown dtype: f64 and i64 are known")),
    }
}

fn shape(text: &str) -> Result<Vec<usize>, Failure> {
    text.split('x')
        .map(|extent| extent.parse().map_err(|_| Failure::new(400, "not a shape: expected something like 1000x3")))
        .collect()
}

/// The content type and the bytes of `array`, if its numbers are all of one type.
pub(super) fn raw(array: &Array) -> Option<(String, Bytes)> {
    let dtype = match array.numbers() {
        Numbers::Float(_) => "f64",
        Numbers::Int(_) => "i64",
        Numbers::Mixed(_) => return None,
    };
    let mut content_type = format!("{ARRAY}; dtype={dtype}; shape=");
    for (place, extent) in array.shape().iter().enumerate() {
        let between = if place == 0 { "" } else { "x" };
        let _ = write!(content_type, "{between}{extent}"); // writing to a string can't fail
    }
    Some((content_type, array.le_bytes()?))
}

/// What the asker wants to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The document format, if any is acceptable.
    pub(super) document: Option<Format>,
    /// Whether a raw array is preferred to a document.
    pub(super) array: bool,
}

impl Wanted {
    const JSON: Self = Self { document: Some(Format::Json), array: false };

    /// What the `Accept` headers say: JSON unless they prefer something else.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut weights = [0_u16; 3];
        let mut silent = true;
        for line in headers.get_all(ACCEPT) {
            silent = false;
            for range in line.to_str().unwrap_or_default().split(',') {
                weigh(range, &mut weights);
            }
        }
        if silent {
            return Self::JSON;
        }
        let [json, cbor, array] = weights;
        let document = match json.max(cbor) {
            0 => None,
            _ if cbor > json => Some(Format::Cbor),
            _ => Some(Format::Json),
        };
        Self { document, array: array > json.max(cbor) }
    }
}

/// Enters one range of an `Accept` header. Weights are thousandths, doubled so that on a tie a name beats a wildcard.
fn weigh(range: &str, [json, cbor, array]: &mut [u16; 3]) {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let quality = parts.find_map(|parameter| parameter.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0));
    let doubled = 2 * (f32::clamp(quality, 0.0, 1.0) * 1000.0) as u16;
    let named = doubled + u16::from(doubled > 0);
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if is(JSON) {
        *json = named;
    } else if is(CBOR) {
        *cbor = named;
    } else if is(ARRAY) {
        *array = named;
    } else if is("*/*") || is("application/*") {
        *json = doubled.max(*json);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &str) -> Wanted {
        Wanted::of(&HeaderMap::from_iter([(ACCEPT, accept.parse().unwrap())]))
    }

    fn media(content_type: &str) -> Result<Media, u16> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
        Media::of(&headers).map_err(|failure| failure.code)
    }

    #[test]
    fn json_is_answered_unless_something_else_is_preferred() {
        assert_eq!(Wanted::of(&HeaderMap::new()), Wanted::JSON);
        for accept in ["*/*", "application/json, text/xml, application/xml, */*", "application/*;q=0.1"] {
            assert_eq!(wanted(accept), Wanted::JSON, "{accept}");
        }
        for accept in ["application/cbor", "application/cbor, application/json;q=0.5", "application/cbor, */*"] {
            assert_eq!(wanted(accept).document, Some(Format::Cbor), "{accept}");
        }
        assert_eq!(wanted("application/json;q=0.2, application/cbor;q=0.1").document, Some(Format::Json));
        assert_eq!(wanted("text/html"), Wanted { document: None, array: false });
        assert_eq!(wanted("application/json;q=0").document, None);
        assert_eq!(wanted(ARRAY), Wanted { document: None, array: true });
        assert_eq!(
            wanted("application/vnd.fsc.array, */*;q=0.5"),
            Wanted { document: Some(Format::Json), array: true }
        );
        assert_eq!(wanted("application/json;q=nan").document, None);
    }

    #[test]
    fn content_types_are_told_apart() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "text/plain;charset=UTF-8"] {
            assert_eq!(media(json), Ok(Media::Document(Format::Json)), "{json}");
        }
        assert_eq!(media("application/cbor"), Ok(Media::Document(Format::Cbor)));
        assert_eq!(media("application/octet-stream"), Ok(Media::Octets));
        for unknown in ["text/html", "multipart/form-data; boundary=x", "application/vnd.fsc.array; dtype=f32"] {
            assert_eq!(media(unknown), Err(415), "{unknown}");
        }
        assert_eq!(media("application/vnd.fsc.array; shape=2x"), Err(400));
        assert_eq!(media("application/vnd.fsc.array; shape=-1"), Err(400));
    }

    #[test]
    fn raw_arrays_come_back_as_they_went_in() {
        let array = Array::from_i64(vec![1, -2, 3, 4, 5, 6]).reshape(vec![2, 3]).unwrap();
        let (content_type, bytes) = raw(&array).unwrap();
        assert_eq!(content_type, "application/vnd.fsc.array; dtype=i64; shape=2x3");
        let Ok(Media::Array(layout)) = media(&content_type) else { panic!("an array's content type") };
        assert_eq!(layout.array(&bytes).unwrap(), array);
    }

    #[test]
    fn raw_arrays_that_do_not_fit_are_refused() {
        let layout = |text| Layout::parse(text).unwrap();
        assert_eq!(layout("shape=3").array(&[0; 16]).unwrap_err().code, 400);
        assert_eq!(layout("").array(&[0; 15]).unwrap_err().code, 400);
        assert_eq!(layout("").array(&f64::NAN.to_le_bytes()).unwrap_err().code, 400);
        assert_eq!(layout("shape=18446744073709551615x2").array(&[0; 16]).unwrap_err().code, 400);
    }
}
