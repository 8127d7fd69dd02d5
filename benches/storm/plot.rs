//! The plot: Informs in each second as the ACS sees them, one panel for each outage.

use super::simulation::{BOXES, CAPACITY, Kind, Load, simulate};
use std::fmt::Write;
use std::time::Duration;

/// The outages shown: what is said of them, and how long the way to the ACS is away.
pub const OUTAGES: [(&str, Duration); 2] = [
    (
        "the network is back before the boxes are",
        Duration::from_secs(0),
    ),
    (
        "the network comes back after ten minutes",
        Duration::from_secs(600),
    ),
];

const WIDTH: usize = 900;
const PANEL: usize = 280;
const LEFT: usize = 70;
const RIGHT: usize = 20;
/// From the top of a panel to its curves, and their height.
const ABOVE: usize = 66;
const HEIGHT: usize = 160;

/// The curves end after this many seconds; what comes later is told in words.
const SHOWN: usize = 3600;

/// What there is to say of both policies in one outage.
pub struct Outcome {
    pub title: &'static str,
    pub ours: Load,
    pub fixed: Load,
}

/// Simulates every outage.
pub fn outcomes() -> Vec<Outcome> {
    let outcome = |(title, network)| Outcome {
        title,
        ours: simulate(Kind::Ours, network),
        fixed: simulate(Kind::FixedTable, network),
    };
    OUTAGES.into_iter().map(outcome).collect()
}

/// The plot as SVG.
pub fn svg(outcomes: &[Outcome]) -> String {
    let mut svg = String::new();
    let height = 40 + outcomes.len() * PANEL;
    // Writing to a String cannot fail.
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"24\" font-size=\"16\">Informs a second at the ACS after an area \
         power cut: {BOXES} boxes, {CAPACITY} sessions a second</text>"
    );
    for (n, outcome) in outcomes.iter().enumerate() {
        panel(&mut svg, outcome, 40 + n * PANEL);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, outcome: &Outcome, top: usize) {
    let last = outcome.ours.all_served.max(outcome.fixed.all_served);
    let seconds = (last + 30).min(SHOWN);
    let most = outcome.ours.peak().max(outcome.fixed.peak()).max(1) as usize;
    let (right, floor) = (WIDTH - RIGHT, top + ABOVE + HEIGHT);
    let x = |second: usize| LEFT + second * (right - LEFT) / seconds;
    let y = |informs: usize| floor - informs * HEIGHT / most;
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{}</text>\n\
         <path d=\"M{LEFT} {} V{floor} H{right}\" stroke=\"black\" fill=\"none\"/>\n\
         <path d=\"M{LEFT} {} H{right}\" stroke=\"gray\" stroke-dasharray=\"4 4\" fill=\"none\"/>",
        top + 14,
        outcome.title,
        top + ABOVE,
        y(CAPACITY as usize),
    );
    for mark in [0, most / 2, most] {
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{mark}</text>",
            LEFT - 6,
            y(mark) + 4
        );
    }
    let step = if seconds > 900 { 300 } else { 60 };
    for second in (0..=seconds).step_by(step) {
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{} min</text>",
            x(second),
            floor + 18,
            second / 60
        );
    }
    for (row, (name, load, colour)) in [
        ("fixed table of easycwmp", &outcome.fixed, "#d62728"),
        ("cwmp-agent", &outcome.ours, "#1f77b4"),
    ]
    .into_iter()
    .enumerate()
    {
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" fill=\"{colour}\">{name}: at most {} a second, {} refused, \
             all served after {} s</text>",
            LEFT,
            top + 31 + 17 * row,
            load.peak(),
            load.refused(),
            load.all_served
        );
        let _ = writeln!(
            svg,
            "<path d=\"{}\" stroke=\"{colour}\" fill=\"none\"/>",
            curve(load, x, y)
        );
    }
}

/// A step for each second whose count differs from the one before.
fn curve(load: &Load, x: impl Fn(usize) -> usize, y: impl Fn(usize) -> usize) -> String {
    let mut path = format!("M{} {}", x(0), y(0));
    let mut last = y(0);
    let after = std::iter::once(&0);
    for (second, informs) in load.informs.iter().chain(after).take(SHOWN).enumerate() {
        let now = y(*informs as usize);
        if now != last {
            let _ = write!(path, "H{}V{now}", x(second));
            last = now;
        }
    }
    path
}
