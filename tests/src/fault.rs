//! Faults between a function and DynamoDB.

/// A fault of a request to DynamoDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// DynamoDB does nothing and returns the error with this code.
    Error(&'static str),
    /// DynamoDB does nothing, because the signature's time is too old.
    SignatureExpired,
    /// DynamoDB does nothing, because the signature's time is in the future.
    SignatureNotYetCurrent,
    /// DynamoDB fails after the write.
    InternalServerErrorAfterwards,
    /// Something in front of DynamoDB is overloaded.
    ServiceUnavailable,
    /// The same, with a response that says how long to wait.
    ServiceUnavailableForNow,
    /// Something else responds with a 404.
    NotFound,
    /// The connection is refused.
    ConnectionRefused,
    /// The connection ends before the write.
    Reset,
    /// The connection ends after the write.
    ResetAfterwards,
    /// Nothing is done, and no response comes.
    Silence,
    /// The write is done, and no response comes.
    ResponseLost,
    /// The connection ends in the middle of the response.
    ResponseTruncated,
    /// Something else responds, such as a proxy with an HTML page.
    NoJson,
    /// Something else sends an empty response.
    Empty,
    /// The response begins after the time for an attempt.
    SlowFirstByte,
    /// The response begins at once and ends after the time for an attempt.
    SlowBody,
    /// The response differs from the one that DynamoDB sent.
    WrongChecksum,
}

impl Fault {
    /// All faults except DynamoDB's errors with a code.
    pub const ALL: [Self; 17] = [
        Self::SignatureExpired,
        Self::SignatureNotYetCurrent,
        Self::InternalServerErrorAfterwards,
        Self::ServiceUnavailable,
        Self::ServiceUnavailableForNow,
        Self::NotFound,
        Self::ConnectionRefused,
        Self::Reset,
        Self::ResetAfterwards,
        Self::Silence,
        Self::ResponseLost,
        Self::ResponseTruncated,
        Self::NoJson,
        Self::Empty,
        Self::SlowFirstByte,
        Self::SlowBody,
        Self::WrongChecksum,
    ];

    /// Whether DynamoDB has executed the request.
    #[must_use]
    pub fn comes_afterwards(self) -> bool {
        matches!(
            self,
            Self::InternalServerErrorAfterwards
                | Self::ResetAfterwards
                | Self::ResponseLost
                | Self::ResponseTruncated
                | Self::NoJson
                | Self::Empty
                | Self::SlowFirstByte
                | Self::SlowBody
                | Self::WrongChecksum
        )
    }
}
