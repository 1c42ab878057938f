//! The DynamoDB table: what is stored in it, and how it is reached.

pub(crate) mod checksum;
pub(crate) mod config;
pub(crate) mod https;
pub(crate) mod repository;
