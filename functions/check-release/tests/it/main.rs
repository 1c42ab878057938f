//! The binary, run as Lambda runs it, over a Lambda and a CodeDeploy that are played.

mod aws;
mod release;
mod report;
mod requests;
