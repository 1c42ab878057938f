//! The API as a caller, API Gateway and an operator see it. One binary, so that it links only once.

mod api;
mod bodies;
mod compression;
mod contract;
mod cors;
mod events;
mod faults;
mod hostile;
mod lambda;
mod laws;
mod migration;
mod openapi;
mod promises;
mod signature;
mod values;
