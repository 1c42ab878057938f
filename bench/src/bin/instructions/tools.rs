use std::path::PathBuf;

use bench::on_path;

/// All of these programs on `PATH`.
///
/// # Errors
///
/// A line that says which are missing, and the command that installs them on Debian.
pub fn installed<const N: usize>(
    programs: [&str; N],
    packages: &str,
) -> Result<[PathBuf; N], String> {
    let found = programs.map(on_path);
    let missing: Vec<_> = programs
        .into_iter()
        .zip(&found)
        .filter_map(|(program, file)| file.is_none().then_some(program))
        .collect();
    if missing.is_empty() {
        Ok(found.map(|file| file.expect("none is missing")))
    } else {
        let missing = missing.join(", ");
        Err(format!(
            "not on PATH: {missing}; install with: apt-get install {packages}"
        ))
    }
}
