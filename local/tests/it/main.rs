//! `cargo run` as its user sees it: a process, its output, its exit.

mod command;
mod data;
mod process;
mod requests;
