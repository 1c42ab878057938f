use std::error::Error;

use lambda_http::http::header::{CONTENT_TYPE, HeaderValue};
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use super::outcome::Outcome;
use super::request::{invocation_id, request_id};
use super::response::json;
use crate::product::json::{Rejection, Violation};
use crate::table::repository::RepositoryError;
use crate::telemetry::call::last_error;

/// An [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem. Exposes no internal detail.
#[derive(Debug)]
pub struct Problem {
    outcome: Outcome,
    detail: Option<String>,
    errors: Vec<Violation>,
    /// A name in lower case and a value.
    header: Option<(&'static str, &'static str)>,
    /// For the log, not for the caller.
    cause: Option<lambda_http::Error>,
}

impl Problem {
    /// How long a caller should wait before retrying, in seconds: DynamoDB takes seconds to minutes
    /// to split a hot partition or adapt its capacity, and our own retries have already taken up to
    /// 5 s.
    const RETRY_AFTER: &str = "2";

    /// The problem with this outcome.
    ///
    /// # Panics
    ///
    /// If the outcome is a success, which has no title.
    #[must_use]
    pub fn new(outcome: Outcome) -> Self {
        assert!(outcome.title().is_some(), "{outcome:?} is not a problem");
        let detail = match outcome {
            Outcome::TooLarge => "a product has at most 400 KB, including its field names",
            Outcome::UnsupportedMediaType => "send it with `Content-Type: application/json`",
            Outcome::Unavailable => "the request is valid; retry it later",
            Outcome::InternalError => "report the request id",
            _ => "",
        };
        Self {
            outcome,
            detail: (!detail.is_empty()).then(|| detail.to_owned()),
            errors: Vec::new(),
            header: (outcome == Outcome::Unavailable).then_some(("retry-after", Self::RETRY_AFTER)),
            cause: None,
        }
    }

    /// The same problem with another detail, worded for the caller.
    #[must_use]
    pub fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// The same problem with this header in its response. The name must be in lower case.
    #[must_use]
    pub fn with_header(self, name: &'static str, value: &'static str) -> Self {
        Self {
            header: Some((name, value)),
            ..self
        }
    }

    pub(super) fn malformed_request(cause: lambda_http::Error) -> Self {
        Self {
            cause: Some(cause),
            ..Self::new(Outcome::MalformedRequest)
        }
    }

    /// The response to `request`. The cause is written to the log.
    pub(crate) fn into_response(self, request: &Request) -> Response<Body> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Members<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            #[serde(skip_serializing_if = "Option::is_none")]
            detail: Option<&'a str>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'a [Violation],
            #[serde(skip_serializing_if = "Option::is_none")]
            request_id: Option<&'a str>,
        }

        let title = self.outcome.title().unwrap_or_default();
        let request_id = request_id(request);
        if let Some(cause) = self.cause {
            tracing::error!(
                requestId = invocation_id(request),
                apiRequestId = request_id,
                error = chain(&*cause),
                lastAttempt = last_error().filter(|_| self.outcome == Outcome::Unavailable),
                "{title}"
            );
        }
        let members = Members {
            r#type: format!("urn:problem-type:product-catalog:{}", self.outcome.name()),
            title,
            status: self.outcome.status().as_u16(),
            detail: self.detail.as_deref(),
            errors: &self.errors,
            request_id,
        };
        let mut response = json(self.outcome, &members);
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some((name, value)) = self.header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotJson(_) => {
                Self::new(Outcome::MalformedBody).with_detail(rejection.to_string())
            }
            Rejection::NotAProduct(errors) => Self {
                errors,
                ..Self::new(Outcome::InvalidProduct)
            },
        }
    }
}

impl From<RepositoryError> for Problem {
    fn from(error: RepositoryError) -> Self {
        let outcome = match error {
            RepositoryError::NotFound => return Self::new(Outcome::ProductNotFound),
            RepositoryError::AlreadyExists => return Self::new(Outcome::IdTaken),
            RepositoryError::TooLarge => return Self::new(Outcome::TooLarge),
            RepositoryError::Unavailable(_) => Outcome::Unavailable,
            RepositoryError::NotAProduct { .. } | RepositoryError::Unexpected(_) => {
                Outcome::InternalError
            }
        };
        Self {
            cause: Some(error.into()),
            ..Self::new(outcome)
        }
    }
}

/// The error and all its sources on one line. The `Debug` form would show stored products.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
