//! What can go wrong between a function and DynamoDB.

/// What goes wrong with a request to DynamoDB.
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
    /// Something before DynamoDB is overloaded.
    ServiceUnavailable,
    /// The same, and its response says how long to wait.
    ServiceUnavailableForNow,
    /// Something else responds with a 404.
    NotFound,
    /// Nobody listens.
    ConnectionRefused,
    /// The connection ends before the write.
    Reset,
    /// The connection ends after the write.
    ResetAfterwards,
    /// Nothing is done, and no response comes.
    Silence,
    /// The write is done, and no response comes.
    AnswerLost,
    /// The connection ends in the middle of the response.
    AnswerTruncated,
    /// Something else responds, such as a proxy with a page.
    NoJson,
    /// Something else responds with nothing.
    Empty,
    /// The response begins after the time for an attempt.
    SlowFirstByte,
    /// The response begins at once and ends after the time for an attempt.
    SlowBody,
    /// The response is not the one that DynamoDB sent.
    WrongChecksum,
}

impl Fault {
    /// All faults, except the errors that DynamoDB names.
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
        Self::AnswerLost,
        Self::AnswerTruncated,
        Self::NoJson,
        Self::Empty,
        Self::SlowFirstByte,
        Self::SlowBody,
        Self::WrongChecksum,
    ];

    /// Whether DynamoDB has done what it was asked for.
    #[must_use]
    pub fn comes_afterwards(self) -> bool {
        matches!(
            self,
            Self::InternalServerErrorAfterwards
                | Self::ResetAfterwards
                | Self::AnswerLost
                | Self::AnswerTruncated
                | Self::NoJson
                | Self::Empty
                | Self::SlowFirstByte
                | Self::SlowBody
                | Self::WrongChecksum
        )
    }
}
