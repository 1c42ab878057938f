//! What operators see: one log line per response with its metrics, and one trace segment per
//! DynamoDB call.
//!
//! It takes plain values, and depends on neither HTTP nor the table.

pub(crate) mod call;
pub(crate) mod log;
pub(crate) mod metrics;
mod panic;
pub(crate) mod trace;
