//! The bus: resolve, authorise, act, grant.

pub mod codec;
pub mod grant;
pub mod policy;
pub mod request;

pub use request::{Failure, Principal, Request, Response, Step};
