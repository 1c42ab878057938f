//! The binary, run as Lambda runs it.

mod faults;
mod hostile;
mod lambda;
mod priming;
mod telemetry;
