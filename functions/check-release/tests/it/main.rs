//! The binary, run as Lambda runs it, with a fake Lambda and CodeDeploy.

mod aws;
mod release;
mod report;
mod requests;
