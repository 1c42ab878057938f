//! The files for `--data`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use dynoxide::Database;
use rusqlite::Connection;

use crate::process::{ECHO, Running, command, refused};

/// This test's own file, removed with its journal at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("product-catalog-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn file(&self) -> String {
        self.0
            .join("catalog.db")
            .to_str()
            .expect("UTF-8")
            .to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the folder is gone");
    }
}

#[test]
fn a_file_keeps_the_catalog_across_restarts() {
    let scratch = Scratch::new("restart");
    let arguments = ["--port", "0", "--data", &scratch.file()];
    let first = Running::start(&arguments);
    assert_eq!(
        first.ask("POST", "/product/create", ECHO).0,
        "HTTP/1.1 201 Created"
    );
    first.stop();

    let second = Running::start(&arguments);
    assert_eq!(second.ask("GET", "/product/find/1001", "").1, ECHO);
    second.stop();
}

#[test]
fn a_file_that_cannot_be_a_catalog_is_rejected_and_not_changed() {
    let scratch = Scratch::new("refused");
    let folder = scratch.0.display().to_string();
    let anything = format!("{folder}/text");
    fs::write(&anything, "not a catalog ".repeat(100)).expect("a file");
    let others = format!("{folder}/others.db");
    Connection::open(&others)
        .and_then(|others| others.execute_batch("CREATE TABLE of_another_program (id)"))
        .expect("a database");
    let before = [&anything, &others].map(|file| fs::read(file).expect("a file"));

    for (file, reason) in [
        (
            format!("{folder}/none/catalog.db"),
            "No such file or directory (os error 2); create its folder first",
        ),
        (
            folder,
            "Is a directory (os error 21); name a file inside it",
        ),
        (
            anything.clone(),
            "file is not a database; name a new file or an existing catalog",
        ),
        (
            others.clone(),
            "it is another program's database; name a new file or an existing catalog",
        ),
    ] {
        let line = refused(&["--port", "0", "--data", &file]);
        let expected = format!("error: cannot keep the catalog in {file}: {reason}\n");
        assert_eq!(line, expected);
    }
    let after = [&anything, &others].map(|file| fs::read(file).expect("a file"));
    assert_eq!(after, before);
}

#[test]
fn a_read_only_file_is_rejected() {
    let scratch = Scratch::new("read-only");
    fs::write(scratch.file(), "").expect("a file");
    fs::set_permissions(scratch.file(), Permissions::from_mode(0o444)).expect("its owner");
    let mut command = command(&["--port", "0", "--data", &scratch.file()]);
    if fs::metadata(&scratch.0).expect("a folder").uid() == 0 {
        // Root can write everything, so another user runs a copy from a folder that it can access.
        let program = scratch.0.join("local");
        // Copied by another process: if this one wrote the file, processes started by other tests
        // would inherit it open for writing, and such a file cannot be run.
        let copied = Command::new("cp")
            .arg(command.get_program())
            .arg(&program)
            .status();
        assert!(copied.expect("a process").success());
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        command = Command::new(program);
        command.args(arguments).uid(65534).gid(65534);
    }
    let Output { status, stderr, .. } = command.output().expect("a process");
    let stderr = String::from_utf8(stderr).expect("text");
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(
        stderr.ends_with(": Permission denied (os error 13); name a file that you can write\n"),
        "{stderr}"
    );
}

#[test]
fn two_may_share_a_catalog() {
    let scratch = Scratch::new("shared");
    let arguments = ["--port", "0", "--data", &scratch.file()];
    let (first, second) = (Running::start(&arguments), Running::start(&arguments));
    first.ask("POST", "/product/create", ECHO);
    assert_eq!(second.ask("GET", "/product/find/1001", "").1, ECHO);
    first.stop();
    second.stop();
}

/// A DynamoDB file with other tables gets ours, and keeps its own.
#[test]
fn a_file_with_other_tables_gets_ours() {
    let scratch = Scratch::new("other-tables");
    create_table(&scratch.file(), "OTHER", "id");
    let arguments = ["--port", "0", "--data", &scratch.file()];
    let running = Running::start(&arguments);
    assert_eq!(
        running.ask("POST", "/product/create", ECHO).0,
        "HTTP/1.1 201 Created"
    );
    running.stop();
}

#[test]
fn a_file_whose_table_has_another_key_is_rejected() {
    let scratch = Scratch::new("other-key");
    create_table(&scratch.file(), "PRODUCT_CATALOG", "sku");
    let line = refused(&["--port", "0", "--data", &scratch.file()]);
    let reason = "the key of its table PRODUCT_CATALOG is not the catalog's; name a new file or an existing catalog";
    assert!(line.contains(reason), "{line}");
}

fn create_table(file: &str, name: &str, key: &str) {
    let table = serde_json::json!({
        "TableName": name,
        "AttributeDefinitions": [{ "AttributeName": key, "AttributeType": "S" }],
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{ "AttributeName": key, "KeyType": "HASH" }],
    });
    let table = serde_json::from_value(table).expect("a table");
    Database::new(file)
        .and_then(|database| database.create_table(table))
        .expect("a table");
}
