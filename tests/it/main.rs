//! The API as a caller, API Gateway and an operator see it. One binary, so that it links only once.

mod api;
mod bodies;
mod compression;
mod contract;
mod cors;
mod events;
mod faults;
#[expect(unused_attributes, reason = "no_main is for the fuzzer's own binary")]
#[path = "../../fuzz/fuzz_targets/event.rs"]
mod fuzz;
mod hostile;
mod lambda;
mod laws;
mod migration;
mod openapi;
mod promises;
mod signature;
mod values;
