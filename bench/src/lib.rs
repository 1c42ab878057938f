//! What the measurements stand on: a DynamoDB whose answers cost
//! nothing, the calls, and the binaries that are called.

mod call;
mod canned;

use std::path::{Path, PathBuf};
use std::{env, fs};

pub use call::Call;
pub use canned::Canned;

/// The release binary of a package.
///
/// # Panics
///
/// When it is not built.
#[must_use]
pub fn release(package: &str) -> PathBuf {
    let folder = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        PathBuf::from,
    );
    fs::canonicalize(folder.join("release").join(package)).expect("a release build")
}
