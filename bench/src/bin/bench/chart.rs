//! The pictures of docs/performance.md, readable on light and on dark.

use std::fmt::Write;

use bench::Call;
use plotters::chart::{ChartBuilder, SeriesLabelPosition};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{IntoSegmentedCoord, SegmentValue};
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{EmptyElement, Rectangle, Text};
use plotters::prelude::SVGBackend;
use plotters::series::LineSeries;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, TRANSPARENT, TextStyle};

use crate::SIZES;
use crate::figures::{Figures, Under, What};
use crate::markdown::number;
use crate::run::function;
use crate::subject::Subject;

const WIDTH: u32 = 760;
/// The subjects with a line of their own: for a warm call, the one line changes nothing.
const LINES: [Subject; 4] = [
    Subject::Ours,
    Subject::Documentation,
    Subject::Node,
    Subject::Python,
];
const TEXT: RGBColor = RGBColor(0x1f, 0x23, 0x28);
const GRID: RGBColor = RGBColor(0xd1, 0xd9, 0xe0);
/// GitHub's colours on its light and its dark background, which can be distinguished also with
/// red-green blindness.
const ON_DARK: [(RGBColor, &str); 8] = [
    (TEXT, "#f0f6fc"),
    (GRID, "#3d444d"),
    (colour(Subject::Ours), "#4493f8"),
    (colour(Subject::OneLine), "#d29922"),
    (colour(Subject::Documentation), "#db6d28"),
    (colour(Subject::Node), "#3fb950"),
    (colour(Subject::Python), "#ab7df8"),
    (colour(Subject::Hello), "#9198a1"),
];

const fn colour(subject: Subject) -> RGBColor {
    match subject {
        Subject::Ours => RGBColor(0x09, 0x69, 0xda),
        Subject::OneLine => RGBColor(0xbf, 0x87, 0x00),
        Subject::Documentation => RGBColor(0xbc, 0x4c, 0x00),
        Subject::Node => RGBColor(0x1a, 0x7f, 0x37),
        Subject::Python => RGBColor(0x82, 0x50, 0xdf),
        Subject::Hello => RGBColor(0x81, 0x8b, 0x98),
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// From start to first response: a bar for each subject.
pub fn start(figures: &Figures) -> String {
    const BAR: u32 = 32;

    let mut bars = Subject::ALL.map(|subject| {
        let value = figures.p50(
            subject,
            Call::FOUND.name,
            Under::Nothing,
            What::FirstResponse,
        );
        (subject, value)
    });
    // The axis begins at the bottom.
    bars.reverse();
    let name = |place: &SegmentValue<usize>| match place {
        SegmentValue::CenterOf(place) => bars.get(*place).map_or("", |bar| bar.0.name()),
        _ => "",
    };
    let highest = bars.iter().map(|bar| bar.1).fold(0.0, f64::max);
    let height = 70 + BAR * u32::try_from(bars.len()).expect("few");
    drawn(
        "From start to first response of find, p50",
        height,
        |area| {
            let mut chart = ChartBuilder::on(area)
                .x_label_area_size(44)
                .y_label_area_size(250)
                .margin_right(20)
                // Room for the last figure.
                .build_cartesian_2d(0.0..highest * 1.1, (0..bars.len() - 1).into_segmented())
                .expect("a chart");
            chart
                .configure_mesh()
                .disable_y_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(GRID)
                .axis_style(GRID)
                .label_style(style())
                .x_desc("ms")
                .x_label_formatter(&|value| label(*value))
                .y_labels(bars.len())
                .y_label_formatter(&|place| name(place).to_owned())
                .draw()
                .expect("axes");
            for (place, (subject, value)) in bars.iter().enumerate() {
                let [from, to] = [place, place + 1].map(SegmentValue::Exact);
                let mut bar =
                    Rectangle::new([(0.0, from), (*value, to)], colour(*subject).filled());
                bar.set_margin(5, 5, 0, 0);
                chart.draw_series([bar]).expect("a bar");
                let beside = style().pos(Pos::new(HPos::Left, VPos::Center));
                let figure = EmptyElement::at((*value, SegmentValue::CenterOf(place)))
                    + Text::new(number(*value), (6, 0), beside);
                chart.draw_series([figure]).expect("a figure");
            }
        },
    )
}

/// A warm call by the size of its product: a line for each subject, find beside create.
pub fn size(figures: &Figures) -> String {
    const HEIGHT: u32 = 360;

    let calls = [Call::FOUND.name, Call::CREATED.name];
    let value = |subject, call, size| figures.p50(subject, call, Under::Size(size), What::Warm);
    let kilobytes = |size: usize| f64::from(u32::try_from(size).expect("small"));
    let largest = SIZES.map(kilobytes).into_iter().fold(0.0, f64::max);
    let highest = calls.into_iter().flat_map(|call| {
        let subjects = LINES.into_iter();
        subjects.flat_map(move |subject| SIZES.map(|size| value(subject, call, size)))
    });
    let highest = highest.fold(0.0, f64::max);
    drawn(
        "A warm call by the size of its product, p50",
        HEIGHT,
        |area| {
            for (panel, call) in area.split_evenly((1, calls.len())).iter().zip(calls) {
                let mut chart = ChartBuilder::on(panel)
                    .caption(function(call), style())
                    .x_label_area_size(44)
                    .y_label_area_size(50)
                    .margin_right(20)
                    .build_cartesian_2d(0.0..largest * 1.05, 0.0..highest * 1.05)
                    .expect("a chart");
                chart
                    .configure_mesh()
                    .light_line_style(TRANSPARENT)
                    .bold_line_style(GRID)
                    .axis_style(GRID)
                    .label_style(style())
                    .x_desc("KB")
                    .x_labels(4)
                    .x_label_formatter(&|value| label(*value))
                    .y_desc("ms")
                    .y_labels(6)
                    .y_label_formatter(&|value| label(*value))
                    .draw()
                    .expect("axes");
                for subject in LINES {
                    let points = SIZES.map(|size| (kilobytes(size), value(subject, call, size)));
                    let colour = colour(subject);
                    let line = LineSeries::new(points, colour.stroke_width(2)).point_size(3);
                    let line = chart.draw_series(line).expect("a line");
                    line.label(subject.name()).legend(move |(x, y)| {
                        Rectangle::new([(x, y - 6), (x + 12, y + 6)], colour.filled())
                    });
                }
                if call == calls[0] {
                    chart
                        .configure_series_labels()
                        .position(SeriesLabelPosition::UpperLeft)
                        .label_font(style())
                        .draw()
                        .expect("a legend");
                }
            }
        },
    )
}

/// A figure of an axis, without the error of its floating point.
fn label(value: f64) -> String {
    ((value * 100.0).round() / 100.0).to_string()
}

fn style() -> TextStyle<'static> {
    ("system-ui, sans-serif", 16).into_font().color(&TEXT)
}

/// A picture with this title.
fn drawn(title: &str, height: u32, draw: impl FnOnce(&Area)) -> String {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    draw(&area.titled(title, style()).expect("a title"));
    area.present().expect("a picture");
    drop(area);
    // A rule of CSS is stronger than an attribute.
    let mut rules = String::new();
    for (RGBColor(red, green, blue), dark) in ON_DARK {
        for attribute in ["fill", "stroke"] {
            let light = format!("#{red:02X}{green:02X}{blue:02X}");
            write!(rules, "[{attribute}=\"{light}\"]{{{attribute}:{dark}}}").expect("text");
        }
    }
    let style = format!("<style>@media (prefers-color-scheme:dark){{{rules}}}</style>");
    svg.replacen('>', &format!(">\n{style}"), 1)
}

#[cfg(test)]
mod tests {
    use bench::Call;

    use super::{LINES, size, start};
    use crate::SIZES;
    use crate::figures::{Figures, Under, What};
    use crate::subject::Subject;

    #[test]
    fn a_picture_has_every_subject_and_an_axis_from_zero() {
        let mut figures = Figures::default();
        for subject in Subject::ALL {
            for call in [Call::FOUND.name, Call::CREATED.name] {
                figures.add(subject, call, Under::Nothing, What::FirstResponse, 100.0);
                for size in SIZES {
                    figures.add(subject, call, Under::Size(size), What::Warm, 1.0);
                }
            }
        }
        let start = start(&figures);
        let size = size(&figures);
        for (picture, subjects) in [(&start, &Subject::ALL[..]), (&size, &LINES[..])] {
            for subject in subjects {
                let name = subject.name().replace('\'', "&apos;");
                assert!(picture.contains(&name), "{name} is missing in {picture}");
            }
            assert!(picture.contains("\n0\n"), "no zero in {picture}");
        }
    }
}
