use lambda_http::http::StatusCode;

/// The outcome of a request, ordered by status code: the only list of names, status codes and
/// titles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The product was found.
    Found,
    /// The same product had been written by an earlier request.
    Replayed,
    /// The product was written.
    Created,
    /// The product was found, and the caller already has it.
    NotModified,
    /// The body is not JSON.
    MalformedBody,
    /// API Gateway sent a request that cannot be read. No caller can cause this.
    MalformedRequest,
    /// No product has the id.
    ProductNotFound,
    /// Another product has the id.
    IdTaken,
    /// The product exceeds DynamoDB's item size.
    TooLarge,
    /// The `Content-Type` is not JSON.
    UnsupportedMediaType,
    /// The body is JSON, but not a product.
    InvalidProduct,
    /// The deployment, the stored item or the code is wrong.
    InternalError,
    /// DynamoDB throttles, fails or does not respond in time.
    Unavailable,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 13] = [
        Self::Found,
        Self::Replayed,
        Self::Created,
        Self::NotModified,
        Self::MalformedBody,
        Self::MalformedRequest,
        Self::ProductNotFound,
        Self::IdTaken,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::InvalidProduct,
        Self::InternalError,
        Self::Unavailable,
    ];

    /// The label in the log and the metrics; for a problem, also the last part of its `type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The status code of the response.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().1
    }

    /// The title of the problem, or `None` if the outcome is not a problem.
    #[must_use]
    pub const fn title(self) -> Option<&'static str> {
        self.row().2
    }

    const fn row(self) -> (&'static str, StatusCode, Option<&'static str>) {
        match self {
            Self::Found => ("found", StatusCode::OK, None),
            Self::Replayed => ("replayed", StatusCode::OK, None),
            Self::Created => ("created", StatusCode::CREATED, None),
            Self::NotModified => ("not-modified", StatusCode::NOT_MODIFIED, None),
            Self::MalformedBody => (
                "malformed-body",
                StatusCode::BAD_REQUEST,
                Some("The body is not JSON"),
            ),
            Self::MalformedRequest => (
                "malformed-request",
                StatusCode::BAD_REQUEST,
                Some("The request cannot be read"),
            ),
            Self::ProductNotFound => (
                "product-not-found",
                StatusCode::NOT_FOUND,
                Some("No product has this id"),
            ),
            Self::IdTaken => (
                "id-taken",
                StatusCode::CONFLICT,
                Some("Another product has this id"),
            ),
            Self::TooLarge => (
                "too-large",
                StatusCode::PAYLOAD_TOO_LARGE,
                Some("The product is too large"),
            ),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Some("The body must be JSON"),
            ),
            Self::InvalidProduct => (
                "invalid-product",
                StatusCode::UNPROCESSABLE_ENTITY,
                Some("The body is not a product"),
            ),
            Self::InternalError => (
                "internal-error",
                StatusCode::INTERNAL_SERVER_ERROR,
                Some("Internal error"),
            ),
            Self::Unavailable => (
                "unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                Some("The catalog is unavailable"),
            ),
        }
    }
}
