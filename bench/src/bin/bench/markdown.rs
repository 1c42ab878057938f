//! How figures and tables are written.

/// In MB of 1,000,000 bytes.
pub fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes).expect("less than 4 GB")) / 1_000_000.0
}

/// Three digits of it.
pub fn number(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A row of a table.
pub fn row(cells: impl IntoIterator<Item = String>) -> String {
    cells
        .into_iter()
        .fold("|".to_owned(), |row, cell| format!("{row} {cell} |"))
        + "\n"
}

/// The names of a table's columns.
pub fn head<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(ToOwned::to_owned).collect();
    let line = vec!["---".to_owned(); names.len()];
    // Without the spaces, a line as the others of the page.
    row(names) + &row(line).replace(' ', "")
}
