//! The binary, run as Lambda runs it.

mod faults;
mod lambda;
mod priming;
mod tls;
