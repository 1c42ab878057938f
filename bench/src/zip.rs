use std::path::Path;
use std::{env, fs, process};

use tokio::process::Command;

/// The size of a file's zip in bytes, made as scripts/build.sh makes it.
pub async fn zip_size(file: &Path) -> u64 {
    let zip = env::temp_dir().join(format!("product-catalog-bench-{}.zip", process::id()));
    let mut command = Command::new("python3");
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/zip.py"))
        .arg(&zip)
        .arg(file);
    assert!(command.status().await.expect("python3 runs").success());
    let size = fs::metadata(&zip).expect("a zip").len();
    fs::remove_file(&zip).expect("it is gone");
    size
}
