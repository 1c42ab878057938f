use serde::Deserialize;
use serde_json::Value;

use crate::persist::Failure;

/// A function's response, as API Gateway reads it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Response {
    status_code: u16,
    headers: Headers,
    body: String,
}

#[derive(Debug, Deserialize)]
struct Headers {
    #[serde(rename = "content-type")]
    content_type: String,
}

impl Response {
    /// Reads what a function returned.
    ///
    /// # Errors
    ///
    /// If it is not a response, or if it is a 503, after which a retry can succeed.
    pub fn read(returned: &[u8]) -> Result<Self, Failure> {
        let response: Self = serde_json::from_slice(returned).map_err(|error| {
            let returned = String::from_utf8_lossy(returned);
            Failure::Final(format!(
                "something that API Gateway cannot read ({error}): {returned}"
            ))
        })?;
        if response.status_code == 503 {
            return Err(Failure::Transient(response.text()));
        }
        Ok(response)
    }

    /// Whether it has one of these statuses, this content type, and a correct body.
    pub fn is(
        &self,
        statuses: &[u16],
        content_type: &str,
        is_right: impl Fn(&str) -> bool,
    ) -> bool {
        statuses.contains(&self.status_code)
            && self.headers.content_type == content_type
            && is_right(&self.body)
    }

    /// Describes the response for the log.
    pub fn text(&self) -> String {
        let (status, content_type) = (self.status_code, &self.headers.content_type);
        format!("{status} with {content_type}: {}", self.body)
    }
}

/// Whether a body is a JSON object with this member.
pub(crate) fn has(body: &str, name: &str, value: impl Into<Value>) -> bool {
    serde_json::from_str::<Value>(body).is_ok_and(|body| body[name] == value.into())
}
