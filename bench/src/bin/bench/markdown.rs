//! How figures and prose are written.

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

/// The paragraphs in lines of at most 120 letters, as the rest of the documentation.
pub fn wrapped(paragraphs: &str) -> String {
    let paragraphs = paragraphs.split("\n\n").map(|paragraph| {
        let (mut text, mut column) = (String::new(), 0);
        for word in paragraph.split_whitespace() {
            let length = word.chars().count();
            if column + length >= 120 {
                text.push('\n');
                column = 0;
            } else if column > 0 {
                text.push(' ');
            }
            text += word;
            column += 1 + length;
        }
        text + "\n"
    });
    paragraphs.collect::<Vec<_>>().join("\n")
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
