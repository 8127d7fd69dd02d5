//! How the story looks: headings, what each side says, colours on a terminal only.

use super::diff::Line;
use std::io::{IsTerminal, Write};

/// Writes the story on stdout.
pub struct Page {
    colour: bool,
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const BLUE: &str = "34";
const CYAN: &str = "36";

impl Page {
    pub fn new() -> Page {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Page { colour }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn line(&self, text: &str) {
        // The reader may have gone (`| head`): the story still has to clean up behind it.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }

    /// A new part of the story.
    pub fn chapter(&self, title: &str) {
        self.line(&format!("\n{}", self.paint(BOLD, title)));
    }

    /// What happens around the two.
    pub fn aside(&self, text: &str) {
        self.line(&format!("  {}", self.paint(DIM, text)));
    }

    /// The router speaks.
    pub fn cpe(&self, text: &str) {
        self.line(&format!("  {} {text}", self.paint(GREEN, "router →")));
    }

    /// The ACS speaks.
    pub fn acs(&self, text: &str) {
        self.line(&format!("  {} {text}", self.paint(BLUE, "← ACS   ")));
    }

    /// A detail of what was just said.
    pub fn detail(&self, text: &str) {
        self.line(&format!("             {text}"));
    }

    /// Something refused.
    pub fn refusal(&self, text: &str) {
        self.line(&format!("             {}", self.paint(RED, text)));
    }

    /// What changed in a file.
    pub fn change(&self, file: &str, lines: &[Line<'_>]) {
        self.line(&format!("  {}", self.paint(CYAN, file)));
        for line in lines {
            match line {
                Line::Section(text) => self.line(&format!("      {}", self.paint(DIM, text))),
                Line::Gone(text) => self.line(&self.paint(RED, &format!("    - {text}"))),
                Line::New(text) => self.line(&self.paint(GREEN, &format!("    + {text}"))),
            }
        }
    }

    /// The last word.
    pub fn end(&self, good: bool, text: &str) {
        let code = if good { GREEN } else { RED };
        self.line(&format!("\n{}", self.paint(code, text)));
    }
}
