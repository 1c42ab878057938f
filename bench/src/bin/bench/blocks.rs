//! The marked blocks of a page, which a run writes: `<!-- make bench: NAME -->` … `<!-- end -->`.

const BEGIN: &str = "<!-- make bench: ";
const END: &str = "<!-- end -->";

/// The page with each block's content, by its name, and all else as it was.
///
/// # Errors
///
/// What is wrong with the page: a block is missing, has no end, occurs twice, or has a name that
/// nothing is written for.
pub fn filled(page: &str, mut blocks: Vec<(&str, String)>) -> Result<String, String> {
    let mut parts = page.split(BEGIN);
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let unfinished = || {
            let line = part.lines().next().unwrap_or_default();
            format!("no {END} after {BEGIN}{line}")
        };
        let (block, after) = part.split_once(END).ok_or_else(unfinished)?;
        let (name, _) = block.split_once(" -->").ok_or_else(unfinished)?;
        let index = blocks.iter().position(|(each, _)| *each == name);
        let index = index.ok_or_else(|| format!("nothing to write for {BEGIN}{name} -->"))?;
        let (_, content) = blocks.remove(index);
        filled += &[BEGIN, name, " -->\n", &content, END, after].concat();
    }
    match blocks.first() {
        Some((name, _)) => Err(format!("{BEGIN}{name} --> is missing")),
        None => Ok(filled),
    }
}

#[cfg(test)]
mod tests {
    use super::filled;

    fn check(page: &str, expected: Result<&str, &str>) {
        let blocks = vec![("one", "1\n".to_owned()), ("two", "2\n".to_owned())];
        let expected = expected.map(ToOwned::to_owned).map_err(ToOwned::to_owned);
        assert_eq!(filled(page, blocks), expected, "{page}");
    }

    #[test]
    fn what_people_wrote_is_kept() {
        let page = "a\n<!-- make bench: one -->\n1\n<!-- end -->\nb\n\
                    <!-- make bench: two -->\n2\n<!-- end -->\nc\n";
        check(
            &page.replace("1\n", "an\nold\ntable\n").replace('2', ""),
            Ok(page),
        );
        check(page, Ok(page));
    }

    #[test]
    fn a_block_that_is_missing_is_an_error() {
        check(
            "<!-- make bench: one --><!-- end -->",
            Err("<!-- make bench: two --> is missing"),
        );
    }

    #[test]
    fn a_block_without_an_end_is_an_error() {
        check(
            "<!-- make bench: one --><!-- end -->\n<!-- make bench: two -->\n2\n",
            Err("no <!-- end --> after <!-- make bench: two -->"),
        );
        check(
            "<!-- make bench: one -->\n1\n<!-- make bench: two -->\n2\n<!-- end -->",
            Err("no <!-- end --> after <!-- make bench: one -->"),
        );
    }

    #[test]
    fn a_block_that_nothing_is_written_for_is_an_error() {
        let page = "<!-- make bench: one --><!-- end --><!-- make bench: two --><!-- end -->";
        for more in ["one", "three"] {
            check(
                &format!("{page}<!-- make bench: {more} --><!-- end -->"),
                Err(&format!("nothing to write for <!-- make bench: {more} -->")),
            );
        }
    }
}
