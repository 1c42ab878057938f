//! Checks a release before CodeDeploy shifts traffic to it: creates a product with the new version
//! of one function, finds it with the new version of the other, and reports the result.

mod aws;
mod check;
mod persist;
mod response;

pub use check::Check;
