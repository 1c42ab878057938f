//! What the measurements stand on: a DynamoDB whose answers cost nothing, and the calls.

mod call;
mod canned;

pub use call::Call;
pub use canned::Canned;
