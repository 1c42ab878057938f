//! Compresses the script of the reference: at each start, it would take a second.

use std::env;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let script = scalar_api_reference::get_asset("scalar.js").expect("its script");
    let folder = env::var_os("OUT_DIR").expect("a folder");
    let file = File::create(Path::new(&folder).join("scalar.js.gz")).expect("a new file");
    let mut gzip = GzEncoder::new(file, Compression::default());
    gzip.write_all(&script).expect("enough space");
    gzip.finish().expect("enough space");
}
