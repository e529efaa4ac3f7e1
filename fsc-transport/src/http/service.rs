//! One request and its answer.

use std::borrow::Cow;
use std::fmt::Write;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use fsc_core::bus::{Failure, Principal, Request, Response, Step, codec};
use fsc_core::transport::{Answer, Handler, Origin};
use fsc_core::value::{Arguments, Handle, Value};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode, Version};
use hyper::body::Incoming;

use super::OPENAPI;
use super::config::{Access, Limits, Origins, ServerConfig};
use super::content::Content;
use super::intake::{self, Pace, Room, Space};
use super::media::{self, Format, Media, Wanted};
use super::pulse::Pulse;
use super::routes::{Operation, Place};

/// The longest body by which mail is asked for.
const ASKING: usize = 1 << 20;

/// The longest body that is read and forgotten, where a client sends one without need.
const IGNORED: usize = 64 << 10;

/// Bodies from this size on are parsed off the I/O threads.
const HEAVY: usize = 1 << 20;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE, OPTIONS");
const HEADERS: HeaderValue = HeaderValue::from_static("Content-Type, Accept, Authorization");
const PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Answers requests: what all connections of a server share.
pub(super) struct Service {
    handler: Arc<dyn Handler>,
    access: Access,
    origins: Origins,
    pub(super) limits: Limits,
    /// For the bodies of all clients.
    space: Space,
    /// For all mail, so that clients can't keep it out.
    mail_space: Space,
    /// The answer to a list, in JSON and CBOR. It never changes.
    list: [Bytes; 2],
}

/// What a connection knows of its other end.
pub(super) struct Caller {
    pub(super) origin: Origin,
    pub(super) pulse: Arc<Pulse>,
}

/// An answer that is not yet HTTP.
struct Reply {
    content_type: Cow<'static, str>,
    content: Content,
}

/// A failure, and what HTTP wants said beside it.
struct Refusal {
    failure: Failure,
    beside: Beside,
}

/// What an error's headers say.
enum Beside {
    Nothing,
    /// The connection can't be used any more: the rest of a body may still come.
    Close,
    /// These methods would have done.
    Allow(&'static str),
    /// Tokens are wanted.
    Authenticate,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { failure, beside: Beside::Nothing }
    }
}

impl From<intake::IntakeError> for Refusal {
    fn from(error: intake::IntakeError) -> Self {
        Self { failure: error.into(), beside: Beside::Close }
    }
}

impl Service {
    pub(super) fn new(config: ServerConfig, handler: Arc<dyn Handler>) -> Self {
        let list = codec::answer_to_value(&Answer::List(handler.list().to_vec()));
        let list = [Format::Json, Format::Cbor].map(|format| format.to_vec(&list).into());
        let [space, mail_space] = [(); 2].map(|()| Space::new(config.limits.bodies));
        let ServerConfig { access, origins, limits, .. } = config;
        Self { handler, access, origins, limits, space, mail_space, list }
    }

    /// Answers a plain request for the list, which is what takes no waiting and is asked most; leaves the others.
    pub(super) fn answer_at_once(
        &self,
        caller: &Caller,
        request: &http::Request<Incoming>,
    ) -> Option<http::Response<Content>> {
        let plain = request.method() == Method::GET
            && request.uri().path_and_query().is_some_and(|path| path == "/representations")
            && http_body::Body::is_end_stream(request.body())
            && request.headers().len() <= self.limits.headers;
        if !plain || self.principal(request.headers()).is_err() {
            return None;
        }
        let format = Wanted::of(request.headers()).document?;
        let _serving = caller.pulse.begin(request.version() == Version::HTTP_2);
        let mut response = self.listed(format);
        self.allow_origin(request.headers(), response.headers_mut());
        Some(response)
    }

    fn listed(&self, format: Format) -> http::Response<Content> {
        let [json, cbor] = &self.list;
        let list = if format == Format::Json { json } else { cbor };
        reply(format.media_type(), Content::Whole(list.clone()))
    }

    /// Answers `request`, always.
    pub(super) async fn answer(&self, caller: &Caller, request: http::Request<Incoming>) -> http::Response<Content> {
        let multiplexed = request.version() == Version::HTTP_2;
        let _serving = caller.pulse.begin(multiplexed);
        let (head, mut body) = request.into_parts();
        let wanted = Wanted::of(&head.headers);
        let exchange = Exchange { service: self, caller, head: &head, wanted, multiplexed };
        let mut response = match exchange.perform(&mut body).await {
            Ok(response) => response,
            Err(refusal) => refused(refusal, wanted.document.unwrap_or(Format::Json), multiplexed),
        };
        if !http_body::Body::is_end_stream(&body) {
            caller.pulse.leave_unread();
        }
        self.allow_origin(&head.headers, response.headers_mut());
        response
    }

    fn allow_origin(&self, asked: &HeaderMap, headers: &mut HeaderMap) {
        match &self.origins {
            Origins::Any => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            Origins::Only(allowed) => {
                headers.insert(header::VARY, HeaderValue::from_static("origin"));
                let origin = asked.get(header::ORIGIN).filter(|origin| allowed.contains(origin));
                if let Some(origin) = origin {
                    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
                }
            }
        }
    }

    /// Refuses what a web page from elsewhere asks. A browser hides the answer from such a page, but does send some requests.
    fn admit_page(&self, headers: &HeaderMap) -> Result<(), Failure> {
        match (&self.origins, headers.get(header::ORIGIN)) {
            (Origins::Only(allowed), Some(origin)) if !allowed.contains(origin) => {
                Err(Failure::new(403, "web pages of this origin may not use this node"))
            }
            _ => Ok(()),
        }
    }

    fn principal(&self, headers: &HeaderMap) -> Result<&Principal, Refusal> {
        let tokens = match &self.access {
            Access::Anonymous(principal) => return Ok(principal),
            Access::Tokens(tokens) => tokens,
        };
        bearer(headers).and_then(|token| tokens.principal(token)).ok_or_else(|| Refusal {
            failure: Failure::new(401, "who are you? Send Authorization: Bearer TOKEN with a token of this server"),
            beside: Beside::Authenticate,
        })
    }
}

/// One request on its way to an answer.
struct Exchange<'a> {
    service: &'a Service,
    caller: &'a Caller,
    head: &'a Parts,
    wanted: Wanted,
    multiplexed: bool,
}

impl Exchange<'_> {
    async fn perform(&self, body: &mut Incoming) -> Result<http::Response<Content>, Refusal> {
        let path = self.head.uri.path();
        if path.len() + self.head.uri.query().map_or(0, str::len) > self.service.limits.path {
            return Err(Failure::new(414, "the path is too long").into());
        }
        if self.head.headers.len() > self.service.limits.headers {
            return Err(Failure::new(431, "too many headers").into());
        }
        if self.head.method == Method::OPTIONS {
            return self.preflight(path, body).await;
        }
        let place = Place::of(path).ok_or_else(nothing_here)?;
        let operation = place.operation(&self.head.method).ok_or_else(|| Refusal {
            failure: Failure::new(405, "this path does not take this method"),
            beside: Beside::Allow(place.allow()),
        })?;
        match operation {
            Operation::Mail => self.mail(body).await,
            Operation::Collect => self.collect(body).await,
            Operation::Contract => self.contract(body).await,
            _ => self.operate(operation, body).await,
        }
    }

    /// Tells a browser what pages may do: everything that anybody may.
    async fn preflight(&self, path: &str, body: &mut Incoming) -> Result<http::Response<Content>, Refusal> {
        let allow = match (path, Place::of(path)) {
            ("*", _) => METHODS,
            (_, Some(place)) => HeaderValue::from_static(place.allow()),
            (_, None) => return Err(nothing_here()),
        };
        self.ignore(body).await?;
        let mut response = http::Response::new(Content::Whole(Bytes::new()));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ALLOW, allow);
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        headers.insert(PRIVATE_NETWORK, HeaderValue::from_static("true"));
        Ok(response)
    }

    async fn contract(&self, body: &mut Incoming) -> Result<http::Response<Content>, Refusal> {
        self.ignore(body).await?;
        Ok(reply(media::YAML, Content::Whole(Bytes::from_static(OPENAPI.as_bytes()))))
    }

    /// Checks that it is a node that speaks.
    fn admit_node(&self) -> Result<(), Refusal> {
        // Nodes name no origin; what does comes from a web page.
        if self.head.headers.contains_key(header::ORIGIN) {
            return Err(Failure::new(403, "mail does not come from web pages").into());
        }
        if self.head.headers.contains_key(header::CONTENT_TYPE) && Media::of(&self.head.headers)? != Media::Octets {
            return Err(media::unsupported().into());
        }
        Ok(self.service.handler.admits(self.caller.origin)?)
    }

    async fn mail(&self, body: &mut Incoming) -> Result<http::Response<Content>, Refusal> {
        self.admit_node()?;
        let Service { limits, mail_space, .. } = self.service;
        let (batch, _room) = intake::collect(body, limits.mail, mail_space, Some(self.pace())).await?;
        let life = self.service.handler.mail(self.caller.origin, batch)?;
        // The run that waits for it comes first: it may have to answer, and nobody waits for this receipt.
        tokio::task::yield_now().await;
        Ok(reply(media::OCTETS, Content::Whole(Bytes::copy_from_slice(&life.0))))
    }

    async fn collect(&self, body: &mut Incoming) -> Result<http::Response<Content>, Refusal> {
        self.admit_node()?;
        let Service { limits, mail_space, handler, .. } = self.service;
        let (asking, room) = intake::collect(body, limits.mail.min(ASKING), mail_space, Some(self.pace())).await?;
        drop(room);
        let waiting = handler.collect(self.caller.origin, asking).await?;
        Ok(reply(media::OCTETS, Content::Whole(waiting)))
    }

    /// A client's request.
    async fn operate(&self, operation: Operation<'_>, body: &mut Incoming) -> Result<http::Response<Content>, Refusal> {
        self.service.admit_page(&self.head.headers)?;
        let principal = self.service.principal(&self.head.headers)?;
        let downloads = matches!(operation, Operation::Download(_));
        let format = match self.wanted {
            Wanted { document: Some(format), .. } => format,
            Wanted { array: true, .. } if downloads => Format::Json,
            _ => return Err(not_acceptable().into()),
        };
        let steps = match operation {
            Operation::List => {
                self.ignore(body).await?;
                return Ok(self.service.listed(format));
            }
            Operation::Chain => codec::chain(self.document(body).await?)?,
            _ => self.steps(operation, body).await?,
        };
        let response = self.service.handler.request(principal, Request::Chain(steps)).await?;
        let Reply { content_type, content } = self.encode(response, format)?;
        Ok(reply(&content_type, content))
    }

    /// The steps that a classic operation stands for.
    async fn steps(&self, operation: Operation<'_>, body: &mut Incoming) -> Result<Vec<Step>, Refusal> {
        Ok(match operation {
            Operation::Create => vec![Step::Create(self.arguments(body).await?.kwargs)],
            Operation::Upload => vec![Step::Upload(self.upload(body).await?)],
            Operation::Call(handle) => {
                let object = Step::Use(known(handle)?);
                vec![object, Step::Call(self.arguments(body).await?)]
            }
            Operation::Download(handle) => {
                self.ignore(body).await?;
                vec![Step::Use(known(handle)?), Step::Download]
            }
            Operation::Release(handle) => {
                self.ignore(body).await?;
                vec![Step::Use(known(handle)?), Step::Release]
            }
            Operation::Attribute(handle, name) => {
                self.ignore(body).await?;
                vec![Step::Use(known(handle)?), Step::Attribute(decoded(name)?)]
            }
            Operation::List | Operation::Chain | Operation::Mail | Operation::Collect | Operation::Contract => {
                Vec::new()
            }
        })
    }

    async fn upload(&self, body: &mut Incoming) -> Result<Value, Refusal> {
        if let Media::Array(layout) = Media::of(&self.head.headers)? {
            let (bytes, _room) = self.read(body, self.service.limits.body).await?;
            return Ok(Value::Array(layout.array(&bytes)?));
        }
        let mut arguments = self.arguments(body).await?;
        if arguments.args.is_empty() {
            return Err(Failure::new(400, "missing parameter: args[0], the value to store").into());
        }
        Ok(arguments.args.swap_remove(0))
    }

    async fn arguments(&self, body: &mut Incoming) -> Result<Arguments, Refusal> {
        Ok(codec::arguments(self.document(body).await?)?)
    }

    /// The body as a value; no body is `null`.
    async fn document(&self, body: &mut Incoming) -> Result<Value, Refusal> {
        let Media::Document(format) = Media::of(&self.head.headers)? else {
            return Err(media::unsupported().into());
        };
        let (bytes, _room) = self.read(body, self.service.limits.body).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        let limits = self.service.limits.values;
        let parsed = if bytes.len() < HEAVY {
            format.parse(&bytes, &limits)
        } else {
            let parsing = tokio::task::spawn_blocking(move || format.parse(&bytes, &limits)).await;
            parsing.map_err(|_| Failure::new(500, "the server failed to read the body"))?
        };
        Ok(parsed.map_err(|error| Failure::new(400, format!("not a valid body: {error}")))?)
    }

    /// Reads a body that means nothing: the reference's clients send `{}` with everything.
    async fn ignore(&self, body: &mut Incoming) -> Result<(), Refusal> {
        self.read(body, IGNORED).await?;
        Ok(())
    }

    /// The body, of at most `bound` bytes, and the room that it takes up.
    async fn read(&self, body: &mut Incoming, bound: usize) -> Result<(Bytes, Room), intake::IntakeError> {
        intake::collect(body, bound, &self.service.space, Some(self.pace())).await
    }

    fn encode(&self, response: Response, format: Format) -> Result<Reply, Refusal> {
        let content = match response {
            Response::None if format == Format::Json => Content::Whole(Bytes::from_static(br#"{"type":"none"}"#)),
            Response::Handle(handle) if format == Format::Json => {
                let mut text = String::with_capacity(64);
                let _ = write!(text, r#"{{"type":"uuid","uuid":"{handle}"}}"#); // writing to a string can't fail
                Content::Whole(text.into())
            }
            Response::None => document(format, &Answer::None),
            Response::Handle(handle) => document(format, &Answer::Handle(handle)),
            Response::List(list) => document(format, &Answer::List(list.to_vec())),
            Response::Object(object) => {
                let content =
                    object.content().ok_or_else(|| Failure::new(403, "not an output: it can't be downloaded"))?;
                return self.encode_object(&content, format);
            }
        };
        Ok(Reply { content_type: format.media_type().into(), content })
    }

    fn encode_object(&self, value: &Value, format: Format) -> Result<Reply, Refusal> {
        if self.wanted.array {
            if let Value::Array(array) = value
                && let Some((content_type, bytes)) = media::raw(array)
            {
                return Ok(Reply { content_type: content_type.into(), content: Content::Whole(bytes) });
            }
            if self.wanted.document.is_none() {
                return Err(not_acceptable().into());
            }
        }
        Ok(Reply { content_type: format.media_type().into(), content: Content::of_object(value, format) })
    }

    fn pace(&self) -> Pace {
        let limits = &self.service.limits;
        // HTTP/1 requests are polled by their connection's task, which the watchdog wakes.
        Pace { patience: limits.body_patience, rate: limits.body_rate, watched: !self.multiplexed }
    }
}

fn document(format: Format, answer: &Answer) -> Content {
    Content::Whole(format.to_vec(&codec::answer_to_value(answer)).into())
}

fn reply(content_type: &str, content: Content) -> http::Response<Content> {
    let mut response = http::Response::new(content);
    let content_type = match content_type {
        media::JSON => HeaderValue::from_static(media::JSON),
        other => HeaderValue::from_str(other).unwrap_or(HeaderValue::from_static(media::OCTETS)),
    };
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// The one shape of all errors: the status, and the same in the body.
fn refused(refusal: Refusal, format: Format, multiplexed: bool) -> http::Response<Content> {
    let Refusal { mut failure, beside } = refusal;
    let status = StatusCode::from_u16(failure.code).ok().filter(|status| status.as_u16() >= 400);
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    failure.code = status.as_u16();
    let body = format.to_vec(&codec::failure_to_value(&failure));
    let mut response = reply(format.media_type(), Content::Whole(body.into()));
    *response.status_mut() = status;
    let header = match beside {
        Beside::Allow(methods) => Some((header::ALLOW, methods)),
        Beside::Authenticate => Some((header::WWW_AUTHENTICATE, "Bearer")),
        // HTTP/2 has no such header: it resets the stream.
        Beside::Close if !multiplexed => Some((header::CONNECTION, "close")),
        Beside::Close | Beside::Nothing => None,
    };
    if let Some((name, value)) = header {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn nothing_here() -> Refusal {
    Failure::new(404, "nothing here: see /openapi.yaml").into()
}

fn not_acceptable() -> Failure {
    Failure::new(406, "no acceptable format: JSON and CBOR always are, a raw array if the object is one")
}

/// The handle that a path names. What is no handle is as unknown as a handle that nobody has.
fn known(text: &str) -> Result<Handle, Failure> {
    Handle::from_str(text).map_err(|_| Failure::new(404, "unknown handle"))
}

/// `name` without its percent-encoding.
fn decoded(name: &str) -> Result<String, Failure> {
    let bad = || Failure::new(400, "the path is not well-formed percent-encoded UTF-8");
    let mut decoded = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16)).ok_or_else(bad);
                u8::try_from(digit()? * 16 + digit()?).map_err(|_| bad())?
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| bad())
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_percent_decoded() {
        assert_eq!(decoded("compute").unwrap(), "compute");
        assert_eq!(decoded("a%20b%C3%bc").unwrap(), "a bü");
        for bad in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert_eq!(decoded(bad).unwrap_err().code, 400, "{bad}");
        }
    }
}
