use std::error::Error;

use lambda_http::http::StatusCode;
use lambda_http::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use lambda_http::{Body, Request, Response};
use serde::Serialize;

use crate::response::invocation_id;
use crate::{Rejection, RepositoryError, Violation, json, request_id};

/// Why a caller doesn't get what was asked for: RFC 9457, and nothing of what is inside.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
    detail: Option<String>,
    errors: Vec<Violation>,
    /// For the log, not for the caller.
    cause: Option<RepositoryError>,
}

impl Problem {
    /// How long a caller should wait before the next try, in seconds:
    /// DynamoDB splits a hot partition or adapts its capacity in
    /// seconds to minutes, and our own retries took one already.
    const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

    fn new(status: StatusCode, name: &'static str, title: &'static str) -> Self {
        Self {
            status,
            name,
            title,
            detail: None,
            errors: Vec::new(),
            cause: None,
        }
    }

    fn with_detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// 404: there is no product under the id that was asked for.
    #[must_use]
    pub fn product_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "product-not-found",
            "No product has this id",
        )
    }

    /// 400: the event is API Gateway's, but broken: no caller can bring about one.
    #[must_use]
    pub fn malformed_request() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "malformed-request",
            "The request cannot be read",
        )
    }

    /// 413: the body is longer than any product can be.
    #[must_use]
    pub fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The product is too large",
        )
        .with_detail("a product has at most 400 KB, its field names counted")
    }

    /// 415: the body is said to be something else than JSON.
    #[must_use]
    pub fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The body must be JSON",
        )
        .with_detail("send it with `Content-Type: application/json`")
    }

    /// The answer to `request`. What went wrong inside is written to the log.
    #[must_use]
    pub fn into_response(self, request: &Request) -> Response<Body> {
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

        let request_id = request_id(request);
        if let Some(cause) = &self.cause {
            tracing::error!(
                requestId = invocation_id(request),
                apiRequestId = request_id,
                error = chain(cause),
                "{}",
                self.title
            );
        }
        let mut response = json(
            self.status,
            self.name,
            &Members {
                r#type: format!("urn:problem-type:product-catalog:{}", self.name),
                title: self.title,
                status: self.status.as_u16(),
                detail: self.detail.as_deref(),
                errors: &self.errors,
                request_id,
            },
        );
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, Self::RETRY_AFTER);
        }
        response
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotJson(_) => Self::new(
                StatusCode::BAD_REQUEST,
                "malformed-body",
                "The body is not JSON",
            )
            .with_detail(rejection.to_string()),
            Rejection::NotAProduct(errors) => Self {
                errors,
                ..Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid-product",
                    "The body is not a product",
                )
            },
        }
    }
}

impl From<RepositoryError> for Problem {
    fn from(error: RepositoryError) -> Self {
        match error {
            RepositoryError::NotFound => Self::product_not_found(),
            RepositoryError::AlreadyExists => Self::new(
                StatusCode::CONFLICT,
                "id-taken",
                "Another product has this id",
            ),
            RepositoryError::TooLarge => Self::too_large(),
            RepositoryError::Unavailable(_) => Self {
                cause: Some(error),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "unavailable",
                    "The catalog is not available",
                )
                .with_detail("nothing is wrong with the request; send it again after a while")
            },
            RepositoryError::NotAProduct { .. } | RepositoryError::Unexpected(_) => Self {
                cause: Some(error),
                ..Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal-error",
                    "Something is wrong on our side",
                )
                .with_detail("tell us the request id")
            },
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
