use std::env;
use std::path::{Path, PathBuf};

/// A function's release binary, which is deployed, measured and tested in full: in `target/lambda`,
/// where scripts/build.sh puts it, or in the folder `LAMBDA_DIR`.
#[must_use]
pub fn release(package: impl AsRef<Path>) -> PathBuf {
    let folder = env::var_os("LAMBDA_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/lambda"),
        PathBuf::from,
    );
    let binary = folder.join(package).join("bootstrap");
    binary
        .canonicalize()
        .unwrap_or_else(|error| panic!("{}: {error}: run `make release`", binary.display()))
}
