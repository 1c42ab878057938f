//! The pictures of docs/performance.md, readable on light and on dark.

use std::fmt::Write;

use bench::Call;

use crate::SIZES;
use crate::figures::{Figures, Under, What};
use crate::markdown::number;
use crate::run::function;
use crate::subject::Subject;

const WIDTH: f64 = 760.0;
/// Where names end and figures begin.
const LEFT: f64 = 210.0;
const RIGHT: f64 = 60.0;

/// Colours that can be distinguished on light and dark backgrounds, also with red-green blindness.
const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.axis { stroke: #d1d9e0 } .small { font-size: 11px; fill: #59636e }
.ours { fill: #0969da; stroke: #0969da } .documentation { fill: #bc4c00; stroke: #bc4c00 }
.node { fill: #1a7f37; stroke: #1a7f37 } .python { fill: #8250df; stroke: #8250df } .hello { fill: #818b98; stroke: #818b98 }
polyline { fill: none !important; stroke-width: 2 } rect, circle { stroke: none !important }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .axis { stroke: #3d444d } .small { fill: #9198a1 }
.ours { fill: #4493f8; stroke: #4493f8 } .documentation { fill: #db6d28; stroke: #db6d28 }
.node { fill: #3fb950; stroke: #3fb950 } .python { fill: #ab7df8; stroke: #ab7df8 } .hello { fill: #9198a1; stroke: #9198a1 } }
";

/// From start to first response: a bar for each subject, on a scale of powers of ten.
pub fn start(figures: &Figures) -> String {
    const BAR: f64 = 22.0;
    const STEP: f64 = 30.0;

    let value =
        |subject, call: &str| figures.p50(subject, call, Under::Nothing, What::FirstResponse);
    let mut bars = Vec::new();
    for call in [Call::FOUND.name, Call::CREATED.name] {
        for subject in Subject::WITH_PRODUCTS {
            let name = format!("{}: {}", function(call), subject.name());
            bars.push((subject, name, value(subject, call)));
        }
    }
    let hello = value(Subject::Hello, Call::FOUND.name);
    bars.push((Subject::Hello, Subject::Hello.name().to_owned(), hello));

    let scale = Scale::around(bars.iter().map(|bar| bar.2), LEFT, WIDTH - RIGHT);
    let bottom = 34.0 + STEP * f64::from(u32::try_from(bars.len()).expect("few"));
    let mut picture = text(
        0.0,
        18.0,
        "",
        "start",
        "From start to first response, p50 in ms, on a logarithmic scale",
    );
    for (power, x) in scale.powers() {
        picture += &line(x, 30.0, x, bottom);
        picture += &text(x, bottom + 16.0, "small", "middle", &power.to_string());
    }
    let mut y = 34.0;
    for (subject, name, value) in bars {
        let end = scale.at(value);
        picture += &text(LEFT - 10.0, y + 16.0, "", "end", &name);
        writeln!(
            picture,
            r#"<rect class="{}" x="{LEFT}" y="{y}" width="{:.1}" height="{BAR}"/>"#,
            class(subject),
            end - LEFT
        )
        .expect("text");
        picture += &text(end + 6.0, y + 16.0, "", "start", &number(value));
        y += STEP;
    }
    svg(
        bottom + 24.0,
        "Bars: from start to first response",
        &picture,
    )
}

/// A warm call by the size of its product: a line for each subject, both scales of powers of ten.
pub fn size(figures: &Figures) -> String {
    const HEIGHT: f64 = 300.0;
    const BETWEEN: f64 = 60.0;

    let panel = (WIDTH - 40.0 - BETWEEN - 20.0) / 2.0;
    let value = |subject, call, size| figures.p50(subject, call, Under::Size(size), What::Warm);
    let calls = [Call::FOUND.name, Call::CREATED.name];
    let all = calls.iter().flat_map(|call| {
        Subject::WITH_PRODUCTS
            .into_iter()
            .flat_map(|subject| SIZES.map(|size| value(subject, call, size)))
    });
    let down = Scale::around(all, HEIGHT - 40.0, 50.0);
    let mut picture = text(
        0.0,
        18.0,
        "",
        "start",
        "A warm call by the size of its product, p50 in ms, on logarithmic scales",
    );
    for (call, left) in calls.into_iter().zip([40.0, 40.0 + panel + BETWEEN]) {
        let kilobytes = |size: usize| f64::from(u32::try_from(size).expect("small"));
        let across = Scale {
            lowest: 0.0,
            highest: kilobytes(SIZES[SIZES.len() - 1]).log10(),
            from: left,
            to: left + panel,
        };
        picture += &text(left, 40.0, "", "start", function(call));
        for (power, y) in down.powers() {
            picture += &line(left, y, left + panel, y);
            picture += &text(left - 6.0, y + 4.0, "small", "end", &power.to_string());
        }
        for size in SIZES {
            let x = across.at(kilobytes(size));
            picture += &text(x, HEIGHT - 22.0, "small", "middle", &format!("{size} KB"));
        }
        for subject in Subject::WITH_PRODUCTS {
            let points = SIZES.map(|size| {
                (
                    across.at(kilobytes(size)),
                    down.at(value(subject, call, size)),
                )
            });
            let class = class(subject);
            let joined: Vec<_> = points
                .iter()
                .map(|(x, y)| format!("{x:.1},{y:.1}"))
                .collect();
            writeln!(
                picture,
                r#"<polyline class="{class}" points="{}"/>"#,
                joined.join(" ")
            )
            .expect("text");
            for (x, y) in points {
                writeln!(
                    picture,
                    r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="3"/>"#
                )
                .expect("text");
            }
        }
    }
    for (subject, x) in Subject::WITH_PRODUCTS
        .into_iter()
        .zip([40.0, 190.0, 390.0, 500.0])
    {
        let class = class(subject);
        let y = HEIGHT + 2.0;
        writeln!(
            picture,
            r#"<rect class="{class}" x="{x}" y="{y}" width="12" height="12"/>"#
        )
        .expect("text");
        picture += &text(x + 18.0, y + 11.0, "", "start", subject.name());
    }
    svg(
        HEIGHT + 24.0,
        "Lines: a warm call by the size of its product",
        &picture,
    )
}

/// Powers of ten along a line: these two are its ends.
struct Scale {
    lowest: f64,
    highest: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// From the power of ten below all values to the one above.
    fn around(values: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut lowest, mut highest) = (f64::MAX, f64::MIN);
        for value in values {
            lowest = lowest.min(value);
            highest = highest.max(value);
        }
        Self {
            lowest: lowest.log10().floor(),
            highest: highest.log10().ceil(),
            from,
            to,
        }
    }

    fn at(&self, value: f64) -> f64 {
        let part = (value.log10() - self.lowest) / (self.highest - self.lowest);
        self.from + part * (self.to - self.from)
    }

    fn powers(&self) -> impl Iterator<Item = (f64, f64)> {
        let mut power = self.lowest;
        std::iter::from_fn(move || {
            let value = 10_f64.powf(power);
            power += 1.0;
            (power <= self.highest + 1.0).then(|| (value, self.at(value)))
        })
    }
}

fn class(subject: Subject) -> &'static str {
    match subject {
        Subject::Ours => "ours",
        Subject::Documentation => "documentation",
        Subject::Node => "node",
        Subject::Python => "python",
        Subject::Hello => "hello",
    }
}

fn text(x: f64, y: f64, class: &str, anchor: &str, text: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\" text-anchor=\"{anchor}\">{text}</text>\n"
    )
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!("<line class=\"axis\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n")
}

fn svg(height: f64, label: &str, picture: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" aria-label=\"{label}\">\n<style>\n{STYLE}</style>\n{picture}</svg>\n"
    )
}
