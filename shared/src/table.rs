//! The DynamoDB table: its items, and the connection to it.

pub(crate) mod config;
mod credentials;
pub(crate) mod distrust;
pub(crate) mod errors;
pub(crate) mod https;
pub(crate) mod repository;
