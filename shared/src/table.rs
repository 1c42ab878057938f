//! The DynamoDB table: what is stored in it, and how it is reached.

pub(crate) mod config;
mod credentials;
pub(crate) mod distrust;
pub(crate) mod errors;
pub(crate) mod https;
pub(crate) mod repository;
