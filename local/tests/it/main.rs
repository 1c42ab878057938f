//! `cargo run`, as its user sees it: a process, its output, its end.

mod command;
mod data;
mod process;
mod requests;
