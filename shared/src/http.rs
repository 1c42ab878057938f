//! HTTP in API Gateway's form: events in, responses and problems out.

pub(crate) mod cors;
pub(crate) mod event;
pub(crate) mod outcome;
pub(crate) mod problem;
pub(crate) mod request;
pub(crate) mod response;
