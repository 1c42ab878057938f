use std::env;
use std::path::{Path, PathBuf};

/// The path of a program on `PATH`, by which it can be started in an environment without `PATH`.
#[must_use]
pub fn on_path(program: impl AsRef<Path>) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(&program))
        .find(|file| file.is_file())
}
