//! Which lines of a small text file changed: for showing what a Set did.

/// One line of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// The nearest `config` line above, for orientation.
    Section(&'a str),
    Gone(&'a str),
    New(&'a str),
}

/// The changed lines, each group below its section's head.
pub fn lines<'a>(before: &'a str, after: &'a str) -> Vec<Line<'a>> {
    let a: Vec<&str> = before.lines().collect();
    let b: Vec<&str> = after.lines().collect();
    let width = b.len() + 1;
    // Longest common subsequence; the sample router's files have a hundred lines.
    let mut longest = vec![0u32; (a.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    for (i, old) in a.iter().enumerate().rev() {
        for (j, new) in b.iter().enumerate().rev() {
            let value = |i: usize, j: usize| longest.get(at(i, j)).copied().unwrap_or(0);
            let best = if old == new {
                value(i + 1, j + 1) + 1
            } else {
                value(i + 1, j).max(value(i, j + 1))
            };
            if let Some(cell) = longest.get_mut(at(i, j)) {
                *cell = best;
            }
        }
    }
    let value = |i: usize, j: usize| longest.get(at(i, j)).copied().unwrap_or(0);
    let mut out = Vec::new();
    let (mut i, mut j) = (0, 0);
    let mut section = None;
    let mut shown = None;
    let mut push = |line: Line<'a>, section: Option<&'a str>, head: bool| {
        if !head && section != shown {
            shown = section;
            out.extend(section.map(Line::Section));
        }
        out.push(line);
    };
    loop {
        let head = |l: &str| l.trim_start().starts_with("config ");
        match (a.get(i), b.get(j)) {
            (Some(old), Some(new)) if old == new => {
                if head(old) {
                    section = Some(*old);
                }
                i += 1;
                j += 1;
            }
            (Some(old), new) if new.is_none() || value(i + 1, j) >= value(i, j + 1) => {
                push(Line::Gone(old), section, head(old));
                i += 1;
            }
            (_, Some(new)) => {
                push(Line::New(new), section, head(new));
                j += 1;
            }
            (_, None) => break,
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_option_is_shown_below_its_section() {
        let before = "config a 'x'\n\toption one '1'\n\toption two '2'\nconfig b\n\toption c '1'\n";
        let after = "config a 'x'\n\toption one '1'\n\toption two '3'\nconfig b\n\toption c '1'\nconfig n 'new'\n";
        assert_eq!(
            lines(before, after),
            vec![
                Line::Section("config a 'x'"),
                Line::Gone("\toption two '2'"),
                Line::New("\toption two '3'"),
                Line::New("config n 'new'"),
            ]
        );
        assert_eq!(lines(after, after), vec![]);
    }
}
